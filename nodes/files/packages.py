"""The package around a workbook: a ZIP file that is looked through before anything of it is unpacked (threat 17)."""

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO, final
from xml.etree.ElementTree import Element, ParseError
from xml.parsers.expat import ExpatError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from nodes.files.faults import Fault, FileRefused
from nodes.files.limits import FileLimits

_END = struct.Struct("<4s4H2LH")
_END_MARK, _END_64_MARK, _LOCATOR = b"PK\x05\x06", b"PK\x06\x07", 20
_DIRECTORY_BYTES = 1 << 20
_SMALL = 1 << 20  # a part that stays below it is no bomb, whatever its ratio
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_ACTIVE = re.compile(
    r"vbaproject|externallink|macrosheets|dialogsheets|activex|ctrlprops|embeddings|connections\.xml|querytable"
    r"|encryptedpackage|\.(?:zip|xls[xmb]?|docm?x?|7z|rar|gz|exe|dll|js|vbs)$",
    re.IGNORECASE,
)
"""Parts that run, fetch or unpack something when a person opens the file; a table needs none of them."""

_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
    OSError,  # a part said to begin before the file
    struct.error,
    ParseError,
    ExpatError,
)
"""What the readers of ZIP and XML raise for broken bytes."""


@contextmanager
def whole() -> Iterator[None]:
    """Turn what broken or hostile bytes raise into a refusal that quotes nothing of them.

    Raises:
        FileRefused: in place of an error of the ZIP or XML reader.
    """
    try:
        yield
    except DefusedXmlException:
        raise FileRefused(Fault.UNSAFE_XLSX, cause="document type") from None
    except _BROKEN:
        raise FileRefused(Fault.NOT_XLSX) from None


@final
class Package:
    """A looked-through package; a part is unpacked while it is read and never beyond the size it declares."""

    def __init__(self, file: BinaryIO, limits: FileLimits) -> None:
        """Read the list of parts.

        Raises:
            FileRefused: for what is no ZIP file, is too large, or holds what a table needs not.
        """
        self._limits = limits
        _check_end(file, limits.entries)
        with whole():
            self._zip = zipfile.ZipFile(file)
        parts = self._zip.infolist()
        if len(parts) > limits.entries:
            raise FileRefused(Fault.TOO_LARGE, entries=limits.entries)
        for part in parts:
            _check(part, limits)
        if sum(part.file_size for part in parts) > limits.all_bytes:
            raise FileRefused(Fault.TOO_LARGE, bytes=limits.all_bytes)
        if len({part.filename.lower() for part in parts}) != len(parts):
            raise FileRefused(Fault.NOT_XLSX)
        self._sizes = {part.filename: part.file_size for part in parts}

    def __contains__(self, name: str) -> bool:
        return name in self._sizes

    @contextmanager
    def part(self, name: str) -> Iterator[IO[bytes]]:
        """Open a part of markup.

        Raises:
            FileRefused: when it is not there, or not what the directory says.
        """
        with whole(), self._zip.open(name) as stream:
            yield stream

    def plan(self, name: str) -> Element:
        """Give a small part as a tree.

        Raises:
            FileRefused: when it is not there, not small, broken, or declares a document type.
        """
        if self._sizes.get(name, 0) > self._limits.plan_bytes:
            raise FileRefused(Fault.TOO_LARGE, bytes=self._limits.plan_bytes)
        with self.part(name) as stream:
            return fromstring(stream.read(), forbid_dtd=True)


def _check_end(file: BinaryIO, most: int) -> None:
    """Check the size of the directory before it is read, as its reader takes it in whole.

    A package of more than 4 GB or 65,535 parts would say so in a second record; no workbook needs it.
    """
    size = file.seek(0, 2)
    file.seek(max(0, size - _END.size - _LOCATOR - 0xFFFF))
    tail = file.read()
    at = tail.rfind(_END_MARK)
    if at < 0 or len(tail) - at < _END.size or tail[max(0, at - _LOCATOR) :].startswith(_END_64_MARK):
        raise FileRefused(Fault.NOT_XLSX)
    _, _, _, _, entries, directory, _, _ = _END.unpack_from(tail, at)
    if entries > most or directory > _DIRECTORY_BYTES:
        raise FileRefused(Fault.TOO_LARGE, entries=most)
    file.seek(0)


def _check(part: zipfile.ZipInfo, limits: FileLimits) -> None:
    name = part.filename
    if part.flag_bits & _ENCRYPTED or _ACTIVE.search(name):
        raise FileRefused(Fault.UNSAFE_XLSX, cause="encrypted" if part.flag_bits & _ENCRYPTED else "active part")
    if name.startswith("/") or "\\" in name or ":" in name or ".." in name.split("/"):
        raise FileRefused(Fault.UNSAFE_XLSX, cause="path")
    if part.compress_type not in _METHODS:
        raise FileRefused(Fault.NOT_XLSX)
    bomb = part.file_size > _SMALL and part.file_size > limits.ratio * max(1, part.compress_size)
    if bomb or part.file_size > limits.part_bytes:
        raise FileRefused(Fault.TOO_LARGE, bytes=limits.part_bytes)
