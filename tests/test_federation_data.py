"""The reference federation as data: complete, consistent, and extended by data alone."""

import shutil
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hands import directory_of, timed

from gateway.catalogue import Catalogue, read_catalogue
from gateway.classification import classify
from gateway.deciding import deciding
from gateway.divisions import is_defunct
from gateway.errors import CatalogueMalformed
from gateway.kinds import KINDS
from gateway.model.codes import Grade, SchemeKind, Severity
from gateway.purposes import CheckForm, Label, Purpose
from gateway.uscc import defect, is_sample
from keys import jsontext, suite
from keys.directory import Directory
from nodes.federation import REFERENCE, Standing, document, feeds, officers, read_folder, sections
from nodes.federation.folder import WIDER

ISSUED = datetime(2026, 11, 20, tzinfo=UTC)
TODAY = date(2026, 11, 20)
MEMBERS = ("310000", "320000", "330000", "340000")
PURPOSES = {
    "ADMIN_LICENSING",
    "GOV_PROCUREMENT",
    "TENDERING",
    "FISCAL_FUND",
    "LAND_TRANSFER",
    "HONOUR_AWARD",
    "INVESTMENT_PROMOTION",
    "DAILY_SUPERVISION",
    "SCI_TECH_PROJECT",
    "RATING_RECOGNITION",
    "JOINT_REWARD",
    "JOINT_PUNISHMENT",
    "NO_VIOLATION_REPORT",
    "FINANCING",
    "CUSTOMS_COOP",
    "LAW_FIRM_PRACTICE",
    "REPAIR_SYNC",
    "SELF_QUERY",
    "STATISTICS",
}


def catalogue(folder: Path = REFERENCE) -> Catalogue:
    """The tables of a folder as every node reads them."""
    return read_catalogue(sections(folder))


def directory(folder: Path = REFERENCE, standings: Mapping[str, Standing] | None = None) -> Directory:
    """The signed and opened directory of a folder."""
    found = document(folder, standings or {})
    return directory_of(timed(found, version=3, issued=ISSUED, expire=ISSUED + timedelta(days=30)))


def copied(tmp_path: Path, **files: str) -> Path:
    """A copy of the reference folder with further files."""
    folder = tmp_path / "federation"
    folder.mkdir()
    for path in REFERENCE.glob("*.toml"):
        shutil.copy(path, folder)
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return folder


def test_every_purpose_has_a_complete_row_marked_as_sample() -> None:
    """No purpose is missing, no field of a row is left to a default, and all say that they are samples (U13)."""
    rows = {row["code"]: row for row in sections(REFERENCE)["purposes"]}
    wanted = {field.name for field in fields(Purpose)} - {"valid_until"}
    assert set(rows) == PURPOSES
    assert [code for code, row in rows.items() if not wanted <= set(row) or row["sample"] is not True] == []


def test_purposes_ask_for_what_kinds_can_say() -> None:
    """Each granted kind and field exists, each window belongs to a kind that has one."""
    known = {name: set(kind.fields) for name, kind in KINDS.items()}
    for purpose in catalogue().purposes.values():
        for name, kind in purpose.kinds.items():
            assert set(kind.fields) <= known[name], purpose.code
            assert kind.fields, purpose.code
            assert bool(kind.windows) == (name in {"summary", "no_violation"}), purpose.code


def test_no_field_is_granted_that_its_read_rule_withholds() -> None:
    """Purposes and read rules agree in both directions: no dead grant and no dead purpose of a data item."""
    tables = catalogue()
    used: dict[str, set[str]] = {}
    for purpose in tables.purposes.values():
        for kind in purpose.kinds.values():
            for field in kind.fields:
                used.setdefault(field.partition(".")[0], set()).add(purpose.code)
    for item in tables.data_items.values():
        if item.label is Label.CONDITIONAL and item.id in used:
            assert used[item.id] == set(item.purposes), item.id
    closed = {each.id for each in tables.data_items.values() if each.label is Label.CLOSED}
    assert set(used) == set(tables.data_items) - closed - {"restructuring"}
    assert {"coercion", "judicial", "self_declared", "penalty.escalated", "penalty.responsible_person"} <= closed


