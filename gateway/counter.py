"""The counter at which a member's own agencies are served: who calls, what is refused, and who is told of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc

from gateway.charter import Charter
from gateway.errors import ConsentRefused, Refused
from gateway.model.codes import RefusalReason
from gateway.peers import Context, Peers
from gateway.statuses import guarded, status_of
from keys.tls import PeerName

Call = Callable[[bytes, str], Awaitable[bytes]]
"""Serves a method: (request, agency) -> response; raises Refused, ConsentRefused."""

Note = Callable[[str, str], None]
"""Is told of each refusal (operation, reason)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """Serves the agencies of the charter's member; a caller is one of them, by its certificate."""

    peers: Peers
    charter: Callable[[], Charter]
    note: Note

    def handler(self, service: str, calls: Mapping[str, Call]) -> grpc.GenericRpcHandler:
        """Give the generic handler; bytes in, so that a torn message is refused with a reason."""
        handlers: dict[str, Any] = {
            name: grpc.unary_unary_rpc_method_handler(self._serving(name, call)) for name, call in calls.items()
        }
        return grpc.method_handlers_generic_handler(service, handlers)

    def _serving(self, name: str, call: Call) -> Callable[[bytes, Context], Awaitable[bytes]]:
        async def handle(request: bytes, context: Context) -> bytes:
            peer = await self.peers.name(context, "agency")
            try:
                self._check_own(peer)
                return await guarded(call(request, peer.name), context)
            except (Refused, ConsentRefused) as refused:
                self.note(name, refused.reason.value)
                await context.abort_with_status(status_of(refused.reason))
                raise

        return handle

    def _check_own(self, peer: PeerName) -> None:
        if peer.member != self.charter().me:
            raise Refused(RefusalReason.AGENCY_NOT_ALLOWED)
