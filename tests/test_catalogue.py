"""The tables of policy: every fault of a row or a reference is refused at load and names its place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
import worlds
from worlds_tables import AGREEMENT, ANHUI, JIANGSU, MATTER, MEMBERS, PURPOSE, REPORT, SHANGHAI, TODAY, sections

from gateway.catalogue import Agreement, Catalogue, read_catalogue
from gateway.errors import CatalogueMalformed
from gateway.limits import Limits
from gateway.purposes import CheckForm
from nodes.federation import REFERENCE
from nodes.federation import sections as reference_sections

Sections = dict[str, Any]
BEHAVIOUR = {"code": "B01", "edition": "2026", "name": {"zh": "甲", "en": "a"}, "domain": "TAX", "severity": "MINOR"}
TABLES = (
    "domains",
    "list_types",
    "measures",
    "data_items",
    "purposes",
    "applications",
    "agreements",
    "measure_lists",
    "behaviours",
    "clocks",
    "ceilings",
    "schemes",
    "mappings",
    "loading_rules",
)
KEYED = {
    "domains": ("Domain", "code"),
    "list_types": ("ListType", "code"),
    "measures": ("Measure", "code"),
    "data_items": ("DataItem", "id"),
    "purposes": ("Purpose", "code"),
    "applications": ("ApplicationItem", "id"),
    "agreements": ("Agreement", "id"),
    "behaviours": ("Behaviour", "code"),
}


def full() -> Sections:
    """Give tables of which none is empty."""
    return {**sections(), "behaviours": [dict(BEHAVIOUR)]}


def with_row(section: str, **changes: Any) -> Sections:
    """Change fields of a table's first row."""
    found = full()
    found[section][0] = {**found[section][0], **changes}
    return found


def fault(found: Sections) -> str:
    """Give the text of the refusal."""
    with pytest.raises(CatalogueMalformed) as malformed:
        read_catalogue(found)
    return str(malformed.value)


def test_the_reference_federation_loads() -> None:
    """The federation's own tables have no fault."""
    found = read_catalogue(reference_sections(REFERENCE))
    assert min(len(getattr(found, each)) for each in TABLES) > 0


def test_a_directory_without_tables_is_an_empty_catalogue() -> None:
    """Missing sections are empty ones, with the default limits."""
    found = read_catalogue({})
    assert [len(getattr(found, each)) for each in TABLES] == [0] * len(TABLES)
    assert (found.limits, found.classification_version) == (Limits(), "")


# Rows


@pytest.mark.parametrize("section", TABLES)
def test_each_table_refuses_what_is_no_row(section: str) -> None:
    """A section that is no list, a row that is no object, and an unknown, missing or odd field are named."""
    first = full()[section][0]
    name = min(first)
    rest = {key: value for key, value in first.items() if key != name}
    odd = [
        ({}, f"directory {section}: expected a list"),
        (["x"], f"directory {section}[0]: expected an object"),
        ([{**first, "zzz": 1}], f"directory {section}[0].zzz: expected no such field"),
        ([first, rest], f"directory {section}[1].{name}: expected a value"),
        ([{**first, name: 1.5}], f"directory {section}[0].{name}: expected a"),
    ]
    for value, text in odd:
        assert fault({**full(), section: value}).startswith(text)


@pytest.mark.parametrize("section", KEYED)
def test_a_row_that_stands_twice_is_refused(section: str) -> None:
    """The second row of a name is named, even when both are equal."""
    kind, key = KEYED[section]
    first = full()[section][0]
    text = fault({**full(), section: [*full()[section], first]})
    assert text == f"directory: {kind} {first[key]} stands twice; keep one row"


