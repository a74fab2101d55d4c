"""Hostile files (threat 17): each is refused for what it is, in bounded memory, and before it can do anything."""

import io
import os
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from test_files import read
from workbooks import GOOD, HEAD, MAIN, packed, parts, row, sheet, workbook

from nodes.files import Fault, FileLimits, FileRefused

ROOT = Path(__file__).resolve().parent.parent
LIMITS = FileLimits(line_characters=1_000, cell_characters=500, entries=20, plan_bytes=10_000, shared_strings=9)
HAN = "上海市市场监督管理局行政处罚决定书"
BOOK = parts(sheet(GOOD))
CFB = bytes.fromhex("d0cf11e0a1b11ae1")  # how .xls and encrypted workbooks begin


def with_parts(**more: str | bytes) -> bytes:
    """The good workbook with further or other parts; __ stands for a slash."""
    return packed({**BOOK, **{name.replace("__", "/"): each for name, each in more.items()}})


def named(name: str) -> bytes:
    """The good workbook with a part of a name."""
    return packed({**BOOK, name: b"x"})


def in_sheet(text: str | bytes) -> bytes:
    """A workbook whose sheet is this text."""
    return packed({**BOOK, "xl/worksheets/sheet1.xml": text})


def encrypted() -> bytes:
    """A package whose directory says that its first part is encrypted."""
    content = bytearray(packed(BOOK))
    at = content.index(b"PK\x01\x02")
    content[at + 8] |= 1
    return bytes(content)


def wrong_checksum() -> bytes:
    """A package whose sheet is not what its directory sums up."""
    content = bytearray(packed(BOOK))
    at = content.rindex(b"PK\x01\x02", 0, content.rindex(b"xl/worksheets/sheet1.xml"))
    content[at + 16] ^= 1
    return bytes(content)


def overstated(field: int, value: int) -> bytes:
    """A package whose end tells another number of entries (10) or size of its directory (12)."""
    content = bytearray(packed(BOOK))
    struct.pack_into("<H" if field == 10 else "<L", content, content.rindex(b"PK\x05\x06") + field, value)
    return bytes(content)


def doubled() -> bytes:
    """A package with two parts of one name: readers differ in which they take."""
    file = io.BytesIO(packed(BOOK))
    with zipfile.ZipFile(file, "a") as package, pytest.warns(UserWarning, match="Duplicate name"):
        package.writestr("xl/worksheets/sheet1.xml", sheet(""))
    return file.getvalue()


def nested() -> bytes:
    """A package in a package in a package."""
    content = packed({"a.xml": b"0" * 1000})
    for _ in range(5):
        content = packed({"a.zip": content})
    return with_parts(a__zip=b"x", **{"x.zip": content})


def bomb(size: int) -> bytes:
    """A workbook whose sheet grows a thousandfold."""
    file = io.BytesIO(packed(parts()))
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as package, package.open("xl/b.xml", "w") as part:
        for _ in range(size >> 20):
            part.write(bytes(1 << 20))
    return file.getvalue()


ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
EXTERNAL = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
CELL = '<c t="inlineStr"><is><t>{}</t></is></c>'

