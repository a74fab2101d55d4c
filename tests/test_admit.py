"""The fourteen checks of admission as a table: each changed question, directory or envelope has its own reason."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
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
    document,
    intent_of,
    later,
    plot,
    signed_directory,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds_tables import AGREEMENT, FIELDS, JIANGSU, MATTER, PURPOSE, SHANGHAI, USCC, ZHEJIANG, purpose

from gateway import carriers, wire
from gateway.authorisation import vouch
from gateway.charter import Charter
from gateway.errors import Refused
from gateway.exchange.admit import ANY_QUESTION_BYTES, TYPE, admit, reason_for
from gateway.exchange.compose import Inquiry, compose, sign_question
from gateway.exchange.intend import check_case
from gateway.exchange.permit import check_area, permit
from gateway.federation import request_bytes
from gateway.model.answer import Answer
from gateway.model.codes import AuthorisationStatus, SignatureClass, Window
from gateway.model.codes import RefusalReason as R
from gateway.model.combined import CaseOpening
from gateway.model.question import Authorisation, NamedSubject, ProbeQuestion, Question, SummaryQuestion
from gateway.model.signed import Signed
from gateway.uscc import sample_code
from keys import suite
from keys.envelope import Envelope, Signature, sign
from keys.errors import (
    EnvelopeMalformed,
    KeyNotValid,
    KeysError,
    KeyUnknown,
    MemberUnknown,
    SignatureInvalid,
    SuiteUnknown,
    WeakKey,
    WrongPayloadType,
)

Document = dict[str, Any]
Edit = Callable[[Document], None]
Changes = Mapping[str, Any]

OTHER = "310000-tax"
STAFF = {
    "310000-market/o3": ("approve", "2025-01-01", None),  # may approve, may not ask
    "310000-market/o4": ("ask", "2025-01-01", None),  # may ask, may not approve
    "310000-market/o5": ("approve", "2026-03-10", "2026-03-11"),  # today only
    "310000-market/o6": ("approve", "2026-03-11", None),  # from tomorrow
    "310000-market/o7": ("approve", "2025-01-01", "2026-03-10"),  # until yesterday
    "310000-tax/o1": ("approve", "2025-01-01", None),  # of another agency
}
PURPOSES: dict[str, Changes] = {
    "CASES": {"case_required": True},
    "EYES": {"second_officer": True},
    "CONSENT": {"authorisation": "SUBJECT", "authorisation_age_minutes": 60},
    "TRADERS": {"opens_sole_traders": True},
    "SHORT": {"kinds": {"summary": {"fields": list(FIELDS["summary"]), "windows": ["M12"]}}},
    "FUTURE": {"valid_from": "2026-03-11"},
    "FROM_TODAY": {"valid_from": "2026-03-10", "valid_until": "2026-03-11"},
    "ENDED": {"valid_until": "2026-03-10"},
    "NOT_THE_AGENCYS": {},
}
AGREEMENTS: dict[str, Changes] = {
    "TWO": {"parties": [SHANGHAI, ZHEJIANG]},
    "SUSPENDED": {"suspended": True},
    "PURPOSES": {"purposes": ["EYES"]},
    "KINDS": {"kinds": ["rating"]},
    "AREA": {"area": ["3301"]},
    "FUTURE": {"valid_from": "2026-03-11"},
    "FROM_TODAY": {"valid_from": "2026-03-10", "valid_until": "2026-03-11"},
    "ENDED": {"valid_until": "2026-03-10"},
}
APPLICATIONS: dict[str, Changes] = {
    "OF-JIANGSU": {"member": JIANGSU},
    "OF-EYES": {"purpose": "EYES"},
    "FUTURE": {"valid_from": "2026-03-11"},
    "FROM-TODAY": {"valid_from": "2026-03-10", "valid_until": "2026-03-11"},
    "ENDED": {"valid_until": "2026-03-10"},
}


def widen(found: Document) -> None:
    """Add purposes, matters, agreements and officers, each with one thing about it."""
    found["purposes"] += [{**purpose(code), **changes} for code, changes in PURPOSES.items()]
    codes = [each["code"] for each in found["purposes"]]
    first, item = found["agreements"][0], found["applications"][0]
    found["agreements"] = [{**first, "purposes": codes}]
    found["agreements"] += [{**found["agreements"][0], "id": code, **row} for code, row in AGREEMENTS.items()]
    found["applications"] += [{**item, "id": code, **row} for code, row in APPLICATIONS.items()]
    found["applications"] += [{**item, "id": f"FOR-{code}", "purpose": code} for code in codes]
    shanghai = found["members"][0]
    shanghai["agencies"][0]["purposes"] = [each for each in codes if each != "NOT_THE_AGENCYS"]
    shanghai["agencies"].append({**shanghai["agencies"][0], "id": OTHER})
    for number, (officer, (role, since, until)) in enumerate(STAFF.items()):
        public = base64.b64encode(suite.signer(bytes([70 + number]) * 32, owner=officer).public).decode()
        roles = [{"role": role, "from": since, "until": until}]
        agency = officer.partition("/")[0]
        shanghai["officers"].append({"id": officer, "agency": agency, "public": public, "roles": roles})
    found["minimum_version"] = 5


def charters(edit: Edit | None = None) -> tuple[Charter, Charter]:
    """Read one directory for the asker and for the answerer."""

    def both(found: Document) -> None:
        widen(found)
        if edit is not None:
            edit(found)

    directory = signed_directory(both)
    return charter_of(SHANGHAI, directory), charter_of(JIANGSU, directory)


ASKER, ANSWERER = charters()


def composed(**header: Any) -> Question:
    """Compose a question of Shanghai's to Jiangsu that is answered, with fields of its header changed."""
    inquiry = Inquiry(
        intent=intent_of(plot("summary")), intent_digest=bytes(32), agreement_id=AGREEMENT, case_subject_count=0
    )
    signed = compose(inquiry, JIANGSU, 1, question_id=bytes([1]) * 16, charter=ASKER, signer=SIGNERS[SHANGHAI], now=NOW)
    return replace(signed.question, header=replace(signed.question.header, **header))


