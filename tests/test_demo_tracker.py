"""What the demonstration holds an enterprise's tracker against: what it asked, and what it has delayed."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from nodes.demo import DemoError
from nodes.demo.tracker import SLUG, Tracker
from nodes.sample import SCENARIOS

ASKED = ("310000", "no_violation")
HIDDEN = ("310000", "measures")


class Told:
    """A command line that shows these entries; stands in for `Consents`."""

    def __init__(self, *entries: tuple[tuple[str, str], str]) -> None:
        """Show them."""
        self.keys = {SCENARIOS[SLUG].uscc: ("--key", "own.key")}
        self.entries = [
            {"answerer_member": member, "kind": kind, "proof": proof, "reference": "r"}
            for (member, kind), proof in entries
        ]

    def profile(self, home: str) -> str:
        """Name a profile."""
        return f"{home}.toml"

    def run(self, *arguments: str) -> str:
        """Show."""
        assert arguments[:2] == ("access", "show")
        return json.dumps({"entries": self.entries})


def tracker(*entries: tuple[tuple[str, str], str]) -> Tracker:
    """Give a tracker of one question that is shown and one that is not yet."""
    told: Any = Told(*entries)
    return Tracker(consents=told, show=lambda _: None, open=Counter([ASKED]), delayed=Counter([HIDDEN]))


@pytest.mark.parametrize("proof", ["WITNESSED", "LOGGED"])
def test_what_was_answered_stands_there(proof: str) -> None:
    """What is shown and what is delayed are counted; a question of another kind may stand there too."""
    assert tracker((ASKED, proof)).read() == {"entries": 1, "delayed": 1}
    assert tracker((ASKED, proof), (("320000", "verdict"), proof)).read() == {"entries": 2, "delayed": 1}


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ((), "every question"),
        (((("320000", "no_violation"), "LOGGED"),), "every question"),
        (((ASKED, "FAILED"),), "without proof"),
        (((ASKED, "NONE"),), "without proof"),
        (((ASKED, "LOGGED"), (HIDDEN, "LOGGED")), "delay"),
    ],
)
def test_what_is_missing_unproved_or_too_early_ends_the_demo(
    entries: tuple[tuple[tuple[str, str], str], ...], why: str
) -> None:
    """Each for its own reason."""
    with pytest.raises(DemoError, match=why):
        tracker(*entries).read()
