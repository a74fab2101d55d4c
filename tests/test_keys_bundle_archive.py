"""The archive of a bundle: one form for given files, and every other form refused in bounded work."""

import io
import tarfile
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.bundle import archive
from keys.errors import BundleMalformed

FILES = {"metadata/1.root.json": b"{}", "targets/a.x.json": b"x" * 513, "targets/b.y.json": b""}
PACKED = archive.pack(FILES)
BLOCK = 512
names = st.from_regex(r"[a-z0-9][a-z0-9.]{0,20}(/[a-z0-9][a-z0-9.]{0,20}){0,3}", fullmatch=True)


def entry(name: str = "a", content: bytes = b"", **changes: object) -> bytes:
    """Write one entry as tar does, with other members of its header."""
    found = tarfile.TarInfo(name)
    found.size = len(content)
    for member, value in changes.items():
        setattr(found, member, value)
    return found.tobuf(tarfile.USTAR_FORMAT) + content + bytes(-len(content) % BLOCK)


def by_tar(form: int) -> bytes:
    """Pack a file of a long name as the tar of that format does."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        tar.addfile(tarfile.TarInfo("n" * 200))
    return out.getvalue()


def spaced(packed: bytes) -> bytes:
    """Write the size with a space, as old tars do, under a right checksum."""
    header = bytearray(packed[:BLOCK])
    header[124:136] = b"00000000002 "
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + packed[BLOCK:]


END = bytes(2 * BLOCK)
HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "half a block": PACKED[:100],
    "no end": PACKED[: -2 * BLOCK],
    "half of the end": PACKED[:-BLOCK],
    "more after the end": PACKED + bytes(BLOCK),
    "cut within a file": PACKED[: 3 * BLOCK],
    "a file beyond the end": entry("a", b"xy")[:BLOCK] + END,
    "something after a file": entry("a", b"x")[:-1] + b"y" + END,
    "gzip": b"\x1f\x8b" + bytes(1022),
    "a link": entry("a", type=tarfile.SYMTYPE, linkname="/etc/passwd") + END,
    "a hard link": entry("a", type=tarfile.LNKTYPE, linkname="b") + END,
    "a device": entry("a", type=tarfile.CHRTYPE) + END,
    "a folder": entry("a", type=tarfile.DIRTYPE) + END,
    "a sparse file": entry("a", type=tarfile.GNUTYPE_SPARSE) + END,
    "an owner": entry("a", uid=1) + END,
    "a time": entry("a", mtime=1) + END,
    "a mode": entry("a", mode=0o777) + END,
    "an absolute name": entry("/etc/passwd") + END,
    "a name that leads out": entry("../a") + END,
    "a name that leads out later": entry("a/../../b") + END,
    "a name with a backslash": entry("a\\b") + END,
    "a hidden name": entry(".a") + END,
    "an empty name": entry("") + END,
    "a name that is no ASCII": entry("沪") + END,
    "a file twice": entry("a") + entry("a") + END,
    "files out of order": entry("b") + entry("a") + END,
    "a size with a space": spaced(entry("a", b"xy") + END),
    "a huge size": entry("a", size=2**33 - 1) + END,
    "an extended header": by_tar(tarfile.PAX_FORMAT),
    "a long name of GNU": by_tar(tarfile.GNU_FORMAT),
}


@pytest.mark.parametrize("packed", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_archive_is_refused(packed: bytes) -> None:
    """What is not exactly our form is refused, whatever another reader of tars would make of it."""
    with pytest.raises(BundleMalformed, match="another mirror"):
        archive.unpack(packed)


@given(st.dictionaries(names, st.binary(max_size=1100), max_size=8))
def test_what_was_packed_is_unpacked(files: dict[str, bytes]) -> None:
    """Packing and unpacking are each other's way back, and every tar reads the same."""
    packed = archive.pack(files)
    assert archive.unpack(packed) == files
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        assert {each.name: (tar.extractfile(each) or io.BytesIO()).read() for each in tar} == files
    assert archive.pack(dict(reversed(files.items()))) == packed


@given(at=st.integers(0, len(PACKED) - 1), change=st.integers(1, 255))
def test_an_archive_has_one_form(at: int, change: int) -> None:
    """A changed byte changes the files, or the archive is refused."""
    changed = bytearray(PACKED)
    changed[at] ^= change
    try:
        found = archive.unpack(bytes(changed))
    except BundleMalformed:
        return
    assert found != FILES


@pytest.mark.parametrize(
    ("limit", "files"),
    [("COUNT_LIMIT", {"a": b"", "b": b""}), ("FILE_LIMIT", {"a": b"xx"}), ("SIZE_LIMIT", {"a": b""})],
)
def test_what_is_too_much_is_neither_packed_nor_unpacked(
    monkeypatch: pytest.MonkeyPatch, limit: str, files: dict[str, bytes]
) -> None:
    """Both sides know the same limits."""
    packed = archive.pack(files)
    monkeypatch.setattr(archive, limit, 1)
    calls: list[Callable[[], object]] = [lambda: archive.pack(files), lambda: archive.unpack(packed)]
    for call in calls:
        with pytest.raises(BundleMalformed):
            call()


def test_a_name_that_no_header_holds_is_not_packed() -> None:
    """The name of an agreement's file may be too long for its id."""
    with pytest.raises(BundleMalformed, match="shorter id"):
        archive.pack({f"targets/{'n' * 200}": b""})
