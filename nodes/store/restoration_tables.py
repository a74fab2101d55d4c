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
# Who restored stands in the outbox, with the statement that proves it.
WITHOUT_OFFICER = ("ALTER TABLE restoration DROP COLUMN officer",)
