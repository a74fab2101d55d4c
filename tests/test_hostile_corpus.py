"""The hostile corpus (threat 17): each row has its outcome, the rest is kept, and nothing planted is found again."""

from __future__ import annotations

import csv
import io
import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from batches import BatchDesk, read_result, write_list
from bundles import officers_folder
from click.testing import CliRunner
from labs import build
from test_cli_check import WORK, check
from test_files_hostile import HOSTILE
from test_ingest import GOOD, Yard, write
from workbooks import packed, parts, row, sheet

from gateway.uscc import sample_code
from nodes.cli import desk_client, main
from nodes.cli.reports import file_document
from nodes.cli.session import INCOMPLETE, Session
from nodes.files import Fault, FileRefused, open_table, open_writer
from nodes.ingest import Reason, Report
from nodes.ingest.loads import FAMILIES
from nodes.intake import Loaded

CORPUS = Path(__file__).parent / "vectors" / "hostile" / "rows.jsonl"
KEPT = 90  # rows a file: a report lists its first hundred problems
FORMULAS = tuple("=+-@\t\r＝＋－＠")
Case = Mapping[str, Any]
MISSED = ("noticed", "", "NOTHING_TO_WITHDRAW")


def corpus() -> list[Case]:
    """The rows: family, the cells that differ from a good row, outcome, and column and reason where one is told."""
    return [json.loads(line) for line in CORPUS.read_text("utf-8").splitlines()]


def files() -> Iterator[tuple[str, tuple[Case, ...]]]:
    """The rows by family, in files that a report can list in full."""
    cases = corpus()
    for family in dict.fromkeys(each["family"] for each in cases):
        of_family = [each for each in cases if each["family"] == family]
        for first in range(0, len(of_family), KEPT):
            yield family, tuple(of_family[first : first + KEPT])


FILES = tuple(files())


def code_of(family: str, number: int, case: Case) -> str:
    """The code under which a row would be kept."""
    cells = case["cells"]
    own = cells.get("attributed_uscc") or cells.get(FAMILIES[family].code)
    return str(own) if own and own.startswith("9") else sample_code("91", "310118", 500_000 + number)


def filled(family: str, number: int, case: Case) -> dict[str, str]:
    """A whole row: a good one with a code and a key of its own, and the hostile cells in it."""
    key = {"penalty": "CF_WSH", "permit": "XK_WSH", "register": "valid_until"}.get(family, "record_key")
    own = {} if family == "register" else {key: f"K{number}"}
    return {
        **GOOD[family],
        FAMILIES[family].code: sample_code("91", "310118", 500_000 + number),
        **own,
        **case["cells"],
    }


def rows_of(family: str, cases: Iterable[Case]) -> list[dict[str, str]]:
    """The rows of a file, a good one last."""
    return [filled(family, number, each) for number, each in enumerate([*cases, {"cells": {}}])]


def told(report: Report) -> dict[int, tuple[str, str, str]]:
    """What a report says of rows by their number, the header being 1."""
    return {each.row: (each.outcome.value.lower(), each.column, each.reason.value) for each in report.problems}


def planted(cases: Iterable[Case]) -> set[str]:
    """The texts that nobody may find again."""
    return {text for each in cases for text in each.get("planted", ())}


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    """Shanghai's store."""
    return Yard(tmp_path)


def test_the_corpus_is_large_and_spread() -> None:
    """Every outcome and eight families are in it, and no row twice."""
    cases = corpus()
    assert len(cases) >= 200
    assert len({json.dumps(each, sort_keys=True) for each in cases}) == len(cases)
    assert len({each["family"] for each in cases}) >= 8
    outcomes = {each["outcome"] for each in cases}
    assert outcomes == {"rejected", "held", "noticed", "accepted", "out-of-scope", "not-ours", "deleted"}


