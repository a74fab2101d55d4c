"""The subject's authorisation 授权 (duty U8, step 13): vouched for by its home member, checked at both ends.

A status that its home gave for certain questions holds for them alone, so that neither a use nor a status that was
given before a withdrawal serves twice (threat 5).
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
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


Vouchers = Mapping[str, frozenset[str]]
"""Code to the members that vouch for its authorisation."""


def covered(header: QuestionHeader, kind: str, charter: Charter, now: datetime, *, age_minutes: int) -> Vouchers:
    """Give the codes for which the question carries an authorisation that holds for it, now, at this answerer.

    Who vouches is told with each code: whether that is the subject's home, a register must say.
    """
    opened = (_open(envelope, charter, now) for envelope in header.authorisations)
    skew = timedelta(seconds=charter.catalogue.limits.clock_skew)
    oldest = now - timedelta(minutes=age_minutes)
    found: dict[str, frozenset[str]] = {}
    for each in opened:
        if (
            each is not None
            and _fits(each, header, kind)
            and each.valid_from_time <= now < each.valid_until_time
            and oldest <= each.status_time <= now + skew
        ):
            found[each.uscc] = found.get(each.uscc, frozenset()) | {each.home_member}
    return found


def holds(subjects: Iterable[str], found: Container[str]) -> bool:
    """Say whether every subject is covered."""
    return all(each in found for each in subjects)


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
        and _is_for(each, header)
    )


def _is_for(each: Authorisation, header: QuestionHeader) -> bool:
    """Say whether a status was given for this question; one that was given for none holds while nothing is counted."""
    if each.question_ids:
        return header.question_id in each.question_ids
    return each.use_limit == 0
