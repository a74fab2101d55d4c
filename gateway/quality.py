"""How well a member's data arrive and are used in a month (requirements A34, A38): three rates, and their dated goals.

Days are civil days in Asia/Shanghai. Only counts come in and go out: no subject and no value.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from gateway.coverage import Cause, causes, next_due, overdue
from gateway.months import Month
from gateway.tables import Dated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from gateway.catalogue import Catalogue
    from gateway.ports import Feed

RATES = ("timeliness", "association", "application")
_STORED, _RECEIVED = "stored", ("stored", "held", "rejected")
_ON_TIME, _LATE, _UNMEASURED = "on_time", "late", "unmeasured"
_ASIDE = ("deleted", "not_ours", "out_of_scope")
_REJECTED = "rejected:"
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityGoals(Dated):
    """The goals of the three rates, in per cent."""

    timeliness_percent: int
    association_percent: int
    application_percent: int

    def of(self, rate: str) -> int:
        """Give the goal of a rate."""
        found: int = getattr(self, f"{rate}_percent")
        return found


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole; where the whole is nothing there is no rate, and no goal is missed."""

    part: int
    whole: int

    @property
    def percent(self) -> float | None:
        """The rate, cut to a tenth: a goal that is missed never looks reached."""
        return self.part * 1000 // self.whole / 10 if self.whole else None

    def meets(self, goal: int) -> bool:
        """Say whether the share reaches so many per cent."""
        return self.part * 100 >= goal * self.whole

    def document(self, rate: str, goals: QualityGoals | None) -> dict[str, float | bool | None]:
        """Give the share beside the goal of its rate, as a report states it."""
        goal = None if goals is None else goals.of(rate)
        met = None if goal is None else self.meets(goal)
        return {"part": self.part, "whole": self.whole, "percent": self.percent, "goal": goal, "met": met}


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A load of a file of a feed: the day on which it was accepted, and the day up to which it is complete."""

    feed: str
    day: date
    data_through: date


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCount:
    """How many rows of a feed and deciding agency ('' where none is known) had an outcome, by the outcome's name."""

    feed: str
    agency: str
    name: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """The rates of a node, an agency or a feed.

    Timeliness is updates on time of updates due; association is rows kept of rows received, which are those kept,
    held and rejected; publicity is decisions reported in time of those that could be measured 双公示.
    """

    timeliness: Share
    association: Share
    publicity: Share
    unmeasured: int
    aside: Mapping[str, int]
    """Rows that are not counted as received: deletions, other members' and persons'."""

    rejected: Mapping[str, int]
    """Reason to rows rejected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """A feed that is overdue today; one that was never loaded has no days to count."""

    feed: str
    next_due: date | None
    days: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """What a member's store knows of a month: deliveries until its end, its row counts, the items asked under."""

    feeds: Sequence[Feed]
    deliveries: Sequence[Delivery]
    rows: Sequence[RowCount]
    items: AbstractSet[str]
    held: Mapping[str, Mapping[str, int]]
    """Feed to reason to records that may not be said now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """A month of a member, and what stands open on the day it was worked out."""

    member: str
    month: Month
    goals: QualityGoals | None
    node: Scores
    application: Share
    unused: tuple[str, ...]
    """Items in force that nobody asked under."""

    agencies: Mapping[str, Scores]
    feeds: Mapping[str, Scores]
    today: date
    overdue: tuple[Late, ...]
    partial: Mapping[str, Mapping[str, tuple[Cause, ...]]]
    """Domain to feed to causes why the domain is not complete."""

    held: Mapping[str, Mapping[str, int]]
    calendar_missing: bool

    @property
    def rates(self) -> Mapping[str, Share]:
        """The node's three rates that have goals."""
        return {**rates(self.node), "application": self.application}

    @property
    def missed(self) -> tuple[str, ...]:
        """The node's rates that miss their goals."""
        goals = self.goals
        return tuple(name for name, share in self.rates.items() if goals and not share.meets(goals.of(name)))


def rates(scores: Scores) -> Mapping[str, Share]:
    """Give the rates of an agency or a feed that have goals."""
    return {"timeliness": scores.timeliness, "association": scores.association}


