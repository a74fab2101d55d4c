"""Who would get or lose a seat: the keys that may sign each role, before and after a draft.

A request proves that somebody holds a key, not that it is the member's: only whoever reads the whole public key to its
holder can tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from keys.bundle.metadata import Seat
from keys.suite import PublicKey
from nodes.trust.draft import After, Draft
from nodes.trust.published import Published
from nodes.trust.standing import seats

_NOBODY = Seat(keys=(), threshold=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatKey:
    """A role key, and its whole raw public key in hexadecimal."""

    key: str
    public: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seating:
    """The keys that a role would gain or lose, and how many must sign before and after; 0 where there is no role."""

    role: str
    threshold_before: int
    threshold_after: int
    added: tuple[SeatKey, ...]
    removed: tuple[SeatKey, ...]


def seatings(draft: Draft, base: Published | None) -> tuple[Seating, ...]:
    """Tell each role whose keys or threshold a draft would change."""
    old = {each.name: Seat(keys=each.keys, threshold=each.threshold) for each in (base.opened.roles if base else ())}
    return tuple(_seatings(old, seats(After(draft=draft, base=base).sheets())))


def _seatings(old: dict[str, Seat], new: dict[str, Seat]) -> Iterator[Seating]:
    for role in sorted(old.keys() | new.keys()):
        before, after = old.get(role, _NOBODY), new.get(role, _NOBODY)
        added, removed = _without(after.keys, before.keys), _without(before.keys, after.keys)
        if added or removed or before.threshold != after.threshold:
            yield Seating(
                role=role,
                threshold_before=before.threshold,
                threshold_after=after.threshold,
                added=added,
                removed=removed,
            )


def _without(keys: Iterable[PublicKey], others: Iterable[PublicKey]) -> tuple[SeatKey, ...]:
    left_out = {(each.id, each.raw) for each in others}
    found = (SeatKey(key=each.id, public=each.raw.hex()) for each in keys if (each.id, each.raw) not in left_out)
    return tuple(sorted(found, key=lambda each: each.key))
