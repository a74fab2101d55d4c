"""What a load reports: one outcome a row, counts by agency, lateness in working days, remarks; in any time zone."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_ingest import CODES, NOW, Yard

from gateway.uscc import sample_code
from nodes.cli.reports import file_document, incomplete
from nodes.ingest import Reason, Report
from nodes.ingest.lateness import Lateness
from nodes.ingest.report import LATE, ON_TIME, UNMEASURED
from nodes.intake import Loaded

DEFUNCT = sample_code("91", "310103", 7)  # Luwan, part of Huangpu since 2011


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    """Shanghai's store, with a first load behind it."""
    found = Yard(tmp_path)
    found.load("penalty", [])
    return found


def row(number: int, **more: str) -> Mapping[str, str]:
    """Give a penalty with a number of its own."""
    return {"CF_WSH": f"样例{number}号", **more}


def test_every_row_has_one_outcome_and_its_agency(yard: Yard) -> None:
    """Totals, the counts of each agency and what is stored beside the load agree."""
    rows = [
        row(1),
        row(2, CF_WFXW="没有这种行为"),
        row(3, CF_XDR_SHXYM="x"),
        row(4, CF_CFJGDM=CODES["320509-market"]),
        row(5, CF_XDR_LB="自然人"),
        row(6, CF_CFJGDM="nobody"),
        row(1, deleted="1"),
        row(7, CF_CFJGDM=CODES["310107-market"]),
    ]
    report = yard.load("penalty", rows)
    connection = sqlite3.connect(yard.database)
    stored = connection.execute("SELECT agency, name, count FROM load_count").fetchall()
    (line,) = connection.execute("SELECT rows, held, rejected, not_ours, out_of_scope FROM load WHERE id = 2")
    connection.close()
    ours = {name: count for (agency, name), count in report.by_agency.items() if agency == "310118-market"}
    assert (report.rows, report.accepted, report.withdrawn, report.out_of_scope, report.not_ours) == (8, 2, 1, 1, 1)
    assert (sum(report.held.values()), sum(report.rejected.values())) == (2, 1)
    assert ours == {
        "rows": 5,
        "stored": 1,
        "deleted": 1,
        "held": 1,
        "rejected": 1,
        "rejected:CODE_LENGTH": 1,
        "out_of_scope": 1,
        "late": 1,
    }
    assert report.by_agency["", "rows"] == report.by_agency["", "held"] == 1
    assert {(agency, name): count for agency, name, count in stored} == dict(report.by_agency)
    assert line == (8, 2, 1, 1, 1)


@pytest.mark.parametrize(
    ("decided", "reported", "expected"),
    [
        ("2026-11-02", "2026-11-11", ON_TIME),  # the seventh working day
        ("2026-11-02", "2026-11-12", LATE),
        ("2026-11-12", "", ON_TIME),
        ("2026-11-10", "", LATE),  # the 19th was the seventh; loaded on the 20th
        ("2026-09-28", "2026-10-13", ON_TIME),  # over the national holidays, and a Saturday that is worked
        ("2026-09-28", "2026-10-14", LATE),
        ("2026-11-02", "2026-11-30", UNMEASURED),
        ("2026-11-02", "soon", UNMEASURED),
        ("1999-11-02", "1999-12-30", UNMEASURED),
    ],
)
def test_lateness_is_counted_in_working_days(yard: Yard, decided: str, reported: str, expected: str) -> None:
    """From the day of decision to the row's own day of report, or else the day of the load."""
    report = yard.load("penalty", [row(1, CF_JDRQ=decided, reported_on=reported, CF_CFJGDM="310118-market")])
    if report.accepted:
        counted = {LATE: report.late, ON_TIME: report.on_time, UNMEASURED: report.unmeasured}
        assert counted == {LATE: 0, ON_TIME: 0, UNMEASURED: 0} | {expected: 1}
    else:
        assert expected is UNMEASURED  # no agency had the code then


