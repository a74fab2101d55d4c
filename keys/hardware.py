"""Signing keys on a token by PKCS#11 (duty U31): they are made there and never leave it; with `files` the only I/O.

python-pkcs11 is the optional extra `hsm`. A key is Ed25519 (CKM_EC_EDWARDS_KEY_PAIR_GEN, CKM_EDDSA; PKCS#11 3.0),
which SoftHSM 2 has. A member's message key bears the label `yrdx/<member>/<use>`; a role key or an officer's key
bears `yrdx/` and its owner, as its id begins, and is named by a URI of RFC 7512 where a path would name a file.
"""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote_to_bytes

from keys import custody, suite
from keys.errors import CustodyError
from keys.suite import INT_1, Signer

SCHEME = "pkcs11:"
_LABEL = "yrdx/"
_KNOWN = frozenset({"token", "object", "id", "module-path", "pin-source"})
_NEEDED = frozenset({"token", "module-path"})
_ED25519_OID = "1.3.101.112"
_OCTET_STRING = b"\x04\x20"
_ID_SIZE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPlace:
    """Where a token is: the library of its maker, its label, and the PIN that opens it."""

    module: Path
    label: str
    pin: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPlace:
    """Where a key is: its token, its owner ("" where the URI names no key), and its CKA_ID where one is named."""

    token: TokenPlace
    owner: str
    identity: bytes | None


def read_uri(uri: str, pin: bytes = b"") -> KeyPlace:
    """Read a URI of RFC 7512: `token`, `object` and `id`, then `module-path` and `pin-source`.

    `pin` opens the token unless the URI names the PIN's file. Raises CustodyError for any other form, and one that
    cannot be read: the PIN itself has no place in a URI.
    """
    path, _, query = uri.removeprefix(SCHEME).partition("?")
    pairs = [each.partition("=") for each in (*path.split(";"), *query.split("&")) if each]
    found = {name: unquote_to_bytes(value) for name, _, value in pairs}
    label = found.get("object", _LABEL.encode())
    if not uri.startswith(SCHEME) or len(found) != len(pairs) or not _NEEDED <= found.keys() <= _KNOWN:
        raise CustodyError("the URI is not pkcs11:token=...;object=...?module-path=...&pin-source=...; correct it")
    try:
        texts = {name: value.decode("utf-8") for name, value in found.items() if name != "id"}
    except UnicodeDecodeError:
        raise CustodyError("the URI holds what is no UTF-8; correct it") from None
    if not label.startswith(_LABEL.encode()):
        raise CustodyError(f"the key's label does not begin with {_LABEL}; name a key that yrdx made")
    source = texts.get("pin-source", "").removeprefix("file:")
    return KeyPlace(
        token=TokenPlace(
            module=Path(texts["module-path"]),
            label=texts["token"],
            pin=custody.read_passphrase(Path(source)) if source else pin,
        ),
        owner=texts.get("object", "").removeprefix(_LABEL),
        identity=found.get("id"),
    )


def load_signer(uri: str, pin: bytes = b"") -> Signer:
    """Return the signer of the key that a URI names.

    Raises CustodyError as `read_uri` and `Token.signer_of`.
    """
    place = read_uri(uri, pin)
    return Token(place.token).signer_of(place.owner, place.identity)


