"""Agency, officer, matter, case, consent, agreement and budget are checked at the desk and at the origin.

Duties U7, U8, U9 and U14: what the desk refuses, a member without such a desk is refused by the origin.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import grpc
import pytest
from callers import Caller, codes, leaf, measures, reason, summary
from conftest import SUSPENDED
from officers import Denied, Officer, denied, named, no_violation, publish, rating, settle, start

from gateway import authorisation, carriers, wire
from gateway.model.answer import SummaryItem
from gateway.model.codes import AuthorisationStatus, OutcomeState, RefusalReason, SignatureClass, Window
from gateway.model.question import Authorisation, NamedSubject, SummaryQuestion
from keys import suite
from keys.envelope import Envelope, Signature, sign
from nodes.lab import Lab, build
from nodes.sample.scenarios import CLEAN, LISTED, ZONE_RATED
from yrdx.exchange.v1 import desk_pb2

pytestmark = pytest.mark.net
PAIR = ("310000", "320000")
DAILY = 3
Document = dict[str, Any]
_numbers = count(1)


@pytest.fixture(scope="module", autouse=True)
def _settled(lab: Lab) -> None:
    settle(lab)


@pytest.fixture
def officer(lab: Lab) -> Officer:
    """Give an officer of Qingpu's market regulator."""
    return Officer(lab=lab)


