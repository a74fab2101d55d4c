"""The ports of a node: gRPC servers over mutual TLS, their health, and a graceful end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from gateway import server
from keys.tls import Leaf

GRACE_SECONDS = 5.0
Handlers = Mapping[str, grpc.GenericRpcHandler]
"""Doors by the full name of their service."""


class Listening:
    """The ports that a node has open; `leaf` may give another one later, without a restart."""

    def __init__(self, leaf: Callable[[], Leaf], *, reuse_port: bool = False) -> None:
        """Start with nothing open."""
        self._leaf = leaf
        self._reuse_port = reuse_port
        self._health = health.aio.HealthServicer()
        self._servers: list[grpc.aio.Server] = []
        self._services = [""]

    async def open(
        self, listen: str, handlers: Handlers, roots: Callable[[], bytes], size: int = server.MESSAGE_BYTES
    ) -> int:
        """Serve doors on a port; roots are looked up at each handshake: a new member needs no restart.

        Raises:
            OSError: when the port is taken or the address is not this machine's.
        """

        def configuration() -> grpc.ServerCertificateConfiguration:
            leaf = self._leaf()
            return grpc.ssl_server_certificate_configuration(
                [(leaf.key_pem, leaf.certificate_pem)], root_certificates=roots()
            )

        told = (self._leaf(), roots())

        def changed() -> grpc.ServerCertificateConfiguration | None:
            # gRPC frees what it holds when it is given another: while handshakes are under way that can end the
            # process, so that it is given one only when leaf or roots have changed.
            nonlocal told
            before, told = told, (self._leaf(), roots())
            return None if told == before else configuration()

        credentials = grpc.dynamic_ssl_server_credentials(
            configuration(),
            changed,  # type: ignore[arg-type]  # the stubs do not know that None leaves it as it is
            require_client_authentication=True,
        )
        options = (*server.options(size), ("grpc.so_reuseport", int(self._reuse_port)))
        opened = grpc.aio.server(options=options)
        opened.add_generic_rpc_handlers(tuple(handlers.values()))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, opened)
        reflection.enable_server_reflection((*handlers, health.SERVICE_NAME, reflection.SERVICE_NAME), opened)
        try:
            port = opened.add_secure_port(listen, credentials)
        except RuntimeError as error:
            raise OSError(
                f"cannot listen on {listen}: the port is taken, or the address is not this machine's"
            ) from error
        await opened.start()
        self._servers.append(opened)
        self._services += handlers
        return port

    async def tell(self, *, serving: bool) -> None:
        """Say of every service whether it is serving."""
        for service in self._services:
            await self.note(service, serving=serving)

    async def note(self, service: str, *, serving: bool) -> None:
        """Say of one service, or of something else that is watched by name, whether it is well."""
        states = health_pb2.HealthCheckResponse
        await self._health.set(service, states.SERVING if serving else states.NOT_SERVING)

    async def stop(self) -> None:
        """Say NOT_SERVING, and let calls in flight end."""
        await self._health.enter_graceful_shutdown()
        await asyncio.gather(*(each.stop(GRACE_SECONDS) for each in self._servers))
