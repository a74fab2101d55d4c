"""The tables of officers' sessions, and of what waits for a second officer (duty U7)."""

TABLES = (
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
