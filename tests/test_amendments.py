"""Repairs and objections of one feed change what another feed's records mean, at reading and never in the store."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import listing, measure, objection, penalty, repair

from gateway.amendments import COLUMNS, amended, with_amendments

NOW, TOMORROW, YESTERDAY, EARLIER = "2026-03-10", "2026-03-11", "2026-03-09", "2026-01-01"
ONE, OTHER = b"1" * 32, b"2" * 32
Facts = dict[str, list[dict[str, Any]]]
_BUILDERS = {"penalty": penalty, "listing": listing}
_ENDS = ("repaired_on", "annulled_on", "exit_on", "disputed")
_DAY = st.none() | st.sampled_from((EARLIER, YESTERDAY, NOW, TOMORROW))
_REFERENCE = st.none() | st.sampled_from((ONE, OTHER))


def _rows(builder: Any, **columns: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(st.builds(builder, reference=_REFERENCE, **columns), max_size=4)


FACTS = st.fixed_dictionaries(
    {
        "penalty": _rows(penalty, repaired_on=_DAY, annulled_on=_DAY),
        "listing": _rows(listing, exit_on=_DAY),
        "repair": _rows(repair, outcome=st.sampled_from(("APPROVED", "REJECTED")), effective_on=_DAY, decided_on=_DAY),
        "objection": _rows(
            objection, state=st.sampled_from(("MARKED", "UPHELD", "CORRECTED", "DELETED")), decided_on=_DAY
        ),
    }
)


def changes(table: str, fact: dict[str, Any], **amendments: list[dict[str, Any]]) -> dict[str, Any]:
    """What amendments change of a fact, by column."""
    (found,) = amended({table: [fact], **amendments}, NOW)[table]
    return {name: value for name, value in found.items() if value != fact[name]}


@pytest.mark.parametrize(
    ("row", "day"),
    [
        ({}, "2026-03-03"),
        ({"effective_on": TOMORROW}, TOMORROW),
        ({"effective_on": None}, "2026-03-02"),
        ({"effective_on": None, "decided_on": None}, NOW),
        ({"outcome": "REJECTED"}, None),
        ({"outcome": None}, None),
        ({"reference": OTHER}, None),
    ],
)
@pytest.mark.parametrize(("table", "column"), [("penalty", "repaired_on"), ("listing", "exit_on")])
def test_an_approved_repair_ends_what_it_points_at(
    table: str, column: str, row: dict[str, Any], day: str | None
) -> None:
    """It ends on its effective day, else on that of the decision, else at once; a refused one ends nothing."""
    found = changes(table, _BUILDERS[table](reference=ONE), repair=[repair(**{"reference": ONE, **row})])
    assert found == ({} if day is None else {column: day})


@pytest.mark.parametrize(
    ("own", "others", "day"),
    [
        (EARLIER, (YESTERDAY,), EARLIER),
        (TOMORROW, (YESTERDAY,), YESTERDAY),
        (None, (TOMORROW, YESTERDAY), YESTERDAY),
        (None, (YESTERDAY, TOMORROW), YESTERDAY),
    ],
)
def test_the_earliest_end_counts(own: str | None, others: tuple[str, ...], day: str) -> None:
    """Of a record's own end and those of its repairs the earliest stands."""
    repairs = [repair(ONE, effective_on=each) for each in others]
    facts = {"penalty": [penalty(reference=ONE, repaired_on=own)], "listing": [listing(reference=ONE, exit_on=own)]}
    found = amended({**facts, "repair": repairs}, NOW)
    assert (found["penalty"][0]["repaired_on"], found["listing"][0]["exit_on"]) == (day, day)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({}, {"disputed": 1}),
        ({"decided_on": TOMORROW}, {"disputed": 1}),
        ({"decided_on": NOW}, {}),
        ({"decided_on": YESTERDAY}, {}),
        ({"state": "UPHELD", "decided_on": YESTERDAY}, {}),
        ({"state": "CORRECTED"}, {}),
        ({"state": None}, {}),
        ({"reference": OTHER}, {}),
        ({"state": "DELETED", "decided_on": YESTERDAY}, {"annulled_on": YESTERDAY}),
        ({"state": "DELETED"}, {"annulled_on": NOW}),
    ],
)
def test_an_objection_marks_or_deletes(row: dict[str, Any], expected: dict[str, Any]) -> None:
    """It disputes until it is decided; a deletion annuls a penalty and ends an entry in a list."""
    amending = [objection(**{"reference": ONE, **row})]
    assert changes("penalty", penalty(reference=ONE), objection=amending) == expected
    ends = {"exit_on" if name == "annulled_on" else name: value for name, value in expected.items()}
    assert changes("listing", listing(reference=ONE), objection=amending) == ends


def test_a_record_without_a_reference_is_amended_by_nothing() -> None:
    """Two records that both lack a reference do not point at one another."""
    facts = {"penalty": [penalty()], "repair": [repair(None)], "objection": [objection(None)]}
    assert amended(facts, NOW) is facts


@pytest.mark.parametrize("more", [{}, {"repair": []}, {"repair": [repair(ONE, outcome="REJECTED")], "objection": []}])
def test_where_nothing_is_amended_the_facts_stay_the_same_object(more: dict[str, Any]) -> None:
    """Most subjects have no repair and no objection, and cost no copy."""
    facts = {"penalty": [penalty(reference=ONE)], "measure": [measure()], **more}
    assert amended(facts, NOW) is facts


@given(facts=FACTS)
def test_amending_changes_ends_and_disputes_only(facts: Facts) -> None:
    """Facts go in unchanged and come out in their order, each with its digest; no end moves to a later day."""
    before = deepcopy(facts)
    found = amended(facts, NOW)
    assert facts == before
    for table, rows in facts.items():
        for fact, after in zip(rows, found[table], strict=True):
            assert {**fact, **{name: after[name] for name in _ENDS if name in fact}} == after
            assert all(after[name] and after[name] <= fact[name] for name in _ENDS[:3] if fact.get(name))
            assert after["reference"] is not None or after is fact


@given(facts=FACTS, seed=st.randoms(use_true_random=False))
def test_the_order_of_amendments_says_nothing(facts: Facts, seed: Any) -> None:
    """Whichever feed or row comes first, the same facts come out, also when they are amended again."""
    shuffled = {table: seed.sample(facts[table], len(facts[table])) for table in reversed(facts)}
    first, second = amended(facts, NOW), amended(shuffled, NOW)
    assert amended(first, NOW) == first
    for table in facts:
        assert {each["digest"]: each for each in first[table]} == {each["digest"]: each for each in second[table]}


def test_amendments_are_read_beside_what_they_amend() -> None:
    """A grant of permits alone reads no repair and no objection."""
    assert with_amendments({"permit": ("domain",)}) == {"permit": ("domain",)}
    assert with_amendments({"listing": ("domain",)}) == {"listing": ("domain",), **COLUMNS}
