"""Mutual recognition 互认 (duty U20): mapping tables and ceilings as dated data, one grade or none.

A mapping is total over its scheme's levels and monotone; recognition never upgrades; what is missing gives
PROVISIONAL and no grade.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from gateway.clocks import still_running
from gateway.errors import CatalogueMalformed
from gateway.model.answer import RatingItem, RatingLine
from gateway.model.codes import Grade, Lifecycle, RecognitionState, SchemeKind, Severity, Window
from gateway.model.combined import AdvisoryRating, MemberCeiling, RecognitionResult
from gateway.tables import Dated

if TYPE_CHECKING:
    from gateway.model.answer import Item

RANKS: Mapping[Grade, int] = {grade: rank for rank, grade in enumerate(Grade)}
"""0 for the best grade."""
REVIEW_GAP = 2
LATE_DAYS = 30
CEILING_TABLES = frozenset({"penalty", "listing"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme(Dated):
    """A grade scheme 评价方案: its levels from best to worst, and how often it is renewed."""

    id: str
    version: str
    kind: SchemeKind
    member: str
    name: Mapping[str, str]
    levels: tuple[str, ...]
    cycle_months: int
    sample: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingTable(Dated):
    """(scheme, version, level) -> canonical grade; immutable once in force."""

    id: str
    version: str
    scheme_id: str
    scheme_version: str
    levels: Mapping[str, Grade]
    sample: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CeilingCase:
    """One line of a ceiling rule: facts of this sort allow at most this grade."""

    reason_class: str
    table: str
    grade: Grade
    list_types: tuple[str, ...] = ()
    severity: Severity | None = None
    window: Window | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CeilingRule(Dated):
    """The ceiling rule of the federation, by version; the lowest grade of the cases that hold applies."""

    version: str
    cases: tuple[CeilingCase, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A comprehensive scheme's table as it stands on one day, in texts yyyy-mm-dd.

    A rating given before `oldest` was not renewed within the scheme's cycle and 30 days.
    """

    table: MappingTable
    oldest: str
    today: str


