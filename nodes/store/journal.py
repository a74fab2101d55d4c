"""The answerer's journal: claim, charge, bodies, disclosures and ledger entry of one exchange in one transaction."""

import sqlite3
from datetime import date, datetime
from threading import Lock
from typing import final

from gateway import uscc
from gateway.errors import BudgetSpent, NotDurable, Replayed
from gateway.ledger import entries, events
from gateway.ledger.errors import LedgerError
from gateway.model.codes import LedgerEventKind
from gateway.model.question import Question
from gateway.model.signed import Reply
from gateway.ports import Exchange, Kept
from nodes.store import disclosing
from nodes.store.bodies import Bodies
from nodes.store.commits import Commits
from nodes.store.connections import time_text
from nodes.store.disclosing import Provision, Scope, Told
from nodes.store.ledger import Ledger, Line, Sealed
from nodes.store.restorations import last_restored

_CLAIMED = """
    SELECT question_digest, outcome, reply_body, wrapped_key, entry, shared_salt, data
    FROM journal AS j LEFT JOIN storage_key AS k ON (k.day, k.scope) = (j.day, j.purpose) AND k.destroyed IS NULL
    LEFT JOIN ledger_entry AS e ON e.seq = entry
    WHERE question_id = ?"""
_KEEP = """
    INSERT INTO journal (question_id, question_digest, asker, agency, purpose, kind, agreement, case_reference,
        pair_sequence, outcome, reason, facts_version, fields, received_time, day, question_body, reply_body)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17
    WHERE ?9 = 0 OR NOT EXISTS (SELECT 1 FROM journal WHERE asker = ?3 AND pair_sequence = ?9)
    ON CONFLICT (question_id) DO NOTHING"""
_ENTER = "UPDATE journal SET entry = ? WHERE seq = ?"


