"""Four members asked through Shanghai's desk: what each says, who confirms, and what silence becomes."""

from __future__ import annotations

import base64
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from callers import measures, summary
from officers import Officer, Told, named, publish, rating, settle, start
from populations import populate

from gateway.clocks import civil_day
from gateway.model.answer import (
    GradeCeiling,
    Item,
    ListingLine,
    MeasureLine,
    PenaltyLine,
    RatingLine,
    SummaryItem,
)
from gateway.model.codes import (
    CountBand,
    CoverageState,
    Grade,
    ItemState,
    Lifecycle,
    OutcomeState,
    RatingStatus,
    RecognitionState,
    RefusalReason,
    ResultState,
    SchemeKind,
    Severity,
    Verdict,
)
from gateway.model.combined import MemberCeiling, RecognitionResult
from gateway.verification import Status
from keys import suite
from keys.envelope import to_json
from keys.possession import prove
from nodes.lab import Lab, build
from nodes.sample.scenarios import CLEAN, LISTED, ZONE_RATED

pytestmark = pytest.mark.net
MEMBERS = ("310000", "320000", "330000", "340000")
SILENCED = "320000"
Document = dict[str, Any]
Asking = Callable[[Lab], Any]


@pytest.fixture(scope="module", autouse=True)
def _settled(lab: Lab) -> None:
    settle(lab)


@pytest.fixture
def officer(lab: Lab) -> Officer:
    """Give an officer of Qingpu's market regulator."""
    return Officer(lab=lab)


def ago(lab: Lab, days: int) -> date:
    """Give a civil day before today."""
    return civil_day(lab.clock()) - timedelta(days=days)


def month(lab: Lab, days: int) -> str:
    """Give the month of a day before today."""
    return ago(lab, days).isoformat()[:7]


def unref(item: Item) -> Item:
    """Blank the random references of a summary's lines."""
    body = item.body
    assert isinstance(body, SummaryItem)
    lines = {
        name: tuple(replace(each, line_ref=b"") for each in getattr(body, name)) for name in ("penalties", "listings")
    }
    return replace(item, body=replace(body, **lines))


async def test_a_clean_enterprise_is_not_found_and_confirmed_by_its_home(officer: Officer) -> None:
    """Nothing is found only with four complete answers of which one confirms an active registration (U1)."""
    told = await officer.ask(summary(named(CLEAN.uscc)))
    assert (told.subject.state, told.subject.marks, told.subject.incomplete_members) == (
        ResultState.NOT_FOUND, (), (),
    )  # fmt: skip
    assert told.subject.home_member == "310000"
    assert told.states == dict.fromkeys(MEMBERS, "NOT_FOUND")
    assert {member: (each.registered_here, each.lifecycle) for member, each in told.items.items()} == {
        "310000": (True, Lifecycle.ACTIVE),
        **dict.fromkeys(MEMBERS[1:], (False, None)),
    }


async def test_the_heads_say_by_what_rules_the_members_answered(officer: Officer) -> None:
    """Each head names the agreement, the fields granted, the coverage and the versions of its rules."""
    told = await officer.ask(summary(named(CLEAN.uscc)))
    assert tuple(told.heads) == MEMBERS
    for member, head in told.heads.items():
        assert (head.answerer_member, head.answered_by, head.agreement_id) == (member, "", "YRD-4-2026")
        assert {each.state for each in head.coverage} == {CoverageState.COMPLETE}
        assert {name.partition(".")[0] for name in head.fields_granted} == {"penalty", "permit", "listing"}
        assert (head.fields_withheld, head.rule_version) == ((), f"{member}-2026.1")
        assert head.window_to_date == civil_day(head.as_of_time).isoformat()


