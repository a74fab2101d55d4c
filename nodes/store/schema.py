"""The two database files of a node and the steps that bring an older one up to date.

Facts and exchanges lie apart because SQLite lets one writer into a file: a load of a million rows is one
transaction, and no answer could be made durable while it lasted.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.errors import GatewayError
from nodes.store import consent_tables, tables
from nodes.store.connections import BUSY_SECONDS, make_private

if TYPE_CHECKING:
    from sqlite_utils import Database


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
    for statement in _LOADING_TABLES:
        database.execute(statement)


_LOADING_TABLES = (
    # What became of a load's rows, by deciding agency ('' where the row names none that is known).
    """CREATE TABLE load_count (
        load_id INTEGER NOT NULL,
        agency TEXT NOT NULL,
        name TEXT NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (load_id, agency, name)
    ) WITHOUT ROWID, STRICT""",
    # Records that may not be said yet: a gap of their feed. The body is what a reader of the row needs, sealed;
    # NULL where only a better row helps.
    """CREATE TABLE held (
        feed TEXT NOT NULL,
        record_id BLOB NOT NULL CHECK (length(record_id) = 16),
        reason TEXT NOT NULL,
        load_id INTEGER NOT NULL,
        recorded_time TEXT NOT NULL,
        body BLOB,
        PRIMARY KEY (feed, record_id)
    ) WITHOUT ROWID, STRICT""",
    """CREATE TABLE inbox (
        sender TEXT PRIMARY KEY,
        sequence INTEGER NOT NULL,
        manifest_digest BLOB NOT NULL CHECK (length(manifest_digest) = 32),
        taken_time TEXT NOT NULL
    ) WITHOUT ROWID, STRICT""",
)


def _exchange_1(database: "Database") -> None:
    for statement in _EXCHANGE_TABLES:
        database.execute(statement)


_EXCHANGE_TABLES = (
    "CREATE TABLE storage_day (day TEXT PRIMARY KEY, wrapped_key BLOB NOT NULL) WITHOUT ROWID, STRICT",
    """CREATE TABLE journal (
        seq INTEGER PRIMARY KEY,
        question_id BLOB UNIQUE,
        question_digest BLOB NOT NULL,
        asker TEXT NOT NULL,
        agency TEXT NOT NULL,
        purpose TEXT NOT NULL,
        kind TEXT NOT NULL,
        agreement TEXT NOT NULL,
        case_reference TEXT NOT NULL,
        pair_sequence INTEGER NOT NULL,
        outcome TEXT NOT NULL CHECK (outcome IN ('ANSWERED', 'REFUSED')),
        reason TEXT NOT NULL,
        facts_version INTEGER NOT NULL,
        fields TEXT NOT NULL,
        received_time TEXT NOT NULL,
        day TEXT NOT NULL,
        question_body BLOB NOT NULL,
        reply_body BLOB NOT NULL
    ) STRICT""",
    """CREATE TABLE disclosure (
        agency TEXT NOT NULL,
        purpose TEXT NOT NULL,
        day TEXT NOT NULL,
        uscc TEXT NOT NULL,
        question_id BLOB NOT NULL,
        seq INTEGER NOT NULL REFERENCES journal (seq),
        PRIMARY KEY (agency, purpose, day, uscc, question_id)
    ) WITHOUT ROWID, STRICT""",
    """CREATE TABLE budget (
        agency TEXT NOT NULL,
        purpose TEXT NOT NULL,
        day TEXT NOT NULL,
        spent INTEGER NOT NULL,
        PRIMARY KEY (agency, purpose, day)
    ) WITHOUT ROWID, STRICT""",
    "CREATE TABLE pair (member TEXT PRIMARY KEY, next INTEGER NOT NULL) WITHOUT ROWID, STRICT",
    """CREATE TABLE sent (
        question_id BLOB PRIMARY KEY,
        question_digest BLOB NOT NULL,
        member TEXT NOT NULL,
        pair_sequence INTEGER NOT NULL,
        outcome TEXT NOT NULL CHECK (outcome IN ('SENT', 'ANSWERED', 'REFUSED', 'VOID')),
        reply_digest BLOB,
        question_body BLOB NOT NULL,
        reply_body BLOB,
        sent_day TEXT NOT NULL,
        sent_time TEXT NOT NULL,
        closed_time TEXT,
        UNIQUE (member, pair_sequence)
    ) STRICT""",
    "CREATE INDEX sent_unfinished ON sent (sent_time) WHERE outcome = 'SENT'",
    """CREATE TABLE result (
        seq INTEGER PRIMARY KEY,
        agency TEXT NOT NULL,
        case_reference TEXT NOT NULL,
        body BLOB NOT NULL,
        day TEXT NOT NULL,
        time TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX result_case ON result (agency, case_reference)",
    """CREATE TABLE recognition (
        seq INTEGER PRIMARY KEY,
        recognition_id BLOB NOT NULL UNIQUE,
        uscc TEXT NOT NULL,
        agency TEXT NOT NULL,
        agreement_id TEXT NOT NULL,
        body BLOB NOT NULL,
        day TEXT NOT NULL,
        supersedes BLOB NOT NULL
    ) STRICT""",
    "CREATE INDEX recognition_scope ON recognition (uscc, agency, agreement_id)",
    """CREATE TABLE cases (
        agency TEXT NOT NULL,
        case_reference TEXT NOT NULL,
        purpose TEXT NOT NULL,
        application_item TEXT NOT NULL,
        subject_count INTEGER NOT NULL,
        open_time TEXT NOT NULL,
        officer TEXT NOT NULL,
        approving_officer TEXT NOT NULL,
        PRIMARY KEY (agency, case_reference)
    ) WITHOUT ROWID, STRICT""",
    "CREATE TABLE pulse (id INTEGER PRIMARY KEY CHECK (id = 1), beat INTEGER NOT NULL) STRICT",
)


