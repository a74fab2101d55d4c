"""What a home member takes from its subjects: a table of everything that it refuses, each by its own name (U8, U28)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bundles import AGENCY, NOW, OFFICER, OFFICERS, SECOND, SIGNERS, charter_of, register, signed_directory
from consents import (
    BANK,
    IDENTITY,
    KEY,
    OTHER_KEY,
    STRANGER,
    VIEWER,
    Counter,
    asked_key,
    attested,
    by_key,
    charter,
    consent,
    key_request,
    on_paper,
    reading,
    revocation,
    signed,
    torn,
    widen,
    withdrawal,
)
from desks import one_person
from worlds_tables import JIANGSU, PURPOSE, SHANGHAI, USCC

from gateway import wire
from gateway.errors import ConsentRefused, Refused
from gateway.exchange.handing import HANDED_BYTES
from gateway.model.codes import AuthorisationStatus, ConsentReason, KeyRole, RefusalReason, SignatureClass
from gateway.model.consent import Consent, KeyRequest
from keys import suite
from keys.envelope import Envelope, Signature, sign
from keys.errors import SignatureInvalid

C, R = ConsentReason, RefusalReason
TICK = timedelta(microseconds=1)
SKEW = timedelta(seconds=30)
OFFICER_KEY = OFFICERS[OFFICER]
LICENCE = Signature(key_id="licence/2026/1", signature=b"s")
HUGE = "x" * (HANDED_BYTES + 1)


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Counter]:
    """Give Shanghai's counter."""
    found = Counter(folder=tmp_path)
    yield found
    found.store.close()


async def refused(work: Any) -> RefusalReason | ConsentReason:
    """Give the reason for which something is not taken."""
    try:
        await work
    except (Refused, ConsentRefused) as error:
        return error.reason
    raise AssertionError("it was taken")


# Enrolment


async def test_a_key_that_two_officers_attest_is_enrolled(counter: Counter) -> None:
    """The key and those that the subject had before are told; the same attestation again changes nothing."""
    first, before = await counter.authorising.enrol(attested(key_request()), AGENCY)
    again = await counter.authorising.enrol(attested(key_request()), AGENCY)
    second, existing = await counter.authorising.enrol(attested(key_request(OTHER_KEY, roles=(KeyRole.VIEW,))), AGENCY)
    assert (before, again[1], existing) == ((), (), (first,))
    assert (first.key_id, first.enrol_time, second.roles) == (KEY.id, NOW, (KeyRole.VIEW,))
    assert USCC not in first.key_id