HOSTILE: dict[str, tuple[str, bytes | Callable[[], bytes], Fault]] = {
    "empty": ("csv", b"", Fault.NO_HEADER),
    "only a mark": ("csv", b"\xef\xbb\xbf", Fault.NO_HEADER),
    "UTF-16": ("csv", "a,b\n1,2\n".encode("utf-16"), Fault.NOT_TEXT),
    "UTF-16 without NUL": ("csv", b"\xff\xfe" + "样例".encode("utf-16-le"), Fault.NOT_TEXT),
    "UTF-32": ("csv", "a,b\n".encode("utf-32"), Fault.NOT_TEXT),
    "Big5": ("csv", "a,b\n上海,處罰\n許可,\n".encode("big5") + b"\x80,\n", Fault.NOT_TEXT),
    "NUL in a cell": ("csv", b"a,b\n1,\x00\n", Fault.NOT_TEXT),
    "a picture": ("csv", b"\x89PNG\r\n\x1a\n" + os.urandom(64) + b"\x00", Fault.NOT_TEXT),
    "an old workbook named CSV": ("csv", CFB + bytes(512), Fault.NOT_TEXT),
    "a workbook named CSV": ("csv", packed(BOOK), Fault.NOT_TEXT),
    "UTF-8 with a cut character": ("csv", f"a,b\n{HAN},1\n".encode() + "样".encode()[:2] + b",2\n", Fault.NOT_TEXT),
    "UTF-8 cut at its end": ("csv", f"a,b\n1,{HAN}".encode()[:-1], Fault.NOT_TEXT),
    "UTF-8 and GB18030 mixed": (
        "csv",
        f"a,b\n{HAN},1\n".encode() + f"{HAN},2\n".encode("gb18030"),
        Fault.NOT_TEXT,
    ),
    "GB18030 under a mark of UTF-8": ("csv", b"\xef\xbb\xbf" + f"a,b\n{HAN},2\n".encode("gb18030"), Fault.NOT_TEXT),
    "GB18030 cut at its end": ("csv", f"a,b\n1,{HAN}".encode("gb18030")[:-1], Fault.NOT_TEXT),
    "an open quote": ("csv", b'a,b\n1,"2\n', Fault.NOT_CSV),
    "an endless quote": ("csv", b'a,b\n1,"' + b"x\n" * 50_000, Fault.LINE_TOO_LONG),
    "text after a quote": ("csv", b'a,b\n"1"x,2\n', Fault.NOT_CSV),
    "an endless row of quoted lines": ("csv", b"a,b\n" + b'"\n",' * 50_000, Fault.LINE_TOO_LONG),
    "a long line": ("csv", b"a,b\n" + b"1," * 600 + b"\n", Fault.LINE_TOO_LONG),
    "more columns than allowed": ("csv", b",".join(b"%d" % each for each in range(201)), Fault.TOO_MANY_COLUMNS),
    "a column without a name": ("csv", "a,\u3000\n".encode(), Fault.EMPTY_COLUMN),
    "a column twice": ("csv", b"a,b,a\n", Fault.DUPLICATE_COLUMN),
    "a short row": ("csv", b"a,b\n1\n", Fault.WRONG_WIDTH),
    "a long row": ("csv", b"a,b\n1,2,3\n", Fault.WRONG_WIDTH),
    "an empty first line": ("csv", b"\na,b\n", Fault.NO_HEADER),
    "CSV named workbook": ("xlsx", b"a,b\n1,2\n", Fault.NOT_XLSX),
    "an empty workbook file": ("xlsx", b"", Fault.NOT_XLSX),
    "an old or encrypted workbook": ("xlsx", CFB + bytes(512), Fault.NOT_XLSX),
    "another ZIP file": ("xlsx", packed({"a.txt": "x"}), Fault.NOT_XLSX),
    "truncated": ("xlsx", workbook()[:-100], Fault.NOT_XLSX),
    "torn in the midst": ("xlsx", workbook()[:200] + workbook()[300:], Fault.NOT_XLSX),
    "a wrong checksum": ("xlsx", wrong_checksum, Fault.NOT_XLSX),
    "an encrypted part": ("xlsx", encrypted, Fault.UNSAFE_XLSX),
    "two parts of one name": ("xlsx", doubled, Fault.NOT_XLSX),
    "an upward path": ("xlsx", named("xl/../../../etc/cron.d/x"), Fault.UNSAFE_XLSX),
    "an absolute path": ("xlsx", named("/etc/passwd.xml"), Fault.UNSAFE_XLSX),
    "a path of Windows": ("xlsx", named("C:x.xml"), Fault.UNSAFE_XLSX),
    "macros": ("xlsx", named("xl/vbaProject.bin"), Fault.UNSAFE_XLSX),
    "old macros": ("xlsx", named("xl/macrosheets/sheet1.xml"), Fault.UNSAFE_XLSX),
    "an external link": ("xlsx", named("xl/externalLinks/externalLink1.xml"), Fault.UNSAFE_XLSX),
    "a connection": ("xlsx", named("xl/connections.xml"), Fault.UNSAFE_XLSX),
    "an embedded object": ("xlsx", named("xl/embeddings/oleObject1.bin"), Fault.UNSAFE_XLSX),
    "a related address": (
        "xlsx",
        packed(parts(sheet(GOOD), relation='<Relationship Id="x" Target="http://x.invalid" TargetMode="External"/>')),
        Fault.UNSAFE_XLSX,
    ),
    "nested packages": ("xlsx", nested, Fault.UNSAFE_XLSX),
    "many parts": ("xlsx", packed({**BOOK, **{f"xl/{each}.xml": "" for each in range(30)}}), Fault.TOO_LARGE),
    "a directory said to be large": ("xlsx", lambda: overstated(12, 1 << 30), Fault.TOO_LARGE),
    "many parts said to be few": (
        "xlsx",
        lambda: packed({f"{each}.xml": "" for each in range(30)})[:-12] + overstated(10, 3)[-12:],
        Fault.NOT_XLSX,
    ),
    "a bomb": ("xlsx", lambda: bomb(64 << 20), Fault.TOO_LARGE),
    "entities in the sheet": ("xlsx", in_sheet(sheet(GOOD, head=ENTITIES)), Fault.UNSAFE_XLSX),
    "entities in the plan": ("xlsx", with_parts(**{"xl__workbook.xml": f"{ENTITIES}<x>&b;</x>"}), Fault.UNSAFE_XLSX),
    "an external entity": ("xlsx", in_sheet(sheet(GOOD, head=EXTERNAL)), Fault.UNSAFE_XLSX),
    "entities in the strings": (
        "xlsx",
        packed({**parts(sheet(GOOD), strings="<si/>"), "xl/sharedStrings.xml": f"{ENTITIES}<sst/>"}),
        Fault.UNSAFE_XLSX,
    ),
    "another character set": (
        "xlsx",
        in_sheet(sheet(GOOD.replace(">a<", ">样<"), head=HEAD.replace("UTF-8", "GB18030")).encode("gb18030")),
        Fault.NOT_XLSX,
    ),
    "entities in UTF-16": ("xlsx", in_sheet(sheet(GOOD, head=ENTITIES).encode("utf-16")), Fault.UNSAFE_XLSX),
    "a large plan": ("xlsx", with_parts(**{"xl__styles.xml": f"<x>{' ' * 20_000}</x>"}), Fault.TOO_LARGE),
    "deep markup": ("xlsx", in_sheet("<a>" * 1_000), Fault.NOT_XLSX),
    "an endless tag": ("xlsx", in_sheet(f'<a b="{os.urandom(200_000).hex()}'), Fault.TOO_LARGE),
    "markup that breaks off": ("xlsx", in_sheet(sheet(GOOD)[:-30]), Fault.NOT_XLSX),
    "a long cell in a sheet": ("xlsx", workbook(row(CELL.format("x" * 600))), Fault.CELL_TOO_LONG),
    "a long shared string": (
        "xlsx",
        packed(parts(sheet(GOOD), strings=f"<si><t>{'x' * 600}</t></si>")),
        Fault.CELL_TOO_LONG,
    ),
    "many shared strings": ("xlsx", packed(parts(sheet(GOOD), strings="<si/>" * 10)), Fault.TOO_LARGE),
    "a sheet that is not there": (
        "xlsx",
        packed({name: each for name, each in BOOK.items() if "sheet1" not in name}),
        Fault.NOT_XLSX,
    ),
    "a style that is no number": (
        "xlsx",
        with_parts(
            **{"xl__styles.xml": f'<styleSheet xmlns="{MAIN}"><cellXfs><xf numFmtId="x"/></cellXfs></styleSheet>'}
        ),
        Fault.NOT_XLSX,
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_refused_for_what_it_is(tmp_path: Path, case: str) -> None:
    """Nothing but the refusal comes of it, and it quotes nothing."""
    suffix, content, fault = HOSTILE[case]
    path = tmp_path / f"t.{suffix}"
    path.write_bytes(content() if callable(content) else content)
    with pytest.raises(FileRefused) as caught:
        read(path, LIMITS)
    assert caught.value.fault is fault
    assert HAN[:2] not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (f"a,b\n{HAN},1\n{HAN},2\n".encode() + b"\xe4\xb8,\n", 4),
        (f"a,b\n{HAN},1\n".encode("gb18030") + b"\xff\n", 3),
        (b"a,b\n" * 100_000 + b"\x00", 100_001),
        (f"a,b\n{'样' * 30_000}\n".encode() + b"\x80\n", 3),
    ],
)
def test_a_broken_text_names_the_line(tmp_path: Path, content: bytes, line: int) -> None:
    """Whoever must mend the file is told where it breaks."""
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(FileRefused) as caught:
        read(tmp_path / "t.csv")
    assert (caught.value.fault, dict(caught.value.arguments)) == (Fault.NOT_TEXT, {"line": line})


