"""What a spreadsheet's cells say, as text: nothing is rounded into a code, no time becomes a day, no formula runs."""

from pathlib import Path

import pytest
from test_files import read
from workbooks import GOOD, RELATIONS, packed, parts, row, sheet, workbook

from nodes.files import Fault, FileRefused

CHART = f'<Relationship Id="rId2" Type="{RELATIONS}/chartsheet" Target="chartsheets/sheet1.xml"/>'


def rows_of(path: Path, content: bytes) -> list[tuple[int, list[str]]]:
    """The rows of a workbook below its header."""
    path.write_bytes(content)
    return read(path)[1][1:]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("<c><v>310000</v></c>", "310000"),
        ("<c><v>310000.0</v></c>", "310000"),
        ("<c><v>-7</v></c>", "-7"),
        ("<c><v>0.30000000000000004</v></c>", "0.3"),
        ("<c><v>999999999999999</v></c>", "999999999999999"),
        ("<c><v>1000000000000000</v></c>", "\x1a1E+15"),
        ("<c><v>131000000000000000</v></c>", "\x1a1.31E+17"),
        ("<c><v>-1.31E+17</v></c>", "\x1a-1.31E+17"),
        ('<c t="b"><v>1</v></c>', "1"),
        ('<c t="b"><v>0</v></c>', "0"),
        ('<c t="e"><v>#N/A</v></c>', "\x1a#N/A"),
        ('<c t="str"><v>a_x000D_b_x005F_x</v></c>', "a\rb_x"),
        ('<c t="str"><v>_xD83D__xDE00_</v></c>', "\U0001f600"),
        ('<c t="str"><v>a_xD800_b</v></c>', "\x1aa\ufffdb"),
        ('<c t="inlineStr"><is><t>_xDC00__xD800_</t></is></c>', "\x1a\ufffd\ufffd"),
        ('<c t="str"><f>A1&amp;A2</f><v>x</v></c>', "\x1a=A1&A2"),
        ('<c><f t="shared" si="0"/><v>1</v></c>', "\x1a="),
        ('<c t="inlineStr"><is><r><t>样</t></r><r><t xml:space="preserve"> 例</t></r></is></c>', "样 例"),
        ('<c t="inlineStr"><is><t>样</t><rPh sb="0" eb="1"><t>ヨウ</t></rPh></is></c>', "样"),
        ('<c s="1"><v>46053</v></c>', "2026-01-31"),
        ('<c s="2"><v>46053</v></c>', "2026-01-31"),
        ('<c s="1"><v>46053.5</v></c>', "2026-01-31T12:00:00"),
        ('<c s="1"><v>0.5</v></c>', "12:00:00"),
        ('<c s="3"><v>1.5</v></c>', "1.5"),
        ('<c s="1"><v>1E+12</v></c>', "\x1a1E+12"),
        ('<c s="99"><v>5</v></c>', "5"),
        ('<c t="d"><v>2026-01-31</v></c>', "2026-01-31"),
        ('<c t="d"><v>2026-01-31T00:00:00</v></c>', "2026-01-31"),
        ('<c t="d"><v>2026-01-31T00:00:00Z</v></c>', "2026-01-31T00:00:00Z"),
        ('<c t="d"><v>2026-01-31T08:30:00+08:00</v></c>', "2026-01-31T08:30:00+08:00"),
        ('<c t="d"><v>2026-13-31T00:00:00</v></c>', "2026-13-31T00:00:00"),
    ],
)
def test_a_cell_says_what_it_holds(tmp_path: Path, cell: str, text: str) -> None:
    """Rounded numbers, times of day and zones (duty U18), formulas and errors stay what no column takes for a value."""
    assert rows_of(tmp_path / "t.xlsx", workbook(row(cell))) == [(2, [text, ""])]


def test_days_are_counted_from_1904_where_the_workbook_says_so(tmp_path: Path) -> None:
    """The same number is another day there."""
    made = parts(sheet(GOOD + row('<c s="1"><v>46053</v></c>')), properties='<workbookPr date1904="1"/>')
    assert rows_of(tmp_path / "t.xlsx", packed(made)) == [(2, ["2030-02-01", ""])]


