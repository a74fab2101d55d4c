"""Tables as people have them: what is written is read again, in each encoding, and what is refused names its place."""

import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from workbooks import packed, parts, workbook

from nodes.cli.ingest import _files
from nodes.files import FileLimits, FileRefused, defused, open_table, open_writer

ANY_CELL = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff"), max_size=20)
ROWS = st.lists(st.tuples(ANY_CELL, ANY_CELL), max_size=6)
WRITTEN = [("t.csv", "utf-8", "utf-8"), ("t.csv", "utf-8-sig", "utf-8"), ("t.csv", "gb18030", "gb18030")]
slow = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)


def read(path: Path, limits: FileLimits | None = None) -> tuple[str, list[tuple[int, list[str]]]]:
    """The encoding of a table and its rows."""
    with open_table(path, limits=limits or FileLimits()) as table:
        assert table.digest == hashlib.sha256(path.read_bytes()).digest()
        return table.encoding, [(1, list(table.header)), *table.rows()]


def write(path: Path, rows: Sequence[Sequence[str]], encoding: str = "utf-8") -> None:
    """A file of rows under the columns a and b."""
    with open_writer(path, ("a", "b"), encoding=encoding, defuse=False) as writer:
        for row in rows:
            writer.write(row)


@slow
@given(rows=ROWS)
@pytest.mark.parametrize(("name", "encoding", "found"), WRITTEN)
def test_what_is_written_as_csv_is_read_again(
    tmp_path: Path, name: str, encoding: str, found: str, rows: list[tuple[str, str]]
) -> None:
    """Any printable cell survives, with quotes, commas and full-width characters; GB18030 is found from the bytes."""
    rows = [*rows, ("上海市市场监督管理局", "行政处罚")]
    write(tmp_path / name, rows, encoding)
    got, ((_, header), *told) = read(tmp_path / name)
    assert (got, header) == (found, ["a", "b"])
    assert told == [(number, list(row)) for number, row in enumerate(rows, start=2)]


@slow
@given(rows=ROWS)
def test_what_is_written_as_a_workbook_is_read_again(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    """Cells stay text: codes, dates and what looks like a formula or an error come back as they were."""
    rows = [*rows, ("=1+1", "#N/A"), ("00123", "2026-01-31"), ("_x000D_", "91310000XX0000001X")]
    write(tmp_path / "t.xlsx", rows)
    encoding, told = read(tmp_path / "t.xlsx")
    assert encoding == "xlsx"
    assert told[1:] == [(number, list(row)) for number, row in enumerate(rows, start=2) if any(row)]


@given(cell=st.one_of(st.text(), st.builds("".join, st.tuples(st.sampled_from("=+-@\t\r＝＋－＠'"), st.text()))))
def test_a_defused_cell_never_begins_like_a_formula(cell: str) -> None:
    """No spreadsheet runs it, nothing is lost, and defusing it again changes nothing."""
    safe = defused(cell)
    assert not safe.startswith(tuple("=+-@\t\r＝＋－＠"))
    assert safe in {cell, f"'{cell}"}
    assert defused(safe) == safe


@pytest.mark.parametrize("name", ["out.csv", "out.xlsx"])
def test_a_written_file_is_safe_and_its_owners_alone(tmp_path: Path, name: str) -> None:
    """Formulas are defused unless told otherwise, and nobody else may read the file."""
    path = tmp_path / name
    with open_writer(path, ("a", "b")) as writer:
        writer.write(["=HYPERLINK(1)", "＠b"])
    assert read(path)[1][1] == (2, ["'=HYPERLINK(1)", "'＠b"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["out.csv", "out.xlsx"])
def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, name: str) -> None:
    """What stood there before stays, and no half of the new one is left beside it."""
    path = tmp_path / name
    path.write_text("before")

    def half() -> None:
        with open_writer(path, ("a", "b")) as writer:
            writer.write(["1", "2"])
            writer.write(["1"])

    with pytest.raises(ValueError, match="a row of 1 cells under 2 columns"):
        half()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_writer_knows_two_formats_and_cuts_nothing(tmp_path: Path) -> None:
    """A cell that a workbook cannot hold is refused, not cut off; another name's end is a mistake."""
    with pytest.raises(FileRefused, match="CELL_TOO_LONG"):
        write(tmp_path / "t.xlsx", [("x" * 32_768, "")])
    with pytest.raises(ValueError, match=r"\.csv or \.xlsx"):
        write(tmp_path / "t.ods", [])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_stands_for_its_tables(tmp_path: Path) -> None:
    """Both formats are loaded, in the order of their names; nothing else that lies there is."""
    for name in ("b.csv", "a.XLSX", "feeds.json", "c.csv.part"):
        (tmp_path / name).touch()
    assert [path.name for path in _files((tmp_path, tmp_path / "x"))] == ["a.XLSX", "b.csv", "x"]


def test_rows_keep_the_numbers_of_the_file(tmp_path: Path) -> None:
    """Empty lines are passed over and counted; a row across lines is one row."""
    path = tmp_path / "t.csv"
    path.write_bytes(b'a,b\r\n1,2\r\n\r\n"3\n",4\n')
    assert read(path)[1] == [(1, ["a", "b"]), (2, ["1", "2"]), (4, ["3\n", "4"])]


def test_lines_may_end_in_any_way(tmp_path: Path) -> None:
    """Old tools end lines with a carriage return alone: a long file of such lines is no endless line."""
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\r" + b"1,2\r" * 5_000)
    assert len(read(path, FileLimits(line_characters=100))[1]) == 5_001


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_only_a_regular_file_is_read(tmp_path: Path, make: object) -> None:
    """A pipe in a file's place does not keep the reader waiting."""
    assert callable(make)
    make(tmp_path / "t.csv")
    with pytest.raises(FileRefused, match="UNREADABLE"):
        read(tmp_path / "t.csv")


@slow
@given(content=st.one_of(st.binary(max_size=300), st.text(max_size=100).map(str.encode)))
@pytest.mark.parametrize("name", ["t.csv", "t.xlsx"])
def test_any_bytes_are_read_or_refused(tmp_path: Path, name: str, content: bytes) -> None:
    """Nothing but a table or a refusal comes of any file."""
    _read_or_refused(tmp_path / name, content)


@slow
@given(data=st.data())
def test_a_damaged_workbook_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    """Bytes of a package that were changed or cut off raise nothing else either."""
    good = bytearray(workbook("<row><c><v>1</v></c></row>"))
    for place, byte in data.draw(st.lists(st.tuples(st.integers(0, len(good) - 1), st.integers(0, 255)), max_size=4)):
        good[place] = byte
    _read_or_refused(tmp_path / "t.xlsx", bytes(good[: data.draw(st.integers(0, len(good)))]))


@slow
@given(
    part=st.sampled_from(sorted(parts(""))),
    junk=st.text("<>/\"'=cvrtsi!x:&;1 ", max_size=40),
    place=st.integers(0, 900),
)
def test_damaged_markup_is_read_or_refused(tmp_path: Path, part: str, junk: str, place: int) -> None:
    """Markup with anything in the midst of it raises nothing else either."""
    made = parts("<worksheet><sheetData><row r='1'><c r='A1' t='s' s='1'><v>0</v></c></row></sheetData></worksheet>")
    made[part] = made[part][:place] + junk + made[part][place:]
    _read_or_refused(tmp_path / "t.xlsx", packed(made))


def _read_or_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        _, rows = read(path)
    except FileRefused:
        return
    assert {len(row) for _, row in rows} == {len(rows[0][1])}
