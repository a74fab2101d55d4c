"""A whole snapshot as one file: a plain ustar archive (POSIX.1-1988) of exactly one form for given files.

Read by hand, not with tarfile: links, devices, extensions and names that lead outside do not exist here.
"""

import io
import re
import tarfile
from collections.abc import Mapping

from keys.errors import BundleMalformed

SIZE_LIMIT = 64 * 1024 * 1024
FILE_LIMIT = 8 * 1024 * 1024
COUNT_LIMIT = 10_000

_BLOCK = 512
_NAME_AT, _SIZE_AT, _PREFIX_AT = slice(0, 100), slice(124, 135), slice(345, 500)
_END = bytes(2 * _BLOCK)
_NAME = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]*/)*[A-Za-z0-9][A-Za-z0-9._-]*")


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return the archive of the files, by name in order.

    Raises BundleMalformed for a name that ustar cannot hold, or beyond the limits that `unpack` has.
    """
    out = io.BytesIO()
    for name in sorted(files):
        content = files[name]
        out.write(_header(name, len(content)))
        out.write(content)
        out.write(bytes(-len(content) % _BLOCK))
    out.write(_END)
    packed = out.getvalue()
    _check(len(packed) <= SIZE_LIMIT and len(files) <= COUNT_LIMIT, "is too large")
    return packed


def unpack(packed: bytes) -> Mapping[str, bytes]:
    """Return the files of an archive that `pack` made.

    Raises BundleMalformed for any other bytes, beyond 64 MiB, 8 MiB a file or 10,000 files.
    """
    _check(len(packed) <= SIZE_LIMIT, "is too large")
    files: dict[str, bytes] = {}
    at, last = 0, ""
    while packed[at : at + _BLOCK] != bytes(_BLOCK):
        _check(len(files) < COUNT_LIMIT, "holds too many files")
        name, size = _entry(packed[at : at + _BLOCK])
        _check(name > last, "does not name each file once, in order")
        start, end = at + _BLOCK, at + _BLOCK + size
        at = end + -size % _BLOCK
        _check(at <= len(packed) and not any(packed[end:at]), "ends within a file")
        files[name], last = packed[start:end], name
    _check(packed[at:] == _END, "does not end where it should")
    return files


def _entry(header: bytes) -> tuple[str, int]:
    """Read a header by writing it again: what differs in any byte is refused."""
    try:
        prefix, name = (header[at].rstrip(b"\0").decode("ascii") for at in (_PREFIX_AT, _NAME_AT))
        size = int(header[_SIZE_AT].decode("ascii"), 8)
    except ValueError:
        prefix, name, size = "", "", -1
    name = f"{prefix}/{name}" if prefix else name
    _check(0 <= size <= FILE_LIMIT and _header(name, size) == header, "has a header of another form")
    return name, size


def _header(name: str, size: int) -> bytes:
    _check(_NAME.fullmatch(name) is not None and size <= FILE_LIMIT, "has a name or a size out of bounds")
    entry = tarfile.TarInfo(name)
    entry.size = size
    try:
        return entry.tobuf(tarfile.USTAR_FORMAT)
    except ValueError:
        raise BundleMalformed("a file of the bundle has too long a name; give the agreement a shorter id") from None


def _check(holds: bool, problem: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise BundleMalformed(f"the bundle's archive {problem}; fetch it again from another mirror")