@final
class ExchangeJournal:
    """Implements `gateway.ports.Journal`; safe from any event loop and for many processes on one file.

    `commit` returns when the group of its transaction is on disk, the head of the ledger with it. Reads see what was
    committed and wait for no writer.
    """

    __slots__ = ("_bodies", "_commits", "_ledger", "_lock", "_reader", "_restored")

    def __init__(
        self, commits: Commits, reader: sqlite3.Connection, lock: Lock, bodies: Bodies, *, ledger: Ledger
    ) -> None:
        self._commits = commits
        self._reader = reader
        self._lock = lock
        self._bodies = bodies
        self._ledger = ledger
        self._restored: str | None = None

    async def commit(self, exchange: Exchange) -> Kept:
        """Claim, charge and keep as one; the loser of a race for a question id gets the winner's reply.

        Raises:
            Replayed: when the id was claimed with other bytes, its reply was deleted since, or another question of the
                pair has its number (threat 2).
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
            NotDurable: when the ledger is damaged, or was restored and has not recovered.
        """
        self._ledger.check_recovered()
        with self._lock:
            found = self._claimed(self._reader, question_id, question_digest)
        return None if found is None else self._with_receipt(*found, None)

    def spent(self, *, agency: str, purpose: str, day: date, subjects: tuple[str, ...]) -> int:
        """Count the distinct subjects that this agency, purpose and day would reach with these ones."""
        with self._lock:
            reached = disclosing.reach(self._reader, Scope(day=day, agency=agency, purpose=purpose), subjects)
        return reached.spent + len(reached.fresh)

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

    def _check_asked(self, connection: sqlite3.Connection, asked: datetime) -> None:
        """Return unless the question was asked before the last restore: it may have been answered, and that be lost."""
        if self._restored is None:
            self._restored = last_restored(connection)  # no node runs while a backup is put in place
        if time_text(asked) <= self._restored:
            raise NotDurable("the question is older than the restore of this database; it is to be asked anew")

    def _commit(self, connection: sqlite3.Connection, exchange: Exchange) -> tuple[Reply, Line | None]:
        """Charge first and claim with the first write, so that a job that fails has written nothing."""
        if exchange.question is not None:
            self._ledger.check_new()
            self._check_asked(connection, exchange.question.header.asked_time)
        scope = None if exchange.reply.refused or not exchange.subjects else _scope(exchange)
        reached = None if scope is None else disclosing.reach(connection, scope, exchange.subjects)
        if reached is not None and reached.fresh and reached.spent + len(reached.fresh) > exchange.charge_limit:
            return self._earlier(connection, exchange, BudgetSpent("the subjects of this day are used up"))
        seq = self._keep(connection, exchange)
        if seq is None:
            return self._earlier(connection, exchange, Replayed("the question id or the number was claimed before"))
        subjects = exchange.subjects if scope is not None else _refused(exchange)
        if not subjects:
            return exchange.reply, self._enter(connection, exchange, seq, ())
        told = disclosing.about(connection, subjects, exchange.received_time)
        if scope is not None and reached is not None:
            told.budget, told.charged = disclosing.charge(connection, scope, reached), frozenset(reached.fresh)
        return exchange.reply, self._disclose(connection, exchange, seq, told)

    def _disclose(self, connection: sqlite3.Connection, exchange: Exchange, seq: int, told: Told) -> Line | None:
        """Write the entry, and who asked what about whom."""
        line = self._enter(connection, exchange, seq, told.numbers())
        provision = Provision(
            entry=None if line is None else line.seq,
            side=disclosing.ANSWERED,
            time=exchange.received_time,
            header=_read(exchange).header,
            kind=exchange.kind,
            fields=exchange.fields_granted,
            refused=exchange.reply.refused,
        )
        disclosing.provide(connection, told, provision)
        disclosing.disclose(connection, told)
        return line

    def _enter(
        self, connection: sqlite3.Connection, exchange: Exchange, seq: int, numbers: tuple[int, ...]
    ) -> Line | None:
        """Write the ledger's entry of a genuine question, with the running numbers of those it told of."""
        if exchange.question is None:
            return None
        header = exchange.question.header
        kind = LedgerEventKind.REFUSED if exchange.reply.refused else LedgerEventKind.ANSWERED
        case = self._ledger.case_digest(header.case_reference)
        line = self._ledger.append(
            connection,
            events.of_exchange(kind, header, exchange.question_digest, exchange.reply_digest),
            events.behind(header, exchange.received_time, case, exchange.reason, numbers),
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
        """Write the row that claims the question id and the pair's number; None when one is claimed already."""
        day = exchange.day.isoformat()
        key = self._bodies.key(connection, day, exchange.question.header.purpose if exchange.question else "")
        written = connection.execute(
            _KEEP,
            (
                exchange.question_id,
                exchange.question_digest,
                *_header(exchange),
                "REFUSED" if exchange.reply.refused else "ANSWERED",
                exchange.reason,
                exchange.facts_version,
                disclosing.fields_text(exchange.fields_granted),
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


def _header(exchange: Exchange) -> tuple[str, str, str, str, str, str, int]:
    """Give what the question says of itself; a question that could not be read says nothing."""
    if exchange.question is None:
        return ("", "", "", exchange.kind, "", "", 0)
    header = exchange.question.header
    terms = (exchange.kind, header.agreement_id, header.case_reference, header.pair_sequence)
    return (header.asker_member, header.asker_agency, header.purpose, *terms)


def _refused(exchange: Exchange) -> tuple[str, ...]:
    """Give the codes that a refused question is about: the subject sees it too, told nothing or not (threat 5).

    What is no code is not kept: it may be a person's number.
    """
    if exchange.question is None or not exchange.reply.refused:
        return ()
    _, asked = disclosing.kind_and_subjects(exchange.question.body)
    return tuple(dict.fromkeys(each for each in asked if uscc.defect(each) is None))


def _scope(exchange: Exchange) -> Scope:
    header = _read(exchange).header
    return Scope(day=exchange.day, agency=header.asker_agency, purpose=header.purpose)


def _read(exchange: Exchange) -> Question:
    if exchange.question is None or exchange.question_id is None:
        raise ValueError("an answer about subjects belongs to a question that was read")
    return exchange.question
