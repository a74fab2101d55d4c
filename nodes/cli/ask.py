"""`yrdx ask`: signs an officer's intent, asks the desk, and shows nothing that it has not verified itself."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from gateway import carriers, wire
from gateway.model.codes import OutcomeState, RecognitionState, ResultState, Window
from gateway.model.combined import Intent, SubjectResult
from gateway.verification import Content, Unreadable, Verdict, bound, verify
from keys.envelope import Envelope, from_json
from keys.errors import KeysError
from nodes.cli import desk_client, documents, tables
from nodes.cli.profile import Access, unlock
from nodes.cli.questions import KINDS, Asked, body_of
from nodes.cli.requests import enclosed, signed
from nodes.cli.session import (
    COMPLETE,
    INCOMPLETE,
    NOT_GENUINE,
    Ended,
    SpeakingCommand,
    option,
    session,
)
from nodes.cli.submissions import hand_in
from yrdx.exchange.v1 import desk_pb2

Keep = Callable[[bytes], Ended | None]
"""Writes an answer file; gives how it failed."""

REFERENCE = re.compile(r"([0-9]{6})/([0-9a-f]{32})")
"""An authorisation by home member and id."""

_UNSURE = {ResultState.INCOMPLETE, ResultState.UNAVAILABLE, ResultState.REFUSED, ResultState.PROVISIONAL}


@click.command("ask", cls=SpeakingCommand, help="help.ask")
@click.argument("kind", type=click.Choice(tuple(KINDS)))
@click.argument("codes", metavar="CODE...", nargs=-1, required=True)
@option("--profile", say="help.profile", type=click.Path(path_type=Path), envvar="YRDX_PROFILE", show_envvar=True)
@option("--purpose", say="help.purpose", required=True)
@option("--item", say="help.item", required=True)
@option("--case", "case_reference", say="help.case_reference", default="")
@option("--agreement", say="help.agreement", default="")
@option("--member", "members", say="help.member", multiple=True)
@option("--window", say="help.window", type=click.Choice(tuple(each.value for each in Window)))
@option("--domain", "domains", say="help.domain", multiple=True)
@option("--data-item", "data_items", say="help.data_item", multiple=True)
@option("--scheme", say="help.scheme")
@option("--name", say="help.name")
@option("--authorisation", "authorisations", say="help.authorisation", multiple=True)
@option("--second-officer", say="help.second_officer", is_flag=True)
@option("--for-approval", say="help.for_approval", is_flag=True)
@option("--out", say="help.out", type=click.Path(path_type=Path))
@option("--json", "as_json", say="help.json", is_flag=True)
def ask(
    *,
    kind: str,
    codes: tuple[str, ...],
    profile: Path | None,
    purpose: str,
    item: str,
    case_reference: str,
    agreement: str,
    members: tuple[str, ...],
    authorisations: tuple[str, ...],
    second_officer: bool,
    for_approval: bool,
    out: Path | None,
    as_json: bool,
    **rest: Any,  # noqa: ANN401  the options that belong to some kinds
) -> None:
    """Ask the members; exit 0 complete, 3 a member is missing or partial, 4 refused, 5 no desk, 1 not genuine."""
    body = body_of(kind, Asked(codes=codes, **rest))
    references = tuple(each for each in authorisations if REFERENCE.fullmatch(each))
    consents = tuple(read_authorisation(Path(each)) for each in authorisations if each not in references)
    access, now = unlock(profile, second=second_officer), session().now
    intent = Intent(
        intent_id=secrets.token_bytes(16),
        agency=access.profile.agency,
        officer=access.profile.officer,
        approving_officer=access.profile.approving_officer if second_officer else "",
        intend_time=now(),
        purpose=purpose,
        application_item=item,
        case_reference=case_reference,
        agreement_id=agreement,
        authorisations=consents,
        members=members,
        authorisation_references=references,
        body=body,
    )
    if for_approval:
        if second_officer or out is not None:
            raise Ended("accounts.handed_in_alone")
        hand_in(intent, access, as_json=as_json)
        return
    with reserved(out) as keep:
        file, verdict = _asked(intent, access, now)
        lost = keep(file) if verdict.content is not None else None
    show(verdict, as_json=as_json)
    if lost is not None:  # the answer is shown all the same: it cost a question
        raise lost
    raise SystemExit(exit_code(verdict))


def show(verdict: Verdict, *, as_json: bool) -> None:
    """Show a verdict and, only when it is genuine, what the file says."""
    if as_json:
        documents.write(documents.answer(verdict))
        return
    console, words = Console(soft_wrap=False), session().words
    tables.show_verdict(console, verdict, words)
    if verdict.content is not None:
        tables.show_content(console, verdict.content, words)


def exit_code(verdict: Verdict) -> int:
    """Tell a complete answer from one where a member is missing or partial."""
    if verdict.content is None:
        return NOT_GENUINE
    return COMPLETE if complete(verdict.content) else INCOMPLETE


def complete(content: Content) -> bool:
    """Say whether every member answered in full, for every subject."""
    heard = all(each.outcome.state is OutcomeState.ANSWERED for each in content.exchanges)
    return heard and not any(_unsure(each) for each in content.result.subjects)


def _unsure(subject: SubjectResult) -> bool:
    recognition = subject.recognition
    return (
        bool(subject.incomplete_members)
        or not _UNSURE.isdisjoint({subject.state, *subject.marks})
        or any(each.incomplete_members for each in subject.domains)
        or (recognition is not None and recognition.state is RecognitionState.PROVISIONAL)
    )


def _asked(intent: Intent, access: Access, now: Callable[[], datetime]) -> tuple[bytes, Verdict]:
    envelope = signed(intent, access)
    request = desk_pb2.AskMembersRequest(intent=carriers.envelope_to_message(envelope), assertion=enclosed(access))
    file = desk_client.call(access, "AskMembers", request.SerializeToString())
    try:
        verdict = verify(file, root=access.root, now=now())
    except Unreadable as error:
        raise Ended("ask.unreadable", NOT_GENUINE) from error
    return file, bound(verdict, body=intent.body, intent_digest=envelope.digest())


def read_authorisation(path: Path) -> Envelope:
    """Read the file of a subject's authorisation.

    Raises:
        Ended: when it is none.
    """
    try:
        text = path.read_bytes()
        return from_json(text) if text.lstrip()[:1] == b"{" else wire.decode(Envelope, text)
    except (OSError, KeysError, wire.WireMalformed) as error:
        raise Ended("ask.bad_authorisation", file=path.name) from error


@contextmanager
def reserved(path: Path | None) -> Iterator[Keep]:
    """Make the file before asking, so that no answer is spent on a name that is taken; leave none without one."""
    if path is None:
        yield lambda _: None
        return
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise Ended("ask.out_exists", file=path.name) from error
    except OSError as error:
        raise Ended("ask.out_unwritable", file=path.name, why=error.strerror or "") from error
    kept = False

    def keep(content: bytes) -> Ended | None:
        nonlocal kept
        try:
            os.fchmod(number, 0o600)
            with os.fdopen(number, "wb", closefd=False) as file:
                file.write(content)
            os.fsync(number)
        except OSError as error:
            return Ended("ask.out_lost", file=path.name, why=error.strerror or "")
        kept = True
        return None

    try:
        yield keep
    finally:
        os.close(number)
        if not kept:
            path.unlink(missing_ok=True)
