"""Deciding agencies 机关 by the code that stands in their decisions, dated and with successors (duties U4, U16)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.errors import CatalogueMalformed
from gateway.tables import Dated, check_apart

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidingAgency(Dated):
    """A code 机关代码, the agency's id while the row is in force, and who acts afterwards: an id or a code."""

    code: str
    agency: str
    successor: str | None = None


Deciding = Mapping[str, tuple[DecidingAgency, ...]]
"""The rows of each code and of each agency's id, the last to begin first."""


def deciding_of(rows: Iterable[DecidingAgency]) -> Deciding:
    """Gather rows by code and by agency.

    Raises:
        CatalogueMalformed: for a code in force twice on the same day, a successor of a row without an end, one that
            has no row, or successors in a circle.
    """
    kept = sorted(rows, key=lambda each: each.valid_from, reverse=True)
    check_apart(kept, "agency_codes", "code")
    found: dict[str, tuple[DecidingAgency, ...]] = {}
    for row in kept:
        for text in dict.fromkeys((row.code, row.agency)):
            found[text] = (*found.get(text, ()), row)
    for row in kept:
        _check(found, row)
    return found


def deciding(rows: Deciding, text: str, on: date) -> str | None:
    """Name the agency that a code or id stands for on a day; after its end, its successor's at that day.

    Nobody is named for a text without a row, before its first day, or after an end without a successor.
    """
    own = rows.get(text, ())
    held = next((each for each in own if each.in_force(on)), None)
    if held is not None:
        return held.agency
    ended = next((each for each in own if each.valid_from <= on), None)
    return None if ended is None or ended.successor is None else deciding(rows, ended.successor, on)


def _check(rows: Deciding, row: DecidingAgency) -> None:
    """Follow a row's successors to their ends."""
    if row.successor is not None and row.valid_until is None:
        raise CatalogueMalformed(f"directory agency_codes {row.code}: a successor and no end; add valid_until")
    passed: set[DecidingAgency] = set()
    ahead = [row]
    while ahead:
        each = ahead.pop()
        if each.successor is None:
            continue
        following = rows.get(each.successor, ())
        if not following:
            raise CatalogueMalformed(f"directory agency_codes {each.code}: its successor has no row; add the row")
        if row in following:
            raise CatalogueMalformed(f"directory agency_codes {row.code}: its successors lead back to it; end them")
        ahead += [new for new in following if new not in passed]
        passed.update(following)
