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
from gateway.verdicts import RowFinding
from nodes.batch.answers import Reading, Terms, latest
from nodes.batch.folder import Folder
from nodes.batch.manifest import ANSWER_LIMIT
from nodes.batch.rows import Columns, Message, Rows, RowsRefused, Scan, messages

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


class AnswersExpired(GatewayError):
    """An answer that was kept has passed its validity: no new result may rest on it."""


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
    _expired: bool = False

    def __post_init__(self) -> None:
        """Start with nothing found."""
        self.findings = [None] * self.scan.subjects
        self.answers = array("i", bytes(4 * self.scan.subjects))

    async def complete(self, retries: int) -> None:
        """Ask whatever is not answered yet; then, as many times as told, what awaits a member.

        Raises:
            AnswerRefused: for an answer that may not be used; it was not kept.
            AnswersExpired: when something is missing, and what was kept has expired.
            whatever `ask` raises; what else was on its way is kept first.
        """
        await self._stage(lambda _number, code: not uscc.is_sole_trader(code))
        if self.scan.sole_traders:
            await self._sole_traders()
        for _ in range(retries):
            await self.again()

    async def again(self) -> None:
        """Ask once more about what awaits a member; raises as `complete` does."""
        await self._stage(_flagged(self.pending()), again=True)

    def check_in_time(self) -> None:
        """Refuse to make anything new of what was kept, once an answer among it has expired.

        Raises:
            AnswersExpired: then.
        """
        if self._expired:
            raise AnswersExpired

    def pending(self) -> bytes:
        """Flag the subjects that await a member, whatever their verdict, one byte each."""
        return bytes(each is not None and each.awaits for each in self.findings)

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
        """Read what was kept, whole, before the first message is sent: a fault in it costs nothing."""
        first, left = self._last + 1, dict[int, int]()
        await at_once(self._held(enumerate(self._messages(wanted), first), left), self._settle, IN_FLIGHT)
        if not left:
            return
        self.check_in_time()
        if max(left) > ANSWER_LIMIT:
            raise RowsRefused("batch.too_many_messages", limit=ANSWER_LIMIT)
        needed = sum(left.values())
        # What is asked again on its day, or was on its way when a run ended, is charged once.
        await self.admit(needed, needed if again else self.resumed * min(needed, IN_FLIGHT * self.size))
        missing = (job for job in enumerate(self._messages(wanted), first) if job[0] in left)
        await at_once(missing, self._settle, IN_FLIGHT)

    def _held(self, jobs: Iterable[tuple[int, Message]], left: dict[int, int]) -> Iterator[tuple[int, Message]]:
        """Give the messages whose answer was kept, and count the subjects of the others into `left`."""
        for number, message in jobs:
            if self.folder.holds(number):
                yield number, message
            else:
                left[number] = len(message.numbers)

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
        self._expired |= reading.expired and not fresh  # a long run may outlive its own first answers
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
