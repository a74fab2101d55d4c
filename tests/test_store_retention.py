"""Storage keys by day and purpose: what is due is destroyed with its entry, and gone from every file."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from stores import DAY, KEY, NOW, commit, exchange, opened, question, rows, stored
from worlds_tables import SHANGHAI, USCC

from gateway import wire
from gateway.books import Access
from gateway.errors import NotDurable, Replayed
from gateway.limits import Limits
from gateway.model.codes import AccessSide, LedgerEventKind
from gateway.model.ledger import LedgerEvent, LedgerPrivate
from gateway.model.signed import Reply
from gateway.ports import Exchange
from keys.bodies import BodyKey, new_day_key, unwrap, wrap
from nodes.store import Store, retention, schema
from nodes.store.acts import Act
from nodes.store.doers import Done
from nodes.store.retention import DELETION, Forgotten, Held, held

OFFICER = "310000-credit/zhao"
LONG, SHORT = "FISCAL_FUND", "TENDERING"
PURPOSES = (LONG, SHORT)


def done(digest: bytes) -> Done:
    """Give the act of an officer, and a statement of it."""
    act = Act(name=DELETION, role="administer", officer=OFFICER, digest=digest)
    return Done(act=act, time=NOW, evidence=b"said " + digest)


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


def about(number: int, purpose: str, days: int = 0) -> Exchange:
    """Give an exchange of a purpose on a later day."""
    at = NOW + timedelta(days=days)
    found = exchange(number, number % 50, received_time=at, day=DAY + timedelta(days=days))
    return replace(found, question=question(number, purpose=purpose))


def kept_from(scope: str) -> date:
    """Keep one purpose for ever, and of the others the third day and later."""
    return date.min if scope == LONG else DAY + timedelta(days=2)


async def filled(store: Store, days: int = 4) -> None:
    """Answer for both purposes on some days; ids count up by day, then purpose."""
    for number in range(days * 2):
        await commit(store, about(number, PURPOSES[number % 2], number // 2))


def wrapped(path: Path) -> list[bytes]:
    """Give every wrapped key that is there, the oldest first."""
    return [key for (key,) in rows(path, "SELECT wrapped_key FROM storage_key WHERE destroyed IS NULL ORDER BY id")]


def holding(path: Path, wanted: bytes) -> list[str]:
    """Name the files that hold some bytes."""
    return [each.name for each in sorted(path.parent.iterdir()) if wanted in each.read_bytes()]


async def test_what_is_due_is_destroyed_and_nothing_else(path: Path, store: Store) -> None:
    """Bodies of a purpose and day that are over cannot be read; those of another purpose or a later day can."""
    await filled(store)
    assert await store.retention.destroy(kept_from, done) == 2
    readable = []
    for number in range(8):
        try:
            readable.append(stored(store, number))
        except Replayed:
            readable.append(None)
    gone = [1, 3]
    assert readable == [None if each in gone else Reply(payload=b"answer %d" % each) for each in range(8)]
    assert await store.retention.destroy(kept_from, done) == 0


async def test_an_entry_tells_what_was_destroyed(path: Path, store: Store) -> None:
    """The act's digest is that of the lines day, scope and the key's digest, which the rows still hold."""
    await filled(store)
    before = {hashlib.sha256(key).digest() for key in wrapped(path)}
    await store.retention.destroy(kept_from, done)
    gone = rows(path, "SELECT day, scope, wrapped_key, destroyed FROM storage_key WHERE destroyed IS NOT NULL")
    lines = "".join(f"{day} {scope} {digest.hex()}\n" for day, scope, digest, _ in gone)
    ((shared, private),) = rows(path, "SELECT shared, private FROM ledger_entry ORDER BY seq DESC LIMIT 1")
    event, told = wire.decode(LedgerEvent, shared), wire.decode(LedgerPrivate, private)
    assert event == LedgerEvent(
        kind=LedgerEventKind.ADMINISTERED,
        asker_member="310000",
        reply_digest=hashlib.sha256(lines.encode()).digest(),
    )
    assert (told.act, told.role, told.officer) == (DELETION, "administer", OFFICER)
    assert {digest for _, _, digest, _ in gone} <= before
    ((entry,),) = rows(path, "SELECT max(seq) FROM ledger_entry")
    assert {each for *_, each in gone} == {entry}
    evidence = rows(path, "SELECT source, entry, evidence FROM act_entered")
    assert evidence == [("retention", entry, b"said " + event.reply_digest)]


async def test_without_a_ledger_nothing_is_destroyed(path: Path, store: Store) -> None:
    """Where no entry can be made, every key stays."""
    await filled(store)
    without = Store.open(path, KEY)
    with pytest.raises(NotDurable):
        await without.retention.destroy(kept_from, done)
    without.close()
    assert len(wrapped(path)) == 8


async def test_many_keys_go_in_steps(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step is a transaction with an entry of its own, and all that is due goes."""
    monkeypatch.setattr(retention, "_KEYS", 1)
    await filled(store, 5)
    entries = "SELECT count(*) FROM storage_key WHERE destroyed IS NOT NULL GROUP BY destroyed"
    assert await store.retention.destroy(lambda _: date.max, done) == 10
    assert rows(store.retention._path, entries) == [(1,)] * 10


