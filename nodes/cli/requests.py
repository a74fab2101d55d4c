"""What an officer sends to the desk: signed by the officer's own key, or by a session's with its assertion enclosed."""

from __future__ import annotations

from typing import Any, TypeVar

from google.protobuf.message import Message

from gateway import carriers, wire
from keys.envelope import Envelope, sign
from nodes.cli import desk_client
from nodes.cli.profile import Access
from nodes.cli.session import NOT_GENUINE, Ended
from yrdx.exchange.v1 import envelope_pb2

M = TypeVar("M", bound=Message)
T = TypeVar("T")


def signed(value: Any, access: Access) -> Envelope:  # noqa: ANN401  an intent, a case's opening or its reading
    """Sign with the officer's key, and with the second officer's where that one is named."""
    second = (access.approving_officer,) if access.approving_officer else ()
    return sign(wire.PAYLOAD_TYPES[type(value)], wire.encode(value), access.officer, *second)


def message(value: Any, access: Access) -> envelope_pb2.Envelope:  # noqa: ANN401  as `signed`
    """Sign, for a request."""
    return carriers.envelope_to_message(signed(value, access))


def enclosed(access: Access) -> envelope_pb2.Envelope | None:
    """Give the assertion that a request encloses; nothing where the officer's own key signs."""
    return None if access.assertion is None else carriers.envelope_to_message(access.assertion)


def send(access: Access, method: str, request: Message, response: M) -> M:
    """Send a request to the desk and read the response strictly.

    Raises:
        Ended: as `desk_client.call`, and when what came is no such response.
    """
    payload = desk_client.call(access, method, request.SerializeToString())
    try:
        wire.parse_into(response, payload)
    except wire.WireMalformed as error:
        raise Ended("accounts.unreadable", NOT_GENUINE) from error
    return response


def value_of(kind: type[T], part: Message) -> T:
    """Read a value of the model out of a response.

    Raises:
        Ended: when it is none.
    """
    try:
        return wire.from_message(kind, part)
    except wire.WireMalformed as error:
        raise Ended("accounts.unreadable", NOT_GENUINE) from error
