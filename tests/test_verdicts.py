"""One verdict a row (duty U21) and its light (requirement A10): what is clean must be earned by every member."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import CATALOGUE, accepted, combining, home_item, item, question
from worlds_tables import ANHUI, FOREIGN_USCC, JIANGSU, SCHEME, SHANGHAI, USCC

from gateway.catalogue import read_catalogue
from gateway.charter import Charter
from gateway.combination import combine
from gateway.inspection import tier
from gateway.kinds import KINDS
from gateway.lights import DARK, Colour, Light, light
from gateway.model.answer import (
    DomainVerdict,
    GradeCeiling,
    Item,
    ItemBody,
    ListingLine,
    MeasureLine,
    MeasuresItem,
    NoViolationItem,
    PenaltyLine,
    PermitLine,
    RatingItem,
    RatingLine,
    SummaryItem,
)
from gateway.model.codes import CoverageState, Grade, ItemState, Lifecycle, OutcomeState, ResultState, Verdict
from gateway.model.combined import MemberState, SubjectResult
from gateway.recognition import MappingTable, Scales, scales_on
from gateway.uscc import sample_code
from gateway.verdicts import RowFinding, RowVerdict, finding, unaskable
from nodes.federation import REFERENCE
from nodes.federation import sections as reference

V, R = RowVerdict, ResultState
COMPLETE, PARTIAL, NOT_COVERED = CoverageState.COMPLETE, CoverageState.PARTIAL, CoverageState.NOT_COVERED
FOUND, EMPTY = ItemState.FOUND, ItemState.NOT_FOUND
PAIR = (SHANGHAI, JIANGSU)
CHARTER = Charter(me=SHANGHAI, directory=None, catalogue=CATALOGUE, kinds=KINDS)  # type: ignore[arg-type]  # not read
REF = bytes(16)

PENALTY = SummaryItem(penalties=(PenaltyLine(line_ref=REF, domain="TAX"),))
REPAIRED = SummaryItem(penalties=(PenaltyLine(line_ref=REF, domain="TAX", unrepaired=False),))
PERMIT = SummaryItem(permits=(PermitLine(permit_type="TP01", domain="TAX", valid=True),))
LISTED = SummaryItem(listings=(ListingLine(line_ref=REF, list_type="TAX_SEVERE", domain="TAX", listed=True),))
CAP = GradeCeiling(rule_version="caps-1")
CLEAN: dict[str, ItemBody] = {
    "summary": SummaryItem(),
    "measures": MeasuresItem(),
    "no_violation": NoViolationItem(verdicts=(DomainVerdict(domain="TAX", verdict=Verdict.NONE_TO_REPORT),)),
    "rating": RatingItem(ceiling=CAP),
}


def measured(code: str, territory: str = "NATIONAL") -> MeasuresItem:
    """An item with one measure."""
    return MeasuresItem(measures=(MeasureLine(line_ref=REF, measure_code=code, domain="TAX", territory=territory),))


def rated(grade: str, cap: Grade | None = None, *more: str) -> RatingItem:
    """An item with current ratings, the first of the scheme that is mapped."""
    lines = tuple(
        RatingLine(
            rating_id=REF, scheme_id=SCHEME if n == 0 else f"OTHER-{n}", scheme_version="2025", grade=each,
            rated_date="2025-12-01",
        )
        for n, each in enumerate((grade, *more))
    )  # fmt: skip
    return RatingItem(ratings=lines, ceiling=GradeCeiling(grade=cap, rule_version="caps-1"))


def reported(verdict: Verdict) -> NoViolationItem:
    """An item with one domain's verdict."""
    return NoViolationItem(verdicts=(DomainVerdict(domain="TAX", verdict=verdict),))


@dataclass(frozen=True, kw_only=True)
class Case:
    """What two members say of a kind, and the verdict that must follow."""

    verdict: RowVerdict
    kind: str = "summary"
    home: ItemBody | None = None
    away: ItemBody | None = None
    said: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    silent: bool = False
    states: Any = COMPLETE
    missing: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    grade: str = ""
    granted: bool = True


