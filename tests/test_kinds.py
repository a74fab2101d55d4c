"""The table of kinds and the laws that hold for every kind: minimisation, silence without a trace, bands."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import (
    CATALOGUE,
    covered,
    grant,
    listing,
    measure,
    objection,
    penalty,
    permit,
    question,
    rating,
    repair,
    scene,
)
from worlds_tables import AGREEMENT, DOMAINS, FIELDS, MATTER, PURPOSE, REPORT, TODAY

from gateway.errors import Refused
from gateway.kinds import KINDS, kind_of, probe
from gateway.kinds.plans import band, last_month
from gateway.kinds.row import Kind, Said, said_fields
from gateway.model.answer import ProbeItem
from gateway.model.codes import CountBand, CoverageState, RefusalReason, Severity
from gateway.policy import grant as grant_of

Facts = dict[str, list[dict[str, Any]]]
BUILDERS: dict[str, Callable[..., dict[str, Any]]] = {
    "penalty": penalty,
    "permit": permit,
    "listing": listing,
    "rating": rating,
    "measure": measure,
    "repair": repair,
    "objection": objection,
}
REFERENCES = (b"1" * 32, b"2" * 32)
ALL_KINDS = [*KINDS.values(), probe.KIND]
DAYS = ("2020-02-29", "2024-02-29", "2025-03-10", "2025-12-10", "2026-03-09", "2026-03-10", "2026-03-11")
PAST, FUTURE = "2026-03-09", "2026-03-11"
# Every way of being unsayable, table by table.
UNSAYABLE: dict[str, tuple[dict[str, Any], ...]] = {
    "penalty": (
        {"annulled_on": PAST},
        {"exempt": 1},
        {"publish_not_before": FUTURE},
        {"origin": "SELF_DECLARED"},
        {"origin": "MARKET"},
        {"severity": "SERIOUS", "decided_on": "2020-01-01"},
        {"severity": "MINOR", "decided_on": "2025-01-01"},
        {"severity": None},
        {"decided_on": None},
        {"decided_on": FUTURE},
        {"repaired_on": PAST},
        {"publish_until": PAST},
        {"domain": "COURT"},
    ),
    "listing": (
        {"exit_on": PAST},
        {"publish_not_before": FUTURE},
        {"listed_on": FUTURE},
        {"listed_on": None},
        {"origin": "SELF_DECLARED"},
        {"domain": "COURT"},
    ),
    "permit": (
        {"valid_until": PAST},
        {"valid_from": FUTURE},
        {"valid_from": None},
        {"revoked_on": PAST},
        {"domain": "COURT"},
    ),
    "rating": (
        {"valid_until": PAST},
        {"rated_on": FUTURE},
        {"rated_on": None},
        {"scheme_kind": "INDUSTRY"},
    ),
    "measure": (
        {"lifted_on": PAST},
        {"term_until": PAST},
        {"term_from": FUTURE},
        {"term_from": None},
        {"domain": "COURT"},
    ),
}
_MAYBE = st.none() | st.sampled_from(DAYS)
_RARELY = st.none() | st.none() | st.sampled_from(DAYS)
_REFERENCE = st.none() | st.sampled_from(REFERENCES)
_COLUMNS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "penalty": {
        "domain": st.sampled_from((*DOMAINS, "COURT")),
        "severity": st.sampled_from((*(each.value for each in Severity), None)),
        "decided_on": _MAYBE,
        "origin": st.sampled_from(("OFFICIAL", "OFFICIAL", "MARKET")),
        "exempt": st.sampled_from((0, 0, 1)),
        "publish_not_before": _MAYBE,
        "publish_until": _RARELY,
        "repaired_on": _MAYBE,
        "annulled_on": _RARELY,
        "disputed": st.sampled_from((0, 1)),
        "behaviour": st.sampled_from(("TAX-G-001", "TAX-G-002", None)),
        "rectify_until": _MAYBE,
        "reference": _REFERENCE,
    },
    "listing": {
        "domain": st.sampled_from((*DOMAINS, "COURT")),
        "list_type": st.sampled_from(("TAX_SEVERE", "IP_WATCH")),
        "listed_on": _MAYBE,
        "publish_not_before": _MAYBE,
        "exit_on": _MAYBE,
        "disputed": st.sampled_from((0, 1)),
        "reference": _REFERENCE,
    },
    "permit": {
        "domain": st.sampled_from(DOMAINS),
        "permit_type": st.sampled_from(("TP01", "TP02")),
        "valid_from": _MAYBE,
        "valid_until": _MAYBE,
        "revoked_on": _MAYBE,
    },
    "rating": {
        "scheme_id": st.sampled_from(("CN-COMPREHENSIVE", "ZJ-COMPREHENSIVE", "CN-TAX")),
        "scheme_kind": st.sampled_from(("COMPREHENSIVE", "INDUSTRY")),
        "grade": st.sampled_from("优良中差"),
        "rated_on": _MAYBE,
        "valid_until": _MAYBE,
        "disputed": st.sampled_from((0, 1)),
    },
    "measure": {
        "domain": st.sampled_from(DOMAINS),
        "measure_code": st.sampled_from(("MP01", "MR01")),
        "territory": st.sampled_from(("NATIONAL", "320000", None)),
        "term_from": _MAYBE,
        "term_until": _MAYBE,
        "lifted_on": _MAYBE,
        "disputed": st.sampled_from((0, 1)),
    },
    "repair": {
        "reference": _REFERENCE,
        "outcome": st.sampled_from(("APPROVED", "REJECTED", None)),
        "effective_on": _MAYBE,
        "decided_on": _MAYBE,
    },
    "objection": {
        "reference": _REFERENCE,
        "state": st.sampled_from(("MARKED", "UPHELD", "CORRECTED", "DELETED", None)),
        "decided_on": _MAYBE,
    },
}
# Every way of being silenced by a record of another feed.
SILENCING: dict[str, tuple[dict[str, Any], ...]] = {
    "repair": (
        {},
        {"effective_on": TODAY.isoformat()},
        {"effective_on": None},
        {"effective_on": None, "decided_on": None},
    ),
    "objection": ({"state": "DELETED", "decided_on": PAST}, {"state": "DELETED"}),
}


def changed(table: str) -> st.SearchStrategy[dict[str, Any]]:
    """Any columns of a fact of a table."""
    return st.fixed_dictionaries(_COLUMNS[table])


def rows(table: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Any facts of a table, sayable or not."""
    builder = BUILDERS[table]
    most = 2 if table in SILENCING else 6
    return st.lists(changed(table).map(lambda changes: builder(**changes)), max_size=most)


