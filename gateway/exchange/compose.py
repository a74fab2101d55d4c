"""Composes a question from an officer's intent and the pair's next number; serialised once, signed once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway import wire
from gateway.charter import Charter
from gateway.model.combined import Intent
from gateway.model.question import Question, QuestionHeader
from gateway.model.signed import Signed
from keys.envelope import sign
from keys.suite import Signer

TYPE = wire.PAYLOAD_TYPES[Question]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """What is the same in the questions to every member: the intent, its digest, the agreement, the case's size."""

    intent: Intent
    intent_digest: bytes
    agreement_id: str
    case_subject_count: int
    approving_officer: str = ""


def compose(
    inquiry: Inquiry,
    member: str,
    pair_sequence: int,
    *,
    question_id: bytes,
    charter: Charter,
    signer: Signer,
    now: datetime,
) -> Signed:
    """Compose and sign the question to one member; it expires when the limits say."""
    intent = inquiry.intent
    header = QuestionHeader(
        question_id=question_id,
        suite=signer.suite,
        asker_member=charter.me,
        asker_agency=intent.agency,
        officer=intent.officer,
        officer_assertion_digest=inquiry.intent_digest,
        approving_officer=inquiry.approving_officer,
        answerer_member=member,
        asked_time=now,
        expire_time=now + timedelta(seconds=charter.catalogue.limits.question_life),
        purpose=intent.purpose,
        application_item=intent.application_item,
        case_reference=intent.case_reference,
        case_subject_count=inquiry.case_subject_count,
        agreement_id=inquiry.agreement_id,
        authorisations=intent.authorisations,
        pair_sequence=pair_sequence,
        bundle_version=charter.directory.version,
    )
    return sign_question(Question(header=header, body=intent.body), signer)


def sign_question(question: Question, signer: Signer) -> Signed:
    """Serialise a question once and sign those bytes."""
    envelope = sign(TYPE, wire.encode(question), signer)
    return Signed(envelope=envelope, question=question, digest=envelope.digest())
