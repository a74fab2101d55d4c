"""Reads of the member's facts: only the columns that a grant names leave the database (duty U3, U15)."""

import json
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import final

from gateway.ports import Columns, Fact, Facts, Feed
from nodes.store import tables
from nodes.store.connections import connect_read_only

_FEEDS = """
    SELECT feed.id, agency, domain, division, record_class, frequency_days, history_from,
           last.data_through, coalesce(last.gaps, 0) + (SELECT count(*) FROM held WHERE held.feed = feed.id)
    FROM feed
    LEFT JOIN load AS last ON last.id = (SELECT max(id) FROM load WHERE load.feed = feed.id)
    ORDER BY feed.id"""
_Rows = dict[str, dict[str, list[Fact]]]


@final
class FactSource:
    """Implements `gateway.ports.Source` on one read-only connection; safe from any thread, reads take turns.

    Each read is one snapshot of the last finished load. It waits for no writer, and a load that commits
    meanwhile is seen by the next read.
    """

    __slots__ = ("_connection", "_feeds", "_feeds_seen", "_lock")

    def __init__(self, path: Path) -> None:
        self._connection = connect_read_only(path)
        self._lock = Lock()
        self._feeds: tuple[Feed, ...] = ()
        self._feeds_seen = -1

    def read(self, subjects: Sequence[str], columns: Columns) -> Facts:
        """Read the current, not withdrawn facts of these subjects in one snapshot, only these columns.

        Raises:
            ValueError: for a table or column that is not listed in `nodes.store.tables`.
        """
        argument = subjects[0] if len(subjects) == 1 else json.dumps(list(subjects))
        shape = tuple((table, tuple(names)) for table, names in columns.items())
        named, statement = _statement(shape, len(subjects) == 1)
        version, rows = 0, _Rows()
        with self._lock:
            # One statement is one snapshot: facts of every table and the version they belong to.
            for table, uscc, *values in self._connection.execute(statement, {"subjects": argument}):
                if table is None:
                    version = values[0]
                    continue
                name, names = named[table]
                rows.setdefault(uscc, {}).setdefault(name, []).append(dict(zip(names, values, strict=False)))
        return Facts(version=version, rows=rows)

    def feeds(self) -> tuple[Feed, ...]:
        """Give the declared feeds with their last accepted load; read again only when the file has changed."""
        with self._lock:
            seen = self._connection.execute("PRAGMA data_version").fetchone()[0]
            if seen != self._feeds_seen:
                self._feeds = tuple(_feed(row) for row in self._connection.execute(_FEEDS))
                self._feeds_seen = seen
            return self._feeds

    def close(self) -> None:
        """Close the connection; later reads fail."""
        with self._lock:
            self._connection.close()


_Shape = tuple[tuple[str, tuple[str, ...]], ...]


@lru_cache(maxsize=256)
def _statement(shape: _Shape, single: bool) -> tuple[tuple[tuple[str, tuple[str, ...]], ...], str]:  # noqa: FBT001 - a cache key
    """Write the one statement that reads the version and every table, and the names of what it gives.

    Its rows are (number of the table or NULL, code, values), filled up with NULLs to one width.
    """
    named = tuple((table, tuple(dict.fromkeys((*columns, "digest")))) for table, columns in shape)
    for table, columns in shape:
        # Statement text is built from listed names only; whatever a question says stays a parameter.
        if not tables.readable(table).issuperset(columns):
            raise ValueError(f"a column asked of {table} is not listed; the columns are those of nodes.store.tables")
    width = max((len(names) for _, names in named), default=1)
    first = f"SELECT NULL, NULL, coalesce(max(id), 0){', NULL' * (width - 1)} FROM load"  # noqa: S608 - see above
    parts = (_select(number, table, names, width, single) for number, (table, names) in enumerate(named))
    return named, " UNION ALL ".join((first, *parts))


def _select(number: int, table: str, names: tuple[str, ...], width: int, single: bool) -> str:  # noqa: FBT001 - as above
    chosen = ", ".join([*(f"f.{name}" for name in names), *["NULL"] * (width - len(names))])
    source = f"{table} AS f" if single else f"json_each(:subjects) AS s CROSS JOIN {table} AS f ON f.uscc = s.value"
    newer = "n.record_id = f.record_id AND n.version > f.version"
    only = "f.uscc = :subjects AND " if single else ""
    return (
        f"SELECT {number}, f.uscc, {chosen} FROM {source} WHERE {only}f.status = 'CURRENT' "  # noqa: S608 - see above
        f"AND NOT EXISTS (SELECT 1 FROM {table} AS n WHERE {newer})"
    )


def _feed(row: tuple[str, str, str, str, str, int, str, str | None, int]) -> Feed:
    identity, agency, domain, division, record_class, frequency, history, through, gaps = row
    return Feed(
        id=identity,
        agency=agency,
        domain=domain,
        division=division,
        record_class=record_class,
        frequency_days=frequency,
        history_from=date.fromisoformat(history),
        data_through=None if through is None else date.fromisoformat(through),
        gaps=gaps,
    )