def test_the_rows_that_policy_rests_on() -> None:
    """Authorisation, severities, officers, cases and domains stand where the rules want them."""
    rows = catalogue().purposes
    by_subject = {code for code, row in rows.items() if row.authorisation.value == "SUBJECT"}
    assert by_subject >= {"RATING_RECOGNITION", "NO_VIOLATION_REPORT", "FINANCING"}
    assert rows["JOINT_PUNISHMENT"].severities == (Severity.SERIOUS,)
    assert set(rows["JOINT_PUNISHMENT"].kinds) == {"summary", "measures"}
    assert rows["ADMIN_LICENSING"].domain_bound
    assert {code for code, row in rows.items() if row.second_officer} == {"CUSTOMS_COOP"}
    assert rows["TENDERING"].case_required
    assert [each.id for each in catalogue().data_items.values() if each.four_eyes] == ["restructuring"]


def test_every_mapping_is_total_and_monotone() -> None:
    """Each level of a comprehensive scheme has a grade, and a worse level never maps to a better one."""
    tables = catalogue()
    schemes = {(each.id, each.version): each for each in tables.schemes}
    mapped = set()
    for table in tables.mappings:
        scheme = schemes[table.scheme_id, table.scheme_version]
        grades = [list(Grade).index(table.levels[level]) for level in scheme.levels]
        assert set(table.levels) == set(scheme.levels)
        assert grades == sorted(grades)
        assert table.sample
        mapped.add(scheme.member)
    comprehensive = [each for each in tables.schemes if each.kind is SchemeKind.COMPREHENSIVE]
    assert mapped == {each.member for each in comprehensive} == set(MEMBERS)
    assert sorted(len(each.levels) for each in comprehensive) == [4, 5, 5, 7]
    assert {each.kind for each in tables.schemes} == set(SchemeKind)


def test_ceilings_name_every_severe_list() -> None:
    """A severe list that the ceiling forgot would leave its subjects a good grade."""
    tables = catalogue()
    rule = tables.ceiling(TODAY)
    assert rule is not None
    cases = {case.reason_class: case for case in rule.cases}
    severe = {each.code for each in tables.list_types.values() if each.severe}
    assert set(cases["SEVERE_LISTED"].list_types) == severe
    assert [case.grade.value for case in rule.cases] == ["D", "C", "B"]
    assert cases["SERIOUS_UNREPAIRED"].severity is Severity.SERIOUS


def test_domains_behaviours_and_agencies_belong_together() -> None:
    """Every domain has acts that can be classified, an agency that decides, and every act a known domain."""
    tables = catalogue()
    assert len(tables.domains) >= 36
    assert {each.domain for each in tables.behaviours.values()} == set(tables.domains)
    assert {each.severity for each in tables.behaviours.values()} == set(Severity)
    names = [(each.domain, each.name["zh"]) for each in tables.behaviours.values()]
    assert len(set(names)) == len(names)
    letters = {Severity.MINOR: "M", Severity.GENERAL: "G", Severity.SERIOUS: "S"}
    assert [
        code for code, row in tables.behaviours.items() if not code.startswith(f"{row.domain}-{letters[row.severity]}-")
    ] == []


def test_every_member_publishes_an_item_for_every_purpose() -> None:
    """No purpose is a dead letter at a member; last year's item is out of date."""
    items = catalogue().applications
    for member in MEMBERS:
        current = {each.purpose for each in items.values() if each.member == member and each.in_force(TODAY)}
        assert current == PURPOSES
    assert items["SH-2026-001"].member == "310000"
    assert not items["SH-2025-005"].in_force(TODAY)


def test_the_zone_goes_first_and_is_narrow() -> None:
    """Recognition is agreed for the three counties only; everything else for the four regions (U9, U10)."""
    tables = catalogue()
    zone, four = tables.agreements["ZONE-2026"], tables.agreements["YRD-4-2026"]
    assert zone.precedence < four.precedence
    found = tables.agreements_for(purpose="RATING_RECOGNITION", kind="rating", member="310000", on=TODAY)
    assert list(found) == [zone]
    places = ("310118", "320509", "330421", "310000", "330402")
    assert [zone.covers_area(each) for each in places] == [True] * 3 + [False] * 2
    assert all(four.covers_area(each) for each in (*places, "340503"))
    assert set(four.purposes) | set(zone.purposes) == PURPOSES


