"""Alarms: what is unusual or late is told with whom and how many; what is usual is not, and no subject ever."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_audit import entry

from gateway.calendar import WorkingYear, calendar_of
from gateway.clocks import CHINA
from gateway.errors import CatalogueMalformed
from gateway.ledger.auditing import Audited
from gateway.model.codes import LedgerEventKind as Kind
from gateway.uscc import check_character, follows, organisation_check, sample_code
from gateway.watching import Told, Use, WatchRule, check_watch, enumeration, sequential, standing, use_of
from nodes.retention import NODE
from nodes.store.accesses import PREVIEW, READING
from nodes.store.consents import REVOCATION
from nodes.store.retention import DELETION

ME, DAY = "310000", date(2026, 3, 2)
NOON = datetime(2026, 3, 2, 12, tzinfo=CHINA).astimezone(UTC)
SUNDAY = NOON - timedelta(1)
CALENDAR = calendar_of([WorkingYear(year=2026, holidays=())])
VALUES: dict[str, Any] = {
    "questions_a_day": 3,
    "off_hours_questions": 1,
    "day_begins_hour": 7,
    "day_ends_hour": 20,
    "unknown_subjects": 2,
    "sequential_subjects": 2,
    "free_disk_percent": 10,
    "acknowledgement_hours": 24,
    "valid_from": date(2020, 1, 1),
}
RULE = WatchRule(**VALUES)


def asked(count: int = 1, *, time: datetime = NOON, asker: str = ME, kind: Kind = Kind.ASKED) -> list[Audited]:
    """Give entries of questions."""
    return [entry(0, time=time, asker=asker, kind=kind) for _ in range(count)]


def alarms(entries: list[Audited], now: datetime = NOON) -> list[Told]:
    """Count entries of a day, and give what it says."""
    use: Use = use_of(ME, now, RULE, CALENDAR)
    for each in entries:
        use.add(each)
    return list(use.alarms())


@pytest.mark.parametrize(("asker", "kind"), [(ME, Kind.ASKED), ("320000", Kind.ANSWERED), ("320000", Kind.REFUSED)])
def test_more_questions_than_usual_are_told(asker: str, kind: Kind) -> None:
    """Of one's own agencies when they ask, of others' when they are replied to; the limit itself is usual."""
    assert alarms(asked(3, asker=asker, kind=kind)) == []
    assert alarms(asked(4, asker=asker, kind=kind)) == [Told(alarm="VOLUME", who="a", count=4)]


def test_no_question_counts_twice() -> None:
    """One's own question has further entries: its end, and the answer where one's own node gives it."""
    twice = [*asked(3), *asked(3, kind=Kind.ANSWERED), *asked(3, kind=Kind.ACCEPTED)]
    assert alarms([*twice, entry(0, time=NOON, agency="", kind=Kind.ASKED, asker=ME)]) == []


@pytest.mark.parametrize(("hour", "off"), [(6, True), (7, False), (19, False), (20, True), (0, True), (23, True)])
def test_questions_outside_working_hours_are_told(hour: int, off: bool) -> None:  # noqa: FBT001
    """By the hour in Shanghai, of an officer."""
    time = datetime(2026, 3, 2, hour, 30, tzinfo=CHINA).astimezone(UTC)
    assert alarms(asked(2, time=time)) == ([Told(alarm="OFF_HOURS", who="a/o", count=2)] if off else [])


def test_a_day_off_is_off_hours_where_it_is_known() -> None:
    """A Sunday at noon; a year without a table has an alarm of its own."""
    assert [each.alarm for each in alarms(asked(2, time=SUNDAY), SUNDAY)] == ["OFF_HOURS"]
    later = NOON.replace(year=2027)
    assert alarms(asked(2, time=later), later) == []


def test_entries_of_another_day_count_nothing() -> None:
    """Yesterday's are over."""
    assert alarms(asked(9, time=SUNDAY)) == []


