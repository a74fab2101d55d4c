"""One run of a batch: what was answered before is read, the rest is asked, several messages at once.

It knows neither the desk nor the terminal: `ask` sends, `read` verifies, `tell` shows.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from gateway import uscc
from gateway.errors import GatewayError
from gateway.verdicts import RowFinding, RowVerdict
from nodes.batch.answers import Reading, Terms, latest
from nodes.batch.folder import Folder
from nodes.batch.rows import Columns, Message, Rows, Scan, messages

IN_FLIGHT = 4
"""Messages on their way at once: enough to keep four members busy, few enough to lose little."""

T = TypeVar("T")
Ask = Callable[[Message], Awaitable[tuple[bytes, bytes]]]
"""Sends a message; gives the answer file and the digest of the intent that was signed for it."""
Read = Callable[[bytes, Message, bytes | None], Awaitable[Reading]]
"""Verifies an answer file to a message, and to a signed intent where its digest is known."""


Admit = Callable[[int, int], Awaitable[None]]
"""Told before a stage how many subjects it needs, and how many of them may be charged already; may raise."""


class SoleTradersClosed(GatewayError):
    """The desk does not ask about sole traders for this purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An answer file that the batch rests on."""

    number: int
    digest: str
    subjects: int
    combined: datetime


@dataclass(slots=True, kw_only=True)
class Run:
    """What a batch has come to: by subject the last finding and the number of the answer file behind it."""

    scan: Scan
    where: Columns
    rows: Callable[[], Rows]
    folder: Folder
    size: int
    ask: Ask
    read: Read
    admit: Admit
    resumed: bool = False
    tell: Callable[[int, bool], None] = lambda _subjects, _fresh: None
    findings: list[RowFinding | None] = field(init=False)
    answers: array[int] = field(init=False)
    kept: dict[int, Kept] = field(default_factory=dict)
    terms: Terms | None = None
    _alike: dict[RowFinding, RowFinding] = field(default_factory=dict)
    _last: int = 0

    def __post_init__(self) -> None:
        """Start with nothing found."""
        self.findings = [None] * self.scan.subjects
        self.answers = array("i", bytes(4 * self.scan.subjects))

    async def complete(self, retries: int) -> None:
        """Ask whatever is not answered yet; then, as many times as told, what was incomplete.

        Raises:
            AnswerRefused: for an answer that may not be used; it was not kept.
            whatever `ask` raises; what else was on its way is kept first.
        """
        await self._stage(lambda _number, code: not uscc.is_sole_trader(code))
        if self.scan.sole_traders:
            await self._sole_traders()
        for _ in range(retries):
            await self.again()

    async def again(self) -> None:
        """Ask once more about what is incomplete; raises as `complete` does."""
        await self._stage(_flagged(self.pending()), again=True)

    def pending(self) -> bytes:
        """Flag the subjects that are incomplete, one byte each."""
        return bytes(each is not None and each.verdict is RowVerdict.INCOMPLETE for each in self.findings)

    async def _sole_traders(self) -> None:
        if self.terms is not None and not self.terms.opens_sole_traders:
            return
        try:
            await self._stage(lambda _number, code: uscc.is_sole_trader(code))
        except SoleTradersClosed:  # the rows stay without a finding: they were never asked about
            if self.terms is not None:
                raise

    def _messages(self, wanted: Callable[[int, str], bool]) -> Iterator[Message]:
        return messages(self.rows(), self.where, self.scan, wanted, size=self.size)

    async def _stage(self, wanted: Callable[[int, str], bool], *, again: bool = False) -> None:
        first = self._last + 1
        needed = sum(
            len(each.numbers)
            for number, each in enumerate(self._messages(wanted), first)
            if not self.folder.holds(number)
        )
        if needed:  # what is asked again on its day, or was on its way when a run ended, is charged once
            await self.admit(needed, needed if again else self.resumed * min(needed, IN_FLIGHT * self.size))
        await at_once(enumerate(self._messages(wanted), first), self._settle, IN_FLIGHT)

    async def _settle(self, job: tuple[int, Message]) -> None:
        """Read the answer that was kept, or ask and keep one: an answer is kept only after it verified."""
        number, message = job
        file, intent = self.folder.answer(number), None
        fresh = file is None
        if file is None:
            file, intent = await self.ask(message)
        reading = await self.read(file, message, intent)
        if fresh:
            self.folder.keep(number, file)
        self._take(number, message, reading)
        self.tell(len(message.numbers), fresh)

    def _take(self, number: int, message: Message, reading: Reading) -> None:
        for place, found in zip(message.numbers, reading.findings, strict=True):
            self.findings[place] = self._alike.setdefault(found, found)  # a million rows say few different things
            self.answers[place] = number
        self._last = max(self._last, number)
        self.kept[number] = Kept(
            number=number, digest=reading.digest, subjects=len(message.numbers), combined=reading.combined
        )
        self.terms = latest(self.terms, reading.terms)


def _flagged(flags: bytes) -> Callable[[int, str], bool]:
    return lambda number, _code: bool(flags[number])


async def at_once(jobs: Iterable[T], act: Callable[[T], Awaitable[None]], limit: int) -> None:
    """Do every job, several at once; after a failure start no more, let the others end, and raise the first."""
    running: set[asyncio.Future[None]] = set()
    failed: list[BaseException] = []
    for job in jobs:
        if len(running) == limit:
            running = await _some(running, failed)
        if failed:
            break
        running.add(asyncio.ensure_future(act(job)))
    while running:
        running = await _some(running, failed)
    if failed:
        raise failed[0]


async def _some(running: set[asyncio.Future[None]], failed: list[BaseException]) -> set[asyncio.Future[None]]:
    done, rest = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    failed.extend(error for each in done if (error := each.exception()) is not None)
    return rest
