"""Every record class by vectors: what a row leaves, what each bad cell does, and that nothing else ever stays."""

import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_ingest import DOMAIN, FIRM, GOOD, NOW, OTHER, SECRET, TRADER, Yard, charter_of

from gateway.errors import CatalogueMalformed
from gateway.uscc import holds_person_number, looks_like_person
from nodes.federation import REFERENCE, feeds
from nodes.ingest import Reason
from nodes.ingest.cells import Cells
from nodes.ingest.family import PERSONAL, scene_of
from nodes.ingest.loads import FAMILIES
from nodes.ingest.references import folded_number, reference
from nodes.ingest.report import Outcome
from nodes.store import tables

PERSON = "11010519491231002X"  # the sample number printed in GB 11643
PENALISED = reference(SECRET, "penalty", "310118-market", "样例〔2026〕1号", FIRM)
LISTED = reference(SECRET, "listing", "310000-market", "L1", FIRM)
NAMED = {"CF_XDR_LB": "自然人", "CF_XDR_SHXYM": "", "CF_XDR_MC": "样例人", "CF_XDR_ZJHM": PERSON}

DECISION = {
    "domain": "MARKET_REG",
    "kind": "SEIZURE",
    "result": "PASSED",
    "agency": "310118-market",
    "origin": "OFFICIAL",
    "decided_on": "2026-06-01",
    "valid_until": "2026-12-01",
    "annulled_on": "2026-06-02",
    "rectify_until": "2026-07-01",
    "disputed": 1,
}
DECIDED = {"domain": "MARKET_REG", "valid_until": "2026-12-01", "annulled_on": "2026-06-02", "disputed": "是"}

VECTORS: tuple[tuple[str, Mapping[str, str], Mapping[str, Any]], ...] = (
    *((name, DECIDED, DECISION) for name in ("coercion", "confirmation", "adjudication", "inspection", "reward")),
    (
        "judicial",
        {"ended_on": "2026-06-01", "disputed": "1"},
        {
            "domain": "COURT",
            "kind": "ENFORCEMENT",
            "agency": "310000-court",
            "decided_on": "2026-06-01",
            "ended_on": "2026-06-01",
            "disputed": 1,
        },
    ),
    (
        "abnormal",
        {"exit_on": "2026-08-01", "exit_reason": "REPAIRED"},
        {
            "list_type": "MARKET_ABNORMAL",
            "domain": "MARKET_REG",
            "exit_reason": "REPAIRED",
            "basis_class": "NO_ANNUAL_REPORT",
            "agency": "310118-market",
            "origin": "OFFICIAL",
            "listed_on": "2026-07-01",
            "exit_on": "2026-08-01",
            "disputed": 0,
            "reference": reference(SECRET, "listing", "310118-market", "N1", FIRM),
        },
    ),
    (
        "contract",
        {"closed_on": "2026-10-01"},
        {
            "domain": "GOV_PROCUREMENT",
            "kind": "SUPPLY",
            "state": "PARTLY",
            "agency": "310000-finance",
            "signed_on": "2026-01-05",
            "due_on": "2026-12-31",
            "closed_on": "2026-10-01",
            "disputed": 0,
        },
    ),
    (
        "commitment",
        {"due_on": "2026-09-01", "status": "未履行"},
        {
            "domain": "MARKET_REG",
            "commitment_type": "APPROVAL_REPLACING",
            "matter_code": "SH-0131.2",
            "state": "BREACHED",
            "agency": "310118-market",
            "made_on": "2026-05-01",
            "due_on": "2026-09-01",
            "escalated": 1,
            "disputed": 0,
        },
    ),
    (
        "honour",
        {"valid_until": "2099-12-31", "withdrawn_on": "2026-04-01"},
        {
            "domain": "MARKET_REG",
            "kind": "QUALITY_AWARD",
            "agency": "310000-market",
            "awarded_on": "2026-03-01",
            "withdrawn_on": "2026-04-01",
        },
    ),
    (
        "intellectual_property",
        {"cancelled_on": "2026-02-01"},
        {
            "domain": "IP",
            "kind": "PATENT",
            "agency": "310000-market",
            "registered_on": "2025-03-01",
            "valid_until": "2045-03-01",
            "cancelled_on": "2026-02-01",
        },
    ),
    (
        "self_declared",
        {"valid_until": "2027/4/1"},
        {"kind": "ENERGY_REPORT", "declared_on": "2026-04-01", "valid_until": "2027-04-01"},
    ),
    (
        "repair",
        {},
        {
            "target_class": "penalty",
            "severity": "GENERAL",
            "outcome": "APPROVED",
            "agency": "310000-credit",
            "applied_on": "2026-09-01",
            "accepted_on": "2026-09-02",
            "decided_on": "2026-09-10",
            "effective_on": "2026-09-11",
            "reference": PENALISED,
        },
    ),
    (
        "objection",
        {"decided_on": "2026-10-20", "status": "UPHELD"},
        {
            "target_class": "listing",
            "state": "UPHELD",
            "agency": "310000-credit",
            "opened_on": "2026-10-01",
            "decided_on": "2026-10-20",
            "reference": LISTED,
        },
    ),
    (
        "penalty",
        {
            "CF_GSJZQ": "2029-06-01",
            "rectify_until": "2026-08-01",
            "escalated": "1",
            "responsible_person": "是",
            "reported_on": "2026-06-03",
            "procedure": "ORDINARY",
        },
        {
            "domain": "MARKET_REG",
            "behaviour": "MARKET_REG-G-001",
            "severity": "GENERAL",
            "agency": "310118-market",
            "procedure": "ORDINARY",
            "origin": "OFFICIAL",
            "decided_on": "2026-06-01",
            "publish_until": "2029-06-01",
            "rectify_until": "2026-08-01",
            "exempt": 0,
            "disputed": 0,
            "escalated": 1,
            "attributed": 0,
            "responsible_person": 1,
            "reference": PENALISED,
        },
    ),
    (
        "listing",
        {},
        {
            "list_type": "MARKET_SEVERE",
            "domain": "MARKET_REG",
            "basis_class": "MARKET_REG_LISTED",
            "agency": "310000-market",
            "origin": "OFFICIAL",
            "listed_on": "2026-02-03",
            "disputed": 0,
            "reference": LISTED,
        },
    ),
    (
        "permit",
        {"reported_on": "2025-01-05"},
        {
            "domain": "MARKET_REG",
            "permit_type": "ORDINARY",
            "agency": "310000-market",
            "valid_from": "2025-01-02",
        },
    ),
)


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    """Shanghai's store."""
    return Yard(tmp_path)


