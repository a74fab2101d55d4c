"""The directory of the federation: who speaks for whom, from when to when, out of a verified bundle.

It answers by member, key, agency, officer and division. It refuses to know the clock (`at` is told), the
network, and the meaning of the sections that others own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import InitVar, dataclass, field, replace
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Any, TypeVar

from keys import moments
from keys.bundle.opening import Opened, SignedRole, open_archive
from keys.bundle.quarantine import SECTION, Stop, apply, read_stops
from keys.entries import DIVISION_SIZE, read_member, read_suites
from keys.errors import BundleExpired, BundleMalformed, KeyNotValid, KeyUnknown, MemberUnknown, WeakKey
from keys.jsontext import Place
from keys.members import Agency, Key, Member, Name, Officer, Role
from keys.suite import PublicKey

__all__ = [
    "Agency",
    "Directory",
    "Key",
    "Member",
    "Name",
    "Officer",
    "Role",
    "SignedRole",
    "Stage",
    "Stop",
    "open_bundle",
]

_OWN = ("minimum_version", "suites", "members")
_NOT_SECTIONS = (*_OWN, SECTION)
_MEMBER_LIMIT = 1000
_VERIFIED = object()

_T = TypeVar("_T")


class Stage(Enum):
    """How far a bundle may still be used: as it is, with a mark on every answer, or for old evidence only."""

    NORMAL = "NORMAL"
    DEGRADED = "DEGRADED"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Directory:
    """A verified directory with the archive that it came in. Only `open_bundle` makes one.

    New exchanges are marked from `expire_time` on (the timestamp's) and end at `close_time` (the first end of
    any other role that all members share).

    Raises TypeError when anybody else tries, BundleMalformed when ids, parents or divisions clash, WeakKey
    when one public key stands twice.
    """

    version: int
    minimum_version: int
    issued_time: datetime
    expire_time: datetime
    close_time: datetime
    suites: tuple[str, ...]
    members: tuple[Member, ...]
    sections: Mapping[str, Any]
    roles: tuple[SignedRole, ...]
    quarantine: tuple[Stop, ...]
    archive: bytes = field(repr=False)
    opened: Opened = field(repr=False)
    verified: InitVar[object]
    _members: Mapping[str, Member] = field(init=False, repr=False)
    _keys: Mapping[str, Key] = field(init=False, repr=False)
    _agencies: Mapping[str, Agency] = field(init=False, repr=False)
    _officers: Mapping[str, Officer] = field(init=False, repr=False)
    _divisions: Mapping[str, Member] = field(init=False, repr=False)

    def __post_init__(self, verified: object) -> None:
        """Build the look-ups and check what concerns several members."""
        if verified is not _VERIFIED:
            raise TypeError("a Directory comes out of open_bundle only; verify an archive instead of making one")
        agencies = [agency for member in self.members for agency in member.agencies]
        officers = [officer for member in self.members for officer in member.officers]
        keys = [key for member in self.members for key in member.keys]
        divisions = [(division, member) for member in self.members for division in member.divisions]
        signing = {key.raw for role in self.roles for key in role.keys}
        _check_copies([*signing, *(key.public for key in keys), *(officer.public for officer in officers)])
        self._keep("_members", "member", ((member.id, member) for member in self.members))
        self._keep("_keys", "key", ((key.id, key) for key in keys))
        self._keep("_agencies", "agency", ((agency.id, agency) for agency in agencies))
        self._keep("_officers", "officer", ((officer.id, officer) for officer in officers))
        self._keep("_divisions", "division", divisions)
        self._check_owners()

    def member(self, member_id: str) -> Member:
        """Return the member.

        Raises MemberUnknown.
        """
        if member_id not in self._members:
            raise MemberUnknown(f"no member {member_id[:40]!r} is in the directory; refresh it or ask another member")
        return self._members[member_id]

    def key(self, key_id: str, *, use: str, at: datetime) -> PublicKey:
        """Return a member's key that is good for this use at this time.

        Raises MemberUnknown when the id names no member, KeyUnknown when the member has no such key,
        KeyNotValid outside the key's use, times and allowed suites, from revocation or suspicion on.
        """
        self.key_owner(key_id)
        key = self._keys[key_id]
        if key.use != use:
            raise KeyNotValid(f"the key {key_id} is not for {use!r}; sign with a key of that use")
        if key.suite not in self.suites:
            raise KeyNotValid(f"the directory does not allow the suite of the key {key_id}; sign with an allowed suite")
        if not key.valid_at(moments.require_utc(at)):
            raise KeyNotValid(f"the key {key_id} is not valid at {moments.write(at)}; sign with a current key")
        return key.public_key()

    def key_owner(self, key_id: str) -> str:
        """Return the id of the member whose key this is, valid or not; officers' keys are not members' keys.

        Raises MemberUnknown when the id names no member, KeyUnknown when the member has no such key.
        """
        member = self.member(key_id.partition("/")[0])
        if key_id not in self._keys:
            raise KeyUnknown(f"the member {member.id} has no key of that id; refresh the directory or sign anew")
        return member.id

    def agency(self, agency_id: str) -> Agency | None:
        """Return the agency, or nothing when no member lists it."""
        return self._agencies.get(agency_id)

    def officer(self, officer_id: str) -> Officer | None:
        """Return the officer, or nothing when no member lists one."""
        return self._officers.get(officer_id)

    def home_of(self, division: str) -> Member | None:
        """Return the member of the code's longest prefix; a sub-member wins over its parent."""
        home: Member | None = None
        for end in range(min(len(division), DIVISION_SIZE), 0, -1):
            member = self._divisions.get(division[:end])
            if member is not None and (home is None or member.parent == home.id):
                home = member
        return home

    def suspended(self, member_id: str, at: datetime) -> bool:
        """Tell whether the member or its parent is suspended at this time; one whose own role has expired is.

        Raises MemberUnknown.
        """
        member = self.member(member_id)
        if member.suspended_at(at):
            return True
        return member.parent is not None and self._members[member.parent].suspended_at(at)

    def stage(self, now: datetime) -> Stage:
        """Tell how far the bundle may be used at this time."""
        if moments.require_utc(now) >= self.close_time:
            return Stage.CLOSED
        return Stage.NORMAL if now < self.expire_time else Stage.DEGRADED

    def check_current(self, now: datetime) -> None:
        """Return while the directory may be used for new exchanges.

        Raises BundleExpired from `close_time` on.
        """
        if self.stage(now) is Stage.CLOSED:
            raise BundleExpired(f"the bundle expired at {moments.write(self.close_time)}; fetch the current one")

    def stopped(self, stops: Iterable[Stop]) -> "Directory":
        """Return the directory of the same bundle with further things stopped, as one member does for itself."""
        return _read(self.opened, self.archive, (*self.quarantine, *stops))

    def remembering(self, earlier: Iterable["Directory"]) -> "Directory":
        """Return this directory with keys and members that earlier ones listed and it lists no more.

        For old evidence only. What is listed in several counts as this one says, or the first of the earlier ones that
        does: a key that was taken back stays taken back. Raises WeakKey as reading does.
        """
        found, suites = {each.id: each for each in self.members}, dict.fromkeys(self.suites)
        for each in earlier:
            suites |= dict.fromkeys(each.suites)
            for member in each.members:
                held = found.get(member.id)
                found[member.id] = _gone(member) if held is None else _with_keys(held, member.keys)
        return replace(self, members=tuple(found.values()), suites=tuple(suites), verified=_VERIFIED)

    def _keep(self, name: str, what: str, pairs: Iterable[tuple[str, _T]]) -> None:
        found: dict[str, _T] = {}
        for each, value in pairs:
            if each in found:
                _refuse(f"the {what} {each} is listed twice")
            found[each] = value
        object.__setattr__(self, name, MappingProxyType(found))

    def _check_owners(self) -> None:
        for member in self.members:
            if any(each not in self._members or not self._members[each].hub for each in member.via):
                _refuse(f"the member {member.id} is reached by way of a member that is no hub")
            if member.parent is None:
                continue
            parent = self._members[member.parent]
            if not all(each.startswith(parent.divisions) for each in member.divisions):
                _refuse(f"a division of {member.id} is not within those of its parent {parent.id}")
        for agency in self._agencies.keys() & self._members.keys():
            # A key id begins with its owner's id: an agency must not pass for a member.
            _refuse(f"the agency {agency} has the id of a member")