FACTS = st.fixed_dictionaries({table: rows(table) for table in BUILDERS})
STATES = st.fixed_dictionaries({name: st.sampled_from(CoverageState) for name in (*DOMAINS, "RATING", "REGISTER")})


@st.composite
def grants(draw: st.DrawFn, kind: Kind) -> Any:
    """Any grant of a kind: some fields, some domains, some severities, either purpose."""
    return grant(
        kind.name,
        draw(st.sets(st.sampled_from(FIELDS[kind.name]))) if FIELDS[kind.name] else (),
        purpose_code=draw(st.sampled_from((PURPOSE, REPORT))),
        domains=draw(st.frozensets(st.sampled_from(DOMAINS), min_size=1)),
        severities=draw(st.frozensets(st.sampled_from(Severity))),
    )


def bare(value: Any) -> Any:
    """A body with its line references taken out: they are fresh in every answer."""
    if isinstance(value, tuple):
        return tuple(bare(each) for each in value)
    if is_dataclass(value) and not isinstance(value, type):
        changes = {each.name: bare(getattr(value, each.name)) for each in fields(value)}
        fresh = {"line_ref": b""} if changes.get("line_ref") is not None else {}
        return replace(value, **{**changes, **fresh})
    return value


def minimised(facts: Mapping[str, Sequence[dict[str, Any]]], kind: Kind, granted: Any) -> Facts:
    """Only the tables and columns that the grant lets out of the database."""
    return {
        table: [{name: fact[name] for name in (*names, "digest")} for fact in facts.get(table, ())]
        for table, names in kind.columns(granted).items()
    }


def release(kind: Kind, facts: Facts, granted: Any = None, **changes: Any) -> Said:
    """What a kind says of facts."""
    granted = granted or grant(kind.name)
    body = question(kind.name)
    return kind.release(body, minimised(facts, kind, granted), granted, scene(kind, **changes))


def traceless(said: Said) -> Said:
    """What was said, without the fresh references."""
    return replace(said, body=bare(said.body))


def test_the_table_holds_the_four_kinds_of_production() -> None:
    """The probe is for tests only."""
    assert list(KINDS) == ["summary", "rating", "measures", "no_violation"]
    assert all(name == kind.name for name, kind in KINDS.items())


@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind.name)
def test_a_kind_is_found_by_its_body(kind: Kind) -> None:
    """A body's type alone picks the row, in any table that holds it."""
    table = {**KINDS, "probe": probe.KIND}
    assert kind_of(question(kind.name), table) is kind