def test_published_lists_differ_between_members() -> None:
    """What one member orders may be no more than information at another, and each list ranks what it holds."""
    lists = {member: catalogue().published(member, TODAY) for member in MEMBERS}
    codes = {member: {each.code for each in row.measures} for member, row in lists.items() if row}
    assert set(codes) == set(MEMBERS)
    assert len({frozenset(each) for each in codes.values()}) == 4
    assert "MP14" not in codes["310000"]
    assert {"MP01", "MP11"} <= codes["310000"]
    items = catalogue().applications
    for member, row in lists.items():
        assert row is not None
        assert {items[item].member for each in row.measures for item in each.applications} == {member}


def test_every_member_has_a_clock_for_every_severity() -> None:
    """A severity without months would never be said by accident."""
    for member in MEMBERS:
        rule = catalogue().clock(member, TODAY)
        assert rule is not None
        assert set(rule.publish_months) == {each.value for each in Severity}


def test_feeds_cover_every_class_that_a_kind_may_need() -> None:
    """Penalties, permits and measures of all domains, lists where there are lists, register and ratings."""
    tables = catalogue()
    listed = {each.domain for each in tables.list_types.values()}
    for member in MEMBERS:
        found = {(each.record_class, each.domain): each for each in feeds(REFERENCE, member)}
        for record_class in ("penalty", "permit", "measure"):
            assert {domain for name, domain in found if name == record_class} == set(tables.domains)
        assert {domain for name, domain in found if name == "listing"} == listed
        assert {("register", "REGISTER"), ("rating", "RATING")} < set(found)
        assert found["penalty", "FOOD_DRUG"].id == f"{member}-FOOD_DRUG-penalty"
        assert found["penalty", "FOOD_DRUG"].agency == f"{member}-market"
        agencies = {agency.id for agency in directory().member(member).agencies}
        assert {each.agency for each in found.values()} <= agencies


def test_the_directory_opens_with_agencies_and_officers() -> None:
    """The payload passes the reader of the directory; each agency belongs to one member."""
    publics = {
        officer: jsontext.write_octets(suite.signer(bytes([number]) * 32, owner=officer).public)
        for number, officer in enumerate(officers(REFERENCE, "310000")["310118-credit"], start=1)
    }
    found = directory(standings={"310000": Standing(endpoint="shanghai.invalid:7443", officers=publics)})
    assert found.version == 3
    assert found.member("310000").endpoint == "shanghai.invalid:7443"
    for agency in ("310000-credit", "310118-market", "320509-market", "330421-market", "330106-market"):
        row = found.agency(agency)
        assert row is not None
        assert row.division == agency[:6]
        assert row.active(TODAY)
    asker, approver = found.officer("310118-credit/o1"), found.officer("310118-credit/o2")
    assert asker is not None
    assert approver is not None
    assert (asker.holds("ask", TODAY), asker.holds("approve", TODAY)) == (True, False)
    assert approver.holds("approve", TODAY)
    # An officer without a key cannot sign, so the directory does not list one.
    assert found.officer("320509-market/o1") is None
    assert "320509-market/o1" in officers(REFERENCE, "320000")["320509-market"]
    assert "310000-court" not in officers(REFERENCE, "310000")


def test_agency_codes_are_samples_and_lead_to_agencies() -> None:
    """The codes that stand in decisions are well formed, made up, and name listed agencies."""
    rows = sections(REFERENCE)["agency_codes"]
    listed = {agency.id for member in directory().members for agency in member.agencies}
    assert {row["agency"] for row in rows} == listed
    assert [row for row in rows if defect(row["code"]) is not None or not is_sample(row["code"])] == []
    ended = [row["code"] for row in rows if "valid_until" in row]
    assert [deciding(catalogue().deciding, code, TODAY) for code in ended] == ["310000-market"]