Make = Callable[[], Envelope]
ENROLMENTS: dict[str, tuple[Make, RefusalReason | ConsentReason]] = {
    "signed by another key": (lambda: attested(key_request(signer=OTHER_KEY)), R.KEY_NOT_VALID),
    "no proof of possession": (
        lambda: attested(replace(key_request(), signatures=(Signature(key_id=KEY.id, signature=bytes(64)),))),
        R.BAD_SIGNATURE,
    ),
    "an id of another key": (
        lambda: attested(replace(key_request(), signatures=(Signature(key_id=OTHER_KEY.id, signature=bytes(64)),))),
        R.KEY_NOT_VALID,
    ),
    "another payload type": (
        lambda: attested(sign("t", wire.encode(asked_key()), KEY)), R.WRONG_TYPE,
    ),
    "garbage": (lambda: attested(sign(wire.PAYLOAD_TYPES[KeyRequest], b"\xff", KEY)), R.MALFORMED),
    "an unknown field": (
        lambda: attested(sign(wire.PAYLOAD_TYPES[KeyRequest], wire.encode(asked_key()) + b"\xf2\x7d\x01x", KEY)),
        R.MALFORMED,
    ),
    "a point of low order": (lambda: attested(key_request(public=bytes(32))), C.KEY_WEAK),
    "a non-canonical point": (lambda: attested(key_request(public=b"\xff" * 32)), C.KEY_WEAK),
    "a short key": (lambda: attested(key_request(public=b"k")), C.KEY_WEAK),
    "an unknown suite": (lambda: attested(key_request(suite="YRDX-NONE")), C.KEY_WEAK),
    "a member's key": (lambda: attested(key_request(SIGNERS[JIANGSU])), C.KEY_COPIED),
    "an officer's key": (lambda: attested(key_request(OFFICER_KEY)), C.KEY_COPIED),
    "a key that signs the bundle": (
        lambda: attested(key_request(public=charter().directory.roles[0].keys[0].raw)), C.KEY_COPIED,
    ),
    "for another home": (lambda: attested(key_request(home_member=JIANGSU)), R.WRONG_AUDIENCE),
    "no code": (lambda: attested(key_request(uscc="x")), R.BAD_SUBJECT),
    "a subject that is not registered here": (
        lambda: attested(key_request(uscc=STRANGER)), C.SUBJECT_NOT_REGISTERED,
    ),
    "no role": (lambda: attested(key_request(roles=())), R.MALFORMED),
    "a role twice": (lambda: attested(key_request(roles=(KeyRole.VIEW, KeyRole.VIEW))), R.MALFORMED),
    "ended": (lambda: attested(key_request(valid_until_time=NOW)), R.EXPIRED),
    "ended before it began": (
        lambda: attested(key_request(valid_from_time=NOW + timedelta(days=300))), R.EXPIRED,
    ),
    "a life too long": (
        lambda: attested(key_request(valid_until_time=NOW + timedelta(days=1_095))), R.EXPIRED,
    ),
    "from the future": (lambda: attested(key_request(request_time=NOW + SKEW + TICK)), R.EXPIRED),
    "one officer": (
        lambda: attested(key_request(), OFFICER_KEY, approving_officer=""), R.SECOND_OFFICER_NEEDED,
    ),
    "a second officer who has not signed": (lambda: attested(key_request(), OFFICER_KEY), R.SECOND_OFFICER_NEEDED),
    "the same officer twice": (
        lambda: attested(key_request(), OFFICER_KEY, approving_officer=OFFICER), R.SECOND_OFFICER_NEEDED,
    ),
    "of another agency's connection": (
        lambda: attested(key_request(), agency=BANK), R.AGENCY_NOT_ALLOWED,
    ),
    "attested long ago": (
        lambda: attested(key_request(), attest_time=NOW - timedelta(seconds=301)), R.EXPIRED,
    ),
    "no scan": (lambda: attested(key_request(), scan_digest=b""), R.MALFORMED),
    "an attested consent": (lambda: attested(on_paper()), R.WRONG_TYPE),
    "an electronic licence": (
        lambda: replace(key_request(), signatures=(*key_request().signatures, LICENCE)), C.SEAL_NOT_CONFIGURED,
    ),
    "by itself alone": (key_request, C.SEAL_NOT_CONFIGURED),
    "hostile size": (lambda: sign("t", HUGE.encode(), KEY), R.TOO_LARGE),
    "hostile size inside": (lambda: attested(sign("t", HUGE.encode(), KEY)), R.TOO_LARGE),
}  # fmt: skip


@pytest.mark.parametrize("name", ENROLMENTS)
async def test_an_enrolment_that_is_not_good_is_refused_by_name(counter: Counter, name: str) -> None:
    """Weak, copied and unproven keys, foreign subjects and half attestations end each in its own refusal (threat 9)."""
    make, reason = ENROLMENTS[name]
    assert await refused(counter.authorising.enrol(make(), AGENCY)) is reason
    assert counter.store.consents.keys(USCC) == ()


async def test_a_key_serves_one_subject(counter: Counter) -> None:
    """A key that is enrolled already is copied, whoever asks; and a subject has no more keys than the limit."""
    await counter.enrolled()
    other = attested(key_request(roles=(KeyRole.VIEW,)))
    assert await refused(counter.authorising.enrol(other, AGENCY)) is C.KEY_COPIED
    counter.charter = charter(limits={"subject_keys": 1})
    assert await refused(counter.authorising.enrol(attested(key_request(OTHER_KEY)), AGENCY)) is C.TOO_MANY
    await counter.authorising.revoke(by_key(revocation()), AGENCY)
    await counter.enrolled(OTHER_KEY)


@pytest.mark.parametrize(
    "row",
    [{"lifecycle": "DEREGISTERED"}, {"lifecycle": "MIGRATED"}, {"division": "320102"}, {"valid_until": "2026-03-10"}],
    ids=str,
)
async def test_only_a_subject_in_business_here_enrols_and_gives(counter: Counter, row: dict[str, Any]) -> None:
    """The member's own register decides on that day, by division; an authorisation may be taken back all the same."""
    await counter.enrolled()
    await counter.given()
    counter.source.rows = {USCC: {"register": [register(**row)]}}
    again = by_key(consent(authorisation_id=b"2" * 16))
    assert await refused(counter.authorising.enrol(attested(key_request(VIEWER)), AGENCY)) is C.SUBJECT_NOT_REGISTERED
    assert await refused(counter.authorising.give(again, AGENCY)) is C.SUBJECT_NOT_REGISTERED
    assert (await counter.authorising.withdraw(by_key(withdrawal()), AGENCY)).withdraw_time == NOW


