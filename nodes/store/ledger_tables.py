"""The tables of the member's ledger: its logs, entries with what opens them, tiles of hashes, and signed heads."""

TABLES = (
    # Entry 0 of a log has the number `first`; a log after a loss names the last head of the one before it.
    """CREATE TABLE ledger_log (
        number INTEGER PRIMARY KEY,
        origin TEXT NOT NULL UNIQUE,
        first INTEGER NOT NULL,
        previous BLOB NOT NULL
    ) STRICT""",
    """CREATE TABLE ledger_entry (
        seq INTEGER PRIMARY KEY,
        data BLOB NOT NULL CHECK (length(data) = 64),
        shared_salt BLOB NOT NULL CHECK (length(shared_salt) = 16),
        shared BLOB NOT NULL,
        private_salt BLOB NOT NULL CHECK (length(private_salt) = 16),
        private BLOB NOT NULL
    ) STRICT""",
    """CREATE TABLE ledger_tile (
        log INTEGER NOT NULL REFERENCES ledger_log (number),
        level INTEGER NOT NULL,
        place INTEGER NOT NULL,
        hashes BLOB NOT NULL CHECK (length(hashes) BETWEEN 32 AND 8192),
        UNIQUE (log, level, place)
    ) STRICT""",
    """CREATE TABLE ledger_head (
        log INTEGER PRIMARY KEY REFERENCES ledger_log (number),
        size INTEGER NOT NULL,
        checkpoint BLOB NOT NULL
    ) STRICT""",
    # The entries of an exchange: one at the answerer; two at the asker, before sending and at the end.
    "ALTER TABLE journal ADD COLUMN entry INTEGER",
    "ALTER TABLE sent ADD COLUMN asked_entry INTEGER",
    "ALTER TABLE sent ADD COLUMN closed_entry INTEGER",
)
