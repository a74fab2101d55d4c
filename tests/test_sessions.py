"""Officers' sessions at the desk (duty U7): what they may, and all that ends them, at the next call."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bundles import AGENCY, OFFICER, OFFICERS, SECOND
from desks import (
    ADMIN,
    THIRD,
    Desk,
    add_officers,
    end_role,
    officer_row,
    refusal,
    refused,
    remove,
    session_key,
    suspend,
)
from hypothesis import given
from hypothesis import strategies as st
from test_asking import intent, open_case
from worlds_tables import MATTER, PURPOSE, SHANGHAI

from gateway import wire
from gateway.exchange.session import open_assertion
from gateway.model.accounts import SessionClosing, SessionReading
from gateway.model.codes import RefusalReason
from gateway.model.combined import AllowanceReading, CaseOpening, CaseReading, CombinedResult
from gateway.model.question import Question
from keys import suite
from keys.envelope import sign
from keys.jsontext import write_octets
from yrdx.exchange.v1 import desk_pb2

KEY, OTHER = session_key(1), session_key(2)


async def ask(desk: Desk, assertion: Any, key: suite.Signer = KEY, **changes: Any) -> desk_pb2.AskMembersResponse:
    """Ask in a session."""
    wanted = intent(case_reference="C-1", intend_time=desk.node.now, **changes)
    payload = await desk.node.asking.ask(desk.sign(wanted, key), AGENCY, assertion)
    return desk_pb2.AskMembersResponse.FromString(payload)


async def opened() -> tuple[Desk, Any]:
    """Give a desk with a case, and the assertion of a session at it."""
    desk = Desk()
    await open_case(desk.nodes)
    return desk, await desk.open(KEY)


async def test_a_session_asks_for_its_officer_and_is_named_in_question_and_result() -> None:
    """The session's key signs all that its officer may; the assertion's digest stands in what is signed."""
    desk, assertion = await opened()
    message = await ask(desk, assertion)
    result = wire.decode(CombinedResult, message.result.payload)
    assert result.officer_assertion_digest == assertion.digest()
    heads = [wire.decode(Question, each.question.payload).header for each in message.exchanges]
    assert {each.officer_assertion_digest for each in heads} == {assertion.digest()}
    assert {each.officer for each in heads} == {OFFICER}
    opening = CaseOpening(
        case_reference="C-2", agency=AGENCY, officer=OFFICER, open_time=desk.node.now, purpose=PURPOSE,
        application_item=MATTER,
    )  # fmt: skip
    assert (await desk.node.cases.open_case(desk.sign(opening, KEY), AGENCY, assertion)).officer == OFFICER
    reading = desk.request(CaseReading, case_reference="C-2")
    assert desk.node.cases.case(desk.sign(reading, KEY), AGENCY, assertion)[0].case_reference == "C-2"
    left = desk.request(AllowanceReading, purpose=PURPOSE)
    assert desk.node.cases.allowance(desk.sign(left, KEY), AGENCY, assertion).subject_limit > 0


async def test_the_officers_own_key_needs_no_session() -> None:
    """The direct form stays: the question then names the signed intent."""
    desk, _ = await opened()
    wanted = desk.sign(intent(case_reference="C-1"))
    message = desk_pb2.AskMembersResponse.FromString(await desk.node.asking.ask(wanted, AGENCY))
    result = wire.decode(CombinedResult, message.result.payload)
    assert (result.officer_assertion_digest, result.intent_digest) == (b"", wanted.digest())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (remove(), RefusalReason.KEY_NOT_VALID),
        (suspend, RefusalReason.SUSPENDED),
        (end_role("ask", "2026-03-10"), RefusalReason.AGENCY_NOT_ALLOWED),
        (lambda document: officer_row(document).update(roles=[]), RefusalReason.AGENCY_NOT_ALLOWED),
        (lambda document: officer_row(document).update(public=officer_row(document, SECOND)["public"]), None),
    ],
    ids=["removed", "suspended", "role", "no role", "key"],
)
async def test_a_session_ends_with_what_it_rests_on(change: Any, reason: RefusalReason | None) -> None:
    """Removed, suspended, without the role, under a new key: the next call of an open session is refused by name."""
    desk, assertion = await opened()
    await ask(desk, assertion)
    sent = len(desk.node.log.sent)
    if reason is None:
        desk.edit(add_officers, remove(SECOND), _takes_key)
    else:
        desk.edit(change)
    assert await refusal(ask(desk, assertion)) is (reason or RefusalReason.KEY_NOT_VALID)
    assert (len(desk.node.log.sent), len(desk.node.log.results)) == (sent, 1)


def _takes_key(document: dict[str, Any]) -> None:
    """Give the first officer a new key, as after the loss of a token."""
    officer_row(document)["public"] = write_octets(OFFICERS[SECOND].public)


async def test_an_agency_that_ended_ends_its_sessions() -> None:
    """From its last day on an agency's officers sign nothing."""
    desk, assertion = await opened()

    def end(document: dict[str, Any]) -> None:
        member = next(each for each in document["members"] if each["id"] == SHANGHAI)
        member["agencies"][0]["active_until"] = "2026-03-10"

    desk.edit(end)
    reading = desk.sign(desk.request(SessionReading), KEY)
    assert refused(lambda: desk.node.accounts.sessions(reading, AGENCY, assertion)) is RefusalReason.AGENCY_NOT_ALLOWED


