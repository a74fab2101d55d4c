"""Who asked about a firm, between real members: every question shows, a refused one too (threat 5, U8, U28, U29)."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from callers import Caller, reason, rows
from officers import Denied, Officer, denied, named, no_violation, start
from test_authorisations import AGENCY, ASKER, HOME, ITEM, PURPOSE, Firm, by_hand, carried, end_a_purpose, report

from gateway import carriers
from gateway.clocks import civil_day
from gateway.exchange.handing import OWNER
from gateway.model.access import AccessOutcome, AccessReading, DelayOrder, PreviewReading
from gateway.model.codes import AccessState, AuthorisationStatus, RefusalReason, Window
from gateway.model.question import SummaryQuestion
from gateway.tracking_door import SERVICE
from gateway.verification.access import Found, Proof, lines, verify_access
from gateway.verification.preview import verify_preview
from gateway.wire import from_message
from keys import seal, suite
from nodes.bundle.root import read_root
from nodes.lab import Lab, build
from yrdx.exchange.v1 import access_pb2

pytestmark = pytest.mark.net
EVERYBODY = {"310000", "320000", "330000", "340000"}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run Shanghai, which asks, and Jiangsu, whose subjects these are."""
    built = build(tmp_path_factory.mktemp("access") / "lab")
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


@pytest.fixture
async def firm(pair: Lab) -> Firm:
    """Give a registered firm with a key that may view and authorise."""
    found = Firm(lab=pair)
    found.register()
    await found.enrol()
    return found


async def read(firm: Firm, key: suite.Signer | None = None) -> Found:
    """Read as the firm does, at its home member's desk."""
    opener = seal.opener(suite.generate_seed(), owner=OWNER)
    now = firm.lab.clock()
    month = civil_day(now).isoformat()[:7]
    reading = AccessReading(
        reading_id=os.urandom(16), uscc=firm.subject.uscc, home_member=HOME, read_time=now, first_month=month,
        last_month=month, suite=opener.suite, sealing_key=opener.public,
    )  # fmt: skip
    envelope = replace(firm, key=key or firm.key).signed(reading)
    request = access_pb2.ReadAccessRequest(reading=carriers.envelope_to_message(envelope))
    payload = await firm.desk.call(f"/{SERVICE}/ReadAccess", request.SerializeToString())
    root = read_root(firm.lab.folder / "root.json")
    return verify_access(payload, reading=reading, digest=envelope.digest(), opener=opener, root=root)


async def test_expired_purpose_wrong_field_and_reused_consent_show(firm: Firm, caller: Caller) -> None:
    """Threat 5: the three that are refused are shown by the member that refused them, and so is the answer."""
    await firm.give(use_limit=1)
    ended = caller.compose(no_violation(named(firm.subject.uscc)), purpose="ENDED_REPORT", item=ITEM)
    assert reason(await caller.ask(ended)) is RefusalReason.PURPOSE_NOT_ALLOWED
    fields = SummaryQuestion(subjects=(named(firm.subject.uscc),), window=Window.M36, data_items=("penalty",))
    beyond = caller.compose(fields, purpose="SCI_TECH_PROJECT", item="SH-2026-011", agency="310000-science",
                            case_reference="c")  # fmt: skip
    assert reason(await caller.ask(beyond)) is RefusalReason.PURPOSE_NOT_ALLOWED
    told = await report(firm)
    assert await by_hand(caller, firm, carried(told)) is RefusalReason.AUTHORISATION_MISSING
    found = await read(firm)
    shown = [
        (each.entry.agency, each.entry.purpose, each.entry.outcome)
        for each in lines([found])
        if each.answerer_member == HOME
    ]
    assert sorted(shown) == sorted([
        (AGENCY, "ENDED_REPORT", "REFUSED"),
        ("310000-science", "SCI_TECH_PROJECT", "REFUSED"),
        (AGENCY, PURPOSE, "REFUSED"),
        (AGENCY, PURPOSE, "ANSWERED"),
    ])  # fmt: skip
    assert {each.proof for each in lines([found])} <= {Proof.LOGGED, Proof.WITNESSED}


async def test_both_sides_of_a_question_are_one_line(firm: Firm) -> None:
    """The member that was asked and the one whose agency asked hold the same question; what is silent is named."""
    await firm.give()
    await report(firm)
    found = await read(firm)
    by_member = {each.answerer_member: each.told_by for each in lines([found])}
    assert by_member == {HOME: (ASKER, HOME), ASKER: (ASKER,)}
    silent = {each.member for each in found.members if each.state is AccessState.UNAVAILABLE}
    assert silent >= EVERYBODY - {ASKER, HOME}
    assert {each.member for each in found.members} - silent == {ASKER, HOME}


