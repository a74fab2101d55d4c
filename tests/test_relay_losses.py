"""A hub that loses, holds back, replays and bends as it likes: no loss is unnamed, none looks clean (threat 2)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
import worlds
from bundles import AGENCY, NOW, register
from hubs import HUB, REMOTE, SECOND_HUB, Road, World, row
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_asking import intent, open_case, signed
from test_relay import flipped
from worlds_tables import SHANGHAI, USCC

from gateway import federation, wire
from gateway.errors import Refused, Unavailable
from gateway.model.codes import OutcomeState, ResultState
from gateway.model.codes import RefusalReason as R
from gateway.model.combined import CombinedResult, MemberOutcome
from yrdx.exchange.v1 import desk_pb2

Onward = Callable[[bytes], Awaitable[bytes]]
LATE = timedelta(seconds=91)
NAMED = {"UNAVAILABLE", "OVERLOADED", "DATA_LOSS", "EXPIRED", "ANSWERED"}
"""Every outcome of an attempt that these hubs can bring about."""


@dataclass(kw_only=True)
class Mischief:
    """What the hubs of a world do to one message after another; both work together and remember all replies."""

    world: World
    acts: list[str]
    replies: list[bytes] = field(default_factory=list)

    async def road(self, request: bytes, onward: Onward) -> bytes:
        """Do the next act; when there is none left, pass everything on."""
        act = self.acts.pop(0) if self.acts else "pass"
        if act == "drop":
            raise Unavailable("UNAVAILABLE")
        if act == "refuse":
            raise Refused(R.OVERLOADED)
        if act == "hold the question":
            self.pass_time()
        reply = await onward(request)
        self.replies.append(reply)
        return self.given(act, reply)

    def given(self, act: str, reply: bytes) -> bytes:
        """Say what comes back instead of a reply."""
        if act == "lose the reply":
            raise Unavailable("UNAVAILABLE")
        if act == "hold the reply":
            self.pass_time()
        if act == "replay the first":
            return self.replies[0]
        if act == "replay the last":
            return self.replies[-2:][0]
        return flipped(reply, 900) if act == "bend" else reply

    def pass_time(self) -> None:
        """Let so much time go by everywhere that a question expires."""
        self.world.now += LATE
        for node in self.world.nodes.values():
            node.now = self.world.now


ACTS = (
    *("pass", "drop", "refuse", "lose the reply", "hold the question", "hold the reply"),
    *("replay the first", "replay the last", "bend"),
)


def world_of(acts: list[str]) -> World:
    """Make a world of two hubs that do these acts; Anhui knows something adverse of the subject."""

    def edit(found: dict[str, object]) -> None:
        row(found, REMOTE)["via"] = [HUB, SECOND_HUB]

    world = World(edit=edit)
    world.nodes[SHANGHAI].source.rows = {USCC: {"register": [register()]}}
    world.nodes[REMOTE].source.rows = {USCC: {"penalty": [worlds.penalty()]}}
    road: Road = Mischief(world=world, acts=acts).road
    world.to_hub[0] = world.to_second[0] = road
    return world


async def ask(world: World, number: int) -> CombinedResult:
    """Ask Shanghai's desk about Anhui once."""
    shanghai = world.nodes[SHANGHAI]
    wanted = intent(intent_id=bytes([number] * 16), case_reference="C-1", members=(REMOTE,), intend_time=shanghai.now)
    payload = await shanghai.asking.ask(signed(wanted), AGENCY)
    return wire.decode(CombinedResult, desk_pb2.AskMembersResponse.FromString(payload).result.payload)


def anhui(result: CombinedResult) -> MemberOutcome:
    """Give what became of Anhui's question."""
    return next(each for each in result.members if each.member == REMOTE)


def check_named(result: CombinedResult) -> None:
    """Nothing but an answer is read as one: a loss names Anhui and its attempts, and never says 'nothing found'."""
    outcome, (subject,) = anhui(result), result.subjects
    assert {each.outcome for each in outcome.attempts} <= NAMED
    if outcome.state is OutcomeState.ANSWERED:
        assert (subject.state, subject.incomplete_members) == (ResultState.FOUND, ())
        assert outcome.attempts[-1].outcome == "ANSWERED"
    else:
        assert (outcome.state, outcome.reason) == (OutcomeState.UNAVAILABLE, None)
        assert "ANSWERED" not in {each.outcome for each in outcome.attempts}
        assert (subject.state, subject.incomplete_members) == (ResultState.INCOMPLETE, (REMOTE,))


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once."""
    monkeypatch.setattr(federation, "PAUSE_SECONDS", 0.0)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(st.sampled_from(ACTS), max_size=9))
def test_whatever_the_hubs_do_is_an_answer_or_a_silence_that_is_named(acts: list[str]) -> None:
    """Each question has one effect at most, each number is closed, and nobody is cleaner for what got lost."""

    async def run() -> None:
        world = world_of(acts)
        await open_case(world.nodes)
        results = [await ask(world, number) for number in range(3)]
        for each in results:
            check_named(each)
        kept = [each.question_id for each in world.nodes[REMOTE].journal.kept]
        assert len(kept) == len({*kept}) <= len(results)
        closings = world.nodes[SHANGHAI].log.closings
        assert len(closings) == len(results)
        lost = [each for each in results if anhui(each).state is not OutcomeState.ANSWERED]
        assert sum(each.outcome == "VOID" for each in closings) == len(lost)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("acts", "outcomes"),
    [
        (["drop"], ["UNAVAILABLE", "ANSWERED"]),
        (["refuse"], ["OVERLOADED", "ANSWERED"]),
        (["lose the reply", "lose the reply"], ["UNAVAILABLE", "UNAVAILABLE", "ANSWERED"]),
        (["bend"], ["DATA_LOSS", "ANSWERED"]),
        (["hold the reply"], ["DATA_LOSS", "EXPIRED", "EXPIRED"]),
        (["hold the question"], ["EXPIRED", "EXPIRED", "EXPIRED"]),
        (["drop", "drop", "drop"], ["UNAVAILABLE"] * 3),
    ],
)
async def test_each_loss_has_its_name(acts: list[str], outcomes: list[str]) -> None:
    """One loss is mended by another way, three are silence, and what is late is no answer, then or ever."""
    world = world_of(acts)
    await open_case(world.nodes)
    result = await ask(world, 1)
    check_named(result)
    assert [each.outcome for each in anhui(result).attempts] == outcomes


async def test_the_answer_to_an_earlier_question_is_nobodys() -> None:
    """A hub that replays a reply that was good once gives no answer, although nothing in it was altered."""
    world = world_of(["pass", *["replay the first"] * 3])
    await open_case(world.nodes)
    assert anhui(await ask(world, 1)).state is OutcomeState.ANSWERED
    second = await ask(world, 2)
    check_named(second)
    assert [each.outcome for each in anhui(second).attempts] == ["DATA_LOSS"] * 3
    assert world.now == NOW
