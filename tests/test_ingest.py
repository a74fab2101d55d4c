"""Files become facts: what is kept, how records change, whose they are, and what makes a domain incomplete."""

import csv
import shutil
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hands import directory_of, timed

from gateway.charter import Charter, charter
from gateway.clocks import civil_day
from gateway.coverage import coverage
from gateway.model.codes import CoverageState
from gateway.ports import Feed
from gateway.uscc import sample_code
from nodes.cli import main
from nodes.cli.session import USAGE, Session
from nodes.federation import REFERENCE, document, feeds, sections
from nodes.ingest import Fault, FileRefused, Reason, Report, Terms, ingest
from nodes.ingest.loads import FAMILIES
from nodes.ingest.names import name_digest
from nodes.store import tables
from nodes.store.facts import FactSource
from nodes.store.loading import Loading, Mode
from nodes.store.schema import prepare_facts

NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)
SECRET = b"s" * 32
FIRM = sample_code("91", "310118", 1)
OTHER = sample_code("91", "310118", 2)
TRADER = sample_code("92", "310118", 3)
CODES = {row["agency"]: row["code"] for row in sections(REFERENCE)["agency_codes"] if "valid_until" not in row}
Rows = Iterable[Mapping[str, str]]

GOOD: Mapping[str, Mapping[str, str]] = {
    "register": {
        "uscc": FIRM,
        "name": "样例（上海）有限公司",
        "kind": "ENTERPRISE",
        "lifecycle": "ACTIVE",
        "division": "310118",
        "valid_from": "2018-06-01",
    },
    "penalty": {
        "CF_XDR_LB": "法人及非法人组织",
        "CF_XDR_SHXYM": FIRM,
        "CF_WSH": "样例〔2026〕1号",
        "CF_WFXW": "虚假宣传",
        "CF_JDRQ": "2026/6/1",
        "CF_CFJGDM": CODES["310118-market"],
    },
    "permit": {
        "XK_XDR_LB": "法人及非法人组织",
        "XK_XDR_SHXYM": FIRM,
        "XK_WSH": "样例〔2025〕9号",
        "XK_XKLB": "普通",
        "XK_JDRQ": "2025-01-02",
        "XK_YXQZI": "2099-12-31",
        "XK_XKJGDM": "310000-market",
    },
    "listing": {
        "record_key": "L1",
        "uscc": FIRM,
        "list_type": "MARKET_SEVERE",
        "listed_on": "2026-02-03",
        "agency": "310000-market",
        "basis_class": "MARKET_REG_LISTED",
    },
    "rating": {
        "record_key": "R1",
        "uscc": FIRM,
        "scheme_id": "310000-COMPREHENSIVE",
        "scheme_version": "2025",
        "grade": "B",
        "rated_on": "2026-03-01",
        "valid_until": "2027-03-01",
    },
    "measure": {
        "record_key": "M1",
        "uscc": FIRM,
        "measure_code": "MP01",
        "domain": "MARKET_REG",
        "territory": "NATIONAL",
        "list_edition": "2026",
        "legal_basis": "样例法规第一条",
        "agency": "310000-market",
        "term_from": "2026-02-03",
    },
    **{
        name: {
            "record_key": "A1",
            "uscc": FIRM,
            "kind": "SEIZURE",
            "agency": "310118-market",
            "decided_on": "2026-06-01",
            "result": "PASSED",
            "rectify_until": "2026-07-01",
        }
        for name in ("coercion", "confirmation", "adjudication", "inspection", "reward")
    },
    "judicial": {
        "record_key": "J1",
        "uscc": FIRM,
        "kind": "ENFORCEMENT",
        "agency": "310000-court",
        "decided_on": "2026-06-01",
    },
    "abnormal": {
        "record_key": "N1",
        "uscc": FIRM,
        "reason_class": "NO_ANNUAL_REPORT",
        "listed_on": "2026-07-01",
        "agency": "310118-market",
    },
    "contract": {
        "record_key": "T1",
        "uscc": FIRM,
        "kind": "SUPPLY",
        "status": "部分履行",
        "agency": "310000-finance",
        "signed_on": "2026-01-05",
        "due_on": "2026-12-31",
    },
    "commitment": {
        "record_key": "P1",
        "uscc": FIRM,
        "commitment_type": "审批替代",
        "matter_code": "SH-0131.2",
        "status": "OPEN",
        "agency": "310118-market",
        "made_on": "2026-05-01",
        "escalated": "是",
    },
    "honour": {
        "record_key": "H1",
        "uscc": FIRM,
        "kind": "QUALITY_AWARD",
        "agency": "310000-market",
        "awarded_on": "2026-03-01",
    },
    "intellectual_property": {
        "record_key": "I1",
        "uscc": FIRM,
        "kind": "PATENT",
        "agency": "310000-market",
        "registered_on": "2025-03-01",
        "valid_until": "2045-03-01",
    },
    "self_declared": {"record_key": "S1", "uscc": FIRM, "kind": "ENERGY_REPORT", "declared_on": "2026-04-01"},
    "repair": {
        "record_key": "X1",
        "uscc": FIRM,
        "target_class": "penalty",
        "target_agency": CODES["310118-market"],
        "target_number": "样例〔2026〕1号",
        "outcome": "准予",
        "severity": "一般",
        "agency": "310000-credit",
        "applied_on": "2026-09-01",
        "accepted_on": "2026-09-02",
        "decided_on": "2026-09-10",
        "effective_on": "2026-09-11",
    },
    "objection": {
        "record_key": "O1",
        "uscc": FIRM,
        "target_class": "listing",
        "target_agency": "310000-market",
        "target_number": "L1",
        "status": "已标注",
        "agency": "310000-credit",
        "opened_on": "2026-10-01",
    },
}
DOMAIN = {
    "register": "REGISTER",
    "rating": "RATING",
    "judicial": "COURT",
    "contract": "GOV_PROCUREMENT",
    "intellectual_property": "IP",
    "self_declared": "SELF_DECLARED",
    "repair": "REPAIR",
    "objection": "OBJECTION",
}
"""Where the feed of a class is, when not in the domain that a test names."""


