"""Four eyes that wait (duties U7 and U14): handed in by one officer, approved by another by its digest."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from bundles import AGENCY, OFFICER, SECOND
from desks import (
    ADMIN,
    THIRD,
    Desk,
    add_officers,
    end_role,
    one_person,
    refusal,
    refused,
    remove,
    session_key,
    suspend,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_asking import intent, open_case
from worlds_tables import MATTER, PURPOSE

from gateway import wire
from gateway.exchange.permit import approves
from gateway.model.accounts import (
    SessionClosing,
    Submission,
    SubmissionApproval,
    SubmissionReading,
    SubmissionRefusal,
)
from gateway.model.codes import RefusalReason, SubmissionState
from gateway.model.combined import CaseOpening, CombinedResult, Intent
from keys import suite
from keys.envelope import Envelope
from yrdx.exchange.v1 import desk_pb2

State = SubmissionState
HOURS = 24
TICK = timedelta(microseconds=1)


def want_two(document: dict[str, Any]) -> None:
    """Have the purpose want a second officer."""
    for each in document["purposes"]:
        each["second_officer"] = True


async def desk_of(*changes: Any) -> Desk:
    """Give a desk with a case, where the purpose wants two officers."""
    desk = Desk()
    await open_case(desk.nodes)
    desk.edit(add_officers, want_two, *changes)
    return desk


async def hand_in(desk: Desk, **changes: Any) -> tuple[Submission, Intent]:
    """Hand in a question of the first officer."""
    wanted = intent(case_reference="C-1", intend_time=desk.node.now, **changes)
    return await desk.node.accounts.submit(desk.sign(wanted), AGENCY), wanted


def approval(desk: Desk, found: Submission, officer: str = SECOND) -> SubmissionApproval:
    """Write an officer's approval, now."""
    written: SubmissionApproval = desk.request(SubmissionApproval, officer, submission_id=found.submission_id)
    return written


def approve(desk: Desk, found: Submission, officer: str = SECOND) -> Any:
    """Approve as an officer."""
    return desk.node.accounts.approve(desk.sign(approval(desk, found, officer)), AGENCY)


def reading(desk: Desk, officer: str, found: Submission | None = None) -> Envelope:
    """Sign a reading of one submission, or of all."""
    identity = found.submission_id if found else b""
    return desk.sign(desk.request(SubmissionReading, officer, submission_id=identity))


def state(desk: Desk, found: Submission) -> SubmissionState:
    """Give how a submission stands."""
    return desk.node.submissions.held[found.submission_id].state


async def test_what_was_handed_in_is_asked_when_the_second_officer_signs() -> None:
    """Nobody is asked before; then the question names both, and the answer is its officer's alone."""
    desk = await desk_of()
    found, _ = await hand_in(desk)
    assert (found.state, found.kind, found.subject_count) == (State.WAITING, "summary", 1)
    assert (found.purpose, found.case_reference, desk.node.log.sent) == (PURPOSE, "C-1", [])
    desk.at(desk.node.now + timedelta(hours=5))
    done = await approve(desk, found)
    assert (done.state, done.approving_officer, done.decide_time) == (State.DONE, SECOND, desk.node.now)
    heads = {(each.question.header.officer, each.question.header.approving_officer) for each in desk.node.log.sent}
    assert heads == {(OFFICER, SECOND)}
    accounts = desk.node.accounts
    message = desk_pb2.AskMembersResponse.FromString(accounts.submission(reading(desk, OFFICER, found), AGENCY).answer)
    result = wire.decode(CombinedResult, message.result.payload)
    assert result.intent_digest == found.submission_id
    shown = accounts.submission(reading(desk, SECOND, found), AGENCY)
    assert (shown.answer, shown.payload, shown.submission.state) == (b"", b"", State.DONE)


