"""A subject's authorisation: every way in which it does not hold, one change at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from bundles import AGENCY, NOW, SIGNERS, charter_of, intent_of, plot, signed_directory
from worlds_tables import AGREEMENT, FOREIGN_USCC, JIANGSU, PURPOSE, REPORT, SHANGHAI, USCC, ZHEJIANG

from gateway import wire
from gateway.authorisation import TYPE, covered, holds, vouch
from gateway.exchange.compose import Inquiry, compose
from gateway.model.codes import AuthorisationStatus, SignatureClass
from gateway.model.question import Authorisation
from keys import suite
from keys.envelope import Envelope, Signature, sign

MINUTES = 60
TICK = timedelta(microseconds=1)
CHARTER = charter_of(JIANGSU, signed_directory())
GOOD = Authorisation(
    authorisation_id=bytes(16),
    uscc=USCC,
    agency=AGENCY,
    purposes=(REPORT, PURPOSE),
    kinds=("rating", "summary"),
    members=(ZHEJIANG, JIANGSU),
    valid_from_time=NOW - timedelta(days=1),
    valid_until_time=NOW + timedelta(days=1),
    text_version="1",
    signature_class=SignatureClass.SUBJECT_KEY,
    home_member=SHANGHAI,
    status=AuthorisationStatus.IN_FORCE,
    status_time=NOW - timedelta(minutes=5),
)


def found(*envelopes: Envelope, charter: Any = CHARTER, minutes: int = MINUTES, **header: Any) -> frozenset[str]:
    """Give the codes that a question of Shanghai's to Jiangsu is covered for."""
    inquiry = Inquiry(
        intent=intent_of(plot("summary")), intent_digest=bytes(32), agreement_id=AGREEMENT, case_subject_count=0
    )
    signed = compose(inquiry, JIANGSU, 1, question_id=bytes(16), charter=charter, signer=SIGNERS[SHANGHAI], now=NOW)
    asked = replace(signed.question.header, authorisations=envelopes, **header)
    return frozenset(covered(asked, "summary", charter, NOW, age_minutes=minutes))


def vouched(**changes: Any) -> Envelope:
    """Let Shanghai vouch for an authorisation."""
    return vouch(replace(GOOD, **changes), SIGNERS[SHANGHAI])


OF_THIS: Mapping[str, Any] = {"question_ids": (bytes(16),)}
LIFE = timedelta(seconds=90)
"""How long a question lives, and how far clocks may differ."""

CHANGES: dict[str, tuple[Mapping[str, Any], bool]] = {
    "as it is": ({}, True),
    "another agency": ({"agency": "310000-tax"}, False),
    "no agency": ({"agency": ""}, False),
    "another purpose": ({"purposes": (REPORT,)}, False),
    "no purpose": ({"purposes": ()}, False),
    "another kind": ({"kinds": ("rating",)}, False),
    "no kind": ({"kinds": ()}, False),
    "another answerer": ({"members": (ZHEJIANG, SHANGHAI)}, False),
    "no answerer": ({"members": ()}, False),
    "withdrawn": ({"status": AuthorisationStatus.WITHDRAWN}, False),
    "valid from now": ({"valid_from_time": NOW}, True),
    "not yet valid": ({"valid_from_time": NOW + TICK}, False),
    "valid until just now": ({"valid_until_time": NOW}, False),
    "valid for a moment": ({"valid_until_time": NOW + TICK}, True),
    "never valid": ({"valid_from_time": NOW, "valid_until_time": NOW}, False),
    "a status as old as may be": ({"status_time": NOW - timedelta(minutes=MINUTES)}, True),
    "an older status": ({"status_time": NOW - timedelta(minutes=MINUTES) - TICK}, False),
    "a status as far ahead as clocks may be": ({"status_time": NOW + timedelta(seconds=30)}, True),
    "a status of this question as old as that may be": ({**OF_THIS, "status_time": NOW - LIFE}, True),
    "an older status of this question": ({**OF_THIS, "status_time": NOW - LIFE - TICK}, False),
    "a status from the future": ({"status_time": NOW + timedelta(seconds=30) + TICK}, False),
    "for a home member that did not sign": ({"home_member": ZHEJIANG}, False),
    "for no home member": ({"home_member": ""}, False),
}


@pytest.mark.parametrize("name", CHANGES)
def test_an_authorisation_holds_for_what_it_says_alone(name: str) -> None:
    """Agency, purpose, kind, answerer, times and status must all fit, and each boundary has one side."""
    changes, good = CHANGES[name]
    assert found(vouched(**changes)) == (frozenset({USCC}) if good else frozenset())


