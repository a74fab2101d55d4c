"""The tables of acts that other processes did: they wait here until the leading worker enters them in the ledger."""

_ACT = """
        name TEXT NOT NULL,
        role TEXT NOT NULL,
        officer TEXT NOT NULL,
        agency TEXT NOT NULL,
        digest BLOB NOT NULL,
        time TEXT NOT NULL,
        evidence BLOB NOT NULL"""

FACTS = (
    # One row a load, under its number: it is written in the load's own transaction.
    f"CREATE TABLE load_act (seq INTEGER PRIMARY KEY REFERENCES load (id), {_ACT}) STRICT",
)
EXCHANGE = (
    # Numbers are never given twice: one that is missing was taken away.
    f"CREATE TABLE outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, {_ACT}) STRICT",
    """CREATE TABLE act_entered (
        source TEXT NOT NULL,
        seq INTEGER NOT NULL,
        entry INTEGER NOT NULL,
        evidence BLOB NOT NULL,
        PRIMARY KEY (source, seq)
    ) WITHOUT ROWID, STRICT""",
    # What was last entered of each thing that can be changed by hand.
    "CREATE TABLE state_entered (aspect TEXT PRIMARY KEY, digest BLOB NOT NULL) WITHOUT ROWID, STRICT",
)