async def test_the_second_officer_gets_the_very_bytes_and_nobody_else_does() -> None:
    """Only an officer who may approve sees what names subjects; lists name none."""
    desk = await desk_of()
    found, wanted = await hand_in(desk)
    accounts = desk.node.accounts
    seen = accounts.submission(reading(desk, SECOND, found), AGENCY)
    assert (seen.payload, seen.payload_type) == (wire.encode(wanted), wire.PAYLOAD_TYPES[Intent])
    for officer in (OFFICER, ADMIN):
        assert accounts.submission(reading(desk, officer, found), AGENCY).payload == b""
    assert accounts.submissions(reading(desk, ADMIN), AGENCY) == (found,)
    desk.edit(end_role("ask", "2026-03-10", THIRD), end_role("approve", "2026-03-10", THIRD))
    lost = reading(desk, THIRD)
    assert refused(lambda: accounts.submissions(lost, AGENCY)) is RefusalReason.AGENCY_NOT_ALLOWED
    unknown = desk.sign(desk.request(SubmissionReading, SECOND, submission_id=bytes(32)))
    assert refused(lambda: accounts.submission(unknown, AGENCY)) is RefusalReason.CASE_MISSING


async def test_nobody_approves_for_oneself() -> None:
    """The same officer, another name of the same person, one without the role: each still waits for a second."""
    desk = await desk_of(one_person(OFFICER, THIRD))
    found, _ = await hand_in(desk)
    for officer in (OFFICER, THIRD, ADMIN):
        assert await refusal(approve(desk, found, officer)) is RefusalReason.SECOND_OFFICER_NEEDED
        assert state(desk, found) is State.WAITING
    assert (await approve(desk, found)).state is State.DONE


async def test_one_person_is_not_four_eyes_when_both_sign_at_once() -> None:
    """Two names of one person sign the same bytes: refused at the desk, as an origin refuses it."""
    desk = await desk_of(one_person(OFFICER, THIRD))
    wanted = intent(case_reference="C-1", approving_officer=THIRD)
    asked = desk.node.asking.ask(desk.sign(wanted, OFFICER, THIRD), AGENCY)
    assert await refusal(asked) is RefusalReason.SECOND_OFFICER_NEEDED
    opening = opening_of(desk, approving_officer=THIRD)
    opened = desk.node.cases.open_case(desk.sign(opening, OFFICER, THIRD), AGENCY)
    assert await refusal(opened) is RefusalReason.SECOND_OFFICER_NEEDED


async def test_an_officer_who_was_named_is_the_only_one_to_approve() -> None:
    """The first officer may say who shall look; nobody else then does."""
    desk = await desk_of()
    found, _ = await hand_in(desk, approving_officer=THIRD)
    assert await refusal(approve(desk, found)) is RefusalReason.SECOND_OFFICER_NEEDED
    assert (await approve(desk, found, THIRD)).state is State.DONE


async def test_an_approval_is_of_the_same_bytes_once() -> None:
    """Another digest, two signatures or a stranger's key approve nothing; a second approval is a replay."""
    desk = await desk_of()
    found, _ = await hand_in(desk)
    other = replace(found, submission_id=bytes(32))
    assert await refusal(approve(desk, other)) is RefusalReason.CASE_MISSING
    approving, value = desk.node.accounts.approve, approval(desk, found)
    assert await refusal(approving(desk.sign(value, SECOND, THIRD), AGENCY)) is RefusalReason.BAD_SIGNATURE
    stranger = desk.sign(value, suite.signer(bytes([99]) * 32, owner=SECOND))
    assert await refusal(approving(stranger, AGENCY)) is RefusalReason.KEY_NOT_VALID
    assert state(desk, found) is State.WAITING
    await approve(desk, found)
    sent = len(desk.node.log.sent)
    assert await refusal(approve(desk, found)) is RefusalReason.REPLAYED
    assert len(desk.node.log.sent) == sent


async def test_an_approval_is_signed_just_now() -> None:
    """One that was kept longer than a request may be old, or is dated ahead, approves nothing."""
    desk = await desk_of()
    found, _ = await hand_in(desk)
    limits = desk.node.charter.catalogue.limits
    age, skew = timedelta(seconds=limits.intent_age), timedelta(seconds=limits.clock_skew)
    signed, begun = desk.sign(approval(desk, found)), desk.node.now
    for moment in (begun + age + TICK, begun - skew - TICK):
        desk.at(moment)
        assert await refusal(desk.node.accounts.approve(signed, AGENCY)) is RefusalReason.EXPIRED
    desk.at(begun + age)
    assert (await desk.node.accounts.approve(signed, AGENCY)).state is State.DONE


