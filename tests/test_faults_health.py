"""Health and reflection over mutual TLS, with the clients that gRPC brings; health through a stop."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from callers import DEADLINE, Caller, agency_leaf, health, leaf, small_lab
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from gateway import desk, server
from gateway.client import Identity, open_channel
from keys.tls import server_name
from nodes.lab import Lab

pytestmark = pytest.mark.net
ME, OFFICER = "310000", "310118-market/o1"
DOORS = {"exchange_port": server.SERVICE, "desk_port": desk.SERVICE}
BESIDE = {
    "exchange_port": [
        server.RELAY_SERVICE,
        *(f"yrdx.exchange.v1.{each}Service" for each in ("Ledger", "Reconciliation", "Status", "Tracker", "Witness")),
    ],
    "desk_port": [f"yrdx.exchange.v1.{each}Service" for each in ("Access", "Consent", "Evidence")],
}
ALWAYS = ["grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"]


def roots(lab: Lab) -> bytes:
    """Give the member's CA."""
    return (lab.home(ME) / "keys" / "ca.crt").read_bytes()


def reflect(lab: Lab, port: str, identity: Identity, service: str) -> tuple[list[str], list[str]]:
    """List a door's services, and a service's methods, by reflection."""
    credentials = grpc.ssl_channel_credentials(roots(lab), identity.key, identity.certificate)
    options = [("grpc.ssl_target_name_override", server_name(ME)), ("grpc.use_local_subchannel_pool", 1)]
    with grpc.secure_channel(f"127.0.0.1:{lab.status(ME)[port]}", credentials, options=options) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        file = database.FindFileContainingSymbol(service)
        methods = next(each.method for each in file.service if service.endswith(f".{each.name}"))
        return sorted(database.get_services()), [each.name for each in methods]


@pytest.mark.parametrize("port", DOORS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_each_door_tells_its_services(port: str, lab: Lab) -> None:
    """Reflection lists the door's own service, health and itself, and the methods that the schema names."""
    service = DOORS[port]
    found = await asyncio.to_thread(reflect, lab, port, agency_leaf(lab, OFFICER), service)
    module: Any = {server.SERVICE: "ExchangeService", desk.SERVICE: "DeskService"}[service]
    methods = {
        "ExchangeService": ["Ask", "AskMany"],
        "DeskService": [
            *("AskMembers", "OpenCase", "GetCase", "GetAllowance", "OpenSession", "CloseSession", "ListSessions"),
            *("Submit", "ListSubmissions", "GetSubmission", "ApproveSubmission", "RefuseSubmission"),
        ],
    }[module]
    assert found == (sorted([*ALWAYS, *BESIDE[port], service]), methods)


@pytest.mark.parametrize("port", DOORS)
async def test_each_door_tells_its_health(port: str, lab: Lab) -> None:
    """Health of the whole and of each service is SERVING at either door, and an unknown service is NOT_FOUND."""
    endpoint = f"127.0.0.1:{lab.status(ME)[port]}"
    async with open_channel(ME, endpoint, roots(lab), leaf(lab, ME)) as channel:
        heard = [await health(channel, each) for each in ("", server.SERVICE, desk.SERVICE, "yrdx.none")]
    assert heard == ["SERVING"] * 3 + ["NOT_FOUND"]


async def test_a_watcher_hears_of_a_stop(tmp_path: Any) -> None:
    """Whoever watches a node's health hears NOT_SERVING when it is stopped, before the connection ends."""
    own = small_lab(tmp_path)
    own.start(ME)
    caller, heard = Caller(lab=own, to=ME), list[str]()
    stopping: asyncio.Future[None] | None = None
    call = health_pb2_grpc.HealthStub(caller.channel(ME)).Watch(health_pb2.HealthCheckRequest(), timeout=DEADLINE)
    try:
        async for each in call:
            heard.append(health_pb2.HealthCheckResponse.ServingStatus.Name(each.status))
            if heard == ["SERVING"]:
                stopping = asyncio.ensure_future(asyncio.to_thread(own.stop))
    except grpc.aio.AioRpcError:
        heard.append("ended")
    finally:
        await (stopping or asyncio.to_thread(own.stop))
        await caller.close()
    assert heard == ["SERVING", "NOT_SERVING", "ended"]
