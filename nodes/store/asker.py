"""The asker's log: numbers and digests before a question leaves, outcomes and results before they are shown."""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import groupby
from threading import Lock
from typing import Any, final

from gateway.clocks import civil_day
from gateway.errors import NotDurable
from gateway.ledger import events
from gateway.model.codes import LedgerEventKind
from gateway.model.ledger import LedgerEvent, LedgerPrivate
from gateway.model.signed import Signed
from gateway.ports import Closing, Issued
from keys import envelope
from keys.bodies import BodyKey
from nodes.store import disclosing
from nodes.store.bodies import Bodies
from nodes.store.commits import Commits
from nodes.store.connections import time_text
from nodes.store.disclosing import Provision
from nodes.store.ledger import Ledger

_NEXT = """
    INSERT INTO pair (member, next) VALUES (?, 2)
    ON CONFLICT (member) DO UPDATE SET next = next + 1 RETURNING next - 1"""
_SENT = """
    INSERT INTO sent (question_id, question_digest, member, pair_sequence, outcome, question_body, sent_day,
        sent_time, asked_entry, purpose)
    VALUES (?, ?, ?, ?, 'SENT', ?, ?, ?, ?, ?)"""
_OPENED = """
    SELECT sent_day, purpose, asked_entry, question_digest, member, pair_sequence FROM sent
    WHERE question_id = ? AND outcome = 'SENT'"""
_CLOSE = """
    UPDATE sent SET outcome = ?, reply_digest = ?, reply_body = ?, closed_time = ?, closed_entry = ?,
        result = ?
    WHERE question_id = ?"""
_VOID = """
    UPDATE sent SET outcome = 'VOID', closed_time = :before WHERE outcome = 'SENT' AND sent_time < :before
    RETURNING question_id, asked_entry, question_digest, member, pair_sequence"""
_ENTER = "UPDATE sent SET closed_entry = ? WHERE question_id = ?"
_RESULT = """
    INSERT INTO result (agency, case_reference, application_item, body, day, time, purpose, digest)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING seq"""
_CONCLUDED = "UPDATE result SET entry = ? WHERE seq = ?"
_CURRENT = """
    SELECT recognition_id FROM recognition WHERE uscc = ? AND agency = ? AND agreement_id = ?
    ORDER BY seq DESC LIMIT 1"""
