"""Replays (threat 10): at once, after a restart, elsewhere, too late, with another body, and while under way."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from callers import (
    Caller,
    codes,
    directory_taken,
    measures,
    outcome,
    rows,
    shift,
    shift_of,
    signed_part,
    small_lab,
    summary,
)  # fmt: skip

from gateway.exchange.compose import sign_question
from gateway.federation import request_bytes
from gateway.model.signed import Reply, Signed
from nodes.lab import Lab

pytestmark = pytest.mark.net
MEMBER, OTHER = "320000", "330000"
CLAIMED = "SELECT outcome FROM journal WHERE question_id = ?"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Two members that may be restarted, whose time the test moves."""
    lab = small_lab(tmp_path_factory.mktemp("replay"), MEMBER, shifted=True)
    lab.start(MEMBER, OTHER)
    try:
        yield lab
    finally:
        lab.stop()


@pytest.fixture
async def asking(small: Lab) -> AsyncIterator[Caller]:
    """An asker of these members."""
    await directory_taken(small, MEMBER, OTHER)
    found = Caller(lab=small)
    yield found
    await found.close()


@contextmanager
def locked(lab: Lab) -> Iterator[None]:
    """Hold the store's write lock, so that exchanges stay under way."""
    lock = sqlite3.connect(lab.config(MEMBER).data / "node.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        lock.execute("ROLLBACK")
        lock.close()


def journal(lab: Lab, signed: Signed) -> list[str]:
    """Give the outcomes kept under a question's id."""
    return [each for (each,) in rows(lab, MEMBER, CLAIMED, signed.question.header.question_id)]


def bodies(*replies: Reply) -> set[object]:
    """Give the distinct replies."""
    return {signed_part(each) for each in replies}


async def test_a_replay_gets_the_stored_reply(asking: Caller, small: Lab) -> None:
    """The same bytes at once, and after a restart, get the same answer or refusal to the byte; a receipt is anew."""
    answered, refused = asking.compose(), asking.compose(measures(), item="SH-2026-999")
    first = [await asking.ask(each) for each in (answered, refused)]
    at_once = [await asking.ask(each) for each in (answered, refused)]
    small.stop(MEMBER)
    small.start(MEMBER)
    later = [await asking.ask(each) for each in (answered, refused)]
    assert [each.refused for each in first] == [False, True]
    assert [[signed_part(each) for each in replies] for replies in (at_once, later)] == [
        [signed_part(each) for each in first]
    ] * 2
    assert (journal(small, answered), journal(small, refused)) == (["ANSWERED"], ["REFUSED"])


async def test_a_replay_to_another_node_is_refused(asking: Caller) -> None:
    """A question to one member, sent to another, is WRONG_AUDIENCE there, before and after it was answered."""
    signed = asking.compose()
    asked = [asking.send(request_bytes(signed), to=each) for each in (OTHER, MEMBER, OTHER)]
    assert [await outcome(each) for each in asked] == ["WRONG_AUDIENCE", "ANSWERED", "WRONG_AUDIENCE"]


async def test_a_replay_after_the_window_is_refused(asking: Caller, small: Lab) -> None:
    """After its life and the skew a question is EXPIRED, though its reply is still kept."""
    signed = asking.compose()
    heard = [await outcome(asking.ask(signed))]
    shift(small, shift_of(small) + 91)
    heard.append(await outcome(asking.ask(signed)))
    assert (heard, journal(small, signed)) == (["ANSWERED", "EXPIRED"], ["ANSWERED"])


async def test_an_id_with_another_body_is_refused(asking: Caller, small: Lab) -> None:
    """An id that was claimed is REPLAYED for any other body; the first keeps its reply and nothing more is charged."""
    first, other = asking.compose(), codes(1, start=640_000)
    second = sign_question(replace(first.question, body=summary(*other)), asking.signer)
    heard = [await outcome(asking.ask(each)) for each in (first, second, first)]
    assert (heard, journal(small, first)) == (["ANSWERED", "REPLAYED", "ANSWERED"], ["ANSWERED"])
    assert rows(small, MEMBER, "SELECT count(*) FROM disclosure WHERE uscc = ?", other[0].uscc) == [(0,)]


async def test_a_number_of_another_question_is_refused(asking: Caller, small: Lab) -> None:
    """A question that hides behind a number that was used is REPLAYED and claims nothing; a retry is as it was."""
    first, second = asking.compose(), asking.compose()
    header = replace(second.question.header, pair_sequence=first.question.header.pair_sequence)
    hidden = sign_question(replace(second.question, header=header), asking.signer)
    heard = [await outcome(asking.ask(each)) for each in (first, hidden, first, second)]
    assert (heard, journal(small, second)) == (["ANSWERED", "REPLAYED", "ANSWERED", "ANSWERED"], ["ANSWERED"])


async def test_duplicates_under_way_get_one_answer(asking: Caller, small: Lab) -> None:
    """Many copies that arrive before the first is durable get its answer; it is kept and charged once."""
    subject = codes(1, start=641_000)
    signed = asking.compose(summary(*subject))
    with locked(small):
        asked = [asyncio.ensure_future(asking.ask(signed)) for _ in range(30)]
        await asyncio.sleep(0.3)
    replies = await asyncio.gather(*asked)
    assert (len(bodies(*replies)), replies[0].refused, journal(small, signed)) == (1, False, ["ANSWERED"])
    assert rows(small, MEMBER, "SELECT count(*) FROM disclosure WHERE uscc = ?", subject[0].uscc) == [(1,)]


@pytest.mark.parametrize("expected", ["ANSWERED", "ITEM_NOT_PUBLISHED"])
async def test_two_bodies_under_one_id_at_once(expected: str, asking: Caller, small: Lab) -> None:
    """Of two bodies under one id that arrive together one gets its reply and the other is REPLAYED."""
    first = asking.compose(measures(), item="SH-2026-999" if expected != "ANSWERED" else "SH-2026-010")
    second = sign_question(replace(first.question, body=measures(*codes(2))), asking.signer)
    with locked(small):
        asked = [asyncio.ensure_future(outcome(asking.ask(each))) for each in (first, second)]
        await asyncio.sleep(0.3)
    assert sorted(await asyncio.gather(*asked)) == sorted([expected, "REPLAYED"])
    assert journal(small, first) == ["ANSWERED" if expected == "ANSWERED" else "REFUSED"]


async def test_a_caller_who_gives_up_spoils_no_duplicate(asking: Caller, small: Lab) -> None:
    """When the first of two copies is cancelled while under way, the second is answered all the same."""
    signed = asking.compose()
    with locked(small):
        first = asyncio.ensure_future(asking.ask(signed))
        await asyncio.sleep(0.3)
        second = asyncio.ensure_future(outcome(asking.ask(signed)))
        await asyncio.sleep(0.3)
        first.cancel()
        await asyncio.sleep(0.3)
    assert await second == "ANSWERED"
    assert journal(small, signed) == ["ANSWERED"]
