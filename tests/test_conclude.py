"""What an asking node signs and keeps in the end: results, recognitions and their term, and its desk's own checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import worlds
from bundles import (
    AGENCY,
    NOW,
    OFFICER,
    OFFICERS,
    SECOND,
    SIGNERS,
    charter_of,
    entropy,
    intent_of,
    plot,
    register,
    signed_directory,
)
from fakes import FakeNode, FakeSource
from worlds_tables import (
    AGREEMENT,
    FOREIGN_USCC,
    JIANGSU,
    MATTER,
    MEMBERS,
    PURPOSE,
    REPORT,
    SCHEME,
    SHANGHAI,
    USCC,
    ZHEJIANG,
)

from gateway import wire
from gateway.charter import Charter, charter
from gateway.clocks import CHINA
from gateway.coverage import RATING
from gateway.errors import NotDurable, Refused
from gateway.exchange.compose import Inquiry
from gateway.exchange.conclude import RECOGNITION_TYPE, RESULT_TYPE, conclude, holds_until, recognise_all
from gateway.kinds import KINDS
from gateway.model.answer import Item, RatingItem, RatingLine, SummaryItem
from gateway.model.codes import (
    Grade,
    ItemState,
    OutcomeState,
    RecognitionState,
    RecognitionStatus,
    RefusalReason,
    ResultState,
)
from gateway.model.combined import (
    Allowance,
    AllowanceReading,
    Attempt,
    CaseOpening,
    CaseReading,
    CombinedResult,
    Intent,
    MemberOutcome,
    Recognition,
    RecognitionResult,
    SubjectResult,
)
from gateway.ports import Feed
from keys.directory import Stop
from keys.envelope import Envelope, open_envelope, sign
from yrdx.exchange.v1 import desk_pb2

RATED = bytes([5]) * 16
DIRECTORY = signed_directory()
CHARTER = charter_of(SHANGHAI, DIRECTORY)


def inquiry(**changes: Any) -> Inquiry:
    """Give an inquiry about ratings."""
    return Inquiry(
        **{
            "intent": intent_of(plot("rating")), "intent_digest": bytes([1]) * 32, "agreement_id": AGREEMENT,
            "case_subject_count": 0, **changes,
        }
    )  # fmt: skip


def opened(envelope: Envelope, payload_type: str) -> bytes:
    """Verify what Shanghai signed."""
    return open_envelope(envelope, payload_type=payload_type, find=lambda _: SIGNERS[SHANGHAI].public_key()).payload


# How long a recognition holds


def of_terms(*, months: int | None = None, agreed_until: str | None = None) -> Charter:
    """Read a directory with these ends."""

    def edit(found: dict[str, Any]) -> None:
        found["limits"] = {} if months is None else {"recognition_months": months}
        found["agreements"][0]["valid_until"] = agreed_until

    return charter_of(SHANGHAI, signed_directory(edit))


def rated_until(day: str | None, *, rating_id: bytes = RATED) -> dict[str, Any]:
    """Give Shanghai's answer with a rating that ends on a day, between two others."""
    lines = [
        RatingLine(rating_id=bytes(16), scheme_id="X", scheme_version="1", valid_until_date="2026-03-12"),
        RatingLine(rating_id=rating_id, scheme_id=SCHEME, scheme_version="2025", valid_until_date=day),
    ]
    items = [worlds.item(uscc=FOREIGN_USCC), worlds.home_item(RatingItem(ratings=tuple(lines)))]
    return {SHANGHAI: worlds.accepted(SHANGHAI, items), JIANGSU: worlds.accepted(JIANGSU, [worlds.item()])}


ENDS: dict[str, tuple[str | None, str | None, int | None, str]] = {
    "the rating's": ("2026-09-01", "2026-12-31", 12, "2026-09-01"),
    "the agreement's": ("2026-12-31", "2026-09-01", 12, "2026-09-01"),
    "the limit's": ("2026-12-31", "2027-12-31", 6, "2026-09-10"),
    "the default limit's": ("2028-01-01", None, None, "2027-03-10"),
    "the limit's where nothing else ends": (None, None, 12, "2027-03-10"),
    "the agreement's where the rating does not end": (None, "2026-05-01", 12, "2026-05-01"),
    "the rating's where the agreement does not end": ("2026-04-01", None, 12, "2026-04-01"),
    "one month": (None, None, 1, "2026-04-10"),
    "all at once": ("2026-06-10", "2026-06-10", 3, "2026-06-10"),
}


