"""Lays the leaf hashes that a ledger's entries give beside those that it kept, and names where they part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import chain, islice

FINDINGS = 1_000
AHEAD = 4_096


class Damage(Enum):
    """What was done to a ledger."""

    EDITED = "EDITED"
    DELETED = "DELETED"
    REORDERED = "REORDERED"
    TRUNCATED = "TRUNCATED"
    FORKED = "FORKED"
    TILE = "TILE"  # the entries are whole; a tile is not, and can be made again


@dataclass(frozen=True, slots=True)
class Injury:
    """A kind of damage and the entries that it concerns, first and last included."""

    damage: Damage
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class _Parting:
    """A place where the two part: the hash kept for it, and the one found in its stead."""

    index: int
    kept: bytes | None
    found: bytes | None


class Alignment:
    """Takes found hashes a block at a time; holds a few thousand hashes and a thousand places at most."""

    def __init__(self, kept: Iterator[bytes]) -> None:
        """Start at the first entry."""
        self._more = kept
        self._kept: list[bytes] = []
        self._found: list[bytes] = []
        self._partings: list[_Parting] = []
        self._index = 0
        self._cut: tuple[int, int] | None = None

    def feed(self, found: Iterable[bytes]) -> None:
        """Go as far as these hashes reach; one is held back to see what follows it."""
        self._found.extend(found)
        while len(self._found) > 1:
            self._step()

    def finish(self) -> None:
        """Take it that no more is found: what was kept beyond is cut off."""
        while self._found:
            self._step()
        if len(self._partings) < FINDINGS:
            strange = {each.found for each in self._partings}
            for at, each in enumerate(chain(self._kept, self._more), self._index):
                if each in strange:
                    self._partings.append(_Parting(at, each, None))
                else:
                    self._cut = (self._cut[0] if self._cut else at, at)

    def injuries(self) -> tuple[Injury, ...]:
        """Name the damage: a hash that left one place and came to another was moved."""
        lost = {each.kept for each in self._partings if each.kept}
        strange = {each.found for each in self._partings if each.found}
        named = [(each.index, _damage(each, lost, strange)) for each in self._partings]
        found = _joined((index, damage) for index, damage in named if damage is not None)
        if self._cut:
            found.append(Injury(Damage.TRUNCATED, *self._cut))
        return tuple(found)

    def _step(self) -> None:
        self._kept.extend(islice(self._more, max(len(self._found), AHEAD) - len(self._kept)))
        if not self._kept or len(self._partings) >= FINDINGS:
            self._found.clear()
            return
        same = _same(self._kept, self._found)
        self._index += same
        del self._kept[:same], self._found[:same]
        if not same:
            self._part()

    def _part(self) -> None:
        """Decide by what follows whether an entry was left out, came in, or stands in another's place."""
        following = self._found[1] if len(self._found) > 1 else None
        gone = self._gone(following)
        if gone:
            self._note(self._kept[:gone], None)
        elif following == self._kept[0]:
            self._partings.append(_Parting(self._index, None, self._found.pop(0)))
        else:
            self._note(self._kept[:1], self._found.pop(0))

    def _gone(self, following: bytes | None) -> int:
        """Count the kept hashes before the found one; none when what follows it does not follow there too."""
        if self._found[0] not in self._kept:
            return 0
        at = self._kept.index(self._found[0])
        return at if following is None or following in self._kept[at + 1 : at + 2] else 0

    def _note(self, kept: list[bytes], found: bytes | None) -> None:
        self._partings.extend(_Parting(self._index + at, each, found) for at, each in enumerate(kept))
        self._index += len(kept)
        del self._kept[: len(kept)]


def _same(kept: list[bytes], found: list[bytes]) -> int:
    """Count the hashes that agree from the beginning."""
    size = min(len(kept), len(found))
    if kept[:size] == found[:size]:
        return size
    return next(at for at in range(size) if kept[at] != found[at])


def _damage(parting: _Parting, lost: set[bytes], strange: set[bytes]) -> Damage | None:
    moved = parting.found in lost or parting.kept in strange
    if parting.kept is None:
        return None if moved else Damage.EDITED  # a moved one is named where it is missing
    if moved:
        return Damage.REORDERED
    return Damage.DELETED if parting.found is None else Damage.EDITED


def _joined(named: Iterable[tuple[int, Damage]]) -> list[Injury]:
    """Join neighbours of one kind."""
    found: list[Injury] = []
    for index, damage in named:
        if found and found[-1].damage is damage and found[-1].last in {index - 1, index}:
            found[-1] = Injury(damage, found[-1].first, index)
        else:
            found.append(Injury(damage, index, index))
    return found
