"""A metadata file as a plain record for those who compare, sign and count: nothing of it is verified yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from securesystemslib.signer import Signature
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from keys import moments, suite
from keys.bundle import layout, metadata
from keys.bundle.metadata import Seat
from keys.bundle.writing import ISSUED
from keys.errors import SignatureInvalid

_KINDS: Mapping[str, type[Any]] = {
    layout.ROOT: Root,
    layout.SNAPSHOT: Snapshot,
    layout.TIMESTAMP: Timestamp,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What a metadata file says, and the exact bytes that its signatures are over.

    `files` names target files by path, or metadata by role, each with its SHA-256 in hexadecimal; `seats` names who
    may sign each role that this one delegates; `issued` and
    `snapshot_version` stand in a timestamp only.
    """

    role: str
    version: int
    expires: datetime
    message: bytes
    signatures: Mapping[str, bytes]
    files: Mapping[str, str]
    seats: Mapping[str, Seat]
    issued: datetime | None
    snapshot_version: int


@lru_cache(maxsize=256)
def read_sheet(content: bytes, role: str) -> Sheet:
    """Read the metadata of a role; the same bytes are read once.

    Raises BundleMalformed and WeakKey for metadata, or keys in it, that no reader would take.
    """
    found = metadata.read(content, _KINDS.get(role, Targets), role)
    signed: Any = found.signed
    issued = signed.unrecognized_fields.get(ISSUED)
    return Sheet(
        role=role,
        version=signed.version,
        expires=signed.expires,
        message=found.signed_bytes,
        signatures={each.keyid: _octets(each.signature) for each in found.signatures.values()},
        files=_files(signed),
        seats={name: metadata.seat_of(name, signed) for name in _delegated(signed)},
        issued=moments.read(issued) if isinstance(issued, str) else None,
        snapshot_version=signed.snapshot_meta.version if isinstance(signed, Timestamp) else 0,
    )


def signed_by(sheet: Sheet, seat: Seat, signatures: Mapping[str, bytes]) -> tuple[str, ...]:
    """Name the keys of a seat whose signature over the sheet is among these."""
    return tuple(each.id for each in seat.keys if each.id in signatures and _holds(each, sheet, signatures[each.id]))


def with_signatures(content: bytes, signatures: Mapping[str, bytes]) -> bytes:
    """Return metadata under exactly these signatures."""
    found: Metadata[Any] = Metadata.from_bytes(content)
    found.signatures = {each: Signature(each, signatures[each].hex()) for each in sorted(signatures)}
    return found.to_bytes()


def _files(signed: Any) -> dict[str, str]:  # noqa: ANN401  one of four classes
    if isinstance(signed, Targets):
        return {path: each.hashes["sha256"] for path, each in signed.targets.items()}
    if isinstance(signed, Snapshot):
        return {name.removesuffix(".json"): _digest(each) for name, each in signed.meta.items()}
    return {layout.SNAPSHOT: _digest(signed.snapshot_meta)} if isinstance(signed, Timestamp) else {}


def _digest(meta: Any) -> str:  # noqa: ANN401  tuf's MetaFile
    return str((meta.hashes or {}).get("sha256", ""))


def _delegated(signed: Any) -> tuple[str, ...]:  # noqa: ANN401  one of four classes
    if isinstance(signed, Root):
        return tuple(signed.roles)
    delegations = signed.delegations if isinstance(signed, Targets) else None
    return tuple((delegations.roles or {}) if delegations else ())


def _holds(key: suite.PublicKey, sheet: Sheet, signature: bytes) -> bool:
    try:
        suite.verify(key, sheet.message, signature)
    except SignatureInvalid:
        return False
    return True


def _octets(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
