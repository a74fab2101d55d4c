"""Who is inspected 抽查 (requirement A27): the consumer's table of grade to share, and a reproducible draw.

The draw of a subject depends on the recorded seed and its code alone: neither the order of the rows, nor what
else is in the list, nor a second run changes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b

from gateway.errors import CatalogueMalformed
from gateway.tables import Dated

_PERSON = b"yrdx-inspection"
_ONE = 1 << 64
_SEED_BYTES = range(16, blake2b.MAX_KEY_SIZE + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeShare:
    """The share of the subjects of a grade that are inspected, from 0.0 to 1.0.

    `unless_triggered`: whoever gave cause (a complaint, a warning) is inspected whatever the share.
    """

    grade: str
    share: float
    unless_triggered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionRule(Dated):
    """A member's inspection table by edition; grades are the canonical A to D."""

    member: str
    edition: str
    seed_bytes: int
    sample: bool
    tiers: tuple[GradeShare, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """Whether a subject is inspected, at which share, by which edition; `inspect` is None where nothing decides."""

    inspect: bool | None
    share: float | None
    edition: str


def check_rule(rule: InspectionRule) -> None:
    """Check that shares lie between 0 and 1, no grade stands twice, and a seed cannot be guessed.

    Raises:
        CatalogueMalformed: otherwise; the text names the rule and the grade.
    """
    if rule.seed_bytes not in _SEED_BYTES:
        raise _fault(rule, f"seed_bytes is not {_SEED_BYTES[0]} to {_SEED_BYTES[-1]}")
    seen: set[str] = set()
    for each in rule.tiers:
        if not 0.0 <= each.share <= 1.0:
            raise _fault(rule, f"the share of grade {each.grade} is not between 0.0 and 1.0")
        if each.grade in seen:
            raise _fault(rule, f"grade {each.grade} stands twice")
        seen.add(each.grade)


def rule_of(rules: Iterable[InspectionRule], member: str, on: date) -> InspectionRule | None:
    """Give the rule that a member has in force on a day."""
    return next((each for each in rules if each.member == member and each.in_force(on)), None)


def tier(rule: InspectionRule, grade: str, *, triggered: bool, uscc: str, seed: bytes) -> Tier:
    """Say whether a subject of a grade is inspected.

    A grade that the rule does not name, and the empty grade of a row that is not graded, decide nothing unless there
    was a cause: neither silence nor an outage sends inspectors to a subject, or keeps them away; an officer decides.

    Raises:
        ValueError: when the seed has another length than the rule's.
    """
    if len(seed) != rule.seed_bytes:
        msg = f"the seed has {len(seed)} bytes; the rule wants {rule.seed_bytes}"
        raise ValueError(msg)
    row = next((each for each in rule.tiers if each.grade == grade), None)
    if row is None:
        return Tier(inspect=True if triggered else None, share=1.0 if triggered else None, edition=rule.edition)
    share = 1.0 if triggered and row.unless_triggered else row.share
    return Tier(inspect=_drawn(seed, uscc) < share * _ONE, share=share, edition=rule.edition)


def _drawn(seed: bytes, uscc: str) -> int:
    """Give a subject's number below 2**64: keyed BLAKE2b (RFC 7693) of its code."""
    return int.from_bytes(blake2b(uscc.encode(), digest_size=8, key=seed, person=_PERSON).digest(), "big")


def _fault(rule: InspectionRule, what: str) -> CatalogueMalformed:
    return CatalogueMalformed(
        f"directory inspection_rules {rule.member} {rule.edition}: {what}; correct the table and sign it again"
    )
