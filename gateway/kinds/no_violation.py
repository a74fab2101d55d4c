"""Kind `no_violation`: what each domain has to report, and never that nothing was ever done (duty U5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.amendments import amended, with_amendments
from gateway.clocks import Clock, Saying, clock_on, counted, say_listing, say_penalty
from gateway.kinds.plans import (
    LISTING_COLUMNS,
    PENALTY_COLUMNS,
    adverse_classes,
    covered,
    once,
    planned,
    say,
    state_of,
)
from gateway.kinds.row import Combining, Kind, Said, Scene
from gateway.model.answer import DomainVerdict, Item, NoViolationItem
from gateway.model.codes import CoverageState, Verdict
from gateway.model.combined import DomainConclusion
from gateway.model.question import NoViolationQuestion
from gateway.recognition import home_of

if TYPE_CHECKING:
    from gateway.catalogue import Catalogue
    from gateway.model.combined import SubjectResult
    from gateway.policy import Grant
    from gateway.ports import Columns, Fact

FIELD = "verdict.verdict"
FIELDS: Mapping[str, tuple[str, str]] = {FIELD: ("verdicts", "verdict")}
ADVERSE = frozenset({Verdict.HAS, Verdict.HAS_REPAIRED})
_SILENCE = {
    CoverageState.COMPLETE: Verdict.NONE_TO_REPORT,
    CoverageState.PARTIAL: Verdict.PARTIAL,
    CoverageState.NOT_COVERED: Verdict.NOT_COVERED,
}
_Said = tuple[str, tuple[Verdict | None, ...], bool]
"""A domain, what each member asked says of it, and whether the subject is confirmed."""
_JUDGES: Mapping[str, Callable[[Fact, Clock], Saying]] = {"penalty": say_penalty, "listing": say_listing}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    clock: Clock
    silent: Mapping[str, DomainVerdict]
    domains: frozenset[str]
    line_ref: Callable[[], bytes]
    nothing: Said


def columns(grant: Grant) -> Columns:
    """Name the columns that the clocks need; the verdict needs no other."""
    tables = {"penalty": PENALTY_COLUMNS, "listing": LISTING_COLUMNS}
    return with_amendments(tables) if FIELD in grant.fields else {}


def needs(grant: Grant, catalogue: Catalogue) -> Mapping[str, frozenset[str]]:
    """Name the record classes of each granted domain."""
    return adverse_classes(grant, catalogue) if FIELD in grant.fields else {}


def release(body: NoViolationQuestion, facts: Mapping[str, Sequence[Fact]], grant: Grant, scene: Scene) -> Said:
    """Say one verdict a domain; a domain without coverage says nothing else."""
    plan = planned(_plan, body, grant, scene)
    if "repair" in facts or "objection" in facts:
        facts = amended(facts, plan.clock.today)
    used: list[Fact] = []
    reported: dict[str, bool] = {}
    for table, judge in _JUDGES.items():
        if rows := facts.get(table):
            for fact, saying in _sayable(rows, judge, plan):
                domain = fact["domain"]
                reported[domain] = reported.get(domain, False) or saying is Saying.SAY
                used.append(fact)
    if not used:
        return plan.nothing
    verdicts = tuple(_verdict(domain, plan, reported) for domain in plan.silent)
    return say(NoViolationItem(verdicts=verdicts), used, found=True, covered=plan.nothing.covered)


def combine(_uscc: str, items: Mapping[str, Item], combining: Combining) -> Mapping[str, Any]:
    """Unite the members by domain."""
    said = {
        member: {each.domain: each.verdict for each in item.body.verdicts}
        for member, item in items.items()
        if isinstance(item.body, NoViolationItem)
    }
    confirmed, held = bool(home_of(items)), once(_conclusions, combining)
    domains = sorted(set().union(*said.values()))
    return {"domains": tuple(_concluded(each, said, combining, held, confirmed=confirmed) for each in domains)}


def adverse(body: NoViolationItem) -> bool:
    """Say whether any domain has something to report."""
    return any(each.verdict in ADVERSE for each in body.verdicts)


def against(_subject: SubjectResult, items: Mapping[str, Item], _catalogue: Catalogue) -> Mapping[str, tuple[str, ...]]:
    """Name the domains in which a member has something to report that is not repaired."""
    return {
        member: tuple(each.domain for each in item.body.verdicts if each.verdict is Verdict.HAS)
        for member, item in items.items()
        if isinstance(item.body, NoViolationItem)
    }


def _plan(_body: NoViolationQuestion, grant: Grant, scene: Scene) -> _Plan:
    wanted = needs(grant, scene.catalogue)
    silent = {
        domain: DomainVerdict(domain=domain, verdict=_SILENCE[state_of(domain, scene)]) for domain in sorted(wanted)
    }
    return _Plan(
        clock=clock_on(
            scene.clock,
            scene.today,
            shows_repaired=grant.purpose.shows_repaired,
            since=scene.window_from,
            severities=grant.severities,
        ),
        silent=silent,
        domains=frozenset(name for name, each in silent.items() if each.verdict is not Verdict.NOT_COVERED),
        line_ref=scene.line_ref,
        nothing=say(NoViolationItem(verdicts=tuple(silent.values())), [], found=False, covered=covered(wanted, scene)),
    )


def _sayable(
    rows: Sequence[Fact], judge: Callable[[Fact, Clock], Saying], plan: _Plan
) -> Iterable[tuple[Fact, Saying]]:
    """Give what may be said of a table's facts; an act that was decided again counts once."""
    said: list[tuple[Fact, Saying]] = []
    for fact in rows:
        if fact["domain"] in plan.domains and (saying := judge(fact, plan.clock)) is not Saying.SILENT:
            said.append((fact, saying))  # noqa: PERF401 - as it is, silence costs nothing
    return counted(said) if said else ()