def charter_of(member: str, folder: Path = REFERENCE, version: int = 1) -> Charter:
    """What governs a member under a folder's federation."""
    found = timed(document(folder, {}), version=version, issued=NOW, expire=NOW + timedelta(days=30))
    return charter(member, directory_of(found), {})


@cache
def reference_charter(member: str) -> Charter:
    """The same under the reference federation, worked out once: hundreds of tests begin with it."""
    return charter_of(member)


@cache
def reference_feeds(member: str) -> tuple[Feed, ...]:
    """The feeds of a member of the reference federation."""
    return feeds(REFERENCE, member)


def write(path: Path, rows: Rows, columns: Iterable[str]) -> Path:
    """Write rows as a source would."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(columns), restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


class Yard:
    """A member's store with its feeds declared, and a way to load rows into it."""

    def __init__(self, folder: Path, member: str = "310000", federation: Path = REFERENCE) -> None:
        """Make the store."""
        self.folder, self.member = folder / member, member
        self.folder.mkdir()
        self.database = self.folder / "facts.sqlite"
        self.charter = reference_charter(member) if federation == REFERENCE else charter_of(member, federation)
        prepare_facts(self.database)
        with Loading(self.database) as loading:
            loading.declare_feeds(reference_feeds(member) if federation == REFERENCE else feeds(federation, member))

    def feed(self, record_class: str, domain: str = "MARKET_REG") -> Feed:
        """The declared feed as the store knows it, with the gaps of its last load."""
        name = f"{self.member}-{DOMAIN.get(record_class, domain)}-{record_class}"
        source = FactSource(self.database)
        try:
            return next(each for each in source.feeds() if each.id == name)
        finally:
            source.close()

    def load(self, record_class: str, rows: Rows, *, domain: str = "MARKET_REG", **more: object) -> Report:
        """Load rows, each a change of the good one."""
        changed = [{**GOOD[record_class], **row} for row in rows]
        columns = dict.fromkeys(name for row in [GOOD[record_class], *changed] for name in row)
        return self.load_file(write(self.folder / "file.csv", changed, columns), record_class, domain=domain, **more)

    def load_file(self, path: Path, record_class: str, *, domain: str = "MARKET_REG", **more: object) -> Report:
        """Load a file."""
        told: dict[str, Any] = {
            name: more.pop(name) for name in ("mode", "data_through", "leave", "progress") if name in more
        }
        settings: dict[str, Any] = {"secret": SECRET, "now": NOW, "terms": Terms(**told), **more}
        with Loading(self.database) as loading:
            report = ingest(path, self.feed(record_class, domain), loading, self.charter, **settings)
            self.disk = {each.name: each.read_bytes() for each in self.folder.glob("facts*")}  # the WAL still there
        return report

    def facts(self, table: str, uscc: str = FIRM) -> list[Mapping[str, Any]]:
        """The current facts of a subject, all columns."""
        source = FactSource(self.database)
        try:
            found = source.read([uscc], {table: (*tables.columns_of(table), "version", "record_id")})
        finally:
            source.close()
        return list(found.rows.get(uscc, {}).get(table, ()))


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    """Shanghai's store."""
    return Yard(tmp_path)


EXPECTED: Mapping[str, Mapping[str, Any]] = {
    "register": {
        "kind": "ENTERPRISE",
        "lifecycle": "ACTIVE",
        "division": "310118",
        "valid_from": "2018-06-01",
        "name_digest": name_digest(SECRET, FIRM, "样例(上海) 有限公司"),
    },
    "penalty": {
        "domain": "MARKET_REG",
        "behaviour": "MARKET_REG-G-001",
        "severity": "GENERAL",
        "agency": "310118-market",
        "origin": "OFFICIAL",
        "decided_on": "2026-06-01",
        "exempt": 0,
        "disputed": 0,
    },
    "permit": {
        "domain": "MARKET_REG",
        "permit_type": "ORDINARY",
        "agency": "310000-market",
        "valid_from": "2025-01-02",
        "valid_until": None,
    },
    "listing": {
        "domain": "MARKET_REG",
        "list_type": "MARKET_SEVERE",
        "listed_on": "2026-02-03",
        "basis_class": "MARKET_REG_LISTED",
        "origin": "OFFICIAL",
    },
    "rating": {"scheme_kind": "COMPREHENSIVE", "grade": "B", "rated_on": "2026-03-01", "valid_until": "2027-03-01"},
    "measure": {"measure_code": "MP01", "territory": "NATIONAL", "legal_basis": "样例法规第一条", "term_until": None},
}


