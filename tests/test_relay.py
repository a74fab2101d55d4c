"""By way of a hub: what it passes on, what it cannot read, what is refused, and what a loss becomes (threats 1, 2)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import worlds
from bundles import AGENCY, NOW, SIGNERS, entropy, register
from hubs import HUB, HUB_SIGNER, OLD_OPENER, OPENERS, REMOTE, SECOND_HUB, World, charter, hub_row, key_row, row
from test_asking import ask, intent, open_case, signed
from worlds_tables import AGREEMENT, JIANGSU, SHANGHAI, USCC

from gateway import carriers, wire
from gateway.carriers import SealedText
from gateway.errors import Refused, Unavailable
from gateway.exchange.accept import accept, accept_refusal
from gateway.exchange.compose import Inquiry, compose
from gateway.exchange.permit import permit
from gateway.exchange.routing import routing_of
from gateway.exchange.sealing import FRAME_BYTES, REQUEST_BYTES, TYPE, check_outer, open_reply, seal, unseal
from gateway.federation import request_bytes
from gateway.limits import SIZE_CLASSES
from gateway.model.answer import Answer
from gateway.model.codes import OutcomeState, ResultState, Window
from gateway.model.codes import RefusalReason as R
from gateway.model.combined import CombinedResult
from gateway.model.question import NamedSubject, SummaryQuestion
from gateway.model.sealed import Routing, Sealed
from gateway.model.signed import Signed
from keys import seal as sealer
from keys.directory import Directory
from keys.envelope import Signature, sign
from keys.errors import BundleMalformed, KeysError, WeakKey
from keys.seal import OVERHEAD, Context
from yrdx.exchange.v1 import desk_pb2

Document = dict[str, Any]
MANY = 40
SECOND = timedelta(seconds=1)


def question(
    kind: str = "summary", to: str = REMOTE, edit: Callable[[Document], None] | None = None, **changes: Any
) -> Signed:
    """Compose a question of Shanghai, under the directory or what a test makes of it."""
    inquiry = Inquiry(
        intent=intent(kind, **changes), intent_digest=bytes(32), agreement_id=AGREEMENT, case_subject_count=0
    )
    held = charter(SHANGHAI, edit)
    return compose(inquiry, to, 1, question_id=entropy(16), charter=held, signer=SIGNERS[SHANGHAI], now=NOW)


def sealed_of(payload: bytes) -> Sealed:
    """Read an outer layer without checking it."""
    return wire.decode(Sealed, carriers.read_relay(payload).payload)


def resealed(payload: bytes, member: str = SHANGHAI, **changes: Any) -> bytes:
    """Change an outer layer's routing or itself, and sign it as a member."""
    found = sealed_of(payload)
    outer = {name: changes.pop(name) for name in ("key_id", "ciphertext") if name in changes}
    changed = replace(found, routing=replace(found.routing, **changes), **outer)
    signer = HUB_SIGNER if member == HUB else SIGNERS[member]
    return carriers.write_relay(sign(TYPE, wire.encode(changed), signer))


def outgoing(asked: Signed | None = None, **changes: Any) -> bytes:
    """Seal a question of Shanghai to Anhui, as it goes to the hub."""
    asked = asked or question()
    routing = replace(routing_of(asked.question.header, (HUB,)), **changes)
    message = SealedText(payload=request_bytes(asked))
    return seal(message, routing, charter=charter(SHANGHAI), signer=SIGNERS[SHANGHAI], now=NOW)


async def reason_of(asked: Awaitable[object]) -> R | None:
    """Name the reason of a refusal, or nothing."""
    try:
        await asked
    except Refused as error:
        return error.reason
    return None


# The way there and back


async def test_a_question_and_its_answer_go_by_way_of_the_hub() -> None:
    """Anhui's answer verifies as if it had come directly; the journal keeps the inner bytes as they were signed."""
    world, asked = World(), question()
    world.nodes[REMOTE].source.rows = {USCC: {"penalty": [worlds.penalty()]}}
    reply = await world.asker.ask(request_bytes(asked), 5)
    grant = permit(asked.question, charter=charter(SHANGHAI), now=NOW).grant
    accepted = accept(reply.payload, asked, grant, charter(SHANGHAI), NOW)
    assert (accepted.member, accepted.items[0].state.value) == (REMOTE, "FOUND")
    (kept,) = world.nodes[REMOTE].journal.kept
    assert kept.question_bytes == request_bytes(asked)
    assert reply.payload.startswith(kept.reply.payload)
    assert [(each.side, each.outcome, each.peer) for each in world.hub_events] == [("relay", "RELAYED", SHANGHAI)]
    assert [each.peer for each in world.nodes[REMOTE].events] == [HUB]