@pytest.mark.parametrize("name", ENDS)
def test_a_recognition_ends_with_the_first_of_its_grounds(name: str) -> None:
    """The rating's end, the agreement's, or some months, whichever is first, at midnight in China."""
    rated, agreed, months, end = ENDS[name]
    charter = of_terms(months=months, agreed_until=agreed)
    agreement = charter.catalogue.agreements[AGREEMENT]
    found = holds_until(USCC, SHANGHAI, RATED, rated_until(rated), agreement, charter, NOW)
    assert found == datetime.fromisoformat(end).replace(tzinfo=CHINA).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-01-31T00:00:00+08:00", "2026-02-28"),
        ("2026-02-28T23:59:59+08:00", "2026-03-28"),
        ("2026-03-10T15:59:59+00:00", "2026-04-10"),
        ("2026-03-10T16:00:00+00:00", "2026-04-11"),
        ("2026-12-31T00:00:00+08:00", "2027-01-31"),
    ],
)
def test_months_are_counted_from_the_legal_day(now: str, end: str) -> None:
    """The day is China's, and a month without that day ends on its last."""
    charter = of_terms(months=1)
    agreement = charter.catalogue.agreements[AGREEMENT]
    moment = datetime.fromisoformat(now).astimezone(UTC)
    found = holds_until(USCC, SHANGHAI, RATED, rated_until(None), agreement, charter, moment)
    assert found == datetime.fromisoformat(end).replace(tzinfo=CHINA)


def test_another_ratings_end_does_not_count() -> None:
    """Only the rating that was recognised ends its recognition."""
    answers = rated_until("2026-04-01", rating_id=bytes([6]) * 16)
    found = holds_until(USCC, SHANGHAI, RATED, answers, CHARTER.catalogue.agreements[AGREEMENT], CHARTER, NOW)
    assert found == datetime(2027, 3, 10, tzinfo=CHINA)


# What is recognised


def recognised(state: RecognitionState | None, code: str = USCC) -> SubjectResult:
    """Give a subject's result."""
    result = None
    if state is not None:
        result = RecognitionResult(
            state=state, home_member=SHANGHAI, rating_id=RATED, origin_grade="优", mapped_grade=Grade.A,
            recognised_grade=Grade.B,
        )  # fmt: skip
    return SubjectResult(uscc=code, state=ResultState.FOUND, recognition=result)


def issue(subjects: Iterable[SubjectResult], previous: Callable[[str], bytes] = lambda _: b"") -> list[Recognition]:
    """Issue recognitions and verify their signatures."""
    found = recognise_all(
        inquiry(), tuple(subjects), rated_until("2026-09-01"), charter=CHARTER, signer=SIGNERS[SHANGHAI], now=NOW,
        entropy=entropy, previous=previous,
    )  # fmt: skip
    values = [wire.decode(Recognition, opened(each.envelope, RECOGNITION_TYPE)) for each in found]
    assert values == [each.recognition for each in found]
    return values


@pytest.mark.parametrize("state", [None, *RecognitionState], ids=str)
def test_only_a_recognised_grade_is_issued(state: RecognitionState | None) -> None:
    """Of every state but RECOGNISED nothing is signed."""
    assert len(issue([recognised(state)])) == (state is RecognitionState.RECOGNISED)


