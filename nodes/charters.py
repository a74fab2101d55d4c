"""Follows a mirror's folder: a newer bundle takes effect without a restart, an older or false one never."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import structlog

from gateway.charter import Charter, charter
from gateway.errors import CatalogueMalformed
from gateway.kinds.row import Kind
from keys.bundle.opening import open_root
from keys.directory import open_bundle
from keys.errors import KeysError
from nodes.mirror import newest

_log = structlog.get_logger()


def read_root(path: Path) -> bytes:
    """Read the trusted root: the metadata of a root, in any version.

    Raises:
        OSError, KeysError: when the file is missing or no such metadata.
    """
    content = path.read_bytes()
    open_root(content)
    return content


class Charters:
    """The charter in force. The highest version ever seen is kept on disk, so that a restart is no way back."""

    def __init__(self, *, me: str, mirror: Path, root: bytes, floor: Path, kinds: Mapping[str, Kind]) -> None:
        """Load the newest bundle.

        Raises:
            OSError: when the mirror holds none, or it cannot be read.
            KeysError, CatalogueMalformed: when it does not verify or contradicts itself.
        """
        self._me, self._mirror, self._root, self._floor, self._kinds = me, mirror, root, floor, kinds
        self._seen: tuple[int, int] | None = None
        self._current = self._load()

    @property
    def current(self) -> Charter:
        """The charter in force."""
        return self._current

    def kept(self, version: int) -> bytes:
        """Give the archive of a version of the bundle, or nothing when it was never in force here."""
        try:
            return _kept(self._floor, version).read_bytes()
        except FileNotFoundError:
            return b""

    def poll(self) -> bool:
        """Look at the mirror once; say whether a newer bundle took effect. A bad one is logged and left."""
        try:
            if _stamp(newest(self._mirror)) == self._seen:
                return False
            found = self._load()
        except (OSError, KeysError, CatalogueMalformed) as error:
            if isinstance(error, OSError):
                self._seen = None  # a full disk, say: the same file may be taken the next time
            _log.error("bundle_rejected", error=type(error).__name__)
            return False
        changed = found.directory.version > self._current.directory.version
        if changed:
            self._current = found
            _log.info("bundle_taken", version=found.directory.version)
        return changed

    def _load(self) -> Charter:
        path = newest(self._mirror)
        self._seen = _stamp(path)
        directory = open_bundle(path.read_bytes(), root=self._root, floor=_read_floor(self._floor))
        found = charter(self._me, directory, self._kinds)
        _write(_kept(self._floor, directory.version), directory.archive)
        if directory.version > _read_floor(self._floor):
            _write(self._floor, str(directory.version).encode())
        return found


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_ino


def _read_floor(path: Path) -> int:
    try:
        return int(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        return 0


def _kept(floor: Path, version: int) -> Path:
    return floor.with_name(f"bundle-{version}.tar")


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}")
    new.write_bytes(content)
    new.replace(path)