async def test_four_members_are_asked_and_one_is_relayed() -> None:
    """The desk's result is the same whether a member is asked directly or by way of a hub."""
    world = World()
    world.nodes[SHANGHAI].source.rows = {USCC: {"register": [register()]}}
    result = await ask(world.nodes, intent())
    assert result.subjects[0].state is ResultState.NOT_FOUND
    (header,) = [
        each.question.header
        for each in world.nodes[SHANGHAI].log.sent
        if each.question.header.answerer_member == REMOTE
    ]
    assert header.relays == (HUB,)
    assert len(world.hub_events) == 1


async def test_a_refusal_comes_back_sealed_and_signed() -> None:
    """What Anhui itself refuses is its own signed word, and the hub cannot tell it from an answer."""
    world, asked = World(), question(purpose="NONE")
    reply = await world.asker.ask(request_bytes(asked), 5)
    assert reply.refused
    assert accept_refusal(reply.payload, asked, charter(SHANGHAI), NOW).reason is R.PURPOSE_NOT_ALLOWED
    await world.asker.ask(request_bytes(question()), 5)
    refused, answered = world.seen[1], world.seen[3]
    assert [each.outcome for each in world.hub_events] == ["RELAYED", "RELAYED"]
    assert wire.decode(Sealed, carriers.read_relay(refused).payload).routing.sender_member == REMOTE
    assert sealed_of(refused).routing.relays == sealed_of(answered).routing.relays


async def test_a_retry_gets_the_stored_reply() -> None:
    """The same question sealed twice has one effect and one answer."""
    world, asked = World(), question()
    first, second = [await world.asker.ask(request_bytes(asked), 5) for _ in range(2)]
    assert first == second
    assert len(world.nodes[REMOTE].journal.kept) == 1
    assert world.seen[0] != world.seen[2]


async def test_the_hub_sees_no_subject_and_no_purpose() -> None:
    """Neither code, name, purpose, agency, officer, item, case nor agreement stands in what passes (threats 1, 14)."""
    world = World()
    named = (NamedSubject(uscc=USCC, name="标记QZXM"),)
    asked = question(body=SummaryQuestion(subjects=named, window=Window.M36))
    await world.asker.ask(request_bytes(asked), 5)
    header = asked.question.header
    words = [
        *(header.purpose, header.asker_agency, header.officer, header.application_item, header.agreement_id),
        *(USCC, "标记QZXM"),
    ]
    for each in world.seen:
        assert not [word for word in words if word.encode() in each]
        assert header.question_id in each


@pytest.mark.parametrize("found", [False, True])
async def test_sealed_texts_fill_a_size_class(*, found: bool) -> None:
    """Found or not, one name or none: the ciphertext's size is that of a class and tells no more (threat 14)."""
    world, sizes = World(), {size + FRAME_BYTES + OVERHEAD for size in SIZE_CLASSES}
    if found:
        world.nodes[REMOTE].source.rows = {USCC: {"penalty": [worlds.penalty(domain="TAX"), worlds.penalty()]}}
    for name in (None, "一" * 40):
        body = SummaryQuestion(subjects=(NamedSubject(uscc=USCC, name=name),), window=Window.M36)
        await world.asker.ask(request_bytes(question(body=body)), 5)
    kept = [len(sealed_of(each).ciphertext) for each in world.seen]
    assert set(kept) <= sizes
    assert kept[:2] == kept[2:]
    assert kept[1] == (4 << 10) + FRAME_BYTES + OVERHEAD


# What a hop refuses


