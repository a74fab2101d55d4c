"""Which agreement governs a question (duty U9): a decision table over a four-region agreement and bilateral ones."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from bundles import NOW, charter_of, intent_of, plot, signed_directory
from hypothesis import given
from hypothesis import strategies as st
from worlds_tables import ANHUI, JIANGSU, MEMBERS, REPORT, SHANGHAI, TODAY, ZHEJIANG, sections

from gateway.catalogue import read_catalogue
from gateway.errors import CatalogueMalformed, Refused
from gateway.exchange.intend import choose_agreement
from gateway.model.codes import RefusalReason as R
from gateway.precedence import Standing, end_of, ranked, standing

Rows = dict[str, dict[str, Any]]
FOUR: dict[str, Any] = {**sections()["agreements"][0], "id": "FOUR", "precedence": 100}
PAIR = {**FOUR, "id": "PAIR", "parties": [SHANGHAI, ANHUI], "parent": "FOUR"}
NEAR = {**PAIR, "id": "NEAR", "area": ["3100", "3401"]}
ZONE = {**FOUR, "id": "ZONE", "parties": list(MEMBERS[:3]), "precedence": 10, "area": ["3101"]}
TODAY_TEXT, BEFORE, AFTER = TODAY.isoformat(), "2026-03-09", "2026-03-11"

# What is agreed, whom the question names, and what governs it. The agency sits in 310000.
DECISIONS: dict[str, tuple[list[dict[str, Any]], tuple[str, ...], str | R]] = {
    "the only one": ([FOUR], (ANHUI,), "FOUR"),
    "a narrower one prevails for its parties": ([FOUR, PAIR], (ANHUI,), "PAIR"),
    "both parties named": ([FOUR, PAIR], (SHANGHAI, ANHUI), "PAIR"),
    "a member beyond it is asked under the wider one": ([FOUR, PAIR], (ANHUI, JIANGSU), "FOUR"),
    "nobody named is everybody": ([FOUR, PAIR], (), "FOUR"),
    "the narrower area prevails": ([FOUR, PAIR, NEAR], (ANHUI,), "NEAR"),
    "the wider area where nobody is named": ([PAIR, NEAR, {**FOUR, "kinds": ["rating"]}], (), "PAIR"),
    "precedence goes before breadth": ([{**FOUR, "precedence": 99}, PAIR], (ANHUI,), "FOUR"),
    "precedence goes before breadth where nobody is named": ([FOUR, {**PAIR, "precedence": 99}], (), "PAIR"),
    "equals go by their ids": ([FOUR, PAIR, {**PAIR, "id": "OTHER"}], (ANHUI,), "OTHER"),
    "one that does not reach the agency is passed over": ([FOUR, ZONE], (JIANGSU,), "FOUR"),
    "only one that does not reach the agency": ([ZONE], (JIANGSU,), R.NOT_IN_SCOPE),
    "a suspended one falls back": ([FOUR, {**PAIR, "suspended": True}], (ANHUI,), "FOUR"),
    "one that ends today falls back": ([FOUR, {**PAIR, "valid_until": TODAY_TEXT}], (ANHUI,), "FOUR"),
    "one that ends tomorrow holds": ([FOUR, {**PAIR, "valid_until": AFTER}], (ANHUI,), "PAIR"),
    "one that begins today holds": ([FOUR, {**PAIR, "valid_from": TODAY_TEXT}], (ANHUI,), "PAIR"),
    "one that begins tomorrow falls back": ([FOUR, {**PAIR, "valid_from": AFTER}], (ANHUI,), "FOUR"),
    "one for another purpose falls back": ([FOUR, {**PAIR, "purposes": [REPORT]}], (ANHUI,), "FOUR"),
    "one for another kind falls back": ([FOUR, {**PAIR, "kinds": ["rating"]}], (ANHUI,), "FOUR"),
    "a suspended parent suspends": ([{**FOUR, "suspended": True}, PAIR], (ANHUI,), R.NO_AGREEMENT),
    "a parent that ended ends": ([{**FOUR, "valid_until": TODAY_TEXT}, PAIR], (ANHUI,), R.NO_AGREEMENT),
    "a parent that begins tomorrow": ([{**FOUR, "valid_from": AFTER}, PAIR], (ANHUI,), R.NO_AGREEMENT),
    "a parent of other purposes is a parent": ([{**FOUR, "purposes": [REPORT]}, PAIR], (ANHUI,), "PAIR"),
    "an equal without the parent goes on": (
        [{**FOUR, "suspended": True}, PAIR, {**PAIR, "id": "OWN", "parent": ""}],
        (ANHUI,),
        "OWN",
    ),
    "nothing agreed with that member": ([PAIR, {**FOUR, "parties": [SHANGHAI, ANHUI]}], (ZHEJIANG,), R.NO_AGREEMENT),
    "nobody is left": ([], (ANHUI,), R.NO_AGREEMENT),
}


@pytest.mark.parametrize(("rows", "members", "expected"), DECISIONS.values(), ids=DECISIONS.keys())
def test_the_agreement_is_decided_by_the_table(
    rows: list[dict[str, Any]], members: tuple[str, ...], expected: str | R
) -> None:
    """Precedence, then breadth; what is suspended, ended or does not fit gives way to the next."""
    charter = charter_of(SHANGHAI, signed_directory(lambda found: found.update(agreements=rows)))
    intent = replace(intent_of(plot("summary")), members=members, agreement_id="")
    try:
        found: str | R = choose_agreement(intent, "summary", charter, NOW).id
    except Refused as refusal:
        found = refusal.reason
    assert found is expected or found == expected


@pytest.mark.parametrize(
    ("changes", "parent", "expected"),
    [
        ({}, {}, Standing.IN_FORCE),
        ({"suspended": True}, {}, Standing.SUSPENDED),
        ({}, {"suspended": True}, Standing.SUSPENDED),
        ({"valid_until": TODAY_TEXT}, {}, Standing.ENDED),
        ({}, {"valid_until": TODAY_TEXT}, Standing.ENDED),
        ({}, {"valid_from": AFTER}, Standing.ENDED),
        ({"suspended": True}, {"valid_until": TODAY_TEXT}, Standing.ENDED),
        ({}, {"valid_until": AFTER}, Standing.IN_FORCE),
    ],
)
def test_an_agreement_stands_while_its_parent_does(changes: Rows, parent: Rows, expected: Standing) -> None:
    """Its own days and suspension and its parent's count alike; what has ended is not merely suspended."""
    rows = [{**FOUR, **parent}, {**PAIR, **changes}]
    held = read_catalogue({**sections(), "agreements": rows}).agreements
    assert standing(held["PAIR"], held, TODAY) is expected