def due_days(feed: Feed, first: date, last: date) -> Iterator[date]:
    """Give the days of a span on which a feed owes an update: each so many days after its history begins."""
    step = _step(feed)
    begun = max(first - feed.history_from, _DAY)
    day = feed.history_from + -(-begun // step) * step
    while day <= last:
        yield day
        day += step


def punctuality(feed: Feed, deliveries: Iterable[Delivery], first: date, last: date) -> Share:
    """Count the due updates of a span, and those on time.

    One is on time when, by the end of its day, a load was accepted that reaches beyond the due day before: then the
    feed is not overdue the day after. A feed that was never loaded misses every one.
    """
    due, step = tuple(due_days(feed, first, last)), _step(feed)
    own = [each for each in deliveries if each.feed == feed.id]
    met = sum(any(each.day <= day and each.data_through > day - step for each in own) for day in due)
    return Share(met, len(due))


def assess(records: Records, catalogue: Catalogue, *, member: str, month: Month, today: date) -> Quality:
    """Work out a month; of one that is not over the days before today count."""
    until = min(month.last, today - _DAY)
    application, unused = _application(catalogue, records.items, member, month.first, min(month.last, today))
    due = {each.id: punctuality(each, records.deliveries, month.first, until) for each in records.feeds}
    of_agency = {each.id: each.agency for each in records.feeds}
    agencies = sorted({*of_agency.values(), *(each.agency for each in records.rows)})
    feeds = sorted({*of_agency, *(each.feed for each in records.rows)})
    return Quality(
        member=member,
        month=month,
        goals=catalogue.quality(month.last),
        node=_scores(due.values(), records.rows),
        application=application,
        unused=unused,
        agencies={
            name: _scores(
                (share for feed, share in due.items() if of_agency[feed] == name),
                (each for each in records.rows if each.agency == name),
            )
            for name in agencies
        },
        feeds={
            name: _scores(
                (share for feed, share in due.items() if feed == name),
                (each for each in records.rows if each.feed == name),
            )
            for name in feeds
        },
        today=today,
        overdue=tuple(_late(each, today) for each in records.feeds if overdue(each, today)),
        partial=_partial(records.feeds, today),
        held=records.held,
        calendar_missing=catalogue.calendar.alarm(today),
    )


def _step(feed: Feed) -> timedelta:
    return max(timedelta(days=feed.frequency_days), _DAY)


def _scores(due: Iterable[Share], rows: Iterable[RowCount]) -> Scores:
    shares, count = tuple(due), Counter[str]()
    for each in rows:
        count[each.name] += each.number
    return Scores(
        timeliness=Share(sum(each.part for each in shares), sum(each.whole for each in shares)),
        association=Share(count[_STORED], sum(count[name] for name in _RECEIVED)),
        publicity=Share(count[_ON_TIME], count[_ON_TIME] + count[_LATE]),
        unmeasured=count[_UNMEASURED],
        aside={name: count[name] for name in _ASIDE},
        rejected={
            name.removeprefix(_REJECTED): number for name, number in sorted(count.items()) if name.startswith(_REJECTED)
        },
    )


def _application(
    catalogue: Catalogue, asked: AbstractSet[str], member: str, first: date, last: date
) -> tuple[Share, tuple[str, ...]]:
    """Count the member's items in force on some day of a span, and name those that nobody asked under."""
    listed = sorted(
        each.id
        for each in catalogue.applications.values()
        if each.member == member and each.valid_from <= last and (each.valid_until is None or each.valid_until > first)
    )
    unused = tuple(each for each in listed if each not in asked)
    return Share(len(listed) - len(unused), len(listed)), unused


def _late(feed: Feed, today: date) -> Late:
    due = next_due(feed)
    return Late(feed=feed.id, next_due=due, days=None if due is None else (today - due).days)


def _partial(feeds: Sequence[Feed], today: date) -> Mapping[str, Mapping[str, tuple[Cause, ...]]]:
    found: dict[str, dict[str, tuple[Cause, ...]]] = {}
    for each in feeds:
        if why := causes(each, today):
            found.setdefault(each.domain, {})[each.id] = why
    return found