def summary(*codes: str, **changes: Any) -> SummaryQuestion:
    """Ask for summaries."""
    return SummaryQuestion(
        **{
            "subjects": tuple(NamedSubject(uscc=each) for each in codes or (USCC,)),
            "window": Window.M12,
            **changes,
        }
    )


def codes(count: int) -> tuple[str, ...]:
    """Give made-up codes, each another."""
    return tuple(sample_code("91", "310115", serial) for serial in range(count))


def signed_by(question: Question, *members: str) -> Signed:
    """Sign a question by members."""
    envelope = sign(TYPE, wire.encode(question), *(SIGNERS[each] for each in members))
    return Signed(envelope=envelope, question=question, digest=envelope.digest())


def verdict(
    question: Question | bytes, charter: Charter = ANSWERER, *, now: datetime = NOW, peer: str = SHANGHAI
) -> R | None:
    """Give the reason for which a question is refused, or None for an admitted one."""
    if isinstance(question, Question):
        question = request_bytes(sign_question(question, SIGNERS[SHANGHAI]))
    try:
        admit(question, peer=peer, charter=charter, now=now)
    except Refused as refused:
        return refused.reason
    return None


def for_purpose(code: str, **header: Any) -> Changes:
    """Ask for a purpose, with its own matter."""
    return {"purpose": code, "application_item": f"FOR-{code}", **header}


def test_a_good_question_is_admitted_as_the_asker_itself_permits_it() -> None:
    """Both ends work out the same permit, subjects, limit and day from one directory."""
    question = composed()
    admitted = admit(
        request_bytes(sign_question(question, SIGNERS[SHANGHAI])), peer=SHANGHAI, charter=ANSWERER, now=NOW
    )
    assert admitted.permit == permit(question, charter=ASKER, now=NOW)
    found = admitted.permit
    assert (found.kind.name, found.charge_limit, found.today.isoformat()) == ("summary", 200, "2026-03-10")
    assert (admitted.genuine.question, [each.uscc for each in found.subjects]) == (question, [USCC])


# Steps 1 to 6: the bytes, the envelope, the signature, the peer

GOOD = sign_question(composed(), SIGNERS[SHANGHAI])


def with_envelope(**changes: Any) -> bytes:
    """Change the envelope of a good question."""
    return carriers.write_request(replace(GOOD.envelope, **changes))


def flipped(place: int) -> tuple[Signature, ...]:
    """Flip a bit of the signature."""
    (held,) = GOOD.envelope.signatures
    octets = bytearray(held.signature)
    octets[place] ^= 1
    return (replace(held, signature=bytes(octets)),)


