"""Connections to the node's database files, with the settings that durability and memory rest on."""

import os
import sqlite3
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from keys import moments

BUSY_SECONDS = 5.0
_CACHE_KIB = 2048
_MAPPED_BYTES = 1 << 31
_WAL_BYTES_KEPT = 64 << 20


def connect(path: Path, *, cache_kib: int = _CACHE_KIB, mapped_bytes: int = _MAPPED_BYTES) -> sqlite3.Connection:
    """Open a file for writing; a commit returns when it is on disk. One thread at a time.

    `mapped_bytes` of the file are read as shared memory; a bulk writer asks for none, so that what it holds stays
    bounded by its cache.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    try:
        return _set(connection, cache_kib, mapped_bytes)
    except BaseException:
        connection.close()
        raise


def connect_read_only(path: Path) -> sqlite3.Connection:
    """Open an existing file for reading only; reads see one snapshot and wait for no writer."""
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=ro",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    try:
        return _set(connection, _CACHE_KIB, _MAPPED_BYTES)
    except BaseException:
        connection.close()
        raise


def make_private(path: Path) -> None:
    """Create the file when it is missing, for its owner alone; SQLite gives the same mode to its companions."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # One that is there is not opened: closing it again would drop the locks that this process has on it (POSIX), and
    # another process would take the write-ahead log of a node that runs for its own.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def time_text(moment: datetime) -> str:
    """Write a time at one fixed width, so that texts compare as times do.

    Raises:
        ValueError: when it is not in UTC.
    """
    return moments.require_utc(moment).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _set(connection: sqlite3.Connection, cache_kib: int, mapped_bytes: int) -> sqlite3.Connection:
    for setting in (
        f"busy_timeout = {int(BUSY_SECONDS * 1000)}",
        "synchronous = FULL",  # the default may be lower where SQLite was built for speed
        "foreign_keys = ON",
        "trusted_schema = OFF",
        f"cache_size = -{cache_kib}",
        f"mmap_size = {mapped_bytes}",  # shared pages of the file instead of private memory
        f"journal_size_limit = {_WAL_BYTES_KEPT}",
    ):
        connection.execute(f"PRAGMA {setting}")
    return connection
