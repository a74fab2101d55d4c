"""Rows that wait for the signed tables: what is kept of them, how they are released, and what never is (U16, U11)."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from test_ingest import FIRM, GOOD, NOW, SECRET, Yard, charter_of

from gateway.charter import Charter
from gateway.coverage import coverage
from gateway.model.codes import CoverageState
from nodes.federation import REFERENCE
from nodes.ingest import Reason, Report, release
from nodes.ingest.cells import Cells
from nodes.ingest.family import scene_of
from nodes.ingest.held import Sealing
from nodes.ingest.loads import FAMILIES
from nodes.ingest.report import WAITING
from nodes.store.loading import Loading, Mode

MARKER = "标记QZXM"
PERSON = "11010519491231002X"  # the sample number printed in GB 11643
NEW_CODE = "11310118XX0000999X"
NEW_ACT = "样例新行为"
TABLES = f"""
[[agency_codes]]
code = "{NEW_CODE}"
agency = "310118-market"
valid_from = "2000-01-01"

[[agency_codes]]
code = "11320000XX0000999X"
agency = "320000-market"
valid_from = "2000-01-01"

[[behaviours]]
edition = "2026"
code = "MARKET_REG-G-900"
domain = "MARKET_REG"
severity = "GENERAL"
name = {{ zh = "{NEW_ACT}", en = "A new act" }}
"""


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    """Shanghai's store."""
    return Yard(tmp_path)


