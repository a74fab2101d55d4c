"""The bare echo that everything is measured against: grpc.aio over the same mutual TLS, nothing else.

Usage: python -m bench.echo NODE_FOLDER ROOTS RESPONSE_BYTES; prints its port.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import grpc

from gateway import server
from keys import custody

SERVICE = "bench.EchoService"


async def serve(folder: Path, roots: bytes, size: int) -> None:
    """Answer every call with the same bytes until the process is ended."""
    keys = folder / "keys"
    leaf = custody.load_leaf(keys / "node.pem", custody.read_passphrase(keys / "passphrase"))
    reply = bytes(size)

    async def echo(_request: bytes, _context: Any) -> bytes:  # noqa: ANN401  grpc's own
        return reply

    opened = grpc.aio.server(options=(*server.options(), ("grpc.so_reuseport", 0)))
    handler: Any = grpc.unary_unary_rpc_method_handler(echo)
    opened.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Echo": handler}),))
    pair = [(leaf.key_pem, leaf.certificate_pem)]
    credentials = grpc.ssl_server_credentials(pair, root_certificates=roots, require_client_auth=True)
    port = opened.add_secure_port("127.0.0.1:0", credentials)
    await opened.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await opened.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), Path(sys.argv[2]).read_bytes(), int(sys.argv[3])))