@pytest.mark.parametrize(("record_class", "change", "expected"), VECTORS, ids=[each[0] for each in VECTORS])
def test_a_row_leaves_exactly_these_columns(
    yard: Yard, record_class: str, change: Mapping[str, str], expected: Mapping[str, Any]
) -> None:
    """What the family keeps is all that the table holds of the row; Chinese words became codes."""
    report = yard.load(record_class, [change])
    table = FAMILIES[record_class].table
    (fact,) = yard.facts(table)
    assert (report.accepted, report.gaps, report.problems) == (1, 0, ())
    assert {name: fact[name] for name in tables.columns_of(table) if fact[name] is not None} == expected


FIVE = ("coercion", "confirmation", "adjudication", "inspection", "reward")
KEPT: tuple[tuple[str, str, str, Reason], ...] = (
    *((name, "kind", "", Reason.BAD_VALUE) for name in FIVE),
    *((name, "result", "查封", Reason.BAD_VALUE) for name in FIVE),
    *((name, "decided_on", "", Reason.NO_DATE) for name in FIVE),
    ("coercion", "kind", "H12345678", Reason.PERSON_NUMBER),
    ("coercion", "origin", "RUMOUR", Reason.BAD_VALUE),
    ("inspection", "disputed", "maybe", Reason.BAD_VALUE),
    ("judicial", "kind", "dishonest", Reason.BAD_VALUE),
    ("judicial", "decided_on", "2026-11-21", Reason.FUTURE_DATE),
    ("abnormal", "reason_class", "未按时公示年报", Reason.BAD_VALUE),
    ("abnormal", "exit_reason", "WHATEVER", Reason.BAD_VALUE),
    ("abnormal", "listed_on", "1.7.2026", Reason.BAD_DATE),
    ("contract", "status", "", Reason.BAD_VALUE),
    ("contract", "status", "LATE", Reason.BAD_VALUE),
    ("contract", "signed_on", "", Reason.NO_DATE),
    ("commitment", "commitment_type", "口头", Reason.BAD_VALUE),
    ("commitment", "matter_code", "", Reason.BAD_VALUE),
    ("commitment", "matter_code", PERSON, Reason.PERSON_NUMBER),
    ("commitment", "matter_code", "110105-19491231-002X", Reason.PERSON_NUMBER),
    ("commitment", "escalated", "市", Reason.BAD_VALUE),
    ("honour", "kind", "A" * 41, Reason.BAD_VALUE),
    ("honour", "valid_until", "none", Reason.BAD_DATE),
    ("intellectual_property", "registered_on", "2026-02-30", Reason.BAD_DATE),
    ("self_declared", "declared_on", "", Reason.NO_DATE),
    ("self_declared", "kind", "年度用能情况", Reason.BAD_VALUE),
    ("repair", "outcome", "", Reason.BAD_VALUE),
    ("repair", "severity", "CAPITAL", Reason.BAD_VALUE),
    ("repair", "decided_on", "", Reason.NO_DATE),
    ("repair", "applied_on", "soon", Reason.BAD_DATE),
    ("objection", "status", "MAYBE", Reason.BAD_VALUE),
    ("objection", "opened_on", "", Reason.NO_DATE),
    ("penalty", "CF_GSJZQ", "长期", Reason.BAD_DATE),
    ("penalty", "escalated", "2", Reason.BAD_VALUE),
    ("penalty", "responsible_person", "张三", Reason.BAD_VALUE),
    ("listing", "basis_class", "H12345678", Reason.PERSON_NUMBER),
)
UNPLACED: tuple[tuple[str, str, str, Reason], ...] = (
    *((name, "agency", "310118-unheard", Reason.UNKNOWN_AGENCY) for name in GOOD if "agency" in GOOD[name]),
    *((name, "domain", "TAX", Reason.OTHER_DOMAIN) for name in FIVE),
    *((name, "rectify_until", "2026-05-31", Reason.DATE_ORDER) for name in FIVE),
    *((name, "valid_until", "2026-05-31", Reason.DATE_ORDER) for name in FIVE),
    *((name, "annulled_on", "2026-05-31", Reason.DATE_ORDER) for name in FIVE),
    ("judicial", "ended_on", "2026-05-31", Reason.DATE_ORDER),
    ("abnormal", "exit_on", "2026-06-30", Reason.DATE_ORDER),
    ("contract", "due_on", "2026-01-04", Reason.DATE_ORDER),
    ("contract", "closed_on", "2026-01-04", Reason.DATE_ORDER),
    ("commitment", "due_on", "2026-04-30", Reason.DATE_ORDER),
    ("commitment", "closed_on", "2026-04-30", Reason.DATE_ORDER),
    ("honour", "valid_until", "2026-02-28", Reason.DATE_ORDER),
    ("honour", "withdrawn_on", "2026-02-28", Reason.DATE_ORDER),
    ("intellectual_property", "cancelled_on", "2025-02-28", Reason.DATE_ORDER),
    ("self_declared", "valid_until", "2026-03-31", Reason.DATE_ORDER),
    ("repair", "accepted_on", "2026-08-31", Reason.DATE_ORDER),
    ("repair", "decided_on", "2026-09-01", Reason.DATE_ORDER),
    ("repair", "effective_on", "2026-09-09", Reason.DATE_ORDER),
    ("repair", "target_class", "permit", Reason.BAD_VALUE),
    ("repair", "target_agency", "", Reason.NO_AGENCY),
    ("repair", "target_number", " ", Reason.NO_TARGET),
    ("objection", "target_number", "", Reason.NO_TARGET),
    ("objection", "decided_on", "2026-09-30", Reason.DATE_ORDER),
    ("penalty", "rectify_until", "2026-05-31", Reason.DATE_ORDER),
    ("penalty", "CF_GSJZQ", "2026-05-31", Reason.DATE_ORDER),
)
REJECTED: tuple[tuple[str, str, str, Reason], ...] = (
    *((name, "record_key", "", Reason.NO_KEY) for name in GOOD if "record_key" in GOOD[name]),
    ("coercion", "kind", "SEIZURE\u200b", Reason.CONTROL_CHARACTER),
    ("honour", "uscc", FIRM.lower(), Reason.CODE_LOWER_CASE),
    ("repair", "target_number", "1\x01", Reason.CONTROL_CHARACTER),
)


