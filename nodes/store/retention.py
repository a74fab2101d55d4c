"""Ends what is no longer to be kept: destroys storage keys, and removes old records, each with its entry.

What was destroyed is told by an entry in the member's ledger in the same transaction. `scrub` then empties the
database's log, in which the key's old page may still lie.
"""

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import final

from nodes.store.acts import enter
from nodes.store.commits import Commits
from nodes.store.connections import connect, connect_read_only
from nodes.store.doers import Done
from nodes.store.ledger import Ledger
from nodes.store.schema import prepare_exchange

DELETION, RETENTION = "DELETION", "retention"
"""Name of the act, and the source under which an officer's statement of it lies."""

_KEYS, _ROWS = 500, 2_000  # in one transaction: exchanges wait for no more
_SCRUB_MILLISECONDS = 200

_SCOPES = "SELECT DISTINCT scope FROM storage_key WHERE destroyed IS NULL"
_DUE = """
    SELECT id, day, scope, wrapped_key FROM storage_key WHERE destroyed IS NULL AND scope = ? AND day < ?
    ORDER BY day LIMIT ?"""
_DESTROY = "UPDATE storage_key SET wrapped_key = ?, destroyed = ? WHERE id = ?"
_HELD = "SELECT scope, min(day), count(*) FROM storage_key WHERE destroyed IS NULL GROUP BY scope ORDER BY scope"
_DUE_COUNT = "SELECT count(*) FROM storage_key WHERE destroyed IS NULL AND scope = ? AND day < ?"
_GONE = "SELECT scope, count(*) FROM storage_key WHERE destroyed IS NOT NULL GROUP BY scope"
_MONTH = "SELECT min(month) FROM disclosure"
_OLD = """
    DELETE FROM disclosure WHERE (month, uscc, number) IN (
        SELECT month, uscc, number FROM disclosure WHERE month = ? LIMIT ?)"""
# Entries come in the order of their days: what is old lies in front.
_OLD_QUESTIONS = """
    DELETE FROM provision WHERE entry IN (
        SELECT entry FROM (SELECT entry, day FROM provision ORDER BY entry LIMIT :rows) WHERE day < :before)"""
_OLD_CHARGES = "DELETE FROM budget WHERE day < :before"
_OLD_PREVIEWS = "DELETE FROM preview WHERE day < :before"
_KEEP_EVIDENCE = "INSERT INTO act_entered (source, seq, entry, evidence) VALUES (?, ?, ?, ?)"

KeptFrom = Callable[[str], date]
"""Gives the earliest day whose bodies of a scope are kept."""

Doing = Callable[[bytes], Done]
"""Gives the act by the digest of what it destroys, as it is to be entered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What is kept of a scope: the day of its oldest key, how many there are, how many are due, and were destroyed."""

    scope: str
    oldest: date | None
    keys: int
    due: int
    destroyed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """How many records were removed of each sort; questions are what the disclosures of one exchange share."""

    disclosures: int = 0
    questions: int = 0
    charges: int = 0
    previews: int = 0