async def test_an_officers_role_is_wanted(counter: Counter) -> None:
    """The first officer may ask and the second approve; who has not the role attests nothing."""

    def narrow(document: dict[str, Any]) -> None:
        shanghai = next(each for each in document["members"] if each["id"] == SHANGHAI)
        for officer in shanghai["officers"]:
            officer["roles"] = [each for each in officer["roles"] if each["role"] == "approve"]

    counter.charter = charter_of(SHANGHAI, signed_directory(narrow))
    assert await refused(counter.authorising.enrol(attested(key_request()), AGENCY)) is R.AGENCY_NOT_ALLOWED
    assert await refused(shown(counter, by_officer())) is R.AGENCY_NOT_ALLOWED


@pytest.mark.parametrize("name", ["enrol", "give", "withdraw", "revoke"])
async def test_one_person_attests_nothing_alone(counter: Counter, name: str) -> None:
    """Two posts of one person are no four eyes at the counter either, whatever is handed in on paper."""
    await counter.enrolled()
    await counter.given()
    made = {
        "enrol": key_request(OTHER_KEY),
        "give": on_paper(authorisation_id=b"2" * 16),
        "withdraw": withdrawal(signature_class=SignatureClass.ATTESTED_SCAN),
        "revoke": revocation(),
    }

    def same(document: dict[str, Any]) -> None:
        widen(document)
        one_person(OFFICER, SECOND)(document)

    before = counter.charter
    counter.charter = charter_of(SHANGHAI, signed_directory(same))
    work = getattr(counter.authorising, name)
    assert await refused(work(attested(made[name]), AGENCY)) is R.SECOND_OFFICER_NEEDED
    counter.charter = before
    await work(attested(made[name]), AGENCY)


# Giving and withdrawing


async def test_an_authorisation_is_given_by_key_or_on_paper(counter: Counter) -> None:
    """Both are kept as they were given; the same envelope again changes nothing."""
    await counter.enrolled()
    one = await counter.given()
    two = await counter.authorising.give(attested(on_paper(authorisation_id=b"2" * 16, use_limit=3)), AGENCY)
    assert await counter.given() == one
    held = counter.store.consents.consents(USCC)
    assert held == (one, two)
    assert [each.consent.signature_class.value for each in held] == ["SUBJECT_KEY", "ATTESTED_SCAN"]
    assert [each.status for each in held] == [AuthorisationStatus.IN_FORCE] * 2


def changed(**changes: Any) -> Make:
    """Give an authorisation of which one thing is another, signed by the subject's key."""
    return lambda: by_key(consent(**changes))


