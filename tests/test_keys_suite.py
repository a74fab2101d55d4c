"""Signing and verifying after RFC 8032, and the keys that must never be registered."""

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import errors, seal, suite
from keys.suite import INT_1, PublicKey

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent / "vectors/ed25519/rfc8032.json").read_text(encoding="utf-8"),
)
SHARED = Path(__file__).parents[2] / "shared/vectors/ed25519/cctv_ed25519vectors.json"
SEED = bytes(range(32))

needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the CCTV vectors are not beside the tree")


def outcome(case: dict[str, Any]) -> str | None:
    """The class that verifying a case raises, or nothing."""
    raw, message, signature = (bytes.fromhex(case[name]) for name in ("public", "message", "signature"))
    try:
        suite.verify(PublicKey(id="310000/x", suite=INT_1, raw=raw), message, signature)
    except errors.KeysError as error:
        return type(error).__name__
    return None


@pytest.mark.parametrize("case", VECTORS["signatures"], ids=lambda case: case["name"])
def test_verifies_what_was_signed_and_nothing_else(case: dict[str, Any]) -> None:
    """A signature verifies under its key and message, and each change is refused with its class."""
    assert case["expect"] == outcome(case)


@pytest.mark.parametrize("case", [c for c in VECTORS["signatures"] if "seed" in c], ids=lambda c: c["name"])
def test_signs_the_published_figures(case: dict[str, Any]) -> None:
    """A seed gives the public key and signature that the standard prints."""
    signer = suite.signer(bytes.fromhex(case["seed"]), owner="310000")
    assert case["public"] == signer.public.hex()
    assert case["signature"] == signer.sign(bytes.fromhex(case["message"])).hex()


@pytest.mark.parametrize("case", VECTORS["public_keys"], ids=lambda case: case["name"])
def test_refuses_unfit_public_keys(case: dict[str, Any]) -> None:
    """Low-order, non-canonical, mixed and mis-sized keys are never registered, however often they are tried."""
    for _ in "12":
        with pytest.raises(getattr(errors, case["expect"])):
            suite.check_public(INT_1, bytes.fromhex(case["public"]))


PRIME = 2**255 - 19
# The points of low order on Curve25519 and its twist, and the forms of them beyond the prime.
LOW_ORDER = (
    0,
    1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
    PRIME - 1,
    PRIME,
    PRIME + 1,
)


@pytest.mark.parametrize("point", [*LOW_ORDER, *(each + 2**255 for each in LOW_ORDER)])
def test_refuses_unfit_sealing_keys(point: int) -> None:
    """Points of low order, and second forms of any point, are never registered to seal to."""
    with pytest.raises(errors.WeakKey):
        seal.check_public(INT_1, point.to_bytes(32, "little"))


def test_takes_the_published_sealing_key_and_no_other_size() -> None:
    """RFC 7748, section 6.1: Alice's public key is fit; a byte less, or another suite, is not."""
    public = bytes.fromhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
    seal.check_public(INT_1, public)
    with pytest.raises(errors.WeakKey):
        seal.check_public(INT_1, public[:-1])
    with pytest.raises(errors.SuiteUnknown):
        seal.check_public("YRDX-SM-1", public)


@needs_shared
def test_refuses_every_weak_key_of_the_cctv_vectors() -> None:
    """Each edge point with a low-order component or a non-canonical form is refused at registration."""
    flaws = {"low_order_A", "low_order_component_A", "non_canonical_A"}
    cases = json.loads(SHARED.read_text(encoding="utf-8"))
    weak = [bytes.fromhex(case["key"]) for case in cases if flaws & set(case["flags"] or ())]
    accepted = []
    for raw in weak:
        try:
            suite.check_public(INT_1, raw)
        except errors.WeakKey:
            continue
        accepted.append(raw.hex())
    assert len(weak) > 700
    assert accepted == []


