"""Boxes: bytes that a passphrase locks, with whose they are and what for, as key files hold them.

The key is derived by Argon2id (RFC 9106), the bytes lie under XSalsa20-Poly1305.
"""

import hashlib
import json
import re
from dataclasses import dataclass

from nacl import pwhash
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox
from nacl.utils import random as random_bytes

from keys import jsontext
from keys.errors import CustodyError, PassphraseWrong

_NAMES = ("version", "kdf", "operations", "memory", "salt", "owner", "suite", "use", "box")
_VERSION = 1
_KDF = re.compile("argon2id")
_FIELD = re.compile(r"[A-Za-z0-9._/-]{1,128}")
_WORK_LIMIT = pwhash.argon2id.OPSLIMIT_SENSITIVE, pwhash.argon2id.MEMLIMIT_SENSITIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """How hard Argon2id works: passes and bytes of memory; written into each file.

    Raises CustodyError outside what libsodium calls minimal and sensitive: a file must not ask for all
    memory.
    """

    operations: int
    memory: int

    def __post_init__(self) -> None:
        """Check both against the limits."""
        passes = pwhash.argon2id.OPSLIMIT_MIN <= self.operations <= _WORK_LIMIT[0]
        if not passes or not pwhash.argon2id.MEMLIMIT_MIN <= self.memory <= _WORK_LIMIT[1]:
            raise CustodyError("the key derivation's work is out of range; use INTERACTIVE or MODERATE")


INTERACTIVE = Work(
    operations=pwhash.argon2id.OPSLIMIT_INTERACTIVE,
    memory=pwhash.argon2id.MEMLIMIT_INTERACTIVE,
)
MODERATE = Work(operations=pwhash.argon2id.OPSLIMIT_MODERATE, memory=pwhash.argon2id.MEMLIMIT_MODERATE)


def lock(content: bytes, passphrase: bytes, work: Work, fields: dict[str, str]) -> bytes:
    """Lock content into a box that says whose it is, of which suite and for which use; give the file's text.

    Raises CustodyError for a field that is no name, an empty passphrase, or too little memory.
    """
    if any(_FIELD.fullmatch(each) is None for each in fields.values()):
        raise CustodyError("owner and use are names of letters, digits, '.', '_', '/' and '-'; correct them")
    salt = random_bytes(pwhash.argon2id.SALTBYTES)
    box = _box(passphrase, salt, work).encrypt(_label(fields) + content)
    document = {
        "version": _VERSION,
        "kdf": _KDF.pattern,
        "operations": work.operations,
        "memory": work.memory,
        "salt": jsontext.write_octets(salt),
        **fields,
        "box": jsontext.write_octets(box),
    }
    return json.dumps(document, indent=1).encode("utf-8") + b"\n"


def unlock(text: bytes, passphrase: bytes, use: str, *, name: str) -> tuple[bytes, dict[str, str]]:
    """Return the content and the fields of a box for this use; `name` is what errors call its file.

    Raises PassphraseWrong, CustodyError when it is no box for this use.
    """
    part = jsontext.load(text, refuse=CustodyError).members(_NAMES)
    if part["version"].integer(least=1) != _VERSION:
        part["version"].fail(f"is not {_VERSION}")
    part["kdf"].text(_KDF)
    work = Work(operations=part["operations"].integer(least=1), memory=part["memory"].integer(least=1))
    fields = {each: part[each].text(_FIELD) for each in ("owner", "suite", "use")}
    if fields["use"] != use:
        raise CustodyError(f"the key in {name} is not for {use!r}; configure a key of that use")
    salt = part["salt"].octets()
    if len(salt) != pwhash.argon2id.SALTBYTES:
        part["salt"].fail("is not of the salt's size")
    return _unboxed(name, _box(passphrase, salt, work), part["box"].octets(), _label(fields)), fields


def use_in(text: bytes) -> str:
    """Return for which use a box says it is; nothing is opened, and the word is unproven.

    Raises CustodyError when it is no box.
    """
    return jsontext.load(text, refuse=CustodyError).members(_NAMES)["use"].text(_FIELD)


def check_passphrase(passphrase: bytes) -> None:
    """Check that there is a passphrase.

    Raises CustodyError when it is empty.
    """
    if not passphrase:
        raise CustodyError("the passphrase is empty; put one into the passphrase file")


def not_opened(name: str) -> PassphraseWrong:
    """Make the error of a file that its passphrase does not open."""
    return PassphraseWrong(f"the passphrase does not open {name}, or the file was altered; check both")


def _unboxed(name: str, box: SecretBox, sealed: bytes, label: bytes) -> bytes:
    try:
        plain = box.decrypt(sealed)
    except (CryptoError, ValueError):
        raise not_opened(name) from None
    # The plain text fields are bound to the box: a file edited to another owner or use does not open.
    if not plain.startswith(label):
        raise not_opened(name)
    return plain.removeprefix(label)


def _label(fields: dict[str, str]) -> bytes:
    return hashlib.sha256(json.dumps(["yrdx-key-file", *sorted(fields.items())]).encode("utf-8")).digest()


def _box(passphrase: bytes, salt: bytes, work: Work) -> SecretBox:
    check_passphrase(passphrase)
    derive, size = pwhash.argon2id.kdf, SecretBox.KEY_SIZE
    try:
        return SecretBox(derive(size, passphrase, salt, opslimit=work.operations, memlimit=work.memory))
    except CryptoError:
        raise CustodyError("the key derivation failed; it needs more free memory") from None