async def test_a_role_ends_at_midnight_in_shanghai() -> None:
    """A role until the 11th holds to the last second of the 10th in Asia/Shanghai, whatever UTC says."""
    desk, _ = await opened()
    desk.edit(end_role("ask", "2026-03-11"))
    midnight = datetime(2026, 3, 10, 16, tzinfo=UTC)
    desk.at(midnight - timedelta(hours=1))
    assertion = await desk.open(OTHER)
    desk.at(midnight - timedelta(seconds=1))
    await ask(desk, assertion, OTHER)
    desk.at(midnight)
    assert await refusal(ask(desk, assertion, OTHER)) is RefusalReason.AGENCY_NOT_ALLOWED


async def test_a_session_ends_at_its_hour() -> None:
    """At its last instant a session is over, and before its first it has not begun."""
    desk, assertion = await opened()
    begins = desk.node.now
    desk.at(begins + timedelta(hours=8, microseconds=-1))
    await ask(desk, assertion)
    desk.at(begins + timedelta(hours=8))
    assert await refusal(ask(desk, assertion)) is RefusalReason.EXPIRED
    early = desk.assertion(OTHER, from_time=desk.node.now + timedelta(minutes=1))
    assert await refusal(desk.node.accounts.open_session(desk.sign(early), AGENCY)) is RefusalReason.EXPIRED


async def test_the_key_of_another_session_signs_nothing() -> None:
    """Another session's key, the officer's own, or a colleague's session: none passes under this assertion."""
    desk, assertion = await opened()
    other = await desk.open(OTHER)
    assert await refusal(ask(desk, assertion, OTHER)) is RefusalReason.KEY_NOT_VALID
    assert await refusal(ask(desk, assertion, OFFICERS[OFFICER])) is RefusalReason.KEY_NOT_VALID
    assert await refusal(ask(desk, other, KEY)) is RefusalReason.KEY_NOT_VALID
    colleague = session_key(3, SECOND)
    theirs = await desk.open(colleague, officer=SECOND)
    assert await refusal(ask(desk, theirs, colleague)) is RefusalReason.KEY_NOT_VALID
    assert await refusal(ask(desk, None, KEY)) is RefusalReason.KEY_NOT_VALID


async def test_a_session_has_no_role_that_it_did_not_name() -> None:
    """A session to approve does not ask, though its officer may."""
    desk, _ = await opened()
    assertion = await desk.open(OTHER, roles=("approve",))
    assert await refusal(ask(desk, assertion, OTHER)) is RefusalReason.AGENCY_NOT_ALLOWED


async def test_an_assertion_that_was_never_opened_is_no_session() -> None:
    """The desk keeps the assertion before it believes a request under it."""
    desk, _ = await opened()
    unopened = desk.sign(desk.assertion(OTHER))
    assert await refusal(ask(desk, unopened, OTHER)) is RefusalReason.KEY_NOT_VALID


async def test_a_closed_session_stays_closed() -> None:
    """Closed by its officer's signature, a session cannot be used, nor opened again; the first closing stands."""
    desk, assertion = await opened()
    closing = desk.sign(desk.request(SessionClosing, assertion_digest=assertion.digest()), KEY)
    closed = await desk.node.accounts.close_session(closing, AGENCY, assertion)
    assert (closed.close_time, closed.closing_officer) == (desk.node.now, OFFICER)
    assert await refusal(ask(desk, assertion)) is RefusalReason.KEY_NOT_VALID
    assert (await desk.node.accounts.open_session(assertion, AGENCY)).close_time == desk.node.now
    assert await refusal(ask(desk, assertion)) is RefusalReason.KEY_NOT_VALID
    own = desk.sign(desk.request(SessionClosing, assertion_digest=assertion.digest()))
    desk.at(desk.node.now + timedelta(minutes=1))
    assert await desk.node.accounts.close_session(own, AGENCY) == closed


