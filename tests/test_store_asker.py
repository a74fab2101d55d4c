"""The asker's log and the member's cases: numbers before sending, outcomes and results before showing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from stores import NOW, code, digest, identity, opened, rows, signed

from gateway.errors import NotDurable, Replayed
from gateway.model.combined import Case
from gateway.model.signed import Reply, Signed
from gateway.ports import Closing, Issued
from nodes.store import Store

CASE = Case(
    case_reference="case-1",
    agency="310000-market",
    purpose="procurement",
    application_item="bid-review",
    subject_count=40,
    open_time=NOW,
    officer="310000-market/li",
    approving_officer="310000-market/wu",
)
SENT = "SELECT member, pair_sequence, outcome FROM sent ORDER BY member, pair_sequence"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name the database."""
    return tmp_path / "node.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """Give the open store."""
    store = opened(path)
    yield store
    store.close()


def numbered(member: str, sequence: int) -> Signed:
    """Compose a question whose id tells member and number."""
    return signed(int(member) * 1_000 + sequence, sequence)


def closing(question: Signed, outcome: str = "ANSWERED") -> Closing:
    """Close a question with a reply, or without one when it is void."""
    reply = None if outcome == "VOID" else Reply(payload=b"reply", refused=outcome == "REFUSED")
    return Closing(
        question_id=question.question.header.question_id, outcome=outcome, reply=reply, digest=digest("reply")
    )


async def conclude(
    store: Store, *closings: Closing, case: str = "case-1", result: bytes = b"result", **more: object
) -> None:
    """Conclude for the case's agency."""
    values: dict[str, Any] = {"agency": CASE.agency, "case_reference": case, "result": result, "issued": (), "now": NOW}
    values |= {"purpose": CASE.purpose, "application_item": CASE.application_item, "result_digest": digest("result")}
    await store.asker.conclude(closings, **values | more)


async def test_each_pair_counts_on_its_own(path: Path, store: Store) -> None:
    """Numbers start at 1 and have no hole, pair by pair, and each question is logged before it is given out."""
    first = await store.asker.open(("320000", "330000"), numbered)
    second = await store.asker.open(("330000",), numbered)
    assert [each.question.header.pair_sequence for each in (*first, *second)] == [1, 1, 2]
    assert rows(path, SENT) == [("320000", 1, "SENT"), ("330000", 1, "SENT"), ("330000", 2, "SENT")]


async def test_many_askers_share_the_numbers(store: Store) -> None:
    """Questions opened at the same time get every number once."""
    opened_at_once = await asyncio.gather(*(store.asker.open(("320000",), numbered) for _ in range(50)))
    assert sorted(each[0].question.header.pair_sequence for each in opened_at_once) == list(range(1, 51))


async def test_a_question_that_cannot_be_composed_uses_no_number(store: Store) -> None:
    """When composing fails for one member, no pair has lost a number."""

    def fails(member: str, sequence: int) -> Signed:
        if member == "330000":
            raise RuntimeError("no key")
        return numbered(member, sequence)

    with pytest.raises(RuntimeError, match="no key"):
        await store.asker.open(("320000", "330000"), fails)
    (question,) = await store.asker.open(("320000",), numbered)
    assert question.question.header.pair_sequence == 1


async def test_outcomes_and_result_are_kept_together(path: Path, store: Store) -> None:
    """Concluding closes every question and keeps the result; bodies are sealed."""
    questions = await store.asker.open(("320000", "330000", "340000"), numbered)
    outcomes = ("ANSWERED", "REFUSED", "VOID")
    await conclude(store, *(closing(*each) for each in zip(questions, outcomes, strict=True)))
    kept = rows(path, "SELECT outcome, reply_digest IS NOT NULL, reply_body IS NOT NULL FROM sent ORDER BY member")
    assert kept == [("ANSWERED", 1, 1), ("REFUSED", 1, 1), ("VOID", 1, 0)]
    assert store.cases.results(CASE.agency, "case-1", after=0, limit=10) == ((1, b"result"),)