def flipped(payload: bytes, bit: int) -> bytes:
    """Flip a bit."""
    torn = bytearray(payload)
    torn[bit // 8] ^= 1 << bit % 8
    return bytes(torn)


async def test_a_flip_of_any_byte_is_refused_on_both_ways() -> None:
    """Whatever byte changes, before the hub, behind it or on the way back: no answer, and no effect at Anhui."""
    world = World(edit=lambda found: found["limits"].update(relayed_per_second=1_000_000))
    request = outgoing()
    for place in range(len(request)):
        torn = flipped(request, 8 * place + place % 8)
        assert await reason_of(world.hub.relay(torn, SHANGHAI, 5)) is not None, place
        assert await reason_of(world.answering.relay(torn, HUB, 5)) is not None, place
    assert world.nodes[REMOTE].journal.kept == []
    asked = sealed_of(request).routing
    reply = await world.hub.relay(request, SHANGHAI, 5)
    own = world.ring(SHANGHAI).openers()
    for place in range(len(reply)):
        with pytest.raises(Refused):
            open_reply(flipped(reply, 8 * place + place % 8), asked, own, charter(SHANGHAI), NOW)
    assert not open_reply(reply, asked, own, charter(SHANGHAI), NOW).refused


async def test_a_hub_that_alters_a_reply_is_caught_and_counts_as_silence() -> None:
    """A changed reply is DATA_LOSS to the asker, never an answer."""
    world = World()

    async def bent(request: bytes, onward: Callable[[bytes], Awaitable[bytes]]) -> bytes:
        return flipped(await onward(request), 900)

    world.to_hub[0] = bent
    with pytest.raises(Unavailable, match="DATA_LOSS"):
        await world.asker.ask(request_bytes(question()), 5)


async def test_a_reply_that_is_bent_before_the_hub_is_silence_to_the_asker() -> None:
    """The hub gives a reply back as it came; whoever asked checks it."""
    world = World()

    async def bent(request: bytes, onward: Callable[[bytes], Awaitable[bytes]]) -> bytes:
        return flipped(await onward(request), 900)

    world.to_member[0] = bent
    with pytest.raises(Unavailable, match="DATA_LOSS"):
        await world.asker.ask(request_bytes(question()), 5)


OUTER: dict[str, tuple[dict[str, Any], R]] = {
    "no relay": ({"relays": ()}, R.MALFORMED),
    "a relay twice": ({"relays": (HUB, HUB)}, R.MALFORMED),
    "a short id": ({"question_id": bytes(15)}, R.MALFORMED),
    "another sender": ({"sender_member": JIANGSU}, R.BAD_SIGNATURE),
    "a relay that is no hub": ({"relays": (JIANGSU,)}, R.WRONG_AUDIENCE),
    "a relay more that is no hub": ({"relays": (HUB, JIANGSU)}, R.BAD_SIGNATURE),
    "a hub that nobody named": ({"relays": (HUB, SECOND_HUB)}, R.BAD_SIGNATURE),
    "a hub before that is not the peer": ({"relays": (SECOND_HUB, HUB)}, R.BAD_SIGNATURE),
    "an unknown recipient": ({"recipient_member": "999999"}, R.UNKNOWN_MEMBER),
    "a recipient that needs no hub": ({"recipient_member": JIANGSU}, R.BAD_SIGNATURE),
    "the hub as recipient": ({"relays": (SECOND_HUB,), "recipient_member": HUB}, R.BAD_SIGNATURE),
    "another suite": ({"suite": "YRDX-SM-1"}, R.KEY_NOT_VALID),
    "too long a life": ({"expire_time": NOW + 61 * SECOND}, R.EXPIRED),
    "not yet sent": ({"send_time": NOW + 31 * SECOND}, R.EXPIRED),
    "long expired": ({"send_time": NOW - 91 * SECOND, "expire_time": NOW - 31 * SECOND}, R.EXPIRED),
}


@pytest.mark.parametrize("name", OUTER)
async def test_a_wrong_outer_layer_has_its_reason_at_the_hub(name: str) -> None:
    """Each change of the routing, signed by Shanghai itself, is refused by the hub and goes no further."""
    changes, reason = OUTER[name]
    world = World()
    assert await reason_of(world.hub.relay(resealed(outgoing(), **changes), SHANGHAI, 5)) is reason
    assert world.nodes[REMOTE].events == []
    assert [(each.outcome, each.reason) for each in world.hub_events] == [("REFUSED", reason.value)]


async def test_a_hub_answers_nothing() -> None:
    """What names the hub itself as its end is not for it."""

    def both(found: Document) -> None:
        row(found, REMOTE)["via"] = [HUB, SECOND_HUB]
        row(found, SHANGHAI)["via"] = [SECOND_HUB]

    world = World(edit=both)
    payload = resealed(outgoing(), relays=(SECOND_HUB,), recipient_member=HUB)
    assert await reason_of(world.hub.relay(payload, SECOND_HUB, 5)) is R.WRONG_AUDIENCE


async def test_a_member_passes_nothing_on() -> None:
    """A member that is no hub refuses what another should open."""
    world = World()
    payload = resealed(outgoing(), relays=(HUB, REMOTE), recipient_member=JIANGSU)
    assert await reason_of(world.answering.relay(payload, HUB, 5)) is R.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda found: row(found, SHANGHAI).update(suspended=True), R.SUSPENDED),
        (lambda found: row(found, HUB).update(suspended=True), R.SUSPENDED),
        (lambda found: row(found, REMOTE).update(suspended=True), R.SUSPENDED),
        (lambda found: row(found, REMOTE).update(via=[]), R.BAD_SIGNATURE),
        (lambda found: row(found, SHANGHAI)["keys"][0].update(use="ledger"), R.KEY_NOT_VALID),
        (lambda found: found.update(expire_time="2026-03-10T04:00:00Z"), R.STALE_BUNDLE),
    ],
)
async def test_what_the_directory_stops_is_not_relayed(edit: Callable[[Document], None], reason: R) -> None:
    """A suspended end or hub, a hub that is no longer named, a key of another use, an expired directory."""
    request = outgoing()
    assert await reason_of(World(edit=edit).hub.relay(request, SHANGHAI, 5)) is reason


