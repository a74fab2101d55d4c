"""What a home member says of an authorisation, for certain questions, to the member of the agency that it names.

A request is one use, however often it is sent; a status holds for its questions alone (duty U8, threat 5).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TypeVar

from gateway import authorisation, wire
from gateway.charter import Charter
from gateway.clocks import civil_day
from gateway.errors import Refused
from gateway.exchange.admit import is_stale, reason_for
from gateway.limits import ID_BYTES
from gateway.model.access import AccessRequest
from gateway.model.codes import AuthorisationStatus, RefusalReason
from gateway.model.consent import AskedQuestion, HeldConsent, StatusRequest
from gateway.model.question import Authorisation
from gateway.participants import may_ask
from keys.envelope import Envelope, open_envelope, sign
from keys.errors import KeysError
from keys.suite import Signer

TYPE = wire.PAYLOAD_TYPES[StatusRequest]
REQUEST_BYTES = 64 << 10
_QUESTIONS = 1_000
M = TypeVar("M", StatusRequest, AccessRequest)


def write_request(request: StatusRequest, signer: Signer) -> Envelope:
    """Sign a request for its member."""
    return sign(TYPE, wire.encode(request), signer)


def open_request(envelope: Envelope, *, peer: str, charter: Charter, now: datetime) -> tuple[StatusRequest, bytes]:
    """Verify that the member of the agency asks, for itself, now; give what it asks and the digest of its bytes.

    Raises:
        Refused: with the reason of the first check that fails.
    """
    request, digest = open_from_member(envelope, StatusRequest, peer=peer, charter=charter, now=now)
    if request.home_member != charter.me:
        raise Refused(RefusalReason.WRONG_AUDIENCE)
    _check_form(request, charter)
    check_fresh(request.ask_time, charter, now)
    _check_right(request, charter, now)
    return request, digest


def open_from_member(
    envelope: Envelope, kind: type[M], *, peer: str, charter: Charter, now: datetime
) -> tuple[M, bytes]:
    """Verify that the member at the other end signed what it asks, and may ask; give it and the digest of its bytes.

    Raises:
        Refused: with the reason of the first check that fails.
    """
    directory = charter.directory
    if len(envelope.payload) > REQUEST_BYTES:
        raise Refused(RefusalReason.TOO_LARGE)
    try:
        opened = open_envelope(
            envelope,
            payload_type=wire.PAYLOAD_TYPES[kind],
            find=lambda key_id: directory.key(key_id, use="sign", at=now),
        )
        request = wire.decode(kind, opened.payload)
    except KeysError as error:
        raise Refused(reason_for(error)) from error
    except wire.WireMalformed as error:
        raise Refused(RefusalReason.MALFORMED) from error
    if {directory.key_owner(each) for each in opened.key_ids} != {request.asker_member} or peer != request.asker_member:
        raise Refused(RefusalReason.BAD_SIGNATURE)
    if directory.suspended(request.asker_member, at=now):
        raise Refused(RefusalReason.SUSPENDED)
    return request, opened.digest


def _check_form(request: StatusRequest, charter: Charter) -> None:
    limit = charter.catalogue.limits.authorisations
    ids = (request.use_id, *request.authorisation_ids, *(each.question_id for each in request.questions))
    many = max(len(request.subjects), len(request.authorisation_ids))
    members = {each.answerer_member for each in request.questions}
    if many > limit or len(request.questions) > _QUESTIONS:
        raise Refused(RefusalReason.TOO_LARGE)
    if not request.subjects or not request.questions or any(len(each) != ID_BYTES for each in ids):
        raise Refused(RefusalReason.MALFORMED)
    # One question a member: a use is one asking, not as many as an asker likes.
    if len(members) != len(request.questions) or len(set(request.subjects)) != len(request.subjects):
        raise Refused(RefusalReason.MALFORMED)


def check_fresh(asked: datetime, charter: Charter, now: datetime) -> None:
    """Check that a member's request was signed just now, and that the directory may be used.

    Raises:
        Refused: EXPIRED or STALE_BUNDLE.
    """
    limits = charter.catalogue.limits
    skew, life = timedelta(seconds=limits.clock_skew), timedelta(seconds=limits.question_life)
    if not asked - skew <= now <= asked + life + skew:
        raise Refused(RefusalReason.EXPIRED)
    if is_stale(charter.directory, now):
        raise Refused(RefusalReason.STALE_BUNDLE)


def _check_right(request: StatusRequest, charter: Charter, now: datetime) -> None:
    """Only the member of the agency learns of its authorisations, for a purpose that is in force and open to it."""
    agency, today = charter.directory.agency(request.agency), civil_day(now)
    purpose = charter.catalogue.purposes.get(request.purpose)
    if purpose is None or not purpose.in_force(today) or request.kind not in purpose.kinds:
        raise Refused(RefusalReason.PURPOSE_NOT_ALLOWED)
    if (
        agency is None
        or agency.member != request.asker_member
        or not may_ask(agency, request.purpose, charter.catalogue.participants, today)
    ):
        raise Refused(RefusalReason.AGENCY_NOT_ALLOWED)
    if agency.suspended or not agency.active(today):
        raise Refused(RefusalReason.SUSPENDED if agency.suspended else RefusalReason.AGENCY_NOT_ALLOWED)


def fitting(held: Iterable[HeldConsent], request: StatusRequest, now: datetime) -> tuple[HeldConsent, ...]:
    """Give the authorisations of a subject that cover a request: standing ones first, then what ends soonest."""
    members = {each.answerer_member for each in request.questions}
    found = (each for each in held if _covers(each, request, members, now))
    return tuple(sorted(found, key=lambda each: (each.consent.use_limit > 0, each.consent.valid_until_time)))


def _covers(held: HeldConsent, request: StatusRequest, members: set[str], now: datetime) -> bool:
    consent, named = held.consent, request.authorisation_ids
    return (
        held.status is AuthorisationStatus.IN_FORCE
        and (not named or consent.authorisation_id in named)
        and consent.agency == request.agency
        and request.purpose in consent.purposes
        and request.kind in consent.kinds
        and members <= set(consent.members)
        and consent.valid_from_time <= now < consent.valid_until_time
    )


def vouch(held: HeldConsent, questions: tuple[AskedQuestion, ...], signer: Signer, now: datetime) -> Envelope:
    """Sign the status of an authorisation in force, for these questions alone."""
    consent = held.consent
    return authorisation.vouch(
        Authorisation(
            authorisation_id=consent.authorisation_id,
            uscc=consent.uscc,
            agency=consent.agency,
            purposes=consent.purposes,
            kinds=consent.kinds,
            members=consent.members,
            valid_from_time=consent.valid_from_time,
            valid_until_time=consent.valid_until_time,
            use_limit=consent.use_limit,
            text_version=consent.text_version,
            signature_class=consent.signature_class,
            home_member=consent.home_member,
            status=held.status,
            status_time=now,
            question_ids=tuple(each.question_id for each in questions),
        ),
        signer,
    )
