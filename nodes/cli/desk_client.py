"""The gRPC door to one's own member's desk, over mutual TLS whose only root is that member's CA.

What goes wrong ends the command with a text that says what happened, where and what to do; never with a subject.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import grpc

from gateway.client import Identity, open_channel
from gateway.model.codes import RefusalReason
from gateway.server import DESK_BYTES
from gateway.statuses import consent_reason_of, reason_of
from nodes.cli.profile import Access
from nodes.cli.session import REFUSED, UNREACHABLE, Ended, session
from yrdx.exchange.v1 import desk_pb2

SERVICE = desk_pb2.DESCRIPTOR.services_by_name["DeskService"].full_name
SECONDS = 30.0
Send = Callable[[str, bytes], Awaitable[bytes]]
"""Calls a method: (name, or path of another service's, request) -> response."""
_HANDSHAKE = ("handshake", "certificate", "ssl")


def call(access: Access, method: str, request: bytes) -> bytes:
    """Call a method of the desk; bytes in, bytes out, so that what is verified is what came.

    Raises:
        Ended: when the desk refuses (REFUSED) or cannot be reached (UNREACHABLE).
    """
    return asyncio.run(_call(access, method, request))


async def _call(access: Access, method: str, request: bytes) -> bytes:
    async with connected(access) as send:
        return await send(method, request)


@asynccontextmanager
async def connected(access: Access) -> AsyncIterator[Send]:
    """Open one channel for many calls, several at once; each raises what `call` raises."""
    identity = Identity(certificate=access.leaf.certificate_pem, key=access.leaf.key_pem)
    async with open_channel(
        access.profile.member, access.profile.desk, access.desk_ca, identity, DESK_BYTES
    ) as channel:

        async def send(method: str, request: bytes) -> bytes:
            path = method if method.startswith("/") else f"/{SERVICE}/{method}"
            ask: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path)
            try:
                return await ask(request, timeout=SECONDS)
            except grpc.aio.AioRpcError as error:
                raise _ended(error, access.profile.desk) from error

        yield send


def _ended(error: grpc.aio.AioRpcError, desk: str) -> Ended:
    reason = reason_of(error)
    if reason is not None:
        return refused(reason)
    consent = consent_reason_of(error)
    if consent is not None:
        advice = session().words.code("consent_refusal", consent.value)
        return Ended("desk.refused", REFUSED, reason=consent.value, advice=advice)
    if error.code() is grpc.StatusCode.UNAUTHENTICATED:
        return Ended("desk.certificate", REFUSED, desk=desk)
    details = (error.details() or "").lower()
    if error.code() is grpc.StatusCode.UNAVAILABLE and any(each in details for each in _HANDSHAKE):
        return Ended("desk.handshake", UNREACHABLE, desk=desk)
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return Ended("desk.late", UNREACHABLE, desk=desk, seconds=int(SECONDS))
    return Ended("desk.unreachable", UNREACHABLE, desk=desk, status=error.code().name)


def refused(reason: RefusalReason) -> Ended:
    """End the command with the desk's reason and what to do next."""
    advice = session().words.code("refusal", reason.value)
    return DeskRefused(reason, advice)


class DeskRefused(Ended):
    """The desk refused, with a reason."""

    def __init__(self, reason: RefusalReason, advice: str) -> None:
        """Keep the reason."""
        super().__init__("desk.refused", REFUSED, reason=reason.value, advice=advice)
        self.reason = reason
