"""Loads files of declared feeds into a member's store; what a file is of, its name says: FEED.csv, FEED.002.xlsx."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from itertools import count, groupby
from pathlib import Path

from gateway.charter import Charter
from gateway.clocks import civil_day
from gateway.errors import NotDurable
from gateway.ports import Feed
from keys import custody
from nodes.acts import check_role
from nodes.bundle.following import current_charter
from nodes.config import DATABASE, Config
from nodes.declarations import FILE, read_feeds
from nodes.ingest import Fault, FileRefused, Problem, Report, Terms, ingest, release
from nodes.ingest.report import Sink
from nodes.leave import Leaves, file_sha256
from nodes.store import Loading, Mode, Store
from nodes.store.doers import ADMINISTER, NOBODY, Doer

Progress = Callable[[Path, int, float], None]
"""Told a file, its rows so far, and the part of it that they are."""

Problems = Callable[[Path, Problem], None]
"""Told a file and a problem of it, as it is found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How files are to be taken: what changed or everything, complete up to which day, and who allows withdrawals."""

    mode: Mode = Mode.DELTA
    data_through: date | None = None
    leaves: tuple[Path, ...] = ()
    problems: Problems | None = None
    doer: Doer = NOBODY
    """Who loads, as the ledger names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What became of one file, or of the held rows of a feed, which have no path.

    A report, or the reason why it was refused as a whole, or neither when the same file was loaded before.
    """

    path: Path | None
    feed: str
    report: Report | None = None
    refused: FileRefused | None = None
    gaps: int = 0
    """Gaps that a feed still has whose file was passed over."""

    @property
    def unchanged(self) -> bool:
        """Whether the file was passed over."""
        return self.report is None and self.refused is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A file, the feed that it is of, and how it is to be taken."""

    path: Path
    feed: str
    terms: Terms


Identity = tuple[str, str, str, int]
"""Digest, mode, day reached and version of the directory: what makes two loads of a file the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """The files of one feed among those to be loaded."""

    files: int
    passed: int
    """So many at the beginning were loaded just before."""

    older: frozenset[int]
    """Places of files after which others were loaded."""

    places: Iterator[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """The way into a member's store while it is open: its feeds, its tables, one writer."""

    loading: Loading
    charter: Charter
    feeds: dict[str, Feed]
    secret: bytes
    now: datetime

    def release(self, *, again: bool = False) -> Iterator[Loaded]:
        """Read held rows again: those that were last read under other tables, or all."""
        told = {"secret": self.secret, "now": self.now}
        for report in release(self.loading, self.charter, self.feeds, again=again, **told):  # type: ignore[arg-type]
            yield Loaded(path=None, feed=report.feed, report=report)

    def load(self, items: Sequence[Item]) -> Iterator[Loaded]:
        """Load files, each in a transaction of its own; those that an interrupted run loaded last are passed over.

        A file that is refused leaves nothing behind and stops no other.
        """
        by_feed: dict[str, list[Item]] = {}
        for item in items:
            by_feed.setdefault(item.feed, []).append(item)
        parts = {feed: self._part(each) for feed, each in by_feed.items()}
        for item in items:
            part = parts[item.feed]
            place = next(part.places)
            if place < part.passed:
                yield Loaded(path=item.path, feed=item.feed, gaps=self.feeds[item.feed].gaps)
                continue
            try:
                yield Loaded(path=item.path, feed=item.feed, report=self._load(item, part, place))
            except FileRefused as refused:
                yield Loaded(path=item.path, feed=item.feed, refused=refused)

    def _load(self, item: Item, part: _Part, place: int) -> Report:
        if not os.path.lexists(item.path):
            raise FileRefused(Fault.NO_FILE)
        if item.feed not in self.feeds:
            raise FileRefused(Fault.NO_FEED)
        if item.terms.mode is Mode.SNAPSHOT and part.files > 1:
            raise FileRefused(Fault.SNAPSHOT_IN_PARTS, feed=item.feed, parts=part.files)
        if place in part.older and item.terms.mode is Mode.DELTA:
            raise FileRefused(Fault.LOADED_BEFORE, feed=item.feed)
        feed, told = self.feeds[item.feed], {"secret": self.secret, "now": self.now, "terms": item.terms}
        try:
            return ingest(item.path, feed, self.loading, self.charter, **told)  # type: ignore[arg-type]
        except ValueError:  # one file's, and undone: it must not stop those of others
            raise FileRefused(Fault.UNEXPECTED, feed=item.feed) from None

    def _part(self, items: Sequence[Item]) -> _Part:
        """Compare a feed's files with its earlier loads, before any of them is loaded."""
        told = [self._identity(each) for each in items] if self.loading.past(items[0].feed, 1) else []
        older = frozenset(place for place in range(len(told)) if self._is_older(items[place].feed, told[place:]))
        return _Part(files=len(items), passed=self._passed(items[0].feed, told), older=older, places=count())

    def _is_older(self, feed: str, told: Sequence[Identity]) -> bool:
        """Say whether files that do not follow it now were loaded after one: it would bring back what they ended."""
        digests = [bytes.fromhex(each[0]) for each in told]
        later = [each for each, _ in groupby(self.loading.later(feed, digests[0]))]
        return bool(digests[0]) and later != digests[1 : len(later) + 1]

    def _passed(self, feed: str, told: Sequence[Identity]) -> int:
        """Count how many of a feed's files are exactly its last loads, in their order."""
        past = [
            (each.file_digest.hex(), each.mode, each.data_through, each.directory_version)
            for each in self.loading.past(feed, len(told))
        ][::-1]
        return next((many for many in range(len(past), 0, -1) if past[-many:] == told[:many]), 0)

    def _identity(self, item: Item) -> Identity:
        through = item.terms.data_through or civil_day(self.now)
        try:
            digest = file_sha256(item.path)
        except OSError:
            digest = ""  # its own load tells why
        return digest, item.terms.mode.value, through.isoformat(), self.charter.directory.version