@pytest.mark.parametrize(
    ("act", "role", "officer", "told"),
    [
        ("KEYS", "secure", "", True),
        ("INGEST", "administer", "", True),
        ("INGEST", "administer", "a/o", False),
        ("KEYS_BEGIN", "secure", "", False),
        ("ACCOUNTS", "administer", "", False),
        (READING, "view", "", False),
        (PREVIEW, "view", "", False),
        (REVOCATION, "subject", "", False),
        (REVOCATION, "approve", "", True),
        (DELETION, NODE, "", False),
        (DELETION, "administer", "", True),
        ("INGEST", NODE, "", True),
        ("KEYS", "view", "", True),
    ],
)
def test_acts_by_nobody_are_told(act: str, role: str, officer: str, told: bool) -> None:  # noqa: FBT001
    """But for the first state seen, officers in the bundle, what subjects read and do, and the node's own deletion."""
    found = alarms([entry(0, time=NOON, kind=Kind.ADMINISTERED, act=act, role=role, officer=officer)])
    assert found == ([Told(alarm="NOBODY", who="", count=1)] if told else [])


def codes(*numbers: int) -> list[str]:
    """Give sample codes by number."""
    return [sample_code("91", "310118", each) for each in numbers]


@given(st.sets(st.integers(0, 400)))
def test_codes_in_a_row_are_counted_in_any_order(numbers: set[int]) -> None:
    """As many as have their predecessor among them, and never across kinds or divisions."""
    expected = sum(each - 1 in numbers for each in numbers)
    assert sequential(reversed(codes(*numbers))) == expected
    assert sum(follows(one, other) for one, other in pairwise(codes(*sorted(numbers)))) == expected


def test_what_is_alike_is_not_in_a_row() -> None:
    """The same number of another division follows nothing, nor does a code itself."""
    one = codes(5)[0]
    body = f"{one[:2]}310107{one[8:16]}"
    other = body + organisation_check(one[8:16])
    assert not follows(one, other + check_character(other))
    assert not follows(one, one)


@pytest.mark.parametrize(
    ("numbers", "unknown", "count"),
    [((1, 3, 5, 7), 2, 0), ((1, 3, 5, 7), 3, 3), ((1, 2, 3), 0, 0), ((1, 2, 3, 4), 0, 3), ((1, 2, 3, 4, 5), 3, 4)],
)
def test_codes_that_are_tried_out_are_told(numbers: tuple[int, ...], unknown: int, count: int) -> None:
    """Many that nobody has, or many in a row; the alarm has the agency and a number alone."""
    found = list(enumeration("a", codes(*numbers), unknown, RULE))
    assert found == ([Told(alarm="ENUMERATION", who="a", count=count)] if count else [])


def test_what_runs_out_or_is_late_is_told() -> None:
    """Disk, feeds, and acknowledgements older than the rule's hours."""
    old, fresh = NOON - timedelta(hours=25), NOON - timedelta(hours=23)
    quiet = standing(RULE, free_percent=10.0, overdue=(), unacknowledged=(fresh,), now=NOON)
    assert list(quiet) == []
    loud = standing(RULE, free_percent=9.9, overdue=("b", "a"), unacknowledged=(old, fresh), now=NOON)
    assert list(loud) == [
        Told(alarm="DISK", who="", count=9),
        Told(alarm="FEED", who="a", count=1),
        Told(alarm="FEED", who="b", count=1),
        Told(alarm="ACKNOWLEDGEMENT", who="", count=1),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"questions_a_day": 0},
        {"day_begins_hour": 20},
        {"day_ends_hour": 25},
        {"free_disk_percent": 100},
        {"acknowledgement_hours": 0},
    ],
)
def test_a_senseless_rule_is_refused(changes: dict[str, int]) -> None:
    """When the directory is read; the text names the row."""
    check_watch([RULE])
    with pytest.raises(CatalogueMalformed, match="watch_rules 2020-01-01"):
        check_watch([WatchRule(**VALUES | changes)])
