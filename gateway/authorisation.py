"""The subject's authorisation 授权 (duty U8, step 13): vouched for by its home member, checked at both ends."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from gateway import wire
from gateway.charter import Charter
from gateway.model.codes import AuthorisationStatus
from gateway.model.question import Authorisation, QuestionHeader
from keys.envelope import Envelope, open_envelope, sign
from keys.errors import KeysError
from keys.suite import Signer

TYPE = wire.PAYLOAD_TYPES[Authorisation]


def vouch(authorisation: Authorisation, signer: Signer) -> Envelope:
    """Sign an authorisation for its home member."""
    return sign(TYPE, wire.encode(authorisation), signer)


def covered(header: QuestionHeader, kind: str, charter: Charter, now: datetime, *, age_minutes: int) -> frozenset[str]:
    """Give the codes for which the question carries an authorisation that holds for it, now, at this answerer."""
    opened = (_open(envelope, charter, now) for envelope in header.authorisations)
    skew = timedelta(seconds=charter.catalogue.limits.clock_skew)
    oldest = now - timedelta(minutes=age_minutes)
    return frozenset(
        each.uscc
        for each in opened
        if each is not None
        and _fits(each, header, kind)
        and each.valid_from_time <= now < each.valid_until_time
        and oldest <= each.status_time <= now + skew
    )


def holds(subjects: Iterable[str], found: frozenset[str]) -> bool:
    """Say whether every subject is covered."""
    return found.issuperset(subjects)


def _open(envelope: Envelope, charter: Charter, now: datetime) -> Authorisation | None:
    directory = charter.directory
    try:
        opened = open_envelope(
            envelope, payload_type=TYPE, find=lambda key_id: directory.key(key_id, use="sign", at=now)
        )
        found = wire.decode(Authorisation, opened.payload)
        owners = {directory.key_owner(key_id) for key_id in opened.key_ids}
    except (KeysError, wire.WireMalformed):
        return None
    return found if owners == {found.home_member} and not directory.suspended(found.home_member, now) else None


def _fits(each: Authorisation, header: QuestionHeader, kind: str) -> bool:
    return (
        each.status is AuthorisationStatus.IN_FORCE
        and each.agency == header.asker_agency
        and header.purpose in each.purposes
        and kind in each.kinds
        and header.answerer_member in each.members
    )
