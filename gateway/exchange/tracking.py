"""Who asked about a subject: what its own key reads, what a home member passes on, what every member seals to it.

The home member vouches for the key and passes sealed reports on; no node but the reporting one reads them (duty U28).
What two officers delay shows as a band of a closed month, without member or time (duty U29).
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Generic, TypeVar

from gateway import carriers, uscc, wire
from gateway.books import Access
from gateway.carriers import SealedText
from gateway.charter import Charter
from gateway.clocks import civil_day
from gateway.errors import Refused
from gateway.exchange.admit import reason_for
from gateway.exchange.handing import OWNER, Counter, check_size, decoded, open_handed
from gateway.exchange.intend import check_age, open_signed_request
from gateway.exchange.permit import approves
from gateway.exchange.sealing import text_size
from gateway.exchange.vouching import check_fresh, open_from_member
from gateway.kinds.plans import band
from gateway.limits import ID_BYTES
from gateway.model.access import (
    AccessReading,
    AccessReply,
    AccessReport,
    AccessRequest,
    DelayedCount,
    DelayedMonth,
    DelayOrder,
    PreviewReading,
    PreviewReport,
)
from gateway.model.codes import AccessSide, RefusalReason
from gateway.months import Month
from keys import seal as sealer
from keys import suite
from keys.envelope import Envelope, open_envelope, sign
from keys.errors import KeysError, KeyUnknown
from keys.seal import Context
from keys.suite import PublicKey, Signer

ENTRIES = 500
"""Entries in one report: with their proofs it passes as one message."""

MONTHS = 120
"""Most months that one reading may span: for ten years entries are kept."""

GROUND = 200
"""Most characters of the legal ground of a delay."""

R = TypeVar("R", AccessReading, PreviewReading)


@dataclass(frozen=True, slots=True, kw_only=True)
class Read(Generic[R]):
    """A reading whose subject's key was verified, its digest, and that key."""

    reading: R
    digest: bytes
    envelope: Envelope
    key: PublicKey


def days(reading: AccessReading) -> tuple[date, date]:
    """Give the first and the last day of a reading.

    Raises:
        ValueError: when a month is none.
    """
    return Month.read(reading.first_month).first, Month.read(reading.last_month).last


def open_reading_of(kind: type[R], envelope: Envelope, agency: str, counter: Counter) -> Read[R]:
    """Verify at the home member that an enrolled key of the subject, with the role to view, reads just now.

    Raises:
        Refused, ConsentRefused: with the reason of the first check that fails.
    """
    signature = envelope.signatures[0]
    kept = counter.find(signature.key_id) if len(envelope.signatures) == 1 else None
    if kept is None:  # an officer or an electronic licence signed: no key that others could verify by
        raise Refused(RefusalReason.KEY_NOT_VALID)
    handed = open_handed(envelope, kind, agency, counter)
    check_age(handed.value, counter.charter, counter.now)
    _check_form(handed.value)
    key = PublicKey(id=signature.key_id, suite=kept.suite, raw=kept.public)
    return Read(reading=handed.value, digest=handed.digest, envelope=envelope, key=key)


def write_request(read: Read[R], member: str, signer: Signer, now: datetime) -> Envelope:
    """Write the home member's request to a member, with the reading as its subject signed it."""
    request = AccessRequest(
        asker_member=read.reading.home_member,
        answerer_member=member,
        ask_time=now,
        reading=read.envelope,
        suite=read.key.suite,
        public=read.key.raw,
    )
    return sign(wire.PAYLOAD_TYPES[AccessRequest], wire.encode(request), signer)


