"""Hostile and broken files: refused or rejected with a place and a reason, and nothing raw reaches the disk."""

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import pytest
from test_ingest import CODES, FIRM, GOOD, OTHER, Yard, write

from nodes.cli import words
from nodes.files import open_writer
from nodes.ingest import Fault, FileRefused, Reason
from nodes.ingest.loads import FAMILIES
from nodes.store import tables
from nodes.store.loading import Mode

PERSON = "11010519491231002X"  # the sample number printed in GB 11643
MARKER = "标记QZ"


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    """Shanghai's store."""
    return Yard(tmp_path)


@pytest.mark.parametrize(
    ("record_class", "change", "column", "reason"),
    [
        ("penalty", {"CF_XDR_SHXYM": ""}, "CF_XDR_SHXYM", Reason.CODE_EMPTY),
        ("penalty", {"CF_XDR_SHXYM": FIRM[:-1]}, "CF_XDR_SHXYM", Reason.CODE_LENGTH),
        ("penalty", {"CF_XDR_SHXYM": FIRM.lower()}, "CF_XDR_SHXYM", Reason.CODE_LOWER_CASE),
        ("penalty", {"CF_XDR_SHXYM": f" {FIRM}"}, "CF_XDR_SHXYM", Reason.CODE_SEPARATORS),
        ("penalty", {"CF_XDR_SHXYM": "\uff19" + FIRM[1:]}, "CF_XDR_SHXYM", Reason.CODE_FULL_WIDTH),
        ("penalty", {"CF_XDR_SHXYM": "310000000012345"}, "CF_XDR_SHXYM", Reason.CODE_LEGACY_15),
        ("penalty", {"CF_XDR_SHXYM": FIRM[:-2] + OTHER[-2:]}, "CF_XDR_SHXYM", Reason.CODE_CHECK),
        ("penalty", {"CF_XDR_SHXYM": "913100001322602511"}, "CF_XDR_SHXYM", Reason.CODE_INNER_CHECK),
        ("penalty", {"CF_WSH": ""}, "", Reason.NO_KEY),
        ("penalty", {"CF_WFXW": "a\x01b"}, "CF_WFXW", Reason.CONTROL_CHARACTER),
        ("penalty", {"CF_JDRQ": "2026-06-01\n"}, "CF_JDRQ", Reason.CONTROL_CHARACTER),
        ("penalty", {"CF_XDR_LB": "法人\u200b"}, "CF_XDR_LB", Reason.CONTROL_CHARACTER),
        ("penalty", {"repaired_on": "\ufeff"}, "repaired_on", Reason.CONTROL_CHARACTER),
        ("penalty", {"deleted": "1\u200b"}, "deleted", Reason.CONTROL_CHARACTER),
        ("permit", {"XK_YXQZI": "2026-01-01\u200b"}, "XK_YXQZI", Reason.CONTROL_CHARACTER),
        ("listing", {"list_type": "MARKET_SEVERE\u200b"}, "list_type", Reason.CONTROL_CHARACTER),
        ("rating", {"grade": "B\u200b"}, "grade", Reason.CONTROL_CHARACTER),
        ("register", {"name": "样例\u200b公司"}, "name", Reason.CONTROL_CHARACTER),
        ("penalty", {"CF_WSH": "1\u202e2"}, "CF_WSH", Reason.CONTROL_CHARACTER),
        ("penalty", {"CF_XDR_SHXYM": f"{FIRM}\u200b"}, "CF_XDR_SHXYM", Reason.CONTROL_CHARACTER),
        ("listing", {"record_key": " "}, "", Reason.NO_KEY),
        ("measure", {"legal_basis": " "}, "legal_basis", Reason.NO_LEGAL_BASIS),
        ("measure", {"legal_basis": "=HYPERLINK(1)"}, "legal_basis", Reason.FORMULA),
        ("measure", {"legal_basis": "@样例"}, "legal_basis", Reason.FORMULA),
        ("measure", {"legal_basis": "样" * 401}, "legal_basis", Reason.TOO_LONG),
        ("measure", {"legal_basis": f"据{PERSON}"}, "legal_basis", Reason.PERSON_NUMBER),
        ("measure", {"legal_basis": "１１０１０５１９４９１２３１００２Ｘ"}, "legal_basis", Reason.PERSON_NUMBER),
    ],
)
def test_a_hostile_row_is_rejected_and_the_rest_is_kept(
    yard: Yard, record_class: str, change: Mapping[str, str], column: str, reason: Reason
) -> None:
    """The report names row, column and reason; the good row after it is loaded.

    What may hide a record of a subject is a gap besides: not what has no subject, nor a measure that may not be used.
    """
    own_key = "record_key" in FAMILIES[record_class].columns.needed
    good = {FAMILIES[record_class].code: OTHER} | ({"record_key": "good"} if own_key else {})
    report = yard.load(record_class, [change, good])
    assert [(each.row, each.column, each.reason) for each in report.problems] == [(2, column, reason)]
    assert dict(report.rejected) == {reason: 1}
    nobodys = FAMILIES[record_class].code in change or reason is Reason.NO_LEGAL_BASIS
    assert (report.accepted, report.gaps) == (1, 0 if nobodys else 1)
    assert len(yard.facts(record_class, OTHER)) == 1


