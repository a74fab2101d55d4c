"""Who asked about a subject, as its own key opens it: every member's report verified, both sides of a question as one.

A member that is silent, refuses, or sends what does not verify is named so: what it holds is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from gateway import carriers, wire
from gateway.errors import GatewayError
from gateway.exchange.tracking import context
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
from gateway.verification.checks import Failed, check_key, holds, open_signed, step
from gateway.verification.verdict import Check, Unreadable
from keys.directory import Directory, open_bundle
from keys.seal import Opener
from yrdx.exchange.v1 import access_pb2, envelope_pb2

NOT_GENUINE = "NOT_GENUINE"
"""Why a member is not known to hold anything whose report does not verify."""

_KINDS = {
    AccessSide.ANSWERED: {LedgerEventKind.ANSWERED, LedgerEventKind.REFUSED},
    AccessSide.ASKED: {
        LedgerEventKind.ASKED,
        LedgerEventKind.ACCEPTED,
        LedgerEventKind.REFUSED,
        LedgerEventKind.FAILED,
        LedgerEventKind.VOID,
    },
}


class Proof(Enum):
    """Whether a member's ledger holds what its report says."""

    VERIFIED = "VERIFIED"
    NONE = "NONE"
    FAILED = "FAILED"


class NotGenuine(GatewayError):
    """What came is not the home member's answer to this reading; the text names the check that failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One question about the subject, as one of its members or both hold it; `entry` is the answering one's."""

    asker_member: str
    answerer_member: str
    entry: AccessEntry
    told_by: tuple[str, ...]
    proof: Proof

    @property
    def reference(self) -> str:
        """Name it, to object to it."""
        return f"{self.answerer_member}/{self.entry.question_id.hex()}"


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
    message = access_pb2.ReadAccessResponse()
    try:
        wire.parse_into(message, payload)
    except wire.WireMalformed as error:
        raise Unreadable("no answer to a reading, torn, or with a field unknown to this version") from error
    try:
        directory = step(Check.SIGNATURE, lambda: open_bundle(message.bundle, root=root))
        summary = step(Check.FORM, lambda: _summary(message.summary, reading, digest, directory))
    except Failed as failed:
        raise NotGenuine(f"{failed.check.value}: {failed}") from failed
    sealed = {each.member: each.sealed for each in message.reports}
    reports: dict[str, AccessReport] = {}
    for each in summary.members:
        found = _report(sealed.get(each.member), each, reading, digest, opener, directory)
        if found is not None:
            reports[each.member] = found
    members = tuple(_known(each, reports) for each in summary.members)
    return Found(directory=directory, summary=summary, members=members, reports=reports)


def _summary(
    message: envelope_pb2.Envelope, reading: AccessReading, digest: bytes, directory: Directory
) -> AccessSummary:
    opened, summary = open_signed(message, AccessSummary, directory)
    check_key(opened, directory, reading.home_member, summary.summary_time)
    holds(Check.BINDING, summary.reading_digest == digest, "it answers another reading")
    named = [each.member for each in summary.members]
    # Who is left out would look as if it held nothing.
    everybody = sorted(each.id for each in directory.members if not each.hub)
    holds(Check.MEMBERS, sorted(named) == everybody, "a member is missing or stands twice")
    return summary


def _report(
    sealed: bytes | None,
    outcome: AccessOutcome,
    reading: AccessReading,
    digest: bytes,
    opener: Opener,
    directory: Directory,
) -> AccessReport | None:
    """Open and verify a member's report; None when there is none, or it does not verify."""
    if sealed is None or outcome.state is not AccessState.ANSWERED:
        return None

    def examine() -> AccessReport:
        text = carriers.read_sealed_text(opener.open(sealed, context(reading, outcome.member)))
        message = envelope_pb2.Envelope()
        wire.parse_into(message, text.payload)
        opened, report = open_signed(message, AccessReport, directory)
        check_key(opened, directory, outcome.member, report.report_time)
        holds(Check.BINDING, (report.reading_digest, report.member) == (digest, outcome.member), "another reading's")
        return report

    try:
        return step(Check.FORM, examine)
    except Failed:
        return None


def _known(outcome: AccessOutcome, reports: Mapping[str, AccessReport]) -> AccessOutcome:
    if outcome.state is not AccessState.ANSWERED or outcome.member in reports:
        return outcome
    return AccessOutcome(member=outcome.member, state=AccessState.UNAVAILABLE, reason=NOT_GENUINE)


def lines(pages: Iterable[Found]) -> tuple[Line, ...]:
    """Put both sides of each question together, from all pages of a reading, oldest first."""
    sides: dict[bytes, list[tuple[Proof, AccessReport, AccessEntry]]] = {}
    for page in pages:
        for report in page.reports.values():
            for entry in report.entries:
                held = (_proof(report, entry, page.directory), report, entry)
                sides.setdefault(entry.question_id, []).append(held)
    return tuple(sorted(map(_line, sides.values()), key=lambda each: (each.entry.time, each.reference)))


def _line(sides: list[tuple[Proof, AccessReport, AccessEntry]]) -> Line:
    _, report, entry = min(sides, key=lambda each: each[2].side is not AccessSide.ANSWERED)
    answered = entry.side is AccessSide.ANSWERED
    return Line(
        asker_member=entry.other_member if answered else report.member,
        answerer_member=report.member if answered else entry.other_member,
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
    if entry.side is AccessSide.ANSWERED:
        return (event.asker_member, event.answerer_member) == (entry.other_member, report.member)
    return (event.asker_member, event.answerer_member) == (report.member, entry.other_member)
