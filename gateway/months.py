"""Months of the calendar: those over which a member is measured and reports."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Self

from gateway.calendar import FIRST, LAST

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month."""

    year: int
    number: int

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a month such as 2026-10.

        Raises:
            ValueError: for any other form, and for a year beyond those of the calendar.
        """
        first = date.fromisoformat(f"{text}-01")
        if not FIRST <= first.year <= LAST:
            msg = f"expected a year from {FIRST} to {LAST}"
            raise ValueError(msg)
        return cls(first.year, first.month)

    @classmethod
    def before(cls, day: date) -> Self:
        """Give the last whole month before a day."""
        last = day.replace(day=1) - _DAY
        return cls(last.year, last.month)

    @property
    def first(self) -> date:
        """Its first day."""
        return date(self.year, self.number, 1)

    @property
    def last(self) -> date:
        """Its last day."""
        return date(self.year, self.number, monthrange(self.year, self.number)[1])

    def over(self, today: date) -> bool:
        """Say whether the month has ended."""
        return self.last < today

    @property
    def text(self) -> str:
        """Its text, as `read` takes it."""
        return f"{self.year}-{self.number:02}"