def test_a_recognition_says_what_it_rests_on() -> None:
    """It carries the whole way of the grade, its scope, its term, and the digests of all answers."""
    before = bytes([8]) * 16
    subject = recognised(RecognitionState.RECOGNISED)
    (found,) = issue([recognised(None, FOREIGN_USCC), subject], previous={USCC: before}.__getitem__)
    area = CHARTER.catalogue.agreements[AGREEMENT].area
    assert found == Recognition(
        recognition_id=found.recognition_id,
        result=subject.recognition or RecognitionResult(state=RecognitionState.REVIEW),
        uscc=USCC,
        issuer_member=SHANGHAI,
        agency=AGENCY,
        agreement_id=AGREEMENT,
        purposes=(PURPOSE,),
        area=area,
        valid_from_time=NOW,
        valid_until_time=datetime(2026, 8, 31, 16, tzinfo=UTC),
        supersedes=before,
        status=RecognitionStatus.VALID,
        answer_digests=found.answer_digests,
    )
    assert (len(found.recognition_id), len(found.answer_digests)) == (16, 2)


def test_each_recognition_has_an_id_of_its_own() -> None:
    """Two issued at once, and two after each other, differ in their ids."""
    subject = recognised(RecognitionState.RECOGNISED)
    found = [*issue([subject, subject]), *issue([subject])]
    assert len({each.recognition_id for each in found}) == 3


def test_a_result_is_signed_with_every_outcome() -> None:
    """The combined result names the intent, its terms, and what became of each member."""
    outcomes = (
        MemberOutcome(member=SHANGHAI, state=OutcomeState.ANSWERED, answer_digest=bytes(32), pair_sequence=1),
        MemberOutcome(
            member=JIANGSU, state=OutcomeState.UNAVAILABLE, attempts=(Attempt(send_time=NOW, outcome="UNAVAILABLE"),)
        ),
    )
    subjects = (recognised(RecognitionState.PROVISIONAL),)
    envelope = conclude(inquiry(), "rating", outcomes, subjects, charter=CHARTER, signer=SIGNERS[SHANGHAI], now=NOW)
    assert wire.decode(CombinedResult, opened(envelope, RESULT_TYPE)) == CombinedResult(
        intent_digest=bytes([1]) * 32,
        asker_member=SHANGHAI,
        agency=AGENCY,
        case_reference="C-1",
        purpose=PURPOSE,
        application_item=MATTER,
        agreement_id=AGREEMENT,
        kind="rating",
        combine_time=NOW,
        members=outcomes,
        subjects=subjects,
    )


# The whole way at a desk, in memory


def feeds(member: str) -> tuple[Feed, ...]:
    """Declare every feed of a member, delivered today."""
    pairs = [*((domain, each) for domain in worlds.CATALOGUE.domains for each in ("penalty", "permit", "listing")),
             ("REGISTER", "register"), (RATING, "rating")]  # fmt: skip
    return tuple(
        worlds.feed(id=f"{member} {domain} {each}", domain=domain, record_class=each) for domain, each in pairs
    )


def federation(edit: Any = None) -> dict[str, FakeNode]:
    """Give four members; Shanghai registers and rates the subject."""
    directory = signed_directory(edit) if edit else DIRECTORY
    nodes = {
        member: FakeNode(charter=charter_of(member, directory), now=NOW, source=FakeSource(declared=feeds(member)))
        for member in MEMBERS
    }
    nodes[SHANGHAI].source.rows = {USCC: {"register": [register()], "rating": [worlds.rating()]}}
    for each in nodes.values():
        each.others = dict(nodes)
    return nodes


def intent(kind: str = "rating", **changes: Any) -> Intent:
    """Write an intent without a case."""
    return replace(intent_of(plot(kind)), **{"case_reference": "", **changes})


def signed(value: Any, *officers: str) -> Envelope:
    """Sign a desk request by officers."""
    signers = (OFFICERS[each] for each in officers or (OFFICER,))
    return sign(wire.PAYLOAD_TYPES[type(value)], wire.encode(value), *signers)


async def ask(
    nodes: dict[str, FakeNode], wanted: Intent, *officers: str
) -> tuple[CombinedResult, desk_pb2.AskMembersResponse]:
    """Ask through Shanghai's desk."""
    payload = await nodes[SHANGHAI].asking.ask(signed(wanted, *officers), AGENCY)
    message = desk_pb2.AskMembersResponse.FromString(payload)
    return wire.decode(CombinedResult, message.result.payload), message


async def refusal(nodes: dict[str, FakeNode], wanted: Intent, *officers: str) -> RefusalReason:
    """Give the reason for which the desk itself does not ask; nothing was sent."""
    with pytest.raises(Refused) as refused:
        await ask(nodes, wanted, *officers)
    assert nodes[SHANGHAI].log.sent == []
    return refused.value.reason


