"""Restorations of the database from a backup: a copy knows nothing of what happened since it was made (threat 23)."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import final

from nodes.store.connections import connect, connect_read_only, time_text
from nodes.store.schema import prepare_exchange

_MARK = "INSERT INTO restoration (backup_time, restored_time, digest) VALUES (?, ?, ?)"
_OPEN = """
    SELECT number, backup_time, restored_time, digest FROM restoration WHERE recovered_time IS NULL
    ORDER BY number DESC LIMIT 1"""
_LAST = "SELECT max(restored_time) FROM restoration"
_MARKED = "SELECT digest FROM restoration ORDER BY number DESC LIMIT 1"
_RECOVERED = "UPDATE restoration SET recovered_time = ? WHERE recovered_time IS NULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoration:
    """A backup that was put in place: when made, when restored, and SHA-256 of its manifest."""

    backup_time: datetime
    restored_time: datetime
    digest: bytes


def mark(path: Path, restoration: Restoration) -> None:
    """Close a copy that is about to be put in place; its own earlier restorations count no more."""
    made = time_text(restoration.backup_time), time_text(restoration.restored_time)
    with closing(connect(path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(_RECOVERED, (made[1],))
        connection.execute(_MARK, (*made, restoration.digest))
        connection.execute("COMMIT")


def marked(path: Path) -> bytes:
    """Give the digest of the manifest of the copy that was put in place last, empty for none.

    Raises:
        StoreUnusable: when it is no database of exchanges of this version.
    """
    prepare_exchange(path)
    with closing(connect_read_only(path)) as connection:
        found = connection.execute(_MARKED).fetchone()
    return bytes(found[0]) if found else b""


def recovered(connection: sqlite3.Connection, now: datetime) -> None:
    """Open the database again inside the write transaction that is open."""
    connection.execute(_RECOVERED, (time_text(now),))


def last_restored(connection: sqlite3.Connection) -> str:
    """Give the time of the last restoration as the database writes times, empty for none."""
    return connection.execute(_LAST).fetchone()[0] or ""


@final
class Restorations:
    """Reads what was restored, from any worker."""

    __slots__ = ("_lock", "_reader")

    def __init__(self, reader: sqlite3.Connection, lock: Lock) -> None:
        self._reader, self._lock = reader, lock

    def pending(self) -> Restoration | None:
        """Give the restoration that is not recovered yet, or None while all is well."""
        with self._lock:
            row = self._reader.execute(_OPEN).fetchone()
        if row is None:
            return None
        _, made, restored, digest = row
        times = datetime.fromisoformat(made), datetime.fromisoformat(restored)
        return Restoration(backup_time=times[0], restored_time=times[1], digest=digest)
