"""Key files: the only file I/O of `keys`. Private keys rest encrypted, readable by their owner alone.

Seeds and storage keys lie under Argon2id (RFC 9106) and XSalsa20-Poly1305, P-256 keys in encrypted PKCS#8. A
file is written whole or not at all and never written over, but for leaves that are renewed.
"""

import hashlib
import json
import os
import re
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from nacl import pwhash
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox
from nacl.utils import random as random_bytes

from keys import certificates, jsontext, seal
from keys import suite as suites
from keys.errors import CertificateRefused, CustodyError, KeyFileTooOpen, PassphraseWrong
from keys.members import SEAL
from keys.requests import Request
from keys.seal import Opener
from keys.suite import Signer
from keys.tls import Issuer, Leaf

SECRET_SIZE = 32

_FILE_SIZE_LIMIT = 64 * 1024
_BACKUP_SIZE_LIMIT = 4 * 1024 * 1024
_OPEN_BITS = stat.S_IRWXG | stat.S_IRWXO
_READ_BY_GROUP = stat.S_IRGRP
_CREDENTIALS = "CREDENTIALS_DIRECTORY"
_NAMES = ("version", "kdf", "operations", "memory", "salt", "owner", "suite", "use", "box")
_VERSION = 1
_KDF = re.compile("argon2id")
_BACKUP = "backup"
_FIELD = re.compile(r"[A-Za-z0-9._/-]{1,128}")
_NONE = "-"
_KEY_BEGINS = b"-----BEGIN ENCRYPTED "
_WORK_LIMIT = pwhash.argon2id.OPSLIMIT_SENSITIVE, pwhash.argon2id.MEMLIMIT_SENSITIVE

_Pair = TypeVar("_Pair", Issuer, Leaf)


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


def save_seed(
    path: Path,
    seed: bytes,
    passphrase: bytes,
    *,
    owner: str,
    suite: str,
    use: str = "sign",
    work: Work = MODERATE,
) -> None:
    """Write a signing or sealing seed, encrypted, to a new file.

    Raises CustodyError when the file exists or cannot be written or the use is no name, and what making the
    signer or opener raises: nothing is stored that could not be loaded.
    """
    make = seal.opener if use == SEAL else suites.signer
    make(seed, owner=owner, suite=suite)
    _write(path, _sealed(seed, passphrase, work, {"owner": owner, "suite": suite, "use": use}))


def load_signer(path: Path, passphrase: bytes, *, use: str = "sign") -> Signer:
    """Return the signer of a seed file.

    Raises KeyFileTooOpen, PassphraseWrong, CustodyError when it is no key file of this use, SuiteUnknown.
    """
    seed, fields = _opened(path, passphrase, use)
    return suites.signer(seed, owner=fields["owner"], suite=fields["suite"])


def load_opener(path: Path, passphrase: bytes) -> Opener:
    """Return the opener of a sealing seed's file.

    Raises KeyFileTooOpen, PassphraseWrong, CustodyError when it is no key file for sealing, SuiteUnknown.
    """
    seed, fields = _opened(path, passphrase, SEAL)
    return seal.opener(seed, owner=fields["owner"], suite=fields["suite"])


def save_secret(
    path: Path,
    secret: bytes,
    passphrase: bytes,
    *,
    use: str = "storage",
    work: Work = MODERATE,
) -> None:
    """Write a 32-byte storage key, encrypted, to a new file.

    Raises CustodyError when the file exists or cannot be written, or when secret or use are unfit.
    """
    _write(path, _sealed(secret, passphrase, work, {"owner": _NONE, "suite": _NONE, "use": use}))


def load_secret(path: Path, passphrase: bytes, *, use: str = "storage") -> bytes:
    """Return the storage key of a secret file.

    Raises KeyFileTooOpen, PassphraseWrong, CustodyError when it is no key file of this use.
    """
    return _opened(path, passphrase, use)[0]


def save_issuer(path: Path, issuer: Issuer, passphrase: bytes) -> None:
    """Write a CA's certificate and encrypted key to a new file.

    Raises CustodyError when the file exists or cannot be written, or the passphrase is empty.
    """
    _write(path, issuer.certificate_pem + _encrypted(issuer.key_pem, passphrase))


def load_issuer(path: Path, passphrase: bytes) -> Issuer:
    """Return the CA of a file.

    Raises KeyFileTooOpen, PassphraseWrong, CustodyError when it is no such file.
    """
    return _pair(path, passphrase, Issuer)


