"""An agency that is suspended or has ended: at its own desk its officers only end sessions any more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bundles import AGENCY, NOW, OFFICER, OFFICERS, SECOND, charter_of, signed_directory
from consents import Counter, attested, key_request, on_paper, reading, revocation, signed, widen, withdrawal
from desks import ADMIN, TIMES, Desk, add_officers, refusal, refused, session_key, suspend
from test_asking import intent, open_case
from worlds_tables import MATTER, PURPOSE, SHANGHAI, USCC

from gateway.exchange.intend import Signable, open_signed_request
from gateway.model.access import DelayOrder
from gateway.model.accounts import (
    SessionClosing,
    SessionReading,
    SubmissionApproval,
    SubmissionReading,
    SubmissionRefusal,
)
from gateway.model.codes import RefusalReason, SignatureClass
from gateway.model.combined import AllowanceReading, CaseOpening, CaseReading, Intent
from gateway.model.consent import Attestation, ConsentReading
from gateway.model.evidence import EvidenceOrder

Change = Callable[[dict[str, Any]], None]
REFERENCE = {"case_reference": "C-1"}


def end(document: dict[str, Any]) -> None:
    """End the agency on a day that has come."""
    member = next(each for each in document["members"] if each["id"] == SHANGHAI)
    member["agencies"][0]["active_until"] = "2026-03-10"


ENDS: dict[str, tuple[Change, RefusalReason]] = {
    "suspended": (suspend, RefusalReason.SUSPENDED),
    "ended": (end, RefusalReason.AGENCY_NOT_ALLOWED),
}
TERMS: dict[type[Any], dict[str, Any]] = {
    CaseOpening: {**REFERENCE, "purpose": PURPOSE, "application_item": MATTER},
    CaseReading: REFERENCE,
    AllowanceReading: {"purpose": PURPOSE},
    SessionClosing: {"assertion_digest": bytes(32)},
    SessionReading: {},
    SubmissionReading: {},
    SubmissionApproval: {"submission_id": bytes(32)},
    SubmissionRefusal: {"submission_id": bytes(32)},
    Attestation: {"approving_officer": SECOND, "scan_digest": bytes(32), "body": withdrawal()},
    ConsentReading: {"uscc": USCC, "home_member": SHANGHAI},
    DelayOrder: {
        "delay_id": bytes(16),
        "approving_officer": SECOND,
        "case_reference": "c",
        "until_date": "2026-06-01",
        "ground": "g",
    },
    EvidenceOrder: {"order_id": bytes(16), "approving_officer": SECOND, "result_digest": bytes(32), "ground": "g"},
}
TIME_OF = {
    **TIMES,
    CaseOpening: "open_time",
    Attestation: "attest_time",
    DelayOrder: "order_time",
    EvidenceOrder: "order_time",
}


def request_of(kind: type[Any]) -> Any:
    """Write a good request of a kind."""
    if kind is Intent:
        return intent(**REFERENCE)
    time = TIME_OF.get(kind, "read_time")
    return kind(**{"agency": AGENCY, "officer": OFFICER, time: NOW, **TERMS[kind]})


@pytest.mark.parametrize("name", ENDS)
@pytest.mark.parametrize("kind", Signable.__constraints__, ids=lambda each: each.__name__)
def test_nothing_is_believed_of_an_agency_that_may_not_act(kind: type[Any], name: str) -> None:
    """Of all that an officer signs with the own key, only the end of a session is taken."""
    change, reason = ENDS[name]
    envelope = signed(
        request_of(kind),
        *(OFFICERS.values() if kind in {Attestation, DelayOrder, EvidenceOrder} else (OFFICERS[OFFICER],)),
    )
    good, bad = charter_of(SHANGHAI, signed_directory()), charter_of(SHANGHAI, signed_directory(change))
    open_signed_request(envelope, kind, AGENCY, good, NOW)
    if kind is SessionClosing:
        open_signed_request(envelope, kind, AGENCY, bad, NOW)
        return
    assert refused(lambda: open_signed_request(envelope, kind, AGENCY, bad, NOW)) is reason


@pytest.mark.parametrize("name", ENDS)
async def test_a_desk_shows_nothing_to_an_agency_that_may_not_act(name: str) -> None:
    """Cases, what is left, sessions and submissions: closed at the next call, though the officer has the role."""
    desk, (change, reason) = Desk(), ENDS[name]
    await open_case(desk.nodes)
    desk.edit(change)
    node = desk.node
    calls: dict[type[Any], Callable[..., object]] = {
        CaseReading: node.cases.case,
        AllowanceReading: node.cases.allowance,
        SessionReading: node.accounts.sessions,
        SubmissionReading: node.accounts.submissions,
    }
    for kind, call in calls.items():
        asked = desk.sign(desk.request(kind, **TERMS[kind]))
        assert refused(lambda call=call, asked=asked: call(asked, AGENCY)) is reason  # type: ignore[misc]
    assert await refusal(node.accounts.submit(desk.sign(intent(**REFERENCE)), AGENCY)) is reason


async def test_a_session_is_closed_while_its_agency_is_suspended() -> None:
    """So that it does not come back with the agency: by the officer's own key, or an administrator's."""
    desk = Desk()
    desk.edit(add_officers)
    mine, theirs = await desk.open(session_key(1)), await desk.open(session_key(2, SECOND), officer=SECOND)
    desk.edit(suspend)
    for officer, assertion in ((OFFICER, mine), (ADMIN, theirs)):
        closing = desk.sign(desk.request(SessionClosing, officer, assertion_digest=assertion.digest()))
        assert (await desk.node.accounts.close_session(closing, AGENCY)).closing_officer == officer


@pytest.mark.parametrize("name", ENDS)
async def test_a_counter_takes_nothing_that_officers_of_such_an_agency_attest(tmp_path: Path, name: str) -> None:
    """Nobody is enrolled, nothing given, ended or shown on the word of its officers."""
    change, reason = ENDS[name]
    counter = Counter(folder=tmp_path)
    await counter.enrolled()
    await counter.given()
    kept = counter.store.consents.consents(USCC)

    def both(document: dict[str, Any]) -> None:
        widen(document)
        change(document)

    counter.charter = charter_of(SHANGHAI, signed_directory(both))
    desk = counter.authorising
    paper = withdrawal(signature_class=SignatureClass.ATTESTED_SCAN)
    for work in (
        desk.enrol(attested(key_request()), AGENCY),
        desk.give(attested(on_paper(authorisation_id=b"2" * 16)), AGENCY),
        desk.withdraw(attested(paper), AGENCY),
        desk.revoke(attested(revocation()), AGENCY),
    ):
        assert await refusal(work) is reason
    by_officer = signed(reading(agency=AGENCY, officer=OFFICER), OFFICERS[OFFICER])
    assert refused(lambda: desk.kept(by_officer, AGENCY)) is reason
    assert counter.store.consents.consents(USCC) == kept
    counter.store.close()