async def test_a_recognition_is_kept_and_superseded() -> None:
    """The second asking for the same subject, agency and agreement names the first recognition."""
    nodes = federation()
    results = [(await ask(nodes, intent()))[0] for _ in range(2)]
    assert results[0].subjects[0].recognition == results[1].subjects[0].recognition
    first, second = (
        wire.decode(Recognition, wire.decode(Envelope, each.envelope_bytes).payload)
        for each in nodes[SHANGHAI].log.issued
    )
    assert (first.result.recognised_grade, first.supersedes) == (Grade.A, b"")
    assert second.supersedes == first.recognition_id
    assert first.valid_until_time == datetime(2026, 12, 1, tzinfo=CHINA)


async def test_a_member_without_an_endpoint_is_named() -> None:
    """A member that cannot be reached at all is unavailable after one attempt of that name."""
    nodes = federation()
    del nodes[SHANGHAI].others[ZHEJIANG]
    result, message = await ask(nodes, intent("summary"))
    zhejiang = next(each for each in result.members if each.member == ZHEJIANG)
    assert (zhejiang.state, [each.outcome for each in zhejiang.attempts]) == (OutcomeState.UNAVAILABLE, ["NO_ENDPOINT"])
    assert [each.HasField("answer") for each in message.exchanges] == [member != ZHEJIANG for member in MEMBERS]


async def test_a_refusal_stands_in_the_result_as_it_was_signed() -> None:
    """The envelope of a member's refusal travels with the result, and events name its reason."""
    nodes = federation()
    nodes[JIANGSU].charter = replace(nodes[JIANGSU].charter, kinds={})
    result, message = await ask(nodes, intent("summary"))
    assert [each.reason for each in result.members if each.member == JIANGSU] == [RefusalReason.UNKNOWN_KIND]
    assert [each.HasField("refusal") for each in message.exchanges] == [member == JIANGSU for member in MEMBERS]
    told = {each.peer: (each.outcome, each.reason) for each in nodes[SHANGHAI].events if each.side == "ask"}
    assert told == dict.fromkeys(MEMBERS, ("ANSWERED", "")) | {JIANGSU: ("REFUSED", "UNKNOWN_KIND")}


# Agreements and members


def agreements(found: dict[str, Any]) -> None:
    """Add agreements that come before the first: narrower in area, parties, or another way."""
    first = found["agreements"][0]
    rows = [
        {"id": "ZONE", "precedence": 0, "area": ["310115"]},
        {"id": "PAIR", "precedence": 0, "parties": [SHANGHAI, JIANGSU]},
        {"id": "LATER", "precedence": 9},
    ]
    found["agreements"] = [*({**first, **each} for each in rows), {**first, "purposes": [PURPOSE]}]
    found["agreements"][0]["purposes"] = [PURPOSE, REPORT]


CHOSEN: list[tuple[tuple[str, ...], str, str, tuple[str, ...]]] = [
    ((), "", "PAIR", (SHANGHAI, JIANGSU)),
    ((JIANGSU, SHANGHAI), "", "PAIR", (JIANGSU, SHANGHAI)),
    ((JIANGSU, JIANGSU), "", "PAIR", (JIANGSU,)),
    ((ZHEJIANG,), "", AGREEMENT, (ZHEJIANG,)),
    ((), "LATER", "LATER", MEMBERS),
]


@pytest.mark.parametrize(("members", "named", "chosen", "asked"), CHOSEN)
async def test_the_first_agreement_that_fits_is_chosen(
    members: tuple[str, ...], named: str, chosen: str, asked: tuple[str, ...]
) -> None:
    """By precedence, for the agency's place and the members named; nobody named means all its parties, each once."""
    nodes = federation(agreements)
    result, _ = await ask(nodes, intent("summary", members=members, agreement_id=named))
    assert (result.agreement_id, tuple(each.member for each in result.members)) == (chosen, asked)


