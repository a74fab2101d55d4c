"""Legal working days (duty U18): a table of each year as it was published, and nothing computed beyond it.

Days are civil days in Asia/Shanghai. A deadline that needs a year without a table fails instead of guessing.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from gateway.errors import CalendarMissing, CatalogueMalformed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SATURDAY = 5
DECEMBER = 12
FIRST, LAST = 1949, 2199


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingYear:
    """What a year's notice 节假日安排 changes: weekdays off, and Saturdays and Sundays that are worked 调休."""

    year: int
    holidays: tuple[date, ...]
    workdays: tuple[date, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """The working days of the years that have a table, in order."""

    years: Mapping[int, frozenset[date]]
    days: tuple[date, ...]

    def is_working(self, day: date) -> bool:
        """Say whether a day is worked.

        Raises:
            CalendarMissing: when its year has no table.
        """
        return day in self._year(day.year)

    def after(self, day: date, working_days: int) -> date:
        """Give the last day of a period of at least one working day; the day it begins on is not counted.

        Raises:
            CalendarMissing: when a year that the period touches has no table.
            ValueError: for a period without days.
        """
        if working_days < 1:
            msg = "a period has at least one working day"
            raise ValueError(msg)
        self._year(day.year)
        place = bisect_right(self.days, day) + working_days - 1
        end = self.days[place].year if place < len(self.days) else self.days[-1].year + 1
        for year in range(day.year, end + 1):
            self._year(year)
        return self.days[place]

    def alarm(self, today: date) -> bool:
        """Say whether a table is missing that is needed now: this year's, and from 1 December the next one's."""
        return today.year not in self.years or (today.month == DECEMBER and today.year + 1 not in self.years)

    def _year(self, year: int) -> frozenset[date]:
        if year not in self.years:
            msg = f"working_days: {year} has no row; add the year's table to the directory"
            raise CalendarMissing(msg)
        return self.years[year]


def calendar_of(rows: Iterable[WorkingYear]) -> Calendar:
    """Write out the working days of each year.

    Raises:
        CatalogueMalformed: for a year that stands twice or is none, a day of another year, a holiday on a weekend,
            or a worked day that is none: each would be a mistake in the table.
    """
    years: dict[int, frozenset[date]] = {}
    for row in rows:
        if row.year in years:
            raise CatalogueMalformed(f"directory working_days {row.year} stands twice; keep one row")
        _check(row)
        ordinary = {day for day in _days(row.year) if day.weekday() < SATURDAY}
        years[row.year] = frozenset(ordinary.difference(row.holidays).union(row.workdays))
    return Calendar(years=years, days=tuple(sorted(day for year in years.values() for day in year)))


def _check(row: WorkingYear) -> None:
    if not FIRST <= row.year <= LAST:
        raise CatalogueMalformed(f"directory working_days {row.year}: expected a year from {FIRST} to {LAST}")
    off = [day for day in row.holidays if day.year != row.year or day.weekday() >= SATURDAY]
    worked = [day for day in row.workdays if day.year != row.year or day.weekday() < SATURDAY]
    for day in (*off, *worked):
        msg = f"directory working_days {row.year}: {day} changes nothing or is of another year; correct the day"
        raise CatalogueMalformed(msg)


def _days(year: int) -> Iterator[date]:
    first = date(year, 1, 1)
    return (first + timedelta(days=each) for each in range((date(year + 1, 1, 1) - first).days))
