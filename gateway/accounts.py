"""Officers' accounts at a member's desk (duty U7): sessions, and what waits for a second officer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from gateway import wire
from gateway.asking import Asking
from gateway.books import SubmissionBook
from gateway.carriers import read_submission, write_submission
from gateway.cases import Cases
from gateway.charter import Charter
from gateway.errors import NotDurable, Refused
from gateway.exchange.intend import check_case, open_signed_request
from gateway.exchange.session import Bearer, holds, open_assertion, session_of
from gateway.exchange.submission import (
    READERS,
    as_of,
    check_approves,
    check_refuses,
    may_approve,
    open_submission,
    reopen_submission,
    submission_of,
)
from gateway.model.accounts import (
    Session,
    SessionClosing,
    SessionReading,
    Submission,
    SubmissionApproval,
    SubmissionReading,
    SubmissionRefusal,
)
from gateway.model.codes import RefusalReason, SubmissionState
from gateway.model.combined import CaseOpening, Intent
from gateway.office import Office
from keys.envelope import Envelope

SHOWN = 100
"""Sessions or submissions of a list."""

SUPERVISORS = ("administer", "audit")
"""Roles that see the sessions of the whole agency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A submission and what one officer may see of it: the bytes to be looked at, or the answer."""

    submission: Submission
    payload_type: str = ""
    payload: bytes = b""
    answer: bytes = b""


class Accounts:
    """Keeps sessions, and asks what a second officer approved."""

    def __init__(self, office: Office, asking: Asking, submissions: SubmissionBook) -> None:
        """Use an office; `asking` asks what was approved."""
        self._office = office
        self._asking = asking
        self._cases = Cases(office)
        self._submissions = submissions

    def _now(self) -> tuple[Charter, datetime]:
        return self._office.charter(), self._office.clock()

    async def open_session(self, assertion: Envelope, agency: str) -> Session:
        """Open the session of an officer's signed assertion; one that is known is given as it stands.

        Raises:
            Refused: with the reason; NOT_DURABLE when it was not kept.
        """
        charter, now = self._now()
        said, bearer = open_assertion(assertion, agency, charter, now)
        try:
            return await self._office.sessions.open_session(
                session_of(said, bearer.digest, now), wire.encode(assertion)
            )
        except NotDurable as error:
            raise Refused(RefusalReason.NOT_DURABLE) from error

    async def close_session(self, envelope: Envelope, agency: str, assertion: Envelope | None = None) -> Session:
        """Close a session: one's own, or with the role to administer another's of the agency.

        Raises:
            Refused: with the reason; KEY_NOT_VALID when the agency has no such session.
        """
        charter, now = self._now()
        bearer = self._office.bearer(assertion, agency, charter, now)
        closing, _ = open_signed_request(envelope, SessionClosing, agency, charter, now, bearer)
        held = self._office.sessions.session(closing.assertion_digest)
        if held is None or held.agency != agency:
            raise Refused(RefusalReason.KEY_NOT_VALID)
        if closing.officer != held.officer and not holds(closing.officer, ("administer",), bearer, charter, now):
            raise Refused(RefusalReason.AGENCY_NOT_ALLOWED)
        try:
            return await self._office.sessions.close_session(held.assertion_digest, closing.officer, now)
        except NotDurable as error:
            raise Refused(RefusalReason.NOT_DURABLE) from error

    def sessions(self, envelope: Envelope, agency: str, assertion: Envelope | None = None) -> tuple[Session, ...]:
        """Give an officer's sessions; with the role to administer or to audit those of the agency.

        Raises:
            Refused: with the reason.
        """
        charter, now = self._now()
        bearer = self._office.bearer(assertion, agency, charter, now)
        reading, _ = open_signed_request(envelope, SessionReading, agency, charter, now, bearer)
        every = holds(reading.officer, SUPERVISORS, bearer, charter, now)
        return self._office.sessions.sessions(agency, "" if every else reading.officer, SHOWN)

    async def submit(self, envelope: Envelope, agency: str, assertion: Envelope | None = None) -> Submission:
        """Take a question or a case that waits for a second officer, checked as if it were asked now.

        Raises:
            Refused: as for asking or opening, but for the second officer.
        """
        charter, now = self._now()
        bearer = self._office.bearer(assertion, agency, charter, now)
        value, digest = open_submission(envelope, agency, charter, now, bearer)
        if isinstance(value, Intent):
            inquiry = self._asking.inquiry(value, digest, bearer, charter, now)
            self._asking.permits(inquiry, charter, now, alone=True)
        else:
            check_case(value, charter, now, alone=True)
        try:
            kept = await self._submissions.submit(
                submission_of(value, digest, charter, now), write_submission(envelope, assertion)
            )
        except NotDurable as error:
            raise Refused(RefusalReason.NOT_DURABLE) from error
        return as_of(kept, now)

    def submissions(self, envelope: Envelope, agency: str, assertion: Envelope | None = None) -> tuple[Submission, ...]:
        """Give what the agency handed in, the newest first.

        Raises:
            Refused: with the reason.
        """
        charter, now = self._now()
        self._reading(envelope, agency, assertion, charter, now)
        return tuple(as_of(each, now) for each in self._submissions.submissions(agency, SHOWN))

    def submission(self, envelope: Envelope, agency: str, assertion: Envelope | None = None) -> Shown:
        """Give one submission: the bytes to whoever may approve it, the answer to who handed it in.

        Raises:
            Refused: CASE_MISSING when the agency has none of this id.
        """
        charter, now = self._now()
        reading, bearer = self._reading(envelope, agency, assertion, charter, now)
        found = as_of(self._held(agency, reading.submission_id), now)
        body, answer = self._submissions.submission_bodies(found.submission_id)
        if reading.officer == found.officer:
            return Shown(submission=found, answer=answer)
        waits = found.state is SubmissionState.WAITING and bool(body)
        if not waits or not may_approve(reading.officer, found, bearer, charter, now):
            return Shown(submission=found)
        handed = read_submission(body)[0]
        return Shown(submission=found, payload_type=handed.payload_type, payload=handed.payload)

    async def approve(self, envelope: Envelope, agency: str, assertion: Envelope | None = None) -> Submission:
        """Take a second officer's approval, signed just now, and ask under the charter in force.

        Nothing is asked twice: of several approvals one wins, and what a crash interrupted stays approved.

        Raises:
            Refused: as `check_approves`; CASE_MISSING when the agency has none of this id; with the desk's own reason
                when what was approved is refused now.
        """
        charter, now = self._now()
        bearer = self._office.bearer(assertion, agency, charter, now)
        approval, _ = open_signed_request(envelope, SubmissionApproval, agency, charter, now, bearer)
        found = self._held(agency, approval.submission_id)
        check_approves(approval, found, bearer, charter, now)
        try:
            await self._decide(found, SubmissionState.APPROVED, approval.officer, envelope, now)
            # What was approved is asked and its end kept, also when the second officer's connection breaks.
            await asyncio.shield(self._settle(found, approval.officer, charter, now))
        except NotDurable as error:
            raise Refused(RefusalReason.NOT_DURABLE) from error
        return self._held(agency, found.submission_id)

    async def _settle(self, found: Submission, second: str, charter: Charter, now: datetime) -> None:
        try:
            answer = await self._carry_out(found, second, charter, now)
        except Refused as refused:
            state = SubmissionState.FAILED
            await self._submissions.finish(found.submission_id, state, reason=refused.reason, answer=b"")
            raise
        await self._submissions.finish(found.submission_id, SubmissionState.DONE, reason=None, answer=answer)

    async def _carry_out(self, found: Submission, second: str, charter: Charter, now: datetime) -> bytes:
        body, _ = self._submissions.submission_bodies(found.submission_id)
        if not body:
            raise Refused(RefusalReason.EXPIRED)
        handed, assertion = read_submission(body)
        value, bearer = reopen_submission(handed, assertion, found.agency, charter, now)
        if isinstance(value, CaseOpening):
            await self._cases.take_case(value, charter, now, second=second)
            return b""
        inquiry = self._asking.inquiry(value, found.submission_id, bearer, charter, now, second)
        return await self._asking.inquire(inquiry, charter, now)

    async def refuse(self, envelope: Envelope, agency: str, assertion: Envelope | None = None) -> Submission:
        """Refuse a submission; it is never asked.

        Raises:
            Refused: as `check_refuses`; CASE_MISSING when the agency has none of this id.
        """
        charter, now = self._now()
        bearer = self._office.bearer(assertion, agency, charter, now)
        refusal, _ = open_signed_request(envelope, SubmissionRefusal, agency, charter, now, bearer)
        found = self._held(agency, refusal.submission_id)
        check_refuses(refusal, found, bearer, charter, now)
        try:
            await self._decide(found, SubmissionState.REFUSED, refusal.officer, envelope, now)
        except NotDurable as error:
            raise Refused(RefusalReason.NOT_DURABLE) from error
        return self._held(agency, found.submission_id)

    async def _decide(
        self, found: Submission, state: SubmissionState, officer: str, signed: Envelope, now: datetime
    ) -> None:
        """Decide what waits; the loser of a race is told that it was decided."""
        decided = await self._submissions.decide(
            found.submission_id, state, officer=officer, signed=wire.encode(signed), now=now
        )
        if not decided:
            raise Refused(RefusalReason.REPLAYED)

    def _reading(
        self, envelope: Envelope, agency: str, assertion: Envelope | None, charter: Charter, now: datetime
    ) -> tuple[SubmissionReading, Bearer | None]:
        bearer = self._office.bearer(assertion, agency, charter, now)
        reading, _ = open_signed_request(envelope, SubmissionReading, agency, charter, now, bearer)
        if not holds(reading.officer, READERS, bearer, charter, now):
            raise Refused(RefusalReason.AGENCY_NOT_ALLOWED)
        return reading, bearer

    def _held(self, agency: str, submission_id: bytes) -> Submission:
        found = self._submissions.submission(agency, submission_id)
        if found is None:
            raise Refused(RefusalReason.CASE_MISSING)
        return found
