"""The Update Framework's client on one mirror: root, timestamp, snapshot and targets, at the node's own time.

What it trusts it keeps in its folder, so that neither a restart nor another mirror is a way back. Recovery from a
version that a thief of keys set too high is the framework's own: new keys in the root let versions begin anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    SlowRetrievalError,
    UnsignedMetadataError,
)
from tuf.ngclient import Updater, UpdaterConfig

from nodes.bundle.fetching import Visit

CONFIG = UpdaterConfig(
    max_root_rotations=256,
    root_max_length=512 << 10,
    timestamp_max_length=16 << 10,
    snapshot_max_length=2 << 20,
    targets_max_length=5 << 20,
)
"""Caps of files whose length nothing signed tells, in bytes."""

PROBLEMS: tuple[tuple[type[Exception], str], ...] = (
    (UnsignedMetadataError, "SIGNATURES_MISSING"),
    (ExpiredMetadataError, "EXPIRED"),
    (BadVersionNumberError, "ROLLED_BACK"),
    (LengthOrHashMismatchError, "WRONG_HASH"),
    (RepositoryError, "MALFORMED"),
    (DownloadLengthMismatchError, "TOO_LARGE"),
    (SlowRetrievalError, "TOO_SLOW"),
    (DownloadHTTPError, "NOT_SERVED"),
    (DownloadError, "UNREACHABLE"),
    (OSError, "DISK"),
)
REFUSED = "REFUSED"
"""Of every other error: the bundle that the mirror has contradicts itself, or the root."""
_SIGNED = re.compile(r"(?P<role>\S+) was signed by (?P<have>[0-9]+)/(?P<need>[0-9]+) keys")
_EXPIRED = re.compile(r"(?P<role>[^ ]+?)(\.json)? is expired")
_FILE = re.compile(r"([0-9]+\.)?(?P<role>.+?)\.(json|tar)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a mirror could not be used: the problem, the role it is about, and signatures held of those needed."""

    problem: str
    role: str = ""
    have: int | None = None
    need: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """The verified metadata of the federation's own roles, by their names in an archive."""

    snapshot: int
    files: Mapping[str, bytes]


def refresh(folder: Path, mirror: str, *, root: bytes, now: datetime, visit: Visit) -> Trusted:
    """Take what a mirror has: verified, current at `now`, and nothing older than what the folder holds.

    Args:
        folder: where trusted metadata are kept.
        mirror: the mirror's URL with a slash at its end.
        root: the root of trust that came with the node.
        now: the node's time.
        visit: the visit to the mirror.

    Raises:
        RepositoryError, DownloadError: naming what is wrong with the mirror; `fault` reads them.
        OSError: when the folder cannot be written.
    """
    updater = open_updater(folder, f"{mirror}metadata/", root=root, now=now, visit=visit)
    updater.refresh()
    return trusted(folder)


def open_updater(folder: Path, url: str, *, root: bytes, now: datetime, visit: Visit) -> Updater:
    """Give the framework's client over a folder, with the node's time in place of the system's."""
    updater = Updater(str(folder), url, fetcher=visit, config=CONFIG, bootstrap=root)
    updater._trusted_set.reference_time = now  # noqa: SLF001  it has no other door for the time
    return updater


def trusted(folder: Path) -> Trusted:
    """Read what the client trusts from its folder, after a refresh.

    Raises:
        OSError: when it cannot be read.
    """
    files, snapshot = {"metadata/timestamp.json": (folder / "timestamp.json").read_bytes()}, 0
    for role in ("snapshot", "targets"):
        content = (folder / f"{role}.json").read_bytes()
        version = _version(content)
        files[f"metadata/{version}.{role}.json"] = content
        snapshot = version if role == "snapshot" else snapshot
    newest = _version((folder / "root.json").read_bytes())
    for path in (folder / "root_history").glob("*.root.json"):
        number = path.name.partition(".")[0]
        if number.isdecimal() and int(number) <= newest:
            files[f"metadata/{path.name}"] = path.read_bytes()
    return Trusted(snapshot=snapshot, files=files)


def _version(content: bytes) -> int:
    return int(json.loads(content)["signed"]["version"])


def fault(error: Exception, visit: Visit) -> Fault:
    """Name what was wrong, for health and the log: never an address, never a value of the bundle."""
    problem = next((name for kind, name in PROBLEMS if isinstance(error, kind)), REFUSED)
    signed = _SIGNED.search(str(error))
    if problem == "SIGNATURES_MISSING" and signed:
        return Fault(problem=problem, role=signed["role"], have=int(signed["have"]), need=int(signed["need"]))
    named = _EXPIRED.search(str(error)) if problem == "EXPIRED" else None
    asked = _FILE.fullmatch(visit.asked)
    role = named["role"] if named else asked["role"] if asked else ""
    return Fault(problem=problem, role=role)
