"""The subject's authorisation 授权 (duty U8, step 13): vouched for by its home member, checked at both ends.

A status that its home gave for certain questions holds for them alone and for no longer than they live, so that a use
serves once, and nobody lays in statuses against a withdrawal (threat 5).
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from datetime import datetime, timedelta

from gateway import wire
from gateway.charter import Charter
from gateway.limits import Limits
from gateway.model.codes import AuthorisationStatus
from gateway.model.question import Authorisation, QuestionHeader
from keys.envelope import Envelope, open_envelope, sign
from keys.errors import KeysError
from keys.suite import Signer

TYPE = wire.PAYLOAD_TYPES[Authorisation]


def vouch(authorisation: Authorisation, signer: Signer) -> Envelope:
    """Sign an authorisation for its home member."""
    return sign(TYPE, wire.encode(authorisation), signer)


Vouchers = Mapping[str, tuple[Authorisation, ...]]
"""Code to the statuses that cover it."""


def covered(header: QuestionHeader, kind: str, charter: Charter, now: datetime, *, age_minutes: int) -> Vouchers:
    """Give the codes for which the question carries an authorisation that holds for it, now, at this answerer.

    The statuses are told with each code: whether a subject's home gave them, a register must say.
    """
    opened = (_open(envelope, charter, now) for envelope in header.authorisations)
    age = timedelta(minutes=age_minutes)
    found: dict[str, tuple[Authorisation, ...]] = {}
    for each in opened:
        if (
            each is not None
            and _fits(each, header, kind)
            and each.valid_from_time <= now < each.valid_until_time
            and _is_fresh(each, charter.catalogue.limits, now, age)
        ):
            found[each.uscc] = (*found.get(each.uscc, ()), each)
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


def _is_fresh(each: Authorisation, limits: Limits, now: datetime, age: timedelta) -> bool:
    """Say whether a status is young enough: one of certain questions lives no longer than they may."""
    skew = timedelta(seconds=limits.clock_skew)
    if each.question_ids:
        age = min(age, timedelta(seconds=limits.question_life) + skew)
    return now - age <= each.status_time <= now + skew


def _is_for(each: Authorisation, header: QuestionHeader) -> bool:
    """Say whether a status was given for this question; one that was given for none holds while nothing is counted."""
    if each.question_ids:
        return header.question_id in each.question_ids
    return each.use_limit == 0
