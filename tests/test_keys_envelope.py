"""Envelopes after DSSE: what is signed, what opens, and what hostile texts are refused."""

import base64
import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import envelope as envelopes
from keys import errors, suite
from keys.envelope import Envelope, Opened, Signature, from_json, open_envelope, pae, sign, to_json
from keys.suite import PublicKey, Signer

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent / "vectors/dsse/dsse.json").read_text(encoding="utf-8"),
)
SHARED = Path(__file__).parents[2] / "shared/vectors/dsse/dsse_v1_vector.json"
TYPE = "application/vnd.yrdx.question.v1+proto"
SHANGHAI, JIANGSU, ANHUI = (
    suite.signer(bytes([number]) * 32, owner=owner) for number, owner in ((1, "310000"), (2, "320000"), (3, "340000"))
)


def finder(*signers: Signer) -> Callable[[str], PublicKey]:
    """A look-up that knows these signers' keys alone."""
    known = {signer.id: signer.public_key() for signer in signers}

    def find(key_id: str) -> PublicKey:
        if key_id not in known:
            raise errors.KeyUnknown(key_id)
        return known[key_id]

    return find


def never(key_id: str) -> PublicKey:
    """A look-up that must not be reached."""
    raise AssertionError(key_id)


@pytest.mark.parametrize("case", VECTORS["pae"], ids=lambda case: case["name"])
def test_encodes_what_is_signed(case: dict[str, str]) -> None:
    """The bytes that are signed are those of the DSSE protocol."""
    assert case["pae"].encode() == pae(case["payload_type"], case["payload"].encode())


@pytest.mark.skipif(not SHARED.exists(), reason="the DSSE vector is not beside the tree")
def test_encodes_the_published_vector() -> None:
    """The published vector's encoding comes out byte for byte."""
    case = json.loads(SHARED.read_text(encoding="utf-8"))
    assert case["pae_utf8"].encode() == pae(case["payload_type"], case["payload_utf8"].encode())


@pytest.mark.parametrize("case", VECTORS["texts"], ids=lambda case: case["name"])
def test_reads_strict_json_only(case: dict[str, Any]) -> None:
    """A text is read, or refused with its class; no foreign exception comes through."""
    text = case["text"].encode()
    if case["expect"] is None:
        assert from_json(to_json(from_json(text))) == from_json(text)
        return
    with pytest.raises(getattr(errors, case["expect"])):
        from_json(text)


@pytest.mark.parametrize(
    "text",
    [
        b"\xff\xfe{\x00}\x00",
        b'{"payload":"\xff"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"9" * 5000,
        b" " * (8 * 1024 * 1024 + 1),
    ],
    ids=["UTF-16", "not UTF-8", "deep arrays", "deep objects", "a long number", "over 8 MiB"],
)
def test_refuses_hostile_bytes(text: bytes) -> None:
    """Bytes made to break a parser are refused as malformed."""
    with pytest.raises(errors.EnvelopeMalformed):
        from_json(text)


def test_a_refusal_quotes_nothing_of_the_document() -> None:
    """The text of a refusal tells the place, not the content."""
    with pytest.raises(errors.EnvelopeMalformed) as caught:
        from_json(b'{"payloadType":"t","payload":"SECRET!","signatures":[]}')
    assert "$.payload" in str(caught.value)
    assert "SECRET" not in str(caught.value)


def test_opens_what_was_signed() -> None:
    """A signed payload opens to its bytes, its signers in order, and the digest of the signed bytes."""
    envelope = sign(TYPE, b"hello", SHANGHAI, JIANGSU)
    opened = open_envelope(envelope, payload_type=TYPE, find=finder(SHANGHAI, JIANGSU))
    assert opened.payload == b"hello"
    assert opened.key_ids == (SHANGHAI.id, JIANGSU.id)
    assert opened.digest == hashlib.sha256(pae(TYPE, b"hello")).digest()
    assert opened.digest == envelope.digest()


