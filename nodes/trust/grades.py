"""Rules for mapping tables before they are signed (duty U20): none changes in place, none upgrades, none jumps.

A table's form (total and monotone) is the catalogue's business; here it is compared with what is in force.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from gateway.catalogue import Catalogue
from gateway.model.codes import Grade
from gateway.recognition import RANKS, MappingTable, Scheme
from nodes.trust.errors import Ground, TrustRefused

JUMP = 3
"""Grades that no level may move at once, and no two neighbouring levels may lie apart (threat 15)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeChange:
    """A level whose canonical grade would differ; `before` is empty for a level that no table mapped."""

    table: str
    scheme: str
    level: str
    before: str
    after: str

    @property
    def better(self) -> bool:
        """Say whether the level would be worth more."""
        return bool(self.before and self.after) and RANKS[Grade(self.after)] < RANKS[Grade(self.before)]


def grade_changes(before: Iterable[MappingTable], after: Iterable[MappingTable]) -> tuple[GradeChange, ...]:
    """Tell grade by grade what new tables map otherwise than the published ones of their schemes."""
    return tuple(_changes(before, after))


def check_mappings(before: Iterable[MappingTable], after: Catalogue, on: date) -> None:
    """Check the draft's mapping tables against those that are published.

    Raises:
        TrustRefused: MAPPING_CHANGED when a table that was published and has begun is changed or taken out;
            MAPPING_UPGRADES when a level is worth more than its own letter, or than the same scheme's table before
            it says; MAPPING_JUMPS when a level moves by three grades, or lies three below its neighbour.
    """
    kept = {(each.id, each.version): each for each in after.mappings}
    published = tuple(before)
    for old in published:
        new = kept.get((old.id, old.version))
        if old.valid_from <= on and (new is None or _closed(new) != _closed(old)):
            raise TrustRefused(Ground.MAPPING_CHANGED, table=f"{old.id} {old.version}")
    schemes = {(each.id, each.version): each for each in after.schemes}
    for new in after.mappings:
        _check_levels(new, schemes[new.scheme_id, new.scheme_version])
    for change in _changes(published, after.mappings):
        if change.before and change.after and _apart(change.before, change.after) >= JUMP:
            raise TrustRefused(Ground.MAPPING_JUMPS, table=change.table, level=change.level)
        if change.better:
            raise TrustRefused(Ground.MAPPING_UPGRADES, table=change.table, level=change.level)


def _check_levels(table: MappingTable, scheme: Scheme) -> None:
    named = f"{table.id} {table.version}"
    for level in scheme.levels:
        letter = level[:1]
        if letter in Grade.__members__ and RANKS[table.levels[level]] < RANKS[Grade(letter)]:
            raise TrustRefused(Ground.MAPPING_UPGRADES, table=named, level=level)
    for better, worse in pairwise(scheme.levels):
        if RANKS[table.levels[worse]] - RANKS[table.levels[better]] >= JUMP:
            raise TrustRefused(Ground.MAPPING_JUMPS, table=named, level=worse)


def _changes(before: Iterable[MappingTable], after: Iterable[MappingTable]) -> Iterator[GradeChange]:
    """Compare each table with the latest of its scheme that was published before it begins."""
    published = tuple(before)
    for new in after:
        if any(each == new for each in published):
            continue
        older = [each for each in published if each.scheme_id == new.scheme_id and each.valid_from <= new.valid_from]
        held = max(older, key=lambda each: (each.valid_from, each.version), default=None)
        for level, grade in new.levels.items():
            was = held.levels.get(level) if held else None
            if was is not grade:
                yield GradeChange(
                    table=f"{new.id} {new.version}",
                    scheme=f"{new.scheme_id} {new.scheme_version}",
                    level=level,
                    before=was.value if was else "",
                    after=grade.value,
                )


def _closed(table: MappingTable) -> tuple[object, ...]:
    """Give what never changes: an active table may be given its last day, nothing else."""
    return (table.scheme_id, table.scheme_version, table.valid_from, table.sample, dict(table.levels))


def _apart(before: str, after: str) -> int:
    return abs(RANKS[Grade(before)] - RANKS[Grade(after)])
