"""Appends versions of facts inside the load that is open; what became of each row is counted."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from nodes.store.versions import Row, Shape, Stored

_NOTHING: Stored = ("", 0, False, ())


class Mode(Enum):
    """Whether a file holds what changed, or everything that there is."""

    DELTA = "DELTA"
    SNAPSHOT = "SNAPSHOT"


@dataclass(slots=True, kw_only=True)
class Counts:
    """What became of the rows so far; `accepted` had no current fact before, `corrected` replaced one."""

    accepted: int = 0
    corrected: int = 0
    unchanged: int = 0
    withdrawn: int = 0


@dataclass(slots=True, kw_only=True)
class Load:
    """The load that is open."""

    id: int
    feed: str
    file_digest: bytes
    mode: Mode
    time: str
    directory_version: int
    is_first: bool
    """Whether the feed has no earlier load."""

    gaps: int
    """Gaps of the last load that this one does not clear."""

    holds: bool
    """Whether records of the feed are held, so that each row must be looked for among them."""

    counts: Counts = field(default_factory=Counts)
    known: set[str] = field(default_factory=set)
    """Tables that turned out to hold some of the file's records."""


def put(connection: sqlite3.Connection, load: Load, kind: Shape, batch: Sequence[Row], counts: Counts) -> list[int]:
    """Append a version for each row whose content differs; give the places of those that had no current fact."""
    if kind.table in load.known:
        return _put_changed(connection, load, kind, batch, counts)
    added = _put_new(connection, load, kind, batch)
    counts.accepted += added
    if added == len(batch):
        return list(range(added))
    load.known.add(kind.table)
    counts.unchanged -= added  # the look will find each of these as it stands
    return _added(connection, load, kind, batch) + _put_changed(connection, load, kind, batch, counts)


def withdraw(connection: sqlite3.Connection, load: Load, kind: Shape, record_id: bytes) -> int:
    """Withdraw the current fact of a record, whatever code it bears; give 1, or 0 when there is none."""
    named = {"record_id": record_id, "time": load.time, "load": load.id}
    return connection.execute(kind.withdraw, named).rowcount


def _put_new(connection: sqlite3.Connection, load: Load, kind: Shape, batch: Sequence[Row]) -> int:
    """Append first versions without looking; fewer than there are rows when some record was known."""
    tail = (1, "CURRENT", load.time, load.id)
    rows = [(row["uscc"], row["record_id"], *tail, row["salt"], row["digest"], *kind.content(row)) for row in batch]
    return connection.executemany(kind.append_new, rows).rowcount


def _added(connection: sqlite3.Connection, load: Load, kind: Shape, batch: Sequence[Row]) -> list[int]:
    """Give the places of the rows that this load began."""
    places = {row["record_id"]: place for place, row in enumerate(batch)}
    statement = kind.begun.format(", ".join("?" * len(places)))
    return [places[record] for (record,) in connection.execute(statement, [*places, load.id])]


def _put_changed(
    connection: sqlite3.Connection, load: Load, kind: Shape, batch: Sequence[Row], counts: Counts
) -> list[int]:
    known = _latest(connection, kind, [row["record_id"] for row in batch])
    fresh: list[tuple[Any, ...]] = []
    places = []
    for place, row in enumerate(batch):
        uscc, record_id, content = row["uscc"], row["record_id"], kind.content(row)
        held, version, current, earlier = known.get(record_id, _NOTHING)
        if not current:
            counts.accepted += 1
            places.append(place)
        elif held == uscc and earlier == content:
            counts.unchanged += 1
            continue
        else:
            counts.corrected += 1
            if held != uscc:
                _append(connection, kind, fresh)
                withdraw(connection, load, kind, record_id)
                version += 1
        known[record_id] = (uscc, version + 1, True, content)
        head = (uscc, record_id, version + 1, "CURRENT", load.time, load.id, row["salt"], row["digest"])
        fresh.append(head + content)
    _append(connection, kind, fresh)
    return places


def _latest(connection: sqlite3.Connection, kind: Shape, records: list[bytes]) -> dict[bytes, Stored]:
    statement = kind.latest.format(", ".join("?" * len(records)))
    return {
        record: (uscc, version, bool(current), tuple(content))
        for record, uscc, version, current, *content in connection.execute(statement, records)
    }


def _append(connection: sqlite3.Connection, kind: Shape, fresh: list[tuple[Any, ...]]) -> None:
    connection.executemany(kind.append, fresh)
    fresh.clear()
