"""Which agreement governs a question where several might, and when one stands aside (duty U9).

An agreement may name a parent, the wider one that it is a case of: it stands only while that one does. Of those that
stand and fit, the least precedence number goes first. Among equals the narrower goes first where the members are named,
and the wider where none is: what is agreed more closely prevails, but nobody is left out unasked. Numbers and days are
data of the rows.
"""

from __future__ import annotations

from enum import Enum
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from gateway.catalogue import Agreement


class Standing(Enum):
    """Whether an agreement may be asked under."""

    IN_FORCE = "IN_FORCE"
    SUSPENDED = "SUSPENDED"
    ENDED = "ENDED"
    """Not begun yet, or ended."""


def standing(agreement: Agreement, agreements: Mapping[str, Agreement], on: date) -> Standing:
    """Say whether an agreement stands on a day, and its parent with it."""
    held = [agreement, *([agreements[agreement.parent]] if agreement.parent else ())]
    if not all(each.in_force(on) for each in held):
        return Standing.ENDED
    return Standing.SUSPENDED if any(each.suspended for each in held) else Standing.IN_FORCE


def end_of(agreement: Agreement, agreements: Mapping[str, Agreement]) -> date | None:
    """Give the first day on which an agreement or its parent holds no more; None while both are open."""
    ends = [agreement.valid_until, agreements[agreement.parent].valid_until if agreement.parent else None]
    return min((each for each in ends if each is not None), default=None)


def ranked(agreements: Iterable[Agreement], *, named: bool) -> tuple[Agreement, ...]:
    """Put agreements in the order in which they are tried; `named` says whether the question names its members."""
    return tuple(sorted(agreements, key=lambda each: (each.precedence, *_breadth(each, 1 if named else -1), each.id)))


class Ranking:
    """Agreements by party and purpose, in both orders in which they are tried; worked out once for a catalogue.

    It looks at nothing that a day changes: whether one stands is asked last, of the few that fit.
    """

    def __init__(self, agreements: Iterable[Agreement]) -> None:
        """Put each in its place under each of its parties and purposes."""
        held = tuple(agreements)
        self._orders = {named: _places(ranked(held, named=named)) for named in (True, False)}

    def of(self, parties: Iterable[str], purpose: str, *, named: bool) -> Sequence[Agreement]:
        """Give the agreements for a purpose of which one of these is a party, in the order in which they are tried."""
        order = self._orders[named]
        found = dict(pair for each in parties for pair in order.get((each, purpose), ()))
        return [found[place] for place in sorted(found)]


def _places(agreements: Iterable[Agreement]) -> Mapping[tuple[str, str], list[tuple[int, Agreement]]]:
    found: dict[tuple[str, str], list[tuple[int, Agreement]]] = {}
    for place, each in enumerate(agreements):
        for key in product(each.parties, each.purposes):
            found.setdefault(key, []).append((place, each))
    return found


def _breadth(agreement: Agreement, sign: int) -> tuple[int, int]:
    """Measure how wide an agreement is: by its parties, then by the widest part of its area."""
    widest = -min((len(each) for each in agreement.area), default=0)
    return sign * len(agreement.parties), sign * widest
