"""One node's Ask, the fan-out over four regions and 1,000-subject messages, each beside a bare echo."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import grpc

from bench.echo import SERVICE as ECHO
from bench.measures import Call, Round, Row, one_round, row
from bench.populations import DIVISION, code, fill, give_out
from gateway import carriers, wire
from gateway.answering import Member
from gateway.charter import Charter, charter
from gateway.client import Identity, RemoteMember, open_channel
from gateway.exchange.accept import accept
from gateway.exchange.compose import Inquiry, compose
from gateway.exchange.permit import permit
from gateway.federation import request_bytes
from gateway.kinds import KINDS
from gateway.model.codes import Window
from gateway.model.combined import Intent
from gateway.model.question import NamedSubject, SummaryQuestion
from gateway.server import DESK_BYTES
from keys import custody
from keys.directory import open_bundle
from keys.envelope import sign
from keys.suite import Signer
from nodes.config import DATABASE
from nodes.federation import REFERENCE, feeds
from nodes.lab import Lab, build
from nodes.mirror import newest
from nodes.store import Store
from yrdx.exchange.v1 import desk_pb2

EXCHANGES = ("bare_echo", "ask", "fan_out", "batch")
PURPOSE, ITEM, AGENCY = "DAILY_SUPERVISION", "SH-2026-010", "310118-market"
OFFICER = f"{AGENCY}/o1"
ASKER, ORIGIN = "310000", "320000"
DOMAIN = "MARKET_REG"
SUBJECTS = 100_000
BATCH = 1_000
ROUNDS = 5
IN_FLIGHT = 32
NUMBERS = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How far the sizes are cut."""

    divisor: int

    def of(self, number: int, least: int = 1) -> int:
        """Cut a number."""
        return max(least, number // self.divisor)


def open_budget(document: dict[str, Any]) -> None:
    """Let the purpose ask any number of subjects a day: the bench measures work, not policy."""
    for purpose in document["purposes"]:
        purpose["daily_subjects"] = 1_000_000_000


def load(lab: Lab, member: str, subjects: int, say: Callable[[str], None]) -> None:
    """Load a member's store with subjects, and say so."""
    say(f"{member}: loading {subjects} subjects")
    store = Store.open(lab.config(member).data / DATABASE, storage_key(lab, member))
    with store.loading() as loading:
        fill(loading, feeds(REFERENCE, member), subjects, datetime.now(UTC))
    store.close()


async def exchanges(folder: Path, names: list[str], scale: Scale, say: Callable[[str], None]) -> list[Row]:
    """Run the benches over a federation of four processes."""
    subjects = scale.of(SUBJECTS, BATCH)
    lab = build(folder)
    lab.edits.append(open_budget)
    for member in lab.members:
        load(lab, member, subjects if member == ORIGIN else BATCH, say)
    give_out(lab, ASKER)
    lab.start(*(lab.members if "fan_out" in names else (ORIGIN,)))
    try:
        return await _measured(lab, names, scale, subjects, say)
    finally:
        lab.stop()


async def _measured(lab: Lab, names: list[str], scale: Scale, subjects: int, say: Callable[[str], None]) -> list[Row]:
    client = Client(lab, subjects)
    sizes = {name: await client.sizes(count) for name, count in (("ask", 1), ("batch", BATCH))}
    rows: list[Row] = []
    plans: dict[str, tuple[Call, int, int, int]] = {
        "ask": (client.ask, 1, scale.of(2_000, 40), IN_FLIGHT),
        "fan_out": (client.fan_out, 0, scale.of(400, 10), IN_FLIGHT),
        "batch": (client.batch, BATCH, scale.of(60, 4), 4),
    }
    for name, (call, codes, calls, in_flight) in plans.items():
        if name not in names and not (name == "ask" and "bare_echo" in names):
            continue
        say(f"{name}: {ROUNDS} rounds of {calls} calls, {in_flight} in flight, each after a round of bare echo")
        request, response = sizes["batch" if name == "batch" else "ask"]
        mine, bare = await _side_by_side(lab, call, calls, in_flight, request, response)
        if name == "ask":
            rows.append(row("bare_echo", bare))
        rows.append(row(name, mine, codes=codes if codes > 1 else 0, echoes=bare))
    await client.close()
    return rows


async def _side_by_side(
    lab: Lab, call: Call, calls: int, in_flight: int, request: int, response: int
) -> tuple[list[Round], list[Round]]:
    echo = await Echo.start(lab, request, response)
    try:
        await one_round(echo.call, max(10, calls // 10), in_flight)
        await one_round(call, max(2, calls // 10), in_flight)
        mine, bare = [], []
        for _ in range(ROUNDS):
            bare.append(await one_round(echo.call, calls, in_flight))
            mine.append(await one_round(call, calls, in_flight))
    finally:
        await echo.stop()
    return mine, bare


class Client:
    """An asking member's node in this process, and an officer at its desk."""

    def __init__(self, lab: Lab, subjects: int) -> None:
        """Hold the keys of the asker and of one officer."""
        self._lab, self._subjects = lab, subjects
        self._charter = _charter(lab)
        self._signer = lab.signer(ASKER)
        self._member: Member = RemoteMember(channel(lab, ORIGIN, leaf(lab.home(ASKER) / "keys", "node.pem")))
        home = lab.desk_of(OFFICER)
        self._officer: Signer = custody.load_signer(home / "officer.key", custody.read_passphrase(home / "passphrase"))
        self._desk: grpc.aio.Channel | None = None
        self._chance = random.Random(11)
        self._next = 0

    async def ask(self, _number: int) -> None:
        """Compose, send, verify: one subject."""
        await self._exchange(self._question(self._codes(1)))

    async def batch(self, _number: int) -> None:
        """Compose, send, verify: 1,000 subjects that were not asked before, as far as there are any."""
        await self._exchange(self._question(self._codes(BATCH)))

    async def fan_out(self, _number: int) -> None:
        """Ask the four regions through the desk."""
        intent = self._intent(self._question(self._codes(1)))
        envelope = sign(wire.PAYLOAD_TYPES[Intent], wire.encode(intent), self._officer)
        request = desk_pb2.AskMembersRequest(intent=carriers.envelope_to_message(envelope), without_bundle=True)
        if self._desk is None:
            self._desk = self._open_desk()
        call: Any = self._desk.unary_unary("/yrdx.exchange.v1.DeskService/AskMembers")
        response = desk_pb2.AskMembersResponse.FromString(await call(request.SerializeToString(), timeout=20))
        missing = [each.member for each in response.exchanges if not each.HasField("answer")]
        if missing:
            raise RuntimeError(f"no answer from {missing}")

    async def sizes(self, count: int) -> tuple[int, int]:
        """Give the bytes of a request and of its response."""
        question = self._question(self._codes(count))
        return len(question[0]), await self._exchange(question)

    async def close(self) -> None:
        """Close the desk's channel."""
        if self._desk is not None:
            await self._desk.close()

    def _open_desk(self) -> grpc.aio.Channel:
        endpoint = f"127.0.0.1:{self._lab.status(ASKER)['desk_port']}"
        identity = leaf(self._lab.desk_of(OFFICER), "leaf.pem")
        return channel(self._lab, ASKER, identity, endpoint)

    def _codes(self, count: int) -> tuple[NamedSubject, ...]:
        start, self._next = self._next, (self._next + count) % max(1, self._subjects - count)
        return tuple(NamedSubject(uscc=code(start + each)) for each in range(count))

    def _question(self, subjects: tuple[NamedSubject, ...]) -> tuple[bytes, SummaryQuestion, Any]:
        body = SummaryQuestion(
            subjects=subjects, domains=(DOMAIN,), window=Window.M36, data_items=("penalty", "listing")
        )
        intent = self._intent((b"", body, None))
        inquiry = Inquiry(intent=intent, intent_digest=bytes(32), agreement_id="YRD-4-2026", case_subject_count=0)
        signed = compose(
            inquiry,
            ORIGIN,
            next(NUMBERS),
            question_id=os.urandom(16),
            charter=self._charter,
            signer=self._signer,
            now=datetime.now(UTC),
        )
        return request_bytes(signed), body, signed

    def _intent(self, question: tuple[bytes, SummaryQuestion, Any]) -> Intent:
        return Intent(
            intent_id=os.urandom(16),
            agency=AGENCY,
            officer=OFFICER,
            intend_time=datetime.now(UTC),
            purpose=PURPOSE,
            application_item=ITEM,
            body=question[1],
        )

    async def _exchange(self, question: tuple[bytes, SummaryQuestion, Any]) -> int:
        request, _, signed = question
        reply = await self._member.ask(request, 20)
        now = datetime.now(UTC)
        granted = permit(signed.question, charter=self._charter, now=now).grant
        accept(reply.payload, signed, granted, self._charter, now)
        return len(reply.payload)


class Echo:
    """A bare echo server in a process of its own, and a channel to it."""

    def __init__(self, process: subprocess.Popen[str], channel: grpc.aio.Channel, request: int) -> None:
        """Use a process that listens."""
        self._process, self._channel, self._request = process, channel, bytes(request)
        self._call: Any = channel.unary_unary(f"/{ECHO}/Echo")

    @classmethod
    async def start(cls, lab: Lab, request: int, response: int) -> Echo:
        """Start the server with the origin's certificate and the asker's CA."""
        roots = str(lab.home(ASKER) / "keys" / "ca.crt")
        command = [sys.executable, "-m", "bench.echo", str(lab.home(ORIGIN)), roots, str(response)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220  our own
        assert process.stdout is not None
        port = await asyncio.to_thread(process.stdout.readline)
        opened = channel(lab, ORIGIN, leaf(lab.home(ASKER) / "keys", "node.pem"), f"127.0.0.1:{port.strip()}")
        return cls(process, opened, request)

    async def call(self, _number: int) -> None:
        """Send and receive as many bytes as an exchange does."""
        await self._call(self._request, timeout=20)

    async def stop(self) -> None:
        """End the server."""
        await self._channel.close()
        self._process.terminate()
        self._process.wait()


async def ask_some(lab: Lab, subjects: int, calls: int) -> None:
    """Ask one node about random codes."""
    client = Client(lab, subjects)
    chance = random.Random(5)
    for _ in range(calls):
        client._next = chance.randrange(subjects)  # noqa: SLF001  the bench's own
        await client.ask(0)
    await client.close()


def channel(lab: Lab, member: str, identity: Identity, endpoint: str = "") -> grpc.aio.Channel:
    roots = (lab.home(member) / "keys" / "ca.crt").read_bytes()
    return open_channel(member, endpoint or str(lab.standings[member].endpoint), roots, identity, DESK_BYTES)


def leaf(folder: Path, name: str) -> Identity:
    held = custody.load_leaf(folder / name, custody.read_passphrase(folder / "passphrase"))
    return Identity(certificate=held.certificate_pem, key=held.key_pem)


def storage_key(lab: Lab, member: str) -> bytes:
    keys = lab.home(member) / "keys"
    return custody.load_secret(keys / "storage.key", custody.read_passphrase(keys / "passphrase"))


def _charter(lab: Lab) -> Charter:
    return charter(ASKER, open_bundle(newest(lab.mirror).read_bytes(), root=lab.root), KINDS)


__all__ = ["DIVISION", "EXCHANGES", "Scale", "ask_some", "exchanges"]
