"""A relayed `Ask` beside a direct one of the same run: the same questions to the same facts, with and without a hub.

A batch goes as its messages do from the desk, by way of a hub or not: one `Ask` each, several in flight.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from bench.exchanges import (
    ASKER,
    BATCH,
    IN_FLIGHT,
    ORIGIN,
    ROUNDS,
    Client,
    Scale,
    channel,
    leaf,
    load,
    open_budget,
)
from bench.measures import Call, Round, Row, one_round, row
from gateway.client import RemoteMember
from gateway.errors import Unavailable
from gateway.event import Event
from gateway.hops import RemoteHop
from gateway.relay import Post, RelayedMember, Ring
from keys import custody
from nodes.federation import REFERENCE
from nodes.lab import Lab, build
from nodes.sealing import SealingKeys

RELAYS = ("ask_relayed", "batch_relayed")
HUB = "900000"
WAIT_SECONDS = 30.0
SUBJECTS = 20_000
WITH_HUB = f"""
base = "{REFERENCE}"

[[members]]
id = "{HUB}"
name = {{ zh = "枢纽", en = "Hub" }}
divisions = []
hub = true

[changes.members.{ORIGIN}]
via = ["{HUB}"]
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a row measures: the direct call and the relayed one, how many of them, and how many at a time."""

    pair: tuple[Call, Call]
    codes: int
    calls: int
    in_flight: int


class RelayedClient(Client):
    """The same client, which reaches the origin by way of the hub."""

    def __init__(self, lab: Lab, subjects: int) -> None:
        """Hold the asker's sealing keys besides, and a channel to the hub."""
        super().__init__(lab, subjects)
        keys = lab.home(ASKER) / "keys"
        openers = SealingKeys(keys, custody.read_passphrase(keys / "passphrase")).current
        post = Post(
            charter=lambda: self._charter,
            clock=lambda: datetime.now(UTC),
            ticks=time.monotonic,
            observe=_forget,
        )
        ring = Ring(signer=lambda: self._signer, openers=lambda: openers)
        hop = RemoteHop(RemoteMember(channel(lab, HUB, leaf(keys, "node.pem"))))
        self._member = RelayedMember({HUB: hop}.get, post, ring)


def _forget(_event: Event) -> None:
    """Keep no events."""


async def relays(folder: Path, names: list[str], scale: Scale, say: Callable[[str], None]) -> list[Row]:
    """Run rounds of both, one beside the other."""
    subjects = scale.of(SUBJECTS, BATCH)
    wide = folder / "federation"
    wide.mkdir(parents=True)
    (wide / "hub.toml").write_text(WITH_HUB, encoding="utf-8")
    straight = _lab(folder / "straight", REFERENCE, subjects, say)
    by_hub = _lab(folder / "by_hub", wide, subjects, say)
    straight.start(ORIGIN)
    by_hub.start(ORIGIN, HUB)
    try:
        direct, relayed = Client(straight, subjects), RelayedClient(by_hub, subjects)
        await _reachable(relayed)
        plans = {
            "ask_relayed": Plan((direct.ask, relayed.ask), 0, scale.of(2_000, 40), IN_FLIGHT),
            "batch_relayed": Plan((direct.batch, relayed.batch), BATCH, scale.of(60, 4), 4),
        }
        return [await _measured(name, plan, say) for name, plan in plans.items() if name in names]
    finally:
        straight.stop()
        by_hub.stop()


async def _reachable(client: Client) -> None:
    """Wait until the hub has taken the directory that says where the origin is."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            try:
                return await client.ask(0)
            except Unavailable:
                await asyncio.sleep(0.1)


def _lab(folder: Path, federation: Path, subjects: int, say: Callable[[str], None]) -> Lab:
    lab = build(folder, federation=federation)
    lab.edits.append(open_budget)
    load(lab, ORIGIN, subjects, say)
    return lab


async def _measured(name: str, plan: Plan, say: Callable[[str], None]) -> Row:
    say(f"{name}: {ROUNDS} rounds of {plan.calls} calls, {plan.in_flight} in flight, each after direct ones")
    mine: list[Round] = []
    ratios = []
    straight, by_hub = plan.pair
    for call in plan.pair:
        await one_round(call, max(2, plan.calls // 10), plan.in_flight)
    for _ in range(ROUNDS):
        direct = await one_round(straight, plan.calls, plan.in_flight)
        mine.append(await one_round(by_hub, plan.calls, plan.in_flight))
        ratios.append(mine[-1].rate / direct.rate)
    return replace(row(name, mine, codes=plan.codes), ratio_to_direct=round(statistics.median(ratios), 3))