def half(whole: Envelope, officer: str) -> Envelope:
    """Give the part of an envelope that one officer signed."""
    return replace(whole, signatures=tuple(each for each in whole.signatures if each.key_id.startswith(f"{officer}/")))


@pytest.mark.parametrize("form", ["question", "case"])
async def test_what_both_signed_to_ask_at_once_approves_nothing_later(form: str) -> None:
    """The colleague's signature over the bytes, kept by the first officer, is no approval of them (threat 7)."""
    desk = await desk_of()
    wanted: Any = intent(case_reference="C-1", intend_time=desk.node.now, approving_officer=SECOND)
    if form == "case":
        wanted = opening_of(desk, approving_officer=SECOND)
    whole = desk.sign(wanted, OFFICER, SECOND)
    if form == "case":
        await desk.node.cases.open_case(whole, AGENCY)
    else:
        await desk.node.asking.ask(whole, AGENCY)
    sent = len(desk.node.log.sent)
    found = await desk.node.accounts.submit(half(whole, OFFICER), AGENCY)
    desk.at(desk.node.now + timedelta(hours=3))
    kept = (half(whole, SECOND), whole)
    assert {await refusal(desk.node.accounts.approve(each, AGENCY)) for each in kept} == {RefusalReason.WRONG_TYPE}
    assert await refusal(desk.node.accounts.submit(half(whole, OFFICER), AGENCY)) is RefusalReason.EXPIRED
    again = desk.node.cases.open_case if form == "case" else desk.node.asking.ask
    assert await refusal(again(whole, AGENCY)) is RefusalReason.EXPIRED
    assert (state(desk, found), len(desk.node.log.sent)) == (State.WAITING, sent)


async def test_an_approval_signs_for_no_question() -> None:
    """Nor does it stand for the second signature when both ask at once."""
    desk = await desk_of()
    found, wanted = await hand_in(desk, approving_officer=SECOND)
    signatures = [
        desk.sign(each, name).signatures for each, name in ((wanted, OFFICER), (approval(desk, found), SECOND))
    ]
    grafted = replace(desk.sign(wanted), signatures=(*signatures[0], *signatures[1]))
    assert await refusal(desk.node.asking.ask(grafted, AGENCY)) is RefusalReason.BAD_SIGNATURE


async def test_of_two_approvals_at_once_one_wins() -> None:
    """Two officers approve at the same time: it is asked once."""
    desk = await desk_of()
    found, _ = await hand_in(desk)
    both = (approve(desk, found), approve(desk, found, THIRD))
    ended = await asyncio.gather(*both, return_exceptions=True)
    assert sum(isinstance(each, Submission) for each in ended) == 1
    assert len(desk.node.log.results) == 1


async def test_what_waits_too_long_is_never_asked() -> None:
    """At its hour it is expired, for the list and for the second officer."""
    desk = await desk_of()
    found, _ = await hand_in(desk)
    desk.at(found.submit_time + timedelta(hours=HOURS))
    assert desk.node.accounts.submissions(reading(desk, OFFICER), AGENCY)[0].state is State.EXPIRED
    assert desk.node.accounts.submission(reading(desk, SECOND, found), AGENCY).payload == b""
    assert await refusal(approve(desk, found)) is RefusalReason.EXPIRED
    assert desk.node.log.sent == []


@pytest.mark.parametrize("officer", [SECOND, OFFICER, ADMIN])
async def test_a_refused_one_is_never_asked(officer: str) -> None:
    """A colleague who may approve, its own officer and an administrator may refuse; then it is over."""
    desk = await desk_of()
    found, _ = await hand_in(desk)
    refusing = desk.sign(desk.request(SubmissionRefusal, officer, submission_id=found.submission_id))
    ended = await desk.node.accounts.refuse(refusing, AGENCY)
    assert (ended.state, ended.approving_officer) == (State.REFUSED, officer)
    assert await refusal(approve(desk, found)) is RefusalReason.REPLAYED
    assert await refusal(desk.node.accounts.refuse(refusing, AGENCY)) is RefusalReason.REPLAYED
    assert desk.node.log.sent == []


