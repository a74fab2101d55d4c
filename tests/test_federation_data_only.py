"""A fifth region and a city below a province join by rows of data alone; no code knows any member by name."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from callers import measures, summary
from officers import Officer, deliver, named, rating, start
from populations import populate

from gateway.clocks import civil_day
from gateway.model.answer import RatingItem, SummaryItem
from gateway.model.codes import CoverageState, RecognitionState, ResultState, Verdict
from gateway.uscc import sample_code
from nodes.federation import REFERENCE
from nodes.lab import Lab, build
from nodes.sample.records import Desk
from nodes.sample.scenarios import CLEAN
from nodes.sample.subjects import Subject

pytestmark = pytest.mark.net
REGION, CITY, PROVINCE = "350000", "340500", "340000"
RUNNING = ("310000", PROVINCE, CITY, REGION)
SINCE = date(2019, 1, 1)
FIRM = Subject(uscc=sample_code("91", "350203", 1), name="样例厦门有限公司")
CITY_FIRM = Subject(uscc=sample_code("91", "340503", 2), name="样例马鞍山有限公司")

FIFTH_REGION = """
[[members]]
id = "350000"
letters = "FJ"
name = { zh = "福建省", en = "Fujian" }
divisions = ["35"]

[members.agencies]
350000 = ["*"]
350203 = ["credit", "market"]

[divisions]
350203 = { zh = "厦门市思明区", en = "Siming, Xiamen" }

[counties]
350000 = ["350102", "350203", "350502"]

[[clocks]]
member = "350000"
version = "350000-2026.1"
publish_months = { MINOR = 3, GENERAL = 12, SERIOUS = 36 }
lookup_months = 60
valid_from = "2020-01-01"

[[measure_lists]]
member = "350000"
edition = "2026"
valid_from = "2026-01-01"
without = ["MP01"]

[[schemes]]
id = "350000-COMPREHENSIVE"
version = "2025"
kind = "COMPREHENSIVE"
member = "350000"
name = { zh = "福建省企业公共信用综合评价（样例）", en = "Fujian comprehensive evaluation (sample)" }
levels = ["甲", "乙", "丙", "丁"]
cycle_months = 12
sample = true
valid_from = "2025-01-01"

[[mappings]]
id = "YRD-350000"
version = "2026.1"
scheme_id = "350000-COMPREHENSIVE"
scheme_version = "2025"
sample = true
valid_from = "2025-01-01"
levels = { "甲" = "A", "乙" = "B", "丙" = "C", "丁" = "D" }

[[agreements]]
id = "YRD-6-2026"
edition = 1
name = { zh = "扩大协议（样例）", en = "Wider agreement (sample)" }
parties = ["310000", "320000", "330000", "340000", "340500", "350000"]
area = ["31", "32", "33", "34", "35"]
purposes = ["DAILY_SUPERVISION", "NO_VIOLATION_REPORT", "RATING_RECOGNITION"]
domains = ["*"]
kinds = ["summary", "measures", "no_violation", "rating"]
precedence = 50
valid_from = "2026-01-01"
"""
SUB_MEMBER = """
[[members]]
id = "340500"
letters = "MAS"
parent = "340000"
name = { zh = "马鞍山市", en = "Ma'anshan" }
divisions = ["3405"]

[members.agencies]
340500 = ["*"]

[counties]
340500 = ["340503"]

[[clocks]]
member = "340500"
version = "340500-2026.1"
publish_months = { MINOR = 3, GENERAL = 12, SERIOUS = 36 }
lookup_months = 60
valid_from = "2020-01-01"

[[measure_lists]]
member = "340500"
edition = "2026"
valid_from = "2026-01-01"
"""


def wider_tables(federation: Path) -> Path:
    """Copy the federation's tables, and add two files of rows."""
    shutil.copytree(REFERENCE, federation, ignore=shutil.ignore_patterns("*.py", "__pycache__", "wider"))
    (federation / "fujian.toml").write_text(FIFTH_REGION, encoding="utf-8")
    (federation / "maanshan.toml").write_text(SUB_MEMBER, encoding="utf-8")
    return federation


