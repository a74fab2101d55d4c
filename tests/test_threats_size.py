"""What sizes give away (threat 14), and what huge or slow messages cost (threat 16)."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from callers import DEADLINE, Caller, codes, measures, outcome, small_lab, summary
from grpc import aio

from gateway import carriers, wire
from gateway.client import ASK_MANY
from gateway.exchange.accept import unpack
from gateway.federation import request_bytes
from gateway.limits import SALT_BYTES, SIZE_CLASSES
from gateway.model.answer import Item
from gateway.model.codes import ItemState
from gateway.model.question import Body, NamedSubject
from nodes.lab import Lab
from nodes.sample.scenarios import LISTED
from yrdx.exchange.v1 import envelope_pb2, exchange_pb2

pytestmark = pytest.mark.net
MEMBER, ANHUI = "320000", "340000"
MANY = 10_000


def states(payload: bytes) -> list[ItemState]:
    """Read the states of an answer's items."""
    salted = unpack(payload).items
    return [wire.decode(Item, each[SALT_BYTES:]).state for each in salted]


async def answer(lab: Lab, member: str, body: Body) -> bytes:
    """Ask a member and give the bytes of its answer."""
    caller = Caller(lab=lab, to=member)
    reply = await caller.ask(caller.compose(body))
    await caller.close()
    assert not reply.refused
    return reply.payload


@pytest.mark.parametrize(
    ("member", "ask"), [(MEMBER, summary), (ANHUI, summary), (ANHUI, measures)], ids=["a little", "much", "measures"]
)
async def test_found_and_not_found_are_of_one_size(member: str, ask: Any, lab: Lab) -> None:
    """The answer about a subject with records is as long as about one without, and fills a size class."""
    found = await answer(lab, member, ask(NamedSubject(uscc=LISTED.uscc)))
    nothing = await answer(lab, member, ask(*codes(1, start=650_000)))
    assert (states(found)[0] is ItemState.FOUND, states(nothing)[0] is ItemState.FOUND) == (True, False)
    assert len(found) == len(nothing)
    assert len(found) in SIZE_CLASSES


@pytest.mark.parametrize("count", [1, 2, 3, 7, 20, 50, 120, 333, 1_000])
async def test_every_answer_fills_a_class(count: int, lab: Lab) -> None:
    """However many subjects, the answer is padded to a class, or beyond the last one to a multiple of it."""
    size = len(await answer(lab, MEMBER, summary(*codes(count, start=660_000))))
    assert size in SIZE_CLASSES or size % SIZE_CLASSES[-1] == 0


@pytest.fixture
async def bystander(lab: Lab) -> AsyncIterator[Caller]:
    """Another asker, who behaves."""
    found = Caller(lab=lab, me="330000")
    yield found
    await found.close()


async def answered(bystander: Caller) -> str:
    """Let the bystander ask; how it ended."""
    return await outcome(bystander.ask(bystander.compose(agency="330421-market", item="ZJ-2026-010")))


@pytest.mark.parametrize(("octets", "expected"), [(1, "MALFORMED"), (64, "TOO_LARGE")], ids=["small", "full"])
async def test_ten_thousand_signatures_are_refused(
    octets: int, expected: str, caller: Caller, bystander: Caller
) -> None:
    """An envelope of 10,000 signatures is refused before any is verified, while another asker is answered."""
    message = exchange_pb2.AskRequest(question=carriers.envelope_to_message(caller.compose().envelope))
    one = message.question.signatures[0]
    message.question.signatures.extend(
        envelope_pb2.Signature(key_id=f"{caller.me}/{number}", signature=one.signature[:octets])
        for number in range(MANY)
    )
    request = message.SerializeToString()
    heard = await asyncio.gather(*(outcome(caller.send(request)) for _ in range(10)), answered(bystander))
    assert heard == [*[expected] * 10, "ANSWERED"]


def memory(lab: Lab) -> int:
    """Read a member's memory in use, in KiB."""
    status = Path(f"/proc/{lab.status(MEMBER)['process_id']}/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


async def test_huge_messages_are_refused_in_bounded_memory(caller: Caller, bystander: Caller, lab: Lab) -> None:
    """Messages of 10 MB are refused by the transport; the node keeps none, and another asker is answered."""
    huge = os.urandom(10 << 20)
    assert await answered(bystander) == "ANSWERED"
    before = memory(lab)
    heard = [await outcome(caller.send(huge)) for _ in range(10)]
    heard.append(await answered(bystander))
    assert heard == [*["RESOURCE_EXHAUSTED"] * 10, "ANSWERED"]
    assert memory(lab) - before < 64 << 10


async def test_slow_streams_keep_nobody_waiting(caller: Caller, bystander: Caller) -> None:
    """Streams that send one question each and then nothing are answered so far, and others are answered meanwhile."""
    channel = caller.channel(MEMBER)
    calls: list[aio.StreamStreamCall[bytes, bytes]] = []
    for _ in range(50):
        call: Any = channel.stream_stream(ASK_MANY)(timeout=DEADLINE)
        ask = exchange_pb2.AskRequest.FromString(request_bytes(caller.compose()))
        await call.write(exchange_pb2.AskManyRequest(ask=ask).SerializeToString())
        calls.append(call)
    heard = [await answered(bystander), await outcome(caller.ask(caller.compose()))]
    first: list[Any] = [await each.read() for each in calls]
    outcomes = [exchange_pb2.AskManyResponse.FromString(each).WhichOneof("outcome") for each in first]
    for each in calls:
        each.cancel()
    assert (heard, outcomes) == (["ANSWERED", "ANSWERED"], ["answer"] * 50)


async def test_connections_without_a_handshake_harm_nobody(tmp_path: Path) -> None:
    """Hundreds of connections that never speak TLS, or speak nonsense, neither end the node nor keep others waiting."""
    own = small_lab(tmp_path)
    own.start(MEMBER)
    asking = Caller(lab=own)
    try:
        with ExitStack() as opened:
            for number in range(400):
                plain = socket.create_connection(("127.0.0.1", own.status(MEMBER)["exchange_port"]), DEADLINE)
                opened.enter_context(plain)
                if number % 2:
                    plain.sendall(os.urandom(512))
            heard = await outcome(asking.ask(asking.compose()))
        assert (heard, own.processes[MEMBER].poll()) == ("ANSWERED", None)
    finally:
        await asking.close()
        own.stop()
