"""What a database that was restored takes back from other members, in one transaction that opens it again (duty U30).

Of an exchange that was lost only what the partner's ledger says comes back: numbers and digests, never a body.
"""

import hashlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import final

from gateway.clocks import civil_day
from gateway.ledger.reconciliation import ENDS, Line
from gateway.model.codes import LedgerEventKind as Kind
from gateway.model.ledger import LedgerEvent, LedgerPrivate
from nodes.store.commits import Commits
from nodes.store.connections import time_text
from nodes.store.ledger import Following, Ledger
from nodes.store.restorations import recovered

RECOVERED = "RECOVERED"
"""Act in the private part of an entry that was taken back from a partner."""

_NEXT = "SELECT coalesce((SELECT next FROM pair WHERE member = ?), 1)"
_RAISE = """
    INSERT INTO pair (member, next) VALUES (?, ?)
    ON CONFLICT (member) DO UPDATE SET next = max(next, excluded.next)"""
_SENT = """
    INSERT INTO sent (question_id, question_digest, member, pair_sequence, outcome, question_body, sent_day,
        sent_time, closed_time, asked_entry, closed_entry)
    VALUES (?, ?, ?, ?, 'VOID', x'', ?, ?, ?, ?, ?)"""
_JOURNAL = """
    INSERT INTO journal (question_digest, asker, agency, purpose, kind, agreement, case_reference, pair_sequence,
        outcome, reason, facts_version, fields, received_time, day, question_body, reply_body, entry)
    VALUES (?, ?, '', '', '', '', '', ?, ?, ?, 0, '', ?, ?, x'', x'', ?)"""
_KNOWN = "SELECT 1 FROM journal WHERE asker = ? AND pair_sequence = ? AND question_digest = ?"
_HIGHEST = "SELECT coalesce(max(pair_sequence), 0) FROM journal WHERE asker = ?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one member's ledger says of both pairs with this one, and the highest number that it proves."""

    highest: int
    """Of this member's questions: proven with the question itself."""

    asked: tuple[Line, ...]
    """Of this member's questions, from the first number on that the disk never gave out: the partner's word alone."""

    answered: tuple[Line, ...]
    """Of its own questions to this member."""


@final
class Recovery:
    """Takes back and opens; for the one process that leads."""

    __slots__ = ("_commits", "_ledger", "_lock", "_reader")

    def __init__(self, commits: Commits, ledger: Ledger, reader: sqlite3.Connection, lock: Lock) -> None:
        self._commits, self._ledger, self._reader, self._lock = commits, ledger, reader, lock

    def next_number(self, member: str) -> int:
        """Give the first number of questions to a member that the disk never gave out."""
        with self._lock:
            return int(self._reader.execute(_NEXT, (member,)).fetchone()[0])

    def highest_answered(self, member: str) -> int:
        """Give the highest number of a member's questions that the disk knows."""
        with self._lock:
            return int(self._reader.execute(_HIGHEST, (member,)).fetchone()[0])

    def lacks(self, member: str, told: Told) -> bool:
        """Say whether a member knows of exchanges that the disk does not."""
        ends = [each for each in told.answered if each.event.kind in ENDS]
        if told.asked or told.highest >= self.next_number(member):
            return True
        with self._lock:
            return any(not _known(self._reader, member, each) for each in ends)

    async def run(
        self,
        told: Mapping[str, Told],
        following: Following | None,
        now: datetime,
    ) -> int:
        """Take back what is lacking, and open the database; give how many entries came back.

        Numbers go on behind the highest that was told. With `following` the entries begin a new log.

        Raises:
            NotDurable: nothing was done.
        """

        def work(connection: sqlite3.Connection) -> int:
            with self._ledger.recovering():
                recovered(connection, now)
                if following is not None:
                    self._ledger.follow(connection, following, now)
                return sum(self._take(connection, member, each, now) for member, each in told.items())

        return await self._commits.run(work)

    def _take(self, connection: sqlite3.Connection, member: str, told: Told, now: datetime) -> int:
        first = int(connection.execute(_NEXT, (member,)).fetchone()[0])
        last = max([told.highest, first - 1, *(each.event.pair_sequence for each in told.asked)])
        heard = {each.event.pair_sequence: each.event.question_digest for each in told.asked}
        for number in range(first, last + 1):
            self._void(connection, member, number, heard.get(number, b""), now)
        connection.execute(_RAISE, (member, last + 1))
        ends = [each for each in told.answered if each.event.kind in ENDS and not _known(connection, member, each)]
        for each in ends:
            self._answered(connection, member, each.event, now)
        return last + 1 - first + len(ends)

    def _void(self, connection: sqlite3.Connection, member: str, number: int, digest: bytes, now: datetime) -> None:
        """Explain a number that was given out and lost: of what was asked the partner alone knows how it ended."""
        asked = self._enter(connection, Kind.ASKED, member, number, digest, now) if digest else None
        closed = self._enter(connection, Kind.VOID, member, number, digest, now)
        day, time = civil_day(now).isoformat(), time_text(now)
        identity = hashlib.sha256(f"{member}/{number}/{now}".encode()).digest()[:16]
        connection.execute(_SENT, (identity, digest, member, number, day, time, time, asked, closed))

    def _enter(
        self, connection: sqlite3.Connection, kind: Kind, member: str, number: int, digest: bytes, now: datetime
    ) -> int:
        event = LedgerEvent(
            kind=kind,
            asker_member=self._ledger.member,
            answerer_member=member,
            pair_sequence=number,
            question_digest=digest,
        )
        return self._ledger.append(connection, event, LedgerPrivate(log_time=now, act=RECOVERED)).seq

    def _answered(self, connection: sqlite3.Connection, member: str, event: LedgerEvent, now: datetime) -> None:
        """Enter again what was answered: the asker's ledger has the digests."""
        kind = ENDS[event.kind]
        again = LedgerEvent(
            kind=kind,
            asker_member=member,
            answerer_member=self._ledger.member,
            pair_sequence=event.pair_sequence,
            question_digest=event.question_digest,
            reply_digest=event.reply_digest,
        )
        entry = self._ledger.append(connection, again, LedgerPrivate(log_time=now, act=RECOVERED)).seq
        kept = (event.question_digest, member, event.pair_sequence, kind.value, RECOVERED)
        connection.execute(_JOURNAL, (*kept, time_text(now), civil_day(now).isoformat(), entry))


def _known(connection: sqlite3.Connection, member: str, line: Line) -> bool:
    wanted = (member, line.event.pair_sequence, line.event.question_digest)
    return connection.execute(_KNOWN, wanted).fetchone() is not None
