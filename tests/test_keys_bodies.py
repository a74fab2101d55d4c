"""Storage keys of the day, wrapped keys, and keyed digests."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import errors
from keys.bodies import BodyKey, keyed_digest, new_day_key, unwrap, wrap

DAY, STORAGE = bytes(range(32)), bytes(range(32, 64))


@given(plain=st.binary(max_size=300))
def test_what_is_sealed_opens_under_its_key_alone(plain: bytes) -> None:
    """A body comes back under its day's key, and under no other."""
    sealed = BodyKey(raw=DAY).seal(plain)
    assert len(sealed) == len(plain) + 40
    assert BodyKey(raw=DAY).open(sealed) == plain
    with pytest.raises(errors.BodyUnreadable):
        BodyKey(raw=STORAGE).open(sealed)


@given(place=st.integers(0, 44), bit=st.integers(0, 7))
def test_a_flipped_bit_does_not_open(place: int, bit: int) -> None:
    """Any single bit changed in a sealed body is refused."""
    sealed = bytearray(BodyKey(raw=DAY).seal(b"plain"))
    sealed[place] ^= 1 << bit
    with pytest.raises(errors.BodyUnreadable):
        BodyKey(raw=DAY).open(bytes(sealed))


@pytest.mark.parametrize("size", [0, 1, 24, 39])
def test_a_stump_does_not_open(size: int) -> None:
    """Bytes too short for a nonce and a tag are refused like altered ones."""
    with pytest.raises(errors.BodyUnreadable):
        BodyKey(raw=DAY).open(bytes(size))


def test_equal_bodies_are_sealed_differently() -> None:
    """Nonces are random: two seals of one body cannot be compared."""
    assert BodyKey(raw=DAY).seal(b"x") != BodyKey(raw=DAY).seal(b"x")


def test_a_body_key_shows_itself_nowhere() -> None:
    """The representation of a body key holds no key."""
    assert repr(BodyKey(raw=DAY)) == "BodyKey()"


def test_day_keys_are_fresh() -> None:
    """Two day keys differ and have 32 bytes."""
    assert (len(new_day_key()), new_day_key() == new_day_key()) == (32, False)


def test_a_wrapped_day_key_unwraps_under_its_storage_key_alone() -> None:
    """A day's key comes back under its storage key alone, and the wrapped form shows nothing of it."""
    wrapped = wrap(DAY, STORAGE)
    assert unwrap(wrapped, STORAGE) == DAY
    assert DAY not in wrapped
    with pytest.raises(errors.BodyUnreadable):
        unwrap(wrapped, DAY)


def test_a_body_never_passes_for_a_day_key() -> None:
    """What was sealed directly under a key does not unwrap under the same key."""
    with pytest.raises(errors.BodyUnreadable):
        unwrap(BodyKey(raw=STORAGE).seal(DAY), STORAGE)


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_refuses_keys_of_another_size(size: int) -> None:
    """Day keys and storage keys have 32 bytes, and the refusal does not quote them."""
    for call in (
        lambda key: BodyKey(raw=key),
        lambda key: wrap(key, STORAGE),
        lambda key: wrap(DAY, key),
        lambda key: unwrap(b"", key),
    ):
        with pytest.raises(errors.WeakKey) as caught:
            call(b"k" * size)
        assert "kkk" not in str(caught.value)


def test_digests_as_blake2b_over_length_prefixed_parts() -> None:
    """A keyed digest is BLAKE2b keyed, over each part behind its length in eight bytes."""
    for size in (16, 32):
        state = hashlib.blake2b(bytes(7) + b"\x02hi" + bytes(8), key=DAY, digest_size=size)
        assert state.digest() == keyed_digest(DAY, b"hi", b"", size=16 if size == 16 else 32)


@pytest.mark.parametrize("size", [0, 15, 65])
def test_refuses_digest_keys_that_are_too_short_or_too_long(size: int) -> None:
    """A digest key has 16 to 64 bytes."""
    with pytest.raises(errors.WeakKey):
        keyed_digest(bytes(size), b"x")


PARTS = st.lists(st.binary(max_size=20), max_size=4)


@given(first=PARTS, second=PARTS)
def test_different_parts_have_different_digests(first: list[bytes], second: list[bytes]) -> None:
    """Two sequences of parts share a digest only when they are equal, wherever the borders lie."""
    assert (first == second) == (keyed_digest(DAY, *first) == keyed_digest(DAY, *second))
    assert keyed_digest(DAY, *first) != keyed_digest(STORAGE, *first)
