"""Write rules 写入规则 (A36): what an agency may not deliver is not said, and never makes a domain look clean."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_ingest import NOW, SECRET, Yard, reference_charter

from gateway.charter import Charter
from gateway.coverage import coverage
from gateway.errors import CatalogueMalformed
from gateway.model.codes import CoverageState
from gateway.references import check_references
from gateway.writing import WriteRule, may_write
from nodes.ingest import Reason, Report, release
from nodes.ingest.loads import FAMILIES
from nodes.store.loading import Loading

SINCE = date(2025, 1, 1)
TODAY = date(2026, 11, 20)
AGENCIES = ("310000-market", "310118-market", "310000-tax", "310000-platform")


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    """Shanghai's store."""
    return Yard(tmp_path)


def rule(record_class: str = "penalty", *agencies: str, **changes: Any) -> WriteRule:
    """Write a rule of Shanghai."""
    wanted = {"member": "310000", "record_class": record_class, "agencies": agencies, "valid_from": SINCE, **changes}
    return WriteRule(**wanted)


def ruled(*rules: WriteRule) -> Charter:
    """Give Shanghai's charter under these rules alone."""
    found = reference_charter("310000")
    return replace(found, catalogue=replace(found.catalogue, write_rules=rules))


def state(yard: Yard) -> CoverageState:
    """Give the coverage of the feed's domain."""
    needs = {"MARKET_REG": frozenset({"penalty"})}
    return coverage([yard.feed("penalty")], needs, today=TODAY, window_from=None)["MARKET_REG"].state


def released(yard: Yard) -> Report:
    """Read what waits again."""
    feed = yard.feed("penalty")
    with Loading(yard.database) as loading:
        (report,) = release(loading, yard.charter, {feed.id: feed}, secret=SECRET, now=NOW, again=True)
    return report


def test_a_row_that_may_not_be_written_waits_and_is_named(yard: Yard) -> None:
    """It is not said, counted by agency, named by row and column, and leaves a gap; the others are loaded."""
    yard.charter = ruled(rule("penalty", "tax"))
    report = yard.load("penalty", [{}, {"CF_CFJGDM": "310000-tax", "CF_WSH": "2"}])
    assert (report.accepted, dict(report.held), report.gaps) == (1, {Reason.MAY_NOT_WRITE: 1}, 1)
    problem = report.problems[0]
    assert (problem.row, problem.column, problem.reason) == (2, "CF_CFJGDM", Reason.MAY_NOT_WRITE)
    assert report.by_agency["310118-market", "held"] == 1
    assert [each["agency"] for each in yard.facts("penalty")] == ["310000-tax"]
    assert state(yard) is CoverageState.PARTIAL


def test_a_corrected_rule_releases_what_waited(yard: Yard) -> None:
    """The file is not needed again."""
    yard.charter = ruled(rule("penalty", "tax"))
    yard.load("penalty", [{}])
    assert (released(yard).held, yard.facts("penalty")) == ({Reason.MAY_NOT_WRITE: 1}, [])
    yard.charter = ruled(rule("penalty", "market"))
    report = released(yard)
    assert (report.accepted, report.gaps, len(yard.facts("penalty"))) == (1, 0, 1)
    assert state(yard) is CoverageState.COMPLETE


def test_whoever_may_not_write_takes_nothing_away(yard: Yard) -> None:
    """A deletion by an agency without the right leaves the record as it stands, and the domain partial."""
    yard.charter = ruled(rule("penalty", "market"))
    assert yard.load("penalty", [{}]).gaps == 0
    yard.charter = ruled(rule("penalty", "tax"))
    report = yard.load("penalty", [{"deleted": "1"}])
    assert (report.withdrawn, dict(report.held), report.gaps) == (0, {Reason.MAY_NOT_WRITE: 1}, 1)
    assert len(yard.facts("penalty")) == 1
    yard.charter = ruled(rule("penalty", "market"))
    assert (yard.load("penalty", [{"deleted": "1", "CF_NR": "x"}]).gaps, yard.facts("penalty")) == (0, [])


def test_a_class_without_an_agency_is_its_feeds(yard: Yard) -> None:
    """The register names no deciding agency: the feed's own must have the right."""
    yard.charter = ruled(rule("register", "tax"))
    assert dict(yard.load("register", [{}]).held) == {Reason.MAY_NOT_WRITE: 1}
    yard.charter = ruled(rule("register", "market"))
    assert yard.load("register", [{}]).accepted == 1


def test_every_class_of_the_sample_has_its_rule() -> None:
    """Each family of files may be written by somebody, and none by a platform, a bureau or a credit agency."""
    rules = reference_charter("310000").catalogue.write_rules
    assert {each.record_class for each in rules} == set(FAMILIES)
    for record_class in FAMILIES:
        for sort in ("platform", "bureau", "service"):
            assert not may_write(rules, "310000", record_class, f"310000-{sort}", TODAY)


def test_two_rules_of_one_class_on_one_day_are_refused() -> None:
    """Which of them holds nobody could say."""
    with pytest.raises(CatalogueMalformed, match="write_rules"):
        check_references(ruled(rule("penalty", "tax"), rule("penalty", "market")).catalogue)


RULES = st.lists(
    st.builds(
        WriteRule,
        member=st.sampled_from(["310000", "320000"]),
        record_class=st.sampled_from(["penalty", "permit"]),
        agencies=st.lists(st.sampled_from(["*", "market", *AGENCIES]), max_size=3).map(tuple),
        without=st.lists(st.sampled_from(["platform", *AGENCIES]), max_size=2).map(tuple),
        valid_from=st.sampled_from([SINCE, date(2026, 12, 1)]),
        valid_until=st.sampled_from([None, date(2026, 11, 20), date(2027, 1, 1)]),
    ),
    max_size=5,
)


@given(RULES, st.sampled_from(AGENCIES))
def test_closed_unless_a_rule_in_force_opens_it(rules: list[WriteRule], agency: str) -> None:
    """A member without rules binds nobody; else an agency writes exactly what a rule of its member names that day."""
    ours = [each for each in rules if each.member == "310000"]
    opening = [
        each
        for each in ours
        if each.record_class == "penalty" and each.valid_from <= TODAY and (each.valid_until or TODAY.max) > TODAY
    ]
    sort = agency.removeprefix("310000-").removeprefix("310118-")
    opened = any(
        {"*", agency, sort} & set(each.agencies) and not {agency, sort} & set(each.without) for each in opening
    )
    assert may_write(rules, "310000", "penalty", agency, TODAY) is (not ours or opened)