NOT_CHOSEN: list[tuple[Any, dict[str, Any], RefusalReason]] = [
    (lambda found: found["agreements"][0].update(area=["310115"]), {}, RefusalReason.NOT_IN_SCOPE),
    (None, {"members": (SHANGHAI, "999999")}, RefusalReason.UNKNOWN_MEMBER),
    (lambda found: found["agreements"][0].update(kinds=["rating"]), {}, RefusalReason.NO_AGREEMENT),
    (lambda found: found["agreements"][0].update(suspended=True), {}, RefusalReason.NO_AGREEMENT),
    (None, {"agreement_id": "NONE"}, RefusalReason.NO_AGREEMENT),
    (agreements, {"agreement_id": "PAIR", "members": (SHANGHAI, ZHEJIANG)}, RefusalReason.NO_AGREEMENT),
]


@pytest.mark.parametrize(("edit", "changes", "reason"), NOT_CHOSEN)
async def test_without_an_agreement_nothing_is_asked(edit: Any, changes: dict[str, Any], reason: RefusalReason) -> None:
    """Where an agreement fits all but the agency's place it is NOT_IN_SCOPE, and otherwise NO_AGREEMENT."""
    terms = {"agreement_id": "", "members": (), **changes}
    assert await refusal(federation(edit), intent("summary", **terms)) is reason


# Officers


async def test_four_eyes_are_the_intents_own() -> None:
    """Where two officers are wanted the second signs this intent; that the case was approved is not enough."""
    nodes = federation(lambda found: found["purposes"][0].update(second_officer=True))
    await nodes[SHANGHAI].cases.open_case(signed(opening(approving_officer=SECOND), OFFICER, SECOND), AGENCY)
    wanted = intent("summary", case_reference="C-1")
    assert await refusal(nodes, wanted) is RefusalReason.SECOND_OFFICER_NEEDED
    result, _ = await ask(nodes, replace(wanted, approving_officer=SECOND), OFFICER, SECOND)
    assert result.subjects[0].state is ResultState.NOT_FOUND


async def test_an_expired_directory_asks_nothing() -> None:
    """A desk whose directory has expired refuses before it looks at a signature."""
    nodes = federation(lambda found: found.update(expire_time="2026-03-10T04:00:00Z"))
    assert await refusal(nodes, intent()) is RefusalReason.STALE_BUNDLE


# Cases


def opening(**changes: Any) -> CaseOpening:
    """Write a case."""
    return CaseOpening(
        **{
            "case_reference": "C-1", "agency": AGENCY, "officer": OFFICER, "open_time": NOW, "purpose": PURPOSE,
            "application_item": MATTER, **changes,
        }
    )  # fmt: skip


async def opening_refused(node: FakeNode, value: CaseOpening) -> RefusalReason:
    """Give the reason for which a case is not opened."""
    with pytest.raises(Refused) as refused:
        await node.cases.open_case(signed(value), AGENCY)
    return refused.value.reason


@pytest.mark.parametrize("reference", ["", " ", "a b", "../x", "x" * 65, "案件", "C-1\n"])
async def test_a_reference_is_short_and_plain(reference: str) -> None:
    """A reference is 1 to 64 letters, digits, dots, dashes and lines."""
    node = federation()[SHANGHAI]
    assert await opening_refused(node, opening(case_reference=reference)) is RefusalReason.MALFORMED
    assert (await node.cases.open_case(signed(opening(case_reference="x" * 64)), AGENCY)).case_reference == "x" * 64


