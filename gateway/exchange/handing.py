"""What a subject hands in at its home member: believed by its enrolled key, or by two officers who saw the paper.

A signature by electronic licence or seal is a class of its own, whose verification a licensed CA brings; without one
it is refused by name (duties U8, U28).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from gateway import wire
from gateway.charter import Charter
from gateway.clocks import civil_day
from gateway.errors import ConsentRefused, Refused
from gateway.exchange.admit import reason_for
from gateway.exchange.intend import check_age, open_signed_request
from gateway.exchange.permit import approves
from gateway.limits import DIGEST_BYTES, ID_BYTES
from gateway.model.access import AccessReading, PreviewReading
from gateway.model.codes import ConsentReason, KeyRole, RefusalReason, SignatureClass
from gateway.model.consent import (
    Attestation,
    Consent,
    ConsentReading,
    KeptKey,
    KeyRevocation,
    Withdrawal,
)
from gateway.purposes import Consent as Wanted
from keys.envelope import Envelope, open_envelope
from keys.errors import KeyNotValid, KeysError, KeyUnknown
from keys.suite import PublicKey

OWNER = "subject"
"""Owner in the ids of subjects' keys: an id travels as a hint in clear and must not name the subject."""

HANDED_BYTES = 64 << 10
USE_LIMIT = 1_000_000
_ATTESTATION = wire.PAYLOAD_TYPES[Attestation]
LICENCE = "licence/"
"""How the ids of keys of electronic licences and seals begin."""

_LISTED = 64
_VIEWS = (ConsentReading, AccessReading, PreviewReading)

Find = Callable[[str], KeptKey | None]
Seals = Callable[[Envelope], str]
"""Verifies a signature by electronic licence or seal and gives the code of its holder; raises KeysError."""

T = TypeVar("T", Consent, Withdrawal, KeyRevocation, ConsentReading, AccessReading, PreviewReading)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """What a home member verifies by: its charter, the clock, how to find a key, and who verifies seals, if anybody."""

    charter: Charter
    now: datetime
    find: Find
    seals: Seals | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed(Generic[T]):
    """What was handed in, verified, and the digest of what was signed.

    `approved_by` is the second of the officers who attest it; empty where the subject itself signed.
    """

    value: T
    digest: bytes
    approved_by: str = ""


def open_handed(envelope: Envelope, kind: type[T], agency: str, counter: Counter) -> Handed[T]:
    """Verify what a subject's key signed, or what two officers of the agency of the connection attest.

    Raises:
        Refused, ConsentRefused: with the reason of the first check that fails.
    """
    check_size(envelope)
    approved_by = ""
    if is_attested(envelope):
        attestation, digest = open_attestation(envelope, agency, counter)
        value: Any = attestation.body
        if not isinstance(value, kind):
            raise Refused(RefusalReason.WRONG_TYPE)
        wanted, approved_by = SignatureClass.ATTESTED_SCAN, attestation.approving_officer
    elif any(each.key_id.startswith(LICENCE) for each in envelope.signatures):
        value, digest = _sealed(envelope, kind, counter)
        wanted = SignatureClass.E_LICENCE
    else:
        value, digest = _signed(envelope, kind, counter)
        wanted = SignatureClass.SUBJECT_KEY
    if value.home_member != counter.charter.me:
        raise Refused(RefusalReason.WRONG_AUDIENCE)
    if getattr(value, "signature_class", wanted) is not wanted:
        raise Refused(RefusalReason.MALFORMED)
    return Handed(value=value, digest=digest, approved_by=approved_by)


def is_attested(envelope: Envelope) -> bool:
    """Say whether officers attest it."""
    return envelope.payload_type == _ATTESTATION


def open_attestation(envelope: Envelope, agency: str, counter: Counter) -> tuple[Attestation, bytes]:
    """Verify that two officers of one agency of this member attest, each in a role that allows it.

    Raises:
        Refused: with the reason; SECOND_OFFICER_NEEDED without a second one who is another person.
    """
    charter, today = counter.charter, civil_day(counter.now)
    found, digest = open_signed_request(envelope, Attestation, agency, charter, counter.now)
    first = charter.directory.officer(found.officer)
    if first is None or not first.holds("ask", today):
        raise Refused(RefusalReason.AGENCY_NOT_ALLOWED)
    if not approves(found.approving_officer, first.id, charter.directory, today):
        raise Refused(RefusalReason.SECOND_OFFICER_NEEDED)
    if len(found.scan_digest) != DIGEST_BYTES:
        raise Refused(RefusalReason.MALFORMED)
    return found, digest


def check_size(envelope: Envelope) -> None:
    """Refuse what is larger than anything that is handed in.

    Raises:
        Refused: TOO_LARGE.
    """
    if len(envelope.payload) > HANDED_BYTES:
        raise Refused(RefusalReason.TOO_LARGE)


def _sealed(envelope: Envelope, kind: type[T], counter: Counter) -> tuple[T, bytes]:
    """Take a signature by licence or seal, if anybody here can verify one: never on its own word."""
    if counter.seals is None:
        raise ConsentRefused(ConsentReason.SEAL_NOT_CONFIGURED)
    if envelope.payload_type != wire.PAYLOAD_TYPES[kind]:
        raise Refused(RefusalReason.WRONG_TYPE)
    try:
        holder = counter.seals(envelope)
    except KeysError as error:
        raise Refused(reason_for(error)) from error
    value = decoded(kind, envelope.payload)
    if value.uscc != holder:
        raise Refused(RefusalReason.BAD_SIGNATURE)
    return value, envelope.digest()