async def test_a_question_is_closed_once(path: Path, store: Store) -> None:
    """Closing an unknown or closed question keeps nothing of the whole conclusion."""
    (question,) = await store.asker.open(("320000",), numbered)
    await conclude(store, closing(question))
    for late in (closing(question, "VOID"), replace(closing(question), question_id=identity(9))):
        with pytest.raises(NotDurable):
            await conclude(store, late, result=b"second")
    assert store.cases.results(CASE.agency, "case-1", after=0, limit=10) == ((1, b"result"),)


async def test_unfinished_questions_become_void(path: Path, store: Store) -> None:
    """On start the numbers of questions that nobody closed are explained; younger ones are left alone."""
    await store.asker.open(("320000",), lambda _, number: signed(1, number, asked=NOW - timedelta(minutes=1)))
    await store.asker.open(("320000",), lambda _, number: signed(2, number))
    voided = [await store.asker.void_unfinished(NOW - timedelta(seconds=30), NOW) for _ in range(2)]
    assert voided == [1, 0]
    assert rows(path, SENT) == [("320000", 1, "VOID"), ("320000", 2, "SENT")]


async def test_a_recognition_supersedes_the_one_before(path: Path, store: Store) -> None:
    """The latest recognition of a subject, agency and agreement is current and names its predecessor."""
    scope = {"uscc": code(1), "agency": CASE.agency, "agreement_id": "YRD-4-2026"}
    before = store.asker.current_recognition(**scope)
    for number in (1, 2):
        issued = Issued(recognition_id=identity(number), envelope_bytes=b"signed", **scope)
        await conclude(store, issued=(issued,))
    other = store.asker.current_recognition(**scope | {"agency": "other"})
    assert (before, store.asker.current_recognition(**scope), other) == (b"", identity(2), b"")
    assert rows(path, "SELECT supersedes FROM recognition ORDER BY seq") == [(b"",), (identity(1),)]


async def test_a_case_is_opened_once(store: Store) -> None:
    """The same case again, later, is returned as it stands; other content under its reference is refused."""
    first = await store.cases.open_case(CASE)
    again = await store.cases.open_case(replace(CASE, open_time=NOW + timedelta(minutes=5)))
    with pytest.raises(Replayed):
        await store.cases.open_case(replace(CASE, subject_count=41))
    assert (first, again) == (CASE, CASE)


async def test_a_case_belongs_to_its_agency(store: Store) -> None:
    """Another agency's case of the same reference is another case, and nobody else's is given."""
    other = replace(CASE, agency="310000-tax", subject_count=1)
    await store.cases.open_case(CASE)
    await store.cases.open_case(other)
    found = [store.cases.case(agency, "case-1") for agency in (CASE.agency, other.agency, "nobody")]
    assert found == [CASE, other, None]


async def test_results_are_paged_oldest_first(store: Store) -> None:
    """Results of a case come in order after a running number; the case counts them, other cases' are left out."""
    await store.cases.open_case(CASE)
    for number in range(4):
        await conclude(store, case="case-2" if number == 1 else "case-1", result=b"%d" % number)
    pages = [store.cases.results(CASE.agency, "case-1", after=after, limit=2) for after in (0, 3, 4)]
    case = store.cases.case(CASE.agency, "case-1")
    assert pages == [((1, b"0"), (3, b"2")), ((4, b"3"),), ()]
    assert case == replace(CASE, result_count=3)


async def test_deleted_results_are_passed_over(path: Path, store: Store) -> None:
    """A result whose day's key was destroyed is gone; later ones still come, on a full page."""
    await conclude(store, result=b"old")
    rows(path, "DELETE FROM storage_key")
    await conclude(store, result=b"new")
    assert store.cases.results(CASE.agency, "case-1", after=0, limit=1) == ((2, b"new"),)