ENVELOPES: dict[str, tuple[bytes, R]] = {
    "too many bytes": (bytes(ANY_QUESTION_BYTES + 1), R.TOO_LARGE),
    "as many as may be, but no message": (b"\xff" * ANY_QUESTION_BYTES, R.MALFORMED),
    "no bytes": (b"", R.MALFORMED),
    "torn": (request_bytes(GOOD)[:-3], R.MALFORMED),
    "an unknown field outside": (request_bytes(GOOD) + b"\xf2\x7d\x01x", R.MALFORMED),
    "no signature": (with_envelope(signatures=()), R.MALFORMED),
    "a signature twice": (with_envelope(signatures=GOOD.envelope.signatures * 2), R.MALFORMED),
    "another type": (
        carriers.write_request(sign(wire.PAYLOAD_TYPES[Answer], GOOD.envelope.payload, SIGNERS[SHANGHAI])),
        R.WRONG_TYPE,
    ),
    "signed by no member": (
        carriers.write_request(sign(TYPE, GOOD.envelope.payload, suite.signer(bytes([9]) * 32, owner="999999"))),
        R.UNKNOWN_MEMBER,
    ),
    "signed by an officer": (
        carriers.write_request(sign(TYPE, GOOD.envelope.payload, OFFICERS[OFFICER])),
        R.UNKNOWN_MEMBER,
    ),
    "signed by an unlisted key": (
        carriers.write_request(sign(TYPE, GOOD.envelope.payload, suite.signer(bytes([9]) * 32, owner=SHANGHAI))),
        R.KEY_NOT_VALID,
    ),
    "first bit of the signature": (with_envelope(signatures=flipped(0)), R.BAD_SIGNATURE),
    "last bit of the signature": (with_envelope(signatures=flipped(-1)), R.BAD_SIGNATURE),
    "another payload": (with_envelope(payload=wire.encode(composed(case_reference="C-2"))), R.BAD_SIGNATURE),
    "a payload that is no question": (
        carriers.write_request(sign(TYPE, b"\xff\xff", SIGNERS[SHANGHAI])),
        R.MALFORMED,
    ),
    "an unknown field inside": (
        carriers.write_request(sign(TYPE, GOOD.envelope.payload + b"\xf2\x7d\x01x", SIGNERS[SHANGHAI])),
        R.MALFORMED,
    ),
    "signed by another member": (request_bytes(signed_by(GOOD.question, ZHEJIANG)), R.BAD_SIGNATURE),
    "signed by two members": (request_bytes(signed_by(GOOD.question, SHANGHAI, ZHEJIANG)), R.BAD_SIGNATURE),
}


@pytest.mark.parametrize("name", ENVELOPES)
def test_an_envelope_that_does_not_open_has_its_reason(name: str) -> None:
    """Size, form, type, key and signature are refused each with its own reason."""
    request, reason = ENVELOPES[name]
    assert verdict(request) is reason


def test_a_genuine_question_of_another_peer_is_refused() -> None:
    """The peer of the connection must be the signer."""
    assert verdict(composed(), peer=ZHEJIANG) is R.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (WrongPayloadType, R.WRONG_TYPE),
        (MemberUnknown, R.UNKNOWN_MEMBER),
        (KeyUnknown, R.KEY_NOT_VALID),
        (KeyNotValid, R.KEY_NOT_VALID),
        (SuiteUnknown, R.KEY_NOT_VALID),
        (SignatureInvalid, R.BAD_SIGNATURE),
        (EnvelopeMalformed, R.MALFORMED),
        (WeakKey, R.MALFORMED),
    ],
)
def test_every_error_of_keys_has_a_reason(error: type[KeysError], reason: R) -> None:
    """An error that the table does not name is MALFORMED."""
    assert reason_for(error("text")) is reason


# Steps 5 to 14: what the question says