async def test_sizes_types_and_torn_bytes_are_refused_before_any_cryptography() -> None:
    """A flood of bytes, another payload type and torn bytes have their own reasons (threat 16)."""
    hub, request = World().hub, outgoing()
    envelope = carriers.read_relay(request)
    other = carriers.write_relay(sign(wire.PAYLOAD_TYPES[Answer], envelope.payload, SIGNERS[SHANGHAI]))
    odd = carriers.write_relay(sign(TYPE, envelope.payload + b"\xa2\x06\x01x", SIGNERS[SHANGHAI]))
    forged = carriers.write_relay(
        replace(envelope, signatures=(Signature(key_id=SIGNERS[SHANGHAI].id, signature=b"x"),))
    )
    for payload, reason in (
        (bytes(REQUEST_BYTES + 1), R.TOO_LARGE),
        (request[:-1], R.MALFORMED),
        (other, R.WRONG_TYPE),
        (odd, R.MALFORMED),
        (forged, R.BAD_SIGNATURE),
    ):
        assert await reason_of(hub.relay(payload, SHANGHAI, 5)) is reason


async def test_another_peer_may_not_hand_it_in() -> None:
    """Only the hop before this one may hand a message in: neither another member nor the sender behind the hub."""
    world, request = World(), outgoing()
    assert await reason_of(world.hub.relay(request, JIANGSU, 5)) is R.BAD_SIGNATURE
    assert await reason_of(world.answering.relay(request, SHANGHAI, 5)) is R.BAD_SIGNATURE


async def test_a_flood_of_one_peer_leaves_the_other_its_pace() -> None:
    """A peer has so many messages a second; what is too many is OVERLOADED, before any cryptography."""
    world = World(edit=lambda found: found["limits"].update(relayed_per_second=2))
    request = outgoing()
    for _ in range(2):
        assert await reason_of(world.hub.relay(request, SHANGHAI, 5)) is None
    assert await reason_of(world.hub.relay(request, SHANGHAI, 5)) is R.OVERLOADED
    assert await reason_of(world.hub.relay(request, JIANGSU, 5)) is R.BAD_SIGNATURE
    world.ticks += 0.5
    assert await reason_of(world.hub.relay(request, SHANGHAI, 5)) is None
    assert await reason_of(world.hub.relay(request, SHANGHAI, 5)) is R.OVERLOADED