def _verdict(domain: str, plan: _Plan, reported: Mapping[str, bool]) -> DomainVerdict:
    unrepaired = reported.get(domain)
    if unrepaired is None:
        return plan.silent[domain]
    verdict = Verdict.HAS if unrepaired else Verdict.HAS_REPAIRED
    return DomainVerdict(domain=domain, verdict=verdict, line_ref=plan.line_ref())


def _conclusions(_combining: Combining) -> dict[_Said, DomainConclusion]:
    return {}


def _concluded(
    domain: str,
    said: Mapping[str, Mapping[str, Verdict | None]],
    combining: Combining,
    held: dict[_Said, DomainConclusion],
    *,
    confirmed: bool,
) -> DomainConclusion:
    """Give the conclusion on a domain; most subjects share a few."""
    verdicts = tuple(said[member].get(domain) if member in said else None for member in combining.asked)
    key = (domain, verdicts, confirmed)
    if key not in held:
        held[key] = _conclude(domain, verdicts, combining, confirmed=confirmed)
    return held[key]


def _conclude(
    domain: str, said: tuple[Verdict | None, ...], combining: Combining, *, confirmed: bool
) -> DomainConclusion:
    verdicts = dict(zip(combining.asked, said, strict=True))
    incomplete = tuple(
        member
        for member, verdict in verdicts.items()
        if verdict not in {*ADVERSE, Verdict.NONE_TO_REPORT} or domain not in combining.complete.get(member, ())
    )
    return DomainConclusion(
        domain=domain,
        verdict=_union(verdicts.values(), clean=confirmed and not incomplete),
        reporting_members=tuple(member for member, verdict in verdicts.items() if verdict in ADVERSE),
        incomplete_members=incomplete,
    )


def _union(verdicts: Iterable[Verdict | None], *, clean: bool) -> Verdict:
    """Give the union: what anyone reports wins; silence counts only where it is `clean` (threat 25)."""
    found = set(verdicts)
    for verdict in (Verdict.HAS, Verdict.HAS_REPAIRED):
        if verdict in found:
            return verdict
    if found == {Verdict.NOT_COVERED}:
        return Verdict.NOT_COVERED
    return Verdict.NONE_TO_REPORT if clean else Verdict.PARTIAL


KIND = Kind(
    name="no_violation",
    question=NoViolationQuestion,
    item=NoViolationItem,
    fields=FIELDS,
    subjects=lambda body: body.subjects,
    requested=lambda _body: (FIELD,),
    domains=lambda body: body.domains,
    window=lambda body: body.window,
    columns=columns,
    needs=needs,
    release=release,
    combine=combine,
    adverse=adverse,
    against=against,
)
