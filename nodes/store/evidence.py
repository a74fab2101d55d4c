"""Results as evidence: what was kept of them, their places in the ledger, and what became of their answers since."""

import sqlite3
from collections.abc import Iterable
from datetime import datetime
from threading import Lock
from typing import Any, final

from gateway.evidence import Export, KeptResult
from gateway.model.codes import MarkKind
from gateway.model.evidence import AnswerMark, ListedResult
from gateway.model.ledger import Receipt
from keys import moments
from nodes.store.acts import Act, Acts
from nodes.store.bodies import Bodies
from nodes.store.commits import Commits
from nodes.store.connections import time_text
from nodes.store.witness import WitnessBook

EXPORT = "EXPORT"
_LISTED = """
    SELECT seq, digest, time, wrapped_key IS NULL FROM result AS r
    LEFT JOIN storage_key AS k ON (k.day, k.scope) = (r.day, r.purpose) AND k.destroyed IS NULL
    WHERE agency = ? AND case_reference = ? ORDER BY seq"""
_RESULT = """
    SELECT seq, body, wrapped_key, entry FROM result AS r
    LEFT JOIN storage_key AS k ON (k.day, k.scope) = (r.day, r.purpose) AND k.destroyed IS NULL
    WHERE agency = ? AND digest = ?"""
_SENT = "SELECT question_id, asked_entry, closed_entry FROM sent WHERE result = ?"
_MARKS = """
    SELECT member, mark, mark_time, notice_digest FROM answer_mark JOIN sent USING (question_id)
    WHERE result = ? ORDER BY answer_mark.seq"""
_MARK = """
    INSERT INTO answer_mark (question_id, mark, mark_time, notice_digest)
    SELECT question_id, ?, ?, ? FROM sent WHERE question_id = ? ON CONFLICT DO NOTHING"""
_LOG = "SELECT origin, first FROM ledger_log WHERE first <= ? ORDER BY number DESC LIMIT 1"


@final
class Evidence:
    """Implements `gateway.evidence.Exhibits`; safe from any event loop and for many processes on one file."""

    __slots__ = ("_acts", "_bodies", "_commits", "_lock", "_reader", "_witness")

    def __init__(
        self,
        commits: Commits,
        reader: sqlite3.Connection,
        lock: Lock,
        bodies: Bodies,
        *,
        acts: Acts,
        witness: WitnessBook,
    ) -> None:
        self._commits = commits
        self._reader = reader
        self._lock = lock
        self._bodies = bodies
        self._acts = acts
        self._witness = witness

    def listed(self, agency: str, case_reference: str) -> tuple[ListedResult, ...]:
        """Give every result of a case, oldest first, those whose bodies were deleted too."""
        rows = self._all(_LISTED, agency, case_reference)
        return tuple(
            ListedResult(
                result_digest=digest,
                combine_time=moments.read(time),
                deleted=bool(deleted),
                marks=self._marks(seq),
            )
            for seq, digest, time, deleted in rows
        )

    def result(self, agency: str, result_digest: bytes) -> KeptResult | None:
        """Give a result of an agency with the numbers of its entries, or None."""
        rows = self._all(_RESULT, agency, result_digest)
        if not rows or not result_digest:
            return None
        ((seq, body, wrapped, entry),) = rows
        sent = self._all(_SENT, seq)
        return KeptResult(
            body=self._bodies.open(wrapped, body),
            entry=entry,
            entries={question_id: (asked, ended) for question_id, asked, ended in sent},
            marks=self._marks(seq),
        )

    def proof(self, entry: int) -> Receipt | None:
        """Prove an entry of the member's own by its number, or give None while no cosigned head covers it.

        Raises:
            LedgerError: when the ledger is damaged.
        """
        rows = self._all(_LOG, entry)
        return self.proof_at(rows[0][0], entry - rows[0][1]) if rows else None

    def proof_at(self, origin: str, index: int) -> Receipt | None:
        """Prove an entry of the member's own by its place in a log; as `proof`."""
        found = self._witness.prove(origin, index)
        return None if found is None else found.receipt

    async def export(self, export: Export, now: datetime) -> int:
        """Enter an export in the ledger; give the entry's number.

        Raises:
            NotDurable: nothing was entered, and nothing may be given out.
        """
        act = Act(
            name=EXPORT,
            role=export.role,
            officer=export.officer,
            agency=export.agency,
            digest=export.digest,
        )
        return await self._acts.record(act, now)

    async def mark(self, question_id: bytes, mark: MarkKind, notice_digest: bytes, now: datetime) -> bool:
        """Say what became of the answer to a question; the same notice once. Give whether anything was added.

        Raises:
            NotDurable: nothing was kept.
        """
        row = (mark.value, time_text(now), notice_digest, question_id)
        return await self._commits.run(lambda connection: connection.execute(_MARK, row).rowcount > 0)

    def _marks(self, result: int) -> tuple[AnswerMark, ...]:
        return tuple(
            AnswerMark(member=member, mark=MarkKind(mark), mark_time=moments.read(time), notice_digest=notice)
            for member, mark, time, notice in self._all(_MARKS, result)
        )

    def _all(self, statement: str, *values: object) -> list[Any]:
        with self._lock:
            rows: Iterable[Any] = self._reader.execute(statement, values).fetchall()
        return list(rows)