def amend(document: Document) -> None:
    """Make budgets small, end a role, suspend an agency, end another, and suspend the zone's agreement."""
    for purpose in document["purposes"]:
        if purpose["code"] in {"FISCAL_FUND", "SCI_TECH_PROJECT"}:
            purpose["daily_subjects"] = DAILY
    shanghai = next(each for each in document["members"] if each["id"] == "310000")
    for officer in shanghai["officers"]:
        if officer["id"] == "310107-market/o1":
            officer["roles"] = [{"role": "ask", "from": "2025-01-01", "until": "2026-01-02"}]
        if officer["id"] == "310107-market/o2":
            officer["roles"][1]["until"] = "2026-01-02"
    for agency in shanghai["agencies"]:
        if agency["id"] == "310107-credit":
            agency["suspended"] = True
        if agency["id"] == "310115-credit":
            agency["active_until"] = "2026-01-02"
    zone = next(each for each in document["agreements"] if each["id"] == "ZONE-2026")
    zone.update(edition=2, suspended=True)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run Shanghai and Jiangsu under stricter rules; neither has any facts."""
    built = build(tmp_path_factory.mktemp("office") / "lab")
    built.edits.append(amend)
    try:
        yield start(built, *PAIR)
    finally:
        built.stop()


def ask(officer: Officer, **changes: Any) -> Any:
    """Ask for supervision what any officer may ask."""
    return officer.ask(measures(named(CLEAN.uscc)), members=("310000",), **changes)


# U7: who asks


async def test_an_officer_with_the_role_is_answered(officer: Officer) -> None:
    """The officer of every refusal below is answered when nothing is wrong."""
    assert (await ask(officer)).outcomes["310000"].state is OutcomeState.ANSWERED


@pytest.mark.parametrize("name", ["a1", "m1"])
async def test_an_officer_without_the_role_may_not_ask(lab: Lab, caller: Caller, name: str) -> None:
    """An auditor and an administrator have keys and no role to ask: refused at the desk and at the origin."""
    officer = Officer(lab=lab, name=f"310118-credit/{name}")
    assert await denied(ask(officer)) is RefusalReason.AGENCY_NOT_ALLOWED
    reply = await caller.ask(
        caller.compose(agency="310118-credit", alter=lambda header: header.update(officer=officer.name))
    )
    assert reason(reply) is RefusalReason.AGENCY_NOT_ALLOWED


async def test_an_officer_of_another_agency_may_not_ask(lab: Lab, officer: Officer, caller: Caller) -> None:
    """An officer of Pudong does not ask for Qingpu, though the key and the signature are good."""
    other = Officer(lab=lab, name="310115-market/o1")
    intent = officer.intent(measures(named(CLEAN.uscc)), officer=other.name)
    assert await denied(officer.send(officer.sign(intent, other.signer()))) is RefusalReason.AGENCY_NOT_ALLOWED
    reply = await caller.ask(caller.compose(alter=lambda header: header.update(officer=other.name)))
    assert reason(reply) is RefusalReason.AGENCY_NOT_ALLOWED


async def test_an_officer_nobody_listed_may_not_ask(officer: Officer, caller: Caller) -> None:
    """An officer that the directory does not list is unknown, whoever signs."""
    intent = officer.intent(measures(named(CLEAN.uscc)), officer="310118-market/o9")
    assert await denied(officer.send(officer.sign(intent))) is RefusalReason.AGENCY_NOT_ALLOWED
    stranger = suite.signer(suite.generate_seed(), owner="310118-market/o9")
    assert await denied(officer.send(officer.sign(intent, stranger))) is RefusalReason.KEY_NOT_VALID
    reply = await caller.ask(caller.compose(alter=lambda header: header.update(officer="310118-market/o9")))
    assert reason(reply) is RefusalReason.AGENCY_NOT_ALLOWED


async def test_a_role_that_ended_is_none(office: Lab) -> None:
    """An officer whose role to ask ended may not ask, at the desk and at the origin."""
    officer = Officer(lab=office, name="310107-market/o1")
    assert await denied(ask(officer)) is RefusalReason.AGENCY_NOT_ALLOWED
    assert await at_origin(office, agency="310107-market") is RefusalReason.AGENCY_NOT_ALLOWED
    assert (await ask(Officer(lab=office, name="310107-market/o2"))).outcomes["310000"].state is OutcomeState.ANSWERED


async def at_origin(lab: Lab, **terms: Any) -> RefusalReason | None:
    """Ask Jiangsu as a Shanghai without a desk; give the reason of a refusal."""
    caller = Caller(lab=lab)
    try:
        reply = await caller.ask(caller.compose(**{"body": measures(named(CLEAN.uscc)), **terms}))
    finally:
        await caller.close()
    return reason(reply) if reply.refused else None


@pytest.mark.parametrize(
    ("agency", "refused"),
    [("310107-credit", RefusalReason.SUSPENDED), ("310115-credit", RefusalReason.AGENCY_NOT_ALLOWED)],
)
async def test_an_agency_that_is_suspended_or_ended_may_not_ask(
    office: Lab, agency: str, refused: RefusalReason
) -> None:
    """Both ends refuse a suspended agency as such, and one whose time ended as not allowed."""
    assert await denied(ask(Officer(lab=office, name=f"{agency}/o1"))) is refused
    assert await at_origin(office, agency=agency) is refused


async def test_an_officer_who_was_removed_is_out_with_the_next_directory(office: Lab) -> None:
    """A directory without the officer ends its asking and its session at once; the officer beside stays."""
    officer, other = (Officer(lab=office, name=f"310115-finance/{name}") for name in ("o1", "o2"))
    seated = Officer(lab=office, name=officer.name)
    await seated.begin()
    body = {"purpose": "JOINT_PUNISHMENT", "case_reference": "removed"}
    await officer.open_case("removed", purpose="JOINT_PUNISHMENT")
    for each in (officer, seated):
        assert (await ask(each, **body)).outcomes["310000"].state is OutcomeState.ANSWERED

    def remove(document: Document) -> None:
        shanghai = next(each for each in document["members"] if each["id"] == "310000")
        shanghai["officers"] = [each for each in shanghai["officers"] if each["id"] != officer.name]

    office.edits.append(remove)
    publish(office)
    assert await denied(ask(officer, **body)) is RefusalReason.KEY_NOT_VALID
    assert await denied(ask(seated, **body)) is RefusalReason.KEY_NOT_VALID
    assert (await ask(other, **body)).outcomes["310000"].state is OutcomeState.ANSWERED


async def test_a_purpose_of_another_agency_is_not_allowed(officer: Officer) -> None:
    """A market regulator does not ask for public funds; a matter of the 2025 edition is out of date."""
    assert await denied(officer.open_case("funds", purpose="FISCAL_FUND")) is RefusalReason.AGENCY_NOT_ALLOWED
    assert await denied(ask(officer, purpose="FISCAL_FUND")) is RefusalReason.AGENCY_NOT_ALLOWED
    trading = Officer(lab=officer.lab, name="310000-trading/o1")
    old = trading.open_case("old", purpose="TENDERING", application_item="SH-2025-005")
    assert await denied(old) is RefusalReason.ITEM_NOT_PUBLISHED


async def test_a_certificate_of_another_agency_is_no_use(lab: Lab, officer: Officer) -> None:
    """A good intent over another agency's connection is refused, and a node's certificate opens no desk."""
    other = Officer(lab=lab, name="310115-market/o1").leaf()
    request = request_of(officer.sign(officer.intent(measures(named(CLEAN.uscc)))))
    assert await denied(officer.call("AskMembers", request, identity=other)) is RefusalReason.AGENCY_NOT_ALLOWED
    with pytest.raises(Denied) as caught:
        await officer.call("AskMembers", request, identity=leaf(lab, "310000"))
    assert (caught.value.reason, caught.value.error.code()) == (None, grpc.StatusCode.UNAUTHENTICATED)


async def test_the_desk_of_another_member_does_not_let_an_agency_in(lab: Lab, officer: Officer) -> None:
    """An agency of Shanghai does not get through the handshake of Jiangsu's desk."""
    request = request_of(officer.sign(officer.intent(measures(named(CLEAN.uscc)))))
    with pytest.raises(Denied) as caught:
        await officer.call("AskMembers", request, to="320000")
    assert caught.value.error.code() is grpc.StatusCode.UNAVAILABLE


