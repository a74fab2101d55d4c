"""The gRPC door between members: bytes in, bytes out; parsing is admission's business (so a torn message is refused
with a reason), and one function turns refusals into statuses.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

import grpc

from gateway import wire
from gateway.answering import Answering
from gateway.charter import Charter
from gateway.errors import Refused, Unavailable
from gateway.exchange.admit import ANY_QUESTION_BYTES, unwrap
from gateway.model.codes import RefusalReason
from gateway.model.signed import Reply
from gateway.peers import Context, Peers, certificate
from gateway.statuses import guarded, reason_in, status_of
from keys.envelope import Envelope
from keys.errors import KeysError
from yrdx.exchange.v1 import envelope_pb2, exchange_pb2, relay_pb2

SERVICE = exchange_pb2.DESCRIPTOR.services_by_name["ExchangeService"].full_name
RELAY_SERVICE = relay_pb2.DESCRIPTOR.services_by_name["RelayService"].full_name
RELAY_SECONDS = 30.0
"""Longest time that a relay works on a message, whatever deadline its sender names."""

STREAM_WINDOW = 8
"""Questions of one stream in work at once."""

MESSAGE_BYTES = 4 << 20
"""Largest message between members; admission's own limits are far below."""

DESK_BYTES = 64 << 20
"""Largest message at the desk: several members' answers of 1,000 subjects, and the directory."""


def options(size: int = MESSAGE_BYTES) -> tuple[tuple[str, int], ...]:
    """Give the channel options that bound a message's size."""
    return (("grpc.max_receive_message_length", size), ("grpc.max_send_message_length", size))


@dataclass(eq=False, slots=True, kw_only=True)
class _Stream:
    """An open stream: who is at its other end, under which keys its questions verified, and what goes out.

    What did not verify names no key here: it could name a good one in the place of one that was taken back.
    """

    member: str
    certificate: bytes
    keys: set[str] = field(default_factory=set)
    outcomes: asyncio.Queue[bytes | RefusalReason | None] = field(default_factory=asyncio.Queue)


class ExchangeDoor:
    """ExchangeService over an `Answering`."""

    def __init__(self, answering: Answering, peers: Peers) -> None:
        """Serve one answering node."""
        self._answering = answering
        self._peers = peers
        self._streams: set[_Stream] = set()

    def handler(self) -> Any:  # noqa: ANN401  the stubs give it no useful type
        """Give the generic handler; without deserialisers, so that bytes reach admission as they came."""
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "Ask": grpc.unary_unary_rpc_method_handler(self.ask),
                "AskMany": grpc.stream_stream_rpc_method_handler(self.ask_many),
            },
        )

    async def ask(self, request: bytes, context: Context) -> bytes:
        """Answer, or end the call with the refusal's status."""
        peer = await self._peers.name(context, "node")
        reply = await guarded(self._answering.ask(request, peer.member), context)
        if reply.refused:
            await context.abort_with_status(status_of(reason_in(reply.payload), reply.payload))
        return reply.payload

    async def ask_many(self, requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
        """Answer a stream, several at once, each as soon as it is ready; it ends with its peer's standing."""
        peer = await self._peers.name(context, "node")
        stream, slots = _Stream(member=peer.member, certificate=certificate(context)), asyncio.Semaphore(STREAM_WINDOW)

        async def one(request: bytes) -> None:
            stream.outcomes.put_nowait(await self._one_of_many(request, stream))

        async def read() -> None:
            try:
                async with asyncio.TaskGroup() as running:
                    async for request in requests:
                        await slots.acquire()
                        running.create_task(one(request))
            finally:
                stream.outcomes.put_nowait(None)

        reading = asyncio.ensure_future(read())
        self._streams.add(stream)
        try:
            while (found := await stream.outcomes.get()) is not None:
                if isinstance(found, RefusalReason):
                    await context.abort_with_status(status_of(found))
                else:
                    yield found
                    slots.release()
            await guarded(reading, context)
        finally:
            self._streams.discard(stream)
            reading.cancel()

    async def _one_of_many(self, request: bytes, stream: _Stream) -> bytes:
        inner = _inner(request)
        return _outcome(_opened(inner), await self._answering.ask(inner, stream.member, keys=stream.keys))

    def recheck(self, charter: Charter, now: datetime) -> None:
        """End the streams of peers that may not ask any more: suspended, key or certificate taken back (threat 6)."""
        for stream in self._streams:
            reason = self._refused(stream, charter, now)
            if reason is not None:
                while not stream.outcomes.empty():
                    stream.outcomes.get_nowait()  # what is not sent yet stays here
                stream.outcomes.put_nowait(reason)

    def _refused(self, stream: _Stream, charter: Charter, now: datetime) -> RefusalReason | None:
        if self._peers.known(stream.certificate) is None:
            return RefusalReason.UNKNOWN_MEMBER
        if charter.directory.suspended(stream.member, now):
            return RefusalReason.SUSPENDED
        try:
            for key_id in stream.keys:
                charter.directory.key(key_id, use="sign", at=now)
        except KeysError:
            return RefusalReason.KEY_NOT_VALID
        return None


class RelayDoor:
    """RelayService over a hub that passes on, or over a member that answers what is sealed to it."""

    def __init__(self, relay: Callable[[bytes, str, float], Awaitable[bytes]], peers: Peers) -> None:
        """Serve what gives a reply's bytes to a request's, its peer and the seconds that are left."""
        self._relay = relay
        self._peers = peers

    def handler(self) -> Any:  # noqa: ANN401  the stubs give it no useful type
        """Give the generic handler; without deserialisers, so that nothing is altered."""
        return grpc.method_handlers_generic_handler(
            RELAY_SERVICE, {"Relay": grpc.unary_unary_rpc_method_handler(self.relay)}
        )

    async def relay(self, request: bytes, context: Context) -> bytes:
        """Give the sealed reply, or end the call with a hop's refusal or the transport's status."""
        peer = await self._peers.name(context, "node")
        left = cast("float | None", context.time_remaining())  # the stubs do not know that there may be none
        seconds = RELAY_SECONDS if left is None else min(left, RELAY_SECONDS)
        try:
            return await guarded(self._relay(request, peer.member, seconds), context)
        except Refused as error:
            await context.abort_with_status(status_of(error.reason))
            raise
        except Unavailable as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
            raise


def _inner(request: bytes) -> bytes:
    """Take the AskRequest out of an AskManyRequest; torn bytes go on as they are and are refused as MALFORMED."""
    message = exchange_pb2.AskManyRequest()
    if len(request) > ANY_QUESTION_BYTES:
        return request
    try:
        wire.parse_into(message, request)
    except wire.WireMalformed:
        return request
    return bytes(message.ask.SerializeToString())


def _opened(request: bytes) -> Envelope | None:
    with suppress(Refused):
        return unwrap(request)
    return None


def _outcome(envelope: Envelope | None, reply: Reply) -> bytes:
    message = exchange_pb2.AskManyResponse()
    if envelope:  # what no envelope opens has no digest; the refusal in the outcome says so
        message.question_digest = envelope.digest()
    if reply.refused:
        message.refusal.CopyFrom(envelope_pb2.Envelope.FromString(reply.payload))
    else:
        message.answer.MergeFromString(reply.payload)
    return bytes(message.SerializeToString())
