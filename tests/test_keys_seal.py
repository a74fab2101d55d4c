"""Sealing after RFC 9180: it opens for one recipient in one context, and for nothing that was changed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from keys import boxes, custody, errors, seal, suite
from keys.seal import OVERHEAD, Context, opener
from keys.suite import INT_1, PublicKey

VECTOR: dict[str, str] = json.loads(
    (Path(__file__).parent / "vectors/hpke/rfc9180.json").read_text(encoding="utf-8"),
)
SHARED = Path(__file__).parents[2] / "shared/vectors/hpke/rfc9180_x25519_hkdfsha256.json"
CONTEXT = Context(suite=INT_1, sender="310000", recipient="340000", question_id=bytes(16))
OPENER = opener(bytes(range(32)), owner="340000")
KEY = PublicKey(id=OPENER.id, suite=INT_1, raw=OPENER.public)
PRIME = 2**255 - 19
LOW_ORDER = (  # RFC 7748, section 7, and the points of order 8
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
)


def provider() -> Any:
    """Give the whole suite as the library names it."""
    return seal._SUITES[INT_1]


def opens_as_published(case: dict[str, Any], first: dict[str, str]) -> bool:
    """Open a published ciphertext with its private key; the standard's has associated data, ours has none."""
    private = X25519PrivateKey.from_private_bytes(bytes.fromhex(case["skRm"]))
    sealed = bytes.fromhex(case["enc"] + first["ct"])
    info, aad = bytes.fromhex(case["info"]), bytes.fromhex(first["aad"])
    plain = openssl.hpke._decrypt_with_aad(provider(), sealed, private, info, aad)
    return bytes(plain).hex() == first["pt"]


def test_the_suite_is_the_one_of_the_published_figures() -> None:
    """The library opens what the standard prints for this suite, under the public key that the seed gives."""
    assert opener(bytes.fromhex(VECTOR["skRm"]), owner="340000").public.hex() == VECTOR["pkRm"]
    assert opens_as_published(VECTOR, VECTOR)


@pytest.mark.skipif(not SHARED.exists(), reason="the published vectors are not beside the tree")
def test_the_typed_figures_are_those_of_the_published_file() -> None:
    """What was typed into the tree is the file's only case of base mode and this suite."""
    (case,) = [
        each for each in json.loads(SHARED.read_text(encoding="utf-8")) if (each["mode"], each["aead_id"]) == (0, 3)
    ]
    assert opens_as_published(case, case["encryptions"][0])
    assert {name: case[name] for name in ("info", "skRm", "pkRm", "enc")}.items() <= VECTOR.items()


@given(text=st.binary(max_size=200), question=st.binary(max_size=40))
def test_what_is_sealed_opens_for_its_recipient(text: bytes, question: bytes) -> None:
    """Any text comes back, 48 bytes longer on its way, and never sealed twice alike."""
    context = replace(CONTEXT, question_id=question)
    first, second = (seal.seal(text, KEY, context) for _ in range(2))
    assert OPENER.open(first, context) == OPENER.open(second, context) == text
    assert len(first) == len(text) + OVERHEAD
    assert first != second


