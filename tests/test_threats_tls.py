"""Who may connect and how (threats 18 and 24): every certificate that proves somebody else, and every downgrade."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from callers import (
    DEADLINE,
    Caller,
    agency_leaf,
    ask_desk,
    intent_request,
    leaf,
    now,
    outcome,
    rows,
    small_lab,
    until,
)  # fmt: skip

from gateway import carriers, wire
from gateway.client import ASK, Identity, RemoteMember, open_channel
from gateway.federation import request_bytes
from gateway.model.answer import Answer
from gateway.model.question import Question
from keys import custody
from keys.envelope import pae
from keys.tls import Leaf, server_name
from nodes.lab import Lab
from yrdx.exchange.v1 import exchange_pb2

pytestmark = pytest.mark.net
ME, OTHER, THIRD = "310000", "320000", "330000"
OFFICER = "310118-market/o1"
CLAIMED = "SELECT count(*) FROM journal WHERE question_id = ?"


def issue(lab: Lab, issuer: str, member: str, **changes: Any) -> Leaf:
    """Let one member's issuing CA make a leaf that names a member."""
    keys = lab.home(issuer) / "keys"
    held = custody.load_issuer(keys / "issuing.pem", custody.read_passphrase(keys / "passphrase"))
    words: dict[str, Any] = {"member": member, "role": "node", "name": "node-1", "now": now()}
    return held.issue_leaf(**words | changes)


def identity(made: Leaf) -> Identity:
    """Give a leaf as a client presents it."""
    return Identity(certificate=made.certificate_pem, key=made.key_pem)


def roots(lab: Lab, member: str) -> bytes:
    """Give a member's CA."""
    return (lab.home(member) / "keys" / "ca.crt").read_bytes()


async def test_a_leaf_of_another_members_ca_is_refused(caller: Caller, lab: Lab) -> None:
    """A valid leaf of one member's CA that names another is refused by the server, even with a genuine question."""
    named = Caller(lab=lab, me=THIRD)
    signed = named.compose(agency="330421-market", item="ZJ-2026-010")
    false, own = identity(issue(lab, ME, THIRD)), identity(issue(lab, THIRD, THIRD))
    heard = [await outcome(named.send(request_bytes(signed), identity=each)) for each in (false, own)]
    await named.close()
    assert heard == ["UNAUTHENTICATED", "ANSWERED"]
    assert rows(lab, OTHER, CLAIMED, signed.question.header.question_id) == [(1,)]


@pytest.mark.parametrize(
    ("issuer", "changes", "expected"),
    [
        (ME, {"name": "node-2"}, "ANSWERED"),
        (ME, {"role": "agency", "name": "310118-market"}, "UNAUTHENTICATED"),
        (THIRD, {}, "UNAUTHENTICATED"),
    ],
    ids=["own", "agency", "another member's CA"],
)
async def test_a_leaf_must_be_of_its_own_members_node(
    issuer: str, changes: dict[str, Any], expected: str, caller: Caller, lab: Lab
) -> None:
    """Only a leaf of a node, under the CA of the member that it names, may ask."""
    used = identity(issue(lab, issuer, ME, **changes))
    assert await outcome(caller.send(request_bytes(caller.compose()), identity=used)) == expected


async def test_the_roots_follow_the_directory(tmp_path: Path) -> None:
    """A member whose CA leaves the directory is refused by the next handshake; back in it, it is let in: no restart."""
    own = small_lab(tmp_path)
    own.start(OTHER)

    async def heard(expected: str) -> bool:
        fresh = Caller(lab=own)
        try:
            return await outcome(fresh.ask(fresh.compose())) == expected
        finally:
            await fresh.close()

    for edits, expected in (([], "ANSWERED"), ([without_ca], "UNAVAILABLE"), ([], "ANSWERED")):
        own.edits[:] = edits
        own.publish()
        # The version is on disk a moment before it is in force: a call in between is refused above TLS.
        await until(partial(heard, expected), f"a call that ends {expected}")
    own.stop()