Scales = Mapping[tuple[str, str], Scale]
"""By scheme and version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """A rating in time, the table that maps it, and the canonical grade."""

    line: RatingLine
    table: MappingTable
    grade: Grade


def check_table(table: MappingTable, scheme: Scheme) -> None:
    """Check that a table maps every level of its scheme, and no better level to a worse grade.

    Raises:
        CatalogueMalformed: otherwise; the text names the table and the level.
    """
    if (table.scheme_id, table.scheme_version) != (scheme.id, scheme.version):
        raise _fault(table, f"is not for scheme {scheme.id} {scheme.version}")
    odd = set(table.levels) ^ set(scheme.levels)
    if odd:
        raise _fault(table, f"and its scheme differ in level {min(odd)}")
    worst = 0
    for level in scheme.levels:
        if RANKS[table.levels[level]] < worst:
            raise _fault(table, f"maps level {level} to a better grade than a level above it")
        worst = RANKS[table.levels[level]]


def check_ceilings(rule: CeilingRule) -> None:
    """Check that every case names a table that ceilings are computed from.

    Raises:
        CatalogueMalformed: otherwise; a case that can never hold would raise grades.
    """
    for case in rule.cases:
        if case.table not in CEILING_TABLES:
            msg = f"directory ceilings {rule.version}: no ceiling rests on table {case.table}; name another"
            raise CatalogueMalformed(msg)


def table_for(mappings: Iterable[MappingTable], scheme_id: str, scheme_version: str, on: date) -> MappingTable | None:
    """Give the table in force on a day for a version of a scheme; the latest where several are."""
    fitting = (
        each
        for each in mappings
        if each.scheme_id == scheme_id and each.scheme_version == scheme_version and each.in_force(on)
    )
    return max(fitting, key=lambda each: (each.valid_from, each.version), default=None)


def scales_on(schemes: Iterable[Scheme], mappings: Sequence[MappingTable], today: date) -> Scales:
    """Read the comprehensive schemes that a table maps on a day; work for once a combination."""
    found: dict[tuple[str, str], Scale] = {}
    for scheme in schemes:
        table = table_for(mappings, scheme.id, scheme.version, today)
        if table is not None and scheme.kind is SchemeKind.COMPREHENSIVE:
            oldest = still_running(today - timedelta(days=LATE_DAYS), scheme.cycle_months)
            scale = Scale(table=table, oldest=oldest.isoformat(), today=today.isoformat())
            found[scheme.id, scheme.version] = scale
    return found


def lowest(grades: Iterable[Grade]) -> Grade:
    """Give the worst of at least one grade."""
    return max(grades, key=RANKS.__getitem__)


def home_of(items: Mapping[str, Item]) -> str:
    """Name the first member that confirms an active registration (U1), or "" when none does."""
    return next(
        (member for member, item in items.items() if item.registered_here and item.lifecycle is Lifecycle.ACTIVE),
        "",
    )


def recognise(
    items: Mapping[str, Item], *, asked: Sequence[str], incomplete: Sequence[str], scales: Scales
) -> RecognitionResult:
    """Recognise the home member's rating under the lowest of all members' ceilings, or say why not.

    `items` are the subject's by member, in the order asked; `incomplete` names members that were missing or
    partial. A member that sets no ceiling at all counts as incomplete: an outage or an omission never gives a
    grade, neither a better one nor a worse.
    """
    home = home_of(items)
    bodies = {member: item.body for member, item in items.items() if isinstance(item.body, RatingItem)}
    ceilings = tuple(
        MemberCeiling(member=member, ceiling=body.ceiling)
        for member, body in bodies.items()
        if body.ceiling is not None
    )
    capped = {each.member for each in ceilings}
    short = tuple(member for member in asked if member in incomplete or member not in capped)
    primary = _primary(bodies[home].ratings, scales) if home in bodies else None
    others = _advisory(bodies, home, scales)
    unscoped = bool(home) and items[home].in_scope is not True
    state = _state(home, primary, others, unscoped=unscoped, short=short)
    return RecognitionResult(
        state=state,
        home_member=home,
        ceilings=ceilings,
        incomplete_members=short,
        advisory_ratings=others,
        **({} if primary is None else _traced(primary, ceilings, state)),
    )


def map_line(line: RatingLine, scales: Scales) -> Mapped | None:
    """Map a comprehensive rating that is in time; None for any other, or without a scheme, table or level."""
    scale = scales.get((line.scheme_id, line.scheme_version))
    if (
        scale is None
        or line.scheme_kind not in {None, SchemeKind.COMPREHENSIVE}
        or line.rated_date is None
        or not scale.oldest <= line.rated_date <= scale.today
        or (line.valid_until_date is not None and line.valid_until_date <= scale.today)
    ):
        return None
    grade = scale.table.levels.get(line.grade or "")
    return None if grade is None else Mapped(line=line, table=scale.table, grade=grade)


def _primary(lines: Iterable[RatingLine], scales: Scales) -> Mapped | None:
    """Give the latest; of two of one day the worse."""
    fitting = (each for each in (map_line(line, scales) for line in lines) if each is not None)
    return max(fitting, key=lambda each: (each.line.rated_date or "", RANKS[each.grade]), default=None)


def _advisory(bodies: Mapping[str, RatingItem], home: str, scales: Scales) -> tuple[AdvisoryRating, ...]:
    found = []
    for member, body in bodies.items():
        for line in body.ratings if member != home else ():
            if line.grade is not None:
                mapped = map_line(line, scales)
                grade = None if mapped is None else mapped.grade
                found.append(AdvisoryRating(member=member, grade=line.grade, mapped_grade=grade))
    return tuple(found)


def _state(
    home: str,
    primary: Mapped | None,
    others: tuple[AdvisoryRating, ...],
    *,
    unscoped: bool,
    short: tuple[str, ...],
) -> RecognitionState:
    if not home and not short:
        return RecognitionState.SUBJECT_UNCONFIRMED
    if unscoped:
        return RecognitionState.NOT_IN_SCOPE
    if short:
        return RecognitionState.PROVISIONAL
    if primary is None:
        return RecognitionState.NOT_RATED
    ranks = [RANKS[each.mapped_grade] for each in others if each.mapped_grade is not None]
    if any(abs(rank - RANKS[primary.grade]) >= REVIEW_GAP for rank in ranks):
        return RecognitionState.REVIEW
    return RecognitionState.RECOGNISED


def _traced(primary: Mapped, ceilings: tuple[MemberCeiling, ...], state: RecognitionState) -> dict[str, Any]:
    """Give the rating and table, and the grades that the state allows to show."""
    caps = (each.ceiling.grade for each in ceilings if each.ceiling.grade is not None)
    recognised = state is RecognitionState.RECOGNISED
    return {
        "rating_id": primary.line.rating_id,
        "scheme_id": primary.line.scheme_id,
        "scheme_version": primary.line.scheme_version,
        "origin_grade": primary.line.grade or "",
        "mapping_id": primary.table.id,
        "mapping_version": primary.table.version,
        "mapped_grade": primary.grade if recognised or state is RecognitionState.REVIEW else None,
        "recognised_grade": lowest((primary.grade, *caps)) if recognised else None,
    }


def _fault(table: MappingTable, what: str) -> CatalogueMalformed:
    return CatalogueMalformed(
        f"directory mappings {table.id} {table.version} {what}; correct the table and sign it again"
    )
