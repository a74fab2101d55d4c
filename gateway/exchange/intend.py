"""What an officer wants: believed by signature alone, for a case that fits, under the first agreement that covers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import TypeVar

from gateway import wire
from gateway.catalogue import Agreement
from gateway.charter import Charter
from gateway.clocks import civil_day
from gateway.errors import Refused
from gateway.exchange.admit import is_stale, reason_for
from gateway.exchange.compose import Inquiry
from gateway.exchange.permit import charge_limit
from gateway.model.codes import RefusalReason
from gateway.model.combined import Allowance, AllowanceReading, Case, CaseOpening, CaseReading, Intent
from keys.directory import Directory
from keys.envelope import Envelope, open_envelope
from keys.errors import KeysError, KeyUnknown
from keys.suite import PublicKey

Signable = TypeVar("Signable", Intent, CaseOpening, CaseReading, AllowanceReading)


def check_case(opening: CaseOpening, charter: Charter, now: datetime) -> None:
    """Check a case as a question of its purpose would be, and its size against the ordinary limit (U14).

    Raises:
        Refused: with the reason.
    """
    today, catalogue, directory = civil_day(now), charter.catalogue, charter.directory
    purpose = catalogue.purposes.get(opening.purpose)
    if purpose is None or not purpose.in_force(today):
        raise Refused(RefusalReason.PURPOSE_NOT_ALLOWED)
    agency, officer = directory.agency(opening.agency), directory.officer(opening.officer)
    if agency is None or purpose.code not in agency.purposes:
        raise Refused(RefusalReason.AGENCY_NOT_ALLOWED)
    if agency.suspended:
        raise Refused(RefusalReason.SUSPENDED)
    if not agency.active(today) or officer is None or not officer.holds("ask", today):
        raise Refused(RefusalReason.AGENCY_NOT_ALLOWED)
    if opening.subject_count > catalogue.limits.case_subjects:
        raise Refused(RefusalReason.TOO_LARGE)
    item = catalogue.applications.get(opening.application_item)
    if item is None or (item.member, item.purpose) != (charter.me, purpose.code) or not item.in_force(today):
        raise Refused(RefusalReason.ITEM_NOT_PUBLISHED)
    second = directory.officer(opening.approving_officer)
    approved = second is not None and second.id != opening.officer and second.holds("approve", today)
    if (opening.subject_count > purpose.daily_subjects or opening.approving_officer) and not approved:
        raise Refused(RefusalReason.SECOND_OFFICER_NEEDED)


def check_reader(reading: CaseReading | AllowanceReading, charter: Charter, now: datetime) -> None:
    """Check that an officer may read what the agency asked: with the role to ask or to audit.

    Raises:
        Refused: AGENCY_NOT_ALLOWED.
    """
    officer = charter.directory.officer(reading.officer)
    if officer is None or not any(officer.holds(role, civil_day(now)) for role in ("ask", "audit")):
        raise Refused(RefusalReason.AGENCY_NOT_ALLOWED)


def allowance(
    reading: AllowanceReading, case: Case | None, spent: Callable[[date], int], charter: Charter, now: datetime
) -> Allowance:
    """Say what is left of today's subjects, by the rule that the members charge by (U14).

    Raises:
        Refused: CASE_MISSING when the case named is none of this agency and purpose; PURPOSE_NOT_ALLOWED;
            AGENCY_NOT_ALLOWED.
    """
    today, limits = civil_day(now), charter.catalogue.limits
    purpose = charter.catalogue.purposes.get(reading.purpose)
    if purpose is None or not purpose.in_force(today):
        raise Refused(RefusalReason.PURPOSE_NOT_ALLOWED)
    agency = charter.directory.agency(reading.agency)
    if agency is None or purpose.code not in agency.purposes:
        raise Refused(RefusalReason.AGENCY_NOT_ALLOWED)
    if reading.case_reference and (case is None or case.purpose != purpose.code):
        raise Refused(RefusalReason.CASE_MISSING)
    return Allowance(
        date=today.isoformat(),
        subject_limit=charge_limit(purpose, case.subject_count if case else 0, limits),
        subjects_spent=spent(today),
        subjects_per_question=limits.subjects,
        question_bytes=limits.question_bytes,
    )


def open_signed_request(
    envelope: Envelope, kind: type[Signable], agency: str, charter: Charter, now: datetime
) -> tuple[Signable, bytes]:
    """Verify an officer's signed request: both officers' keys, the agency of the connection, its age."""
    directory = charter.directory
    if is_stale(directory, now):
        raise Refused(RefusalReason.STALE_BUNDLE)
    try:
        opened = open_envelope(
            envelope,
            payload_type=wire.PAYLOAD_TYPES[kind],
            find=lambda key_id: _officer_key(directory, key_id),
        )
        value = wire.decode(kind, opened.payload)
    except KeysError as error:
        raise Refused(reason_for(error)) from error
    except wire.WireMalformed as error:
        raise Refused(RefusalReason.MALFORMED) from error
    signers = {key_id.rpartition("/")[0] for key_id in opened.key_ids}
    wanted = {value.officer, getattr(value, "approving_officer", "")} - {""}
    officers = [directory.officer(each) for each in wanted]
    if value.agency != agency or any(each is None or each.agency != agency for each in officers):
        raise Refused(RefusalReason.AGENCY_NOT_ALLOWED)
    if signers != wanted:
        reason = RefusalReason.SECOND_OFFICER_NEEDED if signers < wanted else RefusalReason.BAD_SIGNATURE
        raise Refused(reason)
    _check_age(_signed_time(value), charter, now)
    return value, opened.digest


def _officer_key(directory: Directory, key_id: str) -> PublicKey:
    officer = directory.officer(key_id.rpartition("/")[0])
    if officer is None or officer.key().id != key_id:
        raise KeyUnknown("no officer of the directory has this key")
    return officer.key()


def _signed_time(value: Intent | CaseOpening | CaseReading | AllowanceReading) -> datetime:
    if isinstance(value, Intent):
        return value.intend_time
    return value.open_time if isinstance(value, CaseOpening) else value.read_time


def _check_age(signed: datetime, charter: Charter, now: datetime) -> None:
    limits = charter.catalogue.limits
    if not signed - timedelta(seconds=limits.clock_skew) <= now <= signed + timedelta(seconds=limits.intent_age):
        raise Refused(RefusalReason.EXPIRED)


def choose_agreement(intent: Intent, kind: str, charter: Charter, now: datetime) -> Agreement:
    """Choose the first agreement in precedence whose parties hold the members and whose area holds the agency.

    Raises:
        Refused: PURPOSE_NOT_ALLOWED; UNKNOWN_MEMBER; NOT_IN_SCOPE when only the area does not fit;
            NO_AGREEMENT otherwise.
    """
    purpose = charter.catalogue.purposes.get(intent.purpose)
    if purpose is None or not purpose.in_force(civil_day(now)) or kind not in purpose.kinds:
        raise Refused(RefusalReason.PURPOSE_NOT_ALLOWED)
    if any(each not in {row.id for row in charter.directory.members} for each in intent.members):
        raise Refused(RefusalReason.UNKNOWN_MEMBER)
    found = charter.catalogue.agreements_for(purpose=intent.purpose, kind=kind, member=charter.me, on=civil_day(now))
    fitting = [each for each in found if set(intent.members) <= set(each.parties)]
    agency = charter.directory.agency(intent.agency)
    for each in fitting:
        if agency and each.covers_area(agency.division):
            return each
    raise Refused(RefusalReason.NOT_IN_SCOPE if fitting else RefusalReason.NO_AGREEMENT)


def choose_members(intent: Intent, inquiry: Inquiry, charter: Charter) -> tuple[str, ...]:
    """Give the members named, or every party of the agreement.

    Raises:
        Refused: NO_AGREEMENT when there is none, or a member named is no party.
    """
    agreement = charter.catalogue.agreements.get(inquiry.agreement_id)
    if agreement is None or not set(intent.members) <= set(agreement.parties):
        raise Refused(RefusalReason.NO_AGREEMENT)
    return tuple(dict.fromkeys(intent.members)) or agreement.parties
