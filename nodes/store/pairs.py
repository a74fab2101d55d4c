"""The member's own entries of a pair, number by number, with their proofs under the newest heads."""

import asyncio
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import final

from gateway import wire
from gateway.ledger import entries as entry
from gateway.ledger import tiles
from gateway.ledger.pairs import PAGE
from gateway.model.ledger import LedgerEvent, Receipt
from gateway.model.reconciliation import HIGHEST_NUMBER, ListPairEntriesRequest, ListPairEntriesResponse, PairEntry
from nodes.store.connections import connect_read_only, time_text
from nodes.store.ledger_reading import Held, LedgerFile, Log

# What left the tables of exchanges counts as gone, whatever the ledger still holds, and the other way round.
_ASKED = """
    SELECT pair_sequence, asked_entry, closed_entry FROM sent
    WHERE member = ? AND pair_sequence BETWEEN ? AND ? AND asked_entry IS NOT NULL ORDER BY pair_sequence LIMIT ?"""
_ANSWERED = """
    SELECT pair_sequence, entry FROM journal
    WHERE asker = ? AND pair_sequence > 0 AND pair_sequence BETWEEN ? AND ? AND entry IS NOT NULL
    ORDER BY pair_sequence, seq LIMIT ?"""
_ASKED_AT = """
    SELECT pair_sequence, sent_time FROM sent
    WHERE member = ? AND pair_sequence BETWEEN ? AND ? ORDER BY pair_sequence {order} LIMIT ?"""
_ANSWERED_AT = """
    SELECT pair_sequence, received_time FROM journal
    WHERE asker = ? AND pair_sequence > 0 AND pair_sequence BETWEEN ? AND ? ORDER BY pair_sequence {order} LIMIT ?"""
_GIVEN = """
    SELECT next - 1, coalesce((
        SELECT min(pair_sequence) - 1 FROM sent WHERE sent.member = pair.member AND pair_sequence > ?), next - 1)
    FROM pair WHERE member = ?"""
_LEAP = """
    SELECT before, pair_sequence FROM (
        SELECT lag(pair_sequence, 1, ?2) OVER (ORDER BY pair_sequence) AS before, pair_sequence FROM journal
        WHERE asker = ?1 AND pair_sequence > 0 AND pair_sequence > ?2 AND pair_sequence <= ?3)
    WHERE pair_sequence - before > ?4 ORDER BY pair_sequence LIMIT 1"""

_WINDOW = 512
"""How far numbers and times may be out of step: what was sent at once, and then more."""

_Place = tuple[int, int]
"""A running number, and the number of an entry."""


