"""Writes a table, CSV or XLSX: whole or not at all, readable by its owner, and safe to open in a spreadsheet."""

import csv
import io
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Protocol, final

from openpyxl import Workbook
from openpyxl.cell.cell import Cell, WriteOnlyCell

from nodes.files.faults import Fault, FileRefused

_RUNS = tuple("=+-@\t\r＝＋－＠")
_MOST_OF_CELL = 32_767  # an XLSX cell; its writer would cut the rest off silently
_NO_XML = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_XLSX, _CSV = ".xlsx", ".csv"


def defused(cell: str) -> str:
    """Give a cell that no spreadsheet runs: one that begins like a formula gets an apostrophe before it."""
    return f"'{cell}" if cell.startswith(_RUNS) else cell


class _Sink(Protocol):
    def write(self, row: Sequence[str]) -> None:
        """Write one row."""
        ...

    def close(self) -> None:
        """Write what is left."""
        ...

    def abandon(self) -> None:
        """Drop what was not written."""
        ...


@final
class Writer:
    """Writes rows as wide as the header."""

    def __init__(self, sink: _Sink, header: Sequence[str], *, defuse: bool) -> None:
        """Write the header."""
        self._sink, self._width, self._defuse = sink, len(header), defuse
        self.write(header)

    def write(self, row: Sequence[str]) -> None:
        """Write one row.

        Raises:
            ValueError: for a row of another width, which no reader would take.
            FileRefused: for a cell that the format cannot hold.
        """
        if len(row) != self._width:
            raise ValueError(f"a row of {len(row)} cells under {self._width} columns")
        self._sink.write([defused(each) for each in row] if self._defuse else row)


@contextmanager
def open_writer(
    path: Path, header: Sequence[str], *, encoding: str = "utf-8-sig", defuse: bool = True
) -> Iterator[Writer]:
    """Write a `.csv` or `.xlsx` file that appears under its name when all is written, and not otherwise.

    `encoding` is that of a CSV file. `defuse` is for files that people open; one for `open_table` is written as is.

    Raises:
        ValueError: for a name with another end.
        OSError: when it cannot be written; what stood there before stays.
    """
    if path.suffix.lower() not in {_CSV, _XLSX}:
        raise ValueError("a table is written as .csv or .xlsx")
    number, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)  # mode 0600
    new = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            sink: _Sink = _XlsxSink(file) if path.suffix.lower() == _XLSX else _CsvSink(file, encoding)
            try:
                yield Writer(sink, header, defuse=defuse)
            except BaseException:
                sink.abandon()
                raise
            sink.close()
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            new.unlink()
        raise


@final
class _CsvSink:
    def __init__(self, file: IO[bytes], encoding: str) -> None:
        self._text = io.TextIOWrapper(file, encoding=encoding, newline="")
        self.write = csv.writer(self._text).writerow

    def close(self) -> None:
        self._text.detach()

    def abandon(self) -> None:
        with suppress(OSError):  # the disk may be full
            self._text.detach()


@final
class _XlsxSink:
    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._book = file, Workbook(write_only=True)
        self._sheet = self._book.create_sheet()

    def write(self, row: Sequence[str]) -> None:
        self._sheet.append([self._cell(each) for each in row])

    def close(self) -> None:
        self._book.save(self._file)

    def abandon(self) -> None:
        self._sheet.close()
        self._sheet._writer.cleanup()  # noqa: SLF001 - rows wait in a temporary file, which may not stay

    def _cell(self, text: str) -> Cell:
        text = _NO_XML.sub(lambda found: f"_x{ord(found[0]):04X}_", text)
        if len(text) > _MOST_OF_CELL:
            raise FileRefused(Fault.CELL_TOO_LONG, characters=_MOST_OF_CELL)
        cell = WriteOnlyCell(self._sheet, text)
        cell.data_type = "s"  # text, whatever it begins with
        return cell
