"""Follows the signed directory file: a newer one takes effect without a restart, an older or false one never."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from pathlib import Path

import structlog

from gateway.charter import Charter, charter
from gateway.errors import CatalogueMalformed
from gateway.kinds.row import Kind
from keys.directory import open_directory
from keys.envelope import from_json, to_json
from keys.errors import KeysError
from keys.suite import PublicKey

_log = structlog.get_logger()


def read_root(path: Path) -> PublicKey:
    """Read the root of trust, {"id", "suite", "public" (base64)}.

    Raises:
        OSError, ValueError, KeyError: when the file is missing or of another form.
    """
    row = json.loads(path.read_text(encoding="utf-8"))
    return PublicKey(id=row["id"], suite=row["suite"], raw=base64.b64decode(row["public"], validate=True))


class Charters:
    """The charter in force. The highest version ever seen is kept on disk, so that a restart is no way back."""

    def __init__(self, *, me: str, path: Path, root: PublicKey, floor: Path, kinds: Mapping[str, Kind]) -> None:
        """Load the directory.

        Raises:
            OSError: when the file cannot be read.
            KeysError, CatalogueMalformed: when it does not verify or contradicts itself.
        """
        self._me, self._path, self._root, self._floor, self._kinds = me, path, root, floor, kinds
        self._seen: tuple[int, int] | None = None
        self._current = self._load()

    @property
    def current(self) -> Charter:
        """The charter in force."""
        return self._current

    def kept(self, version: int) -> bytes:
        """Give the signed directory of a version as DSSE JSON, or nothing when it was never in force here."""
        try:
            return _archive(self._floor, version).read_bytes()
        except FileNotFoundError:
            return b""

    def poll(self) -> bool:
        """Look at the file once; say whether a newer directory took effect. A bad one is logged and left."""
        try:
            if self._stamp() == self._seen:
                return False
            found = self._load()
        except (OSError, KeysError, CatalogueMalformed) as error:
            if isinstance(error, OSError):
                self._seen = None  # a full disk, say: the same file may be taken the next time
            _log.error("directory_rejected", error=type(error).__name__)
            return False
        changed = found.directory.version > self._current.directory.version
        if changed:
            self._current = found
            _log.info("directory_taken", version=found.directory.version)
        return changed

    def _stamp(self) -> tuple[int, int]:
        status = self._path.stat()
        return status.st_mtime_ns, status.st_ino

    def _load(self) -> Charter:
        self._seen = self._stamp()
        directory = open_directory(from_json(self._path.read_bytes()), root=self._root, floor=_read_floor(self._floor))
        found = charter(self._me, directory, self._kinds)
        _write(_archive(self._floor, directory.version), to_json(directory.envelope))
        if directory.version > _read_floor(self._floor):
            _write(self._floor, str(directory.version).encode())
        return found


def _read_floor(path: Path) -> int:
    try:
        return int(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        return 0


def _archive(floor: Path, version: int) -> Path:
    return floor.with_name(f"directory-{version}.json")


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}")
    new.write_bytes(content)
    new.replace(path)