@contextmanager
def open_door(config: Config, folder: Path, *, now: datetime, doer: Doer = NOBODY) -> Iterator[Door]:
    """Open the store for loading, and declare the feeds that stand beside the config (in `folder`).

    Raises:
        OSError, KeysError, CatalogueMalformed, StoreUnusable, NotDurable: as the parts do.
        RoleMissing: when who loads does not administer today.
    """
    secret = custody.load_secret(config.storage_key, custody.read_passphrase(config.passphrase_file))
    charter = current_charter(config)
    check_role(charter, doer, ADMINISTER, now)
    store = Store.open(config.data / DATABASE, secret)
    try:
        with store.loading(doer) as loading:
            loading.declare_feeds(read_feeds(folder / FILE))
            feeds = {each.id: each for each in store.source.feeds()}
            yield Door(loading=loading, charter=charter, feeds=feeds, secret=secret, now=now)
            with suppress(NotDurable):  # what was loaded is safe in the log, which a later load moves
                loading.checkpoint()
    finally:
        store.close()


def take_in(
    config: Config,
    folder: Path,
    paths: Iterable[Path],
    *,
    now: datetime,
    delivery: Delivery,
    feed_id: str = "",
    again: bool = False,
    progress: Progress = lambda _path, _rows, _part: None,
) -> Iterator[Loaded]:
    """Release what newer tables cure, then load each file; with `again` every held row is looked at.

    Raises:
        OSError, KeysError, CatalogueMalformed, StoreUnusable, NotDurable: as `open_door`; files before stay loaded.
    """
    with open_door(config, folder, now=now, doer=delivery.doer) as door:
        yield from door.release(again=again)
        leave = Leaves(paths=delivery.leaves, charter=door.charter, now=now) if delivery.leaves else None
        yield from door.load(
            [
                Item(
                    path=path,
                    feed=feed_id or feed_of(path),
                    terms=Terms(
                        mode=delivery.mode,
                        data_through=delivery.data_through,
                        leave=leave,
                        progress=lambda rows, part, path=path: progress(path, rows, part),  # type: ignore[misc]
                        sink=sink_of(delivery.problems, path),
                    ),
                )
                for path in paths
            ]
        )


def sink_of(problems: Problems | None, path: Path) -> Sink | None:
    """Give what takes the problems of one file."""
    return None if problems is None else lambda problem: problems(path, problem)


def feed_of(path: Path) -> str:
    """Give the feed that a file's name tells: what stands before the first dot."""
    return path.name.partition(".")[0]
