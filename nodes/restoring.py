"""Puts a backup in place, all of it or nothing, and closed: the node serves nothing before it has recovered (duty U30).

Everything is copied and checked beside the place where it belongs, and marked there; `node.db` comes last. While the
folder of a restore that was interrupted is there, no node starts on it: it would begin with an empty database.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from nodes.bundle.following import FOLDER
from nodes.config import DATABASE
from nodes.copies import DATABASES, CopyRefused, Manifest, check_files, read_manifest, sync
from nodes.run import alone
from nodes.states import RESTORE, WANTS
from nodes.store.copying import check_database
from nodes.store.doers import Doer, note
from nodes.store.restorations import Restoration, mark, marked
from nodes.store.schema import RESTORING, prepare_exchange, prepare_facts


def restore(backup: Path, data: Path, member: str, secret: bytes, *, doer: Doer, now: datetime) -> Manifest:
    """Put a backup into a data folder that has no databases; what it has of bundles stays, for it is newer.

    The act waits in the copy's own outbox: the node enters it once it has recovered, and judges whose it was then.

    Raises:
        CopyRefused: when the backup is not this member's, was changed, or the folder has databases.
        StoreUnusable: when a node serves the folder, or a database of the backup is damaged or newer.
        CustodyError, OSError: when a file cannot be read or written.
    """
    manifest = read_manifest(backup, member, secret)
    check_files(backup, manifest)
    with alone(data):
        stage = data / RESTORING
        if not _in_place(data, stage, manifest):
            _check_empty(data, stage)
            _clear(stage)
            stage.mkdir(mode=0o700)
            for name in manifest.files:
                _copy(backup / name, stage / name)
            check_files(stage, manifest)
            _prepare(stage, manifest, doer, now)
            _put(stage, data)
        _clear(stage)
    return manifest


def _in_place(data: Path, stage: Path, manifest: Manifest) -> bool:
    """Say whether a restore of this very backup was interrupted when nothing but the emptied stage was left to do."""
    if not stage.exists() or (stage / DATABASE).exists() or not (data / DATABASE).exists():
        return False
    return marked(data / DATABASE) == manifest.digest


def _check_empty(data: Path, stage: Path) -> None:
    """Refuse to write over anything; the facts alone may be those of a restore that was interrupted."""
    held = [name for name in DATABASES if (data / name).exists()]
    if DATABASE in held or (held and not stage.exists()):
        raise CopyRefused(
            f"{held[0]} stands in the data folder and is never written over; move it away with its -wal file, and keep "
            "it: it may know what the backup does not"
        )


def _prepare(stage: Path, manifest: Manifest, doer: Doer, now: datetime) -> None:
    for name, prepare in zip(DATABASES, (prepare_exchange, prepare_facts), strict=True):
        check_database(stage / name)
        prepare(stage / name)
    mark(stage / DATABASE, Restoration(backup_time=manifest.backup_time, restored_time=now, digest=manifest.digest))
    note(stage / DATABASE, doer.done(RESTORE, WANTS[RESTORE], manifest.digest, now))


def _put(stage: Path, data: Path) -> None:
    """Move everything into its place, `node.db` last; from then on the copy is the node's database."""
    for each in stage.glob("*.db-*"):
        each.unlink()
    sync(stage)
    if not (data / FOLDER / "current").exists() and (stage / FOLDER).exists():
        shutil.rmtree(data / FOLDER, ignore_errors=True)
        _move(stage / FOLDER, data / FOLDER)
    for each in sorted(stage.glob("*.json")):
        if not (data / each.name).exists():
            _move(each, data / each.name)
    for name in reversed(DATABASES):
        _move(stage / name, data / name)
    sync(data)


def _move(source: Path, target: Path) -> None:
    source.replace(target)


def _clear(stage: Path) -> None:
    with suppress(FileNotFoundError):
        shutil.rmtree(stage)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o600)
