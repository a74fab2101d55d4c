"""What two ledgers agree on: counted, and chained into a digest that both sides reach on their own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from gateway import wire
from gateway.ledger.reconciliation import Finding, Line, Period
from gateway.limits import DIGEST_BYTES
from gateway.model.codes import LedgerEventKind as Kind

NOTHING = bytes(DIGEST_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many numbers both agree on, by how they ended, and the digest over what was answered."""

    answered: int = 0
    refused: int = 0
    void: int = 0
    digest: bytes = NOTHING


def add(before: Tally, period: Period, answered: Iterable[Line], findings: Iterable[Finding]) -> Tally:
    """Go on counting with the numbers of a period that were found to agree.

    The digest is SHA-256 of the one before and the answerer's event, number after number: where pages and days part
    does not matter.
    """
    differing = {each.pair_sequence for each in findings}
    pair = (period.asker_member, period.answerer_member)
    agreed = {
        each.event.pair_sequence: each.event
        for each in answered
        if (each.event.asker_member, each.event.answerer_member) == pair
        and period.first <= each.event.pair_sequence <= period.last
        and each.event.pair_sequence not in differing
    }
    digest = before.digest
    for number in sorted(agreed):
        digest = sha256(digest + wire.encode(agreed[number])).digest()
    refused = sum(each.kind is Kind.REFUSED for each in agreed.values())
    within = sum(period.first <= each <= period.last for each in differing)
    return Tally(
        answered=before.answered + len(agreed) - refused,
        refused=before.refused + refused,
        void=before.void + period.last + 1 - period.first - len(agreed) - within,
        digest=digest,
    )
