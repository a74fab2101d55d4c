"""One member's exchange in a file: the question is the asker's and allowed, and the reply belongs to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from gateway import carriers
from gateway.alike import decode_question
from gateway.charter import Charter
from gateway.exchange.accept import accept_head, accept_refusal, check_items, check_receipt, open_items, unpack
from gateway.exchange.admit import is_stale
from gateway.exchange.permit import Permit, permit
from gateway.kinds import kind_of
from gateway.model.answer import Answer, Refusal
from gateway.model.codes import OutcomeState
from gateway.model.combined import CombinedResult, MemberOutcome
from gateway.model.question import Body, Question
from gateway.model.signed import Accepted, Signed
from gateway.verification.checks import check_key, holds, look, open_signed, step
from gateway.verification.verdict import Check, Heard, Part
from yrdx.exchange.v1 import desk_pb2


@dataclass(slots=True)
class Kept:
    """What the exchanges of one file share: bodies by their bytes, and the last permit; it saves work, no more."""

    bodies: dict[bytes, Body] = field(default_factory=dict)
    permit: Permit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One exchange of the file, and what it must agree with."""

    message: desk_pb2.Exchange
    outcome: MemberOutcome
    result: CombinedResult
    charter: Charter
    kept: Kept


def exchange(parts: list[Part], scene: Scene) -> Heard | None:
    """Look at the question and at what came back, if anything; None when a check failed."""
    member, came = scene.outcome.member, scene.message.WhichOneof("outcome")
    signed = look(parts, "question", member, partial(_question, scene))
    examine = {"answer": _answer, "refusal": _refusal, None: _silence}[came]
    if signed is None:
        return None
    return look(parts, came or "silence", member, partial(examine, scene, signed))


def _question(scene: Scene) -> Signed:
    outcome, result, charter = scene.outcome, scene.result, scene.charter
    opened, question = open_signed(
        scene.message.question, Question, charter.directory, lambda payload: decode_question(payload, scene.kept.bodies)
    )
    head = question.header
    check_key(opened, charter.directory, result.asker_member, head.asked_time)
    agree = (
        (head.asker_member, head.asker_agency) == (result.asker_member, result.agency)
        and (head.purpose, head.application_item) == (result.purpose, result.application_item)
        and (head.case_reference, head.agreement_id) == (result.case_reference, result.agreement_id)
        and (head.answerer_member, head.pair_sequence) == (outcome.member, outcome.pair_sequence)
        and head.officer_assertion_digest == (result.officer_assertion_digest or result.intent_digest)
        and head.bundle_version == charter.directory.version
        and head.asked_time <= result.combine_time
    )
    holds(Check.QUESTION, agree, "its header differs from the result")
    kind = step(Check.QUESTION, lambda: kind_of(question.body, charter.kinds))
    holds(Check.QUESTION, kind.name == result.kind, "its kind differs from the result")
    holds(Check.PERMIT, not is_stale(charter.directory, head.asked_time), "the directory had expired")
    step(Check.PERMIT, lambda: _permit(scene, question))
    envelope = carriers.envelope_from_message(scene.message.question)
    return Signed(envelope=envelope, question=question, digest=opened.digest)


def _permit(scene: Scene, question: Question) -> Permit:
    kept = scene.kept
    kept.permit = permit(question, charter=scene.charter, now=question.header.asked_time, before=kept.permit)
    return kept.permit


def _answer(scene: Scene, signed: Signed) -> Heard:
    outcome, charter, head = scene.outcome, scene.charter, signed.question.header
    opened, answer = open_signed(scene.message.answer.answer, Answer, charter.directory)
    check_key(opened, charter.directory, outcome.member, answer.answer_time)
    bound = (answer.answerer_member, answer.agreement_id, answer.pair_sequence, answer.question_digest)
    asked = (head.answerer_member, head.agreement_id, head.pair_sequence, signed.digest)
    holds(Check.BINDING, bound == asked, "it answers another question")
    response = step(Check.ITEMS, lambda: unpack(scene.message.answer.SerializeToString()))
    items = step(Check.ITEMS, lambda: open_items(answer, response.items))
    row = _permit(scene, signed.question)
    step(Check.CONTENT, lambda: check_items(items, row.kind, signed, answer))
    holds(Check.GRANT, set(answer.fields_granted) <= row.grant.fields, "fields beyond the grant")
    # The asker's own rule, both halves and at its own time, so that no second rule drifts from it.
    at = scene.result.combine_time
    opened, answer = step(Check.ACCEPTANCE, lambda: accept_head(response.answer, signed, row.grant, charter, at))
    accepted = Accepted(member=head.answerer_member, answer=answer, items=items, digest=opened.digest)
    said = (outcome.state, outcome.reason, outcome.answer_digest, outcome.bundle_stage)
    heard = (OutcomeState.ANSWERED, None, accepted.digest, answer.bundle_stage)
    holds(Check.OUTCOME, said == heard, "the result names another")
    logged = step(Check.LOGGED, lambda: check_receipt(response.receipt, accepted.digest, signed, charter.directory, at))
    return Heard(outcome=outcome, signed=signed, accepted=accepted, logged=logged)


def _refusal(scene: Scene, signed: Signed) -> Heard:
    outcome, charter, message = scene.outcome, scene.charter, scene.message.refusal
    opened, refusal = open_signed(message, Refusal, charter.directory)
    check_key(opened, charter.directory, outcome.member, refusal.refuse_time)
    bound = (refusal.answerer_member, refusal.question_digest) == (outcome.member, signed.digest)
    holds(Check.BINDING, bound, "it refuses another question")
    payload, at = message.SerializeToString(), scene.result.combine_time
    step(Check.ACCEPTANCE, lambda: accept_refusal(payload, signed, charter, at))
    said = (outcome.state, outcome.reason, outcome.answer_digest, outcome.bundle_stage)
    holds(Check.OUTCOME, said == (OutcomeState.REFUSED, refusal.reason, b"", None), "the result names another")
    return Heard(outcome=outcome, signed=signed, refusal=refusal, refusal_digest=opened.digest)


def _silence(scene: Scene, signed: Signed) -> Heard:
    outcome = scene.outcome
    silent = outcome.state in {OutcomeState.UNAVAILABLE, OutcomeState.WRONG_ANSWER}
    bare = outcome.reason is None and not outcome.answer_digest and outcome.bundle_stage is None
    holds(Check.OUTCOME, silent and bare, "the result names a reply that is not in the file")
    return Heard(outcome=outcome, signed=signed)
