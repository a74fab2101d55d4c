"""What an auditor reads of a ledger: who did what for which purpose and when, filtered and counted (duty U32).

It never names a subject: of an entry's running numbers only their count is read.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from gateway import wire
from gateway.clocks import civil_day
from gateway.model.codes import LedgerEventKind
from gateway.model.ledger import LedgerEvent, LedgerPrivate
from gateway.uscc import defect

BLANK = "[redacted]"
_SHAPED = re.compile(r"(?=([0-9A-HJ-NPQRTUWXY]{18}))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """An entry as an auditor reads it; `place` is counted from 0 in its log."""

    log: int
    place: int
    time: datetime
    kind: LedgerEventKind
    asker: str
    answerer: str
    agency: str
    officer: str
    purpose: str
    item: str
    role: str
    act: str
    subjects: int

    @property
    def day(self) -> date:
        """The civil day on which it was entered."""
        return civil_day(self.time)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be read; days are included at both ends, an empty text asks for nothing in particular."""

    first: date | None = None
    last: date | None = None
    agency: str = ""
    officer: str = ""
    purpose: str = ""
    act: str = ""
    """Kind of the event, or name of the act."""

    def takes(self, found: Audited) -> bool:
        """Say whether an entry is wanted."""
        return (
            (self.first is None or found.day >= self.first)
            and (self.last is None or found.day <= self.last)
            and self.agency in {"", found.agency}
            and self.officer in {"", found.officer}
            and self.purpose in {"", found.purpose}
            and self.act in {"", found.act, found.kind.value}
        )


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Line:
    """A line of counts."""

    day: date
    agency: str
    officer: str
    purpose: str
    kind: str
    act: str
    count: int = 0


def audited(log: int, place: int, shared: bytes, private: bytes) -> Audited:
    """Read an entry by its openings, which the caller has verified.

    Raises:
        WireMalformed: when one is no message of its kind.
    """
    event, told = wire.decode(LedgerEvent, shared), wire.decode(LedgerPrivate, private)
    return Audited(
        log=log,
        place=place,
        time=told.log_time,
        kind=event.kind,
        asker=event.asker_member,
        answerer=event.answerer_member,
        agency=blanked(told.agency),
        officer=blanked(told.officer),
        purpose=blanked(told.purpose),
        item=blanked(told.application_item),
        role=blanked(told.role),
        act=blanked(told.act),
        subjects=len(told.subject_numbers),
    )


def blanked(text: str) -> str:
    """Give a text, or a mark in its place where it holds a code, however that is written.

    A code was typed where none belongs, and what stands beside it may tell whose it is: nothing of it is kept.
    """
    plain = unicodedata.normalize("NFKC", text).upper()
    return BLANK if any(defect(each[1]) is None for each in _SHAPED.finditer(plain)) else text


def counted(entries: Iterable[Audited]) -> tuple[Line, ...]:
    """Count entries by day, agency, officer, purpose, kind and act, in this order."""
    found = Counter((each.day, each.agency, each.officer, each.purpose, each.kind.value, each.act) for each in entries)
    return tuple(
        Line(day=day, agency=agency, officer=officer, purpose=purpose, kind=kind, act=act, count=count)
        for (day, agency, officer, purpose, kind, act), count in sorted(found.items())
    )
