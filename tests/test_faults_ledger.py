"""kill -9 of real nodes under load: what an asker accepted is in both ledgers, and neither has forked or lost a number.

`YRDX_KILL_ROUNDS` says how many times a node is killed; a few by default.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from callers import agency_leaf, ask_desk, codes, intent_request, shift, shift_of, small_lab, summary, until
from ledgered import entered, wounds

from gateway import carriers
from gateway.ledger.reconciliation import Difference, Period, reconcile
from gateway.model.codes import LedgerEventKind
from nodes.lab import Lab
from yrdx.exchange.v1 import desk_pb2

pytestmark = pytest.mark.net
ASKER, ANSWERER, OFFICER = "310000", "320000", "310118-market/o1"
ROUNDS = int(os.environ.get("YRDX_KILL_ROUNDS", "4"))
AT_ONCE = 8
LONGEST_LIFE = 120
"""Seconds after which no question of before can be under way."""

Pair = tuple[bytes, bytes]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Lab]:
    """Two members whose time the test moves."""
    lab = small_lab(tmp_path, ASKER, ANSWERER, shifted=True)
    try:
        lab.start(ASKER, ANSWERER)
        yield lab
    finally:
        for process in lab.processes.values():
            process.kill()
            process.wait()


@dataclass(kw_only=True)
class Crowd:
    """Officers who ask without pause; what they were told as an answer, by digests of question and answer."""

    lab: Lab
    accepted: set[Pair] = field(default_factory=set)
    more: asyncio.Event = field(default_factory=asyncio.Event)
    ended: bool = False

    async def ask(self) -> None:
        """Ask until it ends; a node that is being killed tells nothing."""
        identity = agency_leaf(self.lab, OFFICER)
        while not self.ended:
            request = intent_request(self.lab, OFFICER, summary(*codes(1)), to=ANSWERER)
            try:
                heard, payload = await ask_desk(self.lab, request, identity, to=ASKER)
            except FileNotFoundError:  # it has not said yet where it listens
                heard, payload = "", b""
            if heard != "ANSWERED":
                await asyncio.sleep(0.02)
                continue
            for each in desk_pb2.AskMembersResponse.FromString(payload).exchanges:
                if each.HasField("answer"):
                    question, answer = map(carriers.envelope_from_message, (each.question, each.answer.answer))
                    self.accepted.add((question.digest(), answer.digest()))
                    self.more.set()

    async def heard(self, count: int) -> None:
        """Wait for so many more answers."""
        wanted = len(self.accepted) + count
        async with asyncio.timeout(60):
            while len(self.accepted) < wanted:
                self.more.clear()
                await self.more.wait()


async def test_killed_again_and_again_no_ledger_loses_anything(pair: Lab) -> None:
    """After every round of kill -9 each accepted answer is in both ledgers, each verifies, numbers have no hole."""
    chance, crowd = random.Random(4), Crowd(lab=pair)
    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(crowd.ask())
        for number in range(ROUNDS):
            await crowd.heard(chance.randrange(3, 20))
            victim = (ANSWERER, ASKER)[number % 2]
            await asyncio.to_thread(pair.stop, victim, how=signal.SIGKILL)
            assert wounds(pair, victim) == []
            await asyncio.to_thread(pair.start, victim)
        await crowd.heard(3)
        crowd.ended = True
    await _explained(pair)
    sound(pair, crowd.accepted)


async def _explained(lab: Lab) -> None:
    """Let the time pass after which nobody waits any more; the asker explains its numbers."""
    shift(lab, shift_of(lab) + LONGEST_LIFE)

    async def explained() -> bool:
        every = (each.event.kind for each in entered(lab, ASKER))
        beside = {LedgerEventKind.ADMINISTERED, LedgerEventKind.CONCLUDED}
        kinds = [each for each in every if each not in beside]
        return kinds.count(LedgerEventKind.ASKED) * 2 == len(kinds)

    await until(explained, "every number has its end")


def sound(lab: Lab, accepted: set[Pair]) -> None:
    """Compare both ledgers with what was accepted, and with each other."""
    assert (wounds(lab, ASKER), wounds(lab, ANSWERER)) == ([], [])
    asked, answered = entered(lab, ASKER), entered(lab, ANSWERER)
    replies = {(each.event.question_digest, each.event.reply_digest) for each in answered}
    taken = {
        (each.event.question_digest, each.event.reply_digest)
        for each in asked
        if each.event.kind is LedgerEventKind.ACCEPTED
    }
    assert accepted <= replies & taken
    numbers = [each.event.pair_sequence for each in asked if each.event.kind is LedgerEventKind.ASKED]
    assert numbers == list(range(1, len(numbers) + 1))
    period = Period(asker_member=ASKER, answerer_member=ANSWERER, first=1, last=len(numbers))
    assert {each.difference for each in reconcile(period, asked, answered)} <= {Difference.LOST}
