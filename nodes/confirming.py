"""Has each member prove that its last receipts stand in the history that witnesses cosigned (threat 12).

A ledger that shows one asker a history of its own gives it receipts that verify; under a head that a quorum has
cosigned they cannot be proven. The daily comparison covers every entry; this looks at the newest at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import structlog

from gateway.charter import Charter
from gateway.errors import NotDurable, Refused, Unavailable
from gateway.gaps import Gap, current_log
from gateway.ledger import logs, witnessing
from gateway.ledger.checkpoint import Checkpoint, open_checkpoint, read_head
from gateway.ledger.errors import CheckpointMalformed, LedgerError, ReceiptInvalid
from gateway.ledger.note import read_note
from gateway.model.codes import RefusalReason
from nodes.clock import Clock
from nodes.cosigning import Reach
from nodes.store import Store
from nodes.store.confirmations import Received

SECONDS = 3.0
"""Longest time that one call takes."""


class Confirming:
    """The rounds of one process; what was confirmed is forgotten with it, and the newest are looked at again."""

    def __init__(self, charter: Callable[[], Charter], clock: Clock, store: Store, reach: Reach) -> None:
        """Start with nothing confirmed."""
        self._charter, self._clock, self._reach = charter, clock, reach
        self._witness, self._answers = store.witness, store.confirmations
        self._last: dict[str, int] = {}
        self._log = structlog.get_logger().bind()

    async def round(self) -> None:
        """Look at each member's newest answers; one that is not reached, or not witnessed yet, is asked again later."""
        charter = self._charter()
        members = (each.id for each in charter.directory.members if each.id != charter.me and not each.hub)
        await asyncio.gather(*(self._member(each) for each in members))

    def contradicting(self) -> tuple[str, ...]:
        """Name whose log, as it is now, does not bear out a receipt; a loss that the quorum stated is none."""
        gaps = self._charter().catalogue.gaps
        found = self._answers.contradicting()
        return tuple(sorted({member for origin, member in found if origin == _current(gaps, member)}))

    async def _member(self, member: str) -> None:
        for each in reversed(self._answers.received(member, self._last.get(member, 0))):
            try:
                borne_out = await self._confirm(member, each)
            except (Unavailable, Refused, LedgerError, NotDurable) as error:
                self._log.info("confirmation_missed", peer=member, error=type(error).__name__)
                return
            if not borne_out:
                return
            self._last[member] = each.number

    async def _confirm(self, member: str, received: Received) -> bool:
        """Say whether this answer is done with: proven, contradicted and kept as such, or lost with a log."""
        origin = read_head(read_note(received.receipt.checkpoint).text).origin
        charter, remote = self._charter(), self._reach(member)
        if origin != _current(charter.catalogue.gaps, member):
            return True
        find = logs.listed_keys(charter.directory, member)
        await self._hold_against(member, open_checkpoint(received.receipt.checkpoint, find))
        if remote is None:
            return False
        try:
            return await remote.proof(origin, received.receipt.leaf_index, received.shared, find, SECONDS) is not None
        except (ReceiptInvalid, CheckpointMalformed):
            pass
        except Refused as refused:
            if refused.reason is not RefusalReason.NOT_IN_SCOPE:
                raise
        await self._answers.contradict(member, origin, received.number, self._clock.now())
        self._log.error("receipt_contradicted", peer=member, number=received.number)
        return True

    async def _hold_against(self, member: str, shown: Checkpoint) -> None:
        """Lay a receipt's head beside the one that was cosigned here: two of one size are evidence on their face."""
        known = self._witness.held(shown.head.origin)
        fork = None if known is None else witnessing.forked(known, witnessing.held(shown))
        if fork is not None:
            await self._witness.keep_fork(fork, self._clock.now())
            self._log.error("ledger_forked", peer=member, size=fork.size)


def _current(gaps: Iterable[Gap], member: str) -> str:
    return logs.origin(member, current_log(gaps, member))