@pytest.mark.parametrize("questions", [(), (bytes(16),)])
def test_no_status_is_older_than_the_purpose_says(questions: tuple[bytes, ...]) -> None:
    """Where the purpose's own age is the shorter one, it holds, for whatever the status was given."""
    ages = (timedelta(minutes=1), timedelta(minutes=1, microseconds=1))
    each = [vouched(question_ids=questions, status_time=NOW - age) for age in ages]
    assert [found(status, minutes=1) for status in each] == [{USCC}, frozenset()]


def test_another_agencys_question_is_not_covered() -> None:
    """The question's own agency, purpose and answerer are compared, not the authorisation's alone."""
    changes: list[dict[str, Any]] = [
        {"asker_agency": "310000-tax"}, {"purpose": "NONE"}, {"answerer_member": SHANGHAI}, {"purpose": REPORT},
    ]  # fmt: skip
    assert [len(found(vouched(), **each)) for each in changes] == [0, 0, 0, 1]


SHARED = sign(TYPE, wire.encode(GOOD), SIGNERS[SHANGHAI])
FORGED: dict[str, Callable[[], Envelope]] = {
    "signed by another member": lambda: vouch(GOOD, SIGNERS[ZHEJIANG]),
    "signed by two members": lambda: sign(TYPE, wire.encode(GOOD), SIGNERS[SHANGHAI], SIGNERS[ZHEJIANG]),
    "signed by an unlisted key": lambda: vouch(GOOD, suite.signer(bytes([9]) * 32, owner=SHANGHAI)),
    "signed by no member": lambda: vouch(GOOD, suite.signer(bytes([9]) * 32, owner="999999")),
    "another payload type": lambda: sign("application/vnd.yrdx.question.v1+proto", SHARED.payload, SIGNERS[SHANGHAI]),
    "garbage": lambda: sign(TYPE, b"\xff\xff\xff", SIGNERS[SHANGHAI]),
    "no bytes": lambda: sign(TYPE, b"", SIGNERS[SHANGHAI]),
    "an unknown field": lambda: sign(TYPE, SHARED.payload + b"\xf2\x7d\x01x", SIGNERS[SHANGHAI]),
    "torn": lambda: sign(TYPE, SHARED.payload[:-1], SIGNERS[SHANGHAI]),
    "no signature": lambda: replace(SHARED, signatures=()),
    "a signature of nothing": lambda: replace(
        SHARED, signatures=(Signature(key_id=SHARED.signatures[0].key_id, signature=bytes(64)),)
    ),
    "another subject after signing": lambda: replace(SHARED, payload=vouched(uscc=FOREIGN_USCC).payload),
}


@pytest.mark.parametrize("name", FORGED)
def test_an_authorisation_that_is_not_genuine_is_none(name: str) -> None:
    """What its home member did not sign as such, whole, is passed over and does no harm to a good one."""
    envelope = FORGED[name]()
    assert found(envelope) == frozenset()
    assert found(envelope, vouched()) == {USCC}


def of_home(**changes: Any) -> Any:
    """Read a directory in which the home member is another."""
    return charter_of(JIANGSU, signed_directory(lambda document: document["members"][0].update(changes)))


@pytest.mark.parametrize(("changes", "good"), [({}, True), ({"suspended": True}, False), ({"keys": []}, False)])
def test_a_home_member_must_be_in_good_standing(changes: dict[str, Any], good: bool) -> None:  # noqa: FBT001
    """A suspended home member, or one whose key was taken away, vouches for nobody."""
    assert found(vouched(), charter=of_home(**changes)) == (frozenset({USCC}) if good else frozenset())


def test_any_member_vouches_for_its_own() -> None:
    """The home member is the one that the authorisation names and that signed it, whoever asks."""
    assert found(vouch(replace(GOOD, home_member=ZHEJIANG), SIGNERS[ZHEJIANG])) == {USCC}


def test_each_subject_needs_its_own() -> None:
    """A question without an authorisation is covered for nobody, and one covers one subject."""
    both = found(vouched(), vouched(uscc=FOREIGN_USCC), vouched())
    assert (found(), both) == (frozenset(), frozenset({USCC, FOREIGN_USCC}))
    table: list[tuple[tuple[str, ...], frozenset[str], bool]] = [
             ((), frozenset(), True), ((USCC,), frozenset(), False), ((USCC,), both, True),
             ((USCC, FOREIGN_USCC), both, True), ((USCC, "X"), both, False)]  # fmt: skip
    assert [holds(subjects, codes) for subjects, codes, _ in table] == [good for *_, good in table]
