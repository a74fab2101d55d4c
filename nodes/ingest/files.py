"""A table of a feed: its columns are those that the family knows, and all that it needs are there.

Which rows are good, the families decide.
"""

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nodes.files import Fault, FileRefused, Table, open_table

__all__ = ["Columns", "Fault", "FileRefused", "open_sheet"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The columns of a family of files: those that must be there, all that may be, and those that are read."""

    needed: frozenset[str]
    known: frozenset[str]
    kept: frozenset[str] = frozenset()
    """Columns that the family's reader looks at; nothing else of a row is kept while it waits."""


@contextmanager
def open_sheet(path: Path, columns: Columns) -> Iterator[Table]:
    """Open a table of a family.

    Raises:
        FileRefused: as `open_table` does, and for a header that does not fit the family.
    """
    with open_table(path) as table:
        _check(table.header, columns)
        yield table


def _check(header: tuple[str, ...], columns: Columns) -> None:
    """Check the header. A file without one has records there: positions are named, not contents."""
    for place, name in enumerate(header, start=1):
        if name not in columns.known:
            unclean = _clean(name) in columns.known
            raise FileRefused(Fault.UNCLEAN_COLUMN if unclean else Fault.UNKNOWN_COLUMN, position=place)
    missing = sorted(columns.needed.difference(header))
    if missing:
        raise FileRefused(Fault.MISSING_COLUMN, column=", ".join(missing))


def _clean(name: str) -> str:
    """Give a name without what a person does not see: marks, blanks, invisible and full-width characters."""
    seen = (each for each in unicodedata.normalize("NFKC", name) if unicodedata.category(each) not in {"Cf", "Zs"})
    return "".join(seen).strip()
