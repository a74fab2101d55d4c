"""What policy makes of a question, whoever sent it: steps 9 to 14 (protocol section 4), the same at desk and origin."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from gateway import authorisation, uscc
from gateway.catalogue import Agreement, ApplicationItem
from gateway.charter import Charter, covers
from gateway.clocks import civil_day
from gateway.errors import Refused
from gateway.kinds import kind_of
from gateway.kinds.row import Kind
from gateway.limits import Limits
from gateway.model.codes import RefusalReason
from gateway.model.question import NamedSubject, Question, QuestionHeader
from gateway.participants import may_ask
from gateway.policy import Grant, grant
from gateway.ports import Fact
from gateway.precedence import Standing, standing
from gateway.purposes import Consent, Purpose
from gateway.registration import home_of
from keys.directory import Directory


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """What policy makes of a question, whoever sent it: the same at the asker's desk and at the origin."""

    kind: Kind
    grant: Grant
    subjects: tuple[NamedSubject, ...]
    charge_limit: int
    today: date
    vouchers: authorisation.Vouchers = field(default_factory=dict)


def permit(
    question: Question,
    *,
    charter: Charter,
    now: datetime,
    before: Permit | None = None,
    alone: bool = False,
    consent: bool = True,
    foreseen: bool = False,
) -> Permit:
    """Steps 9 to 14: the kind, the purpose, the agency and its officers, the agreement, consent, the subjects.

    `before` is a permit of the same charter: the very subjects that it holds are not looked at again for its purpose.
    `alone`: the second officer is still awaited.
    `consent` False leaves step 13 out: what is refused anyway takes no use of an authorisation.
    `foreseen`: nobody asks; that the officers and the authorisation are in order is supposed (duty U28).

    Raises:
        Refused: with the reason of the first check that fails.
    """
    header, today = question.header, civil_day(now)
    kind = kind_of(question.body, charter.kinds)
    purpose = check_purpose(header, kind, charter, today)
    check_agency(header, charter, today, officer=not foreseen)
    item = check_item(header, charter, today)
    granted = _check_agreement(question, kind, purpose, item, charter, today)
    if not (alone or foreseen):
        check_officers(header, granted, charter, today)
    subjects = kind.subjects(question.body)
    vouchers = _check_consent(header, kind, purpose, subjects, charter, now) if consent and not foreseen else {}
    if before is None or before.subjects is not subjects or before.grant.purpose is not purpose:
        _check_subjects(kind, purpose, subjects, charter)
    return Permit(
        kind=kind,
        grant=granted,
        subjects=subjects,
        charge_limit=charge_limit(purpose, header.case_subject_count, charter.catalogue.limits),
        today=today,
        vouchers=vouchers,
    )


def charge_limit(purpose: Purpose, case_subject_count: int, limits: Limits) -> int:
    """Give how many distinct subjects an agency may reach on one day: the purpose's number, or a case's larger one."""
    return max(purpose.daily_subjects, min(case_subject_count, limits.case_subjects))


def check_purpose(header: QuestionHeader, kind: Kind, charter: Charter, today: date) -> Purpose:
    """Step 10: the purpose is in force and may ask this kind.

    Raises:
        Refused: PURPOSE_NOT_ALLOWED.
    """
    purpose = charter.catalogue.purposes.get(header.purpose)
    if purpose is None or not purpose.in_force(today) or kind.name not in purpose.kinds:
        raise Refused(RefusalReason.PURPOSE_NOT_ALLOWED)
    return purpose


def check_agency(header: QuestionHeader, charter: Charter, today: date, *, officer: bool = True) -> None:
    """Step 11: the agency is the asker's, active and entitled; the officer is hers with the role to ask.

    `officer` False leaves the officer out.

    Raises:
        Refused: AGENCY_NOT_ALLOWED or SUSPENDED.
    """
    agency = charter.directory.agency(header.asker_agency)
    if (
        agency is None
        or agency.member != header.asker_member
        or not may_ask(agency, header.purpose, charter.catalogue.participants, today)
    ):
        raise Refused(RefusalReason.AGENCY_NOT_ALLOWED)
    if agency.suspended:
        raise Refused(RefusalReason.SUSPENDED)
    asks = charter.directory.officer(header.officer)
    if not agency.active(today):
        raise Refused(RefusalReason.AGENCY_NOT_ALLOWED)
    if officer and (asks is None or asks.agency != agency.id or not asks.holds("ask", today)):
        raise Refused(RefusalReason.AGENCY_NOT_ALLOWED)


def check_item(header: QuestionHeader, charter: Charter, today: date) -> ApplicationItem:
    """Step 11: the application item is published by the asker for this purpose and in date; the case is named.

    Raises:
        Refused: ITEM_NOT_PUBLISHED or CASE_MISSING.
    """
    item = charter.catalogue.applications.get(header.application_item)
    if item is None or item.member != header.asker_member or item.purpose != header.purpose or not item.in_force(today):
        raise Refused(RefusalReason.ITEM_NOT_PUBLISHED)
    if charter.catalogue.purposes[header.purpose].case_required and not header.case_reference:
        raise Refused(RefusalReason.CASE_MISSING)
    return item


