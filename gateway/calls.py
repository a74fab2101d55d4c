"""Calls that are no questions: to a member over its channel, or sealed by way of its relays."""

from __future__ import annotations

import os
from functools import partial
from typing import Protocol

import grpc

from gateway.carriers import SealedText
from gateway.client import Followed, RemoteMember
from gateway.errors import Refused, Unavailable
from gateway.exchange.routing import routing_of_call, ways
from gateway.limits import ID_BYTES
from gateway.model.codes import RefusalReason
from gateway.relay import Post, RelayedMember, Ring
from gateway.statuses import reason_of


class Route(Protocol):
    """A member that can be called: over its channel, or sealed by way of relays."""

    async def call(self, method: str, request: bytes, seconds: float) -> bytes:
        """Send the bytes of a request to a method by its full name; give those of its response.

        Raises:
            Unavailable, Refused: however else it ended.
        """


class DirectRoute:
    """A member over its own channel."""

    def __init__(self, member: Followed | RemoteMember) -> None:
        """Speak to a member."""
        self._member = member

    async def call(self, method: str, request: bytes, seconds: float) -> bytes:
        """As `Route.call`."""
        try:
            return await self._member.call(method, request, seconds)
        except grpc.aio.AioRpcError as error:
            reason = reason_of(error)
            if reason is None:
                raise Unavailable(error.code().name) from error
            raise Refused(reason) from error


class RelayedRoute:
    """One member by way of relays; satisfies `Route`."""

    def __init__(self, relayed: RelayedMember, post: Post, ring: Ring, member_id: str) -> None:
        """Name the member."""
        self._relayed, self._post, self._ring = relayed, post, ring
        self._member_id = member_id

    async def call(self, method: str, request: bytes, seconds: float) -> bytes:
        """Call a method by its full name; nobody has verified the response.

        Raises:
            Unavailable: naming the transport's status, or when what came back is no reply.
            Refused: with the member's reason.
        """
        charter, now = self._post.charter(), self._post.clock()
        routing = partial(
            routing_of_call,
            os.urandom(ID_BYTES),
            (charter.me, self._member_id),
            suite=self._ring.signer().suite,
            now=now,
            life=charter.catalogue.limits.question_life,
        )
        text = SealedText(payload=request, method=method)
        reply = await self._relayed.carry(text, ways(charter, self._member_id, now), routing, seconds)
        if not reply.refused:
            return reply.payload
        try:
            reason = RefusalReason(reply.payload.decode())
        except ValueError as error:
            raise Unavailable("MALFORMED") from error
        raise Refused(reason)
