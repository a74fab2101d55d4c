"""Recognition: mapping tables, states in their order, and one grade or none (duty U20)."""

from dataclasses import replace
from datetime import date
from itertools import product
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from worlds import CATALOGUE, accepted, combining, home_item, item
from worlds_tables import ANHUI, JIANGSU, LEVELS, SCHEME, SHANGHAI, TODAY, USCC, ZHEJIANG

from gateway.errors import CatalogueMalformed
from gateway.kinds.rating import KIND
from gateway.model.answer import GradeCeiling, Item, RatingItem, RatingLine
from gateway.model.codes import CoverageState, Grade, Lifecycle, RecognitionState, SchemeKind
from gateway.model.combined import AdvisoryRating, MemberCeiling, RecognitionResult
from gateway.recognition import (
    RANKS,
    CeilingCase,
    CeilingRule,
    MappingTable,
    Scheme,
    check_ceilings,
    check_table,
    home_of,
    lowest,
    recognise,
    scales_on,
    table_for,
)

STATE = RecognitionState
(TABLE,), (CN,) = CATALOGUE.mappings, CATALOGUE.schemes
GRADES = dict(zip(LEVELS, Grade, strict=True))
FREE = GradeCeiling(rule_version="caps-1")


def line(grade: str | None = "优", **changes: Any) -> RatingLine:
    """A current comprehensive rating as a member says it."""
    wanted: dict[str, Any] = {
        "rating_id": bytes(16),
        "scheme_id": SCHEME,
        "scheme_version": "2025",
        "scheme_kind": SchemeKind.COMPREHENSIVE,
        "grade": grade,
        "rated_date": "2025-12-01",
        "valid_until_date": "2026-12-01",
    }
    return RatingLine(**{**wanted, **changes})


def body(*lines: RatingLine, cap: Grade | None = None) -> RatingItem:
    """A member's ratings and ceiling."""
    ceiling = GradeCeiling(grade=cap, reason_class="R" if cap else "", rule_version="caps-1")
    return RatingItem(ratings=lines, ceiling=ceiling)


def attempt(
    items: dict[str, Item],
    *,
    asked: tuple[str, ...] | None = None,
    incomplete: tuple[str, ...] = (),
    **changes: Any,
) -> RecognitionResult:
    """Recognise over the members of the items unless others were asked."""
    wanted = {"schemes": CATALOGUE.schemes, "mappings": CATALOGUE.mappings, "today": TODAY, **changes}
    return recognise(items, asked=asked or tuple(items), incomplete=incomplete, scales=scales_on(**wanted))


def test_the_home_rating_is_mapped_and_capped() -> None:
    """The result names rating, table and ceilings, so that the grade can be traced."""
    found = attempt(
        {JIANGSU: item(body(line("良"), cap=Grade.C)), SHANGHAI: home_item(body(line("良")))},
    )
    assert found == RecognitionResult(
        state=STATE.RECOGNISED,
        home_member=SHANGHAI,
        rating_id=bytes(16),
        scheme_id=SCHEME,
        scheme_version="2025",
        origin_grade="良",
        mapping_id="M-CN",
        mapping_version="1",
        mapped_grade=Grade.B,
        ceilings=(
            MemberCeiling(
                member=JIANGSU,
                ceiling=GradeCeiling(grade=Grade.C, reason_class="R", rule_version="caps-1"),
            ),
            MemberCeiling(member=SHANGHAI, ceiling=FREE),
        ),
        recognised_grade=Grade.C,
        advisory_ratings=(AdvisoryRating(member=JIANGSU, grade="良", mapped_grade=Grade.B),),
    )