async def test_a_summary_says_bands_and_months_of_each_member(officer: Officer, lab: Lab) -> None:
    """Each member says its own lines, never a day or a count above one, and no bands are added up (U4)."""
    told = await officer.ask(summary(named(LISTED.uscc)))
    said = {member: unref(each) for member, each in told.items.items()}
    shown = {
        "310000": ("ENVIRONMENT", Severity.SERIOUS, CountBand.ONE, 150),
        "320000": ("MARKET_REG", Severity.GENERAL, CountBand.ONE, 90),
        "330000": ("WORK_SAFETY", Severity.SERIOUS, CountBand.TWO_TO_FOUR, 180),
    }
    for member, (domain, severity, band, days) in shown.items():
        line = PenaltyLine(
            line_ref=b"", domain=domain, severity=severity, band=band, latest_month=month(lab, days), unrepaired=True
        )
        body = SummaryItem(penalties=(line,))
        assert said[member] == Item(uscc=LISTED.uscc, state=ItemState.FOUND, body=body)
    listing = ListingLine(
        line_ref=b"", list_type="TAX_SEVERE", domain="TAX", listed=True, since_month=month(lab, 300),
        basis_class="TAX_LISTED",
    )  # fmt: skip
    assert said["340000"] == Item(
        uscc=LISTED.uscc, state=ItemState.FOUND, registered_here=True, lifecycle=Lifecycle.ACTIVE, in_scope=True,
        body=SummaryItem(listings=(listing,)),
    )  # fmt: skip
    assert (told.subject.state, told.subject.home_member) == (ResultState.FOUND, "340000")


async def test_line_references_are_fresh_in_every_answer(officer: Officer) -> None:
    """Two answers about one line share no reference, so that references link nothing (U22)."""
    body = summary(named(LISTED.uscc))
    first, second = [(await officer.ask(body)).items["310000"].body for _ in range(2)]
    refs = {line.line_ref for each in (first, second) for line in each.penalties}  # type: ignore[union-attr]
    assert {len(each) for each in refs} == {16}
    assert len(refs) == 2


async def test_a_rating_is_said_by_its_home_in_its_own_words(officer: Officer, lab: Lab) -> None:
    """For supervision the home member says its grade; without ceilings nothing is recognised (U20)."""
    told = await officer.ask(rating(named(ZONE_RATED.uscc)))
    (line,) = told.items["330000"].body.ratings  # type: ignore[union-attr]
    assert replace(line, rating_id=b"") == RatingLine(
        rating_id=b"", scheme_id="330000-COMPREHENSIVE", scheme_version="2025", scheme_kind=SchemeKind.COMPREHENSIVE,
        grade="A", rated_date=ago(lab, 100).isoformat(), valid_until_date=ago(lab, -265).isoformat(),
        status=RatingStatus.CURRENT,
    )  # fmt: skip
    assert told.states == {**dict.fromkeys(MEMBERS, "NOT_FOUND"), "330000": "FOUND"}
    assert (told.subject.recognition, told.subject.marks, told.recognitions) == (None, (), ())


async def test_a_recognised_grade_is_the_lowest_of_grade_and_ceilings(lab: Lab) -> None:
    """A grade A at home with a general penalty in Jiangsu is recognised as B, with every step shown."""
    told = await Officer(lab=lab, name="310118-credit/o1").recognise(ZONE_RATED.uscc)
    result = told.subject.recognition
    assert result is not None
    free = GradeCeiling(rule_version="2026.1")
    capped = GradeCeiling(grade=Grade.B, reason_class="GENERAL_UNREPAIRED", rule_version="2026.1")
    assert replace(result, rating_id=b"") == RecognitionResult(
        state=RecognitionState.RECOGNISED, home_member="330000", scheme_id="330000-COMPREHENSIVE",
        scheme_version="2025", origin_grade="A", mapping_id="YRD-330000", mapping_version="2026.1",
        mapped_grade=Grade.A, recognised_grade=Grade.B,
        ceilings=(
            MemberCeiling(member="310000", ceiling=free),
            MemberCeiling(member="320000", ceiling=capped),
            MemberCeiling(member="330000", ceiling=free),
        ),
    )  # fmt: skip


async def test_measures_are_said_with_their_ground(officer: Officer, lab: Lab) -> None:
    """Each measure carries territory, edition, legal basis, agency and term, as its member ordered it (U19)."""
    told = await officer.ask(measures(named(LISTED.uscc)))
    lines = told.items["340000"].body.measures  # type: ignore[union-attr]
    expected = [
        MeasureLine(
            line_ref=b"", measure_code=code, domain="TAX", territory=territory, list_edition="2026",
            legal_basis=next(each.legal_basis for each in lines if each.measure_code == code),
            agency="340000-tax", term_from_date=ago(lab, 300).isoformat(), term_until_date=ago(lab, -700).isoformat(),
        )
        for code, territory in (("MP01", "NATIONAL"), ("MP06", "340000"), ("MP11", "NATIONAL"), ("MP14", "NATIONAL"))
    ]  # fmt: skip
    assert [replace(each, line_ref=b"") for each in lines] == expected
    assert all(str(each.legal_basis).startswith("样例法规") for each in lines)
    assert told.states == {**dict.fromkeys(MEMBERS, "NOT_FOUND"), "340000": "FOUND"}


