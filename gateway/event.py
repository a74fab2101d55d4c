"""What logs and metrics may see of an exchange."""

from __future__ import annotations

from dataclasses import dataclass

ALARMING = frozenset({"BAD_SIGNATURE", "WRONG_TYPE", "WRONG_AUDIENCE", "REPLAYED"})
"""Refusals that an honest peer never meets: somebody strips, swaps, renames or replays (threats 10 and 18)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One exchange as logs and metrics may see it: never a subject, a value, a key or a payload."""

    side: str
    peer: str
    kind: str
    outcome: str
    reason: str
    question_id: str
    seconds: float
