"""What a draft would change, for whoever is asked to sign it: keys, rows, grades, and who could then see what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from gateway.clocks import civil_day
from keys.directory import Stop
from nodes.trust import changes, grades, reach
from nodes.trust.changes import RowChange
from nodes.trust.draft import After, Draft
from nodes.trust.grades import GradeChange
from nodes.trust.published import Published
from nodes.trust.review import Reviewed
from nodes.trust.seating import Seating, seatings

DAYS = 12
"""Days at which what may be seen is worked out: today, and the next at which a changed row begins or ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleDraft:
    """A role that gets a next version."""

    role: str
    version: int
    expire_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeing:
    """Who could see more or less from a day on."""

    from_day: str
    changes: tuple[reach.Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A draft as it is shown before signing; `senseless`: no node can read what it follows, so that all looks new."""

    digest: str
    extends: int
    roles: tuple[RoleDraft, ...]
    seats: tuple[Seating, ...]
    agreements: tuple[str, ...]
    rows: tuple[RowChange, ...]
    grades: tuple[GradeChange, ...]
    sights: tuple[Seeing, ...]
    unknown_stops: tuple[Stop, ...] = ()
    senseless: bool = False


def tell(draft: Draft, base: Published | None, reviewed: Reviewed, *, now: datetime) -> Told:
    """Work out everything that a draft would change."""
    after, found = After(draft=draft, base=base), changes.compare(reviewed.old, reviewed.new)
    sheets = [after.sheet(role) for role in sorted(draft.roles)]
    return Told(
        digest=draft.digest,
        extends=draft.base_version,
        roles=tuple(RoleDraft(role=each.role, version=each.version, expire_time=each.expires) for each in sheets),
        seats=seatings(draft, base),
        agreements=tuple(sorted(draft.agreements)),
        rows=found,
        grades=grades.grade_changes(reviewed.mappings, reviewed.after.catalogue.mappings),
        sights=tuple(_sights(reviewed, _days(found, civil_day(now)))),
        unknown_stops=reviewed.unknown,
        senseless=bool(draft.base_version) and reviewed.before is None,
    )


def _days(found: tuple[RowChange, ...], today: date) -> tuple[date, ...]:
    return (today, *(each for each in changes.days(found) if each > today))[:DAYS]


def _sights(reviewed: Reviewed, on: tuple[date, ...]) -> Iterator[Seeing]:
    """Tell each day on which the difference is another than on the day before."""
    last: tuple[reach.Change, ...] = ()
    for day in on:
        before = reach.reach(reviewed.before, day) if reviewed.before else {}
        found = reach.changes(before, reach.reach(reviewed.after, day))
        if found != last:
            yield Seeing(from_day=day.isoformat(), changes=found)
        last = found