async def test_not_everybody_may_refuse() -> None:
    """An officer who may only ask does not refuse what a colleague handed in."""
    desk = await desk_of(end_role("approve", "2026-03-10", THIRD))
    found, _ = await hand_in(desk)
    refusing = desk.sign(desk.request(SubmissionRefusal, THIRD, submission_id=found.submission_id))
    assert await refusal(desk.node.accounts.refuse(refusing, AGENCY)) is RefusalReason.AGENCY_NOT_ALLOWED


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (remove(OFFICER), RefusalReason.KEY_NOT_VALID),
        (end_role("ask", "2026-03-10"), RefusalReason.AGENCY_NOT_ALLOWED),
        (suspend, RefusalReason.SUSPENDED),
        (lambda document: document["purposes"][0].update(valid_until="2026-03-01"), RefusalReason.PURPOSE_NOT_ALLOWED),
    ],
    ids=["removed", "role", "suspended", "purpose"],
)
async def test_it_is_asked_under_the_charter_in_force_at_approval(change: Any, reason: RefusalReason) -> None:
    """Whatever was right when it was handed in is looked at again; what is refused then is over, with its reason."""
    desk = await desk_of()
    found, _ = await hand_in(desk)
    desk.edit(change)
    ended = await refusal(approve(desk, found))
    held = desk.node.submissions.held[found.submission_id]
    if held.state is State.WAITING:  # of the first officer nothing is left to compare the second with
        assert ended in {reason, RefusalReason.SECOND_OFFICER_NEEDED}
    else:
        assert (ended, held.state, held.reason) == (reason, State.FAILED, reason)
    assert desk.node.log.sent == []


async def test_what_policy_refuses_does_not_wait() -> None:
    """Handing in is checked as asking is, but for the second officer."""
    desk = await desk_of()
    assert await refusal(hand_in(desk, purpose="NONE")) is RefusalReason.CASE_MISSING
    old = intent(case_reference="C-1", intend_time=desk.node.now - timedelta(hours=1))
    assert await refusal(desk.node.accounts.submit(desk.sign(old), AGENCY)) is RefusalReason.EXPIRED
    colleague = desk.sign(intent(case_reference="C-1"), SECOND)
    assert await refusal(desk.node.accounts.submit(colleague, AGENCY)) is RefusalReason.BAD_SIGNATURE
    wrong = desk.sign(desk.request(SubmissionReading))
    assert await refusal(desk.node.accounts.submit(wrong, AGENCY)) is RefusalReason.WRONG_TYPE
    large = opening_of(desk, subject_count=2_000_000)
    assert await refusal(desk.node.accounts.submit(desk.sign(large), AGENCY)) is RefusalReason.TOO_LARGE


async def test_the_same_handed_in_twice_waits_once() -> None:
    """The id is that of the signed bytes."""
    desk = await desk_of()
    found, wanted = await hand_in(desk)
    assert await desk.node.accounts.submit(desk.sign(wanted), AGENCY) == found


def opening_of(desk: Desk, **changes: Any) -> CaseOpening:
    """Write the opening of a large case."""
    wanted: dict[str, Any] = {
        "case_reference": "C-9", "agency": AGENCY, "officer": OFFICER, "open_time": desk.node.now,
        "purpose": PURPOSE, "application_item": MATTER, "subject_count": 50_000,
    }  # fmt: skip
    return CaseOpening(**{**wanted, **changes})


async def test_a_large_case_waits_like_a_question() -> None:
    """A case above the ordinary limit is opened when the second officer signs, and names that officer."""
    desk = await desk_of()
    opening = opening_of(desk)
    found = await desk.node.accounts.submit(desk.sign(opening), AGENCY)
    assert (found.kind, found.subject_count, found.case_reference) == ("", 50_000, "C-9")
    assert desk.node.book.case(AGENCY, "C-9") is None
    assert (await approve(desk, found)).state is State.DONE
    case = desk.node.book.case(AGENCY, "C-9")
    assert case is not None
    assert (case.approving_officer, case.subject_count) == (SECOND, 50_000)
    assert desk.node.accounts.submission(reading(desk, OFFICER, found), AGENCY).answer == b""


