"""The gRPC doors of a home member: ConsentService for its own agencies, StatusService between members."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import grpc

from gateway import carriers, wire
from gateway.authorising import Authorising
from gateway.client import Followed, RemoteMember
from gateway.counter import Call, Counter
from gateway.errors import Refused, Unavailable
from gateway.exchange.vouching import REQUEST_BYTES
from gateway.model.codes import RefusalReason
from gateway.model.consent import HeldConsent, SubjectKey
from gateway.peers import Context, Peers
from gateway.statuses import guarded, reason_of, status_of
from keys.envelope import Envelope
from yrdx.exchange.v1 import authorisation_pb2

_SERVICES = authorisation_pb2.DESCRIPTOR.services_by_name
SERVICE = _SERVICES["ConsentService"].full_name
STATUS_SERVICE = _SERVICES["StatusService"].full_name
GET_STATUSES = f"/{STATUS_SERVICE}/GetStatuses"
_OVERHEAD = 4 << 10
"""What signatures and tags add to a payload."""


class ConsentDoor:
    """ConsentService; a caller is an agency of this member, by its certificate."""

    def __init__(self, authorising: Authorising, counter: Counter) -> None:
        """Serve one member's agencies."""
        self._authorising = authorising
        self._counter = counter

    def handler(self) -> grpc.GenericRpcHandler:
        """Give the generic handler; bytes in, so that a torn message is refused with a reason."""
        calls = {
            "EnrolKey": self._enrol,
            "RevokeKey": self._revoke,
            "GiveAuthorisation": self._give,
            "WithdrawAuthorisation": self._withdraw,
            "ListAuthorisations": self._list,
        }
        return self._counter.handler(SERVICE, {name: _opening(name, call) for name, call in calls.items()})

    async def _enrol(self, envelope: Envelope, agency: str) -> bytes:
        key, existing = await self._authorising.enrol(envelope, agency)
        response = authorisation_pb2.EnrolKeyResponse(key=_key(key), existing=[_key(each) for each in existing])
        return bytes(response.SerializeToString())

    async def _revoke(self, envelope: Envelope, agency: str) -> bytes:
        key = await self._authorising.revoke(envelope, agency)
        return bytes(authorisation_pb2.RevokeKeyResponse(key=_key(key)).SerializeToString())

    async def _give(self, envelope: Envelope, agency: str) -> bytes:
        held = await self._authorising.give(envelope, agency)
        return bytes(authorisation_pb2.GiveAuthorisationResponse(held=_held(held)).SerializeToString())

    async def _withdraw(self, envelope: Envelope, agency: str) -> bytes:
        held = await self._authorising.withdraw(envelope, agency)
        return bytes(authorisation_pb2.WithdrawAuthorisationResponse(held=_held(held)).SerializeToString())

    async def _list(self, envelope: Envelope, agency: str) -> bytes:
        keys, page, token = self._authorising.kept(envelope, agency)
        response = authorisation_pb2.ListAuthorisationsResponse(
            keys=[_key(each) for each in keys], authorisations=[_held(each) for each in page], next_page_token=token
        )
        return bytes(response.SerializeToString())


class StatusDoor:
    """StatusService; a caller is a member's node, by its certificate."""

    def __init__(self, authorising: Authorising, peers: Peers, pace: Callable[[str], None]) -> None:
        """Serve the other members; `pace` raises Refused when a peer comes too often."""
        self._authorising = authorising
        self._peers = peers
        self._pace = pace

    def handler(self) -> grpc.GenericRpcHandler:
        """Give the generic handler."""
        handlers: dict[str, Any] = {"GetStatuses": grpc.unary_unary_rpc_method_handler(self._get)}
        return grpc.method_handlers_generic_handler(STATUS_SERVICE, handlers)

    async def _get(self, request: bytes, context: Context) -> bytes:
        peer = await self._peers.name(context, "node")
        try:
            self._pace(peer.member)
            envelope = _envelope(authorisation_pb2.GetStatusesRequest(), request)
            found = await guarded(self._authorising.statuses(envelope, peer.member), context)
        except Refused as refused:
            await context.abort_with_status(status_of(refused.reason))
            raise
        return carriers.write_statuses(found)


class RemoteHome:
    """Another member as the home of subjects, over its channel; satisfies `authorising.Home`."""

    def __init__(self, member: Followed | RemoteMember) -> None:
        """Speak to a member."""
        self._member = member

    async def statuses(self, request: Envelope, seconds: float) -> tuple[Envelope, ...]:
        """Send a signed StatusRequest; what comes back is verified where it is used.

        Raises:
            Unavailable: naming the transport's status, or when what came back is no response.
            Refused: with the member's reason.
        """
        try:
            content = carriers.write_status_request(request)
            return carriers.read_statuses(await self._member.call(GET_STATUSES, content, seconds))
        except wire.WireMalformed as error:
            raise Unavailable("MALFORMED") from error
        except grpc.aio.AioRpcError as error:
            reason = reason_of(error)
            if reason is None:
                raise Unavailable(error.code().name) from error
            raise Refused(reason) from error


def _opening(name: str, call: Callable[[Envelope, str], Awaitable[bytes]]) -> Call:
    kind = getattr(authorisation_pb2, f"{name}Request")

    async def serve(request: bytes, agency: str) -> bytes:
        return await call(_envelope(kind(), request), agency)

    return serve


def _envelope(message: Any, request: bytes) -> Envelope:  # noqa: ANN401  each has one field, an Envelope
    """Take the one envelope out of a request whose signatures nobody has checked.

    Raises:
        Refused: TOO_LARGE or MALFORMED.
    """
    if len(request) > REQUEST_BYTES + _OVERHEAD:
        raise Refused(RefusalReason.TOO_LARGE)
    try:
        wire.parse_into(message, request)
        return carriers.envelope_from_message(getattr(message, message.DESCRIPTOR.fields[0].name))
    except wire.WireMalformed as error:
        raise Refused(RefusalReason.MALFORMED) from error


def _key(key: SubjectKey) -> authorisation_pb2.SubjectKey:
    return cast("authorisation_pb2.SubjectKey", wire.to_message(key))


def _held(held: HeldConsent) -> authorisation_pb2.HeldConsent:
    return cast("authorisation_pb2.HeldConsent", wire.to_message(held))
