"""What ties a combined result to its exchanges and its entry in the ledger, and what became of answers since."""

TABLES = (
    "ALTER TABLE result ADD COLUMN digest BLOB NOT NULL DEFAULT x''",
    "ALTER TABLE result ADD COLUMN entry INTEGER",
    "CREATE INDEX result_digest ON result (digest)",
    "ALTER TABLE sent ADD COLUMN result INTEGER",
    "CREATE INDEX sent_result ON sent (result) WHERE result IS NOT NULL",
    # Marks are appended: what was said of an answer later is never taken back, only followed by another.
    """CREATE TABLE answer_mark (
        seq INTEGER PRIMARY KEY,
        question_id BLOB NOT NULL,
        mark TEXT NOT NULL CHECK (mark IN ('SUPERSEDED', 'RECALLED', 'DISPUTED')),
        mark_time TEXT NOT NULL,
        notice_digest BLOB NOT NULL,
        UNIQUE (question_id, mark, notice_digest)
    ) STRICT""",
)
