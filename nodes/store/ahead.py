"""What others have seen of the member's own ledger that the disk does not hold."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import final

from gateway.ledger import tiles
from gateway.ledger.checkpoint import Head
from gateway.ledger.shown import Seen
from nodes.store.commits import Commits
from nodes.store.connections import time_text
from nodes.store.ledger_reading import tiles_of

_LOG = "SELECT coalesce(max(number), 0) FROM ledger_log"
_OWN = "SELECT number, size FROM ledger_log JOIN ledger_head ON log = number WHERE origin = ?"
_NUMBER = "SELECT coalesce((SELECT next - 1 FROM pair WHERE member = ?), 0)"
_KEEP_HEAD = """
    INSERT INTO seen_head (origin, log, size, checkpoint, forked, member, seen_time) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (origin) DO UPDATE SET size = excluded.size, checkpoint = excluded.checkpoint,
        forked = excluded.forked, member = excluded.member, seen_time = excluded.seen_time
    WHERE excluded.size > seen_head.size OR excluded.forked > seen_head.forked"""
_KEEP_NUMBER = """
    INSERT INTO seen_pair (member, number, seen_time) VALUES (?, ?, ?)
    ON CONFLICT (member) DO UPDATE SET number = excluded.number, seen_time = excluded.seen_time
    WHERE excluded.number > seen_pair.number"""
_MISSING = """
    SELECT member, origin, size, checkpoint FROM seen_head
    WHERE NOT forked AND (log, size) > (
        SELECT coalesce(max(number), 0), coalesce((SELECT size FROM ledger_head ORDER BY log DESC LIMIT 1), 0)
        FROM ledger_log)
    ORDER BY log, size"""
_MISSING_NUMBERS = """
    SELECT member, number FROM seen_pair AS seen
    WHERE number >= coalesce((SELECT next FROM pair WHERE pair.member = seen.member), 1) ORDER BY member"""
_ANY = """
    SELECT EXISTS (SELECT 1 FROM seen_head) OR EXISTS (SELECT 1 FROM seen_pair)
        OR EXISTS (SELECT 1 FROM ledger_fork)"""
_TWICE = """
    SELECT 1 FROM ledger_fork WHERE origin = (SELECT origin FROM ledger_log ORDER BY number DESC LIMIT 1)"""
_FORKED = "SELECT member FROM seen_head WHERE forked AND log = (SELECT max(number) FROM ledger_log)"

_BEHIND = "other members have seen entries of this ledger that are missing here; recover them first"
_CONTRADICTED = "this ledger contradicts a head that it signed before; find out why, and open a new log"


def _why_closed(connection: sqlite3.Connection) -> str:
    """Say why no head may be signed on this disk, or nothing while what others have seen is on it (threat 23)."""
    if not connection.execute(_ANY).fetchone()[0]:  # asked for every entry
        return ""
    if any(connection.execute(each).fetchone() for each in (_FORKED, _TWICE)):
        return _CONTRADICTED
    return _BEHIND if any(connection.execute(each).fetchone() for each in (_MISSING, _MISSING_NUMBERS)) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingHead:
    """A head that this member signed, that another holds, and that the disk does not reach."""

    member: str
    origin: str
    size: int
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingNumber:
    """The highest number that a member proves to have taken from this one, above the last that the disk knows of."""

    member: str
    number: int


@final
class Closing:
    """Says why nothing may be entered now, and nothing while something may; for the ledger, before it writes."""

    __slots__ = ("_lock", "_reader")

    def __init__(self, reader: sqlite3.Connection, lock: Lock) -> None:
        self._reader, self._lock = reader, lock

    def __call__(self) -> str:
        """Ask the disk as it is now."""
        with self._lock:
            return _why_closed(self._reader)


@final
class Ahead:
    """Keeps what others have seen until the disk holds it too; for many processes on one file."""

    __slots__ = ("_commits", "_lock", "_reader")

    def __init__(self, commits: Commits, reader: sqlite3.Connection, lock: Lock) -> None:
        self._commits, self._reader, self._lock = commits, reader, lock

    async def take(self, member: str, seen: Seen, now: datetime) -> bool:
        """Lay what a member has seen beside the disk as it is now, and keep what it lacks; say whether it lacks any.

        Raises:
            NotDurable: nothing was kept.
            LedgerError: when the own tiles are damaged.
        """
        return await self._commits.run(lambda connection: _take(connection, member, seen, time_text(now)))

    def last_log(self) -> int:
        """Give the number of the last log, 0 for none."""
        with self._lock:
            return int(self._reader.execute(_LOG).fetchone()[0])

    def heads(self) -> tuple[MissingHead, ...]:
        """Give the heads that the disk does not reach, smallest first."""
        with self._lock:
            rows = self._reader.execute(_MISSING).fetchall()
        names = ("member", "origin", "size", "payload")
        return tuple(MissingHead(**dict(zip(names, row, strict=True))) for row in rows)

    def numbers(self) -> tuple[MissingNumber, ...]:
        """Give the pairs whose other side has taken numbers that the disk never gave out."""
        with self._lock:
            rows = self._reader.execute(_MISSING_NUMBERS).fetchall()
        return tuple(MissingNumber(member=member, number=number) for member, number in rows)

    def forked(self) -> bool:
        """Say whether somebody holds a head of the last log that this member signed and that the disk contradicts."""
        with self._lock:
            return self._reader.execute(_FORKED).fetchone() is not None


def _take(connection: sqlite3.Connection, member: str, seen: Seen, now: str) -> bool:
    lacking = False
    if seen.checkpoint is not None:
        head, payload = seen.checkpoint.head, seen.checkpoint.note.payload
        log, size = connection.execute(_OWN, (head.origin,)).fetchone() or (int(head.origin.rpartition("/")[2]), -1)
        forked = head.size <= size and not _holds(connection, log, head)
        lacking = forked or head.size > size
        if lacking:
            connection.execute(_KEEP_HEAD, (head.origin, log, head.size, payload, forked, member, now))
    if seen.pair_number > connection.execute(_NUMBER, (member,)).fetchone()[0]:
        connection.execute(_KEEP_NUMBER, (member, seen.pair_number, now))
        lacking = True
    return lacking


def _holds(connection: sqlite3.Connection, log: int, head: Head) -> bool:
    return tiles.root_at(head.size, tiles_of(connection, log)) == head.root
