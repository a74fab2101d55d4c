"""CSV: one pass for the digest and the encoding, a second for the rows, neither of which keeps the file in memory."""

import codecs
import csv
import hashlib
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import BinaryIO, final

from nodes.files.faults import Fault, FileRefused
from nodes.files.limits import FileLimits

UTF_8, GB18030 = "utf-8", "gb18030"

_CHUNK = 1 << 16
_BLOCK = 1 << 13  # characters: small enough to be used again and again by the allocator
_MOST_BYTES = 4  # of a character, in both encodings
_CJK = re.compile("[\u3000-\u9fff\uff00-\uffef]")
_BROKEN = re.compile("[\udc80-\udcff]")  # what "surrogateescape" puts for a byte that fits nowhere
_DAMAGE = 4
"""A file is damaged UTF-8, not GB18030, when it has one CJK character of UTF-8 for at most so many bytes that do not
fit. Chinese text in GB18030 looks by chance like one for about a hundred."""


@final
class Text:
    """A CSV file whose encoding is known from all its bytes."""

    def __init__(self, file: BinaryIO, limits: FileLimits) -> None:
        """Read the whole file, twice when it is not UTF-8.

        Raises:
            FileRefused: for what is no text, in neither encoding or in a mixture, and for an endless line.
        """
        self._most = limits.line_characters
        survey = _Survey(file, self._most * _MOST_BYTES)
        survey.run()
        self.digest = survey.digest.digest()
        self.encoding = GB18030 if survey.broken_at is not None else UTF_8
        if self.encoding == GB18030:
            _prove_gb18030(file)
        file.seek(0)
        codec = "utf-8-sig" if self.encoding == UTF_8 else self.encoding
        self._text = io.TextIOWrapper(file, encoding=codec, errors="strict", newline="")
        self._rows = csv.reader(chain.from_iterable(self._blocks()), strict=True)
        self._number = 0  # of the row that was read last

    def header(self) -> list[str]:
        """Give the first row; raises as `rows` does."""
        with self._placed():
            found = next(self._rows, [])
            self._number = 1
            return found

    def rows(self, width: int) -> Iterator[tuple[int, list[str]]]:
        """Give every further row with its number; an empty line counts and is passed over.

        Raises:
            FileRefused: for what is no CSV, a row of another width, and one beyond its bound.
        """
        with self._placed():
            for row in self._rows:
                self._number += 1
                if len(row) == width:
                    yield self._number, row
                elif row:
                    raise FileRefused(Fault.WRONG_WIDTH, row=self._number, cells=len(row), columns=width)

    def _blocks(self) -> Iterator[list[str]]:
        """Give lines by the block, so that none is handled alone."""
        waiting, before = 0, -1
        while block := self._text.readlines(_BLOCK):  # a line beyond the bound ends its block
            waiting = waiting + 1 if self._number == before else 0  # an open quote takes in block after block
            if waiting * _BLOCK > self._most or len(block[-1]) > self._most:
                raise FileRefused(Fault.LINE_TOO_LONG, row=self._number + 1, characters=self._most)
            before = self._number
            yield block

    @contextmanager
    def _placed(self) -> Iterator[None]:
        """Name the row for what the readers raise, whose texts may quote the file."""
        try:
            yield
        except UnicodeDecodeError:  # the file was changed after it was surveyed
            raise FileRefused(Fault.NOT_TEXT, row=self._number + 1) from None
        except csv.Error as error:
            if "field limit" in str(error):
                limit = csv.field_size_limit()
                raise FileRefused(Fault.CELL_TOO_LONG, row=self._number + 1, characters=limit) from None
            raise FileRefused(Fault.NOT_CSV, row=self._number + 1) from None


@final
class _Survey:
    """What a file's bytes are, chunk by chunk: their digest, the length of lines, and whether they are UTF-8."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self.digest = hashlib.sha256()
        self.broken_at: int | None = None
        """The first byte that is no UTF-8."""
        self._file, self._most = file, most
        self._read = self._line = 0  # bytes, since the file's start and since the last end of a line
        self._decoder = codecs.getincrementaldecoder(UTF_8)()
        self._cjk = self._broken = 0

    def run(self) -> None:
        """Read the file to its end."""
        marked = False
        while chunk := self._file.read(_CHUNK):
            marked |= not self._read and chunk.startswith(codecs.BOM_UTF8)
            self.digest.update(chunk)
            self._measure(chunk)
            self._decode(chunk)
            self._read += len(chunk)
        self._decode(b"", final=True)
        if self.broken_at is not None and (marked or self._cjk * _DAMAGE > self._broken):
            raise _no_text(self._file, self.broken_at)

    def _measure(self, chunk: bytes) -> None:
        """Refuse NUL, which is in no text, and a line that would not fit into memory."""
        nul = chunk.find(0)
        if nul >= 0:
            raise _no_text(self._file, self._read + nul)
        ends = [place for place in (chunk.find(b"\n"), chunk.find(b"\r")) if place >= 0]
        if self._line + min(ends, default=len(chunk)) > self._most:
            start = self._read - self._line
            raise FileRefused(Fault.LINE_TOO_LONG, line=_line_of(self._file, start), bytes=self._most)
        if ends:
            self._line = len(chunk) - 1 - max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
        else:
            self._line += len(chunk)

    def _decode(self, chunk: bytes, *, final: bool = False) -> None:
        pending = self._decoder.getstate()[0]
        if not pending and chunk.isascii():
            return
        try:
            text = self._decoder.decode(chunk, final)
        except UnicodeDecodeError as error:
            self.broken_at = self._read - len(pending) + error.start
            self._decoder = codecs.getincrementaldecoder(UTF_8)("surrogateescape")
            text = self._decoder.decode(pending + chunk, final)
        if self.broken_at is None:
            self._cjk += (len(chunk) - len(text)) // 2  # three bytes each: spares looking at every character
        else:
            self._cjk += len(_CJK.findall(text))
            self._broken += len(_BROKEN.findall(text))


def _prove_gb18030(file: BinaryIO) -> None:
    """Read the whole file strictly: a reader must not find out half-way, when it has acted on what came before."""
    decoder, read = codecs.getincrementaldecoder(GB18030)(), 0
    file.seek(0)
    chunk = b"\0"
    while chunk:
        chunk = file.read(_CHUNK)
        pending = decoder.getstate()[0]
        try:
            decoder.decode(chunk, not chunk)
        except UnicodeDecodeError as error:
            raise _no_text(file, read - len(pending) + error.start) from None
        read += len(chunk)


def _no_text(file: BinaryIO, offset: int) -> FileRefused:
    return FileRefused(Fault.NOT_TEXT, line=_line_of(file, offset))


def _line_of(file: BinaryIO, offset: int) -> int:
    """Give the number of the line on which a byte stands."""
    file.seek(0)
    line = 1
    while offset > 0 and (chunk := file.read(min(_CHUNK, offset))):
        line += chunk.count(b"\n")
        offset -= len(chunk)
    return line
