"""What carries envelopes between members: requests and responses as bytes, padded to their size class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from gateway import wire
from gateway.limits import RECEIPT_BYTES
from gateway.model.evidence import ExchangeProofs
from gateway.model.ledger import Receipt
from gateway.model.question import QuestionHeader
from gateway.model.signed import Reply, Signed
from keys.envelope import Envelope
from yrdx.exchange.v1 import (
    authorisation_pb2,
    desk_pb2,
    envelope_pb2,
    evidence_pb2,
    exchange_pb2,
    question_pb2,
    relay_pb2,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedText:
    """What was sealed: a request, or a reply; `statuses` says that it is about authorisations and no question.

    `method` names what is called otherwise.
    """

    payload: bytes
    refused: bool = False
    statuses: bool = False
    method: str = ""


def envelope_to_message(envelope: Envelope) -> envelope_pb2.Envelope:
    """Build the wire form of an envelope."""
    return cast("envelope_pb2.Envelope", wire.to_message(envelope))


def envelope_from_message(message: envelope_pb2.Envelope) -> Envelope:
    """Read an envelope whose signatures nobody has checked.

    Raises:
        WireMalformed: when it breaks the envelope's own limits.
    """
    return wire.from_message(Envelope, message)


def read_envelope(payload: bytes) -> Envelope:
    """Parse the bytes of an Envelope whose signatures nobody has checked.

    Raises:
        WireMalformed: when they are none.
    """
    return wire.decode(Envelope, payload)


def write_request(question: Envelope) -> bytes:
    """Serialise the AskRequest that carries a signed question."""
    return bytes(exchange_pb2.AskRequest(question=envelope_to_message(question)).SerializeToString())


def read_request(payload: bytes) -> Envelope:
    """Parse an AskRequest.

    Raises:
        WireMalformed: when it is none.
    """
    message = exchange_pb2.AskRequest()
    wire.parse_into(message, payload)
    return envelope_from_message(message.question)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptExchange:
    """One exchange of a kept result: the question with its id, and what the member answered, if it did."""

    member: str
    question: Envelope
    question_id: bytes
    answer: Envelope | None = None
    receipt: Receipt | None = None


def read_kept(payload: bytes) -> tuple[Envelope, tuple[KeptExchange, ...]]:
    """Parse a result as this node itself kept it: the signed result, and its exchanges in order.

    Raises:
        WireMalformed: when it is none.
    """
    message = desk_pb2.AskMembersResponse()
    wire.parse_into(message, payload)
    return envelope_from_message(message.result), tuple(_kept(each) for each in message.exchanges)


def _kept(each: desk_pb2.Exchange) -> KeptExchange:
    question, answered = envelope_from_message(each.question), each.HasField("answer")
    return KeptExchange(
        member=each.member,
        question=question,
        question_id=read_header(question).question_id,
        answer=envelope_from_message(each.answer.answer) if answered else None,
        receipt=wire.from_message(Receipt, each.answer.receipt)
        if answered and each.answer.HasField("receipt")
        else None,
    )


def write_content(kept: bytes, concluded: Receipt, exchanges: Sequence[ExchangeProofs]) -> bytes:
    """Serialise an EvidenceContent: the result as it was kept, and its proofs."""
    content = evidence_pb2.EvidenceContent(
        concluded=cast("envelope_pb2.Receipt", wire.to_message(concluded)),
        exchanges=[cast("evidence_pb2.ExchangeProofs", wire.to_message(each)) for each in exchanges],
    )
    content.file.MergeFromString(kept)
    return bytes(content.SerializeToString())


def write_submission(submission: Envelope, assertion: Envelope | None) -> bytes:
    """Serialise the SubmitRequest that carries what a first officer signed, and the assertion of the session."""
    message = desk_pb2.SubmitRequest(submission=envelope_to_message(submission))
    if assertion is not None:
        message.assertion.CopyFrom(envelope_to_message(assertion))
    return bytes(message.SerializeToString())


def read_submission(payload: bytes) -> tuple[Envelope, Envelope | None]:
    """Parse a SubmitRequest.

    Raises:
        WireMalformed: when it is none.
    """
    message = desk_pb2.SubmitRequest()
    wire.parse_into(message, payload)
    assertion = envelope_from_message(message.assertion) if message.HasField("assertion") else None
    return envelope_from_message(message.submission), assertion


def read_header(question: Envelope) -> QuestionHeader:
    """Parse the header alone of a question that this node itself has signed.

    Raises:
        WireMalformed: when it is none.
    """
    message = question_pb2.Question()
    wire.parse_into(message, question.payload)
    return wire.from_message(QuestionHeader, message.header)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An AskResponse as it came; nobody has verified any of it."""

    answer: Envelope
    items: tuple[bytes, ...]
    receipt: Receipt | None = None


def write_response(answer: Envelope, items: Sequence[bytes]) -> bytes:
    """Serialise what a member keeps of an AskResponse: receipt and padding are added when it leaves."""
    return bytes(exchange_pb2.AskResponse(answer=envelope_to_message(answer), items=items).SerializeToString())


