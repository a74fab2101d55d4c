"""Quarantine: one thing of the federation stopped at once, while everything around it goes on.

The quorum lists what is stopped in the bundle; a member adds its own local stops in the same form. Either way the
document is changed before it is read, so that every check that there is finds what is stopped as it must.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from keys.errors import BundleMalformed
from keys.jsontext import Place

SECTION = "quarantine"
CLOSED = "closed"
_MANY = 10_000

_Row = Mapping[str, Any]
_Rows = tuple[_Row, ...]
_Change = Callable[[_Rows, str], _Rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One thing that is stopped: what it is, its id, and on what ground.

    Raises BundleMalformed for a thing that cannot be stopped.
    """

    what: str
    id: str
    ground: str

    def __post_init__(self) -> None:
        """Check what it is."""
        if self.what not in WHATS:
            raise BundleMalformed(f"what is stopped is not one of {', '.join(sorted(WHATS))}; name it by its kind")


def read_stops(place: Place) -> tuple[Stop, ...]:
    """Return the stops of a list of `what`, `id` and `ground`; `place` raises for any other form."""
    return tuple(_stop(each) for each in place.items(limit=_MANY))


def apply(document: _Row, stops: Iterable[Stop]) -> _Row:
    """Return the document with these things stopped; what it does not hold is passed over.

    A member, agency or agreement is suspended, a key is revoked from its first moment on, a purpose may ask nothing,
    and a data item is closed with all its fields.
    """
    for stop in stops:
        section, change = _CHANGES[stop.what]
        document = _with(document, section, change, stop.id)
    return document


def held(document: _Row, what: str) -> frozenset[str]:
    """Name the things of a kind that a verified document holds; whatever else is stopped, that stops nothing."""
    section, inner, name = _NAMES[what]
    rows = document.get(section, ())
    found = (each for row in rows for each in row.get(inner, ())) if inner else rows
    return frozenset(str(row[name]) for row in found)


def _stop(place: Place) -> Stop:
    part = place.members(("what", "id", "ground"))
    return place.build(Stop, what=part["what"].text(), id=part["id"].text(), ground=part["ground"].text())


def _with(held: _Row, section: str, change: _Change, name: str) -> _Row:
    """Change the rows of a section; one that holds anything else is left to its reader, who refuses it."""
    rows = held.get(section)
    if not isinstance(rows, tuple) or not all(isinstance(each, Mapping) for each in rows):
        return held
    return {**held, section: change(rows, name)}


def _changed(rows: _Rows, found: Callable[[_Row], bool], **changes: object) -> _Rows:
    return tuple({**row, **changes} if found(row) else row for row in rows)


def _suspend(rows: _Rows, name: str) -> _Rows:
    return _changed(rows, lambda row: row.get("id") == name, suspended=True)


def _within(section: str, change: _Change) -> _Change:
    """Change the rows that each member holds."""
    return lambda members, name: tuple(_with(each, section, change, name) for each in members)


def _revoke(rows: _Rows, name: str) -> _Rows:
    return tuple(
        {**row, "revoked_time": row.get("valid_from"), "suspect_from": None} if row.get("id") == name else row
        for row in rows
    )


def _silence(rows: _Rows, name: str) -> _Rows:
    return _changed(rows, lambda row: row.get("code") == name, kinds={})


def _close(rows: _Rows, name: str) -> _Rows:
    """Close a data item with the fields below it; a field without a row of its own gets a closed one."""
    closed = _changed(rows, lambda row: f"{row.get('id')}.".startswith(f"{name}."), label=CLOSED)
    item = name.partition(".")[0]
    if any(row.get("id") == name for row in closed):
        return closed
    return (*closed, *({**row, "id": name, "label": CLOSED} for row in closed if row.get("id") == item))


_CHANGES: Mapping[str, tuple[str, _Change]] = MappingProxyType(
    {
        "member": ("members", _suspend),
        "key": ("members", _within("keys", _revoke)),
        "agency": ("members", _within("agencies", _suspend)),
        "agreement": ("agreements", _suspend),
        "purpose": ("purposes", _silence),
        "data_item": ("data_items", _close),
    }
)
_NAMES: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "member": ("members", "", "id"),
        "key": ("members", "keys", "id"),
        "agency": ("members", "agencies", "id"),
        "agreement": ("agreements", "", "id"),
        "purpose": ("purposes", "", "code"),
        "data_item": ("data_items", "", "id"),
    }
)
WHATS = frozenset(_CHANGES)
"""What can be stopped."""
