"""Opens a whole snapshot: every root, role and file, each verified against who delegated it, and nothing besides.

Expiry is told, never judged: old evidence must still verify.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from keys import envelope as envelopes
from keys import jsontext
from keys.bundle import agreements, archive, layout, metadata, rolekeys, sections
from keys.bundle.metadata import Seat
from keys.bundle.writing import ISSUED
from keys.errors import BundleMalformed, BundleMixed, BundleRollback, RootBroken, WeakKey
from keys.suite import PublicKey

_ROOT_NAME = re.compile(r"metadata/([1-9][0-9]{0,8})\.root\.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRole:
    """A role of a verified bundle: who may sign it, who did, and until when it counts."""

    name: str
    version: int
    expire_time: datetime
    threshold: int
    keys: tuple[PublicKey, ...]
    signed_by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What a verified archive holds; `document` is of the form that the directory reads."""

    version: int
    issued_time: datetime
    expire_time: datetime
    close_time: datetime
    roles: tuple[SignedRole, ...]
    document: Mapping[str, Any]


def open_archive(packed: bytes, *, root: bytes, floor: int = 0) -> Opened:
    """Return what an archive holds under a trusted root, in any version from which the archive's roots lead on.

    Raises RootBroken when they do not, BundleRollback for a snapshot older than `floor`, SignatureInvalid for too few
    signatures, BundleMixed for parts of several snapshots, AgreementUnsigned, BundleMalformed, WeakKey.
    """
    walk = _Walk(parts=dict(archive.unpack(packed)))
    top = walk.roots(root)
    timestamp = walk.timestamp(top, floor)
    walk.snapshot(top)
    walk.targets(layout.TARGETS, layout.ROOT, top)
    walk.finish()
    ends = {each.name: each.expire_time for each in walk.seats}
    shared = (layout.ROOT, layout.SNAPSHOT, layout.TARGETS, layout.MAPPINGS, layout.AGREEMENTS)
    return Opened(
        version=timestamp.snapshot_meta.version,
        issued_time=_issued(timestamp),
        expire_time=ends[layout.TIMESTAMP],
        close_time=min(ends[each] for each in shared),
        roles=tuple(walk.seats),
        document=sections.assemble(walk.files, walk.agreements(), ends),
    )


def open_root(content: bytes) -> SignedRole:
    """Return what a root says of itself, once it is signed as it asks; whether to trust it is told by other ways.

    Raises SignatureInvalid, BundleMalformed, WeakKey.
    """
    found, seat = _self_signed(content)
    return _signed_role(layout.ROOT, found, seat)


def first_root(trusted: bytes, roots: Sequence[bytes]) -> bytes:
    """Return the first of all roots, once they lead without a gap to the trusted one by hands that stayed.

    For evidence from before the trusted root was made. Raises RootBroken, SignatureInvalid, BundleMalformed, WeakKey.
    """
    pinned = _self_signed(trusted)[0]
    if not roots or len(roots) < pinned.signed.version:
        raise RootBroken("a root before the trusted one is missing; take them from a mirror")
    last = _first(roots[0])[0]
    for each in roots[1 : pinned.signed.version]:
        last = _next(each, last.signed, older=True)[0]
    if last.signed_bytes != pinned.signed_bytes:
        raise RootBroken("the roots do not lead to the trusted one; take those of its own federation")
    return roots[0]


