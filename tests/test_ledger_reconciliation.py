"""Reconciliation: what two ledgers do not agree on is named by number, side and entry (threats 2 and 7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledgers import ANHUI, JIANGSU, SHANGHAI

from gateway.ledger.reconciliation import Difference, Finding, Line, Period, Side, reconcile
from gateway.model.codes import LedgerEventKind as Kind
from gateway.model.ledger import LedgerEvent

Lines = list[Line]
ASKER, ANSWERER = Side.ASKER, Side.ANSWERER
COUNT = 6
PERIOD = Period(asker_member=JIANGSU, answerer_member=SHANGHAI, first=1, last=COUNT)


def event(kind: Kind, number: int, reply: bytes = b"", question: bytes = b"") -> LedgerEvent:
    """Write an event of the pair."""
    return LedgerEvent(
        kind=kind,
        asker_member=JIANGSU,
        answerer_member=SHANGHAI,
        pair_sequence=number,
        question_digest=question or b"q%d" % number,
        reply_digest=reply,
    )


def agreed(outcomes: Sequence[Kind]) -> tuple[Lines, Lines]:
    """Write what both sides hold when nothing is amiss, one outcome a number."""
    asker: Lines = []
    answerer: Lines = []
    for number, end in enumerate(outcomes, 1):
        reply = b"" if end is Kind.VOID else b"r%d" % number
        if end is not Kind.VOID:
            asker.append(Line(len(asker), event(Kind.ASKED, number)))
            theirs = Kind.ANSWERED if end is Kind.ACCEPTED else Kind.REFUSED
            answerer.append(Line(len(answerer), event(theirs, number, reply)))
        asker.append(Line(len(asker), event(end, number, reply)))
    return asker, answerer


ENDS = (Kind.ACCEPTED, Kind.REFUSED, Kind.VOID)


@given(st.lists(st.sampled_from(ENDS), max_size=COUNT))
def test_ledgers_that_agree_have_no_finding(outcomes: list[Kind]) -> None:
    """Answered, refused and void numbers leave nothing to explain; other pairs and periods do not matter."""
    asker, answerer = agreed(outcomes)
    period = replace(PERIOD, last=len(outcomes))
    noise = [Line(99, replace(event(Kind.ANSWERED, 1), asker_member=ANHUI)), Line(98, event(Kind.ASKED, COUNT + 1))]
    assert reconcile(period, asker + noise, answerer + noise) == ()


@given(st.lists(st.sampled_from(ENDS), min_size=1, max_size=COUNT), st.data())
def test_whatever_entry_is_removed_the_number_is_named(outcomes: list[Kind], data: st.DataObject) -> None:
    """Any one entry gone from either side: its number is the one finding (threat 7)."""
    sides = agreed(outcomes)
    side = data.draw(st.sampled_from([each for each in sides if each]))
    gone = side.pop(data.draw(st.integers(0, len(side) - 1)))
    (found,) = reconcile(replace(PERIOD, last=len(outcomes)), *sides)
    assert found.pair_sequence == gone.event.pair_sequence


@given(st.lists(st.sampled_from(ENDS), min_size=1, max_size=COUNT), st.data())
def test_an_exchange_hidden_by_both_is_a_hole(outcomes: list[Kind], data: st.DataObject) -> None:
    """A number that both sides left out is unexplained, at the beginning of a period too."""
    hidden = data.draw(st.integers(1, len(outcomes)))
    sides = [[each for each in side if each.event.pair_sequence != hidden] for side in agreed(outcomes)]
    (found,) = reconcile(replace(PERIOD, last=len(outcomes)), *sides)
    assert (found.difference, found.pair_sequence, found.lacking) == (Difference.HOLE, hidden, None)


Q, A, R, X, F, V = Kind.ASKED, Kind.ACCEPTED, Kind.REFUSED, Kind.ANSWERED, Kind.FAILED, Kind.VOID
ONE, MISSING, DIFFERS = Difference.ONE_SIDED, Difference.MISSING, Difference.DIFFERING
Said = tuple[Kind, bytes, bytes]


def said(kind: Kind, reply: bytes = b"r", question: bytes = b"q") -> Said:
    """Write one entry of a case."""
    return kind, reply if kind is not Q else b"", question


CASES: dict[str, tuple[list[Said], list[Said], Difference, Side | None]] = {
    "removed at the answerer": ([said(Q), said(A)], [], ONE, ANSWERER),
    "refusal removed at the answerer": ([said(Q), said(R)], [], ONE, ANSWERER),
    "open at the asker, unknown to the answerer": ([said(Q)], [], ONE, ANSWERER),
    "removed at the asker": ([], [said(X)], ONE, ASKER),
    "the question removed at the asker": ([said(A)], [said(X)], MISSING, ASKER),
    "the end removed at the asker": ([said(Q)], [said(X)], MISSING, ASKER),
    "an end without anything else": ([said(A)], [], MISSING, ASKER),
    "void, and answered none the less": ([said(V, b"")], [said(X)], MISSING, ASKER),
    "another question": ([said(Q), said(A)], [said(X, question=b"other")], DIFFERS, None),
    "another question in the end": ([said(Q), said(A, question=b"other")], [said(X)], DIFFERS, None),
    "another reply": ([said(Q), said(A)], [said(X, b"other")], DIFFERS, None),
    "refused, and accepted": ([said(Q), said(A)], [said(R)], DIFFERS, None),
    "answered, and refused": ([said(Q), said(R)], [said(X)], DIFFERS, None),
    "an end of no such kind": ([said(Q), said(X)], [said(X)], DIFFERS, None),
    "lost, and another question answered": ([said(Q), said(F, b"")], [said(X, question=b"other")], DIFFERS, None),
    "asked twice": ([said(Q), said(Q), said(A)], [said(X)], Difference.REPEATED, None),
    "ended twice": ([said(Q), said(A), said(F)], [said(X)], Difference.REPEATED, None),
    "answered twice": ([said(Q), said(A)], [said(X), said(X)], Difference.REPEATED, None),
    "the question was lost": ([said(Q), said(F, b"")], [], Difference.LOST, None),
    "the reply was lost": ([said(Q), said(F, b"")], [said(X)], Difference.LOST, None),
    "nobody waits any more": ([said(Q), said(V, b"")], [], Difference.LOST, None),
    "refused too late": ([said(Q), said(V, b"")], [said(R)], Difference.LOST, None),
}


@pytest.mark.parametrize("case", CASES)
def test_each_difference_has_its_name(case: str) -> None:
    """What is amiss is named with the side that lacks something and the entries that there are."""
    ours, theirs, difference, lacking = CASES[case]
    asker = [Line(10 + at, event(kind, 1, *rest)) for at, (kind, *rest) in enumerate(ours)]
    answerer = [Line(20 + at, event(kind, 1, *rest)) for at, (kind, *rest) in enumerate(theirs)]
    assert reconcile(replace(PERIOD, last=1), asker, answerer) == (
        Finding(
            difference=difference,
            pair_sequence=1,
            lacking=lacking,
            asker_entries=tuple(each.index for each in asker),
            answerer_entries=tuple(each.index for each in answerer),
        ),
    )