HERE, THERE = {"state": FOUND}, {"state": FOUND}
DISPUTE = {"state": FOUND, "disputed": True}
UNKNOWN = {"registered_here": False, "lifecycle": None, "in_scope": None}
CASES = {
    "nothing anywhere": Case(verdict=V.NOTHING_FOUND),
    "a penalty": Case(verdict=V.RESTRICTED, home=PENALTY, said=(HERE, {}), reasons=("TAX",)),
    "a listing elsewhere": Case(verdict=V.RESTRICTED, away=LISTED, said=({}, THERE), reasons=("TAX_SEVERE",)),
    "a penalty, and another is silent": Case(
        verdict=V.RESTRICTED, home=PENALTY, said=(HERE, {}), silent=True, missing=(JIANGSU,), reasons=("TAX",)
    ),
    "a penalty of an unconfirmed subject": Case(
        verdict=V.RESTRICTED, home=PENALTY, said=(HERE | UNKNOWN, {}), reasons=("TAX",)
    ),
    "a permit alone": Case(verdict=V.NOTHING_FOUND, home=PERMIT, said=(HERE, {})),
    "a permit, and another is silent": Case(
        verdict=V.INCOMPLETE, home=PERMIT, said=(HERE, {}), silent=True, missing=(JIANGSU,)
    ),
    "a permit of an unconfirmed subject": Case(verdict=V.SUBJECT_UNCONFIRMED, away=PERMIT, said=(UNKNOWN, THERE)),
    "a permit outside the area": Case(
        verdict=V.NOT_IN_SCOPE, away=PERMIT, said=({"in_scope": False, "state": ItemState.NOT_COVERED}, THERE)
    ),
    "a permit beside a member without data": Case(
        verdict=V.INCOMPLETE, home=PERMIT, said=(HERE, {"state": ItemState.NOT_COVERED})
    ),
    "all repaired": Case(verdict=V.NOTHING_FOUND, home=REPAIRED, said=(HERE, {})),
    "disputed": Case(verdict=V.DISPUTED, home=PENALTY, said=(DISPUTE, {}), reasons=("TAX",)),
    "disputed here and not there": Case(
        verdict=V.RESTRICTED, home=PENALTY, away=LISTED, said=(DISPUTE, THERE), reasons=("TAX", "TAX_SEVERE")
    ),
    "disputed beside a clean member": Case(
        verdict=V.DISPUTED, home=PENALTY, away=PERMIT, said=(DISPUTE, THERE), reasons=("TAX",)
    ),
    "another name": Case(verdict=V.NAME_MISMATCH, said=({"name_match": False}, {})),
    "another name, and a penalty": Case(
        verdict=V.NAME_MISMATCH, home=PENALTY, said=(HERE | {"name_match": False}, {}), reasons=("TAX",)
    ),
    "another name, and another is silent": Case(
        verdict=V.NAME_MISMATCH, said=({"name_match": False}, {}), silent=True, missing=(JIANGSU,)
    ),
    "partial data": Case(verdict=V.INCOMPLETE, states=PARTIAL, missing=PAIR),
    "no data": Case(
        verdict=V.NOT_COVERED, said=({"state": ItemState.NOT_COVERED},) * 2,
        states={"TAX": NOT_COVERED, "REGISTER": COMPLETE}, missing=PAIR,
    ),
    "nobody knows it": Case(verdict=V.SUBJECT_UNCONFIRMED, said=(UNKNOWN, {})),
    "outside the area": Case(verdict=V.NOT_IN_SCOPE, said=({"in_scope": False}, {})),
    "a restriction": Case(
        verdict=V.RESTRICTED, kind="measures", home=measured("MP01"), said=(HERE, {}), reasons=("MP01",)
    ),
    "a reward": Case(verdict=V.NOTHING_FOUND, kind="measures", home=measured("MR01"), said=(HERE, {})),
    "for information only": Case(
        verdict=V.NOTHING_FOUND, kind="measures", away=measured("MP01", "320000"), said=({}, THERE)
    ),
    "a violation": Case(
        verdict=V.RESTRICTED, kind="no_violation", away=reported(Verdict.HAS), said=({}, THERE), reasons=("TAX",)
    ),
    "a violation repaired": Case(
        verdict=V.NOTHING_FOUND, kind="no_violation", away=reported(Verdict.HAS_REPAIRED), said=({}, THERE)
    ),
    "a domain that contradicts its coverage": Case(
        verdict=V.INCOMPLETE, kind="no_violation", away=reported(Verdict.PARTIAL), missing=(JIANGSU,)
    ),
    "a recognised grade": Case(verdict=V.GRADED, kind="rating", home=rated("优"), said=(HERE, {}), grade="A"),
    "a grade under a ceiling": Case(
        verdict=V.GRADED, kind="rating", home=rated("优"), away=RatingItem(ceiling=replace(CAP, grade=Grade.C)),
        said=(HERE, THERE), grade="C",
    ),
    "a disputed grade": Case(verdict=V.DISPUTED, kind="rating", home=rated("优"), said=(DISPUTE, {}), grade="A"),
    "a grade, and another is silent": Case(
        verdict=V.INCOMPLETE, kind="rating", home=rated("优"), said=(HERE, {}), silent=True, missing=(JIANGSU,)
    ),
    "a grade, and another sets no ceiling": Case(
        verdict=V.INCOMPLETE, kind="rating", home=rated("优"), away=RatingItem(), said=(HERE, {}), missing=(JIANGSU,)
    ),
    "grades far apart": Case(
        verdict=V.INCOMPLETE, kind="rating", home=rated("优"), away=rated("差"), said=(HERE, THERE),
        reasons=("REVIEW",),
    ),
    "no rating at all": Case(verdict=V.NOTHING_FOUND, kind="rating"),
    "a look at ratings": Case(
        verdict=V.GRADED, kind="rating", home=rated("优"), said=(HERE, {}), grade="优", granted=False
    ),
    "a look at two schemes": Case(
        verdict=V.INCOMPLETE, kind="rating", home=rated("优", None, "AA"), said=(HERE, {}), granted=False
    ),
    "a look at another member's rating": Case(
        verdict=V.INCOMPLETE, kind="rating", away=rated("优"), said=({}, THERE), granted=False
    ),
}  # fmt: skip


