"""Composes a question from an officer's intent and the pair's next number; serialised once, signed once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway import alike, wire
from gateway.charter import Charter
from gateway.exchange.routing import hubs
from gateway.model.combined import Intent
from gateway.model.question import Question, QuestionHeader
from gateway.model.signed import Signed
from keys.envelope import Envelope, sign
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
    second: str = ""
    """The second officer of this question itself, where the case's own is not meant."""

    assertion_digest: bytes = b""
    """Of the officer's assertion, where a session asks."""

    statuses: tuple[Envelope, ...] = ()
    """Authorisations as their home members vouch for them now; beside those that the intent carries."""
    kept: dict[str, bytes] = field(default_factory=dict, init=False, repr=False, compare=False)
    """The body as it was serialised for the first member; it saves work, no more."""


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
    head = header(inquiry, member, pair_sequence, question_id=question_id, suite=signer.suite, charter=charter, now=now)
    question = Question(header=head, body=inquiry.intent.body)
    if "body" not in inquiry.kept:
        inquiry.kept["body"] = alike.encode_body(question)
    return _signed(question, alike.encode_question(head, inquiry.kept["body"]), signer)


def header(
    inquiry: Inquiry,
    member: str,
    pair_sequence: int,
    *,
    question_id: bytes,
    suite: str,
    charter: Charter,
    now: datetime,
) -> QuestionHeader:
    """Write the header of the question to one member."""
    intent = inquiry.intent
    return QuestionHeader(
        question_id=question_id,
        suite=suite,
        asker_member=charter.me,
        asker_agency=intent.agency,
        officer=intent.officer,
        officer_assertion_digest=inquiry.assertion_digest or inquiry.intent_digest,
        approving_officer=inquiry.approving_officer,
        answerer_member=member,
        relays=hubs(charter, member, now),
        asked_time=now,
        expire_time=now + timedelta(seconds=charter.catalogue.limits.question_life),
        purpose=intent.purpose,
        application_item=intent.application_item,
        case_reference=intent.case_reference,
        case_subject_count=inquiry.case_subject_count,
        agreement_id=inquiry.agreement_id,
        authorisations=(*intent.authorisations, *inquiry.statuses),
        pair_sequence=pair_sequence,
        bundle_version=charter.directory.version,
    )


def sign_question(question: Question, signer: Signer) -> Signed:
    """Serialise a question once and sign those bytes."""
    return _signed(question, wire.encode(question), signer)


def _signed(question: Question, payload: bytes, signer: Signer) -> Signed:
    envelope = sign(TYPE, payload, signer)
    return Signed(envelope=envelope, question=question, digest=envelope.digest())
