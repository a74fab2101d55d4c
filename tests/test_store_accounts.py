"""Sessions and submissions in the database: durable, decided once, the same for every worker, sealed."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from stores import NOW, SIGNER, digest, opened, rows, signed

from gateway import carriers, wire
from gateway.model.accounts import Session, Submission
from gateway.model.codes import MarkKind, RefusalReason, SubmissionState
from gateway.model.ledger import LedgerPrivate
from gateway.ports import Closing
from keys import envelope
from nodes.store import Store

AGENCY, FIRST, SECOND = "310000-market", "310000-market/o1", "310000-market/o2"
MARKER = b"91310000132260250X"
RESULT = envelope.sign("application/x-result", MARKER, SIGNER)
ANSWER = carriers.write_result(RESULT, (), ())
SESSION = Session(
    assertion_digest=digest("assertion"),
    agency=AGENCY,
    officer=FIRST,
    roles=("ask", "approve"),
    from_time=NOW,
    until_time=NOW + timedelta(hours=8),
    open_time=NOW,
)
WAITS = Submission(
    submission_id=digest("submission"),
    agency=AGENCY,
    officer=FIRST,
    purpose="TENDERING",
    application_item="SH-2026-005",
    case_reference="C-1",
    kind="summary",
    subject_count=3,
    submit_time=NOW,
    expire_time=NOW + timedelta(hours=24),
)


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[tuple[Store, Store]]:
    """Open one database twice, as two workers do."""
    both = opened(tmp_path / "node.db"), opened(tmp_path / "node.db")
    yield both
    for each in both:
        each.close()


async def test_every_worker_sees_a_session_and_its_closing(stores: tuple[Store, Store]) -> None:
    """What one worker opened or closed the others know at their next call; the first closing stands."""
    one, other = stores
    assert other.sessions.session(SESSION.assertion_digest) is None
    assert await one.sessions.open_session(SESSION, b"signed") == SESSION
    assert other.sessions.session(SESSION.assertion_digest) == SESSION
    closed = await other.sessions.close_session(SESSION.assertion_digest, SECOND, NOW + timedelta(hours=1))
    assert one.sessions.session(SESSION.assertion_digest) == closed
    assert (closed.close_time, closed.closing_officer) == (NOW + timedelta(hours=1), SECOND)
    again = await one.sessions.close_session(SESSION.assertion_digest, FIRST, NOW + timedelta(hours=2))
    assert again == closed == await one.sessions.open_session(SESSION, b"signed")


async def test_opening_and_closing_are_entered_once(stores: tuple[Store, Store], tmp_path: Path) -> None:
    """With who did it in which role; what changes nothing is no act."""
    one, other = stores
    for _ in range(2):
        await one.sessions.open_session(SESSION, b"signed")
        await other.sessions.close_session(SESSION.assertion_digest, SECOND, NOW)
    found = [
        wire.decode(LedgerPrivate, row[0]) for row in rows(tmp_path / "node.db", "SELECT private FROM ledger_entry")
    ]
    assert [(each.act, each.officer, each.role) for each in found] == [
        ("SESSION_OPEN", FIRST, " ".join(SESSION.roles)),
        ("SESSION_CLOSE", SECOND, "administer"),
    ]


async def test_sessions_are_listed_by_agency_and_officer(stores: tuple[Store, Store]) -> None:
    """The newest comes first; another agency's is not listed."""
    one, _ = stores
    for number, officer in enumerate((FIRST, SECOND, FIRST)):
        await one.sessions.open_session(replace(SESSION, assertion_digest=digest(str(number)), officer=officer), b"x")
    found = [each.assertion_digest for each in one.sessions.sessions(AGENCY, "", 2)]
    assert found == [digest("2"), digest("1")]
    assert [each.officer for each in one.sessions.sessions(AGENCY, SECOND, 9)] == [SECOND]
    assert one.sessions.sessions("310000-tax", "", 9) == ()


async def decide(store: Store, state: SubmissionState = SubmissionState.APPROVED, **changes: Any) -> bool:
    """Decide as the second officer."""
    wanted: dict[str, Any] = {"officer": SECOND, "signed": b"approval", "now": NOW + timedelta(hours=1), **changes}
    return await store.submissions.decide(WAITS.submission_id, state, **wanted)


