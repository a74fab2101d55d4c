"""What became of a file's rows: counts, and where the first problems stand. Never a value (duty U11)."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum

from gateway.uscc import CodeDefect
from nodes.store.loading import Figures

PROBLEMS = 100
"""Problems that a report lists one by one; the rest is counted."""

ROWS, STORED, DELETED, HELD, REJECTED = "rows", "stored", "deleted", "held", "rejected"
NOT_OURS, OUT_OF_SCOPE = "not_ours", "out_of_scope"
LATE, ON_TIME, UNMEASURED = "late", "on_time", "unmeasured"
_OUTCOMES = frozenset({STORED, DELETED, HELD, REJECTED, NOT_OURS, OUT_OF_SCOPE})
"""Names of an agency's counts: every row has one outcome; reasons stand as `rejected:REASON`."""


class Reason(Enum):
    """Why a row was rejected or leaves a gap."""

    CODE_EMPTY = "CODE_EMPTY"
    CODE_LENGTH = "CODE_LENGTH"
    CODE_LEGACY_15 = "CODE_LEGACY_15"
    CODE_ORGANISATION_ONLY = "CODE_ORGANISATION_ONLY"
    CODE_FULL_WIDTH = "CODE_FULL_WIDTH"
    CODE_SEPARATORS = "CODE_SEPARATORS"
    CODE_LOWER_CASE = "CODE_LOWER_CASE"
    CODE_ALPHABET = "CODE_ALPHABET"
    CODE_AUTHORITY = "CODE_AUTHORITY"
    CODE_DIVISION = "CODE_DIVISION"
    CODE_INNER_CHECK = "CODE_INNER_CHECK"
    CODE_CHECK = "CODE_CHECK"
    CONTROL_CHARACTER = "CONTROL_CHARACTER"
    SHEET_VALUE = "SHEET_VALUE"
    NO_KEY = "NO_KEY"
    NO_LEGAL_BASIS = "NO_LEGAL_BASIS"
    PERSON_NUMBER = "PERSON_NUMBER"
    FORMULA = "FORMULA"
    TOO_LONG = "TOO_LONG"
    NO_DATE = "NO_DATE"
    BAD_DATE = "BAD_DATE"
    FUTURE_DATE = "FUTURE_DATE"
    DATE_ORDER = "DATE_ORDER"
    BAD_VALUE = "BAD_VALUE"
    NO_TARGET = "NO_TARGET"
    NO_AGENCY = "NO_AGENCY"
    UNKNOWN_AGENCY = "UNKNOWN_AGENCY"
    MAY_NOT_WRITE = "MAY_NOT_WRITE"
    UNKNOWN_BEHAVIOUR = "UNKNOWN_BEHAVIOUR"
    UNKNOWN_PERMIT_TYPE = "UNKNOWN_PERMIT_TYPE"
    UNKNOWN_LIST_TYPE = "UNKNOWN_LIST_TYPE"
    UNKNOWN_MEASURE = "UNKNOWN_MEASURE"
    UNKNOWN_SCHEME = "UNKNOWN_SCHEME"
    UNKNOWN_GRADE = "UNKNOWN_GRADE"
    UNKNOWN_DIVISION = "UNKNOWN_DIVISION"
    OTHER_DOMAIN = "OTHER_DOMAIN"
    UNREADABLE_BODY = "UNREADABLE_BODY"
    CODE_DEFUNCT_REGION = "CODE_DEFUNCT_REGION"
    NOTHING_TO_WITHDRAW = "NOTHING_TO_WITHDRAW"


WAITING = frozenset(
    {
        Reason.UNKNOWN_AGENCY,
        Reason.MAY_NOT_WRITE,
        Reason.UNKNOWN_BEHAVIOUR,
        Reason.UNKNOWN_LIST_TYPE,
        Reason.UNKNOWN_MEASURE,
        Reason.UNKNOWN_SCHEME,
        Reason.UNKNOWN_DIVISION,
    }
)
"""Reasons that only the signed tables can cure: such a row waits and is read again under newer ones (duty U16)."""


OF_CODE: Mapping[CodeDefect, Reason] = {each: Reason[f"CODE_{each.name}"] for each in CodeDefect}


