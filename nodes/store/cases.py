"""The member's own cases 办件 and the combined results that were kept for them."""

import sqlite3
from dataclasses import replace
from itertools import islice
from threading import Lock
from typing import final

from gateway.errors import Replayed
from gateway.model.combined import Case
from keys import moments
from nodes.store.bodies import Bodies
from nodes.store.commits import Commits
from nodes.store.connections import time_text

_INSERT = """
    INSERT INTO cases (agency, case_reference, purpose, application_item, subject_count, open_time, officer,
        approving_officer)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_CASE = """
    SELECT purpose, application_item, subject_count, open_time, officer, approving_officer,
           (SELECT count(*) FROM result AS r
            WHERE r.agency = cases.agency AND r.case_reference = cases.case_reference)
    FROM cases WHERE agency = ? AND case_reference = ?"""
_RESULTS = """
    SELECT seq, body, wrapped_key FROM result AS r
    JOIN storage_key AS k ON (k.day, k.scope) = (r.day, r.purpose) AND k.destroyed IS NULL
    WHERE agency = ? AND case_reference = ? AND seq > ?
        AND NOT EXISTS (
            SELECT 1 FROM sent JOIN answer_mark USING (question_id)
            WHERE sent.result = r.seq AND mark = 'RECALLED')
    ORDER BY seq"""


@final
class Cases:
    """Implements `gateway.books.CaseBook`; safe from any event loop and for many processes on one file."""

    __slots__ = ("_bodies", "_commits", "_lock", "_reader")

    def __init__(self, commits: Commits, reader: sqlite3.Connection, lock: Lock, bodies: Bodies) -> None:
        self._commits = commits
        self._reader = reader
        self._lock = lock
        self._bodies = bodies

    async def open_case(self, case: Case) -> Case:
        """Keep a new case durably; the same case again, at whatever time, is returned as it stands.

        Raises:
            Replayed: when the reference exists with other content.
            NotDurable: nothing was kept.
        """
        return await self._commits.run(lambda connection: _open(connection, case))

    def case(self, agency: str, case_reference: str) -> Case | None:
        """Give a case of an agency with the number of its results."""
        with self._lock:
            return _case(self._reader, agency, case_reference)

    def results(self, agency: str, case_reference: str, *, after: int, limit: int) -> tuple[tuple[int, bytes], ...]:
        """Give results, oldest first, after a running number; passing over those whose bodies were deleted or sealed.

        What was recalled is sealed: it is exported only, on a ground and to two officers (duty U24).
        """
        with self._lock:
            rows = self._reader.execute(_RESULTS, (agency, case_reference, after))
            opened = ((seq, self._bodies.open(wrapped, sealed)) for seq, sealed, wrapped in rows)
            found = tuple(islice(((seq, body) for seq, body in opened if body is not None), limit))
            rows.close()
        return found


def _open(connection: sqlite3.Connection, case: Case) -> Case:
    held = _case(connection, case.agency, case.case_reference)
    if held is None:
        connection.execute(
            _INSERT,
            (
                *(case.agency, case.case_reference, case.purpose, case.application_item, case.subject_count),
                *(time_text(case.open_time), case.officer, case.approving_officer),
            ),
        )
        return replace(case, result_count=0)
    if replace(case, open_time=held.open_time, result_count=held.result_count) != held:
        raise Replayed("the case reference exists with other content")
    return held


def _case(connection: sqlite3.Connection, agency: str, case_reference: str) -> Case | None:
    row = connection.execute(_CASE, (agency, case_reference)).fetchone()
    if row is None:
        return None
    purpose, item, count, opened, officer, approving, results = row
    return Case(
        case_reference=case_reference,
        agency=agency,
        purpose=purpose,
        application_item=item,
        subject_count=count,
        open_time=moments.read(opened),
        officer=officer,
        approving_officer=approving,
        result_count=results,
    )
