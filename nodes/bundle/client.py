"""The Update Framework's client on one mirror: root, timestamp, snapshot and targets, at the node's own time.

What it trusts it keeps in its folder, so that neither a restart nor another mirror is a way back. Recovery from a
version that a thief of keys set too high is the framework's own: new keys in the root let versions begin anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import final

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

from gateway.errors import CatalogueMalformed
from keys import moments
from keys.bundle.layout import AGREEMENTS, ROOT, SNAPSHOT, TIMESTAMP, metadata_name
from keys.bundle.writing import ISSUED
from keys.errors import (
    AgreementUnsigned,
    BundleExpired,
    BundleRollback,
    KeysError,
    RootBroken,
    SignatureInvalid,
    WeakKey,
)
from nodes.bundle.fetching import Visit

CONFIG = UpdaterConfig(
    max_root_rotations=256,
    root_max_length=512 << 10,
    timestamp_max_length=16 << 10,
    snapshot_max_length=2 << 20,
    targets_max_length=5 << 20,
)
"""Caps of files whose length nothing signed tells, in bytes."""


class IssuedAhead(RepositoryError):
    """A timestamp was issued after the node's time: else two publishers could close every node."""


PROBLEMS: tuple[tuple[type[Exception], str], ...] = (
    (SignatureInvalid, "SIGNATURES_MISSING"),
    (AgreementUnsigned, "AGREEMENT_UNSIGNED"),
    (WeakKey, "WEAK_KEY"),
    (RootBroken, "ROOT_BROKEN"),
    (BundleRollback, "ROLLED_BACK"),
    (BundleExpired, "EXPIRED"),
    (CatalogueMalformed, "TABLES_REFUSED"),
    (UnsignedMetadataError, "SIGNATURES_MISSING"),
    (ExpiredMetadataError, "EXPIRED"),
    (BadVersionNumberError, "ROLLED_BACK"),
    (IssuedAhead, "AHEAD"),
    (LengthOrHashMismatchError, "WRONG_HASH"),
    (RepositoryError, "MALFORMED"),
    (DownloadLengthMismatchError, "TOO_LARGE"),
    (SlowRetrievalError, "TOO_SLOW"),
    (DownloadHTTPError, "NOT_SERVED"),
    (DownloadError, "UNREACHABLE"),
    (OSError, "DISK"),
)
NO_FILE = (403, 404)
"""What a web server answers for a file that it does not have."""

