"""Maps the model's frozen values to protobuf messages of the same name, field by field, and back; strictly.

The mapping of a type is worked out once from its annotations and the message's descriptor; a test compares both
for every type. Decoding refuses what the model cannot hold: unknown fields, unknown enum numbers, missing parts.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from google.protobuf.message import DecodeError, Message

from gateway.errors import GatewayError
from gateway.model.access import (
    AccessReading,
    AccessReply,
    AccessReport,
    AccessRequest,
    AccessSummary,
    DelayOrder,
    PreviewReading,
    PreviewReport,
)
from gateway.model.accounts import (
    OfficerAssertion,
    SessionClosing,
    SessionReading,
    SubmissionApproval,
    SubmissionReading,
    SubmissionRefusal,
)
from gateway.model.answer import Answer, Refusal
from gateway.model.combined import AllowanceReading, CaseOpening, CaseReading, CombinedResult, Intent, Recognition
from gateway.model.consent import (
    Attestation,
    Consent,
    ConsentReading,
    KeyRequest,
    KeyRevocation,
    StatusRequest,
    Withdrawal,
)
from gateway.model.evidence import CaseListing, EvidenceOrder, EvidenceStatement
from gateway.model.question import Authorisation, Question
from gateway.model.reconciliation import Statement
from gateway.model.sealed import Sealed
from keys.errors import KeysError
from yrdx.exchange.v1 import (
    access_pb2,
    answer_pb2,
    authorisation_pb2,
    desk_pb2,
    envelope_pb2,
    evidence_pb2,
    exchange_pb2,
    kinds_pb2,
    ledger_pb2,
    question_pb2,
    reconciliation_pb2,
    relay_pb2,
    subject_pb2,
    witness_pb2,
)

T = TypeVar("T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 1_000_000_000  # in nanoseconds
Put = Callable[[Any, Any], None]
Get = Callable[[Any], Any]

_FILES = (
    *(access_pb2, answer_pb2, authorisation_pb2, desk_pb2, envelope_pb2, evidence_pb2, exchange_pb2),
    *(kinds_pb2, ledger_pb2, question_pb2, reconciliation_pb2, relay_pb2, subject_pb2, witness_pb2),
)

PAYLOAD_TYPES: dict[type[Any], str] = {
    Question: "application/vnd.yrdx.question.v1+proto",
    Answer: "application/vnd.yrdx.answer.v1+proto",
    Refusal: "application/vnd.yrdx.refusal.v1+proto",
    Authorisation: "application/vnd.yrdx.authorisation.v1+proto",
    Recognition: "application/vnd.yrdx.recognition.v1+proto",
    CombinedResult: "application/vnd.yrdx.case.v1+proto",
    CaseOpening: "application/vnd.yrdx.case-opening.v1+proto",
    CaseReading: "application/vnd.yrdx.case-reading.v1+proto",
    AllowanceReading: "application/vnd.yrdx.allowance-reading.v1+proto",
    Intent: "application/vnd.yrdx.intent.v1+proto",
    OfficerAssertion: "application/vnd.yrdx.officer-assertion.v1+proto",
    SessionClosing: "application/vnd.yrdx.session-closing.v1+proto",
    SessionReading: "application/vnd.yrdx.session-reading.v1+proto",
    SubmissionReading: "application/vnd.yrdx.submission-reading.v1+proto",
    SubmissionApproval: "application/vnd.yrdx.submission-approval.v1+proto",
    SubmissionRefusal: "application/vnd.yrdx.submission-refusal.v1+proto",
    KeyRequest: "application/vnd.yrdx.key-request.v1+proto",
    KeyRevocation: "application/vnd.yrdx.key-revocation.v1+proto",
    Consent: "application/vnd.yrdx.consent.v1+proto",
    Withdrawal: "application/vnd.yrdx.withdrawal.v1+proto",
    Attestation: "application/vnd.yrdx.attestation.v1+proto",
    ConsentReading: "application/vnd.yrdx.consent-reading.v1+proto",
    StatusRequest: "application/vnd.yrdx.status-request.v1+proto",
    AccessReading: "application/vnd.yrdx.access-reading.v1+proto",
    AccessRequest: "application/vnd.yrdx.access-request.v1+proto",
    AccessReply: "application/vnd.yrdx.access-reply.v1+proto",
    AccessReport: "application/vnd.yrdx.access-report.v1+proto",
    PreviewReading: "application/vnd.yrdx.preview-reading.v1+proto",
    PreviewReport: "application/vnd.yrdx.preview-report.v1+proto",
    AccessSummary: "application/vnd.yrdx.access-summary.v1+proto",
    DelayOrder: "application/vnd.yrdx.delay-order.v1+proto",
    Sealed: "application/vnd.yrdx.sealed.v1+proto",
    Statement: "application/vnd.yrdx.statement.v1+proto",
    CaseListing: "application/vnd.yrdx.case-listing.v1+proto",
    EvidenceOrder: "application/vnd.yrdx.evidence-order.v1+proto",
    EvidenceStatement: "application/vnd.yrdx.evidence.v1+proto",
}
"""Every signature has its own payload type; a new meaning is a new type."""


class WireMalformed(GatewayError):
    """Bytes that are not a message of this protocol, or hold a field or value unknown to it."""


def encode(value: object) -> bytes:
    """Serialise a value of the model."""
    return bytes(to_message(value).SerializeToString())


def decode(kind: type[T], payload: bytes) -> T:
    """Parse a value of the model.

    Raises:
        WireMalformed: for truncated bytes, an unknown field, an unknown enum number or a missing part.
    """
    message = message_class(kind.__name__)()
    parse_into(message, payload)
    return from_message(kind, message)


def parse_into(message: Message, payload: bytes) -> None:
    """Parse bytes into a message and refuse unknown fields at any depth.

    Raises:
        WireMalformed: for truncated bytes or unknown fields.
    """
    try:
        message.ParseFromString(payload)
    except DecodeError as error:
        raise WireMalformed(type(message).__name__) from error
    size = message.ByteSize()
    message.DiscardUnknownFields()
    if message.ByteSize() != size:
        raise WireMalformed(type(message).__name__)


def to_message(value: object) -> Message:
    """Build the message of a value."""
    message = message_class(type(value).__name__)()
    for put, name in _codec(type(value))[0]:  # type: ignore[arg-type]  # types are hashable
        put(message, getattr(value, name))
    return message


def from_message(kind: type[T], message: Message) -> T:
    """Read a value from a parsed message.

    Raises:
        WireMalformed: for an unknown enum number, a missing part, or a value that the model refuses.
    """
    try:
        return kind(**{name: get(message) for name, get in _codec(kind)[1]})  # type: ignore[arg-type]  # types are hashable
    except (ValueError, KeyError, OverflowError, KeysError) as error:
        raise WireMalformed(kind.__name__) from error


@cache
def message_class(name: str) -> type[Message]:
    """Give the generated class of a message by its name."""
    found: type[Message] = next(getattr(file, name) for file in _FILES if hasattr(file, name))
    return found


@cache
def _codec(kind: Hashable) -> tuple[tuple[tuple[Put, str], ...], tuple[tuple[str, Get], ...]]:
    hints, descriptor = get_type_hints(kind), message_class(cast("type", kind).__name__).DESCRIPTOR
    puts, gets = [], []
    for field in fields(cast("type[Any]", kind)):
        hint = hints[field.name]
        required = field.default is MISSING
        if field.name in descriptor.oneofs_by_name:
            put, get = _oneof(field.name, hint, descriptor, required=required)
        elif get_origin(hint) is tuple:
            put, get = _repeated(field.name, get_args(hint)[0])
        else:
            put, get = _single(field.name, hint, descriptor.fields_by_name[field.name], required=required)
        puts.append((put, field.name))
        gets.append((field.name, get))
    return tuple(puts), tuple(gets)


def _fill(message: Any, value: object) -> None:
    for put, name in _codec(type(value))[0]:  # type: ignore[arg-type]  # types are hashable
        put(message, getattr(value, name))


def _oneof(name: str, hint: Any, descriptor: Any, *, required: bool) -> tuple[Put, Get]:
    kinds = {each.__name__: each for each in get_args(hint) if each is not NoneType}
    by_type = {kinds[each.message_type.name]: each.name for each in descriptor.oneofs_by_name[name].fields}
    by_field = {field: kind for kind, field in by_type.items()}

    def put(message: Any, value: object) -> None:
        if value is not None:
            part = getattr(message, by_type[type(value)])
            part.SetInParent()
            _fill(part, value)

    def get(message: Any) -> object:
        which = message.WhichOneof(name)
        if which is None:
            if required:
                raise KeyError(name)
            return None
        return from_message(by_field[which], getattr(message, which))

    return put, get


def _repeated(name: str, inner: Any) -> tuple[Put, Get]:
    if is_dataclass(inner):

        def put(message: Any, value: tuple[object, ...]) -> None:
            if value:
                part = getattr(message, name)
                for each in value:
                    _fill(part.add(), each)

        def get(message: Any) -> tuple[object, ...]:
            held = getattr(message, name)
            return tuple([from_message(inner, each) for each in held]) if held else ()  # type: ignore[arg-type]

        return put, get
    if isinstance(inner, type) and issubclass(inner, Enum):
        names, numbers = _enum(inner)
        return (
            lambda message, value: getattr(message, name).extend(numbers[each] for each in value),
            lambda message: tuple(names[number] for number in getattr(message, name)),
        )

    def put_scalars(message: Any, value: tuple[object, ...]) -> None:
        if value:
            getattr(message, name).extend(value)

    return put_scalars, lambda message: tuple(getattr(message, name))


def _single(name: str, hint: Any, field: Any, *, required: bool) -> tuple[Put, Get]:
    optional = get_origin(hint) in {Union, UnionType}
    inner = next(each for each in get_args(hint) if each is not NoneType) if optional else hint
    get = _value_get(name, inner, required=required, optional=optional)
    put = _value_put(name, inner)
    if not optional:
        return put, get

    def put_present(message: Any, value: object) -> None:
        if value is not None:
            put(message, value)

    if not field.has_presence:  # an enum whose zero stands for none
        return put_present, lambda message: get(message) if getattr(message, name) else None
    return put_present, lambda message: get(message) if message.HasField(name) else None


def _value_put(name: str, inner: Any) -> Put:
    if inner is datetime:

        def put_time(message: Any, value: datetime) -> None:
            since, part = value - _EPOCH, getattr(message, name)
            part.seconds = since.days * 86_400 + since.seconds
            part.nanos = since.microseconds * 1_000

        return put_time
    if is_dataclass(inner):

        def put_part(message: Any, value: object) -> None:
            part = getattr(message, name)
            part.SetInParent()
            _fill(part, value)

        return put_part
    if issubclass(inner, Enum):
        numbers = _enum(inner)[1]
        return lambda message, value: setattr(message, name, numbers[value])
    return lambda message, value: setattr(message, name, value)


def _value_get(name: str, inner: Any, *, required: bool, optional: bool) -> Get:
    must_hold = required and not optional
    if inner is datetime:

        def get_time(message: Any) -> datetime:
            if not message.HasField(name):
                raise KeyError(name)
            part = getattr(message, name)
            if not 0 <= part.nanos < _SECOND:
                raise ValueError(name)
            return _EPOCH + timedelta(seconds=part.seconds, microseconds=part.nanos // 1_000)

        return get_time
    if is_dataclass(inner):

        def get_part(message: Any) -> object:
            if must_hold and not message.HasField(name):
                raise KeyError(name)
            return from_message(inner, getattr(message, name))  # type: ignore[arg-type]

        return get_part
    if issubclass(inner, Enum):
        names = _enum(inner)[0]
        return lambda message: names[getattr(message, name)]
    return lambda message: getattr(message, name)


@cache
def _enum(kind: type[Enum]) -> tuple[dict[int, Enum], dict[Enum, int]]:
    wire = next(getattr(file, kind.__name__) for file in _FILES if hasattr(file, kind.__name__))
    prefix = wire.DESCRIPTOR.values[0].name.removesuffix("UNSPECIFIED")
    numbers = {each: wire.Value(prefix + each.value) for each in kind}
    return {number: each for each, number in numbers.items()}, numbers
