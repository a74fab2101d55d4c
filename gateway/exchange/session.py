"""A session of an officer at the desk: a key that signs for the officer under a signed assertion (duty U7).

The assertion alone gives no right: whoever the officer is, and what the officer may do, is what the directory says at
each call, so that a session ends with the role, the officer or the agency.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway import wire
from gateway.charter import Charter
from gateway.clocks import civil_day
from gateway.errors import Refused
from gateway.exchange.admit import is_stale, reason_for
from gateway.limits import ID_BYTES
from gateway.model.accounts import OfficerAssertion, Session
from gateway.model.codes import RefusalReason
from keys import suite
from keys.directory import Directory
from keys.envelope import Envelope, open_envelope
from keys.errors import KeysError, KeyUnknown
from keys.members import ROLES
from keys.suite import PublicKey

TYPE = wire.PAYLOAD_TYPES[OfficerAssertion]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """A session in force: whose it is, what it may do now, its key, and the digest of its assertion."""

    officer: str
    roles: frozenset[str]
    key: PublicKey
    digest: bytes

    def check(self, key_ids: Collection[str], officer: str, roles: Collection[str]) -> None:
        """Check that the session signed, for its own officer, in one of these roles.

        Raises:
            Refused: KEY_NOT_VALID when another key signed for the officer; AGENCY_NOT_ALLOWED for a role that the
                session has not.
        """
        if officer != self.officer or self.key.id not in key_ids:
            raise Refused(RefusalReason.KEY_NOT_VALID)
        if self.roles.isdisjoint(roles):
            raise Refused(RefusalReason.AGENCY_NOT_ALLOWED)


def officer_key(directory: Directory, key_id: str, bearer: Bearer | None) -> PublicKey:
    """Give an officer's key: the officer's own, or the key of the session that is told.

    Raises:
        KeyUnknown: for any other.
    """
    if bearer is not None and key_id == bearer.key.id:
        return bearer.key
    officer = directory.officer(key_id.rpartition("/")[0])
    if officer is None or officer.key().id != key_id:
        raise KeyUnknown("no officer of the directory has this key")
    return officer.key()


def open_assertion(envelope: Envelope, agency: str, charter: Charter, now: datetime) -> tuple[OfficerAssertion, Bearer]:
    """Verify an officer's assertion as it stands at this time.

    Raises:
        Refused: with the reason; EXPIRED outside its hours, SUSPENDED with the agency, KEY_NOT_VALID when the officer
            or the officer's key is no more, AGENCY_NOT_ALLOWED when none of its roles is left.
    """
    limits = charter.catalogue.limits
    assertion, bearer = read_assertion(envelope, agency, charter, now)
    if not assertion.from_time - timedelta(seconds=limits.clock_skew) <= now < assertion.until_time:
        raise Refused(RefusalReason.EXPIRED)
    check_in_force(agency, charter, now)
    if not bearer.roles:
        raise Refused(RefusalReason.AGENCY_NOT_ALLOWED)
    return assertion, bearer


def read_assertion(envelope: Envelope, agency: str, charter: Charter, now: datetime) -> tuple[OfficerAssertion, Bearer]:
    """Verify who signed an assertion and that it is well formed, whether or not it is still in its hours.

    Raises:
        Refused: as `open_assertion`, but for its hours and roles.
    """
    directory = charter.directory
    if is_stale(directory, now):
        raise Refused(RefusalReason.STALE_BUNDLE)
    try:
        opened = open_envelope(envelope, payload_type=TYPE, find=lambda key_id: officer_key(directory, key_id, None))
        assertion = wire.decode(OfficerAssertion, opened.payload)
        suite.check_public(suite.INT_1, assertion.session_public)
    except KeysError as error:
        raise Refused(reason_for(error)) from error
    except wire.WireMalformed as error:
        raise Refused(RefusalReason.MALFORMED) from error
    officer = directory.officer(assertion.officer)
    if assertion.agency != agency or officer is None or officer.agency != agency:
        raise Refused(RefusalReason.AGENCY_NOT_ALLOWED)
    if opened.key_ids != (officer.key().id,):
        raise Refused(RefusalReason.BAD_SIGNATURE)
    _check_form(assertion, officer.public, charter)
    today = civil_day(now)
    return assertion, Bearer(
        officer=assertion.officer,
        roles=frozenset(role for role in assertion.roles if officer.holds(role, today)),
        key=PublicKey(
            id=suite.key_id(assertion.officer, assertion.session_public),
            suite=suite.INT_1,
            raw=assertion.session_public,
        ),
        digest=opened.digest,
    )


def _check_form(assertion: OfficerAssertion, own: bytes, charter: Charter) -> None:
    life = timedelta(hours=charter.catalogue.limits.session_hours)
    if (
        len(assertion.assertion_id) != ID_BYTES
        or assertion.session_public == own
        or not assertion.roles
        or not ROLES.issuperset(assertion.roles)
        or not assertion.from_time < assertion.until_time <= assertion.from_time + life
    ):
        raise Refused(RefusalReason.MALFORMED)


def check_in_force(agency: str, charter: Charter, now: datetime) -> None:
    """Check that an agency's officers may do anything: it is not suspended, and active on this day.

    Raises:
        Refused: SUSPENDED or AGENCY_NOT_ALLOWED.
    """
    found = charter.directory.agency(agency)
    if found is not None and found.suspended:
        raise Refused(RefusalReason.SUSPENDED)
    if found is None or not found.active(civil_day(now)):
        raise Refused(RefusalReason.AGENCY_NOT_ALLOWED)


def session_of(assertion: OfficerAssertion, digest: bytes, now: datetime) -> Session:
    """Give the session that an assertion opens at this time."""
    return Session(
        assertion_digest=digest,
        agency=assertion.agency,
        officer=assertion.officer,
        roles=assertion.roles,
        from_time=assertion.from_time,
        until_time=assertion.until_time,
        open_time=now,
    )


def holds(officer_id: str, roles: Collection[str], bearer: Bearer | None, charter: Charter, now: datetime) -> bool:
    """Say whether an officer has one of these roles today, and the session too, where one signs for the officer."""
    officer, today = charter.directory.officer(officer_id), civil_day(now)
    held = () if officer is None else tuple(role for role in roles if officer.holds(role, today))
    return bool(held) and (bearer is None or not bearer.roles.isdisjoint(held))
