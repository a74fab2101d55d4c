"""Reads rows of the signed directory into frozen values by their annotations, and names the place of any fault."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from functools import cache
from types import MappingProxyType, NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from gateway.errors import CatalogueMalformed

ALL = "*"
"""Stands for every domain or matter in a list of them."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dated:
    """A row in force from its first day until the day before `valid_until`; civil days, Asia/Shanghai."""

    valid_from: date
    valid_until: date | None = None

    def in_force(self, on: date) -> bool:
        """Say whether the row is in force on a day."""
        return self.valid_from <= on and (self.valid_until is None or on < self.valid_until)


def read(kind: type[T], value: object, place: str) -> T:
    """Read one row.

    Raises:
        CatalogueMalformed: for a missing, unknown or wrongly typed field; the text gives its path.
    """
    if not isinstance(value, Mapping):
        raise _fault(place, "an object")
    hints = _hints(kind)  # type: ignore[arg-type]  # types are hashable
    unknown = set(value) - set(hints)
    if unknown:
        raise _fault(f"{place}.{min(unknown)}", "no such field")
    found = {name: _value(hints[name], value[name], f"{place}.{name}") for name in hints if name in value}
    for field in fields(kind):  # type: ignore[arg-type]  # every row type is a dataclass
        if field.name not in found and field.default is MISSING and field.default_factory is MISSING:
            raise _fault(f"{place}.{field.name}", "a value")
    return kind(**found)


def read_all(kind: type[T], section: object, place: str) -> tuple[T, ...]:
    """Read a list of rows.

    Raises:
        CatalogueMalformed: as `read`.
    """
    return tuple(read(kind, row, f"{place}[{index}]") for index, row in enumerate(_list(section, place)))


def by(rows: Iterable[T], key: str) -> Mapping[str, T]:
    """Give rows by their name.

    Raises:
        CatalogueMalformed: for a name that stands twice.
    """
    found: dict[str, T] = {}
    for row in rows:
        name = getattr(row, key)
        if name in found:
            msg = f"directory: {type(row).__name__} {name} stands twice; keep one row"
            raise CatalogueMalformed(msg)
        found[name] = row
    return found


def check_apart(rows: Iterable[Dated], place: str, *key: str) -> None:
    """Check that no two rows of one key are in force on the same day: which of them held would be chance.

    Raises:
        CatalogueMalformed: otherwise; the text names the table and the key.
    """
    ends: dict[tuple[str, ...], date | None] = {}
    for row in sorted(rows, key=lambda each: each.valid_from):
        names = tuple(getattr(row, each) for each in key)
        end = ends.get(names, row.valid_from)
        if end is None or row.valid_from < end:
            where = " ".join((place, *names))
            msg = f"directory {where}: two rows are in force on {row.valid_from}; end the first or take one out"
            raise CatalogueMalformed(msg)
        ends[names] = row.valid_until


@cache
def _hints(kind: Hashable) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _list(value: object, place: str) -> list[object] | tuple[object, ...]:
    if not isinstance(value, list | tuple):
        raise _fault(place, "a list")
    return value


def _value(hint: Any, value: Any, place: str) -> Any:
    origin = get_origin(hint)
    if origin in {Union, UnionType}:
        inner = next(each for each in get_args(hint) if each is not NoneType)
        return None if value is None else _value(inner, value, place)
    if origin in {tuple, frozenset}:
        inner = get_args(hint)[0]
        return origin(_value(inner, each, f"{place}[{i}]") for i, each in enumerate(_list(value, place)))
    if origin is Mapping:
        if not isinstance(value, Mapping):
            raise _fault(place, "an object")
        inner = get_args(hint)[1]
        return MappingProxyType({key: _value(inner, each, f"{place}.{key}") for key, each in value.items()})
    if is_dataclass(hint):
        return read(cast("type[Any]", hint), value, place)
    return _scalar(hint, value, place)


def _scalar(hint: Any, value: Any, place: str) -> Any:
    if hint in {date, datetime} or issubclass(hint, Enum):
        if isinstance(value, str):
            try:
                return hint(value) if issubclass(hint, Enum) else hint.fromisoformat(value)
            except ValueError as error:
                raise _fault(place, f"a {hint.__name__}") from error
    elif type(value) is hint:
        return value
    raise _fault(place, f"a {hint.__name__}")


def _fault(place: str, wanted: str) -> CatalogueMalformed:
    return CatalogueMalformed(f"directory {place}: expected {wanted}; correct the table and sign it again")
