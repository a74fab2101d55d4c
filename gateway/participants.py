"""Participants by their sort (A77, A78): what a sort of agency may ask for, and whether only while it is filed 备案."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.tables import ALL, Dated

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from keys.members import Agency

DEPARTMENT = "department"


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant(Dated):
    """What a sort of agency may have: purposes, and `filed`, whether it takes part only under a filing number."""

    sort: str
    purposes: tuple[str, ...]
    filed: bool = False


def may_ask(agency: Agency, purpose: str, rules: Iterable[Participant], on: date) -> bool:
    """Say whether an agency is entitled to a purpose on a day: by its own row, and by the rule of its sort.

    Without a rule in force only a department is: what nobody ruled on is closed to all others.
    """
    rule = next((each for each in rules if each.sort == agency.sort and each.in_force(on)), None)
    if purpose not in agency.purposes:
        return False
    if rule is None:
        return agency.sort == DEPARTMENT
    return not {purpose, ALL}.isdisjoint(rule.purposes) and (agency.filing is not None or not rule.filed)
