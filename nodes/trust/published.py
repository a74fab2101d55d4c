"""What is published: one verified snapshot as its static files, read from a mirror's folder."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from keys.bundle import archive, layout
from keys.bundle.opening import Opened, open_archive
from keys.bundle.sheets import Sheet, read_sheet
from keys.directory import Directory, open_bundle
from keys.errors import KeysError
from nodes.mirror import ARCHIVES, archive_path
from nodes.trust.errors import Ground, TrustRefused

TIMESTAMP = "metadata/timestamp.json"
FIRST_ROOT = "metadata/1.root.json"

_METADATA = re.compile(r"metadata/(?:([1-9][0-9]*)\.)?([a-z0-9-]+)\.json")
_TARGET = re.compile(r"targets/((?:.+/)?)[0-9a-f]{64}\.([^/]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A snapshot that was verified from a root on: `parts` are its static files, `roles` and `files` by role and path.

    What it says may be senseless all the same: a quorum that signed it must be able to go on from it.
    """

    packed: bytes
    root: bytes
    parts: Mapping[str, bytes]
    opened: Opened
    roots: tuple[bytes, ...]
    roles: Mapping[str, bytes]
    files: Mapping[str, bytes]

    @property
    def version(self) -> int:
        """Give the version of the snapshot."""
        return self.opened.version

    @property
    def directory(self) -> Directory:
        """Read it as a node would.

        Raises:
            TrustRefused: BUNDLE_REFUSED for whatever a node would refuse.
        """
        try:
            return open_bundle(self.packed, root=self.root)
        except KeysError as error:
            raise TrustRefused(Ground.BUNDLE_REFUSED, why=str(error)) from error

    def sheet(self, role: str) -> Sheet:
        """Read the metadata of a role."""
        return read_sheet(self.roots[-1] if role == layout.ROOT else self.roles[role], role)


def open_published(packed: bytes, *, root: bytes) -> Published:
    """Verify an archive from a trusted root on.

    Raises:
        TrustRefused: BUNDLE_REFUSED for signatures, roles or files that do not belong together.
    """
    try:
        opened = open_archive(packed, root=root)
    except KeysError as error:
        raise TrustRefused(Ground.BUNDLE_REFUSED, why=str(error)) from error
    parts = archive.unpack(packed)
    roots: dict[int, bytes] = {}
    roles: dict[str, bytes] = {}
    files: dict[str, bytes] = {}
    for name, content in parts.items():
        if found := _METADATA.fullmatch(name):
            if found[2] == layout.ROOT:
                roots[int(found[1])] = content
            else:
                roles[found[2]] = content
        elif found := _TARGET.fullmatch(name):
            files[found[1] + found[2]] = content
    return Published(
        packed=packed,
        root=root,
        parts=parts,
        opened=opened,
        roots=tuple(roots[number] for number in sorted(roots)),
        roles=roles,
        files=files,
    )


def read_published(folder: Path, root: Path | None = None) -> Published | None:
    """Read the snapshot that a folder publishes, or None when it publishes nothing yet.

    Without a root of one's own the folder's first is trusted.

    Raises:
        TrustRefused: UNREADABLE or BUNDLE_REFUSED.
    """
    timestamp = folder / TIMESTAMP
    if not timestamp.exists():
        return None
    try:
        content = timestamp.read_bytes()
        version = archive_version(content)
        packed = archive_path(folder, version).read_bytes()
        trusted = (root or folder / FIRST_ROOT).read_bytes()
    except (OSError, KeysError) as error:
        raise TrustRefused(Ground.UNREADABLE, file=folder.name, why=str(error)) from error
    return open_published(packed, root=trusted)


def archives(folder: Path, newest: Published) -> Iterator[Published]:
    """Give the older snapshots of a folder, each verified: old evidence may need them."""
    for path in sorted((folder / ARCHIVES).glob("*.tar")):
        if path.stem.isdecimal() and int(path.stem) < newest.version:
            yield open_published(path.read_bytes(), root=newest.roots[0])


def archive_version(timestamp: bytes) -> int:
    """Read from a timestamp which snapshot it names."""
    return read_sheet(timestamp, layout.TIMESTAMP).snapshot_version


def replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; one of the same content is left alone."""
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with new.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