def request_of(envelope: Envelope) -> bytes:
    """Serialise an AskMembersRequest."""
    return desk_pb2.AskMembersRequest(intent=carriers.envelope_to_message(envelope)).SerializeToString()


async def test_an_intent_is_the_officers_own_fresh_and_whole(officer: Officer) -> None:
    """Signed by a colleague, changed after signing, too old or from the future: each has its own refusal."""
    intent = officer.intent(measures(named(CLEAN.uscc)))
    colleague = officer.signer("310118-market/o2")
    assert await denied(officer.send(officer.sign(intent, colleague))) is RefusalReason.BAD_SIGNATURE
    both = officer.sign(intent, officer.signer(), colleague)
    assert await denied(officer.send(both)) is RefusalReason.BAD_SIGNATURE
    signed = officer.sign(intent)
    other = wire.encode(replace(intent, body=measures(named(LISTED.uscc))))
    assert await denied(officer.send(replace(signed, payload=other))) is RefusalReason.BAD_SIGNATURE
    for minutes in (-6, 2):
        moved = replace(intent, intend_time=officer.lab.clock() + timedelta(minutes=minutes))
        assert await denied(officer.send(officer.sign(moved))) is RefusalReason.EXPIRED
    wrong = sign("application/vnd.yrdx.question.v1+proto", wire.encode(intent), officer.signer())
    assert await denied(officer.send(wrong)) is RefusalReason.WRONG_TYPE


# U7: the second officer


def customs(lab: Lab, **changes: Any) -> Officer:
    """Give an officer of Shanghai's customs, whose purpose wants two."""
    return Officer(lab=lab, name=changes.pop("name", "310000-customs/o1"), **changes)


async def ask_customs(officer: Officer, **changes: Any) -> Any:
    """Ask for customs co-operation in a case."""
    reference = f"customs-{next(_numbers)}"
    await customs(officer.lab).open_case(reference, purpose="CUSTOMS_COOP")
    body = SummaryQuestion(subjects=(named(CLEAN.uscc),), window=Window.M12)
    return await officer.ask(body, purpose="CUSTOMS_COOP", case_reference=reference, members=("310000",), **changes)


