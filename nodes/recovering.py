"""Recovers a node that may be behind, before it serves anything (duty U30, threat 23).

Every other member is asked what it has seen: heads of this ledger, numbers of questions, and its own entries of both
pairs. Who is behind opens a new log, once the quorum has stated the gap in the bundle; numbers go on behind the highest
that anybody proves, and on a partner's bare word `unproven_numbers` further at most. Nothing listens meanwhile.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import structlog

from gateway.calls import Route
from gateway.charter import Charter
from gateway.errors import GatewayError
from gateway.gaps import digest_of, listed
from gateway.ledger import logs, pairs
from gateway.ledger.checkpoint import Head, open_checkpoint
from gateway.ledger.reconciliation import Line
from gateway.ledger.shown import Find, Seen
from gateway.model.reconciliation import HIGHEST_NUMBER, ListPairEntriesRequest, ListPairEntriesResponse
from gateway.reconciliations import RemotePairs
from gateway.witness_client import RemoteLedger
from nodes.bundle.stops import replace_file
from nodes.clock import Clock
from nodes.store import Store
from nodes.store.ledger import Following
from nodes.store.recovery import Told

RECOVERING, GAP_NOT_STATED = "LedgerRecovering", "LedgerGapNotStated"
"""Faults of health: members are still to be heard, and a gap that the quorum has not stated in the bundle."""

GAP = "gap.json"
SECONDS = 10.0
PAUSE = 1.0
MOST = 100_000
"""Entries of a pair that are taken back at most; what is beyond stands in the partner's ledger still."""


class Partner(Protocol):
    """Another member, asked what it has seen; every call raises GatewayError when it is not reached or not believed."""

    async def head(self, origin: str, find: Find, seconds: float) -> Seen:
        """Give the newest head of a log that it holds."""
        ...

    async def entries(self, request: ListPairEntriesRequest, seconds: float) -> ListPairEntriesResponse:
        """List a page of its entries of a pair; nobody has verified it yet."""
        ...


class RemotePartner:
    """A member over a route."""

    def __init__(self, route: Route, member: str, charter: Callable[[], Charter], clock: Clock) -> None:
        """Speak to a member."""
        self._ledger = RemoteLedger(route, member, charter, clock.now)
        self._pairs = RemotePairs(route)

    async def head(self, origin: str, find: Find, seconds: float) -> Seen:
        """As `Partner`."""
        return await self._ledger.head(origin, find, seconds)

    async def entries(self, request: ListPairEntriesRequest, seconds: float) -> ListPairEntriesResponse:
        """As `Partner`."""
        return await self._pairs.entries(request, seconds)


def reach(
    route: Callable[[str], Route | None], charter: Callable[[], Charter], clock: Clock
) -> Callable[[str], Partner | None]:
    """Give what finds members by the routes that there are to them."""

    def find(member: str) -> Partner | None:
        found = route(member)
        return None if found is None else RemotePartner(found, member, charter, clock)

    return find


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What the quorum is to state in the bundle's `gaps`; `ground` is for people to write."""

    member: str
    log: int
    follows: str
    size: int
    kept: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    told: Told
    heads: tuple[Head, ...]


