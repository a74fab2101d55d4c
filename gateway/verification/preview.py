"""What a named agency would be told, as the subject's own key opens it: each head held against that agency's grant.

The conclusions are made as the asking member would make them; nobody has signed them, and they prove nothing to others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from gateway.charter import Charter, charter, divisions, stage_of
from gateway.clocks import civil_day
from gateway.combination import combine
from gateway.errors import GatewayError, Refused
from gateway.exchange.accept import accept_preview
from gateway.exchange.preview import foresee, members_of, question_of
from gateway.kinds import KINDS, kind_of
from gateway.kinds.row import Combining
from gateway.model.access import AccessOutcome, AccessSummary, PreviewReading, PreviewReport
from gateway.model.codes import AccessState, OutcomeState, RefusalReason
from gateway.model.combined import CombinedResult, MemberOutcome
from gateway.model.signed import Accepted, Signed
from gateway.verification.checks import Failed, step
from gateway.verification.reports import NotGenuine, Own, known, open_reports
from gateway.verification.verdict import Check, Content, Heard
from keys.directory import Directory
from keys.envelope import Envelope
from keys.seal import Opener
from yrdx.exchange.v1 import access_pb2

_STATES = {
    AccessState.ANSWERED: OutcomeState.ANSWERED,
    AccessState.REFUSED: OutcomeState.REFUSED,
    AccessState.UNAVAILABLE: OutcomeState.UNAVAILABLE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What the agency would read: `members` names every member that it would ask, heard or not."""

    summary: AccessSummary
    members: tuple[AccessOutcome, ...]
    content: Content

    @property
    def complete(self) -> bool:
        """Whether every member was heard."""
        return all(each.state is AccessState.ANSWERED for each in self.members)


def verify_preview(
    payload: bytes, *, reading: PreviewReading, envelope: Envelope, opener: Opener, root: bytes
) -> Preview:
    """Verify the bytes of a ReadPreviewResponse to a signed reading, and conclude as the agency's member would.

    Raises:
        Unreadable: when the bytes are no such response.
        NotGenuine: when bundle or summary do not verify, or nothing can be concluded from what was told.
    """
    digest = envelope.digest()
    opened = open_reports(
        payload,
        access_pb2.ReadPreviewResponse(),
        PreviewReport,
        Own(reading=reading, digest=digest, opener=opener, root=root),
        lambda directory: members_of(reading, _charter(reading, directory)),
    )
    try:
        return step(
            Check.SUBJECTS, lambda: _preview(reading, envelope, opened.directory, opened.summary, opened.reports)
        )
    except Failed as failed:
        raise NotGenuine(f"{failed.check.value}: {failed}") from failed


def _charter(reading: PreviewReading, directory: Directory) -> Charter:
    """Read the directory as it binds the member of the agency."""
    agency = directory.agency(reading.agency)
    if agency is None:
        raise Refused(RefusalReason.AGENCY_NOT_ALLOWED)
    return charter(agency.member, directory, KINDS)


def _preview(
    reading: PreviewReading,
    envelope: Envelope,
    directory: Directory,
    summary: AccessSummary,
    reports: Mapping[str, PreviewReport],
) -> Preview:
    here, now = _charter(reading, directory), summary.summary_time
    asked = {
        each.member: Signed(
            envelope=envelope, question=question_of(reading, each.member, here), digest=summary.reading_digest
        )
        for each in summary.members
    }
    accepted = {
        member: found
        for member, report in reports.items()
        if (found := _accepted(reading, report, asked[member], here, now)) is not None
    }
    members = known(summary.members, accepted)
    outcomes = tuple(_outcome(each) for each in members)
    heard = tuple(
        Heard(outcome=each, signed=asked[each.member], accepted=accepted.get(each.member)) for each in outcomes
    )
    content = Content(
        charter=here,
        result=_result(reading, summary, outcomes, accepted, here),
        result_digest=summary.reading_digest,
        exchanges=heard,
        recognitions=(),
    )
    return Preview(summary=summary, members=members, content=content)


def _accepted(
    reading: PreviewReading, report: PreviewReport, signed: Signed, here: Charter, now: datetime
) -> Accepted | None:
    """Take what a member would tell as the agency's member would take its answer; None for what it would not."""
    try:
        grant = foresee(reading, report.member, here, now).grant
        return accept_preview(report, signed, grant, here, now)
    except GatewayError:
        return None


def _outcome(each: AccessOutcome) -> MemberOutcome:
    reasons = {reason.value: reason for reason in RefusalReason}
    return MemberOutcome(member=each.member, state=_STATES[each.state], reason=reasons.get(each.reason))


def _result(
    reading: PreviewReading,
    summary: AccessSummary,
    outcomes: tuple[MemberOutcome, ...],
    accepted: Mapping[str, Accepted],
    here: Charter,
) -> CombinedResult:
    kind, now = kind_of(reading.body, here.kinds), summary.summary_time
    combining = Combining(
        asker=here.me,
        application_item=reading.application_item,
        today=civil_day(now),
        catalogue=here.catalogue,
        asked=tuple(each.member for each in outcomes),
        accepted=accepted,
        divisions=divisions(here),
    )
    return CombinedResult(
        intent_digest=summary.reading_digest,
        asker_member=here.me,
        agency=reading.agency,
        purpose=reading.purpose,
        application_item=reading.application_item,
        agreement_id=reading.agreement_id,
        kind=kind.name,
        combine_time=now,
        members=outcomes,
        subjects=combine(kind, reading.body, combining, {each.member: each.state for each in outcomes}),
        bundle_stage=stage_of(here, now),
    )