@final
class Pairs:
    """Implements `gateway.reconciliations.PairBook`: each page is read in a thread, from one snapshot of its own."""

    __slots__ = ("_me", "_path")

    def __init__(self, path: Path, me: str) -> None:
        self._path, self._me = path, me

    async def entries(self, request: ListPairEntriesRequest) -> ListPairEntriesResponse:
        """Give a page of the entries of a pair of which the member is one.

        Raises:
            LedgerError: when the ledger's tiles are damaged.
        """
        return await asyncio.to_thread(self.page, request)

    async def highest(self, request: ListPairEntriesRequest) -> int:
        """Give the highest number sent or received before the request's `until_time`; 0 when there is none."""

        def read() -> int:
            with closing(connect_read_only(self._path)) as connection:
                return self._highest(connection, request)

        return await asyncio.to_thread(read)

    async def given(self, member: str, after: int) -> tuple[int, int]:
        """Give the last number of questions to a member, and the last one before any that is kept after a number."""

        def read() -> tuple[int, int]:
            with closing(connect_read_only(self._path)) as connection:
                row = connection.execute(_GIVEN, (after, member)).fetchone()
                return (0, 0) if row is None else (row[0], row[1])

        return await asyncio.to_thread(read)

    async def leap(self, member: str, numbers: tuple[int, int], most: int) -> tuple[int, int] | None:
        """Give the first two of a member's numbers, above one and up to another, that lie more than `most` apart."""

        def read() -> tuple[int, int] | None:
            with closing(connect_read_only(self._path)) as connection:
                row = connection.execute(_LEAP, (member, *numbers, most)).fetchone()
                return None if row is None else (row[0], row[1])

        return await asyncio.to_thread(read)

    def page(self, request: ListPairEntriesRequest) -> ListPairEntriesResponse:
        """Read a page, as `entries`."""
        with closing(connect_read_only(self._path)) as connection:
            connection.execute("BEGIN")
            highest = self._highest(connection, request)
            places, following = self._places(connection, request, max(request.last_number, highest))
            found = _proofs(LedgerFile(connection), [seq for _, seq in places])
        wanted = (request.asker_member, request.answerer_member)
        return ListPairEntriesResponse(
            entries=tuple(found[seq] for number, seq in places if seq in found and _of(found[seq], *wanted, number)),
            highest_number=highest,
            next_number=following,
        )

    def _partner(self, request: ListPairEntriesRequest) -> str:
        return request.answerer_member if self._asks(request) else request.asker_member

    def _asks(self, request: ListPairEntriesRequest) -> bool:
        return request.asker_member == self._me

    def _highest(self, connection: sqlite3.Connection, request: ListPairEntriesRequest) -> int:
        """Find the highest number before a time by halving: a partner may name any time, and nothing is read through.

        Numbers rise with their times, but for some that were given out at once.
        """
        query, partner = _ASKED_AT if self._asks(request) else _ANSWERED_AT, self._partner(request)
        until = None if request.until_time is None else time_text(request.until_time)

        def rows(first: int, last: int, count: int = 1, order: str = "") -> list[tuple[int, str]]:
            return connection.execute(query.format(order=order), (partner, first, last, count)).fetchall()

        newest = rows(1, HIGHEST_NUMBER, order="DESC")
        if not newest or until is None or newest[0][1] < until:
            return newest[0][0] if newest else 0
        low, last = 0, newest[0][0]
        high = last
        while high - low > 1:
            middle = (low + high) // 2
            ((number, time),) = rows(middle, last)
            low, high = (number, high) if number < high and time < until else (low, middle)
        near = (number for number, time in rows(max(1, low), low + _WINDOW, _WINDOW) if time < until)
        return max(near, default=low)

    def _places(
        self, connection: sqlite3.Connection, request: ListPairEntriesRequest, last: int
    ) -> tuple[list[_Place], int]:
        """Give a page of places in the order of numbers, and the number at which the next one begins, or 0."""
        query = _ASKED if self._asks(request) else _ANSWERED
        rows = connection.execute(query, (self._partner(request), request.first_number, last, PAGE + 1)).fetchall()
        return _cut([(number, seq) for number, *seqs in rows for seq in seqs if seq is not None])


def _cut(places: Sequence[_Place]) -> tuple[list[_Place], int]:
    """Cut a page between two numbers: of a number that alone fills more than a page, the rest is left out."""
    if len(places) <= PAGE:
        return list(places), 0
    following = places[PAGE][0]
    kept = [place for place in places[:PAGE] if place[0] < following]
    return (kept, following) if kept else (list(places[:PAGE]), following + 1)


def _proofs(file: LedgerFile, seqs: Iterable[int]) -> dict[int, PairEntry]:
    """Prove the entries that are there, each under the newest head of its log."""
    logs = file.logs()
    found: dict[int, PairEntry] = {}
    for log, group in groupby(sorted(set(seqs)), lambda seq: _log_of(logs, seq)):
        if log is not None:
            found.update(_under(file, log, [each for seq in group for each in file.one(seq)]))
    return found


def _log_of(logs: Sequence[Log], seq: int) -> Log | None:
    """Find the log whose head covers an entry."""
    covering = (each for each in logs if each.size is not None and each.first <= seq < each.first + each.size)
    return next(covering, None)


def _under(file: LedgerFile, log: Log, held: Sequence[Held]) -> Iterator[tuple[int, PairEntry]]:
    if log.size is None or log.checkpoint is None:
        return
    paths = tiles.inclusions([each.seq - log.first for each in held], log.size, file.tiles(log))
    for each, path in zip(held, paths, strict=True):
        receipt = Receipt(
            leaf_index=each.seq - log.first,
            inclusion_hashes=path,
            checkpoint=log.checkpoint,
            shared_salt=each.shared.salt,
            private_hash=entry.read_entry(each.data).private_hash,
        )
        yield each.seq, PairEntry(shared=each.shared.text, receipt=receipt)


def _of(found: PairEntry, asker: str, answerer: str, number: int) -> bool:
    """Say whether an entry is of this pair and number: none of another pair leaves, whatever was done to a row."""
    try:
        event = wire.decode(LedgerEvent, found.shared)
    except wire.WireMalformed:
        return False
    return (event.asker_member, event.answerer_member, event.pair_sequence) == (asker, answerer, number)
