"""The combined result: nothing found must be earned (duties U1, U2, U4; threat 25)."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import accepted, combining, home_item, item, question
from worlds_tables import ANHUI, FOREIGN_USCC, JIANGSU, MEMBERS, SHANGHAI, USCC, ZHEJIANG

from gateway.combination import combine
from gateway.kinds import KINDS, probe
from gateway.model.answer import (
    DomainVerdict,
    GradeCeiling,
    Item,
    NoViolationItem,
    ProbeItem,
    RatingItem,
    SummaryItem,
)
from gateway.model.codes import CoverageState, ItemState, Lifecycle, OutcomeState, ResultState, Verdict
from gateway.model.combined import MemberState, SubjectResult

STATE = ResultState
COMPLETE, PARTIAL, NOT_COVERED = CoverageState.COMPLETE, CoverageState.PARTIAL, CoverageState.NOT_COVERED
FOUND, EMPTY, BLIND = ItemState.FOUND, ItemState.NOT_FOUND, ItemState.NOT_COVERED
PAIR = (SHANGHAI, JIANGSU)
Answers = dict[str, tuple[Item, Any]]


def conclude(
    answers: Answers,
    outcomes: dict[str, OutcomeState] | None = None,
    *,
    kind: str = "summary",
    subjects: tuple[str, ...] = (USCC,),
    asked: tuple[str, ...] = PAIR,
    **changes: Any,
) -> tuple[SubjectResult, ...]:
    """Combine one item a member over its coverage."""
    held = [accepted(member, [one], coverage) for member, (one, coverage) in answers.items()]
    return combine(
        {**KINDS, "probe": probe.KIND}[kind],
        question(kind, subjects=subjects),
        combining(held, asked=asked, **changes),
        outcomes or {},
    )


def home(state: ItemState = EMPTY, **changes: Any) -> Item:
    """An item of the home member."""
    return home_item(SummaryItem(), state=state, **changes)


def away(state: ItemState = EMPTY, **changes: Any) -> Item:
    """An item of another member."""
    return item(SummaryItem(), state=state, **changes)


MIXED = {"TAX": COMPLETE, "IP": NOT_COVERED, "REGISTER": COMPLETE}
BLIND_DATA = {"TAX": NOT_COVERED, "REGISTER": COMPLETE}
TABLE: tuple[tuple[Answers, dict[str, Any], ResultState, tuple[ResultState, ...]], ...] = (
    ({SHANGHAI: (home(), COMPLETE), JIANGSU: (away(), COMPLETE)}, {}, STATE.NOT_FOUND, ()),
    ({SHANGHAI: (home(FOUND), COMPLETE), JIANGSU: (away(), COMPLETE)}, {}, STATE.FOUND, ()),
    ({SHANGHAI: (home(), COMPLETE), JIANGSU: (away(FOUND), COMPLETE)}, {}, STATE.FOUND, ()),
    ({SHANGHAI: (home(), COMPLETE)}, {}, STATE.INCOMPLETE, ()),
    ({SHANGHAI: (home(), COMPLETE), JIANGSU: (away(), PARTIAL)}, {}, STATE.INCOMPLETE, ()),
    ({SHANGHAI: (home(), COMPLETE), JIANGSU: (away(), {})}, {}, STATE.INCOMPLETE, ()),
    ({SHANGHAI: (home(), COMPLETE), JIANGSU: (away(), MIXED)}, {}, STATE.INCOMPLETE, ()),
    ({SHANGHAI: (home(), COMPLETE), JIANGSU: (away(BLIND), BLIND_DATA)}, {}, STATE.INCOMPLETE, ()),
    ({SHANGHAI: (home(), COMPLETE), JIANGSU: (away(BLIND), COMPLETE)}, {}, STATE.INCOMPLETE, ()),
    ({}, {}, STATE.INCOMPLETE, (STATE.SUBJECT_UNCONFIRMED,)),
    ({SHANGHAI: (home(FOUND), COMPLETE)}, {}, STATE.FOUND, (STATE.INCOMPLETE,)),
    (
        {JIANGSU: (away(FOUND), COMPLETE)},
        {},
        STATE.FOUND,
        (STATE.SUBJECT_UNCONFIRMED, STATE.INCOMPLETE),
    ),
    ({SHANGHAI: (away(), COMPLETE), JIANGSU: (away(), COMPLETE)}, {}, STATE.SUBJECT_UNCONFIRMED, ()),
    (
        {
            SHANGHAI: (home(lifecycle=Lifecycle.DEREGISTERED), COMPLETE),
            JIANGSU: (away(), COMPLETE),
        },
        {},
        STATE.SUBJECT_UNCONFIRMED,
        (),
    ),
    (
        {SHANGHAI: (home(lifecycle=Lifecycle.MIGRATED, registered_here=False), COMPLETE)},
        {"asked": (SHANGHAI,)},
        STATE.SUBJECT_UNCONFIRMED,
        (),
    ),
    (
        {SHANGHAI: (away(), COMPLETE), JIANGSU: (away(), COMPLETE)},
        {"divisions": {JIANGSU: ("32",), SHANGHAI: ("33",)}},
        STATE.HOME_OUTSIDE_FEDERATION,
        (),
    ),
    (
        {SHANGHAI: (away(), COMPLETE), JIANGSU: (away(), COMPLETE)},
        {"divisions": {JIANGSU: ("32",), "340000": ("31",)}},
        STATE.SUBJECT_UNCONFIRMED,
        (),
    ),
    (
        {SHANGHAI: (home(), COMPLETE), JIANGSU: (away(), COMPLETE)},
        {"divisions": {JIANGSU: ("32",), SHANGHAI: ("33",)}},
        STATE.NOT_FOUND,
        (),
    ),
    (
        {SHANGHAI: (home(BLIND), BLIND_DATA), JIANGSU: (away(BLIND), BLIND_DATA)},
        {},
        STATE.NOT_COVERED,
        (),
    ),
    (
        {SHANGHAI: (home(BLIND, in_scope=False), COMPLETE), JIANGSU: (away(), COMPLETE)},
        {},
        STATE.NOT_IN_SCOPE,
        (),
    ),
    (
        {SHANGHAI: (home(BLIND, in_scope=False), COMPLETE), JIANGSU: (away(FOUND), COMPLETE)},
        {},
        STATE.FOUND,
        (STATE.NOT_IN_SCOPE,),
    ),
    (
        {SHANGHAI: (home(name_match=False), COMPLETE), JIANGSU: (away(), COMPLETE)},
        {},
        STATE.NOT_FOUND,
        (STATE.NAME_MISMATCH,),
    ),
    (
        {SHANGHAI: (home(name_match=True), COMPLETE), JIANGSU: (away(), COMPLETE)},
        {},
        STATE.NOT_FOUND,
        (),
    ),
)


@pytest.mark.parametrize(("answers", "changes", "state", "marks"), TABLE)
def test_the_state_of_a_subject(
    answers: Answers, changes: dict[str, Any], state: ResultState, marks: tuple[ResultState, ...]
) -> None:
    """Found first, then what is missing, then who it is, and only last that nothing is there."""
    (found,) = conclude(answers, **changes)
    assert (found.state, found.marks) == (state, marks)


def test_a_result_names_every_member_and_what_became_of_it() -> None:
    """Item states, refusals and silence stand beside each other; a wrong answer is silence."""
    (found,) = conclude(
        {SHANGHAI: (home(FOUND), PARTIAL)},
        {
            SHANGHAI: OutcomeState.ANSWERED,
            JIANGSU: OutcomeState.REFUSED,
            ZHEJIANG: OutcomeState.UNAVAILABLE,
            ANHUI: OutcomeState.WRONG_ANSWER,
        },
        asked=MEMBERS,
    )
    assert found == SubjectResult(
        uscc=USCC,
        state=STATE.FOUND,
        marks=(STATE.INCOMPLETE,),
        home_member=SHANGHAI,
        incomplete_members=MEMBERS,
        members=(
            MemberState(member=SHANGHAI, state=STATE.FOUND),
            MemberState(member=JIANGSU, state=STATE.REFUSED),
            MemberState(member=ZHEJIANG, state=STATE.UNAVAILABLE),
            MemberState(member=ANHUI, state=STATE.UNAVAILABLE),
        ),
    )


def test_subjects_keep_the_order_of_the_question() -> None:
    """Each subject has its own result, in order; an item that is not there counts as silence."""
    first, second = conclude({SHANGHAI: (home(), COMPLETE), JIANGSU: (away(), COMPLETE)}, subjects=(FOREIGN_USCC, USCC))
    assert (first.uscc, first.state) == (FOREIGN_USCC, STATE.INCOMPLETE)
    assert first.incomplete_members == PAIR
    assert (second.uscc, second.state) == (USCC, STATE.NOT_FOUND)


def test_a_foreign_enterprise_is_not_clean() -> None:
    """A code registered outside the federation, which nobody registers, says so."""
    (found,) = conclude(
        {
            SHANGHAI: (away(uscc=FOREIGN_USCC), COMPLETE),
            JIANGSU: (away(uscc=FOREIGN_USCC), COMPLETE),
        },
        subjects=(FOREIGN_USCC,),
    )
    assert (found.state, found.home_member) == (STATE.HOME_OUTSIDE_FEDERATION, "")


def rated(cap: bool = True) -> RatingItem:  # noqa: FBT001, FBT002
    """A member without a rating, with a ceiling or none."""
    return RatingItem(ceiling=GradeCeiling(rule_version="1") if cap else None)


@pytest.mark.parametrize(
    ("answers", "marks"),
    [
        ({SHANGHAI: (home_item(rated()), COMPLETE), JIANGSU: (item(rated()), COMPLETE)}, ()),
        (
            {SHANGHAI: (home_item(rated()), COMPLETE), JIANGSU: (item(rated(cap=False)), COMPLETE)},
            (STATE.PROVISIONAL,),
        ),
        (
            {SHANGHAI: (home_item(rated()), PARTIAL), JIANGSU: (item(rated()), COMPLETE)},
            (STATE.PROVISIONAL,),
        ),
    ],
)
def test_a_recognition_marks_the_result(answers: Answers, marks: tuple[ResultState, ...]) -> None:
    """What keeps a grade back shows on the subject, too."""
    (found,) = conclude(answers, kind="rating")
    assert found.marks == marks
    assert found.recognition is not None


def test_a_look_at_ratings_alone_is_no_recognition() -> None:
    """Where no ceiling was granted no grade is recognised, and nobody is told that one is provisional."""
    held = accepted(SHANGHAI, [home_item(rated(cap=False))])
    seen = replace(held, answer=replace(held.answer, fields_granted=("rating.grade",)))
    (found,) = combine(KINDS["rating"], question("rating", subjects=(USCC,)), combining([seen], asked=(SHANGHAI,)), {})
    assert (found.recognition, found.marks) == (None, ())


def test_a_kind_without_subjects_has_one_result() -> None:
    """The probe has no code, needs no register and no coverage, and still misses a silent member."""
    pong = item(ProbeItem(text="ping"), uscc="", state=FOUND)
    (found,) = conclude({SHANGHAI: (pong, {}), JIANGSU: (pong, {})}, kind="probe")
    assert (found.uscc, found.state, found.marks) == ("", STATE.FOUND, ())
    (short,) = conclude({SHANGHAI: (pong, {})}, kind="probe")
    assert (short.state, short.marks) == (STATE.FOUND, (STATE.INCOMPLETE,))
    (nobody,) = conclude({}, kind="probe")
    assert (nobody.state, nobody.incomplete_members) == (STATE.INCOMPLETE, PAIR)


ITEM = st.builds(
    lambda state, registered, lifecycle, in_scope, verdict: item(
        NoViolationItem(verdicts=(DomainVerdict(domain="TAX", verdict=verdict),)),
        state=state,
        registered_here=registered,
        lifecycle=lifecycle,
        in_scope=in_scope,
    ),
    state=st.sampled_from((EMPTY, EMPTY, BLIND, FOUND)),
    registered=st.booleans(),
    lifecycle=st.sampled_from(Lifecycle),
    in_scope=st.sampled_from((True, False, None)),
    verdict=st.sampled_from(Verdict),
)
HEAD = st.dictionaries(
    st.sampled_from(("TAX", "IP", "REGISTER")), st.sampled_from((COMPLETE, COMPLETE, PARTIAL, NOT_COVERED))
)
ANSWERS = st.dictionaries(st.sampled_from(MEMBERS), st.tuples(ITEM, HEAD))


@given(answers=ANSWERS)
def test_nothing_found_is_earned(answers: Answers) -> None:
    """NOT_FOUND and a clean domain need every member, complete, and an active registration."""
    (found,) = conclude(answers, kind="no_violation", asked=MEMBERS)
    whole = set(answers) == set(MEMBERS) and all(
        head and set(head.values()) == {COMPLETE} for _, head in answers.values()
    )
    active = any(each.registered_here and each.lifecycle is Lifecycle.ACTIVE for each, _ in answers.values())
    if found.state is STATE.NOT_FOUND:
        assert whole
        assert active
        assert all(each.state is EMPTY for each, _ in answers.values())
    for domain in found.domains:
        if domain.verdict is Verdict.NONE_TO_REPORT:
            assert active
            assert set(answers) == set(MEMBERS)
            assert all(head.get("TAX") is COMPLETE for _, head in answers.values())


@given(answers=ANSWERS, silent=st.sampled_from(MEMBERS))
def test_a_silent_member_never_makes_a_subject_cleaner(answers: Answers, silent: str) -> None:
    """Taking a member's answer away never turns a result into NOT_FOUND or a clean domain."""
    heard = {member: answer for member, answer in answers.items() if member != silent}
    (found,) = conclude(heard, kind="no_violation", asked=MEMBERS)
    assert found.state in {STATE.FOUND, STATE.INCOMPLETE}
    assert silent in found.incomplete_members
    assert Verdict.NONE_TO_REPORT not in {each.verdict for each in found.domains}