@pytest.mark.parametrize(("family", "cases"), FILES)
def test_each_hostile_row_has_its_outcome_and_the_rest_is_kept(
    yard: Yard, family: str, cases: tuple[Case, ...]
) -> None:
    """A problem stands at its row, column and reason; what has none was kept or passed over; all are counted."""
    rows = rows_of(family, cases)
    columns = dict.fromkeys(name for each in rows for name in each)
    report = yard.load_file(write(yard.folder / "file.csv", rows, columns), family)
    expected = {
        number: MISSED if each["outcome"] == "deleted" else (each["outcome"], each["column"], each["reason"])
        for number, each in enumerate(cases, start=2)
        if "reason" in each or each["outcome"] == "deleted"
    }
    assert told(report) == expected
    outcomes = Counter(each["outcome"] for each in cases)
    assert report.rows == len(cases) + 1
    assert report.accepted == outcomes["accepted"] + outcomes["noticed"] + 1
    assert (report.out_of_scope, report.not_ours) == (outcomes["out-of-scope"], outcomes["not-ours"])
    assert (sum(report.held.values()), sum(report.rejected.values())) == (outcomes["held"], outcomes["rejected"])
    silence = FAMILIES[family].silence or {}
    for number, each in enumerate([*cases, {"outcome": "accepted", "cells": {}}]):
        found = yard.facts(FAMILIES[family].table, code_of(family, number, each))
        speaking = [fact for fact in found if not silence or any(fact[name] is not None for name in silence)]
        assert len(speaking) == (each["outcome"] in {"accepted", "noticed"}), (number + 2, each)


@pytest.mark.parametrize("outcome", ["out-of-scope", "not-ours", "deleted"])
def test_each_row_that_is_passed_over_is_passed_over_for_its_own_reason(yard: Yard, outcome: str) -> None:
    """Alone in a file it is counted where it belongs, and is no problem and no gap."""
    for case in (each for each in corpus() if each["outcome"] == outcome):
        report = yard.load(case["family"], [filled(case["family"], 0, case)])
        counts = {"out-of-scope": report.out_of_scope, "not-ours": report.not_ours, "deleted": 1 - report.accepted}
        missed = {2: MISSED} if outcome == "deleted" else {}
        assert (counts[outcome], report.accepted, report.gaps, told(report)) == (1, 0, 0, missed), case


