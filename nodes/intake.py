"""Loads files of declared feeds into a member's store; what a file is of, its name says: FEED.csv."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from gateway.charter import Charter
from gateway.kinds import KINDS
from gateway.ports import Feed
from keys import custody
from nodes.charters import Charters, read_root
from nodes.config import DATABASE, Config
from nodes.declarations import FILE, read_feeds
from nodes.ingest import FileRefused, Report, ingest
from nodes.ingest.files import Fault
from nodes.store import Mode, Store

Progress = Callable[[Path, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How files are to be taken: what changed or everything, complete up to which day, and since when."""

    mode: Mode = Mode.DELTA
    data_through: date | None = None
    allow_withdrawals: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What became of one file: a report, or the reason why it was refused as a whole."""

    path: Path
    report: Report | None
    refused: FileRefused | None = None


def take_in(
    config: Config,
    folder: Path,
    paths: Iterable[Path],
    *,
    now: datetime,
    delivery: Delivery,
    feed_id: str = "",
    progress: Progress = lambda _path, _rows: None,
) -> Iterator[Loaded]:
    """Declare the feeds that stand beside the config (in `folder`), then load each file in a transaction of its own.

    A file that is refused leaves nothing behind and stops no other.

    Raises:
        OSError, KeysError, CatalogueMalformed, StoreUnusable, NotDurable: as the parts do; files before stay loaded.
    """
    secret = custody.load_secret(config.storage_key, custody.read_passphrase(config.passphrase_file))
    charter = _charter(config)
    store = Store.open(config.data / DATABASE, secret)
    try:
        with store.loading() as loading:
            loading.declare_feeds(read_feeds(folder / FILE))
            feeds = {each.id: each for each in store.source.feeds()}
            for path in paths:
                try:
                    report = ingest(
                        path,
                        _feed(feeds, feed_id or path.stem),
                        loading,
                        charter,
                        secret=secret,
                        now=now,
                        mode=delivery.mode,
                        data_through=delivery.data_through,
                        allow_withdrawals=delivery.allow_withdrawals,
                        progress=lambda rows, path=path: progress(path, rows),  # type: ignore[misc]  # bound now
                    )
                    yield Loaded(path=path, report=report)
                except FileRefused as refused:
                    yield Loaded(path=path, report=None, refused=refused)
            loading.checkpoint()
    finally:
        store.close()


def _feed(feeds: dict[str, Feed], feed_id: str) -> Feed:
    if feed_id not in feeds:
        raise FileRefused(Fault.NO_FEED)
    return feeds[feed_id]


def _charter(config: Config) -> Charter:
    return Charters(
        me=config.member,
        path=config.directory,
        root=read_root(config.root),
        floor=config.data / "directory.version",
        kinds=KINDS,
    ).current
