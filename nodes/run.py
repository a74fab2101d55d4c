"""Runs a node: one process, or several workers on one store and one pair of ports."""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from nodes import logs
from nodes.config import HUB, Config, read_config
from nodes.hub import RunningHub
from nodes.node import RunningNode
from nodes.ports import Ports
from nodes.store import StoreUnusable

RESTART_SECONDS = 1.0
START_SECONDS = 30.0
STATUS = "node.json"
LOCK = "node.lock"


def serve(path: Path, *, parent: int = 0) -> int:
    """Serve until SIGTERM or SIGINT, or until a parent process ends where one is named; give the exit status.

    Raises:
        StoreUnusable: when another process serves this data folder.
    """
    config = read_config(path)
    logs.configure()
    with alone(config.data):
        if config.workers == 1:
            return asyncio.run(_serve(config, parent=parent))
        return _Crew(config, path, parent).run()


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """Hold the data folder: two nodes on one would answer under one name from two addresses."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (data / LOCK).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreUnusable(f"another process serves {data.name} in this folder; stop it first") from error
        yield


async def _serve(config: Config, *, parent: int = 0, worker: bool = False) -> int:
    """Serve in this process; end with the parent where one is named."""
    node = (RunningHub if config.role == HUB else RunningNode)(config, reuse_port=worker)
    ports = await node.start()
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    orphaned = asyncio.create_task(_end_with(parent, stopped))
    if not worker:
        write_status(config, ports)
    await stopped.wait()
    orphaned.cancel()
    await node.stop()
    return 0


async def _end_with(parent: int, stopped: asyncio.Event) -> None:
    while parent in {0, os.getppid()}:  # noqa: ASYNC110  another process's end is no event here
        await asyncio.sleep(RESTART_SECONDS)
    stopped.set()


def write_status(config: Config, ports: Ports) -> None:
    """Tell the operator's tools where the node listens: `node.json` in the data folder, replaced at once."""
    status = {
        "member": config.member,
        "process_id": os.getpid(),
        "exchange_port": ports.exchange,
        "desk_port": ports.desk,
    }
    path = config.data / STATUS
    new = path.with_suffix(".new")
    new.write_text(json.dumps(status), encoding="utf-8")
    new.replace(path)


class _Crew:
    """Worker processes on one pair of ports: the parent reserves the ports, and replaces a worker that dies."""

    def __init__(self, config: Config, path: Path, parent: int) -> None:
        self._config, self._path, self._parent = config, path, parent
        self._workers: list[subprocess.Popen[bytes]] = []
        self._stopping = False

    def run(self) -> int:
        exchange, desk = _reserve(self._config.exchange_listen), _reserve(self._config.desk_listen)
        ports = Ports(exchange=exchange.getsockname()[1], desk=desk.getsockname()[1])
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._workers = [self._start(ports, number) for number in range(self._config.workers)]
        _await_listening(self._config.exchange_listen, ports.exchange)
        write_status(self._config, ports)
        while self._goes_on():
            time.sleep(RESTART_SECONDS)
            for worker, each in enumerate(self._workers):
                if each.poll() is not None and self._goes_on():
                    self._workers[worker] = self._start(ports, worker)
        for each in self._workers:
            each.terminate()
            each.wait()
        exchange.close()
        desk.close()
        return 0

    def _start(self, ports: Ports, number: int) -> subprocess.Popen[bytes]:
        command = [
            sys.executable, "-P", "-m", "nodes.run", str(self._path), "--worker", str(number),
            "--exchange-port", str(ports.exchange), "--desk-port", str(ports.desk),
        ]  # fmt: skip
        return subprocess.Popen(command)  # noqa: S603  our own interpreter and arguments

    def _goes_on(self) -> bool:
        return not self._stopping and self._parent in {0, os.getppid()}

    def _stop(self, number: int, _frame: object) -> None:
        self._stopping = True
        for each in self._workers:
            each.send_signal(number)


def _reserve(listen: str) -> socket.socket:
    """Bind without listening, so that every worker may bind the same port and nobody else gets it."""
    host, _, port = listen.rpartition(":")
    reserved = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    reserved.bind((host.strip("[]"), int(port)))
    return reserved


def _await_listening(listen: str, port: int) -> None:
    """Wait until some worker listens: whoever reads the status file may connect at once."""
    host, ends = listen.rpartition(":")[0].strip("[]"), time.monotonic() + START_SECONDS
    while time.monotonic() < ends:
        try:
            socket.create_connection((host, port), timeout=1.0).close()
        except OSError:
            time.sleep(0.05)
        else:
            return


def _worker(path: Path, ports: Ports, number: int) -> int:
    config = read_config(path)
    logs.configure()
    bound = replace(
        config,
        exchange_listen=f"{config.exchange_listen.rpartition(':')[0]}:{ports.exchange}",
        desk_listen=f"{config.desk_listen.rpartition(':')[0]}:{ports.desk}",
        metrics_listen=_nth(config.metrics_listen, number),
    )
    return asyncio.run(_serve(bound, parent=os.getppid(), worker=True))


def _nth(listen: str | None, number: int) -> str | None:
    """Give each worker its own port for metrics: the configured one and those after it."""
    if listen is None or listen.endswith(":0"):
        return listen
    host, _, port = listen.rpartition(":")
    return f"{host}:{int(port) + number}"


def main() -> int:
    """Run a node, or with ports one worker of a crew."""
    parser = argparse.ArgumentParser(prog="python -m nodes.run")
    parser.add_argument("config", type=Path)
    parser.add_argument("--with-parent", action="store_true", help="end when the parent process ends")
    parser.add_argument("--worker", type=int, default=0)
    parser.add_argument("--exchange-port", type=int)
    parser.add_argument("--desk-port", type=int)
    given = parser.parse_args()
    if given.exchange_port is None:
        return serve(given.config, parent=os.getppid() if given.with_parent else 0)
    return _worker(given.config, Ports(exchange=given.exchange_port, desk=given.desk_port), given.worker)


if __name__ == "__main__":
    sys.exit(main())