def decide(case: Case) -> RowFinding:
    """Combine what the members say, and find the row's verdict."""
    clean = CLEAN[case.kind]
    items = {SHANGHAI: home_item(case.home or clean, **case.said[0])}
    if not case.silent:
        items[JIANGSU] = item(case.away or clean, **case.said[1])
    held = [accepted(member, [one], case.states) for member, one in items.items()]
    if not case.granted:
        held = [replace(each, answer=replace(each.answer, fields_granted=("rating.grade",))) for each in held]
    (subject,) = combine(KINDS[case.kind], question(case.kind), combining(held, asked=PAIR), {})
    return finding(case.kind, subject, items, charter=CHARTER)


@pytest.mark.parametrize("name", CASES)
def test_the_verdict_of_a_row(name: str) -> None:
    """Name, then what is adverse, then what is missing, then who it is; and the light that follows."""
    case = CASES[name]
    found = decide(case)
    assert found == RowFinding(
        verdict=case.verdict, missing=case.missing, reasons=case.reasons, grade=case.grade,
        canonical=case.grade if case.granted else "",
    )  # fmt: skip
    assert found.awaits == (bool(case.missing) or case.verdict is V.INCOMPLETE)
    colour = {V.RESTRICTED: Colour.RED, V.NOTHING_FOUND: Colour.GREEN}.get(case.verdict)
    dark = colour is None or bool(case.missing)
    assert light(found) == (DARK if dark else Light(colour=colour, reasons=case.reasons))


TABLES = read_catalogue(reference(REFERENCE))
SCALES = scales_on(TABLES.schemes, TABLES.mappings, date(2026, 3, 10))
LEVELS = [(each, level) for each in TABLES.mappings for level in each.levels]


def looked_at(*lines: tuple[str, str, str], scales: Scales = SCALES) -> RowFinding:
    """Look at ratings (scheme, version, level) without a recognition."""
    ratings = tuple(
        RatingLine(rating_id=REF, scheme_id=scheme, scheme_version=version, grade=level, rated_date="2025-12-01")
        for scheme, version, level in lines
    )
    subject = SubjectResult(
        uscc=USCC, state=R.FOUND, home_member=SHANGHAI, members=(MemberState(member=SHANGHAI, state=R.FOUND),)
    )
    items = {SHANGHAI: home_item(RatingItem(ratings=ratings))}
    return finding("rating", subject, items, charter=CHARTER, scales=scales)


