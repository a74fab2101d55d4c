"""What reconciliation adds to the tables of exchanges: how far each pair is compared, and what does not agree."""

TABLES = (
    # A member's partners ask for its answers by number.
    "CREATE INDEX journal_pair ON journal (asker, pair_sequence) WHERE pair_sequence > 0",
    # A day's numbers, first to last; compared up to the one before `next`, all of them once there is a time. Counts are
    # the day's, the digest that of the month up to here.
    """CREATE TABLE reconciled_day (
        asker TEXT NOT NULL,
        answerer TEXT NOT NULL,
        day TEXT NOT NULL,
        first INTEGER NOT NULL,
        next INTEGER NOT NULL,
        answered INTEGER NOT NULL,
        refused INTEGER NOT NULL,
        void INTEGER NOT NULL,
        digest BLOB NOT NULL,
        time TEXT,
        PRIMARY KEY (asker, answerer, day)
    ) WITHOUT ROWID, STRICT""",
    """CREATE TABLE finding (
        asker TEXT NOT NULL,
        answerer TEXT NOT NULL,
        number INTEGER NOT NULL,
        day TEXT NOT NULL,
        difference TEXT NOT NULL,
        lacking TEXT NOT NULL,
        asker_entries TEXT NOT NULL,
        answerer_entries TEXT NOT NULL,
        time TEXT NOT NULL,
        PRIMARY KEY (asker, answerer, number)
    ) WITHOUT ROWID, STRICT""",
    """CREATE TABLE statement (
        partner TEXT NOT NULL,
        month TEXT NOT NULL,
        body BLOB NOT NULL,
        entry INTEGER NOT NULL,
        time TEXT NOT NULL,
        PRIMARY KEY (partner, month)
    ) WITHOUT ROWID, STRICT""",
)