CELLS: list[tuple[str, dict[str, Any], str]] = [
    ("purposes", {"severities": ["GRAVE"]}, "purposes[0].severities[0]: expected a Severity"),
    ("purposes", {"authorisation": "MAYBE"}, "purposes[0].authorisation: expected a Consent"),
    ("purposes", {"daily_subjects": "200"}, "purposes[0].daily_subjects: expected a int"),
    ("purposes", {"case_required": 1}, "purposes[0].case_required: expected a bool"),
    ("purposes", {"kinds": []}, "purposes[0].kinds: expected an object"),
    ("purposes", {"kinds": {"summary": {}}}, "purposes[0].kinds.summary.fields: expected a value"),
    (
        "purposes",
        {"kinds": {"summary": {"fields": [], "windows": ["M7"]}}},
        "purposes[0].kinds.summary.windows[0]: expected a Window",
    ),
    ("purposes", {"valid_from": "2026-13-01"}, "purposes[0].valid_from: expected a date"),
    ("purposes", {"valid_until": "soon"}, "purposes[0].valid_until: expected a date"),
    ("purposes", {"name": "x"}, "purposes[0].name: expected an object"),
    ("purposes", {"name": {"zh": 1}}, "purposes[0].name.zh: expected a str"),
    ("data_items", {"label": "secret"}, "data_items[0].label: expected a Label"),
    ("agreements", {"parties": SHANGHAI}, "agreements[0].parties: expected a list"),
    ("agreements", {"suspended": "no"}, "agreements[0].suspended: expected a bool"),
    ("measure_lists", {"measures": [{"code": "MP01"}]}, "measure_lists[0].measures[0].applications: expected a value"),
    ("clocks", {"publish_months": {"MINOR": "3"}}, "clocks[0].publish_months.MINOR: expected a int"),
    ("mappings", {"levels": {"优": "E"}}, "mappings[0].levels.优: expected a Grade"),
    ("schemes", {"kind": "LOCAL"}, "schemes[0].kind: expected a SchemeKind"),
    ("behaviours", {"severity": "minor"}, "behaviours[0].severity: expected a Severity"),
    ("purposes", {"check": "FULL"}, "purposes[0].check: expected a CheckForm"),
    ("list_types", {"record_class": "penalty"}, "list_types[0].record_class: expected a ListClass"),
    ("class_rules", {"procedures": ["QUICK"]}, "class_rules[0].procedures[0]: expected a Procedure"),
    ("working_days", {"year": "2026"}, "working_days[0].year: expected a int"),
    ("division_codes", {"code": 310108}, "division_codes[0].code: expected a str"),
]


@pytest.mark.parametrize(("section", "changes", "place"), CELLS)
def test_a_cell_of_the_wrong_sort_is_named(section: str, changes: dict[str, Any], place: str) -> None:
    """Types, codes and days are checked in rows and in their parts."""
    assert fault(with_row(section, **changes)) == f"directory {place}; correct the table and sign it again"


# References


def case(**changes: Any) -> list[dict[str, Any]]:
    """Give the cases of a ceiling rule."""
    return [{"reason_class": "X", "table": "listing", "grade": "C", **changes}]


REFERENCES: list[tuple[str, dict[str, Any], str]] = [
    ("applications", {"purpose": "NONE"}, f"applications {MATTER} purpose: NONE"),
    ("applications", {"domains": ["TAX", "NONE"]}, f"applications {MATTER} domains: NONE"),
    ("agreements", {"purposes": [PURPOSE, "NONE"]}, f"agreements {AGREEMENT} purposes: NONE"),
    ("agreements", {"domains": ["NONE"]}, f"agreements {AGREEMENT} domains: NONE"),
    ("data_items", {"purposes": ["NONE"]}, "data_items penalty purposes: NONE"),
    (
        "measure_lists",
        {"measures": [{"code": "NONE", "applications": [], "rank": 1}]},
        f"measure_lists {SHANGHAI} 2026: NONE",
    ),
    ("list_types", {"domain": "NONE"}, "list_types TAX_SEVERE domain: NONE"),
    ("behaviours", {"domain": "NONE"}, "behaviours B01 domain: NONE"),
    ("behaviours", {"domain": "*"}, "behaviours B01 domain: *"),
    ("class_rules", {"domains": ["TAX", "NONE"]}, "class_rules SIMPLE domains: NONE"),
    ("ceilings", {"cases": case(list_types=["TAX_SEVERE", "NONE"])}, "ceilings caps-1 list_types: NONE"),
    ("purposes", {"kinds": {"summary": {"fields": ["penalty.band", "none.x"]}}}, f"purposes {PURPOSE} fields: none"),
]


@pytest.mark.parametrize(("section", "changes", "place"), REFERENCES)
def test_a_reference_to_no_row_is_named(section: str, changes: dict[str, Any], place: str) -> None:
    """A purpose, domain, measure, list or data item that has no row is refused where it is named."""
    text = fault(with_row(section, **changes))
    assert text == f"directory {place} has no row; add the row or take the reference out"


def test_every_domain_may_be_meant_where_a_list_says_so() -> None:
    """A star stands for every domain in matters, agreements and types of list."""
    found = [with_row(section, **changes) for section, changes in (
        ("applications", {"domains": ["*"]}), ("agreements", {"domains": ["*"]}), ("list_types", {"domain": "*"}),
    )]  # fmt: skip
    assert [isinstance(read_catalogue(each), Catalogue) for each in found] == [True] * 3


