"""Seals what goes by way of a relay and opens what comes from one (protocol section 6).

The outer layer is signed by its sender over routing and ciphertext; every hop checks it, the recipient alone opens it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from gateway import carriers, wire
from gateway.carriers import SealedText
from gateway.charter import Charter
from gateway.errors import Refused
from gateway.exchange.admit import ANY_QUESTION_BYTES, is_stale, reason_for
from gateway.exchange.release import size_class
from gateway.exchange.routing import may_relay
from gateway.limits import ID_BYTES
from gateway.model.codes import RefusalReason
from gateway.model.sealed import Routing, Sealed
from gateway.model.signed import Reply
from keys import seal as sealer
from keys.envelope import open_envelope, sign
from keys.errors import KeysError, MemberUnknown
from keys.members import SEAL
from keys.seal import Context, Opener
from keys.suite import PublicKey, Signer

TYPE = wire.PAYLOAD_TYPES[Sealed]
FRAME_BYTES = 16
"""Room for the frame of the sealed text, so that a message of exactly a size class stays in it."""

OUTER_BYTES = 4 << 10
"""Room for the outer layer: routing, key id, signature, and what sealing adds."""

REQUEST_BYTES = ANY_QUESTION_BYTES + OUTER_BYTES

Openers = Mapping[str, Opener]
"""A node's own sealing keys by id: several are good at once while they turn over."""


def sealing_key(charter: Charter, member: str, now: datetime) -> PublicKey:
    """Give the newest of a member's sealing keys that are good now.

    Raises:
        Refused: KEY_NOT_VALID when it has none.
    """
    directory = charter.directory
    good = [
        each
        for each in directory.member(member).keys
        if each.use == SEAL and each.suite in directory.suites and each.valid_at(now)
    ]
    if not good:
        raise Refused(RefusalReason.KEY_NOT_VALID)
    return max(good, key=lambda each: (each.valid_from, each.id)).public_key()


def seal(text: SealedText, routing: Routing, *, charter: Charter, signer: Signer, now: datetime) -> bytes:
    """Seal a request or a reply to its recipient and sign the outer layer; give the bytes for the next hop.

    Raises:
        Refused: TOO_LARGE beyond what may be sealed; KEY_NOT_VALID when the recipient has no key of this suite.
    """
    if len(text.payload) > charter.catalogue.limits.answer_bytes:
        raise Refused(RefusalReason.TOO_LARGE)
    key = sealing_key(charter, routing.recipient_member, now)
    try:
        ciphertext = sealer.seal(carriers.write_sealed_text(text, text_size), key, _context(routing))
    except KeysError as error:
        raise Refused(RefusalReason.KEY_NOT_VALID) from error
    sealed = Sealed(routing=routing, key_id=key.id, ciphertext=ciphertext)
    return carriers.write_relay(sign(TYPE, wire.encode(sealed), signer))


def text_size(size: int) -> int:
    """Give the size to which a sealed text is filled: its class, and room for its frame."""
    return size_class(max(0, size - FRAME_BYTES)) + FRAME_BYTES


def _context(routing: Routing) -> Context:
    return Context(
        suite=routing.suite,
        sender=routing.sender_member,
        recipient=routing.recipient_member,
        question_id=routing.question_id,
    )


def check_outer(payload: bytes, *, peer: str, charter: Charter, now: datetime, most: int = REQUEST_BYTES) -> Sealed:
    """Check the outer layer of a message of at most so many bytes as a hop of its way, whoever may open it.

    Raises:
        Refused: with the reason of the first check that fails.
    """
    directory = charter.directory
    # 1 size; 2 an envelope that opens; 3 key known, right use, valid now; 4 signature; 5 payload type, no unknown field
    if len(payload) > most:
        raise Refused(RefusalReason.TOO_LARGE)
    try:
        opened = open_envelope(
            carriers.read_relay(payload),
            payload_type=TYPE,
            find=lambda key_id: directory.key(key_id, use="sign", at=now),
        )
        sealed = wire.decode(Sealed, opened.payload)
    except wire.WireMalformed as error:
        raise Refused(RefusalReason.MALFORMED) from error
    except KeysError as error:
        raise Refused(reason_for(error)) from error
    routing = sealed.routing
    _check_form(routing)
    # 6 the signer is the sender
    if {directory.key_owner(key_id) for key_id in opened.key_ids} != {routing.sender_member}:
        raise Refused(RefusalReason.BAD_SIGNATURE)
    _check_way(routing, peer, charter, now)
    _check_fresh(routing, charter, now)
    return sealed


