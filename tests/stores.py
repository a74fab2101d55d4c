"""What the tests of the store share: a day, a feed, rows of facts, and exchanges as the gateway hands them over."""

from __future__ import annotations

import hashlib
import sqlite3
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from gateway.model.codes import Window
from gateway.model.question import NamedSubject, Question, QuestionHeader, SummaryQuestion
from gateway.model.signed import Reply, Signed
from gateway.ports import Exchange, Feed
from keys import envelope, suite
from nodes.store import Loading, Mode, Scribe, Store, open_loading
from nodes.store.loading import Figures

KEY = b"k" * 32
NOW = datetime(2026, 3, 2, 4, 5, 6, tzinfo=UTC)
DAY = date(2026, 3, 2)
FEED = Feed(
    id="310000-tax-penalty",
    agency="310000-tax",
    domain="tax",
    division="310000",
    record_class="penalty",
    frequency_days=7,
    history_from=date(2020, 1, 1),
    data_through=None,
    gaps=0,
)
PENALTY = ("domain", "severity", "decided_on")
SIGNER = suite.signer(b"s" * 32, owner="310000")
LOGGER = suite.signer(b"l" * 32, owner="310000")
SCRIBE = Scribe(member="310000", signer=lambda: LOGGER)


def code(number: int) -> str:
    """Give a text as long as a code."""
    return f"9131{number:014d}"


def digest(*parts: object) -> bytes:
    """Give 32 bytes that stand for these parts."""
    return hashlib.sha256(repr(parts).encode()).digest()


def penalty(number: int, subject: int | None = None, **columns: object) -> dict[str, Any]:
    """Give the row of a penalty with this record number."""
    return {
        "uscc": code(number if subject is None else subject),
        "record_id": digest("record", number)[:16],
        "salt": b"\x01" * 16,
        "digest": digest("row", number, columns),
        "domain": "tax",
        "severity": "MINOR",
        "decided_on": "2026-01-31",
        "exempt": 0,
        **columns,
    }


def load(
    loading: Loading, *rows: dict[str, Any], table: str = "penalty", mode: Mode = Mode.DELTA, **ending: object
) -> int:
    """Load rows as one file and give the version of the facts."""
    loading.begin(FEED.id, digest("file"), mode, NOW)
    loading.put(table, rows)
    if mode is Mode.SNAPSHOT:
        loading.withdraw_absent(table)
    through = ending.pop("data_through", DAY)
    assert isinstance(through, date)
    told: dict[str, Any] = ending
    return loading.finish(data_through=through, figures=Figures(**told))


def declared(path: Path) -> Loading:
    """Open the facts of a database for loading, with the feed declared."""
    loading = open_loading(path)
    loading.declare_feeds([FEED])
    return loading


def opened(path: Path) -> Store:
    """Open a database under the tests' storage key."""
    return Store.open(path, KEY, SCRIBE)


def identity(number: int) -> bytes:
    """Give a question id."""
    return number.to_bytes(16, "big")


async def commit(store: Store, exchange: Exchange) -> Reply:
    """Commit an exchange and give the reply that is kept."""
    return (await store.journal.commit(exchange)).reply


def stored(store: Store, number: int, question_digest: bytes | None = None) -> Reply | None:
    """Look for the reply to a question by its number."""
    kept = store.journal.find(identity(number), question_digest or digest("question", number))
    return None if kept is None else kept.reply


def question(number: int, *, asked: datetime = NOW, sequence: int = 0, **changes: object) -> Question:
    """Give a question about one subject, under the pair's number of its own unless told."""
    values: dict[str, Any] = {
        "question_id": identity(number),
        "suite": suite.INT_1,
        "asker_member": "320000",
        "asker_agency": "320000-procurement",
        "officer": "320000-procurement/zhou",
        "officer_assertion_digest": digest("assertion"),
        "answerer_member": "310000",
        "asked_time": asked,
        "expire_time": asked + timedelta(seconds=60),
        "purpose": "procurement",
        "application_item": "bid-review",
        "case_reference": "case-1",
        "agreement_id": "YRD-4-2026",
        "pair_sequence": sequence or number,
        "bundle_version": 1,
    }
    body = SummaryQuestion(subjects=(NamedSubject(uscc=code(number)),), window=Window.M12)
    return Question(header=QuestionHeader(**values | changes), body=body)


def exchange(number: int, *subjects: int, **changes: object) -> Exchange:
    """Give an answered question about subjects (the one of its number unless told), under a budget of 200."""
    values: dict[str, Any] = {
        "question_id": identity(number),
        "question_digest": digest("question", number),
        "question": question(number),
        "question_bytes": b"question %d" % number,
        "reply": Reply(payload=b"answer %d" % number),
        "reply_digest": digest("answer", number),
        "reason": "",
        "kind": "summary",
        "facts_version": 1,
        "received_time": NOW,
        "day": DAY,
        "subjects": tuple(code(each) for each in subjects or (number,)),
        "charge_limit": 200,
        "fields_granted": ("penalty.band",),
    }
    return Exchange(**values | changes)


def signed(number: int, sequence: int, *, asked: datetime = NOW) -> Signed:
    """Give a composed question."""
    sealed = envelope.sign("application/x-question", b"question %d" % number, SIGNER)
    return Signed(envelope=sealed, question=question(number, asked=asked, sequence=sequence), digest=sealed.digest())


def rows(path: Path, statement: str) -> list[Any]:
    """Read or change the database from outside, as an operator could."""
    connection = sqlite3.connect(path)
    try:
        found = connection.execute(statement).fetchall()
        connection.commit()
        return found
    finally:
        connection.close()
