"""Administrative acts stand in the ledger, or were not done."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from stores import KEY, NOW, digest, opened, rows

from gateway import wire
from gateway.errors import NotDurable
from gateway.model.codes import LedgerEventKind
from gateway.model.ledger import LedgerEvent, LedgerPrivate
from nodes.store import Store
from nodes.store.acts import Act

ACT = Act(name="EXPORT", role="AUDIT", officer="310000-credit/zhao", agency="310000-credit", digest=digest("file"))
BEAT = "INSERT INTO pulse (id, beat) VALUES (1, 7)"


def beat(connection: sqlite3.Connection) -> str:
    """Do some work."""
    connection.execute(BEAT)
    return "done"


def spoil(connection: sqlite3.Connection) -> None:
    """Do some work, and fail."""
    connection.execute(BEAT)
    raise ValueError("no")


async def test_an_act_is_entered_with_who_did_it_and_what(tmp_path: Path) -> None:
    """The entry commits to the digest of what was done; name, role and officer are in its private part."""
    store = opened(tmp_path / "node.db")
    number = await store.acts.record(ACT, NOW)
    store.close()
    ((seq, shared, private),) = rows(tmp_path / "node.db", "SELECT seq, shared, private FROM ledger_entry")
    event = LedgerEvent(kind=LedgerEventKind.ADMINISTERED, asker_member="310000", reply_digest=ACT.digest)
    assert (seq, wire.decode(LedgerEvent, shared)) == (number, event)
    told = wire.decode(LedgerPrivate, private)
    assert told == LedgerPrivate(log_time=NOW, agency=ACT.agency, officer=ACT.officer, role=ACT.role, act=ACT.name)


async def test_work_and_entry_are_one(tmp_path: Path) -> None:
    """Work that fails leaves no entry, and a member without a ledger does no work."""
    store = opened(tmp_path / "node.db")
    with pytest.raises(ValueError, match="no"):
        await store.acts.run(ACT, spoil, NOW)
    assert await store.acts.run(ACT, beat, NOW) == ("done", 1)
    store.close()
    without = Store.open(tmp_path / "node.db", KEY)
    with pytest.raises(NotDurable):
        await without.acts.run(ACT, spoil, NOW)
    without.close()
    assert rows(tmp_path / "node.db", "SELECT beat, (SELECT count(*) FROM ledger_entry) FROM pulse") == [(7, 1)]
