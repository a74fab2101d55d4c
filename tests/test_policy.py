"""What policy leaves of a question: fields, domains, windows, four eyes, and what is worked out once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
import worlds
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds_tables import AGREEMENT, DOMAINS, FIELDS, MATTER, PURPOSE, REPORT, TODAY, USCC, purpose, sections

from gateway import policy
from gateway.catalogue import Catalogue, read_catalogue
from gateway.errors import Refused
from gateway.kinds import KINDS, kind_of, probe
from gateway.model.answer import WithheldField
from gateway.model.codes import RefusalReason, Severity, Window, WithheldReason
from gateway.model.question import Body, SummaryQuestion
from gateway.policy import Grant

ALL_KINDS = {**KINDS, "probe": probe.KIND}
SUMMARY = FIELDS["summary"]
PENALTY = tuple(each for each in SUMMARY if each.startswith("penalty."))
PERMIT = tuple(each for each in SUMMARY if each.startswith("permit."))


def tables(
    *, fields: tuple[str, ...] = SUMMARY, items: Mapping[str, Mapping[str, Any]] | None = None, **changes: Any
) -> Catalogue:
    """Read the tables with the purpose's fields for `summary`, with data items and rows changed.

    A name of `changes` is a section's first row: `purposes`, `agreements` or `applications`.
    """
    found = sections()
    row = purpose(PURPOSE)
    windows = [each.value for each in Window]
    row["kinds"] = {**row["kinds"], "summary": {"fields": list(fields), "windows": windows}, "probe": {"fields": []}}
    found["purposes"][0] = row
    found["data_items"] = [{**each, **(items or {}).get(each["id"], {})} for each in found["data_items"]]
    found["data_items"] = [each for each in found["data_items"] if not each.pop("missing", False)]
    for section, change in changes.items():
        found[section][0] = {**found[section][0], **change}
    return read_catalogue(found)


def granted(catalogue: Catalogue, body: Body | None = None, *, on: date = TODAY, code: str = PURPOSE) -> Grant:
    """Grant a question; a summary of everything unless told."""
    body = body or worlds.question("summary")
    return policy.grant(
        kind_of(body, ALL_KINDS),
        body,
        purpose=catalogue.purposes[code],
        item=catalogue.applications[MATTER],
        agreement=catalogue.agreements[AGREEMENT],
        catalogue=catalogue,
        on=on,
    )


def withheld(grant: Grant) -> dict[str, WithheldReason]:
    """Give the fields withheld with their reasons."""
    return {each.field: each.reason for each in grant.withheld}


def refusal(catalogue: Catalogue, body: Body | None = None, **changes: Any) -> RefusalReason:
    """Give the reason for which nothing is granted."""
    with pytest.raises(Refused) as refused:
        granted(catalogue, body, **changes)
    return refused.value.reason


def test_a_question_that_nothing_limits_gets_all() -> None:
    """Every field, domain and severity of the question, its window, and nothing withheld."""
    catalogue = tables()
    assert granted(catalogue) == Grant(
        kind="summary",
        purpose=catalogue.purposes[PURPOSE],
        agreement=catalogue.agreements[AGREEMENT],
        fields=frozenset(SUMMARY),
        withheld=(),
        domains=frozenset(DOMAINS),
        window=Window.M60,
        severities=frozenset(Severity),
        four_eyes=False,
    )


# Fields

RULES: dict[str, tuple[Mapping[str, Any], bool]] = {
    "open": ({}, True),
    "open, whatever it names": ({"purposes": [REPORT]}, True),
    "closed": ({"label": "closed"}, False),
    "closed, though it names the purpose": ({"label": "closed", "purposes": [PURPOSE]}, False),
    "for this purpose": ({"label": "conditional", "purposes": [REPORT, PURPOSE]}, True),
    "for another purpose": ({"label": "conditional", "purposes": [REPORT]}, False),
    "for no purpose": ({"label": "conditional"}, False),
    "from today": ({"valid_from": TODAY.isoformat()}, True),
    "from tomorrow": ({"valid_from": "2026-03-11"}, False),
    "until yesterday": ({"valid_until": TODAY.isoformat()}, False),
    "until today": ({"valid_until": "2026-03-11"}, True),
}


@pytest.mark.parametrize("name", RULES)
def test_a_data_item_lets_its_fields_out_by_its_rule(name: str) -> None:
    """A closed item, one for other purposes and one not in force withhold their fields, and no others."""
    change, said = RULES[name]
    grant = granted(tables(items={"penalty": change}))
    expected = {} if said else dict.fromkeys(PENALTY, WithheldReason.DATA_ITEM)
    assert (withheld(grant), grant.fields) == (expected, frozenset(SUMMARY) - set(expected))


def test_a_field_without_a_data_item_is_withheld() -> None:
    """A kind's field that no row describes is not said, though the purpose names it."""
    kind = replace(KINDS["summary"], requested=lambda _: ("penalty.band", "ghost.field"))
    catalogue = tables()
    row = replace(catalogue.purposes[PURPOSE].kinds["summary"], fields=("penalty.band", "ghost.field"))
    grant = policy.grant(
        kind, worlds.question("summary"), purpose=replace(catalogue.purposes[PURPOSE], kinds={"summary": row}),
        item=catalogue.applications[MATTER], agreement=catalogue.agreements[AGREEMENT], catalogue=catalogue, on=TODAY,
    )  # fmt: skip
    assert (grant.fields, withheld(grant)) == (frozenset({"penalty.band"}), {"ghost.field": WithheldReason.DATA_ITEM})