@pytest.mark.parametrize(("table", "level"), LEVELS, ids=lambda each: str(getattr(each, "id", each)))
def test_every_members_levels_find_their_tier(table: MappingTable, level: str) -> None:
    """The row shows the local word, the signed mapping finds the tier, and the worst of every scale is inspected."""
    found = looked_at((table.scheme_id, table.scheme_version, level))
    grade = table.levels[level]
    assert (found.verdict, found.grade, found.canonical) == (V.GRADED, level, grade.value)
    for rule in TABLES.inspection_rules:
        drawn = tier(rule, found.canonical, triggered=False, uscc=USCC, seed=bytes(rule.seed_bytes))
        row = next(each for each in rule.tiers if each.grade == grade.value)
        assert (drawn.share, drawn.inspect is not None) == (row.share, True)
        assert drawn.inspect is True or grade is not Grade.D


def test_the_four_members_scales_are_tabled() -> None:
    """No member's worst level is left out of the table above."""
    worst = {(each.scheme_id, level) for each, level in LEVELS if each.levels[level] is Grade.D}
    assert {scheme[:6] for scheme, _ in worst} == {"310000", "320000", "330000", "340000"}
    assert {level for _, level in worst} == {"D", "较差", "差", "E", "D-"}


@pytest.mark.parametrize(
    "lines",
    [
        [("OTHER", "2025", "AA")],
        [("320000-COMPREHENSIVE", "2024", "差")],
        [("320000-COMPREHENSIVE", "2025", "AAAA")],
        [("310000-COMPREHENSIVE", "2025", "D"), ("OTHER", "2025", "D")],
    ],
)
def test_a_grade_that_no_table_maps_has_no_canonical_one(lines: list[tuple[str, str, str]]) -> None:
    """Another scheme, another version, another word, or a second rating outside the tables: an officer decides."""
    found = looked_at(*lines)
    assert (found.grade, found.canonical) == (lines[0][2], "")
    assert looked_at(("320000-COMPREHENSIVE", "2025", "差"), scales={}).canonical == ""


def test_every_verdict_of_an_asked_row_is_tabled() -> None:
    """The table holds each verdict but those of rows that nobody is asked about, and a foreign one."""
    tabled = {case.verdict for case in CASES.values()}
    assert set(V) - tabled == {V.INVALID_CODE, V.KIND_CLOSED, V.HOME_OUTSIDE_FEDERATION}


def test_a_foreign_enterprise_is_named_as_such() -> None:
    """A code of another region that nobody registers is no clean row."""
    held = [accepted(member, [item(SummaryItem(), uscc=FOREIGN_USCC)]) for member in PAIR]
    asked = question("summary", subjects=(FOREIGN_USCC,))
    (subject,) = combine(KINDS["summary"], asked, combining(held, asked=PAIR), {})
    items = {each.member: each.items[0] for each in held}
    found = finding("summary", subject, items, charter=CHARTER)
    assert found == RowFinding(verdict=V.HOME_OUTSIDE_FEDERATION)


def test_a_measure_that_no_table_holds_is_no_reward() -> None:
    """What cannot be looked up counts as a restriction; a mark that was not handed in counts as none."""
    case = CASES["a restriction"]
    items = {SHANGHAI: home_item(case.home, **DISPUTE), JIANGSU: item(MeasuresItem())}
    held = [accepted(member, [one]) for member, one in items.items()]
    (subject,) = combine(KINDS["measures"], question("measures"), combining(held, asked=PAIR), {})
    bare = replace(CHARTER, catalogue=replace(CATALOGUE, measures={}))
    assert finding("measures", subject, items, charter=bare).verdict is V.DISPUTED
    assert finding("measures", subject, {}, charter=bare).verdict is V.RESTRICTED