# Mapping tables and ceilings

MAPPINGS: dict[str, tuple[dict[str, Any], str]] = {
    "a level missing": ({"levels": {"优": "A", "良": "B", "中": "C"}}, "and its scheme differ in level 差"),
    "a level too many": (
        {"levels": {"优": "A", "良": "B", "中": "C", "差": "D", "极": "D"}},
        "and its scheme differ in level 极",
    ),
    "no level": ({"levels": {}}, "and its scheme differ in level 中"),
    "a better grade for a worse level": (
        {"levels": {"优": "B", "良": "A", "中": "C", "差": "D"}},
        "maps level 良 to a better grade than a level above it",
    ),
    "the order turned round": (
        {"levels": {"优": "D", "良": "C", "中": "B", "差": "A"}},
        "maps level 良 to a better grade than a level above it",
    ),
}


@pytest.mark.parametrize("name", MAPPINGS)
def test_a_mapping_is_total_and_monotone_or_refused(name: str) -> None:
    """A table that leaves a level out, adds one, or upgrades a worse level does not load."""
    changes, what = MAPPINGS[name]
    text = f"directory mappings M-CN 1 {what}; correct the table and sign it again"
    assert fault(with_row("mappings", **changes)) == text


@pytest.mark.parametrize("changes", [{"scheme_id": "NONE"}, {"scheme_version": "2024"}])
def test_a_mapping_needs_its_scheme(changes: dict[str, Any]) -> None:
    """A table of an unknown scheme, or of an unknown version of one, does not load."""
    assert fault(with_row("mappings", **changes)) == "directory mappings M-CN: its scheme has no row; add the row"


def test_a_ceiling_rests_on_penalties_and_lists_alone() -> None:
    """A case over another table would never hold."""
    text = fault(with_row("ceilings", cases=case(table="permit")))
    assert text == "directory ceilings caps-1: no ceiling rests on table permit; name another"


# Rows of one thing, of which one alone may be in force

APART: dict[str, str] = {
    "measure_lists": f"measure_lists {SHANGHAI}",
    "clocks": f"clocks {SHANGHAI}",
    "ceilings": "ceilings",
    "schemes": "schemes CN-COMPREHENSIVE 2025",
    "loading_rules": "loading_rules",
    "class_rules": "class_rules SIMPLE",
    "division_codes": "division_codes 310108",
}


@pytest.mark.parametrize("section", APART)
@pytest.mark.parametrize(
    ("until", "since", "refused"),
    [
        (None, "2026-03-10", True),
        ("2026-03-11", "2026-03-10", True),
        ("2026-03-10", "2026-03-10", False),
        ("2026-03-10", "2026-04-01", False),
    ],
)
def test_two_rows_of_one_thing_are_never_in_force_together(
    section: str,
    until: str | None,
    since: str,
    refused: bool,  # noqa: FBT001
) -> None:
    """Which of two held would be chance: the later begins when the earlier has ended, wherever the rows stand."""
    found = full()
    first = {**found[section][0], "valid_until": until}
    found[section] = [{**first, "valid_from": since, "valid_until": None}, first]
    if refused:
        what = "two rows are in force on 2026-03-10; end the first or take one out"
        assert fault(found) == f"directory {APART[section]}: {what}"
    else:
        read_catalogue(found)


def test_rows_of_other_things_may_be_in_force_together() -> None:
    """Two members' clocks, and two versions of a scheme, do not contradict each other."""
    found = full()
    found["schemes"] = [*found["schemes"], {**found["schemes"][0], "version": "2024"}]
    tables = read_catalogue(found)
    assert (len(tables.schemes), len(tables.clocks)) == (2, len(MEMBERS))


# Loads


@pytest.mark.parametrize(
    "changes", [{"reporting_days": 0}, {"withdrawal_percent": -1}, {"withdrawal_percent": 101}], ids=str
)
def test_a_loading_rule_has_its_bounds(changes: dict[str, Any]) -> None:
    """A deadline of no day and a share beyond everything are refused."""
    text = fault(with_row("loading_rules", **changes))
    assert text == "directory loading_rules 2020-01-01: at least one day, and 0 to 100 per cent; correct the row"


def test_a_purpose_is_checked_by_verdict_unless_told() -> None:
    """A row without a form of check gives verdicts, a list without a class is filled by lists' files."""
    found = read_catalogue(full())
    assert found.purposes[PURPOSE].check is CheckForm.VERDICT
    assert found.list_types["TAX_SEVERE"].record_class == "listing"


