"""Opens a CSV file of a feed, strictly: UTF-8 with or without a mark, one header, every row as wide as it.

A file that breaks this is refused as a whole: its columns cannot be trusted to mean what they say. Which rows are
good, the families decide.
"""

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import BinaryIO

from gateway.errors import GatewayError

_CHUNK = 1 << 20
COLUMNS = 200


class Fault(Enum):
    """Why a whole file was refused."""

    UNREADABLE = "UNREADABLE"
    NO_HEADER = "NO_HEADER"
    NOT_UTF8 = "NOT_UTF8"
    NOT_CSV = "NOT_CSV"
    MISSING_COLUMN = "MISSING_COLUMN"
    UNKNOWN_COLUMN = "UNKNOWN_COLUMN"
    DUPLICATE_COLUMN = "DUPLICATE_COLUMN"
    WRONG_WIDTH = "WRONG_WIDTH"
    WITHDRAWS_TOO_MUCH = "WITHDRAWS_TOO_MUCH"
    NO_FAMILY = "NO_FAMILY"
    NO_FEED = "NO_FEED"
    FUTURE_DATA_THROUGH = "FUTURE_DATA_THROUGH"


class FileRefused(GatewayError):
    """A file is refused and nothing of it was loaded; `arguments` say where, never what stood there."""

    def __init__(self, fault: Fault, **arguments: object) -> None:
        """Keep the fault and where it is."""
        named = "".join(f" {name}={value}" for name, value in arguments.items())
        super().__init__(fault.value + named)
        self.fault = fault
        self.arguments: Mapping[str, object] = arguments


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The columns of a family of files: those that must be there and all that may be."""

    needed: frozenset[str]
    known: frozenset[str]


class Sheet:
    """An open file: its digest, its header, and its rows once."""

    def __init__(self, file: BinaryIO, columns: Columns) -> None:
        """Read the digest and the header.

        Raises:
            FileRefused: for a header that does not fit the family.
        """
        self.digest = _digest(file)
        text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="strict", newline="")
        self._rows = csv.reader(text, strict=True)
        self.header = _header(next(self._read(1), (1, []))[1], columns)

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Give each row with its number; the header is row 1, empty lines count and are passed over.

        Raises:
            FileRefused: for a row of another width, and for what is no CSV or no UTF-8.
        """
        width = len(self.header)
        for number, row in self._read(2):
            if len(row) != width:
                if row:
                    raise FileRefused(Fault.WRONG_WIDTH, row=number, cells=len(row), columns=width)
                continue
            yield number, row

    def _read(self, first: int) -> Iterator[tuple[int, list[str]]]:
        number = first
        try:
            for row in self._rows:
                yield number, row
                number += 1
        except UnicodeDecodeError:
            raise FileRefused(Fault.NOT_UTF8, row=number) from None
        except csv.Error:
            # Its text may quote the file.
            raise FileRefused(Fault.NOT_CSV, row=number) from None


def open_file(path: Path) -> BinaryIO:
    """Open a file for reading.

    Raises:
        FileRefused: when it cannot be opened.
    """
    try:
        return path.open("rb")
    except OSError as error:
        raise FileRefused(Fault.UNREADABLE, cause=error.strerror or type(error).__name__) from None


def _digest(file: BinaryIO) -> bytes:
    state = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        state.update(chunk)
    file.seek(0)
    return state.digest()


def _header(names: list[str], columns: Columns) -> tuple[str, ...]:
    """Check the header. A file without one has records there: positions are named, not contents."""
    if not names:
        raise FileRefused(Fault.NO_HEADER)
    for place, name in enumerate(names[:COLUMNS], start=1):
        if name not in columns.known:
            raise FileRefused(Fault.UNKNOWN_COLUMN, position=place)
        if name in names[: place - 1]:
            raise FileRefused(Fault.DUPLICATE_COLUMN, column=name, position=place)
    missing = sorted(columns.needed.difference(names))
    if missing:
        raise FileRefused(Fault.MISSING_COLUMN, column=", ".join(missing))
    return tuple(names)
