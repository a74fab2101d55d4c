"""What waits for a second officer: decided once, by whichever worker comes first; bodies lie sealed."""

import sqlite3
from datetime import datetime
from threading import Lock
from typing import Any, final

from gateway import carriers
from gateway.clocks import civil_day
from gateway.model.accounts import Submission
from gateway.model.codes import RefusalReason, SubmissionState
from keys import moments
from nodes.store.bodies import Bodies
from nodes.store.commits import Commits
from nodes.store.connections import time_text

_COLUMNS = """
    SELECT submission_id, agency, officer, purpose, application_item, case_reference, kind, subject_count,
           submit_time, expire_time, state, approving_officer, decide_time, reason
    FROM submission """
_ONE = f"{_COLUMNS} WHERE submission_id = ?"
_OWN = f"{_COLUMNS} WHERE submission_id = ? AND agency = ?"
_MANY = f"{_COLUMNS} WHERE agency = ? ORDER BY seq DESC LIMIT ?"
_BODIES = """
    SELECT body, answer, wrapped_key FROM submission AS s
    JOIN storage_key AS k ON (k.day, k.scope) = (s.day, s.purpose) AND k.destroyed IS NULL WHERE submission_id = ?"""
_RECALLED = """
    SELECT 1 FROM result JOIN sent ON sent.result = result.seq JOIN answer_mark USING (question_id)
    WHERE digest = ? AND mark = 'RECALLED'"""
_DAY = "SELECT day, purpose FROM submission WHERE submission_id = ?"
_SUBMIT = """
    INSERT INTO submission (submission_id, agency, officer, purpose, application_item, case_reference, kind,
        subject_count, submit_time, expire_time, state, approving_officer, reason, day, body)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?, ?) ON CONFLICT (submission_id) DO NOTHING"""
_DECIDE = """
    UPDATE submission SET state = ?, approving_officer = ?, decide_time = ?, decision = ?
    WHERE submission_id = ? AND state = 'WAITING' AND expire_time > ?"""
_FINISH = """
    UPDATE submission SET state = ?, reason = ?, answer = ? WHERE submission_id = ? AND state = 'APPROVED'"""


@final
class Submissions:
    """Implements `gateway.books.SubmissionBook`; safe from any event loop and for many processes on one file."""

    __slots__ = ("_bodies", "_commits", "_lock", "_reader")

    def __init__(self, commits: Commits, reader: sqlite3.Connection, lock: Lock, bodies: Bodies) -> None:
        self._commits = commits
        self._reader = reader
        self._lock = lock
        self._bodies = bodies

    async def submit(self, submission: Submission, body: bytes) -> Submission:
        """Keep a submission with what was handed in; one that is known is returned as it stands.

        Raises:
            NotDurable: nothing was kept.
        """

        def work(connection: sqlite3.Connection) -> Submission:
            day = civil_day(submission.submit_time).isoformat()
            sealed = self._bodies.key(connection, day, submission.purpose).seal(body)
            connection.execute(_SUBMIT, (*_told(submission), day, sealed))
            return _submission(connection.execute(_ONE, (submission.submission_id,)).fetchone())

        return await self._commits.run(work)

    async def decide(
        self, submission_id: bytes, state: SubmissionState, *, officer: str, signed: bytes, now: datetime
    ) -> bool:
        """Approve or refuse what still waits, and keep what was signed; say whether this call did.

        Of many calls one does.

        Raises:
            NotDurable: nothing was changed.
        """
        at = time_text(now)

        def work(connection: sqlite3.Connection) -> bool:
            sealed = self._sealed(connection, submission_id, signed)
            return connection.execute(_DECIDE, (state.value, officer, at, sealed, submission_id, at)).rowcount == 1

        return await self._commits.run(work)

    async def finish(
        self, submission_id: bytes, state: SubmissionState, *, reason: RefusalReason | None, answer: bytes
    ) -> None:
        """Say what became of an approved submission, and keep the answer (bytes of AskMembersResponse).

        Raises:
            NotDurable: nothing was changed.
        """

        def work(connection: sqlite3.Connection) -> None:
            sealed = self._sealed(connection, submission_id, answer) if answer else None
            connection.execute(_FINISH, (state.value, reason.value if reason else "", sealed, submission_id))

        await self._commits.run(work)

    def _sealed(self, connection: sqlite3.Connection, submission_id: bytes, body: bytes) -> bytes:
        day, purpose = connection.execute(_DAY, (submission_id,)).fetchone()
        return self._bodies.key(connection, day, purpose).seal(body)

    def submission(self, agency: str, submission_id: bytes) -> Submission | None:
        """Give a submission of an agency as it stands now."""
        with self._lock:
            row = self._reader.execute(_OWN, (submission_id, agency)).fetchone()
        return None if row is None else _submission(row)

    def submission_bodies(self, submission_id: bytes) -> tuple[bytes, bytes]:
        """Give what was handed in and the answer; empty for what is not there, was deleted, or sealed by a recall."""
        with self._lock:
            row = self._reader.execute(_BODIES, (submission_id,)).fetchone()
        if row is None:
            return b"", b""
        body, answer, wrapped = row
        opened = (self._bodies.open(wrapped, body), self._bodies.open(wrapped, answer) if answer else None)
        answered = opened[1] or b""
        return opened[0] or b"", b"" if self._is_sealed(answered) else answered

    def _is_sealed(self, answer: bytes) -> bool:
        """Say whether one of the members' answers in it was recalled (duty U24)."""
        if not answer:
            return False
        result, _ = carriers.read_kept(answer)
        with self._lock:
            return self._reader.execute(_RECALLED, (result.digest(),)).fetchone() is not None

    def submissions(self, agency: str, limit: int) -> tuple[Submission, ...]:
        """Give what an agency handed in, the newest first."""
        with self._lock:
            rows = self._reader.execute(_MANY, (agency, limit)).fetchall()
        return tuple(_submission(row) for row in rows)


def _told(submission: Submission) -> tuple[Any, ...]:
    return (
        *(submission.submission_id, submission.agency, submission.officer, submission.purpose),
        *(submission.application_item, submission.case_reference, submission.kind, submission.subject_count),
        *(time_text(submission.submit_time), time_text(submission.expire_time)),
        *(submission.state.value, submission.approving_officer),
    )


def _submission(row: tuple[Any, ...]) -> Submission:
    identity, agency, officer, purpose, item, case, kind, count, begins, ends, state, second, decided, reason = row
    return Submission(
        submission_id=identity,
        agency=agency,
        officer=officer,
        purpose=purpose,
        application_item=item,
        case_reference=case,
        kind=kind,
        subject_count=count,
        submit_time=moments.read(begins),
        expire_time=moments.read(ends),
        state=SubmissionState(state),
        approving_officer=second,
        decide_time=None if decided is None else moments.read(decided),
        reason=RefusalReason(reason) if reason else None,
    )
