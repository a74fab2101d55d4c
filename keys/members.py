"""Members of the federation as the signed bundle lists them: keys, agencies, officers, certificates.

Each record checks what can be told from itself; `keys.entries` reads it from its place in the document. What concerns
several members is the directory's business.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import combinations_with_replacement, product

from keys import moments, seal, suite
from keys.errors import BundleMalformed
from keys.suite import PublicKey

SEAL = "seal"
USES = frozenset({"sign", "ledger", "witness", SEAL})
ROLES = frozenset({"ask", "approve", "audit", "administer", "secure"})
EXCLUSIVE = frozenset({"administer", "secure", "audit"})
"""Roles of system, security and audit 三员: nobody has two of them on one day (duty U32)."""

SORTS = frozenset({"department", "court", "finance_platform", "credit_bureau", "credit_agency"})
"""Sorts of agencies: departments, courts, and who takes part beside them (A77, A78)."""


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
        """Tell whether the officer has the role on this day; of two that exclude one another neither counts."""
        held = {each.role for each in self.roles if _covers(each.from_day, each.until_day, on)}
        return role in held and (role not in EXCLUSIVE or held & EXCLUSIVE == {role})

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


def excluded(officers: Iterable[Officer]) -> Iterator[tuple[Officer, Officer]]:
    """Give the pairs of officers who are one person and have roles that exclude one another on some day.

    A pair may be one officer twice.
    """
    for one, other in combinations_with_replacement(tuple(officers), 2):
        same = one.id == other.id or (one.person is not None and one.person == other.person)
        if same and any(_exclude(*pair) for pair in product(one.roles, other.roles)):
            yield one, other


def _exclude(one: Role, other: Role) -> bool:
    begins = max(one.from_day, other.from_day)
    together = _covers(one.from_day, one.until_day, begins) and _covers(other.from_day, other.until_day, begins)
    return together and one.role != other.role and {one.role, other.role} <= EXCLUSIVE


def _check_days(from_day: date, until_day: date | None) -> None:
    if until_day is not None and not from_day < until_day:
        _refuse("the first day is not before the day it ends")


def _covers(from_day: date, until_day: date | None, on: date) -> bool:
    return from_day <= on and (until_day is None or on < until_day)


def _refuse(problem: str) -> None:
    raise BundleMalformed(f"{problem}; correct the entry and have the bundle signed again")