@pytest.fixture(scope="module")
def wider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run four of the six members of the wider tables."""
    place = tmp_path_factory.mktemp("wider")
    built = build(place / "lab", federation=wider_tables(place / "federation"))
    today = civil_day(built.clock())

    def region(desk: Desk) -> None:
        desk.register(FIRM, division="350203", since=SINCE)
        desk.penalty(FIRM, "TAX-S-001", decided=today - timedelta(days=50))
        desk.rating(
            FIRM, "350000-COMPREHENSIVE", "乙", rated=today - timedelta(days=9), until=today + timedelta(days=9)
        )

    def city(desk: Desk) -> None:
        desk.register(CITY_FIRM, division="340503", since=SINCE)
        desk.penalty(CITY_FIRM, "MARKET_REG-G-001", decided=today - timedelta(days=50))
        desk.measure(CITY_FIRM, "MP09", "MARKET_REG", territory="340500", since=today - timedelta(days=50))

    try:
        for member in RUNNING:
            populate(built, member, subjects=0)
        deliver(built, REGION, region)
        deliver(built, CITY, city)
        yield start(built, *RUNNING)
    finally:
        built.stop()


def test_the_new_members_are_files_of_rows(wider: Lab) -> None:
    """The copied folder holds tables alone, and the lab has six members by them."""
    assert {each.suffix for each in wider.federation.iterdir()} == {".toml"}
    assert set(wider.members) == {*RUNNING, "320000", "330000"}


async def test_a_fifth_region_answers_through_shanghais_desk(wider: Lab) -> None:
    """The new region confirms its firm, says its own lines, and its answer verifies like any other."""
    told = await Officer(lab=wider).ask(summary(named(FIRM.uscc)), members=RUNNING)
    assert told.result.agreement_id == "YRD-6-2026"
    assert told.states == {**dict.fromkeys(RUNNING, "NOT_FOUND"), REGION: "FOUND"}
    assert (told.subject.state, told.subject.home_member) == (ResultState.FOUND, REGION)
    body, head = told.items[REGION].body, told.heads[REGION]
    assert isinstance(body, SummaryItem)
    assert [(each.domain, each.unrepaired) for each in body.penalties] == [("TAX", True)]
    assert (head.answered_by, head.rule_version) == ("", "350000-2026.1")
    assert {each.state for each in head.coverage} == {CoverageState.COMPLETE}


async def test_a_city_below_a_province_answers_for_itself(wider: Lab) -> None:
    """The city confirms its firm and is named as who answered; the province above confirms nothing of it."""
    told = await Officer(lab=wider).ask(summary(named(CITY_FIRM.uscc)), members=RUNNING)
    assert {member: head.answered_by for member, head in told.heads.items()} == {
        "310000": "", PROVINCE: "", CITY: CITY, REGION: "",
    }  # fmt: skip
    assert told.states == {**dict.fromkeys(RUNNING, "NOT_FOUND"), CITY: "FOUND"}
    assert told.subject.home_member == CITY
    assert {member: each.registered_here for member, each in told.items.items()} == {
        **dict.fromkeys(RUNNING, False), CITY: True,
    }  # fmt: skip


async def test_a_citys_measure_informs_elsewhere(wider: Lab) -> None:
    """A measure of the city's own territory is information at Shanghai."""
    told = await Officer(lab=wider).ask(measures(named(CITY_FIRM.uscc)), members=RUNNING)
    (line,) = told.subject.information_measures
    assert (line.member, line.measure.territory, line.reason) == (CITY, "340500", "OTHER_TERRITORY")


async def test_the_new_regions_grade_is_recognised_by_its_own_table(wider: Lab) -> None:
    """The new scheme's word is mapped by the new table, under the serious penalty's ceiling."""
    officer = Officer(lab=wider, name="310118-credit/o1")
    consent = officer.consent(FIRM.uscc, purpose="RATING_RECOGNITION", kind="rating", home=REGION)
    told = await officer.ask(
        rating(named(FIRM.uscc)), purpose="RATING_RECOGNITION", authorisations=(consent,), members=RUNNING,
        agreement_id="YRD-6-2026",
    )  # fmt: skip
    found = told.subject.recognition
    assert found is not None
    assert (found.state, found.origin_grade, found.mapping_id) == (RecognitionState.RECOGNISED, "乙", "YRD-350000")
    assert [each.value for each in (found.mapped_grade, found.recognised_grade) if each] == ["B", "C"]
    body = told.items[REGION].body
    assert isinstance(body, RatingItem)
    assert [each.grade for each in body.ratings] == ["乙"]


async def test_an_officer_of_the_new_region_asks_through_its_own_desk(wider: Lab) -> None:
    """The new region's agencies, officers and matters work both ways."""
    officer = Officer(lab=wider, name="350203-market/o1")
    told = await officer.ask(summary(named(CLEAN.uscc)), members=RUNNING)
    assert (told.result.asker_member, told.result.application_item) == (REGION, "FJ-2026-010")
    assert (told.subject.state, told.subject.home_member) == (ResultState.NOT_FOUND, "310000")
    city = Officer(lab=wider, name="340500-market/o1")
    report = await city.certify(CLEAN.uscc, members=RUNNING)
    assert {each.verdict for each in report.subject.domains} == {Verdict.NONE_TO_REPORT}


async def test_the_old_agreement_reaches_no_new_party_but_its_parties_sub_members(wider: Lab) -> None:
    """Under the four regions' agreement the fifth region is not asked; the city is, under its province."""
    told = await Officer(lab=wider).ask(summary(named(CLEAN.uscc)), agreement_id="YRD-4-2026")
    assert tuple(told.outcomes) == ("310000", "320000", "330000", "340000", CITY)


def test_the_reference_folder_is_untouched() -> None:
    """The copy was edited, not the folder that others read."""
    assert not (Path(REFERENCE) / "fujian.toml").exists()