def check_officers(header: QuestionHeader, granted: Grant, charter: Charter, today: date) -> None:
    """Step 11: where four eyes are wanted, a second officer of the agency with the role to approve.

    Raises:
        Refused: SECOND_OFFICER_NEEDED.
    """
    wanted = granted.four_eyes or header.case_subject_count > granted.purpose.daily_subjects
    if not wanted and not header.approving_officer:
        return
    if not approves(header.approving_officer, header.officer, charter.directory, today):
        raise Refused(RefusalReason.SECOND_OFFICER_NEEDED)


def approves(second: str, first: str, directory: Directory, today: date) -> bool:
    """Say whether an officer may be the second beside a first: a colleague with the role, and another person."""
    one, other = directory.officer(first), directory.officer(second)
    if one is None or other is None or one.id == other.id or one.agency != other.agency:
        return False
    same_person = one.person is not None and one.person == other.person
    return not same_person and other.holds("approve", today)


def _check_agreement(
    question: Question, kind: Kind, purpose: Purpose, item: ApplicationItem, charter: Charter, today: date
) -> Grant:
    """Step 12: an agreement in force between these parties for this purpose, kind, domains and area."""
    agreement = check_agreement(question.header, kind, charter, today)
    return grant(
        kind,
        question.body,
        purpose=purpose,
        item=item,
        agreement=agreement,
        catalogue=charter.catalogue,
        on=today,
    )


def check_agreement(header: QuestionHeader, kind: Kind, charter: Charter, today: date) -> Agreement:
    """Step 12: an agreement in force between both members, for this purpose and kind, where the agency sits.

    Raises:
        Refused: NO_AGREEMENT, SUSPENDED or NOT_IN_SCOPE.
    """
    agreement = charter.catalogue.agreements.get(header.agreement_id)
    ends = (header.asker_member, header.answerer_member)
    if agreement is None or not all(covers(charter.directory, agreement, each) for each in ends):
        raise Refused(RefusalReason.NO_AGREEMENT)
    stands = standing(agreement, charter.catalogue.agreements, today)
    if stands is not Standing.IN_FORCE:
        raise Refused(RefusalReason.SUSPENDED if stands is Standing.SUSPENDED else RefusalReason.NO_AGREEMENT)
    if header.purpose not in agreement.purposes or kind.name not in agreement.kinds:
        raise Refused(RefusalReason.NO_AGREEMENT)
    check_area(agreement, header.asker_agency, charter)
    return agreement


def check_area(agreement: Agreement, agency_id: str, charter: Charter) -> None:
    """Step 12: the asking agency lies in the agreement's area (duty U10).

    Raises:
        Refused: NOT_IN_SCOPE.
    """
    agency = charter.directory.agency(agency_id)
    if agency is None or not agreement.covers_area(agency.division):
        raise Refused(RefusalReason.NOT_IN_SCOPE)


def _check_consent(
    header: QuestionHeader,
    kind: Kind,
    purpose: Purpose,
    subjects: tuple[NamedSubject, ...],
    charter: Charter,
    now: datetime,
) -> authorisation.Vouchers:
    """Step 13: the authorisation is present, genuine, unexpired, its status fresh, for these subjects."""
    if len(header.authorisations) > charter.catalogue.limits.authorisations:
        raise Refused(RefusalReason.TOO_LARGE)
    if purpose.authorisation is Consent.NONE:
        return {}
    found = authorisation.covered(header, kind.name, charter, now, age_minutes=purpose.authorisation_age_minutes)
    if not authorisation.holds((each.uscc for each in subjects), found):
        raise Refused(RefusalReason.AUTHORISATION_MISSING)
    return {each.uscc: found[each.uscc] for each in subjects}


def check_homes(
    permit: Permit, registers: Mapping[str, Sequence[Fact]], withdrawn: Container[bytes], charter: Charter
) -> None:
    """Step 13, where the answerer can tell: its own register shows who is the subject's home, its own book an end.

    `withdrawn` are the ids of authorisations that were given to the answerer itself and taken back.

    Raises:
        Refused: AUTHORISATION_MISSING, as where there is no authorisation.
    """
    today = permit.today.isoformat()
    for code, statuses in permit.vouchers.items():
        homes = {
            each.home_member
            for each in statuses
            if each.home_member != charter.me or each.authorisation_id not in withdrawn
        }
        home = home_of(registers.get(code, ()), today, charter.directory)
        if not homes or (home is not None and home not in homes):
            raise Refused(RefusalReason.AUTHORISATION_MISSING)


def _check_subjects(kind: Kind, purpose: Purpose, subjects: tuple[NamedSubject, ...], charter: Charter) -> None:
    """Step 14: well-formed, each once, not too many, of an open kind; from the code alone (U12)."""
    codes = {each.uscc for each in subjects}
    if len(subjects) > charter.catalogue.limits.subjects:
        raise Refused(RefusalReason.TOO_LARGE)
    if len(codes) != len(subjects) or (not subjects and "subjects" in kind.question.__dataclass_fields__):
        raise Refused(RefusalReason.BAD_SUBJECT)
    if any(uscc.defect(code) is not None for code in codes):
        raise Refused(RefusalReason.BAD_SUBJECT)
    if not purpose.opens_sole_traders and any(uscc.is_sole_trader(code) for code in codes):
        raise Refused(RefusalReason.SUBJECT_KIND_CLOSED)