@pytest.mark.parametrize(("record_class", "column", "cell", "reason"), KEPT)
def test_a_bad_cell_leaves_a_record_that_says_nothing(
    yard: Yard, record_class: str, column: str, cell: str, reason: Reason
) -> None:
    """The record is held without what could be said of it, and the feed has a gap."""
    family = FAMILIES[record_class]
    report = yard.load(record_class, [{column: cell}])
    assert [(each.column, each.reason, each.outcome) for each in report.problems] == [(column, reason, Outcome.HELD)]
    (fact,) = yard.facts(family.table)
    assert family.silence
    assert {fact[name] for name in family.silence} == {None}
    assert yard.feed(record_class).gaps == 1


@pytest.mark.parametrize(("record_class", "column", "cell", "reason"), UNPLACED + REJECTED)
def test_a_row_that_nobody_could_use_is_not_kept(
    yard: Yard, record_class: str, column: str, cell: str, reason: Reason
) -> None:
    """It is listed by row, column and reason; what may hide a record is a gap."""
    report = yard.load(record_class, [{column: cell}])
    place = "" if reason is Reason.NO_KEY else column
    rejected = (record_class, column, cell, reason) in REJECTED
    outcome = Outcome.REJECTED if rejected else Outcome.HELD
    assert [(each.column, each.reason, each.outcome) for each in report.problems] == [(place, reason, outcome)]
    assert yard.facts(FAMILIES[record_class].table) == []
    assert report.gaps == (0 if column == "uscc" else 1)