def open_bundle(archive: bytes, *, root: bytes, floor: int = 0) -> Directory:
    """Return the directory in an archive of the bundle, verified under a trusted root's metadata.

    Expiry is not looked at: old evidence must still verify. Raises what `open_archive` raises, and
    BundleMalformed, WeakKey and SuiteUnknown for its content.
    """
    opened = open_archive(archive, root=root, floor=floor)
    listed = Place(path=f"$.{SECTION}", value=opened.document.get(SECTION, ()), refuse=BundleMalformed)
    return _read(opened, archive, read_stops(listed))


def _read(opened: Opened, archive: bytes, quarantine: tuple[Stop, ...]) -> Directory:
    document = apply(opened.document, quarantine)
    part = Place(path="$", value=document, refuse=BundleMalformed).members(_OWN, others=True)
    directory = Directory(
        version=opened.version,
        minimum_version=part["minimum_version"].integer(least=0),
        issued_time=opened.issued_time,
        expire_time=opened.expire_time,
        close_time=opened.close_time,
        suites=read_suites(part["suites"]),
        members=tuple(read_member(each) for each in part["members"].items(limit=_MEMBER_LIMIT)),
        sections=MappingProxyType({name: place.value for name, place in part.items() if name not in _NOT_SECTIONS}),
        roles=opened.roles,
        quarantine=quarantine,
        archive=archive,
        opened=opened,
        verified=_VERIFIED,
    )
    if directory.minimum_version > directory.version:
        _refuse("$.minimum_version is above the bundle's version")
    return directory


def _gone(member: Member) -> Member:
    """Keep of a member that left what old signatures need."""
    return replace(member, divisions=(), via=(), agencies=(), officers=(), endpoint=None)


def _with_keys(member: Member, keys: Iterable[Key]) -> Member:
    known = {each.id for each in member.keys}
    return replace(member, keys=(*member.keys, *(each for each in keys if each.id not in known)))


def _check_copies(publics: list[bytes]) -> None:
    if len(set(publics)) != len(publics):
        raise WeakKey("one public key is listed twice in the bundle; each owner and use needs a key of its own")


def _refuse(problem: str) -> None:
    raise BundleMalformed(f"{problem}; correct the bundle and have it signed again")
