"""Files that their owner alone may read: the only file I/O of `keys`."""

import os
import secrets
import stat
from pathlib import Path

from keys.errors import CustodyError, KeyFileTooOpen

SIZE_LIMIT = 64 * 1024

_OPEN_BITS = stat.S_IRWXG | stat.S_IRWXO
_READ_BY_GROUP = stat.S_IRGRP
_CREDENTIALS = "CREDENTIALS_DIRECTORY"


def read(path: Path, *, limit: int = SIZE_LIMIT) -> bytes:
    """Return the bytes of a file, at most `limit`.

    Raises KeyFileTooOpen, CustodyError when it cannot be read.
    """
    try:
        with path.open("rb") as file:
            # Of the opened file, not of its name: nobody can swap it in between.
            if os.fstat(file.fileno()).st_mode & _forbidden(path):
                raise KeyFileTooOpen(f"others may read or write {path.name}; chmod 600 it, or make a new one")
            return file.read(limit)
    except OSError as error:
        why = f"{path.name} cannot be read ({error.strerror})"
        raise CustodyError(f"{why}; check the path and its owner") from None


def write(path: Path, content: bytes, *, replace: bool = False) -> None:
    """Write a file whole or not at all, and never over another but to `replace` it.

    Raises CustodyError when the file exists and is not to be replaced, or cannot be written.
    """
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
        sync_folder(path.parent)
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


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk; what the files hold is none of it."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _forbidden(path: Path) -> int:
    """Give the mode bits that nobody may have; a credential of systemd shows its access list's mask as the group's."""
    credentials = os.environ.get(_CREDENTIALS)
    return _OPEN_BITS & ~_READ_BY_GROUP if credentials and path.parent == Path(credentials) else _OPEN_BITS