async def test_two_officers_sign_the_same_bytes(lab: Lab) -> None:
    """With the second officer's signature the question goes out and names both."""
    told = await ask_customs(customs(lab, second="310000-customs/o2"))
    header = told.content.exchanges[0].signed.question.header
    assert (header.officer, header.approving_officer) == ("310000-customs/o1", "310000-customs/o2")
    assert told.outcomes["310000"].state is OutcomeState.ANSWERED


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param("310000-customs/o1", "", id="none"),
        pytest.param("310000-customs/o2", "310000-customs/o2", id="the-same"),
        pytest.param("310000-customs/o2", "310000-customs/o1", id="without-the-role"),
    ],
)
async def test_the_second_officer_is_another_with_the_role(lab: Lab, first: str, second: str) -> None:
    """No second officer, oneself, or one without the role to approve: refused at the desk and at the origin."""
    officer = customs(lab, name=first, second="" if second == first else second)
    assert await denied(ask_customs(officer, approving_officer=second)) is RefusalReason.SECOND_OFFICER_NEEDED
    caller = Caller(lab=lab)
    try:
        signed = caller.compose(
            purpose="CUSTOMS_COOP", item="SH-2026-017", agency="310000-customs", case_reference="c",
            alter=lambda header: header.update(officer=first, approving_officer=second),
            body=SummaryQuestion(subjects=codes(1), window=Window.M12),
        )  # fmt: skip
        assert reason(await caller.ask(signed)) is RefusalReason.SECOND_OFFICER_NEEDED
    finally:
        await caller.close()


async def test_a_second_officer_who_is_named_must_have_signed(lab: Lab) -> None:
    """The name alone is no approval."""
    officer = customs(lab)
    asked = ask_customs(officer, approving_officer="310000-customs/o2")
    assert await denied(asked) is RefusalReason.SECOND_OFFICER_NEEDED


async def test_a_second_officer_of_another_agency_is_refused(lab: Lab, caller: Caller) -> None:
    """An approver of another agency approves nothing here, though both signatures are good."""
    officer, other = customs(lab), Officer(lab=lab, name="310000-market/o2")
    await officer.open_case("customs-other", purpose="CUSTOMS_COOP")
    body = SummaryQuestion(subjects=(named(CLEAN.uscc),), window=Window.M12)
    intent = officer.intent(body, purpose="CUSTOMS_COOP", approving_officer=other.name, case_reference="customs-other")
    sent = officer.send(officer.sign(intent, officer.signer(), other.signer()))
    assert await denied(sent) is RefusalReason.AGENCY_NOT_ALLOWED
    signed = caller.compose(
        body, purpose="CUSTOMS_COOP", item="SH-2026-017", agency="310000-customs", case_reference="c",
        approving_officer=other.name,
    )  # fmt: skip
    assert reason(await caller.ask(signed)) is RefusalReason.SECOND_OFFICER_NEEDED


async def test_an_approval_whose_role_ended_is_none(office: Lab) -> None:
    """A second officer whose role to approve ended is refused even where none is wanted."""
    officer = Officer(lab=office, name="310107-market/o2")
    terms = {"agency": "310107-market", "alter": lambda header: header.update(
        officer="310107-market/o2", approving_officer="310107-market/o2")}  # fmt: skip
    assert await denied(ask(officer, approving_officer=officer.name)) is RefusalReason.SECOND_OFFICER_NEEDED
    assert await at_origin(office, **terms) is RefusalReason.SECOND_OFFICER_NEEDED


# U7 and U14: cases


async def test_a_purpose_that_wants_a_case_is_refused_without_one(officer: Officer) -> None:
    """No case, an unknown one, one of another purpose or another matter: CASE_MISSING."""
    await officer.open_case("licence", purpose="ADMIN_LICENSING", application_item="SH-2026-001")
    await officer.open_case("punish", purpose="JOINT_PUNISHMENT")
    body, purpose = measures(named(CLEAN.uscc)), "ADMIN_LICENSING"
    for reference, item in (
        ("", "SH-2026-001"),
        ("nowhere", "SH-2026-001"),
        ("punish", "SH-2026-001"),
        ("licence", "SH-2026-002"),
    ):
        asked = officer.ask(body, purpose=purpose, application_item=item, case_reference=reference, members=("310000",))
        assert await denied(asked) is RefusalReason.CASE_MISSING, reference
    told = await officer.ask(
        body, purpose=purpose, application_item="SH-2026-001", case_reference="licence", members=("310000",)
    )
    assert told.result.case_reference == "licence"


