"""Suites of algorithms, whole and named: a key says its suite, nothing is negotiated.

`YRDX-INT-1` signs with Ed25519 (RFC 8032) by libsodium, which refuses low-order and non-canonical keys and
signatures; OpenSSL accepts some of them. Another suite is a module of its own and one row in `_SUITES`.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

from nacl import bindings
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey
from nacl.utils import random as random_bytes

from keys.errors import SignatureInvalid, SuiteUnknown, WeakKey

INT_1 = "YRDX-INT-1"

_SEED_SIZE = 32
_FINGERPRINT_DIGITS = 16
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_OWNER_SIZE = 111
_FIELD_PRIME = 2**255 - 19
_SIGN_BIT = 1 << 255

_Sign = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Provider:
    """What one suite brings: sizes and four functions."""

    public_size: int
    signature_size: int
    open_seed: Callable[[bytes], tuple[bytes, _Sign]]
    verifies: Callable[[bytes, bytes, bytes], bool]
    check: Callable[[bytes], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A public key under its name and suite.

    Raises SuiteUnknown, and WeakKey when the size is wrong; `check_public` looks deeper, once, where a key is
    registered.
    """

    id: str
    suite: str
    raw: bytes

    def __post_init__(self) -> None:
        """Check the suite and the size."""
        _check_size(self.suite, self.raw)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A private key that can only sign; where its seed lies (memory, token) is nobody's business."""

    id: str
    suite: str
    public: bytes
    _sign: _Sign = field(repr=False, compare=False)

    def sign(self, message: bytes) -> bytes:
        """Return the signature over the message (RFC 8032, section 5.1.6, for YRDX-INT-1)."""
        return self._sign(message)

    def public_key(self) -> PublicKey:
        """Return the public half under the same id."""
        return PublicKey(id=self.id, suite=self.suite, raw=self.public)


def generate_seed() -> bytes:
    """Return 32 fresh random bytes to make a signer from."""
    return random_bytes(_SEED_SIZE)


def signer(seed: bytes, *, owner: str, suite: str = INT_1) -> Signer:
    """Return the signer of this seed for this owner.

    Raises SuiteUnknown, WeakKey when the seed is not 32 bytes, ValueError when the owner is not a name.
    """
    provider = _provider(suite)
    if len(seed) != _SEED_SIZE:
        raise WeakKey(f"a seed has {_SEED_SIZE} bytes, not {len(seed)}; make one with generate_seed")
    public, sign = provider.open_seed(seed)
    return Signer(id=key_id(owner, public), suite=suite, public=public, _sign=sign)


def key_id(owner: str, public: bytes) -> str:
    """Return `owner/fingerprint`: the first 16 hexadecimal digits of the SHA-256 of the raw public key.

    Raises ValueError when the owner is not slash-separated names of letters, digits, dot, dash, underscore.
    """
    if len(owner) > _OWNER_SIZE or _OWNER.fullmatch(owner) is None:
        raise ValueError(f"a key's owner is a name of at most {_OWNER_SIZE} letters, digits, '.', '_', '-' and '/'")
    return f"{owner}/{hashlib.sha256(public).hexdigest()[:_FINGERPRINT_DIGITS]}"


def verify(key: PublicKey, message: bytes, signature: bytes) -> None:
    """Return when the key signed exactly this message.

    Raises SignatureInvalid otherwise (RFC 8032, section 5.1.7, with libsodium's strict rules).
    """
    provider = _provider(key.suite)
    sized = len(signature) == provider.signature_size
    if not sized or not provider.verifies(key.raw, message, signature):
        raise SignatureInvalid(
            f"a signature by {key.id} does not verify; ask the sender for the message as it was signed"
        )


@lru_cache(maxsize=4096)  # a bundle lists one key at each place that its owner signs; a refusal is not remembered
def check_public(suite: str, raw: bytes) -> None:
    """Return when the public key is fit to be registered.

    Raises SuiteUnknown, and WeakKey for a wrong size, a non-canonical encoding, a point of low order or
    outside the main subgroup: such keys verify messages that nobody signed.
    """
    _check_size(suite, raw)
    _provider(suite).check(raw)


def _provider(suite: str) -> _Provider:
    if suite not in _SUITES:
        raise SuiteUnknown(
            f"the suite {suite[:40]!r} is not built in; use one of {', '.join(_SUITES)} or update the node"
        )
    return _SUITES[suite]


def _check_size(suite: str, raw: bytes) -> None:
    size = _provider(suite).public_size
    if len(raw) != size:
        raise WeakKey(f"a public key of {suite} has {size} bytes, not {len(raw)}; have its owner export it again")


def _ed25519_open_seed(seed: bytes) -> tuple[bytes, _Sign]:
    # A closure, not an attribute: the seed shows in no repr, comparison, copy or pickle of the signer.
    private = SigningKey(seed)
    return bytes(private.verify_key), lambda message: private.sign(message).signature


def _ed25519_verifies(raw: bytes, message: bytes, signature: bytes) -> bool:
    try:
        VerifyKey(raw).verify(message, signature)
    except BadSignatureError:
        return False
    return True


def _ed25519_check(raw: bytes) -> None:
    if int.from_bytes(raw, "little") % _SIGN_BIT >= _FIELD_PRIME:
        raise WeakKey("the public key is not in canonical form; its owner must make a new key")
    if not bindings.crypto_core_ed25519_is_valid_point(raw):
        raise WeakKey("the public key is no point of the main subgroup; its owner must make a new key")


_SUITES: Mapping[str, _Provider] = MappingProxyType(
    {
        INT_1: _Provider(
            public_size=32,
            signature_size=64,
            open_seed=_ed25519_open_seed,
            verifies=_ed25519_verifies,
            check=_ed25519_check,
        ),
    },
)