class Recovering:
    """One recovery; `reach` gives another member, or None for one that is not reached directly."""

    def __init__(
        self,
        store: Store,
        charter: Callable[[], Charter],
        clock: Clock,
        reach: Callable[[str], Partner | None],
        data: Path,
    ) -> None:
        """Start with nobody heard."""
        self._store, self._charter, self._clock, self._reach, self._data = store, charter, clock, reach, data
        self._heard: dict[str, _Heard] = {}
        self._log = structlog.get_logger().bind()

    def needed(self) -> bool:
        """Say whether the disk may lack what others have seen."""
        ahead = self._store.ahead
        return self._store.restorations.pending() is not None or bool(ahead.heads() or ahead.numbers())

    async def run(self, leads: Callable[[], bool], tell: Callable[[tuple[str, ...]], Awaitable[None]]) -> None:
        """Return when the node may serve; `tell` is told each second why not."""
        while self.needed():
            fault = RECOVERING
            try:
                if leads():
                    fault = await self.attempt()
            except Exception as error:  # noqa: BLE001  it stays closed, and tries again
                self._log.error("recovery_failed", error=type(error).__name__)
            if self.needed():
                await tell((fault or RECOVERING,))
                await asyncio.sleep(PAUSE)

    async def attempt(self) -> str:
        """Ask who was not heard yet; when all were, open the ledger or write what is to be stated; name the fault."""
        members = self._members()
        await asyncio.gather(*(self._hear(each, found) for each, found in members.items() if each not in self._heard))
        waiting = sorted(set(members) - set(self._heard))
        if waiting:
            self._log.warning("recovery_waits", members=",".join(waiting))
            return RECOVERING
        last = max((each for heard in self._heard.values() for each in heard.heads), default=None, key=_order)
        own = self._own()
        newest = max((each for each in (last, own) if each is not None), default=None, key=_order)
        behind = self._behind(own, newest)
        following = None
        if behind and newest is not None:
            following = self._following(newest, own)
            if following is None:
                return GAP_NOT_STATED
        told = {member: heard.told for member, heard in self._heard.items()}
        count = await self._store.recovery.run(told, following, self._clock.now())
        self._log.info("recovered", entries=count, log=following.number if following else 0)
        self._heard.clear()
        return ""

    def _members(self) -> Mapping[str, Partner]:
        charter = self._charter()
        others = (each.id for each in charter.directory.members if each.id != charter.me and not each.hub)
        found = ((each, self._reach(each)) for each in others)
        return {member: partner for member, partner in found if partner is not None}

    def _behind(self, own: Head | None, newest: Head | None) -> bool:
        """Say whether anybody has seen more than the disk, or another history."""
        lacking = any(self._store.recovery.lacks(member, heard.told) for member, heard in self._heard.items())
        return own != newest or lacking or bool(self._store.ahead.heads()) or self._store.ahead.forked()

    def _own(self) -> Head | None:
        found = self._store.witness.current()
        if found is None:
            return None
        me = self._charter()
        return open_checkpoint(found.payload, logs.listed_keys(me.directory, me.me)).head

    def _following(self, newest: Head, own: Head | None) -> Following | None:
        """Give the log to open when the quorum has stated the gap; else write down what it is to state."""
        charter, log = self._charter(), _number(newest) + 1
        found = listed(charter.catalogue.gaps, charter.me, log, newest)
        if found is not None:
            (self._data / GAP).unlink(missing_ok=True)
            return Following(number=log, previous=digest_of(newest))
        kept = own.size if own is not None and own.origin == newest.origin else 0
        statement = Statement(
            member=charter.me, log=log, follows=digest_of(newest).hex(), size=newest.size, kept=min(kept, newest.size)
        )
        replace_file(self._data / GAP, json.dumps(asdict(statement)).encode())
        return None

    async def _hear(self, member: str, partner: Partner) -> None:
        try:
            self._heard[member] = await self._listen(member, partner)
        except GatewayError as error:
            self._log.info("recovery_missed", peer=member, error=type(error).__name__)

    async def _listen(self, member: str, partner: Partner) -> _Heard:
        found, charter = [each async for each in self._seen(member, partner)], self._charter()
        heads = tuple(each.checkpoint.head for each in found if each.checkpoint)
        highest, first = max(each.pair_number for each in found), self._store.recovery.next_number(member)
        # An entry in a partner's ledger is the partner's word: one of number 2^62 would use up all numbers.
        most = max(highest, first - 1) + charter.catalogue.limits.unproven_numbers
        asked = await self._lines(partner, charter.me, member, first, most)
        answered = await self._lines(partner, member, charter.me, self._store.recovery.highest_answered(member) + 1)
        return _Heard(told=Told(highest=highest, asked=asked, answered=answered), heads=heads)

    async def _seen(self, member: str, partner: Partner) -> AsyncIterator[Seen]:
        """Ask what a member has seen of the last log and of the one that would follow it."""
        charter, last = self._charter(), self._store.ahead.last_log()
        find = logs.listed_keys(charter.directory, charter.me)
        for number in sorted({max(last, 1), last + 1}):
            seen = await partner.head(logs.origin(charter.me, number), find, SECONDS)
            if seen.unproven is not None:
                self._log.warning("number_unproven", peer=member, reason=str(seen.unproven))
            yield seen

    async def _lines(
        self, partner: Partner, asker: str, answerer: str, first: int, most: int = HIGHEST_NUMBER
    ) -> tuple[Line, ...]:
        """List a partner's entries of a pair from a number on; those above `most` are left out.

        A page without a proven entry ends the list, and so do `MOST` of them: a partner lists nothing for ever.
        """
        directory, found = self._charter().directory, list[Line]()
        other = answerer if asker == self._charter().me else asker
        while 0 < first <= most:
            request = ListPairEntriesRequest(asker_member=asker, answerer_member=answerer, first_number=first)
            response = await partner.entries(request, SECONDS)
            page = pairs.proven(request, response, logs.listed_keys(directory, other))
            found += [each for each in page.lines if each.event.pair_sequence <= most]
            first = page.next_number if page.lines and len(found) < MOST else 0
        return tuple(found)


def _number(head: Head) -> int:
    return int(head.origin.rpartition("/")[2])


def _order(head: Head) -> tuple[int, int]:
    return _number(head), head.size
