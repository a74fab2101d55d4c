"""Envelopes after DSSE v1.0.2: signatures over the payload's type and its exact bytes.

It decides whether every signature verifies; which keys are good is told by the caller's `find`. It never
parses a payload and never serialises one again.
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import InitVar, dataclass

from keys import jsontext, suite
from keys.errors import EnvelopeMalformed, WrongPayloadType
from keys.suite import PublicKey, Signer

SIGNATURE_LIMIT = 16
PAYLOAD_LIMIT = 8 * 1024 * 1024

_KEY_ID = re.compile(r"[\x21-\x7e]{1,128}")
_PAYLOAD_TYPE = re.compile(r"[\x21-\x7e]{1,255}")
_SIGNATURE_SIZE_LIMIT = 8192
_VERIFIED = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature and the hint which key made it.

    Raises EnvelopeMalformed when the key id is not 1..128 printable ASCII characters or the signature's size
    is beyond any suite's.
    """

    key_id: str
    signature: bytes

    def __post_init__(self) -> None:
        """Check the sizes."""
        if _KEY_ID.fullmatch(self.key_id) is None:
            raise EnvelopeMalformed("a key id is not 1 to 128 printable ASCII characters; ask the sender to sign again")
        if not 0 < len(self.signature) <= _SIGNATURE_SIZE_LIMIT:
            raise EnvelopeMalformed("a signature is empty or too long for any suite; ask the sender to sign again")


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A payload nobody verified yet, with its type and signatures.

    Raises EnvelopeMalformed beyond 16 signatures or 8 MiB, or when the type is not printable ASCII.
    """

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]

    def __post_init__(self) -> None:
        """Check the sizes before any cryptography: verification work is bounded."""
        if len(self.signatures) > SIGNATURE_LIMIT:
            raise EnvelopeMalformed(
                f"an envelope has at most {SIGNATURE_LIMIT} signatures; ask the sender to drop the rest"
            )
        if len(self.payload) > PAYLOAD_LIMIT:
            raise EnvelopeMalformed(
                f"an envelope's payload has at most {PAYLOAD_LIMIT} bytes; ask the sender to split it"
            )
        if _PAYLOAD_TYPE.fullmatch(self.payload_type) is None:
            raise EnvelopeMalformed(
                "a payload type is not 1 to 255 printable ASCII characters; ask the sender to sign again"
            )

    def digest(self) -> bytes:
        """Return SHA-256 of the exact signed bytes, PAE(type, payload); signatures do not change it."""
        return hashlib.sha256(pae(self.payload_type, self.payload)).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A payload whose every signature verified. Only `open_envelope` makes one.

    Raises TypeError when anybody else tries.
    """

    payload: bytes
    key_ids: tuple[str, ...]
    digest: bytes
    verified: InitVar[object]

    def __post_init__(self, verified: object) -> None:
        """Refuse to be made without a verification."""
        if verified is not _VERIFIED:
            raise TypeError("an Opened comes out of open_envelope only; verify the envelope instead of making one")


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return the pre-authentication encoding, the bytes that are signed (DSSE v1.0.2, protocol.md)."""
    name = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(name), name, len(payload), payload)


def sign(payload_type: str, payload: bytes, *signers: Signer) -> Envelope:
    """Return the payload in an envelope signed by each signer.

    Raises EnvelopeMalformed when there is no signer, one signs twice, or a size limit is passed.
    """
    message = pae(payload_type, payload)
    signatures = tuple(Signature(key_id=each.id, signature=each.sign(message)) for each in signers)
    envelope = Envelope(payload_type=payload_type, payload=payload, signatures=signatures)
    _check_signers(envelope)
    return envelope


def open_envelope(envelope: Envelope, *, payload_type: str, find: Callable[[str], PublicKey]) -> Opened:
    """Return the payload after every signature verified under the key that `find` returns for its id.

    Raises WrongPayloadType and EnvelopeMalformed before any cryptography, what `find` raises for an id it
    does not accept, and SignatureInvalid.
    """
    # 1 type: a message of another kind is refused before a key is touched
    if envelope.payload_type != payload_type:
        raise WrongPayloadType(f"expected a message of type {payload_type}; send this one where its type is expected")
    # 2 at least one signature, no key id twice
    _check_signers(envelope)
    # 3 keys: one key under two names must not count as two signers
    found = [find(signature.key_id) for signature in envelope.signatures]
    if len({key.raw for key in found}) != len(found):
        raise EnvelopeMalformed("one key signed under two names; each signer must use a key of its own")
    # 4 every signature: an extra bad one is no harmless decoration
    message = pae(envelope.payload_type, envelope.payload)
    for key, signature in zip(found, envelope.signatures, strict=True):
        suite.verify(key, message, signature.signature)
    return Opened(
        payload=envelope.payload,
        key_ids=tuple(signature.key_id for signature in envelope.signatures),
        digest=hashlib.sha256(message).digest(),
        verified=_VERIFIED,
    )


def to_json(envelope: Envelope) -> bytes:
    """Return the envelope in the JSON form of DSSE, as UTF-8.

    Raises EnvelopeMalformed when the text would be longer than `from_json` takes.
    """
    signatures = [{"keyid": each.key_id, "sig": jsontext.write_octets(each.signature)} for each in envelope.signatures]
    document = {
        "payloadType": envelope.payload_type,
        "payload": jsontext.write_octets(envelope.payload),
        "signatures": signatures,
    }
    text = json.dumps(document, separators=(",", ":")).encode("utf-8")
    if len(text) > jsontext.SIZE_LIMIT:
        raise EnvelopeMalformed(f"the envelope is over {jsontext.SIZE_LIMIT} bytes as JSON; split its payload")
    return text


def from_json(text: bytes) -> Envelope:
    """Return the envelope of a DSSE JSON text; nothing of it is verified yet.

    Raises EnvelopeMalformed for duplicate or unknown members, non-canonical base64, wrong types or sizes.
    """
    top = jsontext.load(text, refuse=EnvelopeMalformed).members(("payloadType", "payload", "signatures"))
    return Envelope(
        payload_type=top["payloadType"].text(_PAYLOAD_TYPE),
        payload=top["payload"].octets(),
        signatures=tuple(_signature(each) for each in top["signatures"].items(limit=SIGNATURE_LIMIT)),
    )


def _signature(place: jsontext.Place) -> Signature:
    part = place.members(("keyid", "sig"))
    return place.build(Signature, key_id=part["keyid"].text(_KEY_ID), signature=part["sig"].octets())


def _check_signers(envelope: Envelope) -> None:
    ids = [signature.key_id for signature in envelope.signatures]
    if not ids:
        raise EnvelopeMalformed("an envelope needs at least one signature; have its author sign it")
    if len(set(ids)) != len(ids):
        raise EnvelopeMalformed("a key id signs twice; send each signature once")
