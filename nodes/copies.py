"""The backup of a node's data: both databases as of one moment, the bundles that were in force, and a manifest.

Keys are not in it (`yrdx keys backup`). The manifest has a digest a file, and is authenticated under the node's storage
key: no other member's backup, and none that was changed, is ever put in place.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.errors import GatewayError
from keys import files, moments
from keys.bodies import keyed_digest
from nodes.bundle.following import FOLDER
from nodes.bundle.stops import STOPS
from nodes.config import DATABASE
from nodes.store.connections import make_private
from nodes.store.copying import Tell, copy_databases
from nodes.store.ledger_reading import LedgerFile
from nodes.store.schema import facts_path

FORMAT = "yrdx.backup.v1"
MANIFEST = "manifest.json"
DATABASES = (DATABASE, facts_path(Path(DATABASE)).name)
_LABEL = b"yrdx/backup/v1"
_LIMIT = 1 << 20
_CHUNK = 1 << 20
_PART = ".part"
_BUNDLE = (f"{FOLDER}/current", f"{FOLDER}/time.floor", STOPS)


class CopyRefused(GatewayError):
    """A backup was not made or is not put in place; the text says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup holds: files by name with size and digest, and each log's head at its time."""

    member: str
    backup_time: datetime
    logs: tuple[tuple[str, int], ...]
    files: Mapping[str, tuple[int, str]]
    digest: bytes
    """SHA-256 of the manifest's file."""


def back_up(data: Path, out: Path, member: str, secret: bytes, now: datetime, tell: Tell = lambda *_: None) -> Manifest:
    """Write a backup into a new folder while the node runs; it appears under its name when it is whole.

    Raises:
        CopyRefused: when the folder exists.
        StoreUnusable: when the databases cannot be copied.
        OSError: when the disk refuses.
    """
    if out.exists():
        raise CopyRefused(f"{out.name} exists and is never written over; choose another name")
    part = out.with_name(out.name + _PART)
    shutil.rmtree(part, ignore_errors=True)  # of a run that was interrupted
    part.mkdir(mode=0o700, parents=True)
    copy_databases(data / DATABASE, part / DATABASE, tell)
    for name in _bundles(data):
        _copy(data / name, part / name)
    with LedgerFile.open(part / DATABASE) as file:
        logs = [{"log": each.origin, "size": each.size or 0} for each in file.logs()]
    for each in part.glob("*.db-*"):
        each.unlink()  # what a reader left: all of it is in the file
    held = sorted(each.relative_to(part).as_posix() for each in part.rglob("*") if each.is_file())
    document = {
        "format": FORMAT,
        "member": member,
        "backup_time": moments.write(now.replace(microsecond=0)),
        "logs": logs,
        "files": [_described(part, name) for name in held],
    }
    text = json.dumps(document, ensure_ascii=False)
    proof = keyed_digest(secret, _LABEL, text.encode()).hex()
    files.write(part / MANIFEST, json.dumps({"manifest": text, "proof": proof}).encode())
    sync(part)
    part.rename(out)
    files.sync_folder(out.parent)
    return read_manifest(out, member, secret)


def read_manifest(folder: Path, member: str, secret: bytes) -> Manifest:
    """Read a backup's manifest; what its files hold is another question.

    Raises:
        CopyRefused: when it is another member's, was changed, or was never finished.
        CustodyError: when it cannot be read.
    """
    octets = files.read(folder / MANIFEST, limit=_LIMIT)
    found = _proven(octets, secret)
    if found.get("format") != FORMAT or found["member"] != member:
        raise CopyRefused(
            f"{folder.name} is no backup of {member} under this storage key, or was changed; take another backup, or "
            "restore the key folder that it was made with"
        )
    return Manifest(
        member=member,
        backup_time=moments.read(found["backup_time"]),
        logs=tuple((each["log"], each["size"]) for each in found["logs"]),
        files={each["name"]: (each["size"], each["digest"]) for each in found["files"]},
        digest=hashlib.sha256(octets).digest(),
    )


def check_files(folder: Path, manifest: Manifest) -> None:
    """Return when every file of a backup is there and is the one that was written.

    Raises:
        CopyRefused: naming the first that is not.
    """
    for name, (size, digest) in manifest.files.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != size or _digest(path) != digest:
            raise CopyRefused(f"{name} of the backup is missing or was changed; take another backup")


def _proven(octets: bytes, secret: bytes) -> dict[str, Any]:
    """Read what a manifest says; nothing at all unless this storage key authenticated it."""
    try:
        outer = json.loads(octets)
        text, proof = str(outer["manifest"]), str(outer["proof"]).encode()
    except (ValueError, TypeError, KeyError):
        return {}
    if not hmac.compare_digest(proof, keyed_digest(secret, _LABEL, text.encode()).hex().encode()):
        return {}
    found: dict[str, Any] = json.loads(text)
    return found


def _bundles(data: Path) -> Iterator[str]:
    """Name what is kept of bundles; which one is in force first, so that its archive is among those that follow."""
    yield from (name for name in _BUNDLE if (data / name).is_file())
    yield from (each.relative_to(data).as_posix() for each in sorted((data / FOLDER / "archives").rglob("*.tar")))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    make_private(target)
    target.write_bytes(source.read_bytes())


def _described(folder: Path, name: str) -> dict[str, object]:
    path = folder / name
    return {"name": name, "size": path.stat().st_size, "digest": _digest(path)}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(folder: Path) -> None:
    """Have a folder's files and names on the disk."""
    for each in (*folder.rglob("*"), folder):
        number = os.open(each, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
