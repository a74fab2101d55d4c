"""The directory of the federation: who speaks for whom, from when to when, over verified data.

It answers by member, key, agency, officer and division. It refuses to know the clock (`at` is told), the
network, and the meaning of the sections that others own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import InitVar, dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, TypeVar

from keys import envelope as envelopes
from keys import jsontext, moments
from keys.envelope import Envelope
from keys.errors import (
    DirectoryExpired,
    DirectoryMalformed,
    DirectoryRollback,
    KeyNotValid,
    KeyUnknown,
    MemberUnknown,
    SignatureInvalid,
    WeakKey,
)
from keys.members import DIVISION_SIZE, Agency, Key, Member, Name, Officer, Role, read_member, read_suites
from keys.suite import PublicKey, Signer

__all__ = [
    "DIRECTORY_TYPE",
    "Agency",
    "Directory",
    "Key",
    "Member",
    "Name",
    "Officer",
    "Role",
    "open_directory",
    "sign_directory",
]

DIRECTORY_TYPE = "application/vnd.yrdx.directory.v1+json"

_OWN = ("version", "minimum_version", "issued_time", "expire_time", "suites", "members")
_MEMBER_LIMIT = 1000
_VERIFIED = object()

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Directory:
    """A verified directory with the exact bytes that were signed. Only `open_directory` makes one.

    Raises TypeError when anybody else tries, DirectoryMalformed when ids, parents or divisions clash, WeakKey
    when one public key stands twice.
    """

    version: int
    minimum_version: int
    issued_time: datetime
    expire_time: datetime
    suites: tuple[str, ...]
    members: tuple[Member, ...]
    sections: Mapping[str, Any]
    envelope: Envelope
    verified: InitVar[object]
    _members: Mapping[str, Member] = field(init=False, repr=False)
    _keys: Mapping[str, Key] = field(init=False, repr=False)
    _agencies: Mapping[str, Agency] = field(init=False, repr=False)
    _officers: Mapping[str, Officer] = field(init=False, repr=False)
    _divisions: Mapping[str, Member] = field(init=False, repr=False)

    def __post_init__(self, verified: object) -> None:
        """Build the look-ups and check what concerns several members."""
        if verified is not _VERIFIED:
            raise TypeError("a Directory comes out of open_directory only; verify the envelope instead of making one")
        agencies = [agency for member in self.members for agency in member.agencies]
        officers = [officer for member in self.members for officer in member.officers]
        keys = [key for member in self.members for key in member.keys]
        divisions = [(division, member) for member in self.members for division in member.divisions]
        _check_copies([*(key.public for key in keys), *(officer.public for officer in officers)])
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

    def suspended(self, member_id: str) -> bool:
        """Tell whether the member or its parent is suspended.

        Raises MemberUnknown.
        """
        member = self.member(member_id)
        return member.suspended or (member.parent is not None and self._members[member.parent].suspended)

    def check_current(self, now: datetime) -> None:
        """Return while the directory may be used for new exchanges.

        Raises DirectoryExpired from `expire_time` on.
        """
        if moments.require_utc(now) >= self.expire_time:
            raise DirectoryExpired(f"the directory expired at {moments.write(self.expire_time)}; fetch the current one")

    def _keep(self, name: str, what: str, pairs: Iterable[tuple[str, _T]]) -> None:
        found: dict[str, _T] = {}
        for each, value in pairs:
            if each in found:
                _refuse(f"the {what} {each} is listed twice")
            found[each] = value
        object.__setattr__(self, name, MappingProxyType(found))

    def _check_owners(self) -> None:
        for member in self.members:
            if member.parent is None:
                continue
            parent = self._members.get(member.parent)
            if parent is None:
                _refuse(f"the parent {member.parent} of {member.id} is not listed")
            elif parent.parent is not None:
                _refuse(f"the parent {parent.id} of {member.id} has a parent itself")
        for agency in self._agencies.keys() & self._members.keys():
            # A key id begins with its owner's id: an agency must not pass for a member.
            _refuse(f"the agency {agency} has the id of a member")


def open_directory(
    envelope: Envelope,
    *,
    root: Mapping[str, PublicKey] | PublicKey,
    floor: int = 0,
    threshold: int = 1,
) -> Directory:
    """Return the directory signed by at least `threshold` root keys and by no other key.

    Expiry is not looked at: old evidence must still verify. Raises what `open_envelope` raises, KeyUnknown
    for a signer outside the root, SignatureInvalid below the threshold, DirectoryRollback below the version
    `floor`, DirectoryMalformed, WeakKey and SuiteUnknown for its content.
    """
    keys = {root.id: root} if isinstance(root, PublicKey) else root
    opened = envelopes.open_envelope(envelope, payload_type=DIRECTORY_TYPE, find=lambda each: _root_key(keys, each))
    if len(opened.key_ids) < threshold:
        raise SignatureInvalid(
            f"the directory has {len(opened.key_ids)} of {threshold} signatures; have the others sign it"
        )
    directory = _read(opened.payload, envelope)
    if directory.version < floor:
        raise DirectoryRollback(
            f"the directory's version {directory.version} is older than {floor}; fetch the current one"
        )
    return directory


def sign_directory(payload: bytes, *signers: Signer) -> Envelope:
    """Return the directory's JSON text signed, after every check that its readers will make.

    Raises DirectoryMalformed, WeakKey, SuiteUnknown for the content, EnvelopeMalformed without signers.
    """
    envelope = envelopes.sign(DIRECTORY_TYPE, payload, *signers)
    return _read(payload, envelope).envelope


def _root_key(keys: Mapping[str, PublicKey], key_id: str) -> PublicKey:
    if key_id not in keys:
        raise KeyUnknown("the directory is signed by a key outside the root; fetch it from a member you trust")
    return keys[key_id]


def _read(payload: bytes, envelope: Envelope) -> Directory:
    part = jsontext.load(payload, refuse=DirectoryMalformed).members(_OWN, others=True)
    directory = Directory(
        version=part["version"].integer(least=1),
        minimum_version=part["minimum_version"].integer(least=0),
        issued_time=part["issued_time"].moment(),
        expire_time=part["expire_time"].moment(),
        suites=read_suites(part["suites"]),
        members=tuple(read_member(each) for each in part["members"].items(limit=_MEMBER_LIMIT)),
        sections=MappingProxyType({name: place.value for name, place in part.items() if name not in _OWN}),
        envelope=envelope,
        verified=_VERIFIED,
    )
    if directory.minimum_version > directory.version:
        _refuse("$.minimum_version is above $.version")
    if not directory.issued_time < directory.expire_time:
        _refuse("$.issued_time is not before $.expire_time")
    return directory


def _check_copies(publics: list[bytes]) -> None:
    if len(set(publics)) != len(publics):
        raise WeakKey("one public key is listed twice in the directory; each owner and use needs a key of its own")


def _refuse(problem: str) -> None:
    raise DirectoryMalformed(f"{problem}; correct the directory and have it signed again")
