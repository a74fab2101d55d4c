"""Sealing to one recipient: HPKE base mode (RFC 9180), whole suites by name, nothing negotiated.

`YRDX-INT-1` seals with X25519, HKDF-SHA256 and ChaCha20-Poly1305. Base mode says nothing about the sender: what is
sealed carries the sender's signature. Without forward secrecy inside one key's life: keys turn over monthly.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from keys.errors import SealBroken, SuiteUnknown, WeakKey
from keys.suite import INT_1, PublicKey, key_id

OVERHEAD = 48
"""Bytes that sealing adds: the encapsulated key and the tag."""

_LABEL = b"yrdx seal v1"
_KEY_SIZE = 32
_FIELD_PRIME = 2**255 - 19
_PROBE = X25519PrivateKey.from_private_bytes(bytes(range(_KEY_SIZE)))
_SUITES: Mapping[str, Suite] = MappingProxyType({INT_1: Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)})

_Open = Callable[[bytes, bytes], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a sealed text is bound to: it opens for these two members, in this direction, and this question alone."""

    suite: str
    sender: str
    recipient: str
    question_id: bytes

    def info(self) -> bytes:
        """Return the `info` of RFC 9180: the label and each part behind its length in two bytes."""
        parts = (_LABEL, self.suite.encode(), self.sender.encode(), self.recipient.encode(), self.question_id)
        return b"".join(len(each).to_bytes(2, "big") + each for each in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opener:
    """A private sealing key that can only open; where its seed lies is nobody's business."""

    id: str
    suite: str
    public: bytes
    _open: _Open = field(repr=False, compare=False)

    def open(self, sealed: bytes, context: Context) -> bytes:
        """Return what was sealed to this key in this context.

        Raises SealBroken when it was not, or a byte has changed.
        """
        if context.suite != self.suite:
            raise SealBroken(f"a text of another suite is not sealed to {self.id}; ask the sender to seal it again")
        try:
            return self._open(sealed, context.info())
        except (InvalidTag, ValueError):
            raise SealBroken(f"a text does not open under {self.id}; ask the sender to seal it again") from None


def opener(seed: bytes, *, owner: str, suite: str = INT_1) -> Opener:
    """Return the opener of this seed for this owner.

    Raises SuiteUnknown, WeakKey when the seed is not 32 bytes, ValueError when the owner is not a name.
    """
    provider = _provider(suite)
    if len(seed) != _KEY_SIZE:
        raise WeakKey(f"a seed has {_KEY_SIZE} bytes, not {len(seed)}; make one with generate_seed")
    private = X25519PrivateKey.from_private_bytes(seed)
    public = private.public_key().public_bytes_raw()
    return Opener(
        id=key_id(owner, public),
        suite=suite,
        public=public,
        _open=lambda sealed, info: provider.decrypt(sealed, private, info),
    )


def seal(text: bytes, key: PublicKey, context: Context) -> bytes:
    """Return the text sealed to a key: the encapsulated key, then the ciphertext; never twice the same.

    Raises SuiteUnknown, WeakKey for a key that `check_public` refuses or of another suite than the context's.
    """
    if context.suite != key.suite:
        raise WeakKey(f"the key {key.id} is of another suite than the message; seal to a key of its suite")
    try:
        return _provider(key.suite).encrypt(text, X25519PublicKey.from_public_bytes(key.raw), context.info())
    except ValueError:
        raise WeakKey(f"nothing can be sealed to the key {key.id}; its owner must make a new one") from None


def check_public(suite: str, raw: bytes) -> None:
    """Return when the public key is fit to be registered for sealing.

    Raises SuiteUnknown, and WeakKey for a wrong size, a form that is not canonical, or a point of low order: what is
    sealed to such a key anybody can open.
    """
    _provider(suite)
    if len(raw) != _KEY_SIZE or int.from_bytes(raw, "little") >= _FIELD_PRIME:
        raise WeakKey("the sealing key is not in canonical form; its owner must make a new key")
    try:
        _PROBE.exchange(X25519PublicKey.from_public_bytes(raw))
    except ValueError:
        raise WeakKey("the sealing key is a point of low order; its owner must make a new key") from None


def _provider(suite: str) -> Suite:
    if suite not in _SUITES:
        raise SuiteUnknown(
            f"the suite {suite[:40]!r} cannot seal here; use one of {', '.join(_SUITES)} or update the node"
        )
    return _SUITES[suite]