HOME = home_item(body(line()))
ELSEWHERE = item(body())
OUTSIDE = home_item(None, in_scope=False)
STATES: tuple[tuple[dict[str, Item], dict[str, Any], RecognitionState], ...] = (
    ({SHANGHAI: HOME, JIANGSU: ELSEWHERE}, {}, STATE.RECOGNISED),
    ({SHANGHAI: HOME, JIANGSU: item(body(line("良")))}, {}, STATE.RECOGNISED),
    ({SHANGHAI: HOME, JIANGSU: item(body(line("中")))}, {}, STATE.REVIEW),
    ({SHANGHAI: home_item(body(line("差"))), JIANGSU: item(body(line("优")))}, {}, STATE.REVIEW),
    ({SHANGHAI: HOME, JIANGSU: item(body(line("中", rated_date="2020-01-01")))}, {}, STATE.RECOGNISED),
    ({SHANGHAI: home_item(body()), JIANGSU: item(body(line()))}, {}, STATE.NOT_RATED),
    ({SHANGHAI: HOME, JIANGSU: item(body(line(None)))}, {}, STATE.RECOGNISED),
    ({SHANGHAI: HOME}, {"asked": (SHANGHAI, JIANGSU)}, STATE.PROVISIONAL),
    ({SHANGHAI: HOME, JIANGSU: ELSEWHERE}, {"incomplete": (JIANGSU,)}, STATE.PROVISIONAL),
    ({SHANGHAI: HOME, JIANGSU: ELSEWHERE}, {"incomplete": (SHANGHAI,)}, STATE.PROVISIONAL),
    ({SHANGHAI: HOME, JIANGSU: item(RatingItem())}, {}, STATE.PROVISIONAL),
    ({SHANGHAI: HOME, JIANGSU: item(None)}, {}, STATE.PROVISIONAL),
    ({SHANGHAI: home_item(body())}, {"asked": (SHANGHAI, JIANGSU)}, STATE.PROVISIONAL),
    ({SHANGHAI: ELSEWHERE, JIANGSU: ELSEWHERE}, {}, STATE.SUBJECT_UNCONFIRMED),
    ({SHANGHAI: ELSEWHERE}, {"asked": (SHANGHAI, JIANGSU)}, STATE.PROVISIONAL),
    ({}, {"asked": (SHANGHAI, JIANGSU)}, STATE.PROVISIONAL),
    ({SHANGHAI: OUTSIDE, JIANGSU: ELSEWHERE}, {}, STATE.NOT_IN_SCOPE),
    ({SHANGHAI: OUTSIDE}, {"asked": (SHANGHAI, JIANGSU)}, STATE.NOT_IN_SCOPE),
    ({SHANGHAI: home_item(body(line()), in_scope=None)}, {}, STATE.NOT_IN_SCOPE),
    (
        {SHANGHAI: home_item(body(line()), lifecycle=Lifecycle.REVOKED), JIANGSU: ELSEWHERE},
        {},
        STATE.SUBJECT_UNCONFIRMED,
    ),
)


@pytest.mark.parametrize(("items", "changes", "state"), STATES)
def test_the_states_in_their_order(items: dict[str, Item], changes: dict[str, Any], state: RecognitionState) -> None:
    """Each reason for no grade has its state; only RECOGNISED carries one."""
    found = attempt(items, **changes)
    assert found.state is state
    assert (found.recognised_grade is not None) == (state is STATE.RECOGNISED)
    assert (found.mapped_grade is not None) == (state in {STATE.RECOGNISED, STATE.REVIEW})


@pytest.mark.parametrize(
    ("changes", "rated"),
    [
        ({}, True),
        ({"grade": None}, False),
        ({"grade": "优秀"}, False),
        ({"scheme_id": "XX"}, False),
        ({"scheme_version": "2019"}, False),
        ({"scheme_kind": None}, True),
        ({"scheme_kind": SchemeKind.INDUSTRY}, False),
        ({"rated_date": None}, False),
        ({"rated_date": "2026-03-10"}, True),
        ({"rated_date": "2026-03-11"}, False),
        ({"rated_date": "2025-02-08"}, True),
        ({"rated_date": "2025-02-07"}, False),
        ({"valid_until_date": None}, True),
        ({"valid_until_date": "2026-03-11"}, True),
        ({"valid_until_date": "2026-03-10"}, False),
    ],
)
def test_only_a_comprehensive_rating_in_time_is_mapped(changes: dict[str, Any], rated: bool) -> None:  # noqa: FBT001
    """A rating is recognised until its cycle and 30 days have passed, and while it is valid."""
    found = attempt({SHANGHAI: home_item(body(line(**changes)))})
    assert found.state is (STATE.RECOGNISED if rated else STATE.NOT_RATED)