async def test_both_officers_may_be_in_sessions() -> None:
    """The first one's session may be closed by then; what it handed in still stands, under its assertion."""
    desk = await desk_of()
    first, second = session_key(1), session_key(2, SECOND)
    mine, theirs = await desk.open(first), await desk.open(second, officer=SECOND, roles=("approve",))
    wanted = intent(case_reference="C-1", intend_time=desk.node.now)
    found = await desk.node.accounts.submit(desk.sign(wanted, first), AGENCY, mine)
    closing = desk.sign(desk.request(SessionClosing, assertion_digest=mine.digest()), first)
    await desk.node.accounts.close_session(closing, AGENCY, mine)
    await desk.node.accounts.approve(desk.sign(approval(desk, found), second), AGENCY, theirs)
    header = desk.node.log.sent[0].question.header
    assert (header.officer_assertion_digest, header.approving_officer) == (mine.digest(), SECOND)


async def test_a_session_that_may_only_ask_approves_nothing() -> None:
    """The role to approve must be asserted, and the key be the session's."""
    desk = await desk_of()
    found, _ = await hand_in(desk)
    key = session_key(2, SECOND)
    asking = await desk.open(key, officer=SECOND, roles=("ask",))
    approved = desk.node.accounts.approve(desk.sign(approval(desk, found), key), AGENCY, asking)
    assert await refusal(approved) is RefusalReason.AGENCY_NOT_ALLOWED
    own = desk.node.accounts.approve(desk.sign(approval(desk, found)), AGENCY, asking)
    assert await refusal(own) is RefusalReason.KEY_NOT_VALID


@pytest.mark.parametrize("step", ["submit", "decide", "finish"])
async def test_without_a_disk_nothing_is_decided(step: str) -> None:
    """A full disk is named; what was not marked approved is not asked."""
    desk = await desk_of()
    found = None if step == "submit" else (await hand_in(desk))[0]
    desk.node.submissions.failing = step
    if found is None:
        assert await refusal(hand_in(desk)) is RefusalReason.NOT_DURABLE
        return
    refusing = desk.sign(desk.request(SubmissionRefusal, submission_id=found.submission_id))
    if step == "decide":
        assert await refusal(desk.node.accounts.refuse(refusing, AGENCY)) is RefusalReason.NOT_DURABLE
    assert await refusal(approve(desk, found)) is RefusalReason.NOT_DURABLE
    assert bool(desk.node.log.sent) is (step == "finish")


async def test_a_refusal_that_loses_the_race_is_told() -> None:
    """Decided between the look and the write, by another worker: a replay."""
    desk = await desk_of()
    found, _ = await hand_in(desk)
    refusing = desk.sign(desk.request(SubmissionRefusal, submission_id=found.submission_id))
    racing = desk.node.submissions

    async def decided(*_arguments: object, **_named: object) -> bool:
        await asyncio.sleep(0)
        return False

    racing.decide = decided  # type: ignore[method-assign]  # another worker was first
    assert await refusal(desk.node.accounts.refuse(refusing, AGENCY)) is RefusalReason.REPLAYED


async def test_what_was_deleted_is_not_asked() -> None:
    """Once the body is gone, an approval finds nothing to ask."""
    desk = await desk_of()
    found, _ = await hand_in(desk)
    desk.node.submissions.bodies.clear()
    assert desk.node.accounts.submission(reading(desk, SECOND, found), AGENCY).payload == b""
    assert await refusal(approve(desk, found)) is RefusalReason.EXPIRED
    assert state(desk, found) is State.FAILED


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    second=st.sampled_from([OFFICER, SECOND, THIRD, ADMIN, f"{AGENCY}/o9", ""]),
    persons=st.sets(st.sampled_from([OFFICER, SECOND, THIRD]), max_size=3),
    ended=st.sets(st.sampled_from([SECOND, THIRD])),
)
def test_two_officers_are_two_persons_one_of_whom_approves(second: str, persons: set[str], ended: set[str]) -> None:
    """Four eyes: another listed officer of the agency, another person, with the role on that day; nothing else."""
    desk = Desk()
    changes = [end_role("approve", "2026-03-10", name) for name in sorted(ended)]
    desk.edit(add_officers, one_person(*persons), *changes)
    fits = second in {SECOND, THIRD} - ended and not {OFFICER, second} <= persons
    assert approves(second, OFFICER, desk.node.charter.directory, desk.node.now.date()) is fits


def test_no_message_of_a_submission_holds_a_subject() -> None:
    """What is listed has no field that could name one."""
    assert {each.name for each in desk_pb2.Submission.DESCRIPTOR.fields} & {"uscc", "subjects", "payload"} == set()