def test_the_purpose_is_named_before_the_data_item() -> None:
    """A field that both withhold is withheld for the purpose; the list is in order of names."""
    grant = granted(tables(fields=("penalty.band", *PERMIT), items={"penalty": {"label": "closed"}}))
    reasons = withheld(grant)
    assert reasons.pop("penalty.band") is WithheldReason.DATA_ITEM
    assert (set(reasons.values()), grant.fields) == ({WithheldReason.PURPOSE}, frozenset(PERMIT))
    assert list(grant.withheld) == sorted(grant.withheld, key=lambda each: each.field)
    assert grant.withheld[0] == WithheldField(field="listing.basis_class", reason=WithheldReason.PURPOSE)


def test_what_was_not_asked_is_neither_granted_nor_withheld() -> None:
    """A question for one data item concerns its fields only."""
    grant = granted(tables(fields=PERMIT[:1]), worlds.question("summary", data_items=("permit",)))
    assert (grant.fields, withheld(grant)) == (frozenset({PERMIT[0]}), {PERMIT[1]: WithheldReason.PURPOSE})


NOTHING: dict[str, Catalogue] = {
    "no field of the purpose": tables(fields=()),
    "every item closed": tables(items={each: {"label": "closed"} for each in ("penalty", "permit", "listing")}),
    "the purpose ended": tables(purposes={"valid_until": TODAY.isoformat()}),
    "the purpose begins tomorrow": tables(purposes={"valid_from": "2026-03-11"}),
    "the purpose has no such kind": tables(purposes={"kinds": {}}),
    "the purpose has no window": tables(purposes={"kinds": {"summary": {"fields": list(SUMMARY)}}}),
    "the purpose has another window": tables(
        purposes={"kinds": {"summary": {"fields": list(SUMMARY), "windows": ["M12", "M24", "M36"]}}}
    ),
}


@pytest.mark.parametrize("name", NOTHING)
def test_where_nothing_is_left_the_purpose_does_not_allow_it(name: str) -> None:
    """A question of which no field, window or kind is left is refused instead of answered emptily."""
    assert refusal(NOTHING[name]) is RefusalReason.PURPOSE_NOT_ALLOWED


def test_a_kind_without_fields_needs_none() -> None:
    """For a kind that has no field nothing can be left over, and that is no refusal."""
    grant = granted(tables(), worlds.question("probe"))
    assert (grant.kind, grant.fields, grant.window) == ("probe", frozenset(), None)


def test_severities_and_four_eyes_come_from_the_rows() -> None:
    """Two officers are wanted by the purpose, or by an item of which a field is granted, and by no other."""
    eyes: dict[str, Mapping[str, Any]] = {"permit": {"four_eyes": True}}
    found = [
        granted(tables(purposes={"second_officer": True, "severities": ["SERIOUS"]})),
        granted(tables(items=eyes)),
        granted(tables(items=eyes, fields=PENALTY)),
        granted(tables(items=eyes), worlds.question("summary", data_items=("penalty",))),
    ]
    assert [each.four_eyes for each in found] == [True, True, False, False]
    assert [sorted(each.value for each in grant.severities) for grant in found[:2]] == [
        ["SERIOUS"], ["GENERAL", "MINOR", "SERIOUS"],
    ]  # fmt: skip


# Domains