async def test_a_hub_works_for_a_peer_on_so_many_messages_at_once() -> None:
    """What waits for a slow member does not fill the hub: one message more is OVERLOADED, another peer's is not."""
    world, held = World(edit=lambda found: found["limits"].update(in_flight=1)), asyncio.Event()

    async def slow(request: bytes, onward: Callable[[bytes], Awaitable[bytes]]) -> bytes:
        await held.wait()
        return await onward(request)

    world.to_member[0] = slow
    first = asyncio.create_task(world.hub.relay(outgoing(), SHANGHAI, 5))
    await asyncio.sleep(0)
    assert await reason_of(world.hub.relay(outgoing(), SHANGHAI, 5)) is R.OVERLOADED
    assert await reason_of(world.hub.relay(outgoing(), JIANGSU, 5)) is R.BAD_SIGNATURE
    held.set()
    assert await first
    assert await reason_of(world.hub.relay(outgoing(), SHANGHAI, 5)) is None


# What the answerer refuses inside


@pytest.mark.parametrize(
    "changes",
    [
        {"relays": (HUB, SECOND_HUB)},
        {"question_id": bytes(16)},
        {"send_time": NOW + SECOND},
        {"expire_time": NOW + 59 * SECOND},
    ],
)
async def test_the_question_must_say_the_way_that_it_came(changes: dict[str, Any]) -> None:
    """Step 6: where the sealed layer and the signed header differ in anything, the question is refused, sealed."""
    asked = question()

    def named(found: Document) -> None:
        row(found, REMOTE)["via"] = [HUB, SECOND_HUB]

    world = World(edit=named)
    routing = replace(routing_of(asked.question.header, (HUB,)), **changes)
    held = world.nodes[SHANGHAI].charter
    request = seal(SealedText(payload=request_bytes(asked)), routing, charter=held, signer=SIGNERS[SHANGHAI], now=NOW)
    payload = await world.answering.relay(request, routing.relays[-1], 5)
    sealed = check_outer(payload, peer=HUB, charter=held, now=NOW)
    reply = unseal(sealed, world.ring(SHANGHAI).openers(), held, NOW)
    assert accept_refusal(reply.payload, asked, held, NOW).reason is R.BAD_SIGNATURE


async def test_a_relayed_question_is_refused_at_the_direct_door_and_the_other_way_round() -> None:
    """A question that names a relay must come sealed; one that names none must come from its signer."""
    world = World()
    reply = await world.nodes[REMOTE].answering.ask(request_bytes(question()), SHANGHAI)
    assert reply.refused
    direct = question(to=JIANGSU)
    reply = await world.nodes[JIANGSU].answering.ask(
        request_bytes(direct), HUB, replace(routing_of(direct.question.header, (HUB,)), relays=(HUB,))
    )
    assert accept_refusal(reply.payload, direct, charter(SHANGHAI), NOW).reason is R.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"key_id": OPENERS[SHANGHAI].id}, R.KEY_NOT_VALID),
        ({"key_id": OLD_OPENER.id}, R.MALFORMED),
        ({"ciphertext": bytes(100)}, R.MALFORMED),
        ({"ciphertext": b""}, R.MALFORMED),
        ({"question_id": bytes(16)}, R.MALFORMED),
    ],
)
async def test_what_does_not_open_is_refused(changes: dict[str, Any], reason: R) -> None:
    """A key that is not Anhui's, the other of its keys, other bytes, another question's: nothing is read."""
    world = World()
    assert await reason_of(world.answering.relay(resealed(outgoing(), **changes), HUB, 5)) is reason
    assert [(each.outcome, each.reason) for each in world.nodes[REMOTE].events] == [("REFUSED", reason.value)]


async def test_what_is_sealed_must_be_a_sealed_text() -> None:
    """A text that opens and is no message of this protocol is malformed."""
    world, sealed = World(), sealed_of(outgoing())
    context = context_of(sealed.routing)
    key = charter(SHANGHAI).directory.key(OPENERS[REMOTE].id, use="seal", at=NOW)
    payload = resealed(
        outgoing(), ciphertext=sealer.seal(b"\xff", key, context), question_id=sealed.routing.question_id
    )
    assert await reason_of(world.answering.relay(payload, HUB, 5)) is R.MALFORMED


