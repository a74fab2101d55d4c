"""The statistical shape of the sample: shares and spreads of the four regions, all of them estimates.

Shares are of subjects unless said otherwise. A draw is one random number looked up in a table.
"""

from collections.abc import Mapping, Sequence
from math import exp
from statistics import NormalDist
from types import MappingProxyType
from typing import TypeVar

from nodes.sample.subjects import QUIET_EVERY

T = TypeVar("T")


def spread(table: Sequence[tuple[T, float]], size: int = 1_000) -> tuple[T, ...]:
    """Lay values out by their shares, so that a random place of the result is a draw from the table."""
    found: list[T] = []
    upto = 0.0
    for value, share in table:
        upto += share
        found += [value] * (round(upto * size) - len(found))
    return tuple(found)


def long_tail(median: float, sigma: float, most: int, size: int = 4_096) -> tuple[int, ...]:
    """Lay out whole numbers of a log-normal spread, from 0 to `most`."""
    normal = NormalDist()
    return tuple(min(most, int(median * exp(sigma * normal.inv_cdf((place + 0.5) / size)))) for place in range(size))


PENALISED: Mapping[str, float] = MappingProxyType({"310000": 0.058, "320000": 0.069, "330000": 0.077, "340000": 0.073})
"""Enterprises with a penalty in five years: 15 to 20 in a thousand a year, 1.3 each."""

PENALISED_ELSEWHERE, PENALISED_TRADER = 0.07, 0.023
TIMES = spread(((1, 0.80), (2, 0.14), (3, 0.03), (4, 0.02), (5, 0.01)), 100)
"""Penalties of one who has any: the tail of a negative-binomial spread."""

SEVERITIES = spread((("MINOR", 0.55), ("GENERAL", 0.38), ("SERIOUS", 0.07)), 100)
REPAIRED, ANNULLED, EXEMPT, OBJECTED, OBJECTION_UPHELD = 0.45, 0.003, 0.02, 0.001, 0.2
REPAIR_REJECTED = 0.01
REPAIR_DAYS = {
    "MINOR": long_tail(60, 0.8, 360), "GENERAL": tuple(90 + each for each in long_tail(60, 0.8, 270)),
    "SERIOUS": (365,),
}  # fmt: skip
"""Days to a repair: a median of five months over all, never before the shortest publication of the severity."""

REPAIR_FILES = 0.6
"""Repairs that come in a file of repairs rather than in the penalty's own row."""

RESPONSIBLE, ESCALATED = 0.03, 0.01

LIFECYCLES = spread((("ACTIVE", 0.729), ("DEREGISTERED", 0.25), ("REVOKED", 0.02), ("MERGED", 0.001)))
GRADES = spread((("A", 0.28), ("B", 0.64), ("C", 0.065), ("D", 0.015)))
"""Canonical grades of active enterprises."""

GRADED = 0.8
PERMITS = {"ENTERPRISE": long_tail(2.5, 1.4, 400), "SOLE_TRADER": long_tail(1.45, 0.7, 12)}
"""Permits: of enterprises a median of 2 and 60 at the 99th percentile; of others few."""

LOUD = 1 - 1 / QUIET_EVERY
"""Enterprises that may have something against them: theirs are the shares of all."""

ABNORMAL, ABNORMAL_LEFT = 0.08, 0.5
SEVERE_DOMAINS = spread((("COURT", 0.714), ("MARKET_REG", 0.086), ("TAX", 0.029), ("LABOUR", 0.014), ("", 0.157)))
"""Domains of severe lists; the empty one stands for all others."""

ABNORMAL_REASONS = ("NO_ANNUAL_REPORT", "ADDRESS_UNREACHABLE", "FALSE_PUBLICATION")
COMMITTED = 0.30
COMMITMENTS = long_tail(1.2, 0.5, 6)
COMMITMENT_STATES = spread((("FULFILLED", 0.97), ("OPEN", 0.02), ("PARTLY", 0.006), ("BREACHED", 0.004)))
COMMITMENT_TYPES = spread((
    ("APPROVAL_REPLACING", 0.5), ("VOLUNTARY", 0.3), ("DEFERRED_DOCS", 0.15), ("SELF_DISCIPLINE", 0.05),
))  # fmt: skip
CONTRACT_STATES = spread((("FULFILLED", 0.8), ("OPEN", 0.17), ("PARTLY", 0.02), ("BREACHED", 0.01)))
CONTRACT_KINDS = ("GOV_PROCUREMENT", "CONSTRUCTION", "SERVICE")

DECISIONS: Mapping[str, tuple[float, float, tuple[str, ...], tuple[str, ...]]] = MappingProxyType({
    "inspection": (0.25, 0.10, ("DOUBLE_RANDOM", "KEY_SUPERVISION"), ("NO_PROBLEM", "NO_PROBLEM", "RECTIFY")),
    "confirmation": (0.06, 0.02, ("QUALIFICATION", "FIRE_ACCEPTANCE"), ("CONFIRMED",)),
    "reward": (0.01, 0.0, ("SUBSIDY", "COMMENDATION"), ("GRANTED",)),
    "adjudication": (0.002, 0.0, ("PATENT_DISPUTE", "LAND_DISPUTE"), ("DECIDED",)),
})  # fmt: skip
"""Administrative classes that are nothing against anyone: share of enterprises, of traders, kinds and results."""

COERCED, COERCIONS, COERCION_RESULTS = 0.004, ("SEALING", "SEIZURE", "PAYMENT_SURCHARGE"), ("DONE",)

JUDGED, HONOURED, CONTRACTED, PROTECTED, DECLARED = 0.02, 0.03, 0.04, 0.06, 0.02
JUDGMENTS = ("CIVIL_JUDGMENT", "ENFORCEMENT", "CRIMINAL_JUDGMENT")
HONOURS = ("HIGH_TECH", "INTEGRITY_MODEL", "QUALITY_AWARD")
RIGHTS = ("PATENT", "TRADEMARK", "SOFTWARE_COPYRIGHT", "PATENT_PLEDGE")
DECLARATIONS = ("QUALIFICATION", "OPERATION", "COMMITMENT")

EXTERNAL: Mapping[str, tuple[float, tuple[float, ...]]] = MappingProxyType({
    "TAX": (0.85, (0.09, 0.52, 0.28, 0.06, 0.05)),
    "CUSTOMS": (0.06, (0.003, 0.005, 0.987, 0.004, 0.001)),
    "ENVIRONMENT": (0.01, (0.389, 0.468, 0.088, 0.038, 0.017)),
})  # fmt: skip
"""External schemes by the domain in their id: share of enterprises rated, and of each level in its order."""
