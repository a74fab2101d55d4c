"""The one place where a refusal becomes a gRPC status, and a status a refusal again (google.rpc.ErrorInfo)."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, TypeVar

import grpc
import structlog
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from gateway import wire
from gateway.errors import ConsentRefused, Refused, Unavailable
from gateway.model.answer import Refusal
from gateway.model.codes import ConsentReason, RefusalReason
from keys.envelope import Envelope
from yrdx.exchange.v1 import envelope_pb2

DOMAIN = "yrdx"
T = TypeVar("T")
_CODES: dict[RefusalReason, grpc.StatusCode] = {
    RefusalReason.MALFORMED: grpc.StatusCode.INVALID_ARGUMENT,
    RefusalReason.TOO_LARGE: grpc.StatusCode.INVALID_ARGUMENT,
    RefusalReason.WRONG_TYPE: grpc.StatusCode.INVALID_ARGUMENT,
    RefusalReason.UNKNOWN_MEMBER: grpc.StatusCode.UNAUTHENTICATED,
    RefusalReason.KEY_NOT_VALID: grpc.StatusCode.UNAUTHENTICATED,
    RefusalReason.BAD_SIGNATURE: grpc.StatusCode.UNAUTHENTICATED,
    RefusalReason.WRONG_AUDIENCE: grpc.StatusCode.INVALID_ARGUMENT,
    RefusalReason.EXPIRED: grpc.StatusCode.FAILED_PRECONDITION,
    RefusalReason.REPLAYED: grpc.StatusCode.ALREADY_EXISTS,
    RefusalReason.UNKNOWN_KIND: grpc.StatusCode.UNIMPLEMENTED,
    RefusalReason.BAD_SUBJECT: grpc.StatusCode.INVALID_ARGUMENT,
    RefusalReason.BUDGET_EXHAUSTED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    RefusalReason.STALE_BUNDLE: grpc.StatusCode.FAILED_PRECONDITION,
    RefusalReason.OVERLOADED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    RefusalReason.NOT_DURABLE: grpc.StatusCode.INTERNAL,
}
"""Every other reason is a decision of policy: PERMISSION_DENIED."""


def code_of(reason: RefusalReason) -> grpc.StatusCode:
    """Give the status code of a reason."""
    return _CODES.get(reason, grpc.StatusCode.PERMISSION_DENIED)


def status_of(reason: RefusalReason | ConsentReason, envelope: bytes = b"") -> grpc.Status:
    """Build the status of a refusal, with the signed refusal (bytes of an Envelope) where there is one."""
    info = any_pb2.Any()
    info.Pack(error_details_pb2.ErrorInfo(reason=reason.value, domain=DOMAIN))
    details = [info]
    if envelope:
        signed = any_pb2.Any()
        signed.Pack(envelope_pb2.Envelope.FromString(envelope))
        details.append(signed)
    code = code_of(reason) if isinstance(reason, RefusalReason) else grpc.StatusCode.FAILED_PRECONDITION
    status = status_pb2.Status(code=code.value[0], message=reason.value, details=details)
    found: grpc.Status = rpc_status.to_status(status)
    return found


async def guarded(work: Awaitable[T], context: grpc.aio.ServicerContext[Any, Any]) -> T:
    """Wait for work; an error that nobody foresaw ends the call as INTERNAL.

    Its text stays here, for it may quote what was worked on.
    """
    try:
        return await work
    except (Refused, ConsentRefused, Unavailable):
        raise
    except Exception as error:
        structlog.get_logger().error("fault", error=type(error).__name__)
        await context.abort(grpc.StatusCode.INTERNAL, "INTERNAL")
        raise


def reason_of(error: grpc.aio.AioRpcError) -> RefusalReason | None:
    """Read the machine reason from a status, or None when it carries none of ours."""
    return RefusalReason.__members__.get(_reason_text(error))


def consent_reason_of(error: grpc.aio.AioRpcError) -> ConsentReason | None:
    """Read from a status why what a subject handed in was not taken, or None when it carries no such reason."""
    return ConsentReason.__members__.get(_reason_text(error))


def _reason_text(error: grpc.aio.AioRpcError) -> str:
    for detail in _details(error):
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info) and info.domain == DOMAIN:
            return str(info.reason)
    return ""


def refusal_of(error: grpc.aio.AioRpcError) -> bytes | None:
    """Read the signed refusal from a status: unverified bytes of an Envelope, or None."""
    for detail in _details(error):
        envelope = envelope_pb2.Envelope()
        if detail.Is(envelope.DESCRIPTOR) and detail.Unpack(envelope):
            return bytes(envelope.SerializeToString())
    return None


def _details(error: grpc.aio.AioRpcError) -> tuple[any_pb2.Any, ...]:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            status = status_pb2.Status()
            try:
                status.ParseFromString(value)
            except ValueError:
                return ()
            return tuple(status.details)
    return ()


def reason_in(refusal: bytes) -> RefusalReason:
    """Read the reason out of a refusal that this node itself has just signed or stored."""
    return wire.decode(Refusal, wire.decode(Envelope, refusal).payload).reason