@pytest.mark.parametrize("record_class", [name for name, row in GOOD.items() if "uscc" in row])
@pytest.mark.parametrize("word", ["NATURAL_PERSON", "自然人"])
def test_persons_are_out_of_scope_in_every_family(yard: Yard, record_class: str, word: str) -> None:
    """The row is counted and leaves neither fact nor problem (U11)."""
    report = yard.load(record_class, [{"subject_kind": word}, {"uscc": PERSON}])
    assert (report.out_of_scope, report.accepted, report.gaps, report.problems) == (2, 0, 0, ())


@pytest.mark.parametrize("record_class", [name for name, row in GOOD.items() if "agency" in row])
def test_another_members_decision_is_not_ours_in_any_family(yard: Yard, record_class: str) -> None:
    """Whoever decided answers for it (U4)."""
    agency = GOOD[record_class]["agency"].replace("310118", "320509").replace("310000", "320000")
    report = yard.load(record_class, [{"agency": agency}])
    assert (report.not_ours, report.accepted, report.gaps) == (1, 0, 0)


@pytest.mark.parametrize("record_class", ["repair", "objection"])
def test_a_target_of_another_member_is_theirs(yard: Yard, record_class: str) -> None:
    """A repair or objection goes where the record is."""
    assert yard.load(record_class, [{"target_agency": "320000-market"}]).not_ours == 1


def test_a_repair_and_an_objection_meet_their_records(yard: Yard) -> None:
    """The references of four feeds agree where they mean the same record, whatever names the agency."""
    yard.load("penalty", [{}])
    yard.load("listing", [{}])
    yard.load("repair", [{}])
    yard.load("objection", [{}])
    (penalty,), (entry,) = yard.facts("penalty"), yard.facts("listing")
    assert yard.facts("repair")[0]["reference"] == penalty["reference"]
    assert yard.facts("objection")[0]["reference"] == entry["reference"]
    assert penalty["reference"] != entry["reference"]


