"""Write rules 写入规则: which agencies may deliver which class of record, as a member's own dated data (A36)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.tables import ALL, Dated

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteRule(Dated):
    """Who may write one class of record at a member: ids, sorts (what follows the first hyphen of an id), or all."""

    member: str
    record_class: str
    agencies: tuple[str, ...]
    without: tuple[str, ...] = ()

    def allows(self, agency: str) -> bool:
        """Say whether an agency may write; `without` goes before `agencies`."""
        names = {agency, agency.partition("-")[2]}
        return names.isdisjoint(self.without) and not {*names, ALL}.isdisjoint(self.agencies)


def may_write(rules: Iterable[WriteRule], member: str, record_class: str, agency: str, on: date) -> bool:
    """Say whether an agency may write a class of record at a member on a day.

    A member without any rule binds nobody. One with rules lets nobody write what none of them in force names.
    """
    own = [each for each in rules if each.member == member]
    named = (each for each in own if each.record_class == record_class and each.in_force(on))
    return not own or any(each.allows(agency) for each in named)
