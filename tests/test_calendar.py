"""Legal working days: what a year's table says, and nothing where there is none (duty U18)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.calendar import Calendar, WorkingYear, calendar_of
from gateway.errors import CalendarMissing, CatalogueMalformed, GatewayError

# In 2026 a Wednesday is off and the Saturday after it is worked; 2027 has no table; 2028 changes nothing.
YEARS = (
    WorkingYear(year=2025, holidays=(date(2025, 1, 1),)),
    WorkingYear(year=2026, holidays=(date(2026, 1, 1), date(2026, 3, 11)), workdays=(date(2026, 3, 14),)),
    WorkingYear(year=2028, holidays=()),
)
CALENDAR = calendar_of(YEARS)
DAYS = st.dates(min_value=date(2025, 1, 1), max_value=date(2026, 11, 1))


@pytest.mark.parametrize(
    ("day", "working"),
    [
        ("2026-03-10", True),
        ("2026-03-11", False),
        ("2026-03-14", True),
        ("2026-03-15", False),
        ("2026-03-21", False),
        ("2026-01-01", False),
    ],
)
def test_a_day_is_worked_as_the_table_says(day: str, working: bool) -> None:  # noqa: FBT001
    """Holidays are off, swapped Saturdays are worked, and the rest follows the week."""
    assert CALENDAR.is_working(date.fromisoformat(day)) is working


@pytest.mark.parametrize(
    ("day", "count", "end"),
    [
        ("2026-03-10", 1, "2026-03-12"),
        ("2026-03-10", 3, "2026-03-14"),
        ("2026-03-11", 1, "2026-03-12"),
        ("2026-03-13", 2, "2026-03-16"),
        ("2025-12-31", 1, "2026-01-02"),
        ("2026-12-30", 1, "2026-12-31"),
    ],
)
def test_a_period_ends_on_its_last_working_day(day: str, count: int, end: str) -> None:
    """The day that it begins on is not counted, and a year's end is crossed where both have a table."""
    assert CALENDAR.after(date.fromisoformat(day), count) == date.fromisoformat(end)


@pytest.mark.parametrize(
    ("day", "count", "year"),
    [
        ("2024-12-31", 1, 2024),
        ("2026-12-31", 1, 2027),
        ("2026-12-30", 2, 2027),
        ("2027-06-01", 1, 2027),
        ("2028-12-29", 1, 2029),
    ],
)
def test_a_period_that_needs_a_missing_year_fails(day: str, count: int, year: int) -> None:
    """No day is guessed before, between or behind the tables; the text names the year to add."""
    with pytest.raises(CalendarMissing) as missing:
        CALENDAR.after(date.fromisoformat(day), count)
    assert str(missing.value) == f"working_days: {year} has no row; add the year's table to the directory"
    assert isinstance(missing.value, GatewayError)


def test_a_day_of_a_missing_year_is_neither_worked_nor_off() -> None:
    """Asking for it fails, also of a calendar without tables."""
    for calendar, day in ((CALENDAR, date(2027, 1, 4)), (calendar_of(()), date(2026, 1, 5))):
        with pytest.raises(CalendarMissing):
            calendar.is_working(day)


@pytest.mark.parametrize("count", [0, -1])
def test_a_period_has_a_day(count: int) -> None:
    """A period of nothing has no last day."""
    with pytest.raises(ValueError, match="at least one"):
        CALENDAR.after(date(2026, 3, 10), count)


@given(DAYS, st.integers(1, 30), st.integers(1, 30))
def test_periods_add_up(day: date, first: int, second: int) -> None:
    """A period and another from its end are the long one; its end is worked, later, and counts what it holds."""
    end = CALENDAR.after(day, first)
    assert CALENDAR.is_working(end)
    assert sum(CALENDAR.is_working(day + timedelta(days=each)) for each in range(1, (end - day).days + 1)) == first
    if end < date(2026, 11, 1):
        assert CALENDAR.after(end, second) == CALENDAR.after(day, first + second)


@pytest.mark.parametrize(
    ("today", "alarm"),
    [
        ("2025-12-01", False),
        ("2026-11-30", False),
        ("2026-12-01", True),
        ("2026-12-31", True),
        ("2027-01-01", True),
        ("2027-11-30", True),
        ("2028-11-30", False),
        ("2028-12-01", True),
    ],
)
def test_a_missing_table_alarms_from_december(today: str, alarm: bool) -> None:  # noqa: FBT001
    """The next year's table is wanted on 1 December, this year's on every day."""
    assert CALENDAR.alarm(date.fromisoformat(today)) is alarm


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ((YEARS[0], YEARS[0]), "2025 stands twice"),
        ((WorkingYear(year=2026, holidays=(date(2026, 3, 14),)),), "2026-03-14 changes nothing"),
        ((WorkingYear(year=2026, holidays=(date(2025, 3, 11),)),), "2025-03-11 changes nothing or is of another year"),
        ((WorkingYear(year=2026, holidays=(), workdays=(date(2026, 3, 11),)),), "2026-03-11 changes nothing"),
        ((WorkingYear(year=2026, holidays=(), workdays=(date(2027, 3, 13),)),), "2027-03-13 changes nothing or is of"),
        ((WorkingYear(year=26, holidays=()),), "26: expected a year"),
        ((WorkingYear(year=99_999, holidays=()),), "99999: expected a year"),
    ],
)
def test_a_mistake_in_a_table_is_refused(rows: tuple[WorkingYear, ...], text: str) -> None:
    """A year twice, a day of another year, and a day that is so anyway are slips of the pen, and named."""
    with pytest.raises(CatalogueMalformed, match=f"^directory working_days .*{text}|^directory working_days {text}"):
        calendar_of(rows)


def test_rows_may_stand_in_any_order() -> None:
    """The order of the years does not matter."""
    turned: Calendar = calendar_of(reversed(YEARS))
    assert turned.days == CALENDAR.days