def test_an_industry_scheme_is_not_recognised() -> None:
    """What a line calls comprehensive is checked against the signed scheme."""
    schemes = (replace(CN, kind=SchemeKind.INDUSTRY),)
    assert attempt({SHANGHAI: HOME}, schemes=schemes).state is STATE.NOT_RATED


def test_the_latest_rating_of_the_home_member_is_primary() -> None:
    """Of two comprehensive ratings the later counts; of one day the worse."""
    older, newer = line("优", rated_date="2025-11-01"), line("良", rated_date="2025-12-01")
    for lines in ((older, newer), (newer, older)):
        assert attempt({SHANGHAI: home_item(body(*lines))}).recognised_grade is Grade.B
    same = (line("中"), line("优"))
    assert attempt({SHANGHAI: home_item(body(*same))}).recognised_grade is Grade.C


def test_table_for_gives_the_table_in_force() -> None:
    """A table is found by scheme, version and day; the latest where two are in force."""
    old = replace(TABLE, valid_until=date(2026, 1, 1))
    new = replace(TABLE, id="M-CN-2", valid_from=date(2026, 1, 1))
    late = replace(TABLE, id="M-CN-3", valid_from=date(2026, 2, 1))
    assert table_for((old, new), SCHEME, "2025", date(2025, 12, 31)) is old
    assert table_for((old, new), SCHEME, "2025", date(2026, 1, 1)) is new
    assert table_for((late, new), SCHEME, "2025", TODAY) is late
    assert table_for((old, new), SCHEME, "2024", TODAY) is None
    assert table_for((old,), SCHEME, "2025", TODAY) is None


def seven(levels: dict[str, str], **changes: str) -> tuple[MappingTable, Scheme]:
    """A table and a scheme of seven levels."""
    names = ("A+", "A", "B", "C", "C-", "D", "D-")
    scheme = replace(CN, id="S7", levels=names)
    grades = dict(zip(names, "AABCCDD", strict=True)) | levels
    table = {"id": "M7", "scheme_id": "S7", **changes}
    return replace(TABLE, **table, levels={name: Grade(grade) for name, grade in grades.items() if grade}), scheme  # type: ignore[arg-type]  # texts only


@pytest.mark.parametrize(
    ("levels", "changes"),
    [
        ({"A": "C"}, {}),
        ({"D": "C", "C-": "D"}, {}),
        ({"A+": "B"}, {}),
        ({"C": ""}, {}),
        ({"E": "D"}, {}),
        ({}, {"scheme_id": "S8"}),
        ({}, {"scheme_version": "2024"}),
    ],
)
def test_a_table_that_is_not_total_and_monotone_is_malformed(levels: dict[str, str], changes: dict[str, str]) -> None:
    """No level is missing or strange, and no better level gets a worse grade."""
    with pytest.raises(CatalogueMalformed, match="M7"):
        check_table(*seven(levels, **changes))


def test_a_sound_table_passes() -> None:
    """Several levels may share a grade."""
    check_table(*seven({}))
    check_table(TABLE, CN)


def test_a_ceiling_over_another_table_is_malformed() -> None:
    """A case that no fact can ever meet is a fault, not leave."""
    case = CeilingCase(reason_class="R", table="permits", grade=Grade.D)
    with pytest.raises(CatalogueMalformed, match="permits"):
        check_ceilings(CeilingRule(version="1", cases=(case,), valid_from=TODAY))
    check_ceilings(CATALOGUE.ceilings[0])


def test_the_first_active_registration_is_home() -> None:
    """A member that registers the subject as moved away is not its home."""
    moved = home_item(lifecycle=Lifecycle.MIGRATED)
    assert home_of({SHANGHAI: moved, JIANGSU: home_item(), ANHUI: home_item()}) == JIANGSU
    assert home_of({SHANGHAI: moved, JIANGSU: item()}) == ""


@given(grades=st.lists(st.sampled_from(Grade), min_size=1))
def test_lowest_is_the_worst(grades: list[Grade]) -> None:
    """No grade of the list is worse than its lowest."""
    assert all(RANKS[each] <= RANKS[lowest(grades)] for each in grades)


