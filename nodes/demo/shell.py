"""The real command line, as the demonstration types it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass

GENUINE = frozenset({0, 10})
ANSWERED = frozenset({0, 3})
REFUSED = 4


class DemoError(Exception):
    """Something did not happen as it must; the text says what, and where the log is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """Runs `yrdx` in one language, each command in a process of its own."""

    language: str

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        command = [sys.executable, "-P", "-m", "nodes.cli", "--lang", self.language, *arguments]
        environment = {**os.environ, "COLUMNS": "160", "PYTHONIOENCODING": "utf-8"}
        return subprocess.run(  # noqa: S603  our own interpreter and arguments
            command, capture_output=True, text=True, encoding="utf-8", check=False, env=environment,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def answered(self, title: str, *arguments: str) -> str:
        """Run a command that must be answered, and give what it printed.

        Raises:
            DemoError: when it was not.
        """
        done = self.run(*arguments)
        if done.returncode not in ANSWERED:
            raise DemoError(f"{title} failed: {done.stderr.strip()}")
        return done.stdout