def without_ca(document: dict[str, Any]) -> None:
    """Take the asker's certificates out of the directory."""
    row = next(each for each in document["members"] if each["id"] == ME)
    row["ca_certificates"] = row["issuing_certificates"] = []


@asynccontextmanager
async def impostor(lab: Lab, made: Leaf) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Serve as a member with a leaf; where, and what it was sent."""
    heard: list[bytes] = []

    async def ask(request: bytes, _: object) -> bytes:
        heard.append(request)
        return b""

    server = grpc.aio.server()
    method: dict[str, Any] = {"Ask": grpc.unary_unary_rpc_method_handler(ask)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(ASK.split("/")[1], method),))
    credentials = grpc.ssl_server_credentials(
        [(made.key_pem, made.certificate_pem)], root_certificates=roots(lab, ME), require_client_auth=True
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield f"127.0.0.1:{port}", heard
    finally:
        await server.stop(None)


@pytest.mark.parametrize(
    ("issuer", "named", "reached"),
    [(OTHER, OTHER, 1), (ME, OTHER, 0), (THIRD, OTHER, 0), (OTHER, THIRD, 0)],
    ids=["own", "asker's CA", "third member's CA", "another's name"],
)
async def test_a_server_must_prove_the_member_that_is_asked(
    issuer: str, named: str, reached: int, caller: Caller, lab: Lab
) -> None:
    """A client sends its question to nobody whose leaf is of another member's CA, or names another member."""
    request = request_bytes(caller.compose())
    async with (
        impostor(lab, issue(lab, issuer, named)) as (endpoint, heard),
        open_channel(OTHER, endpoint, roots(lab, OTHER), caller.identity) as channel,
    ):
        ended = await outcome(RemoteMember(channel).ask(request, DEADLINE))
    assert (ended, heard) == ("ANSWERED" if reached else "UNAVAILABLE", [request] * reached)


async def test_a_client_without_a_certificate_is_refused(lab: Lab, caller: Caller) -> None:
    """Neither door says anything to a client that presents no certificate."""
    heard = []
    for port in ("exchange_port", "desk_port"):
        credentials = grpc.ssl_channel_credentials(root_certificates=roots(lab, OTHER))
        options = [("grpc.ssl_target_name_override", server_name(OTHER)), ("grpc.use_local_subchannel_pool", 1)]
        endpoint = f"127.0.0.1:{lab.status(OTHER)[port]}"
        async with grpc.aio.secure_channel(endpoint, credentials, options=options) as channel:
            heard.append(await outcome(RemoteMember(channel).ask(request_bytes(caller.compose()), DEADLINE)))
    assert heard == ["UNAVAILABLE", "UNAVAILABLE"]


def shake(lab: Lab, port: str, folder: Path, highest: ssl.TLSVersion) -> str:
    """Shake hands with a leaf that both doors let through; the version and how many bytes came, or refused."""
    held, file = leaf(lab, OTHER), folder / "client.pem"
    file.write_bytes(held.certificate + held.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=roots(lab, OTHER).decode())
    context.load_cert_chain(file)
    context.maximum_version = highest
    context.set_alpn_protocols(["h2"])
    try:
        with (
            socket.create_connection(("127.0.0.1", lab.status(OTHER)[port]), DEADLINE) as plain,
            context.wrap_socket(plain, server_hostname=server_name(OTHER)) as opened,
        ):
            return f"{opened.version()} {len(opened.recv(9))}"
    except OSError:
        return "refused"


