"""What `yrdx health` says to a person of the ledgers: each thing that must be looked at by name, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from nodes.cli import health_tables

WELL: dict[str, Any] = {"size": 3, "witnessed": 3, "lag_seconds": 0, "marked": False, "forks": 0, "behind": [],
                        "contradicting": []}  # fmt: skip
FOUND: dict[str, Any] = {
    "member": "310000", "time": "2026-11-03T04:00:00Z", "serving": True, "faults": [], "expired": [], "mirrors": [],
    "stops": [], "alarms": [], "reconciliation": None,
    "bundle": {"version": 2, "stage": "NORMAL", "close_time": "2026-11-10T04:00:00Z"},
}  # fmt: skip


def said(capsys: pytest.CaptureFixture[str], ledger: dict[str, Any] | None) -> str:
    """Show a health with this ledger."""
    health_tables.show({**FOUND, "ledger": ledger})
    return capsys.readouterr().out


def test_a_ledger_that_is_well_is_not_mentioned(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither that of a member with nothing to look at, nor that of a hub, which has none."""
    assert said(capsys, WELL) == said(capsys, None)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"contradicting": ["320000", "330000"]}, "320000, 330000"),
        ({"behind": ["340000"]}, "340000"),
        ({"forks": 7}, "7"),
        ({"marked": True, "lag_seconds": 905}, "905"),
    ],
)
def test_each_thing_is_said_in_a_line_of_its_own(
    change: dict[str, Any], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever is meant, or how much it is, stands in it."""
    before = said(capsys, WELL).splitlines()
    (line,) = [each for each in said(capsys, WELL | change).splitlines() if each not in before]
    assert text in line
