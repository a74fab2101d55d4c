"""County divisions 行政区划代码 (GB/T 2260) by day: a code says where a subject was registered, and stays for ever.

The table is a hint for reports: a code that it does not hold is unknown and not invalid, and statistical codes of
zones are not in the standard at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.tables import Dated, check_apart

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class Division(Dated):
    """A division while its code was in use, and the code of what took its place."""

    code: str
    name: str
    successor: str | None = None


Divisions = Mapping[str, tuple[Division, ...]]
"""The rows of each code, by first day."""


def divisions_of(rows: Iterable[Division]) -> Divisions:
    """Gather rows by code.

    Raises:
        CatalogueMalformed: when a code is in force twice on the same day.
    """
    kept = sorted(rows, key=lambda each: each.valid_from)
    check_apart(kept, "division_codes", "code")
    found: dict[str, tuple[Division, ...]] = {}
    for row in kept:
        found[row.code] = (*found.get(row.code, ()), row)
    return found


def is_defunct(divisions: Divisions, code: str, on: date) -> bool:
    """Say whether a code had ended by a day; one that is unknown, or begins later, had not."""
    rows = divisions.get(code, ())
    ended = any(each.valid_until is not None and each.valid_until <= on for each in rows)
    return ended and not any(each.in_force(on) for each in rows)