async def test_a_destroyed_key_is_in_no_file(path: Path, store: Store) -> None:
    """Keys that came over months, in any order and among many writes, are searched for in database, log and index."""
    for number in range(0, 800, 20):
        jobs = [about(each, f"PURPOSE_{each % 7}", each * 13 % 400) for each in range(number, number + 20)]
        await asyncio.gather(*(commit(store, each) for each in jobs))
    keys = wrapped(path)
    assert all(holding(path, key) for key in keys)
    await store.retention.destroy(lambda scope: DAY + timedelta(days=200 if scope < "PURPOSE_4" else 300), done)
    assert store.retention.scrub()
    left = wrapped(path)
    assert 0 < len(left) < len(keys)
    assert [key for key in keys if key not in left and holding(path, key)] == []
    assert [key for key in left if not holding(path, key)] == []


async def test_a_log_in_use_is_told(path: Path, store: Store) -> None:
    """While somebody reads an old snapshot the log cannot be emptied: the caller is told, and tries again."""
    await filled(store)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM storage_key").fetchone()
        await store.retention.destroy(kept_from, done)
        assert not store.retention.scrub()
    assert store.retention.scrub()


async def test_bodies_of_one_day_have_keys_by_purpose(path: Path, store: Store) -> None:
    """A day and purpose has one key, whichever worker comes first."""
    other = opened(path)
    await asyncio.gather(*(commit((store, other)[n % 3 % 2], about(n, PURPOSES[n % 2])) for n in range(20)))
    other.close()
    found = rows(path, "SELECT day, scope FROM storage_key ORDER BY scope")
    assert found == [(DAY.isoformat(), LONG), (DAY.isoformat(), SHORT)]
    assert stored(store, 7) == Reply(payload=b"answer 7")


async def test_held_says_what_is_there_and_due(path: Path, store: Store) -> None:
    """Counts by scope, before and after."""
    await filled(store)
    long = Held(scope=LONG, oldest=DAY, keys=4, due=0, destroyed=0)
    assert held(path, kept_from) == (long, Held(scope=SHORT, oldest=DAY, keys=4, due=2, destroyed=0))
    await store.retention.destroy(kept_from, done)
    after = Held(scope=SHORT, oldest=DAY + timedelta(days=2), keys=2, due=0, destroyed=2)
    assert held(path, kept_from) == (long, after)
    await store.retention.destroy(lambda scope: date.max if scope == SHORT else date.min, done)
    assert held(path, kept_from)[1] == Held(scope=SHORT, oldest=None, keys=0, due=0, destroyed=4)


def deleted(path: Path, after: int) -> list[bytes]:
    """Give the digest of each act behind a number."""
    found = rows(path, f"SELECT shared FROM ledger_entry WHERE seq > {after} ORDER BY seq")
    return [wire.decode(LedgerEvent, shared).reply_digest for (shared,) in found]


