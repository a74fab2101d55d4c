"""Members of the federation as the signed bundle lists them: keys, agencies, officers, certificates.

Each record checks what can be told from itself and is read from its place in the document. What concerns
several members is the directory's business.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime

from keys import moments, seal, suite
from keys.errors import BundleMalformed
from keys.jsontext import Place
from keys.suite import PublicKey

SEAL = "seal"
USES = frozenset({"sign", "ledger", "witness", SEAL})
ROLES = frozenset({"ask", "approve", "audit", "administer"})
SORTS = frozenset({"department", "court", "finance_platform", "credit_bureau", "credit_agency"})
"""Sorts of agencies: departments, courts, and who takes part beside them (A77, A78)."""

DIVISION_SIZE = 12

_MEMBER_ID = re.compile(r"[0-9]{6}")
_AGENCY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_OFFICER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}/[A-Za-z0-9][A-Za-z0-9._-]{0,30}")
_KEY_ID = re.compile(r"[0-9]{6}/[0-9a-f]{16}")
_DIVISION = re.compile(rf"[0-9]{{2,{DIVISION_SIZE}}}")
_PURPOSE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_SUITE = re.compile(r"[A-Z0-9][A-Z0-9-]{0,31}")
_ENDPOINT = re.compile(r"([A-Za-z0-9.-]{1,253}|\[[0-9a-f:]{2,45}\]):[0-9]{1,5}")
_CERTIFICATE = re.compile(
    r"-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=]{1,64}\n){1,256}-----END CERTIFICATE-----\n?",
)
_PERSON = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SORT = re.compile(r"[a-z_]{1,32}")
_WORD = re.compile(r"[a-z]{1,32}")
_FEW = 64
_MANY = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A name in both languages of the documents."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A member's public key with what it may be used for and when; times are half-open.

    Raises BundleMalformed for a use, order of times or suspicion that makes no sense, WeakKey for an unfit
    key.
    """

    id: str
    suite: str
    use: str
    public: bytes
    valid_from: datetime
    valid_until: datetime
    revoked_time: datetime | None
    suspect_from: datetime | None

    def __post_init__(self) -> None:
        """Check the key and its times."""
        if self.use not in USES:
            _refuse(f"the use is not one of {', '.join(sorted(USES))}")
        if not self.valid_from < self.valid_until:
            _refuse("valid_from is not before valid_until")
        if self.suspect_from is not None and (self.revoked_time is None or self.suspect_from > self.revoked_time):
            _refuse("suspect_from stands without a revoked_time, or after it")
        check = seal.check_public if self.use == SEAL else suite.check_public
        check(self.suite, self.public)

    def valid_at(self, at: datetime) -> bool:
        """Tell whether a message of this time may be signed with the key.

        From `suspect_from` on it may not; whether an older message still counts needs a witnessed checkpoint,
        which the ledger looks up.
        """
        ends = (self.valid_until, self.revoked_time, self.suspect_from)
        return self.valid_from <= at and all(end is None or at < end for end in ends)

    def public_key(self) -> PublicKey:
        """Return the key in the form that verifies."""
        return PublicKey(id=self.id, suite=self.suite, raw=self.public)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filing:
    """The filing 备案 under which a credit bureau or credit agency takes part, from a day up to before another.

    Raises BundleMalformed when it ends before it starts.
    """

    number: str
    authority: Name
    from_day: date
    until_day: date | None

    def __post_init__(self) -> None:
        """Check the days."""
        _check_days(self.from_day, self.until_day)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agency:
    """A department, court or platform of one member, with the purposes it may ask for.

    Raises BundleMalformed for an unknown sort or when it ends before it starts.
    """

    id: str
    member: str
    name: Name
    division: str
    purposes: tuple[str, ...]
    active_from: date
    active_until: date | None
    suspended: bool
    sort: str = "department"
    filing: Filing | None = None

    def __post_init__(self) -> None:
        """Check the sort and the days."""
        if self.sort not in SORTS:
            _refuse(f"the sort is not one of {', '.join(sorted(SORTS))}")
        _check_days(self.active_from, self.active_until)

    def active(self, on: date) -> bool:
        """Tell whether it may act on this day: not suspended, before `active_until`, and while its filing holds."""
        filed = self.filing is None or _covers(self.filing.from_day, self.filing.until_day, on)
        return filed and not self.suspended and _covers(self.active_from, self.active_until, on)


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What an officer may do, from a day up to before another.

    Raises BundleMalformed for an unknown role or when it ends before it starts.
    """

    role: str
    from_day: date
    until_day: date | None

    def __post_init__(self) -> None:
        """Check the role and the days."""
        if self.role not in ROLES:
            _refuse(f"the role is not one of {', '.join(sorted(ROLES))}")
        _check_days(self.from_day, self.until_day)


@dataclass(frozen=True, slots=True, kw_only=True)
class Officer:
    """A person under a pseudonym who acts for an agency.

    Raises BundleMalformed when the id does not begin with the agency's, WeakKey for an unfit key.
    """

    id: str
    agency: str
    public: bytes
    roles: tuple[Role, ...]
    person: str | None = None
    """A mark that officers share who are one person; nothing where nobody is two officers."""

    def __post_init__(self) -> None:
        """Check the id and the key."""
        if self.id.partition("/")[0] != self.agency:
            _refuse("the officer's id does not begin with its agency's id and a slash")
        suite.check_public(suite.INT_1, self.public)

    def holds(self, role: str, on: date) -> bool:
        """Tell whether the officer has the role on this day."""
        return any(each.role == role and _covers(each.from_day, each.until_day, on) for each in self.roles)

    def key(self) -> PublicKey:
        """Return the officer's key, named by the officer's id and the fingerprint."""
        return PublicKey(id=suite.key_id(self.id, self.public), suite=suite.INT_1, raw=self.public)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A region of the federation, or a hub 枢纽 that relays; certificates are PEM bytes.

    `via` names the hubs that relay to and from a member without a route of its own. What a member says of itself counts
    until `expire_time`, the end of its own role. Raises BundleMalformed when a key is not named by this member and its
    fingerprint, an officer acts for an agency that is not this member's, or a hub decides, asks, or could open what it
    relays.
    """

    id: str
    name: Name
    parent: str | None
    divisions: tuple[str, ...]
    suspended: bool
    hub: bool
    expire_time: datetime
    endpoint: str | None
    via: tuple[str, ...]
    ca_certificates: tuple[bytes, ...]
    issuing_certificates: tuple[bytes, ...]
    keys: tuple[Key, ...]
    agencies: tuple[Agency, ...]
    officers: tuple[Officer, ...]

    def __post_init__(self) -> None:
        """Check that all it holds is its own."""
        for key in self.keys:
            if key.id != suite.key_id(self.id, key.public):
                _refuse(f"the key id {key.id} is not {self.id}/ and the fingerprint of its public key")
        own = {agency.id for agency in self.agencies}
        for officer in self.officers:
            if officer.agency not in own:
                _refuse(f"the officer {officer.id} acts for an agency that {self.id} does not list")
        # A hub that could open, decide or ask would be more than a relay (threat 1).
        if self.hub and (self.divisions or self.agencies or self.via or any(each.use == SEAL for each in self.keys)):
            _refuse(f"the hub {self.id} has divisions, agencies, a sealing key or a hub of its own")

    def suspended_at(self, at: datetime) -> bool:
        """Tell whether it is suspended itself, or its own role has expired."""
        return self.suspended or moments.require_utc(at) >= self.expire_time


