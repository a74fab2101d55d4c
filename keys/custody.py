"""Key files: what rests in each. Private keys rest encrypted, readable by their owner alone.

Seeds and storage keys lie in boxes (`keys.boxes`), P-256 keys in encrypted PKCS#8. A file is never written over, but
for leaves that are renewed.
"""

from pathlib import Path
from typing import TypeVar

from keys import certificates, files, seal
from keys import suite as suites
from keys.boxes import MODERATE, Work, check_passphrase, lock, not_opened, unlock, use_in
from keys.errors import CertificateRefused, CustodyError
from keys.members import SEAL
from keys.requests import Request
from keys.seal import Opener
from keys.suite import Signer
from keys.tls import Issuer, Leaf

SECRET_SIZE = 32

_BACKUP_SIZE_LIMIT = 4 * 1024 * 1024
_BACKUP = "backup"
_NONE = "-"
_KEY_BEGINS = b"-----BEGIN ENCRYPTED "

_Pair = TypeVar("_Pair", Issuer, Leaf)


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
    files.write(path, _sealed(seed, passphrase, work, {"owner": owner, "suite": suite, "use": use}))


def load_signer(path: Path, passphrase: bytes, *, use: str = "sign") -> Signer:
    """Return the signer of a seed file.

    Raises KeyFileTooOpen, PassphraseWrong, CustodyError when it is no key file of this use, SuiteUnknown.
    """
    seed, fields = unlock(files.read(path), passphrase, use, name=path.name)
    return suites.signer(seed, owner=fields["owner"], suite=fields["suite"])


def load_opener(path: Path, passphrase: bytes) -> Opener:
    """Return the opener of a sealing seed's file.

    Raises KeyFileTooOpen, PassphraseWrong, CustodyError when it is no key file for sealing, SuiteUnknown.
    """
    seed, fields = unlock(files.read(path), passphrase, SEAL, name=path.name)
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
    files.write(path, _sealed(secret, passphrase, work, {"owner": _NONE, "suite": _NONE, "use": use}))


def load_secret(path: Path, passphrase: bytes, *, use: str = "storage") -> bytes:
    """Return the storage key of a secret file.

    Raises KeyFileTooOpen, PassphraseWrong, CustodyError when it is no key file of this use.
    """
    return unlock(files.read(path), passphrase, use, name=path.name)[0]


def save_issuer(path: Path, issuer: Issuer, passphrase: bytes) -> None:
    """Write a CA's certificate and encrypted key to a new file.

    Raises CustodyError when the file exists or cannot be written, or the passphrase is empty.
    """
    files.write(path, issuer.certificate_pem + _encrypted(issuer.key_pem, passphrase))


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
    files.write(path, leaf.certificate_pem + _encrypted(leaf.key_pem, passphrase), replace=replace)


def load_leaf(path: Path, passphrase: bytes) -> Leaf:
    """Return the leaf of a file.

    Raises KeyFileTooOpen, PassphraseWrong, CustodyError when it is no such file.
    """
    return _pair(path, passphrase, Leaf)


def use_of(path: Path) -> str:
    """Return for which use a seed's or secret's file says it is; nothing is opened, and the word is unproven.

    Raises KeyFileTooOpen, CustodyError when it is no such file.
    """
    return use_in(files.read(path))


def save_backup(path: Path, content: bytes, passphrase: bytes, *, owner: str, work: Work = MODERATE) -> None:
    """Write the content of a backup, encrypted, to a new file.

    Raises CustodyError when the file exists or cannot be written, or is over 4 MiB.
    """
    if len(content) > _BACKUP_SIZE_LIMIT // 2:
        raise CustodyError("the key folder is too large for one backup; take out what is no key")
    files.write(path, lock(content, passphrase, work, {"owner": owner, "suite": _NONE, "use": _BACKUP}))


def load_backup(path: Path, passphrase: bytes) -> tuple[str, bytes]:
    """Return whose backup it is and its content.

    Raises KeyFileTooOpen, PassphraseWrong, CustodyError when it is no backup.
    """
    content, fields = unlock(files.read(path, limit=_BACKUP_SIZE_LIMIT), passphrase, _BACKUP, name=path.name)
    return fields["owner"], content


def save_request(path: Path, request: Request, passphrase: bytes) -> None:
    """Write a request to a licensed CA and its encrypted key to a new file, until the chain comes.

    Raises CustodyError when the file exists or cannot be written, or the passphrase is empty.
    """
    files.write(path, request.request_pem + _encrypted(request.key_pem, passphrase))


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
    passphrase = files.read(path).rstrip(b"\r\n")
    check_passphrase(passphrase)
    return passphrase


def _sealed(secret: bytes, passphrase: bytes, work: Work, fields: dict[str, str]) -> bytes:
    if len(secret) != SECRET_SIZE:
        raise CustodyError(f"a storage key has {SECRET_SIZE} bytes, not {len(secret)}; make a new one")
    return lock(secret, passphrase, work, fields)


def _encrypted(key_pem: bytes, passphrase: bytes) -> bytes:
    check_passphrase(passphrase)
    return certificates.encrypt_key(key_pem, passphrase)


def _pair(path: Path, passphrase: bytes, kind: type[_Pair]) -> _Pair:
    chain, key_pem = _split(path, passphrase)
    try:
        return kind(certificate_pem=chain, key_pem=key_pem)
    except CertificateRefused as error:
        raise _damaged(path) from error


def _split(path: Path, passphrase: bytes) -> tuple[bytes, bytes]:
    """Give the public text of a file and the decrypted key below it."""
    text, begin, rest = files.read(path).partition(_KEY_BEGINS)
    if not begin:
        raise _damaged(path)
    try:
        return text, certificates.decrypt_key(begin + rest, passphrase)
    except ValueError:
        raise not_opened(path.name) from None
    except CertificateRefused as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> CustodyError:
    return CustodyError(f"{path.name} is not a certificate with its encrypted key; restore it or issue a new one")