GIFTS: dict[str, tuple[Make, RefusalReason | ConsentReason]] = {
    "another subject's": (changed(uscc=STRANGER), R.BAD_SIGNATURE),
    "by a key that nobody enrolled": (lambda: by_key(consent(), OTHER_KEY), R.KEY_NOT_VALID),
    "by an officer": (lambda: signed(consent(), OFFICER_KEY), R.KEY_NOT_VALID),
    "by a member": (lambda: signed(consent(), SIGNERS[JIANGSU]), R.KEY_NOT_VALID),
    "by a key for viewing": (lambda: by_key(consent(), VIEWER), C.KEY_ROLE_MISSING),
    "by two keys": (lambda: signed(consent(), KEY, VIEWER), R.BAD_SIGNATURE),
    "changed after signing": (lambda: torn(by_key(consent())), R.BAD_SIGNATURE),
    "an unknown field": (
        lambda: sign(wire.PAYLOAD_TYPES[Consent], wire.encode(consent()) + b"\xf2\x7d\x01x", KEY), R.MALFORMED,
    ),
    "garbage": (lambda: sign(wire.PAYLOAD_TYPES[Consent], b"\xff", KEY), R.MALFORMED),
    "a withdrawal": (lambda: by_key(withdrawal()), R.WRONG_TYPE),
    "an attested withdrawal": (lambda: attested(withdrawal()), R.WRONG_TYPE),
    "for another home": (changed(home_member=JIANGSU), R.WRONG_AUDIENCE),
    "called paper": (changed(signature_class=SignatureClass.ATTESTED_SCAN), R.MALFORMED),
    "called a licence": (changed(signature_class=SignatureClass.E_LICENCE), R.MALFORMED),
    "paper called a key": (lambda: attested(consent()), R.MALFORMED),
    "an electronic seal": (
        lambda: replace(by_key(consent(signature_class=SignatureClass.E_LICENCE)), signatures=(LICENCE,)),
        C.SEAL_NOT_CONFIGURED,
    ),
    "one officer": (
        lambda: attested(on_paper(), OFFICER_KEY, approving_officer=""), R.SECOND_OFFICER_NEEDED,
    ),
    "an id too short": (changed(authorisation_id=b"1"), R.MALFORMED),
    "no purpose": (changed(purposes=()), R.MALFORMED),
    "a purpose twice": (changed(purposes=(PURPOSE, PURPOSE)), R.MALFORMED),
    "no kind": (changed(kinds=()), R.MALFORMED),
    "no member": (changed(members=()), R.MALFORMED),
    "no text": (changed(text_version=""), R.MALFORMED),
    "a text of hostile size": (changed(text_version="x" * 65), R.TOO_LARGE),
    "too many members": (changed(members=tuple(map(str, range(65)))), R.TOO_LARGE),
    "too many uses": (changed(use_limit=1_000_001), R.MALFORMED),
    "an unknown purpose": (changed(purposes=("NONE",)), R.PURPOSE_NOT_ALLOWED),
    "a purpose that wants none": (changed(purposes=("FREE",)), R.PURPOSE_NOT_ALLOWED),
    "an unknown kind": (changed(kinds=("none",)), R.UNKNOWN_KIND),
    "an unknown member": (changed(members=("999999",)), R.UNKNOWN_MEMBER),
    "an unknown agency": (changed(agency="nobody"), R.AGENCY_NOT_ALLOWED),
    "over before it began": (changed(valid_from_time=NOW + timedelta(days=31)), R.EXPIRED),
    "over": (changed(valid_until_time=NOW), R.EXPIRED),
    "from the future": (changed(give_time=NOW + SKEW + TICK), R.EXPIRED),
    "hostile size": (lambda: sign(wire.PAYLOAD_TYPES[Consent], HUGE.encode(), KEY), R.TOO_LARGE),
}  # fmt: skip


@pytest.mark.parametrize("name", GIFTS)
async def test_an_authorisation_that_is_not_good_is_refused_by_name(counter: Counter, name: str) -> None:
    """Who did not sign, for what nobody may be asked, or out of its time: each ends in its own refusal."""
    await counter.enrolled()
    await counter.enrolled(VIEWER, roles=(KeyRole.VIEW,))
    make, reason = GIFTS[name]
    assert await refused(counter.authorising.give(make(), AGENCY)) is reason
    assert counter.store.consents.consents(USCC) == ()


async def test_a_withdrawal_is_final(counter: Counter) -> None:
    """After it neither the same authorisation nor another of its id is taken; a second withdrawal changes nothing."""
    await counter.enrolled()
    await counter.given()
    gone = await counter.authorising.withdraw(by_key(withdrawal()), AGENCY)
    counter.now = NOW + timedelta(minutes=1)
    paper = attested(
        withdrawal(signature_class=SignatureClass.ATTESTED_SCAN), attest_time=counter.now
    )  # fmt: skip
    assert await counter.authorising.withdraw(paper, AGENCY) == gone
    assert (gone.status, gone.withdraw_time) == (AuthorisationStatus.WITHDRAWN, NOW)
    assert await refused(counter.given()) is C.AUTHORISATION_WITHDRAWN
    assert await refused(counter.given(use_limit=9)) is R.REPLAYED


async def test_an_id_stands_for_one_authorisation(counter: Counter) -> None:
    """Other terms under the same id are a replay; what is not there, or another's, cannot be withdrawn."""
    await counter.enrolled()
    await counter.given()
    assert await refused(counter.given(kinds=("summary", "rating"))) is R.REPLAYED
    none = by_key(withdrawal(authorisation_id=bytes(16)))
    assert await refused(counter.authorising.withdraw(none, AGENCY)) is C.AUTHORISATION_UNKNOWN
    counter.source.rows = {**counter.rows, STRANGER: {"register": [register()]}}
    await counter.enrolled(OTHER_KEY, uscc=STRANGER)
    foreign = by_key(withdrawal(uscc=STRANGER), OTHER_KEY)
    assert await refused(counter.authorising.withdraw(foreign, AGENCY)) is C.AUTHORISATION_UNKNOWN


