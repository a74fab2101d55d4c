"""The writer of facts: one file of a feed is one transaction, and its facts appear together or not at all."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import Any, Self, final

from gateway.errors import NotDurable
from gateway.ports import Feed
from nodes.store.connections import connect, time_text
from nodes.store.versions import SEEN, Shape, Stored, shape

_BATCH = 400
_CACHE_KIB = 64 * 1024
_NOTHING: Stored = ("", 0, False, ())

Row = Mapping[str, Any]
"""`uscc`, `record_id`, `salt`, `digest`, and columns of its table; days as yyyy-mm-dd, flags as 0 or 1."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Load:
    id: int
    feed: str
    file_digest: bytes
    mode: Mode
    time: str
    counts: Counts = field(default_factory=Counts)
    known: set[str] = field(default_factory=set)
    """Tables that turned out to hold some of the file's records."""


@final
class Loading:
    """Loads files, one after the other, on a connection of its own; one thread at a time.

    While a load runs other loads wait; readers and the journal do not. Nothing is seen before `finish` has
    returned, when all is on disk; a load that ends any other way, a kill included, leaves nothing behind.
    Each method that writes undoes the load and raises NotDurable when the disk fails or another load holds
    the file too long, and ValueError when a value breaks its column's form.
    """

    __slots__ = ("_connection", "_load")

    def __init__(self, path: Path) -> None:
        self._connection = connect(path, cache_kib=_CACHE_KIB)
        self._connection.execute(SEEN)
        self._load: _Load | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def declare_feeds(self, feeds: Iterable[Feed]) -> None:
        """Replace the declaration: exactly these feeds from now on. What they loaded stays."""
        with self._undone_on_failure():
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("DELETE FROM feed")
            self._connection.executemany(
                "INSERT INTO feed (id, agency, domain, division, record_class, frequency_days, history_from)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                map(_feed_row, feeds),
            )
            self._connection.execute("COMMIT")

    def begin(self, feed: str, file_digest: bytes, mode: Mode, now: datetime) -> int:
        """Begin a load and give its id; `now` becomes the recorded time of its facts.

        Raises:
            ValueError: when the feed is not declared, or another load of this object is open.
        """
        if self._load is not None:
            raise ValueError("a load is open; finish or abandon it first")
        time = time_text(now)
        with self._undone_on_failure():
            self._connection.execute("BEGIN IMMEDIATE")
            if self._connection.execute("SELECT 1 FROM feed WHERE id = ?", (feed,)).fetchone() is None:
                raise ValueError("the feed is not declared; declare it before loading its files")
            self._connection.execute("DELETE FROM seen")
            highest = self._connection.execute("SELECT coalesce(max(id), 0) FROM load").fetchone()[0]
            self._load = _Load(id=highest + 1, feed=feed, file_digest=file_digest, mode=mode, time=time)
            return self._load.id

    def put(self, table: str, rows: Iterable[Row]) -> None:
        """Append a version for each row whose content differs from the current one; salts do not count.

        Of rows with one record id the last wins. A record that moves to another code is withdrawn from the
        earlier one. Rows are taken in batches: memory does not grow with the file.
        """
        load, kind = self._opened(), shape(table)
        with self._undone_on_failure():
            remaining = iter(rows)
            while batch := list(islice(remaining, _BATCH)):
                self._put(load, kind, batch)

    def withdraw(self, table: str, uscc: str, record_id: bytes) -> bool:
        """Withdraw the current fact of a record; say whether there was one under this code."""
        load, kind = self._opened(), shape(table)
        with self._undone_on_failure():
            done = self._withdraw(load, kind, uscc, record_id)
        load.counts.withdrawn += done
        return bool(done)

    def count_absent(self, table: str) -> int:
        """Count the current facts of this feed that the snapshot has not named so far."""
        load = self._snapshot()
        with self._undone_on_failure():
            found = self._connection.execute(shape(table).absent_count, {"feed": load.feed}).fetchone()
            return int(found[0])

    def withdraw_absent(self, table: str) -> int:
        """Withdraw the current facts of this feed that the snapshot has not named; give their number."""
        load = self._snapshot()
        named = {"feed": load.feed, "time": load.time, "load": load.id}
        with self._undone_on_failure():
            done = self._connection.execute(shape(table).absent_withdraw, named).rowcount
        load.counts.withdrawn += done
        return done

    @property
    def counts(self) -> Counts:
        """The counts of the open load."""
        return self._opened().counts

    def finish(self, *, data_through: date, not_ours: int = 0, rejected: int = 0, gaps: int = 0) -> int:
        """Keep the load, a load of no rows included, and give the version of the facts from now on."""
        load = self._opened()
        with self._undone_on_failure():
            self._connection.execute(
                "INSERT INTO load (id, feed, file_digest, mode, data_through, loaded_time, accepted,"
                " corrected, withdrawn, not_ours, rejected, gaps) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(load.id, load.feed, load.file_digest, load.mode.value, data_through.isoformat(), load.time),
                    *(load.counts.accepted, load.counts.corrected, load.counts.withdrawn),
                    *(not_ours, rejected, gaps),
                ),
            )
            self._connection.execute("COMMIT")
        self._load = None
        return load.id

    def abandon(self) -> None:
        """Undo the open load, if any."""
        self._load = None
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def checkpoint(self) -> None:
        """Move the log into the file and empty it, as far as readers allow."""
        with self._undone_on_failure():
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Undo an open load and close."""
        self.abandon()
        self._connection.close()

    def _opened(self) -> _Load:
        if self._load is None:
            raise ValueError("no load is open; begin one first")
        return self._load

    def _snapshot(self) -> _Load:
        load = self._opened()
        if load.mode is not Mode.SNAPSHOT:
            raise ValueError("only a snapshot says by absence that a record is withdrawn")
        return load

    def _put(self, load: _Load, kind: Shape, batch: list[Row]) -> None:
        if kind.table in load.known or not self._put_new(load, kind, batch):
            load.known.add(kind.table)
            self._put_changed(load, kind, batch)
        if load.mode is Mode.SNAPSHOT:
            named = ((kind.table, row["record_id"]) for row in batch)
            self._connection.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?)", named)

    def _put_new(self, load: _Load, kind: Shape, batch: list[Row]) -> bool:
        """Append first versions without looking; false when some record was known and the rows need a look."""
        tail = (1, "CURRENT", load.time, load.id)
        rows = [(row["uscc"], row["record_id"], *tail, row["salt"], row["digest"], *kind.content(row)) for row in batch]
        added = self._connection.executemany(kind.append_new, rows).rowcount
        load.counts.accepted += added
        if added < len(batch):
            load.counts.unchanged -= added  # the look will find each of these as it stands
        return added == len(batch)

    def _put_changed(self, load: _Load, kind: Shape, batch: list[Row]) -> None:
        known = self._latest(kind, [row["record_id"] for row in batch])
        fresh: list[tuple[Any, ...]] = []
        for row in batch:
            uscc, record_id, content = row["uscc"], row["record_id"], kind.content(row)
            held, version, current, earlier = known.get(record_id, _NOTHING)
            if not current:
                load.counts.accepted += 1
            elif held == uscc and earlier == content:
                load.counts.unchanged += 1
                continue
            else:
                load.counts.corrected += 1
                if held != uscc:
                    self._append(kind, fresh)
                    self._withdraw(load, kind, held, record_id)
                    version += 1
            known[record_id] = (uscc, version + 1, True, content)
            head = (uscc, record_id, version + 1, "CURRENT", load.time, load.id, row["salt"], row["digest"])
            fresh.append(head + content)
        self._append(kind, fresh)

    def _latest(self, kind: Shape, records: list[bytes]) -> dict[bytes, Stored]:
        statement = kind.latest.format(", ".join("?" * len(records)))
        return {
            record: (uscc, version, bool(current), tuple(content))
            for record, uscc, version, current, *content in self._connection.execute(statement, records)
        }

    def _append(self, kind: Shape, fresh: list[tuple[Any, ...]]) -> None:
        self._connection.executemany(kind.append, fresh)
        fresh.clear()

    def _withdraw(self, load: _Load, kind: Shape, uscc: str, record_id: bytes) -> int:
        named = {"uscc": uscc, "record_id": record_id, "time": load.time, "load": load.id}
        return self._connection.execute(kind.withdraw, named).rowcount

    @contextmanager
    def _undone_on_failure(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError as error:
            self.abandon()
            raise ValueError(f"a value breaks its column's form ({error}); nothing was loaded") from None
        except sqlite3.Error as error:
            self.abandon()
            raise NotDurable(f"the load could not be kept ({error}); check the disk and load again") from error
        except BaseException:
            self.abandon()
            raise


def _feed_row(feed: Feed) -> tuple[str | int, ...]:
    names = (feed.id, feed.agency, feed.domain, feed.division, feed.record_class)
    return (*names, feed.frequency_days, feed.history_from.isoformat())