@pytest.mark.parametrize(("family", "cases"), FILES)
def test_nothing_planted_is_found_again(yard: Yard, family: str, cases: tuple[Case, ...]) -> None:
    """Numbers, names, formulas and hidden texts are in no byte of database and log, and in no report of either sort."""
    rows = rows_of(family, cases)
    columns = dict.fromkeys(name for each in rows for name in each)
    path = write(yard.folder / "file.csv", rows, columns)
    report = yard.load_file(path, family)
    loaded = Loaded(path=path, feed=report.feed, report=report)
    said = repr(asdict(report)) + json.dumps(file_document(loaded), ensure_ascii=False)
    kept = b"".join([*yard.disk.values(), *(each.read_bytes() for each in yard.folder.glob("facts*"))])
    assert kept.count(report.feed.encode())
    for text in planted(cases):
        assert text not in said
        assert [text for coding in ("utf-8", "utf-16-le", "gb18030") if text.encode(coding) in kept] == []


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_command_repeats_nothing_planted(form: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """`yrdx ingest` of the whole corpus leaves output, logs and the member's own files clean."""
    caplog.set_level(logging.DEBUG)
    folder, home = tmp_path / "files", build(tmp_path / "lab").home("310000")  # no member runs
    folder.mkdir()
    for number, (family, cases) in enumerate(FILES):
        rows = rows_of(family, cases)
        domain = {"register": "REGISTER", "rating": "RATING", "contract": "GOV_PROCUREMENT"}.get(
            family, {"repair": "REPAIR", "objection": "OBJECTION"}.get(family, "MARKET_REG")
        )
        name = f"310000-{domain}-{family}.{number}.csv"
        write(folder / name, rows, dict.fromkeys(cell for each in rows for cell in each))
    asked = ["ingest", str(folder), "--config", str(home / "node.toml"), *(["--json"] if form == "json" else [])]
    found = CliRunner().invoke(main, asked, obj=Session(), env={"YRDX_LANG": "en"})
    assert found.exit_code == INCOMPLETE, found.output
    seen = b"".join(each.read_bytes() for each in home.rglob("*") if each.is_file()) + caplog.text.encode()
    for text in planted(corpus()):
        assert text not in found.output
        assert text.encode() not in seen


# Files that only the columns of a family can judge; those that break before are in `test_files_hostile`.

LISTING = GOOD["listing"]
HEADER, ROW = ",".join(LISTING), ",".join(LISTING.values())
INLINE = '<c t="inlineStr"><is><t>{}</t></is></c>'


def lines(*given: str, end: str = "\n") -> bytes:
    """A CSV file of these lines."""
    return (end.join(given) + end).encode()


def in_order(*names: str) -> bytes:
    """A file of the good row with its columns in this order."""
    return lines(",".join(names), ",".join(LISTING[name] for name in names))


def in_sheet(**cells: str) -> bytes:
    """A workbook of the good row; a cell given is put in as markup."""
    named = row(*(INLINE.format(name) for name in LISTING))
    values = row(*(cells.get(name) or INLINE.format(text) for name, text in LISTING.items()))
    return packed(parts(sheet(named + values)))


REFUSED: Mapping[str, tuple[str, bytes, Fault]] = {
    "an unknown column": ("csv", lines(f"{HEADER},notes", f"{ROW},x"), Fault.UNKNOWN_COLUMN),
    "a misspelt end": ("csv", lines(f"{HEADER},exit_no", f"{ROW},2026-03-01"), Fault.UNKNOWN_COLUMN),
    "a column in capitals": ("csv", lines(HEADER.replace("uscc", "USCC"), ROW), Fault.UNKNOWN_COLUMN),
    "a look-alike column": ("csv", lines(HEADER.replace("uscc", "us\u0441c"), ROW), Fault.UNKNOWN_COLUMN),
    "a full-width column": ("csv", lines(HEADER.replace("uscc", "ｕｓｃｃ"), ROW), Fault.UNCLEAN_COLUMN),
    "a column with a blank": ("csv", lines(HEADER.replace("uscc", " uscc"), ROW), Fault.UNCLEAN_COLUMN),
    "a column with a hidden sign": ("csv", lines(HEADER.replace("uscc", "uscc\u200b"), ROW), Fault.UNCLEAN_COLUMN),
    "two marks of UTF-8": ("csv", b"\xef\xbb\xbf\xef\xbb\xbf" + lines(HEADER, ROW), Fault.UNCLEAN_COLUMN),
    "a column twice": ("csv", lines(f"{HEADER},uscc", f"{ROW},{LISTING['uscc']}"), Fault.DUPLICATE_COLUMN),
    "a needed column missing": ("csv", lines("record_key,uscc", "L1,x"), Fault.MISSING_COLUMN),
    "the columns of another feed": ("csv", lines(",".join(GOOD["penalty"])), Fault.UNKNOWN_COLUMN),
    "the columns of a related feed": ("csv", lines(",".join(GOOD["abnormal"])), Fault.UNKNOWN_COLUMN),
    "no header": ("csv", lines(ROW, ROW), Fault.UNKNOWN_COLUMN),
    "a formula for a column": ("csv", lines(f"{HEADER},=1+1", f"{ROW},x"), Fault.UNKNOWN_COLUMN),
    "semicolons": ("csv", lines(HEADER.replace(",", ";"), ROW.replace(",", ";")), Fault.UNKNOWN_COLUMN),
    "tabs": ("csv", lines(HEADER.replace(",", "\t"), ROW.replace(",", "\t")), Fault.UNKNOWN_COLUMN),
    "a title above the header": ("csv", lines("严重失信名单", HEADER, ROW), Fault.UNKNOWN_COLUMN),
    "UTF-16": ("csv", lines(HEADER, ROW).decode().encode("utf-16"), Fault.NOT_TEXT),
    "UTF-16 without a mark": ("csv", lines(HEADER, ROW).decode().encode("utf-16-be"), Fault.NOT_TEXT),
    "ten thousand columns": ("csv", lines(",".join(f"c{n}" for n in range(10_000))), Fault.TOO_MANY_COLUMNS),
    "an unquoted comma": ("csv", lines(f"{HEADER},remarks", f"{ROW},a,b"), Fault.WRONG_WIDTH),
    "a sheet with an unknown column": ("xlsx", packed(parts(sheet(row(INLINE.format("notes"))))), Fault.UNKNOWN_COLUMN),
    "a formula in the header": ("xlsx", packed(parts(sheet(row("<c><f>1+1</f></c>")))), Fault.UNKNOWN_COLUMN),
    "two sheets": ("xlsx", packed(parts(*[sheet(row(*map(INLINE.format, LISTING)))] * 2)), Fault.MORE_SHEETS),
}

TAKEN: Mapping[str, tuple[str, bytes, int]] = {
    "columns in another order": ("csv", in_order(*reversed(list(LISTING))), 1),
    "columns by their names": ("csv", in_order(*sorted(LISTING)), 1),
    "a header only": ("csv", lines(HEADER), 0),
    "a header without a line end": ("csv", HEADER.encode(), 0),
    "a mark of UTF-8": ("csv", b"\xef\xbb\xbf" + lines(HEADER, ROW), 1),
    "line ends of old Macs": ("csv", lines(HEADER, ROW, end="\r"), 1),
    "line ends of Windows": ("csv", lines(HEADER, ROW, end="\r\n"), 1),
    "mixed line ends": ("csv", f"{HEADER}\r\n{ROW}\n\r".encode(), 1),
    "quoted line ends": ("csv", lines(f"{HEADER},remarks", f'{ROW},"a\nb\r\nc"'), 1),
    "doubled quotes": ("csv", lines(f"{HEADER},remarks", f'{ROW},"a""b,c"'), 1),
    "GB18030 of four bytes": ("csv", f"{HEADER},name\n{ROW},样例\U00020000公司\n".encode("gb18030"), 1),
    "a workbook": ("xlsx", in_sheet(), 1),
}

ODD_CELLS: Mapping[str, tuple[dict[str, str], tuple[str, str, str]]] = {
    "a formula for a code": ({"uscc": "<c><f>A1&amp;B1</f><v>1</v></c>"}, ("rejected", "uscc", "SHEET_VALUE")),
    "a number for a code": ({"uscc": "<c><v>913101180000000000</v></c>"}, ("rejected", "uscc", "SHEET_VALUE")),
    "a formula for a day": (
        {"listed_on": "<c><f>TODAY()</f><v>46053</v></c>"},
        ("rejected", "listed_on", "SHEET_VALUE"),
    ),
    "a number for a day": ({"listed_on": "<c><v>46053</v></c>"}, ("held", "listed_on", "BAD_DATE")),
    "a day with a time": ({"listed_on": '<c s="1"><v>46053.5</v></c>'}, ("held", "listed_on", "BAD_DATE")),
    "an error for a list": ({"list_type": '<c t="e"><v>#N/A</v></c>'}, ("rejected", "list_type", "SHEET_VALUE")),
    "a number for a key": ({"record_key": "<c><v>1234567890123456</v></c>"}, ("rejected", "record_key", "SHEET_VALUE")),
    "half a pair": ({"record_key": INLINE.format("_xD800_")}, ("rejected", "record_key", "SHEET_VALUE")),
}


def put(yard: Yard, suffix: str, content: bytes) -> Path:
    """Write a file of the yard."""
    path = yard.folder / f"file.{suffix}"
    path.write_bytes(content)
    return path


def test_the_corpus_of_files_is_large() -> None:
    """Those of the reader and those of the families."""
    assert len(HOSTILE) >= 60
    assert len(REFUSED) >= 20


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_does_not_fit_its_feed_is_refused_whole(yard: Yard, case: str) -> None:
    """One fault is named, nothing of the file is loaded, and the feed is as if it had not come."""
    suffix, content, fault = REFUSED[case]
    with pytest.raises(FileRefused) as caught:
        yard.load_file(put(yard, suffix, content), "listing")
    assert caught.value.fault is fault
    assert LISTING["uscc"] not in str(caught.value)
    assert (yard.facts("listing"), yard.feed("listing").data_through) == ([], None)


@pytest.mark.parametrize("case", TAKEN)
def test_a_file_that_only_looks_odd_is_taken(yard: Yard, case: str) -> None:
    """Order, line ends, quotes and encodings of the same row change nothing that is kept."""
    suffix, content, rows = TAKEN[case]
    report = yard.load_file(put(yard, suffix, content), "listing")
    assert (report.rows, report.accepted, report.gaps, report.problems) == (rows, rows, 0, ())
    assert [each["listed_on"] for each in yard.facts("listing")] == ["2026-02-03"] * rows


@pytest.mark.parametrize("case", ODD_CELLS)
def test_what_a_spreadsheet_makes_of_a_cell_is_not_guessed_at(yard: Yard, case: str) -> None:
    """Formulas are not worked out, numbers are no codes and no days, and a time of day is no day (U18)."""
    cells, expected = ODD_CELLS[case]
    report = yard.load_file(put(yard, "xlsx", in_sheet(**cells)), "listing")
    assert (told(report), report.accepted) == ({2: expected}, 0)


def test_rounded_keys_never_make_one_record_of_three(yard: Yard) -> None:
    """Three numbers that a spreadsheet rounded to one are three rejected rows, and as many gaps."""
    names = row(*(INLINE.format(name) for name in LISTING))
    cells = [*(INLINE.format(text) for name, text in LISTING.items() if name != "record_key")]
    keys = [f"<c><v>12345678901234567{last}</v></c>" for last in (1, 2, 3)]
    assert next(iter(LISTING)) == "record_key"
    content = packed(parts(sheet(names + "".join(row(key, *cells) for key in keys))))
    report = yard.load_file(put(yard, "xlsx", content), "listing")
    assert (report.accepted, dict(report.rejected), report.gaps) == (0, {Reason.SHEET_VALUE: 3}, 3)


def test_an_unsure_cell_that_is_dropped_enters_the_digest_only(yard: Yard) -> None:
    """A rounded amount or half a character in remarks costs no row; nor does the half end the load."""
    names = row(*(INLINE.format(name) for name in LISTING), INLINE.format("remarks"))
    values = row(*(INLINE.format(text) for text in LISTING.values()), INLINE.format("_xD800_"))
    report = yard.load_file(put(yard, "xlsx", packed(parts(sheet(names + values)))), "listing")
    assert (report.accepted, report.gaps, report.problems) == (1, 0, ())


def test_a_day_of_a_spreadsheet_is_a_day(yard: Yard) -> None:
    """A whole number under a format of days is the only number that becomes one."""
    yard.load_file(put(yard, "xlsx", in_sheet(listed_on='<c s="1"><v>46053</v></c>')), "listing")
    assert [each["listed_on"] for each in yard.facts("listing")] == ["2026-01-31"]


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_no_cell_of_a_file_for_people_begins_like_a_formula(tmp_path: Path, suffix: str) -> None:
    """Every hostile cell of the corpus, written out again, is text to a spreadsheet."""
    cells = sorted({text for each in corpus() for text in each["cells"].values()})
    path = tmp_path / f"out.{suffix}"
    with open_writer(path, ("cell",)) as writer:
        for text in cells:
            writer.write((text,))
    if suffix == "csv":
        with io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="") as file:
            found = [each[0] for each in csv.reader(file) if each]
    else:
        with open_table(path) as table:
            found = [each[0] for _, each in table.rows()]
    assert sum(text.startswith("'") for text in found) >= 20
    assert [text for text in found if text.startswith(FORMULAS)] == []


