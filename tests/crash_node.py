"""A node that kills itself once at a named step of an exchange: `python -P crash_node.py CONFIG STEP`.

It is a real node with its ports wrapped. Of a step `X` the process dies before what X names begins; of a step
`X.end` it dies when that is done, and of `X.inside` in the transaction, before its COMMIT.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from gateway.answering import Answering, Node
from gateway.authorising import Registry
from gateway.office import Office
from nodes import logs
from nodes.config import read_config
from nodes.node import RunningNode
from nodes.run import write_status

ANSWERER = ("find", "read", "commit", "commit.inside", "commit.end")
HOME = ("take", "take.inside", "take.end")
ASKER = ("open", "open.inside", "open.end", "conclude", "conclude.inside", "conclude.end")


def die() -> NoReturn:
    """End this process as a power cut does."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise SystemExit


@dataclass(frozen=True, kw_only=True)
class Deadly:
    """A port of which one operation kills the process; everything else is the port's own."""

    port: Any
    step: str

    def __getattr__(self, name: str) -> Any:
        held, (operation, _, moment) = getattr(self.port, name), self.step.partition(".")
        if name != operation:
            return held
        return {"": _before, "inside": self._inside, "end": _after}[moment](held)

    def _inside(self, held: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self.port._commits = _DeadlyCommits(self.port._commits)
            return held(*arguments, **named)

        return call


class _DeadlyCommits:
    """Runs a job to its end and dies before its COMMIT."""

    def __init__(self, commits: Any) -> None:
        self._commits = commits

    async def run(self, work: Callable[[Any], Any]) -> Any:
        return (await self.run_sealed(work))[0]

    async def run_sealed(self, work: Callable[[Any], Any], **options: Any) -> Any:
        def job(connection: Any) -> Any:
            work(connection)
            die()

        return await self._commits.run_sealed(job, **options)


def _before(_: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arguments, **named: die()


def _after(held: Callable[..., Any]) -> Callable[..., Any]:
    async def call(*arguments: Any, **named: Any) -> Any:
        await held(*arguments, **named)
        die()

    return call


class CrashNode(RunningNode):
    """A node of which one step is deadly."""

    step = ""

    def _answerer(self) -> Node:  # type: ignore[explicit-override]  # 3.11 has no marker
        node = super()._answerer()
        if self.step not in ANSWERER:
            return node
        source, journal = Deadly(port=node.source, step=self.step), Deadly(port=node.journal, step=self.step)
        return replace(node, source=source, journal=journal)

    def _registry(self) -> Registry:  # type: ignore[explicit-override]  # 3.11 has no marker
        registry = super()._registry()
        return replace(registry, book=Deadly(port=registry.book, step=self.step)) if self.step in HOME else registry

    def _office(self, answering: Answering) -> Office:  # type: ignore[explicit-override]  # 3.11 has no marker
        office = super()._office(answering)
        return replace(office, log=Deadly(port=office.log, step=self.step)) if self.step in ASKER else office


async def serve(path: Path, step: str) -> None:
    """Serve until the step is reached."""
    config = read_config(path)
    node = CrashNode(config)
    node.step = step
    write_status(config, await node.start())
    await asyncio.Event().wait()


if __name__ == "__main__":
    logs.configure()
    asyncio.run(serve(Path(sys.argv[1]), sys.argv[2]))
