"""Shows a sample enterprise who asked about it, by its own key and through the real command line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from nodes.demo.consents import Consents
from nodes.demo.shell import DemoError
from nodes.sample import SCENARIOS

SLUG = "clean"
"""The enterprise that gave an authorisation: it has a key."""

_PROVED = frozenset({"WITNESSED", "LOGGED"})
"""What was asked a moment ago the others may not have cosigned yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracker:
    """Reads for one enterprise; `open` and `delayed` count who answered which kind about it, shown now or later."""

    consents: Consents
    show: Callable[[str], None]
    open: Counter[tuple[str, str]] = field(default_factory=Counter)
    delayed: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def command(self) -> tuple[str, ...]:
        """Give the arguments of `yrdx` with which the enterprise reads."""
        scenario = SCENARIOS[SLUG]
        profile = self.consents.profile(scenario.home)
        return ("access", "show", scenario.uscc, *self.consents.keys[scenario.uscc], "--profile", profile)

    def read(self) -> dict[str, int]:
        """Show who asked, and count it, with what was asked and is shown later.

        Raises:
            DemoError: when a member was not heard, a proof fails, what was answered lacks, or what is delayed shows.
        """
        self.show(self.consents.run(*self.command))
        found = json.loads(self.consents.run(*self.command, "--json"))["entries"]
        if [each["reference"] for each in found if each["proof"] not in _PROVED]:
            raise DemoError("the enterprise was shown a question without proof")
        shown = Counter((each["answerer_member"], each["kind"]) for each in found)
        if not found or self.open - shown:
            raise DemoError("the enterprise was not shown every question that was answered about it")
        if self.delayed & shown:
            raise DemoError("the enterprise was shown a question that two officers delay")
        return {"entries": len(found), "delayed": self.delayed.total()}
