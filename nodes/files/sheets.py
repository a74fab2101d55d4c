"""The rows of one worksheet: cells with content only, wherever the sheet says they stand."""

import re
from collections.abc import Iterator, Sequence
from typing import IO, final

from nodes.files.cells import UNSURE, Look, said, unescaped
from nodes.files.faults import Fault, FileRefused
from nodes.files.limits import FileLimits
from nodes.files.markup import Markup

_PLACE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")
_TEXTS = frozenset({"v", "f", "t"})


@final
class Sheet:
    """Collects the rows of a worksheet while its markup is read."""

    def __init__(self, strings: Sequence[str], look: Look, limits: FileLimits) -> None:
        """Prepare, with the workbook's strings and styles."""
        self._strings, self._look, self._limits = strings, look, limits
        self._done: list[tuple[int, list[str]]] = []
        self._number = self._column = 0
        self._row: list[str] = []
        self._kind, self._style = "n", 0
        self._texts: dict[str, list[str]] = {}
        self._into: list[str] | None = None
        self._aside = False
        self._length = 0

    def rows(self, stream: IO[bytes]) -> Iterator[tuple[int, list[str]]]:
        """Give each row that has content, with its number, without the empty cells at its end.

        Raises:
            FileRefused: for broken or too large markup.
        """
        markup = Markup(start=self._start, end=self._end, text=self._said, most=self._limits.line_characters)
        for _ in markup.read(stream):
            yield from self._done
            self._done.clear()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._into = None
        if name in _TEXTS and not self._aside:
            self._into = self._texts.setdefault(name, [])
        elif name == "c":
            self._begin_cell(attributes)
        elif name == "row":
            self._begin_row(attributes.get("r", ""))
        elif name == "rPh":
            self._aside = True

    def _end(self, name: str) -> None:
        self._into = None
        if name == "c":
            self._end_cell()
        elif name == "row":
            if self._row:
                self._done.append((self._number, self._row))
            self._row = []
        elif name == "rPh":
            self._aside = False

    def _said(self, text: str) -> None:
        if self._into is not None:
            self._length += len(text)
            if self._length > self._limits.cell_characters:
                raise FileRefused(Fault.CELL_TOO_LONG, row=self._number, characters=self._limits.cell_characters)
            self._into.append(text)

    def _begin_row(self, said_number: str) -> None:
        number = int(said_number) if said_number.isdecimal() else self._number + 1
        if number <= self._number:
            raise FileRefused(Fault.NOT_XLSX, row=self._number)
        if number > self._limits.rows:
            raise FileRefused(Fault.TOO_LARGE, rows=self._limits.rows)
        self._number, self._column, self._row = number, 0, []

    def _begin_cell(self, attributes: dict[str, str]) -> None:
        place = _PLACE.fullmatch(attributes["r"]) if "r" in attributes else None
        column = _column(place[1]) if place else self._column + 1
        if column <= self._column or (place and int(place[2]) != self._number):
            raise FileRefused(Fault.NOT_XLSX, row=self._number)
        self._column = column
        self._kind, style = attributes.get("t", "n"), attributes.get("s", "0")
        self._style = int(style) if style.isdecimal() else 0
        self._texts, self._length = {}, 0

    def _end_cell(self) -> None:
        try:
            text = self._cell()
        except (LookupError, ValueError):
            raise FileRefused(Fault.NOT_XLSX, row=self._number) from None
        if not text:
            return
        if self._column > self._limits.columns:
            raise FileRefused(Fault.TOO_MANY_COLUMNS, row=self._number, columns=self._limits.columns)
        self._row.extend([""] * (self._column - 1 - len(self._row)))
        self._row.append(text)

    def _cell(self) -> str:
        if "f" in self._texts:  # a formula is given as such: what it came to is not known to be true
            return f"{UNSURE}={''.join(self._texts['f'])}"
        if self._kind == "inlineStr":
            return unescaped("".join(self._texts.get("t", ())))
        value = "".join(self._texts.get("v", ()))
        return said(self._kind, self._style, value, self._strings, self._look) if value else ""


def _column(letters: str) -> int:
    number = 0
    for each in letters:
        number = number * 26 + ord(each) - ord("A") + 1
    return number
