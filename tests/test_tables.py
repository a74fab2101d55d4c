"""Rows of the signed directory: read by their annotations, and every fault named with its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import CatalogueMalformed
from gateway.tables import Dated, read, read_all


class Colour(Enum):
    """A code list."""

    RED = "RED"
    BLUE = "BLUE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A row within a row."""

    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row(Dated):
    """A row with a field of every sort."""

    name: str
    count: int
    open: bool
    colour: Colour
    moment: datetime
    part: Part
    words: tuple[str, ...]
    parts: tuple[Part, ...] = ()
    colours: frozenset[Colour] = frozenset()
    by_name: Mapping[str, Part] = field(default_factory=dict)
    maybe: int | None = None
    perhaps: Optional[Colour] = None  # noqa: UP045  (both spellings of an annotation are read)


WHOLE: dict[str, Any] = {
    "name": "a",
    "count": 1,
    "open": True,
    "colour": "RED",
    "moment": "2026-03-10T04:00:00+00:00",
    "part": {"size": 1},
    "words": ["x", "y"],
    "valid_from": "2026-01-01",
}


def test_a_row_is_read_by_its_annotations() -> None:
    """Every sort of field becomes the value that its annotation names, and what is left out its default."""
    parts = {"parts": [{"size": 2}], "colours": ["BLUE"], "by_name": {"a": {"size": 3}}, "maybe": 4, "perhaps": "RED"}
    whole = Row(
        name="a", count=1, open=True, colour=Colour.RED, moment=datetime(2026, 3, 10, 4, tzinfo=UTC),
        part=Part(size=1), words=("x", "y"), valid_from=date(2026, 1, 1),
    )  # fmt: skip
    assert read(Row, WHOLE, "rows") == whole
    found = read(Row, {**WHOLE, **parts, "valid_until": "2027-01-01"}, "rows")
    assert (found.parts, found.colours, dict(found.by_name), found.maybe, found.perhaps, found.valid_until) == (
        (Part(size=2),), frozenset({Colour.BLUE}), {"a": Part(size=3)}, 4, Colour.RED, date(2027, 1, 1),
    )  # fmt: skip
    assert read(Row, {**WHOLE, "maybe": None, "valid_until": None, "perhaps": None}, "rows") == whole


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "a number for a text": ({"name": 1}, "rows[1].name: expected a str"),
    "a text for a number": ({"count": "1"}, "rows[1].count: expected a int"),
    "a flag for a number": ({"count": True}, "rows[1].count: expected a int"),
    "a fraction for a number": ({"count": 1.0}, "rows[1].count: expected a int"),
    "a number for a flag": ({"open": 1}, "rows[1].open: expected a bool"),
    "nothing for a text": ({"name": None}, "rows[1].name: expected a str"),
    "an unknown code": ({"colour": "GREEN"}, "rows[1].colour: expected a Colour"),
    "a code in lower case": ({"colour": "red"}, "rows[1].colour: expected a Colour"),
    "a number for a code": ({"colour": 1}, "rows[1].colour: expected a Colour"),
    "no day": ({"valid_from": "2026-02-30"}, "rows[1].valid_from: expected a date"),
    "a number for a day": ({"valid_from": 20260101}, "rows[1].valid_from: expected a date"),
    "a day read before": ({"valid_from": date(2026, 1, 1)}, "rows[1].valid_from: expected a date"),
    "a time for a day": ({"valid_from": "2026-01-01T00:00:00"}, "rows[1].valid_from: expected a date"),
    "no end": ({"valid_until": "never"}, "rows[1].valid_until: expected a date"),
    "no moment": ({"moment": "noon"}, "rows[1].moment: expected a datetime"),
    "a text for a row": ({"part": "x"}, "rows[1].part: expected an object"),
    "a list for a row": ({"part": [1]}, "rows[1].part: expected an object"),
    "a fault in a row": ({"part": {"size": "x"}}, "rows[1].part.size: expected a int"),
    "a row without a value": ({"part": {}}, "rows[1].part.size: expected a value"),
    "a row with more": ({"part": {"size": 1, "weight": 2}}, "rows[1].part.weight: expected no such field"),
    "a text for a list": ({"words": "xy"}, "rows[1].words: expected a list"),
    "an object for a list": ({"words": {}}, "rows[1].words: expected a list"),
    "a fault in a list": ({"words": ["x", 2]}, "rows[1].words[1]: expected a str"),
    "a fault in a list of rows": ({"parts": [{"size": 1}, {"size": None}]}, "rows[1].parts[1].size: expected a int"),
    "a fault in a set": ({"colours": ["RED", "GREEN"]}, "rows[1].colours[1]: expected a Colour"),
    "a list for a table": ({"by_name": []}, "rows[1].by_name: expected an object"),
    "a fault in a table": ({"by_name": {"a": {"size": 1}, "b": 2}}, "rows[1].by_name.b: expected an object"),
    "a text for a number that may be missing": ({"maybe": "x"}, "rows[1].maybe: expected a int"),
    "an unknown field": ({"nmae": "a"}, "rows[1].nmae: expected no such field"),
    "the first of two unknown fields": ({"zz": 1, "aa": 1}, "rows[1].aa: expected no such field"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_with_its_place(name: str) -> None:
    """Type, code, day, unknown and missing fields are refused with the path to them, whatever is right beside."""
    changes, place = FAULTS[name]
    with pytest.raises(CatalogueMalformed) as malformed:
        read_all(Row, [WHOLE, {**WHOLE, **changes}], "rows")
    assert str(malformed.value) == f"directory {place}; correct the table and sign it again"


@pytest.mark.parametrize("name", WHOLE)
def test_a_missing_field_is_named(name: str) -> None:
    """Each field without a default must be there."""
    row = {key: value for key, value in WHOLE.items() if key != name}
    with pytest.raises(CatalogueMalformed, match=rf"directory row\.{name}: expected a value"):
        read(Row, row, "row")


@pytest.mark.parametrize(
    ("section", "place"),
    [
        ({}, "rows: expected a list"),
        ("x", "rows: expected a list"),
        (None, "rows: expected a list"),
        (["x"], r"rows\[0\]: expected an object"),
        ([WHOLE, []], r"rows\[1\]: expected an object"),
    ],
)
def test_a_section_is_a_list_of_objects(section: Any, place: str) -> None:
    """Anything else is refused."""
    with pytest.raises(CatalogueMalformed, match=place):
        read_all(Row, section, "rows")


@pytest.mark.parametrize("section", [[], ()])
def test_a_section_may_be_empty(section: Any) -> None:
    """No rows are none."""
    assert read_all(Row, section, "rows") == ()


DAY = date(2026, 3, 10)
DATES: list[tuple[int, int | None, bool]] = [
    (0, None, True),
    (-1, None, True),
    (1, None, False),
    (-1, 0, False),
    (-1, 1, True),
    (0, 1, True),
    (0, 0, False),
    (1, 2, False),
]


@pytest.mark.parametrize(("begins", "ends", "holds"), DATES)
def test_a_row_is_in_force_from_its_first_day_until_before_its_end(begins: int, ends: int | None, holds: bool) -> None:  # noqa: FBT001
    """The first day belongs to the row, and the day it ends does not."""
    until = None if ends is None else DAY + timedelta(days=ends)
    assert Dated(valid_from=DAY + timedelta(days=begins), valid_until=until).in_force(DAY) is holds


@given(st.dates(), st.dates(), st.dates())
def test_of_two_rows_in_succession_one_is_in_force(first: date, change: date, on: date) -> None:
    """Where one row ends the next begins: never both, and never neither after the first day."""
    earlier, later = Dated(valid_from=first, valid_until=change), Dated(valid_from=change)
    assert not (earlier.in_force(on) and later.in_force(on))
    assert (earlier.in_force(on) or later.in_force(on)) is (on >= min(first, change) and (on >= first or on >= change))
