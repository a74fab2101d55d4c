"""Compares what two members' ledgers say of the questions of one to the other, number by number."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from gateway.model.codes import LedgerEventKind as Kind
from gateway.model.ledger import LedgerEvent

ENDS = {Kind.ACCEPTED: Kind.ANSWERED, Kind.REFUSED: Kind.REFUSED}
"""How an asker's entry of a reply that verified is called at the answerer."""

WITHOUT_REPLY = frozenset({Kind.FAILED, Kind.VOID})


class Side(Enum):
    """Whose ledger."""

    ASKER = "ASKER"
    ANSWERER = "ANSWERER"


class Difference(Enum):
    """What two ledgers do not agree on."""

    HOLE = "HOLE"  # neither knows the number: a hidden exchange
    ONE_SIDED = "ONE_SIDED"  # one of them knows nothing of the number
    MISSING = "MISSING"  # both know it, and one lacks an entry that it must have
    DIFFERING = "DIFFERING"  # another question, another reply, or another outcome
    REPEATED = "REPEATED"  # a number that one of them used twice
    LOST = "LOST"  # question or reply was lost on the way, and the asker's own entry says so


_Difference = tuple[Difference, Side | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The running numbers compared, first and last included: what the asker gave out in the time compared.

    The first follows the last one of the period before: a hole at its beginning is one too.
    """

    asker_member: str
    answerer_member: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Line:
    """An event and its place in the ledger that it was taken from."""

    index: int
    event: LedgerEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A number on which the two ledgers differ, whose ledger lacks something, and the entries that there are."""

    difference: Difference
    pair_sequence: int
    lacking: Side | None
    asker_entries: tuple[int, ...]
    answerer_entries: tuple[int, ...]


def reconcile(period: Period, asked: Iterable[Line], answered: Iterable[Line]) -> tuple[Finding, ...]:
    """Compare the asker's entries with the answerer's; nothing when they agree and VOID explains every gap.

    Entries of other pairs or numbers are passed over. Give what each side has proven to stand in its ledger.
    """
    asker, answerer = _by_number(period, asked), _by_number(period, answered)
    found = []
    for number in range(period.first, period.last + 1):
        ours, theirs = asker.get(number, ()), answerer.get(number, ())
        differs = _difference(ours, theirs)
        if differs is not None:
            difference, lacking = differs
            found.append(
                Finding(
                    difference=difference,
                    pair_sequence=number,
                    lacking=lacking,
                    asker_entries=tuple(each.index for each in ours),
                    answerer_entries=tuple(each.index for each in theirs),
                )
            )
    return tuple(found)


def invented(answered: Iterable[Line]) -> tuple[Finding, ...]:
    """Name answers to numbers that the asker never gave out, and that no period holds."""
    places: dict[int, tuple[int, ...]] = {}
    for each in answered:
        places[each.event.pair_sequence] = (*places.get(each.event.pair_sequence, ()), each.index)
    return tuple(
        Finding(
            difference=Difference.ONE_SIDED,
            pair_sequence=number,
            lacking=Side.ASKER,
            asker_entries=(),
            answerer_entries=found,
        )
        for number, found in places.items()
    )


def _by_number(period: Period, lines: Iterable[Line]) -> Mapping[int, Sequence[Line]]:
    pair, found = (period.asker_member, period.answerer_member), defaultdict(list)
    for line in lines:
        if (line.event.asker_member, line.event.answerer_member) == pair:
            found[line.event.pair_sequence].append(line)
    return found


def _difference(asker: Sequence[Line], answerer: Sequence[Line]) -> _Difference | None:
    """Find what is wrong with one number."""
    questions = [each.event for each in asker if each.event.kind is Kind.ASKED]
    ends = [each.event for each in asker if each.event.kind is not Kind.ASKED]
    replies = [each.event for each in answerer]
    if max(len(questions), len(ends), len(replies)) > 1:
        return Difference.REPEATED, None
    if not asker:
        return (Difference.ONE_SIDED, Side.ASKER) if answerer else (Difference.HOLE, None)
    if not questions:
        never_sent = ends[0].kind is Kind.VOID and not replies
        return None if never_sent else (Difference.MISSING, Side.ASKER)
    if ends and ends[0].kind in WITHOUT_REPLY:
        return _lost(questions[0], replies)
    return _ended(questions[0], ends, replies)


def _lost(question: LedgerEvent, replies: Sequence[LedgerEvent]) -> _Difference:
    if replies and replies[0].question_digest != question.question_digest:
        return Difference.DIFFERING, None
    return Difference.LOST, None


def _ended(question: LedgerEvent, ends: Sequence[LedgerEvent], replies: Sequence[LedgerEvent]) -> _Difference | None:
    if not replies:
        return Difference.ONE_SIDED, Side.ANSWERER
    if not ends:
        return Difference.MISSING, Side.ASKER
    return None if _agree(question, ends[0], replies[0]) else (Difference.DIFFERING, None)


def _agree(question: LedgerEvent, end: LedgerEvent, reply: LedgerEvent) -> bool:
    digests = {question.question_digest, end.question_digest, reply.question_digest}
    return len(digests) == 1 and ENDS.get(end.kind) is reply.kind and end.reply_digest == reply.reply_digest
