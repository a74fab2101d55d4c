"""Reads which agencies were answered since the last look, and the codes that each asked about on a day."""

import sqlite3
from contextlib import closing
from pathlib import Path

from nodes.store.connections import connect_read_only

_ACTIVE = "SELECT DISTINCT agency FROM journal WHERE seq > ? AND day = ? AND outcome = 'ANSWERED' ORDER BY agency"
_LAST = "SELECT coalesce(max(seq), 0) FROM journal"
_DAY = "SELECT day FROM journal WHERE seq >= ? ORDER BY seq LIMIT 1"
_CODES = """
    SELECT DISTINCT uscc FROM budget JOIN disclosure ON disclosure.budget = budget.id
    WHERE agency = ? AND budget.day = ?"""


def active(path: Path, day: str, after: int) -> tuple[dict[str, frozenset[str]], int]:
    """Give all codes of the day by agency, for those answered since a row of the journal, and its last row.

    After row 0 the day is read from its first. The codes are for counting only: nothing of them leaves the process.
    """
    with closing(connect_read_only(path)) as connection:
        connection.execute("BEGIN")
        last = int(connection.execute(_LAST).fetchone()[0])
        agencies = connection.execute(_ACTIVE, (after or _before(connection, day, last), day)).fetchall()
        return {agency: _codes(connection, agency, day) for (agency,) in agencies}, last


def _before(connection: sqlite3.Connection, day: str, last: int) -> int:
    """Find the last row before a day, by halves: rows lie in the order of their days."""
    low, high = 0, last
    while low < high:
        middle = (low + high + 1) // 2
        found = connection.execute(_DAY, (middle,)).fetchone()
        low, high = (middle, high) if found is not None and found[0] < day else (low, middle - 1)
    return low


def _codes(connection: sqlite3.Connection, agency: str, day: str) -> frozenset[str]:
    return frozenset(code for (code,) in connection.execute(_CODES, (agency, day)))