@pytest.mark.parametrize("cut", range(65_534, 65_538))
def test_a_character_may_stand_across_two_reads(tmp_path: Path, cut: int) -> None:
    """Where the reader's pieces end changes nothing, in both encodings."""
    for encoding in ("utf-8", "gb18030"):
        text = "a\n" + "x" * (cut - 6) + f"\n{HAN}\n"
        (tmp_path / "t.csv").write_bytes(text.encode(encoding))
        assert read(tmp_path / "t.csv")[1][-1] == (3, [HAN])


def test_a_cell_of_a_text_is_bounded(tmp_path: Path) -> None:
    """One that runs over many lines, too."""
    (tmp_path / "t.csv").write_bytes(b'a,b\n"' + b"x\n" * 70_000 + b'",\n')
    with pytest.raises(FileRefused, match="CELL_TOO_LONG row=2"):
        read(tmp_path / "t.csv")


@pytest.mark.parametrize("limits", [replace(LIMITS, all_bytes=2_000), replace(LIMITS, part_bytes=500)])
def test_the_unpacked_size_is_bounded_for_each_part_and_in_all(tmp_path: Path, limits: FileLimits) -> None:
    """A package that says more is refused before it is unpacked."""
    (tmp_path / "t.xlsx").write_bytes(workbook(*[row(CELL.format(each)) for each in range(40)]))
    assert len(read(tmp_path / "t.xlsx", LIMITS)[1]) == 41
    with pytest.raises(FileRefused, match="TOO_LARGE"):
        read(tmp_path / "t.xlsx", limits)


