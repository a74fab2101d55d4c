"""The gRPC door to other members: one channel a member, whose only root is that member's CA (threat 24)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import grpc

from gateway.charter import Charter
from gateway.errors import Unavailable
from gateway.model.signed import Reply
from gateway.server import MESSAGE_BYTES, SERVICE, options
from gateway.statuses import refusal_of
from keys.tls import server_name

ASK = f"/{SERVICE}/Ask"
ASK_MANY = f"/{SERVICE}/AskMany"
GRACE_SECONDS = 10.0
"""What is under way to a member's old address may still end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """This node's certificate chain and key, in PEM."""

    certificate: bytes
    key: bytes


def open_channel(
    member: str, endpoint: str, roots: bytes, identity: Identity, size: int = MESSAGE_BYTES
) -> grpc.aio.Channel:
    """Open a channel that trusts one member's CA and no other."""
    credentials = grpc.ssl_channel_credentials(
        root_certificates=roots, private_key=identity.key, certificate_chain=identity.certificate
    )
    return grpc.aio.secure_channel(
        endpoint,
        credentials,
        options=(
            *options(size),
            ("grpc.ssl_target_name_override", server_name(member)),
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 1_000),
        ),
    )


class RemoteMember:
    """Another member over one channel; satisfies `answering.Member`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Speak over an open channel."""
        self._channel = channel
        self._methods: dict[str, Any] = {}
        self._calls = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def ask(self, request: bytes, seconds: float) -> Reply:
        """Send the bytes of an AskRequest.

        Raises:
            Unavailable: naming the transport's status, when neither an answer nor a signed refusal came back.
        """
        try:
            return Reply(payload=await self.call(ASK, request, seconds))
        except grpc.aio.AioRpcError as error:
            refusal = refusal_of(error)
            if refusal is None:
                raise Unavailable(error.code().name) from error
            return Reply(payload=refusal, refused=True)

    async def call(self, method: str, request: bytes, seconds: float) -> bytes:
        """Send the bytes of a request to a method by its full name; give those of its response.

        Raises:
            grpc.aio.AioRpcError: however else it ended.
        """
        found = self._methods.get(method)
        if found is None:
            found = self._methods[method] = self._channel.unary_unary(method)
        self._calls += 1
        self._idle.clear()
        try:
            response: bytes = await found(request, timeout=seconds)
            return response
        finally:
            self._calls -= 1
            if not self._calls:
                self._idle.set()

    async def retire(self) -> None:
        """Close the channel once the last call on it has ended."""
        await self._idle.wait()
        await self.close()

    async def close(self) -> None:
        """Close the channel; calls on it end."""
        await self._channel.close()


class Members:
    """The members that can be asked, by id; channels are kept open and follow the directory and the own leaf.

    A new channel takes over from the next call on; calls in flight end on the one that they began on.
    """

    def __init__(
        self, charter: Callable[[], Charter], identity: Callable[[], Identity], clock: Callable[[], datetime]
    ) -> None:
        """Start without channels."""
        self._charter = charter
        self._clock = clock
        self._identity = identity
        self._open: dict[str, tuple[tuple[str, bytes, Identity], RemoteMember]] = {}
        self._retiring: set[asyncio.Task[None]] = set()

    def member(self, member_id: str) -> Followed | None:
        """Give a member, or None when the directory names no endpoint for it or suspends it."""
        return None if self._wanted(member_id) is None else Followed(self, member_id)

    def current(self, member_id: str) -> RemoteMember:
        """Give a member over the channel that fits directory and leaf now.

        Raises:
            Unavailable: when the directory names no endpoint for it any more, or suspends it.
        """
        wanted = self._wanted(member_id)
        if wanted is None:
            raise Unavailable("NO_ENDPOINT")
        held = self._open.get(member_id)
        if held is None or held[0] != wanted:
            if held is not None:
                self._end(held[1].retire())
            held = self._open[member_id] = (wanted, RemoteMember(open_channel(member_id, *wanted)))
        return held[1]

    def recheck(self) -> None:
        """Close the channels to members that may not be asked any more; calls on them end (threat 6)."""
        for member_id in tuple(self._open):
            if self._wanted(member_id) is None:
                self._end(self._open.pop(member_id)[1].close())

    def _wanted(self, member_id: str) -> tuple[str, bytes, Identity] | None:
        directory = self._charter().directory
        row = next((each for each in directory.members if each.id == member_id), None)
        if row is None or row.endpoint is None or directory.suspended(member_id, self._clock()):
            return None
        return row.endpoint, b"".join(row.ca_certificates), self._identity()

    def _end(self, closing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(closing)
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def close(self) -> None:
        """Close every channel, once its last call has ended."""
        await asyncio.gather(*self._retiring, *(held.retire() for _, held in self._open.values()))


class Followed:
    """A member over whichever channel is current when it is asked: an attempt may outlive a channel."""

    def __init__(self, members: Members, member_id: str) -> None:
        """Name the member."""
        self._members = members
        self._member_id = member_id

    async def ask(self, request: bytes, seconds: float) -> Reply:
        """Ask, as `RemoteMember.ask`."""
        return await self._members.current(self._member_id).ask(request, seconds)

    async def call(self, method: str, request: bytes, seconds: float) -> bytes:
        """Call a method, as `RemoteMember.call`."""
        return await self._members.current(self._member_id).call(method, request, seconds)
