"""Storage keys of a day and a purpose, in place of one key a day."""

TABLES = (
    # A key's row never moves: rows come in order and are overwritten where they lie, so that no copy of a destroyed
    # key is left in another page. `destroyed` is the number of the entry that tells; the key is then its digest.
    """CREATE TABLE storage_key (
        id INTEGER PRIMARY KEY,
        day TEXT NOT NULL,
        scope TEXT NOT NULL,
        wrapped_key BLOB NOT NULL,
        destroyed INTEGER
    ) STRICT""",
    "CREATE UNIQUE INDEX storage_key_live ON storage_key (scope, day) WHERE destroyed IS NULL",
    "ALTER TABLE sent ADD COLUMN purpose TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE result ADD COLUMN purpose TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE recognition ADD COLUMN purpose TEXT NOT NULL DEFAULT ''",
    # The bodies of a day had one key: it stands for each purpose of that day, and is gone with the last of them.
    """INSERT INTO storage_key (day, scope, wrapped_key)
        SELECT day, scope, wrapped_key FROM storage_day JOIN (
            SELECT day, purpose AS scope FROM journal UNION SELECT day, purpose FROM submission
            UNION SELECT sent_day, '' FROM sent UNION SELECT day, '' FROM result UNION SELECT day, '' FROM recognition
            UNION SELECT day, 'subjects' FROM subject_key UNION SELECT day, 'subjects' FROM subject_key_end
            UNION SELECT day, 'subjects' FROM consent UNION SELECT day, 'subjects' FROM consent_end) USING (day)
        ORDER BY day, scope""",
    "DROP TABLE storage_day",
)