async def test_the_origin_wants_a_case_too(caller: Caller) -> None:
    """A question of such a purpose without a case is refused by the origin."""
    signed = caller.compose(measures(), purpose="ADMIN_LICENSING", item="SH-2026-001")
    assert reason(await caller.ask(signed)) is RefusalReason.CASE_MISSING


async def test_a_case_of_another_agency_is_unknown(lab: Lab, officer: Officer) -> None:
    """Another agency neither asks in a case nor reads it, and cannot tell it from one that is not there."""
    await officer.open_case("ours", purpose="ADMIN_LICENSING")
    other = Officer(lab=lab, name="310115-market/o1")
    asked = ask(other, purpose="ADMIN_LICENSING", case_reference="ours")
    assert await denied(asked) is RefusalReason.CASE_MISSING
    assert await denied(other.read_case("ours")) is RefusalReason.CASE_MISSING
    assert await denied(other.read_case("nowhere")) is RefusalReason.CASE_MISSING


async def test_a_case_holds_every_result_in_order(officer: Officer) -> None:
    """Each asking adds a result; pages of one give them back byte for byte, oldest first."""
    await officer.open_case("pages", purpose="ADMIN_LICENSING", application_item="SH-2026-001")
    raws = []
    for code in (CLEAN.uscc, LISTED.uscc, ZONE_RATED.uscc):
        told = await officer.ask(
            measures(named(code)), purpose="ADMIN_LICENSING", application_item="SH-2026-001",
            case_reference="pages", members=("310000",),
        )  # fmt: skip
        raws.append(told.response)
    pages, token = [], ""
    while True:
        case, results, token = await officer.read_case("pages", size=1, token=token)
        pages.append([each.response for each in results])
        if not token:
            break
    assert pages == [[each] for each in raws]
    assert (case.case_reference, case.officer, case.result_count) == ("pages", "310118-market/o1", 3)
    _, every, token = await officer.read_case("pages")
    assert ([each.response for each in every], token) == (raws, "")


async def test_a_reference_stands_for_one_case(officer: Officer) -> None:
    """The same reference with other content is refused, and so is one that is no reference."""
    await officer.open_case("once", purpose="ADMIN_LICENSING")
    assert await denied(officer.open_case("once", purpose="JOINT_PUNISHMENT")) is RefusalReason.REPLAYED
    for reference in ("", "a b", "x" * 65, "case/1"):
        asked = officer.open_case(reference, purpose="ADMIN_LICENSING")
        assert await denied(asked) is RefusalReason.MALFORMED


async def test_a_case_with_more_subjects_than_the_limit_is_approved_by_two(office: Lab) -> None:
    """Above the ordinary limit a case wants a second officer; approved, its questions may reach so many (U14)."""
    one, two = (Officer(lab=office, name="310000-science/o1", second=second) for second in ("", "310000-science/o2"))
    purpose, subjects = "SCI_TECH_PROJECT", codes(DAILY + 2, start=910_000)
    opened = one.open_case("large", purpose=purpose, subjects=DAILY + 2)
    assert await denied(opened) is RefusalReason.SECOND_OFFICER_NEEDED
    await one.open_case("small", purpose=purpose, subjects=DAILY)
    case = await two.open_case("large", purpose=purpose, subjects=DAILY + 2)
    assert (case.subject_count, case.approving_officer) == (DAILY + 2, "310000-science/o2")
    body = SummaryQuestion(subjects=subjects, window=Window.M36, data_items=("listing",))
    small = await one.ask(body, purpose=purpose, case_reference="small", members=PAIR)
    assert {each.reason for each in small.result.members} == {RefusalReason.BUDGET_EXHAUSTED}
    large = await one.ask(body, purpose=purpose, case_reference="large", members=PAIR)
    assert {each.state for each in large.result.members} == {OutcomeState.ANSWERED}
    header = large.content.exchanges[0].signed.question.header
    assert (header.case_subject_count, header.approving_officer) == (DAILY + 2, "310000-science/o2")
    terms = {"purpose": purpose, "item": "SH-2026-011", "agency": "310000-science", "case_reference": "large"}
    alter: Callable[[dict[str, Any]], object] = lambda header: header.update(case_subject_count=DAILY + 9)  # noqa: E731
    assert await at_origin(office, body=body, alter=alter, **terms) is RefusalReason.SECOND_OFFICER_NEEDED


