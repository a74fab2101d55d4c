"""How far each pair of members is compared, day by day, and every number on which two ledgers do not agree."""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any, Self, final

from gateway import wire
from gateway.clocks import civil_day
from gateway.ledger.reconciliation import Difference, Finding, Side
from gateway.ledger.tally import Tally
from gateway.model.codes import LedgerEventKind
from gateway.model.ledger import LedgerEvent, LedgerPrivate
from gateway.months import Month
from keys import moments
from keys.envelope import Envelope
from nodes.store.commits import Commits
from nodes.store.connections import connect_read_only, time_text
from nodes.store.ledger import Ledger
from nodes.store.schema import prepare_exchange

Pair = tuple[str, str]
"""Who asks, and who answers."""

_SELECT = "SELECT asker, answerer, day, first, next, answered, refused, void, digest, time FROM reconciled_day"
_DAYS = f"{_SELECT} WHERE asker = ? AND answerer = ? AND day BETWEEN ? AND ? ORDER BY day"
_NEWEST = f"{_SELECT} WHERE asker = ? AND answerer = ? ORDER BY day DESC LIMIT 1"
_PAIRS = "SELECT DISTINCT asker, answerer FROM reconciled_day ORDER BY asker, answerer"
_KEEP = """
    INSERT OR REPLACE INTO reconciled_day
        (asker, answerer, day, first, next, answered, refused, void, digest, time)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_CLEAR = """
    DELETE FROM finding WHERE asker = ? AND answerer = ? AND number BETWEEN ? AND ?
        AND number NOT IN (SELECT value FROM json_each(?))"""
# What is found again was found when it was found first.
_FIND = """
    INSERT INTO finding (asker, answerer, number, day, difference, lacking, asker_entries, answerer_entries, time)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET day = excluded.day, difference = excluded.difference, lacking = excluded.lacking,
        asker_entries = excluded.asker_entries, answerer_entries = excluded.answerer_entries"""
_FOUND = """
    SELECT asker, answerer, day, time, number, difference, lacking, asker_entries, answerer_entries FROM finding
    WHERE day BETWEEN ? AND ? AND (? = '' OR ? IN (asker, answerer)) ORDER BY asker, answerer, number"""
_COUNT = "SELECT difference, count(*) FROM finding GROUP BY difference"
_COUNT_DAY = """
    SELECT count(*) FROM finding WHERE asker = ? AND answerer = ? AND day = ? AND number NOT BETWEEN ? AND ?"""
_STATE = "INSERT OR REPLACE INTO statement (partner, month, body, entry, time) VALUES (?, ?, ?, ?, ?)"
_FORGET = "DELETE FROM reconciled_day WHERE day >= ? AND (? = '' OR ? IN (asker, answerer))"
# What was exchanged before there was a ledger has no entry on either side.
_BEFORE_ASKED = """
    SELECT (SELECT sent_day FROM sent WHERE member = ?1 ORDER BY pair_sequence LIMIT 1), (
        SELECT pair_sequence FROM sent WHERE member = ?1 AND asked_entry IS NULL AND pair_sequence < coalesce((
            SELECT pair_sequence FROM sent WHERE member = ?1 AND asked_entry IS NOT NULL
            ORDER BY pair_sequence LIMIT 1), 1 << 62)
        ORDER BY pair_sequence DESC LIMIT 1)"""
_BEFORE_ANSWERED = """
    WITH answered AS (SELECT pair_sequence, received_time, entry FROM journal WHERE asker = ?1
        AND pair_sequence > 0)
    SELECT (SELECT received_time FROM answered ORDER BY pair_sequence LIMIT 1), (
        SELECT pair_sequence FROM answered WHERE entry IS NULL AND pair_sequence < coalesce((
            SELECT pair_sequence FROM answered WHERE entry IS NOT NULL ORDER BY pair_sequence LIMIT 1), 1 << 62)
        ORDER BY pair_sequence DESC LIMIT 1)"""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A day of a pair: its numbers from `first` are compared up to the one before `next`; all of them at a `time`."""

    pair: Pair
    day: date
    first: int
    next: int
    tally: Tally
    time: datetime | None = None

    def following(self) -> Self:
        """Begin the day after; the digest goes on within a month."""
        day = self.day + _DAY
        digest = Tally().digest if day.day == 1 else self.tally.digest
        return replace(self, day=day, first=self.next, tally=Tally(digest=digest), time=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A finding, whose pair it is of, and when it was made."""

    pair: Pair
    day: date
    time: datetime
    finding: Finding


@final
class Comparisons:
    """Reads what was compared, by a connection of whoever opened it."""

    __slots__ = ("_connection", "_lock")

    def __init__(self, connection: sqlite3.Connection, lock: Lock) -> None:
        self._connection, self._lock = connection, lock

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """Open a database for reading; no key is needed.

        Raises:
            StoreUnusable: as `Store.open`.
        """
        prepare_exchange(path)
        connection = connect_read_only(path)
        try:
            yield cls(connection, Lock())
        finally:
            connection.close()

    def pairs(self) -> tuple[Pair, ...]:
        """Name the pairs that were compared."""
        return tuple((asker, answerer) for asker, answerer in self._all(_PAIRS))

    def newest(self, pair: Pair) -> Compared | None:
        """Give the last day that was begun."""
        return next(map(_compared, self._all(_NEWEST, *pair)), None)

    def days(self, pair: Pair, first: date, last: date) -> tuple[Compared, ...]:
        """Give the days that were begun, oldest first."""
        return tuple(map(_compared, self._all(_DAYS, *pair, first.isoformat(), last.isoformat())))

    def findings(self, first: date, last: date, partner: str = "") -> tuple[Found, ...]:
        """Give what does not agree, of days from one to another, by pair and number; of one partner where named."""
        return tuple(map(_found, self._all(_FOUND, first.isoformat(), last.isoformat(), partner, partner)))

    def counts(self) -> Mapping[Difference, int]:
        """Count all findings."""
        found = dict(self._all(_COUNT))
        return {each: int(found.get(each.value, 0)) for each in Difference}

    def count(self, pair: Pair, day: date, apart: tuple[int, int] = (0, 0)) -> int:
        """Count the findings of a day of a pair, apart from those of some numbers, first to last."""
        return int(self._all(_COUNT_DAY, *pair, day.isoformat(), *apart)[0][0])

    def confirmed(self, pair: Pair, number: int) -> bool:
        """Say whether an exchange is CONFIRMED: both sides' entries were compared, and agree."""
        newest = self.newest(pair)
        found = self._all("SELECT 1 FROM finding WHERE asker = ? AND answerer = ? AND number = ?", *pair, number)
        return newest is not None and 0 < number < newest.next and not found

    def statement(self, partner: str, month: str) -> bytes | None:
        """Give the bytes of the Envelope of a month's statement that both signed last."""
        found = self._all("SELECT body FROM statement WHERE partner = ? AND month = ?", partner, month)
        return bytes(found[0][0]) if found else None

    def beginning(self, pair: Pair, me: str, today: date) -> Compared:
        """Give the day on which a pair that was never compared begins, and its first number."""
        asker, answerer = pair
        query, partner = (_BEFORE_ASKED, answerer) if asker == me else (_BEFORE_ANSWERED, asker)
        ((since, before),) = self._all(query, partner)
        # One day more: what an asker sent before midnight its answerer may have received after.
        first = (civil_day(moments.read(since)) if "T" in since else date.fromisoformat(since)) if since else today
        number = int(before or 0) + 1
        return Compared(pair=pair, day=first - _DAY, first=number, next=number, tally=Tally())

    def _all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._connection.execute(query, values).fetchall()


@final
class Reconciliations:
    """Keeps what was compared; safe from any event loop and for many processes on one file."""

    __slots__ = ("_commits", "_ledger", "read")

    def __init__(self, commits: Commits, reader: sqlite3.Connection, lock: Lock, *, ledger: Ledger) -> None:
        self._commits, self._ledger = commits, ledger
        self.read = Comparisons(reader, lock)

    async def keep(self, compared: Compared, first: int, findings: Sequence[Finding], now: datetime) -> None:
        """Keep how far a day has come and what does not agree of its numbers since `first`, in place of what did not.

        Raises:
            NotDurable: nothing was kept.
        """

        def work(connection: sqlite3.Connection) -> None:
            rows = [_row(compared, each, now) for each in findings]
            named = json.dumps([each.pair_sequence for each in findings])
            connection.execute(_CLEAR, (*compared.pair, first, compared.next - 1, named))
            connection.executemany(_FIND, rows)
            tally, time = compared.tally, compared.time and time_text(compared.time)
            numbers = (compared.first, compared.next, tally.answered, tally.refused, tally.void)
            connection.execute(_KEEP, (*compared.pair, compared.day.isoformat(), *numbers, tally.digest, time))

        await self._commits.run(work)

    async def enter(self, partner: str, month: Month, statement: Envelope, now: datetime) -> int:
        """Keep a statement that both signed, and enter it in the ledger; give the entry's number.

        Raises:
            NotDurable: nothing was kept.
        """
        private = LedgerPrivate(log_time=now, act=month.text)

        def work(connection: sqlite3.Connection) -> int:
            event = LedgerEvent(
                kind=LedgerEventKind.RECONCILED,
                asker_member=self._ledger.member,
                answerer_member=partner,
                reply_digest=statement.digest(),
            )
            seq = self._ledger.append(connection, event, private).seq
            connection.execute(_STATE, (partner, month.text, wire.encode(statement), seq, time_text(now)))
            return seq

        return await self._commits.run(work)

    async def forget(self, since: date, partner: str = "") -> None:
        """Have days compared again, from the first of the month on: findings stay until that has been done.

        Raises:
            NotDurable: nothing was changed.
        """
        row = (since.replace(day=1).isoformat(), partner, partner)
        await self._commits.run(lambda connection: connection.execute(_FORGET, row).rowcount)


def _compared(row: tuple[Any, ...]) -> Compared:
    asker, answerer, day, first, following, answered, refused, void, digest, time = row
    return Compared(
        pair=(asker, answerer),
        day=date.fromisoformat(day),
        first=first,
        next=following,
        tally=Tally(answered=answered, refused=refused, void=void, digest=digest),
        time=None if time is None else moments.read(time),
    )


def _row(compared: Compared, found: Finding, now: datetime) -> tuple[object, ...]:
    entries = (json.dumps(found.asker_entries), json.dumps(found.answerer_entries))
    lacking = found.lacking.value if found.lacking else ""
    named = (found.pair_sequence, compared.day.isoformat(), found.difference.value, lacking)
    return (*compared.pair, *named, *entries, time_text(now))


def _found(row: tuple[Any, ...]) -> Found:
    asker, answerer, day, time, number, difference, lacking, ours, theirs = row
    finding = Finding(
        difference=Difference(difference),
        pair_sequence=number,
        lacking=Side(lacking) if lacking else None,
        asker_entries=tuple(json.loads(ours)),
        answerer_entries=tuple(json.loads(theirs)),
    )
    when = moments.read(time)
    return Found(pair=(asker, answerer), day=date.fromisoformat(day), time=when, finding=finding)
