"""A member's own entries of a pair: listed by number, proven, and none of another pair."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stores import LOGGER, NOW, digest, exchange, opened, question, rows, signed

from gateway.ledger import logs
from gateway.ledger.note import NoteKey
from gateway.ledger.pairs import Page, proven
from gateway.model.codes import LedgerEventKind as Kind
from gateway.model.reconciliation import ListPairEntriesRequest
from gateway.model.signed import Reply
from gateway.ports import Closing
from nodes.store import Store
from nodes.store import pairs as module
from nodes.store.connections import time_text
from nodes.store.pairs import Pairs

ME, PARTNER, OTHER = "310000", "320000", "330000"
ANSWERS = ListPairEntriesRequest(asker_member=PARTNER, answerer_member=ME, first_number=1)
QUESTIONS = ListPairEntriesRequest(asker_member=ME, answerer_member=PARTNER, first_number=1)


def find(name: str) -> tuple[NoteKey, ...]:
    """Give the key of the tests' ledger."""
    return (NoteKey(name=name, key=LOGGER.public_key()),) if logs.owner(name) == ME else ()


def page(path: Path, request: ListPairEntriesRequest) -> Page:
    """List and verify a page."""
    return proven(request, Pairs(path, ME).page(request), find)


def numbers(found: Page) -> list[int]:
    """Name the numbers of a page."""
    return [each.event.pair_sequence for each in found.lines]


async def answer(store: Store, number: int, *, sequence: int | None = None, **header: Any) -> None:
    """Answer a question of the partner."""
    asked = question(number, sequence=number if sequence is None else sequence, **header)
    await store.journal.commit(exchange(number, question=asked, received_time=asked.header.asked_time))


async def ask(store: Store, number: int, sequence: int, member: str = PARTNER, *, end: bool = True) -> None:
    """Ask a member and close the question."""

    def compose(_: str, given: int) -> object:
        found = signed(number, given)
        header = replace(found.question.header, asker_member=ME, answerer_member=member)
        return replace(found, question=replace(found.question, header=header))

    (sent,) = await store.asker.open((member,), compose)  # type: ignore[arg-type]
    assert sent.question.header.pair_sequence == sequence
    if end:
        closing = Closing(
            question_id=sent.question.header.question_id, outcome="ANSWERED", digest=digest("answer", number),
            reply=Reply(payload=b"answer"),
        )  # fmt: skip
        await store.asker.conclude(
            (closing,),
            agency="a",
            purpose="p",
            case_reference="",
            application_item="i",
            result=b"",
            result_digest=bytes(32),
            issued=(),
            now=NOW,
        )


async def test_answers_are_listed_by_number_and_proven(tmp_path: Path) -> None:
    """Those to the partner that asks, in the order of numbers, whatever the order in which they came."""
    store = opened(tmp_path / "node.db")
    for number in (2, 1, 3):
        await answer(store, number)
    await answer(store, 4, sequence=1, asker_member=OTHER)
    store.close()
    found = page(tmp_path / "node.db", ANSWERS)
    assert (numbers(found), found.unproven, found.highest_number, found.next_number) == ([1, 2, 3], (), 3, 0)
    assert {each.event.kind for each in found.lines} == {Kind.ANSWERED}
    assert numbers(page(tmp_path / "node.db", replace(ANSWERS, asker_member=OTHER))) == [1]


async def test_questions_are_listed_with_their_ends(tmp_path: Path) -> None:
    """Two entries a number; one while it is under way."""
    store = opened(tmp_path / "node.db")
    await ask(store, 1, 1)
    await ask(store, 2, 1, OTHER)
    await ask(store, 3, 2, end=False)
    store.close()
    found = page(tmp_path / "node.db", QUESTIONS)
    assert [(each.event.pair_sequence, each.event.kind) for each in found.lines] == [
        (1, Kind.ASKED), (1, Kind.ACCEPTED), (2, Kind.ASKED),
    ]  # fmt: skip