async def test_of_many_decisions_one_counts(stores: tuple[Store, Store]) -> None:
    """Workers decide at the same time: one does, the others are told."""
    await stores[0].submissions.submit(WAITS, b"body")
    ended = await asyncio.gather(*(decide(stores[number % 2]) for number in range(6)))
    assert sorted(ended) == [False] * 5 + [True]
    held = stores[1].submissions.submission(AGENCY, WAITS.submission_id)
    assert held == replace(
        WAITS, state=SubmissionState.APPROVED, approving_officer=SECOND, decide_time=NOW + timedelta(hours=1)
    )


async def test_nothing_is_decided_at_its_last_instant(stores: tuple[Store, Store]) -> None:
    """The write itself looks at the hour: a slow check cannot approve what has expired."""
    await stores[0].submissions.submit(WAITS, b"body")
    assert not await decide(stores[0], now=WAITS.expire_time)
    assert await decide(stores[0], now=WAITS.expire_time - timedelta(microseconds=1))


@pytest.mark.parametrize(
    ("state", "reason", "answer"),
    [(SubmissionState.DONE, None, ANSWER), (SubmissionState.FAILED, RefusalReason.NO_AGREEMENT, b"")],
)
async def test_what_became_of_it_is_kept(
    stores: tuple[Store, Store], state: SubmissionState, reason: RefusalReason | None, answer: bytes
) -> None:
    """State, reason and answer outlive the worker that asked."""
    one, other = stores
    assert await one.submissions.submit(WAITS, b"body") == WAITS
    await decide(one)
    await one.submissions.finish(WAITS.submission_id, state, reason=reason, answer=answer)
    held = other.submissions.submission(AGENCY, WAITS.submission_id)
    assert held is not None
    assert (held.state, held.reason) == (state, reason)
    assert other.submissions.submission_bodies(WAITS.submission_id) == (b"body", answer)
    assert await one.submissions.submit(WAITS, b"other") == held


async def test_a_recalled_answer_is_sealed_here_too(stores: tuple[Store, Store]) -> None:
    """What was asked with a second officer's approval is shown no more once an answer in it was recalled."""
    one, other = stores
    await one.submissions.submit(WAITS, b"body")
    await decide(one)
    await one.submissions.finish(WAITS.submission_id, SubmissionState.DONE, reason=None, answer=ANSWER)
    (question,) = await one.asker.open(("320000",), lambda _, number: signed(1, number))
    question_id = question.question.header.question_id
    ended = Closing(question_id=question_id, outcome="ANSWERED", reply=None, digest=digest("reply"))
    await one.asker.conclude(
        (ended,), agency=AGENCY, case_reference="C-1", purpose="P", application_item="", result=ANSWER,
        result_digest=RESULT.digest(), issued=(), now=NOW,
    )  # fmt: skip
    assert other.submissions.submission_bodies(WAITS.submission_id) == (b"body", ANSWER)
    await one.evidence.mark(question_id, MarkKind.RECALLED, bytes(32), NOW)
    assert other.submissions.submission_bodies(WAITS.submission_id) == (b"body", b"")


async def test_another_agency_has_no_such_submission(stores: tuple[Store, Store]) -> None:
    """An id of another agency is unknown, and its list is its own."""
    one, _ = stores
    await one.submissions.submit(WAITS, b"body")
    assert one.submissions.submission("310000-tax", WAITS.submission_id) is None
    assert one.submissions.submissions("310000-tax", 9) == ()
    assert one.submissions.submissions(AGENCY, 9) == (WAITS,)
    assert one.submissions.submission_bodies(bytes(32)) == (b"", b"")


async def test_bodies_are_sealed_and_end_with_their_day(stores: tuple[Store, Store], tmp_path: Path) -> None:
    """No file holds what names a subject; destroying the day's key deletes it."""
    one, _ = stores
    await one.submissions.submit(WAITS, MARKER)
    await decide(one, signed=MARKER)
    await one.submissions.finish(WAITS.submission_id, SubmissionState.DONE, reason=None, answer=MARKER)
    assert holding(tmp_path) == []
    with closing(sqlite3.connect(tmp_path / "node.db")) as connection, connection:
        connection.execute("DELETE FROM storage_key")
    assert one.submissions.submission_bodies(WAITS.submission_id) == (b"", b"")


def holding(folder: Path) -> list[str]:
    """Name the files that hold the marker in clear."""
    return [each.name for each in folder.iterdir() if MARKER in each.read_bytes()]
