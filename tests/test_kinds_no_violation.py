"""Kind `no_violation`: verdicts by domain, and the union over the members."""

from itertools import product
from typing import Any

import pytest
from worlds import (
    accepted,
    combining,
    covered,
    grant,
    home_item,
    item,
    listing,
    objection,
    penalty,
    question,
    repair,
    scene,
)
from worlds_tables import ANHUI, JIANGSU, REPORT, SHANGHAI, USCC

from gateway.kinds.no_violation import ADVERSE, KIND
from gateway.kinds.row import Said
from gateway.model.answer import DomainVerdict, Item, NoViolationItem
from gateway.model.codes import CoverageState, Severity, Verdict
from gateway.model.combined import DomainConclusion

REF = bytes(16)
COMPLETE, PARTIAL, NOT_COVERED = CoverageState.COMPLETE, CoverageState.PARTIAL, CoverageState.NOT_COVERED
NONE, HAS, REPAIRED = Verdict.NONE_TO_REPORT, Verdict.HAS, Verdict.HAS_REPAIRED


def release(facts: dict[str, Any], state: CoverageState = COMPLETE, **changes: Any) -> Said:
    """What is said of the tax domain."""
    granted = grant("no_violation", **{"domains": frozenset({"TAX"}), **changes})
    here = scene(KIND, line_ref=lambda: REF, coverage=covered(state))
    return KIND.release(question("no_violation"), facts, granted, here)


REPAIRED_FIRST = penalty(decided_on="2026-01-10", rectify_until="2026-03-01", repaired_on="2026-02-20")
VERDICTS: tuple[tuple[dict[str, Any], CoverageState, Verdict], ...] = (
    ({}, COMPLETE, NONE),
    ({}, PARTIAL, Verdict.PARTIAL),
    ({}, NOT_COVERED, Verdict.NOT_COVERED),
    ({"penalty": [penalty()]}, COMPLETE, HAS),
    ({"penalty": [penalty()]}, PARTIAL, HAS),
    ({"penalty": [penalty()]}, NOT_COVERED, Verdict.NOT_COVERED),
    ({"listing": [listing()]}, COMPLETE, HAS),
    ({"penalty": [penalty(repaired_on="2026-03-01")]}, COMPLETE, REPAIRED),
    ({"penalty": [penalty(repaired_on="2026-03-01")]}, PARTIAL, REPAIRED),
    ({"penalty": [penalty(repaired_on="2026-03-01"), penalty()]}, COMPLETE, HAS),
    ({"penalty": [penalty(repaired_on="2026-03-01")], "listing": [listing()]}, COMPLETE, HAS),
    ({"penalty": [penalty(severity="SERIOUS", decided_on="2020-02-29")]}, COMPLETE, NONE),
    ({"penalty": [penalty(reference=REF)], "repair": [repair(REF)]}, COMPLETE, REPAIRED),
    ({"penalty": [penalty(reference=REF)], "objection": [objection(REF, state="DELETED")]}, COMPLETE, NONE),
    ({"listing": [listing(reference=REF)], "repair": [repair(REF)]}, COMPLETE, NONE),
    ({"penalty": [REPAIRED_FIRST, penalty()]}, COMPLETE, HAS),
    ({"penalty": [REPAIRED_FIRST], "listing": [listing()]}, COMPLETE, HAS),
)


@pytest.mark.parametrize(("facts", "state", "verdict"), VERDICTS)
def test_the_verdict_of_a_domain(facts: dict[str, Any], state: CoverageState, verdict: Verdict) -> None:
    """What is found is said; silence counts only when the domain is covered."""
    said = release(facts, state, purpose_code=REPORT)
    adverse = verdict in ADVERSE
    expected = DomainVerdict(domain="TAX", verdict=verdict, line_ref=REF if adverse else None)
    assert said.body == NoViolationItem(verdicts=(expected,))
    assert (said.found, bool(said.used)) == (adverse, adverse)


