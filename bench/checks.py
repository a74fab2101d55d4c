"""A whole batch as `check` sends it: 1,000 codes a message over four regions, every answer file verified and judged."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import grpc

from bench.exchanges import (
    AGENCY,
    ASKER,
    BATCH,
    DOMAIN,
    ITEM,
    OFFICER,
    PURPOSE,
    Scale,
    channel,
    leaf,
    load,
    open_budget,
)
from bench.measures import Row, one_round, row
from bench.populations import code
from gateway import carriers, wire
from gateway.model.codes import Window
from gateway.model.combined import Intent
from gateway.model.question import NamedSubject, SummaryQuestion
from gateway.verdicts import RowVerdict, finding
from gateway.verification import verify
from keys import custody
from keys.envelope import sign
from keys.suite import Signer
from nodes.bundle.root import read_root
from nodes.lab import Lab, build
from yrdx.exchange.v1 import desk_pb2

CHECKS = ("check",)
CODES = 100_000
ROUNDS = 3
IN_FLIGHT = 4
READY_TRIES = 20


async def checks(folder: Path, scale: Scale, say: Callable[[str], None]) -> list[Row]:
    """Run batches over a federation of four processes, each with the same subjects."""
    codes = scale.of(CODES, BATCH)
    lab = build(folder)
    lab.edits.append(open_budget)
    for member in lab.members:
        load(lab, member, codes, say)
    lab.start(*lab.members)
    try:
        return [await _measured(lab, codes // BATCH, say)]
    finally:
        lab.stop()


async def _measured(lab: Lab, messages: int, say: Callable[[str], None]) -> Row:
    say(f"check: {ROUNDS} rounds of {messages} messages of {BATCH} codes, {IN_FLIGHT} in flight")
    officer = Officer(lab)
    try:
        await officer.ready()
        await one_round(officer.check, max(1, messages // 10), IN_FLIGHT)
        rounds = [await one_round(officer.check, messages, IN_FLIGHT) for _ in range(ROUNDS)]
    finally:
        await officer.close()
    return row("check", rounds, codes=BATCH)


class NotReady(Exception):
    """A member did not answer yet."""


class Officer:
    """An officer at the asker's desk, with one process beside for verifying."""

    def __init__(self, lab: Lab) -> None:
        """Open the desk and hold the officer's key."""
        home = lab.desk_of(OFFICER)
        self._key: Signer = custody.load_signer(home / "officer.key", custody.read_passphrase(home / "passphrase"))
        endpoint = f"127.0.0.1:{lab.status(ASKER)['desk_port']}"
        self._desk: grpc.aio.Channel = channel(lab, ASKER, leaf(home, "leaf.pem"), endpoint)
        self._root = read_root(lab.folder / "root.json")
        # gRPC does not survive a fork: the process begins anew.
        self._beside = ProcessPoolExecutor(1, mp_context=get_context("spawn"))

    async def ready(self) -> None:
        """Wait until every member has taken the directory that names where the others listen."""
        for _ in range(READY_TRIES):
            with suppress(NotReady):
                return await self.check(-1)
            await asyncio.sleep(0.5)
        raise RuntimeError("a member does not answer")

    async def check(self, number: int) -> None:
        """Send one message, verify the answer file, and find a verdict a row."""
        request = desk_pb2.AskMembersRequest(intent=carriers.envelope_to_message(self._intent(number)))
        call: Any = self._desk.unary_unary("/yrdx.exchange.v1.DeskService/AskMembers")
        file = await call(request.SerializeToString(), timeout=30)
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._beside, judge, file, self._root)
        if RowVerdict.INCOMPLETE in found and number < 0:
            raise NotReady
        if len(found) != BATCH or not set(found) <= {RowVerdict.NOTHING_FOUND, RowVerdict.RESTRICTED}:
            raise RuntimeError(f"not every row was decided: {sorted({each.value for each in found})}")

    def _intent(self, number: int) -> Any:  # noqa: ANN401  an Envelope
        subjects = tuple(NamedSubject(uscc=code(max(0, number) * BATCH + each)) for each in range(BATCH))
        intent = Intent(
            intent_id=os.urandom(16),
            agency=AGENCY,
            officer=OFFICER,
            intend_time=datetime.now(UTC),
            purpose=PURPOSE,
            application_item=ITEM,
            body=SummaryQuestion(
                subjects=subjects, domains=(DOMAIN,), window=Window.M36, data_items=("penalty", "listing")
            ),
        )
        return sign(wire.PAYLOAD_TYPES[Intent], wire.encode(intent), self._key)

    async def close(self) -> None:
        """Close the channel and end the process beside."""
        await self._desk.close()
        self._beside.shutdown()


def judge(file: bytes, root: bytes) -> list[RowVerdict]:
    """Verify an answer file and give each row's verdict."""
    content = verify(file, root=root, now=datetime.now(UTC)).content
    if content is None:
        raise RuntimeError("an answer file does not verify")
    items: dict[str, dict[str, Any]] = {}
    for each in content.exchanges:
        for item in each.accepted.items if each.accepted else ():
            items.setdefault(item.uscc, {})[each.outcome.member] = item
    return [
        finding("summary", each, items.get(each.uscc, {}), charter=content.charter).verdict
        for each in content.result.subjects
    ]