@given(st.tuples(*[st.text(max_size=8)] * 3), st.tuples(*[st.text(max_size=8)] * 3))
def test_a_reference_means_one_record(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    """Agency, number and subject all count, no text runs into its neighbour, and without a number there is none."""
    (agency, number, uscc), found = one, reference(SECRET, "penalty", *one)
    mine, theirs = folded_number(number), folded_number(other[1])
    same = (agency, mine, uscc) == (other[0], theirs, other[2])
    assert (found is None) == (not mine)
    assert (found == reference(SECRET, "penalty", *other)) == (same or not (mine or theirs))
    if mine:
        assert found != reference(SECRET, "listing", agency, number, uscc)
        assert found != reference(SECRET[1:], "penalty", agency, number, uscc)


def test_a_penalty_with_a_key_of_its_own_and_no_number_has_no_reference(yard: Yard) -> None:
    """Nothing could point at it, and nothing does by chance."""
    yard.load("penalty", [{"CF_WSH": "", "record_key": "K1"}])
    assert yard.facts("penalty")[0]["reference"] is None


def test_a_far_end_of_publication_is_none(yard: Yard) -> None:
    """The standard's day for "long-term" bounds nothing."""
    yard.load("penalty", [{"CF_GSJZQ": "2099-12-31"}])
    assert yard.facts("penalty")[0]["publish_until"] is None


@pytest.mark.parametrize("procedure", ["ORDINARY", "HEARING", "SIMPLE", ""])
def test_no_day_of_finality_is_guessed(yard: Yard, procedure: str) -> None:
    """What the source does not say stays unsaid (U17)."""
    yard.load("penalty", [{"procedure": procedure}])
    (fact,) = yard.facts("penalty")
    assert (fact["procedure"], fact["final_on"]) == (procedure or None, None)


def test_conduct_of_a_person_is_kept_for_the_company_that_answers(yard: Yard) -> None:
    """It stands beside the company's own record of the same document, once however many persons acted (A67)."""
    rows = [{}, {**NAMED, "attributed_uscc": FIRM}, {**NAMED, "CF_XDR_MC": "样例二", "attributed_uscc": FIRM}]
    report = yard.load("penalty", rows)
    found = yard.facts("penalty")
    assert (report.accepted, report.out_of_scope, report.problems) == (2, 0, ())
    assert sorted(each["attributed"] for each in found) == [0, 1]
    assert {each["behaviour"] for each in found} == {"MARKET_REG-G-001"}
    yard.load("penalty", [{**NAMED, "attributed_uscc": FIRM, "deleted": "1"}])
    assert [each["attributed"] for each in yard.facts("penalty")] == [0]


@pytest.mark.parametrize(
    ("change", "out_of_scope", "reason"),
    [
        ({}, 1, None),
        ({"attributed_uscc": " "}, 1, None),
        ({"attributed_uscc": PERSON}, 1, None),
        ({"attributed_uscc": FIRM[:-1]}, 0, Reason.CODE_LENGTH),
        ({"attributed_uscc": FIRM.lower()}, 0, Reason.CODE_LOWER_CASE),
    ],
)
def test_a_persons_row_without_a_company_is_nobodys(
    yard: Yard, change: Mapping[str, str], out_of_scope: int, reason: Reason | None
) -> None:
    """No code, no attribution; a mistyped one is listed under its column and is a gap of no subject."""
    report = yard.load("penalty", [{**NAMED, **change}])
    found = [("attributed_uscc", reason)] if reason else []
    assert [(each.column, each.reason) for each in report.problems] == found
    assert (report.out_of_scope, report.accepted, report.gaps) == (out_of_scope, 0, 0)


def test_only_a_persons_row_is_attributed(yard: Yard) -> None:
    """A company's own penalty stays its own, and a permit is never attributed."""
    yard.load("penalty", [{"attributed_uscc": OTHER}])
    assert (yard.facts("penalty")[0]["attributed"], yard.facts("penalty", OTHER)) == (0, [])
    assert yard.load("permit", [{"XK_XDR_LB": "自然人", "XK_XDR_SHXYM": TRADER}]).out_of_scope == 1


def test_an_attributed_row_that_is_rejected_hides_a_record_of_the_company(yard: Yard) -> None:
    """The company's silence would be no "nothing found"."""
    report = yard.load("penalty", [{**NAMED, "attributed_uscc": FIRM, "CF_WFXW": "虚假\u200b宣传"}])
    assert (dict(report.rejected), report.gaps) == ({Reason.CONTROL_CHARACTER: 1}, 1)


def test_attribution_leaves_no_trace_of_the_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two persons leave the same bytes: neither record id, reference nor digest depends on who it was."""
    monkeypatch.setattr("nodes.ingest.rows.os.urandom", bytes)
    kept = set()
    for name, number, place in (("样例甲", PERSON, "CF_XDR_SHXYM"), ("样例乙", "H12345678", "CF_XDR_ZJHM")):
        (tmp_path / name).mkdir()
        yard = Yard(tmp_path / name)
        person = {**NAMED, "CF_XDR_MC": name, "CF_XDR_ZJHM": "", "CF_FRDB": name, "CF_XDR_GSZC": number, place: number}
        yard.load("penalty", [{**person, "attributed_uscc": FIRM}])
        assert not any(text.encode() in each for each in yard.disk.values() for text in (name, number))
        with closing(sqlite3.connect(yard.database)) as connection:
            kept.add(connection.execute("SELECT * FROM penalty").fetchone())
    assert len(kept) == 1


def test_numbers_of_a_companys_persons_enter_no_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A salt on the same disk would let a number of eighteen digits be tried out."""
    monkeypatch.setattr("nodes.ingest.rows.os.urandom", bytes)
    digests = []
    for number, change in enumerate([{}, {"CF_FRDB": "样例甲", "CF_FR_ZJHM": PERSON}, {"CF_NR": "样例"}]):
        (tmp_path / str(number)).mkdir()
        yard = Yard(tmp_path / str(number))
        yard.load("penalty", [change])
        digests.append(yard.facts("penalty")[0]["digest"])
    assert digests[0] == digests[1] != digests[2]
    assert all(any(each in family.columns.known for family in FAMILIES.values()) for each in PERSONAL)


CHARTER = charter_of("310000")
FEEDS = {(each.record_class, each.domain): each for each in feeds(REFERENCE, "310000")}


def dropped(record_class: str) -> list[str]:
    """The columns of a family that no reading may look at."""
    family = FAMILIES[record_class]
    looked = {*GOOD[record_class], *tables.columns_of(family.table), *family.columns.kept}
    looked |= {"subject_kind", "deleted", "record_key"}
    typed = {
        "CF_GSJZQ",
        "CF_CFLB",
        "CF_NR_FK",
        "XK_YXQZ",
        "XK_ZT",
        "XK_XKBH",
        "attributed_uscc",
        "exit_on",
        "exit_reason",
    }
    return sorted(family.columns.known - looked - typed)


@given(st.sampled_from(sorted(FAMILIES)), st.data())
def test_junk_in_dropped_columns_changes_nothing_that_is_kept(record_class: str, data: st.DataObject) -> None:
    """Subject, key and columns are the same whatever stands where nobody reads."""
    family = FAMILIES[record_class]
    feed = FEEDS[record_class, DOMAIN.get(record_class, "MARKET_REG")]
    scene = scene_of(CHARTER, feed, secret=SECRET, now=NOW)
    columns = [*GOOD[record_class], *dropped(record_class)]
    at = {name: place for place, name in enumerate(columns)}
    junk = data.draw(st.lists(st.text(max_size=30), min_size=len(dropped(record_class)), max_size=len(columns)))

    def kept(more: list[str]) -> object:
        cells = Cells(at, [*GOOD[record_class].values(), *more[: len(dropped(record_class))]])
        return family.subject(cells), family.key(cells), family.read(cells, scene), cells.gaps

    assert kept(junk) == kept([""] * len(dropped(record_class)))


@pytest.mark.parametrize("record_class", sorted(FAMILIES))
def test_every_family_names_what_its_table_keeps(record_class: str) -> None:
    """A column that is read under another name or not at all would be lost without a word."""
    family = FAMILIES[record_class]
    feed = FEEDS[record_class, DOMAIN.get(record_class, "MARKET_REG")]
    row = GOOD[record_class]
    cells = Cells({name: place for place, name in enumerate(row)}, list(row.values()))
    kept = set(family.read(cells, scene_of(CHARTER, feed, secret=SECRET, now=NOW)))
    assert kept - set(tables.columns_of(family.table)) == set()
    assert set(tables.columns_of(family.table)) - kept <= (
        {"publish_not_before"} if record_class == "abnormal" else set()
    )


def test_the_closed_class_has_neither_family_nor_feed() -> None:
    """Titles of persons (RC17) come in by no door."""
    assert "professional_title" not in FAMILIES
    assert {name for name, _ in FEEDS} == set(FAMILIES)
    assert "professional_title" not in tables.FACTS


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ('"all"', None),
        ('"listed"', {"MARKET_REG", "TRANSPORT"}),
        ('"abnormal"', {"MARKET_REG"}),
        ('["TAX", "COURT"]', {"TAX", "COURT"}),
        ("[]", set()),
    ],
)
def test_a_rule_of_feeds_names_domains(tmp_path: Path, rule: str, found: set[str] | None) -> None:
    """Everywhere, where lists of the class are, or one by one."""
    declared = feeds(ruled(tmp_path, rule), "310000")
    domains = {each.domain for each in declared if each.record_class == "honour"}
    if found is None:
        found = {each.domain for each in declared if each.record_class == "penalty"}
    assert domains >= found if rule == '"listed"' else domains == found


