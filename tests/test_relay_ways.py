"""Several hubs: which ways there are, and how a question goes another way when a hub fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from bundles import NOW
from hubs import HUB, REMOTE, SECOND_HUB, Road, World, charter, hub_row, row
from hypothesis import given
from hypothesis import strategies as st
from test_asking import ask, intent
from test_relay import flipped, question, sealed_of
from worlds_tables import SHANGHAI

from gateway import federation
from gateway.errors import Refused, Unavailable
from gateway.exchange.accept import accept
from gateway.exchange.permit import permit
from gateway.exchange.routing import hubs, may_relay, routing_of, ways
from gateway.federation import request_bytes
from gateway.model.codes import OutcomeState
from gateway.model.codes import RefusalReason as R
from gateway.relay import AVOIDED_SECONDS, RelayedMember

Document = dict[str, Any]
Onward = Callable[[bytes], Awaitable[bytes]]
THIRD_HUB, FOURTH_HUB = "900002", "900003"
HUBS = (HUB, SECOND_HUB, THIRD_HUB, FOURTH_HUB)


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once."""
    monkeypatch.setattr(federation, "PAUSE_SECONDS", 0.0)


def via(ours: list[str], theirs: list[str], stopped: list[str] | None = None) -> Callable[[Document], None]:
    """Say by way of which hubs Shanghai and Anhui are reached, and which of them are suspended."""

    def edit(found: Document) -> None:
        found["members"] += [hub_row(THIRD_HUB), hub_row(FOURTH_HUB)]
        row(found, SHANGHAI)["via"], row(found, REMOTE)["via"] = ours, theirs
        for each in stopped or ():
            row(found, each)["suspended"] = True

    return edit


# Which ways there are


@pytest.mark.parametrize(
    ("ours", "theirs", "stopped", "found"),
    [
        ([], [], [], ()),
        ([], [HUB], [], ((HUB,),)),
        ([], [HUB, SECOND_HUB], [], ((HUB,), (SECOND_HUB,))),
        ([HUB, SECOND_HUB], [], [], ((HUB,), (SECOND_HUB,))),
        ([HUB], [HUB], [], ((HUB,),)),
        ([HUB], [SECOND_HUB], [], ((HUB, SECOND_HUB),)),
        ([HUB, SECOND_HUB], [SECOND_HUB], [], ((SECOND_HUB,), (HUB, SECOND_HUB))),
        (
            [HUB, SECOND_HUB],
            [SECOND_HUB, THIRD_HUB],
            [],
            ((SECOND_HUB,), (HUB, THIRD_HUB), (HUB, SECOND_HUB), (SECOND_HUB, THIRD_HUB)),
        ),
        (
            [HUB, SECOND_HUB],
            [THIRD_HUB, FOURTH_HUB],
            [],
            ((HUB, THIRD_HUB), (SECOND_HUB, FOURTH_HUB), (HUB, FOURTH_HUB), (SECOND_HUB, THIRD_HUB)),
        ),
        ([], [HUB, SECOND_HUB], [HUB], ((SECOND_HUB,),)),
        ([], [HUB], [HUB], ()),
    ],
)
def test_the_ways_are_what_the_directory_names(
    ours: list[str], theirs: list[str], stopped: list[str], found: tuple[tuple[str, ...], ...]
) -> None:
    """None, one hub of either end, a common one first, one of each end; the second shares no hub with the first."""
    held = charter(SHANGHAI, via(ours, theirs, stopped))
    assert ways(held, REMOTE, NOW) == found
    assert {*hubs(held, REMOTE, NOW)} == {hub for way in found for hub in way}
    assert (ways(held, SHANGHAI, NOW), hubs(held, SHANGHAI, NOW)) == ((), ())


NAMED = st.lists(st.sampled_from(HUBS), unique=True)


@given(ours=NAMED, theirs=NAMED)
def test_every_way_may_be_gone_in_both_directions(ours: list[str], theirs: list[str]) -> None:
    """No way stands there twice, none passes a hub twice, and the directory allows each there and back."""
    held = charter(SHANGHAI, via(ours, theirs))
    found = ways(held, REMOTE, NOW)
    assert len({*found}) == len(found)
    assert bool(found) == bool(ours or theirs)
    for way in found:
        routing = routing_of(question().question.header, way)
        assert len({*way}) == len(way)
        assert may_relay(held.directory, routing)
        assert may_relay(held.directory, routing.back(NOW))


# A hub that fails


async def down(_request: bytes, _onward: Onward) -> bytes:
    """Be a hub that is not there."""
    raise Unavailable("UNAVAILABLE")


async def overloaded(_request: bytes, _onward: Onward) -> bytes:
    """Be a hub with too much to do."""
    raise Refused(R.OVERLOADED)


async def bending(request: bytes, onward: Onward) -> bytes:
    """Be a hub that alters replies."""
    return flipped(await onward(request), 900)


async def forgetting(request: bytes, onward: Onward) -> bytes:
    """Be a hub that loses replies."""
    await onward(request)
    raise Unavailable("DEADLINE_EXCEEDED")


BOTH = via([], [HUB, SECOND_HUB])
FAILING = [
    (down, "UNAVAILABLE"),
    (overloaded, "OVERLOADED"),
    (bending, "DATA_LOSS"),
    (forgetting, "DEADLINE_EXCEEDED"),
]


