"""Answers that were accepted, to be confirmed by the ledger of whoever gave them, and where they were not."""

import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock
from typing import final

from gateway import carriers, wire
from gateway.model.codes import LedgerEventKind
from gateway.model.ledger import LedgerEvent, Receipt
from nodes.store.bodies import Bodies
from nodes.store.commits import Commits
from nodes.store.connections import time_text

_RECEIVED = """
    SELECT pair_sequence, wrapped_key, reply_body, shared FROM sent
    JOIN storage_key ON (day, scope) = (sent_day, sent.purpose) AND destroyed IS NULL
    JOIN ledger_entry ON seq = closed_entry
    WHERE member = ? AND pair_sequence > ? AND outcome = 'ANSWERED' AND reply_body IS NOT NULL
    ORDER BY pair_sequence DESC LIMIT 4"""
_CONTRADICT = """
    INSERT INTO contradiction (origin, member, number, found_time) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"""
_CONTRADICTING = "SELECT DISTINCT origin, member FROM contradiction ORDER BY member"


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """An answer that was accepted: its pair number, the event that it is, and the receipt that came with it."""

    number: int
    shared: bytes
    receipt: Receipt


@final
class Confirmations:
    """What the rounds of confirming read and keep; safe from any event loop and for many processes on one file."""

    __slots__ = ("_bodies", "_commits", "_lock", "_reader")

    def __init__(self, commits: Commits, reader: sqlite3.Connection, lock: Lock, bodies: Bodies) -> None:
        self._commits, self._reader, self._lock, self._bodies = commits, reader, lock, bodies

    def received(self, member: str, after: int = 0) -> tuple[Received, ...]:
        """Give a member's last answers beyond a number, the newest first, four at most: they were verified then."""
        with self._lock:
            return received(self._reader, self._bodies, member, after)

    async def contradict(self, member: str, origin: str, number: int, now: datetime) -> None:
        """Keep that a member's witnessed log does not hold what its receipt said.

        Raises:
            NotDurable: nothing was kept.
        """
        row = (origin, member, number, time_text(now))
        await self._commits.run(lambda connection: connection.execute(_CONTRADICT, row).rowcount)

    def contradicting(self) -> tuple[tuple[str, str], ...]:
        """Name the logs that do not hold what was receipted, and whose they are: by origin and member."""
        with self._lock:
            return tuple(self._reader.execute(_CONTRADICTING).fetchall())


def received(reader: sqlite3.Connection, bodies: Bodies, member: str, after: int = 0) -> tuple[Received, ...]:
    """Give a member's last answers beyond a number, as `Confirmations.received`; the caller holds the reader's lock."""
    rows = reader.execute(_RECEIVED, (member, after)).fetchall()
    opened = ((number, shared, bodies.open(*sealed)) for number, *sealed, shared in rows)
    found = ((number, shared, carriers.read_response(body).receipt) for number, shared, body in opened if body)
    return tuple(Received(number=each[0], shared=_theirs(each[1]), receipt=each[2]) for each in found if each[2])


def _theirs(accepted: bytes) -> bytes:
    """Give the shared part of the answerer's entry, of which this member's says that it was accepted."""
    return wire.encode(replace(wire.decode(LedgerEvent, accepted), kind=LedgerEventKind.ANSWERED))
