"""The writer of facts: one file of a feed is one transaction, and its facts appear together or not at all."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Self, final

from gateway.errors import NotDurable
from gateway.ports import Feed
from nodes.store import appending, holding
from nodes.store.appending import Counts, Load, Mode
from nodes.store.connections import connect, time_text
from nodes.store.doers import NOBODY, Doer
from nodes.store.holding import Figures, Held, Past, Waiting
from nodes.store.versions import SEEN, Row, Shape, shape

__all__ = ["Counts", "Figures", "Held", "Loading", "Mode", "Past", "Row", "Waiting"]

_BATCH = 400
_CACHE_KIB = 256 * 1024  # what the narrow indexes of tens of millions of rows need to be written once a load
_BUSY = "another load is running; wait until it has ended, then load again"


@final
class Loading:
    """Loads files, one after the other, on a connection of its own; one thread at a time.

    While a load runs other loads wait; readers and the journal do not. Nothing is seen before `finish` has
    returned, when all is on disk; a load that ends any other way, a kill included, leaves nothing behind.
    Each method that writes undoes the load and raises NotDurable when the disk fails or another load holds
    the file too long, and ValueError when a value breaks its column's form.
    """

    __slots__ = ("_connection", "_doer", "_load")

    def __init__(self, path: Path, doer: Doer = NOBODY) -> None:
        self._connection = connect(path, cache_kib=_CACHE_KIB, mapped_bytes=0)
        self._connection.execute(SEEN)
        self._doer = doer
        self._load: Load | None = None

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

    def begin(self, feed: str, file_digest: bytes, mode: Mode, now: datetime, *, directory_version: int = 0) -> int:
        """Begin a load and give its id; `now` becomes the recorded time of its facts.

        A snapshot replaces what is held of the feed.

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
            if mode is Mode.SNAPSHOT:
                holding.let_all_go(self._connection, feed)
            highest = self._connection.execute("SELECT coalesce(max(id), 0) FROM load").fetchone()[0]
            last = self._connection.execute("SELECT gaps FROM load WHERE feed = ? ORDER BY id DESC", (feed,)).fetchone()
            self._load = Load(
                id=highest + 1,
                feed=feed,
                file_digest=file_digest,
                mode=mode,
                time=time,
                directory_version=directory_version,
                is_first=last is None,
                # A delta does not say which of the gaps without a key it fills: only a snapshot clears them.
                gaps=last[0] if last is not None and mode is Mode.DELTA else 0,
                holds=holding.any_held(self._connection, feed),
            )
            return self._load.id

    @property
    def is_first(self) -> bool:
        """Whether the feed of the open load has no earlier one."""
        return self._opened().is_first

    def put(self, table: str, rows: Iterable[Row]) -> list[int]:
        """Append a version for each row whose content differs from the current one; salts do not count.

        Of rows with one record id the last wins. A record that moves to another code is withdrawn from the
        earlier one, and is held no more. Rows are taken in batches: memory does not grow with the file. Gives
        the places of the rows whose records had no current fact.
        """
        load, kind = self._opened(), shape(table)
        with self._undone_on_failure():
            return list(self._rows(load, kind, rows, load.counts))

    def put_silent(self, table: str, rows: Iterable[Row]) -> None:
        """Append rows that say nothing, in place of what their records said; they are not counted."""
        load, kind = self._opened(), shape(table)
        with self._undone_on_failure():
            list(self._rows(load, kind, rows, Counts()))

    def withdraw(self, table: str, record_id: bytes) -> bool:
        """Withdraw a record, whatever code it bears; say whether there was something to withdraw. It is held no more.

        A snapshot withdraws by what it does not name, under its guard: there the record is not named any more.
        """
        load, kind = self._opened(), shape(table)
        with self._undone_on_failure():
            if load.mode is Mode.SNAPSHOT:
                self._connection.execute("DELETE FROM seen WHERE name = ? AND record_id = ?", (kind.table, record_id))
                done, there = 0, bool(self._current(kind, [record_id]))
            else:
                done = appending.withdraw(self._connection, load, kind, record_id)
                there = bool(done)
            if load.holds:
                there = bool(holding.let_go(self._connection, load.feed, [record_id])) or there
        load.counts.withdrawn += done
        return there

    def current(self, table: str, records: Sequence[bytes]) -> frozenset[bytes]:
        """Name those of these records that have a current fact."""
        self._opened()
        with self._undone_on_failure():
            return self._current(shape(table), records)

    def name(self, table: str, records: Sequence[bytes]) -> None:
        """Note that a snapshot names these records, whatever it says of them: they are not absent."""
        load = self._opened()
        if load.mode is Mode.SNAPSHOT:
            with self._undone_on_failure():
                self._name(table, records)

    def hold(self, records: Sequence[Held]) -> None:
        """Note records of this feed that may not be said; the last word on a record stands."""
        load = self._opened()
        with self._undone_on_failure():
            holding.hold(self._connection, load, records)
        load.holds = load.holds or bool(records)

    def let_go(self, records: Sequence[bytes]) -> None:
        """Forget that these records were held."""
        load = self._opened()
        if load.holds:
            with self._undone_on_failure():
                holding.let_go(self._connection, load.feed, records)

    def waiting(self, *, after: bytes, limit: int) -> tuple[Waiting, ...]:
        """Give records of this feed that wait with a body, by record id after one."""
        return holding.waiting(self._connection, self._opened().feed, after, limit)

    def feeds_waiting(self, *, but_version: int | None) -> tuple[str, ...]:
        """Name the feeds of which records wait with a body that were last read under another directory version."""
        return holding.feeds_waiting(self._connection, but_version)

    def past(self, feed: str, limit: int) -> tuple[Past, ...]:
        """Give the last loads of files of a feed, the newest first."""
        return holding.past(self._connection, feed, limit)

    def later(self, feed: str, digest: bytes) -> tuple[bytes, ...]:
        """Give the files of a feed that were loaded after one, the oldest first; files without rows do not count."""
        return holding.later(self._connection, feed, digest)

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

    def taken(self, sender: str) -> tuple[int, bytes]:
        """Give number and digest of the last manifest that was taken of a sender; 0 and nothing before the first."""
        return holding.taken(self._connection, sender)

    def take(self, sender: str, sequence: int, digest: bytes, now: datetime) -> None:
        """Note that a manifest was taken, after all its files."""
        with self._undone_on_failure():
            self._connection.execute("BEGIN IMMEDIATE")
            holding.take(self._connection, sender, sequence, digest, time_text(now))
            self._connection.execute("COMMIT")

    @property
    def counts(self) -> Counts:
        """The counts of the open load."""
        return self._opened().counts

    def gaps(self, new: int) -> int:
        """Count the gaps of the feed with so many new ones that no record names: what is held is one each."""
        load = self._opened()
        return new + load.gaps + (holding.count(self._connection, load.feed) if load.holds else 0)

    def finish(self, *, data_through: date, figures: Figures = Figures()) -> int:  # noqa: B008 - it is frozen
        """Keep the load, a load of no rows included, and give the version of the facts from now on."""
        load = self._opened()
        with self._undone_on_failure():
            holding.keep(self._connection, load, data_through, figures, self._doer)
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

    def _opened(self) -> Load:
        if self._load is None:
            raise ValueError("no load is open; begin one first")
        return self._load

    def _snapshot(self) -> Load:
        load = self._opened()
        if load.mode is not Mode.SNAPSHOT:
            raise ValueError("only a snapshot says by absence that a record is withdrawn")
        return load

    def _rows(self, load: Load, kind: Shape, rows: Iterable[Row], counts: Counts) -> Iterator[int]:
        remaining, first = iter(rows), 0
        while batch := list(islice(remaining, _BATCH)):
            yield from (first + place for place in appending.put(self._connection, load, kind, batch, counts))
            first += len(batch)
            if load.mode is Mode.SNAPSHOT:
                self._name(kind.table, [row["record_id"] for row in batch])
            if load.holds:
                holding.let_go(self._connection, load.feed, [row["record_id"] for row in batch])

    def _name(self, table: str, records: Sequence[bytes]) -> None:
        self._connection.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?)", ((table, each) for each in records))

    def _current(self, kind: Shape, records: Sequence[bytes]) -> frozenset[bytes]:
        statement = kind.current.format(", ".join("?" * len(records)))
        return frozenset(record for (record,) in self._connection.execute(statement, records))

    @contextmanager
    def _undone_on_failure(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError as error:
            self.abandon()
            raise ValueError(f"a value breaks its column's form ({error}); nothing was loaded") from None
        except sqlite3.Error as error:
            self.abandon()
            if getattr(error, "sqlite_errorname", "") == "SQLITE_BUSY":
                raise NotDurable(_BUSY) from None
            raise NotDurable(f"the load could not be kept ({error}); check the disk and load again") from error
        except BaseException:
            self.abandon()
            raise


def _feed_row(feed: Feed) -> tuple[str | int, ...]:
    names = (feed.id, feed.agency, feed.domain, feed.division, feed.record_class)
    return (*names, feed.frequency_days, feed.history_from.isoformat())