def test_a_code_that_a_spreadsheet_rounded_is_an_invalid_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The officer's row says so; what the spreadsheet made of a code is asked of nobody."""
    monkeypatch.setattr(desk_client, "connected", BatchDesk().connected)
    cells = ("<c><v>913101180000000000</v></c>", "<c><f>A1</f><v>1</v></c>", '<c t="e"><v>#N/A</v></c>')
    content = packed(parts(sheet(row(INLINE.format("uscc")) + "".join(row(each) for each in cells))))
    (tmp_path / "list.xlsx").write_bytes(content)
    (tmp_path / "officer").mkdir()
    result = check(officers_folder(tmp_path / "officer", WORK), tmp_path / "list.xlsx")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    assert {each["verdict"] for each in read_result(tmp_path / "r.csv")} == {"INVALID_CODE"}


def test_no_cell_of_a_batchs_result_begins_like_a_formula(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of hostile codes and names comes back as verdicts: nothing of it is run, and no person is named."""
    monkeypatch.setattr(desk_client, "connected", BatchDesk().connected)
    codes = [text for each in corpus() for name, text in each["cells"].items() if name in {"CF_XDR_SHXYM", "uscc"}]
    names = ("=HYPERLINK(2)", "+样例", "-样例", "@样例", "＝样例", "")
    rows = [(text, names[number % len(names)]) for number, text in enumerate(codes)]
    (tmp_path / "officer").mkdir()
    folder = officers_folder(tmp_path / "officer", WORK)
    result = check(folder, write_list(tmp_path / "list.csv", rows, ("uscc", "name")))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    found = read_result(tmp_path / "r.csv")
    assert len(found) == len(codes)
    cells = [text for each in found for text in each.values()]
    assert [text for text in cells if text.startswith(FORMULAS)] == []
    said = "".join(cells) + result.output
    assert [text for text in planted(corpus()) if text in said] == []