_RECOGNISE = """
    INSERT INTO recognition (recognition_id, uscc, agency, agreement_id, body, day, supersedes, purpose)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_ENDS = {"ANSWERED": LedgerEventKind.ACCEPTED, "REFUSED": LedgerEventKind.REFUSED}


@final
class AskerJournal:
    """Implements `gateway.ports.AskerLog`; safe from any event loop and for many processes on one file.

    `open` and `conclude` return when all of it is on disk, and its entries in the ledger. `compose` runs in the writer
    thread while others wait: it signs and does nothing else.
    """

    __slots__ = ("_bodies", "_commits", "_ledger", "_lock", "_reader")

    def __init__(
        self, commits: Commits, reader: sqlite3.Connection, lock: Lock, bodies: Bodies, *, ledger: Ledger
    ) -> None:
        self._commits = commits
        self._reader = reader
        self._lock = lock
        self._bodies = bodies
        self._ledger = ledger

    async def open(self, members: tuple[str, ...], compose: Callable[[str, int], Signed]) -> tuple[Signed, ...]:
        """Assign each pair's next number, compose, and keep digests and bytes before any is sent.

        What `compose` raises is raised here, and no number is used.

        Raises:
            NotDurable: nothing was assigned and nothing may be sent.
        """

        def work(connection: sqlite3.Connection) -> tuple[Signed, ...]:
            self._ledger.check_new()
            pairs = [(member, _number(connection, member)) for member in members]
            composed = [(compose(*pair), *pair) for pair in pairs]
            for _, alike in groupby(composed, lambda each: each[0].question.body):
                self._open(connection, tuple(alike))
            return tuple(signed for signed, *_ in composed)

        return await self._commits.run(work)

    async def conclude(
        self,
        closings: tuple[Closing, ...],
        *,
        agency: str,
        case_reference: str,
        purpose: str,
        application_item: str,
        result: bytes,
        result_digest: bytes,
        issued: tuple[Issued, ...],
        now: datetime,
    ) -> None:
        """Keep every outcome, the combined result and the recognitions at once, each in the ledger (duty U23).

        Raises:
            NotDurable: nothing was kept and nothing may be shown; also when a question was closed before.
        """

        def work(connection: sqlite3.Connection) -> None:
            day = civil_day(now).isoformat()
            key = self._bodies.key(connection, day, purpose)
            about = (agency, case_reference, application_item)
            kept = (*about, key.seal(result), day, time_text(now), purpose, result_digest)
            number = connection.execute(_RESULT, kept).fetchone()[0]
            for closing in closings:
                self._close(connection, closing, now, number)
            for each in issued:
                _recognise(connection, each, key, (day, purpose))
            private = LedgerPrivate(
                log_time=now,
                agency=agency,
                purpose=purpose,
                application_item=application_item,
                case_digest=self._ledger.case_digest(case_reference),
            )
            event = events.of_result(self._ledger.member, result_digest)
            connection.execute(_CONCLUDED, (self._ledger.append(connection, event, private).seq, number))

        await self._commits.run(work)

    def current_recognition(self, *, uscc: str, agency: str, agreement_id: str) -> bytes:
        """Give the id of the latest recognition of this subject for this agency and agreement, or b""."""
        with self._lock:
            return _current(self._reader, uscc, agency, agreement_id)

    async def void_unfinished(self, before: datetime, now: datetime) -> int:
        """Explain the numbers of questions sent before this time and never closed; give how many there were.

        A node calls it on start with a time well before any question that may still be under way elsewhere.

        Raises:
            NotDurable: nothing was changed.
        """

        def work(connection: sqlite3.Connection) -> int:
            rows = connection.execute(_VOID, {"before": time_text(before)}).fetchall()
            for question_id, asked_entry, *asked in rows:
                entry = self._enter(connection, LedgerEventKind.VOID, asked, LedgerPrivate(log_time=now))
                connection.execute(_ENTER, (entry, question_id))
                disclosing.end(connection, asked_entry, "VOID")
            return len(rows)

        return await self._commits.run(work)

    def _open(self, connection: sqlite3.Connection, asked: Sequence[tuple[Signed, str, int]]) -> None:
        """Keep and enter the questions about the same subjects, each with its pair and number."""
        question = asked[0][0].question
        kind, subjects = disclosing.kind_and_subjects(question.body)
        told = disclosing.about(connection, subjects, question.header.asked_time)
        for signed, member, number in asked:
            entry = self._send(connection, signed, (member, number), told.numbers())
            header = signed.question.header
            provision = Provision(entry=entry, side=disclosing.ASKED, time=header.asked_time, header=header, kind=kind)
            disclosing.provide(connection, told, provision)
        disclosing.disclose(connection, told)

    def _send(
        self, connection: sqlite3.Connection, signed: Signed, pair: tuple[str, int], numbers: tuple[int, ...]
    ) -> int:
        header = signed.question.header
        day = civil_day(header.asked_time).isoformat()
        body = self._bodies.key(connection, day, header.purpose).seal(envelope.to_json(signed.envelope))
        asked = events.of_exchange(LedgerEventKind.ASKED, header, signed.digest)
        case = self._ledger.case_digest(header.case_reference)
        private = events.behind(header, header.asked_time, case, subject_numbers=numbers)
        entry = self._ledger.append(connection, asked, private).seq
        time = time_text(header.asked_time)
        connection.execute(_SENT, (header.question_id, signed.digest, *pair, body, day, time, entry, header.purpose))
        return entry

    def _close(self, connection: sqlite3.Connection, closing: Closing, now: datetime, result: int) -> None:
        row = connection.execute(_OPENED, (closing.question_id,)).fetchone()
        if row is None:
            raise NotDurable("a question was never opened here, or was closed before; ask again")
        day, purpose, asked_entry, *asked = row
        sealed = (
            None if closing.reply is None else self._bodies.key(connection, day, purpose).seal(closing.reply.payload)
        )
        private = LedgerPrivate(log_time=now, act=closing.reason)
        # What the answerer's ledger does not hold is none in this one: the two are compared.
        kind = _ENDS.get(closing.outcome, LedgerEventKind.FAILED) if closing.digest else LedgerEventKind.FAILED
        entry = self._enter(connection, kind, asked, private, closing.digest)
        closed = (closing.outcome, closing.digest or None, sealed, time_text(now), entry, result)
        connection.execute(_CLOSE, (*closed, closing.question_id))
        disclosing.end(connection, asked_entry, closing.outcome, closing.fields_granted)

    def _enter(
        self,
        connection: sqlite3.Connection,
        kind: LedgerEventKind,
        asked: Sequence[Any],
        private: LedgerPrivate,
        reply_digest: bytes = b"",
    ) -> int:
        """Write how a question ended; who asked it and why stands in the entry of the asking."""
        question_digest, member, number = asked
        event = LedgerEvent(
            kind=kind,
            asker_member=self._ledger.member,
            answerer_member=member,
            pair_sequence=number,
            question_digest=question_digest,
            reply_digest=reply_digest,
        )
        return self._ledger.append(connection, event, private).seq


def _number(connection: sqlite3.Connection, member: str) -> int:
    """Take the pair's next number."""
    return int(connection.execute(_NEXT, (member,)).fetchone()[0])


def _recognise(connection: sqlite3.Connection, each: Issued, key: BodyKey, of: tuple[str, str]) -> None:
    scope = (each.uscc, each.agency, each.agreement_id)
    body = key.seal(each.envelope_bytes)
    day, purpose = of
    kept = (each.recognition_id, *scope, body, day, _current(connection, *scope), purpose)
    connection.execute(_RECOGNISE, kept)


def _current(connection: sqlite3.Connection, uscc: str, agency: str, agreement_id: str) -> bytes:
    row = connection.execute(_CURRENT, (uscc, agency, agreement_id)).fetchone()
    return b"" if row is None else bytes(row[0])
