"""Whether a decision was reported in time: within so many working days of its day (dated data; public on the site
of the credit agency within seven working days).
"""

from collections.abc import Callable
from datetime import date
from typing import final

from nodes.ingest.cells import parsed_day
from nodes.ingest.report import LATE, ON_TIME, UNMEASURED


@final
class Lateness:
    """Measures rows of one load; each pair of days is worked out once."""

    def __init__(self, last_day: Callable[[date], date | None], today: str) -> None:
        """Use a rule that gives the last day on which a decision is in time, None where no calendar tells."""
        self._last_day, self._today = last_day, today
        self._known: dict[tuple[str, str], str] = {}

    def of(self, decided: str, reported: str) -> str:
        """Say whether a decision of a day was late, in time, or cannot be measured; days as a source writes them."""
        found = self._known.get((decided, reported))
        if found is None:
            found = self._known[decided, reported] = self._measured(parsed_day(decided), parsed_day(reported))
        return found

    def _measured(self, decided: str | None, reported: str | None) -> str:
        if decided is None or reported is None or decided > self._today or reported > self._today:
            return UNMEASURED
        last = self._last_day(date.fromisoformat(decided))
        if last is None:
            return UNMEASURED
        return LATE if reported > last.isoformat() else ON_TIME
