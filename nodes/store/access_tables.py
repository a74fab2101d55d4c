"""The table of delays: no row names a subject or a case, and none is ever edited."""

TABLES = (
    """CREATE TABLE access_delay (
        delay_id BLOB PRIMARY KEY CHECK (length(delay_id) = 16),
        digest BLOB NOT NULL,
        agency TEXT NOT NULL,
        case_digest BLOB NOT NULL,
        since TEXT NOT NULL,
        until TEXT NOT NULL,
        evidence BLOB NOT NULL,
        day TEXT NOT NULL,
        entry INTEGER NOT NULL
    ) WITHOUT ROWID, STRICT""",
    "CREATE INDEX access_delay_until ON access_delay (until)",
)
