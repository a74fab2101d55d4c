"""Renewed leaves at real doors (threats 18 and 24): presented without a restart, under the same floor and pins."""

from __future__ import annotations

import asyncio
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from callers import DEADLINE, Caller, leaf, outcome, small_lab, until
from populations import populate

from gateway.client import Identity
from gateway.federation import request_bytes
from keys import custody
from keys.tls import server_name
from nodes.keeper import open_keeper
from nodes.lab import Lab
from nodes.setup import ENTRY

pytestmark = pytest.mark.net
ME, OTHER = "310000", "320000"


def presented(lab: Lab, highest: ssl.TLSVersion, folder: Path) -> bytes:
    """Give the certificate that a fresh handshake is shown, in DER, or nothing when it is refused."""
    held, file = leaf(lab, ME), folder / "client.pem"
    file.write_bytes(held.certificate + held.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=(lab.home(OTHER) / "keys/ca.crt").read_text(encoding="ascii"))
    context.load_cert_chain(file)
    context.maximum_version = highest
    context.set_alpn_protocols(["h2"])
    try:
        with (
            socket.create_connection(("127.0.0.1", lab.status(OTHER)["exchange_port"]), DEADLINE) as plain,
            context.wrap_socket(plain, server_hostname=server_name(OTHER)) as opened,
        ):
            return (opened.getpeercert(binary_form=True) or b"") if opened.recv(9) else b""
    except OSError:
        return b""


async def test_a_renewed_leaf_is_presented_without_a_restart(tmp_path: Path) -> None:
    """Each worker's next handshake shows it, TLS 1.2 stays refused, and a leaf that names another member too."""
    lab = small_lab(tmp_path, workers=2)
    populate(lab, OTHER)
    lab.start(OTHER)
    caller = Caller(lab=lab, me=ME, to=OTHER)
    try:
        await until(lambda: answered(caller), "an answer")
        before = await asyncio.to_thread(presented, lab, ssl.TLSVersion.TLSv1_3, tmp_path)
        keeper = open_keeper(lab.config(OTHER), lab.home(OTHER) / ENTRY, datetime.now(UTC))
        keeper.rotate_leaf()
        wanted = ssl.PEM_cert_to_DER_cert(custody_leaf(lab, OTHER))

        async def renewed() -> bool:
            shown = [await asyncio.to_thread(presented, lab, ssl.TLSVersion.TLSv1_3, tmp_path) for _ in range(6)]
            return set(shown) == {wanted}

        await until(renewed, "the renewed leaf at every worker")
        assert before not in {b"", wanted}
        assert await asyncio.to_thread(presented, lab, ssl.TLSVersion.TLSv1_2, tmp_path) == b""
        assert await answered(caller)
        own = custody.load_issuer(lab.home(OTHER) / "keys/issuing.pem", passphrase(lab, OTHER))
        false = own.issue_leaf(member=ME, role="node", name="node-1", now=datetime.now(UTC))
        used = Identity(certificate=false.certificate_pem, key=false.key_pem)
        assert await outcome(caller.send(request_bytes(caller.compose()), identity=used)) == "UNAUTHENTICATED"
    finally:
        await caller.close()
        await asyncio.to_thread(lab.stop)


async def answered(caller: Caller) -> bool:
    """Say whether a fresh question is answered."""
    return await outcome(caller.ask(caller.compose())) == "ANSWERED"


def passphrase(lab: Lab, member: str) -> bytes:
    """Read what opens a member's key files."""
    return custody.read_passphrase(lab.home(member) / "keys/passphrase")


def custody_leaf(lab: Lab, member: str) -> str:
    """Give the leaf on disk alone, without its chain."""
    text = custody.load_leaf(lab.home(member) / "keys/node.pem", passphrase(lab, member)).certificate_pem.decode()
    head, mark, _ = text.partition("-----END CERTIFICATE-----\n")
    return head + mark