@dataclass(kw_only=True)
class _Walk:
    """One pass over the parts of an archive: each is taken once, and none may be left."""

    parts: dict[str, bytes]
    said: dict[str, Any] = field(default_factory=dict)
    seats: list[SignedRole] = field(default_factory=list)
    parents: dict[str, str] = field(default_factory=lambda: {layout.TARGETS: layout.ROOT})
    files: list[sections.Signed] = field(default_factory=list)
    statements: dict[str, bytes] = field(default_factory=dict)

    def roots(self, trusted: bytes) -> Root:
        """Walk from the first root over the trusted one to the newest."""
        pinned = _self_signed(trusted)[0]
        numbers = sorted(int(found[1]) for found in map(_ROOT_NAME.fullmatch, self.parts) if found)
        if numbers != list(range(1, len(numbers) + 1)) or len(numbers) < pinned.signed.version:
            raise RootBroken("the bundle lacks a root between the trusted one and its newest; fetch it from elsewhere")
        last, seat = _first(self._root(1))
        for number in numbers:
            if number > 1:
                last, seat = _next(self._root(number), last.signed, older=number <= pinned.signed.version)
            if number == pinned.signed.version and last.signed_bytes != pinned.signed_bytes:
                raise RootBroken("the bundle is of another federation than the trusted root; fetch the right one")
        self._seat(layout.ROOT, last, seat)
        return last.signed

    def _root(self, number: int) -> bytes:
        return self.parts.pop(layout.metadata_name(layout.ROOT, number))

    def timestamp(self, root: Root, floor: int) -> Timestamp:
        """Verify the timestamp; an old snapshot ends here."""
        found = metadata.read(self._take(layout.metadata_name(layout.TIMESTAMP, 0)), Timestamp, layout.TIMESTAMP)
        self._seat(layout.TIMESTAMP, found, metadata.verify(found, layout.TIMESTAMP, root))
        version = found.signed.snapshot_meta.version
        if version < floor:
            raise BundleRollback(f"the bundle's version {version} is older than {floor}; fetch the current one")
        self.said[layout.SNAPSHOT] = found.signed.snapshot_meta
        return found.signed

    def snapshot(self, root: Root) -> None:
        """Verify the snapshot that the timestamp names."""
        found = self._part(layout.SNAPSHOT, Snapshot)
        self._seat(layout.SNAPSHOT, found, metadata.verify(found, layout.SNAPSHOT, root))
        self.said |= {name.removesuffix(".json"): each for name, each in found.signed.meta.items()}

    def targets(self, role: str, delegator: str, above: Root | Targets) -> None:
        """Verify a role, its files, and the roles that it delegates."""
        found = self._part(role, Targets)
        self._seat(role, found, metadata.verify(found, role, above))
        below = metadata.delegated(found.signed, role, self.parents)
        self.parents |= dict.fromkeys(below, role)
        members: list[str] = []
        for path, said in found.signed.targets.items():
            content = self._take(layout.target_name(path, metadata.digest_of(said, path[:100])))
            metadata.check_content(content, said, path)
            members += self._file(role, delegator, path, content)
        if layout.expected(role, members) != set(below):
            raise BundleMalformed(f"{role} delegates other roles than its members want; correct it and have it signed")
        for each in below:
            self.targets(each, role, found.signed)

    def _file(self, role: str, delegator: str, path: str, content: bytes) -> Iterable[str]:
        """Keep a file; give the members whose rows it holds."""
        agreement = layout.agreement_of(path) if role == layout.AGREEMENTS else None
        if agreement is not None:
            self.statements[agreement] = content
            return ()
        allowed = layout.sections_of(role, delegator, path)
        if allowed is None:
            raise BundleMalformed(f"{role} may not sign a file of its path; take the file out and have it signed")
        read = sections.read_file(role, path, content, allowed)
        self.files.append(read)
        return sections.members_in(read)

    def agreements(self) -> Iterable[Mapping[str, Any]]:
        """Open every agreement with the officers of all members, in the edition that the quorum lists."""
        officers = {key.id: key for role in self.seats if layout.member_of(role.name) for key in role.keys}
        found = [
            agreements.open_agreement(content, name=name, officers=officers)
            for name, content in sorted(self.statements.items())
        ]
        held = {name: envelopes.from_json(content).payload for name, content in self.statements.items()}
        agreements.check_editions(sections.editions_in(self.files), held)
        return found

    def finish(self) -> None:
        """Check that nothing is left over, and that each public key stands for one owner and use."""
        if self.parts or self.said:
            raise BundleMixed("the bundle holds or names a file that no role signs; fetch it from elsewhere")
        owners: dict[bytes, str] = {}
        members = {layout.member_of(role) for role in self.parents}
        for role in self.seats:
            for key in role.keys:
                if owners.setdefault(key.raw, key.id) != key.id:
                    raise WeakKey("one public key signs for two owners or uses in the bundle; make a key for each")
                if layout.member_of(role.name) is None and rolekeys.name_of(key.id).member not in members:
                    raise BundleMalformed(f"{role.name} has a key of no member; list the member or take the key out")

    def _part(self, role: str, kind: Any) -> Metadata[Any]:  # noqa: ANN401 - a class of metadata
        said = self.said.pop(role, None)
        if said is None:
            raise BundleMixed(f"the bundle's snapshot does not name {role[:40]}; fetch it from elsewhere")
        content = self._take(layout.metadata_name(role, said.version))
        metadata.check_content(content, said, role)
        found: Metadata[Any] = metadata.read(content, kind, role)
        if found.signed.version != said.version:
            raise BundleMixed(f"the bundle's {role} is of another version than its snapshot; fetch it from elsewhere")
        return found

    def _take(self, name: str) -> bytes:
        content = self.parts.pop(name, None)
        if content is None:
            raise BundleMixed(f"the bundle lacks {name[:160]}, which its snapshot names; fetch it from elsewhere")
        return content

    def _seat(self, role: str, found: Metadata[Any], seat: Seat) -> None:
        self.seats.append(_signed_role(role, found, seat))


