"""Starts nodes fast: a process that has imported everything forks one node for each line it reads.

`python -P forge.py`: a line names a config, and the answer is the node's process id; `-` waits for the last one's end.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from nodes.config import read_config
from nodes.run import STATUS, serve

START_SECONDS = 60.0


class Forge:
    """A member's node, started and killed again and again in one place and on the same ports."""

    def __init__(self, home: Path) -> None:
        """Make the process that forks."""
        self._home = home
        self._status = read_config(home / "node.toml").data / STATUS
        self._forge: subprocess.Popen[str] | None = None
        self.node = 0

    def __enter__(self) -> Self:
        """Let it import everything."""
        with (self._home / "node.log").open("ab") as log:
            self._forge = subprocess.Popen(
                [sys.executable, "-P", str(Path(__file__))],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        """End both."""
        if self.node:
            self.kill()
        assert self._forge is not None
        self._forge.kill()
        self._forge.communicate()

    def start(self) -> None:
        """Fork a node; it is under way when this returns, and `listens` says when it is there.

        Raises:
            TimeoutError: when it does not listen in time.
        """
        self._status.unlink(missing_ok=True)
        self.node = int(self._say(str(self._home / "node.toml")))

    def await_listening(self) -> None:
        """Wait until the node has said where it listens.

        Raises:
            TimeoutError: when it does not in time.
        """
        ends = time.monotonic() + START_SECONDS
        while not self._status.exists():
            if time.monotonic() > ends:
                raise TimeoutError(f"{self._home.name} does not listen")
            time.sleep(0.01)

    def kill(self) -> None:
        """End the node as a power cut does, and wait until it is gone."""
        os.kill(self.node, 9)
        assert self._say("-") == "9"
        self.node = 0

    def _say(self, line: str) -> str:
        assert self._forge is not None
        assert self._forge.stdin is not None
        assert self._forge.stdout is not None
        self._forge.stdin.write(f"{line}\n")
        self._forge.stdin.flush()
        return self._forge.stdout.readline().strip()


def fix_ports(home: Path, exchange: int, desk: int) -> None:
    """Have a member listen where it does now after every start, so that nobody must be told."""
    config = home / "node.toml"
    text = config.read_text(encoding="utf-8")
    for name, port in (("exchange_listen", exchange), ("desk_listen", desk)):
        text = text.replace(f'{name} = "127.0.0.1:0"', f'{name} = "127.0.0.1:{port}"')
    config.write_text(text, encoding="utf-8")


def _forge() -> None:
    node = 0
    for line in iter(sys.stdin.readline, ""):
        if line == "-\n":
            _, status = os.waitpid(node, 0)
            _answer(-os.waitstatus_to_exitcode(status))
            continue
        node = os.fork()
        if not node:
            os.dup2(2, 1)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os._exit(serve(Path(line.strip()), parent=os.getppid()))
        _answer(node)


def _answer(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _forge()
