"""Shows a sample enterprise who asked about it, by its own key and through the real command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nodes.demo.consents import Consents
from nodes.demo.shell import DemoError
from nodes.sample import SCENARIOS

SLUG = "clean"
"""The enterprise that gave an authorisation: it has a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracker:
    """Reads for one enterprise."""

    consents: Consents
    show: Callable[[str], None]

    def read(self) -> dict[str, Any]:
        """Show who asked, and count it.

        Raises:
            DemoError: when a member was not heard, a proof fails, or nobody seems to have asked.
        """
        scenario = SCENARIOS[SLUG]
        options = (scenario.uscc, *self.consents.keys[scenario.uscc])
        profile = ("--profile", self.consents.profile(scenario.home))
        self.show(self.consents.run("access", "show", *options, *profile))
        found = json.loads(self.consents.run("access", "show", *options, *profile, "--json"))
        unproved = [each["reference"] for each in found["entries"] if each["proof"] != "VERIFIED"]
        if unproved or not found["entries"]:
            raise DemoError("the enterprise was not shown who asked, with proof")
        return {"entries": len(found["entries"]), "delayed": len(found["delayed"])}