def test_the_digest_ignores_signatures_and_knows_the_type() -> None:
    """Two signers of the same bytes share a digest; another type does not."""
    assert sign(TYPE, b"x", SHANGHAI).digest() == sign(TYPE, b"x", JIANGSU).digest()
    assert sign(TYPE, b"x", SHANGHAI).digest() != sign(TYPE + "2", b"x", SHANGHAI).digest()


def test_refuses_another_payload_type_before_any_cryptography() -> None:
    """A message of another type is refused before a key is looked up."""
    with pytest.raises(errors.WrongPayloadType, match="question"):
        open_envelope(sign("answer", b"x", SHANGHAI), payload_type=TYPE, find=never)


def test_refuses_a_swapped_payload_type() -> None:
    """A signature over one type does not count for another."""
    swapped = dataclasses.replace(sign("answer", b"x", SHANGHAI), payload_type=TYPE)
    with pytest.raises(errors.SignatureInvalid):
        open_envelope(swapped, payload_type=TYPE, find=finder(SHANGHAI))


@pytest.mark.parametrize("place", range(5))
def test_refuses_a_flipped_payload_byte(place: int) -> None:
    """A change of any byte of the payload is refused."""
    payload = bytearray(b"hello")
    payload[place] ^= 1
    altered = dataclasses.replace(sign(TYPE, b"hello", SHANGHAI), payload=bytes(payload))
    with pytest.raises(errors.SignatureInvalid):
        open_envelope(altered, payload_type=TYPE, find=finder(SHANGHAI))


@pytest.mark.parametrize("place", range(64))
def test_refuses_a_flipped_signature_byte(place: int) -> None:
    """A change of any byte of a signature is refused, though another signature is good."""
    envelope = sign(TYPE, b"hello", SHANGHAI, JIANGSU)
    good, other = envelope.signatures
    raw = bytearray(other.signature)
    raw[place] ^= 1
    altered = dataclasses.replace(
        envelope,
        signatures=(good, Signature(key_id=other.key_id, signature=bytes(raw))),
    )
    with pytest.raises(errors.SignatureInvalid):
        open_envelope(altered, payload_type=TYPE, find=finder(SHANGHAI, JIANGSU))


def test_refuses_an_extra_signature_of_an_unknown_key() -> None:
    """Every signature must verify: one by a stranger spoils the envelope."""
    with pytest.raises(errors.KeyUnknown):
        open_envelope(sign(TYPE, b"x", SHANGHAI, ANHUI), payload_type=TYPE, find=finder(SHANGHAI))


def test_refuses_a_signature_under_another_name() -> None:
    """A signature does not verify under the key that another id names."""
    envelope = sign(TYPE, b"x", SHANGHAI)
    renamed = dataclasses.replace(
        envelope,
        signatures=(Signature(key_id=JIANGSU.id, signature=envelope.signatures[0].signature),),
    )
    with pytest.raises(errors.SignatureInvalid):
        open_envelope(renamed, payload_type=TYPE, find=finder(SHANGHAI, JIANGSU))


def test_refuses_an_envelope_without_signatures() -> None:
    """Nothing opens unsigned, and nothing is signed by nobody."""
    with pytest.raises(errors.EnvelopeMalformed, match="at least one"):
        open_envelope(Envelope(payload_type=TYPE, payload=b"x", signatures=()), payload_type=TYPE, find=never)
    with pytest.raises(errors.EnvelopeMalformed, match="at least one"):
        sign(TYPE, b"x")


def test_refuses_a_key_id_twice() -> None:
    """One key does not count twice, neither when opening nor when signing."""
    envelope = sign(TYPE, b"x", SHANGHAI)
    doubled = dataclasses.replace(envelope, signatures=envelope.signatures * 2)
    with pytest.raises(errors.EnvelopeMalformed, match="twice"):
        open_envelope(doubled, payload_type=TYPE, find=never)
    with pytest.raises(errors.EnvelopeMalformed, match="twice"):
        sign(TYPE, b"x", SHANGHAI, SHANGHAI)