async def test_pages_part_between_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All pages together list everything once, and no number is torn apart."""
    monkeypatch.setattr(module, "PAGE", 5)
    store = opened(tmp_path / "node.db")
    for number in range(1, 8):
        await ask(store, number, number)
    store.close()
    begins, seen = [], []
    request = QUESTIONS
    while True:
        found = page(tmp_path / "node.db", request)
        begins.append(request.first_number)
        seen += numbers(found)
        if not found.next_number:
            break
        request = replace(request, first_number=found.next_number)
    assert (begins, seen) == ([1, 3, 5, 7], [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7])


async def test_a_number_that_alone_fills_pages_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A partner that uses one number again and again makes no page longer."""
    monkeypatch.setattr(module, "PAGE", 3)
    store = opened(tmp_path / "node.db")
    for number in range(5):
        await answer(store, number, sequence=1)
        rows(tmp_path / "node.db", "UPDATE journal SET pair_sequence = -1")  # the journal takes a number once
    rows(tmp_path / "node.db", "UPDATE journal SET pair_sequence = 1")
    await answer(store, 9, sequence=2)
    store.close()
    first = page(tmp_path / "node.db", ANSWERS)
    assert (numbers(first), first.next_number) == ([1, 1, 1], 2)
    assert numbers(page(tmp_path / "node.db", replace(ANSWERS, first_number=2))) == [2]


async def test_the_highest_number_is_that_before_a_time(tmp_path: Path) -> None:
    """What came later is listed only as far as the caller names it."""
    store = opened(tmp_path / "node.db")
    for number in (1, 2, 3):
        await answer(store, number, asked=NOW + timedelta(hours=number))
    store.close()
    until = replace(ANSWERS, until_time=NOW + timedelta(hours=2))
    found = page(tmp_path / "node.db", until)
    assert (found.highest_number, numbers(found)) == (1, [1])
    found = page(tmp_path / "node.db", replace(until, last_number=2))
    assert (found.highest_number, numbers(found)) == (1, [1, 2])


REMOVALS = {
    "the exchange": ["DELETE FROM disclosure", "DELETE FROM journal WHERE pair_sequence = 2"],
    "the entry": ["DELETE FROM ledger_entry WHERE seq = 2"],
    "its place": ["UPDATE journal SET entry = 3 WHERE pair_sequence = 2"],
}


@pytest.mark.parametrize("how", REMOVALS)
async def test_what_was_removed_by_hand_is_not_listed(how: str, tmp_path: Path) -> None:
    """Neither an exchange without its entry counts, nor an entry without its exchange."""
    store = opened(tmp_path / "node.db")
    for number in (1, 2, 3):
        await answer(store, number)
    store.close()
    for statement in REMOVALS[how]:
        rows(tmp_path / "node.db", statement)
    assert numbers(page(tmp_path / "node.db", ANSWERS)) == [1, 3]


async def test_an_edited_entry_is_not_proven(tmp_path: Path) -> None:
    """Whoever changes what an entry says has no path for it; one that says nothing any more is not listed."""
    store = opened(tmp_path / "node.db")
    for number in (1, 2, 3):
        await answer(store, number)
    store.close()
    rows(tmp_path / "node.db", "UPDATE ledger_entry SET shared_salt = zeroblob(16) WHERE seq = 1")
    rows(tmp_path / "node.db", "UPDATE ledger_entry SET shared = x'ff' WHERE seq = 3")
    found = page(tmp_path / "node.db", ANSWERS)
    assert (numbers(found), found.unproven) == ([2], (0,))