async def test_a_subject_has_no_more_authorisations_than_the_limit(counter: Counter) -> None:
    """What has ended or was withdrawn makes room."""
    counter.charter = charter(limits={"consents": 2})
    await counter.enrolled()
    await counter.given(valid_until_time=NOW + timedelta(seconds=1))
    await counter.given(authorisation_id=b"2" * 16)
    assert await refused(counter.given(authorisation_id=b"3" * 16)) is C.TOO_MANY
    counter.now = NOW + timedelta(seconds=1)
    await counter.given(authorisation_id=b"3" * 16)
    assert await refused(counter.given(authorisation_id=b"4" * 16)) is C.TOO_MANY
    await counter.authorising.withdraw(by_key(withdrawal(authorisation_id=b"3" * 16)), AGENCY)
    await counter.given(authorisation_id=b"4" * 16)


# Keys that ended


async def test_a_revoked_key_signs_nothing_any_more(counter: Counter) -> None:
    """A key ends itself or two officers end it; what it gave before stays until it is withdrawn."""
    await counter.enrolled()
    await counter.enrolled(OTHER_KEY)
    await counter.given()
    ended = await counter.authorising.revoke(by_key(revocation()), AGENCY)
    assert ended.revoke_time == NOW
    assert await refused(counter.given(authorisation_id=b"2" * 16)) is R.KEY_NOT_VALID
    assert await refused(counter.authorising.withdraw(by_key(withdrawal()), AGENCY)) is R.KEY_NOT_VALID
    by_officers = attested(revocation(OTHER_KEY))
    assert (await counter.authorising.revoke(by_officers, AGENCY)).key_id == OTHER_KEY.id
    assert (await counter.authorising.revoke(by_officers, AGENCY)).revoke_time == NOW
    assert [each.revoke_time for each in counter.store.consents.keys(USCC)] == [NOW, NOW]
    assert counter.store.consents.consents(USCC)[0].status is AuthorisationStatus.IN_FORCE


async def test_a_key_ends_no_other(counter: Counter) -> None:
    """A key's revocation names that very key; officers end only keys of the subject that they name."""
    await counter.enrolled()
    await counter.enrolled(OTHER_KEY)
    assert await refused(counter.authorising.revoke(by_key(revocation(OTHER_KEY)), AGENCY)) is C.KEY_ROLE_MISSING
    assert await refused(counter.authorising.revoke(attested(revocation(VIEWER)), AGENCY)) is C.AUTHORISATION_UNKNOWN
    foreign = attested(revocation(uscc=STRANGER))
    assert await refused(counter.authorising.revoke(foreign, AGENCY)) is C.AUTHORISATION_UNKNOWN


@pytest.mark.parametrize(("moved", "good"), [(-2, False), (0, True), (299, True), (300, False)])
async def test_a_key_is_good_in_its_time(counter: Counter, moved: int, good: bool) -> None:  # noqa: FBT001
    """Before its first and from its last instant on a key signs nothing."""
    await counter.enrolled(valid_from_time=NOW - timedelta(days=1))
    counter.now = NOW + timedelta(days=moved)
    given = counter.given(
        give_time=counter.now, valid_from_time=counter.now, valid_until_time=counter.now + timedelta(days=1)
    )
    if good:
        assert (await given).status is AuthorisationStatus.IN_FORCE
    else:
        assert await refused(given) is R.KEY_NOT_VALID


# Electronic licences and seals, where somebody can verify them


def holder(envelope: Envelope) -> str:
    """Verify as a licensed CA of the tests would."""
    if envelope.signatures[-1].signature != b"s":
        raise SignatureInvalid("no seal")
    return USCC


async def test_a_seal_counts_where_a_licensed_ca_is_configured(tmp_path: Path) -> None:
    """With one, a licence enrols a key and a seal gives; a bad seal, and another holder's, do not."""
    counter = Counter(folder=tmp_path, seals=holder)
    request, bad = key_request(), replace(LICENCE, signature=b"x")
    enrol, give = counter.authorising.enrol, counter.authorising.give
    await enrol(replace(request, signatures=(*request.signatures, LICENCE)), AGENCY)
    sealed = sign(wire.PAYLOAD_TYPES[Consent], wire.encode(consent(signature_class=SignatureClass.E_LICENCE)), KEY)
    held = await give(replace(sealed, signatures=(LICENCE,)), AGENCY)
    assert held.consent.signature_class is SignatureClass.E_LICENCE
    other = key_request(OTHER_KEY, uscc=STRANGER)
    assert await refused(enrol(replace(other, signatures=(*other.signatures, LICENCE)), AGENCY)) is R.BAD_SIGNATURE
    assert await refused(enrol(replace(other, signatures=(*other.signatures, bad)), AGENCY)) is R.BAD_SIGNATURE
    assert await refused(give(replace(sealed, signatures=(bad,)), AGENCY)) is R.BAD_SIGNATURE
    wrong = replace(sealed, signatures=(LICENCE,), payload_type="t")
    assert await refused(give(wrong, AGENCY)) is R.WRONG_TYPE
    foreign = replace(by_key(consent(uscc=STRANGER)), signatures=(LICENCE,))
    assert await refused(give(foreign, AGENCY)) is R.BAD_SIGNATURE
    counter.store.close()