async def test_an_administrator_closes_the_session_of_a_colleague() -> None:
    """The role to administer closes another's session; without it nobody does, and nobody reaches another agency's."""
    desk, assertion = await opened()
    desk.edit(add_officers)
    digest = assertion.digest()
    by_third = desk.sign(desk.request(SessionClosing, THIRD, assertion_digest=digest))
    assert await refusal(desk.node.accounts.close_session(by_third, AGENCY)) is RefusalReason.AGENCY_NOT_ALLOWED
    unknown = desk.sign(desk.request(SessionClosing, ADMIN, assertion_digest=bytes(32)))
    assert await refusal(desk.node.accounts.close_session(unknown, AGENCY)) is RefusalReason.KEY_NOT_VALID
    by_admin = desk.sign(desk.request(SessionClosing, ADMIN, assertion_digest=digest))
    assert (await desk.node.accounts.close_session(by_admin, AGENCY)).closing_officer == ADMIN
    assert await refusal(ask(desk, assertion)) is RefusalReason.KEY_NOT_VALID
    held = desk.node.sessions.held
    held[digest] = replace(held[digest], agency="310000-other")
    assert await refusal(desk.node.accounts.close_session(by_admin, AGENCY)) is RefusalReason.KEY_NOT_VALID


async def test_who_sees_which_sessions() -> None:
    """An officer sees the officer's own, an administrator those of the agency, the newest first."""
    desk, assertion = await opened()
    desk.edit(add_officers)
    await desk.open(session_key(3, THIRD), officer=THIRD)
    own = desk.node.accounts.sessions(desk.sign(desk.request(SessionReading)), AGENCY)
    assert [each.assertion_digest for each in own] == [assertion.digest()]
    every = desk.node.accounts.sessions(desk.sign(desk.request(SessionReading, ADMIN)), AGENCY)
    assert [each.officer for each in every] == [THIRD, OFFICER]


async def test_a_session_that_is_not_kept_is_none() -> None:
    """Without a disk no session opens or closes."""
    desk, assertion = await opened()
    desk.node.sessions.failing = True
    again = desk.sign(desk.assertion(OTHER))
    assert await refusal(desk.node.accounts.open_session(again, AGENCY)) is RefusalReason.NOT_DURABLE
    closing = desk.sign(desk.request(SessionClosing, assertion_digest=assertion.digest()))
    assert await refusal(desk.node.accounts.close_session(closing, AGENCY)) is RefusalReason.NOT_DURABLE


FORMS: dict[str, tuple[dict[str, Any], RefusalReason]] = {
    "short id": ({"assertion_id": b"x"}, RefusalReason.MALFORMED),
    "no role": ({"roles": ()}, RefusalReason.MALFORMED),
    "unknown role": ({"roles": ("ask", "rule")}, RefusalReason.MALFORMED),
    "too long": ({"until_time": datetime(2026, 3, 10, 16, 0, 1, tzinfo=UTC)}, RefusalReason.MALFORMED),
    "ends before it begins": ({"until_time": datetime(2026, 3, 10, 3, tzinfo=UTC)}, RefusalReason.MALFORMED),
    "the officer's own key": ({"session_public": OFFICERS[OFFICER].public}, RefusalReason.MALFORMED),
    "a weak key": ({"session_public": bytes(32)}, RefusalReason.MALFORMED),
    "another agency": ({"agency": "310000-other"}, RefusalReason.AGENCY_NOT_ALLOWED),
    "nobody": ({"officer": f"{AGENCY}/o9"}, RefusalReason.AGENCY_NOT_ALLOWED),
    "a role that is not held": ({"roles": ("audit",)}, RefusalReason.AGENCY_NOT_ALLOWED),
    "a colleague": ({"officer": SECOND}, RefusalReason.BAD_SIGNATURE),
}