READER = """
import resource, sys
from pathlib import Path
from nodes.files import FileRefused, open_table
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    with open_table(Path(sys.argv[1])) as table:
        for _ in table.rows():
            pass
except FileRefused as refused:
    print(refused.fault.value, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2 << 30)


def _endless(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"a,b\n")
        for _ in range(64):
            file.write(b"x" * (1 << 20))


def _empty_rows(path: Path) -> None:
    path.write_bytes(packed(parts(sheet(GOOD + "<row/>" * 2_000_000)), zipfile.ZIP_STORED))


def _wide_row(path: Path) -> None:
    path.write_bytes(packed(parts(sheet(GOOD + "<row>" + "<x/>" * 4_000_000)), zipfile.ZIP_STORED))


def _bomb(path: Path) -> None:
    path.write_bytes(bomb(1 << 30))


@pytest.mark.parametrize(
    ("make", "name", "fault"),
    [
        (_sparse, "t.csv", Fault.NOT_TEXT),
        (_endless, "t.csv", Fault.LINE_TOO_LONG),
        (_bomb, "t.xlsx", Fault.TOO_LARGE),
        (_empty_rows, "t.xlsx", Fault.TOO_LARGE),
        (_wide_row, "t.xlsx", Fault.NOT_XLSX),
    ],
)
def test_a_huge_file_is_refused_in_little_memory(
    tmp_path: Path, make: Callable[[Path], None], name: str, fault: Fault
) -> None:
    """Two gigabytes on one line, a bomb, millions of empty elements: none of them takes 48 MB."""
    make(tmp_path / name)
    done = subprocess.run(
        [sys.executable, "-c", READER, str(tmp_path / name)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    (tmp_path / name).unlink()
    found, megabytes = done.stdout.split()
    assert (found, int(megabytes) < 48) == (fault.value, True), megabytes
