"""What a load leaves beside facts: records that may not be said yet, what became of its rows, and earlier loads."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from keys import moments
from nodes.store.appending import Load
from nodes.store.doers import Doer, note_load

_KEEP = (
    "INSERT INTO load (id, feed, file_digest, mode, data_through, loaded_time, accepted, corrected, withdrawn,"
    " unchanged, not_ours, rejected, gaps, rows, out_of_scope, held, late, directory_version)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_HOLD = (
    "INSERT INTO held (feed, record_id, reason, load_id, recorded_time, body) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (feed, record_id) DO UPDATE SET reason = excluded.reason, load_id = excluded.load_id,"
    " recorded_time = excluded.recorded_time, body = excluded.body"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A record that may not be said; the body is what a reader of its row needs, sealed, or None."""

    record_id: bytes
    reason: str
    body: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A held record whose body can be read again."""

    record_id: bytes
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """An earlier load of a file."""

    file_digest: bytes
    mode: str
    data_through: str
    directory_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What became of a load's rows besides the facts; `by_agency` maps (agency or '', name) to a number."""

    rows: int = 0
    not_ours: int = 0
    out_of_scope: int = 0
    rejected: int = 0
    held: int = 0
    late: int = 0
    gaps: int = 0
    """New gaps of no record that could be named."""

    by_agency: Mapping[tuple[str, str], int] = field(default_factory=dict)


def hold(connection: sqlite3.Connection, load: Load, records: Sequence[Held]) -> None:
    """Note records that may not be said."""
    rows = ((load.feed, each.record_id, each.reason, load.id, load.time, each.body) for each in records)
    connection.executemany(_HOLD, rows)


def let_go(connection: sqlite3.Connection, feed: str, records: Sequence[bytes]) -> int:
    """Forget that these records were held; give how many were."""
    named = ((feed, each) for each in records)
    return connection.executemany("DELETE FROM held WHERE feed = ? AND record_id = ?", named).rowcount


def let_all_go(connection: sqlite3.Connection, feed: str) -> None:
    """Forget every held record of a feed."""
    connection.execute("DELETE FROM held WHERE feed = ?", (feed,))


def any_held(connection: sqlite3.Connection, feed: str) -> bool:
    """Say whether some record of a feed is held."""
    return connection.execute("SELECT 1 FROM held WHERE feed = ? LIMIT 1", (feed,)).fetchone() is not None


def count(connection: sqlite3.Connection, feed: str) -> int:
    """Count the held records of a feed."""
    return int(connection.execute("SELECT count(*) FROM held WHERE feed = ?", (feed,)).fetchone()[0])


def waiting(connection: sqlite3.Connection, feed: str, after: bytes, limit: int) -> tuple[Waiting, ...]:
    """Give held records with a body, by record id after one."""
    rows = connection.execute(
        "SELECT record_id, body FROM held WHERE feed = ? AND record_id > ? AND body IS NOT NULL"
        " ORDER BY record_id LIMIT ?",
        (feed, after, limit),
    )
    return tuple(Waiting(record_id=record_id, body=body) for record_id, body in rows)


def feeds_waiting(connection: sqlite3.Connection, but_version: int | None) -> tuple[str, ...]:
    """Name the declared feeds of which records wait with a body, last read under another directory version."""
    rows = connection.execute(
        "SELECT feed.id FROM feed WHERE EXISTS (SELECT 1 FROM held JOIN load ON load.id = held.load_id"
        " WHERE held.feed = feed.id AND body IS NOT NULL AND directory_version IS NOT ?) ORDER BY feed.id",
        (but_version,),
    )
    return tuple(name for (name,) in rows)


def past(connection: sqlite3.Connection, feed: str, limit: int) -> tuple[Past, ...]:
    """Give the last loads of files of a feed, the newest first; a release is of no file."""
    rows = connection.execute(
        "SELECT file_digest, mode, data_through, directory_version FROM load"
        " WHERE feed = ? AND file_digest <> x'' ORDER BY id DESC LIMIT ?",
        (feed, limit),
    )
    return tuple(
        Past(file_digest=digest, mode=mode, data_through=through, directory_version=version)
        for digest, mode, through, version in rows
    )


def later(connection: sqlite3.Connection, feed: str, digest: bytes) -> tuple[bytes, ...]:
    """Give the files of a feed that were loaded after one, the oldest first; files without rows do not count."""
    rows = connection.execute(
        "SELECT file_digest FROM load WHERE feed = :feed AND file_digest <> x'' AND (rows > 0 OR mode = 'SNAPSHOT')"
        " AND id > (SELECT max(id) FROM load WHERE feed = :feed AND file_digest = :digest AND rows > 0)"
        " ORDER BY id",
        {"feed": feed, "digest": digest},
    )
    return tuple(found for (found,) in rows)


def keep(connection: sqlite3.Connection, load: Load, data_through: date, figures: Figures, doer: Doer) -> None:
    """Write down the load, what became of its rows, and the act for the ledger."""
    counts = load.counts
    connection.execute(
        _KEEP,
        (
            *(load.id, load.feed, load.file_digest, load.mode.value, data_through.isoformat(), load.time),
            *(counts.accepted, counts.corrected, counts.withdrawn, counts.unchanged),
            *(figures.not_ours, figures.rejected, figures.gaps + load.gaps, figures.rows, figures.out_of_scope),
            *(figures.held, figures.late, load.directory_version),
        ),
    )
    connection.executemany(
        "INSERT INTO load_count (load_id, agency, name, count) VALUES (?, ?, ?, ?)",
        ((load.id, agency, name, number) for (agency, name), number in figures.by_agency.items()),
    )
    note_load(connection, load.id, doer, moments.read(load.time))


def taken(connection: sqlite3.Connection, sender: str) -> tuple[int, bytes]:
    """Give number and digest of a sender's last manifest; 0 and nothing before the first."""
    row = connection.execute("SELECT sequence, manifest_digest FROM inbox WHERE sender = ?", (sender,)).fetchone()
    return (0, b"") if row is None else (int(row[0]), bytes(row[1]))


def take(connection: sqlite3.Connection, sender: str, sequence: int, digest: bytes, time: str) -> None:
    """Note a sender's manifest."""
    connection.execute(
        "INSERT INTO inbox (sender, sequence, manifest_digest, taken_time) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (sender) DO UPDATE SET sequence = excluded.sequence,"
        " manifest_digest = excluded.manifest_digest, taken_time = excluded.taken_time",
        (sender, sequence, digest, time),
    )
