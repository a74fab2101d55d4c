"""Division codes by day: ended ones are told, unknown ones are not judged."""

from __future__ import annotations

from datetime import date

import pytest

from gateway.divisions import Division, divisions_of, is_defunct
from gateway.errors import CatalogueMalformed

ROWS = (
    Division(code="310106", name="静安区", valid_from=date(1984, 1, 1)),
    Division(
        code="310108", name="闸北区", valid_from=date(1984, 1, 1), valid_until=date(2015, 11, 4), successor="310106"
    ),
    # A code that was given again, and one of next year.
    Division(code="330105", name="乙区", valid_from=date(2021, 3, 11)),
    Division(code="330105", name="甲区", valid_from=date(1990, 1, 1), valid_until=date(2020, 1, 1)),
    Division(code="310199", name="丙区", valid_from=date(2027, 1, 1)),
)
DIVISIONS = divisions_of(ROWS)


@pytest.mark.parametrize(
    ("code", "on", "defunct"),
    [
        ("310106", "2026-03-10", False),
        ("310108", "2015-11-03", False),
        ("310108", "2015-11-04", True),
        ("310108", "2026-03-10", True),
        ("310108", "1980-01-01", False),
        ("330105", "2019-12-31", False),
        ("330105", "2020-06-01", True),
        ("330105", "2021-03-11", False),
        ("310199", "2026-03-10", False),
        ("320576", "2026-03-10", False),
        ("", "2026-03-10", False),
    ],
)
def test_a_code_is_defunct_from_its_end(code: str, on: str, defunct: bool) -> None:  # noqa: FBT001
    """Before its beginning, until its end and when given again it is not; nor is an unknown or statistical one."""
    assert is_defunct(DIVISIONS, code, date.fromisoformat(on)) is defunct


def test_rows_of_a_code_stand_by_their_days() -> None:
    """Each code leads to its rows, the first to begin first, wherever they stood."""
    assert [each.name for each in DIVISIONS["330105"]] == ["甲区", "乙区"]
    assert DIVISIONS["310108"][0].successor == "310106"


def test_a_code_is_one_division_at_a_time() -> None:
    """A second row on the same day is refused."""
    with pytest.raises(CatalogueMalformed, match="division_codes 310106: two rows are in force on 2020-01-01"):
        divisions_of([*ROWS, Division(code="310106", name="丁区", valid_from=date(2020, 1, 1))])
