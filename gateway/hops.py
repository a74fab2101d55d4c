"""The door to hubs, and from a hub to whom it serves: a method of a member's channel."""

from __future__ import annotations

import grpc

from gateway.client import Followed, Members, RemoteMember
from gateway.errors import Refused, Unavailable
from gateway.server import RELAY_SERVICE
from gateway.statuses import reason_of

RELAY = f"/{RELAY_SERVICE}/Relay"


class RemoteHop:
    """The next node on a relay's way; satisfies `relay.Hop`."""

    def __init__(self, member: Followed | RemoteMember) -> None:
        """Speak over a member's channel."""
        self._member = member

    async def relay(self, request: bytes, seconds: float) -> bytes:
        """Send the bytes of a RelayRequest.

        Raises:
            Refused: with the reason of whichever hop refused.
            Unavailable: naming the transport's status.
        """
        try:
            return await self._member.call(RELAY, request, seconds)
        except grpc.aio.AioRpcError as error:
            reason = reason_of(error)
            if reason is None:
                raise Unavailable(error.code().name) from error
            raise Refused(reason) from error


def hop_of(members: Members, member_id: str) -> RemoteHop | None:
    """Give the next node, or None when the directory names no endpoint for it or suspends it."""
    found = members.member(member_id)
    return None if found is None else RemoteHop(found)
