"""Heads: those held of others' logs, own ones that enough members cosigned, and evidence of two histories."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any, final

from gateway import carriers, wire
from gateway.ledger import dating, entries, logs, receipts, tiles, witnessing
from gateway.ledger.checkpoint import Checkpoint, read_head
from gateway.ledger.errors import LedgerError, ProofInvalid
from gateway.ledger.note import Note, NoteSignature, read_note
from gateway.ledger.quorum import Witnessed
from gateway.ledger.witnessing import Conflict, Fork, Held, Unproven
from gateway.model.ledger import LedgerEvent, LedgerPrivate
from gateway.witness import Proven, Taken
from nodes.store.bodies import Bodies
from nodes.store.commits import Commits
from nodes.store.confirmations import received
from nodes.store.connections import time_text
from nodes.store.ledger_reading import KeptFork, forks_of, tiles_of

_HELD = "SELECT checkpoint FROM held_head WHERE origin = ?"
# Compare-and-set: the decision was made in this very transaction, and a smaller head is refused by the statement too.
_HOLD = """
    INSERT INTO held_head (origin, size, checkpoint, held_time) VALUES (?, ?, ?, ?)
    ON CONFLICT (origin) DO UPDATE
    SET size = excluded.size, checkpoint = excluded.checkpoint, held_time = excluded.held_time
    WHERE excluded.size >= held_head.size"""
_KEEP_FORK = """
    INSERT INTO ledger_fork (origin, size, first, second, found_time) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"""
_COUNT_FORKS = "SELECT count(*) FROM ledger_fork WHERE ? IN ('', origin)"
_KEEP_COSIGNED = """
    INSERT INTO cosigned_head (log, size, checkpoint, witnessed_time) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"""
_OWN = "SELECT number, first FROM ledger_log WHERE origin = ?"
_CURRENT = """
    SELECT number, origin, size, checkpoint FROM ledger_log JOIN ledger_head ON log = number
    ORDER BY number DESC LIMIT 1"""
_COVERING = """
    SELECT log, size, checkpoint, witnessed_time FROM cosigned_head
    WHERE log = coalesce(?, (SELECT max(number) FROM ledger_log)) AND size >= ? ORDER BY size LIMIT 1"""
# Of each ten minutes the last head stays: it covers all that the others did.
_THIN = """
    DELETE FROM cosigned_head WHERE witnessed_time < :before AND (log, size) NOT IN (
        SELECT log, max(size) FROM cosigned_head WHERE witnessed_time < :before
        GROUP BY log, substr(witnessed_time, 1, 15))"""
_WITNESSED_SIZE = """
    SELECT coalesce(max(size), 0) FROM cosigned_head WHERE log = (SELECT max(number) FROM ledger_log)"""
_NEWEST_COSIGNED = "SELECT checkpoint FROM cosigned_head WHERE log = ? ORDER BY size DESC LIMIT 1"
_HEAD = "SELECT checkpoint FROM ledger_head WHERE log = ?"
_ENTRY = "SELECT data, shared_salt, shared FROM ledger_entry WHERE seq = ?"
_WAITING = """
    SELECT private FROM ledger_entry WHERE seq = (
        SELECT first + coalesce((SELECT max(size) FROM cosigned_head WHERE log = number), 0)
        FROM ledger_log ORDER BY number DESC LIMIT 1)"""
# Of the last numbers alone: a partner that asks does not have years of deleted bodies read through.
_TAKEN = """
    SELECT pair_sequence, wrapped_key, question_body FROM journal AS j
    LEFT JOIN storage_key AS k ON (k.day, k.scope) = (j.day, j.purpose) AND k.destroyed IS NULL
    WHERE asker = ?1 AND pair_sequence > 0
        AND pair_sequence > (SELECT max(pair_sequence) FROM journal WHERE asker = ?1) - 4096
    ORDER BY pair_sequence DESC"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """The last head of the member's last log, as it was signed."""

    log: int
    origin: str
    size: int
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigned:
    """A head of the member's own that enough others cosigned, and since when."""

    log: int
    size: int
    payload: bytes
    time: datetime


