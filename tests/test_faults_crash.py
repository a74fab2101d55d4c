"""kill -9 between any two steps of an exchange: nothing half-written, and a retry of the same bytes is answered."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import crash_node
import pytest
from callers import (
    Caller,
    agency_leaf,
    ask_desk,
    codes,
    directory_taken,
    intent_request,
    outcome,
    rows,
    shift,
    shift_of,
    small_lab,
    summary,
    until,
)  # fmt: skip
from ledgered import wounds

from bench.populations import give_out
from gateway.federation import request_bytes
from nodes.lab import Lab

pytestmark = pytest.mark.net
ASKER, ANSWERER, OFFICER = "310000", "320000", "310118-market/o1"
SUBJECTS = count(700_000)
LONGEST_LIFE = 120
"""Seconds after which no question of before can be under way."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Two members whose time the tests move."""
    found = small_lab(tmp_path_factory.mktemp("crash"), ASKER, ANSWERER, shifted=True)
    give_out(found, ASKER)
    return found


@pytest.fixture
def broken(home: Lab) -> Iterator[Lab]:
    """The two members, all stopped before and after a test."""
    try:
        yield home
    finally:
        for process in home.processes.values():
            process.kill()
            process.wait()
        home.processes.clear()


def start_deadly(lab: Lab, member: str, step: str) -> subprocess.Popen[bytes]:
    """Start a member that dies at a step."""
    (lab.config(member).data / "node.json").unlink(missing_ok=True)
    program, config = Path(crash_node.__file__), lab.home(member) / "node.toml"
    with (lab.home(member) / "node.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", str(program), str(config), step], stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
    lab.processes[member] = process
    port = lab._await_status(member)["exchange_port"]
    lab.standings[member] = replace(lab.standings[member], endpoint=f"127.0.0.1:{port}")
    lab.publish()
    return process


def gone(lab: Lab, member: str) -> int:
    """Wait for a member that has died; its exit status."""
    return lab.processes.pop(member).wait(20)


def sound(lab: Lab, member: str) -> None:
    """Check that a member's database and ledger are whole, and every disclosure belongs to an answer."""
    assert wounds(lab, member) == []
    assert rows(lab, member, "PRAGMA integrity_check") == [("ok",)]
    assert rows(lab, member, "PRAGMA foreign_key_check") == []
    lost = "SELECT count(*) FROM disclosure WHERE entry NOT IN (SELECT entry FROM provision)"
    assert rows(lab, member, lost) == [(0,)]


def numbers(lab: Lab, since: int) -> list[tuple[int, str]]:
    """Give the pair numbers from one on, and what became of each."""
    query = "SELECT pair_sequence, outcome FROM sent WHERE member = ? AND pair_sequence > ? ORDER BY pair_sequence"
    return [(number, state) for number, state in rows(lab, ASKER, query, ANSWERER, since)]


def last_number(lab: Lab) -> int:
    """Give the last number that the pair has given out."""
    return amount(lab, ASKER, "SELECT next - 1 FROM pair WHERE member = ?", ANSWERER)


def amount(lab: Lab, member: str, query: str, *values: object) -> int:
    """Read one number."""
    return int(rows(lab, member, query, *values)[0][0])


SPENT = "SELECT coalesce(sum(spent), 0) FROM budget"
OF_SUBJECT = "SELECT count(*) FROM disclosure WHERE uscc = ?"