def read_suites(place: Place) -> tuple[str, ...]:
    """Return the suites that the directory allows; `place` raises for any other form."""
    return _texts(place, _SUITE)


def read_member(place: Place) -> Member:
    """Return the member at this place; `place` raises for any other form."""
    part = place.members(Member.__slots__)
    member_id = part["id"].text(_MEMBER_ID)
    return place.build(
        Member,
        id=member_id,
        name=_name(part["name"]),
        parent=part["parent"].maybe(lambda parent: parent.text(_MEMBER_ID)),
        divisions=_texts(part["divisions"], _DIVISION),
        suspended=part["suspended"].flag(),
        hub=part["hub"].flag(),
        expire_time=part["expire_time"].moment(),
        endpoint=part["endpoint"].maybe(lambda endpoint: endpoint.text(_ENDPOINT)),
        via=_texts(part["via"], _MEMBER_ID),
        ca_certificates=_certificates(part["ca_certificates"]),
        issuing_certificates=_certificates(part["issuing_certificates"]),
        keys=tuple(_key(each) for each in part["keys"].items(limit=_FEW)),
        agencies=tuple(_agency(each, member_id) for each in part["agencies"].items(limit=_MANY)),
        officers=tuple(_officer(each) for each in part["officers"].items(limit=_MANY)),
    )