REFUSED = "REFUSED"
"""Of every other error: the bundle that the mirror has contradicts itself, or the root."""
_SIGNED = re.compile(r"(?P<role>\S+) was signed by (?P<have>[0-9]+)/(?P<need>[0-9]+) keys")
_COUNTED = re.compile(r" has (?P<have>[0-9]+) of (?P<need>[0-9]+) (?:signatures|officers)")
_SECTION = re.compile(r"(?:directory )?(?P<section>[a-z]+(?:_[a-z]+)*)[ .\[]")
_ROLE = re.compile(r"\b(root|timestamp|snapshot|targets|mappings|agreements|members-[0-9]{6})\b")
_EXPIRED = re.compile(r"(?P<role>[^ ]+?)(\.json)? is expired")
_ROOT = re.compile(r"metadata/([0-9]+)\.root\.json")
_FILE = re.compile(r"([0-9]+\.)?(?P<role>.+?)\.(json|tar)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a mirror could not be used: the problem, the role or table that it is about, signatures held of how many."""

    problem: str
    role: str = ""
    have: int | None = None
    need: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """The verified metadata of the federation's own roles, by their names in an archive."""

    snapshot: int
    files: Mapping[str, bytes]

    @property
    def snapshot_name(self) -> str:
        """The name of the snapshot's metadata."""
        return metadata_name(SNAPSHOT, self.snapshot)

    def snapshot_in(self, held: Mapping[str, bytes]) -> bool:
        """Say whether the snapshot is one that is held."""
        return held.get(self.snapshot_name) == self.files[self.snapshot_name]


@final
class _Client(Updater):
    """The framework's client, at the node's time; it keeps no timestamp that was issued after `latest`."""

    latest: datetime

    def _persist_metadata(self, rolename: str, data: bytes) -> None:  # type: ignore[explicit-override]
        """Keep what was verified."""
        issued = self._trusted_set.timestamp.unrecognized_fields.get(ISSUED)
        if rolename == TIMESTAMP and isinstance(issued, str) and moments.read(issued) > self.latest:
            raise IssuedAhead("the timestamp was issued after this node's time")
        super()._persist_metadata(rolename, data)


def refresh(folder: Path, mirror: str, *, root: bytes, now: datetime, skew: timedelta, visit: Visit) -> Trusted:
    """Take what a mirror has: verified, current at `now`, and nothing older than what the folder holds.

    Args:
        folder: where trusted metadata are kept.
        mirror: the mirror's URL with a slash at its end.
        root: the root of trust that came with the node.
        now: the node's time.
        skew: how far ahead of it the timestamp may be issued.
        visit: the visit to the mirror.

    Raises:
        RepositoryError, DownloadError: naming what is wrong with the mirror; `fault` reads them.
        OSError: when the folder cannot be written.
    """
    updater = open_updater(folder, f"{mirror}metadata/", root=root, now=now, skew=skew, visit=visit)
    updater.refresh()
    return trusted(folder)


def open_updater(
    folder: Path, url: str, *, root: bytes, now: datetime, visit: Visit, skew: timedelta = timedelta(0)
) -> Updater:
    """Give the framework's client over a folder, with the node's time in place of the system's."""
    updater = _Client(str(folder), url, fetcher=visit, config=CONFIG, bootstrap=root)
    updater.latest = now + skew
    updater._trusted_set.reference_time = now  # noqa: SLF001  it has no other door for the time
    return updater


def is_trusted(folder: Path, held: Mapping[str, bytes]) -> bool:
    """Say whether what is held, by its names in an archive, is the newest that the client trusts."""
    try:
        found = [(folder / f"{role}.json").read_bytes() for role in (TIMESTAMP, ROOT)]
    except OSError:
        return False
    return found == [held.get(metadata_name(TIMESTAMP, 0)), held.get(metadata_name(ROOT, _newest_root(held)))]


def is_unchanged(mirror: str, held: Mapping[str, bytes], visit: Visit) -> bool:
    """Say whether a mirror has no root after those held, and the very timestamp that is held: all it can have is held.

    Nothing is verified here and nothing kept: what is held was verified, and every other octet is news.

    Raises:
        DownloadError: when the mirror does not say.
    """
    try:
        visit.download_bytes(f"{mirror}{metadata_name(ROOT, _newest_root(held) + 1)}", CONFIG.root_max_length)
    except DownloadHTTPError as error:
        if error.status_code not in NO_FILE:
            raise
    else:
        return False
    timestamp = metadata_name(TIMESTAMP, 0)
    return visit.download_bytes(f"{mirror}{timestamp}", CONFIG.timestamp_max_length) == held.get(timestamp)


def _newest_root(held: Mapping[str, bytes]) -> int:
    return max((int(found[1]) for found in map(_ROOT.fullmatch, held) if found), default=0)


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
    if isinstance(error, KeysError | CatalogueMalformed):
        return _contradiction(problem, error)
    signed = _SIGNED.search(str(error))
    if problem == "SIGNATURES_MISSING" and signed:
        return Fault(problem=problem, role=signed["role"], have=int(signed["have"]), need=int(signed["need"]))
    named = _EXPIRED.search(str(error)) if problem == "EXPIRED" else None
    asked = _FILE.fullmatch(visit.asked)
    role = named["role"] if named else asked["role"] if asked else ""
    return Fault(problem=problem, role=role)


def _contradiction(problem: str, error: Exception) -> Fault:
    """Name what is wrong inside a bundle that came whole: the role, or the section of a table."""
    if isinstance(error, CatalogueMalformed):
        section = _SECTION.match(str(error))
        return Fault(problem=problem, role=section["section"] if section else "")
    counted, named = _COUNTED.search(str(error)), _ROLE.search(str(error))
    role = AGREEMENTS if isinstance(error, AgreementUnsigned) else named[0] if named else ""
    if counted is None:
        return Fault(problem=problem, role=role)
    return Fault(problem=problem, role=role, have=int(counted["have"]), need=int(counted["need"]))