def test_the_calendar_reaches_from_the_first_year_to_this_one() -> None:
    """Legal periods over festivals end on the days of the notices; a year that was not published has none."""
    found = catalogue().calendar
    assert list(found.years) == list(range(2019, 2027))
    points = [("2026-02-12", 3), ("2026-02-12", 10), ("2026-09-29", 3), ("2026-04-30", 5)]
    ends = [found.after(date.fromisoformat(day), count).isoformat() for day, count in points]
    assert ends == ["2026-02-24", "2026-03-04", "2026-10-09", "2026-05-11"]
    rule = catalogue().loading(TODAY)
    assert rule is not None
    assert (rule.reporting_days, rule.withdrawal_percent) == (7, 2)


def test_penalties_fall_into_the_classes_of_repair() -> None:
    """Simple procedure or warning alone is minor, revocation or a very large fine serious, else the act's own."""
    table = catalogue().class_table
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "GENERAL"),
        ({"kinds": "罚款"}, "GENERAL"),
        ({"kinds": "警告"}, "MINOR"),
        ({"kinds": "警告、通报批评"}, "MINOR"),
        ({"kinds": "警告、罚款"}, "GENERAL"),
        ({"kinds": "罚款", "procedure": "SIMPLE"}, "MINOR"),
        ({"kinds": "罚款+吊销许可证件"}, "SERIOUS"),
        ({"kinds": "责令停产停业"}, "SERIOUS"),
        ({"kinds": "罚款", "fine_yuan": 1_000_000}, "SERIOUS"),
    ]
    for facts, severity in cases:
        found = classify(
            table, act="货车超限超载运输", domain="TRANSPORT", agency="310000-transport", on=TODAY, **facts
        )
        assert found is not None
        assert (found.behaviour, found.severity.value) == ("TRANSPORT-G-001", severity), facts
    other = classify(table, act="超载运输", domain="TRANSPORT", agency="310000-transport", on=TODAY)
    court = classify(table, act="样例", domain="COURT", agency="320000-court", on=TODAY)
    assert [each and each.behaviour for each in (other, court)] == ["TRANSPORT-G-001", "COURT-S-001"]


def test_counties_are_current_and_former_ones_lead_to_them() -> None:
    """Made-up subjects sit in counties of today; a former county's successors are rows that begin no later than it."""
    divisions = catalogue().divisions
    living = [code for codes in read_folder(REFERENCE).table("counties").values() for code in codes]
    assert [code for code in living if code not in divisions or is_defunct(divisions, code, TODAY)] == []
    for code in ("310108", "310230", "330183", "310119", "310103", "320584", "341400"):
        assert is_defunct(divisions, code, TODAY), code
    for rows in divisions.values():
        for row in rows:
            if row.successor is not None:
                assert row.valid_until is not None
                assert divisions[row.successor][0].valid_from <= row.valid_until, row.code


def test_batches_of_two_purposes_have_a_form_of_their_own() -> None:
    """Science projects get a light, supervision a tier; the abnormal directory has files of its own class."""
    tables = catalogue()
    forms = {code: row.check for code, row in tables.purposes.items() if row.check is not CheckForm.VERDICT}
    assert forms == {"SCI_TECH_PROJECT": CheckForm.LIGHT, "DAILY_SUPERVISION": CheckForm.TIER}
    assert [code for code, row in tables.list_types.items() if row.record_class == "abnormal"] == ["MARKET_ABNORMAL"]


def test_every_member_has_the_external_schemes() -> None:
    """Customs, tax and environment are answered in their own levels, and no table maps them."""
    tables = catalogue()
    external = {each.id: each for each in tables.schemes if each.kind is SchemeKind.EXTERNAL}
    names = ("CUSTOMS", "TAX", "ENVIRONMENT")
    assert set(external) == {f"{member}-{name}" for member in MEMBERS for name in names}
    assert not {each.scheme_id for each in tables.mappings} & set(external)
    assert external["330000-CUSTOMS"].levels == ("高级认证", "认证", "常规", "失信", "严重失信")
    assert external["330000-TAX"].levels == ("A", "B", "M", "C", "D")


