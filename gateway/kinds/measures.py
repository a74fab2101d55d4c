"""Kind `measures`: rewards and restrictions in force, and which of them may be applied by the asker (U19)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from gateway.clocks import Clock, Saying, clock_on, say_measure
from gateway.kinds.plans import covered, granted, once, planned, say
from gateway.kinds.row import Combining, Kind, Said, Scene
from gateway.model.answer import Item, MeasureLine, MeasuresItem
from gateway.model.combined import MeasureConclusion
from gateway.model.question import MeasuresQuestion
from gateway.tables import ALL

if TYPE_CHECKING:
    from gateway.catalogue import Catalogue
    from gateway.model.combined import SubjectResult
    from gateway.policy import Grant
    from gateway.ports import Columns, Fact

NATIONAL = "NATIONAL"
NOT_IN_LIST, OTHER_TERRITORY, NO_TERRITORY = "NOT_IN_LIST", "OTHER_TERRITORY", "NO_TERRITORY"
_ATTRIBUTES = (
    ("territory", "territory"),
    ("list_edition", "list_edition"),
    ("legal_basis", "legal_basis"),
    ("agency", "agency"),
    ("term_from_date", "term_from"),
    ("term_until_date", "term_until"),
)
"""Attributes of a line and the columns behind them."""
FIELDS: Mapping[str, tuple[str, str]] = {f"measure.{name}": ("measures", name) for name, _ in _ATTRIBUTES}
CLOCK_COLUMNS = ("measure_code", "domain", "term_from", "term_until", "lifted_on", "disputed")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    clock: Clock
    domains: frozenset[str]
    attributes: tuple[tuple[str, str], ...]
    line_ref: Callable[[], bytes]
    nothing: Said


def columns(grant: Grant) -> Columns:
    """Name the columns behind the granted fields and their clock."""
    wanted = tuple(column for _, column in _granted(grant) if column not in CLOCK_COLUMNS)
    return {"measure": (*CLOCK_COLUMNS, *wanted)} if granted(grant, "measure") else {}


def needs(grant: Grant, _catalogue: Catalogue) -> Mapping[str, frozenset[str]]:
    """Name the record class of each granted domain."""
    wanted = grant.domains if granted(grant, "measure") else frozenset()
    return {domain: frozenset({"measure"}) for domain in wanted}


def release(body: MeasuresQuestion, facts: Mapping[str, Sequence[Fact]], grant: Grant, scene: Scene) -> Said:
    """Say the measures whose term runs today, one line each."""
    plan = planned(_plan, body, grant, scene)
    if not plan.attributes:
        return plan.nothing
    used = [
        fact
        for fact in facts.get("measure", ())
        if fact["domain"] in plan.domains and say_measure(fact, plan.clock) is Saying.SAY
    ]
    if not used:
        return plan.nothing
    used.sort(key=lambda fact: (fact["domain"], fact["measure_code"], fact["term_from"], fact["digest"]))
    lines = tuple(_line(fact, plan) for fact in used)
    return say(MeasuresItem(measures=lines), used, found=True, covered=plan.nothing.covered)


def combine(_uscc: str, items: Mapping[str, Item], combining: Combining) -> Mapping[str, Any]:
    """Separate what may be applied here today, strictest first, from what is information only."""
    lines = [
        (member, line)
        for member, item in items.items()
        if isinstance(item.body, MeasuresItem)
        for line in item.body.measures
    ]
    if not lines:
        return {}
    ranks = once(_ranks, combining)
    concluded = [
        MeasureConclusion(member=member, measure=line, reason=_reason(line, ranks, combining)) for member, line in lines
    ]
    concluded.sort(key=lambda each: (ranks.get(each.measure.measure_code, 0), each.measure.measure_code, each.member))
    return {
        "applicable_measures": tuple(each for each in concluded if not each.reason),
        "information_measures": tuple(each for each in concluded if each.reason),
    }


def adverse(body: MeasuresItem) -> bool:
    """Say whether there is any line."""
    return bool(body.measures)


def against(subject: SubjectResult, _items: Mapping[str, Item], catalogue: Catalogue) -> Mapping[str, tuple[str, ...]]:
    """Name the restrictions that may be applied; neither a reward nor what is for information only."""
    found: dict[str, tuple[str, ...]] = {}
    for each in subject.applicable_measures:
        row = catalogue.measures.get(each.measure.measure_code)
        if row is None or not row.reward:
            found[each.member] = (*found.get(each.member, ()), each.measure.measure_code)
    return found


def _granted(grant: Grant) -> tuple[tuple[str, str], ...]:
    return tuple(each for each in _ATTRIBUTES if f"measure.{each[0]}" in grant.fields)


def _plan(_body: MeasuresQuestion, grant: Grant, scene: Scene) -> _Plan:
    return _Plan(
        clock=clock_on(scene.clock, scene.today),
        domains=grant.domains,
        attributes=_granted(grant),
        line_ref=scene.line_ref,
        nothing=say(MeasuresItem(), [], found=False, covered=covered(needs(grant, scene.catalogue), scene)),
    )


def _line(fact: Fact, plan: _Plan) -> MeasureLine:
    said = {attribute: fact[column] for attribute, column in plan.attributes}
    return MeasureLine(line_ref=plan.line_ref(), measure_code=fact["measure_code"], domain=fact["domain"], **said)


def _ranks(combining: Combining) -> Mapping[str, int]:
    """Give how strict each measure is that the asker's list in force today holds for this matter."""
    listed = combining.catalogue.published(combining.asker, combining.today)
    rows = sorted(listed.measures if listed else (), key=attrgetter("rank"), reverse=True)
    matter = {combining.application_item, ALL}
    return {each.code: each.rank for each in rows if matter & set(each.applications)}


def _reason(line: MeasureLine, ranks: Mapping[str, int], combining: Combining) -> str:
    if line.measure_code not in ranks:
        return NOT_IN_LIST
    if not line.territory:
        return NO_TERRITORY
    return "" if _applies(line.territory, combining) else OTHER_TERRITORY


def _applies(territory: str, combining: Combining) -> bool:
    """Say whether all of the asker's area lies in the territory (codes of GB/T 2260, empty levels as 00)."""
    if territory in {NATIONAL, combining.asker}:
        return True
    prefix = _prefix(territory)
    area = combining.divisions.get(combining.asker) or (combining.asker,)
    return bool(prefix) and all(division.startswith(prefix) for division in area)


def _prefix(division: str) -> str:
    return re.sub(r"(?:00)+$", "", division)


KIND = Kind(
    name="measures",
    question=MeasuresQuestion,
    item=MeasuresItem,
    fields=FIELDS,
    subjects=lambda body: body.subjects,
    requested=lambda _body: tuple(FIELDS),
    domains=lambda body: body.domains,
    window=lambda _body: None,
    columns=columns,
    needs=needs,
    release=release,
    combine=combine,
    adverse=adverse,
    against=against,
)