async def test_a_withdrawal_shows_and_so_does_every_key(firm: Firm) -> None:
    """Duty U8: the subject sees what was taken back; duty U28: and each key that speaks for it."""
    consent = await firm.give()
    await firm.withdraw(consent)
    home = (await read(firm)).reports[HOME]
    assert [each.status for each in home.authorisations] == [AuthorisationStatus.WITHDRAWN]
    assert [each.key_id for each in home.keys] == [firm.key.id]


async def test_nothing_about_another_firm_shows(firm: Firm) -> None:
    """A question about two shows each its own; neither the other's code."""
    other = Firm(lab=firm.lab)
    other.register()
    await other.enrol()
    await firm.give()
    await other.give()
    officer = Officer(lab=firm.lab)
    both = no_violation(named(firm.subject.uscc), named(other.subject.uscc))
    await officer.ask(both, purpose=PURPOSE, application_item=ITEM, members=(HOME,))
    found = await read(firm)
    assert len(lines([found])) == 1
    assert other.subject.uscc not in repr(found.reports)


async def test_only_the_firms_own_key_reads(firm: Firm) -> None:
    """A key that nobody enrolled opens nothing, at the desk already."""
    stranger = suite.signer(suite.generate_seed(), owner=OWNER)
    assert await denied(read(firm, stranger)) is RefusalReason.KEY_NOT_VALID


async def test_enrolment_stands_in_the_ledger(pair: Lab, firm: Firm) -> None:
    """Duty U28: whoever enrols a key is in the ledger, by the officer who approved; the subject is not named."""
    private = [each for (each,) in rows(pair, HOME, "SELECT private FROM ledger_entry")]
    assert any(b"ENROLMENT" in each and firm.desk.agency.encode() in each for each in private)
    assert all(firm.subject.uscc.encode() not in each for each in private)


async def test_a_firm_previews_what_an_agency_is_then_told(firm: Firm) -> None:
    """Duty U28: the conclusions are those of the answer that comes afterwards; members that are down are in both."""
    opener, now = seal.opener(suite.generate_seed(), owner=OWNER), firm.lab.clock()
    reading = PreviewReading(
        reading_id=os.urandom(16), uscc=firm.subject.uscc, home_member=HOME, read_time=now, agency=AGENCY,
        purpose=PURPOSE, application_item=ITEM, agreement_id="YRD-4-2026", suite=opener.suite,
        sealing_key=opener.public, body=no_violation(named(firm.subject.uscc)),
    )  # fmt: skip
    envelope = firm.signed(reading)
    request = access_pb2.ReadPreviewRequest(reading=carriers.envelope_to_message(envelope))
    payload = await firm.desk.call(f"/{SERVICE}/ReadPreview", request.SerializeToString())
    root = read_root(firm.lab.folder / "root.json")
    seen = verify_preview(payload, reading=reading, envelope=envelope, opener=opener, root=root)
    assert {each.member for each in seen.members if each.state is AccessState.ANSWERED} == {ASKER, HOME}
    await firm.give(members=tuple(sorted(EVERYBODY)))
    told = (await report(firm, members=())).content
    assert seen.content.result.subjects == told.result.subjects
    own = [each for each in lines([await read(firm)]) if each.own]
    assert [(each.told_by, each.entry.key_id, each.proof) for each in own] == [
        ((ASKER, HOME), firm.key.id, Proof.LOGGED)
    ]


async def test_a_delay_by_two_officers_hides_what_is_asked_next(pair: Lab, firm: Firm) -> None:
    """Duty U29: it holds at every member that is up, others are named; it wants the second officer's signature."""
    desk = Officer(lab=pair, name="310118-market/o1", second="310118-market/o2")
    case = f"D-{os.urandom(4).hex()}"
    await replace(desk, second="").open_case(case, purpose="JOINT_PUNISHMENT")
    now = pair.clock()
    order = DelayOrder(
        delay_id=os.urandom(16), agency=desk.agency, officer=desk.name, approving_officer=desk.second, order_time=now,
        case_reference=case, until_date=(civil_day(now) + timedelta(days=30)).isoformat(), ground="sample",
    )  # fmt: skip
    alone = access_pb2.OrderDelayRequest(order=carriers.envelope_to_message(desk.sign(order, desk.signer())))
    with pytest.raises(Denied) as caught:
        await desk.call(f"/{SERVICE}/OrderDelay", alone.SerializeToString())
    assert caught.value.reason is RefusalReason.SECOND_OFFICER_NEEDED
    request = access_pb2.OrderDelayRequest(order=carriers.envelope_to_message(desk.sign(order)))
    payload = await desk.call(f"/{SERVICE}/OrderDelay", request.SerializeToString())
    response = access_pb2.OrderDelayResponse.FromString(payload)
    taken = [from_message(AccessOutcome, each) for each in response.members]
    assert {each.member for each in taken if each.state is AccessState.ANSWERED} == {ASKER, HOME}
    assert rows(pair, HOME, "SELECT count(*) FROM access_delay WHERE agency = ?", desk.agency)[0][0] >= 1