def test_a_first_load_is_a_backlog(tmp_path: Path) -> None:
    """Only rows that say when they were reported are measured in it; a record is measured once."""
    yard = Yard(tmp_path)
    first = yard.load("penalty", [row(1), row(2, reported_on="2026-11-19")])
    again = yard.load("penalty", [row(1, repaired_on="2026-09-01"), row(2), row(3)])
    assert [(each.late, each.on_time, each.unmeasured) for each in (first, again)] == [(1, 0, 0), (1, 0, 0)]


def test_a_code_of_an_abolished_division_is_valid_and_noted(yard: Yard) -> None:
    """A code says where a subject was registered, and stays for ever."""
    report = yard.load("penalty", [row(1, CF_XDR_SHXYM=DEFUNCT)])
    assert (report.accepted, dict(report.notices), report.gaps) == (1, {Reason.CODE_DEFUNCT_REGION: 1}, 0)
    assert [(each.row, each.column, each.outcome.value) for each in report.problems] == [
        (2, "CF_XDR_SHXYM", "NOTICED"),
    ]


def test_the_document_holds_every_count(yard: Yard) -> None:
    """For programs: reasons are objects, agencies a list."""
    report = yard.load("penalty", [row(1), row(2, CF_WFXW="无")])
    found = file_document(Loaded(path=Path("a.csv"), feed=report.feed, report=report))
    assert (found["file"], found["rows"], found["held"], found["late"]) == ("a.csv", 2, {"UNKNOWN_BEHAVIOUR": 1}, 1)
    assert [each["agency"] for each in found["agencies"]] == ["310118-market"]
    assert file_document(Loaded(path=Path("a.csv"), feed="f")) == {"file": "a.csv", "feed": "f", "unchanged_file": True}


@pytest.fixture(params=["UTC", "Asia/Shanghai"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Set the zone of the process."""
    with monkeypatch.context() as patched:
        patched.setenv("TZ", request.param)
        time.tzset()
        yield request.param
    time.tzset()


@pytest.mark.parametrize(
    ("moment", "today"),
    [
        (datetime(2026, 11, 19, 16, 30, tzinfo=UTC), date(2026, 11, 20)),  # 00:30 in China
        (datetime(2026, 11, 20, 15, 30, tzinfo=UTC), date(2026, 11, 20)),  # 23:30 in China
        (datetime(2026, 11, 20, 0, 30, tzinfo=UTC), date(2026, 11, 20)),
        (datetime(2026, 11, 20, 23, 30, tzinfo=UTC), date(2026, 11, 21)),
    ],
)
def test_days_are_those_of_china_in_any_zone(yard: Yard, zone: str, moment: datetime, today: date) -> None:
    """The day of the load, what lies in the future, and lateness do not depend on the container's zone (U18)."""
    report: Report = yard.load("penalty", [row(1, CF_JDRQ="2026-11-11"), row(2, CF_JDRQ="2026-11-21")], now=moment)
    assert (zone, report.data_through) == (zone, today)
    is_later = today == date(2026, 11, 21)
    assert dict(report.held) == ({} if is_later else {Reason.FUTURE_DATE: 1})
    assert (report.late, report.on_time) == (int(is_later), 2 - 1 if not is_later else 1)


@given(days=st.tuples(st.dates(date(2020, 1, 1), date(2026, 11, 20)), st.dates(date(2020, 1, 1), date(2026, 11, 20))))
def test_what_is_reported_by_the_last_day_is_in_time(days: tuple[date, date]) -> None:
    """Exactly that, whatever the rule."""
    decided, reported = days
    found = Lateness(lambda day: day, NOW.date().isoformat()).of(decided.isoformat(), reported.isoformat())
    assert found == (LATE if reported > decided else ON_TIME)


def test_a_file_that_is_passed_over_still_tells_the_gaps_of_its_feed() -> None:
    """A run that loads nothing new ends as the one before it did while its feed has gaps."""
    passed = Loaded(path=Path("a.csv"), feed="f")
    assert not incomplete([passed])
    assert incomplete([replace(passed, gaps=1)])