def test_a_flip_of_any_bit_is_refused() -> None:
    """No bit of encapsulated key, ciphertext or tag can change, and none can be missing."""
    sealed = seal.seal(b"sealed", KEY, CONTEXT)
    for place in range(8 * len(sealed)):
        torn = bytearray(sealed)
        torn[place // 8] ^= 1 << place % 8
        # X25519 leaves the highest bit of a public key out (RFC 7748, section 5); HPKE binds it through `enc`.
        with pytest.raises(errors.SealBroken):
            OPENER.open(bytes(torn), CONTEXT)
    for size in range(len(sealed)):
        with pytest.raises(errors.SealBroken):
            OPENER.open(sealed[:size], CONTEXT)


@pytest.mark.parametrize(
    "changes",
    [
        {"sender": "320000"},
        {"recipient": "320000"},
        {"sender": "340000", "recipient": "310000"},
        {"question_id": bytes(15) + b"\1"},
        {"question_id": bytes(15)},
        {"suite": "YRDX-SM-1"},
    ],
)
def test_another_context_does_not_open(changes: dict[str, Any]) -> None:
    """Members, direction, question and suite are bound: what was sealed for one opens in no other."""
    with pytest.raises(errors.SealBroken):
        OPENER.open(seal.seal(b"sealed", KEY, CONTEXT), replace(CONTEXT, **changes))


@given(parts=st.lists(st.text(max_size=4), min_size=6, max_size=6))
def test_two_contexts_never_have_one_info(parts: list[str]) -> None:
    """No shifting of a character from one part to the next gives the same bytes."""
    one, two = (
        Context(suite=parts[at], sender=parts[at + 1], recipient=parts[at + 2], question_id=b"") for at in (0, 3)
    )
    assert (one.info() == two.info()) == (one == two)


def test_another_key_does_not_open() -> None:
    """What is sealed to one key opens under no other."""
    with pytest.raises(errors.SealBroken):
        opener(bytes(32), owner="340000").open(seal.seal(b"sealed", KEY, CONTEXT), CONTEXT)


@pytest.mark.parametrize(
    "raw",
    [
        *map(bytes.fromhex, LOW_ORDER),
        PRIME.to_bytes(32, "little"),
        (PRIME + 9).to_bytes(32, "little"),
        (2**255 + 9).to_bytes(32, "little"),
        bytes(31),
        bytes(33),
        b"",
    ],
    ids=lambda raw: raw.hex()[:12] or "empty",
)
def test_an_unfit_key_is_never_registered(raw: bytes) -> None:
    """Points of low order, forms that are not canonical and other sizes are refused (threat 9)."""
    with pytest.raises(errors.WeakKey):
        seal.check_public(INT_1, raw)


def test_a_good_key_is_registered() -> None:
    """A key that an opener has is fit."""
    seal.check_public(INT_1, OPENER.public)


def test_nothing_is_sealed_to_a_point_of_low_order() -> None:
    """Even unregistered, a key of low order gets no text that anybody could open."""
    with pytest.raises(errors.WeakKey):
        seal.seal(b"sealed", PublicKey(id="340000/x", suite=INT_1, raw=bytes(32)), CONTEXT)


def test_another_suite_is_refused() -> None:
    """A suite without a sealing half is unknown, and a key serves its own suite alone."""
    for attempt in (lambda: opener(bytes(32), owner="a", suite="NONE"), lambda: seal.check_public("NONE", bytes(32))):
        with pytest.raises(errors.SuiteUnknown):
            attempt()
    with pytest.raises(errors.WeakKey):
        seal.seal(b"", KEY, replace(CONTEXT, suite="NONE"))


def test_a_seed_has_its_size() -> None:
    """A seed of another size makes no opener."""
    with pytest.raises(errors.WeakKey):
        opener(bytes(31), owner="340000")


def test_an_opener_shows_nothing_of_its_key() -> None:
    """Neither its text nor its comparison holds the seed."""
    assert bytes(range(32)).hex() not in repr(OPENER)
    assert "_open" not in repr(OPENER)


def test_a_sealing_seed_rests_in_a_file_of_its_use(tmp_path: Path) -> None:
    """A sealing seed comes back as the opener of its public key, and serves no signer."""
    path = tmp_path / "seal.key"
    work = boxes.Work(operations=1, memory=8192)
    custody.save_seed(path, bytes(range(32)), b"secret", owner="340000", suite=INT_1, use="seal", work=work)
    assert custody.load_opener(path, b"secret").id == OPENER.id
    with pytest.raises(errors.CustodyError):
        custody.load_signer(path, b"secret")
    assert OPENER.id != suite.signer(bytes(range(32)), owner="340000").id