async def test_a_case_is_opened_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same case again is itself, another under its reference is REPLAYED, and a full disk keeps none."""
    node = federation()[SHANGHAI]
    first = await node.cases.open_case(signed(opening()), AGENCY)
    assert await node.cases.open_case(signed(opening()), AGENCY) == first
    assert await opening_refused(node, opening(subject_count=3)) is RefusalReason.REPLAYED

    async def fail(_case: Any) -> Any:
        raise NotDurable("full")

    monkeypatch.setattr(node.book, "open_case", fail)
    assert await opening_refused(node, opening(case_reference="C-2")) is RefusalReason.NOT_DURABLE


@pytest.mark.parametrize("stopped", ["by the quorum", "by the member"])
async def test_a_purpose_in_quarantine_opens_no_case(stopped: str) -> None:
    """Neither a case nor an allowance, for the reason with which its questions are refused; once lifted it goes on."""
    node = federation()[SHANGHAI]
    row = {"what": "purpose", "id": PURPOSE, "ground": "sample"}
    if stopped == "by the quorum":
        node.charter = charter_of(SHANGHAI, signed_directory(lambda found: found.update(quarantine=[row])))
    else:
        node.charter = charter(SHANGHAI, CHARTER.directory, KINDS, stops=[Stop(**row)])
    assert await opening_refused(node, opening()) is RefusalReason.PURPOSE_NOT_ALLOWED
    with pytest.raises(Refused, match="PURPOSE_NOT_ALLOWED"):
        node.cases.allowance(signed(reading(case_reference="")), AGENCY)
    node.charter = CHARTER
    assert (await node.cases.open_case(signed(opening()), AGENCY)).purpose == PURPOSE


@pytest.mark.parametrize("changes", [{"purpose": REPORT}, {"application_item": "OTHER"}, {"case_reference": "C-2"}])
async def test_a_question_fits_its_case(changes: dict[str, Any]) -> None:
    """A case of another purpose or matter, or none of the name, is missing."""
    nodes = federation()
    await nodes[SHANGHAI].cases.open_case(signed(opening()), AGENCY)
    wanted = replace(intent("summary", case_reference="C-1"), **changes)
    assert await refusal(nodes, wanted) is RefusalReason.CASE_MISSING


READINGS: list[tuple[dict[str, Any], RefusalReason | None]] = [
    ({}, None),
    ({"page_size": 1}, None),
    ({"page_size": 100}, None),
    ({"page_size": 101}, RefusalReason.MALFORMED),
    ({"page_token": "0"}, None),
    ({"page_token": "9" * 18}, None),
    ({"page_token": "9" * 19}, RefusalReason.MALFORMED),
    ({"page_token": "9" * 5_000}, RefusalReason.MALFORMED),
    ({"page_token": "-1"}, RefusalReason.MALFORMED),
    ({"page_token": "１"}, RefusalReason.MALFORMED),
    ({"page_token": "1 "}, RefusalReason.MALFORMED),
    ({"case_reference": "C-2"}, RefusalReason.CASE_MISSING),
]


@pytest.mark.parametrize(("changes", "reason"), READINGS)
async def test_a_case_is_read_by_pages(changes: dict[str, Any], reason: RefusalReason | None) -> None:
    """A page has 1 to 100 results after a number that a store can hold; anything else is malformed."""
    node = federation()[SHANGHAI]
    await node.cases.open_case(signed(opening()), AGENCY)
    reading = CaseReading(case_reference="C-1", agency=AGENCY, officer=OFFICER, read_time=NOW)
    try:
        case, page, more = node.cases.case(signed(replace(reading, **changes)), AGENCY)
        found = None
        assert (case.case_reference, page, more) == ("C-1", (), False)
    except Refused as refused:
        found = refused.reason
    assert found is reason


ROLES = [
    (["ask"], True),
    (["audit"], True),
    (["audit", "approve"], True),
    (["approve"], False),
    (["administer"], False),
    ([], False),
]


@pytest.mark.parametrize(("roles", "reads"), ROLES)
async def test_a_case_is_read_by_those_who_ask_or_audit(roles: list[str], reads: bool) -> None:  # noqa: FBT001
    """An officer of the agency without one of these roles on the day reads no case."""
    node = federation()[SHANGHAI]
    await node.cases.open_case(signed(opening()), AGENCY)
    held = [{"role": each, "from": "2025-01-01", "until": None} for each in roles]
    directory = signed_directory(lambda found: found["members"][0]["officers"][0].update(roles=held))
    node.charter = charter_of(SHANGHAI, directory)
    reading = signed(CaseReading(case_reference="C-1", agency=AGENCY, officer=OFFICER, read_time=NOW))
    try:
        found = node.cases.case(reading, AGENCY)[0].case_reference
    except Refused as refused:
        found = refused.reason.value
    assert found == ("C-1" if reads else "AGENCY_NOT_ALLOWED")


def test_an_item_without_lines_is_no_rating() -> None:
    """A home member that answered another kind's body gives no end of its own; the limit is the end."""
    items = [Item(uscc=USCC, state=ItemState.FOUND, body=SummaryItem())]
    found = holds_until(
        USCC, SHANGHAI, RATED, {SHANGHAI: worlds.accepted(SHANGHAI, items)},
        CHARTER.catalogue.agreements[AGREEMENT], CHARTER, NOW,
    )  # fmt: skip
    assert found == datetime(2027, 3, 10, tzinfo=CHINA)