def complete_response(kept: bytes, receipt: Receipt | None, size_of: Callable[[int], int]) -> bytes:
    """Add the receipt, and padding up to the size that `size_of` gives, all outside the signature.

    The size follows from what was kept alone: where the ledger stands must not tell on it (threat 14). Serialised
    messages that are joined are one message with the fields of both.
    """
    rest = exchange_pb2.AskResponse()
    if receipt is not None:
        rest.receipt.CopyFrom(cast("envelope_pb2.Receipt", wire.to_message(receipt)))
    rest.padding.extend(_filling(len(kept) + rest.ByteSize(), size_of, least=len(kept) + RECEIPT_BYTES))
    return kept + bytes(rest.SerializeToString())


def _filling(size: int, size_of: Callable[[int], int], least: int = 0) -> list[bytes]:
    room = size_of(max(size, least)) - size
    # One byte cannot be filled, for an entry takes two at least: the next class then.
    return _padding(room if room != 1 else size_of(size + 2) - size)


def _padding(room: int) -> list[bytes]:
    """Give entries whose encoding takes exactly so many bytes: each costs a tag, its length, and itself."""
    if room == 0:
        return []
    for before in ([], [b""]):
        for overhead in (2, 3, 4):
            left = room - 2 * len(before) - overhead
            if left >= 0 and max(1, -(-left.bit_length() // 7)) == overhead - 1:
                return [*before, bytes(left)]
    raise ValueError(room)


def read_response(payload: bytes) -> Response:
    """Parse an AskResponse into the answer's envelope, the salted items and the receipt.

    Raises:
        WireMalformed: when it is none.
    """
    message = exchange_pb2.AskResponse()
    wire.parse_into(message, payload)
    return Response(
        answer=envelope_from_message(message.answer),
        items=tuple(message.items),
        receipt=wire.from_message(Receipt, message.receipt) if message.HasField("receipt") else None,
    )


def write_sealed_text(text: SealedText, size_of: Callable[[int], int]) -> bytes:
    """Serialise what is to be sealed, a request being no refusal, padded to the size that `size_of` gives."""
    message = relay_pb2.SealedText(
        message=text.payload, refused=text.refused, statuses=text.statuses, method=text.method
    )
    message.padding.extend(_filling(message.ByteSize(), size_of))
    return bytes(message.SerializeToString())


def read_sealed_text(text: bytes) -> SealedText:
    """Parse what was sealed.

    Raises:
        WireMalformed: when it is none.
    """
    message = relay_pb2.SealedText()
    wire.parse_into(message, text)
    return SealedText(
        payload=message.message, refused=message.refused, statuses=message.statuses, method=message.method
    )


def write_status_request(request: Envelope) -> bytes:
    """Serialise a GetStatusesRequest."""
    return bytes(authorisation_pb2.GetStatusesRequest(request=envelope_to_message(request)).SerializeToString())


def read_status_request(payload: bytes) -> Envelope:
    """Parse a GetStatusesRequest whose signatures nobody has checked.

    Raises:
        WireMalformed: when it is none.
    """
    message = authorisation_pb2.GetStatusesRequest()
    wire.parse_into(message, payload)
    return envelope_from_message(message.request)


def write_statuses(statuses: Sequence[Envelope]) -> bytes:
    """Serialise a GetStatusesResponse."""
    found = [envelope_to_message(each) for each in statuses]
    return bytes(authorisation_pb2.GetStatusesResponse(statuses=found).SerializeToString())


def read_statuses(payload: bytes) -> tuple[Envelope, ...]:
    """Parse a GetStatusesResponse; nobody has verified what stands in it.

    Raises:
        WireMalformed: when it is none.
    """
    message = authorisation_pb2.GetStatusesResponse()
    wire.parse_into(message, payload)
    return tuple(envelope_from_message(each) for each in message.statuses)


def write_relay(sealed: Envelope) -> bytes:
    """Serialise the RelayRequest or RelayResponse that carries a sealed message: both have the same bytes."""
    return bytes(relay_pb2.RelayRequest(sealed=envelope_to_message(sealed)).SerializeToString())


def read_relay(payload: bytes) -> Envelope:
    """Parse a RelayRequest or RelayResponse.

    Raises:
        WireMalformed: when it is none.
    """
    message = relay_pb2.RelayRequest()
    wire.parse_into(message, payload)
    return envelope_from_message(message.sealed)


def write_result(
    result: Envelope, exchanges: Sequence[tuple[Signed, Reply | None]], recognitions: Sequence[Envelope]
) -> bytes:
    """Serialise an AskMembersResponse without its directory; an answer is kept without its padding."""
    message = desk_pb2.AskMembersResponse(
        result=envelope_to_message(result), recognitions=[envelope_to_message(each) for each in recognitions]
    )
    for signed, reply in exchanges:
        member, question = signed.question.header.answerer_member, envelope_to_message(signed.envelope)
        exchange = message.exchanges.add(member=member, question=question)
        if reply is None:
            continue
        if reply.refused:
            exchange.refusal.MergeFromString(reply.payload)
        else:
            exchange.answer.MergeFromString(reply.payload)
            exchange.answer.ClearField("padding")
    return bytes(message.SerializeToString())
