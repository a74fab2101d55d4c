"""The answerer's journal: claim, charge, bodies, disclosures and ledger entry of one exchange in one transaction."""

import json
import sqlite3
from datetime import date
from functools import lru_cache
from threading import Lock
from typing import final

from gateway.errors import BudgetSpent, NotDurable, Replayed
from gateway.ledger import entries, events
from gateway.ledger.errors import LedgerError
from gateway.model.codes import LedgerEventKind
from gateway.model.signed import Reply
from gateway.ports import Exchange, Kept
from nodes.store.bodies import Bodies
from nodes.store.commits import Commits
from nodes.store.connections import time_text
from nodes.store.ledger import Ledger, Line, Sealed

_CLAIMED = """
    SELECT question_digest, outcome, reply_body, wrapped_key, entry, shared_salt, data
    FROM journal LEFT JOIN storage_day USING (day) LEFT JOIN ledger_entry AS e ON e.seq = entry
    WHERE question_id = ?"""
_REACHED = """
    SELECT coalesce((SELECT spent FROM budget WHERE agency = :agency AND purpose = :purpose AND day = :day), 0),
           (SELECT count(DISTINCT value) FROM json_each(:subjects) WHERE NOT EXISTS (
                SELECT 1 FROM disclosure
                WHERE agency = :agency AND purpose = :purpose AND day = :day AND uscc = value))"""
_REACHED_ONE = """
    SELECT coalesce((SELECT spent FROM budget WHERE agency = :agency AND purpose = :purpose AND day = :day), 0),
           NOT EXISTS (SELECT 1 FROM disclosure
                WHERE agency = :agency AND purpose = :purpose AND day = :day AND uscc = :subject)"""
_CHARGE = """
    INSERT INTO budget (agency, purpose, day, spent) VALUES (:agency, :purpose, :day, :fresh)
    ON CONFLICT (agency, purpose, day) DO UPDATE SET spent = spent + excluded.spent"""
_KEEP = """
    INSERT INTO journal (question_id, question_digest, asker, agency, purpose, kind, agreement, case_reference,
        pair_sequence, outcome, reason, facts_version, fields, received_time, day, question_body, reply_body)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (question_id) DO NOTHING"""
_ENTER = "UPDATE journal SET entry = ? WHERE seq = ?"
_DISCLOSE = """
    INSERT INTO disclosure (agency, purpose, day, uscc, question_id, seq)
    SELECT DISTINCT :agency, :purpose, :day, value, :question_id, :seq FROM json_each(:subjects)"""

_DISCLOSE_ONE = """
    INSERT INTO disclosure (agency, purpose, day, uscc, question_id, seq)
    VALUES (:agency, :purpose, :day, :subject, :question_id, :seq)"""