def open_access_request(kind: type[R], envelope: Envelope, *, peer: str, charter: Charter, now: datetime) -> Read[R]:
    """Verify at an answering member what a home member asks: its own signature, and the subject's by the key it names.

    Raises:
        Refused: with the reason of the first check that fails.
    """
    request, _ = open_from_member(envelope, AccessRequest, peer=peer, charter=charter, now=now)
    if request.answerer_member != charter.me:
        raise Refused(RefusalReason.WRONG_AUDIENCE)
    check_fresh(request.ask_time, charter, now)
    check_size(request.reading)
    key = PublicKey(id=suite.key_id(OWNER, request.public), suite=request.suite, raw=request.public)
    payload_type = wire.PAYLOAD_TYPES[kind]
    try:
        suite.check_public(request.suite, request.public)
        opened = open_envelope(request.reading, payload_type=payload_type, find=lambda each: _only(key, each))
    except KeysError as error:
        raise Refused(reason_for(error)) from error
    reading: R = decoded(kind, opened.payload)
    if reading.home_member != request.asker_member:
        raise Refused(RefusalReason.WRONG_AUDIENCE)
    check_age(reading, charter, now)
    _check_form(reading)
    return Read(reading=reading, digest=opened.digest, envelope=request.reading, key=key)


def _only(key: PublicKey, key_id: str) -> PublicKey:
    if key_id != key.id:
        raise KeyUnknown("a reading is signed by the key that its subject's home vouches for")
    return key


def _check_form(reading: AccessReading | PreviewReading) -> None:
    if isinstance(reading, AccessReading):
        _check_months(reading)
    try:
        sealer.check_public(reading.suite, reading.sealing_key)
    except KeysError as error:
        raise Refused(RefusalReason.KEY_NOT_VALID) from error
    if len(reading.reading_id) != ID_BYTES:
        raise Refused(RefusalReason.MALFORMED)
    if uscc.defect(reading.uscc) is not None:
        raise Refused(RefusalReason.BAD_SUBJECT)


def _check_months(reading: AccessReading) -> None:
    try:
        first, last = days(reading)
    except ValueError as error:
        raise Refused(RefusalReason.MALFORMED) from error
    span = (last.year - first.year) * 12 + last.month - first.month
    if not 0 <= span < MONTHS:
        raise Refused(RefusalReason.MALFORMED)


def shown(found: Iterable[Access], skip: int) -> tuple[tuple[Access, ...], int]:
    """Give a page of what the subject is shown, and how much follows it."""
    open_ones = [each for each in found if not each.delayed][skip:]
    return tuple(open_ones[:ENTRIES]), max(0, len(open_ones) - ENTRIES)


def withheld(found: Iterable[Access], today: date) -> tuple[DelayedCount, ...]:
    """Count by closed month what is delayed, once for each question: by the member that answered it."""
    months = (
        Month(day.year, day.month)
        for day in (civil_day(each.time) for each in found if each.delayed and each.side is AccessSide.ANSWERED)
    )
    tally = Tally(each for each in months if each.over(today))
    return tuple(DelayedCount(month=each.text, count=tally[each]) for each in sorted(tally))


def bands(replies: Iterable[AccessReply]) -> tuple[DelayedMonth, ...]:
    """Add up what all members withhold: which of them does, nobody is told (duty U29)."""
    tally = Tally[str]()
    for reply in replies:
        tally.update({each.month: each.count for each in reply.delayed})
    return tuple(DelayedMonth(month=month, band=band(tally[month])) for month in sorted(tally))


def seal_report(report: AccessReport | PreviewReport, read: Read[R], signer: Signer) -> bytes:
    """Sign a report and seal it to the subject, filled up to its size class: who passes it on learns nothing of it."""
    signed = sign(wire.PAYLOAD_TYPES[type(report)], wire.encode(report), signer)
    text = carriers.write_sealed_text(SealedText(payload=wire.encode(signed)), text_size)
    reading = read.reading
    key = PublicKey(id=suite.key_id(OWNER, reading.sealing_key), suite=reading.suite, raw=reading.sealing_key)
    return sealer.seal(text, key, context(reading, report.member))


def context(reading: AccessReading | PreviewReading, member: str) -> Context:
    """Give what a member's report is bound to: this reading alone."""
    return Context(suite=reading.suite, sender=member, recipient=OWNER, question_id=reading.reading_id)


