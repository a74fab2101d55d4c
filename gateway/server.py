"""The gRPC door between members: bytes in, bytes out; parsing is admission's business (so a torn message is refused
with a reason), and one function turns refusals into statuses.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import grpc

from gateway import wire
from gateway.answering import Answering
from gateway.errors import Refused
from gateway.exchange.admit import ANY_QUESTION_BYTES, unwrap
from gateway.model.signed import Reply
from gateway.peers import Context, Peers
from gateway.statuses import guarded, reason_in, status_of
from yrdx.exchange.v1 import envelope_pb2, exchange_pb2

SERVICE = exchange_pb2.DESCRIPTOR.services_by_name["ExchangeService"].full_name
STREAM_WINDOW = 8
"""Questions of one stream in work at once."""

MESSAGE_BYTES = 4 << 20
"""Largest message between members; admission's own limits are far below."""

DESK_BYTES = 64 << 20
"""Largest message at the desk: several members' answers of 1,000 subjects, and the directory."""


def options(size: int = MESSAGE_BYTES) -> tuple[tuple[str, int], ...]:
    """Give the channel options that bound a message's size."""
    return (("grpc.max_receive_message_length", size), ("grpc.max_send_message_length", size))


class ExchangeDoor:
    """ExchangeService over an `Answering`."""

    def __init__(self, answering: Answering, peers: Peers) -> None:
        """Serve one answering node."""
        self._answering = answering
        self._peers = peers

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
        """Answer a stream, several at once, each as soon as it is ready."""
        peer = await self._peers.name(context, "node")
        outcomes: asyncio.Queue[bytes | None] = asyncio.Queue()
        slots = asyncio.Semaphore(STREAM_WINDOW)

        async def one(request: bytes) -> None:
            outcomes.put_nowait(await self._one_of_many(request, peer.member))

        async def read() -> None:
            try:
                async with asyncio.TaskGroup() as running:
                    async for request in requests:
                        await slots.acquire()
                        running.create_task(one(request))
            finally:
                outcomes.put_nowait(None)

        reading = asyncio.ensure_future(read())
        try:
            while (found := await outcomes.get()) is not None:
                yield found
                slots.release()
            await guarded(reading, context)
        finally:
            reading.cancel()

    async def _one_of_many(self, request: bytes, peer: str) -> bytes:
        inner = _inner(request)
        reply = await self._answering.ask(inner, peer)
        return _outcome(inner, reply)


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


def _outcome(request: bytes, reply: Reply) -> bytes:
    message = exchange_pb2.AskManyResponse()
    with suppress(Refused):  # what no envelope opens has no digest; the refusal in the outcome says so
        message.question_digest = unwrap(request).digest()
    if reply.refused:
        message.refusal.CopyFrom(envelope_pb2.Envelope.FromString(reply.payload))
    else:
        message.answer.MergeFromString(reply.payload)
    return bytes(message.SerializeToString())