# Reading


async def shown(counter: Counter, envelope: Envelope) -> tuple[int, tuple[bytes, ...], str]:
    """Read; the number of keys, the ids of the authorisations, and the next page's token."""
    keys, held, token = counter.authorising.kept(envelope, AGENCY)
    return len(keys), tuple(each.consent.authorisation_id for each in held), token


def by_officer(*signers: suite.Signer, **changes: Any) -> Envelope:
    """Write a reading by an officer."""
    return signed(reading(**{"agency": AGENCY, "officer": OFFICER, **changes}), *(signers or (OFFICER_KEY,)))


async def test_a_subject_sees_all_and_an_officer_what_is_given_to_the_agency(counter: Counter) -> None:
    """The subject's key is shown every key and authorisation, page by page; an officer those to the own agency."""
    await counter.enrolled()
    await counter.enrolled(VIEWER, roles=(KeyRole.VIEW,))
    ids = (IDENTITY, b"2" * 16, b"3" * 16)
    for identity, agency in zip(ids, (AGENCY, BANK, AGENCY), strict=True):
        await counter.given(authorisation_id=identity, agency=agency)
    assert await shown(counter, by_key(reading(), VIEWER)) == (2, ids, "")
    assert await shown(counter, by_key(reading(page_size=2), VIEWER)) == (2, ids[:2], "2")
    assert await shown(counter, by_key(reading(page_size=2, page_token="2"), VIEWER)) == (2, ids[2:], "")
    assert await shown(counter, by_officer()) == (0, (ids[0], ids[2]), "")
    assert await shown(counter, by_officer(uscc=STRANGER)) == (0, (), "")


READINGS: dict[str, tuple[Make, RefusalReason | ConsentReason]] = {
    "by a key for giving": (lambda: by_key(reading(), OTHER_KEY), C.KEY_ROLE_MISSING),
    "by a stranger": (lambda: by_key(reading(), VIEWER), R.KEY_NOT_VALID),
    "of another subject": (lambda: by_key(reading(uscc=STRANGER)), R.BAD_SIGNATURE),
    "too old": (lambda: by_key(reading(read_time=NOW - timedelta(seconds=301))), R.EXPIRED),
    "from the future": (lambda: by_key(reading(read_time=NOW + SKEW + TICK)), R.EXPIRED),
    "in an officer's name": (lambda: by_key(reading(agency=AGENCY, officer=OFFICER)), R.MALFORMED),
    "a page too large": (lambda: by_key(reading(page_size=101)), R.MALFORMED),
    "no token": (lambda: by_key(reading(page_token="x")), R.MALFORMED),
    "at another home": (lambda: by_key(reading(home_member=JIANGSU)), R.WRONG_AUDIENCE),
    "by an officer at another home": (lambda: by_officer(home_member=JIANGSU), R.WRONG_AUDIENCE),
    "by another officer": (lambda: by_officer(OFFICERS[SECOND]), R.BAD_SIGNATURE),
    "hostile size": (lambda: sign("t", HUGE.encode(), KEY), R.TOO_LARGE),
}  # fmt: skip


@pytest.mark.parametrize("name", READINGS)
async def test_a_reading_that_is_not_good_is_refused_by_name(counter: Counter, name: str) -> None:
    """Nobody reads what is kept of a subject but its own key for that and an officer in the own name."""
    await counter.enrolled()
    await counter.enrolled(OTHER_KEY, roles=(KeyRole.CONSENT,))
    make, reason = READINGS[name]
    assert await refused(shown(counter, make())) is reason


async def test_what_cannot_be_kept_is_not_taken(counter: Counter) -> None:
    """Where the store is closed nothing is promised."""
    envelope = attested(key_request())
    counter.store._commits.close()
    assert await refused(counter.authorising.enrol(envelope, AGENCY)) is R.NOT_DURABLE
