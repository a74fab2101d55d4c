"""A member that asks by hand: composes, alters, signs and sends questions to a real node over mutual TLS."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from populations import populate

from gateway import carriers, desk, wire
from gateway.charter import Charter, charter
from gateway.client import Identity, RemoteMember, open_channel
from gateway.clocks import CHINA
from gateway.errors import Unavailable
from gateway.exchange.compose import Inquiry, compose, sign_question
from gateway.federation import request_bytes
from gateway.kinds import KINDS
from gateway.model.answer import Refusal
from gateway.model.codes import RefusalReason, Window
from gateway.model.combined import Intent
from gateway.model.question import Body, MeasuresQuestion, NamedSubject, Question, SummaryQuestion
from gateway.model.signed import Reply, Signed
from gateway.uscc import sample_code
from keys import custody
from keys.directory import open_bundle
from keys.envelope import Envelope, sign
from keys.suite import Signer
from nodes.bundle.root import read_root
from nodes.config import DATABASE
from nodes.lab import MIRROR, ROOT, Edit, Lab, build
from nodes.mirror import archive_path
from nodes.setup import Setting
from yrdx.exchange.v1 import desk_pb2

DEADLINE = 20.0
WAIT = 30.0
CLOCK = "clock.txt"
NUMBERS = count(1)
"""Whoever asks by hand uses no number twice."""


def now() -> datetime:
    """Read the clock once, as a door does."""
    return datetime.now(UTC)


def codes(count: int, division: str = "320102", start: int = 900_000) -> tuple[NamedSubject, ...]:
    """Name that many different sample subjects."""
    return tuple(NamedSubject(uscc=sample_code("91", division, start + each)) for each in range(count))


def summary(*subjects: NamedSubject) -> SummaryQuestion:
    """Ask everything that a summary may hold."""
    return SummaryQuestion(
        subjects=subjects or codes(1), window=Window.M36, data_items=("penalty", "permit", "listing")
    )


def measures(*subjects: NamedSubject) -> MeasuresQuestion:
    """Ask the measures in force."""
    return MeasuresQuestion(subjects=subjects or codes(1))


def read_charter(lab: Lab, member: str) -> Charter:
    """Read the directory that the lab has published."""
    return _charter(lab.folder, member, lab.version)


@lru_cache
def _charter(folder: Path, member: str, version: int) -> Charter:
    archive = archive_path(folder / MIRROR, version).read_bytes()
    return charter(member, open_bundle(archive, root=read_root(folder / ROOT)), KINDS)


@dataclass(kw_only=True)
class Caller:
    """One member's node as an asker, without its desk."""

    lab: Lab
    me: str = "310000"
    to: str = "320000"
    signer: Signer = field(init=False)
    identity: Identity = field(init=False)
    channels: dict[tuple[str, str], grpc.aio.Channel] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Load the member's key and certificate."""
        self.signer = self.lab.signer(self.me)
        self.identity = leaf(self.lab, self.me)

    def compose(
        self,
        body: Body | None = None,
        *,
        purpose: str = "DAILY_SUPERVISION",
        item: str = "SH-2026-010",
        agency: str = "310118-market",
        agreement: str = "YRD-4-2026",
        alter: Callable[[dict[str, Any]], object] = lambda _: None,
        **intent: Any,
    ) -> Signed:
        """Compose a question that a node would answer; `alter` changes the header's fields before signing."""
        body = body or summary()
        held = read_charter(self.lab, self.me)
        wish = Intent(
            intent_id=os.urandom(16), agency=agency, officer=f"{agency}/o1", intend_time=self.lab.clock(),
            purpose=purpose, application_item=item, body=body, **intent,
        )  # fmt: skip
        inquiry = Inquiry(
            intent=wish, intent_digest=os.urandom(32), agreement_id=agreement, case_subject_count=0,
            approving_officer=wish.approving_officer,
        )  # fmt: skip
        signed = compose(
            inquiry, self.to, next(NUMBERS), question_id=os.urandom(16), charter=held, signer=self.signer,
            now=self.lab.clock(),
        )  # fmt: skip
        changes: dict[str, Any] = {}
        alter(changes)
        if not changes:
            return signed
        header = replace(signed.question.header, **changes)
        return sign_question(Question(header=header, body=body), self.signer)

    async def send(self, request: bytes, *, to: str = "", identity: Identity | None = None) -> Reply:
        """Send bytes to a node as this member."""
        return await RemoteMember(self.channel(to or self.to, identity)).ask(request, DEADLINE)

    def channel(self, to: str, identity: Identity | None = None) -> grpc.aio.Channel:
        """Open a channel, or give the one that is open."""
        used = identity or self.identity
        endpoint = self.lab.standings[to].endpoint or ""
        key = (endpoint, str(hash(used)))
        if key not in self.channels:
            roots = (self.lab.home(to) / "keys" / "ca.crt").read_bytes()
            self.channels[key] = open_channel(to, endpoint, roots, used)
        return self.channels[key]

    async def ask(self, signed: Signed) -> Reply:
        """Send a signed question."""
        return await self.send(request_bytes(signed))

    async def close(self) -> None:
        """Close the channels."""
        for channel in self.channels.values():
            await channel.close()


def leaf(lab: Lab, member: str) -> Identity:
    """Load a member's node certificate."""
    keys = lab.home(member) / "keys"
    held = custody.load_leaf(keys / "node.pem", custody.read_passphrase(keys / "passphrase"))
    return Identity(certificate=held.certificate_pem, key=held.key_pem)


