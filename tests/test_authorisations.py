"""Authorisations between real members (duty U8, threat 5): given, used, withdrawn, and never used twice."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import count
from typing import Any

import grpc
import pytest
from callers import Caller, leaf, reason, rows
from officers import Denied, Officer, deliver, denied, named, no_violation, start
from test_faults_crash import gone, start_deadly

from gateway import carriers, wire
from gateway.client import RemoteMember, open_channel
from gateway.consents import SERVICE, RemoteHome
from gateway.errors import Refused, Unavailable
from gateway.exchange.handing import OWNER
from gateway.exchange.vouching import write_request
from gateway.model.answer import NoViolationItem
from gateway.model.codes import ConsentReason, KeyRole, OutcomeState, RefusalReason, SignatureClass, Window
from gateway.model.consent import (
    AskedQuestion,
    Attestation,
    Consent,
    HeldConsent,
    KeyRequest,
    StatusRequest,
    Withdrawal,
)
from gateway.model.question import Question, SummaryQuestion
from gateway.model.signed import Signed
from gateway.statuses import consent_reason_of
from gateway.uscc import sample_code
from keys import suite
from keys.envelope import Envelope, sign
from nodes.lab import Lab, build
from nodes.sample.subjects import Subject
from yrdx.exchange.v1 import authorisation_pb2

pytestmark = pytest.mark.net
ASKER, HOME = "310000", "320000"
PURPOSE, AGENCY, ITEM = "NO_VIOLATION_REPORT", "310118-market", "SH-2026-015"
SINCE = date(2019, 1, 1)
_serials = count(810_000)


def fresh() -> Subject:
    """Give a subject that no other test has."""
    serial = next(_serials)
    return Subject(uscc=sample_code("91", "320102", serial), name=f"样例授权{serial}号有限公司")


def end_a_purpose(document: dict[str, Any]) -> None:
    """Add a purpose that has ended."""
    row = next(each for each in document["purposes"] if each["code"] == PURPOSE)
    document["purposes"].append(
        {**row, "code": "ENDED_REPORT", "valid_from": "2024-01-01", "valid_until": "2025-01-01"}
    )


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run Shanghai, which asks, and Jiangsu, whose subjects these are."""
    built = build(tmp_path_factory.mktemp("authorisations") / "lab")
    built.edits.append(end_a_purpose)
    try:
        yield start(built, ASKER, HOME)
    finally:
        built.stop()


@pytest.fixture
async def caller(pair: Lab) -> AsyncIterator[Caller]:
    """Give Shanghai's node as an asker by hand."""
    found = Caller(lab=pair)
    yield found
    await found.close()


@dataclass(kw_only=True)
class Firm:
    """A subject of Jiangsu with a key, and the desk of two officers where it hands things in."""

    lab: Lab
    subject: Subject = field(default_factory=fresh)
    key: suite.Signer = field(default_factory=lambda: suite.signer(suite.generate_seed(), owner=OWNER))

    def __post_init__(self) -> None:
        """Find the desk."""
        self.desk = Officer(lab=self.lab, name=f"{HOME}-credit/o1", second=f"{HOME}-credit/o2")

    def register(self) -> None:
        """Have the firm registered."""
        deliver(self.lab, HOME, lambda desk: desk.register(self.subject, division="320102", since=SINCE))

    async def send(self, method: str, envelope: Envelope) -> bytes:
        """Hand something in."""
        message = getattr(authorisation_pb2, f"{method}Request")()
        name = message.DESCRIPTOR.fields[0].name
        getattr(message, name).CopyFrom(carriers.envelope_to_message(envelope))
        return await self.desk.call(f"/{SERVICE}/{method}", message.SerializeToString())

    def signed(self, value: Any) -> Envelope:
        """Sign with the firm's key."""
        return sign(wire.PAYLOAD_TYPES[type(value)], wire.encode(value), self.key)

    async def enrol(self) -> None:
        """Have the key enrolled."""
        now = self.lab.clock()
        request = KeyRequest(
            uscc=self.subject.uscc, home_member=HOME, suite=self.key.suite, public=self.key.public,
            roles=(KeyRole.VIEW, KeyRole.CONSENT), valid_from_time=now - timedelta(minutes=1),
            valid_until_time=now + timedelta(days=30), request_time=now,
        )  # fmt: skip
        attestation = Attestation(
            agency=self.desk.agency, officer=self.desk.name, approving_officer=self.desk.second, attest_time=now,
            scan_digest=os.urandom(32), body=self.signed(request),
        )  # fmt: skip
        await self.send("EnrolKey", self.desk.sign(attestation))

    async def give(self, **changes: Any) -> Consent:
        """Give Qingpu's market regulator an authorisation."""
        now = self.lab.clock()
        wanted: dict[str, Any] = {
            "authorisation_id": os.urandom(16), "uscc": self.subject.uscc, "home_member": HOME, "agency": AGENCY,
            "purposes": (PURPOSE,), "kinds": ("no_violation",), "members": (ASKER, HOME),
            "valid_from_time": now - timedelta(minutes=1), "valid_until_time": now + timedelta(days=30),
            "text_version": "sample-2026", "signature_class": SignatureClass.SUBJECT_KEY, "give_time": now,
        }  # fmt: skip
        payload = await self.send("GiveAuthorisation", self.signed(Consent(**{**wanted, **changes})))
        response = authorisation_pb2.GiveAuthorisationResponse.FromString(payload)
        return wire.from_message(HeldConsent, response.held).consent

    async def withdraw(self, consent: Consent) -> None:
        """Take an authorisation back."""
        value = Withdrawal(
            authorisation_id=consent.authorisation_id, uscc=consent.uscc, home_member=HOME,
            signature_class=SignatureClass.SUBJECT_KEY, withdraw_time=self.lab.clock(),
        )  # fmt: skip
        await self.send("WithdrawAuthorisation", self.signed(value))

    def request(self, use: bytes) -> Envelope:
        """Write what Shanghai's node would ask Jiangsu for."""
        request = StatusRequest(
            use_id=use * 16, asker_member=ASKER, home_member=HOME, ask_time=self.lab.clock(), agency=AGENCY,
            purpose=PURPOSE, kind="no_violation", subjects=(self.subject.uscc,),
            questions=(AskedQuestion(answerer_member=HOME, question_id=use * 16),),
        )  # fmt: skip
        return write_request(request, self.lab.signer(ASKER))