def _key(place: Place) -> Key:
    part = place.members(Key.__slots__)
    return place.build(
        Key,
        id=part["id"].text(_KEY_ID),
        suite=part["suite"].text(_SUITE),
        use=part["use"].text(_WORD),
        public=part["public"].octets(),
        valid_from=part["valid_from"].moment(),
        valid_until=part["valid_until"].moment(),
        revoked_time=part["revoked_time"].maybe(Place.moment),
        suspect_from=part["suspect_from"].maybe(Place.moment),
    )


def _agency(place: Place, member_id: str) -> Agency:
    part = place.members(set(Agency.__slots__) - {"member"}, optional=("sort", "filing"))
    return place.build(
        Agency,
        id=part["id"].text(_AGENCY_ID),
        member=member_id,
        name=_name(part["name"]),
        division=part["division"].text(_DIVISION),
        purposes=_texts(part["purposes"], _PURPOSE),
        active_from=part["active_from"].day(),
        active_until=part["active_until"].maybe(Place.day),
        suspended=part["suspended"].flag(),
        sort=part["sort"].text(_SORT) if "sort" in part else "department",
        filing=part["filing"].maybe(_filing) if "filing" in part else None,
    )


def _filing(place: Place) -> Filing:
    part = place.members(("number", "authority", "from", "until"))
    from_day, until_day = part["from"].day(), part["until"].maybe(Place.day)
    return place.build(
        Filing, number=part["number"].text(), authority=_name(part["authority"]), from_day=from_day, until_day=until_day
    )


def _officer(place: Place) -> Officer:
    part = place.members(Officer.__slots__, optional=("person",))
    return place.build(
        Officer,
        id=part["id"].text(_OFFICER_ID),
        agency=part["agency"].text(_AGENCY_ID),
        public=part["public"].octets(),
        roles=tuple(_role(each) for each in part["roles"].items(limit=_FEW)),
        person=part["person"].text(_PERSON) if "person" in part else None,
    )


def _role(place: Place) -> Role:
    part = place.members(("role", "from", "until"))
    role, from_day, until_day = part["role"].text(_WORD), part["from"].day(), part["until"].maybe(Place.day)
    return place.build(Role, role=role, from_day=from_day, until_day=until_day)


def _name(place: Place) -> Name:
    part = place.members(Name.__slots__)
    return Name(zh=part["zh"].text(), en=part["en"].text())


def _certificates(place: Place) -> tuple[bytes, ...]:
    return tuple(each.text(_CERTIFICATE).encode("ascii") for each in place.items(limit=_FEW))


def _texts(place: Place, pattern: re.Pattern[str]) -> tuple[str, ...]:
    texts = tuple(each.text(pattern) for each in place.items(limit=_MANY))
    if len(set(texts)) != len(texts):
        place.fail("has an item twice")
    return texts


def _check_days(from_day: date, until_day: date | None) -> None:
    if until_day is not None and not from_day < until_day:
        _refuse("the first day is not before the day it ends")


def _covers(from_day: date, until_day: date | None, on: date) -> bool:
    return from_day <= on and (until_day is None or on < until_day)


def _refuse(problem: str) -> None:
    raise BundleMalformed(f"{problem}; correct the entry and have the bundle signed again")