@pytest.mark.parametrize("name", FORMS)
async def test_an_assertion_is_well_formed_and_the_officers_own(name: str) -> None:
    """Each way in which an assertion is unfit has its reason."""
    desk, (changes, reason) = Desk(), FORMS[name]
    envelope = desk.sign(desk.assertion(KEY, **changes), OFFICER)
    assert await refusal(desk.node.accounts.open_session(envelope, AGENCY)) is reason


async def test_an_assertion_that_does_not_open_is_refused() -> None:
    """A session cannot assert another one; other types, torn bytes and an expired directory are refused."""
    desk, _ = await opened()
    nested = desk.sign(desk.assertion(OTHER), KEY)
    assert await refusal(desk.node.accounts.open_session(nested, AGENCY)) is RefusalReason.KEY_NOT_VALID
    wrong = desk.sign(desk.request(SessionReading))
    assert await refusal(desk.node.accounts.open_session(wrong, AGENCY)) is RefusalReason.WRONG_TYPE
    torn = suite_sign(desk, b"\x0a\xff")
    assert await refusal(desk.node.accounts.open_session(torn, AGENCY)) is RefusalReason.MALFORMED
    desk.at(datetime(2026, 7, 1, tzinfo=UTC))
    late = desk.sign(desk.assertion(OTHER))
    assert await refusal(desk.node.accounts.open_session(late, AGENCY)) is RefusalReason.STALE_BUNDLE


def suite_sign(desk: Desk, payload: bytes) -> Any:
    """Sign any bytes as an assertion."""
    whole = desk.sign(desk.assertion(KEY))
    return sign(whole.payload_type, payload, OFFICERS[OFFICER])


@given(
    minutes=st.integers(-30, 20 * 60),
    hours=st.integers(1, 12),
    asserted=st.sets(st.sampled_from(["ask", "approve", "audit"]), min_size=1),
    ended=st.sets(st.sampled_from(["ask", "approve"])),
)
def test_a_session_has_what_is_asserted_and_held_in_its_hours(
    minutes: int, hours: int, asserted: set[str], ended: set[str]
) -> None:
    """At any time a session has exactly the asserted roles that the officer holds that day, and only in its hours."""
    desk = Desk()
    begins = datetime(2026, 3, 10, 8, tzinfo=UTC)
    desk.edit(*(end_role(role, "2026-03-11") for role in sorted(ended)))
    assertion = desk.assertion(
        KEY, roles=tuple(sorted(asserted)), from_time=begins, until_time=begins + timedelta(hours=hours)
    )
    now = begins + timedelta(minutes=minutes)
    next_day = minutes >= 8 * 60  # midnight in Shanghai
    held = asserted & ({"ask", "approve"} - (ended if next_day else set()))
    envelope = desk.sign(assertion)
    if not timedelta(seconds=-30) <= now - begins < timedelta(hours=hours):
        assert refused(lambda: open_assertion(envelope, AGENCY, desk.node.charter, now)) is RefusalReason.EXPIRED
    elif not held:
        reason = refused(lambda: open_assertion(envelope, AGENCY, desk.node.charter, now))
        assert reason is RefusalReason.AGENCY_NOT_ALLOWED
    else:
        assert open_assertion(envelope, AGENCY, desk.node.charter, now)[1].roles == held


READINGS: dict[str, tuple[str, dict[str, Any], RefusalReason]] = {
    "no role": (ADMIN, {"purpose": PURPOSE}, RefusalReason.AGENCY_NOT_ALLOWED),
    "no purpose": (OFFICER, {"purpose": "NONE"}, RefusalReason.PURPOSE_NOT_ALLOWED),
    "no case": (OFFICER, {"purpose": PURPOSE, "case_reference": "C-404"}, RefusalReason.CASE_MISSING),
}


@pytest.mark.parametrize("name", READINGS)
async def test_what_is_left_is_told_to_who_may_ask(name: str) -> None:
    """An administrator, an unknown purpose, a case that is none: each is refused by name."""
    desk, (officer, terms, reason) = Desk(), READINGS[name]
    desk.edit(add_officers)
    reading = desk.sign(desk.request(AllowanceReading, officer, **terms))
    assert refused(lambda: desk.node.cases.allowance(reading, AGENCY)) is reason


async def test_no_officer_is_believed_under_a_bundle_that_is_closed() -> None:
    """The direct form ends with the bundle as a session does."""
    desk, _ = await opened()
    desk.at(datetime(2026, 7, 1, tzinfo=UTC))
    assert await refusal(ask(desk, None, OFFICERS[OFFICER])) is RefusalReason.STALE_BUNDLE
