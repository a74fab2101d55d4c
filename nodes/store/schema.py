"""The two database files of a node and the steps that bring an older one up to date.

Facts and exchanges lie apart because SQLite lets one writer into a file: a load of a million rows is one
transaction, and no answer could be made durable while it lasted.
"""

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.errors import GatewayError
from keys import moments
from nodes.store import (
    access_tables,
    account_tables,
    confirmation_tables,
    consent_tables,
    disclosure_tables,
    evidence_tables,
    exchange_tables,
    ledger_tables,
    loading_tables,
    outbox_tables,
    pair_tables,
    preview_tables,
    restoration_tables,
    retention_tables,
    tables,
    witness_tables,
)
from nodes.store.connections import BUSY_SECONDS, make_private

if TYPE_CHECKING:
    from sqlite_utils import Database


RESTORING = "restoring"
"""Folder beside the databases in which a restore is under way, or was interrupted."""


class StoreUnusable(GatewayError):
    """The database cannot be used as it is; the text says why and what to do."""


def facts_path(path: Path) -> Path:
    """Give the file of facts beside the file of exchanges."""
    return path.with_name(f"{path.stem}-facts{path.suffix}")


def prepare_facts(path: Path) -> None:
    """Create or upgrade the file of facts; as `_prepare`."""
    _prepare(path, _FACTS)


def prepare_exchange(path: Path) -> None:
    """Create or upgrade the file of exchanges; as `_prepare`."""
    _prepare(path, _EXCHANGE)


def _prepare(path: Path, steps: "tuple[Callable[[Database], None], ...]") -> None:
    """Apply the missing steps, all or none; several processes may do so at once.

    Raises:
        StoreUnusable: when the file is of a newer version, is no database or cannot be written.
    """
    try:
        make_private(path)
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS)
        try:
            if _version(connection, path, len(steps)) < len(steps):
                _migrate(connection, path, steps)
        finally:
            connection.close()
    except (OSError, sqlite3.Error) as error:
        raise StoreUnusable(
            f"{path.name} cannot be opened ({type(error).__name__}: {_reason(error)}); "
            "check the data folder, its owner and the free space"
        ) from error


def _reason(error: OSError | sqlite3.Error) -> str:
    return (error.strerror or "I/O error") if isinstance(error, OSError) else str(error)


def _version(connection: sqlite3.Connection, path: Path, known: int) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > known:
        raise StoreUnusable(
            f"{path.name} has schema version {version} and this program knows up to {known}; "
            "run the newer program, or restore a backup made by this one"
        )
    return version


def _migrate(connection: sqlite3.Connection, path: Path, steps: "tuple[Callable[[Database], None], ...]") -> None:
    from sqlite_utils import Database  # only a new or old file pays for its import

    connection.execute("PRAGMA journal_mode = WAL")
    database = Database(connection, recursive_triggers=False, execute_plugins=False)
    # The lock first: `atomic` alone would begin by reading, and two processes could both see the old version.
    connection.execute("BEGIN IMMEDIATE")
    try:
        with database.atomic():
            for step in steps[_version(connection, path, len(steps)) :]:
                step(database)
            connection.execute(f"PRAGMA user_version = {len(steps)}")
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def _facts_1(database: "Database") -> None:
    for table in tables.FACTS:
        for statement in tables.definition(table):
            database.execute(statement)
    feed = dict.fromkeys(("id", "agency", "domain", "division", "record_class", "history_from"), str)
    database.create_table(
        "feed", feed | {"frequency_days": int}, pk="id", not_null={*feed, "frequency_days"}, strict=True
    )
    counts = dict.fromkeys(("accepted", "corrected", "withdrawn", "not_ours", "rejected", "gaps"), int)
    texts = dict.fromkeys(("feed", "mode", "loaded_time"), str)
    database.create_table(
        "load",
        {"id": int, "file_digest": bytes, "data_through": str} | texts | counts,
        pk="id",
        not_null={"file_digest", *texts, *counts},
        strict=True,
    )
    database.table("load").create_index(["feed", "id"])


def _facts_2(database: "Database") -> None:
    """Further record classes, what a load is measured by, records that wait, and the inbox of a one-way gap.

    Tables of an older program are copied: their columns were fewer, and their rows lay in the order of subjects.
    """
    known = set(database.table_names())
    for table in tables.FACTS:
        if table in known and "WITHOUT ROWID" not in database.table(table).schema:
            continue
        kept = list(database.table(table).columns_dict) if table in known else []
        if kept:
            database.execute(f"DROP INDEX {table}_record")
            database.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
        for statement in tables.definition(table):
            database.execute(statement)
        if kept:
            names = ", ".join(kept)
            database.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM old_{table} ORDER BY load_id")  # noqa: S608 - listed names
            database.execute(f"DROP TABLE old_{table}")
    for name in ("rows", "unchanged", "out_of_scope", "held", "late", "directory_version"):
        database.execute(f"ALTER TABLE load ADD COLUMN {name} INTEGER NOT NULL DEFAULT 0")
    for statement in loading_tables.TABLES:
        database.execute(statement)


def _facts_3(database: "Database") -> None:
    """The act of each load, for the ledger; who loaded before is not known."""
    from nodes.store.doers import NOBODY, note_load  # they need the schema themselves

    for statement in outbox_tables.FACTS:
        database.execute(statement)
    for number, time in database.execute("SELECT id, loaded_time FROM load ORDER BY id").fetchall():
        note_load(database.conn, number, NOBODY, moments.read(time))


def _exchange_1(database: "Database") -> None:
    for statement in exchange_tables.TABLES:
        database.execute(statement)


def _exchange_2(database: "Database") -> None:
    """Under which published item a result was asked for: the index alone tells which items are used."""
    database.execute("ALTER TABLE result ADD COLUMN application_item TEXT NOT NULL DEFAULT ''")
    database.execute("CREATE INDEX result_item ON result (day, application_item)")


def _exchange_3(database: "Database") -> None:
    """Officers' sessions, and what waits for a second officer (duty U7)."""
    for statement in account_tables.TABLES:
        database.execute(statement)


def _exchange_4(database: "Database") -> None:
    """Keys and authorisations of subjects, for their home member."""
    for statement in consent_tables.TABLES:
        database.execute(statement)


def _making(statements: Iterable[str]) -> "Callable[[Database], None]":
    """Give the step that makes tables: what was exchanged before them stands in none."""

    def step(database: "Database") -> None:
        for statement in statements:
            database.execute(statement)

    return step


_LATER = (
    ledger_tables.TABLES,
    witness_tables.TABLES,
    disclosure_tables.TABLES,
    retention_tables.TABLES,
    pair_tables.TABLES,
    outbox_tables.EXCHANGE,
    access_tables.TABLES,
    evidence_tables.TABLES,
    restoration_tables.TABLES,
    preview_tables.TABLES,
    confirmation_tables.TABLES,
    restoration_tables.WITHOUT_OFFICER,
)
# A step that was released is never edited: a change is a further step.
_FACTS: "tuple[Callable[[Database], None], ...]" = (_facts_1, _facts_2, _facts_3)
_EXCHANGE: "tuple[Callable[[Database], None], ...]" = (
    _exchange_1,
    _exchange_2,
    _exchange_3,
    _exchange_4,
    *map(_making, _LATER),
)
