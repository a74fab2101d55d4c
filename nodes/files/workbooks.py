"""XLSX: one sheet with content, read row by row.

A sheet's own word on how large it is (`dimension`) is never believed, nor are rows or cells made that are not there.
Merged cells are not read as such: their value stands in the first of them and the others are empty.
"""

import hashlib
import posixpath
from collections.abc import Iterator
from typing import BinaryIO, final

from nodes.files.cells import Look, local, unescaped
from nodes.files.faults import Fault, FileRefused
from nodes.files.limits import FileLimits
from nodes.files.markup import Markup
from nodes.files.packages import Package, whole
from nodes.files.sheets import Sheet

_CHUNK = 1 << 20
_WORKBOOK = "xl/workbook.xml"
_STYLES, _STRINGS, _SHEET = "/styles", "/sharedStrings", "/worksheet"


@final
class Workbook:
    """A workbook whose package, plan and styles were read; its strings are read with its rows."""

    encoding = "xlsx"

    def __init__(self, file: BinaryIO, limits: FileLimits) -> None:
        """Read everything but cells.

        Raises:
            FileRefused: for what is no workbook, or an unsafe or too large one.
        """
        self._limits = limits
        self.digest = _digest(file)
        self._package = Package(file, limits)
        self._plan = self._package.plan(_WORKBOOK)
        self._relations = self._related()
        self._look = self._looks()

    def header(self) -> list[str]:
        """Give the first row of the one sheet with content.

        Raises:
            FileRefused: for a second sheet with content, and for broken or too large markup.
        """
        strings = tuple(self._strings())
        full = [name for name in self._sheets() if next(self._cells(name, strings), None) is not None]
        if len(full) > 1:
            raise FileRefused(Fault.MORE_SHEETS, sheets=len(full))
        self._rows = self._cells(full[0], strings) if full else iter(())
        number, row = next(self._rows, (1, []))
        return row if number == 1 else []

    def rows(self, width: int) -> Iterator[tuple[int, list[str]]]:
        """Give the further rows: empty ones not at all, short ones as wide as the header.

        Raises:
            FileRefused: for a wider row, and for broken or too large markup.
        """
        for number, row in self._rows:
            if len(row) > width:
                raise FileRefused(Fault.WRONG_WIDTH, row=number, cells=len(row), columns=width)
            yield number, row + [""] * (width - len(row))

    def _cells(self, name: str, strings: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
        sheet = Sheet(strings, self._look, self._limits)
        with self._package.part(name) as stream:
            yield from sheet.rows(stream)

    def _sheets(self) -> Iterator[str]:
        """Give the parts of all worksheets, hidden ones too; a sheet that is a chart has no cells."""
        for each in self._plan.iter():
            if local(each.tag) == "sheet":
                ids = [value for name, value in each.attrib.items() if local(name) == "id"]
                kind, target = self._relations.get(ids[0] if ids else "", ("", ""))
                if kind.endswith(_SHEET):
                    yield target

    def _related(self) -> dict[str, tuple[str, str]]:
        """Give kind and target of the workbook's relations."""
        found = {}
        for each in self._package.plan("xl/_rels/workbook.xml.rels"):
            if each.get("TargetMode", "Internal") != "Internal":
                raise FileRefused(Fault.UNSAFE_XLSX, cause="external link")
            target = posixpath.normpath(posixpath.join("/xl", each.get("Target", ""))).lstrip("/")
            found[each.get("Id", "")] = each.get("Type", ""), target
        return found

    def _of_kind(self, kind: str) -> str | None:
        return next((target for each, target in self._relations.values() if each.endswith(kind)), None)

    def _looks(self) -> Look:
        """Give what number formats mean in this workbook."""
        since_1904 = any(
            each.get("date1904", "0") in {"1", "true"} for each in self._plan.iter() if local(each.tag) == "workbookPr"
        )
        name = self._of_kind(_STYLES)
        with whole():
            return Look.of(self._package.plan(name) if name else None, since_1904=since_1904)

    def _strings(self) -> Iterator[str]:
        """Give the strings that cells refer to.

        Raises:
            FileRefused: for too many, or too long ones.
        """
        name = self._of_kind(_STRINGS)
        if name is None:
            return
        strings = _Strings(self._limits)
        with self._package.part(name) as stream:
            for _ in strings.markup.read(stream):
                yield from strings.done
                strings.done.clear()


@final
class _Strings:
    """Collects shared strings: the texts of an item together, without their reading aids."""

    def __init__(self, limits: FileLimits) -> None:
        self.done: list[str] = []
        self.markup = Markup(start=self._start, end=self._end, text=self._said, most=limits.line_characters)
        self._limits = limits
        self._parts: list[str] = []
        self._inside = self._aside = False
        self._length = self._count = self._total = 0

    def _start(self, name: str, _: dict[str, str]) -> None:
        if name == "si":
            self._parts, self._length = [], 0
        elif name == "rPh":
            self._aside = True
        self._inside = name == "t" and not self._aside

    def _end(self, name: str) -> None:
        self._inside = False
        if name == "rPh":
            self._aside = False
        elif name == "si":
            self._count += 1
            self._total += self._length
            if self._count > self._limits.shared_strings or self._total > self._limits.shared_characters:
                raise FileRefused(Fault.TOO_LARGE, strings=self._limits.shared_strings)
            self.done.append(unescaped("".join(self._parts)))

    def _said(self, text: str) -> None:
        if self._inside:
            self._length += len(text)
            if self._length > self._limits.cell_characters:
                raise FileRefused(Fault.CELL_TOO_LONG, characters=self._limits.cell_characters)
            self._parts.append(text)


def _digest(file: BinaryIO) -> bytes:
    state = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        state.update(chunk)
    return state.digest()
