"""The asker's log: numbers and digests before a question leaves, outcomes and results before they are shown."""

import sqlite3
from collections.abc import Callable
from datetime import datetime
from threading import Lock
from typing import final

from gateway.clocks import civil_day
from gateway.errors import NotDurable
from gateway.model.signed import Signed
from gateway.ports import Closing, Issued
from keys import envelope
from keys.bodies import BodyKey
from nodes.store.bodies import Bodies
from nodes.store.commits import Commits
from nodes.store.connections import time_text

_NEXT = """
    INSERT INTO pair (member, next) VALUES (?, 2)
    ON CONFLICT (member) DO UPDATE SET next = next + 1 RETURNING next - 1"""
_SENT = """
    INSERT INTO sent (question_id, question_digest, member, pair_sequence, outcome, question_body, sent_day,
        sent_time)
    VALUES (?, ?, ?, ?, 'SENT', ?, ?, ?)"""
_CLOSE = """
    UPDATE sent SET outcome = ?, reply_digest = ?, reply_body = ?, closed_time = ?
    WHERE question_id = ? AND outcome = 'SENT'"""
_VOID = "UPDATE sent SET outcome = 'VOID', closed_time = :before WHERE outcome = 'SENT' AND sent_time < :before"
_RESULT = "INSERT INTO result (agency, case_reference, application_item, body, day, time) VALUES (?, ?, ?, ?, ?, ?)"
_CURRENT = """
    SELECT recognition_id FROM recognition WHERE uscc = ? AND agency = ? AND agreement_id = ?
    ORDER BY seq DESC LIMIT 1"""
_RECOGNISE = """
    INSERT INTO recognition (recognition_id, uscc, agency, agreement_id, body, day, supersedes)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""


@final
class AskerJournal:
    """Implements `gateway.ports.AskerLog`; safe from any event loop and for many processes on one file.

    `open` and `conclude` return when all of it is on disk. `compose` runs in the writer thread while others
    wait: it signs and does nothing else.
    """

    __slots__ = ("_bodies", "_commits", "_lock", "_reader")

    def __init__(self, commits: Commits, reader: sqlite3.Connection, lock: Lock, bodies: Bodies) -> None:
        self._commits = commits
        self._reader = reader
        self._lock = lock
        self._bodies = bodies

    async def open(self, members: tuple[str, ...], compose: Callable[[str, int], Signed]) -> tuple[Signed, ...]:
        """Assign each pair's next number, compose, and keep digests and bytes before any is sent.

        What `compose` raises is raised here, and no number is used.

        Raises:
            NotDurable: nothing was assigned and nothing may be sent.
        """
        return await self._commits.run(
            lambda connection: tuple(self._open(connection, member, compose) for member in members)
        )

    async def conclude(
        self,
        closings: tuple[Closing, ...],
        *,
        agency: str,
        case_reference: str,
        application_item: str,
        result: bytes,
        issued: tuple[Issued, ...],
        now: datetime,
    ) -> None:
        """Keep every outcome, the combined result and the recognitions at once.

        Raises:
            NotDurable: nothing was kept and nothing may be shown; also when a question was closed before.
        """

        def work(connection: sqlite3.Connection) -> None:
            for closing in closings:
                self._close(connection, closing, now)
            day = civil_day(now).isoformat()
            key = self._bodies.key(connection, day)
            kept = (agency, case_reference, application_item, key.seal(result), day, time_text(now))
            connection.execute(_RESULT, kept)
            for each in issued:
                _recognise(connection, each, key, day)

        await self._commits.run(work)

    def current_recognition(self, *, uscc: str, agency: str, agreement_id: str) -> bytes:
        """Give the id of the latest recognition of this subject for this agency and agreement, or b""."""
        with self._lock:
            return _current(self._reader, uscc, agency, agreement_id)

    async def void_unfinished(self, before: datetime) -> int:
        """Explain the numbers of questions sent before this time and never closed; give how many there were.

        A node calls it on start with a time well before any question that may still be under way elsewhere.

        Raises:
            NotDurable: nothing was changed.
        """
        named = {"before": time_text(before)}
        return await self._commits.run(lambda connection: connection.execute(_VOID, named).rowcount)

    def _open(self, connection: sqlite3.Connection, member: str, compose: Callable[[str, int], Signed]) -> Signed:
        number = int(connection.execute(_NEXT, (member,)).fetchone()[0])
        signed = compose(member, number)
        header = signed.question.header
        day = civil_day(header.asked_time).isoformat()
        body = self._bodies.key(connection, day).seal(envelope.to_json(signed.envelope))
        time = time_text(header.asked_time)
        connection.execute(_SENT, (header.question_id, signed.digest, member, number, body, day, time))
        return signed

    def _close(self, connection: sqlite3.Connection, closing: Closing, now: datetime) -> None:
        row = connection.execute("SELECT sent_day FROM sent WHERE question_id = ?", (closing.question_id,)).fetchone()
        sealed = None
        if row is not None and closing.reply is not None:
            sealed = self._bodies.key(connection, row[0]).seal(closing.reply.payload)
        closed = (closing.outcome, closing.digest or None, sealed, time_text(now), closing.question_id)
        if connection.execute(_CLOSE, closed).rowcount != 1:
            raise NotDurable("a question was never opened here, or was closed before; ask again")


def _recognise(connection: sqlite3.Connection, each: Issued, key: BodyKey, day: str) -> None:
    scope = (each.uscc, each.agency, each.agreement_id)
    body = key.seal(each.envelope_bytes)
    connection.execute(_RECOGNISE, (each.recognition_id, *scope, body, day, _current(connection, *scope)))


def _current(connection: sqlite3.Connection, uscc: str, agency: str, agreement_id: str) -> bytes:
    row = connection.execute(_CURRENT, (uscc, agency, agreement_id)).fetchone()
    return b"" if row is None else bytes(row[0])
