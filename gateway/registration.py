"""Who the home member of a subject is (duties U1, U10): the register's entry in force, by division, never by code."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.model.codes import Lifecycle
from gateway.ports import Fact
from keys.directory import Directory

COLUMNS = ("lifecycle", "division", "valid_from", "valid_until")
"""What must be read of the register to tell."""


def in_force(rows: Sequence[Fact], today: str) -> Fact | None:
    """Give the register's entry that is in force on a day (yyyy-mm-dd): of several the one that began last."""
    for row in sorted(rows, key=lambda each: each["valid_from"] or "", reverse=True):
        if (row["valid_from"] or "") <= today and (row["valid_until"] is None or today < row["valid_until"]):
            return row
    return None


def is_active_at(member: str, rows: Sequence[Fact], today: str, directory: Directory) -> bool:
    """Say whether the member's own register shows the subject in business and of its own area."""
    row = in_force(rows, today)
    if row is None or Lifecycle(row["lifecycle"]) is not Lifecycle.ACTIVE:
        return False
    return home_of(rows, today, directory) == member


def home_of(rows: Sequence[Fact], today: str, directory: Directory) -> str | None:
    """Give the member in whose area a register shows the subject; None where it cannot tell."""
    row = in_force(rows, today)
    if row is None or Lifecycle(row["lifecycle"]) is Lifecycle.MIGRATED:
        return None
    owner = directory.home_of(row["division"])
    return None if owner is None else owner.id
