"""Kind `rating`: the current grade in its own words and the member's ceiling; no score and no penalty."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.amendments import amended, with_amendments
from gateway.clocks import Clock, Saying, clock_on, counted, say_listing, say_penalty, say_rating, window_from
from gateway.coverage import RATING
from gateway.kinds.plans import (
    LISTING_COLUMNS,
    PENALTY_COLUMNS,
    adverse_classes,
    covered,
    granted,
    once,
    planned,
    say,
)
from gateway.kinds.row import Combining, Kind, Said, Scene
from gateway.model.answer import GradeCeiling, Item, RatingItem, RatingLine
from gateway.model.codes import RatingStatus, SchemeKind
from gateway.model.question import RatingQuestion
from gateway.recognition import RANKS, CeilingCase, Scales, map_line, recognise, scales_on

if TYPE_CHECKING:
    from gateway.catalogue import Catalogue
    from gateway.model.combined import SubjectResult
    from gateway.policy import Grant
    from gateway.ports import Columns, Fact

CEILING = "ceiling.grade"
FIELDS: Mapping[str, tuple[str, str]] = {
    "rating.scheme_kind": ("ratings", "scheme_kind"),
    "rating.grade": ("ratings", "grade"),
    "rating.rated_date": ("ratings", "rated_date"),
    "rating.valid_until_date": ("ratings", "valid_until_date"),
    "rating.status": ("ratings", "status"),
    CEILING: ("ceiling", ""),
}
RATING_COLUMNS = (
    "record_id",
    "scheme_id",
    "scheme_version",
    "scheme_kind",
    "rated_on",
    "valid_until",
    "disputed",
)
SCHEME_KINDS = {each.value: each for each in SchemeKind}
_JUDGES: Mapping[str, Callable[[Fact, Clock], Saying]] = {"penalty": say_penalty, "listing": say_listing}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A case of the ceiling rule, ready to be compared; None for no condition."""

    ceiling: GradeCeiling
    table: str
    list_types: frozenset[str] | None
    severity: str | None
    since: str

    def holds(self, fact: Fact) -> bool:
        """Say whether a fact of the case's table is of its sort."""
        if self.list_types is not None:
            return fact["list_type"] in self.list_types
        return self.severity in {None, fact["severity"]} and fact["decided_on"] >= self.since


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    clock: Clock
    fields: frozenset[str]
    domains: frozenset[str]
    rates: bool
    scheme_id: str
    cases: tuple[_Case, ...]
    nothing: Said


def columns(grant: Grant) -> Columns:
    """Name the columns behind the granted fields; the ceiling reads penalties and listings, and says none."""
    grade = ("grade",) if "rating.grade" in grant.fields else ()
    tables = {"rating": (*RATING_COLUMNS, *grade)} if granted(grant, "rating") else {}
    if CEILING in grant.fields:
        tables |= {"penalty": PENALTY_COLUMNS, "listing": ("list_type", *LISTING_COLUMNS)}
    return with_amendments(tables)


def needs(grant: Grant, catalogue: Catalogue) -> Mapping[str, frozenset[str]]:
    """Name the record class of ratings, and those of each granted domain that a ceiling rests on."""
    ratings = {RATING: frozenset({"rating"})} if granted(grant, "rating") else {}
    return {**ratings, **adverse_classes(grant, catalogue)} if CEILING in grant.fields else ratings


def release(body: RatingQuestion, facts: Mapping[str, Sequence[Fact]], grant: Grant, scene: Scene) -> Said:
    """Say the current rating of each scheme, and the lowest ceiling that the member's own facts set."""
    plan = planned(_plan, body, grant, scene)
    current = _current(facts.get("rating", ()), plan) if plan.rates else []
    ceiling, grounds = _ceiling(facts, plan)
    if not current and not grounds:
        return plan.nothing
    lines = tuple(_line(fact, plan.fields) for fact in current)
    body_said = RatingItem(ratings=lines, ceiling=ceiling)
    return say(body_said, [*current, *grounds], found=True, covered=plan.nothing.covered)


def combine(_uscc: str, items: Mapping[str, Item], combining: Combining) -> Mapping[str, Any]:
    """Attempt a recognition, where ceilings were granted at all; a mere look at ratings is none."""
    heads = [each.answer for each in combining.accepted.values()]
    if heads and not any(CEILING in each.fields_granted for each in heads):
        return {}
    result = recognise(
        items,
        asked=combining.asked,
        incomplete=combining.incomplete,
        scales=once(_scales, combining),
    )
    return {"recognition": result}


def adverse(body: RatingItem) -> bool:
    """Say whether there is a rating, or a ceiling that is one."""
    return bool(body.ratings) or (body.ceiling is not None and body.ceiling.grade is not None)


def grade(subject: SubjectResult, items: Mapping[str, Item], scales: Scales) -> tuple[str, str]:
    """Give the recognised grade; where none was attempted, the home member's own, if it says one only.

    The second is the canonical grade by the signed mapping of scheme, version and level; empty where no table maps it.
    """
    if subject.recognition is not None:
        recognised = subject.recognition.recognised_grade
        return (recognised.value, recognised.value) if recognised else ("", "")
    body = items[subject.home_member].body if subject.home_member in items else None
    lines = [each for each in body.ratings if each.grade] if isinstance(body, RatingItem) else []
    said = {each.grade or "" for each in lines}
    if len(said) != 1:
        return "", ""
    mapped = {found.grade.value if (found := map_line(each, scales)) else "" for each in lines}
    return said.pop(), mapped.pop() if len(mapped) == 1 else ""