@given(names=st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=8, unique=True), data=st.data())
def test_a_table_passes_exactly_when_it_is_monotone(names: list[str], data: st.DataObject) -> None:
    """Over every total table: passing and never mapping a better level to a worse grade are the same."""
    grades = data.draw(st.lists(st.sampled_from(Grade), min_size=len(names), max_size=len(names)))
    levels = dict(zip(names, grades, strict=True))
    monotone = [RANKS[each] for each in grades] == sorted(RANKS[each] for each in grades)
    table, scheme = replace(TABLE, levels=levels), replace(CN, levels=tuple(names))
    if monotone:
        check_table(table, scheme)
    else:
        with pytest.raises(CatalogueMalformed):
            check_table(table, scheme)


@pytest.mark.parametrize(("level", "cap", "other"), list(product(LEVELS, (*Grade, None), (*Grade, None))))
def test_recognition_never_upgrades(level: str, cap: Grade | None, other: Grade | None) -> None:
    """Over every level and pair of ceilings the grade is the lowest of them, never better than any."""
    found = attempt({SHANGHAI: home_item(body(line(level), cap=cap)), JIANGSU: item(body(cap=other))})
    wanted = [GRADES[level], *(each for each in (cap, other) if each)]
    assert found.recognised_grade is lowest(wanted)


MEMBER_ITEM = st.builds(
    lambda lines, cap, registered, lifecycle, in_scope, ceiling: item(
        RatingItem(ratings=tuple(lines), ceiling=GradeCeiling(grade=cap, rule_version="1") if ceiling else None),
        registered_here=registered,
        lifecycle=lifecycle,
        in_scope=in_scope,
    ),
    lines=st.lists(
        st.builds(
            line,
            st.sampled_from((*LEVELS, "?")),
            rated_date=st.sampled_from(("2025-12-01", "2025-06-01", "2020-01-01", None)),
        ),
        max_size=2,
    ),
    cap=st.sampled_from((*Grade, None)),
    registered=st.booleans(),
    lifecycle=st.sampled_from((Lifecycle.ACTIVE, Lifecycle.ACTIVE, Lifecycle.DEREGISTERED)),
    in_scope=st.sampled_from((True, True, True, False, None)),
    ceiling=st.sampled_from((True, True, True, False)),
)
ITEMS = st.dictionaries(st.sampled_from((SHANGHAI, JIANGSU, ZHEJIANG, ANHUI)), MEMBER_ITEM, min_size=1)


@given(items=ITEMS)
def test_a_recognised_grade_is_bounded_by_all(items: dict[str, Item]) -> None:
    """Whatever members say: no grade but RECOGNISED, none better than the mapped grade or any ceiling."""
    found = attempt(items)
    assert (found.recognised_grade is not None) == (found.state is STATE.RECOGNISED)
    if found.recognised_grade and found.mapped_grade:
        bounds = [found.mapped_grade, *(each.ceiling.grade for each in found.ceilings if each.ceiling.grade)]
        assert found.recognised_grade is lowest(bounds)


@given(items=ITEMS, silent=st.sampled_from((SHANGHAI, JIANGSU, ZHEJIANG, ANHUI)))
def test_an_outage_gives_no_grade(items: dict[str, Item], silent: str) -> None:
    """With a member missing there is no grade at all, neither the same nor a lower one."""
    heard = {member: held for member, held in items.items() if member != silent}
    found = attempt(heard, asked=(*items, silent) if silent not in items else tuple(items))
    assert found.state in {STATE.PROVISIONAL, STATE.NOT_IN_SCOPE}
    assert (found.recognised_grade, found.mapped_grade) == (None, None)


@given(items=ITEMS, late=st.sampled_from((SHANGHAI, JIANGSU, ZHEJIANG, ANHUI)))
def test_a_partial_member_gives_no_grade(items: dict[str, Item], late: str) -> None:
    """The kind's row reads the heads: one domain short at one member and no grade is recognised."""
    assume(late in items)
    for state in (CoverageState.PARTIAL, CoverageState.NOT_COVERED):
        answers = [
            accepted(
                member,
                [held],
                {"TAX": CoverageState.COMPLETE, "IP": state if member == late else CoverageState.COMPLETE},
            )
            for member, held in items.items()
        ]
        found = KIND.combine(USCC, items, combining(answers, asked=tuple(items)))["recognition"]
        assert found.recognised_grade is None
        assert late in found.incomplete_members
