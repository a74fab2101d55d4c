"""The gRPC door for a member's own agencies: DeskService over an `Asking`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar, cast

import grpc
from google.protobuf.message import Message

from gateway import carriers, wire
from gateway.asking import Asking
from gateway.cases import Cases
from gateway.charter import Charter
from gateway.errors import Refused
from gateway.model.codes import RefusalReason
from gateway.model.question import Question
from gateway.peers import Context, Peers
from gateway.statuses import guarded, status_of
from keys.envelope import Envelope
from keys.tls import PeerName
from yrdx.exchange.v1 import desk_pb2

SERVICE = desk_pb2.DESCRIPTOR.services_by_name["DeskService"].full_name
REQUEST_BYTES = 1 << 20
M = TypeVar("M", bound=Message)
Call = Callable[[bytes, str], Awaitable[bytes]]
"""Serves a method: (request, agency) -> response; raises Refused."""


class DeskDoor:
    """DeskService; a caller is an agency of this member, by its certificate."""

    def __init__(
        self,
        asking: Asking,
        cases: Cases,
        peers: Peers,
        charter: Callable[[], Charter],
        bundle: Callable[[int], bytes],
        note: Callable[[str, str], None],
        further: Mapping[str, Call] = MappingProxyType({}),
    ) -> None:
        """Serve one member's agencies; `further` gives methods that other doors bring.

        `bundle` gives the archive of a version of the bundle (empty when it is not kept any more);
        `note` is told of each refusal (operation, reason).
        """
        self._bundle = bundle
        self._asking = asking
        self._cases = cases
        self._peers = peers
        self._charter = charter
        self._note = note
        self._further = further

    def calls(self) -> Mapping[str, Call]:
        """Give the methods by name: a caller that is known, bytes in, bytes out; refusals are raised."""
        return {
            "AskMembers": self._ask_members,
            "OpenCase": self._open_case,
            "GetCase": self._get_case,
            "GetAllowance": self._get_allowance,
            **self._further,
        }

    def handler(self) -> Any:  # noqa: ANN401  the stubs give it no useful type
        """Give the generic handler; bytes in, so that a torn message is refused with a reason."""
        handlers: dict[str, Any] = {
            name: grpc.unary_unary_rpc_method_handler(self._call(name, call)) for name, call in self.calls().items()
        }
        return grpc.method_handlers_generic_handler(SERVICE, handlers)

    def _call(self, name: str, call: Call) -> Callable[[bytes, Context], Awaitable[bytes]]:
        async def handle(request: bytes, context: Context) -> bytes:
            peer = await self._peers.name(context, "agency")
            try:
                self._check_own(peer)
                return await guarded(call(request, peer.name), context)
            except Refused as refused:
                self._note(name, refused.reason.value)
                await context.abort_with_status(status_of(refused.reason))
                raise

        return handle

    def _check_own(self, peer: PeerName) -> None:
        if peer.member != self._charter().me:
            raise Refused(RefusalReason.AGENCY_NOT_ALLOWED)

    async def _ask_members(self, request: bytes, agency: str) -> bytes:
        message = parsed(desk_pb2.AskMembersRequest(), request)
        result = await self._asking.ask(signed(message.intent), agency, assertion(message))
        if message.without_bundle:
            return result
        response = desk_pb2.AskMembersResponse.FromString(result)
        enclose(response, self._bundle)
        return bytes(response.SerializeToString())

    async def _open_case(self, request: bytes, agency: str) -> bytes:
        message = parsed(desk_pb2.OpenCaseRequest(), request)
        case = await self._cases.open_case(signed(message.opening), agency, assertion(message))
        return bytes(desk_pb2.OpenCaseResponse(case=_case(case)).SerializeToString())

    async def _get_case(self, request: bytes, agency: str) -> bytes:
        message = parsed(desk_pb2.GetCaseRequest(), request)
        case, page, more = self._cases.case(signed(message.reading), agency, assertion(message))
        response = desk_pb2.GetCaseResponse(case=_case(case))
        for _, result in page:
            held = response.results.add()
            held.MergeFromString(result)
            if not message.without_bundle:
                enclose(held, self._bundle)
        response.next_page_token = str(page[-1][0]) if more else ""
        return bytes(response.SerializeToString())

    async def _get_allowance(self, request: bytes, agency: str) -> bytes:
        message = parsed(desk_pb2.GetAllowanceRequest(), request)
        found = self._cases.allowance(signed(message.reading), agency, assertion(message))
        allowance = cast("desk_pb2.Allowance", wire.to_message(found))
        return bytes(desk_pb2.GetAllowanceResponse(allowance=allowance).SerializeToString())


def _case(case: object) -> desk_pb2.Case:
    return cast("desk_pb2.Case", wire.to_message(case))


def parsed(message: M, request: bytes) -> M:
    """Parse a request strictly.

    Raises:
        Refused: TOO_LARGE or MALFORMED.
    """
    if len(request) > REQUEST_BYTES:
        raise Refused(RefusalReason.TOO_LARGE)
    try:
        wire.parse_into(message, request)
    except wire.WireMalformed as error:
        raise Refused(RefusalReason.MALFORMED) from error
    return message


def enclose(response: desk_pb2.AskMembersResponse, bundle: Callable[[int], bytes]) -> None:
    """Add the bundle under which it was asked, so that the result verifies offline."""
    for exchange in response.exchanges[:1]:
        question = wire.decode(Question, exchange.question.payload)
        response.bundle = bundle(question.header.bundle_version)


def assertion(message: Any) -> Envelope | None:  # noqa: ANN401  any request that has one
    """Give the officer's assertion that a request encloses, None where the officer's own key signs.

    Raises:
        Refused: MALFORMED.
    """
    return signed(message.assertion) if message.HasField("assertion") else None


def signed(message: object) -> Envelope:
    """Give an envelope whose signatures nobody has checked.

    Raises:
        Refused: MALFORMED.
    """
    try:
        return carriers.envelope_from_message(message)  # type: ignore[arg-type]  # an Envelope by the schema
    except wire.WireMalformed as error:
        raise Refused(RefusalReason.MALFORMED) from error
