"""Copies both database files while a node runs, as of one moment."""

import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

from nodes.store.connections import connect_read_only, make_private
from nodes.store.schema import StoreUnusable, facts_path, prepare_exchange, prepare_facts

_PAGES = 4_096

Tell = Callable[[int, int], object]
"""Told how many pages have passed, of how many."""


def copy_databases(path: Path, target: Path, tell: Tell = lambda *_: None) -> None:
    """Copy exchanges to `target` and facts to the file beside it; both are written anew and whole.

    The snapshot of the exchanges is taken first. Facts are only ever appended, so that those of the later snapshot
    hold every version on which an answer of the earlier one rests.

    Raises:
        StoreUnusable: when a file cannot be read or written.
    """
    files = ((path, target, prepare_exchange), (facts_path(path), facts_path(target), prepare_facts))
    try:
        with ExitStack() as opened:
            snapshots = []
            for file, copy, prepare in files:
                prepare(file)
                source = opened.enter_context(closing(connect_read_only(file)))
                source.execute("BEGIN")
                source.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # the first read takes the snapshot
                snapshots.append((source, copy))
            for source, copy in snapshots:
                _copy(source, copy, tell)
    except (OSError, sqlite3.Error) as error:
        raise StoreUnusable(f"the databases were not copied ({type(error).__name__}); check the free space") from error


def _copy(source: sqlite3.Connection, target: Path, tell: Tell) -> None:
    make_private(target)
    with closing(sqlite3.connect(target)) as made:
        source.backup(made, pages=_PAGES, progress=lambda _, left, total: tell(total - left, total))


def check_database(path: Path) -> None:
    """Return when a database file is whole.

    Raises:
        StoreUnusable: when it is not.
    """
    try:
        with closing(sqlite3.connect(path)) as connection:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error:
        found = None
    if found != ("ok",):
        raise StoreUnusable(f"{path.name} is damaged; take another backup")