def context_of(routing: Routing) -> Context:
    """Give the context of a routing."""
    return Context(
        suite=routing.suite,
        sender=routing.sender_member,
        recipient=routing.recipient_member,
        question_id=routing.question_id,
    )


async def test_an_asker_without_a_sealing_key_is_refused_before_any_effect() -> None:
    """Nothing is journalled or charged for an answer that could not be sent."""
    world, request = World(), outgoing()
    world.nodes[REMOTE].charter = charter(REMOTE, lambda found: row(found, SHANGHAI)["keys"].pop())
    assert await reason_of(world.answering.relay(request, HUB, 5)) is R.KEY_NOT_VALID
    assert world.nodes[REMOTE].journal.kept == []


async def test_a_question_that_is_too_large_to_be_sealed_is_named() -> None:
    """What may not be sealed is not sent: the asker learns why it hears nothing."""
    world = World()
    world.nodes[SHANGHAI].charter = charter(SHANGHAI, lambda found: found["limits"].update(answer_bytes=1))
    with pytest.raises(Unavailable, match="TOO_LARGE"):
        await world.asker.ask(request_bytes(question()), 5)


@pytest.mark.parametrize("to", [REMOTE, JIANGSU])
async def test_an_answer_that_is_too_large_is_refused_before_it_is_charged(to: str) -> None:
    """By way of a hub or not: the signed TOO_LARGE arrives, nothing was charged, and the same again says the same."""
    world, asked = World(), question(to=to)
    world.nodes[to].charter = charter(to, lambda found: found["limits"].update(answer_bytes=1023))
    for _ in range(2):
        node = world.nodes[to].answering
        relayed = to == REMOTE
        reply = await (
            world.asker.ask(request_bytes(asked), 5) if relayed else node.ask(request_bytes(asked), SHANGHAI)
        )
        assert accept_refusal(reply.payload, asked, charter(SHANGHAI), NOW).reason is R.TOO_LARGE
    (kept,) = world.nodes[to].journal.kept
    assert (kept.reason, kept.subjects, kept.charge_limit) == ("TOO_LARGE", (), 0)


# Keys that turn over


@pytest.mark.parametrize(
    ("days", "newest", "old_opens"),
    [(0, OPENERS[REMOTE].id, True), (5, OPENERS[REMOTE].id, False), (-10, OLD_OPENER.id, True)],
)
async def test_the_newest_key_seals_and_every_valid_key_opens(days: int, newest: str, *, old_opens: bool) -> None:
    """While keys overlap both open; before the new one begins the old one seals, after its end it opens no more."""
    now = NOW + timedelta(days=days)
    held = charter(REMOTE)
    routing = replace(routing_of(question().question.header, (HUB,)), send_time=now, expire_time=now + 60 * SECOND)

    def sealed_by(edit: Callable[[Document], None] | None) -> Sealed:
        sender = charter(SHANGHAI, edit)
        message = SealedText(payload=b"text")
        return sealed_of(seal(message, routing, charter=sender, signer=SIGNERS[SHANGHAI], now=now))

    assert sealed_by(None).key_id == newest

    def without_the_new(found: Document) -> None:
        del row(found, REMOTE)["keys"][2]
        row(found, REMOTE)["keys"][2]["valid_until"] = "2027-01-01T00:00:00Z"

    openers = {each.id: each for each in (OLD_OPENER, OPENERS[REMOTE])}
    old = sealed_by(without_the_new)
    assert old.key_id == OLD_OPENER.id
    if old_opens:
        assert unseal(old, openers, held, now).payload == b"text"
    else:
        with pytest.raises(Refused, match="KEY_NOT_VALID"):
            unseal(old, openers, held, now)


def test_a_key_of_another_suite_seals_nothing() -> None:
    """The routing's suite is that of the key, or nothing is sealed."""
    with pytest.raises(Refused, match="KEY_NOT_VALID"):
        outgoing(suite="YRDX-SM-1")


# What a loss becomes


