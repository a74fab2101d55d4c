"""What differs between two documents of a federation, row by row: a table's row is known by its names, not its place.

It tells everything that changed and judges nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any

NAMES: Mapping[str, tuple[str, ...]] = {
    "schemes": ("id", "version"),
    "mappings": ("id", "version"),
    "measure_lists": ("member", "edition"),
    "clocks": ("member", "valid_from"),
    "inspection_rules": ("member", "valid_from"),
    "agency_codes": ("code", "agency"),
    "working_days": ("date", "year"),
    "ceilings": ("version",),
    "quarantine": ("what", "id"),
    "gaps": ("member", "log"),
}
"""Members of a row that name it, where it has neither id nor code."""

_USUAL = ("id", "code", "version", "valid_from")
_IN_MEMBERS = ("keys", "agencies", "officers")
_CERTIFICATES = ("ca_certificates", "issuing_certificates")

_DAYS = frozenset({"valid_from", "valid_until", "active_from", "active_until", "from", "until"})
_UNDATED = frozenset({"keys", "rota"})

Document = Mapping[str, Any]


class What(Enum):
    """What became of a row."""

    ADDED = "ADDED"
    REMOVED = "REMOVED"
    CHANGED = "CHANGED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A value of a row before and after, as texts; empty where there was none."""

    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange:
    """A row that was added, removed or changed, and the fields that differ."""

    table: str
    name: str
    what: What
    fields: tuple[Field, ...]


def compare(before: Document, after: Document) -> tuple[RowChange, ...]:
    """Tell every row that differs; the members' keys, agencies and officers are tables of their own."""
    old, new = _tables(before), _tables(after)
    return tuple(each for table in sorted(old.keys() | new.keys()) for each in _rows(table, old, new))


def days(found: tuple[RowChange, ...]) -> tuple[date, ...]:
    """Give the days at which a changed row, or an officer's role in it, begins or ends, in order.

    Keys count in moments, and change nothing of what may be seen.
    """
    texts = {
        text
        for change in found
        for each in change.fields
        if change.table not in _UNDATED and each.path.rpartition(".")[2] in _DAYS
        for text in (each.before, each.after)
        if text
    }
    return tuple(sorted(date.fromisoformat(each) for each in texts))


def _rows(table: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[RowChange]:
    before, after = old.get(table, {}), new.get(table, {})
    for name in sorted(before.keys() | after.keys()):
        was, will = before.get(name), after.get(name)
        if was == will:
            continue
        what = What.ADDED if was is None else What.REMOVED if will is None else What.CHANGED
        yield RowChange(table=table, name=name, what=what, fields=tuple(_fields(was or {}, will or {})))


def _fields(was: Mapping[str, str], will: Mapping[str, str]) -> Iterator[Field]:
    for path in sorted(was.keys() | will.keys()):
        before, after = was.get(path, ""), will.get(path, "")
        if before != after:
            yield Field(path=path, before=before, after=after)


def _tables(document: Document) -> dict[str, dict[str, dict[str, str]]]:
    """Give each table's rows by name, each row flat."""
    tables = {name: value for name, value in document.items() if name != "members"}
    members = [dict(each) for each in document.get("members", ())]
    for inner in _IN_MEMBERS:
        tables[inner] = [{"member": row["id"], **each} for row in members for each in row.pop(inner, ())]
    tables["members"] = [{**row, **_pinned(row)} for row in members]
    return {name: _named(name, value) for name, value in tables.items()}


def _pinned(row: Mapping[str, Any]) -> dict[str, Any]:
    """Write certificates as their fingerprints: nobody compares PEM by eye."""
    return {
        name: [hashlib.sha256("".join(each.split()).encode()).hexdigest()[:16] for each in row.get(name, ())]
        for name in _CERTIFICATES
    }


def _named(table: str, value: Any) -> dict[str, dict[str, str]]:  # noqa: ANN401  any JSON
    if not isinstance(value, list | tuple):
        return {table: dict(_flat("", value))}
    rows = [dict(_flat("", each)) for each in value]
    return {_name(table, row, number): row for number, row in enumerate(rows)}


def _name(table: str, row: Mapping[str, str], number: int) -> str:
    usual = next(((each,) for each in _USUAL if each in row), ())
    names = [row[each] for each in NAMES.get(table, usual) if each in row]
    return " ".join(names) or str(number)


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401  any JSON
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _flat(f"{path}.{name}" if path else str(name), each)
    elif isinstance(value, list | tuple) and any(isinstance(each, Mapping) for each in value):
        for number, each in enumerate(value):
            yield from _flat(f"{path}.{each.get('code', number) if isinstance(each, Mapping) else number}", each)
    elif value is not None:
        yield path, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