def test_a_body_outside_the_table_is_refused() -> None:
    """A kind that the node does not table is refused by reason."""
    with pytest.raises(Refused) as caught:
        kind_of(question("probe"), KINDS)
    assert caught.value.reason is RefusalReason.UNKNOWN_KIND


@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind.name)
def test_fields_name_attributes_that_exist(kind: Kind) -> None:
    """Every releasable field leads to an attribute of the item, and the tables of tests know them all."""
    assert tuple(kind.fields) == FIELDS[kind.name]
    attributes = {each.name for each in fields(kind.item)}
    assert {attribute for attribute, _ in kind.fields.values()} <= attributes


@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind.name)
def test_policy_reads_every_kind(kind: Kind) -> None:
    """The grant of a purpose that allows all leaves every field that the question asks for."""
    found = grant_of(
        kind,
        question(kind.name),
        purpose=CATALOGUE.purposes[PURPOSE],
        item=CATALOGUE.applications[MATTER],
        agreement=CATALOGUE.agreements[AGREEMENT],
        catalogue=CATALOGUE,
        on=TODAY,
    )
    assert found.fields == frozenset(FIELDS[kind.name])


@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind.name)
def test_nothing_granted_reads_nothing(kind: Kind) -> None:
    """Without a field no table leaves the database and no feed is needed."""
    empty = grant(kind.name, ())
    assert (kind.columns(empty), kind.needs(empty, CATALOGUE)) == ({}, {})


@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind.name)
@given(data=st.data())
def test_what_is_released_was_granted(kind: Kind, data: st.DataObject) -> None:
    """Released fields are a subset of the grant, for any facts, coverage and grant, from granted columns."""
    granted = data.draw(grants(kind))
    facts, states = data.draw(FACTS), data.draw(STATES)
    coverage = {name: covered(state, (name,))[name] for name, state in states.items()}
    said = release(kind, facts, granted, coverage=coverage)
    assert said_fields(kind, said.body) <= granted.fields
    assert said.found == kind.adverse(said.body)
    digests = {fact["digest"] for held in facts.values() for fact in held}
    assert set(said.used) <= digests


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
@pytest.mark.parametrize("table", UNSAYABLE)
@given(data=st.data())
def test_what_may_not_be_said_leaves_no_trace(kind: Kind, table: str, data: st.DataObject) -> None:
    """With and without unsayable facts the same is said but for line references, whatever else there is (U3)."""
    facts = data.draw(FACTS)
    place = data.draw(st.integers(0, len(facts[table])))
    changes = data.draw(st.sampled_from(UNSAYABLE[table]))
    silent = BUILDERS[table](**{"disputed": 1, **changes})
    with_it = {**facts, table: [*facts[table][:place], silent, *facts[table][place:]]}
    assert traceless(release(kind, with_it)) == traceless(release(kind, facts))


@pytest.mark.parametrize(
    ("table", "changes"), [(table, changes) for table, ways in UNSAYABLE.items() for changes in ways], ids=str
)
def test_each_way_of_being_unsayable_is_silent(table: str, changes: dict[str, Any]) -> None:
    """Each way alone leaves what an empty store says, at every kind."""
    for kind in KINDS.values():
        assert traceless(release(kind, {table: [BUILDERS[table](**changes)]})) == release(kind, {})


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
@given(data=st.data())
def test_what_another_feed_silences_leaves_no_trace(kind: Kind, data: st.DataObject) -> None:
    """With and without a fact and the repair or deletion of it the same is said, whatever else there is (U3)."""
    facts, own = data.draw(FACTS), b"3" * 32
    table, amending = data.draw(st.sampled_from(("penalty", "listing"))), data.draw(st.sampled_from(tuple(SILENCING)))
    silent = BUILDERS[table](**{**data.draw(changed(table)), "disputed": 1, "reference": own})
    ending = BUILDERS[amending](reference=own, **data.draw(st.sampled_from(SILENCING[amending])))
    with_both = {**facts, table: [silent, *facts[table]], amending: [*facts[amending], ending]}
    without = traceless(release(kind, facts))
    assert traceless(release(kind, with_both)) == without
    assert traceless(release(kind, {**facts, amending: [ending, *facts[amending]]})) == without


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_repaired_fact_is_heard_before_its_repair(kind: Kind) -> None:
    """The silence above is that of the repair: one that was refused, or is of something else, changes nothing."""
    facts = {table: [BUILDERS[table](reference=REFERENCES[0])] for table in ("penalty", "listing")}
    others = [
        repair(REFERENCES[0], outcome="REJECTED"),
        repair(REFERENCES[1]),
        repair(REFERENCES[0], effective_on=FUTURE),
    ]
    said = release(kind, facts)
    assert said.found is (kind.name != "measures")
    assert traceless(release(kind, {**facts, "repair": others})) == traceless(said)