@pytest.mark.parametrize("step", crash_node.ANSWERER)
async def test_a_killed_answerer_gives_one_answer(step: str, broken: Lab) -> None:
    """Wherever the answerer dies the asker hears nothing, and the same bytes are then answered and charged once."""
    start_deadly(broken, ANSWERER, step)
    subject = codes(1, start=next(SUBJECTS))
    caller = Caller(lab=broken)
    signed = caller.compose(summary(*subject))
    question_id = signed.question.header.question_id
    before = amount(broken, ANSWERER, SPENT)
    claimed = "SELECT count(*) FROM journal WHERE question_id = ?"

    heard = [await outcome(caller.ask(signed))]
    died, kept = gone(broken, ANSWERER), amount(broken, ANSWERER, claimed, question_id)
    sound(broken, ANSWERER)
    broken.start(ANSWERER)
    heard += [await outcome(caller.send(request_bytes(signed))) for _ in range(2)]
    await caller.close()

    assert (heard, died) == (["UNAVAILABLE", "ANSWERED", "ANSWERED"], -9)
    assert kept == (1 if step == "commit.end" else 0)
    assert amount(broken, ANSWERER, claimed, question_id) == 1
    assert amount(broken, ANSWERER, SPENT) - before == 1
    assert amount(broken, ANSWERER, OF_SUBJECT, subject[0].uscc) == 1
    sound(broken, ANSWERER)


EXPECTED = {
    "open": (["ANSWERED"], 1),
    "open.inside": (["ANSWERED"], 1),
    "open.end": (["VOID", "ANSWERED"], 1),
    "conclude": (["VOID", "ANSWERED"], 2),
    "conclude.inside": (["VOID", "ANSWERED"], 2),
    "conclude.end": (["ANSWERED", "ANSWERED"], 2),
}
"""Step to what becomes of the pair's numbers, and how many questions reached the answerer."""


@pytest.mark.parametrize("step", crash_node.ASKER)
async def test_a_killed_asker_leaves_no_number_unexplained(step: str, broken: Lab) -> None:
    """Wherever the asker dies its officer hears nothing; asked again it answers, and every number is explained."""
    broken.start(ANSWERER)
    start_deadly(broken, ASKER, step)
    subject = codes(1, start=next(SUBJECTS))
    request, identity = intent_request(broken, OFFICER, summary(*subject)), agency_leaf(broken, OFFICER)
    first, before, results = last_number(broken), amount(broken, ANSWERER, SPENT), "SELECT count(*) FROM result"
    shown = amount(broken, ASKER, results)

    heard = [(await ask_desk(broken, request, identity, to=ASKER))[0]]
    died = gone(broken, ASKER)
    sound(broken, ASKER)
    shift(broken, shift_of(broken) + LONGEST_LIFE)
    broken.start(ASKER)
    await directory_taken(broken, ASKER, ANSWERER)
    states, asked = EXPECTED[step]
    closed = [each for each in states if each == "VOID"]
    assert [each for _, each in numbers(broken, first)][: len(closed)] == closed
    heard.append((await ask_desk(broken, request, identity, to=ASKER))[0])

    assert (heard, died) == (["UNAVAILABLE", "ANSWERED"], -9)
    assert numbers(broken, first) == list(enumerate(states, first + 1))
    assert amount(broken, ANSWERER, SPENT) - before == 1
    assert amount(broken, ANSWERER, OF_SUBJECT, subject[0].uscc) == asked
    assert amount(broken, ASKER, results) - shown == (2 if step == "conclude.end" else 1)
    sound(broken, ASKER)


async def test_a_question_under_way_is_left_alone(broken: Lab) -> None:
    """A start that follows at once voids nothing yet: another worker may still wait; later the running node does."""
    broken.start(ANSWERER)
    start_deadly(broken, ASKER, "open.end")
    first = last_number(broken)
    heard, _ = await ask_desk(broken, intent_request(broken, OFFICER), agency_leaf(broken, OFFICER), to=ASKER)
    gone(broken, ASKER)
    broken.start(ASKER)
    await directory_taken(broken, ASKER)
    young = numbers(broken, first)
    shift(broken, shift_of(broken) + LONGEST_LIFE)

    async def void() -> bool:
        return numbers(broken, first) == [(first + 1, "VOID")]

    await until(void, "voided")
    assert (heard, young) == ("UNAVAILABLE", [(first + 1, "SENT")])
