"""Acts of other processes reach the ledger: each once, with who did it, and none taken away unseen."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from stores import NOW, declared, digest, load, opened, penalty, rows

from gateway import wire
from gateway.errors import NotDurable
from gateway.model.ledger import LedgerEvent, LedgerPrivate
from nodes.store import Mode, Store
from nodes.store.acts import Act
from nodes.store.doers import LOADS, Doer, Done, load_digest, note
from nodes.store.loading import Loading
from nodes.store.outbox import Gap, gaps, nameless
from nodes.store.schema import facts_path

ZHAO = Doer(officer="310000-credit/zhao", agency="310000-credit", sign=lambda _: b"signed")


def entries(path: Path) -> list[tuple[str, str, str, bytes]]:
    """Give name, role, officer and digest of every entry."""
    found = []
    for shared, private in rows(path, "SELECT shared, private FROM ledger_entry ORDER BY seq"):
        told = wire.decode(LedgerPrivate, private)
        found.append((told.act, told.role, told.officer, wire.decode(LedgerEvent, shared).reply_digest))
    return found


def left(path: Path, number: int) -> None:
    """Leave an act."""
    note(path, ZHAO.done("KEYS_ROTATE", "secure", digest("keys", number), NOW))


async def enter(store: Store) -> tuple[Act, ...]:
    """Enter what waits, as whoever says to have done it."""
    return await store.outbox.enter(lambda done: done.act, NOW)


async def test_an_act_left_is_entered_once(tmp_path: Path) -> None:
    """With role and officer; a second round finds nothing, and the evidence is kept beside the entry."""
    path = tmp_path / "node.db"
    left(path, 1)
    store = opened(path)
    assert [act.officer for act in await enter(store)] == [ZHAO.officer]
    assert await enter(store) == ()
    store.close()
    assert entries(path) == [("KEYS_ROTATE", "secure", ZHAO.officer, digest("keys", 1))]
    assert rows(path, "SELECT source, seq, entry, evidence FROM act_entered") == [("node", 1, 1, b"signed")]


async def test_no_load_is_without_its_act(tmp_path: Path) -> None:
    """The act is written in the load's transaction, and its digest is that of the load as it stands."""
    path = tmp_path / "node.db"
    store = opened(path)
    declared(path).close()
    with store.loading(ZHAO) as loading:
        load(loading, penalty(1))
        load(loading, penalty(2))
    assert [act.name for act in await enter(store)] == ["INGEST", "INGEST"]
    store.close()
    with sqlite3.connect(facts_path(path)) as facts:
        digests = [load_digest(row) for row in facts.execute(f"{LOADS} ORDER BY id")]
    facts.close()
    assert entries(path) == [("INGEST", "administer", ZHAO.officer, each) for each in digests]


async def test_a_load_that_is_abandoned_has_no_act(tmp_path: Path) -> None:
    """What left nothing behind is no act."""
    path = tmp_path / "node.db"
    with declared(path) as loading:
        loading.begin("310000-tax-penalty", digest("file"), Mode.DELTA, NOW)
        loading.put("penalty", [penalty(1)])
        loading.abandon()
    store = opened(path)
    assert await enter(store) == ()
    store.close()


async def test_an_older_database_has_an_act_a_load(tmp_path: Path) -> None:
    """Who loaded before there were acts is not known; that something was loaded is entered."""
    path = tmp_path / "node.db"
    with declared(path) as loading:
        load(loading, penalty(1))
    rows(facts_path(path), "DROP TABLE load_act")
    rows(facts_path(path), "PRAGMA user_version = 2")
    store = opened(path)
    assert [(act.name, act.officer) for act in await enter(store)] == [("INGEST", "")]
    store.close()