@pytest.mark.parametrize("port", ["exchange_port", "desk_port"])
@pytest.mark.parametrize(
    ("highest", "expected"),
    [(ssl.TLSVersion.TLSv1_2, "refused"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3 9")],
    ids=["1.2", "1.3"],
)
async def test_tls_1_3_is_the_floor(
    port: str, highest: ssl.TLSVersion, expected: str, lab: Lab, tmp_path: Path
) -> None:
    """A client that speaks no more than TLS 1.2 is refused at both doors; otherwise TLS 1.3 is agreed on."""
    assert await asyncio.to_thread(shake, lab, port, tmp_path, highest) == expected


async def test_each_door_takes_its_own_role(lab: Lab, caller: Caller) -> None:
    """An agency's leaf may not call between nodes, and a node's leaf may not call the desk."""
    request = intent_request(lab, OFFICER)
    agency, question = agency_leaf(lab, OFFICER), request_bytes(caller.compose())
    exchange = [await outcome(caller.send(question, identity=each)) for each in (agency, caller.identity)]
    desk = [(await ask_desk(lab, request, each, to=ME))[0] for each in (caller.identity, agency)]
    assert (exchange, desk) == (["UNAUTHENTICATED", "ANSWERED"], ["UNAUTHENTICATED", "ANSWERED"])


@pytest.mark.parametrize(
    ("issuer", "member"), [(ME, ME), (ME, OTHER), (OTHER, ME)], ids=["another's", "naming ours", "naming its own"]
)
async def test_a_desk_serves_its_own_members_agencies(issuer: str, member: str, lab: Lab) -> None:
    """An agency of another member, or one whose leaf does not fit the CA, does not get through to this desk."""
    used = identity(issue(lab, issuer, member, role="agency", name="310118-market"))
    status, response = await ask_desk(lab, intent_request(lab, OFFICER), used, to=OTHER)
    assert (status, response) == ("UNAUTHENTICATED" if issuer == OTHER else "UNAVAILABLE", b"")


async def test_another_agencys_intent_is_refused(lab: Lab) -> None:
    """An agency may not send an intent that an officer of another agency signed."""
    request = intent_request(lab, OFFICER)
    assert await ask_desk(lab, request, agency_leaf(lab, "310107-market/o1"), to=ME) == ("PERMISSION_DENIED", b"")


@pytest.mark.parametrize("suite", ["", "YRDX-INT-0", "YRDX-INT-2", "yrdx-int-1"])
async def test_another_suite_is_refused(suite: str, caller: Caller) -> None:
    """A question that names another suite than the directory allows is refused, though its signature is good."""
    signed = caller.compose(alter=lambda header: header.update(suite=suite))
    assert await outcome(caller.ask(signed)) == "KEY_NOT_VALID"


async def test_a_renamed_payload_type_is_refused(caller: Caller) -> None:
    """An envelope whose type was renamed after signing is refused by its type, whatever the signature says."""
    envelope = caller.compose().envelope
    names = (wire.PAYLOAD_TYPES[Answer], wire.PAYLOAD_TYPES[Question].replace(".v1", ".v2"), "text/plain")
    heard = [await outcome(caller.send(wrapped(replace(envelope, payload_type=each)))) for each in names]
    assert heard == ["WRONG_TYPE"] * 3


async def test_a_swapped_payload_type_does_not_verify(caller: Caller) -> None:
    """A signature over the same bytes under another type is no signature of a question."""
    signed = caller.compose()
    held = signed.envelope
    other = caller.signer.sign(pae(wire.PAYLOAD_TYPES[Answer], held.payload))
    swapped = replace(held, signatures=(replace(held.signatures[0], signature=other),))
    assert await outcome(caller.send(wrapped(swapped))) == "BAD_SIGNATURE"


async def test_a_stripped_signature_is_refused(caller: Caller) -> None:
    """An envelope without signatures, with an empty one, or with one twice is malformed."""
    held = caller.compose().envelope
    twice = replace(held, signatures=held.signatures * 2)
    empty = exchange_pb2.AskRequest(question=carriers.envelope_to_message(held))
    empty.question.signatures[0].signature = b""
    requests = (wrapped(replace(held, signatures=())), wrapped(twice), empty.SerializeToString())
    assert [await outcome(caller.send(each)) for each in requests] == ["MALFORMED"] * 3


def wrapped(envelope: Any) -> bytes:
    """Give the bytes of an AskRequest."""
    return bytes(exchange_pb2.AskRequest(question=carriers.envelope_to_message(envelope)).SerializeToString())
