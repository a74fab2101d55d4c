"""Which agreement governs a question (duty U9): a decision table over a four-region agreement and bilateral ones."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
import worlds
from bundles import NOW, charter_of, intent_of, plot, signed_directory
from hypothesis import given
from hypothesis import strategies as st
from worlds_tables import ANHUI, JIANGSU, MEMBERS, PURPOSE, REPORT, SHANGHAI, TODAY, ZHEJIANG, sections

from gateway.catalogue import Agreement, read_catalogue
from gateway.errors import CatalogueMalformed, Refused
from gateway.exchange.intend import choose_agreement
from gateway.model.codes import RefusalReason as R
from gateway.precedence import Standing, end_of, ranked, standing
from gateway.tables import by, read_all

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


CITY = "340500"
PARENTS = {CITY: ANHUI}
AGREED = st.fixed_dictionaries(
    {
        "parties": st.lists(st.sampled_from([*MEMBERS, CITY]), min_size=1, max_size=4, unique=True),
        "purposes": st.sampled_from([[PURPOSE], [REPORT], [PURPOSE, REPORT]]),
        "kinds": st.sampled_from([["summary"], ["rating"]]),
        "precedence": st.integers(1, 3),
        "suspended": st.booleans(),
    }
)


@given(st.lists(AGREED, max_size=12), st.lists(st.sampled_from([*MEMBERS, CITY]), max_size=2))
def test_what_is_looked_up_is_what_fits(drawn: list[dict[str, Any]], others: list[str]) -> None:
    """The look-up by party and purpose gives every agreement that fits, a parent's too, in the order of all."""
    rows = {f"A-{number}": {**FOUR, **each, "id": f"A-{number}"} for number, each in enumerate(drawn)}
    tables = replace(worlds.CATALOGUE, agreements=by(read_all(Agreement, list(rows.values()), "agreements"), "id"))
    wanted = [
        each
        for each in ranked(tables.agreements.values(), named=bool(others))
        if not each.suspended
        and PURPOSE in each.purposes
        and "summary" in each.kinds
        and all(one in each.parties or PARENTS.get(one) in each.parties for one in (SHANGHAI, *others))
    ]
    terms: dict[str, Any] = {"purpose": PURPOSE, "kind": "summary", "member": SHANGHAI, "on": TODAY}
    assert list(tables.agreements_for(**terms, others=others, parents=PARENTS)) == wanted


def test_of_many_agreements_the_few_that_fit_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Among hundreds between others, only an agreement of both members is asked for its days, and the first ends it."""
    others = [{**FOUR, "id": f"B-{number}", "parties": [f"{500_000 + number}", SHANGHAI]} for number in range(400)]
    rows = [*others, FOUR, PAIR]
    tables = replace(worlds.CATALOGUE, agreements=by(read_all(Agreement, rows, "agreements"), "id"))
    looked: list[str] = []

    def watched(agreement: Agreement, agreements: Any, on: date) -> Standing:
        looked.append(agreement.id)
        return standing(agreement, agreements, on)

    monkeypatch.setattr("gateway.catalogue.standing", watched)
    terms: dict[str, Any] = {"purpose": PURPOSE, "kind": "summary", "member": SHANGHAI, "on": TODAY}
    assert next(tables.agreements_for(**terms, others=(ANHUI,))).id == "PAIR"
    assert looked == ["PAIR"]