@final
class ExchangeJournal:
    """Implements `gateway.ports.Journal`; safe from any event loop and for many processes on one file.

    `commit` returns when the group of its transaction is on disk, the head of the ledger with it. Reads see what was
    committed and wait for no writer.
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

    async def commit(self, exchange: Exchange) -> Kept:
        """Claim, charge and keep as one; the loser of a race for a question id gets the winner's reply.

        Raises:
            Replayed: when the id was claimed with other bytes, or its reply was deleted since.
            BudgetSpent: when the charge would pass the limit; nothing was written.
            NotDurable: when the transaction could not be made durable; nothing was written.
        """
        (reply, line), sealed = await self._commits.run_sealed(
            lambda connection: self._commit(connection, exchange), undo=False
        )
        return self._with_receipt(reply, line, sealed)

    def find(self, question_id: bytes, question_digest: bytes) -> Kept | None:
        """Give the stored reply for this question id, its receipt from the head as it is now, or None.

        Raises:
            Replayed: when the id was claimed with other bytes, or its reply was deleted since.
            NotDurable: when the ledger is damaged.
        """
        with self._lock:
            found = self._claimed(self._reader, question_id, question_digest)
        return None if found is None else self._with_receipt(*found, None)

    def spent(self, *, agency: str, purpose: str, day: date, subjects: tuple[str, ...]) -> int:
        """Count the distinct subjects that this agency, purpose and day would reach with these ones."""
        with self._lock:
            spent, fresh = _reach(self._reader, _scope(agency, purpose, day, subjects))
        return spent + fresh

    def _with_receipt(self, reply: Reply, line: Line | None, sealed: Sealed | None) -> Kept:
        """Prove the entry under the head of its group, or where an earlier group wrote it, under the last."""
        if line is None or reply.refused:
            return Kept(reply=reply)
        try:
            if sealed is not None and line.seq >= sealed.fresh:
                return Kept(reply=reply, receipt=sealed.receipt(line))
            with self._lock:
                return Kept(reply=reply, receipt=self._ledger.current(self._reader).receipt(line))
        except LedgerError as error:
            raise NotDurable("the ledger gives no receipt; run yrdx ledger verify") from error

    def _commit(self, connection: sqlite3.Connection, exchange: Exchange) -> tuple[Reply, Line | None]:
        """Charge first and claim with the first write, so that a job that fails has written nothing."""
        if exchange.question is not None:
            self._ledger.check_new()
        scope = None if exchange.reply.refused or not exchange.subjects else _charged(exchange)
        fresh = 0
        if scope is not None:
            spent, fresh = _reach(connection, scope)
            if fresh and spent + fresh > exchange.charge_limit:
                return self._earlier(connection, exchange, BudgetSpent("the subjects of this day are used up"))
        seq = self._keep(connection, exchange)
        if seq is None:
            return self._earlier(connection, exchange, Replayed("the question id was claimed before"))
        if scope is not None:
            if fresh:
                connection.execute(_CHARGE, scope | {"fresh": fresh})
            connection.execute(
                _DISCLOSE_ONE if "subject" in scope else _DISCLOSE,
                scope | {"question_id": exchange.question_id, "seq": seq},
            )
        return exchange.reply, self._enter(connection, exchange, seq)

    def _enter(self, connection: sqlite3.Connection, exchange: Exchange, seq: int) -> Line | None:
        """Write the ledger's entry of a genuine question."""
        if exchange.question is None:
            return None
        header = exchange.question.header
        kind = LedgerEventKind.REFUSED if exchange.reply.refused else LedgerEventKind.ANSWERED
        case = self._ledger.case_digest(header.case_reference)
        line = self._ledger.append(
            connection,
            events.of_exchange(kind, header, exchange.question_digest, exchange.reply_digest),
            events.behind(header, exchange.received_time, case, exchange.reason),
        )
        connection.execute(_ENTER, (line.seq, seq))
        return line

    def _earlier(
        self, connection: sqlite3.Connection, exchange: Exchange, otherwise: Exception
    ) -> tuple[Reply, Line | None]:
        """Give the reply that the question id is bound to already, or fail."""
        found = None
        if exchange.question_id is not None:
            found = self._claimed(connection, exchange.question_id, exchange.question_digest)
        if found is None:
            raise otherwise
        return found

    def _claimed(
        self, connection: sqlite3.Connection, question_id: bytes, digest: bytes
    ) -> tuple[Reply, Line | None] | None:
        row = connection.execute(_CLAIMED, (question_id,)).fetchone()
        if row is None:
            return None
        claimed, outcome, sealed, wrapped, *entry = row
        payload = self._bodies.open(wrapped, sealed)
        # Without its body the claim still stands: answering anew would be a second answer under one id.
        if claimed != digest or payload is None:
            raise Replayed("the question id was claimed before")
        return Reply(payload=payload, refused=outcome == "REFUSED"), _line(*entry)

    def _keep(self, connection: sqlite3.Connection, exchange: Exchange) -> int | None:
        """Write the row that claims the question id; None when it is claimed already."""
        day = exchange.day.isoformat()
        key = self._bodies.key(connection, day)
        written = connection.execute(
            _KEEP,
            (
                exchange.question_id,
                exchange.question_digest,
                *_header(exchange),
                "REFUSED" if exchange.reply.refused else "ANSWERED",
                exchange.reason,
                exchange.facts_version,
                _fields_text(exchange.fields_granted),
                time_text(exchange.received_time),
                day,
                key.seal(exchange.question_bytes),
                key.seal(exchange.reply.payload),
            ),
        )
        return written.lastrowid if written.rowcount else None


def _line(seq: int | None, shared_salt: bytes | None, data: bytes | None) -> Line | None:
    """Give an exchange's entry; one that was answered before there was a ledger has none."""
    if seq is None or shared_salt is None or data is None:
        return None
    return Line(seq=seq, shared_salt=shared_salt, private_hash=entries.read_entry(data).private_hash)


@lru_cache(maxsize=256)
def _fields_text(fields: tuple[str, ...]) -> str:
    return json.dumps(fields)


def _header(exchange: Exchange) -> tuple[str | int, ...]:
    """Give what the question says of itself; a question that could not be read says nothing."""
    if exchange.question is None:
        return ("", "", "", exchange.kind, "", "", 0)
    header = exchange.question.header
    asker = (header.asker_member, header.asker_agency, header.purpose)
    return (*asker, exchange.kind, header.agreement_id, header.case_reference, header.pair_sequence)


def _charged(exchange: Exchange) -> dict[str, object]:
    if exchange.question is None or exchange.question_id is None:
        raise ValueError("an answer about subjects belongs to a question that was read")
    header = exchange.question.header
    return _scope(header.asker_agency, header.purpose, exchange.day, exchange.subjects)


def _scope(agency: str, purpose: str, day: date, subjects: tuple[str, ...]) -> dict[str, object]:
    scope: dict[str, object] = {"agency": agency, "purpose": purpose, "day": day.isoformat()}
    return scope | ({"subject": subjects[0]} if len(subjects) == 1 else {"subjects": json.dumps(subjects)})


def _reach(connection: sqlite3.Connection, scope: dict[str, object]) -> tuple[int, int]:
    """Count the subjects spent so far, and those of the given ones that would be new."""
    spent, fresh = connection.execute(_REACHED_ONE if "subject" in scope else _REACHED, scope).fetchone()
    return int(spent), int(fresh)