async def test_old_disclosures_go_by_whole_months(path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Disclosures, their questions and charges of months that are over go in small steps, with an entry a month."""
    monkeypatch.setattr(retention, "_ROWS", 2)
    await filled(store)
    for number in range(20, 26):
        await commit(store, about(number, LONG, 40))
    for number in range(30, 33):
        await commit(store, about(number, LONG, 80))
    (last,) = rows(path, "SELECT max(seq) FROM ledger_entry")[0]
    assert await store.retention.forget(date(2026, 5, 1), done) == Forgotten(disclosures=14, questions=14, charges=9)
    told = ("disclosures 2026-03", "disclosures 2026-04", "questions 2026-05-01", "charges 2026-05-01")
    assert deleted(path, last) == [hashlib.sha256(f"{each}\n".encode()).digest() for each in told]
    kept = "SELECT (SELECT count(*) FROM disclosure), (SELECT count(*) FROM provision), (SELECT min(day) FROM budget)"
    assert rows(path, kept) == [(3, 3, "2026-05-21")]
    assert await store.retention.forget(date(2026, 5, 1), done) == Forgotten()
    assert len(deleted(path, last)) == 4


async def test_old_previews_go_with_them(path: Path, store: Store) -> None:
    """What a subject previewed is shown to it for as long as disclosures are."""
    for number, day in enumerate((date(2026, 4, 30), date(2026, 5, 1))):
        own = Access(
            side=AccessSide.OWN, other_member=SHANGHAI, time=datetime.combine(day, time(4), UTC), agency="a",
            officer_role="", purpose="P", application_item="i", kind="rating", fields=(), outcome="ANSWERED",
            question_id=bytes([number]) * 16, entry=None, key_id="k",
        )  # fmt: skip
        await store.accesses.preview(own, USCC, bytes([number]) * 32, Limits())
    (last,) = rows(path, "SELECT max(seq) FROM ledger_entry")[0]
    assert await store.retention.forget(date(2026, 5, 1), done) == Forgotten(previews=1)
    assert rows(path, "SELECT day FROM preview") == [("2026-05-01",)]
    assert deleted(path, last) == [hashlib.sha256(b"previews 2026-05-01\n").digest()]
    without = Store.open(path, KEY)
    with pytest.raises(NotDurable):
        await without.retention.forget(date(2026, 6, 1), done)
    without.close()
    assert rows(path, "SELECT day FROM preview") == [("2026-05-01",)]


async def test_an_older_file_keeps_its_bodies(path: Path) -> None:
    """One key a day becomes that of each purpose of the day; what was sealed under it opens, and no copy is left."""
    schema._prepare(path, schema._EXCHANGE[:5])
    key = new_day_key()
    with closing(sqlite3.connect(path)) as connection, connection:
        wrapping(connection, key)
    store = opened(path)
    found = store.cases.results("a", "c", after=0, limit=9)
    scopes = rows(path, "SELECT day, scope FROM storage_key ORDER BY day, scope")
    copies = {unwrap(each, KEY) for each in wrapped(path)}
    await store.retention.destroy(lambda _: date.max, done)
    store.retention.scrub()
    store.close()
    assert (found, copies) == (((1, b"result"),), {key})
    assert scopes == [("2026-03-01", ""), ("2026-03-01", LONG), ("2026-03-01", "subjects")]
    assert holding(path, WRAPPED[0]) == []


WRAPPED: list[bytes] = []


def wrapping(connection: sqlite3.Connection, key: bytes) -> None:
    """Keep a result, a submission and the end of a key under the key of a day, as an older program did."""
    WRAPPED[:] = [wrap(key, KEY)]
    connection.execute("INSERT INTO storage_day VALUES ('2026-03-01', ?)", WRAPPED)
    connection.execute(
        "INSERT INTO result (agency, case_reference, body, day, time) VALUES ('a', 'c', ?, '2026-03-01', 't')",
        (BodyKey(raw=key).seal(b"result"),),
    )
    connection.execute(
        """INSERT INTO submission VALUES (1, x'00', 'a', 'o', ?, 'i', 'c', 'summary', 1, 't', 't', 'WAITING', '', NULL,
            '', '2026-03-01', x'', NULL, NULL)""".replace("x'00'", "zeroblob(32)"),
        (LONG,),
    )
    connection.execute("INSERT INTO subject_key_end VALUES ('k', x'', '2026-03-01', 't')")
