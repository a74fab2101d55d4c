"""The gRPC door and client of reconciliation: a member is told of its own pairs alone, and trusts nothing unproven."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar

import grpc

from gateway import wire
from gateway.calls import Route
from gateway.errors import NotDurable, Refused, Unavailable
from gateway.model.codes import RefusalReason
from gateway.model.reconciliation import (
    ListPairEntriesRequest,
    ListPairEntriesResponse,
    SignStatementRequest,
    SignStatementResponse,
)
from gateway.peers import Context, Peers
from gateway.statuses import guarded, status_of
from keys.envelope import Envelope
from yrdx.exchange.v1 import reconciliation_pb2

SERVICE = reconciliation_pb2.DESCRIPTOR.services_by_name["ReconciliationService"].full_name
LIST_PAIR_ENTRIES, SIGN_STATEMENT = f"/{SERVICE}/ListPairEntries", f"/{SERVICE}/SignStatement"
LIST_BYTES, STATEMENT_BYTES = 256, 256 << 10

T = TypeVar("T")
Work = Callable[[bytes, str], Awaitable[bytes]]


class PairBook(Protocol):
    """What lists a member's own entries of a pair, with their proofs."""

    async def entries(self, request: ListPairEntriesRequest) -> ListPairEntriesResponse:
        """Give a page.

        Raises:
            LedgerError: when the ledger is damaged.
        """
        ...


class Signatory(Protocol):
    """What signs monthly statements on a member's behalf."""

    async def countersign(self, statement: Envelope, peer: str) -> SignStatementResponse:
        """Sign a peer's statement where it is what the member itself would have said.

        Raises:
            Refused: when it is not genuine or not of this pair.
            NotDurable: when it could not be entered in the ledger; nothing was signed.
        """
        ...


class ReconciliationDoor:
    """ReconciliationService; a caller is a member's node, by its certificate."""

    def __init__(
        self, me: str, book: PairBook, signatory: Signatory, peers: Peers, pace: Callable[[str], None]
    ) -> None:
        """Serve the other members; `pace` raises Refused when a peer comes too often."""
        self._me, self._book, self._signatory, self._peers, self._pace = me, book, signatory, peers, pace

    def calls(self) -> Mapping[str, Work]:
        """Give the methods by their full names, for whoever calls them sealed, by way of relays."""
        return {LIST_PAIR_ENTRIES: self._list, SIGN_STATEMENT: self._sign}

    def handler(self) -> grpc.GenericRpcHandler:
        """Give the generic handler; bytes in, so that a torn message is refused with a reason."""
        handlers: dict[str, Any] = {
            name.rpartition("/")[2]: grpc.unary_unary_rpc_method_handler(self._serving(call))
            for name, call in self.calls().items()
        }
        return grpc.method_handlers_generic_handler(SERVICE, handlers)

    async def _list(self, request: bytes, peer: str) -> bytes:
        wanted = _read(ListPairEntriesRequest, request, LIST_BYTES)
        # Nobody learns how often others ask each other.
        if {wanted.asker_member, wanted.answerer_member} != {self._me, peer} or peer == self._me:
            raise Refused(RefusalReason.WRONG_AUDIENCE)
        return wire.encode(await self._book.entries(wanted))

    async def _sign(self, request: bytes, peer: str) -> bytes:
        statement = _read(SignStatementRequest, request, STATEMENT_BYTES).statement
        try:
            return wire.encode(await self._signatory.countersign(statement, peer))
        except NotDurable as error:
            raise Refused(RefusalReason.NOT_DURABLE) from error

    def _serving(self, work: Work) -> Callable[[bytes, Context], Awaitable[bytes]]:
        async def serve(request: bytes, context: Context) -> bytes:
            peer = await self._peers.name(context, "node")
            try:
                self._pace(peer.member)
                return await guarded(work(request, peer.member), context)
            except Refused as refused:
                await context.abort_with_status(status_of(refused.reason))
                raise

        return serve


class RemotePairs:
    """Another member's entries and signature, over a line to it."""

    def __init__(self, member: Route) -> None:
        """Speak to a member."""
        self._member = member

    async def entries(self, request: ListPairEntriesRequest, seconds: float) -> ListPairEntriesResponse:
        """Fetch a page; what comes back is verified by `ledger.pairs.proven`.

        Raises:
            Unavailable: naming the transport's status, or when what came back is no response.
            Refused: with the member's reason.
        """
        return await self._call(LIST_PAIR_ENTRIES, request, ListPairEntriesResponse, seconds)

    async def sign(self, statement: Envelope, seconds: float) -> SignStatementResponse:
        """Ask for the second signature; what comes back is verified by `ledger.statement.open_statement`.

        Raises:
            Unavailable, Refused: as `entries`.
        """
        return await self._call(
            SIGN_STATEMENT, SignStatementRequest(statement=statement), SignStatementResponse, seconds
        )

    async def _call(self, method: str, request: object, kind: type[T], seconds: float) -> T:
        try:
            return wire.decode(kind, await self._member.call(method, wire.encode(request), seconds))
        except wire.WireMalformed as error:
            raise Unavailable("MALFORMED") from error


def _read(kind: type[T], request: bytes, most: int) -> T:
    if len(request) > most:
        raise Refused(RefusalReason.TOO_LARGE)
    try:
        return wire.decode(kind, request)
    except wire.WireMalformed as error:
        raise Refused(RefusalReason.MALFORMED) from error