class Token:
    """An open session with a token; calls from several threads wait for one another."""

    def __init__(self, place: TokenPlace) -> None:
        """Log in.

        Raises CustodyError when the extra is not installed, there is no such token, or the PIN is wrong.
        """
        self._lock = threading.Lock()
        self._pkcs11 = _library()
        self._session = self._try(lambda: self._open(place))

    def generate(self, member: str, use: str) -> Signer:
        """Make a member's key that cannot be taken out of the token, and return its signer.

        Raises CustodyError when the token refuses.
        """
        return self._generate(member, f"{_LABEL}{member}/{use}")

    def generate_of(self, owner: str) -> Signer:
        """Make a key of an owner such as `310000/root` that cannot be taken out of the token; return its signer.

        Raises CustodyError when the token refuses.
        """
        return self._generate(owner, _LABEL + owner)

    def _generate(self, owner: str, label: str) -> Signer:
        pkcs11 = self._pkcs11
        parameters = {pkcs11.Attribute.EC_PARAMS: pkcs11.util.ec.encode_named_curve_parameters(_ED25519_OID)}

        def make() -> Any:  # noqa: ANN401  the library's own object
            domain = self._session.create_domain_parameters(pkcs11.KeyType.EC_EDWARDS, parameters, local=True)
            mechanism = pkcs11.Mechanism.EC_EDWARDS_KEY_PAIR_GEN
            settings = {pkcs11.Attribute.EXTRACTABLE: False, pkcs11.Attribute.SENSITIVE: True}
            return domain.generate_keypair(
                mechanism=mechanism,
                store=True,
                label=label,
                id=secrets.token_bytes(_ID_SIZE),
                private_template=settings,
            )

        public, private = self._try(make)
        return self._signer(owner, public, private)

    def signers(self, member: str, use: str) -> tuple[Signer, ...]:
        """Return the signers of the member's keys of a use on the token.

        Raises CustodyError when the token refuses, WeakKey when a key is none of the suite.
        """
        return tuple(each for _, each in self._signers(member, f"{_LABEL}{member}/{use}"))

    def signer_of(self, owner: str, identity: bytes | None = None) -> Signer:
        """Return the signer of an owner's key, of several the one whose CKA_ID is `identity`.

        Raises CustodyError when the token has none or several, or refuses; WeakKey when it is none of the suite.
        """
        found = [each for own, each in self._signers(owner, _LABEL + owner) if identity in (None, own)]
        if len(found) != 1:
            raise CustodyError(f"the token has {len(found)} keys of that label; name one by its label and id")
        return found[0]

    def _signers(self, owner: str, label: str) -> tuple[tuple[bytes, Signer], ...]:
        pkcs11 = self._pkcs11
        wanted = {pkcs11.Attribute.LABEL: label}

        def find(kind: Any) -> dict[bytes, Any]:  # noqa: ANN401  the library's own type
            objects = self._session.get_objects({**wanted, pkcs11.Attribute.CLASS: kind})
            return {each[pkcs11.Attribute.ID]: each for each in objects}

        publics = self._try(lambda: find(pkcs11.ObjectClass.PUBLIC_KEY))
        privates = self._try(lambda: find(pkcs11.ObjectClass.PRIVATE_KEY))
        return tuple(
            (identity, self._signer(owner, publics[identity], private))
            for identity, private in sorted(privates.items())
            if identity in publics
        )

    def close(self) -> None:
        """End the session."""
        self._try(self._session.close)

    def _open(self, place: TokenPlace) -> Any:  # noqa: ANN401  the library's own object
        token = self._pkcs11.lib(str(place.module)).get_token(token_label=place.label)
        try:
            return token.open(rw=True, user_pin=place.pin.decode("utf-8"))
        except self._pkcs11.UserAlreadyLoggedIn:  # a login is the process's, not the session's
            return token.open(rw=True)

    def _signer(self, owner: str, public: Any, private: Any) -> Signer:  # noqa: ANN401  the library's own objects
        raw = self._try(lambda: bytes(public[self._pkcs11.Attribute.EC_POINT])).removeprefix(_OCTET_STRING)
        suite.check_public(INT_1, raw)
        mechanism = self._pkcs11.Mechanism.EDDSA

        def sign(message: bytes) -> bytes:
            return bytes(self._try(lambda: private.sign(message, mechanism=mechanism)))

        return Signer(id=suite.key_id(owner, raw), suite=INT_1, public=raw, _sign=sign)

    def _try(self, call: Callable[[], Any]) -> Any:  # noqa: ANN401  whatever the library gives
        with self._lock:
            try:
                return call()
            except self._pkcs11.PKCS11Error as error:
                # The class alone: a library's text may hold what it was handed.
                why = f"the token refused ({type(error).__name__})"
                raise CustodyError(f"{why}; check its library, its label and the PIN") from None


def _library() -> ModuleType:
    try:
        import pkcs11
        import pkcs11.util.ec
    except ImportError:
        raise CustodyError("a token needs the extra hsm; install python-pkcs11, or take token_module out") from None
    return pkcs11