@pytest.mark.parametrize(
    ("own", "parents", "end"),
    [
        (None, None, None),
        (AFTER, None, AFTER),
        (None, AFTER, AFTER),
        (AFTER, "2027-01-01", AFTER),
        ("2027-01-01", AFTER, AFTER),
    ],
)
def test_an_agreement_ends_with_its_parent(own: str | None, parents: str | None, end: str | None) -> None:
    """The first end is what a recognition may last until."""
    rows = [{**FOUR, "valid_until": parents}, {**PAIR, "valid_until": own}]
    held = read_catalogue({**sections(), "agreements": rows}).agreements
    assert end_of(held["PAIR"], held) == (date.fromisoformat(end) if end else None)
    assert end_of(held["FOUR"], held) == (date.fromisoformat(parents) if parents else None)


@pytest.mark.parametrize("parent", ["NONE", "PAIR"])
def test_a_parent_is_an_agreement_without_one(parent: str) -> None:
    """A parent that has no row, or a parent itself, is refused when the tables are read."""
    rows = [FOUR, PAIR, {**PAIR, "id": "THIRD", "parent": parent}]
    with pytest.raises(CatalogueMalformed, match="THIRD parent"):
        read_catalogue({**sections(), "agreements": rows})


@given(st.permutations([FOUR, PAIR, NEAR, ZONE]), st.booleans())
def test_the_order_does_not_hang_on_the_order_of_rows(rows: list[dict[str, Any]], named: bool) -> None:  # noqa: FBT001
    """The same agreements are always tried in the same order."""
    held = read_catalogue({**sections(), "agreements": rows}).agreements
    assert [each.id for each in ranked(held.values(), named=named)] == (
        ["ZONE", "NEAR", "PAIR", "FOUR"] if named else ["ZONE", "FOUR", "PAIR", "NEAR"]
    )
