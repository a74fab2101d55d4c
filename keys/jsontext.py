"""Strict JSON (RFC 8259): what two parsers could read differently is refused.

Refused are duplicate names, other encodings than UTF-8, lone surrogates, numbers beyond range, too much depth
or length. Values come out frozen. A `Place` is a value with its path, so that a refusal says where.
"""

import base64
import binascii
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar

from keys import moments
from keys.errors import KeysError

SIZE_LIMIT = 8 * 1024 * 1024
DEPTH_LIMIT = 32

_T = TypeVar("_T")
_LINE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]{1,200}")


def load(text: bytes, *, refuse: type[KeysError], name: str = "$") -> "Place":
    """Return the document as a place whose objects are read-only mappings and whose arrays are tuples.

    Refusals call it by its name. Raises `refuse` when the text is not strict JSON within the limits.
    """
    document = "the document" if name == "$" else name
    if len(text) > SIZE_LIMIT:
        raise refuse(f"{document} is over {SIZE_LIMIT} bytes; split it or ask its sender for a smaller one")
    try:
        value = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_object,
            parse_float=_number,
            parse_constant=_number,
        )
        return Place(path=name, value=_freeze(value, DEPTH_LIMIT), refuse=refuse)
    except RecursionError:
        raise refuse(f"{document} nests deeper than {DEPTH_LIMIT}; ask its sender for a flat one") from None
    except ValueError as error:
        # The cause's own text may quote the document: say where it broke, not what stood there.
        where = f" near character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        what = str(error) if isinstance(error, _NotStrictError) else "not well formed UTF-8 JSON"
        raise refuse(f"{document} is refused{where}: {what}; ask its sender for a correct one") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A value of a document and where it stands. Each reader returns the value or raises `refuse`."""

    path: str
    value: Any
    refuse: type[KeysError]

    def fail(self, problem: str) -> NoReturn:
        """Raise `refuse` with the path before the problem."""
        raise self.refuse(f"{self.path} {problem}; correct the document at its source")

    def build(self, kind: Callable[..., _T], **fields: object) -> _T:
        """Return `kind(**fields)`.

        Raises what its construction raises, with the path before the text.
        """
        try:
            return kind(**fields)
        except KeysError as error:
            text = f"{self.path}: {error}"
            raise type(error)(text) from None

    def members(
        self, names: Iterable[str], *, others: bool = False, optional: Iterable[str] = ()
    ) -> Mapping[str, "Place"]:
        """Return the members of an object that has all these names but optional ones, and no others unless allowed."""
        if not isinstance(self.value, Mapping):
            self.fail("is not an object")
        wanted = frozenset(names)
        for name in sorted(wanted - self.value.keys() - set(optional)):
            self.fail(f"lacks the member {name!r}")
        for name in () if others else sorted(self.value.keys() - wanted):
            self.fail(f"has the unknown member {name[:40]!r}")
        return {name: self._at(f".{name[:40]}", value) for name, value in self.value.items()}

    def items(self, *, limit: int) -> tuple["Place", ...]:
        """Return the items of an array of at most `limit`."""
        if not isinstance(self.value, tuple):
            self.fail("is not an array")
        if len(self.value) > limit:
            self.fail(f"has more than {limit} items")
        return tuple(self._at(f"[{index}]", value) for index, value in enumerate(self.value))

    def text(self, pattern: re.Pattern[str] = _LINE) -> str:
        """Return a text that matches the whole pattern: one printable line unless told otherwise."""
        if not isinstance(self.value, str):
            self.fail("is not a text")
        if pattern.fullmatch(self.value) is None:
            self.fail("is not of the expected form")
        return str(self.value)

    def integer(self, *, least: int) -> int:
        """Return a whole number from `least` to 2^53 - 1, the range in which all JSON parsers agree."""
        if type(self.value) is not int:
            self.fail("is not a whole number")
        if not least <= self.value < 2**53:
            self.fail(f"is not a whole number from {least} to 2^53 - 1")
        return int(self.value)

    def flag(self) -> bool:
        """Return true or false."""
        if not isinstance(self.value, bool):
            self.fail("is neither true nor false")
        return self.value

    def moment(self) -> datetime:
        """Return a time in UTC."""
        return self._read(moments.read)

    def day(self) -> date:
        """Return a calendar day."""
        return self._read(moments.read_day)

    def octets(self) -> bytes:
        """Return the bytes of a canonical standard base64 text (RFC 4648, section 4, padded)."""
        return self._read(_octets)

    def maybe(self, read: Callable[["Place"], _T]) -> _T | None:
        """Return nothing for null, else what `read` makes of this place."""
        return None if self.value is None else read(self)

    def _at(self, step: str, value: object) -> "Place":
        return Place(path=self.path + step, value=value, refuse=self.refuse)

    def _read(self, read: Callable[[str], _T]) -> _T:
        if not isinstance(self.value, str):
            self.fail("is not a text")
        try:
            return read(self.value)
        except ValueError:
            self.fail("is not of the expected form")


def write_octets(octets: bytes) -> str:
    """Return the canonical base64 text of the bytes."""
    return base64.b64encode(octets).decode("ascii")


class _NotStrictError(ValueError):
    """Well formed for a lenient parser; the text is ours and quotes nothing."""


def _octets(text: str) -> bytes:
    try:
        octets = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        octets = None
    # Unused trailing bits would give one value several texts.
    if octets is None or write_octets(octets) != text:
        raise ValueError("not canonical base64")
    return octets


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _NotStrictError("an object has a member twice")
    return members


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _NotStrictError("a number is out of range")
    return number


def _freeze(value: Any, depth: int) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        value.encode("utf-8")
    if not isinstance(value, dict | list):
        return value
    if depth == 0:
        raise RecursionError
    if isinstance(value, list):
        return tuple(_freeze(item, depth - 1) for item in value)
    return MappingProxyType({_freeze(name, depth): _freeze(item, depth - 1) for name, item in value.items()})
