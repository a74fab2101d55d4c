"""`yrdx approve`: what waits for a second officer, who looks at the very bytes that the first one signed (duty U7)."""

from __future__ import annotations

import hashlib
from pathlib import Path

import click
from rich.console import Console

from gateway import wire
from gateway.kinds import KINDS
from gateway.model.accounts import Submission, SubmissionApproval, SubmissionReading, SubmissionRefusal
from gateway.model.combined import CaseOpening, Intent
from gateway.verification import Unreadable, verify
from keys.envelope import pae
from nodes.cli import documents
from nodes.cli.account_tables import show_submissions
from nodes.cli.ask import exit_code, reserved, show
from nodes.cli.profile import Access, unlock
from nodes.cli.requests import enclosed, message, send, value_of
from nodes.cli.session import NOT_GENUINE, Ended, SpeakingGroup, option, session
from nodes.cli.submissions import only, tell
from yrdx.exchange.v1 import desk_pb2, envelope_pb2

_FORMS: dict[str, type[Intent | CaseOpening]] = {
    wire.PAYLOAD_TYPES[Intent]: Intent,
    wire.PAYLOAD_TYPES[CaseOpening]: CaseOpening,
}


@click.group("approve", cls=SpeakingGroup, help="help.approve")
def approve() -> None:
    """See words.toml."""


@approve.command("list", help="help.approve_list")
@option("--profile", say="help.profile", type=click.Path(path_type=Path), envvar="YRDX_PROFILE", show_envvar=True)
@option("--json", "as_json", say="help.json", is_flag=True)
def list_submissions(*, profile: Path | None, as_json: bool) -> None:
    """List what the agency handed in; no subject is named."""
    found = _submissions(unlock(profile))
    if as_json:
        documents.write({"format": documents.SUBMISSIONS, "submissions": documents.plain_value(found)})
    else:
        show_submissions(Console(), found, session().words)


@approve.command("show", help="help.approve_show")
@click.argument("identity", metavar="ID")
@option("--profile", say="help.profile", type=click.Path(path_type=Path), envvar="YRDX_PROFILE", show_envvar=True)
@option("--out", say="help.out", type=click.Path(path_type=Path))
@option("--json", "as_json", say="help.json", is_flag=True)
def show_one(*, identity: str, profile: Path | None, out: Path | None, as_json: bool) -> None:
    """Show one, and to the officer who handed it in the answer, verified; exit codes are those of ask."""
    access = unlock(profile)
    digest = _identity(identity, access)
    response = _shown(access, digest)
    found = value_of(Submission, response.submission)
    if response.payload_type:
        _check(digest, found, response)
    if not response.HasField("result"):
        tell(found, as_json=as_json)
        return
    file = response.result.SerializeToString()
    try:
        verdict = verify(file, root=access.root, now=session().now())
    except Unreadable as error:
        raise Ended("ask.unreadable", NOT_GENUINE) from error
    with reserved(out) as keep:
        lost = keep(file) if verdict.content is not None else None
    show(verdict, as_json=as_json)
    if lost is not None:
        raise lost
    raise SystemExit(exit_code(verdict))


@approve.command("sign", help="help.approve_sign")
@click.argument("identity", metavar="ID")
@option("--profile", say="help.profile", type=click.Path(path_type=Path), envvar="YRDX_PROFILE", show_envvar=True)
@option("--json", "as_json", say="help.json", is_flag=True)
def sign_one(*, identity: str, profile: Path | None, as_json: bool) -> None:
    """Approve the very bytes that are shown as the second officer; the desk asks at once."""
    access = unlock(profile)
    digest = _identity(identity, access)
    response = _shown(access, digest)
    found = value_of(Submission, response.submission)
    if not response.payload_type:
        raise Ended("accounts.not_for_you", state=session().words.code("submission", found.state.value))
    _check(digest, found, response)
    approval = SubmissionApproval(
        agency=access.profile.agency,
        officer=access.profile.officer,
        submission_id=digest,
        approve_time=session().now(),
    )
    request = desk_pb2.ApproveSubmissionRequest(approval=message(approval, access), assertion=enclosed(access))
    answer = send(access, "ApproveSubmission", request, desk_pb2.ApproveSubmissionResponse())
    tell(value_of(Submission, answer.submission), as_json=as_json)


@approve.command("refuse", help="help.approve_refuse")
@click.argument("identity", metavar="ID")
@option("--profile", say="help.profile", type=click.Path(path_type=Path), envvar="YRDX_PROFILE", show_envvar=True)
@option("--json", "as_json", say="help.json", is_flag=True)
def refuse_one(*, identity: str, profile: Path | None, as_json: bool) -> None:
    """Refuse one, or take back what one handed in; it is never asked."""
    access = unlock(profile)
    refusal = SubmissionRefusal(
        agency=access.profile.agency,
        officer=access.profile.officer,
        submission_id=_identity(identity, access),
        refuse_time=session().now(),
    )
    request = desk_pb2.RefuseSubmissionRequest(refusal=message(refusal, access), assertion=enclosed(access))
    response = send(access, "RefuseSubmission", request, desk_pb2.RefuseSubmissionResponse())
    tell(value_of(Submission, response.submission), as_json=as_json)


def _identity(text: str, access: Access) -> bytes:
    return only(text, (each.submission_id for each in _submissions(access)))


def _submissions(access: Access) -> tuple[Submission, ...]:
    request = desk_pb2.ListSubmissionsRequest(reading=_reading(access, b""), assertion=enclosed(access))
    response = send(access, "ListSubmissions", request, desk_pb2.ListSubmissionsResponse())
    return tuple(value_of(Submission, each) for each in response.submissions)


def _shown(access: Access, digest: bytes) -> desk_pb2.GetSubmissionResponse:
    request = desk_pb2.GetSubmissionRequest(reading=_reading(access, digest), assertion=enclosed(access))
    return send(access, "GetSubmission", request, desk_pb2.GetSubmissionResponse())


def _reading(access: Access, digest: bytes) -> envelope_pb2.Envelope:
    reading = SubmissionReading(
        agency=access.profile.agency,
        officer=access.profile.officer,
        submission_id=digest,
        read_time=session().now(),
    )
    return message(reading, access)


def _check(identity: bytes, found: Submission, response: desk_pb2.GetSubmissionResponse) -> None:
    """Compare the bytes with their id and with what the desk says of them: an officer approves what was shown.

    Raises:
        Ended: when they differ.
    """
    form = _FORMS.get(response.payload_type)
    digest = hashlib.sha256(pae(response.payload_type, response.payload)).digest()
    try:
        value = None if form is None else wire.decode(form, response.payload)
    except wire.WireMalformed as error:
        raise Ended("accounts.unreadable", NOT_GENUINE) from error
    if value is None or not digest == identity == found.submission_id or _described(value) != _said(found):
        raise Ended("accounts.other_bytes", NOT_GENUINE)


def _described(value: Intent | CaseOpening) -> tuple[object, ...]:
    head = (value.agency, value.officer, value.purpose, value.application_item, value.case_reference)
    if isinstance(value, CaseOpening):
        return *head, "", value.subject_count
    kind = next((each for each in KINDS.values() if each.question is type(value.body)), None)
    return *head, kind.name if kind else None, len(kind.subjects(value.body)) if kind else None


def _said(found: Submission) -> tuple[object, ...]:
    head = (found.agency, found.officer, found.purpose, found.application_item, found.case_reference)
    return *head, found.kind, found.subject_count
