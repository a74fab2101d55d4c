"""Opens a table: what it is follows from its name's end, and nothing is guessed beyond that."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol, final

from nodes.files.faults import Fault, FileRefused
from nodes.files.limits import FileLimits
from nodes.files.texts import Text
from nodes.files.workbooks import Workbook

XLSX = ".xlsx"


class _Source(Protocol):
    """Where rows come from: a text or a workbook."""

    digest: bytes
    encoding: str

    def header(self) -> list[str]:
        """Give the first row, before all others."""
        ...

    def rows(self, width: int) -> Iterator[tuple[int, list[str]]]:
        """Give the rows after it that hold something, as wide as told, by their numbers."""
        ...


@final
class Table:
    """An open file: its digest, its encoding, its header, and its rows once."""

    def __init__(self, source: _Source, limits: FileLimits, file: BinaryIO) -> None:
        """Read the header.

        Raises:
            FileRefused: for a file without one, or one whose columns cannot be told apart.
        """
        self.digest = source.digest
        """SHA-256 of the file's bytes."""
        self.encoding = source.encoding
        """`utf-8`, `gb18030` or `xlsx`."""
        self.header = _header(source.header(), limits.columns)
        self._source = source
        self._file, self._bytes = file, os.fstat(file.fileno()).st_size

    def part(self) -> float:
        """Give the part of the file's bytes that was read, from 0 to 1; an estimate for a workbook."""
        return min(self._file.tell() / self._bytes, 1.0) if self._bytes else 1.0

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Give each row with its number; the header is row 1, empty rows count and are passed over.

        Raises:
            FileRefused: for a row of another width, and for whatever breaks the format further down.
        """
        return self._source.rows(len(self.header))


@contextmanager
def open_table(path: Path, *, limits: FileLimits = FileLimits()) -> Iterator[Table]:  # noqa: B008 - it is frozen
    """Open a table: `.xlsx` is a workbook, anything else CSV in UTF-8 (with or without a mark) or GB18030.

    Raises:
        FileRefused: when it cannot be read, or its header or its format cannot be trusted.
    """
    with _opened(path) as file:
        source: _Source = Workbook(file, limits) if path.suffix.lower() == XLSX else Text(file, limits)
        yield Table(source, limits, file)


def _opened(path: Path) -> BinaryIO:
    """Open a regular file; a pipe or device in its place would keep the reader waiting."""
    try:
        file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115 - given to a caller who closes it
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or type(error).__name__
        raise FileRefused(Fault.UNREADABLE, cause=cause) from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise FileRefused(Fault.UNREADABLE, cause="Not a regular file")
    return file


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def _header(names: list[str], most: int) -> tuple[str, ...]:
    """Check the header. A file without one has records there: positions are named, not contents."""
    if not names:
        raise FileRefused(Fault.NO_HEADER)
    if len(names) > most:
        raise FileRefused(Fault.TOO_MANY_COLUMNS, row=1, columns=most)
    for place, name in enumerate(names, start=1):
        if not name.strip("\ufeff \t\u3000"):
            raise FileRefused(Fault.EMPTY_COLUMN, position=place)
        if name in names[: place - 1]:
            raise FileRefused(Fault.DUPLICATE_COLUMN, position=place)
    return tuple(names)
