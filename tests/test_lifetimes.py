"""How long keys live and when an alarm sounds: steps of days left, long holidays, and rows that make no sense."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.calendar import Calendar, calendar_of
from gateway.catalogue import read_catalogue
from gateway.clocks import CHINA
from gateway.errors import CatalogueMalformed
from gateway.lifetimes import AlarmRule, KeyRule, Life, Lifetimes
from nodes.alarms import ROLES
from nodes.federation import REFERENCE
from nodes.federation.compiling import sections

TABLES = read_catalogue(sections(REFERENCE))
FOUND, CALENDAR = TABLES.lifetimes, TABLES.calendar
NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
YEAR = timedelta(days=365)
NO_DAYS = calendar_of(())
RULE: dict[str, Any] = {
    "use": "sign", "life_days": 365, "overlap_days": 30, "lead_hours": 24, "valid_from": "2026-01-01"
}  # fmt: skip
ALARM: dict[str, Any] = {
    "days_left": [30, 7], "holiday_days": 5, "holiday_notice_days": 3, "valid_from": "2026-01-01"
}  # fmt: skip


def step(left: timedelta, now: datetime = NOON, *, life: timedelta = YEAR, calendar: Calendar = CALENDAR) -> int | None:
    """Give the step of what has so much time left of such a life."""
    return FOUND.step(Life(begins=now + left - life, ends=now + left), now, calendar)


@pytest.mark.parametrize(
    ("days", "expected"),
    [(31, None), (30, 30), (15, 30), (14, 14), (8, 14), (7, 7), (2, 7), (1, 1), (0.01, 1), (0, 0), (-3, 0)],
)
def test_an_alarm_sounds_at_each_step(days: float, expected: int | None) -> None:
    """30, 14, 7 and 1 days before an end the step is reached; at the end it is 0."""
    assert step(timedelta(days=days)) == expected


@pytest.mark.parametrize(
    ("life", "days", "expected"),
    [(7, 6, None), (7, 3.6, None), (7, 1, 1), (37, 30, None), (37, 14, 14), (1, 0.9, None)],
)
def test_a_short_life_has_only_the_steps_of_its_second_half(life: float, days: float, expected: int | None) -> None:
    """A leaf of a week alarms a day before its end, not from the beginning."""
    assert step(timedelta(days=days), life=timedelta(days=life)) == expected


@pytest.mark.parametrize(
    ("day", "end", "expected"),
    [
        (date(2026, 9, 26), date(2026, 10, 17), 30),  # five days before National Day: 21 days left
        (date(2026, 9, 27), date(2026, 10, 17), 14),  # people leave on the 30th: counted from 8 October, 9 days
        (date(2026, 10, 3), date(2026, 10, 17), 14),
        (date(2026, 9, 30), date(2026, 10, 5), 1),  # it ends within the holiday
        (date(2026, 6, 5), date(2026, 6, 14), 14),  # an ordinary weekend moves nothing
    ],
)
def test_before_a_long_holiday_days_count_from_its_end(day: date, end: date, expected: int | None) -> None:
    """What would reach a step while nobody works reaches it before people leave."""
    now = datetime.combine(day, datetime.min.time(), CHINA) + timedelta(hours=9)
    ends = datetime.combine(end, datetime.min.time(), CHINA) + timedelta(hours=9)
    assert step(ends - now, now) == expected


def test_without_tables_there_is_no_holiday_and_no_alarm() -> None:
    """A year without a table has no holidays; a directory without alarms is silent until the end."""
    assert step(timedelta(days=13), calendar=NO_DAYS) == 14
    life = Life(begins=NOON - YEAR, ends=NOON + timedelta(hours=1))
    assert Lifetimes().step(life, NOON, CALENDAR) is None
    assert Lifetimes().step(life, life.ends, CALENDAR) == 0


@given(st.integers(0, 400 * 24), st.integers(0, 400 * 24), st.integers(0, 300))
def test_an_alarm_never_quietens(hours: int, later: int, day: int) -> None:
    """As time passes the step of one thing only gets smaller."""
    now = NOON - timedelta(days=150) + timedelta(days=day)
    life = Life(begins=now, ends=now + timedelta(days=400))
    steps = [FOUND.step(life, now + timedelta(hours=each), CALENDAR) for each in sorted((hours, later))]
    assert steps[0] is None or (steps[1] is not None and steps[1] <= steps[0])


def test_rules_are_dated_by_use() -> None:
    """Each use has its own rule, from its day on."""
    first = {**RULE, "valid_until": "2026-07-01"}
    second = {**RULE, "life_days": 90, "valid_from": "2026-07-01"}
    found = read_catalogue({**sections(REFERENCE), "key_rules": [first, second]}).lifetimes
    lives = [found.rule("sign", date(2026, month, 1)) for month in (1, 6, 7)]
    assert [each and each.life_days for each in lives] == [365, 365, 90]
    assert found.rule("sign", date(2025, 12, 31)) is None
    assert found.rule("seal", date(2026, 1, 1)) is None
    assert found.need("sign", date(2026, 7, 1)).life_days == 90
    with pytest.raises(CatalogueMalformed, match="key_rules seal: no row is in force on 2026-01-01"):
        found.need("seal", date(2026, 1, 1))


def test_the_reference_has_a_rule_for_each_use() -> None:
    """Keys of every use, leaves of nodes and agencies, and issuing CAs have a life in the sample."""
    uses = {"sign", "seal", "ledger", "witness", "leaf", "agency", "issuing", *ROLES}
    assert {each.use for each in FOUND.rules} == uses


@pytest.mark.parametrize(
    "change",
    [{"life_days": 0}, {"overlap_days": 365}, {"overlap_days": -1}, {"lead_hours": -1}, {"life_days": 30}],
    ids=str,
)
def test_a_rule_without_a_life_is_malformed(change: dict[str, Any]) -> None:
    """A life of no days, or an overlap as long as a life, is a mistake in the table."""
    with pytest.raises(CatalogueMalformed, match="key_rules sign"):
        read_catalogue({**sections(REFERENCE), "key_rules": [RULE | change]})


@pytest.mark.parametrize(
    "change", [{"days_left": []}, {"days_left": [0]}, {"holiday_days": 0}, {"holiday_notice_days": -1}], ids=str
)
def test_an_alarm_without_days_is_malformed(change: dict[str, Any]) -> None:
    """So is an alarm without steps."""
    with pytest.raises(CatalogueMalformed, match="key_alarms 2026-01-01"):
        read_catalogue({**sections(REFERENCE), "key_alarms": [ALARM | change]})


@pytest.mark.parametrize(("name", "row"), [("key_rules", RULE), ("key_alarms", ALARM)])
def test_two_rows_on_one_day_are_malformed(name: str, row: dict[str, Any]) -> None:
    """Which of them held would be chance."""
    with pytest.raises(CatalogueMalformed, match=f"{name}.*two rows"):
        read_catalogue({**sections(REFERENCE), name: [row, row]})


def test_rows_are_values() -> None:
    """Rules and alarms are rows like any other."""
    since = date(2026, 1, 1)
    rule = KeyRule(use="sign", life_days=2, overlap_days=1, lead_hours=0, valid_from=since)
    alarm = AlarmRule(days_left=(1,), holiday_days=5, holiday_notice_days=0, valid_from=since)
    found = Lifetimes(rules=(rule,), alarms=(alarm,))
    assert found.rule("sign", since) is rule
    life = Life(begins=NOON - YEAR, ends=NOON + timedelta(hours=20))
    assert found.step(life, NOON, CALENDAR) == 1