EVERY = ("*",)
SCOPES: list[tuple[tuple[str, ...], tuple[str, ...], bool, tuple[str, ...], tuple[str, ...] | None]] = [
    (EVERY, EVERY, False, (), DOMAINS),
    (EVERY, EVERY, True, (), DOMAINS),
    (("TAX",), EVERY, True, (), ("TAX",)),
    (EVERY, ("IP",), False, (), DOMAINS),
    (EVERY, ("IP",), True, (), ("IP",)),
    (("TAX", "IP"), ("IP", "ENVIRONMENT"), True, (), ("IP",)),
    (("TAX", "IP"), ("IP", "ENVIRONMENT"), False, (), ("IP", "TAX")),
    (("TAX",), ("IP",), True, (), None),
    (("TAX", "*"), ("IP", "*"), True, (), DOMAINS),
    ((), EVERY, False, (), None),
    (EVERY, (), True, (), None),
    (EVERY, (), False, (), DOMAINS),
    (EVERY, EVERY, False, ("TAX",), ("TAX",)),
    (("TAX",), EVERY, False, ("TAX", "IP"), ("TAX",)),
    (("TAX",), EVERY, False, ("IP",), None),
    (EVERY, ("TAX",), True, ("IP",), None),
    (EVERY, EVERY, False, ("NOWHERE",), None),
    (EVERY, EVERY, False, ("TAX", "NOWHERE"), None),
    (EVERY, EVERY, False, ("*",), None),
]
"""Of the agreement, of the matter, whether the purpose is bound to it, asked, and what is left."""


@pytest.mark.parametrize(("agreed", "of_matter", "bound", "asked", "left"), SCOPES)
def test_domains_are_those_of_all_who_limit_them(
    agreed: tuple[str, ...],
    of_matter: tuple[str, ...],
    bound: bool,  # noqa: FBT001
    asked: tuple[str, ...],
    left: tuple[str, ...] | None,
) -> None:
    """The agreement limits always, the matter where the purpose is bound to it; nothing left is NO_AGREEMENT."""
    catalogue = tables(
        agreements={"domains": list(agreed)},
        applications={"domains": list(of_matter)},
        purposes={"domain_bound": bound},
    )
    body = worlds.question("summary", domains=asked)
    if left is None:
        assert refusal(catalogue, body) is RefusalReason.NO_AGREEMENT
    else:
        assert granted(catalogue, body).domains == frozenset(left)


# Worked out once

OTHER_SHAPES: list[Body] = [
    worlds.question("summary", window=Window.M12),
    worlds.question("summary", domains=("TAX",)),
    worlds.question("summary", data_items=("permit",)),
    worlds.question("no_violation"),
    worlds.question("rating"),
]


def test_questions_that_differ_in_subjects_share_one_grant() -> None:
    """A grant is worked out once for a shape, whoever is asked about."""
    catalogue = tables()
    first = granted(catalogue)
    assert granted(catalogue, worlds.question("summary", subjects=("A", "B", USCC))) is first
    assert len(catalogue.grants) == 1


@pytest.mark.parametrize("body", OTHER_SHAPES, ids=lambda each: repr(each)[:60])
def test_another_shape_is_another_grant(body: Body) -> None:
    """Window, domains, data items and kind make a shape."""
    catalogue = tables()
    first = granted(catalogue)
    assert granted(catalogue, body) != first
    assert granted(catalogue) is first


def test_a_grant_is_not_kept_over_a_day_or_a_purpose() -> None:
    """A row that ends tomorrow grants today and withholds tomorrow, though the grant was kept."""
    catalogue = tables(items={"penalty": {"valid_until": "2026-03-11"}})
    today, tomorrow = (granted(catalogue, on=TODAY + timedelta(days=each)) for each in (0, 1))
    assert (today.fields, tomorrow.fields) == (frozenset(SUMMARY), frozenset(SUMMARY) - set(PENALTY))
    assert granted(catalogue, code=REPORT).purpose.code == REPORT
    assert granted(catalogue) is today


def test_a_refusal_is_not_kept() -> None:
    """Nothing is kept of a question that is refused, so that made-up domains fill no memory."""
    catalogue = tables()
    for number in range(3):
        refusal(catalogue, worlds.question("summary", domains=(f"D{number}",)))
    assert catalogue.grants == {}


def test_no_more_than_so_many_grants_are_kept() -> None:
    """Orders and repetitions of domains are many; what is kept stays bounded, and what is given stays right."""
    catalogue = tables()
    for number in range(policy.KEPT + 2):
        body = worlds.question("summary", domains=("TAX",) * (number + 1))
        assert granted(catalogue, body).domains == {"TAX"}
        assert len(catalogue.grants) <= policy.KEPT
    assert 0 < len(catalogue.grants) < policy.KEPT


