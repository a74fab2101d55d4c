"""Keys that sign roles of the bundle, named `<member>/<use>/<fingerprint>`, and how TUF checks with them.

Importing this module makes securesystemslib verify Ed25519 with our suite: OpenSSL takes keys of low order.
"""

import re
from dataclasses import dataclass
from typing import Any

from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import KEY_FOR_TYPE_AND_SCHEME, Key, Signature

from keys import suite
from keys.bundle import layout
from keys.errors import BundleMalformed, SignatureInvalid
from keys.suite import PublicKey

_ED25519 = "ed25519"
_ID = re.compile(r"([0-9]{6})/([a-z]{1,16})/[0-9a-f]{16}")
_HEX = re.compile(r"(?:[0-9a-f]{2})*")


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleKeyName:
    """What the id of a role key says: whose it is, and what for."""

    member: str
    use: str


class RoleKey(Key):
    """An Ed25519 key as TUF metadata lists it (key type and scheme `ed25519`, `public` in hexadecimal)."""

    @classmethod
    def from_dict(cls, keyid: str, key_dict: dict[str, Any]) -> "RoleKey":  # type: ignore[explicit-override]
        """Read a key.

        Raises ValueError or KeyError for another form, WeakKey for a key that is not fit.
        """
        keytype, scheme, keyval = cls._from_dict(key_dict)
        found = cls(keyid, keytype, scheme, keyval, key_dict)
        suite.check_public(suite.INT_1, found.raw)
        return found

    @property
    def raw(self) -> bytes:
        """The public key's 32 bytes."""
        return _octets(self.keyval["public"])

    def to_dict(self) -> dict[str, Any]:  # type: ignore[explicit-override]
        """Write the key as `from_dict` reads it."""
        return self._to_dict()

    def verify_signature(self, signature: Signature, data: bytes) -> None:  # type: ignore[explicit-override]
        """Return when the key signed exactly this.

        Raises UnverifiedSignatureError otherwise.
        """
        key = PublicKey(id=self.keyid, suite=suite.INT_1, raw=self.raw)
        try:
            suite.verify(key, data, _octets(signature.signature))
        except (SignatureInvalid, ValueError) as error:
            raise UnverifiedSignatureError(str(error)) from error


KEY_FOR_TYPE_AND_SCHEME[(_ED25519, _ED25519)] = RoleKey


def role_key(key: PublicKey) -> RoleKey:
    """Give a public key in the form of TUF metadata, under its own id."""
    return RoleKey(key.id, _ED25519, _ED25519, {"public": key.raw.hex()})


def name_of(key_id: str) -> RoleKeyName:
    """Read the id of a role key.

    Raises BundleMalformed when it is no such id.
    """
    found = _ID.fullmatch(key_id)
    if found is None or found[2] not in layout.USES:
        raise BundleMalformed("a role key's id is not <member>/<use>/<fingerprint>; name the key by its owner and use")
    return RoleKeyName(member=found[1], use=found[2])


def public_key(key: Key) -> PublicKey:
    """Give a key of TUF metadata as a key of our suite, once its id is found to be its owner's, use's and its own.

    Raises BundleMalformed for another type of key or a false id.
    """
    name = name_of(key.keyid)
    if not isinstance(key, RoleKey) or key.unrecognized_fields or key.keyval.keys() != {"public"}:
        raise BundleMalformed(f"the key {key.keyid} is no plain Ed25519 key; make one with the officers' tool")
    if key.keyid != suite.key_id(f"{name.member}/{name.use}", key.raw):
        raise BundleMalformed(f"the key id {key.keyid} does not end with its key's fingerprint; export the key again")
    return PublicKey(id=key.keyid, suite=suite.INT_1, raw=key.raw)


def _octets(text: object) -> bytes:
    if not isinstance(text, str) or _HEX.fullmatch(text) is None:
        raise ValueError("not hexadecimal")
    return bytes.fromhex(text)
