"""Disclosures of both directions: found by subject, numbered by month, charged once a day, kept from older files."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from stores import DAY, NOW, code, commit, digest, exchange, identity, opened, question, rows, signed

from gateway import wire
from gateway.model.codes import LedgerEventKind, Window
from gateway.model.ledger import LedgerEvent, LedgerPrivate
from gateway.model.question import NamedSubject, ProbeQuestion, SummaryQuestion
from gateway.model.signed import Reply, Signed
from gateway.ports import Closing
from nodes.store import Store, schema
from nodes.store.disclosures import Disclosure, Receiver

MEMBERS = ("320000", "330000", "340000")
LATER = NOW + timedelta(days=40)


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


def of(store: Store, number: int, first: date = DAY, last: date = DAY) -> tuple[Disclosure, ...]:
    """Give the disclosures of a subject."""
    return store.disclosures.of_subject(code(number), first, last)


def asks(*subjects: int, asked: datetime = NOW) -> Any:
    """Compose the same question about subjects to each member; ids tell member and number."""
    body = SummaryQuestion(subjects=tuple(NamedSubject(uscc=code(each)) for each in subjects), window=Window.M12)

    def composed(member: str, number: int) -> Signed:
        identifier = int(member) * 1_000 + number
        one = question(identifier, asked=asked, sequence=number, asker_member="310000", answerer_member=member)
        return replace(signed(identifier, number), question=replace(one, body=body))

    return composed


def numbers(path: Path) -> list[tuple[int, ...]]:
    """Give the running numbers in the private part of each entry that tells of subjects."""
    kinds = (LedgerEventKind.ASKED, LedgerEventKind.ANSWERED)
    found = rows(path, "SELECT shared, private FROM ledger_entry ORDER BY seq")
    return [
        wire.decode(LedgerPrivate, private).subject_numbers
        for shared, private in found
        if wire.decode(LedgerEvent, shared).kind in kinds
    ]


async def test_both_directions_are_found_by_subject(store: Store) -> None:
    """A subject's disclosures say who asked whom what and why, where it is entered, and how it ended."""
    await commit(store, exchange(1, 5, 6))
    (asked,) = await store.asker.open(("330000",), asks(6))
    answered, sent = of(store, 6)
    assert answered == Disclosure(
        side="ANSWERED",
        time=NOW,
        member="320000",
        agency="320000-procurement",
        officer="320000-procurement/zhou",
        purpose="procurement",
        application_item="bid-review",
        kind="summary",
        fields=("penalty.band",),
        outcome="ANSWERED",
        question_id=identity(1),
        entry=1,
    )
    elsewhere: dict[str, Any] = {"side": "ASKED", "member": "330000", "fields": (), "outcome": "SENT", "entry": 2}
    assert sent == replace(answered, **elsewhere, question_id=asked.question.header.question_id)
    assert [each.question_id for each in of(store, 5)] == [identity(1)]
    assert of(store, 7) == ()


async def test_days_bound_what_is_found(store: Store) -> None:
    """First and last day count; a month before or after is not looked at."""
    await commit(store, exchange(1))
    await commit(store, exchange(2, 1, received_time=LATER))
    day = timedelta(days=1)
    spans = {
        (DAY, DAY): [1],
        (DAY - 400 * day, DAY): [1],
        (DAY, DAY + 400 * day): [1, 2],
        (DAY + day, DAY + 39 * day): [],
        (DAY + 40 * day, DAY + 40 * day): [2],
        (DAY + day, DAY): [],
    }
    assert {span: [each.entry for each in of(store, 1, *span)] for span in spans} == spans


async def test_a_day_is_that_of_china(store: Store) -> None:
    """Sixteen hours of world time are the next legal day, and the next month."""
    await commit(store, exchange(1, received_time=datetime(2026, 3, 31, 16, tzinfo=UTC)))
    assert [len(of(store, 1, day, day)) for day in (date(2026, 3, 31), date(2026, 4, 1))] == [0, 1]


