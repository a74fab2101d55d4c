"""Decides whether a question may be answered: fourteen checks in order (protocol section 4), before any look-up.

`authenticate` is steps 1 to 8, `authorise` 9 to 14; between them a door looks for the stored reply of a retry.
"""

from __future__ import annotations

import re
from dataclasses import InitVar, dataclass
from datetime import datetime, timedelta

from gateway import carriers, wire
from gateway.charter import Charter, is_behind
from gateway.errors import Refused
from gateway.exchange.permit import Permit, permit
from gateway.exchange.routing import routing_of
from gateway.kinds import kind_of
from gateway.limits import DIGEST_BYTES, ID_BYTES
from gateway.model.codes import RefusalReason
from gateway.model.question import Question, QuestionHeader
from gateway.model.sealed import Routing
from keys.directory import Directory, Stage
from keys.envelope import Envelope, open_envelope
from keys.errors import (
    EnvelopeMalformed,
    KeyNotValid,
    KeysError,
    KeyUnknown,
    MemberUnknown,
    SignatureInvalid,
    SuiteUnknown,
    WrongPayloadType,
)

TYPE = wire.PAYLOAD_TYPES[Question]
ANY_QUESTION_BYTES = 256 << 10
_CODE = re.compile(r"[A-Za-z0-9._/-]{0,64}")
_VERIFIED = object()
_BY_ERROR: tuple[tuple[type[KeysError], RefusalReason], ...] = (
    (WrongPayloadType, RefusalReason.WRONG_TYPE),
    (MemberUnknown, RefusalReason.UNKNOWN_MEMBER),
    (KeyUnknown, RefusalReason.KEY_NOT_VALID),
    (KeyNotValid, RefusalReason.KEY_NOT_VALID),
    (SuiteUnknown, RefusalReason.KEY_NOT_VALID),
    (SignatureInvalid, RefusalReason.BAD_SIGNATURE),
    (EnvelopeMalformed, RefusalReason.MALFORMED),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Genuine:
    """A question that its signer meant for this node, now. Only `authenticate` makes one."""

    question: Question
    envelope: Envelope
    digest: bytes
    verified: InitVar[object]

    def __post_init__(self, verified: object) -> None:
        """Refuse to be made without a verification."""
        _only_verified(verified)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A genuine question that may be answered. Only `authorise` makes one."""

    genuine: Genuine
    permit: Permit
    verified: InitVar[object]

    def __post_init__(self, verified: object) -> None:
        """Refuse to be made without the checks."""
        _only_verified(verified)


def _only_verified(verified: object) -> None:
    if verified is not _VERIFIED:
        msg = "only the checks of this module may make this value"
        raise TypeError(msg)


def admit(request: bytes, *, peer: str, charter: Charter, now: datetime) -> Admitted:
    """Run all fourteen checks on the bytes of an AskRequest from a peer member.

    Raises:
        Refused: with the reason of the first check that fails.
    """
    return authorise(authenticate(request, peer=peer, charter=charter, now=now), charter=charter, now=now)


def unwrap(request: bytes) -> Envelope:
    """Steps 1 and 2: size, and an envelope that opens.

    Raises:
        Refused: TOO_LARGE or MALFORMED.
    """
    if len(request) > ANY_QUESTION_BYTES:
        raise Refused(RefusalReason.TOO_LARGE)
    try:
        return carriers.read_request(request)
    except wire.WireMalformed as error:
        raise Refused(RefusalReason.MALFORMED) from error


def authenticate(
    request: bytes, *, peer: str, charter: Charter, now: datetime, routing: Routing | None = None
) -> Genuine:
    """Steps 1 to 8: the question is genuine, for this node, and fresh; `routing` is of the sealed layer it came in.

    Raises:
        Refused: with the reason of the first check that fails.
    """
    envelope = unwrap(request)
    directory = charter.directory
    # 3 key known, right use, valid now; 4 signature; 5 payload type
    try:
        opened = open_envelope(
            envelope, payload_type=TYPE, find=lambda key_id: directory.key(key_id, use="sign", at=now)
        )
    except KeysError as error:
        raise Refused(reason_for(error)) from error
    # 5 no unknown field
    try:
        question = wire.decode(Question, opened.payload)
    except wire.WireMalformed as error:
        raise Refused(RefusalReason.MALFORMED) from error
    header = question.header
    _check_form(header)
    # 6 peer is the signer, or a relay that was allowed for it and that the signer has named
    signers = {directory.key_owner(key_id) for key_id in opened.key_ids}
    if signers != {header.asker_member} or not _came_by(header, peer, routing):
        raise Refused(RefusalReason.BAD_SIGNATURE)
    if header.suite not in directory.suites:
        raise Refused(RefusalReason.KEY_NOT_VALID)
    if directory.suspended(header.asker_member, now):
        raise Refused(RefusalReason.SUSPENDED)
    # 7 audience is me
    if header.answerer_member != charter.me:
        raise Refused(RefusalReason.WRONG_AUDIENCE)
    _check_fresh(header, charter, now)
    return Genuine(question=question, envelope=envelope, digest=opened.digest, verified=_VERIFIED)


def _came_by(header: QuestionHeader, peer: str, routing: Routing | None) -> bool:
    """Say whether the question came a way that its header allows; `sealing.check_outer` has looked at the relays."""
    if routing is None:
        return peer == header.asker_member and not header.relays
    return {*routing.relays} <= {*header.relays} and routing == routing_of(header, routing.relays)


def reason_for(error: KeysError) -> RefusalReason:
    """Give the reason for an envelope that does not open."""
    return next((reason for kind, reason in _BY_ERROR if isinstance(error, kind)), RefusalReason.MALFORMED)


def _check_form(header: QuestionHeader) -> None:
    sizes = (len(header.question_id), len(header.officer_assertion_digest))
    codes = (  # kept in clear: they hold no free text
        *(header.asker_agency, header.officer, header.approving_officer, header.purpose),
        *(header.application_item, header.case_reference, header.agreement_id),
    )
    if sizes != (ID_BYTES, DIGEST_BYTES) or header.pair_sequence < 1 or not all(map(_CODE.fullmatch, codes)):
        raise Refused(RefusalReason.MALFORMED)


def _check_fresh(header: QuestionHeader, charter: Charter, now: datetime) -> None:
    """Step 8: asked and expiry times around now, and both sides' directories young enough."""
    limits, directory = charter.catalogue.limits, charter.directory
    skew = timedelta(seconds=limits.clock_skew)
    life = header.expire_time - header.asked_time
    if not timedelta(0) < life <= timedelta(seconds=limits.question_life):
        raise Refused(RefusalReason.EXPIRED)
    if not header.asked_time - skew <= now <= header.expire_time + skew:
        raise Refused(RefusalReason.EXPIRED)
    if header.bundle_version < directory.minimum_version or is_stale(directory, now) or is_behind(charter, now):
        raise Refused(RefusalReason.STALE_BUNDLE)


def is_stale(directory: Directory, now: datetime) -> bool:
    """Say whether the bundle is too old for new exchanges."""
    return directory.stage(now) is Stage.CLOSED


def authorise(genuine: Genuine, *, charter: Charter, now: datetime) -> Admitted:
    """Steps 9 to 14 for a genuine question.

    Raises:
        Refused: with the reason of the first check that fails.
    """
    # 9 within the kind's own size
    kind = kind_of(genuine.question.body, charter.kinds)
    if len(genuine.envelope.payload) > min(kind.question_bytes, charter.catalogue.limits.question_bytes):
        raise Refused(RefusalReason.TOO_LARGE)
    return Admitted(genuine=genuine, permit=permit(genuine.question, charter=charter, now=now), verified=_VERIFIED)