READS: list[tuple[dict[str, Any], RefusalReason | None]] = [
    ({}, None),
    ({"case_reference": ""}, None),
    ({"case_reference": "C-2"}, RefusalReason.CASE_MISSING),
    ({"purpose": REPORT}, RefusalReason.CASE_MISSING),
    ({"purpose": "NOPE"}, RefusalReason.PURPOSE_NOT_ALLOWED),
    ({"officer": SECOND}, RefusalReason.BAD_SIGNATURE),
    ({"agency": "320000-market"}, RefusalReason.AGENCY_NOT_ALLOWED),
    ({"read_time": datetime(2020, 1, 1, tzinfo=UTC)}, RefusalReason.EXPIRED),
]


def reading(**changes: Any) -> AllowanceReading:
    """Ask what is left under the case of these tests."""
    return replace(
        AllowanceReading(agency=AGENCY, officer=OFFICER, purpose=PURPOSE, case_reference="C-1", read_time=NOW),
        **changes,
    )


@pytest.mark.parametrize(("changes", "reason"), READS)
async def test_an_allowance_is_read_as_a_case_is(changes: dict[str, Any], reason: RefusalReason | None) -> None:
    """The same officers may read it; a case that is none of this agency and purpose gives nothing away."""
    node = federation()[SHANGHAI]
    both: dict[str, Any] = {"purposes": [PURPOSE, REPORT]}
    node.charter = charter_of(SHANGHAI, signed_directory(lambda found: found["members"][0]["agencies"][0].update(both)))
    await node.cases.open_case(signed(opening()), AGENCY)
    try:
        node.cases.allowance(signed(reading(**changes)), AGENCY)
        found = None
    except Refused as refused:
        found = refused.reason
    assert found is reason


async def test_an_allowance_is_the_rule_that_is_charged_by() -> None:
    """The purpose's number or the case's larger one, what the own journal spent, and the sizes of a question (U14)."""
    node = federation()[SHANGHAI]
    limits = CHARTER.catalogue.limits
    daily = CHARTER.catalogue.purposes[PURPOSE].daily_subjects
    await node.cases.open_case(
        signed(opening(subject_count=daily + 5, approving_officer=SECOND), OFFICER, SECOND), AGENCY
    )
    node.journal.spent_on[AGENCY, PURPOSE, NOW.astimezone(CHINA).date()] = {USCC, FOREIGN_USCC}
    found = node.cases.allowance(signed(reading()), AGENCY)
    assert found == Allowance(
        date="2026-03-10", subject_limit=daily + 5, subjects_spent=2,
        subjects_per_question=limits.subjects, question_bytes=limits.question_bytes,
    )  # fmt: skip
    ordinary = node.cases.allowance(signed(reading(case_reference="")), AGENCY)
    assert ordinary == replace(found, subject_limit=daily)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda found: found["members"][0]["agencies"][0].update(purposes=[REPORT]), RefusalReason.AGENCY_NOT_ALLOWED),
        (lambda found: found["members"][0]["officers"][0].update(roles=[]), RefusalReason.AGENCY_NOT_ALLOWED),
    ],
)
async def test_an_allowance_is_for_those_entitled(
    change: Callable[[dict[str, Any]], None], reason: RefusalReason
) -> None:
    """Neither an agency without the purpose nor an officer without a role learns what was spent."""
    node = federation()[SHANGHAI]
    node.charter = charter_of(SHANGHAI, signed_directory(change))
    with pytest.raises(Refused) as refused:
        node.cases.allowance(signed(reading(case_reference="")), AGENCY)
    assert refused.value.reason is reason
