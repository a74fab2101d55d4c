"""The table of previews: what a subject read of itself as an agency would; a row counts for its day."""

TABLES = (
    """CREATE TABLE preview (
        entry INTEGER PRIMARY KEY,
        digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
        uscc TEXT NOT NULL,
        time TEXT NOT NULL,
        day TEXT NOT NULL,
        member TEXT NOT NULL,
        key_id TEXT NOT NULL,
        agency TEXT NOT NULL,
        purpose TEXT NOT NULL,
        application_item TEXT NOT NULL,
        kind TEXT NOT NULL,
        fields TEXT NOT NULL,
        reading_id BLOB NOT NULL CHECK (length(reading_id) = 16)
    ) STRICT""",
    "CREATE INDEX preview_subject ON preview (uscc, day)",
    "CREATE INDEX preview_member ON preview (member, day)",
)