async def run_many(world: World, count: int = MANY) -> list[CombinedResult]:
    """Ask Anhui alone that many times at once, through the desk."""
    await open_case(world.nodes)
    world.nodes[SHANGHAI].source.rows = {USCC: {"register": [register()]}}
    wanted = [intent(intent_id=bytes([n] * 16), case_reference="C-1", members=(SHANGHAI, REMOTE)) for n in range(count)]
    payloads = await asyncio.gather(*(world.nodes[SHANGHAI].asking.ask(signed(each), AGENCY) for each in wanted))
    messages = [desk_pb2.AskMembersResponse.FromString(each) for each in payloads]
    return [wire.decode(CombinedResult, each.result.payload) for each in messages]


def states(results: list[CombinedResult]) -> list[OutcomeState]:
    """Give what became of Anhui's questions."""
    return [next(each.state for each in result.members if each.member == REMOTE) for result in results]


async def test_a_hub_that_drops_one_in_ten_makes_no_loss_look_clean() -> None:
    """Each lost question is UNAVAILABLE with its attempts, its number is VOID, and nothing is concluded from it."""
    world = World()
    numbers: dict[bytes, int] = {}

    async def dropping(request: bytes, onward: Callable[[bytes], Awaitable[bytes]]) -> bytes:
        number = numbers.setdefault(sealed_of(request).routing.question_id, len(numbers))
        if number % 10 == 0:
            raise Unavailable("UNAVAILABLE")
        return await onward(request)

    world.to_hub[0] = dropping
    results = await run_many(world)
    lost = [each for each, state in zip(results, states(results), strict=True) if state is OutcomeState.UNAVAILABLE]
    assert len(lost) == MANY // 10
    assert {each.subjects[0].state for each in lost} == {ResultState.INCOMPLETE}
    assert {each.subjects[0].incomplete_members for each in lost} == {(REMOTE,)}
    assert {each.subjects[0].state for each in results} == {ResultState.INCOMPLETE, ResultState.NOT_FOUND}
    closings = world.nodes[SHANGHAI].log.closings
    assert sum(each.outcome == "VOID" for each in closings) == MANY // 10


async def test_a_loss_on_the_way_back_is_answered_by_the_retry() -> None:
    """A hub that loses every first reply costs attempts and no answer; one question has one effect."""
    world = World()
    lost: set[bytes] = set()

    async def forgetful(request: bytes, onward: Callable[[bytes], Awaitable[bytes]]) -> bytes:
        reply = await onward(request)
        name = sealed_of(request).routing.question_id
        if name not in lost:
            lost.add(name)
            raise Unavailable("UNAVAILABLE")
        return reply

    world.to_hub[0] = forgetful
    results = await run_many(world, 3)
    assert set(states(results)) == {OutcomeState.ANSWERED}
    assert [len(each.members[1].attempts) for each in results] == [2, 2, 2]
    assert len(world.nodes[REMOTE].journal.kept) == 3


async def test_replies_in_another_order_are_nobodys() -> None:
    """A hub that gives each the reply of another gives nobody an answer."""
    world = World()
    waiting: list[tuple[asyncio.Future[bytes], bytes]] = []

    async def shuffling(request: bytes, onward: Callable[[bytes], Awaitable[bytes]]) -> bytes:
        reply = await onward(request)
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        waiting.append((future, reply))
        if len(waiting) == 2:
            (first, mine), (second, other) = waiting
            waiting.clear()
            first.set_result(other)
            second.set_result(mine)
        return await future

    world.to_hub[0] = shuffling
    results = await run_many(world, 2)
    assert set(states(results)) == {OutcomeState.UNAVAILABLE}
    assert {each.outcome for result in results for each in result.members[1].attempts} == {"DATA_LOSS"}


async def test_a_question_that_is_held_back_is_refused_when_it_expires() -> None:
    """A hub that keeps a question past its time gets no answer for it."""
    world, request = World(), outgoing()
    world.nodes[REMOTE].now = NOW + 91 * SECOND
    assert await reason_of(world.answering.relay(request, HUB, 5)) is R.EXPIRED
    assert world.nodes[REMOTE].journal.kept == []


async def test_an_answer_that_is_held_back_is_refused_when_the_question_has_expired() -> None:
    """A late answer is no answer: up to the skew behind the question's end it is taken, then never."""
    world, asked = World(), question()
    reply = await world.hub.relay(outgoing(asked), SHANGHAI, 5)
    routing, own = routing_of(asked.question.header, (HUB,)), world.ring(SHANGHAI).openers()
    assert not open_reply(reply, routing, own, charter(SHANGHAI), NOW + 90 * SECOND).refused
    with pytest.raises(Refused, match="EXPIRED"):
        open_reply(reply, routing, own, charter(SHANGHAI), NOW + 91 * SECOND)