# Class labels (A21)


@pytest.mark.parametrize(
    ("stem", "own", "granted_band"),
    [
        ("open", None, True),
        ("closed", None, False),
        ("open", {"label": "closed"}, False),
        ("closed", {"label": "open"}, True),
        ("open", {"label": "conditional"}, False),
        ("closed", {"label": "conditional", "purposes": [PURPOSE]}, True),
        ("open", {"label": "open", "valid_until": "2026-03-10"}, False),
        (None, {"label": "open"}, True),
        (None, {"label": "closed"}, False),
    ],
)
def test_a_fields_own_row_goes_before_its_items(
    stem: str | None,
    own: dict[str, Any] | None,
    granted_band: bool,  # noqa: FBT001
) -> None:
    """A row of the full field name decides alone, also when it has ended; the other fields keep the item's label."""
    found = sections()
    found["purposes"] = [purpose(PURPOSE)]
    found["purposes"][0]["kinds"]["summary"]["fields"] = ["penalty.band", "permit.valid"]
    found["purposes"][0]["kinds"] = {"summary": found["purposes"][0]["kinds"]["summary"]}
    found["agreements"][0]["purposes"] = [PURPOSE]
    rows = [each for each in found["data_items"] if each["id"] != "penalty"]
    rows += [] if stem is None else [{"id": "penalty", "label": stem, "valid_from": "2020-01-01"}]
    rows += [] if own is None else [{"id": "penalty.band", "valid_from": "2020-01-01", **own}]
    found["data_items"] = rows
    grant = granted(read_catalogue(found))
    assert ("penalty.band" in grant.fields) is granted_band
    assert "permit.valid" in grant.fields
    assert ("penalty.band" in withheld(grant)) is not granted_band


# Laws

LABELS = st.sampled_from(
    [{"label": "open"}, {"label": "closed"}, {"label": "conditional"}, {"label": "conditional", "purposes": [PURPOSE]}]
)
ITEMS = st.fixed_dictionaries(dict.fromkeys(("penalty", "permit", "listing"), LABELS))
SOME_FIELDS = st.sets(st.sampled_from(SUMMARY)).map(lambda found: tuple(sorted(found)))
SOME_DOMAINS = st.sets(st.sampled_from([*DOMAINS, "*"])).map(lambda found: tuple(sorted(found)))


def attempted(catalogue: Catalogue, body: SummaryQuestion) -> tuple[frozenset[str], frozenset[str], bool]:
    """Give the fields and domains granted, none for a refusal, and whether two officers are wanted."""
    try:
        found = granted(catalogue, body)
    except Refused:
        return frozenset(), frozenset(), False
    assert set(KINDS["summary"].requested(body)) == found.fields | set(withheld(found))
    assert not found.fields & set(withheld(found))
    return found.fields, found.domains, found.four_eyes


@settings(deadline=None, max_examples=150)
@given(
    fields=SOME_FIELDS, items=ITEMS, agreed=SOME_DOMAINS, matter=SOME_DOMAINS, bound=st.booleans(),
    asked=st.sets(st.sampled_from(["penalty", "permit", "listing"]), min_size=1),
    domains=st.sets(st.sampled_from(DOMAINS), min_size=1),
)  # fmt: skip
def test_a_grant_is_an_intersection(
    fields: tuple[str, ...],
    items: dict[str, dict[str, Any]],
    agreed: tuple[str, ...],
    matter: tuple[str, ...],
    bound: bool,  # noqa: FBT001
    asked: set[str],
    domains: set[str],
) -> None:
    """Nothing is granted beyond the purpose or a data item's rule, and asking for more never opens more."""
    catalogue = tables(
        fields=fields, items=items, agreements={"domains": list(agreed)}, applications={"domains": list(matter)},
        purposes={"domain_bound": bound},
    )  # fmt: skip
    opened = {
        each
        for each in fields
        if items[each.split(".")[0]] in ({"label": "open"}, {"label": "conditional", "purposes": [PURPOSE]})
    }
    narrow = SummaryQuestion(
        subjects=(), window=Window.M60, data_items=tuple(sorted(asked)), domains=tuple(sorted(domains))
    )
    some, some_domains, _ = attempted(catalogue, narrow)
    every, every_domains, _ = attempted(catalogue, SummaryQuestion(subjects=(), window=Window.M60))
    assert every <= opened
    assert some <= {each for each in every if each.split(".")[0] in asked}
    assert some_domains <= every_domains & domains
