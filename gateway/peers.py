"""Who is on the other side of a connection: the certificate's chain names the member (threat 24)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Any

import grpc

from gateway.charter import Charter
from keys.directory import Directory
from keys.errors import KeysError
from keys.tls import PeerName, name_peer

Context = grpc.aio.ServicerContext[Any, Any]
KEPT = 256
RECHECK_SECONDS = 60


class Peers:
    """Names the peer of a call; a verified certificate is looked at again each minute and in each new directory."""

    def __init__(self, charter: Callable[[], Charter], clock: Callable[[], datetime]) -> None:
        """Start with no peer known."""
        self._charter = charter
        self._clock = clock
        self._known: OrderedDict[tuple[bytes, int], PeerName] = OrderedDict()
        self._under: Directory | None = None

    async def name(self, context: Context, role: str) -> PeerName:
        """Give the peer's name, or end the call with UNAUTHENTICATED: not certified, or of another role."""
        peer = self.known(certificate(context))
        if peer is None or peer.role != role:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "CERTIFICATE_REFUSED")
        return peer

    def known(self, pem: bytes) -> PeerName | None:
        """Give the name that a certificate proves in the directory in force, or None when it proves none."""
        directory, now = self._charter().directory, self._clock()
        if self._under is not directory:  # a member's own stop changes what holds, and no version
            self._known.clear()
            self._under = directory
        key = (pem, int(now.timestamp()) // RECHECK_SECONDS)
        found = self._known.get(key)
        if found is None:
            try:
                found = name_peer(pem, directory, now)
            except KeysError:
                return None
            self._known[key] = found
            if len(self._known) > KEPT:
                self._known.popitem(last=False)
        return found


def certificate(context: Context) -> bytes:
    """Give the certificate of a call's peer, in PEM; nothing where there is none."""
    return bytes(next(iter(context.auth_context().get("x509_pem_cert", ())), b""))
