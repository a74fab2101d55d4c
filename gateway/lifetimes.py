"""How long keys and certificates live, and when somebody must see to their end (duty U31): pure, over dated rows.

An alarm sounds in steps of days left. Before a long holiday 长假 the days are counted from the day work begins again:
whatever would reach a step while nobody works reaches it before everybody leaves.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING

from gateway.clocks import CHINA, civil_day
from gateway.errors import CatalogueMalformed
from gateway.tables import Dated

if TYPE_CHECKING:
    from gateway.calendar import Calendar


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRule(Dated):
    """The life of what has one use (`sign`, `seal`, `leaf`, `issuing`, ...).

    It lives `life_days`; `overlap_days` of them it is good beside its successor, which is told to the others
    `lead_hours` before it begins.
    """

    use: str
    life_days: int
    overlap_days: int
    lead_hours: int

    @property
    def lead(self) -> timedelta:
        """How long before its beginning a successor is told."""
        return timedelta(hours=self.lead_hours)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRule(Dated):
    """At how many days left an alarm sounds, what a long holiday is, and how many days before it people leave."""

    days_left: tuple[int, ...]
    holiday_days: int
    holiday_notice_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """From when to when something is good."""

    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """The rows of both tables."""

    rules: tuple[KeyRule, ...] = ()
    alarms: tuple[AlarmRule, ...] = ()

    def rule(self, use: str, on: date) -> KeyRule | None:
        """Give the rule of a use in force on a day."""
        return next((each for each in self.rules if each.use == use and each.in_force(on)), None)

    def need(self, use: str, on: date) -> KeyRule:
        """Give the rule of a use in force on a day.

        Raises:
            CatalogueMalformed: when there is none.
        """
        found = self.rule(use, on)
        if found is None:
            msg = f"directory key_rules {use}: no row is in force on {on}; add one and have the directory signed again"
            raise CatalogueMalformed(msg)
        return found

    def step(self, life: Life, now: datetime, calendar: Calendar) -> int | None:
        """Give the least step that is reached; 0 when the end has come, None while there is time.

        A step above half of a life is none of it: what lives a week is not alarming from its first day on.
        """
        if life.ends <= now:
            return 0
        rule = next((each for each in self.alarms if each.in_force(civil_day(now))), None)
        if rule is None:
            return None
        left, half = life.ends - _work_begins(rule, now, calendar), (life.ends - life.begins) / 2
        steps = (each for each in rule.days_left if timedelta(days=each) <= half)
        return min((each for each in steps if left <= timedelta(days=each)), default=None)


def check_lifetimes(found: Lifetimes) -> None:
    """Check that no rule is without a life, nor overlaps longer than it lives.

    Raises:
        CatalogueMalformed: naming the row.
    """
    for rule in found.rules:
        if not 0 <= rule.overlap_days < rule.life_days or rule.lead_hours < 0:
            msg = f"directory key_rules {rule.use}: at least one day, and an overlap that is shorter; correct the row"
            raise CatalogueMalformed(msg)
    for alarm in found.alarms:
        if not alarm.days_left or min(*alarm.days_left, alarm.holiday_days) < 1 or alarm.holiday_notice_days < 0:
            msg = f"directory key_alarms {alarm.valid_from}: days are 1 or more, at least one step; correct the row"
            raise CatalogueMalformed(msg)


def _work_begins(rule: AlarmRule, now: datetime, calendar: Calendar) -> datetime:
    """Give the first moment after a long holiday that is near or under way, else now."""
    today = civil_day(now)
    worked = calendar.days[max(bisect_right(calendar.days, today) - 1, 0) :]
    last = today + timedelta(days=rule.holiday_notice_days)
    for before, after in takewhile(lambda pair: pair[0] <= last, pairwise(worked)):
        if after - before > timedelta(days=rule.holiday_days):
            return max(now, datetime.combine(after, time(), CHINA))
    return now
