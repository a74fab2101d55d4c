"""Who asked about a subject, as its own key opens it: every member's report verified, both sides of a question as one.

A member that is silent, refuses, or sends what does not verify is named so: what it holds is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from gateway import wire
from gateway.ledger import logs, receipts
from gateway.ledger.errors import LedgerError
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


class Proof(Enum):
    """Whether a member's ledger holds what its report says."""

    VERIFIED = "VERIFIED"
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


def lines(pages: Iterable[Found]) -> tuple[Line, ...]:
    """Put both sides of each question together, from all pages of a reading, oldest first."""
    sides: dict[tuple[bytes, str], list[tuple[Proof, AccessReport, AccessEntry]]] = {}
    for page in pages:
        for report in page.reports.values():
            for entry in report.entries:
                held = (_proof(report, entry, page.directory), report, entry)
                sides.setdefault((entry.question_id, entry.key_id), []).append(held)
    return tuple(sorted(map(_line, sides.values()), key=lambda each: (each.entry.time, each.reference)))


def _line(sides: list[tuple[Proof, AccessReport, AccessEntry]]) -> Line:
    _, report, entry = min(sides, key=lambda each: each[2].side is not AccessSide.ANSWERED)
    asked = entry.side is AccessSide.ASKED
    answerer = "" if entry.side is AccessSide.OWN else report.member
    return Line(
        asker_member=report.member if asked else entry.other_member,
        answerer_member=entry.other_member if asked else answerer,
        entry=entry,
        told_by=tuple(sorted({each.member for _, each, _ in sides})),
        proof=_worst({each for each, _, _ in sides}),
    )


def _worst(found: set[Proof]) -> Proof:
    return next(each for each in (Proof.FAILED, Proof.NONE, Proof.VERIFIED) if each in found)


def _proof(report: AccessReport, entry: AccessEntry, directory: Directory) -> Proof:
    """Verify that the member's ledger holds an entry of this question between these two members."""
    if entry.receipt is None:
        return Proof.NONE
    keys = logs.of_member(directory, report.member, report.report_time)
    try:
        event = wire.decode(LedgerEvent, entry.event)
        receipts.verify(entry.receipt, entry.event, keys)
    except (LedgerError, wire.WireMalformed):
        return Proof.FAILED
    return Proof.VERIFIED if event.kind in _KINDS[entry.side] and _between(event, report, entry) else Proof.FAILED


def _between(event: LedgerEvent, report: AccessReport, entry: AccessEntry) -> bool:
    if entry.side is AccessSide.OWN:
        return event.asker_member == report.member
    if entry.side is AccessSide.ANSWERED:
        return (event.asker_member, event.answerer_member) == (entry.other_member, report.member)
    return (event.asker_member, event.answerer_member) == (report.member, entry.other_member)
