"""Compares the disk with what other members have seen of this member's ledger (threat 23).

Whoever has seen more shows that entries are missing here: yesterday's backup was restored, or rows were cut off. What
was shown is kept, so that every worker knows it, and the next start too. Only what this member itself signed counts,
heads and questions: nobody closes it by a word.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from gateway.charter import Charter
from gateway.errors import NotDurable, Refused, Unavailable
from gateway.ledger import logs
from gateway.ledger.errors import LedgerError, NumberUnproven
from gateway.witness_client import RemoteLedger
from nodes.clock import Clock
from nodes.cosigning import Reach
from nodes.store.ahead import Ahead

SECONDS = 2.0
"""Longest time that one call takes: a node that starts waits for it."""


class Comparing:
    """Asks each other member once; whoever could not be asked is asked again later."""

    def __init__(self, charter: Callable[[], Charter], clock: Clock, ahead: Ahead, reach: Reach) -> None:
        """Start with nobody heard."""
        self._charter, self._clock, self._ahead, self._reach = charter, clock, ahead, reach
        self._heard: set[str] = set()
        self._log = structlog.get_logger().bind()

    def forget(self, member: str) -> None:
        """Have a member asked again."""
        self._heard.discard(member)

    async def compare(self) -> None:
        """Ask all who were not heard yet, all at once."""
        charter = self._charter()
        members = (each.id for each in charter.directory.members if each.id != charter.me and not each.hub)
        await asyncio.gather(*(self._ask(each) for each in members if each not in self._heard))

    async def _ask(self, member: str) -> None:
        remote = self._reach(member)
        if remote is None:
            return
        try:
            for unproven in [await self._seen(remote, member, each) for each in self._origins()]:
                if unproven is not None:
                    raise unproven
        except (Unavailable, Refused) as error:
            self._log.info("comparison_missed", peer=member, reason=str(error))
        except (LedgerError, NotDurable) as error:
            self._log.warning("comparison_failed", peer=member, error=type(error).__name__, reason=str(error))
        else:
            self._heard.add(member)

    async def _seen(self, remote: RemoteLedger, member: str, origin: str) -> NumberUnproven | None:
        """Keep what a member has seen of a log; give what is wrong with the number that it named."""
        charter = self._charter()
        seen = await remote.head(origin, logs.listed_keys(charter.directory, charter.me), SECONDS)
        if await self._ahead.take(member, seen, self._clock.now()):
            self._log.error("ledger_behind", peer=member)
        return seen.unproven

    def _origins(self) -> tuple[str, ...]:
        """Name the log that the disk knows and the one that would follow it."""
        last, me = self._ahead.last_log(), self._charter().me
        return tuple(logs.origin(me, each) for each in (last, last + 1) if each)
