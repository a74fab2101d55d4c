"""What one member's return turned out to be: an answer, a refusal, a wrong answer or silence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway import carriers
from gateway.charter import Charter
from gateway.errors import AnswerRejected
from gateway.event import Event
from gateway.exchange.accept import accept, accept_refusal
from gateway.exchange.permit import Permit
from gateway.federation import Return
from gateway.model.answer import Refusal
from gateway.model.codes import OutcomeState, RefusalReason
from gateway.model.combined import MemberOutcome
from gateway.model.signed import Accepted, Reply
from gateway.office import Office
from gateway.ports import Closing


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an answer is held against: a charter, and what it permits to ask of each member."""

    charter: Charter
    permits: Mapping[str, Permit]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one member's return turned out to be."""

    outcome: MemberOutcome
    accepted: Accepted | None
    closing: Closing
    shown: Reply | None
    """What verified; a wrong answer is silence."""


def hear(office: Office, each: Return, terms: Sequence[Terms], now: datetime) -> Heard:
    """Verify what one member sent; whatever does not verify counts as silence, and is named as such.

    It must verify under all the terms: those that it was asked under, and those that are in force by now.
    """
    header = each.signed.question.header
    state, reason, accepted, digest, fault = OutcomeState.UNAVAILABLE, None, None, b"", ""
    if each.reply is not None:
        state = OutcomeState.REFUSED if each.reply.refused else OutcomeState.ANSWERED
        try:
            for term in terms:
                if each.reply.refused:
                    refusal = accept_refusal(each.reply.payload, each.signed, term.charter, now)
                    reason, digest = refusal.reason, _entered(refusal, each.reply)
                else:
                    granted = term.permits[header.answerer_member].grant
                    accepted = accept(each.reply.payload, each.signed, granted, term.charter, now)
                    digest = accepted.digest
        except AnswerRejected as error:
            state, reason, accepted, digest, fault = OutcomeState.WRONG_ANSWER, None, None, b"", str(error)
    _observe(office, each, header.answerer_member, state, reason, terms[0].permits)
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
        digest=digest,
        reason=reason.value if reason else fault,
        fields_granted=accepted.answer.fields_granted if accepted else (),
    )
    shown = None if state is OutcomeState.WRONG_ANSWER else each.reply
    return Heard(outcome=outcome, accepted=accepted, closing=closing, shown=shown)


def _entered(refusal: Refusal, reply: Reply) -> bytes:
    """Give the digest of a refusal that the answerer has entered in its ledger, or b"": it says so by the number."""
    return carriers.read_envelope(reply.payload).digest() if refusal.pair_sequence else b""


def _observe(
    office: Office,
    each: Return,
    member: str,
    state: OutcomeState,
    reason: RefusalReason | None,
    permits: Mapping[str, Permit],
) -> None:
    started = each.attempts[0].send_time if each.attempts else office.clock()
    office.observe(
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
