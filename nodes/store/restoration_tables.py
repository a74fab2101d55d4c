"""The table of restorations: while one is not recovered, nothing is entered in the ledger."""

TABLES = (
    """CREATE TABLE restoration (
        number INTEGER PRIMARY KEY,
        backup_time TEXT NOT NULL,
        restored_time TEXT NOT NULL,
        officer TEXT NOT NULL,
        digest BLOB NOT NULL,
        recovered_time TEXT
    ) STRICT""",
)
