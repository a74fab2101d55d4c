"""Every bundle that was in force here, on the disk: results of that time are read with it.

A version alone names none: after a thief of keys was undone versions begin anew, and evidence must outlive that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from keys.directory import Directory, open_bundle
from keys.errors import KeysError
from nodes.bundle.stops import replace_file


class Archives:
    """The bundles that were in force, by version, by when they were first, and by the digest of their snapshot."""

    def __init__(self, folder: Path) -> None:
        """Keep them in a folder, which is made.

        Raises:
            OSError: when it cannot be.
        """
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def keep(self, packed: bytes, *, version: int, snapshot: bytes, now: datetime) -> str:
        """Write a bundle, and give its name; one of the same snapshot, with another timestamp, is replaced.

        Raises:
            OSError: when the disk refuses.
        """
        folder, digest = self._folder / str(version), sha256(snapshot).hexdigest()
        folder.mkdir(mode=0o700, exist_ok=True)
        path = next(folder.glob(f"*.{digest}.tar"), folder / f"{_stamp(now)}.{digest}.tar")
        replace_file(path, packed)
        return f"{version}/{path.stem}"

    def read(self, name: str) -> bytes:
        """Give a bundle by its name.

        Raises:
            OSError: when it cannot be read.
        """
        return (self._folder / f"{name}.tar").read_bytes()

    def at(self, version: int, time: datetime) -> bytes:
        """Give the bundle of a version as it was in force at a time, or nothing when none was here."""
        paths = sorted((self._folder / str(version)).glob("*.tar"))
        begun = [each for each in paths if each.name.partition(".")[0] <= _stamp(time)]
        found = begun[-1:] or paths[:1]
        return found[0].read_bytes() if found else b""

    def in_force(self, time: datetime) -> bytes:
        """Give the bundle that was in force at a time, of whatever version, or nothing when none was here."""
        paths = sorted(self._folder.rglob("*.tar"), key=lambda each: each.name)
        begun = [each for each in paths if each.name.partition(".")[0] <= _stamp(time)]
        return begun[-1].read_bytes() if begun else b""

    def earlier(self, root: bytes) -> Iterator[Directory]:
        """Open what is kept, one by one, the last that came into force first; what does not open is passed over."""
        for path in sorted(self._folder.rglob("*.tar"), key=lambda each: each.stat().st_mtime_ns, reverse=True):
            with suppress(OSError, KeysError):
                yield open_bundle(path.read_bytes(), root=root)


def _stamp(time: datetime) -> str:
    return f"{time:%Y%m%dT%H%M%SZ}"