async def test_a_report_says_a_verdict_for_every_domain(officer: Officer) -> None:
    """One member's report makes a domain HAS; all others have nothing to report, which all four say (U5)."""
    told = await officer.certify(LISTED.uscc)
    reporting = {
        each.domain: (each.verdict, each.reporting_members) for each in told.subject.domains if each.reporting_members
    }
    assert reporting == {
        "ENVIRONMENT": (Verdict.HAS, ("310000",)),
        "MARKET_REG": (Verdict.HAS, ("320000",)),
        "WORK_SAFETY": (Verdict.HAS, ("330000",)),
        "TAX": (Verdict.HAS, ("340000",)),
    }
    silent = {each.verdict for each in told.subject.domains if each.domain not in reporting}
    assert (silent, len(told.subject.domains)) == ({Verdict.NONE_TO_REPORT}, 36)
    assert all(head.classes_left_out == ("NATURAL_PERSON", "SELF_DECLARED") for head in told.heads.values())


async def test_the_response_verifies_offline(officer: Officer) -> None:
    """What the desk gives is genuine and in time from its bytes alone; offline its status is unknown (U24)."""
    told = await officer.ask(summary(named(LISTED.uscc)))
    verdict = officer.verify(told.raw)
    assert (verdict.genuine, verdict.in_time, verdict.status) == (True, True, Status.UNKNOWN)
    assert {each.failed for each in verdict.parts} == {None}


async def test_a_changed_response_does_not_verify(officer: Officer) -> None:
    """One item of one member replaced by another member's item is found out."""
    told = await officer.ask(summary(named(LISTED.uscc)))
    exchanges = told.response.exchanges
    exchanges[0].answer.items[0] = exchanges[1].answer.items[0]
    assert not officer.verify(told.response.SerializeToString()).genuine


async def test_many_subjects_come_in_the_order_asked(officer: Officer) -> None:
    """A batch concludes on every subject, in the order of the question."""
    codes = [each.uscc for each in (ZONE_RATED, CLEAN, LISTED)]
    told = await officer.ask(summary(*map(named, codes)))
    assert [(each.uscc, each.state.value) for each in told.result.subjects] == [
        (ZONE_RATED.uscc, "FOUND"), (CLEAN.uscc, "NOT_FOUND"), (LISTED.uscc, "FOUND"),
    ]  # fmt: skip


async def test_only_the_members_named_are_asked(officer: Officer) -> None:
    """An intent may name members; the conclusion rests on these alone and says so."""
    told = await officer.ask(summary(named(CLEAN.uscc)), members=("340000", "310000"))
    assert tuple(told.outcomes) == ("340000", "310000")
    assert told.states == {"340000": "NOT_FOUND", "310000": "NOT_FOUND"}


@contextmanager
def running(
    folder: Path, *edits: Callable[[Document], None], proofs: Mapping[str, bytes] | None = None
) -> Iterator[Lab]:
    """Run a federation of its own, so that the shared one is not disturbed; directory edits come last."""
    lab = build(folder)
    lab.proofs |= proofs or {}
    for member in lab.members:
        populate(lab, member, subjects=0)
    try:
        start(lab, *lab.members)
        lab.edits.extend(edits)
        if edits:
            publish(lab)
        yield lab
    finally:
        lab.stop()


def check_silence(told: Told, state: OutcomeState) -> None:
    """Check that a member is missing by name and that nothing favourable was made of it."""
    assert told.outcomes[SILENCED].state is state
    assert (told.outcomes[SILENCED].answer_digest, told.outcomes[SILENCED].reason) == (b"", None)
    assert told.subject.incomplete_members == (SILENCED,)
    assert told.states[SILENCED] == "UNAVAILABLE"
    assert ResultState.INCOMPLETE in {told.subject.state, *told.subject.marks}
    assert told.subject.state is not ResultState.NOT_FOUND
    for domain in told.subject.domains:
        assert (domain.verdict, domain.incomplete_members) == (Verdict.PARTIAL, (SILENCED,))
    recognition = told.subject.recognition
    if recognition is not None:
        assert (recognition.state, recognition.incomplete_members) == (RecognitionState.PROVISIONAL, (SILENCED,))
        assert (recognition.recognised_grade, recognition.mapped_grade) == (None, None)
    assert told.recognitions == ()