# U14: budgets


async def test_a_budget_counts_distinct_subjects_of_a_purpose_and_agency(office: Lab) -> None:
    """The same subjects again are free; one more than the limit is refused by each member; others' are untouched."""
    officer = Officer(lab=office, name="310118-finance/o1")
    purpose = "FISCAL_FUND"
    await officer.open_case("budget", purpose=purpose)
    subjects = codes(DAILY + 1, start=920_000)

    async def spend(asker: Officer, wanted: tuple[NamedSubject, ...], **changes: Any) -> set[RefusalReason | None]:
        terms = {"purpose": purpose, "case_reference": "budget", "members": PAIR, **changes}
        return {each.reason for each in (await asker.ask(measures(*wanted), **terms)).result.members}

    assert await spend(officer, subjects[:2]) == {None}
    for _ in range(3):
        assert await spend(officer, subjects[:2]) == {None}
    left = await officer.allowance(purpose, "budget")
    assert (left.subject_limit, left.subjects_spent, left.subjects_per_question) == (DAILY, 2, 1_000)
    assert await spend(officer, subjects[1:DAILY]) == {None}
    assert await spend(officer, subjects[DAILY:]) == {RefusalReason.BUDGET_EXHAUSTED}
    assert await spend(officer, subjects[:2] + subjects[DAILY:]) == {RefusalReason.BUDGET_EXHAUSTED}
    assert await spend(officer, subjects[:DAILY]) == {None}
    await officer.open_case("punish", purpose="JOINT_PUNISHMENT")
    other = {"purpose": "JOINT_PUNISHMENT", "case_reference": "punish"}
    assert await spend(officer, subjects, **other) == {None}
    neighbour = Officer(lab=office, name="310115-finance/o2")
    await neighbour.open_case("budget", purpose=purpose)
    assert await spend(neighbour, subjects[DAILY:]) == {None}


# U8: the subject's consent


def consent(lab: Lab, *, key: str = "330000", **changes: Any) -> Envelope:
    """Vouch for a consent of the zone's firm to Qingpu's market regulator."""
    now = lab.clock()
    wanted: dict[str, Any] = {
        "authorisation_id": os.urandom(16),
        "uscc": ZONE_RATED.uscc,
        "agency": "310118-market",
        "purposes": ("NO_VIOLATION_REPORT",),
        "kinds": ("no_violation",),
        "members": lab.members,
        "valid_from_time": now - timedelta(minutes=1),
        "valid_until_time": now + timedelta(days=30),
        "text_version": "sample-2026",
        "signature_class": SignatureClass.E_LICENCE,
        "home_member": "330000",
        "status": AuthorisationStatus.IN_FORCE,
        "status_time": now,
    }
    return authorisation.vouch(Authorisation(**{**wanted, **changes}), lab.signer(key))


def forged(lab: Lab) -> Envelope:
    """Put another subject into a vouched consent."""
    good = consent(lab, uscc=LISTED.uscc)
    value = wire.decode(Authorisation, good.payload)
    return replace(good, payload=wire.encode(replace(value, uscc=ZONE_RATED.uscc)))


def flipped(lab: Lab) -> Envelope:
    """Flip a bit of the signature."""
    good = consent(lab)
    (held,) = good.signatures
    torn = held.signature[:-1] + bytes([held.signature[-1] ^ 1])
    return replace(good, signatures=(Signature(key_id=held.key_id, signature=torn),))


def by_stranger(lab: Lab) -> Envelope:
    """Sign with a key that no directory lists."""
    value = wire.decode(Authorisation, consent(lab).payload)
    return authorisation.vouch(value, suite.signer(suite.generate_seed(), owner="330000"))


def by_officer(lab: Lab) -> Envelope:
    """Sign with the asking officer's own key."""
    value = wire.decode(Authorisation, consent(lab).payload)
    return authorisation.vouch(value, Officer(lab=lab).signer())


