"""kill -9 of real nodes under load: what an asker accepted is in both ledgers, and neither has forked or lost a number.

`YRDX_KILL_ROUNDS` says how many times a node is killed; a hundred by default.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from callers import agency_leaf, ask_desk, codes, intent_request, shift, shift_of, small_lab, summary, until
from forge import Forge, fix_ports
from ledgered import entered, roots_of, wounds

from gateway import carriers
from gateway.ledger.checkpoint import read_head
from gateway.ledger.note import read_note
from gateway.ledger.reconciliation import Difference, Period, reconcile
from gateway.model.codes import LedgerEventKind
from nodes.lab import Lab
from yrdx.exchange.v1 import desk_pb2

pytestmark = pytest.mark.net
ASKER, ANSWERER, OFFICER = "310000", "320000", "310118-market/o1"
ROUNDS = int(os.environ.get("YRDX_KILL_ROUNDS", "100"))
AT_ONCE = 8
LONGEST_LIFE = 120
"""Seconds after which no question of before can be under way."""

Pair = tuple[bytes, bytes]
Head = tuple[str, int, bytes]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Lab, dict[str, Forge]]]:
    """Two members whose time the test moves, and what starts each on its own ports."""
    lab = small_lab(tmp_path, ASKER, ANSWERER, shifted=True)
    lab.start(ASKER, ANSWERER)
    for member in (ASKER, ANSWERER):
        status = lab.status(member)
        fix_ports(lab.home(member), status["exchange_port"], status["desk_port"])
    lab.stop()
    with ExitStack() as opened:
        forges = {member: opened.enter_context(Forge(lab.home(member))) for member in (ASKER, ANSWERER)}
        for each in forges.values():
            each.start()
        for each in forges.values():
            each.await_listening()
        yield lab, forges


@dataclass(kw_only=True)
class Crowd:
    """Officers who ask without pause; what they were told as an answer, and which heads they were shown."""

    lab: Lab
    accepted: set[Pair] = field(default_factory=set)
    heads: set[Head] = field(default_factory=set)
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
                    self._take(each)

    def _take(self, each: desk_pb2.Exchange) -> None:
        question, answer = map(carriers.envelope_from_message, (each.question, each.answer.answer))
        head = read_head(read_note(each.answer.receipt.checkpoint).text)
        self.accepted.add((question.digest(), answer.digest()))
        self.heads.add((head.origin, head.size, head.root))
        self.more.set()

    async def heard(self, count: int) -> None:
        """Wait for so many more answers."""
        wanted = len(self.accepted) + count
        async with asyncio.timeout(60):
            while len(self.accepted) < wanted:
                self.more.clear()
                await self.more.wait()


@pytest.mark.timeout(1_800)
async def test_killed_again_and_again_no_ledger_loses_anything(pair: tuple[Lab, dict[str, Forge]]) -> None:
    """After every kill -9 the ledger verifies; in the end every accepted answer is in both, and nothing has forked."""
    lab, forges = pair
    chance, crowd = random.Random(4), Crowd(lab=lab)
    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(crowd.ask())
        for number in range(ROUNDS):
            await crowd.heard(chance.randrange(3, 12))
            victim = (ANSWERER, ASKER)[number % 2]
            await asyncio.to_thread(forges[victim].kill)
            wounded = asyncio.to_thread(wounds, lab, victim)
            forges[victim].start()
            assert await wounded == []
            await asyncio.to_thread(forges[victim].await_listening)
        await crowd.heard(3)
        crowd.ended = True
    await _explained(lab)
    sound(lab, crowd)


async def _explained(lab: Lab) -> None:
    """Let the time pass after which nobody waits any more; the asker explains its numbers."""
    shift(lab, shift_of(lab) + LONGEST_LIFE)

    async def explained() -> bool:
        every = (each.event.kind for each in entered(lab, ASKER))
        beside = {LedgerEventKind.ADMINISTERED, LedgerEventKind.CONCLUDED}
        kinds = [each for each in every if each not in beside]
        return kinds.count(LedgerEventKind.ASKED) * 2 == len(kinds)

    await until(explained, "every number has its end")


def sound(lab: Lab, crowd: Crowd) -> None:
    """Compare both ledgers with what was accepted and shown, and with each other."""
    # 1 each verifies
    assert (wounds(lab, ASKER), wounds(lab, ANSWERER)) == ([], [])
    # 2 what was accepted is in both
    asked, answered = entered(lab, ASKER), entered(lab, ANSWERER)
    replies = {(each.event.question_digest, each.event.reply_digest) for each in answered}
    taken = {
        (each.event.question_digest, each.event.reply_digest)
        for each in asked
        if each.event.kind is LedgerEventKind.ACCEPTED
    }
    assert crowd.accepted <= replies & taken
    # 3 none has forked: every head that was ever shown is one of this very history
    roots = roots_of(lab, ANSWERER, {size for _, size, _ in crowd.heads})
    assert {(origin, size): root for origin, size, root in crowd.heads} == {
        (origin, size): roots[size] for origin, size, _ in crowd.heads
    }
    assert len(crowd.heads) > ROUNDS
    # 4 numbers without an unexplained hole
    numbers = [each.event.pair_sequence for each in asked if each.event.kind is LedgerEventKind.ASKED]
    assert numbers == list(range(1, len(numbers) + 1))
    period = Period(asker_member=ASKER, answerer_member=ANSWERER, first=1, last=len(numbers))
    assert {each.difference for each in reconcile(period, asked, answered)} <= {Difference.LOST}