@pytest.fixture
async def firm(pair: Lab) -> Firm:
    """Give a registered firm with an enrolled key."""
    found = Firm(lab=pair)
    found.register()
    await found.enrol()
    return found


async def report(firm: Firm, **changes: Any) -> Any:
    """Have an officer of Qingpu ask for a report, naming nothing."""
    officer = Officer(lab=firm.lab)
    terms = {"purpose": PURPOSE, "application_item": ITEM, "members": (ASKER, HOME), **changes}
    return await officer.ask(no_violation(named(firm.subject.uscc)), **terms)


def carried(told: Any) -> tuple[Envelope, ...]:
    """Give the statuses that a question to Jiangsu carried."""
    exchange = next(each for each in told.content.exchanges if each.outcome.member == HOME)
    question: Question = exchange.signed.question
    return question.header.authorisations


async def by_hand(caller: Caller, firm: Firm, statuses: tuple[Envelope, ...]) -> RefusalReason:
    """Ask Jiangsu as a member without a desk would, with statuses of before."""
    signed = caller.compose(no_violation(named(firm.subject.uscc)), purpose=PURPOSE, item=ITEM, authorisations=statuses)
    return reason(await caller.ask(signed))


async def test_a_withdrawal_reaches_an_origin_that_heard_nothing(firm: Firm, caller: Caller) -> None:
    """After a withdrawal the desk gets no status, and an origin takes no status of before, though it is young."""
    consent = await firm.give()
    told = await report(firm)
    assert {each.state for each in told.outcomes.values()} == {OutcomeState.ANSWERED}
    assert isinstance(told.items[HOME].body, NoViolationItem)
    await firm.withdraw(consent)
    assert await denied(report(firm)) is RefusalReason.AUTHORISATION_MISSING
    assert await by_hand(caller, firm, carried(told)) is RefusalReason.AUTHORISATION_MISSING


async def test_statuses_that_were_laid_in_end_with_the_withdrawal(firm: Firm, caller: Caller) -> None:
    """Statuses for question ids that an asker chose itself: after the withdrawal the home takes none, nor a retry."""
    consent = await firm.give()
    held = {use * 16: await statuses(firm.lab, firm.request(use)) for use in (b"a", b"b")}

    def compose(question_id: bytes) -> Signed:
        return caller.compose(
            no_violation(named(firm.subject.uscc)),
            purpose=PURPOSE,
            item=ITEM,
            authorisations=held[question_id],
            alter=lambda header: header.update(question_id=question_id),
        )

    first = compose(b"a" * 16)
    assert await caller.ask(first) == await caller.ask(first)
    assert not (await caller.ask(first)).refused
    await firm.withdraw(consent)
    for each in (compose(b"b" * 16), first):
        assert reason(await caller.ask(each)) is RefusalReason.AUTHORISATION_MISSING