@final
class WitnessBook:
    """Implements `gateway.witness.Book`; safe from any event loop and for many processes on one file."""

    __slots__ = ("_bodies", "_commits", "_lock", "_reader")

    def __init__(self, commits: Commits, reader: sqlite3.Connection, lock: Lock, bodies: Bodies) -> None:
        self._commits = commits
        self._reader = reader
        self._lock = lock
        self._bodies = bodies

    async def add(
        self,
        shown: Checkpoint,
        old_size: int,
        proof: Sequence[bytes],
        cosign: Callable[[Note], NoteSignature],
        now: datetime,
    ) -> NoteSignature | Conflict | Fork | Unproven:
        """Decide about a head in one transaction and persist what comes out; the cosignature leaves after its commit.

        Raises:
            NotDurable: nothing was persisted, and nothing may be said.
        """
        return await self._commits.run(lambda connection: _decide(connection, shown, old_size, proof, cosign, now))

    async def keep_fork(self, fork: Fork, now: datetime) -> None:
        """Keep evidence that came from elsewhere; the same once.

        Raises:
            NotDurable: nothing was kept.
        """
        await self._commits.run(lambda connection: _keep_fork(connection, fork, now))

    async def keep_witnessed(self, log: int, found: Witnessed) -> None:
        """Keep a head of the member's own with its cosignatures.

        Raises:
            NotDurable: nothing was kept.
        """
        head, payload = found.checkpoint.head, found.checkpoint.note.payload
        row = (log, head.size, payload, time_text(dating.moment(found)))
        await self._commits.run(lambda connection: connection.execute(_KEEP_COSIGNED, row).rowcount)

    async def thin(self, before: datetime) -> int:
        """Keep of the witnessed heads from before a time only the last of each ten minutes; give how many went.

        An entry that old is then witnessed by a head that was cosigned ten minutes later at most.

        Raises:
            NotDurable: all are there still.
        """
        return await self._commits.run(
            lambda connection: connection.execute(_THIN, {"before": time_text(before)}).rowcount
        )

    def witnessed(self, size: int, log: int | None = None) -> Cosigned | None:
        """Give the smallest cosigned head that covers so many entries of a log, the last unless told, or None."""
        row = self._one(_COVERING, log, size)
        if row is None:
            return None
        number, found, payload, time = row
        return Cosigned(log=number, size=found, payload=payload, time=datetime.fromisoformat(time))

    def witnessed_size(self) -> int:
        """Give the size of the largest cosigned head of the last log, 0 for none."""
        row = self._one(_WITNESSED_SIZE)
        return 0 if row is None else int(row[0])

    def current(self) -> Own | None:
        """Give the last head that was signed, or None while nothing was entered."""
        row = self._one(_CURRENT)
        return None if row is None else Own(log=row[0], origin=row[1], size=row[2], payload=row[3])

    def waiting_since(self) -> datetime | None:
        """Give the time of the oldest entry that no cosigned head covers, or None when all are covered."""
        row = self._one(_WAITING)
        return None if row is None else wire.decode(LedgerPrivate, row[0]).log_time

    def newest(self, origin: str) -> bytes:
        """Give the note of the newest head of a log: an own one that was cosigned, or another's as it was shown here.

        Another's may have come as a receipt only; nothing where none is held.
        """
        own = self._one(_OWN, origin)
        if own is not None:
            row = self._one(_NEWEST_COSIGNED, own[0]) or self._one(_HEAD, own[0])
            return b"" if row is None else bytes(row[0])
        row = self._one(_HELD, origin)
        held = [] if row is None else [bytes(row[0])]
        with self._lock:
            held += (each.receipt.checkpoint for each in received(self._reader, self._bodies, logs.owner(origin) or ""))
        found = [(read_head(read_note(each).text), each) for each in held]
        return max(((head.size, each) for head, each in found if head.origin == origin), default=(0, b""))[1]

    def growth(self, origin: str, old_size: int, payload: bytes) -> tuple[bytes, ...]:
        """Prove how one of the member's own logs grew from a size to a head.

        Raises:
            LedgerError: when it is no log of this member, never had that size, or its tiles are damaged.
        """
        own = self._one(_OWN, origin)
        if own is None:
            raise LedgerError("only a log's own member proves how it grew; ask that one")
        size = read_head(read_note(payload).text).size
        with self._lock:
            return tiles.consistency(old_size, size, tiles_of(self._reader, own[0]))

    def prove(self, origin: str, index: int) -> Proven | None:
        """Prove an entry of one of the member's own logs under the smallest cosigned head that covers it.

        Raises:
            LedgerError: when the tiles or the entry are damaged.
        """
        own = self._one(_OWN, origin)
        row = None if own is None else self._one(_ENTRY, own[1] + index)
        if own is None or row is None:
            return None
        data, salt, shared = row
        event, covering = wire.decode(LedgerEvent, shared), self.witnessed(index + 1, own[0])
        if covering is None:
            return Proven(event=event, receipt=None)
        with self._lock:
            path = tiles.inclusion(index, covering.size, tiles_of(self._reader, own[0]))
        private = entries.read_entry(data).private_hash
        return Proven(event=event, receipt=receipts.build(index, path, read_note(covering.payload), salt, private))

    def taken(self, asker: str) -> Taken | None:
        """Give the question of the highest number among a member's that were taken and are still there, or None.

        Where the body was deleted the next lower one stands for it: a number without its question proves nothing.
        """
        with self._lock, closing(self._reader.execute(_TAKEN, (asker,))) as found:
            for number, *sealed in found:
                body = self._bodies.open(*sealed)
                if body is not None:
                    return Taken(number=number, question=carriers.read_request(body))
        return None

    def held(self, origin: str) -> Held | None:
        """Give the newest head of another member's log that this one has cosigned."""
        return _held(self._one(_HELD, origin))

    def forks(self) -> tuple[KeptFork, ...]:
        """Give all evidence of two histories, oldest first."""
        with self._lock:
            return forks_of(self._reader)

    def count_forks(self, origin: str = "") -> int:
        """Count the evidence against a log, or against any."""
        row = self._one(_COUNT_FORKS, origin)
        return 0 if row is None else int(row[0])

    def _one(self, statement: str, *values: object) -> tuple[Any, ...] | None:
        with self._lock:
            row: tuple[Any, ...] | None = self._reader.execute(statement, values).fetchone()
        return row


def _held(row: tuple[Any, ...] | None) -> Held | None:
    if row is None:
        return None
    note = read_note(row[0])
    return Held(head=read_head(note.text), note=note)


def _decide(
    connection: sqlite3.Connection,
    shown: Checkpoint,
    old_size: int,
    proof: Sequence[bytes],
    cosign: Callable[[Note], NoteSignature],
    now: datetime,
) -> NoteSignature | Conflict | Fork | Unproven:
    known = _held(connection.execute(_HELD, (shown.head.origin,)).fetchone())
    try:
        found = witnessing.decide(known, shown, old_size, proof)
    except ProofInvalid:
        return Unproven(size=known.head.size if known else 0)
    if isinstance(found, Fork):
        _keep_fork(connection, found, now)
    if not isinstance(found, Held):
        return found
    signature = cosign(found.note)
    kept = found.note.extended(signature).payload
    connection.execute(_HOLD, (found.head.origin, found.head.size, kept, time_text(now)))
    return signature


def _keep_fork(connection: sqlite3.Connection, fork: Fork, now: datetime) -> None:
    row = (fork.origin, fork.size, fork.first.payload, fork.second.payload, time_text(now))
    connection.execute(_KEEP_FORK, row)