def _scales(combining: Combining) -> Scales:
    return scales_on(combining.catalogue.schemes, combining.catalogue.mappings, combining.today)


def _plan(body: RatingQuestion, grant: Grant, scene: Scene) -> _Plan:
    rule = scene.catalogue.ceiling(scene.today) if CEILING in grant.fields else None
    free = None if rule is None else GradeCeiling(rule_version=rule.version)
    cases = () if rule is None else tuple(_case(each, rule.version, scene) for each in rule.cases)
    return _Plan(
        clock=clock_on(scene.clock, scene.today),
        fields=grant.fields,
        domains=grant.domains,
        rates=granted(grant, "rating"),
        scheme_id=body.scheme_id,
        cases=tuple(sorted(cases, key=_strictness, reverse=True)),
        nothing=say(RatingItem(ceiling=free), [], found=False, covered=covered(needs(grant, scene.catalogue), scene)),
    )


def _case(case: CeilingCase, version: str, scene: Scene) -> _Case:
    types = scene.catalogue.list_types.values()
    severe = frozenset(case.list_types) or frozenset(each.code for each in types if each.severe)
    return _Case(
        ceiling=GradeCeiling(grade=case.grade, reason_class=case.reason_class, rule_version=version),
        table=case.table,
        list_types=severe if case.table == "listing" else None,
        severity=case.severity.value if case.severity else None,
        since=window_from(scene.today, case.window).isoformat() if case.window else "",
    )


def _strictness(case: _Case) -> int:
    return RANKS[case.ceiling.grade] if case.ceiling.grade else -1


def _current(rows: Sequence[Fact], plan: _Plan) -> list[Fact]:
    latest: dict[str, Fact] = {}
    for fact in rows:
        asked = fact["scheme_id"] == plan.scheme_id if plan.scheme_id else fact["scheme_kind"] == "COMPREHENSIVE"
        if asked and say_rating(fact, plan.clock) is Saying.SAY:
            held = latest.get(fact["scheme_id"])
            if held is None or _age(held) < _age(fact):
                latest[fact["scheme_id"]] = fact
    return [latest[scheme_id] for scheme_id in sorted(latest)]


def _age(fact: Fact) -> tuple[str, bytes]:
    return (fact["rated_on"], fact["record_id"])


def _ceiling(facts: Mapping[str, Sequence[Fact]], plan: _Plan) -> tuple[GradeCeiling | None, list[Fact]]:
    """Give the ceiling of the strictest case that holds, and the facts it holds for."""
    said: dict[str, list[tuple[Fact, Saying]]] = {}
    if "repair" in facts or "objection" in facts:
        facts = amended(facts, plan.clock.today)
    for case in plan.cases:
        rows = facts.get(case.table)
        if not rows:
            continue
        if case.table not in said:
            said[case.table] = _sayable(case.table, rows, plan)
        grounds = [each for each in said[case.table] if case.holds(each[0])]
        if grounds:
            # Among these only: an earlier decision outside the case's months takes no later one out of it.
            return case.ceiling, [fact for fact, _ in counted(grounds)]
    nothing = plan.nothing.body
    return (nothing.ceiling if isinstance(nothing, RatingItem) else None), []


def _sayable(table: str, rows: Sequence[Fact], plan: _Plan) -> list[tuple[Fact, Saying]]:
    judge, said = _JUDGES[table], Saying.SAY
    return [(fact, said) for fact in rows if fact["domain"] in plan.domains and judge(fact, plan.clock) is said]


def _line(fact: Fact, fields: frozenset[str]) -> RatingLine:
    status = RatingStatus.DISPUTED if fact["disputed"] else RatingStatus.CURRENT
    return RatingLine(
        rating_id=fact["record_id"],
        scheme_id=fact["scheme_id"],
        scheme_version=fact["scheme_version"],
        scheme_kind=SCHEME_KINDS.get(fact["scheme_kind"]) if "rating.scheme_kind" in fields else None,
        grade=fact["grade"] if "rating.grade" in fields else None,
        rated_date=fact["rated_on"] if "rating.rated_date" in fields else None,
        valid_until_date=fact["valid_until"] if "rating.valid_until_date" in fields else None,
        status=status if "rating.status" in fields else None,
    )


KIND = Kind(
    name="rating",
    question=RatingQuestion,
    item=RatingItem,
    fields=FIELDS,
    subjects=lambda body: body.subjects,
    requested=lambda _body: tuple(FIELDS),
    domains=lambda _body: (),
    window=lambda _body: None,
    columns=columns,
    needs=needs,
    release=release,
    combine=combine,
    adverse=adverse,
    grade=grade,
    known=lambda body, catalogue: not body.scheme_id or any(each.id == body.scheme_id for each in catalogue.schemes),
)