def save_leaf(path: Path, leaf: Leaf, passphrase: bytes, *, replace: bool = False) -> None:
    """Write a leaf's chain and encrypted key to a new file, or over the one it renews.

    Raises CustodyError when the file exists and is not to be replaced, cannot be written, or the passphrase
    is empty.
    """
    _write(path, leaf.certificate_pem + _encrypted(leaf.key_pem, passphrase), replace=replace)


def load_leaf(path: Path, passphrase: bytes) -> Leaf:
    """Return the leaf of a file.

    Raises KeyFileTooOpen, PassphraseWrong, CustodyError when it is no such file.
    """
    return _pair(path, passphrase, Leaf)


def use_of(path: Path) -> str:
    """Return for which use a seed's or secret's file says it is; nothing is opened, and the word is unproven.

    Raises KeyFileTooOpen, CustodyError when it is no such file.
    """
    return jsontext.load(_read(path), refuse=CustodyError).members(_NAMES)["use"].text(_FIELD)


def save_backup(path: Path, content: bytes, passphrase: bytes, *, owner: str, work: Work = MODERATE) -> None:
    """Write the content of a backup, encrypted, to a new file.

    Raises CustodyError when the file exists or cannot be written, or is over 4 MiB.
    """
    if len(content) > _BACKUP_SIZE_LIMIT // 2:
        raise CustodyError("the key folder is too large for one backup; take out what is no key")
    _write(path, _locked(content, passphrase, work, {"owner": owner, "suite": _NONE, "use": _BACKUP}))


def load_backup(path: Path, passphrase: bytes) -> tuple[str, bytes]:
    """Return whose backup it is and its content.

    Raises KeyFileTooOpen, PassphraseWrong, CustodyError when it is no backup.
    """
    content, fields = _opened(path, passphrase, _BACKUP, limit=_BACKUP_SIZE_LIMIT)
    return fields["owner"], content


def read_rested(path: Path) -> bytes:
    """Return a key file's bytes as they rest, still encrypted.

    Raises KeyFileTooOpen, CustodyError when it cannot be read.
    """
    return _read(path)


def save_request(path: Path, request: Request, passphrase: bytes) -> None:
    """Write a request to a licensed CA and its encrypted key to a new file, until the chain comes.

    Raises CustodyError when the file exists or cannot be written, or the passphrase is empty.
    """
    _write(path, request.request_pem + _encrypted(request.key_pem, passphrase))


def load_request(path: Path, passphrase: bytes) -> Request:
    """Return the request of a file.

    Raises KeyFileTooOpen, PassphraseWrong, CustodyError when it is no such file.
    """
    text, key_pem = _split(path, passphrase)
    return Request(request_pem=text, key_pem=key_pem)


def read_passphrase(path: Path) -> bytes:
    """Return the passphrase or PIN of a file, without the line's end.

    Raises KeyFileTooOpen, CustodyError when the file cannot be read or is empty.
    """
    passphrase = _read(path).rstrip(b"\r\n")
    _check_passphrase(passphrase)
    return passphrase


def write_new(path: Path, content: bytes) -> None:
    """Write a file that its owner alone can read, whole or not at all and never over another.

    Raises CustodyError when the file exists or cannot be written.
    """
    _write(path, content)


def _sealed(secret: bytes, passphrase: bytes, work: Work, fields: dict[str, str]) -> bytes:
    if len(secret) != SECRET_SIZE:
        raise CustodyError(f"a storage key has {SECRET_SIZE} bytes, not {len(secret)}; make a new one")
    return _locked(secret, passphrase, work, fields)


def _locked(secret: bytes, passphrase: bytes, work: Work, fields: dict[str, str]) -> bytes:
    if any(_FIELD.fullmatch(each) is None for each in fields.values()):
        raise CustodyError("owner and use are names of letters, digits, '.', '_', '/' and '-'; correct them")
    salt = random_bytes(pwhash.argon2id.SALTBYTES)
    box = _box(passphrase, salt, work).encrypt(_label(fields) + secret)
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


