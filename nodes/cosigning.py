"""Has the newest head of the member's own ledger cosigned by enough others, off the way of any exchange.

One head is shown until enough have cosigned it, and then the newest again: witnesses that are up in turns only still
come to agree on one. A witness that cannot be reached is left alone for a while, so that it holds up nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from gateway.charter import Charter
from gateway.errors import NotDurable, Refused, Unavailable
from gateway.ledger import dating, logs, quorum
from gateway.ledger.checkpoint import Checkpoint, open_checkpoint
from gateway.ledger.errors import LedgerError, QuorumMissing
from gateway.ledger.note import NoteSignature
from gateway.ledger.witnessing import Conflict, Fork
from gateway.witness_client import RemoteLedger
from nodes.clock import Clock
from nodes.store.witness import WitnessBook

SECONDS = 3.0
"""Longest time that one call takes."""

REST_SECONDS = 10.0
"""How long a witness that failed is left alone."""

_SHOWN_AGAIN = 2  # once to learn the size held, once with the proof from there

Reach = Callable[[str], RemoteLedger | None]
"""Gives a member as a witness, or None where there is no way to it."""


class Suspicion(Protocol):
    """Is told of a member that holds a larger head of this ledger than the disk."""

    def __call__(self, member: str, /) -> None:
        """Look into it."""


@dataclass(slots=True, kw_only=True)
class _Showing:
    """The head that is shown now, to which log it belongs, and who has cosigned it."""

    log: int
    checkpoint: Checkpoint
    signed: dict[str, NoteSignature] = field(default_factory=dict)


class Cosigning:
    """The rounds of one process; only one process of a node makes them at a time."""

    def __init__(
        self,
        charter: Callable[[], Charter],
        clock: Clock,
        ticks: Callable[[], float],
        book: WitnessBook,
        reach: Reach,
        suspect: Suspicion,
    ) -> None:
        """Start with nothing known of what witnesses hold; they say it."""
        self._charter, self._clock, self._ticks = charter, clock, ticks
        self._book, self._reach, self._suspect = book, reach, suspect
        self._showing: _Showing | None = None
        self._held: dict[tuple[str, str], int] = {}
        self._resting: dict[str, float] = {}
        self._log = structlog.get_logger().bind()

    async def round(self) -> None:
        """Show the head to whoever has not cosigned it; keep it once enough have.

        Raises:
            LedgerError, NotDurable: when the own ledger is damaged or cannot be written.
        """
        showing = self._showing = self._showing or self._next()
        if showing is None:
            return
        directory, me = self._charter().directory, self._charter().me
        wanted = [each for each in quorum.witnesses(directory, me) if each not in showing.signed and self._awake(each)]
        await asyncio.gather(*(self._show(each, showing) for each in wanted))
        note = showing.checkpoint.note.extended(*showing.signed.values())
        found = open_checkpoint(note.payload, logs.listed_keys(directory, me))
        try:
            witnessed = dating.witnessed_in(directory, found)
        except QuorumMissing:
            return
        except LedgerError:
            self._showing = None  # a key of it was taken back meanwhile: the next head has another
            raise
        await self._book.keep_witnessed(showing.log, witnessed)
        self._showing = None

    def _next(self) -> _Showing | None:
        """Give the newest head, unless it is witnessed already."""
        own = self._book.current()
        if own is None or not own.size or self._book.witnessed(own.size, own.log) is not None:
            return None
        charter = self._charter()
        checkpoint = open_checkpoint(own.payload, logs.listed_keys(charter.directory, charter.me))
        return _Showing(log=own.log, checkpoint=checkpoint)

    def _awake(self, member: str) -> bool:
        return self._resting.get(member, 0.0) <= self._ticks()

    async def _show(self, member: str, showing: _Showing) -> None:
        """Show one witness the head; whatever fails concerns this witness alone."""
        remote = self._reach(member)
        if remote is None:
            return
        try:
            await self._shown(remote, member, showing)
        except (Unavailable, Refused) as error:
            self._rest(member)
            self._log.info("witness_missed", peer=member, reason=str(error))
        except (LedgerError, NotDurable) as error:
            self._rest(member)
            self._log.warning("witness_failed", peer=member, error=type(error).__name__)

    async def _shown(self, remote: RemoteLedger, member: str, showing: _Showing) -> None:
        charter, head = self._charter(), showing.checkpoint.head
        find = logs.listed_keys(charter.directory, charter.me)
        for _ in range(_SHOWN_AGAIN):
            old = self._held.get((member, head.origin), 0)
            proof = self._book.growth(head.origin, old, showing.checkpoint.note.payload) if old else ()
            found = await remote.add_checkpoint(showing.checkpoint, old, proof, find, SECONDS)
            match found:
                case NoteSignature():
                    self._held[member, head.origin] = head.size
                    showing.signed[member] = found
                    return
                case Conflict(size=size) if size <= head.size:
                    self._held[member, head.origin] = size
                case Conflict():
                    self._overtaken(member, found)
                    return
                case Fork():
                    await self._book.keep_fork(found, self._clock.now())
                    self._log.error("own_ledger_forked", peer=member, size=found.size)
                    self._rest(member)
                    return
                case _:
                    self._suspect(member)
                    raise LedgerError("a witness takes the head for one of another history")

    def _overtaken(self, member: str, found: Conflict) -> None:
        """Take the newest head next; a witness that holds a larger one than the disk has seen more than it."""
        own = self._book.current()
        if own is None or found.size > own.size:
            self._rest(member)
            self._suspect(member)
        self._showing = None

    def _rest(self, member: str) -> None:
        self._resting[member] = self._ticks() + REST_SECONDS