def test_repaired_items_are_nothing_where_they_are_not_shown() -> None:
    """Under another purpose a repaired penalty leaves no trace."""
    said = release({"penalty": [penalty(repaired_on="2026-03-01")]})
    assert said.body == NoViolationItem(verdicts=(DomainVerdict(domain="TAX", verdict=NONE),))


def test_every_granted_domain_has_a_verdict() -> None:
    """Domains are told apart and stand in order; a severity outside the purpose is silent."""
    facts = {"penalty": [penalty(domain="IP"), penalty(severity="MINOR", domain="TAX")]}
    granted = grant("no_violation", severities=frozenset({Severity.GENERAL}))
    said = KIND.release(question("no_violation"), facts, granted, scene(KIND))
    assert isinstance(said.body, NoViolationItem)
    assert [(each.domain, each.verdict) for each in said.body.verdicts] == [
        ("ENVIRONMENT", NONE),
        ("IP", HAS),
        ("TAX", NONE),
    ]


def says(verdict: Verdict, *, home: bool = False) -> Item:
    """An item with one verdict on taxes."""
    body = NoViolationItem(verdicts=(DomainVerdict(domain="TAX", verdict=verdict),))
    return home_item(body) if home else item(body)


def conclude(
    verdicts: dict[str, Verdict],
    coverage: CoverageState = COMPLETE,
    asked: tuple[str, ...] = (SHANGHAI, JIANGSU),
    *,
    home: str = SHANGHAI,
) -> DomainConclusion:
    """The union over the members that answered."""
    items = {member: says(verdict, home=member == home) for member, verdict in verdicts.items()}
    answers = [accepted(member, [each], coverage) for member, each in items.items()]
    (found,) = KIND.combine(USCC, items, combining(answers, asked=asked))["domains"]
    assert isinstance(found, DomainConclusion)
    return found


@pytest.mark.parametrize(("first", "second"), list(product(Verdict, repeat=2)))
def test_the_union_of_two_members(first: Verdict, second: Verdict) -> None:
    """What anyone reports wins; nothing to report needs both."""
    found = conclude({SHANGHAI: first, JIANGSU: second}).verdict
    if HAS in {first, second}:
        assert found is HAS
    elif REPAIRED in {first, second}:
        assert found is REPAIRED
    elif first is second:
        assert found is first
    else:
        assert found is Verdict.PARTIAL


def test_a_conclusion_names_who_reports_and_who_is_missing() -> None:
    """Reporting and incomplete members are named in the order asked."""
    found = conclude({SHANGHAI: HAS, JIANGSU: Verdict.PARTIAL}, asked=(SHANGHAI, JIANGSU, ANHUI))
    assert found == DomainConclusion(
        domain="TAX", verdict=HAS, reporting_members=(SHANGHAI,), incomplete_members=(JIANGSU, ANHUI)
    )


def test_a_missing_member_never_leaves_a_clean_domain() -> None:
    """A member that did not answer makes the domain partial."""
    assert conclude({SHANGHAI: NONE}).verdict is Verdict.PARTIAL


@pytest.mark.parametrize("state", [PARTIAL, NOT_COVERED])
def test_a_head_that_is_not_complete_overrules_a_clean_verdict(state: CoverageState) -> None:
    """A member that says nothing to report over partial data has proved nothing."""
    assert conclude({SHANGHAI: NONE, JIANGSU: NONE}, state).verdict is Verdict.PARTIAL


def test_an_unconfirmed_subject_never_leaves_a_clean_domain() -> None:
    """Where no member registers the subject, silence about it proves nothing (threat 25)."""
    assert conclude({SHANGHAI: NONE, JIANGSU: NONE}, home="").verdict is Verdict.PARTIAL


def test_nobody_answering_concludes_on_no_domain() -> None:
    """Without an answer there is no domain to speak of."""
    assert KIND.combine(USCC, {}, combining(())) == {"domains": ()}