def write_reply(reply: AccessReply, signer: Signer) -> Envelope:
    """Sign a member's reply to the home member."""
    return sign(wire.PAYLOAD_TYPES[AccessReply], wire.encode(reply), signer)


def open_reply(envelope: Envelope, read: Read[R], member: str, charter: Charter, now: datetime) -> AccessReply:
    """Verify at the home member that a member answered this reading.

    Raises:
        Refused: with the reason of the first check that fails; it counts as silence.
    """
    directory = charter.directory
    try:
        opened = open_envelope(
            envelope,
            payload_type=wire.PAYLOAD_TYPES[AccessReply],
            find=lambda key_id: directory.key(key_id, use="sign", at=now),
        )
    except KeysError as error:
        raise Refused(reason_for(error)) from error
    reply: AccessReply = decoded(AccessReply, opened.payload)
    if {directory.key_owner(each) for each in opened.key_ids} != {member} or reply.member != member:
        raise Refused(RefusalReason.BAD_SIGNATURE)
    if reply.reading_digest != read.digest:
        raise Refused(RefusalReason.WRONG_AUDIENCE)
    _check_counts(reply.delayed, read.reading, civil_day(now))
    return reply


def _check_counts(delayed: Sequence[DelayedCount], reading: AccessReading | PreviewReading, today: date) -> None:
    """Take counts of closed months of the reading alone, so that no member can tell what is still under way."""
    if not delayed:
        return
    if isinstance(reading, PreviewReading):
        raise Refused(RefusalReason.MALFORMED)
    first, last = days(reading)
    try:
        months = [Month.read(each.month) for each in delayed]
    except ValueError as error:
        raise Refused(RefusalReason.MALFORMED) from error
    fit = all(each.over(today) and first <= each.first <= last for each in months)
    if not fit or len(set(months)) != len(months) or any(each.count == 0 for each in delayed):
        raise Refused(RefusalReason.MALFORMED)


def open_delay(envelope: Envelope, agency: str, charter: Charter, now: datetime) -> tuple[DelayOrder, bytes]:
    """Verify that two officers of an agency delay what is shown of a case of theirs, with a ground and until a day.

    Raises:
        Refused: with the reason of the first check that fails.
    """
    check_size(envelope)
    order, digest = open_signed_request(envelope, DelayOrder, agency, charter, now)
    today, directory = civil_day(now), charter.directory
    officer = directory.officer(order.officer)
    if officer is None or not officer.holds("ask", today):
        raise Refused(RefusalReason.AGENCY_NOT_ALLOWED)
    if not approves(order.approving_officer, officer.id, directory, today):
        raise Refused(RefusalReason.SECOND_OFFICER_NEEDED)
    if len(order.delay_id) != ID_BYTES or not 0 < len(order.ground) <= GROUND:
        raise Refused(RefusalReason.MALFORMED)
    if not order.case_reference:
        raise Refused(RefusalReason.CASE_MISSING)
    longest = timedelta(days=charter.catalogue.limits.access_delay_days)
    if not today < until(order) <= today + longest:
        raise Refused(RefusalReason.EXPIRED)
    return order, digest


def until(order: DelayOrder) -> date:
    """Give the first day on which what was delayed shows.

    Raises:
        Refused: MALFORMED when it is no day.
    """
    try:
        return date.fromisoformat(order.until_date)
    except ValueError as error:
        raise Refused(RefusalReason.MALFORMED) from error


def open_passed_delay(envelope: Envelope, peer: str, charter: Charter, now: datetime) -> tuple[DelayOrder, bytes]:
    """Verify a delay that a member passes on: it is one of its own agencies.

    Raises:
        Refused: with the reason of the first check that fails.
    """
    check_size(envelope)
    claimed: DelayOrder = decoded(DelayOrder, envelope.payload)
    agency = charter.directory.agency(claimed.agency)
    if agency is None or agency.member != peer:
        raise Refused(RefusalReason.AGENCY_NOT_ALLOWED)
    return open_delay(envelope, agency.id, charter, now)