@pytest.mark.parametrize(("road", "named"), FAILING)
async def test_a_hub_that_fails_is_replaced_within_the_question(road: Road, named: str) -> None:
    """The same signed bytes go by the second hub, sealed anew; one question has one effect, and both tries are told."""
    world = World(edit=BOTH)
    world.to_hub[0] = road
    seen: list[bytes] = []

    async def watched(request: bytes, onward: Onward) -> bytes:
        seen.append(request)
        return await onward(request)

    world.to_second[0] = watched
    result = await ask(world.nodes, intent())
    anhui = next(each for each in result.members if each.member == REMOTE)
    assert anhui.state is OutcomeState.ANSWERED
    assert [each.outcome for each in anhui.attempts] == [named, "ANSWERED"]
    (kept,) = world.nodes[REMOTE].journal.kept
    (sent,) = [each for each in world.nodes[SHANGHAI].log.sent if each.question.header.answerer_member == REMOTE]
    assert (kept.question_bytes, sent.question.header.relays) == (request_bytes(sent), (HUB, SECOND_HUB))
    assert sealed_of(seen[0]).routing == routing_of(sent.question.header, (SECOND_HUB,))


async def test_when_every_hub_fails_it_is_silence_that_is_named() -> None:
    """Each attempt goes another way, and no more attempts are made than the limits say."""
    world = World(edit=BOTH)
    world.to_hub[0], world.to_second[0] = down, overloaded
    result = await ask(world.nodes, intent())
    anhui = next(each for each in result.members if each.member == REMOTE)
    assert anhui.state is OutcomeState.UNAVAILABLE
    assert [each.outcome for each in anhui.attempts] == ["UNAVAILABLE", "OVERLOADED", "UNAVAILABLE"]
    assert result.subjects[0].incomplete_members == (REMOTE,)


@dataclass(kw_only=True)
class Silent:
    """A hub that takes a message and says nothing until its time is over."""

    given: list[float] = field(default_factory=list)

    async def relay(self, _request: bytes, seconds: float) -> bytes:
        """Keep how long it was waited for."""
        self.given.append(seconds)
        raise Unavailable("DEADLINE_EXCEEDED")


def asker(world: World, hops: dict[str, Any]) -> RelayedMember:
    """Ask by way of other hubs than the world's."""
    return RelayedMember(hops.get, world.post(SHANGHAI), world.ring(SHANGHAI))


async def in_vain(asked: RelayedMember, seconds: float, named: str = "DEADLINE_EXCEEDED") -> None:
    """Ask once and hear nothing."""
    with pytest.raises(Unavailable, match=named):
        await asked.ask(request_bytes(question(edit=BOTH)), seconds)


async def test_a_hub_that_hangs_takes_its_share_of_the_time_and_no_more() -> None:
    """With another way half of the time is left for it; the last way has all that is left."""
    first, second = Silent(), Silent()
    asked = asker(World(edit=BOTH), {HUB: first, SECOND_HUB: second})
    await in_vain(asked, 6.0)
    await in_vain(asked, 3.0)
    assert (first.given, second.given) == ([3.0], [3.0])


async def test_a_way_has_no_smaller_share_than_an_attempt() -> None:
    """Of four hubs three may be tried: a third of the time each."""
    silent, edit = Silent(), via([], [*HUBS])
    asked = asker(World(edit=edit), dict.fromkeys(HUBS, silent))
    with pytest.raises(Unavailable):
        await asked.ask(request_bytes(question(edit=edit)), 6.0)
    assert silent.given == [2.0]


async def test_a_hub_that_failed_is_avoided_for_a_while() -> None:
    """The next questions begin with the other; when both have failed, the first to fail goes first."""
    world, first, second = World(edit=BOTH), Silent(), Silent()
    asked = asker(world, {HUB: first, SECOND_HUB: second})
    for ticks in (0.0, 1.0, 2.0, 3.0):
        world.ticks = ticks
        await in_vain(asked, 4.0)
    assert (first.given, second.given) == ([2.0, 4.0], [4.0, 4.0])
    world.ticks = 3.0 + AVOIDED_SECONDS
    await in_vain(asked, 4.0)
    assert first.given == [2.0, 4.0, 2.0]


async def test_a_hub_without_an_address_is_passed_over() -> None:
    """The next attempt goes by the other hub."""
    asked = asker(World(edit=BOTH), {SECOND_HUB: Silent()})
    await in_vain(asked, 4.0, "NO_ENDPOINT")
    await in_vain(asked, 4.0)


async def test_a_hub_that_the_header_does_not_name_is_no_way() -> None:
    """The signed question bounds the ways: what the directory adds afterwards stays out, what it takes away goes."""
    world, silent = World(edit=via([], [SECOND_HUB])), Silent()
    asked = asker(world, dict.fromkeys(HUBS, silent))
    with pytest.raises(Unavailable, match="NO_ENDPOINT"):
        await asked.ask(request_bytes(question()), 4.0)
    world.nodes[SHANGHAI].charter = charter(SHANGHAI, via([], [HUB], [HUB]))
    with pytest.raises(Unavailable, match="NO_ENDPOINT"):
        await asked.ask(request_bytes(question(edit=BOTH)), 4.0)
    assert silent.given == []


async def test_both_hubs_carry_one_answer() -> None:
    """A reply that the first lost comes back by the second as it was signed, and verifies."""
    world, asked = World(edit=BOTH), question(edit=BOTH)
    world.to_hub[0] = forgetting
    with pytest.raises(Unavailable):
        await world.asker.ask(request_bytes(asked), 5)
    reply = await world.asker.ask(request_bytes(asked), 5)
    (kept,) = world.nodes[REMOTE].journal.kept
    assert reply.payload.startswith(kept.reply.payload)
    held = charter(SHANGHAI, BOTH)
    assert accept(reply.payload, asked, permit(asked.question, charter=held, now=NOW).grant, held, NOW).member == REMOTE
