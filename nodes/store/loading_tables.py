"""The tables of what a load is measured by, of records that wait, and of the inbox of a one-way gap."""

TABLES = (
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
