"""The tables of witnesses: heads held of others' logs, evidence of two histories, own heads that enough cosigned."""

TABLES = (
    # The note bears this member's own cosignature; size and note only ever grow.
    """CREATE TABLE held_head (
        origin TEXT PRIMARY KEY,
        size INTEGER NOT NULL,
        checkpoint BLOB NOT NULL,
        held_time TEXT NOT NULL
    ) WITHOUT ROWID, STRICT""",
    """CREATE TABLE ledger_fork (
        number INTEGER PRIMARY KEY,
        origin TEXT NOT NULL,
        size INTEGER NOT NULL,
        first BLOB NOT NULL,
        second BLOB NOT NULL,
        found_time TEXT NOT NULL,
        UNIQUE (origin, size, second)
    ) STRICT""",
    """CREATE TABLE cosigned_head (
        log INTEGER NOT NULL REFERENCES ledger_log (number),
        size INTEGER NOT NULL,
        checkpoint BLOB NOT NULL,
        witnessed_time TEXT NOT NULL,
        PRIMARY KEY (log, size)
    ) WITHOUT ROWID, STRICT""",
    # What others have seen of the member's own logs and numbers that the disk did not hold when they were asked.
    """CREATE TABLE seen_head (
        origin TEXT PRIMARY KEY,
        log INTEGER NOT NULL,
        size INTEGER NOT NULL,
        checkpoint BLOB NOT NULL,
        forked INTEGER NOT NULL,
        member TEXT NOT NULL,
        seen_time TEXT NOT NULL
    ) WITHOUT ROWID, STRICT""",
    """CREATE TABLE seen_pair (
        member TEXT PRIMARY KEY,
        number INTEGER NOT NULL,
        seen_time TEXT NOT NULL
    ) WITHOUT ROWID, STRICT""",
    "CREATE INDEX journal_asker ON journal (asker, pair_sequence)",
)
