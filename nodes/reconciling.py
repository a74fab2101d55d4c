"""Compares the ledgers of this member and each partner every day, number by number, and goes on where it was stopped.

Yesterday is a civil day of China. It is compared once nothing that was asked in it can still be under way, and the days
before it are compared anew: what was removed after its day was over is named by the next comparison, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta

import structlog

from gateway.calls import Route
from gateway.charter import Charter
from gateway.clocks import CHINA, civil_day
from gateway.errors import GatewayError
from gateway.ledger import logs, tally
from gateway.ledger.errors import LedgerError
from gateway.ledger.pairs import Page, proven
from gateway.ledger.reconciliation import Difference, Finding, Line, Period, invented, reconcile
from gateway.model.reconciliation import HIGHEST_NUMBER, ListPairEntriesRequest
from gateway.peers import Peers
from gateway.reconciliations import ReconciliationDoor, RemotePairs
from keys.errors import KeysError
from keys.suite import Signer
from nodes.config import DATABASE, Config
from nodes.statements import Statements
from nodes.store import Store
from nodes.store.pairs import Pairs
from nodes.store.reconciliations import Compared, Pair, Reconciliations

SERVICE = "yrdx.reconciliation"
"""The health service that turns when two ledgers differ."""

ROUND_SECONDS = 5.0
"""Between two looks at whether a day is due."""

CALL_SECONDS = 30.0
STRIDE = 4_096
"""Most numbers of one step, however few entries a partner lists of them."""

LEAP = 4_096
"""Most numbers in a row that neither side knows and that are still holes: a number behind more was made up."""

MOST_FINDINGS = 10_000
"""Findings of a day of a pair after which nothing more is compared: a partner does not fill the disk."""

_DAY = timedelta(days=1)


class TooManyFindings(LedgerError):
    """Two ledgers have next to nothing in common: people must look before more is compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What health tells: findings by difference, and pairs of which a day is due."""

    findings: Mapping[Difference, int] = field(default_factory=dict)
    behind: int = 0

    @property
    def differing(self) -> int:
        """Count the findings that nobody has explained: what was lost on the way the asker's own entry explains."""
        return sum(count for each, count in self.findings.items() if each is not Difference.LOST)

    def document(self) -> dict[str, int]:
        """Give what health.json says."""
        return {"findings": self.differing, "lost": self.findings.get(Difference.LOST, 0), "behind": self.behind}


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What reconciling has at hand; the charter may change between steps.

    `partner` gives whom it can reach directly, and None for any other member.
    """

    charter: Callable[[], Charter]
    clock: Callable[[], datetime]
    book: Pairs
    kept: Reconciliations
    partner: Callable[[str], RemotePairs | None]
    leads: Callable[[], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bounds:
    """Where a day of a pair ends: the highest number that this side knows of it, and until when the partner counts.

    An answerer cannot make up numbers, nor hurry those of another day: the asker knows which it has given out. Nor does
    an asker end the comparison by one far number: a day ends before it, and it is named by itself.
    """

    asks: bool
    highest: int
    given: int
    of_day: int
    until: datetime
    beyond: int = 0


def means(
    config: Config,
    charter: Callable[[], Charter],
    clock: Callable[[], datetime],
    store: Store,
    route: Callable[[str], Route | None],
    leads: Callable[[], bool],
) -> Means:
    """Put together what a node reconciles with."""

    def partner(member: str) -> RemotePairs | None:
        found = route(member)
        return None if found is None else RemotePairs(found)

    return Means(
        charter=charter,
        clock=clock,
        book=Pairs(config.data / DATABASE, config.member),
        kept=store.reconciliations,
        partner=partner,
        leads=leads,
    )


class Reconciling:
    """The daily comparison of one node; of several workers the one that leads does it."""

    def __init__(self, means: Means) -> None:
        """Start with nothing told."""
        self._means = means
        self._log = structlog.get_logger().bind()
        self._waiting: dict[Pair, str] = {}
        self.told = Told()

    def door(self, signer: Callable[[], Signer], peers: Peers, pace: Callable[[str], None]) -> ReconciliationDoor:
        """Give the door to the member's partners."""
        found = self._means
        signatory = Statements(charter=found.charter, clock=found.clock, signer=signer, kept=found.kept)
        return ReconciliationDoor(found.charter().me, found.book, signatory, peers, pace)

    async def run(self) -> None:
        """Compare what is due, again and again; whatever fails is tried again."""
        while True:
            try:
                if self._means.leads():
                    await self.round()
                self.told = self._tell()
            except Exception as error:  # noqa: BLE001  a job that dies would compare nothing for ever
                self._log.error("reconciliation_failed", error=type(error).__name__)
            await asyncio.sleep(ROUND_SECONDS)

    async def round(self) -> None:
        """Compare every pair up to the last day that is over; a partner that cannot be reached waits for the next."""
        await asyncio.gather(*(self._try(pair, partner) for pair, partner in self._pairs()))

    async def _try(self, pair: Pair, partner: RemotePairs) -> None:
        problem = ""
        try:
            await self._catch_up(pair, partner)
        except (GatewayError, KeysError) as error:
            problem = type(error).__name__
        if problem and self._waiting.get(pair) != problem:
            self._log.warning("reconciliation_waits", asker=pair[0], answerer=pair[1], error=problem)
        self._waiting[pair] = problem

    def _pairs(self) -> Iterator[tuple[Pair, RemotePairs]]:
        charter = self._means.charter()
        for each in charter.directory.members:
            partner = None if each.id == charter.me or each.hub else self._means.partner(each.id)
            if partner is not None:
                yield (charter.me, each.id), partner
                yield (each.id, charter.me), partner

    def _tell(self) -> Told:
        read, over = self._means.kept.read, self._over()
        newest = (read.newest(pair) for pair, _ in self._pairs())
        behind = sum(each is None or each.day < over or each.time is None for each in newest)
        return Told(findings=read.counts(), behind=behind)

    def _over(self) -> date:
        """Give the last day of which no question can be under way at either side."""
        limits = self._means.charter().catalogue.limits
        longest = limits.question_life + limits.deadline + 2 * limits.clock_skew
        return civil_day(self._means.clock() - timedelta(seconds=longest)) - _DAY

    async def _catch_up(self, pair: Pair, partner: RemotePairs) -> None:
        over = self._over()
        found = self._means.kept.read.newest(pair)
        if found is None:
            me = self._means.charter().me
            found = self._means.kept.read.beginning(pair, me, civil_day(self._means.clock()))
        while found.day < over or (found.day == over and found.time is None):
            if found.time is not None:
                found = (await self._walk_back(found, partner)).following()
            found = await self._day(found, partner)

    async def _walk_back(self, newest: Compared, partner: RemotePairs) -> Compared:
        """Compare days anew before the next one begins; where that ends a month, all of its days: it may be stated.

        A walk that was stopped goes on behind the days that it has kept.
        """
        following = newest.day + _DAY
        since = following - timedelta(days=self._means.charter().catalogue.limits.recompared_days)
        if (following + _DAY).day == 1:
            since = min(since, following.replace(day=1))
        before, anew = None, False
        for each in self._means.kept.read.days(newest.pair, since - _DAY, newest.day):
            # A day's digest goes on from the one before: behind the first that is due all are.
            anew = anew or (each.day >= since and (each.time is None or each.time < self._end(following)))
            before = await self._again(each, before, partner) if anew else each
        return before or newest

    async def _again(self, held: Compared, before: Compared | None, partner: RemotePairs) -> Compared:
        """Compare the numbers that a day had; what is so now takes the place of what was found, all at once."""
        known = self._means.kept.read.count(held.pair, held.day)
        compared = replace(held, next=held.first, tally=before.following().tally if before else tally.Tally())
        bounds = _Bounds(
            asks=self._asks(held.pair), highest=held.next - 1, given=HIGHEST_NUMBER, of_day=0, until=self._end(held.day)
        )
        findings: tuple[Finding, ...] = ()
        while compared.next < held.next:
            compared, found = await self._compare(compared, bounds, partner)
            findings += found
        compared = replace(compared, time=self._means.clock())
        await self._keep(compared, held.first, findings)
        self._warn(compared, known)
        return compared

    async def _day(self, compared: Compared, partner: RemotePairs) -> Compared:
        bounds = await self._bounds(compared, partner)
        while compared.time is None:
            stepped, findings = await self._compare(compared, bounds, partner)
            await self._keep(stepped, compared.next, findings)
            compared = stepped
        self._warn(compared, 0)
        return compared

    def _warn(self, compared: Compared, known: int) -> None:
        differing = self._means.kept.read.count(compared.pair, compared.day)
        if differing > known:
            asker, answerer = compared.pair
            self._log.warning(
                "ledgers_differ", asker=asker, answerer=answerer, day=compared.day.isoformat(), count=differing
            )

    def _asks(self, pair: Pair) -> bool:
        return pair[0] == self._means.charter().me

    async def _bounds(self, compared: Compared, partner: RemotePairs) -> _Bounds:
        asks, end = self._asks(compared.pair), self._end(compared.day)
        # What is received by then was sent before the day's end, by whichever clock.
        received = end - timedelta(seconds=self._means.charter().catalogue.limits.clock_skew)
        mine = _request(compared.pair, compared.next, until=end if asks else received)
        highest = await self._means.book.highest(mine)
        if asks:
            given, of_day = await self._means.book.given(compared.pair[1], highest)
            return _Bounds(asks=True, highest=highest, given=given, of_day=of_day, until=received)
        highest, beyond = await self._leap(_request(compared.pair, compared.next, until=end), highest, partner)
        given = of_day = HIGHEST_NUMBER
        return _Bounds(asks=False, highest=highest, given=given, of_day=of_day, until=end, beyond=beyond)

    async def _leap(self, wanted: ListPairEntriesRequest, highest: int, partner: RemotePairs) -> tuple[int, int]:
        """Give the highest number before any that leaps beyond all that both know, and the first that does, or 0."""
        asker, known = wanted.asker_member, wanted.first_number - 1
        found = await self._means.book.leap(asker, (known, highest), LEAP)
        if found is not None:  # the asker may know what lies between
            known = max(known, (await self._fetch(wanted, partner, asks=False)).highest_number)
            found = await self._means.book.leap(asker, (known, highest), LEAP)
        return found or (highest, 0)

    async def _compare(
        self, compared: Compared, bounds: _Bounds, partner: RemotePairs
    ) -> tuple[Compared, tuple[Finding, ...]]:
        """Compare the next numbers of a day."""
        wanted = _request(compared.pair, compared.next, bounds.highest, bounds.until)
        theirs = await self._fetch(wanted, partner, asks=bounds.asks)
        last = max(bounds.highest, min(theirs.highest_number, bounds.of_day))
        page_ends = theirs.next_number - 1 if theirs.next_number else last
        covered = max(compared.next - 1, min(last, page_ends, compared.next + STRIDE - 1))
        period = Period(
            asker_member=compared.pair[0], answerer_member=compared.pair[1], first=compared.next, last=covered
        )
        ours = await self._own(period)
        asked, answered = (ours, theirs.lines) if bounds.asks else (theirs.lines, ours)
        findings = reconcile(period, asked, answered)
        stepped = replace(
            compared,
            next=covered + 1,
            tally=tally.add(compared.tally, period, answered, findings),
            time=self._means.clock() if covered >= last else None,
        )
        if covered >= last and theirs.highest_number > bounds.given:
            beyond = _request(compared.pair, bounds.given + 1)
            findings += invented((await self._fetch(beyond, partner, asks=True)).lines)
        if covered >= last and bounds.beyond:
            findings += invented((await self._own_page(_request(compared.pair, bounds.beyond))).lines)
        return stepped, findings

    async def _keep(self, compared: Compared, first: int, findings: tuple[Finding, ...]) -> None:
        others = self._means.kept.read.count(compared.pair, compared.day, apart=(first, compared.next - 1))
        if others + len(findings) > MOST_FINDINGS:
            raise TooManyFindings("the ledgers of a pair have next to nothing in common; look at both before going on")
        await self._means.kept.keep(compared, first, findings, self._means.clock())

    async def _own(self, period: Period) -> tuple[Line, ...]:
        """List the member's own entries of a period, proven as a partner would have them proven."""
        lines: tuple[Line, ...] = ()
        request = _request((period.asker_member, period.answerer_member), period.first, period.last)
        while 0 < request.first_number <= period.last:
            page = await self._own_page(request)
            lines += page.lines
            if not page.next_number:
                break
            request = replace(request, first_number=page.next_number)
        return lines

    async def _own_page(self, request: ListPairEntriesRequest) -> Page:
        response = await self._means.book.entries(request)
        return await asyncio.to_thread(proven, request, response, self._keys(self._means.charter().me))

    async def _fetch(self, request: ListPairEntriesRequest, partner: RemotePairs, *, asks: bool) -> Page:
        member = request.answerer_member if asks else request.asker_member
        response = await partner.entries(request, CALL_SECONDS)
        return await asyncio.to_thread(proven, request, response, self._keys(member))

    def _keys(self, member: str) -> logs.Find:
        return logs.unsuspected_keys(self._means.charter().directory, member)

    def _end(self, day: date) -> datetime:
        return datetime.combine(day + _DAY, time(), CHINA).astimezone(self._means.clock().tzinfo)


def _request(pair: Pair, first: int, last: int = 0, until: datetime | None = None) -> ListPairEntriesRequest:
    return ListPairEntriesRequest(
        asker_member=pair[0], answerer_member=pair[1], first_number=first, last_number=last, until_time=until
    )
