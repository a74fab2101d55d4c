"""What a named agency would be told of a subject, previewed by the subject itself (duty U28).

Steps 10 to 14 as for a question of that agency, under the same agreement: what it would be refused is refused here.
Nobody asks, so that no budget is charged and nobody is told; that the agency's officers and the subject's authorisation
would be in order is supposed.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from gateway.books import Access
from gateway.charter import Charter, with_sub_members
from gateway.clocks import civil_day
from gateway.errors import Refused
from gateway.exchange.permit import Permit, check_purpose, permit
from gateway.exchange.release import Home, Setting, say
from gateway.exchange.tracking import Read
from gateway.kinds import kind_of
from gateway.limits import DIGEST_BYTES
from gateway.model.access import PreviewReading, PreviewReport
from gateway.model.codes import AccessSide, OutcomeState, RefusalReason
from gateway.model.question import NamedSubject, Question, QuestionHeader
from gateway.ports import Facts

SELF_QUERY = "SELF_QUERY"
"""Purpose 主体自查 under which a subject previews: while it is in force, and the kinds that its row names."""


def members_of(reading: PreviewReading, charter: Charter) -> tuple[str, ...]:
    """Give the members that the agency would ask: every party of the agreement, each with its sub-members.

    Raises:
        Refused: NO_AGREEMENT when there is none.
    """
    agreement = charter.catalogue.agreements.get(reading.agreement_id)
    if agreement is None:
        raise Refused(RefusalReason.NO_AGREEMENT)
    return with_sub_members(charter.directory, agreement.parties)


def question_of(reading: PreviewReading, member: str, charter: Charter) -> Question:
    """Write the question that the agency would ask a member; it has no officer and no running number.

    Raises:
        Refused: AGENCY_NOT_ALLOWED when nobody lists the agency.
    """
    agency = charter.directory.agency(reading.agency)
    if agency is None:
        raise Refused(RefusalReason.AGENCY_NOT_ALLOWED)
    head = QuestionHeader(
        question_id=reading.reading_id,
        suite=reading.suite,
        asker_member=agency.member,
        asker_agency=agency.id,
        officer="",
        officer_assertion_digest=bytes(DIGEST_BYTES),
        answerer_member=member,
        asked_time=reading.read_time,
        expire_time=reading.read_time + timedelta(seconds=charter.catalogue.limits.intent_age),
        purpose=reading.purpose,
        application_item=reading.application_item,
        case_reference=reading.reading_id.hex(),
        agreement_id=reading.agreement_id,
        pair_sequence=0,
        bundle_version=charter.directory.version,
    )
    return Question(header=head, body=reading.body)


def foresee(reading: PreviewReading, member: str, charter: Charter, now: datetime) -> Permit:
    """Say what policy would make of the agency's question to a member, about this subject alone.

    Raises:
        Refused: with the reason for which the agency would be refused, or for which nothing is previewed.
    """
    question = question_of(reading, member, charter)
    kind = kind_of(reading.body, charter.kinds)
    if kind.subjects(reading.body) != (NamedSubject(uscc=reading.uscc),):  # no facts of others, no guess at a name
        raise Refused(RefusalReason.BAD_SUBJECT)
    check_purpose(replace(question.header, purpose=SELF_QUERY), kind, charter, civil_day(now))
    if charter.directory.suspended(question.header.asker_member, now):
        raise Refused(RefusalReason.SUSPENDED)
    return permit(question, charter=charter, now=now, foreseen=True)


def preview(
    read: Read[PreviewReading],
    permit: Permit,
    facts: Facts,
    found: Setting,
    *,
    charter: Charter,
    home: Home,
    now: datetime,
) -> PreviewReport:
    """Say what this member would tell."""
    body = read.reading.body
    answer, item = say(body, permit, read.digest, facts, found.scene, charter=charter, home=home, now=now)
    return PreviewReport(reading_digest=read.digest, member=charter.me, report_time=now, answer=answer, item=item)


def own_access(read: Read[PreviewReading], permit: Permit, now: datetime) -> Access:
    """Give what is kept of a preview and shown to the subject: the key, and the member that vouched for it.

    A preview that the subject does not know was made with a key that is not in its hands alone, or by a member that
    says falsely to be its home.
    """
    reading = read.reading
    return Access(
        side=AccessSide.OWN,
        other_member=reading.home_member,
        time=now,
        agency=reading.agency,
        officer_role="",
        purpose=reading.purpose,
        application_item=reading.application_item,
        kind=permit.kind.name,
        fields=tuple(sorted(permit.grant.fields)),
        outcome=OutcomeState.ANSWERED.value,
        question_id=reading.reading_id,
        entry=None,
        key_id=read.key.id,
    )
