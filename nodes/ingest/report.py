"""What became of a file's rows: counts, and where the first problems stand. Never a value (duty U11)."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum

from gateway.uscc import CodeDefect

PROBLEMS = 100
"""Problems that a report lists one by one; the rest is counted."""


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
    UNKNOWN_BEHAVIOUR = "UNKNOWN_BEHAVIOUR"
    UNKNOWN_PERMIT_TYPE = "UNKNOWN_PERMIT_TYPE"
    UNKNOWN_LIST_TYPE = "UNKNOWN_LIST_TYPE"
    UNKNOWN_MEASURE = "UNKNOWN_MEASURE"
    UNKNOWN_SCHEME = "UNKNOWN_SCHEME"
    UNKNOWN_GRADE = "UNKNOWN_GRADE"
    UNKNOWN_DIVISION = "UNKNOWN_DIVISION"
    OTHER_DOMAIN = "OTHER_DOMAIN"


OF_CODE: Mapping[CodeDefect, Reason] = {each: Reason[f"CODE_{each.name}"] for each in CodeDefect}


class Outcome(Enum):
    """What a problem did to its row: not loaded, or kept without a word if at all, and the domain PARTIAL.

    A rejected row makes the domain PARTIAL too when it may hide a record of a subject.
    """

    REJECTED = "REJECTED"
    GAP = "GAP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Where a problem stands; rows count from 1, the header."""

    row: int
    column: str
    reason: Reason
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of a file; `version` is the version of the facts from now on."""

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
    rejected: Mapping[Reason, int]
    gaps: int
    problems: tuple[Problem, ...]


@dataclass(slots=True, kw_only=True)
class Tally:
    """The counts of a file while it is read."""

    rows: int = 0
    out_of_scope: int = 0
    not_ours: int = 0
    rejected: Counter[Reason] = field(default_factory=Counter)
    gaps: int = 0
    problems: list[Problem] = field(default_factory=list)

    def reject(self, row: int, column: str, reason: Reason) -> None:
        """Count a row that is not loaded; whether it is a gap besides, the caller knows and counts."""
        self.rejected[reason] += 1
        self._note(row, column, reason, Outcome.REJECTED)

    def gap(self, row: int, column: str, reason: Reason) -> None:
        """Note a row that says nothing, so that its domain may not be called complete; the caller counts it."""
        self._note(row, column, reason, Outcome.GAP)

    def _note(self, row: int, column: str, reason: Reason, outcome: Outcome) -> None:
        if len(self.problems) < PROBLEMS:
            self.problems.append(Problem(row=row, column=column, reason=reason, outcome=outcome))