def of_other_type(lab: Lab) -> Envelope:
    """Sign the same bytes as something else."""
    return sign("application/vnd.yrdx.answer.v1+proto", consent(lab).payload, lab.signer("330000"))


def shifted(name: str, **spans: float) -> Callable[[Lab], Envelope]:
    """Move one time of the consent."""

    def move(lab: Lab) -> Envelope:
        changes: dict[str, Any] = {name: lab.clock() + timedelta(**spans)}
        return consent(lab, **changes)

    return move


BAD_CONSENTS: dict[str, Callable[[Lab], Envelope | None]] = {
    "missing": lambda _: None,
    "other subject": lambda lab: consent(lab, uscc=LISTED.uscc),
    "other agency": lambda lab: consent(lab, agency="310115-market"),
    "other purpose": lambda lab: consent(lab, purposes=("FINANCING",)),
    "other kind": lambda lab: consent(lab, kinds=("summary", "rating")),
    "other members": lambda lab: consent(lab, members=("330000", "340000")),
    "expired": shifted("valid_until_time", seconds=-1),
    "not yet begun": shifted("valid_from_time", minutes=5),
    "stale status": shifted("status_time", minutes=-1_441),
    "status from the future": shifted("status_time", minutes=5),
    "withdrawn": lambda lab: consent(lab, status=AuthorisationStatus.WITHDRAWN),
    "by another member": lambda lab: consent(lab, key="320000"),
    "by a stranger": by_stranger,
    "by the officer": by_officer,
    "of another type": of_other_type,
    "forged": forged,
    "torn signature": flipped,
}


async def report_at_origin(caller: Caller, *consents: Envelope, subjects: tuple[NamedSubject, ...] = ()) -> Any:
    """Ask an origin for a report as a member without a desk."""
    body = no_violation(*(subjects or (named(ZONE_RATED.uscc),)))
    return await caller.ask(
        caller.compose(body, purpose="NO_VIOLATION_REPORT", item="SH-2026-015", authorisations=consents)
    )


async def report_at_desk(officer: Officer, *consents: Envelope, subjects: tuple[NamedSubject, ...] = ()) -> Any:
    """Ask the desk for a report."""
    body = no_violation(*(subjects or (named(ZONE_RATED.uscc),)))
    return await officer.ask(body, purpose="NO_VIOLATION_REPORT", authorisations=consents, members=("320000",))


async def test_a_good_consent_is_enough_at_both_ends(officer: Officer, caller: Caller) -> None:
    """The consent of every refusal below is good when nothing is wrong with it; bad ones beside it do no harm."""
    consents = (consent(officer.lab, agency="310115-market"), consent(officer.lab))
    assert (await report_at_desk(officer, *consents)).outcomes["320000"].state is OutcomeState.ANSWERED
    assert not (await report_at_origin(caller, *consents)).refused


@pytest.mark.parametrize("case", BAD_CONSENTS)
async def test_a_consent_that_does_not_hold_is_missing_at_both_ends(
    officer: Officer, caller: Caller, case: str
) -> None:
    """Whatever is wrong with a consent, desk and origin both answer AUTHORISATION_MISSING and no more (threat 5)."""
    made = BAD_CONSENTS[case](officer.lab)
    consents = () if made is None else (made,)
    assert await denied(report_at_desk(officer, *consents)) is RefusalReason.AUTHORISATION_MISSING
    assert reason(await report_at_origin(caller, *consents)) is RefusalReason.AUTHORISATION_MISSING


async def test_every_subject_of_a_batch_needs_its_own_consent(officer: Officer, caller: Caller) -> None:
    """One consent for two subjects is none; with both, the batch is answered."""
    pair = (named(ZONE_RATED.uscc), named(LISTED.uscc))
    one, two = consent(officer.lab), consent(officer.lab, uscc=LISTED.uscc, home_member="340000", key="340000")
    assert await denied(report_at_desk(officer, one, subjects=pair)) is RefusalReason.AUTHORISATION_MISSING
    assert reason(await report_at_origin(caller, one, subjects=pair)) is RefusalReason.AUTHORISATION_MISSING
    told = await report_at_desk(officer, one, two, subjects=pair)
    assert told.outcomes["320000"].state is OutcomeState.ANSWERED
    assert not (await report_at_origin(caller, two, one, subjects=pair)).refused