async def test_refusals_disclose_nothing(path: Path, store: Store) -> None:
    """What was refused has an entry without running numbers, and no disclosure."""
    await commit(store, exchange(1, reply=Reply(payload=b"no", refused=True), reason="NOT_IN_SCOPE", subjects=()))
    assert (of(store, 1), rows(path, "SELECT * FROM provision")) == ((), [])


@pytest.mark.parametrize("outcome", ["ANSWERED", "REFUSED", "VOID"])
async def test_what_was_asked_tells_how_it_ended(store: Store, outcome: str) -> None:
    """With the result each question to each member has its outcome, and an answer the fields it could say."""
    asked = await store.asker.open(MEMBERS, asks(1, 2))
    closings = [
        Closing(
            question_id=each.question.header.question_id,
            outcome=outcome,
            reply=None,
            digest=b"",
            fields_granted=("penalty.band",) if outcome == "ANSWERED" else (),
        )
        for each in asked[:2]
    ]
    told: dict[str, Any] = {
        "agency": "a",
        "case_reference": "",
        "purpose": "",
        "application_item": "",
        "result": b"r",
        "result_digest": bytes(32),
        "issued": (),
    }
    await store.asker.conclude(tuple(closings), **told, now=NOW)
    fields = closings[0].fields_granted
    ended = [("320000", outcome, fields), ("330000", outcome, fields), ("340000", "SENT", ())]
    assert [(each.member, each.outcome, each.fields) for each in of(store, 2)] == ended
    await store.asker.void_unfinished(NOW + timedelta(hours=1), NOW)
    assert of(store, 1)[2].outcome == "VOID"


async def test_receivers_are_those_who_were_told_a_field_that_is_touched(path: Path, store: Store) -> None:
    """A recall finds each answer that could say the field, with its grant and facts; not what was asked elsewhere."""
    await commit(store, exchange(1, 5, 6, facts_version=7))
    await commit(store, exchange(2, 5, fields_granted=("rating.grade",)))
    await commit(store, exchange(3, 5, received_time=LATER, day=LATER.date()))
    await store.asker.open(MEMBERS, asks(5))
    rows(path, "DELETE FROM storage_key WHERE day > '2026-04-01'")
    last = DAY + timedelta(days=60)
    found = store.disclosures.receivers(code(5), DAY, last, lambda name: name.startswith("penalty"))
    assert [(each.question_id, each.held) for each in found] == [(identity(1), True), (identity(3), False)]
    assert found[0] == Receiver(
        member="320000",
        agency="320000-procurement",
        purpose="procurement",
        application_item="bid-review",
        kind="summary",
        fields=("penalty.band",),
        time=NOW,
        question_id=identity(1),
        agreement_id="YRD-4-2026",
        facts_version=7,
        held=True,
    )
    assert store.disclosures.receivers(code(5), DAY, last, lambda _: False) == ()


async def test_numbers_count_the_entries_about_a_subject_in_a_month(path: Path, store: Store) -> None:
    """Every entry about a subject, of either direction, takes its next number; a new month begins at 1."""
    await commit(store, exchange(1, 1, 2))
    await store.asker.open(MEMBERS, asks(3, 2))
    await commit(store, exchange(2, 2, 2, 3, 1))
    await commit(store, exchange(3, 2, received_time=LATER))
    await store.asker.open(("320000",), asks(2, asked=LATER))
    assert numbers(path) == [(1, 1), (1, 2), (2, 3), (3, 4), (5, 5, 4, 2), (1,), (2,)]


async def test_questions_about_different_subjects_are_counted_apart(path: Path, store: Store) -> None:
    """Where members are asked about others, or about nobody, each question has numbers of its own."""

    def composed(member: str, number: int) -> Signed:
        if member == "340000":
            return replace(signed(9, number), question=replace(question(9), body=ProbeQuestion()))
        found: Signed = asks(1 if member == "320000" else 2)(member, number)
        return found

    await store.asker.open(MEMBERS, composed)
    assert numbers(path) == [(1,), (1,), ()]
    assert [[each.member for each in of(store, subject)] for subject in (1, 2)] == [["320000"], ["330000"]]


