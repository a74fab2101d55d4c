"""Who does an administrative act in a process beside the node, and the act as it waits for the ledger (duty U32)."""

import hashlib
import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.errors import NotDurable
from keys import moments
from nodes.store.acts import Act
from nodes.store.connections import connect, time_text
from nodes.store.schema import prepare_exchange

LOADED, RELEASED = "INGEST", "INGEST_RELEASE"
ADMINISTER = "administer"

_LOAD = b"yrdx/load/v1\x00"
_COLUMNS = (
    *("id", "feed", "file_digest", "mode", "data_through", "loaded_time", "accepted", "corrected", "withdrawn"),
    *("unchanged", "not_ours", "rejected", "gaps", "rows", "out_of_scope", "held", "late", "directory_version"),
)
LOADS = f"SELECT {', '.join(_COLUMNS)} FROM load "  # noqa: S608 - listed names
KEEP = "(name, role, officer, agency, digest, time, evidence) VALUES (?, ?, ?, ?, ?, ?, ?)"
_NOTE = f"INSERT INTO outbox {KEEP}"
_NOTE_LOAD = f"INSERT INTO load_act (seq, {KEEP[1:].replace('VALUES (', 'VALUES (?, ')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """An act that was done at a time; `evidence` is the officer's signed statement, or empty."""

    act: Act
    time: datetime
    evidence: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doer:
    """An officer who acts, and what signs the statement of it; nobody where no officer is named."""

    officer: str = ""
    agency: str = ""
    sign: Callable[[Done], bytes] = lambda _: b""

    def done(self, name: str, role: str, digest: bytes, now: datetime) -> Done:
        """Give an act of this officer, signed."""
        act = Act(name=name, role=role, officer=self.officer, agency=self.agency, digest=digest)
        unsigned = Done(act=act, time=now)
        return replace(unsigned, evidence=self.sign(unsigned))


NOBODY = Doer()


def note(path: Path, done: Done) -> None:
    """Leave an act for the node's leading worker to enter; `path` is that of the exchanges.

    Raises:
        StoreUnusable: as `Store.open`.
        NotDurable: when the disk fails or the file stays busy; the act was not left.
    """
    prepare_exchange(path)
    try:
        connection = connect(path)
        try:
            connection.execute(_NOTE, row_of(done))
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise NotDurable(
            f"the act could not be noted for the ledger ({error}); check the disk and try again"
        ) from error


def note_load(connection: sqlite3.Connection, load_id: int, doer: Doer, now: datetime) -> None:
    """Write the act of a load inside its transaction, so that neither is there without the other."""
    row = connection.execute(f"{LOADS} WHERE id = ?", (load_id,)).fetchone()
    name = LOADED if row[_COLUMNS.index("file_digest")] else RELEASED
    done = doer.done(name, ADMINISTER, load_digest(row), now)
    connection.execute(_NOTE_LOAD, (load_id, *row_of(done)))


def load_digest(row: tuple[Any, ...]) -> bytes:
    """Digest a load as `LOADS` reads it: what was loaded, and what became of its rows."""
    plain = [each.hex() if isinstance(each, bytes) else each for each in row]
    return hashlib.sha256(_LOAD + json.dumps(plain, ensure_ascii=False).encode()).digest()


def row_of(done: Done) -> tuple[Any, ...]:
    """Give an act as its row."""
    act = done.act
    return (act.name, act.role, act.officer, act.agency, act.digest, time_text(done.time), done.evidence)


def done_of(row: tuple[Any, ...]) -> Done:
    """Read an act from its row."""
    name, role, officer, agency, digest, time, evidence = row
    act = Act(name=name, role=role, officer=officer, agency=agency, digest=digest)
    return Done(act=act, time=moments.read(time), evidence=evidence)