@pytest.mark.parametrize("record_class", EXPECTED)
def test_a_good_row_of_each_family_is_kept(yard: Yard, record_class: str) -> None:
    """Each family keeps its columns, classified where the source has no class."""
    report = yard.load(record_class, [{}])
    (fact,) = yard.facts(FAMILIES[record_class].table)
    assert (report.rows, report.accepted, report.gaps, report.problems) == (1, 1, 0, ())
    assert {name: fact[name] for name in EXPECTED[record_class]} == EXPECTED[record_class]
    assert yard.feed(record_class).data_through == date(2026, 11, 20)


@pytest.mark.parametrize("record_class", FAMILIES)
def test_the_same_file_again_changes_nothing(yard: Yard, record_class: str) -> None:
    """A reload appends no version, whatever fresh salts it draws."""
    first = yard.load(record_class, [{}])
    before = yard.facts(FAMILIES[record_class].table)
    again = yard.load(record_class, [{}])
    assert (again.accepted, again.corrected, again.unchanged) == (0, 0, 1)
    assert yard.facts(FAMILIES[record_class].table) == before
    assert again.version == first.version + 1


def test_the_same_key_with_other_content_is_a_correction(yard: Yard) -> None:
    """The record keeps its identity and gets a further version (U15)."""
    yard.load("penalty", [{}])
    (before,) = yard.facts("penalty")
    report = yard.load("penalty", [{"repaired_on": "2026-09-01"}])
    (after,) = yard.facts("penalty")
    assert (report.corrected, after["version"], after["repaired_on"]) == (1, 2, "2026-09-01")
    assert after["record_id"] == before["record_id"]
    assert after["digest"] != before["digest"]


def test_one_document_may_name_two_subjects(yard: Yard) -> None:
    """The second subject of a decision does not push out the first."""
    yard.load("penalty", [{}, {"CF_XDR_SHXYM": OTHER}])
    assert len(yard.facts("penalty")) == len(yard.facts("penalty", OTHER)) == 1


def test_a_record_key_of_the_source_outlives_a_wrong_code(yard: Yard) -> None:
    """With a key of its own a record moves to the right subject."""
    yard.load("penalty", [{"record_key": "K1"}])
    yard.load("penalty", [{"record_key": "K1", "CF_XDR_SHXYM": OTHER}])
    assert (yard.facts("penalty"), len(yard.facts("penalty", OTHER))) == ([], 1)


def test_a_delete_row_withdraws(yard: Yard) -> None:
    """In a delta a row marked deleted ends its record, also when the record came in the same file."""
    yard.load("penalty", [{}])
    report = yard.load("penalty", [{"CF_WSH": "2号"}, {"CF_WSH": "2号", "deleted": "1"}, {"deleted": "1"}])
    assert report.withdrawn == 2
    assert yard.facts("penalty") == []


def listings(count: int) -> list[Mapping[str, str]]:
    """Rows of so many entries in a list."""
    return [{"record_key": f"L{number}", "uscc": sample_code("91", "310118", number)} for number in range(count)]


def test_a_snapshot_withdraws_what_it_does_not_name(yard: Yard) -> None:
    """Absence from a snapshot is a withdrawal, within two per cent."""
    yard.load("listing", listings(100))
    report = yard.load("listing", listings(98), mode=Mode.SNAPSHOT)
    assert (report.withdrawn, report.unchanged) == (2, 98)
    assert yard.facts("listing", sample_code("91", "310118", 99)) == []


@pytest.mark.parametrize("left", [0, 50, 97])
def test_a_snapshot_that_withdraws_too_much_is_refused(yard: Yard, left: int) -> None:
    """A truncated or empty file does not make everybody look clean; with leave it passes."""
    yard.load("listing", listings(100))
    with pytest.raises(FileRefused) as caught:
        yard.load("listing", listings(left), mode=Mode.SNAPSHOT)
    assert caught.value.fault is Fault.WITHDRAWS_TOO_MUCH
    assert caught.value.arguments == {"absent": 100 - left, "known": 100, "percent": 2}
    assert len(yard.facts("listing", sample_code("91", "310118", 99))) == 1
    report = yard.load("listing", listings(left), mode=Mode.SNAPSHOT, leave=lambda *_: None)
    assert report.withdrawn == 100 - left


