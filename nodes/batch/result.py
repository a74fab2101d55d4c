"""The result of a batch: one line a row of the list, in its order, made from the findings alone. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from gateway.inspection import tier
from gateway.lights import DARK, light
from gateway.purposes import CheckForm
from gateway.verdicts import RowFinding, RowVerdict, unaskable
from nodes.batch.answers import Terms
from nodes.batch.rows import Columns, Rows, defect_at
from nodes.batch.run import Run

HEADER = ("row", "code", "verdict", "missing_members", "reasons", "grade")
ANSWER = "answer"
_MORE = {
    CheckForm.VERDICT: (),
    CheckForm.LIGHT: ("light", "light_reasons"),
    CheckForm.TIER: ("triggered", "tier", "share"),
}
_DECIDES = {CheckForm.LIGHT: len(HEADER), CheckForm.TIER: len(HEADER) + 1}
_TIERS = {True: "INSPECT", False: "NOT_SELECTED", None: ""}
_JOINT = ";"
_NEVER = RowFinding(verdict=RowVerdict.KIND_CLOSED)

Line = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """How a finding is written: by the terms of the directory, None where nothing was asked, and the batch's seed."""

    terms: Terms | None
    seed: str
    narrowed: bool = False
    """Whether the scope was narrowed so far that nothing earns a light."""

    @property
    def form(self) -> CheckForm:
        """What a row shows besides its verdict."""
        return CheckForm.VERDICT if self.terms is None else self.terms.form

    @property
    def header(self) -> Line:
        """Name the columns."""
        return (*HEADER, *_MORE[self.form], ANSWER)

    def line(self, number: int, code: str, found: RowFinding, *, answer: int = 0, triggered: bool = False) -> Line:
        """Write a row; `answer` is the number of the answer file that it rests on, 0 for none.

        A cell that is no code is not repeated: it may hold a person's number (duty U11).
        """
        shown = "" if found.verdict is RowVerdict.INVALID_CODE else code
        parts = (_JOINT.join(found.missing), _JOINT.join(found.reasons), found.grade)
        more = self._more(code, found, triggered=triggered)
        return (str(number), shown, found.verdict.value, *parts, *more, str(answer) if answer else "")

    def undecided(self, line: Sequence[str]) -> bool:
        """Say whether a line lacks the light or the tier that the purpose wants of it."""
        place = _DECIDES.get(self.form)
        return place is not None and not line[place]

    def _more(self, code: str, found: RowFinding, *, triggered: bool) -> Line:
        if self.form is CheckForm.LIGHT:
            shown = DARK if self.narrowed else light(found)
            return (shown.colour.value if shown.colour else "", _JOINT.join(shown.reasons))
        if self.form is CheckForm.VERDICT:
            return ()
        return ("YES" if triggered else "", *self._tier(code, found, triggered=triggered))

    def _tier(self, code: str, found: RowFinding, *, triggered: bool) -> Line:
        rule = self.terms.rule if self.terms else None
        if rule is None:
            return (_TIERS[True], "1") if triggered else ("", "")
        # A seed of any length, one drawn in public too, makes a key of the rule's length.
        key = blake2b(self.seed.encode(), digest_size=rule.seed_bytes).digest()
        drawn = tier(rule, found.canonical, triggered=triggered, uscc=code, seed=key)
        return (_TIERS[drawn.inspect], "" if drawn.share is None else f"{drawn.share:g}")


def not_asked(code: str, terms: Terms | None) -> RowFinding | None:
    """Give the finding of a code that is not asked about under the terms; None for one that is."""
    return unaskable(code, opens_sole_traders=terms is not None and terms.opens_sole_traders)


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts of a result: rows by verdict, by the number of the answer file that they rest on, and what is open."""

    verdicts: Counter[RowVerdict]
    answers: Counter[int]
    incomplete: int = 0
    """Rows that await a member."""

    undecided: int = 0
    """Rows without the light or tier that the purpose wants."""


def lines(rows: Rows, where: Columns, run: Run, sheet: Sheet, tally: Tally) -> Iterator[Line]:
    """Write every row of the list in its order, and count."""
    for place, (number, cells) in zip(run.scan.places, rows, strict=True):
        code = cells[where.code]
        found, answer = _found(place, code, run)
        tally.verdicts[found.verdict] += 1
        tally.answers[answer] += bool(answer)
        line = sheet.line(number, code, found, answer=answer, triggered=where.triggers(cells))
        tally.incomplete += found.awaits
        tally.undecided += sheet.undecided(line)
        yield line


def _found(place: int, code: str, run: Run) -> tuple[RowFinding, int]:
    if defect_at(place) is not None:
        return unaskable(code, opens_sole_traders=False) or _NEVER, 0
    found = run.findings[place]
    return (_NEVER, 0) if found is None else (found, run.answers[place])
