"""Reads the TOML files of a federation's folder as one set of tables.

A further file adds rows to the lists and names to the tables of the others: a new member is new data, not new
code. A folder that says `base` begins with the tables of that folder, and `[changes.members.340000]` sets fields of one
of its rows. What the rows mean, the compiler and the catalogue's reader decide.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from gateway.errors import CatalogueMalformed

REFERENCE = Path(__file__).resolve().parent
"""The folder of the reference federation of four regions."""
WIDER = REFERENCE / "wider"
"""The reference with a hub, sub-members and their agreements."""

BASE, CHANGES = "base", "changes"

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Folder:
    """The merged tables of a federation's folder."""

    tables: Mapping[str, Any]

    def rows(self, name: str) -> tuple[Row, ...]:
        """Give the rows of a list; one that stands in no file is empty."""
        return tuple(self.tables.get(name, ()))

    def table(self, name: str) -> Row:
        """Give a table; one that stands in no file is empty."""
        found: Row = self.tables.get(name, {})
        return found

    @cached_property
    def members(self) -> Mapping[str, Row]:
        """The members' rows by id."""
        return {row["id"]: row for row in self.rows("members")}

    def agencies(self, member: str) -> Iterator[tuple[str, str]]:
        """Give division and sort of a member's agencies; a star stands for every sort.

        Raises:
            CatalogueMalformed: for a sort or member without a row.
        """
        sorts = self.table("agency_kinds")
        for division, named in entry(self.members, member, "members").get("agencies", {}).items():
            for sort in sorts if named == ["*"] else named:
                entry(sorts, sort, "agency_kinds")
                yield division, sort


def entry(table: Mapping[str, Any], name: str, place: str) -> Any:  # noqa: ANN401 - any TOML value
    """Give an entry of a table.

    Raises:
        CatalogueMalformed: when there is none; the text names the table and the entry.
    """
    if name not in table:
        raise CatalogueMalformed(f"federation {place}: {name} has no row; add it or take the reference out")
    return table[name]


def read_folder(folder: Path) -> Folder:
    """Read and merge the TOML files of a folder, and of the folder that it widens.

    Raises:
        CatalogueMalformed: for a file that is no TOML, a name that two files use for different things, or a change of a
            row that is in none.
    """
    tables: dict[str, Any] = {}
    _add(folder, tables)
    for name, changes in tables.pop(CHANGES, {}).items():
        tables[name] = _changed(name, tables.get(name, []), changes)
    return Folder(tables=tables)


def _add(folder: Path, tables: dict[str, Any]) -> None:
    paths = sorted(folder.glob("*.toml"))
    if not paths:
        raise CatalogueMalformed(f"federation: {folder.name} holds no TOML file; name a federation's folder")
    for path in paths:
        found = _read(path)
        base = found.pop(BASE, "")
        if base:
            _add(folder / base, tables)
        for name, value in found.items():
            _merge(tables, name, value, path.name)


def _changed(name: str, rows: list[dict[str, Any]], changes: Row) -> list[dict[str, Any]]:
    by_id = {row["id"]: row for row in rows}
    for each in changes:
        entry(by_id, each, f"{CHANGES} {name}")
    return [{**row, **changes.get(row["id"], {})} for row in rows]


def _read(path: Path) -> dict[str, Any]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogueMalformed(f"federation {path.name}: {error}; correct the file") from error
    defaults = tables.pop("defaults", {})
    return {name: _completed(_plain(value), defaults) for name, value in tables.items()}


def _completed(value: Any, defaults: Row) -> Any:  # noqa: ANN401 - any TOML value
    """Add a file's defaults to the rows of its lists of tables."""
    if isinstance(value, list) and all(isinstance(row, dict) for row in value):
        return [{**defaults, **row} for row in value]
    return value


def _plain(value: Any) -> Any:  # noqa: ANN401 - any TOML value
    """Write TOML's days and times as JSON's texts."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, date | datetime) else value


def _merge(tables: dict[str, Any], name: str, value: Any, file: str) -> None:  # noqa: ANN401 - any TOML value
    held = tables.get(name)
    if held is None:
        tables[name] = value
    elif isinstance(held, list) and isinstance(value, list):
        tables[name] = held + value
    elif isinstance(held, dict) and isinstance(value, dict) and not held.keys() & value.keys():
        tables[name] = held | value
    else:
        raise CatalogueMalformed(f"federation {file}: {name} says again what another file says; keep one")