def market(yard: Yard, record_class: str) -> CoverageState:
    """How far a class answers for market regulation."""
    needs = {"MARKET_REG": frozenset({record_class})}
    return coverage([yard.feed(record_class)], needs, today=civil_day(NOW), window_from=None)["MARKET_REG"].state


def test_a_mistyped_code_in_a_snapshot_withdraws_nothing(yard: Yard) -> None:
    """Its key names the record, which stands as it was; the domain is not complete until the row is right."""
    yard.load("listing", listings(101))
    report = yard.load("listing", [*listings(100), {"record_key": "L100", "uscc": "MISTYPED"}], mode=Mode.SNAPSHOT)
    assert (report.withdrawn, report.gaps, market(yard, "listing")) == (0, 1, CoverageState.PARTIAL)
    assert len(yard.facts("listing", sample_code("91", "310118", 100))) == 1
    assert yard.load("listing", listings(101), mode=Mode.SNAPSHOT).gaps == 0
    assert market(yard, "listing") is CoverageState.COMPLETE


def test_a_mistyped_code_that_is_part_of_the_key_leaves_a_gap_for_what_is_absent(yard: Yard) -> None:
    """Nobody can say which record the row meant, but one is missing: at most as many gaps as records are absent."""
    rows = [{"CF_WSH": f"{number}号"} for number in range(101)]
    yard.load("penalty", rows)
    mistyped = [{"CF_WSH": f"{number}号", "CF_XDR_SHXYM": "MISTYPED"} for number in (99, 100, 101)]
    report = yard.load("penalty", [*rows[:99], *mistyped], mode=Mode.SNAPSHOT)
    assert (report.withdrawn, report.gaps, market(yard, "penalty")) == (2, 2, CoverageState.PARTIAL)
    assert yard.load("penalty", [*rows[:99], mistyped[2]], mode=Mode.SNAPSHOT).gaps == 0


def test_a_mistyped_code_of_an_unknown_key_is_nobodys(yard: Yard) -> None:
    """No subject's answer could rest on it; of a known key it is a correction that nobody can read."""
    yard.load("listing", [{}])
    assert yard.load("listing", [{"record_key": "L2", "uscc": "MISTYPED"}]).gaps == 0
    assert yard.load("listing", [{"uscc": "MISTYPED"}]).gaps == 1
    held = yard.load("listing", [{"agency": "310118-unheard"}, {"uscc": "MISTYPED"}])
    assert (held.gaps, dict(held.held)) == (1, {Reason.UNKNOWN_AGENCY: 1})
    assert yard.load("listing", [{}]).gaps == 0


@pytest.mark.parametrize(
    "change",
    [{"agency": "320000-market"}, {"subject_kind": "自然人"}, {"subject_kind": "自然人", "uscc": ""}],
)
@pytest.mark.parametrize("mode", Mode)
def test_a_record_that_turns_out_to_be_anothers_is_withdrawn(yard: Yard, change: Mapping[str, str], mode: Mode) -> None:
    """What this member said of it before is said no more (U4, U11), whatever code it bore; of no other record."""
    yard.load("listing", listings(101))
    rows = listings(101) if mode is Mode.SNAPSHOT else []
    report = yard.load("listing", [*rows, {"record_key": "L3", "uscc": OTHER, **change}], mode=mode)
    assert (report.withdrawn, report.not_ours + report.out_of_scope, report.gaps) == (1, 1, 0)
    assert yard.facts("listing", sample_code("91", "310118", 3)) == []
    assert yard.load("listing", listings(101)).accepted == 1


def test_a_decision_that_went_to_another_member_is_answered_by_one(tmp_path: Path) -> None:
    """The member that knew it first withdraws it when the source names the other's agency (U4)."""
    row = {"record_key": "K1", "CF_CFJGDM": CODES["320509-market"]}
    shanghai, jiangsu = Yard(tmp_path), Yard(tmp_path, "320000")
    shanghai.load("penalty", [{"record_key": "K1"}])
    assert (shanghai.load("penalty", [row]).withdrawn, jiangsu.load("penalty", [row]).accepted) == (1, 1)
    assert (shanghai.facts("penalty"), len(jiangsu.facts("penalty"))) == ([], 1)


def test_of_rows_with_one_key_the_last_decides_whose_it_is(yard: Yard) -> None:
    """Within a file a record that is another's and then ours is ours, or held, and the other way round it is gone."""
    theirs, bad = {"agency": "320000-market"}, {"listed_on": ""}
    assert (yard.load("listing", [theirs, {}]).accepted, len(yard.facts("listing"))) == (1, 1)
    assert (yard.load("listing", [{}, theirs]).withdrawn, yard.facts("listing")) == (1, [])
    assert yard.load("listing", [theirs, bad]).gaps == 1
    assert yard.load("listing", [bad, theirs]).gaps == 0


def test_many_rows_of_other_members_are_more_than_a_batch(yard: Yard) -> None:
    """Each withdraws its record."""
    yard.load("listing", listings(900))
    theirs = [{**row, "agency": "320000-market"} for row in listings(900)]
    assert yard.load("listing", theirs).withdrawn == 900