class Outcome(Enum):
    """What a problem did to its row.

    Rejected: not loaded. Held: not said until the tables or a better row cure it, and the domain PARTIAL. Noticed:
    loaded all the same. A rejected row makes the domain PARTIAL too when it may hide a record of a subject.
    """

    REJECTED = "REJECTED"
    HELD = "HELD"
    NOTICED = "NOTICED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Where a problem stands; rows count from 1, the header."""

    row: int
    column: str
    reason: Reason
    outcome: Outcome


Sink = Callable[[Problem], None]
"""Takes problems one by one, while the file is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of a file, or of the held rows of a feed; `version` is the version of the facts from now on."""

    feed: str
    version: int
    data_through: date
    rows: int
    accepted: int
    corrected: int
    unchanged: int
    withdrawn: int
    out_of_scope: int
    not_ours: int
    held: Mapping[Reason, int]
    rejected: Mapping[Reason, int]
    notices: Mapping[Reason, int]
    late: int
    on_time: int
    unmeasured: int
    gaps: int
    """Gaps of the feed from now on: records that are held, and rows that no key names."""

    by_agency: Mapping[tuple[str, str], int]
    """(Deciding agency or nothing, name of a count) to a number."""

    problems: tuple[Problem, ...]


@dataclass(slots=True, kw_only=True)
class Tally:
    """The counts of a file while it is read; those of an agency have the names of `nodes.store`'s `load_count`."""

    rows: int = 0
    out_of_scope: int = 0
    not_ours: int = 0
    held: Counter[Reason] = field(default_factory=Counter)
    rejected: Counter[Reason] = field(default_factory=Counter)
    notices: Counter[Reason] = field(default_factory=Counter)
    gaps: int = 0
    """Rows that may hide a record and cannot be named by a key."""

    nameless: int = 0
    """Rejected rows of which neither subject nor key can be told."""

    by_agency: Counter[tuple[str, str]] = field(default_factory=Counter)
    sink: Sink | None = None
    """Told every problem, also those that the report does not list."""

    problems: list[Problem] = field(default_factory=list)
    remarks: list[Problem] = field(default_factory=list)

    def reject(self, row: int, agency: str, column: str, reason: Reason) -> None:
        """Count a row that is not loaded; whether it is a gap besides, the caller knows."""
        self.rejected[reason] += 1
        self.by_agency[agency, REJECTED] += 1
        self.by_agency[agency, f"{REJECTED}:{reason.value}"] += 1
        self._note(self.problems, row, column, reason, Outcome.REJECTED)

    def hold(self, row: int, agency: str, column: str, reason: Reason) -> None:
        """Count a row that may not be said."""
        self.held[reason] += 1
        self.by_agency[agency, HELD] += 1
        self._note(self.problems, row, column, reason, Outcome.HELD)

    def pass_over(self, agency: str, name: str) -> None:
        """Count a row that is another member's, or a person's."""
        self.by_agency[agency, name] += 1
        if name == NOT_OURS:
            self.not_ours += 1
        else:
            self.out_of_scope += 1

    def notice(self, row: int, column: str, reason: Reason) -> None:
        """Note a remark on a row that is loaded; remarks never crowd out problems."""
        self.notices[reason] += 1
        self._note(self.remarks, row, column, reason, Outcome.NOTICED)

    def store(self, agencies: Iterable[str]) -> None:
        """Count rows that are kept, by their agencies."""
        for agency, number in Counter(agencies).items():
            self.by_agency[agency, STORED] += number

    def total(self, name: str) -> int:
        """Add up a count over agencies."""
        return sum(number for (_, each), number in self.by_agency.items() if each == name)

    def close(self) -> None:
        """Add up the rows of each agency."""
        for (agency, name), number in tuple(self.by_agency.items()):
            if name in _OUTCOMES:
                self.by_agency[agency, ROWS] += number

    def figures(self) -> Figures:
        """Give what is stored beside the facts."""
        return Figures(
            rows=self.rows,
            not_ours=self.not_ours,
            out_of_scope=self.out_of_scope,
            rejected=self.rejected.total(),
            held=self.held.total(),
            late=self.total(LATE),
            gaps=self.gaps,
            by_agency=self.by_agency,
        )

    def _note(self, notes: list[Problem], row: int, column: str, reason: Reason, outcome: Outcome) -> None:
        if len(notes) >= PROBLEMS and self.sink is None:
            return
        problem = Problem(row=row, column=column, reason=reason, outcome=outcome)
        if len(notes) < PROBLEMS:
            notes.append(problem)
        if self.sink is not None:
            self.sink(problem)