def _signed(envelope: Envelope, kind: type[T], counter: Counter) -> tuple[T, bytes]:
    """Verify one signature by an enrolled key of the subject, good now and for this."""
    kept: list[KeptKey] = []

    def find(key_id: str) -> PublicKey:
        found = counter.find(key_id)
        if found is None:
            raise KeyUnknown("no subject has enrolled a key of that id here")
        if not is_good(found, counter.now):
            raise KeyNotValid("the key has ended or not begun")
        kept.append(found)
        return PublicKey(id=key_id, suite=found.suite, raw=found.public)

    try:
        opened = open_envelope(envelope, payload_type=wire.PAYLOAD_TYPES[kind], find=find)
    except KeysError as error:
        raise Refused(reason_for(error)) from error
    value = decoded(kind, opened.payload)
    if len(kept) != 1 or kept[0].uscc != value.uscc:
        raise Refused(RefusalReason.BAD_SIGNATURE)
    _check_role(kept[0], value)
    return value, opened.digest


def is_good(kept: KeptKey, now: datetime) -> bool:
    """Say whether a key is good now: within its times and not revoked."""
    revoked = kept.key.revoke_time is not None and kept.key.revoke_time <= now
    return kept.key.valid_from_time <= now < kept.key.valid_until_time and not revoked


def _check_role(kept: KeptKey, value: object) -> None:
    """Hold a key to its roles; any key may end itself, and no other."""
    if isinstance(value, KeyRevocation):
        if value.key_id != kept.key.key_id:
            raise ConsentRefused(ConsentReason.KEY_ROLE_MISSING)
        return
    wanted = KeyRole.VIEW if isinstance(value, _VIEWS) else KeyRole.CONSENT
    if wanted not in kept.key.roles:
        raise ConsentRefused(ConsentReason.KEY_ROLE_MISSING)


def decoded(kind: type[Any], payload: bytes) -> Any:  # noqa: ANN401  a value of the kind
    """Parse a payload strictly.

    Raises:
        Refused: MALFORMED.
    """
    try:
        return wire.decode(kind, payload)
    except wire.WireMalformed as error:
        raise Refused(RefusalReason.MALFORMED) from error


def open_reading(envelope: Envelope, agency: str, counter: Counter) -> ConsentReading:
    """Verify who wants to read what is kept of a subject: its own key, or an officer of the connection's agency.

    Raises:
        Refused, ConsentRefused: with the reason of the first check that fails.
    """
    check_size(envelope)
    if not any(each.key_id.startswith(f"{OWNER}/") for each in envelope.signatures):
        reading, _ = open_signed_request(envelope, ConsentReading, agency, counter.charter, counter.now)
        officer, today = counter.charter.directory.officer(reading.officer), civil_day(counter.now)
        if officer is None or not any(officer.holds(role, today) for role in ("ask", "audit")):
            raise Refused(RefusalReason.AGENCY_NOT_ALLOWED)
        if reading.home_member != counter.charter.me:
            raise Refused(RefusalReason.WRONG_AUDIENCE)
        return reading
    reading = open_handed(envelope, ConsentReading, agency, counter).value
    check_age(reading, counter.charter, counter.now)
    if reading.agency or reading.officer:
        raise Refused(RefusalReason.MALFORMED)
    return reading


def check_span(begin: datetime, end: datetime, signed: datetime, counter: Counter) -> None:
    """Check that a span begins before it ends, has not ended, and was not signed in the future.

    Raises:
        Refused: EXPIRED.
    """
    skew = timedelta(seconds=counter.charter.catalogue.limits.clock_skew)
    if not begin < end or end <= counter.now or signed > counter.now + skew:
        raise Refused(RefusalReason.EXPIRED)


def check_consent(consent: Consent, counter: Counter) -> None:
    """Check that an authorisation could ever hold: known purposes that want one, their kinds, agency and members.

    Raises:
        Refused: with the reason of the first check that fails.
    """
    charter, catalogue = counter.charter, counter.charter.catalogue
    lists = (consent.purposes, consent.kinds, consent.members)
    if len(consent.authorisation_id) != ID_BYTES or not consent.text_version or consent.use_limit > USE_LIMIT:
        raise Refused(RefusalReason.MALFORMED)
    if any(not each or len(set(each)) != len(each) for each in lists):
        raise Refused(RefusalReason.MALFORMED)
    if any(len(each) > _LISTED for each in (*lists, consent.text_version)):
        raise Refused(RefusalReason.TOO_LARGE)
    purposes = [catalogue.purposes.get(each) for each in consent.purposes]
    if any(each is None or each.authorisation is Wanted.NONE for each in purposes):
        raise Refused(RefusalReason.PURPOSE_NOT_ALLOWED)
    if not {kind for each in purposes if each is not None for kind in each.kinds}.issuperset(consent.kinds):
        raise Refused(RefusalReason.UNKNOWN_KIND)
    if not {each.id for each in charter.directory.members}.issuperset(consent.members):
        raise Refused(RefusalReason.UNKNOWN_MEMBER)
    agency = charter.directory.agency(consent.agency)
    if agency is None or not set(agency.purposes).issuperset(consent.purposes):
        raise Refused(RefusalReason.AGENCY_NOT_ALLOWED)
    check_span(consent.valid_from_time, consent.valid_until_time, consent.give_time, counter)