def signed_part(reply: Reply) -> object:
    """Give what was signed of a reply: a retry has it to the byte, and a receipt from the ledger of then."""
    if reply.refused:
        return reply.payload
    found = carriers.read_response(reply.payload)
    return found.answer, found.items


def reason(reply: Reply) -> RefusalReason:
    """Read the reason of a refusal."""
    assert reply.refused
    return wire.decode(Refusal, wire.decode(Envelope, reply.payload).payload).reason


async def until(holds: Callable[[], Awaitable[object]], what: str) -> None:
    """Wait until something holds.

    Raises:
        AssertionError: when it does not in time.
    """
    async with asyncio.timeout(WAIT):
        while not await holds():
            await asyncio.sleep(0.05)
    assert what


def rows(lab: Lab, member: str, query: str, *values: object) -> list[tuple[Any, ...]]:
    """Read a member's database as it lies on disk."""
    with closing(sqlite3.connect(lab.config(member).data / DATABASE)) as connection:
        return connection.execute(query, values).fetchall()


def small_lab(
    folder: Path,
    *populated: str,
    workers: int = 1,
    shifted: bool = False,
    edits: Iterable[Edit] = (),
) -> Lab:
    """Build a federation of one's own to break; `shifted` moves its time to the noon of tomorrow, far from midnight."""
    clock = f'source = "file"\npath = "../{CLOCK}"' if shifted else Setting().clock
    lab = build(folder / "federation", setting=Setting(workers=workers, clock=clock))
    lab.edits.extend(edits)
    if shifted:
        tomorrow = datetime.now(CHINA).date() + timedelta(days=1)
        shift(lab, (datetime.combine(tomorrow, time(12), CHINA) - datetime.now(UTC)).total_seconds())
        lab.clock = lambda: datetime.now(UTC) + timedelta(seconds=shift_of(lab))
    lab.publish()
    for member in populated:
        populate(lab, member, subjects=10)
    return lab


def shift_of(lab: Lab) -> float:
    """Read by how many seconds a lab's time differs from the system's."""
    return float((lab.folder / CLOCK).read_text(encoding="ascii"))


def shift(lab: Lab, seconds: float) -> None:
    """Set by how many seconds a lab's time differs from the system's; its nodes see it at once."""
    new = lab.folder / f"{CLOCK}.new"
    new.write_text(str(seconds), encoding="ascii")
    new.replace(lab.folder / CLOCK)


async def directory_taken(lab: Lab, *members: str) -> None:
    """Wait until nodes of one worker follow the directory that the lab has published last."""

    async def taken() -> bool:
        paths = [lab.config(each).data / "bundle" / "current" for each in members]
        return all(each.read_text(encoding="ascii").startswith(f"{lab.version}/") for each in paths)

    await until(taken, "directory taken")


async def health(channel: grpc.aio.Channel, service: str = "") -> str:
    """Ask a node for its health; the answer's name, or the transport's status."""
    stub = health_pb2_grpc.HealthStub(channel)
    try:
        reply = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=DEADLINE)
    except grpc.aio.AioRpcError as error:
        return str(error.code().name)
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(reply.status))


async def outcome(asked: Awaitable[Reply]) -> str:
    """Name how an exchange ended: ANSWERED, the reason of the refusal, or the transport's status."""
    try:
        reply = await asked
    except Unavailable as error:
        return str(error)
    return reason(reply).value if reply.refused else "ANSWERED"


def intent_request(lab: Lab, officer: str, body: Body | None = None, *, to: str = "320000", **changes: Any) -> bytes:
    """Write the AskMembersRequest of an officer who asks one member."""
    agency = officer.partition("/")[0]
    intent = Intent(
        intent_id=os.urandom(16), agency=agency, officer=officer, intend_time=lab.clock(), purpose="DAILY_SUPERVISION",
        application_item="SH-2026-010", body=body or summary(), members=(to,),
    )  # fmt: skip
    folder = lab.profile(officer).parent
    signer = custody.load_signer(folder / "officer.key", custody.read_passphrase(folder / "passphrase"))
    envelope = sign(wire.PAYLOAD_TYPES[Intent], wire.encode(replace(intent, **changes)), signer)
    request = desk_pb2.AskMembersRequest(intent=carriers.envelope_to_message(envelope), without_bundle=True)
    return bytes(request.SerializeToString())


async def ask_desk(lab: Lab, request: bytes, identity: Identity, *, to: str) -> tuple[str, bytes]:
    """Send an AskMembersRequest to a member's desk; ANSWERED and the response, or the status and nothing."""
    endpoint = f"127.0.0.1:{lab.status(to)['desk_port']}"
    roots = (lab.home(to) / "keys" / "ca.crt").read_bytes()
    async with open_channel(to, endpoint, roots, identity) as channel:
        ask: Any = channel.unary_unary(f"/{desk.SERVICE}/AskMembers")
        try:
            return "ANSWERED", await ask(request, timeout=DEADLINE)
        except grpc.aio.AioRpcError as error:
            return error.code().name, b""


def agency_leaf(lab: Lab, officer: str) -> Identity:
    """Load the certificate of an officer's agency."""
    folder = lab.profile(officer).parent
    found = custody.load_leaf(folder / "leaf.pem", custody.read_passphrase(folder / "passphrase"))
    return Identity(certificate=found.certificate_pem, key=found.key_pem)