async def test_workers_share_the_numbers(path: Path, store: Store) -> None:
    """Two processes' stores on one file give every number once, without a hole."""
    other = opened(path)
    jobs = [commit(each, exchange(number, 1, number % 3 + 2)) for number in range(40) for each in (store, other)]
    asked = [each.asker.open(MEMBERS, asks(1)) for each in (store, other) for _ in range(5)]
    await asyncio.gather(*jobs[:40], *asked, *jobs[40:])
    other.close()
    found = sorted(each[0] for each in numbers(path))
    assert found == list(range(1, 40 + 30 + 1))


async def test_charges_are_the_disclosures_that_they_were_made_for(path: Path, store: Store) -> None:
    """What a budget has spent is the number of its disclosures: one a subject and day, whatever is asked again."""
    await commit(store, exchange(1, 1, 2))
    await commit(store, exchange(2, 1, 2, 3))
    await commit(store, exchange(3, 2))
    await commit(store, exchange(4, 2, day=DAY + timedelta(days=1)))
    counted = """
        SELECT day, spent, (SELECT count(*) FROM disclosure WHERE budget = id) FROM budget ORDER BY day"""
    assert rows(path, counted) == [("2026-03-02", 3, 3), ("2026-03-03", 1, 1)]


SCOPE = ("320000-procurement", "procurement", "2026-03-02")
ENTRY = "INSERT INTO ledger_entry VALUES (1, zeroblob(64), zeroblob(16), ?, zeroblob(16), x'')"
JOURNAL = """
    INSERT INTO journal (seq, question_id, question_digest, asker, agency, purpose, kind, agreement, case_reference,
        pair_sequence, outcome, reason, facts_version, fields, received_time, day, question_body, reply_body, entry)
    VALUES (?, ?, ?, '320000', '320000-procurement', 'procurement', 'summary', 'YRD-4-2026', 'case-1', 1, 'ANSWERED',
        '', 1, '["penalty.band"]', ?, '2026-03-02', x'', x'', ?)"""


def older(path: Path) -> None:
    """Make a database of the schema before, in which two exchanges disclosed subjects; one has no entry."""
    schema._prepare(path, schema._EXCHANGE[:5])
    with closing(sqlite3.connect(path)) as connection, connection:
        for seq, entry, subjects in ((1, None, (1, 2)), (2, 1, (1, 3))):
            time = f"2026-03-02T04:05:0{seq}.000000Z"
            connection.execute(JOURNAL, (seq, identity(seq), digest("question", seq), time, entry))
            for each in subjects:
                kept = (*SCOPE, code(each), identity(seq), seq)
                connection.execute("INSERT INTO disclosure VALUES (?, ?, ?, ?, ?, ?)", kept)
        connection.execute("INSERT INTO budget VALUES (?, ?, ?, 3)", SCOPE)
        event = LedgerEvent(kind=LedgerEventKind.ADMINISTERED, asker_member="310000")
        connection.execute(ENTRY, (wire.encode(event),))


async def test_an_older_file_keeps_disclosures_and_budgets(path: Path) -> None:
    """What was disclosed before is found and charged as before; running numbers in the ledger begin at 1."""
    older(path)
    store = opened(path)
    found = {number: [(each.entry, each.question_id) for each in of(store, number)] for number in (1, 2, 3)}
    agency, purpose, _ = SCOPE
    subjects = tuple(map(code, range(1, 6)))
    before = [store.journal.spent(agency=agency, purpose=purpose, day=DAY, subjects=each) for each in ((), subjects)]
    await commit(store, exchange(7, 1, 4, charge_limit=4))
    store.close()
    assert found == {1: [(None, identity(1)), (1, identity(2))], 2: [(None, identity(1))], 3: [(1, identity(2))]}
    assert (before, numbers(path)) == ([3, 5], [(1, 1)])
    assert rows(path, "SELECT spent, (SELECT count(*) FROM disclosure WHERE budget = id) FROM budget") == [(4, 4)]