async def ask_all(lab: Lab) -> list[Told]:
    """Ask the four kinds, each where nothing would be found or a grade recognised if all were heard."""
    officer = Officer(lab=lab)
    return [
        await officer.ask(summary(named(CLEAN.uscc))),
        await officer.ask(measures(named(CLEAN.uscc))),
        await officer.certify(CLEAN.uscc),
        await Officer(lab=lab, name="310118-credit/o1").recognise(ZONE_RATED.uscc),
    ]


async def test_a_member_that_stopped_is_named_and_heard_again_after_it_returned(tmp_path: Path) -> None:
    """A killed member gives UNAVAILABLE with every attempt and no favourable word; started again, it is heard."""
    with running(tmp_path / "lab") as lab:
        assert (await ask_all(lab))[0].subject.state is ResultState.NOT_FOUND
        lab.stop(SILENCED, how=signal.SIGKILL)
        for told in await ask_all(lab):
            check_silence(told, OutcomeState.UNAVAILABLE)
            attempts = told.outcomes[SILENCED].attempts
            assert [each.outcome for each in attempts] == ["UNAVAILABLE"] * 3
            assert sorted(attempts, key=lambda each: each.send_time) == list(attempts)
            assert {each.state for member, each in told.outcomes.items() if member != SILENCED} == {
                OutcomeState.ANSWERED
            }
        start(lab, SILENCED)
        found = [each.subject for each in await ask_all(lab)]
        assert [each.state.value for each in found] == ["NOT_FOUND", "NOT_FOUND", "NOT_FOUND", "FOUND"]
        assert found[3].recognition is not None
        assert found[3].recognition.recognised_grade is Grade.B


async def test_a_member_that_hangs_is_silent_within_the_deadline(tmp_path: Path) -> None:
    """A frozen process costs one deadline and no more; the others' answers stand."""
    with running(tmp_path / "lab") as lab:
        officer = Officer(lab=lab)
        await officer.ask(summary(named(CLEAN.uscc)))
        lab.processes[SILENCED].send_signal(signal.SIGSTOP)
        try:
            told = await officer.ask(summary(named(CLEAN.uscc)))
        finally:
            lab.processes[SILENCED].send_signal(signal.SIGCONT)
        check_silence(told, OutcomeState.UNAVAILABLE)
        assert [each.outcome for each in told.outcomes[SILENCED].attempts] == ["DEADLINE_EXCEEDED"]


STRANGER = suite.signer(suite.generate_seed(), owner=SILENCED)


def other_key(document: Document) -> None:
    """Publish a key that the member does not hold."""
    (row,) = (each for each in document["members"] if each["id"] == SILENCED)
    key, *others = row["keys"]
    row["keys"] = [{**key, "id": STRANGER.id, "public": base64.b64encode(STRANGER.public).decode()}, *others]


def suspend(document: Document) -> None:
    """Suspend a member."""
    (row,) = (each for each in document["members"] if each["id"] == SILENCED)
    row["suspended"] = True


async def test_an_answer_under_another_key_counts_as_silence(tmp_path: Path) -> None:
    """A member whose key is not the published one signs nothing: it is missing by name, and concludes nothing."""
    with running(tmp_path / "lab", other_key, proofs={"other": to_json(prove([("sign", STRANGER)]))}) as lab:
        for told in await ask_all(lab):
            check_silence(told, OutcomeState.UNAVAILABLE)
            (exchange,) = (each for each in told.response.exchanges if each.member == SILENCED)
            assert exchange.WhichOneof("outcome") is None


async def test_a_suspended_member_is_silent_and_may_not_ask(tmp_path: Path) -> None:
    """A suspended member is asked nothing and counts as silent, and every other member refuses what it asks."""
    with running(tmp_path / "lab", suspend) as lab:
        for told in await ask_all(lab):
            check_silence(told, OutcomeState.UNAVAILABLE)
        told = await Officer(lab=lab, name="320509-market/o1").ask(summary(named(CLEAN.uscc)))
        assert {each.member: each.reason for each in told.result.members if each.member != SILENCED} == dict.fromkeys(
            ("310000", "330000", "340000"), RefusalReason.SUSPENDED
        )
        assert (told.subject.state, told.subject.incomplete_members) == (ResultState.INCOMPLETE, MEMBERS)