async def test_entries_beyond_the_head_or_without_one_are_not_listed(tmp_path: Path) -> None:
    """What no signed head covers proves nothing."""
    store = opened(tmp_path / "node.db")
    await answer(store, 1)
    store.close()
    data, salt = os.urandom(64).hex(), bytes(16).hex()
    rows(
        tmp_path / "node.db",
        f"INSERT INTO ledger_entry VALUES (2, x'{data}', x'{salt}', x'', x'{salt}', x'')",
    )
    rows(tmp_path / "node.db", "UPDATE journal SET entry = 2")
    assert numbers(page(tmp_path / "node.db", ANSWERS)) == []
    rows(tmp_path / "node.db", "UPDATE journal SET entry = 1")
    rows(tmp_path / "node.db", "DELETE FROM ledger_head")
    assert numbers(page(tmp_path / "node.db", ANSWERS)) == []


async def test_a_member_that_never_spoke_has_nothing(tmp_path: Path) -> None:
    """An empty page, and no number."""
    opened(tmp_path / "node.db").close()
    found = await Pairs(tmp_path / "node.db", ME).entries(ANSWERS)
    assert (found.entries, found.highest_number, found.next_number) == ((), 0, 0)


def test_an_index_finds_a_leap(tmp_path: Path) -> None:
    """Only the numbers behind the last one compared are looked at."""
    opened(tmp_path / "node.db").close()
    plan = str(rows(tmp_path / "node.db", f"EXPLAIN QUERY PLAN {re.sub('[?][0-9]', '1', module._LEAP)}"))
    assert "(asker=? AND pair_sequence>? AND pair_sequence<?)" in plan


async def test_the_first_leap_is_found(tmp_path: Path) -> None:
    """From the number that is known, through every one that is near enough; of one member alone."""
    store = opened(tmp_path / "node.db")
    for number in (2, 4, 9, 30):
        await answer(store, number)
    await answer(store, 50, asker_member="330000")
    store.close()
    leap = Pairs(tmp_path / "node.db", ME).leap
    asked = [((0, 30), 3), ((0, 8), 3), ((8, 30), 20), ((8, 30), 21), ((0, 90), 90)]
    assert [await leap(PARTNER, *each) for each in asked] == [(4, 9), None, (9, 30), None, None]


@pytest.mark.parametrize("asks", [False, True], ids=["answers", "questions"])
def test_an_index_finds_a_page(asks: bool, tmp_path: Path) -> None:  # noqa: FBT001  which of two
    """No table is read through, however long the member has answered."""
    opened(tmp_path / "node.db").close()
    page_of, at = (module._ASKED, module._ASKED_AT) if asks else (module._ANSWERED, module._ANSWERED_AT)
    for statement in (page_of, at.format(order=""), at.format(order="DESC")):
        plan = rows(tmp_path / "node.db", f"EXPLAIN QUERY PLAN {statement.replace('?', '1')}")
        assert [each[3].partition(" ")[0] for each in plan] == ["SEARCH"], plan


@settings(max_examples=25)
@given(
    st.lists(st.integers(0, 9), max_size=12, unique=True).map(sorted),
    st.integers(0, 10),
)
def test_the_highest_number_before_a_time_is_found_by_halving(kept: list[int], until: int) -> None:
    """Whatever numbers are missing, as many as there are: numbers rise with their hours here."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "node.db"
        opened(path).close()
        _fill(path, kept)
        request = replace(QUESTIONS, until_time=NOW + timedelta(hours=until))
        found = Pairs(path, ME).page(request).highest_number
        assert found == max((each + 1 for each in kept if each < until), default=0)


def _fill(path: Path, numbers: list[int]) -> None:
    """Put questions into the log of the asker, one an hour; the number of the first hour is 1."""
    for each in numbers:
        time = time_text(NOW + timedelta(hours=each))
        rows(
            path,
            f"""INSERT INTO sent (question_id, question_digest, member, pair_sequence, outcome, question_body,
                sent_day, sent_time) VALUES (x'{each:02x}', x'', '{PARTNER}', {each + 1}, 'VOID', x'', '', '{time}')""",
        )
