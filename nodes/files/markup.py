"""Reads a large part of a workbook piece by piece: nothing but the cell or string that is being read is kept."""

from collections.abc import Callable, Iterator
from typing import IO, final
from xml.parsers.expat import ParserCreate

from nodes.files.faults import Fault, FileRefused
from nodes.files.packages import whole

_CHUNK = 1 << 16
_DEEP = 32  # the deepest cell lies eight levels down


@final
class Markup:
    """Calls back for the starts, ends and texts of elements, by their local names."""

    def __init__(
        self,
        *,
        start: Callable[[str, dict[str, str]], None],
        end: Callable[[str], None],
        text: Callable[[str], None],
        most: int,
    ) -> None:
        """Prepare; `most` bytes of markup may pass without a start, an end or a text."""
        self._start, self._end, self._text, self._most = start, end, text, most
        self._events = self._depth = 0
        parser = ParserCreate("utf-8", " ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse
        parser.StartElementHandler = self._begun
        parser.EndElementHandler = self._ended
        parser.CharacterDataHandler = self._said
        self._parser = parser

    def read(self, stream: IO[bytes]) -> Iterator[None]:
        """Read to the end, pausing after each piece.

        Raises:
            FileRefused: for broken or endless markup.
        """
        quiet = 0
        chunk = b" "
        while chunk:
            with whole():
                chunk = stream.read(_CHUNK)
                before = self._events
                self._parser.Parse(chunk, not chunk)
            quiet = quiet + len(chunk) if self._events == before else 0
            if quiet > self._most:
                raise FileRefused(Fault.TOO_LARGE, bytes=self._most)
            yield

    def _begun(self, name: str, attributes: dict[str, str]) -> None:
        self._events += 1
        self._depth += 1
        if self._depth > _DEEP:
            raise FileRefused(Fault.NOT_XLSX)
        self._start(name.rpartition(" ")[2], attributes)

    def _ended(self, name: str) -> None:
        self._depth -= 1
        self._end(name.rpartition(" ")[2])

    def _said(self, text: str) -> None:
        self._events += 1
        self._text(text)


def _refuse(*_: object) -> None:
    raise FileRefused(Fault.UNSAFE_XLSX, cause="document type")
