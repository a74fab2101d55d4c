"""Stored bodies under a key of the day: destroying a day's key deletes all that was sealed under it.

XSalsa20-Poly1305 by libsodium (`secretbox`) with random nonces; keyed BLAKE2b (RFC 7693) for opaque ids.
Where sealed bytes and wrapped keys lie, and which day it is, the store knows.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Literal

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox
from nacl.utils import random as random_bytes

from keys.errors import BodyUnreadable, WeakKey

KEY_SIZE = 32

_WRAP_LABEL = b"yrdx-day-key"
_LEAST_DIGEST_KEY = 16
_MOST_DIGEST_KEY = hashlib.blake2b.MAX_KEY_SIZE


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyKey:
    """A day's key that seals bodies.

    Raises WeakKey when it is not 32 bytes.
    """

    raw: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Check the size."""
        if len(self.raw) != KEY_SIZE:
            raise WeakKey(f"a storage key has {KEY_SIZE} bytes, not {len(self.raw)}; make one with new_day_key")

    def seal(self, plain: bytes) -> bytes:
        """Return the plain bytes sealed, 40 bytes longer, different each time."""
        return bytes(SecretBox(self.raw).encrypt(plain))

    def open(self, sealed: bytes) -> bytes:
        """Return the plain bytes.

        Raises BodyUnreadable when they were altered or sealed under another key.
        """
        try:
            return SecretBox(self.raw).decrypt(sealed)
        except (CryptoError, ValueError):
            raise BodyUnreadable(
                "a stored body does not open under this key; restore it, or treat it as deleted"
            ) from None


def new_day_key() -> bytes:
    """Return 32 fresh random bytes to seal one day's bodies under."""
    return random_bytes(KEY_SIZE)


def wrap(day_key: bytes, storage_key: bytes) -> bytes:
    """Return the day's key sealed under the node's storage key.

    Raises WeakKey when either is not 32 bytes.
    """
    return _wrapper(storage_key).seal(BodyKey(raw=day_key).raw)


def unwrap(wrapped: bytes, storage_key: bytes) -> bytes:
    """Return the day's key that `wrap` sealed.

    Raises WeakKey when the storage key is not 32 bytes, BodyUnreadable when it is another one.
    """
    return _wrapper(storage_key).open(wrapped)


def keyed_digest(key: bytes, *parts: bytes, size: Literal[16, 32] = 32) -> bytes:
    """Return a digest of the sequence of parts that only holders of the key can compute or test guesses
    against.

    Parts are length-prefixed: no two sequences share an input. Raises WeakKey when the key is not 16 to 64
    bytes.
    """
    if not _LEAST_DIGEST_KEY <= len(key) <= _MOST_DIGEST_KEY:
        raise WeakKey(f"a digest key has {_LEAST_DIGEST_KEY} to {_MOST_DIGEST_KEY} bytes; make one with new_day_key")
    text = b"".join([len(part).to_bytes(8, "big") + part for part in parts])
    return hashlib.blake2b(text, key=key, digest_size=size).digest()


def _wrapper(storage_key: bytes) -> BodyKey:
    # Under a label: what is sealed directly under the storage key never passes for a day's key.
    return BodyKey(raw=keyed_digest(BodyKey(raw=storage_key).raw, _WRAP_LABEL))
