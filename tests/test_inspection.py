"""The inspection table and its draw (requirement A27): a share of each grade, the same in every run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from hashlib import blake2b
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds_tables import JIANGSU, SHANGHAI, USCC, sections

from gateway.catalogue import read_catalogue
from gateway.errors import CatalogueMalformed
from gateway.inspection import GradeShare, InspectionRule, Tier, rule_of, tier
from gateway.uscc import sample_code
from nodes.federation import REFERENCE
from nodes.federation import sections as reference

SEED = bytes(range(16))
RULE = InspectionRule(
    member=SHANGHAI,
    edition="2026",
    seed_bytes=16,
    sample=True,
    valid_from=date(2026, 1, 1),
    tiers=(
        GradeShare(grade="A", share=0.0, unless_triggered=True),
        GradeShare(grade="B", share=0.04),
        GradeShare(grade="优", share=0.5, unless_triggered=True),
        GradeShare(grade="D", share=1.0),
    ),
)
CODES = [sample_code("91", "310101", serial) for serial in range(5_000)]


def draw(grade: str, uscc: str = USCC, *, triggered: bool = False, seed: bytes = SEED) -> Tier:
    """Draw one subject."""
    return tier(RULE, grade, triggered=triggered, uscc=uscc, seed=seed)


@pytest.mark.parametrize(
    ("grade", "triggered", "inspect", "share"),
    [
        ("A", False, False, 0.0),
        ("A", True, True, 1.0),
        ("D", False, True, 1.0),
        ("D", True, True, 1.0),
        ("优", True, True, 1.0),
        ("", False, None, None),
        ("", True, True, 1.0),
        ("C", False, None, None),
        ("C", True, True, 1.0),
    ],
)
def test_a_grade_has_its_share(grade: str, triggered: bool, inspect: bool | None, share: float | None) -> None:  # noqa: FBT001
    """Good is spared unless triggered, high risk is full, and a trigger decides what the table does not name."""
    assert draw(grade, triggered=triggered) == Tier(inspect=inspect, share=share, edition="2026")


@pytest.mark.parametrize("triggered", [False, True])
def test_a_share_is_drawn_from_the_seed_and_the_code(triggered: bool) -> None:  # noqa: FBT001
    """Who is drawn is whose keyed digest, as a fraction of 2**64, lies below the share; a trigger alone adds none."""
    found = {code for code in CODES if draw("B", code, triggered=triggered).inspect}
    fractions = {
        code: int.from_bytes(blake2b(code.encode(), digest_size=8, key=SEED, person=b"yrdx-inspection").digest(), "big")
        for code in CODES
    }
    assert found == {code for code in CODES if fractions[code] / 2**64 < 0.04}
    assert 150 < len(found) < 250


@given(st.permutations(CODES[:50]), st.binary(min_size=16, max_size=16))
def test_neither_order_nor_company_changes_a_draw(order: list[str], seed: bytes) -> None:
    """Any order and any part of a list gives each code the draw that it has alone; another seed draws others."""
    alone = {code: draw("优", code, seed=seed).inspect for code in sorted(order)}
    assert {code: draw("优", code, seed=seed).inspect for code in order} == alone


def test_another_seed_draws_others() -> None:
    """The seed decides: who was spared once is not spared for ever."""
    other = {code for code in CODES if draw("B", code, seed=bytes(16)).inspect}
    assert other != {code for code in CODES if draw("B", code).inspect}


@pytest.mark.parametrize("seed", [b"", bytes(15), bytes(17)])
def test_a_seed_of_another_length_is_refused(seed: bytes) -> None:
    """A seed that is shorter than the rule's could be tried out."""
    with pytest.raises(ValueError, match="the rule wants 16"):
        draw("B", seed=seed)


def test_a_rule_is_a_members_and_dated() -> None:
    """The rule of the member and day is found, and no other."""
    old = replace(RULE, edition="2025", valid_from=date(2025, 1, 1), valid_until=date(2026, 1, 1))
    rules = (old, RULE)
    assert rule_of(rules, SHANGHAI, date(2025, 12, 31)) == old
    assert rule_of(rules, SHANGHAI, date(2026, 1, 1)) == RULE
    assert rule_of(rules, SHANGHAI, date(2024, 1, 1)) is None
    assert rule_of(rules, JIANGSU, date(2026, 1, 1)) is None


def row() -> dict[str, Any]:
    """A rule as the directory carries it."""
    return {
        "member": SHANGHAI, "edition": "2026", "seed_bytes": 16, "sample": True, "valid_from": "2026-01-01",
        "tiers": [{"grade": "A", "share": 0.5}, {"grade": "B", "share": 1.0}],
    }  # fmt: skip


BAD: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda found: found.update(seed_bytes=15), "seed_bytes is not 16 to 64"),
    (lambda found: found.update(seed_bytes=65), "seed_bytes is not 16 to 64"),
    (lambda found: found["tiers"][0].update(share=1.5), "the share of grade A"),
    (lambda found: found["tiers"][0].update(share=-0.1), "the share of grade A"),
    (lambda found: found["tiers"][1].update(grade="A"), "grade A stands twice"),
]


@pytest.mark.parametrize(("spoil", "text"), BAD)
def test_a_faulty_rule_is_refused_with_its_place(spoil: Callable[[dict[str, Any]], object], text: str) -> None:
    """A share beyond the whole, a grade twice and a seed that can be guessed make the directory invalid."""
    found = row()
    assert read_catalogue({**sections(), "inspection_rules": [found]}).inspection_rules[0].tiers[0].share == 0.5
    spoil(found)
    with pytest.raises(CatalogueMalformed, match=text):
        read_catalogue({**sections(), "inspection_rules": [found]})


def test_the_reference_federation_has_a_rule_for_every_member() -> None:
    """Each member's sample spares the good, draws 3 to 5 per cent of the general, and takes all of the high risk."""
    tables = read_catalogue(reference(REFERENCE))
    assert len(tables.inspection_rules) == 4
    for rule in tables.inspection_rules:
        shares = {each.grade: (each.share, each.unless_triggered) for each in rule.tiers}
        assert rule.sample
        assert shares["A"] == (0.0, True)
        assert all(0.03 <= shares[grade][0] <= 0.05 for grade in "BC")
        assert shares["D"][0] == 1.0
