"""One row as a family reads it: typed looks at named cells, and what they could not make sense of.

A cell that is needed and wrong leaves a gap: the row is kept so that it says nothing. What cannot be kept at all
raises, and so does reading a cell with hidden characters; cells that nobody reads may hold what they like. No text
here ever quotes a cell.
"""

import re
import unicodedata
from collections.abc import Container, Mapping
from datetime import date
from functools import lru_cache

from gateway.uscc import holds_person_number
from nodes.files import UNSURE
from nodes.ingest.report import Reason

# Controls, and characters that hide or reorder what a person reads: marks of direction, fillers without a shape, and
# tags, which spell a whole hidden text.
UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_DAY = re.compile(r"([0-9]{4})([-/])([0-9]{1,2})\2([0-9]{1,2})")
_NO_END = "2099-12-31"  # what the double-publicity standard writes for "long-term"
_EARLIEST, _LATEST = 1949, 2199
_FLAGS: Mapping[str, int] = {"": 0, "0": 0, "1": 1, "否": 0, "是": 1}
_CITED = 400
_FORMULA = ("=", "+", "-", "@")


class RowAsideError(Exception):
    """The row is not loaded, for a reason found in a column."""

    def __init__(self, column: str, reason: Reason) -> None:
        """Keep where and why."""
        super().__init__(reason.value)
        self.column = column
        self.reason = reason


class RowRejectedError(RowAsideError):
    """What the row says could not be used by anyone."""


class RowUnplacedError(RowAsideError):
    """What the row says is missing from now on: a gap."""


class NotOursError(Exception):
    """Another member's agency decided: that member answers for it (duty U4)."""


class OutOfScopeError(Exception):
    """The row is about a natural person (duty U11)."""


class Cells:
    """A row by column names; `gaps` collects needed cells that make no sense."""

    __slots__ = ("_at", "gaps", "hidden", "row")

    def __init__(self, at: Mapping[str, int], row: list[str]) -> None:
        """Look at a row whose columns stand at these places."""
        self._at = at
        self.row = row
        self.gaps: list[tuple[str, Reason]] = []
        self.hidden = UNSEEN.search("".join(row)) is not None
        """Whether some cell has hidden characters: one look at the row spares a look at each cell."""

    def raw(self, column: str) -> str:
        """Give a cell as it stands; empty when the file lacks the column.

        Raises:
            RowRejectedError: when the cell has hidden characters, or a spreadsheet does not say what was typed.
        """
        place = self._at.get(column)
        if place is None:
            return ""
        if self.hidden and UNSEEN.search(self.row[place]) is not None:
            unsure = self.row[place].startswith(UNSURE)
            raise RowRejectedError(column, Reason.SHEET_VALUE if unsure else Reason.CONTROL_CHARACTER)
        return self.row[place]

    def text(self, column: str) -> str:
        """Give a cell without blanks at its ends; raises as `raw` does."""
        place = self._at.get(column)
        if place is None:
            return ""
        return (self.raw(column) if self.hidden else self.row[place]).strip()

    def bare(self, column: str) -> str:
        """Give a cell without blanks at its ends for counting, whatever it holds; empty when the file lacks it."""
        place = self._at.get(column)
        return "" if place is None else self.row[place].strip()

    def says_yes(self, column: str) -> bool:
        """Say whether a flag is set, for a row that is not read any further: a wrong one is not."""
        return _FLAGS.get(self.bare(column)) == 1

    def put(self, column: str, text: str) -> None:
        """Write over a cell, for all that reads the row from now on, its digest included."""
        place = self._at.get(column)
        if place is not None:
            self.row[place] = text

    def first(self, *columns: str) -> str:
        """Give the first of these cells that is not empty."""
        return next((found for each in columns if (found := self.text(each))), "")

    def leave(self, column: str, reason: Reason) -> None:
        """Note a gap."""
        self.gaps.append((column, reason))

    def day(self, column: str, *, until: bool = False) -> str | None:
        """Give a day, or None for an empty cell, also when `until` says that a far end means none."""
        text = self.text(column)
        if not text:
            return None
        found = parsed_day(text)
        if found is None:
            self.leave(column, Reason.BAD_DATE)
        return None if until and found == _NO_END else found

    def past_day(self, column: str, today: str) -> str | None:
        """Give a day that is not after today, or None for an empty cell."""
        found = self.day(column)
        if found is not None and found > today:
            self.leave(column, Reason.FUTURE_DATE)
        return found

    def needed_day(self, column: str, today: str) -> str | None:
        """Give a day that must be there and not after today."""
        if not self.text(column):
            self.leave(column, Reason.NO_DATE)
        return self.past_day(column, today)

    def day_from(self, column: str, first: str | None) -> str | None:
        """Give a day that is not before another, or None for an empty cell.

        Raises:
            RowUnplacedError: when it is: which of the two is wrong nobody knows, and what stood there before stays.
        """
        return self._after(column, first, self.day(column))

    def end_after(self, column: str, first: str | None, *, same: bool = False) -> str | None:
        """Give the day that ends what another begins, None for none; it is later, or the same where that may be.

        Raises:
            RowUnplacedError: as `day_from`.
        """
        return self._after(column, first, self.day(column, until=True), same=same)

    @staticmethod
    def _after(column: str, first: str | None, then: str | None, *, same: bool = True) -> str | None:
        if first is not None and then is not None and (then < first or (then == first and not same)):
            raise RowUnplacedError(column, Reason.DATE_ORDER)
        return then

    def flag(self, column: str) -> int:
        """Give a yes or no; empty is no."""
        text = self.text(column)
        if not text:
            return 0
        found = _FLAGS.get(text)
        if found is None:
            self.leave(column, Reason.BAD_VALUE)
        return found or 0

    def word(self, column: str, allowed: Container[str], default: str | None = None) -> str | None:
        """Give a word of a list, or the default for an empty cell."""
        text = self.text(column)
        if not text:
            return default
        if text not in allowed:
            self.leave(column, Reason.BAD_VALUE)
            return default
        return text

    def shaped(self, column: str, pattern: re.Pattern[str]) -> str | None:
        """Give a text of a shape, or None for an empty cell."""
        text = self.text(column)
        if text and pattern.fullmatch(text) is None:
            self.leave(column, Reason.BAD_VALUE)
            return None
        return text or None

    def cited(self, column: str, missing: Reason) -> str:
        """Give a short text that is kept and shown.

        Raises:
            RowRejectedError: when it is empty, too long, or holds what no citation holds.
        """
        text = self.text(column)
        if not text:
            raise RowRejectedError(column, missing)
        if len(text) > _CITED:
            raise RowRejectedError(column, Reason.TOO_LONG)
        if folded(text[:1]).startswith(_FORMULA):  # a spreadsheet runs full-width signs as well
            raise RowRejectedError(column, Reason.FORMULA)
        if holds_person_number(text):
            raise RowRejectedError(column, Reason.PERSON_NUMBER)
        return text


@lru_cache(maxsize=1 << 15)
def folded(text: str) -> str:
    """Give a text of a list as it is compared: full-width letters and signs as plain ones."""
    return unicodedata.normalize("NFKC", text)


@lru_cache(maxsize=1 << 15)
def parsed_day(text: str) -> str | None:
    """Give a day as yyyy-mm-dd, or None for what is none."""
    found = _DAY.fullmatch(text)
    if found is None:
        return None
    try:
        day = date(int(found[1]), int(found[3]), int(found[4]))
    except ValueError:
        return None
    return day.isoformat() if _EARLIEST <= day.year <= _LATEST else None
