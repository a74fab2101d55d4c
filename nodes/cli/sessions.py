"""`yrdx session`: an officer signs once that a key may sign for some hours; closing it ends it for every worker."""

from __future__ import annotations

import secrets
from datetime import timedelta
from pathlib import Path

import click
from rich.console import Console

from gateway import carriers, wire
from gateway.limits import ID_BYTES, Limits
from gateway.model.accounts import OfficerAssertion, Session, SessionClosing, SessionReading
from keys import custody, suite
from keys.envelope import sign
from keys.errors import KeysError
from keys.members import ROLES
from nodes.cli import documents, signing
from nodes.cli.account_tables import show_sessions
from nodes.cli.desk_client import DeskRefused
from nodes.cli.profile import Access, unlock
from nodes.cli.requests import enclosed, message, send, value_of
from nodes.cli.session import Ended, SpeakingGroup, option, session
from nodes.cli.submissions import only
from yrdx.exchange.v1 import desk_pb2

HOURS = 8


@click.group("session", cls=SpeakingGroup, help="help.session")
def session_group() -> None:
    """See words.toml."""


@session_group.command("open", help="help.session_open")
@option("--profile", say="help.profile", type=click.Path(path_type=Path), envvar="YRDX_PROFILE", show_envvar=True)
@option("--hours", say="help.hours", type=click.IntRange(1, Limits().session_hours), default=HOURS)
@option("--role", "roles", say="help.role", type=click.Choice(sorted(ROLES)), multiple=True, default=("ask",))
@option("--json", "as_json", say="help.json", is_flag=True)
def open_session(*, profile: Path | None, hours: int, roles: tuple[str, ...], as_json: bool) -> None:
    """Sign an assertion with the officer's own key, have the desk take it, and keep the session's key."""
    access = unlock(profile, own=True)
    if signing.present(access.folder, access.profile.officer):
        raise Ended("accounts.open_already")
    seed, begins = suite.generate_seed(), session().now().replace(microsecond=0)
    assertion = OfficerAssertion(
        assertion_id=secrets.token_bytes(ID_BYTES),
        agency=access.profile.agency,
        officer=access.profile.officer,
        session_public=suite.signer(seed, owner=access.profile.officer).public,
        roles=roles,
        from_time=begins,
        until_time=begins + timedelta(hours=hours),
    )
    envelope = sign(wire.PAYLOAD_TYPES[OfficerAssertion], wire.encode(assertion), access.officer)
    request = desk_pb2.OpenSessionRequest(assertion=carriers.envelope_to_message(envelope))
    response = send(access, "OpenSession", request, desk_pb2.OpenSessionResponse())
    try:
        passphrase = custody.read_passphrase(access.profile.passphrase_file)
        signing.save(access.folder, seed, envelope, passphrase, officer=access.profile.officer)
    except (OSError, KeysError) as error:
        raise Ended("accounts.not_kept", why=str(error)) from error
    _tell((value_of(Session, response.session),), as_json=as_json)


@session_group.command("close", help="help.session_close")
@click.argument("digest", metavar="[SESSION]", default="")
@option("--profile", say="help.profile", type=click.Path(path_type=Path), envvar="YRDX_PROFILE", show_envvar=True)
@option("--json", "as_json", say="help.json", is_flag=True)
def close_session(*, digest: str, profile: Path | None, as_json: bool) -> None:
    """Close the session of this computer, or the one named; its files go when the desk has heard of it."""
    access = unlock(profile, ended=True)
    if not digest:
        if access.assertion is None:
            raise Ended("accounts.none_open")
        try:
            found = _close(access, access.assertion.digest())
        except DeskRefused as refused:  # it was over already: its key is no use to anybody
            signing.remove(access.folder, access.profile.officer)
            raise Ended("accounts.was_over", refused.exit_code, reason=refused.reason.value) from refused
        signing.remove(access.folder, access.profile.officer)
    else:
        sessions = {each.assertion_digest: each for each in _sessions(access)}
        found = _close(access, only(digest, sessions))
    _tell((found,), as_json=as_json)


@session_group.command("show", help="help.session_show")
@option("--profile", say="help.profile", type=click.Path(path_type=Path), envvar="YRDX_PROFILE", show_envvar=True)
@option("--json", "as_json", say="help.json", is_flag=True)
def show_session(*, profile: Path | None, as_json: bool) -> None:
    """List the officer's sessions; with the role to administer or to audit those of the agency."""
    _tell(_sessions(unlock(profile)), as_json=as_json)


def _close(access: Access, digest: bytes) -> Session:
    closing = SessionClosing(
        agency=access.profile.agency,
        officer=access.profile.officer,
        assertion_digest=digest,
        close_time=session().now(),
    )
    request = desk_pb2.CloseSessionRequest(closing=message(closing, access), assertion=enclosed(access))
    return value_of(Session, send(access, "CloseSession", request, desk_pb2.CloseSessionResponse()).session)


def _sessions(access: Access) -> tuple[Session, ...]:
    reading = SessionReading(agency=access.profile.agency, officer=access.profile.officer, read_time=session().now())
    request = desk_pb2.ListSessionsRequest(reading=message(reading, access), assertion=enclosed(access))
    response = send(access, "ListSessions", request, desk_pb2.ListSessionsResponse())
    return tuple(value_of(Session, each) for each in response.sessions)


def _tell(found: tuple[Session, ...], *, as_json: bool) -> None:
    if as_json:
        documents.write({"format": documents.SESSIONS, "sessions": documents.plain_value(found)})
    else:
        show_sessions(Console(), found, session().now(), session().words)
