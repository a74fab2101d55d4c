"""The gRPC door for a member's own agencies: DeskService over an `Asking`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, TypeVar, cast

import grpc
from google.protobuf.message import Message

from gateway import carriers, wire
from gateway.asking import Asking
from gateway.cases import Cases
from gateway.counter import Call, Counter
from gateway.errors import Refused
from gateway.model.codes import RefusalReason
from gateway.model.question import Question
from keys.envelope import Envelope
from yrdx.exchange.v1 import desk_pb2

SERVICE = desk_pb2.DESCRIPTOR.services_by_name["DeskService"].full_name
REQUEST_BYTES = 1 << 20
M = TypeVar("M", bound=Message)


class DeskDoor:
    """DeskService; a caller is an agency of this member, by its certificate."""

    def __init__(
        self,
        asking: Asking,
        cases: Cases,
        counter: Counter,
        bundle: Callable[[int, datetime], bytes],
        further: Mapping[str, Call] = MappingProxyType({}),
    ) -> None:
        """Serve one member's agencies; `further` gives methods that other doors bring.

        `bundle` gives the archive of a version of the bundle at a time (empty when it is not kept any more).
        """
        self._bundle = bundle
        self._asking = asking
        self._cases = cases
        self._counter = counter
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

    def handler(self) -> grpc.GenericRpcHandler:
        """Give the generic handler; bytes in, so that a torn message is refused with a reason."""
        return self._counter.handler(SERVICE, self.calls())

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


def enclose(response: desk_pb2.AskMembersResponse, bundle: Callable[[int, datetime], bytes]) -> None:
    """Add the bundle under which it was asked, so that the result verifies offline."""
    for exchange in response.exchanges[:1]:
        question = wire.decode(Question, exchange.question.payload)
        response.bundle = bundle(question.header.bundle_version, question.header.asked_time)


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