def _opened(path: Path, passphrase: bytes, use: str, *, limit: int = _FILE_SIZE_LIMIT) -> tuple[bytes, dict[str, str]]:
    part = jsontext.load(_read(path, limit=limit), refuse=CustodyError).members(_NAMES)
    if part["version"].integer(least=1) != _VERSION:
        part["version"].fail(f"is not {_VERSION}")
    part["kdf"].text(_KDF)
    work = Work(operations=part["operations"].integer(least=1), memory=part["memory"].integer(least=1))
    fields = {name: part[name].text(_FIELD) for name in ("owner", "suite", "use")}
    if fields["use"] != use:
        raise CustodyError(f"the key in {path.name} is not for {use!r}; configure a key of that use")
    salt = part["salt"].octets()
    if len(salt) != pwhash.argon2id.SALTBYTES:
        part["salt"].fail("is not of the salt's size")
    return _unboxed(path, _box(passphrase, salt, work), part["box"].octets(), _label(fields)), fields


def _unboxed(path: Path, box: SecretBox, sealed: bytes, label: bytes) -> bytes:
    try:
        plain = box.decrypt(sealed)
    except (CryptoError, ValueError):
        raise _wrong(path) from None
    # The plain text fields are bound to the box: a file edited to another owner or use does not open.
    if not plain.startswith(label):
        raise _wrong(path)
    return plain.removeprefix(label)


def _label(fields: dict[str, str]) -> bytes:
    return hashlib.sha256(json.dumps(["yrdx-key-file", *sorted(fields.items())]).encode("utf-8")).digest()


def _box(passphrase: bytes, salt: bytes, work: Work) -> SecretBox:
    _check_passphrase(passphrase)
    derive, size = pwhash.argon2id.kdf, SecretBox.KEY_SIZE
    try:
        return SecretBox(derive(size, passphrase, salt, opslimit=work.operations, memlimit=work.memory))
    except CryptoError:
        raise CustodyError("the key derivation failed; it needs more free memory") from None


def _encrypted(key_pem: bytes, passphrase: bytes) -> bytes:
    _check_passphrase(passphrase)
    return certificates.encrypt_key(key_pem, passphrase)


def _pair(path: Path, passphrase: bytes, kind: type[_Pair]) -> _Pair:
    chain, key_pem = _split(path, passphrase)
    try:
        return kind(certificate_pem=chain, key_pem=key_pem)
    except CertificateRefused as error:
        raise _damaged(path) from error


def _split(path: Path, passphrase: bytes) -> tuple[bytes, bytes]:
    """Give the public text of a file and the decrypted key below it."""
    text, begin, rest = _read(path).partition(_KEY_BEGINS)
    if not begin:
        raise _damaged(path)
    try:
        return text, certificates.decrypt_key(begin + rest, passphrase)
    except ValueError:
        raise _wrong(path) from None
    except CertificateRefused as error:
        raise _damaged(path) from error


def _check_passphrase(passphrase: bytes) -> None:
    if not passphrase:
        raise CustodyError("the passphrase is empty; put one into the passphrase file")


def _read(path: Path, *, limit: int = _FILE_SIZE_LIMIT) -> bytes:
    try:
        with path.open("rb") as file:
            # Of the opened file, not of its name: nobody can swap it in between.
            if os.fstat(file.fileno()).st_mode & _forbidden(path):
                raise KeyFileTooOpen(f"others may read or write {path.name}; chmod 600 it, or make a new one")
            return file.read(limit)
    except OSError as error:
        why = f"{path.name} cannot be read ({error.strerror})"
        raise CustodyError(f"{why}; check the path and its owner") from None


def _forbidden(path: Path) -> int:
    """Give the mode bits that nobody may have; a credential of systemd shows its access list's mask as the group's."""
    credentials = os.environ.get(_CREDENTIALS)
    return _OPEN_BITS & ~_READ_BY_GROUP if credentials and path.parent == Path(credentials) else _OPEN_BITS


def _write(path: Path, content: bytes, *, replace: bool = False) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        try:
            _write_new(temporary, content)
            if replace:
                temporary.replace(path)
            else:
                # A link, unlike a rename, fails where a file already stands.
                path.hardlink_to(temporary)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except FileExistsError:
        raise CustodyError(f"{path.name} exists and is never written over; choose another name") from None
    except OSError as error:
        why = f"{path.name} cannot be written ({error.strerror})"
        raise CustodyError(f"{why}; check the folder and its owner") from None


def _write_new(path: Path, content: bytes) -> None:
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(number, "wb") as file:
        os.fchmod(number, 0o600)
        file.write(content)
        file.flush()
        os.fsync(number)


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _wrong(path: Path) -> PassphraseWrong:
    return PassphraseWrong(f"the passphrase does not open {path.name}, or the file was altered; check both")


def _damaged(path: Path) -> CustodyError:
    return CustodyError(f"{path.name} is not a certificate with its encrypted key; restore it or issue a new one")