def _exchange_2(database: "Database") -> None:
    """Under which published item a result was asked for: the index alone tells which items are used."""
    database.execute("ALTER TABLE result ADD COLUMN application_item TEXT NOT NULL DEFAULT ''")
    database.execute("CREATE INDEX result_item ON result (day, application_item)")


def _exchange_3(database: "Database") -> None:
    """Officers' sessions, and what waits for a second officer (duty U7)."""
    for statement in _ACCOUNT_TABLES:
        database.execute(statement)


_ACCOUNT_TABLES = (
    """CREATE TABLE session (
        seq INTEGER PRIMARY KEY,
        assertion_digest BLOB NOT NULL UNIQUE CHECK (length(assertion_digest) = 32),
        agency TEXT NOT NULL,
        officer TEXT NOT NULL,
        roles TEXT NOT NULL,
        from_time TEXT NOT NULL,
        until_time TEXT NOT NULL,
        open_time TEXT NOT NULL,
        close_time TEXT,
        closing_officer TEXT NOT NULL,
        assertion BLOB NOT NULL
    ) STRICT""",
    "CREATE INDEX session_agency ON session (agency, officer)",
    # What was handed in names subjects and lies sealed; the row itself names none.
    """CREATE TABLE submission (
        seq INTEGER PRIMARY KEY,
        submission_id BLOB NOT NULL UNIQUE CHECK (length(submission_id) = 32),
        agency TEXT NOT NULL,
        officer TEXT NOT NULL,
        purpose TEXT NOT NULL,
        application_item TEXT NOT NULL,
        case_reference TEXT NOT NULL,
        kind TEXT NOT NULL,
        subject_count INTEGER NOT NULL,
        submit_time TEXT NOT NULL,
        expire_time TEXT NOT NULL,
        state TEXT NOT NULL,
        approving_officer TEXT NOT NULL,
        decide_time TEXT,
        reason TEXT NOT NULL,
        day TEXT NOT NULL,
        body BLOB NOT NULL,
        decision BLOB,
        answer BLOB
    ) STRICT""",
    "CREATE INDEX submission_agency ON submission (agency)",
)


def _exchange_4(database: "Database") -> None:
    """Keys and authorisations of subjects, for their home member."""
    for statement in consent_tables.TABLES:
        database.execute(statement)


# A step that was released is never edited: a change is a further step.
_FACTS: "tuple[Callable[[Database], None], ...]" = (_facts_1, _facts_2)
_EXCHANGE: "tuple[Callable[[Database], None], ...]" = (_exchange_1, _exchange_2, _exchange_3, _exchange_4)