# Limits


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ([], "directory limits: expected an object"),
        (None, "directory limits: expected an object"),
        ({"speed": 1}, "limits.speed: no such limit, or not a positive whole number"),
        ({"subjects": -1}, "limits.subjects: no such limit, or not a positive whole number"),
    ],
)
def test_limits_are_read_with_the_tables(limits: Any, text: str) -> None:
    """Limits that are no object, unknown or not positive do not load."""
    assert fault({**full(), "limits": limits}) == text


def test_a_limit_that_is_set_holds() -> None:
    """What the directory sets replaces the default."""
    found = read_catalogue({**full(), "limits": {"subjects": 7}, "classification_version": "2026-02"})
    assert (found.limits.subjects, found.limits.attempts, found.classification_version) == (7, 3, "2026-02")


# What is in force

Look = Callable[[Catalogue, date], object]
LOOKS: dict[str, tuple[str, Look]] = {
    "published": ("measure_lists", lambda found, on: found.published(SHANGHAI, on)),
    "clock": ("clocks", lambda found, on: found.clock(SHANGHAI, on)),
    "ceiling": ("ceilings", lambda found, on: found.ceiling(on)),
    "loading": ("loading_rules", lambda found, on: found.loading(on)),
    "agreement": (
        "agreements",
        lambda found, on: next(found.agreements_for(purpose=PURPOSE, kind="summary", member=SHANGHAI, on=on), None),
    ),
}


@pytest.mark.parametrize("name", LOOKS)
def test_a_dated_row_is_found_on_its_days_alone(name: str) -> None:
    """From its first day until the day before it ends a row is found, and on no other day."""
    section, look = LOOKS[name]
    found = read_catalogue(with_row(section, valid_from="2026-03-10", valid_until="2026-03-12"))
    days = [look(found, TODAY + timedelta(days=each)) is not None for each in (-1, 0, 1, 2)]
    assert days == [False, True, True, False]


def test_a_row_follows_another() -> None:
    """Of two editions in succession each is found on its days, and another member's is never."""
    found = full()
    old = {**found["measure_lists"][0], "edition": "2025", "valid_until": "2026-03-11"}
    found["measure_lists"] = [old, {**old, "edition": "2026", "valid_from": "2026-03-11", "valid_until": None}]
    lists = read_catalogue(found)
    editions = [lists.published(SHANGHAI, TODAY + timedelta(days=each)) for each in (0, 1)]
    assert [each.edition if each else "" for each in editions] == ["2025", "2026"]
    assert lists.published(JIANGSU, TODAY) is None
    assert (worlds.CATALOGUE.clock("999999", TODAY), read_catalogue({}).ceiling(TODAY)) == (None, None)


def test_agreements_come_by_precedence_and_only_where_they_fit() -> None:
    """Suspended ones, and those of other members, purposes, kinds and days are left out; the least number is first."""
    found = full()
    first = found["agreements"][0]
    rows: list[dict[str, Any]] = [
        {"id": "Z", "precedence": 1}, {"id": "B", "precedence": 2}, {"id": "A", "precedence": 2},
        {"id": "SUSPENDED", "suspended": True}, {"id": "MEMBERS", "parties": [ANHUI]},
        {"id": "PURPOSES", "purposes": [REPORT]}, {"id": "KINDS", "kinds": ["rating"]},
        {"id": "ENDED", "valid_until": TODAY.isoformat()},
    ]  # fmt: skip
    found["agreements"] = [{**first, "precedence": 0, **each} for each in reversed(rows)]
    fitting = read_catalogue(found).agreements_for(purpose=PURPOSE, kind="summary", member=SHANGHAI, on=TODAY)
    assert [each.id for each in fitting] == ["Z", "A", "B"]


@pytest.mark.parametrize(
    ("area", "division", "covered"),
    [
        (("31",), "310115", True),
        (("31", "3301"), "330102", True),
        (("3301",), "330201", False),
        (("310115",), "310115", True),
        (("310115",), "3101", False),
        (("310115",), "310115001", True),
        ((), "310115", False),
    ],
)
def test_an_area_is_a_set_of_prefixes(area: tuple[str, ...], division: str, covered: bool) -> None:  # noqa: FBT001
    """A division lies in an area when one of its prefixes begins the division's code."""
    agreement = Agreement(
        id="A",
        edition=1,
        name={},
        parties=MEMBERS,
        area=area,
        purposes=(),
        domains=(),
        kinds=(),
        precedence=1,
        valid_from=TODAY,
    )
    assert agreement.covers_area(division) is covered
