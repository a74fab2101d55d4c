"""One member asking for its agencies: an officer's signed intent in, the combined and signed result out.

Pair numbers and digests are durable before anything is sent; nothing is shown before the result is durable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

from gateway import carriers, wire
from gateway.answering import Event, Member
from gateway.charter import Charter, divisions
from gateway.clocks import civil_day
from gateway.combination import combine
from gateway.errors import AnswerRejected, NotDurable, Refused, Replayed
from gateway.exchange.accept import accept, accept_refusal
from gateway.exchange.compose import Inquiry, compose, header
from gateway.exchange.conclude import Recognised, conclude, recognise_all
from gateway.exchange.intend import (
    allowance,
    check_case,
    check_reader,
    choose_agreement,
    choose_members,
    open_signed_request,
)
from gateway.exchange.permit import Permit, permit
from gateway.exchange.session import Bearer, open_assertion
from gateway.federation import Return, fan_out
from gateway.fetching import Fetching
from gateway.kinds import kind_of
from gateway.kinds.row import Combining
from gateway.limits import ID_BYTES
from gateway.model.codes import OutcomeState, RefusalReason
from gateway.model.combined import (
    Allowance,
    AllowanceReading,
    Case,
    CaseOpening,
    CaseReading,
    Intent,
    MemberOutcome,
    SubjectResult,
)
from gateway.model.question import Question
from gateway.model.signed import Accepted, Reply, Signed
from gateway.ports import AskerLog, CaseBook, Closing, Issued, Journal, SessionBook
from keys.envelope import Envelope
from keys.errors import EnvelopeMalformed
from keys.suite import Signer

PAGE = 100
_REFERENCE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TOKEN = re.compile(r"[0-9]{1,18}")  # a number that a store can hold


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """What an asking node has at hand; `charter` and `signer` may change between questions."""

    charter: Callable[[], Charter]
    signer: Callable[[], Signer]
    clock: Callable[[], datetime]
    entropy: Callable[[int], bytes]
    member: Callable[[str], Member | None]
    log: AskerLog
    cases: CaseBook
    sessions: SessionBook
    journal: Journal
    observe: Callable[[Event], None]
    fetching: Fetching | None = None

    def bearer(self, assertion: Envelope | None, agency: str, charter: Charter, now: datetime) -> Bearer | None:
        """Give the session under whose assertion a request comes; None where the officer's own key signs.

        Raises:
            Refused: with the reason; KEY_NOT_VALID for a session that was never opened here, or was closed.
        """
        if assertion is None:
            return None
        found = open_assertion(assertion, agency, charter, now)[1]
        held = self.sessions.session(found.digest)
        if held is None or held.close_time is not None:
            raise Refused(RefusalReason.KEY_NOT_VALID)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    """What one member's return turned out to be."""

    outcome: MemberOutcome
    accepted: Accepted | None
    closing: Closing


