"""AskMany over gRPC: each outcome names its question, and a bad message ends its own question only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from callers import Caller, codes, measures, outcome, summary
from grpc import aio

from gateway import wire
from gateway.client import ASK_MANY
from gateway.federation import request_bytes
from gateway.model.answer import Refusal
from gateway.model.signed import Signed
from gateway.server import STREAM_WINDOW
from keys.envelope import Envelope
from yrdx.exchange.v1 import exchange_pb2

pytestmark = pytest.mark.net


async def ask_many(caller: Caller, messages: Sequence[bytes]) -> list[exchange_pb2.AskManyResponse]:
    """Send a stream; every outcome."""
    stream: Any = caller.channel(caller.to).stream_stream(ASK_MANY)
    call = stream(iter(messages), timeout=30)
    return [exchange_pb2.AskManyResponse.FromString(each) async for each in call]


def wrapped(signed: Signed) -> bytes:
    """Give the bytes of an AskManyRequest."""
    ask = exchange_pb2.AskRequest.FromString(request_bytes(signed))
    return bytes(exchange_pb2.AskManyRequest(ask=ask).SerializeToString())


def ended(response: exchange_pb2.AskManyResponse) -> str:
    """Name an outcome: ANSWERED, or the reason."""
    if response.WhichOneof("outcome") == "answer":
        return "ANSWERED"
    payload = wire.decode(Envelope, response.refusal.SerializeToString()).payload
    return wire.decode(Refusal, payload).reason.value


async def test_each_outcome_names_its_question(caller: Caller) -> None:
    """More questions than the window, refused ones in between: every outcome belongs to the question it names."""
    expected, messages = {}, []
    for number, subject in enumerate(codes(4 * STREAM_WINDOW, start=670_000)):
        bad = number % 3 == 1
        signed = caller.compose(measures(subject), item="SH-2026-999" if bad else "SH-2026-010")
        expected[signed.digest] = "ITEM_NOT_PUBLISHED" if bad else "ANSWERED"
        messages.append(wrapped(signed))
    responses = await ask_many(caller, messages)
    assert len(responses) == len(messages)
    assert {each.question_digest: ended(each) for each in responses} == expected


async def test_an_answer_of_a_stream_is_the_answer_of_a_call(caller: Caller) -> None:
    """The same question in a stream, again in that stream, and in a call of its own gets the same bytes."""
    signed = caller.compose()
    responses = await ask_many(caller, [wrapped(signed), wrapped(signed)])
    alone = await caller.ask(signed)
    assert [each.answer.SerializeToString() for each in responses] == [alone.payload] * 2


async def test_an_outcome_waits_for_no_further_question(caller: Caller) -> None:
    """On a stream that stays open each question is answered before the next one is sent."""
    call: Any = caller.channel(caller.to).stream_stream(ASK_MANY)(timeout=30)
    heard, questions = [], [caller.compose() for _ in range(3)]
    for each in questions:
        await call.write(wrapped(each))
        heard.append(exchange_pb2.AskManyResponse.FromString(await call.read()))
    await call.done_writing()
    assert [(each.question_digest, ended(each)) for each in heard] == [(each.digest, "ANSWERED") for each in questions]
    assert await call.read() is aio.EOF


async def test_a_bad_message_does_not_end_the_stream(caller: Caller) -> None:
    """Torn, empty, alien and oversized messages are refused each, without a digest where none can be told."""
    good = [caller.compose() for _ in range(3)]
    large = caller.compose(summary(*codes(1_001)))
    whole = wrapped(good[0])
    bad = [whole[:-3], b"", b"\xff" * 40, whole + b"\xf2\x7d\x01x", bytes(300_000)]
    messages = [whole, *bad[:2], wrapped(good[1]), *bad[2:], wrapped(large), wrapped(good[2])]
    responses = await ask_many(caller, messages)
    named = {each.question_digest: ended(each) for each in responses if each.question_digest}
    unnamed = sorted(ended(each) for each in responses if not each.question_digest)
    assert named == {**{each.digest: "ANSWERED" for each in good}, large.digest: "TOO_LARGE"}
    assert unnamed == [*["MALFORMED"] * 4, "TOO_LARGE"]


async def test_a_stream_that_is_cancelled_harms_nothing(caller: Caller) -> None:
    """After a stream that was given up in the middle the same questions are answered one by one."""
    questions = [caller.compose() for _ in range(STREAM_WINDOW)]
    call: Any = caller.channel(caller.to).stream_stream(ASK_MANY)()
    for each in questions:
        await call.write(wrapped(each))
    call.cancel()
    assert [await outcome(caller.ask(each)) for each in questions] == ["ANSWERED"] * len(questions)