async def test_expired_purpose_wrong_field_and_reused_consent(firm: Firm, caller: Caller) -> None:
    """Threat 5: an expired purpose, a field beyond the purpose and a spent authorisation are three refusals."""
    await firm.give(use_limit=1)
    ended = caller.compose(no_violation(named(firm.subject.uscc)), purpose="ENDED_REPORT", item=ITEM)
    assert reason(await caller.ask(ended)) is RefusalReason.PURPOSE_NOT_ALLOWED
    fields = SummaryQuestion(subjects=(named(firm.subject.uscc),), window=Window.M36, data_items=("penalty",))
    beyond = caller.compose(fields, purpose="SCI_TECH_PROJECT", item="SH-2026-011", agency="310000-science",
                            case_reference="c")  # fmt: skip
    assert reason(await caller.ask(beyond)) is RefusalReason.PURPOSE_NOT_ALLOWED
    told = await report(firm)
    assert await denied(report(firm)) is RefusalReason.AUTHORISATION_MISSING
    assert await by_hand(caller, firm, carried(told)) is RefusalReason.AUTHORISATION_MISSING


async def test_what_is_not_taken_has_its_own_reason_over_grpc(pair: Lab, firm: Firm) -> None:
    """A firm that nobody registers gets no key; a node's certificate opens no counter, an agency's no statuses."""
    with pytest.raises(Denied) as caught:
        await Firm(lab=pair).enrol()
    assert consent_reason_of(caught.value.error) is ConsentReason.SUBJECT_NOT_REGISTERED
    assert caught.value.error.code() is grpc.StatusCode.FAILED_PRECONDITION
    with pytest.raises(Denied) as caught:
        await firm.desk.call(f"/{SERVICE}/GiveAuthorisation", b"\xff\xff")
    assert caught.value.reason is RefusalReason.MALFORMED
    with pytest.raises(Denied) as caught:
        await firm.desk.call(f"/{SERVICE}/GiveAuthorisation", bytes(1 << 20))
    assert caught.value.reason is RefusalReason.TOO_LARGE
    node = leaf(pair, HOME)
    with pytest.raises(Denied) as caught:
        await firm.desk.call(f"/{SERVICE}/ListAuthorisations", b"", identity=node)
    assert caught.value.error.code() is grpc.StatusCode.UNAUTHENTICATED


async def statuses(lab: Lab, request: Envelope, *, by: str = ASKER) -> tuple[Envelope, ...]:
    """Ask Jiangsu for statuses over the network."""
    endpoint, roots = lab.standings[HOME].endpoint or "", (lab.home(HOME) / "keys" / "ca.crt").read_bytes()
    async with open_channel(HOME, endpoint, roots, leaf(lab, by)) as channel:
        return await RemoteHome(RemoteMember(channel)).statuses(request, 20.0)


async def ask_home(lab: Lab, request: Envelope, *, by: str = ASKER) -> int:
    """Ask Jiangsu for statuses; how many it gave."""
    return len(await statuses(lab, request, by=by))


async def test_only_the_agencys_member_gets_a_status(firm: Firm) -> None:
    """A status goes to the member that asks for its own agency over its own connection, and to no other."""
    await firm.give()
    assert await ask_home(firm.lab, firm.request(b"a")) == 1
    with pytest.raises(Refused, match="BAD_SIGNATURE"):
        await ask_home(firm.lab, firm.request(b"b"), by="330000")


@pytest.mark.parametrize("step", ["take.inside", "take.end"])
async def test_a_kill_gives_no_use_back(tmp_path_factory: pytest.TempPathFactory, step: str) -> None:
    """Kill -9 at the taking of the only use: the same request gets its status afterwards, and no other one does."""
    lab = build(tmp_path_factory.mktemp("kill") / "lab")
    try:
        firm = Firm(lab=lab)
        firm.register()
        start(lab, HOME)
        await firm.enrol()
        await firm.give(use_limit=1)
        lab.stop(HOME)
        start_deadly(lab, HOME, step)
        request = firm.request(b"a")
        with pytest.raises(Unavailable):
            await ask_home(lab, request)
        assert gone(lab, HOME) == -9
        assert rows(lab, HOME, "SELECT count(*) FROM consent_use") == [(int(step == "take.end"),)]
        lab.start(HOME)
        found = [await ask_home(lab, each) for each in (request, firm.request(b"b"), request)]
        assert found == [1, 0, 1]
        assert rows(lab, HOME, "SELECT count(*) FROM consent_use") == [(1,)]
    finally:
        lab.stop()