@pytest.mark.parametrize(
    ("record_class", "change"),
    [
        ("penalty", {"BZ": "备\u200b注"}),
        ("penalty", {"CF_SY": "line\nbreak", "CF_NR": "a\x01b"}),
        ("permit", {"XK_NR": "\u202e"}),
        ("listing", {"basis_text": "\u200b"}),
        ("rating", {"indicators": "\x1e\x1f"}),
        ("measure", {"content": "\u2028"}),
        ("register", {"address": "\ufeff"}),
    ],
)
def test_hidden_characters_in_what_is_dropped_reject_nothing(
    yard: Yard, record_class: str, change: Mapping[str, str]
) -> None:
    """A cell that nobody reads does not keep its row out: a penalty is answered for whatever its remarks hold."""
    report = yard.load(record_class, [change])
    assert (report.accepted, report.gaps, report.problems) == (1, 0, ())
    assert len(yard.facts(record_class)) == 1


def test_a_dropped_cell_cannot_pass_for_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Separators inside a cell do not make the digest of a row that of another row."""
    monkeypatch.setattr("nodes.ingest.rows.os.urandom", bytes)
    rows = [
        {"CF_NR": "a", "CF_NR_FK": "b"},
        {"CF_NR": "a\x1eCF_NR_FK\x1fb", "CF_NR_FK": ""},
        {"CF_NR": "a\x1d1CF_NR_FK\x1d2b", "CF_NR_FK": ""},
    ]
    digests = set()
    for number, row in enumerate(rows):
        (tmp_path / str(number)).mkdir()
        yard = Yard(tmp_path / str(number))
        yard.load("penalty", [row])
        digests.add(yard.facts("penalty")[0]["digest"])
    assert len(digests) == len(rows)


@pytest.mark.parametrize(
    ("record_class", "change"),
    [
        ("penalty", {"CF_XDR_LB": "自然人", "CF_XDR_SHXYM": ""}),
        ("penalty", {"CF_XDR_LB": "自然人"}),
        ("penalty", {"CF_XDR_LB": "自然人", "CF_WFXW": "\u200b"}),
        ("penalty", {"CF_XDR_LB": "", "CF_XDR_SHXYM": "", "CF_XDR_ZJHM": PERSON}),
        ("penalty", {"CF_XDR_SHXYM": PERSON}),
        ("permit", {"XK_XDR_LB": "自然人", "XK_XDR_SHXYM": ""}),
        ("permit", {"XK_XDR_SHXYM": "", "XK_XDR_ZJHM": "H12345678"}),
        ("listing", {"subject_kind": "NATURAL_PERSON", "uscc": ""}),
        ("rating", {"uscc": PERSON}),
    ],
)
def test_persons_stay_out(yard: Yard, record_class: str, change: Mapping[str, str]) -> None:
    """Rows about natural persons are counted and leave no trace, not even a problem (U11)."""
    report = yard.load(record_class, [change])
    assert (report.out_of_scope, report.accepted, report.problems, dict(report.rejected)) == (1, 0, (), {})


HEADER = ",".join(GOOD["listing"])
ROW = ",".join(GOOD["listing"].values())


@pytest.mark.parametrize(
    ("content", "fault", "arguments"),
    [
        (b"", Fault.NO_HEADER, {}),
        (f"{ROW}\n".encode(), Fault.UNKNOWN_COLUMN, {"position": 1}),
        (f"{HEADER},{PERSON}\n".encode(), Fault.UNKNOWN_COLUMN, {"position": 7}),
        (f"{HEADER},uscc\n".encode(), Fault.DUPLICATE_COLUMN, {"position": 7}),
        (HEADER.replace("uscc,", "").encode(), Fault.MISSING_COLUMN, {"column": "uscc"}),
        (f"{HEADER}\n{ROW},more\n".encode(), Fault.WRONG_WIDTH, {"row": 2, "cells": 7, "columns": 6}),
        (f"{HEADER}\n{ROW}\n\nshort\n".encode(), Fault.WRONG_WIDTH, {"row": 4, "cells": 1, "columns": 6}),
        (f"{HEADER}\n{ROW}\n".encode("utf-16"), Fault.NOT_TEXT, {"line": 1}),
        (f"{HEADER}\n样例\n".encode()[:-2], Fault.NOT_TEXT, {"line": 2}),
        (f"{HEADER},uscc \n".encode(), Fault.UNCLEAN_COLUMN, {"position": 7}),
        (f'{HEADER}\n"{PERSON}'.encode(), Fault.NOT_CSV, {"row": 2}),
        (f'{HEADER}\n"{PERSON}"x,,,,,\n'.encode(), Fault.NOT_CSV, {"row": 2}),
        (f'{HEADER}\n"{"x" * 200_000}",,,,,\n'.encode(), Fault.CELL_TOO_LONG, {"row": 2, "characters": 131_072}),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused_whole(
    yard: Yard, content: bytes, fault: Fault, arguments: Mapping[str, object]
) -> None:
    """The error names what and where; nothing of the file is loaded and no value is repeated."""
    path = yard.folder / "file.csv"
    path.write_bytes(content)
    with pytest.raises(FileRefused) as caught:
        yard.load_file(path, "listing")
    assert (caught.value.fault, dict(caught.value.arguments)) == (fault, arguments)
    assert PERSON not in str(caught.value)
    assert yard.facts("listing") == []
    assert yard.feed("listing").data_through is None


def test_a_missing_file_is_refused(yard: Yard) -> None:
    """The cause is named without the path."""
    with pytest.raises(FileRefused, match="UNREADABLE") as caught:
        yard.load_file(yard.folder / "none.csv", "listing")
    assert "none.csv" not in str(caught.value)


def test_a_byte_order_mark_and_empty_lines_are_accepted(yard: Yard) -> None:
    """What spreadsheets write around good rows does no harm."""
    path = yard.folder / "file.csv"
    path.write_bytes(f"\ufeff{HEADER}\r\n{ROW}\r\n\r\n".encode())
    assert yard.load_file(path, "listing").accepted == 1


@pytest.mark.parametrize(("name", "encoding"), [("t.csv", "gb18030"), ("t.csv", "utf-8-sig"), ("t.xlsx", "")])
def test_the_same_rows_are_the_same_records_in_any_file(yard: Yard, name: str, encoding: str) -> None:
    """What a spreadsheet saves in another encoding or as a workbook corrects nothing."""
    good = {**GOOD["penalty"], "BZ": "备注"}
    yard.load("penalty", [good])
    with open_writer(yard.folder / name, tuple(good), encoding=encoding, defuse=False) as writer:
        writer.write(tuple(good.values()))
    report = yard.load_file(yard.folder / name, "penalty")
    assert (report.unchanged, report.rows) == (1, 1)


def test_a_file_that_breaks_at_its_end_loads_nothing(yard: Yard) -> None:
    """One file is one transaction; the next load works."""
    rows = [f"L{number},{FIRM},MARKET_SEVERE,2026-02-03,310000-market,A" for number in range(900)]
    path = yard.folder / "file.csv"
    path.write_text("\n".join([HEADER, *rows, "cut"]), "utf-8")
    with pytest.raises(FileRefused):
        yard.load_file(path, "listing")
    assert yard.facts("listing") == []
    assert yard.load("listing", [{}]).version == 1


def test_an_interruption_loads_nothing(yard: Yard) -> None:
    """Whatever ends a load, a person's interrupt included, undoes it."""

    def interrupt(_rows: int, _part: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        yard.load("listing", [{}], progress=interrupt)
    assert yard.facts("listing") == []


def test_the_report_lists_only_the_first_problems(yard: Yard) -> None:
    """A file full of errors is counted, not copied."""
    report = yard.load("listing", [{"uscc": "x"}] * 300)
    assert (len(report.problems), report.rejected[Reason.CODE_LENGTH]) == (100, 300)


def marked(record_class: str) -> tuple[dict[str, str], list[str]]:
    """A row with a marker in every column whose cell is not kept as it stands, and the markers."""
    family = FAMILIES[record_class]
    kept = set(tables.columns_of(family.table)) | {"uscc", "deleted", "subject_kind"} | set(GOOD[record_class])
    raw = sorted(family.columns.known - kept - {"XK_YXQZ", "XK_ZT", "CF_CFLB", "CF_NR_FK", "CF_GSJZQ"})
    always = {"penalty": ["CF_WSH"], "permit": ["XK_WSH"], "register": ["name"]}.get(record_class, ["record_key"])
    columns = [*raw, *always]
    return {name: f"{MARKER}{number}号" for number, name in enumerate(columns)}, columns


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("record_class", FAMILIES)
def test_nothing_raw_reaches_the_disk_or_the_report(yard: Yard, record_class: str, mode: Mode) -> None:
    """Names, document numbers, texts, amounts and persons are searched for in database, WAL and report (U11)."""
    cells, columns = marked(record_class)
    assert len(columns) >= 3
    bad = {"penalty": {"CF_WFXW": f"{MARKER}行为"}, "rating": {"grade": f"{MARKER}级"}}.get(record_class, {})
    code = FAMILIES[record_class].code
    rows = [cells, {**cells, **bad, code: OTHER}, {**cells, code: f"{MARKER}码"}, {**cells, code: PERSON}]
    report = yard.load(record_class, rows, mode=mode)
    assert report.accepted >= 1
    assert sum(report.rejected.values()) == 1
    seen = b"".join([*yard.disk.values(), *(path.read_bytes() for path in yard.folder.glob("facts*"))])
    assert FIRM.encode() in yard.disk["facts.sqlite-wal"]
    for text in (MARKER, PERSON):
        assert text.encode() not in seen
        assert text not in repr(asdict(report))


def test_digests_cannot_be_guessed_from_the_file_alone(tmp_path: Path) -> None:
    """Record ids and name digests depend on the member's secret, row digests on a fresh salt."""
    shanghai, other = Yard(tmp_path), Yard(tmp_path, "320000")
    row = {"CF_CFJGDM": CODES["310118-market"]}
    shanghai.load("penalty", [row])
    other.load("penalty", [{"CF_CFJGDM": CODES["320509-market"]}], secret=b"t" * 32)
    (ours,), (theirs,) = shanghai.facts("penalty"), other.facts("penalty")
    assert ours["record_id"] != theirs["record_id"]
    assert ours["digest"] != theirs["digest"]
    assert (len(ours["record_id"]), len(ours["digest"])) == (16, 32)


def test_column_order_and_empty_columns_change_no_record(yard: Yard) -> None:
    """The source may reorder its columns or add empty ones: the record is the same."""
    yard.load("penalty", [{}])
    columns = [*reversed(list(GOOD["penalty"])), "CF_NR", "BZ"]
    path = write(yard.folder / "again.csv", [GOOD["penalty"]], columns)
    assert yard.load_file(path, "penalty").unchanged == 1


def test_every_raw_column_of_the_standard_is_accepted() -> None:
    """The allow-list holds the standard's names, so that a normal file is not refused."""
    standard = ["MC", "LB", "SHXYM", "GSZC", "ZZJG", "SWDJ", "SYDW", "SHZZ", "ZJLX", "ZJHM"]
    assert {f"CF_XDR_{name}" for name in standard} <= FAMILIES["penalty"].columns.known
    assert {f"XK_XDR_{name}" for name in standard} <= FAMILIES["permit"].columns.known
    more = "FRDB FR_ZJLX FR_ZJHM WSH WFXW SY YJ CFLB NR NR_FK NR_WFFF NR_ZKDX JDRQ YXQ GSJZQ CFJG CFJGDM SJLY SJLYDM"
    assert {f"CF_{name}" for name in more.split()} <= FAMILIES["penalty"].columns.known
    permits = "FRDB XKWS WSH XKLB XKZS XKBH NR JDRQ YXQZ YXQZI XKJG XKJGDM ZT"
    assert {f"XK_{name}" for name in permits.split()} <= FAMILIES["permit"].columns.known


@pytest.mark.parametrize("record_class", FAMILIES)
def test_the_page_on_data_names_every_column(record_class: str) -> None:
    """What is kept and dropped is documented column by column, and what must be there is bold."""
    page = Path(__file__).resolve().parent.parent / "docs" / "data.md"
    (line,) = [each for each in page.read_text("utf-8").splitlines() if f" `{record_class}` |" in each]
    columns = FAMILIES[record_class].columns
    every_family = {"deleted", "subject_kind"} | ({"record_key"} if "record_key" not in columns.needed else set())
    assert set(re.findall(r"\*\*`(\w+)`\*\*", line)) == columns.needed
    named = set(re.findall(r"`(\w+)`", line)) - {record_class}
    assert named == columns.known - every_family


def test_reports_speak_in_codes() -> None:
    """Reasons and faults are machine words: each language has its own text elsewhere."""
    assert all(re.fullmatch("[A-Z][A-Z0-9_]+", each.value) for each in [*Reason, *Fault])
    assert {each.value for each in Reason} == set(words.table()["reason"])
    assert {each.value for each in Fault} == set(words.table()["fault"])
