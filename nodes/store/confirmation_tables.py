"""What confirming adds: receipts that a member's witnessed ledger does not bear out; and witnessed heads by time."""

TABLES = (
    """CREATE TABLE contradiction (
        origin TEXT NOT NULL,
        member TEXT NOT NULL,
        number INTEGER NOT NULL,
        found_time TEXT NOT NULL,
        PRIMARY KEY (member, origin, number)
    ) WITHOUT ROWID, STRICT""",
    "CREATE INDEX cosigned_time ON cosigned_head (witnessed_time)",
)
