"""Repairs 信用修复 and objections 异议: records of one feed that point at a penalty or list entry of another.

They are laid over at each reading and never written into what they point at: either may arrive first, and a
later delivery of the penalty's own feed must not undo a repair.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.ports import Columns, Fact

COLUMNS: Columns = MappingProxyType(
    {
        "repair": ("reference", "outcome", "effective_on", "decided_on"),
        "objection": ("reference", "state", "decided_on"),
    }
)
"""What is read beside the tables that may be amended."""
_ENDS: Mapping[str, tuple[str, str]] = {"penalty": ("repaired_on", "annulled_on"), "listing": ("exit_on", "exit_on")}
"""The tables that may be amended, and the days that an approved repair and a deletion set there."""
_Days = Mapping[bytes | None, str]


def with_amendments(tables: Columns) -> Columns:
    """Add what is read beside the tables, where any of them may be amended."""
    return {**tables, **COLUMNS} if tables.keys() & _ENDS.keys() else tables


def amended(facts: Mapping[str, Sequence[Fact]], today: str) -> Mapping[str, Sequence[Fact]]:
    """Give one subject's facts as repairs and objections leave them on a day; the same facts where none does.

    An approved repair ends its target on its effective day, or on that of the decision; a deletion on the day of
    its decision; the earliest end counts. Where none of these days is known the target ends at once, for what a
    clock cannot place is not said (duty U18). A marked objection disputes its target until it is decided.
    A refused repair, and an objection that was turned down or led to a correction, change nothing.
    """
    repairs, objections = facts.get("repair"), facts.get("objection")
    if not repairs and not objections:
        return facts
    repaired = _earliest(
        (each["reference"], each["effective_on"] or each["decided_on"] or today)
        for each in repairs or ()
        if each["outcome"] == "APPROVED"
    )
    deleted = _earliest(
        (each["reference"], each["decided_on"] or today) for each in objections or () if each["state"] == "DELETED"
    )
    marked = {each["reference"] for each in objections or () if _open(each, today)}
    # A record without a reference points at nothing, least of all at others without one.
    touched = (repaired.keys() | deleted.keys() | marked) - {None}
    if not touched:
        return facts
    return {
        table: [
            _amend(each, _ENDS[table], (repaired, deleted), marked) if each["reference"] in touched else each
            for each in rows
        ]
        if table in _ENDS
        else rows
        for table, rows in facts.items()
    }


def _earliest(days: Iterable[tuple[bytes | None, str]]) -> _Days:
    found: dict[bytes | None, str] = {}
    for reference, day in days:
        found[reference] = min(day, found.get(reference, day))
    return found


def _open(objection: Fact, today: str) -> bool:
    decided = objection["decided_on"]
    return objection["state"] == "MARKED" and (decided is None or decided > today)


def _amend(fact: Fact, ends: tuple[str, str], days: tuple[_Days, _Days], marked: Collection[bytes | None]) -> Fact:
    reference, changed = fact["reference"], dict(fact)
    for column, known in zip(ends, days, strict=True):
        changed[column] = min((day for day in (changed[column], known.get(reference)) if day), default=None)
    if reference in marked:
        changed["disputed"] = 1
    return changed