@pytest.mark.parametrize(
    ("code", "opens", "found"),
    [
        (USCC, False, None),
        (USCC[:-1] + "0", False, RowFinding(verdict=V.INVALID_CODE, reasons=("CHECK",))),
        ("", True, RowFinding(verdict=V.INVALID_CODE, reasons=("EMPTY",))),
        (sample_code("92", "310101", 1), False, RowFinding(verdict=V.KIND_CLOSED)),
        (sample_code("92", "310101", 1), True, None),
    ],
)
def test_what_is_not_asked(code: str, opens: bool, found: RowFinding | None) -> None:  # noqa: FBT001
    """A faulty code and a sole trader that the purpose does not open have their verdict before anyone is asked."""
    assert unaskable(code, opens_sole_traders=opens) == found


SAYING = st.none() | st.sampled_from(ItemState)
COVERING = st.sampled_from(CoverageState)
BODIES: dict[str, list[ItemBody]] = {
    "summary": [SummaryItem(), PERMIT, PENALTY, REPAIRED],
    "measures": [MeasuresItem(), measured("MR01"), measured("MP01")],
    "no_violation": [reported(each) for each in Verdict],
    "rating": [RatingItem(), RatingItem(ceiling=CAP), rated("优")],
}


@given(data=st.data(), kind=st.sampled_from(sorted(BODIES)))
def test_silence_never_looks_clean(data: st.DataObject, kind: str) -> None:
    """No combination with a silent, refused, partial or blind member gives NOTHING_FOUND, a grade or a green light."""
    members = (SHANGHAI, JIANGSU, ANHUI)
    items: dict[str, Item] = {}
    held, whole = [], True
    for member in members:
        state, coverage = data.draw(SAYING), data.draw(COVERING)
        whole &= state in {FOUND, EMPTY} and coverage is COMPLETE
        if state is not None:
            body = data.draw(st.sampled_from(BODIES[kind]))
            made = home_item if member == data.draw(st.sampled_from(members)) else item
            items[member] = made(body, state=state, disputed=data.draw(st.booleans()))
            held.append(accepted(member, [items[member]], coverage))
    outcomes = {member: OutcomeState.REFUSED for member in members if member not in items}
    (subject,) = combine(KINDS[kind], question(kind), combining(held, asked=members), outcomes)
    found = finding(kind, subject, items, charter=CHARTER)
    if not whole:
        assert found.verdict not in {V.NOTHING_FOUND, V.GRADED}
        assert light(found).colour is not Colour.GREEN
    if found.verdict in {V.NOTHING_FOUND, V.GRADED}:
        assert subject.home_member
        assert not found.missing


@given(
    state=st.sampled_from(ResultState),
    marks=st.sets(st.sampled_from(ResultState)),
    home=st.sampled_from(["", SHANGHAI]),
    short=st.sets(st.sampled_from(PAIR)),
    each=st.sampled_from(ResultState),
)
def test_no_result_reads_clean_against_its_own_marks(
    state: ResultState, marks: set[ResultState], home: str, short: set[str], each: ResultState
) -> None:
    """Whatever a combined result may hold: clean wants nothing found or harmless, confirmed, whole and unmarked."""
    subject = SubjectResult(
        uscc=USCC, state=state, marks=tuple(sorted(marks, key=str)), home_member=home,
        incomplete_members=tuple(short), members=(MemberState(member=SHANGHAI, state=each),),
    )  # fmt: skip
    clean = finding("summary", subject, {}, charter=CHARTER).verdict is V.NOTHING_FOUND
    doubts = {R.NAME_MISMATCH, R.INCOMPLETE, R.SUBJECT_UNCONFIRMED, R.HOME_OUTSIDE_FEDERATION, R.NOT_IN_SCOPE}
    assert clean == (
        state in {R.NOT_FOUND, R.FOUND}
        and not (doubts | {R.NOT_COVERED}) & marks
        and bool(home)
        and SHANGHAI not in short
        and each in {R.FOUND, R.NOT_FOUND}
    )


def test_a_subject_that_moved_away_is_unconfirmed() -> None:
    """An old register entry is no home: a row about it is not clean."""
    gone = {"lifecycle": Lifecycle.DEREGISTERED}
    assert decide(Case(verdict=V.SUBJECT_UNCONFIRMED, said=(gone, {}))).verdict is V.SUBJECT_UNCONFIRMED
