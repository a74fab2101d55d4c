"""The tables of disclosures: who was told what about whom by the member, and what its own agencies asked elsewhere.

A subject's rows lie together, month by month: what is written, read by subject or removed by age touches the months
it is about, however many years are kept (ADR 0029).
"""

TABLES = (
    "ALTER TABLE disclosure RENAME TO old_disclosure",
    "ALTER TABLE budget RENAME TO old_budget",
    """CREATE TABLE budget (
        id INTEGER PRIMARY KEY,
        day TEXT NOT NULL,
        agency TEXT NOT NULL,
        purpose TEXT NOT NULL,
        spent INTEGER NOT NULL,
        UNIQUE (day, agency, purpose)
    ) STRICT""",
    # What a question and its answer have in common for all their subjects; `entry` is its number in the ledger, and
    # below zero for what was before the ledger.
    """CREATE TABLE provision (
        entry INTEGER PRIMARY KEY,
        side TEXT NOT NULL CHECK (side IN ('ANSWERED', 'ASKED')),
        time TEXT NOT NULL,
        day TEXT NOT NULL,
        member TEXT NOT NULL,
        agency TEXT NOT NULL,
        officer TEXT NOT NULL,
        purpose TEXT NOT NULL,
        application_item TEXT NOT NULL,
        kind TEXT NOT NULL,
        fields TEXT NOT NULL,
        outcome TEXT NOT NULL CHECK (outcome IN ('SENT', 'ANSWERED', 'REFUSED', 'VOID')),
        question_id BLOB NOT NULL
    ) STRICT""",
    # One question to several members is one row: `entries` provisions from `entry` on, with running numbers from
    # `number` on. `budget` is that to which the subject was charged, by the first question of the day alone.
    """CREATE TABLE disclosure (
        month TEXT NOT NULL,
        uscc TEXT NOT NULL,
        number INTEGER NOT NULL,
        entries INTEGER NOT NULL,
        entry INTEGER NOT NULL,
        budget INTEGER,
        PRIMARY KEY (month, uscc, number)
    ) WITHOUT ROWID, STRICT""",
    "CREATE UNIQUE INDEX disclosure_charged ON disclosure (budget, uscc) WHERE budget IS NOT NULL",
    """INSERT INTO budget (day, agency, purpose, spent)
        SELECT day, agency, purpose, spent FROM old_budget ORDER BY day, agency, purpose""",
    """INSERT INTO provision
        SELECT coalesce(entry, -seq), 'ANSWERED', received_time, day, asker, agency, '', purpose, '', kind, fields,
               'ANSWERED', question_id
        FROM journal WHERE seq IN (SELECT seq FROM old_disclosure)""",
    # No entry names their running numbers: they end at 0, and those of the month go on from 1.
    """INSERT INTO disclosure
        SELECT substr(old.day, 1, 7), uscc,
               1 - row_number() OVER (PARTITION BY substr(old.day, 1, 7), uscc ORDER BY old.seq DESC),
               1, coalesce(entry, -old.seq),
               CASE row_number() OVER (PARTITION BY old.day, old.agency, old.purpose, uscc ORDER BY old.seq)
                    WHEN 1 THEN budget.id END
        FROM old_disclosure AS old JOIN journal USING (seq)
        JOIN budget ON (budget.day, budget.agency, budget.purpose) = (old.day, old.agency, old.purpose)""",
    "DROP TABLE old_disclosure",
    "DROP TABLE old_budget",
)