class Asking:
    """Asks on behalf of the member's agencies."""

    def __init__(self, office: Office) -> None:
        """Use an office."""
        self._office = office

    async def ask(self, envelope: Envelope, agency: str, assertion: Envelope | None = None) -> bytes:
        """Ask for an agency whose certificate was verified; give an AskMembersResponse without its directory.

        Raises:
            Refused: with the reason for which this node itself will not ask.
        """
        office, charter, now = self._office, self._office.charter(), self._office.clock()
        bearer = office.bearer(assertion, agency, charter, now)
        intent, digest = open_signed_request(envelope, Intent, agency, charter, now, bearer)
        return await self.inquire(self.inquiry(intent, digest, bearer, charter, now), charter, now)

    async def inquire(self, inquiry: Inquiry, charter: Charter, now: datetime) -> bytes:
        """Ask what was verified; give an AskMembersResponse without its directory.

        Raises:
            Refused: as `ask`.
        """
        office = self._office
        ids = {each: office.entropy(ID_BYTES) for each in choose_members(inquiry.intent, inquiry, charter)}
        if office.fetching is not None and office.fetching.wants(inquiry):
            # Whatever else refuses it comes first: an authorisation's use is spent on a question that goes out.
            first = next(iter(self.permits(inquiry, charter, now, ids=ids, consent=False).values()))
            subjects = tuple(each.uscc for each in first.subjects)
            inquiry = replace(inquiry, statuses=await office.fetching.fetch(inquiry, first.kind.name, subjects, ids))
            now = office.clock()
        permits = self.permits(inquiry, charter, now, ids=ids)

        def composed(member: str, number: int) -> Signed:
            return compose(
                inquiry,
                member,
                number,
                question_id=ids[member],
                charter=charter,
                signer=office.signer(),
                now=now,
            )

        try:
            questions = await office.log.open(tuple(permits), composed)
            returns = await fan_out(
                questions,
                {each: office.member(each) for each in permits},
                charter.catalogue.limits,
                office.clock,
            )
            return await self._conclude(inquiry, returns, permits, charter)
        except NotDurable as error:
            raise Refused(RefusalReason.NOT_DURABLE) from error
        except EnvelopeMalformed as error:  # so much was found that no envelope holds it: ask about fewer at once
            raise Refused(RefusalReason.TOO_LARGE) from error

    def permits(
        self,
        inquiry: Inquiry,
        charter: Charter,
        now: datetime,
        *,
        ids: Mapping[str, bytes] | None = None,
        alone: bool = False,
        consent: bool = True,
    ) -> dict[str, Permit]:
        """Check what is asked as each member will: what this node would refuse it does not ask.

        `ids` are the questions' ids by member; none are drawn yet where it is left out. `alone`: the second officer
        is still awaited. `consent` False: statuses of authorisations are still awaited.

        Raises:
            Refused: with the reason.
        """
        suite, found = self._office.signer().suite, dict[str, Permit]()
        before: Permit | None = None
        drawn = ids or dict.fromkeys(choose_members(inquiry.intent, inquiry, charter), bytes(ID_BYTES))
        for member, identity in drawn.items():
            head = header(inquiry, member, 1, question_id=identity, suite=suite, charter=charter, now=now)
            question = Question(header=head, body=inquiry.intent.body)
            before = permit(question, charter=charter, now=now, before=before, alone=alone, consent=consent)
            found[member] = before
            if before.grant.four_eyes and not (alone or inquiry.second):
                raise Refused(RefusalReason.SECOND_OFFICER_NEEDED)
        return found

    def inquiry(
        self,
        intent: Intent,
        digest: bytes,
        bearer: Bearer | None,
        charter: Charter,
        now: datetime,
        second: str = "",
    ) -> Inquiry:
        """Say what is the same in the questions to every member; `second` approved it after it was signed.

        Raises:
            Refused: CASE_MISSING, or as `choose_agreement`.
        """
        case = self._office.cases.case(intent.agency, intent.case_reference) if intent.case_reference else None
        if intent.case_reference and (
            case is None or (case.purpose, case.application_item) != (intent.purpose, intent.application_item)
        ):
            raise Refused(RefusalReason.CASE_MISSING)
        kind, own = kind_of(intent.body, charter.kinds), second or intent.approving_officer
        return Inquiry(
            intent=intent,
            intent_digest=digest,
            agreement_id=intent.agreement_id or choose_agreement(intent, kind.name, charter, now).id,
            case_subject_count=case.subject_count if case else 0,
            approving_officer=own or (case.approving_officer if case else ""),
            second=own,
            assertion_digest=bearer.digest if bearer else b"",
        )

    async def _conclude(
        self, inquiry: Inquiry, returns: tuple[Return, ...], permits: dict[str, Permit], charter: Charter
    ) -> bytes:
        office, now = self._office, self._office.clock()
        heard = tuple(self._hear(each, permits, charter, now) for each in returns)
        accepted = {each.accepted.member: each.accepted for each in heard if each.accepted is not None}
        outcomes = tuple(each.outcome for each in heard)
        kind = next(iter(permits.values())).kind
        subjects = combine(
            kind,
            inquiry.intent.body,
            Combining(
                asker=charter.me,
                application_item=inquiry.intent.application_item,
                today=civil_day(now),
                catalogue=charter.catalogue,
                asked=tuple(permits),
                accepted=accepted,
                divisions=divisions(charter),
            ),
            {each.member: each.state for each in outcomes},
        )
        result = conclude(inquiry, kind.name, outcomes, subjects, charter=charter, signer=office.signer(), now=now)
        issued = self._recognise(inquiry, subjects, accepted, charter, now)
        payload = carriers.write_result(
            result,
            tuple((each.signed, _shown(each.reply, found)) for each, found in zip(returns, heard, strict=True)),
            tuple(each.envelope for each in issued),
        )
        await office.log.conclude(
            tuple(each.closing for each in heard),
            agency=inquiry.intent.agency,
            case_reference=inquiry.intent.case_reference,
            application_item=inquiry.intent.application_item,
            result=payload,
            issued=tuple(_kept(each) for each in issued),
            now=now,
        )
        return payload

    def _recognise(
        self,
        inquiry: Inquiry,
        subjects: tuple[SubjectResult, ...],
        accepted: dict[str, Accepted],
        charter: Charter,
        now: datetime,
    ) -> tuple[Recognised, ...]:
        office = self._office
        return recognise_all(
            inquiry,
            subjects,
            accepted,
            charter=charter,
            signer=office.signer(),
            now=now,
            entropy=office.entropy,
            previous=lambda code: office.log.current_recognition(
                uscc=code, agency=inquiry.intent.agency, agreement_id=inquiry.agreement_id
            ),
        )

    def _hear(self, each: Return, permits: dict[str, Permit], charter: Charter, now: datetime) -> _Heard:
        """Verify what one member sent; whatever does not verify counts as silence, and is named as such."""
        header = each.signed.question.header
        state, reason, accepted = OutcomeState.UNAVAILABLE, None, None
        if each.reply is not None:
            try:
                if each.reply.refused:
                    reason = accept_refusal(each.reply.payload, each.signed, charter, now).reason
                    state = OutcomeState.REFUSED
                else:
                    granted = permits[header.answerer_member].grant
                    accepted = accept(each.reply.payload, each.signed, granted, charter, now)
                    state = OutcomeState.ANSWERED
            except AnswerRejected:
                state = OutcomeState.WRONG_ANSWER
        self._observe(each, header.answerer_member, state, reason, permits)
        outcome = MemberOutcome(
            member=header.answerer_member,
            state=state,
            reason=reason,
            attempts=each.attempts,
            answer_digest=accepted.digest if accepted else b"",
            pair_sequence=header.pair_sequence,
            bundle_stage=accepted.answer.bundle_stage if accepted else None,
        )
        ended = {OutcomeState.ANSWERED: "ANSWERED", OutcomeState.REFUSED: "REFUSED"}.get(state, "VOID")
        closing = Closing(
            question_id=header.question_id,
            outcome=ended,
            reply=each.reply,
            digest=accepted.digest if accepted else b"",
        )
        return _Heard(outcome=outcome, accepted=accepted, closing=closing)

    def _observe(
        self,
        each: Return,
        member: str,
        state: OutcomeState,
        reason: RefusalReason | None,
        permits: dict[str, Permit],
    ) -> None:
        office = self._office
        started = each.attempts[0].send_time if each.attempts else office.clock()
        self._office.observe(
            Event(
                side="ask",
                peer=member,
                kind=permits[member].kind.name,
                outcome=state.value,
                reason=reason.value if reason else "",
                question_id=each.signed.question.header.question_id.hex(),
                seconds=(office.clock() - started).total_seconds(),
            )
        )

    async def open_case(self, envelope: Envelope, agency: str, assertion: Envelope | None = None) -> Case:
        """Open a case for an agency.

        Raises:
            Refused: as for a question of the same purpose; REPLAYED when the reference stands for another case.
        """
        office, charter, now = self._office, self._office.charter(), self._office.clock()
        bearer = office.bearer(assertion, agency, charter, now)
        opening, _ = open_signed_request(envelope, CaseOpening, agency, charter, now, bearer)
        return await self.take_case(opening, charter, now)

    async def take_case(self, opening: CaseOpening, charter: Charter, now: datetime, second: str = "") -> Case:
        """Open a case that was verified; `second` approved it after it was signed.

        Raises:
            Refused: as `open_case`.
        """
        opening = replace(opening, approving_officer=second or opening.approving_officer)
        if not _REFERENCE.fullmatch(opening.case_reference):
            raise Refused(RefusalReason.MALFORMED)
        check_case(opening, charter, now)
        case = Case(
            case_reference=opening.case_reference,
            agency=opening.agency,
            purpose=opening.purpose,
            application_item=opening.application_item,
            subject_count=opening.subject_count,
            open_time=opening.open_time,
            officer=opening.officer,
            approving_officer=opening.approving_officer,
        )
        try:
            return await self._office.cases.open_case(case)
        except Replayed as error:
            raise Refused(RefusalReason.REPLAYED) from error
        except NotDurable as error:
            raise Refused(RefusalReason.NOT_DURABLE) from error

    def case(
        self, envelope: Envelope, agency: str, assertion: Envelope | None = None
    ) -> tuple[Case, tuple[tuple[int, bytes], ...], bool]:
        """Give a case of one's own agency, a page of (running number, AskMembersResponse bytes), and whether more.

        Raises:
            Refused: CASE_MISSING when the agency has no such case.
        """
        charter, now = self._office.charter(), self._office.clock()
        bearer = self._office.bearer(assertion, agency, charter, now)
        reading, _ = open_signed_request(envelope, CaseReading, agency, charter, now, bearer)
        case = self._office.cases.case(agency, reading.case_reference)
        if case is None:
            raise Refused(RefusalReason.CASE_MISSING)
        check_reader(reading, charter, now)
        token, size = reading.page_token or "0", reading.page_size or PAGE
        if not _TOKEN.fullmatch(token) or not 1 <= size <= PAGE:
            raise Refused(RefusalReason.MALFORMED)
        found = self._office.cases.results(agency, case.case_reference, after=int(token), limit=size + 1)
        return case, found[:size], len(found) > size

    def allowance(self, envelope: Envelope, agency: str, assertion: Envelope | None = None) -> Allowance:
        """Say how many subjects an agency may still ask about today; nobody is asked.

        Raises:
            Refused: as for reading a case; PURPOSE_NOT_ALLOWED for a purpose that is not in force.
        """
        office, charter, now = self._office, self._office.charter(), self._office.clock()
        bearer = office.bearer(assertion, agency, charter, now)
        reading, _ = open_signed_request(envelope, AllowanceReading, agency, charter, now, bearer)
        check_reader(reading, charter, now)
        case = office.cases.case(agency, reading.case_reference) if reading.case_reference else None

        def spent(day: date) -> int:
            return office.journal.spent(agency=agency, purpose=reading.purpose, day=day, subjects=())

        return allowance(reading, case, spent, charter, now)


def _shown(reply: Reply | None, heard: _Heard) -> Reply | None:
    """Show what verified; a wrong answer is silence."""
    return None if heard.outcome.state is OutcomeState.WRONG_ANSWER else reply


def _kept(each: Recognised) -> Issued:
    return Issued(
        recognition_id=each.recognition.recognition_id,
        uscc=each.recognition.uscc,
        agency=each.recognition.agency,
        agreement_id=each.recognition.agreement_id,
        envelope_bytes=wire.encode(each.envelope),
    )