@pytest.fixture
def newer(tmp_path: Path) -> Charter:
    """Shanghai under tables that know a further code of agencies and a further act."""
    folder = tmp_path / "newer"
    shutil.copytree(REFERENCE, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    (folder / "more.toml").write_text(TABLES, "utf-8")
    return charter_of("310000", folder, version=2)


def released(yard: Yard, charter: Charter, *, again: bool = False) -> list[Report]:
    """Release what waits in a store."""
    feeds = {each.id: each for each in (yard.feed("penalty"),)}
    with Loading(yard.database) as loading:
        return list(release(loading, charter, feeds, secret=SECRET, now=NOW, again=again))


def held(yard: Yard) -> list[tuple[str, bytes | None]]:
    """Read reason and body of each held record."""
    connection = sqlite3.connect(yard.database)
    try:
        return connection.execute("SELECT reason, body FROM held ORDER BY record_id").fetchall()
    finally:
        connection.close()


def state(yard: Yard) -> CoverageState:
    """Compute the domain's coverage from the penalties' feed."""
    needs = {"MARKET_REG": frozenset({"penalty"})}
    return coverage([yard.feed("penalty")], needs, today=date(2026, 11, 20), window_from=None)["MARKET_REG"].state


UNKNOWN: tuple[Mapping[str, str], ...] = ({"CF_CFJGDM": NEW_CODE}, {"CF_WFXW": NEW_ACT})


@pytest.mark.parametrize("change", UNKNOWN, ids=["agency", "act"])
def test_a_row_is_released_without_its_file(yard: Yard, newer: Charter, change: Mapping[str, str]) -> None:
    """Newer tables make the record as the file would have, digest and salt included; the domain is complete again."""
    first = yard.load("penalty", [change], data_through=date(2026, 11, 19))
    digests = {each["digest"] for each in yard.facts("penalty")}
    before = (first.accepted, sum(first.held.values()), state(yard))
    (report,) = released(yard, newer)
    (fact,) = yard.facts("penalty")
    assert before == (0, 1, CoverageState.PARTIAL)
    assert (report.rows, report.gaps, sum(report.held.values()), held(yard)) == (1, 0, 0, [])
    assert (fact["agency"], fact["decided_on"], state(yard)) == ("310118-market", "2026-06-01", CoverageState.COMPLETE)
    assert digests <= {fact["digest"]}
    assert yard.feed("penalty").data_through == date(2026, 11, 19)
    assert yard.load("penalty", [change]).gaps == 1  # the yard's own tables are the old ones


def test_a_released_row_is_what_its_file_makes_of_it(yard: Yard, newer: Charter) -> None:
    """Loaded anew under the new tables, it is unchanged: the body held all that its reader looks at."""
    full = {"CF_CFLB": "罚款", "CF_NR_FK": "2.5", "procedure": "ORDINARY", "CF_GSJZQ": "2029-01-01", "repaired_on": ""}
    yard.load("penalty", [{**full, **change, "CF_WSH": str(n)} for n, change in enumerate(UNKNOWN)])
    released(yard, newer)
    yard.charter = newer
    again = yard.load("penalty", [{**full, **change, "CF_WSH": str(n)} for n, change in enumerate(UNKNOWN)])
    assert (again.unchanged, again.corrected, again.accepted) == (2, 0, 0)


def test_another_members_row_is_let_go(yard: Yard, newer: Charter) -> None:
    """When the tables say whose it is, it is counted as not ours and leaves nothing (U4)."""
    yard.load("penalty", [{"CF_CFJGDM": "11320000XX0000999X"}])
    (report,) = released(yard, newer)
    assert (report.not_ours, report.gaps, held(yard), yard.facts("penalty")) == (1, 0, [], [])


def test_what_is_still_unknown_stays(yard: Yard, newer: Charter) -> None:
    """It waits on with its body, and is not read again before the tables change, but when that is asked for."""
    yard.load("penalty", [{"CF_CFJGDM": "nobody", "CF_WSH": "2"}, {"CF_CFJGDM": NEW_CODE}])
    (report,) = released(yard, newer)
    assert (report.accepted, report.held, report.gaps) == (1, {Reason.UNKNOWN_AGENCY: 1}, 1)
    assert [body is not None for _, body in held(yard)] == [True]
    assert released(yard, newer) == []
    (again,) = released(yard, newer, again=True)
    assert (again.rows, again.gaps) == (1, 1)


def test_only_what_tables_cure_keeps_a_body(yard: Yard) -> None:
    """A bad date waits for a better row: nothing of the row is kept, also when an act is unknown besides."""
    yard.load("penalty", [{"CF_JDRQ": "2026-02-30"}, {"CF_WSH": "2", "CF_WFXW": NEW_ACT, "repaired_on": "soon"}])
    assert held(yard) == [("BAD_DATE", None)] * 2


@pytest.mark.parametrize("record_class", FAMILIES)
def test_a_family_says_exactly_what_its_reader_looks_at(yard: Yard, record_class: str) -> None:
    """The columns that are kept while a row waits are those that are read of a full row, no more and no fewer."""
    family, feed = FAMILIES[record_class], yard.feed(record_class)
    row = dict.fromkeys(family.columns.known, "") | dict(GOOD[record_class])
    seen: set[str] = set()

    class Watched(dict[str, int]):
        def get(self, column: str, default: Any = None) -> Any:  # type: ignore[explicit-override]  # 3.11 has no marker
            seen.add(column)
            return super().get(column, default)

    cells = Cells(Watched({name: place for place, name in enumerate(row)}), list(row.values()))
    kept = family.read(cells, scene_of(yard.charter, feed, secret=SECRET, now=NOW, decided=family.decided))
    assert (bool(kept), cells.gaps) == (True, [])
    assert seen - {family.code} == family.columns.kept - {family.code}


@pytest.mark.parametrize("number", [PERSON, "身份证：G1234567", "１１０１０５１９４９１２３１００２Ｘ"])
@pytest.mark.parametrize("column", ["CF_CFJGDM", "CF_WFXW"])
def test_a_persons_number_is_never_kept(yard: Yard, column: str, number: str) -> None:
    """A row that would wait with one is rejected: it is a gap, without a body."""
    report = yard.load("penalty", [{column: number}])
    assert (dict(report.rejected), dict(report.held)) == ({Reason.PERSON_NUMBER: 1}, {})
    assert ([body for _, body in held(yard)], report.gaps) == ([None], 1)


def test_hidden_characters_keep_a_row_from_waiting(yard: Yard) -> None:
    """What a reader would reject later is rejected now."""
    report = yard.load("penalty", [{"CF_CFJGDM": NEW_CODE, "CF_WFXW": "虚假\u200b宣传"}])
    assert (dict(report.rejected), report.gaps) == ({Reason.CONTROL_CHARACTER: 1}, 1)


def test_nothing_of_a_waiting_row_can_be_read_on_the_disk(yard: Yard) -> None:
    """Document number, texts, names, persons: the body is sealed, and what nobody reads is not even in it."""
    row = {name: f"{MARKER}{n}" for n, name in enumerate(("CF_WSH", "CF_SY", "CF_XDR_MC", "BZ", "CF_FRDB"))}
    report = yard.load("penalty", [{**row, "CF_CFJGDM": f"{MARKER}机关", "CF_XDR_ZJHM": "13800000000"}])
    ((_, body),) = held(yard)
    assert body is not None
    opened = Sealing(SECRET).open(body)
    assert (opened.uscc, opened.cells["CF_WSH"]) == (FIRM, f"{MARKER}0")
    assert {"CF_SY", "CF_XDR_MC", "BZ", "CF_FRDB", "CF_XDR_ZJHM"}.isdisjoint(opened.cells)
    seen = b"".join([*yard.disk.values(), *(path.read_bytes() for path in yard.folder.glob("facts*"))])
    assert (MARKER.encode() in seen, b"13800000000" in seen, MARKER in repr(report)) == (False, False, False)


def test_a_body_that_cannot_be_opened_waits_for_its_file(yard: Yard, newer: Charter) -> None:
    """Altered bytes are told as such; the record stays a gap."""
    yard.load("penalty", [{"CF_CFJGDM": NEW_CODE}])
    connection = sqlite3.connect(yard.database)
    connection.execute("UPDATE held SET body = x'00'")
    connection.commit()
    connection.close()
    (report,) = released(yard, newer)
    assert (report.held, report.gaps) == ({Reason.UNREADABLE_BODY: 1}, 1)
    assert held(yard) == [("UNREADABLE_BODY", None)]


def test_a_code_leads_to_the_successor_of_its_day(yard: Yard) -> None:
    """A decision under a code that ended is the successor's, and one before a code began is nobody's (U16)."""
    old = "11310000XX00003852"
    report = yard.load("penalty", [{"CF_CFJGDM": old, "CF_JDRQ": "2017-05-05"}, {"CF_CFJGDM": old, "CF_WSH": "2"}])
    assert (report.accepted, {each["agency"] for each in yard.facts("penalty")}) == (2, {"310000-market"})
    early = yard.load("penalty", [{"CF_CFJGDM": old, "CF_JDRQ": "1995-05-05", "CF_WSH": "3"}])
    assert dict(early.held) == {Reason.UNKNOWN_AGENCY: 1}


def test_a_snapshot_replaces_what_is_held(yard: Yard) -> None:
    """What it does not name waits no longer."""
    yard.load("penalty", [{"CF_CFJGDM": NEW_CODE}])
    assert yard.load("penalty", [{"CF_WSH": "2"}], mode=Mode.SNAPSHOT).gaps == 0
    assert held(yard) == []


def test_reasons_that_wait_are_reasons_of_the_tables() -> None:
    """Nothing waits for a software: permit types and grades are not among them."""
    assert {each.value for each in WAITING} == {
        *("MAY_NOT_WRITE", "UNKNOWN_AGENCY", "UNKNOWN_BEHAVIOUR", "UNKNOWN_LIST_TYPE"),
        *("UNKNOWN_MEASURE", "UNKNOWN_SCHEME", "UNKNOWN_DIVISION"),
    }