@given(answers=ANSWERS)
def test_what_a_member_found_is_never_lost(answers: Answers) -> None:
    """A finding of any member is the result's state, whatever the others say or fail to say."""
    (found,) = conclude(answers, kind="no_violation", asked=MEMBERS)
    anyone = any(each.state is FOUND for each, _ in answers.values())
    assert (found.state is STATE.FOUND) == anyone


def test_many_subjects_are_concluded_alike() -> None:
    """A batch says of each subject what a question about it alone would say."""
    codes = (USCC, FOREIGN_USCC, "91320100748204660Q")
    verdicts = NoViolationItem(verdicts=(DomainVerdict(domain="TAX", verdict=Verdict.NONE_TO_REPORT),))
    held = [
        accepted(SHANGHAI, [home_item(verdicts, uscc=code) for code in codes]),
        accepted(JIANGSU, [item(verdicts, uscc=code) for code in codes]),
    ]
    kind = KINDS["no_violation"]
    batch = combine(kind, question(kind.name, subjects=codes), combining(held, asked=PAIR), {})
    single = [
        combine(kind, question(kind.name, subjects=(code,)), combining(held, asked=PAIR), {})[0] for code in codes
    ]
    assert list(batch) == single
    assert {each.state for each in batch} == {STATE.NOT_FOUND}
    assert {each.domains[0].verdict for each in batch} == {Verdict.NONE_TO_REPORT}


def test_a_batch_reads_the_tables_once() -> None:
    """Scales and ranks are worked out for the first subject and found again at the others."""
    codes = (USCC, "91320100748204660Q")
    held = [accepted(SHANGHAI, [home_item(rated(), uscc=code) for code in codes])]
    together = combining(held, asked=(SHANGHAI,))
    results = combine(KINDS["rating"], question("rating", subjects=codes), together, {})
    assert len(together.kept) == 1
    assert results[0].recognition == results[1].recognition
