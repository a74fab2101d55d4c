"""What an asking node signs in the end: the combined result with every attempt, and recognitions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from gateway import alike, wire
from gateway.catalogue import Agreement
from gateway.charter import Charter, stage_of
from gateway.clocks import CHINA, months_before
from gateway.exchange.compose import Inquiry
from gateway.limits import ID_BYTES
from gateway.model.codes import RecognitionState, RecognitionStatus
from gateway.model.combined import CombinedResult, MemberOutcome, Recognition, SubjectResult
from gateway.model.signed import Accepted
from gateway.precedence import end_of
from keys.envelope import Envelope, sign
from keys.suite import Signer

RESULT_TYPE = wire.PAYLOAD_TYPES[CombinedResult]
RECOGNITION_TYPE = wire.PAYLOAD_TYPES[Recognition]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """A recognition and its signed form."""

    recognition: Recognition
    envelope: Envelope


def conclude(
    inquiry: Inquiry,
    kind: str,
    outcomes: tuple[MemberOutcome, ...],
    subjects: tuple[SubjectResult, ...],
    *,
    charter: Charter,
    signer: Signer,
    now: datetime,
) -> Envelope:
    """Sign the combined result of an intent."""
    intent = inquiry.intent
    result = CombinedResult(
        intent_digest=inquiry.intent_digest,
        asker_member=charter.me,
        agency=intent.agency,
        case_reference=intent.case_reference,
        purpose=intent.purpose,
        application_item=intent.application_item,
        agreement_id=inquiry.agreement_id,
        kind=kind,
        combine_time=now,
        members=outcomes,
        subjects=subjects,
        officer_assertion_digest=inquiry.assertion_digest,
        bundle_stage=stage_of(charter, now),
    )
    return sign(RESULT_TYPE, alike.encode_result(result), signer)


def recognise_all(
    inquiry: Inquiry,
    subjects: tuple[SubjectResult, ...],
    accepted: Mapping[str, Accepted],
    *,
    charter: Charter,
    signer: Signer,
    now: datetime,
    entropy: Callable[[int], bytes],
    previous: Callable[[str], bytes],
) -> tuple[Recognised, ...]:
    """Issue a signed recognition for every subject whose grade is recognised, and for no other."""
    agreement = charter.catalogue.agreements[inquiry.agreement_id]
    found = []
    for subject in subjects:
        result = subject.recognition
        if result is None or result.state is not RecognitionState.RECOGNISED:
            continue
        until = holds_until(subject.uscc, result.home_member, result.rating_id, accepted, agreement, charter, now)
        recognition = Recognition(
            recognition_id=entropy(ID_BYTES),
            result=result,
            uscc=subject.uscc,
            issuer_member=charter.me,
            agency=inquiry.intent.agency,
            agreement_id=agreement.id,
            purposes=(inquiry.intent.purpose,),
            area=agreement.area,
            valid_from_time=now,
            valid_until_time=until,
            supersedes=previous(subject.uscc),
            status=RecognitionStatus.VALID,
            answer_digests=tuple(accepted[member].digest for member in sorted(accepted)),
        )
        envelope = sign(RECOGNITION_TYPE, wire.encode(recognition), signer)
        found.append(Recognised(recognition=recognition, envelope=envelope))
    return tuple(found)


def holds_until(
    code: str,
    home: str,
    rating_id: bytes,
    accepted: Mapping[str, Accepted],
    agreement: Agreement,
    charter: Charter,
    now: datetime,
) -> datetime:
    """Give the end of a recognition: the rating's, the agreement's, or after the months that the limits allow."""
    item = next(each for each in accepted[home].items if each.uscc == code)
    lines = getattr(item.body, "ratings", ())
    rated = next((each.valid_until_date for each in lines if each.rating_id == rating_id), None)
    today = now.astimezone(CHINA).date()
    ends = [
        months_before(today, -charter.catalogue.limits.recognition_months),
        end_of(agreement, charter.catalogue.agreements),
    ]
    ends.append(date.fromisoformat(rated) if rated else None)
    first = min(each for each in ends if each is not None)
    return datetime.combine(first, time(), CHINA).astimezone(UTC)