@pytest.mark.parametrize("rule", ['"somewhere"', '["TAX", "NOWHERE"]'])
def test_a_rule_of_feeds_for_no_domain_is_refused(tmp_path: Path, rule: str) -> None:
    """A mistyped domain would leave a feed undeclared without a word."""
    with pytest.raises(CatalogueMalformed, match=r"somewhere|NOWHERE"):
        feeds(ruled(tmp_path, rule), "310000")


def ruled(folder: Path, rule: str) -> Path:
    """The reference federation with another rule for honours."""
    found = folder / "federation"
    shutil.copytree(REFERENCE, found, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    text = (found / "feeds.toml").read_text("utf-8")
    own = 'honour = { frequency_days = 30, domains = ["MARKET_REG", "TAX"] }'
    assert own in text
    (found / "feeds.toml").write_text(
        text.replace(own, f"honour = {{ frequency_days = 30, domains = {rule} }}"), "utf-8"
    )
    return found


NUMBERS = (
    ("11010519491231002X", True),
    ("110105　19491231　002X", True),
    ("１１０１０５－１９４９１２３１－００２Ｘ", True),
    ("110105.19491231.002X", True),
    ("١١٠١٠٥١٩٤٩١٢٣١٠٠٢X", True),
    ("据110105491231002号", True),  # the fifteen digits of before 1999
    ("护照E12345678", True),
    ("EA1234567", True),
    ("ｅ１２３４５６７８", True),
    ("H1234567890", True),  # Hong Kong and Macao residents
    ("C12345678，见附件", True),
    ("Z683365(5)", True),  # identity cards of Hong Kong and of Macao
    ("５２１５２２３（３）", True),
    ("A123456789", True),  # Taiwan
    ("台胞证号：12345678", True),
    ("通行证 12345678", True),
    ("110105194912310021", False),  # wrong check
    ("310000000012345", False),  # an old registration number: no month 00
    ("《中华人民共和国行政处罚法》第三十三条第一款", False),
    ("沪府规〔2021〕12号，2021年7月15日", False),
    ("《普通护照和出入境通行证签发管理办法》第三条", False),
    ("GB 32100-2015, GB/T 45255-2025", False),
    ("DB31/T 1234-2020 第4.2条", False),
    ("MARKET_REG_LISTED_2026", False),
    (FIRM, False),
    ("", False),
)


@pytest.mark.parametrize(("text", "expected"), NUMBERS)
def test_numbers_of_persons_are_seen_in_texts_that_are_kept(text: str, expected: bool) -> None:  # noqa: FBT001
    """Residents' numbers old and new, passports, permits and identity cards, however typed; laws and codes pass."""
    assert holds_person_number(text) is expected
    assert looks_like_person(text) <= expected


@pytest.mark.parametrize("text", [text for text, expected in NUMBERS if expected])
def test_a_legal_basis_never_holds_a_persons_number(yard: Yard, text: str) -> None:
    """The only text that is kept as it stands is refused with one, and the report repeats nothing of it."""
    report = yard.load("measure", [{"legal_basis": f"样例法规 {text}"}])
    assert [(each.column, each.reason) for each in report.problems] == [("legal_basis", Reason.PERSON_NUMBER)]
    assert text not in repr(report)
    assert not any(text.encode() in each for each in yard.disk.values())
