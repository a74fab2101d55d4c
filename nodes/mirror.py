"""A mirror's folder: the static files of TUF, and beside them one archive a snapshot.

Any web server may serve it. A reader never meets half a snapshot: the timestamp, which names all else, comes last.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path

from keys.bundle import archive, layout
from keys.bundle.writing import version_of

ARCHIVES = "archives"


def publish(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write a snapshot's static files, then its archive, then its timestamp; give the archive's path.

    Raises:
        OSError: when the disk refuses; what readers see stays whole.
        BundleMalformed: when the files are too many or too large for an archive.
    """
    packed, timestamp = archive.pack(files), layout.metadata_name(layout.TIMESTAMP, 0)
    for name, content in files.items():
        if name != timestamp and not (folder / name).exists():
            _put(folder / name, content)
    snapshot = next(content for name, content in files.items() if name.endswith(f".{layout.SNAPSHOT}.json"))
    path = archive_path(folder, version_of(snapshot))
    _put(path, packed)
    _put(folder / timestamp, files[timestamp])
    return path


def archive_path(folder: Path, version: int) -> Path:
    """Give the path of the archive of a snapshot's version."""
    return folder / ARCHIVES / f"{version}.tar"


def newest(folder: Path) -> Path:
    """Give the path of the newest archive.

    Raises:
        FileNotFoundError: when there is none.
    """
    versions = [int(each.stem) for each in (folder / ARCHIVES).glob("*.tar") if each.stem.isdecimal()]
    if not versions:
        raise FileNotFoundError(errno.ENOENT, "the mirror holds no archive", str(folder / ARCHIVES))
    return archive_path(folder, max(versions))


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    new.write_bytes(content)
    new.replace(path)