def test_refuses_one_key_under_two_names() -> None:
    """One key does not count twice by having two names."""
    alias = suite.signer(bytes([1]) * 32, owner="320000")
    with pytest.raises(errors.EnvelopeMalformed, match="two names"):
        open_envelope(sign(TYPE, b"x", SHANGHAI, alias), payload_type=TYPE, find=finder(SHANGHAI, alias))


@pytest.mark.parametrize(
    ("payload_type", "size", "count"),
    [("", 0, 1), ("a b", 0, 1), ("a" * 256, 0, 1), (TYPE, 8 * 1024 * 1024 + 1, 1), (TYPE, 0, 17)],
    ids=["no type", "a type with a space", "a long type", "a payload over 8 MiB", "17 signatures"],
)
def test_refuses_what_is_too_large_at_construction(payload_type: str, size: int, count: int) -> None:
    """Limits hold before a verifier sees the envelope."""
    signatures = tuple(Signature(key_id=f"a/{number}", signature=b"s") for number in range(count))
    with pytest.raises(errors.EnvelopeMalformed):
        Envelope(payload_type=payload_type, payload=bytes(size), signatures=signatures)


@pytest.mark.parametrize(
    ("key_id", "size"),
    [("", 64), ("a" * 129, 64), ("a b", 64), ("a", 0), ("a", 8193)],
    ids=["no id", "a long id", "an id with a space", "no signature", "a long signature"],
)
def test_refuses_signatures_beyond_any_suite(key_id: str, size: int) -> None:
    """A signature has a key id of 1 to 128 characters and a size that a suite could make."""
    with pytest.raises(errors.EnvelopeMalformed):
        Signature(key_id=key_id, signature=bytes(size))


def test_only_the_verifier_makes_an_opened() -> None:
    """Nobody gets an Opened without a verified signature, not by a change of a real one either."""
    opened = open_envelope(sign(TYPE, b"x", SHANGHAI), payload_type=TYPE, find=finder(SHANGHAI))
    with pytest.raises(TypeError, match="open_envelope"):
        Opened(payload=b"y", key_ids=("a",), digest=bytes(32), verified=object())
    with pytest.raises(TypeError):
        Opened(payload=b"y", key_ids=("a",), digest=bytes(32))  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="verified"):
        dataclasses.replace(opened, payload=b"y")  # type: ignore[call-arg]


def test_writes_the_json_of_dsse() -> None:
    """The JSON form has the names and the base64 of the DSSE protocol."""
    envelope = sign(TYPE, b"hello", SHANGHAI)
    signature = base64.b64encode(envelope.signatures[0].signature).decode()
    expected = {
        "payloadType": TYPE,
        "payload": "aGVsbG8=",
        "signatures": [{"keyid": SHANGHAI.id, "sig": signature}],
    }
    assert expected == json.loads(to_json(envelope))


def test_refuses_to_write_what_it_would_not_read() -> None:
    """An envelope whose JSON would be over 8 MiB is refused when written."""
    with pytest.raises(errors.EnvelopeMalformed, match="split"):
        to_json(sign(TYPE, bytes(7 * 1024 * 1024), SHANGHAI))


@given(payload=st.binary(max_size=300), other=st.binary(max_size=300))
def test_different_messages_have_different_encodings(payload: bytes, other: bytes) -> None:
    """No two pairs of type and payload are signed as the same bytes, wherever the border between them is."""
    assert (payload == other) == (pae(TYPE, payload) == pae(TYPE, other))
    assert pae("a", b"b" + payload) != pae("ab", payload)


@given(payload=st.binary(max_size=300), count=st.integers(1, 3))
def test_json_round_trips(payload: bytes, count: int) -> None:
    """Every signed envelope survives its JSON form and still opens."""
    envelope = sign(TYPE, payload, *(SHANGHAI, JIANGSU, ANHUI)[:count])
    again = from_json(to_json(envelope))
    assert again == envelope
    assert open_envelope(again, payload_type=TYPE, find=finder(SHANGHAI, JIANGSU, ANHUI)).payload == payload


@given(text=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    """No bytes make the reader raise anything but its own refusal."""
    with contextlib.suppress(errors.EnvelopeMalformed):
        envelopes.from_json(text)