@final
class Retention:
    """Destroys what is due; for one caller at a time."""

    __slots__ = ("_commits", "_ledger", "_path")

    def __init__(self, path: Path, commits: Commits, ledger: Ledger) -> None:
        self._path, self._commits, self._ledger = path, commits, ledger

    async def destroy(self, kept_from: KeptFrom, doing: Doing) -> int:
        """Destroy every key that is due, in steps with an entry each; give how many.

        Raises:
            NotDurable: what was not yet destroyed stays.
        """
        return await self._all(lambda connection: self._destroy(connection, kept_from, doing))

    async def forget(self, records_from: date, doing: Doing) -> Forgotten:
        """Remove disclosures, questions, charges and previews of whole months that are over, in steps; count them.

        The first step of each month of disclosures, and of each other sort, enters the act in its transaction.

        Raises:
            NotDurable: what was not yet removed stays.
        """
        before, told = records_from.isoformat(), set[str]()
        disclosures = await self._all(lambda connection: self._forget(connection, before, told, doing))

        async def others(sort: str, statement: str) -> int:
            said = f"{sort} {before}\n"
            return await self._all(lambda connection: self._remove(connection, statement, before, said, told, doing))

        return Forgotten(
            disclosures=disclosures,
            questions=await others("questions", _OLD_QUESTIONS),
            charges=await others("charges", _OLD_CHARGES),
            previews=await others("previews", _OLD_PREVIEWS),
        )

    def scrub(self) -> bool:
        """Write the database's log back and empty it; False where a reader keeps it. It reads and writes: in a thread.

        Exchanges wait meanwhile, and so it waits for readers for a moment only.

        Raises:
            sqlite3.Error: when the disk fails.
        """
        with closing(connect(self._path)) as connection:
            connection.execute(f"PRAGMA busy_timeout = {_SCRUB_MILLISECONDS}")
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    async def _all(self, step: Callable[[sqlite3.Connection], int]) -> int:
        """Do steps until there is nothing left to do; each is a transaction, and exchanges go between them."""
        found = 0
        while done := await self._commits.run(step):
            found += done
        return found

    def _forget(self, connection: sqlite3.Connection, before: str, told: set[str], doing: Doing) -> int:
        (month,) = connection.execute(_MONTH).fetchone()
        if month is None or month >= before[:7]:
            return 0
        self._tell(connection, f"disclosures {month}\n", told, doing)
        return connection.execute(_OLD, (month, _ROWS)).rowcount

    def _remove(
        self, connection: sqlite3.Connection, statement: str, before: str, said: str, told: set[str], doing: Doing
    ) -> int:
        found = connection.execute(statement, {"rows": _ROWS, "before": before}).rowcount
        if found:
            self._tell(connection, said, told, doing)
        return found

    def _tell(self, connection: sqlite3.Connection, said: str, told: set[str], doing: Doing) -> None:
        """Enter once what goes."""
        if said not in told:
            self._ledger.check()
            self._enter(connection, doing, said)
        told.add(said)

    def _destroy(self, connection: sqlite3.Connection, kept_from: KeptFrom, doing: Doing) -> int:
        """Overwrite some keys where they lie, by their digests."""
        due = [
            row
            for (scope,) in connection.execute(_SCOPES).fetchall()
            for row in connection.execute(_DUE, (scope, kept_from(scope).isoformat(), _KEYS))
        ][:_KEYS]
        if not due:
            return 0
        self._ledger.check()
        digests = {identity: sha256(key).digest() for identity, _, _, key in due}
        lines = (f"{day} {scope} {digests[identity].hex()}\n" for identity, day, scope, _ in due)
        entry = self._enter(connection, doing, "".join(lines))
        connection.executemany(_DESTROY, [(digest, entry, identity) for identity, digest in digests.items()])
        return len(due)

    def _enter(self, connection: sqlite3.Connection, doing: Doing, said: str) -> int:
        """Enter the act with the digest of what it destroys; an officer's statement of it is kept beside the entry."""
        done = doing(sha256(said.encode()).digest())
        entry = enter(self._ledger, connection, done.act, done.time)
        if done.evidence:
            connection.execute(_KEEP_EVIDENCE, (RETENTION, entry, entry, done.evidence))
        return entry


def held(path: Path, kept_from: KeptFrom) -> tuple[Held, ...]:
    """Say what is kept of each scope; no storage key is needed.

    Raises:
        StoreUnusable: as `Store.open`.
    """
    prepare_exchange(path)
    with closing(connect_read_only(path)) as connection:
        live = {scope: (day, keys) for scope, day, keys in connection.execute(_HELD)}
        gone: Mapping[str, int] = dict(connection.execute(_GONE).fetchall())
        due = {
            scope: connection.execute(_DUE_COUNT, (scope, kept_from(scope).isoformat())).fetchone()[0] for scope in live
        }
    return tuple(
        Held(
            scope=scope,
            oldest=date.fromisoformat(live[scope][0]) if scope in live else None,
            keys=live[scope][1] if scope in live else 0,
            due=due.get(scope, 0),
            destroyed=gone.get(scope, 0),
        )
        for scope in sorted({*live, *gone})
    )
