"""One member asking for its agencies: an officer's signed intent in, the combined and signed result out.

Pair numbers and digests are durable before anything is sent; nothing is shown before the result is durable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from gateway import carriers, wire
from gateway.charter import Charter, divisions
from gateway.clocks import civil_day
from gateway.combination import combine
from gateway.errors import NotDurable, Refused
from gateway.exchange.compose import Inquiry, compose, header
from gateway.exchange.conclude import Recognised, conclude, recognise_all
from gateway.exchange.intend import choose_agreement, choose_members, open_signed_request
from gateway.exchange.permit import Permit, permit
from gateway.exchange.session import Bearer
from gateway.federation import Return, fan_out
from gateway.hearing import Terms, hear
from gateway.kinds import kind_of
from gateway.kinds.row import Combining
from gateway.limits import ID_BYTES
from gateway.model.codes import RefusalReason
from gateway.model.combined import Intent, SubjectResult
from gateway.model.question import Question
from gateway.model.signed import Accepted, Signed
from gateway.office import Office
from gateway.ports import Issued
from keys.envelope import Envelope
from keys.errors import EnvelopeMalformed


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
        terms = [Terms(charter=charter, permits=permits), *self._changed(inquiry, returns, charter, now)]
        heard = tuple(hear(office, each, terms, now) for each in returns)
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
            tuple((each.signed, found.shown) for each, found in zip(returns, heard, strict=True)),
            tuple(each.envelope for each in issued),
        )
        await office.log.conclude(
            tuple(each.closing for each in heard),
            agency=inquiry.intent.agency,
            case_reference=inquiry.intent.case_reference,
            purpose=inquiry.intent.purpose,
            application_item=inquiry.intent.application_item,
            result=payload,
            result_digest=result.digest(),
            issued=tuple(_kept(each) for each in issued),
            now=now,
        )
        return payload

    def _changed(
        self, inquiry: Inquiry, returns: tuple[Return, ...], charter: Charter, now: datetime
    ) -> tuple[Terms, ...]:
        """Give the terms in force by now, where a bundle came meanwhile: what it takes away is not shown (threat 6).

        Raises:
            Refused: where it would not be asked any more. The store marks the numbers VOID later.
        """
        current = self._office.charter()
        if current is charter:
            return ()
        headers = [each.signed.question.header for each in returns]
        known = {each.id for each in current.directory.members}
        if any(each.answerer_member not in known for each in headers):
            raise Refused(RefusalReason.UNKNOWN_MEMBER)
        ids = {each.answerer_member: each.question_id for each in headers}
        return (Terms(charter=current, permits=self.permits(inquiry, current, now, ids=ids)),)

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


def _kept(each: Recognised) -> Issued:
    return Issued(
        recognition_id=each.recognition.recognition_id,
        uscc=each.recognition.uscc,
        agency=each.recognition.agency,
        agreement_id=each.recognition.agreement_id,
        envelope_bytes=wire.encode(each.envelope),
    )
