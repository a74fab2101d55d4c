"""The tables of subjects' keys and authorisations: no row names a subject, and none is ever edited."""

TABLES = (
    """CREATE TABLE subject_key (
        seq INTEGER PRIMARY KEY,
        key_id TEXT NOT NULL UNIQUE,
        subject BLOB NOT NULL CHECK (length(subject) = 32),
        digest BLOB NOT NULL,
        valid_until TEXT NOT NULL,
        body BLOB NOT NULL,
        evidence BLOB NOT NULL,
        day TEXT NOT NULL,
        time TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX subject_key_subject ON subject_key (subject)",
    """CREATE TABLE subject_key_end (
        key_id TEXT PRIMARY KEY,
        evidence BLOB NOT NULL,
        day TEXT NOT NULL,
        time TEXT NOT NULL
    ) WITHOUT ROWID, STRICT""",
    """CREATE TABLE consent (
        seq INTEGER PRIMARY KEY,
        authorisation_id BLOB NOT NULL UNIQUE CHECK (length(authorisation_id) = 16),
        subject BLOB NOT NULL CHECK (length(subject) = 32),
        digest BLOB NOT NULL,
        use_limit INTEGER NOT NULL,
        valid_until TEXT NOT NULL,
        body BLOB NOT NULL,
        evidence BLOB NOT NULL,
        day TEXT NOT NULL,
        time TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX consent_subject ON consent (subject)",
    """CREATE TABLE consent_end (
        authorisation_id BLOB PRIMARY KEY,
        evidence BLOB NOT NULL,
        day TEXT NOT NULL,
        time TEXT NOT NULL
    ) WITHOUT ROWID, STRICT""",
    """CREATE TABLE consent_use (
        authorisation_id BLOB NOT NULL,
        use_id BLOB NOT NULL,
        digest BLOB NOT NULL,
        time TEXT NOT NULL,
        PRIMARY KEY (authorisation_id, use_id)
    ) WITHOUT ROWID, STRICT""",
)