async def test_what_is_taken_away_before_it_is_entered_leaves_a_hole(tmp_path: Path) -> None:
    """Numbers are never given twice, so a missing one is named, at the beginning too."""
    path = tmp_path / "node.db"
    for number in range(1, 5):
        left(path, number)
    rows(path, "DELETE FROM outbox WHERE seq IN (1, 3)")
    store = opened(path)
    assert len(await enter(store)) == 2
    rows(path, "DELETE FROM outbox")
    left(path, 5)
    assert len(await enter(store)) == 1
    left(path, 6)
    left(path, 7)
    rows(path, "DELETE FROM outbox WHERE seq = 7")
    store.close()
    with sqlite3.connect(path) as connection:
        assert gaps(connection) == tuple(Gap(source="node", first=each, last=each) for each in (1, 3, 7))
    connection.close()


async def test_without_a_ledger_acts_wait(tmp_path: Path) -> None:
    """Nothing is lost: they are entered when there is one."""
    path = tmp_path / "node.db"
    left(path, 1)
    without = Store.open(path, b"k" * 32)
    with pytest.raises(NotDurable):
        await enter(without)
    without.close()
    store = opened(path)
    assert len(await enter(store)) == 1
    store.close()


async def test_what_nobody_said_is_seen(tmp_path: Path) -> None:
    """The beginning is entered, then every change that no act explains; one that an act explains is not."""
    path = tmp_path / "node.db"
    store, wants = opened(path), {"KEYS": "secure"}
    assert await store.outbox.see({"KEYS": digest(0)}, wants, NOW) == ()
    assert await store.outbox.see({"KEYS": digest(0)}, wants, NOW) == ()
    left(path, 1)
    await enter(store)
    assert await store.outbox.see({"KEYS": digest("keys", 1)}, wants, NOW) == ()
    assert await store.outbox.see({"KEYS": digest(2)}, wants, NOW) == ("KEYS",)
    store.close()
    assert entries(path) == [
        ("KEYS_BEGIN", "secure", "", digest(0)),
        ("KEYS_ROTATE", "secure", ZHAO.officer, digest("keys", 1)),
        ("KEYS", "secure", "", digest(2)),
    ]


def test_whom_nothing_proves_is_not_named() -> None:
    """Name, role and digest stay."""
    act = Act(name="KEYS", role="secure", officer="a/b", agency="a", digest=b"d")
    assert nameless(Done(act=act, time=NOW)) == replace(act, officer="", agency="")


def test_a_note_that_cannot_be_kept_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command that acted ends with it."""

    def busy(_: Path) -> sqlite3.Connection:
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr("nodes.store.doers.connect", busy)
    with pytest.raises(NotDurable, match="could not be noted"):
        left(tmp_path / "node.db", 1)


def test_loading_names_nobody_unless_told(tmp_path: Path) -> None:
    """A writer of facts without an officer leaves acts without one."""
    declared(tmp_path / "node.db").close()
    with Loading(facts_path(tmp_path / "node.db")) as loading:
        load(loading, penalty(1))
    assert rows(facts_path(tmp_path / "node.db"), "SELECT officer, evidence FROM load_act") == [("", b"")]


async def test_a_beginning_is_seen_once(tmp_path: Path) -> None:
    """Whoever takes away what was seen has no second beginning: the change is by nobody, and told."""
    path, wants = tmp_path / "node.db", {"KEYS": "secure"}
    store = opened(path)
    assert await store.outbox.see({"KEYS": digest(0)}, wants, NOW) == ()
    rows(path, "DELETE FROM state_entered")
    assert await store.outbox.see({"KEYS": digest(1)}, wants, NOW) == ("KEYS",)
    store.close()
    assert [(name, officer) for name, _, officer, _ in entries(path)] == [("KEYS_BEGIN", ""), ("KEYS", "")]


async def test_nobody_else_says_that_something_begins(tmp_path: Path) -> None:
    """An act that is left under the name of a beginning is entered as what it is, and by nobody."""
    path = tmp_path / "node.db"
    note(path, ZHAO.done("KEYS_BEGIN", "secure", digest("keys", 1), NOW))
    store = opened(path)
    assert [(act.name, act.officer) for act in await enter(store)] == [("KEYS", "")]
    store.close()
