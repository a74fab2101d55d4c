"""One verdict a row of a batch (duties U14, U21): what an officer may act on, and never more than was earned.

Precedence, first that holds: a name that is another's, something adverse that stands, what is missing, who and
where the subject is, and last that nothing stands against it. What kinds call adverse stands in their rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING

from gateway import uscc
from gateway.model.codes import ResultState

if TYPE_CHECKING:
    from gateway.charter import Charter
    from gateway.model.answer import Item
    from gateway.model.combined import SubjectResult
    from gateway.recognition import Scales


class RowVerdict(Enum):
    """What a row of a batch comes to."""

    RESTRICTED = "RESTRICTED"
    NOTHING_FOUND = "NOTHING_FOUND"
    INCOMPLETE = "INCOMPLETE"
    SUBJECT_UNCONFIRMED = "SUBJECT_UNCONFIRMED"
    HOME_OUTSIDE_FEDERATION = "HOME_OUTSIDE_FEDERATION"
    NAME_MISMATCH = "NAME_MISMATCH"
    INVALID_CODE = "INVALID_CODE"
    DISPUTED = "DISPUTED"
    KIND_CLOSED = "KIND_CLOSED"
    NOT_IN_SCOPE = "NOT_IN_SCOPE"
    NOT_COVERED = "NOT_COVERED"
    GRADED = "GRADED"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFinding:
    """A row's verdict, the members whose part is missing, the codes behind it, and for a rating the grade.

    `reasons` holds codes only: list types, domains, measure codes, or the defect of a code. They are kept where
    another verdict comes first, so that what is adverse stays visible.
    """

    verdict: RowVerdict
    missing: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    grade: str = ""
    canonical: str = ""
    """The grade in the letters A to D of the signed mapping, by which a tier is found; empty where none maps it."""

    @property
    def awaits(self) -> bool:
        """Whether another answer may change the row: a member is missing, or the row is INCOMPLETE."""
        return bool(self.missing) or self.verdict is RowVerdict.INCOMPLETE


_WHO = {
    ResultState.SUBJECT_UNCONFIRMED: RowVerdict.SUBJECT_UNCONFIRMED,
    ResultState.HOME_OUTSIDE_FEDERATION: RowVerdict.HOME_OUTSIDE_FEDERATION,
    ResultState.NOT_IN_SCOPE: RowVerdict.NOT_IN_SCOPE,
    ResultState.NOT_COVERED: RowVerdict.NOT_COVERED,
}
"""States that end without a finding and say why; the rest must earn its verdict."""
_DOUBTS = (ResultState.INCOMPLETE, *_WHO)
_HEARD = (ResultState.FOUND, ResultState.NOT_FOUND)
_NO_SCALES: Scales = MappingProxyType({})
_NO_GRADE = (ResultState.REVIEW, ResultState.PROVISIONAL)
"""Marks that stand for the grade which is not given."""


PERSON_NUMBER = "PERSON_NUMBER"
"""Reason of a well-formed code that is a well-formed resident ID (GB 11643) as well."""
INVALID_REASONS = (*(each.value for each in uscc.CodeDefect), PERSON_NUMBER)


def invalid_reason(code: str) -> str | None:
    """Say why a cell of a list is not asked about as a code; None for a code.

    One that may be a person's number is neither sent nor repeated (duty U11): in a list of enterprises a resident's
    number is likelier than the few agencies' codes that pass as one, which are asked about one by one.
    """
    defect = uscc.defect(code)
    if defect is not None:
        return defect.value
    return PERSON_NUMBER if uscc.looks_like_person(code) else None


def unaskable(code: str, *, opens_sole_traders: bool) -> RowFinding | None:
    """Give the verdict of a code that no member is asked about; None for one that may be asked (duty U12)."""
    reason = invalid_reason(code)
    if reason is not None:
        return RowFinding(verdict=RowVerdict.INVALID_CODE, reasons=(reason,))
    if uscc.is_sole_trader(code) and not opens_sole_traders:
        return RowFinding(verdict=RowVerdict.KIND_CLOSED)
    return None


def finding(
    kind_name: str, subject: SubjectResult, items: Mapping[str, Item], *, charter: Charter, scales: Scales = _NO_SCALES
) -> RowFinding:
    """Find what a combined subject comes to; `items` are the verified items on it, by member that answered.

    `scales` are the mappings of the day on which it was combined; without them no grade has a canonical one.

    A verdict is final about what stands against a subject, not about the rest: a RESTRICTED row may still have
    members missing.
    """
    kind = charter.kinds[kind_name]
    against, missing = kind.against(subject, items, charter.catalogue), _missing(subject)
    reasons = tuple(sorted({code for codes in against.values() for code in codes}))
    if ResultState.NAME_MISMATCH in (subject.state, *subject.marks):  # the row may be about another subject
        verdict = RowVerdict.NAME_MISMATCH
    elif reasons:
        disputed = all(member in items and items[member].disputed for member, codes in against.items() if codes)
        verdict = RowVerdict.DISPUTED if disputed else RowVerdict.RESTRICTED
    elif not _sound(subject, missing):
        verdict = _unsound(subject, missing)
    elif subject.state is ResultState.FOUND and kind.grade is not None:
        return _graded(kind.grade(subject, items, scales), subject, items)
    else:
        verdict = RowVerdict.NOTHING_FOUND
    return RowFinding(verdict=verdict, missing=missing, reasons=reasons)


def _missing(subject: SubjectResult) -> tuple[str, ...]:
    """Name the members that are silent, refused or partial for any part of the conclusion, in the order asked."""
    if not subject.incomplete_members and subject.recognition is None and not subject.domains:
        return ()
    parts = (subject.recognition, *subject.domains)
    named = {*subject.incomplete_members, *(each for part in parts if part for each in part.incomplete_members)}
    asked = tuple(each.member for each in subject.members)
    return tuple(member for member in asked if member in named)


def _sound(subject: SubjectResult, missing: tuple[str, ...]) -> bool:
    """Say whether nothing is missing: what NOT_FOUND promises must hold beside harmless finds as well (threat 25)."""
    return (
        subject.state in _HEARD
        and not missing
        and bool(subject.home_member)
        and not any(mark in _DOUBTS for mark in subject.marks)
        and all(each.state in _HEARD for each in subject.members)
    )


def _unsound(subject: SubjectResult, missing: tuple[str, ...]) -> RowVerdict:
    """Give what the state says, then what is missing: beside a find, who it is matters once every member was heard."""
    if subject.state in _WHO:
        return _WHO[subject.state]
    if missing:
        return RowVerdict.INCOMPLETE
    return next((verdict for state, verdict in _WHO.items() if state in subject.marks), RowVerdict.INCOMPLETE)


def _graded(grades: tuple[str, str], subject: SubjectResult, items: Mapping[str, Item]) -> RowFinding:
    """Give the home grade, or why there is none though something was found."""
    grade, canonical = grades
    if not grade:
        reasons = tuple(each.value for each in _NO_GRADE if each in subject.marks)
        return RowFinding(verdict=RowVerdict.INCOMPLETE, reasons=reasons)
    home = items.get(subject.home_member)
    disputed = home is not None and home.disputed
    return RowFinding(verdict=RowVerdict.DISPUTED if disputed else RowVerdict.GRADED, grade=grade, canonical=canonical)
