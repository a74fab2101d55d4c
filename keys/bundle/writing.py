"""Makes metadata, signs it, and lays a snapshot out as static files; the same bytes for the same input.

What is made here is not judged: whoever publishes opens the result with `open_bundle` first.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from securesystemslib.signer import Signature
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Role,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from keys import moments
from keys.bundle import layout, rolekeys
from keys.bundle.metadata import Seat
from keys.suite import Signer

SPECIFICATION = "1.0.31"
ISSUED = "issued"


def write_root(*, version: int, expires: datetime, seats: Mapping[str, Seat]) -> bytes:
    """Write an unsigned root; `seats` names who signs root, targets, snapshot and timestamp."""
    keys = {key.id: rolekeys.role_key(key) for seat in seats.values() for key in seat.keys}
    roles = {role: Role([key.id for key in seat.keys], seat.threshold) for role, seat in seats.items()}
    return Metadata(Root(version, SPECIFICATION, expires, dict(keys), roles, consistent_snapshot=True)).to_bytes()


def write_targets(
    role: str, *, version: int, expires: datetime, files: Mapping[str, bytes], delegations: Mapping[str, Seat]
) -> bytes:
    """Write the unsigned metadata of a role that signs these files and delegates these roles."""
    targets = {path: TargetFile(len(each), {"sha256": sha256(each).hexdigest()}, path) for path, each in files.items()}
    keys = {key.id: rolekeys.role_key(key) for seat in delegations.values() for key in seat.keys}
    roles = {
        name: DelegatedRole(
            name, [key.id for key in seat.keys], seat.threshold, terminating=True, paths=list(layout.paths(name, role))
        )
        for name, seat in delegations.items()
    }
    delegated = Delegations(dict(keys), roles) if roles else None
    return Metadata(Targets(version, SPECIFICATION, expires, targets, delegated)).to_bytes()


def write_snapshot(*, version: int, expires: datetime, roles: Mapping[str, bytes]) -> bytes:
    """Write the unsigned snapshot of the signed metadata of targets and every delegated role."""
    meta = {f"{role}.json": _meta(content) for role, content in roles.items()}
    return Metadata(Snapshot(version, SPECIFICATION, expires, meta)).to_bytes()


def write_timestamp(*, version: int, expires: datetime, issued: datetime, snapshot: bytes) -> bytes:
    """Write the unsigned timestamp of a signed snapshot; `issued` is kept to the second."""
    extra = {ISSUED: moments.write(issued.replace(microsecond=0))}
    return Metadata(Timestamp(version, SPECIFICATION, expires, _meta(snapshot), extra)).to_bytes()


def add_signature(content: bytes, *signers: Signer) -> bytes:
    """Return metadata with further signatures; one by a key that signed before takes the old one's place.

    Raises tuf's DeserializationError for what is no metadata.
    """
    found: Metadata[Any] = Metadata.from_bytes(content)
    message = found.signed_bytes
    for each in signers:
        found.signatures[each.id] = Signature(each.id, each.sign(message).hex())
    return found.to_bytes()


def lay_out(
    *,
    roots: Sequence[bytes],
    timestamp: bytes,
    snapshot: bytes,
    roles: Mapping[str, bytes],
    files: Mapping[str, bytes],
) -> dict[str, bytes]:
    """Name every file of a snapshot as it lies in an archive and on a mirror; `roots` are all from version 1 on."""
    named = {layout.metadata_name(layout.ROOT, number): each for number, each in enumerate(roots, 1)}
    named[layout.metadata_name(layout.TIMESTAMP, 0)] = timestamp
    for role, content in {**roles, layout.SNAPSHOT: snapshot}.items():
        named[layout.metadata_name(role, version_of(content))] = content
    named |= {layout.target_name(path, sha256(each).hexdigest()): each for path, each in files.items()}
    return named


def version_of(content: bytes) -> int:
    """Give the version of metadata."""
    found: Metadata[Any] = Metadata.from_bytes(content)
    return int(found.signed.version)


def _meta(content: bytes) -> MetaFile:
    return MetaFile(version_of(content), len(content), {"sha256": sha256(content).hexdigest()})