def _self_signed(content: bytes) -> tuple[Metadata[Root], Seat]:
    """Read a root by itself; what else it bears is by hands of the root before, which is not at hand."""
    found = metadata.read(content, Root, "trusted root")
    metadata.check_root(found.signed)
    seat = metadata.seat_of(layout.ROOT, found.signed)
    signed = metadata.signers(found, layout.ROOT, found.signed)
    return found, replace(seat, signed_by=tuple(sorted(signed)))


def _first(content: bytes) -> tuple[Metadata[Root], Seat]:
    found = metadata.read(content, Root, layout.ROOT)
    metadata.check_root(found.signed)
    return found, metadata.verify(found, layout.ROOT, found.signed)


def _next(content: bytes, last: Root, *, older: bool) -> tuple[Metadata[Root], Seat]:
    """Verify a root under the one before; `older` when it is no newer than the trusted one."""
    found = metadata.read(content, Root, layout.ROOT)
    if found.signed.version != last.version + 1:
        raise RootBroken("a root of the bundle does not follow the one before; fetch it from elsewhere")
    metadata.check_root(found.signed)
    # Signed by enough of the members of before, and by enough of those of now; each hand is one of theirs.
    before = metadata.signers(found, layout.ROOT, last)
    seat = metadata.verify(found, layout.ROOT, found.signed, others=before)
    # Anybody can invent a root of before and sign the next one as its hands: only hands that stayed tell.
    if older and len(before.intersection(seat.signed_by)) < last.roles[layout.ROOT].threshold:
        raise RootBroken("too few hands lead from a root to the trusted one; trust an older root of the federation")
    return found, seat


def _signed_role(role: str, found: Metadata[Any], seat: Seat) -> SignedRole:
    return SignedRole(
        name=role,
        version=found.signed.version,
        expire_time=found.signed.expires,
        threshold=seat.threshold,
        keys=seat.keys,
        signed_by=seat.signed_by,
    )


def _issued(timestamp: Timestamp) -> datetime:
    said = jsontext.Place(
        path="timestamp.issued", value=timestamp.unrecognized_fields.get(ISSUED), refuse=BundleMalformed
    )
    issued = said.moment()
    if issued >= timestamp.expires:
        said.fail("is not before the timestamp expires")
    return issued
