"""Who asked about a subject, as its own key opens it: every member's report verified, both sides of a question as one.

A member that is silent, refuses, or sends what does not verify is named so: what it holds is not known. A ledger proves
that the two members exchanged a question; which agency asked, when and why is the word of who signed the report.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from gateway import wire
from gateway.ledger import dating, logs, receipts
from gateway.ledger.checkpoint import Checkpoint, open_checkpoint
from gateway.ledger.errors import LedgerError, QuorumMissing
from gateway.model.access import (
    AccessEntry,
    AccessOutcome,
    AccessReading,
    AccessReport,
    AccessSummary,
    DelayedMonth,
)
from gateway.model.codes import AccessSide, AccessState, LedgerEventKind
from gateway.model.ledger import LedgerEvent
from gateway.verification.reports import Own, known, open_reports
from keys.directory import Directory
from keys.seal import Opener
from yrdx.exchange.v1 import access_pb2

_KINDS = {
    AccessSide.ANSWERED: {LedgerEventKind.ANSWERED, LedgerEventKind.REFUSED},
    AccessSide.ASKED: {
        LedgerEventKind.ASKED,
        LedgerEventKind.ACCEPTED,
        LedgerEventKind.REFUSED,
        LedgerEventKind.FAILED,
        LedgerEventKind.VOID,
    },
    AccessSide.OWN: {LedgerEventKind.ADMINISTERED},
}


_Leaf = tuple[str, int]
"""Origin of a log, and the place of an entry in it."""


class Proof(Enum):
    """Whether a member's ledger holds a question, under a head that enough others cosigned or its own signature alone.

    A head that nobody else saw may be of a history that was made for this subject (threat 12).
    """

    WITNESSED = "WITNESSED"
    LOGGED = "LOGGED"
    NONE = "NONE"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One question about the subject, as one of its members or both hold it; `entry` is the answering one's.

    A preview of the subject's own is one line, whoever holds it: the member that vouched for its key asked, all others.
    """

    asker_member: str
    answerer_member: str
    entry: AccessEntry
    told_by: tuple[str, ...]
    proof: Proof

    @property
    def reference(self) -> str:
        """Name it, to object to it."""
        return f"{self.answerer_member or self.asker_member}/{self.entry.question_id.hex()}"

    @property
    def own(self) -> bool:
        """Whether the subject, or whoever has a key of it, previewed."""
        return self.entry.side is AccessSide.OWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a subject is told: `members` names everybody, heard or not; `reports` are of those that were."""

    directory: Directory
    summary: AccessSummary
    members: tuple[AccessOutcome, ...]
    reports: Mapping[str, AccessReport]

    @property
    def delayed(self) -> tuple[DelayedMonth, ...]:
        """Bands of what is delayed."""
        return self.summary.delayed

    @property
    def complete(self) -> bool:
        """Whether every member was heard."""
        return all(each.state is AccessState.ANSWERED for each in self.members)

    @property
    def left_out(self) -> bool:
        """Whether a member holds more than found room."""
        return any(each.left_out for each in self.reports.values())


def verify_access(payload: bytes, *, reading: AccessReading, digest: bytes, opener: Opener, root: bytes) -> Found:
    """Verify the bytes of a ReadAccessResponse to a reading, and open what was sealed to its key.

    Raises:
        Unreadable: when the bytes are no such response.
        NotGenuine: when bundle or summary do not verify.
    """
    opened = open_reports(
        payload,
        access_pb2.ReadAccessResponse(),
        AccessReport,
        Own(reading=reading, digest=digest, opener=opener, root=root),
        lambda directory: tuple(each.id for each in directory.members if not each.hub),
    )
    return Found(
        directory=opened.directory,
        summary=opened.summary,
        members=known(opened.summary.members, opened.reports),
        reports=opened.reports,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """A question as one of its members holds it; event and leaf are of a proof that holds."""

    report: AccessReport
    entry: AccessEntry
    proof: Proof
    event: LedgerEvent | None = None
    leaf: _Leaf | None = None

    @property
    def pair(self) -> tuple[str, str]:
        """Name asker and answerer; of a preview who vouched for its key, and nobody."""
        if self.entry.side is AccessSide.ASKED:
            return self.report.member, self.entry.other_member
        return self.entry.other_member, "" if self.entry.side is AccessSide.OWN else self.report.member


def lines(pages: Iterable[Found]) -> tuple[Line, ...]:
    """Put both sides of each question together, from all pages of a reading, oldest first."""
    sides = [
        _side(report, entry, page.directory)
        for page in pages
        for report in page.reports.values()
        for entry in report.entries
    ]
    worn = _worn(sides)
    questions: dict[tuple[bytes, str], list[_Side]] = {}
    for each in sides:
        questions.setdefault((each.entry.question_id, each.entry.key_id), []).append(each)
    found = (_line(each, worn) for each in questions.values())
    return tuple(sorted(found, key=lambda each: (each.entry.time, each.reference)))


def _worn(sides: Iterable[_Side]) -> set[_Leaf]:
    """Name the leaves that serve two entries: a member has one for each question (a made-up entry borrows another's).

    The same entry may stand on two pages, and meanwhile have ended.
    """
    served: dict[_Leaf, set[AccessEntry]] = {}
    for each in sides:
        if each.leaf is not None:
            entry = replace(each.entry, fields=(), outcome="", event=b"", receipt=None)
            served.setdefault(each.leaf, set()).add(entry)
    return {leaf for leaf, entries in served.items() if len(entries) > 1}


def _line(sides: list[_Side], worn: Collection[_Leaf]) -> Line:
    first = min(sides, key=lambda each: each.entry.side is not AccessSide.ANSWERED)
    asker, answerer = first.pair
    sound = _agree(sides) and not any(each.leaf in worn for each in sides)
    return Line(
        asker_member=asker,
        answerer_member=answerer,
        entry=first.entry,
        told_by=tuple(sorted({each.report.member for each in sides})),
        proof=_worst({each.proof for each in sides}) if sound else Proof.FAILED,
    )


def _worst(found: set[Proof]) -> Proof:
    return next(each for each in (Proof.FAILED, Proof.NONE, Proof.LOGGED, Proof.WITNESSED) if each in found)


def _agree(sides: Iterable[_Side]) -> bool:
    """Say whether all who hold a question hold the same one, and say the same of it."""
    said = {
        (each.pair, each.entry.agency, each.entry.purpose, each.entry.application_item, each.entry.kind)
        for each in sides
    }
    proved = {_exchange(each.event, each.entry.side) for each in sides if each.event is not None}
    return len(said) == 1 and len(proved) <= 1


def _exchange(event: LedgerEvent, side: AccessSide) -> tuple[bytes, int]:
    """Give what is the same in the ledgers of all who hold a question: of a preview the digest of what was signed."""
    if side is AccessSide.OWN:
        return event.reply_digest, 0
    return event.question_digest, event.pair_sequence


def _side(report: AccessReport, entry: AccessEntry, directory: Directory) -> _Side:
    """Verify that the member's ledger holds an entry of this kind between these two members."""
    if entry.receipt is None:
        return _Side(report=report, entry=entry, proof=Proof.NONE)
    failed = _Side(report=report, entry=entry, proof=Proof.FAILED)
    try:
        event = wire.decode(LedgerEvent, entry.event)
        logged = receipts.verify(entry.receipt, entry.event, logs.listed_keys(directory, report.member))
        proof = _standing(logged.checkpoint, event, report, directory)
    except (LedgerError, wire.WireMalformed):
        return failed
    if event.kind not in _KINDS[entry.side] or not _between(event, failed):
        return failed
    return replace(failed, proof=proof, event=event, leaf=(logged.checkpoint.head.origin, logged.index))


def _standing(checkpoint: Checkpoint, event: LedgerEvent, report: AccessReport, directory: Directory) -> Proof:
    """Say who stands for a head.

    Raises:
        LedgerError: when nobody does whose key counted then.
    """
    try:
        dating.witnessed_in(directory, checkpoint, {event.asker_member, event.answerer_member})
    except QuorumMissing:
        open_checkpoint(checkpoint.note.payload, logs.of_member(directory, report.member, report.report_time))
        return Proof.LOGGED
    return Proof.WITNESSED


def _between(event: LedgerEvent, side: _Side) -> bool:
    if side.entry.side is AccessSide.OWN:
        return event.asker_member == side.report.member
    return (event.asker_member, event.answerer_member) == side.pair
