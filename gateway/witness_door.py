"""The gRPC doors to witness and ledger: WitnessService and LedgerService, between members' nodes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc

from gateway.errors import Refused
from gateway.peers import Context, Peers
from gateway.statuses import guarded, status_of
from gateway.witness import Witness
from yrdx.exchange.v1 import witness_pb2

_SERVICES = witness_pb2.DESCRIPTOR.services_by_name
WITNESS_SERVICE = _SERVICES["WitnessService"].full_name
LEDGER_SERVICE = _SERVICES["LedgerService"].full_name
ADD_CHECKPOINT = f"/{WITNESS_SERVICE}/AddCheckpoint"
GET_HEAD = f"/{LEDGER_SERVICE}/GetHead"
GET_PROOF = f"/{LEDGER_SERVICE}/GetProof"

Call = Callable[[bytes, str], Awaitable[bytes]]
"""Serves a method: (request, member) -> response; raises Refused."""


def calls(witness: Witness) -> Mapping[str, Call]:
    """Give every method by its full name, for those who call sealed by way of relays."""
    return {
        ADD_CHECKPOINT: witness.add_checkpoint,
        GET_HEAD: witness.head,
        GET_PROOF: witness.proof,
    }


class WitnessDoor:
    """Both services over a `Witness`; a caller is a member's node, by its certificate."""

    def __init__(self, witness: Witness, peers: Peers, pace: Callable[[str], None]) -> None:
        """Serve the other members; `pace` raises Refused when a peer comes too often."""
        self._witness = witness
        self._peers = peers
        self._pace = pace

    def handlers(self) -> Mapping[str, grpc.GenericRpcHandler]:
        """Give the generic handlers by service."""
        return {each: self._handler(each) for each in (WITNESS_SERVICE, LEDGER_SERVICE)}

    def _handler(self, service: str) -> grpc.GenericRpcHandler:
        handlers: dict[str, Any] = {
            method.rpartition("/")[2]: grpc.unary_unary_rpc_method_handler(self._serving(call))
            for method, call in calls(self._witness).items()
            if method.startswith(f"/{service}/")
        }
        return grpc.method_handlers_generic_handler(service, handlers)

    def _serving(self, call: Call) -> Callable[[bytes, Context], Awaitable[bytes]]:
        async def handle(request: bytes, context: Context) -> bytes:
            peer = await self._peers.name(context, "node")
            try:
                self._pace(peer.member)
                return await guarded(call(request, peer.member), context)
            except Refused as refused:
                await context.abort_with_status(status_of(refused.reason))
                raise

        return handle