CONSENT = vouch(
    Authorisation(
        authorisation_id=bytes(16),
        uscc=USCC,
        agency=AGENCY,
        purposes=("CONSENT",),
        kinds=("summary",),
        members=(JIANGSU,),
        valid_from_time=NOW,
        valid_until_time=later(days=1),
        text_version="1",
        signature_class=SignatureClass.SUBJECT_KEY,
        home_member=SHANGHAI,
        status=AuthorisationStatus.IN_FORCE,
        status_time=NOW,
    ),
    SIGNERS[SHANGHAI],
)
HEADERS: dict[str, tuple[Changes, R | None]] = {
    "15 bytes of id": ({"question_id": bytes(15)}, R.MALFORMED),
    "17 bytes of id": ({"question_id": bytes(17)}, R.MALFORMED),
    "31 bytes of digest": ({"officer_assertion_digest": bytes(31)}, R.MALFORMED),
    "running number 0": ({"pair_sequence": 0}, R.MALFORMED),
    "another asker": ({"asker_member": ZHEJIANG}, R.BAD_SIGNATURE),
    "a relay": ({"relays": (ZHEJIANG,)}, R.BAD_SIGNATURE),
    "a suite not allowed": ({"suite": "YRDX-SM-1"}, R.KEY_NOT_VALID),
    "for another member": ({"answerer_member": ZHEJIANG}, R.WRONG_AUDIENCE),
    "for nobody": ({"answerer_member": ""}, R.WRONG_AUDIENCE),
    "older than the least directory": ({"bundle_version": 4}, R.STALE_BUNDLE),
    "the least directory": ({"bundle_version": 5}, None),
    "an unknown purpose": (for_purpose("NONE"), R.PURPOSE_NOT_ALLOWED),
    "a purpose from tomorrow": (for_purpose("FUTURE"), R.PURPOSE_NOT_ALLOWED),
    "a purpose of today": (for_purpose("FROM_TODAY"), None),
    "a purpose until yesterday": (for_purpose("ENDED"), R.PURPOSE_NOT_ALLOWED),
    "a purpose with other windows": (for_purpose("SHORT"), None),
    "an unknown agency": ({"asker_agency": "310000-none"}, R.AGENCY_NOT_ALLOWED),
    "a purpose of others": (for_purpose("NOT_THE_AGENCYS"), R.AGENCY_NOT_ALLOWED),
    "an unknown officer": ({"officer": "310000-market/o9"}, R.AGENCY_NOT_ALLOWED),
    "an officer of another agency": ({"officer": "310000-tax/o1"}, R.AGENCY_NOT_ALLOWED),
    "an officer of an agency beside": ({"asker_agency": OTHER}, R.AGENCY_NOT_ALLOWED),
    "an officer without the role": ({"officer": "310000-market/o3"}, R.AGENCY_NOT_ALLOWED),
    "an officer with that role alone": ({"officer": "310000-market/o4"}, None),
    "an unknown matter": ({"application_item": "NONE"}, R.ITEM_NOT_PUBLISHED),
    "a matter of another member": ({"application_item": "OF-JIANGSU"}, R.ITEM_NOT_PUBLISHED),
    "a matter of another purpose": ({"application_item": "OF-EYES"}, R.ITEM_NOT_PUBLISHED),
    "a matter from tomorrow": ({"application_item": "FUTURE"}, R.ITEM_NOT_PUBLISHED),
    "a matter of today": ({"application_item": "FROM-TODAY"}, None),
    "a matter until yesterday": ({"application_item": "ENDED"}, R.ITEM_NOT_PUBLISHED),
    "no case": (for_purpose("CASES", case_reference=""), R.CASE_MISSING),
    "a case": (for_purpose("CASES", case_reference="C-1"), None),
    "no case where none is wanted": ({"case_reference": ""}, None),
    "an unknown agreement": ({"agreement_id": "NONE"}, R.NO_AGREEMENT),
    "an agreement of others": ({"agreement_id": "TWO"}, R.NO_AGREEMENT),
    "an agreement from tomorrow": ({"agreement_id": "FUTURE"}, R.NO_AGREEMENT),
    "an agreement of today": ({"agreement_id": "FROM_TODAY"}, None),
    "an agreement until yesterday": ({"agreement_id": "ENDED"}, R.NO_AGREEMENT),
    "a suspended agreement": ({"agreement_id": "SUSPENDED"}, R.SUSPENDED),
    "an agreement for other purposes": ({"agreement_id": "PURPOSES"}, R.NO_AGREEMENT),
    "an agreement for other kinds": ({"agreement_id": "KINDS"}, R.NO_AGREEMENT),
    "an agreement for another area": ({"agreement_id": "AREA"}, R.NOT_IN_SCOPE),
    "100 authorisations": ({"authorisations": (GOOD.envelope,) * 100}, None),
    "101 authorisations": ({"authorisations": (GOOD.envelope,) * 101}, R.TOO_LARGE),
    "no authorisation": (for_purpose("CONSENT"), R.AUTHORISATION_MISSING),
    "an authorisation": (for_purpose("CONSENT", authorisations=(CONSENT,)), None),
    "an authorisation that is none": (
        for_purpose("CONSENT", authorisations=(GOOD.envelope,)),
        R.AUTHORISATION_MISSING,
    ),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_has_its_reason(name: str) -> None:
    """One field that does not fit is refused for what it is, and at its boundary it fits."""
    changes, reason = HEADERS[name]
    question = replace(composed(**changes), body=summary())
    # A hundred envelopes are larger than this kind may be: only the count is looked at here.
    charter = replace(ANSWERER, kinds={"summary": replace(ANSWERER.kinds["summary"], question_bytes=1 << 20)})
    charter = replace(charter, catalogue=with_limits(question_bytes=1 << 20))
    assert verdict(question, charter) is reason


def with_limits(**limits: int) -> Any:
    """Give the answerer's catalogue with other limits."""
    return replace(ANSWERER.catalogue, limits=replace(ANSWERER.catalogue.limits, **limits))


TRADER = sample_code("92", "310115", 7)
BODIES: dict[str, tuple[Any, Changes, R | None]] = {
    "a kind nobody tables": (ProbeQuestion(text="x"), {}, R.UNKNOWN_KIND),
    "a kind not of the purpose": (worlds.question("rating"), for_purpose("SHORT"), R.PURPOSE_NOT_ALLOWED),
    "a window not of the purpose": (summary(window=Window.M60), for_purpose("SHORT"), R.PURPOSE_NOT_ALLOWED),
    "a data item not of the kind": (summary(data_items=("rating",)), {}, R.PURPOSE_NOT_ALLOWED),
    "an unknown domain": (summary(domains=("NOWHERE",)), {}, R.NO_AGREEMENT),
    "no subject": (SummaryQuestion(subjects=(), window=Window.M12), {}, R.BAD_SUBJECT),
    "1,000 subjects": (summary(*codes(1_000)), {}, None),
    "1,001 subjects": (summary(*codes(1_001)), {}, R.TOO_LARGE),
    "1,001 times one subject": (summary(*[USCC] * 1_001), {}, R.TOO_LARGE),
    "a subject twice": (summary(USCC, *codes(2), USCC), {}, R.BAD_SUBJECT),
    "a wrong check": (summary("91310000132260250Y"), {}, R.BAD_SUBJECT),
    "lower case": (summary(USCC.lower()), {}, R.BAD_SUBJECT),
    "an empty code": (summary(""), {}, R.BAD_SUBJECT),
    "one bad code among good ones": (summary(*codes(3), USCC[:-1]), {}, R.BAD_SUBJECT),
    "a sole trader": (summary(TRADER), {}, R.SUBJECT_KIND_CLOSED),
    "a sole trader among others": (summary(USCC, TRADER), {}, R.SUBJECT_KIND_CLOSED),
    "a sole trader where they are open": (summary(TRADER), for_purpose("TRADERS"), None),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_has_its_reason(name: str) -> None:
    """A body that asks too much or for nobody is refused before any look-up."""
    body, header, reason = BODIES[name]
    assert verdict(replace(composed(**header), body=body)) is reason


@pytest.mark.parametrize(
    ("kind_bytes", "limit_bytes", "reason"),
    [(0, 0, None), (-1, 0, R.TOO_LARGE), (0, -1, R.TOO_LARGE), (1 << 20, 0, None), (0, 1 << 20, None)],
)
def test_the_smaller_of_both_sizes_binds(kind_bytes: int, limit_bytes: int, reason: R | None) -> None:
    """A payload as large as the kind and the directory allow passes, and one byte more than either does not."""
    question = composed()
    size = len(wire.encode(question))
    kind = replace(ANSWERER.kinds["summary"], question_bytes=size + kind_bytes)
    catalogue = with_limits(question_bytes=size + limit_bytes)
    assert verdict(question, replace(ANSWERER, kinds={"summary": kind}, catalogue=catalogue)) is reason


# Step 8: times

TICK = timedelta(microseconds=1)
TIMES: dict[str, tuple[timedelta, timedelta, R | None]] = {
    "no life": (timedelta(0), timedelta(0), R.EXPIRED),
    "expired before it was asked": (-TICK, timedelta(0), R.EXPIRED),
    "the shortest life": (TICK, timedelta(0), None),
    "the longest life": (timedelta(seconds=60), timedelta(0), None),
    "a longer life": (timedelta(seconds=60) + TICK, timedelta(0), R.EXPIRED),
    "a clock as far behind as may be": (timedelta(seconds=60), timedelta(seconds=-30), None),
    "a clock further behind": (timedelta(seconds=60), timedelta(seconds=-30) - TICK, R.EXPIRED),
    "as late as may be": (timedelta(seconds=60), timedelta(seconds=90), None),
    "later": (timedelta(seconds=60), timedelta(seconds=90) + TICK, R.EXPIRED),
    "as late as a short life may be": (timedelta(seconds=10), timedelta(seconds=40), None),
    "later than a short life": (timedelta(seconds=10), timedelta(seconds=40) + TICK, R.EXPIRED),
}


@pytest.mark.parametrize("name", TIMES)
def test_a_question_is_fresh_within_its_life_and_the_skew(name: str) -> None:
    """Both boundaries belong to the time in which a question is taken."""
    life, passed, reason = TIMES[name]
    assert verdict(composed(asked_time=NOW, expire_time=NOW + life), now=NOW + passed) is reason


@pytest.mark.parametrize(("before", "reason"), [(TICK, None), (timedelta(0), R.STALE_BUNDLE)])
def test_an_expired_directory_answers_nothing(before: timedelta, reason: R | None) -> None:
    """Up to its expiry the answerer's directory serves; from then on every question is STALE_BUNDLE."""
    now = datetime(2026, 6, 1, tzinfo=UTC) - before
    question = composed(asked_time=now, expire_time=now + timedelta(seconds=60))
    assert verdict(question, now=now) is reason


# What the directory says


def of_shanghai(**changes: Any) -> Edit:
    """Change Shanghai's entry."""
    return lambda found: found["members"][0].update(changes)


def of_agency(**changes: Any) -> Edit:
    """Change the agency that asks."""
    return lambda found: found["members"][0]["agencies"][0].update(changes)


def of_key(**changes: Any) -> Edit:
    """Change the key that signs."""
    return lambda found: found["members"][0]["keys"][0].update(changes)


def of_role(**changes: Any) -> Edit:
    """Change the officer's role to ask."""
    return lambda found: found["members"][0]["officers"][0].update(
        roles=[{"role": "ask", "from": "2025-01-01", "until": None, **changes}]
    )


def under_a_parent(found: Document) -> None:
    """Put Shanghai under a suspended parent."""
    found["members"].append(
        {**document()["members"][0], "id": "300000", "suspended": True, "keys": [], "agencies": [], "officers": []}
    )
    found["members"][0].update(parent="300000", divisions=["310"])


DIRECTORIES: dict[str, tuple[Edit, R | None]] = {
    "the member is suspended": (of_shanghai(suspended=True), R.SUSPENDED),
    "its parent is suspended": (under_a_parent, R.SUSPENDED),
    "the agency is suspended": (of_agency(suspended=True), R.SUSPENDED),
    "the agency begins tomorrow": (of_agency(active_from="2026-03-11"), R.AGENCY_NOT_ALLOWED),
    "the agency begins today": (of_agency(active_from="2026-03-10"), None),
    "the agency ended yesterday": (of_agency(active_until="2026-03-10"), R.AGENCY_NOT_ALLOWED),
    "the agency ends today": (of_agency(active_until="2026-03-11"), None),
    "the agency lies elsewhere": (of_agency(division="110000"), R.NOT_IN_SCOPE),
    "the role begins tomorrow": (of_role(**{"from": "2026-03-11"}), R.AGENCY_NOT_ALLOWED),
    "the role begins today": (of_role(**{"from": "2026-03-10"}), None),
    "the role ended yesterday": (of_role(until="2026-03-10"), R.AGENCY_NOT_ALLOWED),
    "the role ends today": (of_role(until="2026-03-11"), None),
    "the role is another": (of_role(role="audit"), R.AGENCY_NOT_ALLOWED),
    "the key is for ledgers": (of_key(use="ledger"), R.KEY_NOT_VALID),
    "the key is revoked now": (of_key(revoked_time="2026-03-10T04:00:00Z"), R.KEY_NOT_VALID),
    "the key is revoked later": (of_key(revoked_time="2026-03-10T04:00:01Z"), None),
    "the key begins later": (of_key(valid_from="2026-03-10T04:00:01Z"), R.KEY_NOT_VALID),
    "the key begins now": (of_key(valid_from="2026-03-10T04:00:00Z"), None),
    "the key ends now": (of_key(valid_until="2026-03-10T04:00:00Z"), R.KEY_NOT_VALID),
    "no suite is allowed": (lambda found: found.update(suites=[]), R.KEY_NOT_VALID),
    "the least version is a later one": (lambda found: found.update(version=9, minimum_version=8), R.STALE_BUNDLE),
}  # fmt: skip


@pytest.mark.parametrize("name", DIRECTORIES)
def test_a_directory_has_its_reason(name: str) -> None:
    """What was suspended, ended or taken away in the answerer's directory refuses a question at its day."""
    edit, reason = DIRECTORIES[name]
    assert verdict(composed(), charters(edit)[1]) is reason


def test_an_agency_of_another_member_may_not_be_named() -> None:
    """Zhejiang signs and sends, but the agency is Shanghai's."""
    question = composed(asker_member=ZHEJIANG)
    assert verdict(request_bytes(signed_by(question, ZHEJIANG)), peer=ZHEJIANG) is R.AGENCY_NOT_ALLOWED


def test_an_agency_that_nobody_lists_lies_nowhere() -> None:
    """The area of an agreement holds no unknown agency."""
    with pytest.raises(Refused, match="NOT_IN_SCOPE"):
        check_area(ANSWERER.catalogue.agreements[AGREEMENT], "310000-none", ANSWERER)


# Step 11: four eyes

SECONDS: dict[str, tuple[str, bool]] = {
    "nobody": ("", False),
    "unknown": ("310000-market/o9", False),
    "the same person": (OFFICER, False),
    "another agency's": ("310000-tax/o1", False),
    "without the role": ("310000-market/o4", False),
    "from tomorrow": ("310000-market/o6", False),
    "until yesterday": ("310000-market/o7", False),
    "today": ("310000-market/o5", True),
    "who may only approve": ("310000-market/o3", True),
    "the second officer": (SECOND, True),
}


@pytest.mark.parametrize("wanted", ["purpose", "case", "named only"])
@pytest.mark.parametrize("name", SECONDS)
def test_a_second_officer_is_another_of_the_agency_with_the_role(name: str, wanted: str) -> None:
    """Where two are wanted a good one must be named, and where none is wanted a bad one is refused as well."""
    second, good = SECONDS[name]
    changes = {
        "purpose": for_purpose("EYES"),
        "case": {"case_subject_count": 201},
        "named only": {"case_subject_count": 200},
    }
    good = good or (wanted == "named only" and not second)
    expected = None if good else R.SECOND_OFFICER_NEEDED
    assert verdict(composed(**changes[wanted], approving_officer=second)) is expected


def test_a_data_item_may_want_four_eyes() -> None:
    """One granted field whose read rule wants two officers is enough; a question without it needs one."""

    def guarded(found: Document) -> None:
        next(each for each in found["data_items"] if each["id"] == "permit")["four_eyes"] = True

    charter = charters(guarded)[1]
    asked = [replace(composed(), body=summary(data_items=(each,))) for each in ("permit", "penalty")]
    assert [verdict(each, charter) for each in asked] == [R.SECOND_OFFICER_NEEDED, None]


@pytest.mark.parametrize(("count", "limit"), [(0, 200), (200, 200), (201, 201), (5_000, 5_000)])
def test_an_approved_case_raises_the_charge(count: int, limit: int) -> None:
    """A case of more subjects than the ordinary limit may reach as many, and no case lowers the limit."""
    question = composed(case_subject_count=count, approving_officer=SECOND)
    assert permit(question, charter=ANSWERER, now=NOW).charge_limit == limit


# Order: an earlier fault hides a later one

FAULTS: list[tuple[R, Changes, Changes]] = [
    (R.MALFORMED, {"pair_sequence": 0}, {}),
    (R.BAD_SIGNATURE, {"relays": (ZHEJIANG,)}, {}),
    (R.KEY_NOT_VALID, {"suite": "NONE"}, {}),
    (R.WRONG_AUDIENCE, {"answerer_member": ZHEJIANG}, {}),
    (R.EXPIRED, {"asked_time": later(minutes=-10), "expire_time": later(minutes=-9)}, {}),
    (R.STALE_BUNDLE, {"bundle_version": 0}, {}),
    (R.UNKNOWN_KIND, {}, {"kind": "probe"}),
    (R.TOO_LARGE, {}, {"subjects": tuple(NamedSubject(uscc=USCC, name="n" * 100) for _ in range(900))}),
    (R.PURPOSE_NOT_ALLOWED, {"purpose": "NONE"}, {}),
    (R.AGENCY_NOT_ALLOWED, {"officer": "310000-market/o9"}, {}),
    (R.ITEM_NOT_PUBLISHED, {"application_item": "NONE"}, {}),
    (R.CASE_MISSING, for_purpose("CASES", case_reference=""), {}),
    (R.NO_AGREEMENT, {"agreement_id": "NONE"}, {}),
    (R.SUSPENDED, {"agreement_id": "SUSPENDED"}, {}),
    (R.NOT_IN_SCOPE, {"agreement_id": "AREA"}, {}),
    (R.NO_AGREEMENT, {}, {"domains": ("NOWHERE",)}),
    (R.SECOND_OFFICER_NEEDED, {"case_subject_count": 201}, {}),
    (R.TOO_LARGE, {"authorisations": (sign("t", b"p", SIGNERS[JIANGSU]),) * 101}, {}),
    (R.AUTHORISATION_MISSING, for_purpose("CONSENT"), {}),
    (R.TOO_LARGE, {}, {"subjects": tuple(NamedSubject(uscc=each) for each in codes(1_001))}),
    (R.BAD_SUBJECT, {}, {"subjects": (NamedSubject(uscc=USCC),) * 2}),
    (R.BAD_SUBJECT, {}, {"subjects": (NamedSubject(uscc="none"), NamedSubject(uscc=TRADER))}),
    (R.SUBJECT_KIND_CLOSED, {}, {"subjects": (NamedSubject(uscc=TRADER),)}),
]
"""In the order of the steps: the reason, the header's fields and the body's."""


def faulty(places: set[int]) -> Question:
    """Give a question with several faults; where two want one field, the earlier fault has it."""
    header: dict[str, Any] = {}
    body: dict[str, Any] = {}
    for place in sorted(places, reverse=True):
        header |= FAULTS[place][1]
        body |= FAULTS[place][2]
    probing = body.pop("kind", None) is not None
    return replace(composed(**header), body=ProbeQuestion(text="x") if probing else summary(**body))


@pytest.mark.parametrize("place", range(len(FAULTS)))
def test_an_earlier_fault_hides_every_later_one(place: int) -> None:
    """With every later fault besides, a question is refused for its first."""
    first, *_ = FAULTS[place]
    assert verdict(faulty({place})) is first
    assert [verdict(faulty({place, each})) for each in range(place, len(FAULTS))] == [first] * (len(FAULTS) - place)


@settings(deadline=None, max_examples=150)
@given(st.sets(st.integers(0, len(FAULTS) - 1), min_size=1))
def test_the_first_fault_is_the_reason(places: set[int]) -> None:
    """Whatever set of faults a question has, its reason is that of the first in the order of the steps."""
    assert verdict(faulty(places)) is FAULTS[min(places)][0]


@pytest.mark.parametrize(
    "name", ["signed by no member", "signed by an unlisted key", "another payload", "another type"]
)
def test_nothing_is_told_to_the_unauthenticated(name: str) -> None:
    """However wrong the question, a sender that is not proven learns no more than that."""
    _, reason = ENVELOPES[name]
    question = faulty(set(range(3, len(FAULTS))))
    payload = wire.encode(question)
    makers: dict[str, Callable[[], Envelope]] = {
        "signed by no member": lambda: sign(TYPE, payload, suite.signer(bytes([9]) * 32, owner="999999")),
        "signed by an unlisted key": lambda: sign(TYPE, payload, suite.signer(bytes([9]) * 32, owner=SHANGHAI)),
        "another payload": lambda: replace(GOOD.envelope, payload=payload),
        "another type": lambda: sign("t", payload, SIGNERS[SHANGHAI]),
    }
    assert verdict(carriers.write_request(makers[name]())) is reason


def test_the_suspended_learn_only_that() -> None:
    """A suspended member is refused as such before its question is looked at."""
    charter = charters(of_shanghai(suspended=True))[1]
    assert [verdict(faulty({each}), charter) for each in range(3, len(FAULTS))] == [R.SUSPENDED] * (len(FAULTS) - 3)


# A case is checked as a question of its purpose would be

OPENING = CaseOpening(
    case_reference="C-1", agency=AGENCY, officer=OFFICER, open_time=NOW, purpose=PURPOSE, application_item=MATTER
)
OPENINGS: dict[str, tuple[Changes, R | None]] = {
    "a good one": ({}, None),
    "an unknown purpose": ({"purpose": "NONE"}, R.PURPOSE_NOT_ALLOWED),
    "a purpose from tomorrow": ({"purpose": "FUTURE"}, R.PURPOSE_NOT_ALLOWED),
    "a purpose of others": ({"purpose": "NOT_THE_AGENCYS"}, R.AGENCY_NOT_ALLOWED),
    "an unknown agency": ({"agency": "310000-none"}, R.AGENCY_NOT_ALLOWED),
    "an unknown officer": ({"officer": "310000-market/o9"}, R.AGENCY_NOT_ALLOWED),
    "an officer without the role": ({"officer": "310000-market/o3"}, R.AGENCY_NOT_ALLOWED),
    "an unknown matter": ({"application_item": "NONE"}, R.ITEM_NOT_PUBLISHED),
    "a matter of another member": ({"application_item": "OF-JIANGSU"}, R.ITEM_NOT_PUBLISHED),
    "a matter of another purpose": ({"application_item": "OF-EYES"}, R.ITEM_NOT_PUBLISHED),
    "a matter until yesterday": ({"application_item": "ENDED"}, R.ITEM_NOT_PUBLISHED),
    "as many subjects as one officer may": ({"subject_count": 200}, None),
    "one subject more": ({"subject_count": 201}, R.SECOND_OFFICER_NEEDED),
    "one subject more, by two officers": ({"subject_count": 201, "approving_officer": SECOND}, None),
    "by one officer twice": ({"subject_count": 201, "approving_officer": OFFICER}, R.SECOND_OFFICER_NEEDED),
    "a second one without the role": ({"approving_officer": "310000-market/o4"}, R.SECOND_OFFICER_NEEDED),
}


@pytest.mark.parametrize("name", OPENINGS)
def test_a_case_has_its_reason(name: str) -> None:
    """A case that no question could be asked in is not opened."""
    changes, reason = OPENINGS[name]
    try:
        check_case(replace(OPENING, **changes), ASKER, NOW)
        found = None
    except Refused as refused:
        found = refused.reason
    assert found is reason


def test_the_tables_name_every_reason_of_admission() -> None:
    """Every reason is reached here but those of budgets, of replays and of the moment."""
    tables = (
        [reason for _, reason in ENVELOPES.values()],
        [reason for _, reason in HEADERS.values()],
        [reason for *_, reason in BODIES.values()],
        [reason for *_, reason in TIMES.values()],
        [reason for _, reason in DIRECTORIES.values()],
        [reason for reason, *_ in FAULTS],
    )
    reached = {each for table in tables for each in table} - {None}
    assert set(R) - reached == {R.REPLAYED, R.BUDGET_EXHAUSTED, R.OVERLOADED, R.NOT_DURABLE}
