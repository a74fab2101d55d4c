"""What may be concluded from all members together (duties U1, U2, U4): nothing found must be earned.

A made-up code, a foreign enterprise and a silent region each end in another state than NOT_FOUND (threat 25).
It knows no kind: a kind adds its own fields through its row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway import alike
from gateway.model.codes import ItemState, OutcomeState, RecognitionState, ResultState
from gateway.model.combined import MemberState, SubjectResult
from gateway.recognition import home_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from gateway.kinds.row import Combining, Kind
    from gateway.model.answer import Item
    from gateway.model.combined import RecognitionResult

_REGISTERED_AT = slice(2, 4)
"""Where a code carries the province that registered it (GB 32100): a hint that rules members out, no home."""
_ITEM_STATES = {
    ItemState.FOUND: ResultState.FOUND,
    ItemState.NOT_FOUND: ResultState.NOT_FOUND,
    ItemState.NOT_COVERED: ResultState.NOT_COVERED,
}
_RECOGNITION_MARKS = {
    RecognitionState.NOT_IN_SCOPE: ResultState.NOT_IN_SCOPE,
    RecognitionState.REVIEW: ResultState.REVIEW,
    RecognitionState.PROVISIONAL: ResultState.PROVISIONAL,
}
_SAYS_SO = {
    ResultState.SUBJECT_UNCONFIRMED: frozenset({ResultState.HOME_OUTSIDE_FEDERATION}),
    ResultState.INCOMPLETE: frozenset({ResultState.NOT_COVERED}),
}
"""States that say already what a mark would add."""


def combine(
    kind: Kind, body: object, combining: Combining, outcomes: Mapping[str, OutcomeState]
) -> tuple[SubjectResult, ...]:
    """Conclude on every subject of the question, in its order; a kind without subjects has one result."""
    codes = tuple(each.uscc for each in kind.subjects(body)) or ("",)
    items = {
        member: {item.uscc: item for item in combining.accepted[member].items}
        for member in combining.asked
        if member in combining.accepted
    }
    kept: dict[Hashable, Callable[[str], SubjectResult]] = {}
    found = []
    for code in codes:
        said = {member: held[code] for member, held in items.items() if code in held}
        # Subjects of whom the same is said, registered in one province, share one conclusion.
        key = (bool(code), code[_REGISTERED_AT], *((member, alike.shape(item)) for member, item in said.items()))
        if key not in kept:
            kept[key] = alike.coded(_subject(kind, code, said, combining, outcomes))
        found.append(kept[key](code))
    return tuple(found)


def _subject(
    kind: Kind,
    code: str,
    items: Mapping[str, Item],
    combining: Combining,
    outcomes: Mapping[str, OutcomeState],
) -> SubjectResult:
    home = home_of(items)
    said = kind.combine(code, items, combining)
    silent = tuple(member for member in combining.asked if member not in items)
    short = tuple(each for each in combining.asked if each in silent or (code and each in combining.incomplete))
    state = _state(code, items, combining, home=home, silent=silent, short=short)
    return SubjectResult(
        uscc=code,
        state=state,
        marks=_marks(code, state, items, said.get("recognition"), home=home, short=short),
        home_member=home,
        incomplete_members=short,
        members=tuple(
            MemberState(member=member, state=_member_state(items.get(member), outcomes.get(member)))
            for member in combining.asked
        ),
        **said,
    )


def _state(
    code: str,
    items: Mapping[str, Item],
    combining: Combining,
    *,
    home: str,
    silent: tuple[str, ...],
    short: tuple[str, ...],
) -> ResultState:
    """Conclude in this order: what is found, what is missing, who it is, and last that nothing is there."""
    states = {item.state for item in items.values()}
    if ItemState.FOUND in states:
        return ResultState.FOUND
    if silent or not items or (code and combining.partial):
        return ResultState.INCOMPLETE
    if code and not home:
        return _unconfirmed(code, combining)
    if any(item.in_scope is False for item in items.values()):
        return ResultState.NOT_IN_SCOPE
    if states == {ItemState.NOT_COVERED}:
        return ResultState.NOT_COVERED
    return ResultState.INCOMPLETE if short or ItemState.NOT_COVERED in states else ResultState.NOT_FOUND


def _unconfirmed(code: str, combining: Combining) -> ResultState:
    """Tell a foreign code from a made-up one: foreign is a province in which no member of the federation lies."""
    province = code[_REGISTERED_AT]
    known = list(combining.divisions.values())
    ours = any(division.startswith(province) for divisions in known for division in divisions)
    return ResultState.SUBJECT_UNCONFIRMED if ours or not known else ResultState.HOME_OUTSIDE_FEDERATION


def _marks(
    code: str,
    state: ResultState,
    items: Mapping[str, Item],
    recognition: RecognitionResult | None,
    *,
    home: str,
    short: tuple[str, ...],
) -> tuple[ResultState, ...]:
    recognised = None if recognition is None else _RECOGNITION_MARKS.get(recognition.state)
    holding = {
        ResultState.SUBJECT_UNCONFIRMED: bool(code) and not home,
        ResultState.INCOMPLETE: bool(short),
        ResultState.NAME_MISMATCH: any(item.name_match is False for item in items.values()),
        ResultState.NOT_IN_SCOPE: any(item.in_scope is False for item in items.values()),
        ResultState.REVIEW: recognised is ResultState.REVIEW,
        ResultState.PROVISIONAL: recognised is ResultState.PROVISIONAL,
    }
    return tuple(
        mark for mark, holds in holding.items() if holds and state is not mark and state not in _SAYS_SO.get(mark, ())
    )


def _member_state(item: Item | None, outcome: OutcomeState | None) -> ResultState:
    """Give a member's own state; a wrong answer counts as silence."""
    if item is not None:
        return _ITEM_STATES[item.state]
    return ResultState.REFUSED if outcome is OutcomeState.REFUSED else ResultState.UNAVAILABLE
