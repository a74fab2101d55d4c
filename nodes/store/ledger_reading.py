"""Reads the member's ledger as it lies on disk: logs, heads, entries in their order, and tiles."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self, final

from gateway.ledger.entries import Opening
from gateway.ledger.tiles import Hashes, Tile
from nodes.store.connections import connect_read_only
from nodes.store.schema import prepare_exchange

_TILE = "SELECT hashes FROM ledger_tile WHERE log = ? AND level = ? AND place = ?"
_LOGS = """
    SELECT number, origin, first, coalesce(lead(first) OVER (ORDER BY number), 0), size, checkpoint
    FROM ledger_log LEFT JOIN ledger_head ON log = number ORDER BY number"""
_ENTRIES = """
    SELECT seq, data, shared_salt, shared, private_salt, private FROM ledger_entry
    WHERE seq BETWEEN ? AND ? ORDER BY seq"""
_BEYOND = "SELECT count(*) FROM ledger_entry WHERE seq >= ? AND (seq < ? OR ? = 0)"
_COSIGNED = "SELECT checkpoint FROM cosigned_head WHERE log = ? ORDER BY size DESC LIMIT 1"
_NEWEST = "SELECT max(size) FROM cosigned_head WHERE log = ?"
_UP_TO = "SELECT checkpoint FROM cosigned_head WHERE log = ? AND size <= ? ORDER BY size DESC LIMIT 1"
_SEEN = "SELECT checkpoint FROM seen_head WHERE log = ?"
# Numbers of entries grow with the rows that name them: the newest rows have the highest.
_NAMED = """
    SELECT max(coalesce(entry, 0)) FROM (
        SELECT * FROM (SELECT entry FROM journal ORDER BY seq DESC LIMIT 1000)
        UNION ALL SELECT * FROM (SELECT max(asked_entry, coalesce(closed_entry, 0)) FROM sent
            ORDER BY rowid DESC LIMIT 1000))"""
_LOST = """
    SELECT log, origin FROM (
        SELECT log, CAST(substr(checkpoint, 1, instr(checkpoint, x'0a') - 1) AS TEXT) AS origin FROM ledger_head
        UNION SELECT * FROM (
            SELECT log, CAST(substr(checkpoint, 1, instr(checkpoint, x'0a') - 1) AS TEXT) FROM cosigned_head
            ORDER BY log DESC LIMIT 1)
        UNION SELECT log, origin FROM seen_head)
    WHERE log > ? ORDER BY log DESC LIMIT 1"""
_FORKS = "SELECT number, origin, size, first, second, found_time FROM ledger_fork ORDER BY number"
_LAST = """
    SELECT seq, data, shared_salt, shared, private_salt, private FROM ledger_entry
    WHERE seq >= ? ORDER BY seq DESC LIMIT ?"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """One of the member's logs; `size` and `checkpoint` are those of its head, and None when it has lost it."""

    number: int
    origin: str
    first: int
    end: int
    """First number of the next log's entries; 0 for the last log."""

    size: int | None
    checkpoint: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An entry as it lies on disk, with what opens it."""

    seq: int
    data: bytes
    shared: Opening
    private: Opening


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFork:
    """Evidence of two histories, by its number here: two notes of one log and size, and when they met."""

    number: int
    origin: str
    size: int
    first: bytes
    second: bytes
    time: datetime


@final
class LedgerFile:
    """One snapshot of a ledger: what is written meanwhile is not in it."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """Open the database of exchanges for reading; no key is needed.

        Raises:
            StoreUnusable: as `Store.open`.
        """
        prepare_exchange(path)
        connection = connect_read_only(path)
        try:
            connection.execute("BEGIN")
            yield cls(connection)
        finally:
            connection.close()

    def logs(self) -> tuple[Log, ...]:
        """Give the logs, oldest first."""
        names = ("number", "origin", "first", "end", "size", "checkpoint")
        return tuple(Log(**dict(zip(names, row, strict=True))) for row in self._connection.execute(_LOGS))

    def entries(self, log: Log, first: int, last: int) -> Iterator[Held]:
        """Give a log's entries from one place to another in their order, some at a time; missing ones are left out."""
        return map(_held, self._connection.execute(_ENTRIES, (log.first + first, log.first + last)))

    def one(self, seq: int) -> tuple[Held, ...]:
        """Give the entry of a number, or nothing when it is missing."""
        return tuple(map(_held, self._connection.execute(_ENTRIES, (seq, seq))))

    def beyond(self, log: Log, size: int) -> int:
        """Count a log's entries from a place on."""
        row = self._connection.execute(_BEYOND, (log.first + size, log.end, log.end)).fetchone()
        return int(row[0])

    def last(self, log: Log, count: int) -> tuple[Held, ...]:
        """Give the last entries of the last log, in their order."""
        rows = self._connection.execute(_LAST, (log.first, count)).fetchall()
        return tuple(_held(row) for row in reversed(rows))

    def cosigned(self, log: Log) -> bytes | None:
        """Give the newest head of a log that enough members cosigned."""
        row = self._connection.execute(_COSIGNED, (log.number,)).fetchone()
        return None if row is None else bytes(row[0])

    def witnessed(self, log: Log, count: int) -> tuple[bytes, ...]:
        """Give so many cosigned heads of a log at most, the newest and others spread over it, smallest first."""
        (newest,) = self._connection.execute(_NEWEST, (log.number,)).fetchone()
        wanted = ((log.number, (newest or 0) * at // count) for at in range(1, count + 1))
        rows = (self._connection.execute(_UP_TO, each).fetchone() for each in wanted)
        return tuple(dict.fromkeys(bytes(row[0]) for row in rows if row is not None))

    def seen(self, log: Log) -> tuple[bytes, ...]:
        """Give the heads of a log that other members held and the disk did not when they were asked."""
        return tuple(bytes(payload) for (payload,) in self._connection.execute(_SEEN, (log.number,)))

    def named(self) -> int:
        """Give the highest number of an entry that the newest exchanges name, 0 for none."""
        return int(self._connection.execute(_NAMED).fetchone()[0] or 0)

    def lost(self) -> tuple[Log, ...]:
        """Give the log that heads or exchanges speak of and that is not there, as one without a head."""
        last = next(iter(self.logs()[-1:]), None)
        found = self._connection.execute(_LOST, (last.number if last else 0,)).fetchone()
        if found is None and last is None and self.named():
            found = 1, ""
        if found is None:
            return ()
        first = last.first + (last.size or 0) if last else 1
        return (Log(number=found[0], origin=found[1], first=first, end=0, size=None, checkpoint=None),)

    def forks(self) -> tuple[KeptFork, ...]:
        """Give all evidence of two histories, of any member's log, oldest first."""
        return forks_of(self._connection)

    def tiles(self, log: Log) -> Hashes:
        """Give what reads the log's tiles."""
        return tiles_of(self._connection, log.number)


def tiles_of(connection: sqlite3.Connection, log: int) -> Hashes:
    """Give what reads a log's tiles by a connection: nothing for one that is missing."""

    def read(wanted: Sequence[Tile]) -> list[bytes]:
        rows = (connection.execute(_TILE, (log, each.level, each.place)).fetchone() for each in wanted)
        return [b"" if row is None else row[0] for row in rows]

    return read


def forks_of(connection: sqlite3.Connection) -> tuple[KeptFork, ...]:
    """Give all evidence of two histories by a connection."""
    names = ("number", "origin", "size", "first", "second")
    return tuple(
        KeptFork(**dict(zip(names, values, strict=True)), time=datetime.fromisoformat(time))
        for *values, time in connection.execute(_FORKS)
    )


def _held(row: tuple[int, bytes, bytes, bytes, bytes, bytes]) -> Held:
    seq, data, shared_salt, shared, private_salt, private = row
    return Held(seq=seq, data=data, shared=Opening(shared_salt, shared), private=Opening(private_salt, private))