SUB_MEMBER = """
[[members]]
id = "310118"
letters = "QP"
parent = "310000"
name = { zh = "青浦区", en = "Qingpu" }
divisions = ["310118"]
[members.agencies]
310118 = ["trading", "science"]

[[agreements]]
id = "QP-2026"
edition = 1
name = { zh = "样例协议", en = "Sample agreement" }
parties = ["310118", "340000"]
area = ["310118", "3405"]
purposes = ["TENDERING"]
domains = ["*"]
kinds = ["summary"]
precedence = 1
valid_from = "2026-01-01"
"""


def test_a_sub_member_is_a_change_of_data_alone(tmp_path: Path) -> None:
    """One more file in the folder adds a member, its agencies, items, feeds and agreement."""
    folder = copied(tmp_path, qingpu=SUB_MEMBER)
    found = directory(folder)
    home = found.home_of("310118")
    assert home is not None
    assert (home.id, home.parent) == ("310118", "310000")
    assert catalogue(folder).applications["QP-2026-005"].purpose == "TENDERING"
    assert catalogue(folder).agreements["QP-2026"].parties == ("310118", "340000")
    assert {each.agency for each in feeds(folder, "310118")} >= {"310118-trading", "310118-science"}
    assert len(found.members) == 5


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[[domains]\n", "broken.toml"),
        ('[dates]\ndecides_from = "2000-01-01"', "dates"),
        ('classification_version = "x"', "classification_version"),
        ('[fields]\npenalty = ["x"]', "fields"),
        ('[[measure_lists]]\nmember = "350000"\nedition = "2026"\nvalid_from = 2026-01-01', "350000"),
        (
            '[[purposes]]\ncode = "X"\nkinds.summary = { items = ["nothing"], windows = [] }',
            "fields: nothing",
        ),
        (
            (
                '[[members]]\nid = "350000"\nname = { zh = "x", en = "x" }\ndivisions = []\n'
                '[members.agencies]\n350000 = ["none"]'
            ),
            "agency_kinds: none",
        ),
    ],
)
def test_a_fault_in_a_file_is_named(tmp_path: Path, text: str, place: str) -> None:
    """Whoever edits the data learns which file or row is wrong before anything is signed."""
    with pytest.raises(CatalogueMalformed, match=place):
        sections(copied(tmp_path, broken=text))


def test_an_empty_folder_and_an_unknown_member_are_refused(tmp_path: Path) -> None:
    """A mistyped folder or member does not become a federation without rules."""
    with pytest.raises(CatalogueMalformed, match="no TOML"):
        sections(tmp_path)
    with pytest.raises(CatalogueMalformed, match="350000"):
        feeds(REFERENCE, "350000")
    with pytest.raises(CatalogueMalformed, match="350000"):
        directory(standings={"350000": Standing()})


def test_days_may_be_written_as_toml_days(tmp_path: Path) -> None:
    """A TOML date means the same as its text; the sections stay JSON."""
    text = '[[clocks]]\nmember = "350000"\nversion = "1"\nvalid_from = 2026-01-01\nlookup_months = 1\n'
    found: list[Any] = sections(copied(tmp_path, more=text + "publish_months = { MINOR = 1 }"))["clocks"]
    assert found[-1]["valid_from"] == "2026-01-01"


def test_sub_members_join_under_their_provinces_and_agree_for_themselves() -> None:
    """The wider sample is signed under their parents, and its agreements by the parties' own officers."""
    found = directory(WIDER)
    parents = {each.id: each.parent for each in found.members if each.parent}
    assert parents == {"310118": "310000", "310107": "310000", "340500": "340000"}
    homes = {each: found.home_of(each) for each in ("310107", "310115", "340503", "340111")}
    assert [home.id for home in homes.values() if home] == ["310107", "310000", "340500", "340000"]
    signed = {each.name: each.signed_by for each in found.roles}
    assert all(key.startswith("310107/officer/") for key in signed["members-310107"])
    putuo = [each for each in read_catalogue(found.sections).agreements.values() if each.id.startswith("PUTUO-")]
    assert {each.parties for each in putuo} == {("310107", each) for each in ("340500", "340000")}