def _check_form(routing: Routing) -> None:
    hops = routing.hops
    if len(routing.question_id) != ID_BYTES or not routing.relays or len(set(hops)) != len(hops):
        raise Refused(RefusalReason.MALFORMED)


def _check_way(routing: Routing, peer: str, charter: Charter, now: datetime) -> None:
    """Steps 6 and 7: this node is on the way, the peer is the hop before it, the directory allows every relay."""
    directory, hops = charter.directory, routing.hops
    try:
        stopped = [each for each in hops if directory.suspended(each, now)]
    except MemberUnknown as error:
        raise Refused(RefusalReason.UNKNOWN_MEMBER) from error
    if routing.suite not in directory.suites:
        raise Refused(RefusalReason.KEY_NOT_VALID)
    if stopped:
        raise Refused(RefusalReason.SUSPENDED)
    if charter.me not in hops[1:]:
        raise Refused(RefusalReason.WRONG_AUDIENCE)
    if peer != hops[hops.index(charter.me) - 1] or not may_relay(directory, routing):
        raise Refused(RefusalReason.BAD_SIGNATURE)


def _check_fresh(routing: Routing, charter: Charter, now: datetime) -> None:
    """Step 8: as for a question; a reply is sent while its question lives."""
    limits = charter.catalogue.limits
    skew = timedelta(seconds=limits.clock_skew)
    if not -skew <= routing.expire_time - routing.send_time <= timedelta(seconds=limits.question_life):
        raise Refused(RefusalReason.EXPIRED)
    if not routing.send_time - skew <= now <= routing.expire_time + skew:
        raise Refused(RefusalReason.EXPIRED)
    if is_stale(charter.directory, now):
        raise Refused(RefusalReason.STALE_BUNDLE)


def unseal(sealed: Sealed, openers: Openers, charter: Charter, now: datetime) -> SealedText:
    """Open what was sealed to one of this node's keys that is good now.

    Raises:
        Refused: KEY_NOT_VALID; MALFORMED when it does not open or holds something else.
    """
    opener = openers.get(sealed.key_id)
    if opener is None:
        raise Refused(RefusalReason.KEY_NOT_VALID)
    try:
        charter.directory.key(sealed.key_id, use=SEAL, at=now)
        return carriers.read_sealed_text(opener.open(sealed.ciphertext, _context(sealed.routing)))
    except KeysError as error:
        raise Refused(reason_for(error)) from error
    except wire.WireMalformed as error:
        raise Refused(RefusalReason.MALFORMED) from error


def open_reply(
    payload: bytes,
    asked: Routing,
    openers: Openers,
    charter: Charter,
    now: datetime,
    *,
    statuses: bool = False,
    method: str = "",
) -> Reply:
    """Check and open what came back for what was sent this way.

    Raises:
        Refused: with the reason of the first check that fails; it counts as silence.
    """
    most = charter.catalogue.limits.answer_bytes + OUTER_BYTES
    sealed = check_outer(payload, peer=asked.relays[0], charter=charter, now=now, most=most)
    if sealed.routing != asked.back(sealed.routing.send_time):
        raise Refused(RefusalReason.WRONG_AUDIENCE)
    text = unseal(sealed, openers, charter, now)
    if (text.statuses, text.method) != (statuses, method):
        raise Refused(RefusalReason.WRONG_TYPE)
    return Reply(payload=text.payload, refused=text.refused)
