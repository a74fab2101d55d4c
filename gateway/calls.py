"""Calls that are no questions to a member without a route of its own: sealed, by way of its relays."""

from __future__ import annotations

import os
from functools import partial

from gateway.carriers import SealedText
from gateway.errors import Refused, Unavailable
from gateway.exchange.routing import routing_of_call, ways
from gateway.limits import ID_BYTES
from gateway.model.codes import RefusalReason
from gateway.relay import Post, RelayedMember, Ring


class RelayedLine:
    """One member by way of relays; satisfies `witness_client.Line`, as a member's channel does."""

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
