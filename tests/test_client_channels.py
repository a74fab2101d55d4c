"""Channels to other members: one a member, and another when leaf or bundle change, without a call lost."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from gateway.client import Identity, Members, RemoteMember
from gateway.errors import Unavailable
from keys import tls
from keys.tls import Leaf

pytestmark = pytest.mark.net
OTHER = "320000"
SECONDS = 20.0


class Server:
    """A member that answers each question with its bytes, once it is let."""

    def __init__(self, leaf: Leaf, roots: bytes) -> None:
        self.let = asyncio.Event()
        self.heard = 0
        self._credentials = grpc.ssl_server_credentials(
            [(leaf.key_pem, leaf.certificate_pem)], root_certificates=roots, require_client_auth=True
        )
        self._server = grpc.aio.server()

    async def ask(self, request: bytes, _: object) -> bytes:
        """Answer."""
        self.heard += 1
        await self.let.wait()
        return request

    async def start(self) -> str:
        """Listen; say where."""
        method: dict[str, Any] = {"Ask": grpc.unary_unary_rpc_method_handler(self.ask)}
        handler = grpc.method_handlers_generic_handler("yrdx.exchange.v1.ExchangeService", method)
        self._server.add_generic_rpc_handlers((handler,))
        port = self._server.add_secure_port("127.0.0.1:0", self._credentials)
        await self._server.start()
        return f"127.0.0.1:{port}"

    async def stop(self) -> None:
        """Stop at once."""
        await self._server.stop(None)


async def test_a_call_in_flight_outlives_a_renewed_leaf() -> None:
    """The call that began under the old leaf ends on its channel; the next goes over a new one; the old one closes."""
    now = datetime.now(UTC)
    authority = tls.make_ca(OTHER, now=now)
    issuing = authority.issue_intermediate(OTHER, now)

    def leaf() -> Leaf:
        return issuing.issue_leaf(member=OTHER, role="node", name="node-1", now=now)

    server = Server(leaf(), authority.certificate_pem)
    endpoint: str | None = await server.start()
    used = [leaf()]
    row = SimpleNamespace(id=OTHER, endpoint=endpoint, ca_certificates=(authority.certificate_pem,))
    charter: Any = SimpleNamespace(directory=SimpleNamespace(members=(row,), suspended=lambda *_: False))
    members = Members(
        lambda: charter,
        lambda: Identity(certificate=used[-1].certificate_pem, key=used[-1].key_pem),
        lambda: now,
    )
    member = members.member(OTHER)
    assert member is not None
    old = members.current(OTHER)
    first = asyncio.create_task(member.ask(b"first", SECONDS))
    async with asyncio.timeout(SECONDS):
        while not server.heard:
            await asyncio.sleep(0.01)
    used.append(leaf())
    second = asyncio.create_task(member.ask(b"second", SECONDS))
    async with asyncio.timeout(SECONDS):
        while server.heard < 2:
            await asyncio.sleep(0.01)
    assert members.current(OTHER) is not old
    assert not first.done()
    server.let.set()
    assert [(await each).payload for each in (first, second)] == [b"first", b"second"]
    await members.close()
    assert await closed(old)
    row.endpoint = None
    assert members.member(OTHER) is None
    with pytest.raises(Unavailable, match="NO_ENDPOINT"):
        await member.ask(b"third", SECONDS)
    await server.stop()


async def closed(remote: RemoteMember) -> bool:
    """Say whether a channel takes no call any more."""
    try:
        await remote.ask(b"", SECONDS)
    except grpc.aio.UsageError:
        return True
    return False
