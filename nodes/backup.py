"""The backup of a key folder: every file of it in one that a passphrase of its own opens.

Key files stay under their own passphrase inside. It comes along only where it lies in the folder: what was apart,
a credential of the service or a token, stays apart.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from keys import boxes, custody, files, jsontext
from keys.errors import CustodyError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def back_up(folder: Path, out: Path, passphrase: bytes, *, owner: str, work: boxes.Work = boxes.MODERATE) -> int:
    """Write every file of a key folder into a new backup; give how many.

    Raises:
        OSError, CustodyError: when a file cannot be read, or the backup exists.
    """
    found = [each for each in sorted(folder.iterdir()) if each.is_file() and _NAME.fullmatch(each.name)]
    document = {each.name: jsontext.write_octets(_content(each)) for each in found}
    custody.save_backup(out, json.dumps(document).encode("ascii"), passphrase, owner=owner, work=work)
    return len(found)


def restore(backup: Path, folder: Path, passphrase: bytes, *, owner: str) -> tuple[str, ...]:
    """Write the files of a backup into a folder, all or none and never over another; name them.

    Raises:
        OSError, CustodyError: for another member's backup, a file that exists, or a passphrase that does not open it.
    """
    whose, content = custody.load_backup(backup, passphrase)
    if whose != owner:
        raise CustodyError(f"the backup is of the member {whose}, not of {owner}; take this member's")
    kept = _kept(content)
    for name in kept:
        if (folder / name).exists():
            raise CustodyError(f"{name} exists and is never written over; restore into an empty folder")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(folder, kept)
    return tuple(kept)


def _content(path: Path) -> bytes:
    """Read a file; certificates alone are public and may be open to others."""
    return path.read_bytes() if path.suffix == ".crt" else files.read(path)


def _kept(content: bytes) -> Mapping[str, bytes]:
    part = jsontext.load(content, refuse=CustodyError).members((), others=True)
    if not all(map(_NAME.fullmatch, part)):
        raise CustodyError("the backup holds a file without a plain name; take another backup")
    return {name: place.octets() for name, place in part.items()}


def _write(folder: Path, kept: Mapping[str, bytes]) -> None:
    written: list[Path] = []
    try:
        for name, content in kept.items():
            files.write(folder / name, content)
            written.append(folder / name)
    except CustodyError:
        for each in written:
            each.unlink()
        raise
