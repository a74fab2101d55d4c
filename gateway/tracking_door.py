"""The gRPC doors of who asked: AccessService for a member's own agencies, TrackerService between members."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, cast

import grpc
from google.protobuf.message import Message

from gateway import carriers, wire
from gateway.calls import Route
from gateway.counter import Call, Counter
from gateway.desk import parsed, signed
from gateway.errors import Refused, Unavailable
from gateway.model.access import AccessReply
from gateway.peers import Context, Peers
from gateway.statuses import guarded, status_of
from gateway.tracker import Tracker
from gateway.tracking import Tracking
from keys.envelope import Envelope
from yrdx.exchange.v1 import access_pb2

_SERVICES = access_pb2.DESCRIPTOR.services_by_name
SERVICE = _SERVICES["AccessService"].full_name
TRACKER_SERVICE = _SERVICES["TrackerService"].full_name
GET_ACCESS, GET_PREVIEW = f"/{TRACKER_SERVICE}/GetAccess", f"/{TRACKER_SERVICE}/GetPreview"
TAKE_DELAY = f"/{TRACKER_SERVICE}/TakeDelay"

Serve = Callable[[bytes, str], Awaitable[bytes]]
"""Serves a method between members: (request, member that asks) -> response; raises Refused."""


class AccessDoor:
    """AccessService; a caller is an agency of this member, by its certificate."""

    def __init__(self, tracker: Tracker, counter: Counter, bundle: Callable[[], bytes]) -> None:
        """Serve one member's agencies; `bundle` gives the archive of the bundle in force."""
        self._tracker, self._counter, self._bundle = tracker, counter, bundle

    def handler(self) -> grpc.GenericRpcHandler:
        """Give the generic handler; bytes in, so that a torn message is refused with a reason."""
        calls: Mapping[str, Call] = {
            "ReadAccess": self._read,
            "ReadPreview": self._preview,
            "OrderDelay": self._delay,
        }
        return self._counter.handler(SERVICE, calls)

    async def _read(self, request: bytes, agency: str) -> bytes:
        envelope = signed(parsed(access_pb2.ReadAccessRequest(), request).reading)
        summary, replies = await self._tracker.read(envelope, agency)
        response = access_pb2.ReadAccessResponse(
            summary=carriers.envelope_to_message(summary), reports=_reports(replies), bundle=self._bundle()
        )
        return bytes(response.SerializeToString())

    async def _preview(self, request: bytes, agency: str) -> bytes:
        envelope = signed(parsed(access_pb2.ReadPreviewRequest(), request).reading)
        summary, replies = await self._tracker.preview(envelope, agency)
        response = access_pb2.ReadPreviewResponse(
            summary=carriers.envelope_to_message(summary), reports=_reports(replies), bundle=self._bundle()
        )
        return bytes(response.SerializeToString())

    async def _delay(self, request: bytes, agency: str) -> bytes:
        envelope = signed(parsed(access_pb2.OrderDelayRequest(), request).order)
        members = await self._tracker.order_delay(envelope, agency)
        response = access_pb2.OrderDelayResponse()
        response.members.extend(cast("access_pb2.AccessOutcome", wire.to_message(each)) for each in members)
        return bytes(response.SerializeToString())


def _reports(replies: Iterable[AccessReply]) -> list[access_pb2.SealedReport]:
    return [access_pb2.SealedReport(member=each.member, sealed=each.sealed) for each in replies]


def services(tracking: Tracking) -> Mapping[str, Serve]:
    """Give what is served to other members, by the method's full name: directly and by way of hubs."""

    async def access(request: bytes, peer: str) -> bytes:
        envelope = signed(parsed(access_pb2.GetAccessRequest(), request).request)
        reply = carriers.envelope_to_message(await tracking.access(envelope, peer))
        return bytes(access_pb2.GetAccessResponse(reply=reply).SerializeToString())

    async def preview(request: bytes, peer: str) -> bytes:
        envelope = signed(parsed(access_pb2.GetPreviewRequest(), request).request)
        reply = carriers.envelope_to_message(await tracking.preview(envelope, peer))
        return bytes(access_pb2.GetPreviewResponse(reply=reply).SerializeToString())

    async def delay(request: bytes, peer: str) -> bytes:
        await tracking.take_delay(signed(parsed(access_pb2.TakeDelayRequest(), request).order), peer)
        return bytes(access_pb2.TakeDelayResponse().SerializeToString())

    return {GET_ACCESS: access, GET_PREVIEW: preview, TAKE_DELAY: delay}


class TrackerDoor:
    """TrackerService; a caller is a member's node, by its certificate."""

    def __init__(self, serves: Mapping[str, Serve], peers: Peers, pace: Callable[[str], None]) -> None:
        """Serve the other members; `pace` raises Refused when a peer comes too often."""
        self._serves, self._peers, self._pace = serves, peers, pace

    def handler(self) -> grpc.GenericRpcHandler:
        """Give the generic handler."""
        handlers: dict[str, Any] = {
            name.rpartition("/")[2]: grpc.unary_unary_rpc_method_handler(self._serving(serve))
            for name, serve in self._serves.items()
        }
        return grpc.method_handlers_generic_handler(TRACKER_SERVICE, handlers)

    def _serving(self, serve: Serve) -> Callable[[bytes, Context], Awaitable[bytes]]:
        async def handle(request: bytes, context: Context) -> bytes:
            peer = await self._peers.name(context, "node")
            try:
                self._pace(peer.member)
                return await guarded(serve(request, peer.member), context)
            except Refused as refused:
                await context.abort_with_status(status_of(refused.reason))
                raise

        return handle


class RemoteHolder:
    """Another member that holds who asked; satisfies `tracker.Holder`."""

    def __init__(self, route: Route) -> None:
        """Speak over a route."""
        self._route = route

    async def access(self, request: Envelope, seconds: float) -> Envelope:
        """Send a signed AccessRequest; what comes back is verified where it is used.

        Raises:
            Unavailable: naming the transport's status, or when what came back is no response.
            Refused: with the member's reason.
        """
        message = access_pb2.GetAccessRequest(request=carriers.envelope_to_message(request))
        response = access_pb2.GetAccessResponse()
        await self._call(GET_ACCESS, message, response, seconds)
        return _reply(response)

    async def preview(self, request: Envelope, seconds: float) -> Envelope:
        """Send a signed AccessRequest with a PreviewReading; as `access`."""
        message = access_pb2.GetPreviewRequest(request=carriers.envelope_to_message(request))
        response = access_pb2.GetPreviewResponse()
        await self._call(GET_PREVIEW, message, response, seconds)
        return _reply(response)

    async def delay(self, order: Envelope, seconds: float) -> None:
        """Hand a delay on; raises as `access`."""
        message = access_pb2.TakeDelayRequest(order=carriers.envelope_to_message(order))
        await self._call(TAKE_DELAY, message, access_pb2.TakeDelayResponse(), seconds)

    async def _call(self, method: str, request: Message, response: Message, seconds: float) -> None:
        payload = await self._route.call(method, bytes(request.SerializeToString()), seconds)
        try:
            wire.parse_into(response, payload)
        except wire.WireMalformed as error:
            raise Unavailable("MALFORMED") from error


def _reply(response: access_pb2.GetAccessResponse | access_pb2.GetPreviewResponse) -> Envelope:
    try:
        return carriers.envelope_from_message(response.reply)
    except wire.WireMalformed as error:
        raise Unavailable("MALFORMED") from error