@pytest.mark.parametrize("code", [OTHER, "MISTYPED", ""])
def test_a_deletion_names_its_record_by_the_key(yard: Yard, code: str) -> None:
    """Whatever code stands in the row, the record is withdrawn; one that hits nothing is noticed."""
    yard.load("listing", [{}])
    report = yard.load("listing", [{"uscc": code, "deleted": "1"}])
    assert (report.withdrawn, report.gaps, report.problems, yard.facts("listing")) == (1, 0, (), [])
    again = yard.load("listing", [{"uscc": code, "deleted": "1"}])
    assert (again.withdrawn, dict(again.notices)) == (0, {Reason.NOTHING_TO_WITHDRAW: 1})
    assert [(each.row, each.outcome.value) for each in again.problems] == [(2, "NOTICED")]


def test_a_row_and_its_deletion_in_one_snapshot_withdraw_it(yard: Yard) -> None:
    """The last row of a key decides."""
    yard.load("listing", listings(101))
    report = yard.load("listing", [*listings(101), {"record_key": "L7", "deleted": "1"}], mode=Mode.SNAPSHOT)
    assert (report.withdrawn, report.gaps, dict(report.notices)) == (1, 0, {})
    assert yard.facts("listing", sample_code("91", "310118", 7)) == []


def test_a_delete_row_of_a_snapshot_is_no_back_door(yard: Yard) -> None:
    """What a snapshot marks deleted counts as absent, under the same guard."""
    yard.load("listing", listings(10))
    with pytest.raises(FileRefused):
        yard.load("listing", [{**row, "deleted": "1"} for row in listings(10)], mode=Mode.SNAPSHOT)


def test_one_decision_at_two_members_counts_once(tmp_path: Path) -> None:
    """A copy that came back from elsewhere is counted and not loaded (U4)."""
    row = {"CF_CFJGDM": CODES["320509-market"]}
    shanghai, jiangsu = Yard(tmp_path), Yard(tmp_path, "320000")
    assert (shanghai.load("penalty", [row]).not_ours, jiangsu.load("penalty", [row]).accepted) == (1, 1)
    assert (shanghai.facts("penalty"), len(jiangsu.facts("penalty"))) == ([], 1)