def test_shared_strings_are_found_by_number(tmp_path: Path) -> None:
    """Reading aids are not part of them."""
    strings = "<si><t>样</t><rPh sb='0' eb='1'><t>ヨウ</t></rPh></si><si><r><t>例</t></r><r><t>二</t></r></si>"
    made = parts(sheet(GOOD + row('<c t="s"><v>1</v></c>', '<c t="s"><v>0</v></c>')), strings=strings)
    assert rows_of(tmp_path / "t.xlsx", packed(made)) == [(2, ["例二", "样"])]


def test_empty_rows_and_cells_at_the_end_are_cut_and_numbers_kept(tmp_path: Path) -> None:
    """Spreadsheets keep formatted empty cells; a sheet's own dimension (here A1) cuts nothing off."""
    rows = (
        '<row r="3"><c r="B3"><v>1</v></c><c r="C3" s="1"/><c r="XFD3" s="1"><v></v></c></row>',
        '<row r="5"><c r="A5"><v>2</v></c></row><row r="900000"><c r="A900000" s="1"/></row>',
    )
    assert rows_of(tmp_path / "t.xlsx", workbook(*rows)) == [(3, ["", "1"]), (5, ["2", ""])]


def test_one_sheet_has_content_and_it_need_not_be_the_first(tmp_path: Path) -> None:
    """Empty sheets are passed over, a chart has no cells."""
    made = parts(sheet(row('<c s="1"/>')), sheet(GOOD), relation=CHART.replace("rId2", "rId9"))
    made["xl/workbook.xml"] = made["xl/workbook.xml"].replace("</sheets>", '<sheet name="C" r:id="rId9"/></sheets>')
    assert rows_of(tmp_path / "t.xlsx", packed(made)) == []


@pytest.mark.parametrize(
    ("content", "fault", "arguments"),
    [
        (packed(parts(sheet(GOOD), sheet(GOOD))), Fault.MORE_SHEETS, {"sheets": 2}),
        (packed(parts(sheet(""))), Fault.NO_HEADER, {}),
        (packed(parts()), Fault.NO_HEADER, {}),
        (packed(parts(sheet('<row r="2"><c><v>1</v></c></row>'))), Fault.NO_HEADER, {}),
        (packed(parts(sheet(row('<c r="B1"><v>1</v></c>')))), Fault.EMPTY_COLUMN, {"position": 1}),
        (packed(parts(sheet(row("<c><v>1</v></c><c><v>1</v></c>")))), Fault.DUPLICATE_COLUMN, {"position": 2}),
        (workbook(row("<c><v>1</v></c>" * 3)), Fault.WRONG_WIDTH, {"row": 2, "cells": 3, "columns": 2}),
        (workbook(row('<c r="GS2"><v>1</v></c>')), Fault.TOO_MANY_COLUMNS, {"row": 2, "columns": 200}),
        (workbook('<row r="1"/>'), Fault.NOT_XLSX, {"row": 1}),
        (workbook('<row r="99999999"/>'), Fault.TOO_LARGE, {"rows": 1 << 20}),
        (workbook(row('<c r="B2"/><c r="A2"/>')), Fault.NOT_XLSX, {"row": 2}),
        (workbook(row('<c r="A9"/>')), Fault.NOT_XLSX, {"row": 2}),
        (workbook(row('<c t="s"><v>0</v></c>')), Fault.NOT_XLSX, {"row": 2}),
        (workbook(row('<c t="s"><v>-1</v></c>')), Fault.NOT_XLSX, {"row": 2}),
        (workbook(row("<c><v>nan</v></c>")), Fault.NOT_XLSX, {"row": 2}),
        (workbook(row("<c><v>一</v></c>")), Fault.NOT_XLSX, {"row": 2}),
    ],
)
def test_a_sheet_that_cannot_be_trusted_is_refused(
    tmp_path: Path, content: bytes, fault: Fault, arguments: dict[str, object]
) -> None:
    """The fault names the place, never what stands there."""
    with pytest.raises(FileRefused) as caught:
        rows_of(tmp_path / "t.xlsx", content)
    assert (caught.value.fault, dict(caught.value.arguments)) == (fault, arguments)
