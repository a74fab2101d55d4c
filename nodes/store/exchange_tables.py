"""The tables of exchanges as the first step makes them: what was answered, asked, concluded and kept."""

TABLES = (
    "CREATE TABLE storage_day (day TEXT PRIMARY KEY, wrapped_key BLOB NOT NULL) WITHOUT ROWID, STRICT",
    """CREATE TABLE journal (
        seq INTEGER PRIMARY KEY,
        question_id BLOB UNIQUE,
        question_digest BLOB NOT NULL,
        asker TEXT NOT NULL,
        agency TEXT NOT NULL,
        purpose TEXT NOT NULL,
        kind TEXT NOT NULL,
        agreement TEXT NOT NULL,
        case_reference TEXT NOT NULL,
        pair_sequence INTEGER NOT NULL,
        outcome TEXT NOT NULL CHECK (outcome IN ('ANSWERED', 'REFUSED')),
        reason TEXT NOT NULL,
        facts_version INTEGER NOT NULL,
        fields TEXT NOT NULL,
        received_time TEXT NOT NULL,
        day TEXT NOT NULL,
        question_body BLOB NOT NULL,
        reply_body BLOB NOT NULL
    ) STRICT""",
    """CREATE TABLE disclosure (
        agency TEXT NOT NULL,
        purpose TEXT NOT NULL,
        day TEXT NOT NULL,
        uscc TEXT NOT NULL,
        question_id BLOB NOT NULL,
        seq INTEGER NOT NULL REFERENCES journal (seq),
        PRIMARY KEY (agency, purpose, day, uscc, question_id)
    ) WITHOUT ROWID, STRICT""",
    """CREATE TABLE budget (
        agency TEXT NOT NULL,
        purpose TEXT NOT NULL,
        day TEXT NOT NULL,
        spent INTEGER NOT NULL,
        PRIMARY KEY (agency, purpose, day)
    ) WITHOUT ROWID, STRICT""",
    "CREATE TABLE pair (member TEXT PRIMARY KEY, next INTEGER NOT NULL) WITHOUT ROWID, STRICT",
    """CREATE TABLE sent (
        question_id BLOB PRIMARY KEY,
        question_digest BLOB NOT NULL,
        member TEXT NOT NULL,
        pair_sequence INTEGER NOT NULL,
        outcome TEXT NOT NULL CHECK (outcome IN ('SENT', 'ANSWERED', 'REFUSED', 'VOID')),
        reply_digest BLOB,
        question_body BLOB NOT NULL,
        reply_body BLOB,
        sent_day TEXT NOT NULL,
        sent_time TEXT NOT NULL,
        closed_time TEXT,
        UNIQUE (member, pair_sequence)
    ) STRICT""",
    "CREATE INDEX sent_unfinished ON sent (sent_time) WHERE outcome = 'SENT'",
    """CREATE TABLE result (
        seq INTEGER PRIMARY KEY,
        agency TEXT NOT NULL,
        case_reference TEXT NOT NULL,
        body BLOB NOT NULL,
        day TEXT NOT NULL,
        time TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX result_case ON result (agency, case_reference)",
    """CREATE TABLE recognition (
        seq INTEGER PRIMARY KEY,
        recognition_id BLOB NOT NULL UNIQUE,
        uscc TEXT NOT NULL,
        agency TEXT NOT NULL,
        agreement_id TEXT NOT NULL,
        body BLOB NOT NULL,
        day TEXT NOT NULL,
        supersedes BLOB NOT NULL
    ) STRICT""",
    "CREATE INDEX recognition_scope ON recognition (uscc, agency, agreement_id)",
    """CREATE TABLE cases (
        agency TEXT NOT NULL,
        case_reference TEXT NOT NULL,
        purpose TEXT NOT NULL,
        application_item TEXT NOT NULL,
        subject_count INTEGER NOT NULL,
        open_time TEXT NOT NULL,
        officer TEXT NOT NULL,
        approving_officer TEXT NOT NULL,
        PRIMARY KEY (agency, case_reference)
    ) WITHOUT ROWID, STRICT""",
    "CREATE TABLE pulse (id INTEGER PRIMARY KEY CHECK (id = 1), beat INTEGER NOT NULL) STRICT",
)
