"""Codes of deciding agencies: dated, with successors, and never in a ring (duties U4, U16)."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.deciding import DecidingAgency, deciding, deciding_of
from gateway.errors import CatalogueMalformed


def row(code: str, agency: str, since: int, until: int | None = None, successor: str | None = None) -> DecidingAgency:
    """Give a row that begins and ends with years."""
    end = None if until is None else date(until, 1, 1)
    return DecidingAgency(code=code, agency=agency, valid_from=date(since, 1, 1), valid_until=end, successor=successor)


# Trade and food were merged into market in 2019, which changed its code in 2022. Salt ended without a successor.
# The code of water is given again in 2024.
ROWS = deciding_of(
    [
        row("C-TRADE", "trade", 2000, 2019, "C-MARKET"),
        row("C-FOOD", "food", 2000, 2010, "trade"),
        row("C-MARKET", "market", 2019, 2022, "C-MARKET-2"),
        row("C-MARKET-2", "market", 2022),
        row("C-SALT", "salt", 2000, 2019),
        row("C-WATER", "water", 2000, 2015, "market"),
        row("C-WATER", "waters", 2024),
    ]
)


@pytest.mark.parametrize(
    ("text", "year", "agency"),
    [
        ("C-TRADE", 2018, "trade"),
        ("trade", 2018, "trade"),
        ("C-TRADE", 2019, "market"),
        ("trade", 2025, "market"),
        ("C-FOOD", 2009, "food"),
        ("C-FOOD", 2012, "trade"),
        ("C-FOOD", 2026, "market"),
        ("C-MARKET", 2026, "market"),
        ("market", 2020, "market"),
        ("market", 2026, "market"),
        ("C-MARKET-2", 2021, None),
        ("C-TRADE", 1999, None),
        ("C-SALT", 2018, "salt"),
        ("C-SALT", 2019, None),
        ("C-WATER", 2014, "water"),
        ("C-WATER", 2016, None),
        ("C-WATER", 2020, "market"),
        ("C-WATER", 2024, "waters"),
        ("C-NOBODY", 2026, None),
        ("", 2026, None),
    ],
)
def test_a_text_stands_for_an_agency_on_a_day(text: str, year: int, agency: str | None) -> None:
    """A code or id names its agency, after the end the successor of that day, and otherwise nobody."""
    assert deciding(ROWS, text, date(year, 1, 1)) == agency


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([row("A", "a", 2000), row("A", "b", 2010)], "A: two rows are in force on 2010-01-01"),
        ([row("A", "a", 2000, None, "B"), row("B", "b", 2000)], "A: a successor and no end"),
        ([row("A", "a", 2000, 2010, "B")], "A: its successor has no row"),
        ([row("A", "a", 2000, 2010, "A")], "A: its successors lead back to it"),
        ([row("A", "a", 2000, 2010, "a")], "A: its successors lead back to it"),
        ([row("A", "a", 2000, 2010, "B"), row("B", "b", 2000, 2012, "a")], "[AB]: its successors lead back to it"),
        (
            [row("A", "a", 2000, 2010, "B"), row("B", "b", 2000, 2012, "C"), row("C", "c", 2000, 2014, "B")],
            "[BC]: its successors lead back to it",
        ),
    ],
)
def test_rows_that_lead_nowhere_are_refused(rows: list[DecidingAgency], text: str) -> None:
    """A code of two agencies, a successor before an end or without a row, and a ring are named, in either order."""
    for each in (rows, rows[::-1]):
        with pytest.raises(CatalogueMalformed, match=rf"^directory agency_codes {text}"):
            deciding_of(each)


@given(st.integers(1, 30), st.integers(1990, 2040))
def test_a_chain_is_followed_to_its_day(length: int, year: int) -> None:
    """In a chain of agencies of one year each, every code leads to the agency of the day, however long the chain."""
    chain = [row(f"C{n}", f"a{n}", 2000 + n, 2001 + n, f"C{n + 1}") for n in range(length)]
    rows = deciding_of([*chain, row(f"C{length}", f"a{length}", 2000 + length)])
    expected = None if year < 2000 else f"a{min(year - 2000, length)}"
    assert deciding(rows, "C0", date(year, 6, 1)) == expected
