"""What waits for a second officer (duties U7 and U14): handed in by the first alone, approved by its digest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from gateway import wire
from gateway.charter import Charter
from gateway.clocks import civil_day
from gateway.errors import Refused
from gateway.exchange.intend import check_age, read_signed_request
from gateway.exchange.permit import approves
from gateway.exchange.session import Bearer, holds, read_assertion
from gateway.kinds import kind_of
from gateway.model.accounts import Submission, SubmissionApproval, SubmissionRefusal
from gateway.model.codes import RefusalReason, SubmissionState
from gateway.model.combined import CaseOpening, Intent
from keys.envelope import Envelope

READERS = ("ask", "approve", "audit", "administer")
"""Roles that see what their agency handed in."""

_FORMS: Mapping[str, type[Intent | CaseOpening]] = {
    wire.PAYLOAD_TYPES[Intent]: Intent,
    wire.PAYLOAD_TYPES[CaseOpening]: CaseOpening,
}


def open_submission(
    envelope: Envelope, agency: str, charter: Charter, now: datetime, bearer: Bearer | None
) -> tuple[Intent | CaseOpening, bytes]:
    """Verify what a first officer hands in, signed by that officer alone and just now; give it and its digest.

    Raises:
        Refused: with the reason.
    """
    value, digest = _read(envelope, agency, charter, now, bearer)
    check_age(value, charter, now)
    return value, digest


def reopen_submission(
    envelope: Envelope, assertion: Envelope | None, agency: str, charter: Charter, now: datetime
) -> tuple[Intent | CaseOpening, Bearer | None]:
    """Verify once more what was handed in, under the charter in force now; its session may have ended meanwhile.

    Raises:
        Refused: with the reason.
    """
    bearer = None if assertion is None else read_assertion(assertion, agency, charter, now)[1]
    return _read(envelope, agency, charter, now, bearer)[0], bearer


def _read(
    envelope: Envelope, agency: str, charter: Charter, now: datetime, bearer: Bearer | None
) -> tuple[Intent | CaseOpening, bytes]:
    kind: Any = _FORMS.get(envelope.payload_type)
    if kind is None:
        raise Refused(RefusalReason.WRONG_TYPE)
    value, opened = read_signed_request(envelope, kind, agency, charter, now, bearer)
    if [key_id.rpartition("/")[0] for key_id in opened.key_ids] != [value.officer]:
        raise Refused(RefusalReason.BAD_SIGNATURE)
    return value, opened.digest


def submission_of(value: Intent | CaseOpening, digest: bytes, charter: Charter, now: datetime) -> Submission:
    """Say what was handed in, without a subject."""
    kind, count = "", 0
    if isinstance(value, Intent):
        row = kind_of(value.body, charter.kinds)
        kind, count = row.name, len(row.subjects(value.body))
    else:
        count = value.subject_count
    return Submission(
        submission_id=digest,
        agency=value.agency,
        officer=value.officer,
        purpose=value.purpose,
        application_item=value.application_item,
        case_reference=value.case_reference,
        kind=kind,
        subject_count=count,
        submit_time=now,
        expire_time=now + timedelta(hours=charter.catalogue.limits.approval_hours),
        approving_officer=value.approving_officer,
    )


def as_of(submission: Submission, now: datetime) -> Submission:
    """Give a submission as it stands at a time: nobody needs to mark it expired."""
    if submission.state is SubmissionState.WAITING and now >= submission.expire_time:
        return replace(submission, state=SubmissionState.EXPIRED)
    return submission


def may_approve(officer: str, submission: Submission, bearer: Bearer | None, charter: Charter, now: datetime) -> bool:
    """Say whether an officer may be the second of a submission."""
    return (
        submission.approving_officer in {"", officer}
        and approves(officer, submission.officer, charter.directory, civil_day(now))
        and holds(officer, ("approve",), bearer, charter, now)
    )


def check_approves(
    approval: SubmissionApproval, submission: Submission, bearer: Bearer | None, charter: Charter, now: datetime
) -> None:
    """Check that an officer may approve what waits.

    Raises:
        Refused: REPLAYED when it was decided, EXPIRED when it waited too long, SECOND_OFFICER_NEEDED for the same
            officer, the same person, or one without the role.
    """
    check_waits(submission, now)
    if not may_approve(approval.officer, submission, bearer, charter, now):
        raise Refused(RefusalReason.SECOND_OFFICER_NEEDED)


def check_waits(submission: Submission, now: datetime) -> None:
    """Check that nobody has decided yet.

    Raises:
        Refused: EXPIRED or REPLAYED.
    """
    state = as_of(submission, now).state
    if state is not SubmissionState.WAITING:
        raise Refused(RefusalReason.EXPIRED if state is SubmissionState.EXPIRED else RefusalReason.REPLAYED)


def check_refuses(
    refusal: SubmissionRefusal, submission: Submission, bearer: Bearer | None, charter: Charter, now: datetime
) -> None:
    """Check that an officer may refuse: one who may approve, who handed it in, or with the role to administer.

    Raises:
        Refused: AGENCY_NOT_ALLOWED; EXPIRED or REPLAYED when it waits no more.
    """
    officer = refusal.officer
    allowed = (
        officer == submission.officer
        or holds(officer, ("administer",), bearer, charter, now)
        or may_approve(officer, submission, bearer, charter, now)
    )
    if not allowed:
        raise Refused(RefusalReason.AGENCY_NOT_ALLOWED)
    check_waits(submission, now)
