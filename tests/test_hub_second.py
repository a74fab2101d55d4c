"""Two hubs as processes: a question goes by way of the second when the first hangs or is killed (threat 2)."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from callers import summary
from officers import Officer, Told, named, start
from populations import populate
from test_hub import FIRM, HUB, events

from gateway import carriers, wire
from gateway.model.codes import OutcomeState
from gateway.model.question import Question
from nodes.federation.folder import REFERENCE
from nodes.lab import Lab, build

pytestmark = pytest.mark.net
ASKER, REMOTE, SECOND_HUB = "310000", "340000", "900001"
TWO_HUBS = f"""
base = "{REFERENCE}"

[[members]]
id = "{HUB}"
name = {{ zh = "第一枢纽", en = "First hub" }}
divisions = []
hub = true

[[members]]
id = "{SECOND_HUB}"
name = {{ zh = "第二枢纽", en = "Second hub" }}
divisions = []
hub = true

[changes.members.{REMOTE}]
via = ["{HUB}", "{SECOND_HUB}"]
"""


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run Shanghai, Anhui, and the two hubs by way of which it is reached."""
    folder = tmp_path_factory.mktemp("wide")
    federation: Path = folder / "federation"
    federation.mkdir()
    (federation / "hubs.toml").write_text(TWO_HUBS, encoding="utf-8")
    lab = build(folder / "lab", federation=federation)
    try:
        for member in (ASKER, REMOTE):
            populate(lab, member, subjects=0)
        yield start(lab, ASKER, REMOTE, HUB, SECOND_HUB)
    finally:
        lab.stop()


async def ask(lab: Lab) -> Told:
    """Ask Anhui alone."""
    return await Officer(lab=lab, name="310115-market/o1").ask(summary(named(FIRM.uscc)), members=(REMOTE,))


def attempts(told: Told) -> list[str]:
    """Give what became of each attempt at Anhui, which answered."""
    assert told.outcomes[REMOTE].state is OutcomeState.ANSWERED
    return [each.outcome for each in told.outcomes[REMOTE].attempts]


def relayed(lab: Lab, told: Told, hub: str) -> bool:
    """Say whether a hub passed on the question to Anhui."""
    (question,) = [each.question for each in told.response.exchanges if each.member == REMOTE]
    header = wire.decode(Question, carriers.envelope_from_message(question).payload).header
    assert header.relays == (HUB, SECOND_HUB)
    passed = [each["question_id"] for each in events(lab, hub) if each["outcome"] == "RELAYED"]
    return header.question_id.hex() in passed


async def test_a_hub_that_hangs_and_one_that_is_killed_are_replaced(wide: Lab) -> None:
    """Each question is answered in time by the hub that is left; the one that hung is not waited for twice."""
    told = await ask(wide)
    assert (attempts(told), relayed(wide, told, HUB)) == (["ANSWERED"], True)
    process = int(wide.status(HUB)["process_id"])
    os.kill(process, signal.SIGSTOP)
    try:
        told = await ask(wide)
        assert (attempts(told), relayed(wide, told, SECOND_HUB)) == (["DEADLINE_EXCEEDED", "ANSWERED"], True)
        assert attempts(await ask(wide)) == ["ANSWERED"]
    finally:
        os.kill(process, signal.SIGCONT)
    wide.stop(SECOND_HUB, how=signal.SIGKILL)
    told = await ask(wide)
    assert (attempts(told), relayed(wide, told, HUB)) == (["UNAVAILABLE", "ANSWERED"], True)