# U9: the agreement


async def test_an_agreement_that_is_named_holds_or_is_refused(officer: Officer, caller: Caller) -> None:
    """A named agreement stands in every answer; an unknown, a suspended and an unfitting one do not pass."""
    told = await ask(officer, agreement_id="YRD-4-2026")
    assert told.result.agreement_id == "YRD-4-2026"
    assert {head.agreement_id for head in told.heads.values()} == {"YRD-4-2026"}
    for agreement, refused in (
        ("NONE-2026", RefusalReason.NO_AGREEMENT),
        (SUSPENDED, RefusalReason.SUSPENDED),
        ("ZONE-2026", RefusalReason.NO_AGREEMENT),
    ):
        assert await denied(ask(officer, agreement_id=agreement)) is refused
        assert reason(await caller.ask(caller.compose(measures(), agreement=agreement))) is refused


async def test_an_agreement_that_is_not_named_is_chosen_by_precedence(lab: Lab, officer: Officer) -> None:
    """The first in precedence that fits is used: the zone's for recognition, the four regions' for the rest."""
    assert (await ask(officer)).result.agreement_id == "YRD-4-2026"
    credit = Officer(lab=lab, name="310118-credit/o1")
    assert (await credit.recognise(ZONE_RATED.uscc)).result.agreement_id == "ZONE-2026"


async def test_a_suspended_agreement_is_not_chosen_and_has_no_substitute(office: Lab) -> None:
    """With the zone's agreement suspended nothing else recognises; named, it is refused as suspended."""
    credit = Officer(lab=office, name="310118-credit/o1")
    assert await denied(credit.recognise(ZONE_RATED.uscc)) is RefusalReason.NO_AGREEMENT
    assert await denied(credit.recognise(ZONE_RATED.uscc, agreement_id="ZONE-2026")) is RefusalReason.SUSPENDED
    given = credit.consent(ZONE_RATED.uscc, purpose="RATING_RECOGNITION", kind="rating")
    terms = {"purpose": "RATING_RECOGNITION", "item": "SH-2026-012", "agency": "310118-credit"}
    refused = await at_origin(
        office, body=rating(named(ZONE_RATED.uscc)), agreement="ZONE-2026", authorisations=(given,), **terms
    )
    assert refused is RefusalReason.SUSPENDED


async def test_a_field_beyond_the_purpose_is_withheld_for_that_reason(officer: Officer) -> None:
    """A field that the purpose does not hold is withheld with that reason, and stands in no line."""
    science = Officer(lab=officer.lab, name="310000-science/o1")
    await science.open_case("fields", purpose="SCI_TECH_PROJECT")
    told = await science.ask(
        summary(named(LISTED.uscc)), purpose="SCI_TECH_PROJECT", case_reference="fields", members=("340000",)
    )
    head, body = told.heads["340000"], told.items["340000"].body
    assert head.fields_granted == ("listing.listed",)
    assert {each.reason.value for each in head.fields_withheld} == {"PURPOSE"}
    assert isinstance(body, SummaryItem)
    assert (body.penalties, body.permits) == ((), ())
    assert [(each.list_type, each.listed, each.since_month, each.basis_class) for each in body.listings] == [
        ("TAX_SEVERE", True, None, None)
    ]


async def test_a_purpose_bound_to_its_matter_reaches_no_other_domain(officer: Officer) -> None:
    """A food licence reaches food, market and product records; a severe tax listing is not its business."""
    await officer.open_case("bound", purpose="ADMIN_LICENSING", application_item="SH-2026-001")
    told = await officer.ask(
        summary(named(LISTED.uscc)), purpose="ADMIN_LICENSING", application_item="SH-2026-001", case_reference="bound"
    )
    domains = {each.domain for head in told.heads.values() for each in head.coverage}
    assert domains == {"FOOD_DRUG", "MARKET_REG", "PRODUCT_QUALITY", "REGISTER"}
    assert told.states == {"310000": "NOT_FOUND", "320000": "FOUND", "330000": "NOT_FOUND", "340000": "NOT_FOUND"}
