# ruff: noqa: S608 - statements are built from the listed names of nodes.store.tables only
"""The statements that append versions of facts, one set a table; no fact is ever changed or deleted."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from nodes.store import tables

SEEN = "CREATE TEMP TABLE seen (name TEXT, record_id BLOB, PRIMARY KEY (name, record_id)) WITHOUT ROWID"

Row = Mapping[str, Any]
"""`uscc`, `record_id`, `salt`, `digest`, and columns of its table; days as yyyy-mm-dd, flags as 0 or 1."""

_ROW = ("uscc", "record_id", "salt", "digest")

Stored = tuple[str, int, bool, tuple[Any, ...]]
"""The latest version of a record: code, version, whether it is current, the table's own columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A fact table as its writer sees it: statements with names from the list only, values as parameters."""

    table: str
    columns: tuple[str, ...]
    allowed: frozenset[str]
    latest: str
    """Reads the latest version of some records; `{}` takes as many question marks."""

    begun: str
    """Names those of some records that a load began; `{}` takes as many question marks, the load comes last."""

    append: str
    append_new: str
    """As `append`, but passes over a record that has this version already."""

    withdraw: str
    current: str
    """Names those of some records that have a current fact; `{}` takes as many question marks."""

    absent_count: str
    absent_withdraw: str

    def content(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        """Take the table's own columns out of a row; a column that the row lacks is unknown.

        Raises:
            ValueError: when the row carries more than may be kept; the text names columns, never a value.
        """
        if not self.allowed.issuperset(row):
            extra = ", ".join(sorted(set(row) - self.allowed))
            raise ValueError(f"{self.table} has no column {extra}; drop while reading what is not stored")
        return tuple(map(row.get, self.columns))


@cache
def shape(table: str) -> Shape:
    """Give the shape of a fact table.

    Raises:
        ValueError: when there is no such table.
    """
    columns = tables.columns_of(table)
    own = ", ".join(columns)
    names = ", ".join(tables.COMMON) + ", " + own
    marks = ", ".join("?" * (len(tables.COMMON) + len(columns)))
    current = (
        "f.status = 'CURRENT' AND NOT EXISTS"
        f" (SELECT 1 FROM {table} AS n WHERE n.record_id = f.record_id AND n.version > f.version)"
    )
    append = f"INSERT INTO {table} ({names}) VALUES ({marks})"
    # A withdrawn version repeats what it withdraws, salt and digest included: it brings no new content.
    withdraw = (
        f"INSERT INTO {table} ({names})"
        " SELECT uscc, record_id, version + 1, 'WITHDRAWN', :time, :load, salt, digest, "
        f"{own} FROM {table} AS f WHERE {current} AND "
    )
    absent = (
        "f.load_id IN (SELECT id FROM load WHERE feed = :feed)"
        f" AND f.record_id NOT IN (SELECT record_id FROM seen WHERE name = '{table}')"
    )
    return Shape(
        table=table,
        columns=columns,
        allowed=frozenset((*_ROW, *columns)),
        latest=(
            f"SELECT record_id, uscc, max(version), status = 'CURRENT', {own}"
            f" FROM {table} WHERE record_id IN ({{}}) GROUP BY record_id"
        ),
        begun=f"SELECT record_id FROM {table} WHERE record_id IN ({{}}) AND version = 1 AND load_id = ?",
        append=append,
        append_new=f"{append} ON CONFLICT (record_id, version) DO NOTHING",
        withdraw=withdraw + "f.record_id = :record_id",
        current=f"SELECT record_id FROM {table} AS f WHERE record_id IN ({{}}) AND {current}",
        absent_count=f"SELECT count(*) FROM {table} AS f WHERE {current} AND {absent}",
        absent_withdraw=withdraw + absent,
    )