def test_a_sub_members_decision_is_not_its_parents(tmp_path: Path) -> None:
    """An agency belongs to exactly one member, and so do the subjects of a division."""
    folder = tmp_path / "federation"
    shutil.copytree(REFERENCE, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    text = (folder / "members.toml").read_text(encoding="utf-8")
    (folder / "members.toml").write_text(text.replace('310118 = ["credit", "market", "finance"]\n', "", 1), "utf-8")
    (folder / "qingpu.toml").write_text(
        '[[members]]\nid = "310118"\nparent = "310000"\nname = { zh = "青浦区", en = "Qingpu" }\n'
        'divisions = ["310118"]\n[members.agencies]\n310118 = ["credit", "market"]\n',
        "utf-8",
    )
    parent, child = Yard(tmp_path, federation=folder), Yard(tmp_path, "310118", folder)
    for record_class in ("penalty", "register"):
        assert parent.load(record_class, [{}]).not_ours == 1
        assert child.load(record_class, [{}]).accepted == 1


@pytest.mark.parametrize(
    ("record_class", "change", "column", "reason"),
    [
        ("penalty", {"CF_WFXW": "没有这种行为"}, "CF_WFXW", Reason.UNKNOWN_BEHAVIOUR),
        ("penalty", {"CF_WFXW": "重大税收违法"}, "CF_WFXW", Reason.UNKNOWN_BEHAVIOUR),  # of another domain
        ("penalty", {"CF_JDRQ": ""}, "CF_JDRQ", Reason.NO_DATE),
        ("penalty", {"CF_JDRQ": "2026-02-30"}, "CF_JDRQ", Reason.BAD_DATE),
        ("penalty", {"CF_JDRQ": "2026-11-21"}, "CF_JDRQ", Reason.FUTURE_DATE),
        ("penalty", {"repaired_on": "soon"}, "repaired_on", Reason.BAD_DATE),
        ("penalty", {"disputed": "maybe"}, "disputed", Reason.BAD_VALUE),
        ("permit", {"XK_JDRQ": ""}, "XK_JDRQ", Reason.NO_DATE),
        ("permit", {"XK_XKLB": "许可"}, "XK_XKLB", Reason.UNKNOWN_PERMIT_TYPE),
        ("listing", {"listed_on": ""}, "listed_on", Reason.NO_DATE),
        ("listing", {"basis_class": "free text"}, "basis_class", Reason.BAD_VALUE),
        ("rating", {"grade": "AAA"}, "grade", Reason.UNKNOWN_GRADE),
        ("measure", {"territory": "everywhere"}, "territory", Reason.BAD_VALUE),
        ("measure", {"term_from": ""}, "term_from", Reason.NO_DATE),
    ],
)
def test_a_row_that_makes_no_sense_is_kept_silent_and_leaves_a_gap(
    yard: Yard, record_class: str, change: Mapping[str, str], column: str, reason: Reason
) -> None:
    """It is held, says nothing, is listed by row and column, and the feed is no longer without gaps (U16, U17)."""
    report = yard.load(record_class, [change])
    (fact,) = yard.facts(record_class)
    silence = FAMILIES[record_class].silence
    assert silence is not None
    assert all(fact[name] is None for name in silence)
    assert [(each.row, each.column, each.reason) for each in report.problems] == [(2, column, reason)]
    assert (report.accepted, dict(report.held), report.gaps, yard.feed(record_class).gaps) == (0, {reason: 1}, 1, 1)


@pytest.mark.parametrize(
    ("record_class", "change", "reason"),
    [
        ("penalty", {"CF_CFJGDM": "310118-unheard"}, Reason.UNKNOWN_AGENCY),
        ("penalty", {"CF_CFJGDM": ""}, Reason.NO_AGENCY),
        ("penalty", {"deleted": "perhaps"}, Reason.BAD_VALUE),
        ("listing", {"list_type": "NONE"}, Reason.UNKNOWN_LIST_TYPE),
        ("listing", {"list_type": "TAX_SEVERE"}, Reason.OTHER_DOMAIN),
        ("rating", {"scheme_version": "1999"}, Reason.UNKNOWN_SCHEME),
        ("measure", {"domain": "TAX"}, Reason.OTHER_DOMAIN),
        ("measure", {"measure_code": "MP99"}, Reason.UNKNOWN_MEASURE),
        ("register", {"lifecycle": "ASLEEP"}, Reason.BAD_VALUE),
        ("register", {"lifecycle": ""}, Reason.BAD_VALUE),
        ("register", {"division": "990000"}, Reason.UNKNOWN_DIVISION),
        ("register", {"successor": "nobody"}, Reason.BAD_VALUE),
    ],
)
def test_a_row_that_cannot_be_kept_leaves_a_gap_too(
    yard: Yard, record_class: str, change: Mapping[str, str], reason: Reason
) -> None:
    """What nobody answers for is missing: the domain may not be called complete."""
    report = yard.load(record_class, [change])
    assert yard.facts(record_class) == []
    assert [each.reason for each in report.problems] == [reason]
    assert yard.feed(record_class).gaps == 1


@pytest.mark.parametrize(
    ("record_class", "change", "column", "reason"),
    [
        ("penalty", {"repaired_on": "2026-05-31"}, "repaired_on", Reason.DATE_ORDER),
        ("penalty", {"annulled_on": "2026-05-31"}, "annulled_on", Reason.DATE_ORDER),
        ("penalty", {"final_on": "2026-05-31"}, "final_on", Reason.DATE_ORDER),
        ("listing", {"exit_on": "2026-02-02"}, "exit_on", Reason.DATE_ORDER),
        ("permit", {"XK_YXQZI": "2025-01-01"}, "XK_YXQZI", Reason.DATE_ORDER),
        ("permit", {"XK_YXQZ": "2025-02-01", "XK_YXQZI": "2025-01-31"}, "XK_YXQZI", Reason.DATE_ORDER),
        ("rating", {"valid_until": "2026-03-01"}, "valid_until", Reason.DATE_ORDER),
        ("measure", {"term_until": "2026-02-03"}, "term_until", Reason.DATE_ORDER),
        ("measure", {"lifted_on": "2026-02-02"}, "lifted_on", Reason.DATE_ORDER),
        ("register", {"valid_until": "2018-06-01"}, "valid_until", Reason.DATE_ORDER),
    ],
)
def test_days_in_an_impossible_order_leave_a_gap_and_the_good_version(
    yard: Yard, record_class: str, change: Mapping[str, str], column: str, reason: Reason
) -> None:
    """Nobody knows which of the two days is wrong: what was known stands, and the domain may not be called complete."""
    yard.load(record_class, [{}])
    before = yard.facts(record_class)
    report = yard.load(record_class, [change])
    assert [(each.row, each.column, each.reason) for each in report.problems] == [(2, column, reason)]
    assert (report.accepted, report.corrected, report.withdrawn) == (0, 0, 0)
    assert (yard.facts(record_class), yard.feed(record_class).gaps) == (before, 1)


@pytest.mark.parametrize(
    ("record_class", "change"),
    [
        ("penalty", {"repaired_on": "2026-06-01", "annulled_on": "2026-06-01", "final_on": "2026-06-01"}),
        ("listing", {"exit_on": "2026-02-03"}),
        ("permit", {"XK_YXQZI": "2025-01-02"}),
        ("rating", {"valid_until": "2026-03-02"}),
        ("measure", {"term_until": "2026-02-04", "lifted_on": "2026-02-03"}),
        ("register", {"valid_until": "2018-06-02"}),
        ("register", {"valid_from": "2026-11-20"}),
    ],
)
def test_days_in_the_closest_possible_order_are_kept(yard: Yard, record_class: str, change: Mapping[str, str]) -> None:
    """What ends on the day it began, or began today, is no gap where that may be."""
    report = yard.load(record_class, [change])
    assert (report.accepted, report.gaps, report.problems) == (1, 0, ())


def test_another_members_row_in_an_impossible_order_is_theirs(yard: Yard) -> None:
    """Whose row it is comes first: the other member's gap is not ours."""
    row = {"XK_XKJGDM": "320000-market", "XK_YXQZI": "2024-01-01"}
    report = yard.load("permit", [row])
    assert (report.not_ours, report.gaps) == (1, 0)


def test_a_rejected_adverse_row_makes_its_domain_partial(yard: Yard) -> None:
    """A penalty that was not loaded is not "nothing found": its domain is complete again after a clean snapshot."""

    def state() -> CoverageState:
        needs = {"MARKET_REG": frozenset({"penalty"})}
        return coverage([yard.feed("penalty")], needs, today=civil_day(NOW), window_from=None)["MARKET_REG"].state

    yard.load("penalty", [{"CF_XDR_SHXYM": OTHER}])
    assert state() is CoverageState.COMPLETE
    report = yard.load("penalty", [{"CF_WFXW": "虚假\u200b宣传"}])
    assert (dict(report.rejected), report.gaps) == ({Reason.CONTROL_CHARACTER: 1}, 1)
    assert (yard.facts("penalty"), state()) == ([], CoverageState.PARTIAL)
    yard.load("penalty", [{"CF_XDR_SHXYM": OTHER}])
    assert state() is CoverageState.PARTIAL
    yard.load("penalty", [{}, {"CF_XDR_SHXYM": OTHER}], mode=Mode.SNAPSHOT)
    assert (len(yard.facts("penalty")), state()) == (1, CoverageState.COMPLETE)


def test_a_rating_of_another_members_scheme_is_not_ours(yard: Yard) -> None:
    """Each member rates by its own schemes."""
    assert yard.load("rating", [{"scheme_id": "330000-COMPREHENSIVE"}]).not_ours == 1


def test_a_better_row_clears_exactly_its_gap(yard: Yard) -> None:
    """A held record is a gap until its own row comes better, is withdrawn, or a snapshot replaces them all."""
    bad = {"CF_WSH": "2号", "CF_WFXW": "没有这种行为"}
    worse = {"CF_WSH": "3号", "CF_JDRQ": ""}
    assert yard.load("penalty", [{}, bad, worse]).gaps == 2
    assert yard.load("penalty", [bad]).gaps == 2
    assert yard.load("penalty", []).gaps == 2
    assert yard.load("penalty", [{**bad, "CF_WFXW": "虚假宣传"}]).gaps == 1
    assert yard.load("penalty", [{**worse, "deleted": "1"}]).gaps == 0
    assert yard.load("penalty", [bad, worse]).gaps == 2
    everything = [{}, {**bad, "CF_WFXW": "虚假宣传"}]
    assert yard.load("penalty", everything, mode=Mode.SNAPSHOT, leave=lambda *_: None).gaps == 0
    assert len(yard.facts("penalty")) == 2


def test_the_last_row_of_a_key_decides_whether_it_is_held(yard: Yard) -> None:
    """Within one file, good after bad is no gap, and bad after good is one."""
    good, bad = {"CF_WSH": "2号"}, {"CF_WSH": "2号", "CF_WFXW": "没有这种行为"}
    assert yard.load("penalty", [bad, good]).gaps == 0
    assert yard.load("penalty", [good, bad]).gaps == 1
    assert [each["severity"] for each in yard.facts("penalty")] == [None]


def test_a_gap_without_a_key_lasts_until_a_snapshot(yard: Yard) -> None:
    """Nobody can say which later row fills it."""
    assert yard.load("penalty", [{"CF_WSH": ""}]).gaps == 1
    assert yard.load("penalty", [{}]).gaps == 1
    assert yard.load("penalty", [{}], mode=Mode.SNAPSHOT).gaps == 0


def test_a_load_of_no_rows_counts_as_a_load(yard: Yard) -> None:
    """A quiet week is covered; the day it reaches to is the sender's."""
    report = yard.load("penalty", [], data_through=date(2026, 11, 13))
    assert (report.rows, yard.feed("penalty").data_through) == (0, date(2026, 11, 13))


def test_a_file_is_not_complete_beyond_today(yard: Yard) -> None:
    """A feed that reached into the future could not be overdue; today is the day in China."""
    late = datetime(2026, 11, 20, 16, tzinfo=UTC)  # the 21st there
    assert yard.load("penalty", [], now=late, data_through=date(2026, 11, 21)).data_through == date(2026, 11, 21)
    with pytest.raises(FileRefused) as caught:
        yard.load("penalty", [{}], data_through=date(2026, 11, 21))
    assert caught.value.fault is Fault.FUTURE_DATA_THROUGH
    assert yard.facts("penalty") == []


@pytest.mark.parametrize(("days", "refused"), [(0, False), (1, True)])
def test_the_command_refuses_a_day_in_the_future(tmp_path: Path, days: int, refused: bool) -> None:  # noqa: FBT001
    """It says so before it looks at config or files, and ends as for wrong usage."""
    day = civil_day(datetime.now(UTC)) + timedelta(days=days)
    told = ["ingest", str(tmp_path), "--config", str(tmp_path / "none.toml"), "--data-through", day.isoformat()]
    found = CliRunner().invoke(main, told, obj=Session(), env={"YRDX_LANG": "en"})
    assert found.exit_code == USAGE
    assert ("lies in the future" in found.output) is refused


@pytest.mark.parametrize("record_class", ["penalty", "permit"])
@pytest.mark.parametrize("text", ["", "其他", "自然人（个体）", "法人"])
def test_an_unknown_class_of_subject_is_not_taken_for_a_company(yard: Yard, record_class: str, text: str) -> None:
    """It may be a person's: the row is rejected and leaves a gap (U11)."""
    column = "CF_XDR_LB" if record_class == "penalty" else "XK_XDR_LB"
    report = yard.load(record_class, [{column: text}])
    assert [(each.column, each.reason) for each in report.problems] == [(column, Reason.BAD_VALUE)]
    assert (dict(report.rejected), report.gaps, yard.facts(record_class)) == ({Reason.BAD_VALUE: 1}, 1, [])


SPELLINGS = (
    "样例〔2026〕1号",
    "样例[2026]1号",
    "样例［2026］1号",
    "样例（2026）1号",
    "样例(2026) 1 号",
    "样例〔２０２６〕１号",
)


@pytest.mark.parametrize("text", SPELLINGS)
def test_spellings_of_a_number_are_one_record(yard: Yard, text: str) -> None:
    """Brackets, widths and blanks make no second decision, and a repair finds it by any of them."""
    yard.load("penalty", [{}])
    assert yard.load("penalty", [{"CF_WSH": text}]).unchanged == 1
    yard.load("repair", [{"target_number": text}])
    (penalty,), (repair,) = yard.facts("penalty"), yard.facts("repair")
    assert repair["reference"] == penalty["reference"]


def test_sole_traders_are_loaded(yard: Yard) -> None:
    """They are facts like others; what closes them stands at the answer (U12)."""
    yard.load("penalty", [{"CF_XDR_LB": "个体工商户", "CF_XDR_SHXYM": TRADER}])
    assert len(yard.facts("penalty", TRADER)) == 1


@pytest.mark.parametrize("text", ["不予处罚", "免予处罚", "不予行政处罚"])
def test_a_decision_not_to_punish_is_exempt(yard: Yard, text: str) -> None:
    """Its words are enough; no column of ours is needed."""
    yard.load("penalty", [{"CF_CFLB": text}])
    assert yard.facts("penalty")[0]["exempt"] == 1


def test_a_revoked_permit_without_a_day_was_never_valid(yard: Yard) -> None:
    """State 1 of the standard ends the permit from its first day."""
    yard.load("permit", [{"XK_ZT": "1"}])
    assert yard.facts("permit")[0]["revoked_on"] == "2025-01-02"


def test_an_act_is_found_by_code_or_folded_name(yard: Yard) -> None:
    """The classification's code and a full-width spelling both lead to the row."""
    yard.load("penalty", [{"CF_WSH": "2号", "CF_WFXW": "MARKET_REG-G-001"}, {"CF_WFXW": " 虚假宣传 "}])
    assert {each["behaviour"] for each in yard.facts("penalty")} == {"MARKET_REG-G-001"}


def test_a_subject_that_moves_gets_a_further_row(yard: Yard) -> None:
    """The register keeps both divisions with their days."""
    moved = {"division": "310107", "valid_from": "2026-01-01"}
    yard.load("register", [{"valid_until": "2026-01-01"}, moved])
    found = {each["valid_from"]: (each["division"], each["valid_until"]) for each in yard.facts("register")}
    assert found == {"2018-06-01": ("310118", "2026-01-01"), "2026-01-01": ("310107", None)}


def test_progress_is_told(yard: Yard) -> None:
    """The last call gives the number of rows."""
    told: list[tuple[int, float]] = []
    yard.load("listing", listings(30), progress=lambda rows, part: told.append((rows, part)))
    assert told[-1] == (30, 1.0)


def test_more_rows_than_a_batch(yard: Yard) -> None:
    """Batches lose nothing at their borders."""
    assert yard.load("listing", listings(1_001)).accepted == 1_001


def test_an_unknown_record_class_has_no_family(yard: Yard, tmp_path: Path) -> None:
    """A feed of persons' titles (RC17), as of any class that no family reads, is refused before its file is opened."""
    feed = Feed(
        **{name: getattr(yard.feed("penalty"), name) for name in Feed.__slots__ if name != "record_class"},
        record_class="professional_title",
    )
    with Loading(yard.database) as loading, pytest.raises(FileRefused, match="NO_FAMILY"):
        ingest(tmp_path / "none.csv", feed, loading, yard.charter, secret=SECRET, now=NOW)
