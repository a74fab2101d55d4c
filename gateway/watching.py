"""What an operator is told of: unusual use by agencies and officers, and what runs out or is late (A37, duty U32).

Nothing here names a subject; an alarm stops no exchange.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import Enum
from itertools import pairwise

from gateway.calendar import Calendar
from gateway.clocks import CHINA, civil_day
from gateway.errors import CalendarMissing, CatalogueMalformed
from gateway.ledger.auditing import Audited
from gateway.model.codes import LedgerEventKind as Kind
from gateway.tables import Dated
from gateway.uscc import follows

HOURS, PERCENT = 24, 100

# Role and act as a pair: a role that is written beside another act explains nothing.
_WITHOUT_OFFICER = frozenset(
    {("view", "ACCESS"), ("view", "PREVIEW"), ("subject", "KEY_REVOCATION"), ("node", "DELETION")}
)


class Alarm(Enum):
    """Why an operator is told."""

    VOLUME = "VOLUME"
    OFF_HOURS = "OFF_HOURS"
    ENUMERATION = "ENUMERATION"
    NOBODY = "NOBODY"
    ACTS = "ACTS"
    DISK = "DISK"
    FEED = "FEED"
    ACKNOWLEDGEMENT = "ACKNOWLEDGEMENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRule(Dated):
    """From how many of each on an alarm sounds; see `nodes/federation/watching.toml` for what is counted."""

    questions_a_day: int
    off_hours_questions: int
    day_begins_hour: int
    day_ends_hour: int
    unknown_subjects: int
    sequential_subjects: int
    free_disk_percent: int
    acknowledgement_hours: int


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Told:
    """An alarm: of whom or what (an agency, an officer, a feed, or nothing in particular), and how many."""

    alarm: str
    who: str
    count: int


def check_watch(rules: Iterable[WatchRule]) -> None:
    """Check that the rules make sense.

    Raises:
        CatalogueMalformed: naming the row.
    """
    for rule in rules:
        counts = (rule.questions_a_day, rule.off_hours_questions, rule.unknown_subjects, rule.sequential_subjects)
        day = 0 <= rule.day_begins_hour < rule.day_ends_hour <= HOURS
        late = rule.acknowledgement_hours
        if min(*counts, late) < 1 or not day or not 0 <= rule.free_disk_percent < PERCENT:
            msg = f"directory watch_rules {rule.valid_from}: counts from 1, hours of one day, per cent; correct the row"
            raise CatalogueMalformed(msg)


@dataclass(slots=True, kw_only=True)
class Use:
    """One civil day's use of a member's gateway, as its ledger has it; entries are added as they come."""

    me: str
    day: date
    """The civil day; entries of another are not counted."""

    rule: WatchRule
    calendar: Calendar
    questions: Counter[str] = field(default_factory=Counter)
    off_hours: Counter[str] = field(default_factory=Counter)
    nobody: int = 0

    def add(self, found: Audited) -> None:
        """Count an entry; of another day it counts nothing."""
        if found.day != self.day:
            return
        if found.kind is Kind.ADMINISTERED:
            self.nobody += not found.officer and unexplained(found.role, found.act)
        elif found.agency and self._asks(found):
            self.questions[found.agency] += 1
            self.off_hours[found.officer] += self._off(found.time)

    def alarms(self) -> Iterator[Told]:
        """Say what is unusual."""
        yield from _above(Alarm.VOLUME, self.questions, self.rule.questions_a_day)
        yield from _above(Alarm.OFF_HOURS, self.off_hours, self.rule.off_hours_questions)
        yield from _above(Alarm.NOBODY, {"": self.nobody}, 0)

    def _asks(self, found: Audited) -> bool:
        """Count a question once: of one's own agencies when it is asked, of others' when it is replied to."""
        if found.asker == self.me:
            return found.kind is Kind.ASKED
        return found.kind in {Kind.ANSWERED, Kind.REFUSED}

    def _off(self, time: datetime) -> bool:
        if not self.rule.day_begins_hour <= time.astimezone(CHINA).hour < self.rule.day_ends_hour:
            return True
        try:
            return not self.calendar.is_working(self.day)
        except CalendarMissing:  # which has an alarm of its own
            return False


def unexplained(role: str, act: str) -> bool:
    """Say whether an act without an officer was done by nobody who is known.

    The first state seen, officers whom the bundle lists, what a subject reads or does itself, and what the node
    deletes by rule have another explanation.
    """
    return (role, act) not in _WITHOUT_OFFICER and not act.endswith("_BEGIN") and act.partition("_")[0] != "ACCOUNTS"


def enumeration(agency: str, codes: Iterable[str], unknown: int, rule: WatchRule) -> Iterator[Told]:
    """Say whether an agency tries out codes: many that nobody has, or many in a row.

    `codes` are those it asked about on a day, `unknown` how many of them should be registered here and are not.
    """
    sequence = sequential(codes)
    if unknown > rule.unknown_subjects or sequence > rule.sequential_subjects:
        yield Told(alarm=Alarm.ENUMERATION.value, who=agency, count=max(unknown, sequence))


def sequential(codes: Iterable[str]) -> int:
    """Count the codes that follow directly another one of these: same kind and division, next organisation number."""
    held = sorted(set(codes))
    return sum(follows(one, other) for one, other in pairwise(held))


def standing(
    rule: WatchRule, *, free_percent: float, overdue: Iterable[str], unacknowledged: Iterable[datetime], now: datetime
) -> Iterator[Told]:
    """Say what runs out or is late: the disk, feeds, and acknowledgements of what was sent at these times."""
    if free_percent < rule.free_disk_percent:
        yield Told(alarm=Alarm.DISK.value, who="", count=int(free_percent))
    yield from (Told(alarm=Alarm.FEED.value, who=feed, count=1) for feed in sorted(overdue))
    late = sum(now - each > timedelta(hours=rule.acknowledgement_hours) for each in unacknowledged)
    if late:
        yield Told(alarm=Alarm.ACKNOWLEDGEMENT.value, who="", count=late)


def use_of(me: str, now: datetime, rule: WatchRule, calendar: Calendar) -> Use:
    """Begin a day's count."""
    return Use(me=me, day=civil_day(now), rule=rule, calendar=calendar)


def _above(alarm: Alarm, counts: Mapping[str, int], limit: int) -> Iterator[Told]:
    for who, count in sorted(counts.items()):
        if count > limit:
            yield Told(alarm=alarm.value, who=who, count=count)
