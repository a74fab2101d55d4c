"""Sealed reports to a reading of a subject's own, as its key opens them: each member's verified, or the member unknown.

A summary that leaves a member out is not believed: who is left out would look as if it held nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from gateway import carriers, wire
from gateway.errors import GatewayError
from gateway.exchange.tracking import context
from gateway.model.access import (
    AccessOutcome,
    AccessReading,
    AccessReport,
    AccessSummary,
    PreviewReading,
    PreviewReport,
)
from gateway.model.codes import AccessState
from gateway.verification.checks import Failed, check_key, holds, open_signed, step
from gateway.verification.verdict import Check, Unreadable
from keys.directory import Directory, open_bundle
from keys.seal import Opener
from yrdx.exchange.v1 import access_pb2, envelope_pb2

NOT_GENUINE = "NOT_GENUINE"
"""Why a member is not known to hold anything whose report does not verify."""

P = TypeVar("P", AccessReport, PreviewReport)


class NotGenuine(GatewayError):
    """What came is not the home member's answer to this reading; the text names the check that failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What the subject's program knows: what it signed, what opens the reports, and the root of trust."""

    reading: AccessReading | PreviewReading
    digest: bytes
    opener: Opener
    root: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports(Generic[P]):
    """A verified summary, and the reports that verify by member."""

    directory: Directory
    summary: AccessSummary
    reports: Mapping[str, P]


def open_reports(
    payload: bytes,
    message: access_pb2.ReadAccessResponse | access_pb2.ReadPreviewResponse,
    kind: type[P],
    own: Own,
    members: Callable[[Directory], Iterable[str]],
) -> Reports[P]:
    """Verify the bytes of a response, parsed into `message`; `members` gives those that must stand in the summary.

    Raises:
        Unreadable: when the bytes are no such response.
        NotGenuine: when bundle or summary do not verify.
    """
    try:
        wire.parse_into(message, payload)
    except wire.WireMalformed as error:
        raise Unreadable("no answer to a reading, torn, or with a field unknown to this version") from error
    try:
        directory = step(Check.SIGNATURE, lambda: open_bundle(message.bundle, root=own.root))
        summary = step(Check.FORM, lambda: _summary(message.summary, own, directory, members))
    except Failed as failed:
        raise NotGenuine(f"{failed.check.value}: {failed}") from failed
    sealed = {each.member: each.sealed for each in message.reports}
    found = {each.member: _report(kind, sealed.get(each.member), each, own, directory) for each in summary.members}
    reports = {member: each for member, each in found.items() if each is not None}
    return Reports(directory=directory, summary=summary, reports=reports)


def known(outcomes: Iterable[AccessOutcome], reports: Mapping[str, object]) -> tuple[AccessOutcome, ...]:
    """Name as not heard every member that is said to have answered and has no report that verifies."""
    return tuple(
        AccessOutcome(member=each.member, state=AccessState.UNAVAILABLE, reason=NOT_GENUINE)
        if each.state is AccessState.ANSWERED and each.member not in reports
        else each
        for each in outcomes
    )


def _summary(
    message: envelope_pb2.Envelope, own: Own, directory: Directory, members: Callable[[Directory], Iterable[str]]
) -> AccessSummary:
    opened, summary = open_signed(message, AccessSummary, directory)
    check_key(opened, directory, own.reading.home_member, summary.summary_time)
    holds(Check.BINDING, summary.reading_digest == own.digest, "it answers another reading")
    named = [each.member for each in summary.members]
    holds(Check.MEMBERS, sorted(named) == sorted(members(directory)), "a member is missing or stands twice")
    return summary


def _report(kind: type[P], sealed: bytes | None, outcome: AccessOutcome, own: Own, directory: Directory) -> P | None:
    """Open and verify a member's report; None when there is none, or it does not verify."""
    if sealed is None or outcome.state is not AccessState.ANSWERED:
        return None

    def examine() -> P:
        text = carriers.read_sealed_text(own.opener.open(sealed, context(own.reading, outcome.member)))
        message = envelope_pb2.Envelope()
        wire.parse_into(message, text.payload)
        opened, report = open_signed(message, kind, directory)
        check_key(opened, directory, outcome.member, report.report_time)
        bound = (report.reading_digest, report.member) == (own.digest, outcome.member)
        holds(Check.BINDING, bound, "another reading's")
        return report

    try:
        return step(Check.FORM, examine)
    except Failed:
        return None
