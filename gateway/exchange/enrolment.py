"""A subject's key enters its home member's list: two officers or an electronic licence say whose it is (duty U28).

The key proves that its private half is in the hands of who asks; a weak key, or one that speaks for somebody else
already, is refused (threat 9).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from gateway import uscc, wire
from gateway.errors import ConsentRefused, Refused
from gateway.exchange.admit import reason_for
from gateway.exchange.handing import (
    LICENCE,
    OWNER,
    Counter,
    check_size,
    check_span,
    decoded,
    is_attested,
    open_attestation,
)
from gateway.model.codes import ConsentReason, RefusalReason
from gateway.model.consent import KeptKey, KeyRequest, SubjectKey
from keys import suite
from keys.directory import Directory
from keys.envelope import Envelope, open_envelope
from keys.errors import KeysError, KeyUnknown, WeakKey
from keys.suite import PublicKey


def open_enrolment(envelope: Envelope, agency: str, counter: Counter) -> tuple[KeptKey, bytes, str]:
    """Verify an enrolment; give the key as it will be kept, the digest of what was signed, and who approved it.

    Nobody did where a licence signed.

    Raises:
        Refused, ConsentRefused: with the reason of the first check that fails.
    """
    check_size(envelope)
    if is_attested(envelope):
        attestation, digest = open_attestation(envelope, agency, counter)
        if not isinstance(attestation.body, Envelope):
            raise Refused(RefusalReason.WRONG_TYPE)
        request, key_id = open_key_request(attestation.body, counter)
        approved_by = attestation.approving_officer
    else:
        request, key_id = _licensed(envelope, counter)
        digest, approved_by = envelope.digest(), ""
    return _kept(request, key_id, counter), digest, approved_by


def _licensed(envelope: Envelope, counter: Counter) -> tuple[KeyRequest, str]:
    """Take a request that a licence signed beside the key itself; nobody here says yes to what nobody can verify."""
    if counter.seals is None:
        raise ConsentRefused(ConsentReason.SEAL_NOT_CONFIGURED)
    try:
        holder = counter.seals(envelope)
    except KeysError as error:
        raise Refused(reason_for(error)) from error
    own = tuple(each for each in envelope.signatures if not each.key_id.startswith(LICENCE))
    request, key_id = open_key_request(replace(envelope, signatures=own), counter)
    if request.uscc != holder:
        raise Refused(RefusalReason.BAD_SIGNATURE)
    return request, key_id


def _kept(request: KeyRequest, key_id: str, counter: Counter) -> KeptKey:
    key = SubjectKey(
        key_id=key_id,
        roles=request.roles,
        valid_from_time=request.valid_from_time,
        valid_until_time=request.valid_until_time,
        enrol_time=counter.now,
    )
    return KeptKey(uscc=request.uscc, suite=request.suite, public=request.public, key=key)


def open_key_request(envelope: Envelope, counter: Counter) -> tuple[KeyRequest, str]:
    """Verify a request for a key: a fit key that signed it itself, for this member, in good time; give the key's id.

    Raises:
        Refused, ConsentRefused: with the reason of the first check that fails.
    """
    check_size(envelope)
    request: KeyRequest = decoded(KeyRequest, envelope.payload)
    key = _fit_key(request, counter.charter.directory)
    try:
        open_envelope(envelope, payload_type=wire.PAYLOAD_TYPES[KeyRequest], find=lambda each: _only(key, each))
    except KeysError as error:
        raise Refused(reason_for(error)) from error
    if request.home_member != counter.charter.me:
        raise Refused(RefusalReason.WRONG_AUDIENCE)
    if uscc.defect(request.uscc) is not None:
        raise Refused(RefusalReason.BAD_SUBJECT)
    if not request.roles or len(set(request.roles)) != len(request.roles):
        raise Refused(RefusalReason.MALFORMED)
    check_span(request.valid_from_time, request.valid_until_time, request.request_time, counter)
    days = counter.charter.catalogue.limits.subject_key_days
    if request.valid_until_time - request.valid_from_time > timedelta(days=days):
        raise Refused(RefusalReason.EXPIRED)
    return request, key.id


def _fit_key(request: KeyRequest, directory: Directory) -> PublicKey:
    """Refuse a key that verifies what nobody signed, and one that speaks for somebody else already (threat 9)."""
    if request.suite not in directory.suites:
        raise ConsentRefused(ConsentReason.KEY_WEAK)
    try:
        suite.check_public(request.suite, request.public)
    except WeakKey as error:
        raise ConsentRefused(ConsentReason.KEY_WEAK) from error
    known = {key.public for member in directory.members for key in member.keys}
    known |= {officer.public for member in directory.members for officer in member.officers}
    known |= {key.raw for role in directory.roles for key in role.keys}
    if request.public in known:
        raise ConsentRefused(ConsentReason.KEY_COPIED)
    return PublicKey(id=suite.key_id(OWNER, request.public), suite=request.suite, raw=request.public)


def _only(key: PublicKey, key_id: str) -> PublicKey:
    if key_id != key.id:
        raise KeyUnknown("a request for a key is signed by that key and by no other")
    return key
