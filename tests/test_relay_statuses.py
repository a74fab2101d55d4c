"""Statuses of authorisations by way of a hub: a home member without a route of its own vouches as any other does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from bundles import AGENCY, NOW, SIGNERS
from hubs import HUB, REMOTE, World, charter
from worlds_tables import JIANGSU, PURPOSE, SHANGHAI, USCC

from gateway import carriers, wire
from gateway.carriers import SealedText
from gateway.errors import Refused, Unavailable
from gateway.exchange.routing import routing_of_statuses
from gateway.exchange.sealing import TYPE, open_reply, seal
from gateway.exchange.vouching import open_request, write_request
from gateway.model.codes import RefusalReason as R
from gateway.model.consent import AskedQuestion, StatusRequest
from gateway.model.sealed import Sealed
from keys.envelope import Envelope, sign

Onward = Callable[[bytes], Awaitable[bytes]]
REQUEST = StatusRequest(
    use_id=bytes([7]) * 16,
    asker_member=SHANGHAI,
    home_member=REMOTE,
    ask_time=NOW,
    agency=AGENCY,
    purpose=PURPOSE,
    kind="summary",
    subjects=(USCC,),
    questions=(AskedQuestion(answerer_member=JIANGSU, question_id=bytes([8]) * 16),),
)
STATUS = sign("application/vnd.yrdx.test", b"a status", SIGNERS[REMOTE])


def request(**changes: object) -> Envelope:
    """Sign a request of Shanghai's."""
    return write_request(replace(REQUEST, **changes), SIGNERS[SHANGHAI])  # type: ignore[arg-type]  # by its name


def home(world: World, found: tuple[Envelope, ...] = (STATUS,)) -> list[StatusRequest]:
    """Have Anhui vouch for what is genuine; give what it heard."""
    heard: list[StatusRequest] = []

    async def vouch(envelope: Envelope, peer: str) -> tuple[Envelope, ...]:
        node = world.nodes[REMOTE]
        heard.append(open_request(envelope, peer=peer, charter=node.charter, now=node.now)[0])
        return found

    world.home = vouch
    return heard


@pytest.mark.parametrize("found", [(), (STATUS,), (STATUS, STATUS)])
async def test_statuses_come_by_way_of_the_hub(found: tuple[Envelope, ...]) -> None:
    """The home hears the signed request as it was written, and the asker gets what it vouches for; the hub none."""
    world = World()
    heard = home(world, found)
    assert await world.asker.statuses(request(), 5) == found
    assert heard == [REQUEST]
    for message in world.seen:
        sealed = carriers.read_relay(message)
        assert (sealed.payload_type, USCC.encode() in message, b"a status" in message) == (TYPE, False, False)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"purpose": "NONE"}, R.PURPOSE_NOT_ALLOWED), ({"agency": "none"}, R.AGENCY_NOT_ALLOWED)],
)
async def test_a_homes_reason_comes_back_sealed(changes: dict[str, str], reason: R) -> None:
    """What the home refuses is no silence: the asker has the reason, and the hub an answer like any other."""
    world = World()
    home(world)
    with pytest.raises(Refused) as refused:
        await world.asker.statuses(request(**changes), 5)
    assert refused.value.reason is reason
    assert [each.outcome for each in world.hub_events] == ["RELAYED"]


async def test_a_request_of_another_member_is_not_believed() -> None:
    """The home believes a request only of the member that signed and sealed it."""
    world = World()
    heard = home(world)
    another = write_request(REQUEST, SIGNERS[JIANGSU])
    with pytest.raises(Refused, match="BAD_SIGNATURE"):
        await world.asker.statuses(another, 5)
    assert heard == []


async def test_silence_is_tried_again_with_the_same_bytes() -> None:
    """A message that a hub loses is UNAVAILABLE; the same request goes again and is the same use."""
    world = World()
    lost: list[bytes] = []
    heard = home(world)

    async def lose(message: bytes, onward: Onward) -> bytes:
        if not lost:
            lost.append(message)
            raise Unavailable("DEADLINE_EXCEEDED")
        return await onward(message)

    world.to_hub[0] = lose
    asked = request()
    with pytest.raises(Unavailable):
        await world.asker.statuses(asked, 5)
    assert await world.asker.statuses(asked, 5) == (STATUS,)
    assert heard == [REQUEST]


def told(text: SealedText) -> Callable[[bytes, Onward], Awaitable[bytes]]:
    """Have the home reply with something else, sealed and signed as its replies are."""

    async def road(message: bytes, _onward: Onward) -> bytes:
        asked = wire.decode(Sealed, carriers.read_relay(message).payload).routing
        return seal(text, asked.back(NOW), charter=charter(REMOTE), signer=SIGNERS[REMOTE], now=NOW)

    return road


FALSE = {
    "about a question": (SealedText(payload=carriers.write_statuses(())), "DATA_LOSS"),
    "no response": (SealedText(payload=b"\xff", statuses=True), "MALFORMED"),
    "no reason": (SealedText(payload=b"WHY", refused=True, statuses=True), "MALFORMED"),
    "no text": (SealedText(payload=b"\xff", refused=True, statuses=True), "MALFORMED"),
}


@pytest.mark.parametrize(("text", "status"), FALSE.values(), ids=FALSE)
async def test_a_reply_that_is_none_is_silence(text: SealedText, status: str) -> None:
    """An answer to a question, torn bytes or a reason that nobody knows count as no reply."""
    world = World()
    world.to_member[0] = told(text)
    with pytest.raises(Unavailable, match=status):
        await world.asker.statuses(request(), 5)


async def test_a_sealed_request_that_is_torn_is_refused_by_name() -> None:
    """What opens and is no GetStatusesRequest is MALFORMED; nobody vouches."""
    world = World()
    heard = home(world)
    held, ring = charter(SHANGHAI), world.ring(SHANGHAI)
    way = routing_of_statuses(REQUEST, (HUB,), suite=SIGNERS[SHANGHAI].suite, life=60)
    torn = seal(SealedText(payload=b"\xff", statuses=True), way, charter=held, signer=SIGNERS[SHANGHAI], now=NOW)
    reply = open_reply(await world.hub.relay(torn, SHANGHAI, 5), way, ring.openers(), held, NOW, statuses=True)
    assert (reply.refused, reply.payload, heard) == (True, b"MALFORMED", [])


async def test_a_member_without_a_hub_has_no_way() -> None:
    """A home that no hub serves is asked directly; by way of a hub it is unreachable."""
    with pytest.raises(Unavailable, match="NO_ENDPOINT"):
        await World().asker.statuses(request(home_member=JIANGSU), 5)