@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind.name)
def test_no_kind_reads_what_is_self_declared_or_closed(kind: Kind) -> None:
    """What a subject says of itself supports nothing adverse; flags about persons and escalation stay inside."""
    read = kind.columns(grant(kind.name))
    assert set(read) <= {"penalty", "permit", "listing", "rating", "measure", "repair", "objection"}
    closed = {"attributed", "escalated", "responsible_person", "procedure", "review_status"}
    assert closed.isdisjoint(column for columns in read.values() for column in columns)


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        ("summary", "penalty"),
        ("summary", "permit"),
        ("summary", "listing"),
        ("rating", "rating"),
        ("rating", "penalty"),
        ("rating", "listing"),
        ("measures", "measure"),
        ("no_violation", "penalty"),
        ("no_violation", "listing"),
    ],
)
def test_what_may_be_said_is_said(kind: str, table: str) -> None:
    """The harmless default of each table is heard: the silence above is not for want of listening."""
    fact = BUILDERS[table]()
    said = release(KINDS[kind], {table: [fact]})
    assert (said.found, said.used, said.disputed) == (True, (fact["digest"],), False)
    disputed = release(KINDS[kind], {table: [BUILDERS[table](disputed=1)]})
    assert disputed.disputed is (table != "permit")


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
@given(facts=FACTS, seed=st.randoms(use_true_random=False))
def test_the_order_of_facts_says_nothing(kind: Kind, facts: Facts, seed: Any) -> None:
    """The same facts in another order give the same body."""
    shuffled = {table: seed.sample(held, len(held)) for table, held in facts.items()}
    first, second = release(kind, facts), release(kind, shuffled)
    assert bare(first.body) == bare(second.body)
    assert set(first.used) == set(second.used)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (covered(), True),
        (covered(CoverageState.PARTIAL), True),
        (covered(CoverageState.NOT_COVERED), False),
        (covered(CoverageState.NOT_COVERED) | covered(names=("REGISTER",)), False),
        (covered(CoverageState.NOT_COVERED) | covered(CoverageState.PARTIAL, ("IP",)), True),
        ({}, False),
    ],
)
def test_covered_is_false_only_without_any_data(kind: Kind, states: dict[str, Any], expected: bool) -> None:  # noqa: FBT001
    """A member without a feed of any needed domain says so; its register does not count."""
    assert release(kind, {}, coverage=states).covered is expected


def test_a_plan_is_made_once_a_question() -> None:
    """The second subject of a question finds the plan of the first; another grant gets its own."""
    kind, body, here = KINDS["summary"], question("summary"), scene("summary")
    wide, narrow = grant("summary"), grant("summary", ("penalty.band",))
    kind.release(body, {}, wide, here)
    (plan,) = here.kept.values()
    kind.release(body, {}, wide, here)
    assert list(here.kept.values()) == [plan]
    said = kind.release(body, {"penalty": [penalty()]}, narrow, here)
    assert said_fields(kind, said.body) == {"penalty.band"}


def test_the_probe_needs_no_subject_and_no_fact() -> None:
    """The probe returns its text and rests on nothing."""
    said = release(probe.KIND, {})
    assert said == Said(body=ProbeItem(text="ping"), found=True, covered=True, disputed=False, used=())
    assert probe.KIND.subjects(question("probe")) == ()
    assert probe.KIND.domains(question("probe")) == ()


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, CountBand.ZERO),
        (1, CountBand.ONE),
        (2, CountBand.TWO_TO_FOUR),
        (4, CountBand.TWO_TO_FOUR),
        (5, CountBand.FIVE_TO_NINE),
        (9, CountBand.FIVE_TO_NINE),
        (10, CountBand.TEN_OR_MORE),
        (1_000, CountBand.TEN_OR_MORE),
    ],
)
def test_bands_begin_and_end_where_they_say(number: int, expected: CountBand) -> None:
    """The boundaries of the count bands."""
    assert band(number) is expected


@pytest.mark.parametrize(
    ("until", "expected"),
    [("2026-03-02", "2026-03"), ("2026-03-01", "2026-02"), ("2026-01-01", "2025-12")],
)
def test_a_term_ends_in_the_month_of_its_last_day(until: str, expected: str) -> None:
    """The first day after the term belongs to it no more."""
    assert last_month(until) == expected