async def test_a_hub_cannot_pass_a_question_off_as_its_reply() -> None:
    """What Shanghai has sealed itself is no answer to it."""
    request = outgoing()
    with pytest.raises(Refused):
        open_reply(request, sealed_of(request).routing, {}, charter(SHANGHAI), NOW)


async def test_a_hub_tries_a_broken_step_once_more_within_the_deadline() -> None:
    """One failure is mended by the hub; without time left, or a second time, it is told."""
    world, tries = World(), 0

    async def broken(request: bytes, onward: Callable[[bytes], Awaitable[bytes]]) -> bytes:
        nonlocal tries
        tries += 1
        if tries != 2:
            raise Unavailable("UNAVAILABLE")
        return await onward(request)

    world.to_member[0] = broken
    assert await world.hub.relay(outgoing(), SHANGHAI, 5)
    with pytest.raises(Unavailable):
        await world.hub.relay(outgoing(), SHANGHAI, 5)
    before = tries
    with pytest.raises(Unavailable):
        await world.hub.relay(outgoing(), SHANGHAI, 0)
    assert tries == before + 1


async def test_a_member_without_an_endpoint_is_told_at_once() -> None:
    """A hub that knows no way onward says so; it is silence to the asker."""
    world = World(edit=lambda found: row(found, JIANGSU).update(via=[HUB]))
    asked = question(to=JIANGSU)
    routing = replace(routing_of(asked.question.header, (HUB,)), relays=(HUB,))
    held = world.nodes[SHANGHAI].charter
    request = seal(SealedText(payload=request_bytes(asked)), routing, charter=held, signer=SIGNERS[SHANGHAI], now=NOW)
    with pytest.raises(Unavailable, match="NO_ENDPOINT"):
        await world.hub.relay(request, SHANGHAI, 5)


async def test_a_reply_to_another_question_is_silence_to_the_asker() -> None:
    """The asker holds the answering member to the question's routing."""
    world = World()
    other = await world.hub.relay(outgoing(), SHANGHAI, 5)

    async def answered(_request: bytes, _onward: Callable[[bytes], Awaitable[bytes]]) -> bytes:
        return other

    world.to_member[0] = answered
    with pytest.raises(Unavailable, match="DATA_LOSS"):
        await world.asker.ask(request_bytes(question()), 5)


# The directory


@pytest.mark.parametrize(
    ("edit", "error"),
    [
        (lambda found: row(found, REMOTE).update(via=[JIANGSU]), BundleMalformed),
        (lambda found: row(found, REMOTE).update(via=["999999"]), BundleMalformed),
        (lambda found: row(found, REMOTE).update(via=[HUB, HUB]), BundleMalformed),
        (lambda found: row(found, HUB).update(via=[SECOND_HUB]), BundleMalformed),
        (lambda found: row(found, HUB).update(divisions=["90"]), BundleMalformed),
        (lambda found: row(found, HUB).update(keys=[hub_key()]), BundleMalformed),
        (lambda found: row(found, REMOTE)["keys"][2].update(public="A" * 43 + "="), WeakKey),
    ],
)
def test_a_directory_with_a_hub_that_is_more_than_a_relay_is_malformed(
    edit: Callable[[Document], None], error: type[KeysError]
) -> None:
    """A hub decides nothing, asks nothing and opens nothing; members are reached by way of hubs alone."""
    with pytest.raises(error):
        charter(SHANGHAI, edit)


def hub_key() -> dict[str, Any]:
    """List a sealing key of the hub."""
    return key_row(sealer.opener(bytes([121]) * 32, owner=HUB))


def test_an_older_document_has_no_hubs() -> None:
    """A member whose row says nothing of hubs is none and needs none."""
    directory: Directory = charter(JIANGSU, lambda found: found["members"].append(hub_row("900002"))).directory
    assert (directory.member(JIANGSU).hub, directory.member(JIANGSU).via) == (False, ())
    assert directory.member("900002").hub