@needs_shared
def test_verifies_nothing_under_weak_keys_of_the_cctv_vectors() -> None:
    """Even unregistered, a low-order or non-canonical key verifies no signature."""
    flaws = {"low_order_A", "non_canonical_A"}
    cases = json.loads(SHARED.read_text(encoding="utf-8"))
    weak = [case for case in cases if flaws & set(case["flags"] or ())]
    outcomes = {
        outcome({"public": case["key"], "message": case["msg"].encode().hex(), "signature": case["sig"]})
        for case in weak
    }
    assert outcomes == {"SignatureInvalid"}


def test_names_a_key_by_owner_and_fingerprint() -> None:
    """A key id is the owner, a slash and 16 hexadecimal digits of the SHA-256 of the raw key."""
    signer = suite.signer(SEED, owner="310000")
    assert signer.id == "310000/56475aa75463474c"
    assert signer.id == suite.key_id("310000", signer.public)
    assert signer.public_key() == PublicKey(id=signer.id, suite=INT_1, raw=signer.public)


@pytest.mark.parametrize("owner", ["", "/", "310000/", "/310000", "a//b", "a b", "上海", "a\n", "-a", "a" * 112])
def test_refuses_owners_that_are_no_names(owner: str) -> None:
    """An owner that could be mistaken for another, or makes the id too long, is refused."""
    with pytest.raises(ValueError, match="owner"):
        suite.signer(SEED, owner=owner)


def test_a_signer_shows_its_seed_nowhere() -> None:
    """Neither repr, nor fields, nor a copy, nor a pickle of a signer gives the seed away."""
    signer = suite.signer(SEED, owner="310000")
    fields = [getattr(signer, name) for name in signer.__slots__]
    assert SEED.hex() not in repr(signer)
    assert repr(SEED) not in repr(signer)
    assert SEED not in fields
    assert copy.deepcopy(signer).id == signer.id
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(signer)


def test_signers_and_keys_cannot_be_changed() -> None:
    """A signer and a public key are frozen."""
    signer = suite.signer(SEED, owner="310000")
    with pytest.raises(AttributeError):
        signer.id = "320000/x"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        signer.public_key().raw = bytes(32)  # type: ignore[misc]


def test_refuses_unknown_suites() -> None:
    """A suite that is not built in is refused wherever it is named, and the built-in ones are told."""
    with pytest.raises(errors.SuiteUnknown, match=INT_1):
        suite.signer(SEED, owner="310000", suite="YRDX-SM-1")
    with pytest.raises(errors.SuiteUnknown, match=INT_1):
        suite.check_public("none", bytes(32))
    with pytest.raises(errors.SuiteUnknown, match=INT_1):
        PublicKey(id="310000/x", suite="", raw=bytes(32))


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_refuses_seeds_of_another_size(size: int) -> None:
    """A seed has 32 bytes, and the refusal does not quote it."""
    with pytest.raises(errors.WeakKey) as caught:
        suite.signer(b"s" * size, owner="310000")
    assert "sss" not in str(caught.value)


def test_seeds_are_fresh() -> None:
    """Two generated seeds differ and have 32 bytes."""
    first, second = suite.generate_seed(), suite.generate_seed()
    assert (len(first), len(second)) == (32, 32)
    assert first != second


@given(seed=st.binary(min_size=32, max_size=32), message=st.binary(max_size=200))
def test_what_a_signer_signs_verifies(seed: bytes, message: bytes) -> None:
    """For every seed and message the signature verifies, and the public key may be registered."""
    signer = suite.signer(seed, owner="310000")
    suite.check_public(INT_1, signer.public)
    suite.verify(signer.public_key(), message, signer.sign(message))


@given(message=st.binary(min_size=1, max_size=64), place=st.integers(0, 63), bit=st.integers(0, 7))
def test_a_flipped_bit_does_not_verify(message: bytes, place: int, bit: int) -> None:
    """Any single bit changed in the signature or in the message is refused."""
    signer = suite.signer(SEED, owner="310000")
    signature = bytearray(signer.sign(message))
    signature[place] ^= 1 << bit
    with pytest.raises(errors.SignatureInvalid):
        suite.verify(signer.public_key(), message, bytes(signature))
    altered = bytearray(message)
    altered[place % len(message)] ^= 1 << bit
    with pytest.raises(errors.SignatureInvalid):
        suite.verify(signer.public_key(), bytes(altered), signer.sign(message))
