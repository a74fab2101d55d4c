"""Dirt as it comes in files of real sources, at known rates and counted: what the report of a load must find again.

Dirt never spoils a good row of a record that others point at. What would be rejected, passed over or out of scope is
a further row beside the good one; what is only late, or holds too much in a column that is dropped, is done to
the row itself. So every domain stays complete.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from enum import Enum
from math import log
from random import Random
from types import MappingProxyType
from typing import NamedTuple

from gateway.uscc import sample_code
from nodes.sample.files import HEADERS
from nodes.sample.places import World
from nodes.sample.posts import Sink
from nodes.sample.shapes import spread


class Sort(Enum):
    """Sorts of dirty rows."""

    CHECK = "CHECK"
    FULL_WIDTH = "FULL_WIDTH"
    LOWER_CASE = "LOWER_CASE"
    LEGACY_15 = "LEGACY_15"
    MISSING = "MISSING"
    DUPLICATE = "DUPLICATE"
    LATE = "LATE"
    PERSON_NUMBER = "PERSON_NUMBER"
    DEFUNCT_DIVISION = "DEFUNCT_DIVISION"
    NATURAL_PERSON = "NATURAL_PERSON"
    OTHER_AGENCY = "OTHER_AGENCY"
    NATIONAL_COPY = "NATIONAL_COPY"


RATES: Mapping[Sort, float] = MappingProxyType({
    Sort.CHECK: 0.015,
    Sort.FULL_WIDTH: 0.0025,
    Sort.LOWER_CASE: 0.0025,
    Sort.LEGACY_15: 0.003,
    Sort.MISSING: 0.01,
    Sort.DUPLICATE: 0.02,
    Sort.LATE: 0.04,
    Sort.PERSON_NUMBER: 0.002,
    Sort.DEFUNCT_DIVISION: 0.001,
    Sort.NATURAL_PERSON: 0.001,
    Sort.OTHER_AGENCY: 0.001,
    Sort.NATIONAL_COPY: 0.001,
})  # fmt: skip
"""Share of rows; those of sorts that a class of record cannot have are left clean."""

POINTING = frozenset({"repair", "objection"})
"""Classes whose rows point at another record of the same subject and agency: neither is changed in them."""

_CODES = ("uscc", "CF_XDR_SHXYM", "XK_XDR_SHXYM")
_CLASSES = ("subject_kind", "CF_XDR_LB", "XK_XDR_LB")
_PERSONS = {"subject_kind": "NATURAL_PERSON", "CF_XDR_LB": "自然人", "XK_XDR_LB": "自然人"}
_AGENCIES = ("agency", "CF_CFJGDM", "XK_XKJGDM")
_SOURCES = ("CF_SJLY", "XK_SJLY")
_DECIDED = ("CF_JDRQ", "XK_JDRQ")
_FREE = ("CF_SY", "XK_NR", "content", "remarks", "court_text", "basis_text", "text", "citation", "title", "materials")
_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
_LATE_DAYS = 40  # beyond seven working days in every year's calendar

Row = list[str]


class _Columns(NamedTuple):
    """Where the cells of a class stand that dirt is about; None for a cell that it has not."""

    code: int
    sort: int
    person: str
    agency: int | None
    source: int | None
    decided: int | None
    reported: int | None
    free: int | None
    keyed: bool


class Dirt:
    """Passes lines on to a sink and makes some of them dirty; `counts` says by feed and sort how many."""

    def __init__(self, sink: Sink, world: World, chance: Random, *, today: date, scale: float = 1.0) -> None:
        """Prepare rates scaled by a factor.

        Raises:
            ValueError: for a factor below 0 or above 5: a file must stay mostly clean.
        """
        if not 0 <= scale <= 5:  # noqa: PLR2004
            raise ValueError("dirt is scaled by a factor from 0 to 5")
        self.counts: dict[str, Counter[Sort]] = {}
        self._pass, self._chance, self._today = sink.put, chance, today
        self._rate = sum(RATES.values()) * scale
        self._sorts = spread([(sort, rate / sum(RATES.values())) for sort, rate in RATES.items()], 10_000)
        self._columns = {feed.id: (feed.record_class, _columns(feed.record_class)) for feed in world.feeds.values()}
        self._foreign = _foreign(world)
        self._defunct = world.defunct
        self._log = log(1 - self._rate)
        self._left = self._next()
        self._serial = 0

    def put(self, feed: str, line: str) -> None:
        """Pass a line on, now and then with its dirt."""
        self._left -= 1
        if self._left:
            self._pass(feed, line)
        else:
            self._left = self._next()
            self._soil(feed, line)

    def _next(self) -> int:
        """Draw how many lines there are to the next dirty one; 0 is never reached."""
        return 1 + int(log(1 - self._chance.random()) / self._log) if self._rate else 0

    def _soil(self, feed: str, line: str) -> None:
        sort = self._sorts[int(self._chance.random() * len(self._sorts))]
        record_class, columns = self._columns[feed]
        spoiled = self._spoiled(sort, record_class, columns, line[:-1].split(","))
        beside = sort not in {Sort.LATE, Sort.PERSON_NUMBER}
        if spoiled is None or beside:
            self._pass(feed, line)
        if spoiled is not None:
            if columns.keyed and beside and sort is not Sort.DUPLICATE:
                spoiled[0] = f"D{spoiled[0]}"  # not the record of the good row: its key would take that one away
            self._pass(feed, ",".join(spoiled) + "\n")
            self.counts.setdefault(feed, Counter())[sort] += 1

    def _spoiled(self, sort: Sort, record_class: str, at: _Columns, row: Row) -> Row | None:
        if sort is Sort.DUPLICATE:
            return row
        if sort in _SPOILED_CODES:
            row[at.code] = _SPOILED_CODES[sort](row[at.code], self._counted())
            return row
        return self._TOLD[sort](self, record_class, at, row)

    def _late(self, _class: str, at: _Columns, row: Row) -> Row | None:
        if at.reported is None or at.decided is None:
            return None
        day = date.fromisoformat(row[at.decided]) + timedelta(days=_LATE_DAYS)
        row[at.reported] = day.isoformat()
        return row if day <= self._today else None

    def _person_number(self, _class: str, at: _Columns, row: Row) -> Row | None:
        if at.free is None:
            return None
        row[at.free] += person_number(self._counted())
        return row

    def _defunct_division(self, record_class: str, at: _Columns, row: Row) -> Row | None:
        if not self._defunct or record_class in POINTING or record_class == "register":
            return None
        row[at.code] = sample_code("91", self._chance.choice(self._defunct), self._counted())
        return row

    def _natural_person(self, _class: str, at: _Columns, row: Row) -> Row:
        row[at.sort], row[at.code] = at.person, ""
        return row

    def _other_agency(self, record_class: str, at: _Columns, row: Row) -> Row | None:
        found = None if at.agency is None or record_class in POINTING else self._foreign.get(row[at.agency])
        if found is None:
            return None
        row[at.agency or 0] = found
        return row

    def _national_copy(self, record_class: str, at: _Columns, row: Row) -> Row | None:
        if at.source is None:
            return None
        row[at.source] = "样例国家平台"
        return self._other_agency(record_class, at, row)

    def _counted(self) -> int:
        self._serial += 1
        return self._serial

    _TOLD: Mapping[Sort, Callable[["Dirt", str, _Columns, Row], Row | None]] = MappingProxyType({
        Sort.LATE: _late,
        Sort.PERSON_NUMBER: _person_number,
        Sort.DEFUNCT_DIVISION: _defunct_division,
        Sort.NATURAL_PERSON: _natural_person,
        Sort.OTHER_AGENCY: _other_agency,
        Sort.NATIONAL_COPY: _national_copy,
    })  # fmt: skip


def person_number(serial: int) -> str:
    """Give a number shaped as a resident ID, of nobody: division 99 does not exist, nor does 1900 any more."""
    first17 = f"99{serial // 1000 % 10_000:04}19000101{serial % 1000:03}"
    total = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(first17))
    return first17 + "10X98765432"[total % 11]


def _other_check(code: str, serial: int) -> str:
    """Change the check character: exactly one is right."""
    return code[:-1] + chr(ord("0") + (int(code[-1]) + 1 + serial % 9) % 10) if code[-1].isdigit() else f"{code[:-1]}0"


_SPOILED_CODES: Mapping[Sort, Callable[[str, int], str]] = MappingProxyType({
    Sort.CHECK: _other_check,
    Sort.FULL_WIDTH: lambda code, _serial: code.translate(_FULL_WIDTH),
    Sort.LOWER_CASE: lambda code, _serial: code.lower(),
    Sort.LEGACY_15: lambda _code, serial: f"990000{serial:09}",
    Sort.MISSING: lambda _code, _serial: "",
})  # fmt: skip


def _columns(record_class: str) -> _Columns:
    header = HEADERS[record_class].split()
    sort = _first(header, _CLASSES) or 0
    return _Columns(
        code=_first(header, _CODES) or 0,
        sort=sort,
        person=_PERSONS[header[sort]],
        agency=_first(header, _AGENCIES),
        source=_first(header, _SOURCES),
        decided=_first(header, _DECIDED),
        reported=_first(header, ("reported_on",)),
        free=_first(header, _FREE),
        keyed=header[0] == "record_key",
    )


def _first(header: Sequence[str], names: Sequence[str]) -> int | None:
    return next((header.index(name) for name in names if name in header), None)


def _foreign(world: World) -> Mapping[str, str]:
    """Give another member's agency for each of this member's, by id and by code."""
    pairs = [(each.agency, other) for each in world.feeds.values() if (other := world.elsewhere(each.agency))]
    return dict(pairs) | {world.codes[own]: world.codes[other] for own, other in pairs}
