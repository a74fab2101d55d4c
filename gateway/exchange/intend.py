"""What an officer wants: believed by signature alone, for a case that fits, under the first agreement that covers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import TypeVar

from gateway import wire
from gateway.catalogue import Agreement
from gateway.charter import Charter, covers, is_behind, with_sub_members
from gateway.clocks import civil_day
from gateway.errors import Refused
from gateway.exchange.admit import is_stale, reason_for
from gateway.exchange.compose import Inquiry
from gateway.exchange.permit import approves, charge_limit
from gateway.exchange.session import Bearer, check_in_force, officer_key
from gateway.limits import Limits
from gateway.model.access import DelayOrder
from gateway.model.accounts import (
    SessionClosing,
    SessionReading,
    SubmissionApproval,
    SubmissionReading,
    SubmissionRefusal,
)
from gateway.model.codes import RefusalReason
from gateway.model.combined import Allowance, AllowanceReading, Case, CaseOpening, CaseReading, Intent
from gateway.model.consent import Attestation, ConsentReading
from gateway.model.evidence import EvidenceOrder
from gateway.participants import may_ask
from gateway.purposes import Consent, Purpose
from keys.envelope import Envelope, Opened, open_envelope
from keys.errors import KeysError
from keys.members import ROLES

Signable = TypeVar(
    "Signable",
    Intent,
    CaseOpening,
    CaseReading,
    AllowanceReading,
    SessionClosing,
    SessionReading,
    SubmissionReading,
    SubmissionApproval,
    SubmissionRefusal,
    Attestation,
    ConsentReading,
    DelayOrder,
    EvidenceOrder,
)


def check_case(opening: CaseOpening, charter: Charter, now: datetime, *, alone: bool = False) -> None:
    """Check a case as a question of its purpose would be, and its size against the ordinary limit (U14).

    `alone`: the second officer is still awaited.

    Raises:
        Refused: with the reason.
    """
    today, catalogue, directory = civil_day(now), charter.catalogue, charter.directory
    purpose = _purpose(opening.purpose, charter, today)
    agency, officer = directory.agency(opening.agency), directory.officer(opening.officer)
    if agency is None or not may_ask(agency, purpose.code, charter.catalogue.participants, today):
        raise Refused(RefusalReason.AGENCY_NOT_ALLOWED)
    if officer is None or not officer.holds("ask", today):
        raise Refused(RefusalReason.AGENCY_NOT_ALLOWED)
    if opening.subject_count > catalogue.limits.case_subjects:
        raise Refused(RefusalReason.TOO_LARGE)
    item = catalogue.applications.get(opening.application_item)
    if item is None or (item.member, item.purpose) != (charter.me, purpose.code) or not item.in_force(today):
        raise Refused(RefusalReason.ITEM_NOT_PUBLISHED)
    wanted = opening.subject_count > purpose.daily_subjects or opening.approving_officer
    if wanted and not alone and not approves(opening.approving_officer, opening.officer, directory, today):
        raise Refused(RefusalReason.SECOND_OFFICER_NEEDED)


def _purpose(code: str, charter: Charter, today: date) -> Purpose:
    """Give a purpose that may ask anything: one in quarantine asks nothing, so that nothing is begun for it either.

    Raises:
        Refused: PURPOSE_NOT_ALLOWED.
    """
    purpose = charter.catalogue.purposes.get(code)
    if purpose is None or not purpose.in_force(today) or not purpose.kinds:
        raise Refused(RefusalReason.PURPOSE_NOT_ALLOWED)
    return purpose


def check_reader(reading: CaseReading | AllowanceReading | EvidenceOrder, charter: Charter, now: datetime) -> None:
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
    purpose = _purpose(reading.purpose, charter, today)
    agency = charter.directory.agency(reading.agency)
    if agency is None or not may_ask(agency, purpose.code, charter.catalogue.participants, today):
        raise Refused(RefusalReason.AGENCY_NOT_ALLOWED)
    if reading.case_reference and (case is None or case.purpose != purpose.code):
        raise Refused(RefusalReason.CASE_MISSING)
    return Allowance(
        date=today.isoformat(),
        subject_limit=charge_limit(purpose, case.subject_count if case else 0, limits),
        subjects_spent=spent(today),
        subjects_per_question=_subjects_per_question(purpose, limits),
        question_bytes=limits.question_bytes,
    )


def _subjects_per_question(purpose: Purpose, limits: Limits) -> int:
    """Give how many subjects fit into a question: where each needs an authorisation, no more than it may carry."""
    if purpose.authorisation is Consent.NONE:
        return limits.subjects
    return min(limits.subjects, limits.authorisations)


def open_signed_request(
    envelope: Envelope,
    kind: type[Signable],
    agency: str,
    charter: Charter,
    now: datetime,
    bearer: Bearer | None = None,
) -> tuple[Signable, bytes]:
    """Verify an officer's signed request: both officers' keys, the agency of the connection, its age.

    With a session it is the session's key that signs for its officer, in the roles that the session has.
    """
    value, opened = read_signed_request(envelope, kind, agency, charter, now, bearer)
    _check_signers(value, opened)
    check_age(value, charter, now)
    return value, opened.digest


def read_signed_request(
    envelope: Envelope,
    kind: type[Signable],
    agency: str,
    charter: Charter,
    now: datetime,
    bearer: Bearer | None,
) -> tuple[Signable, Opened]:
    """Verify who signed and that the agency is theirs and in force; whether all have signed who must, the caller asks.

    Raises:
        Refused: with the reason; SUSPENDED with the agency, but for what only ends a session.
    """
    directory = charter.directory
    if is_stale(directory, now) or is_behind(charter, now):
        raise Refused(RefusalReason.STALE_BUNDLE)
    try:
        opened = open_envelope(
            envelope,
            payload_type=wire.PAYLOAD_TYPES[kind],
            find=lambda key_id: officer_key(directory, key_id, bearer),
        )
        value = wire.decode(kind, opened.payload)
    except KeysError as error:
        raise Refused(reason_for(error)) from error
    except wire.WireMalformed as error:
        raise Refused(RefusalReason.MALFORMED) from error
    officers = [directory.officer(each) for each in _named(value)]
    if value.agency != agency or any(each is None or each.agency != agency for each in officers):
        raise Refused(RefusalReason.AGENCY_NOT_ALLOWED)
    if kind is not SessionClosing:
        check_in_force(agency, charter, now)
    if bearer is not None:
        bearer.check(opened.key_ids, value.officer, _ROLES.get(kind, ROLES))
    return value, opened


def _named(value: Signable) -> set[str]:
    return {value.officer, getattr(value, "approving_officer", "")} - {""}


def _check_signers(value: Signable, opened: Opened) -> None:
    signers, wanted = {key_id.rpartition("/")[0] for key_id in opened.key_ids}, _named(value)
    if signers != wanted:
        reason = RefusalReason.SECOND_OFFICER_NEEDED if signers < wanted else RefusalReason.BAD_SIGNATURE
        raise Refused(reason)


def check_age(value: object, charter: Charter, now: datetime) -> None:
    """Check that a request was signed just now.

    Raises:
        Refused: EXPIRED.
    """
    limits, signed = charter.catalogue.limits, getattr(value, _TIMES.get(type(value), "read_time"))
    if not signed - timedelta(seconds=limits.clock_skew) <= now <= signed + timedelta(seconds=limits.intent_age):
        raise Refused(RefusalReason.EXPIRED)


_ROLES: Mapping[type, frozenset[str]] = {
    Intent: frozenset({"ask"}),
    CaseOpening: frozenset({"ask"}),
    CaseReading: frozenset({"ask", "audit"}),
    AllowanceReading: frozenset({"ask", "audit"}),
    EvidenceOrder: frozenset({"ask", "audit"}),
    SubmissionApproval: frozenset({"approve"}),
}
"""Roles of which a session must have one to sign a request of this type for its officer; any for other types."""

_TIMES: Mapping[type, str] = {
    Intent: "intend_time",
    CaseOpening: "open_time",
    SessionClosing: "close_time",
    SubmissionApproval: "approve_time",
    SubmissionRefusal: "refuse_time",
    Attestation: "attest_time",
    DelayOrder: "order_time",
    EvidenceOrder: "order_time",
}


def choose_agreement(intent: Intent, kind: str, charter: Charter, now: datetime) -> Agreement:
    """Choose the first agreement (`gateway.precedence`) whose parties hold the members and whose area holds the agency.

    Raises:
        Refused: PURPOSE_NOT_ALLOWED; UNKNOWN_MEMBER; NOT_IN_SCOPE when only the area does not fit;
            NO_AGREEMENT otherwise.
    """
    purpose = charter.catalogue.purposes.get(intent.purpose)
    if purpose is None or not purpose.in_force(civil_day(now)) or kind not in purpose.kinds:
        raise Refused(RefusalReason.PURPOSE_NOT_ALLOWED)
    parents = {each.id: each.parent for each in charter.directory.members}
    if any(each not in parents for each in intent.members):
        raise Refused(RefusalReason.UNKNOWN_MEMBER)
    fitting = charter.catalogue.agreements_for(
        purpose=intent.purpose,
        kind=kind,
        member=charter.me,
        on=civil_day(now),
        others=intent.members,
        parents=parents,
    )
    agency, reason = charter.directory.agency(intent.agency), RefusalReason.NO_AGREEMENT
    for each in fitting:
        if agency and each.covers_area(agency.division):
            return each
        reason = RefusalReason.NOT_IN_SCOPE
    raise Refused(reason)


def choose_members(intent: Intent, inquiry: Inquiry, charter: Charter) -> tuple[str, ...]:
    """Give the members named, or every party of the agreement, each with its sub-members.

    Raises:
        Refused: NO_AGREEMENT when there is none, or it does not cover a member named.
    """
    agreement = charter.catalogue.agreements.get(inquiry.agreement_id)
    if agreement is None or not _covers_all(agreement, intent, charter):
        raise Refused(RefusalReason.NO_AGREEMENT)
    return with_sub_members(charter.directory, intent.members or agreement.parties)


def _covers_all(agreement: Agreement, intent: Intent, charter: Charter) -> bool:
    known = {row.id for row in charter.directory.members}
    return all(each in known and covers(charter.directory, agreement, each) for each in intent.members)
