"""`yrdx authorise`: a subject gives an authorisation 授权, sees what is in force, and takes it back (duty U8)."""

from __future__ import annotations

import secrets
from pathlib import Path

import click

from gateway.model.consent import Consent, ConsentReading, HeldConsent, KeyRevocation, SubjectKey, Withdrawal
from gateway.wire import PAYLOAD_TYPES, encode
from keys.envelope import Envelope, sign
from nodes.cli import consent_tables
from nodes.cli.ask import REFERENCE
from nodes.cli.profile import Access
from nodes.cli.requests import signed
from nodes.cli.session import Ended, SpeakingGroup, option, session
from nodes.cli.subjects import (
    Hand,
    at_counter,
    begin_of,
    check_code,
    end_of,
    hand_in,
    hand_options,
    read_message,
    read_signed,
    send,
    subject_signer,
)
from yrdx.exchange.v1 import authorisation_pb2

_PATH = click.Path(path_type=Path)
_METHODS = {
    PAYLOAD_TYPES[Consent]: "GiveAuthorisation",
    PAYLOAD_TYPES[Withdrawal]: "WithdrawAuthorisation",
    PAYLOAD_TYPES[KeyRevocation]: "RevokeKey",
}
_Answer = (
    authorisation_pb2.GiveAuthorisationResponse
    | authorisation_pb2.WithdrawAuthorisationResponse
    | authorisation_pb2.RevokeKeyResponse
)


@click.group("authorise", cls=SpeakingGroup, help="help.authorise")
def authorise() -> None:
    """See words.toml."""


@authorise.command("give", help="help.authorise_give")
@click.argument("code")
@option("--home", say="help.home", required=True)
@option("--agency", say="help.agency", required=True)
@option("--purpose", "purposes", say="help.purposes", multiple=True, required=True)
@option("--kind", "kinds", say="help.kinds", multiple=True, required=True)
@option("--member", "members", say="help.answering", multiple=True, required=True)
@option("--from", "begin", say="help.from", default="")
@option("--until", "end", say="help.until", required=True)
@option("--uses", say="help.uses", type=click.IntRange(0), default=0)
@option("--text-version", say="help.text_version", required=True)
@hand_options
@option("--json", "as_json", say="help.json", is_flag=True)
def give(
    *,
    code: str,
    home: str,
    agency: str,
    purposes: tuple[str, ...],
    kinds: tuple[str, ...],
    members: tuple[str, ...],
    begin: str,
    end: str,
    uses: int,
    text_version: str,
    hand: Hand,
    as_json: bool,
) -> None:
    """Give an authorisation."""
    now = session().now()
    consent = Consent(
        authorisation_id=secrets.token_bytes(16),
        uscc=check_code(code),
        home_member=home,
        agency=agency,
        purposes=purposes,
        kinds=kinds,
        members=members,
        valid_from_time=begin_of(begin, now),
        valid_until_time=end_of(end),
        use_limit=uses,
        text_version=text_version,
        signature_class=hand.signature_class,
        give_time=now,
    )
    response = hand_in(hand, "GiveAuthorisation", consent, authorisation_pb2.GiveAuthorisationResponse())
    _show(response, as_json=as_json)


@authorise.command("withdraw", help="help.authorise_withdraw")
@click.argument("reference", metavar="REFERENCE")
@click.argument("code")
@hand_options
@option("--json", "as_json", say="help.json", is_flag=True)
def withdraw(
    *,
    reference: str,
    code: str,
    hand: Hand,
    as_json: bool,
) -> None:
    """Withdraw an authorisation; it holds for no question from then on."""
    match = REFERENCE.fullmatch(reference)
    if match is None:
        raise Ended("authorise.bad_reference")
    value = Withdrawal(
        authorisation_id=bytes.fromhex(match[2]),
        uscc=check_code(code),
        home_member=match[1],
        signature_class=hand.signature_class,
        withdraw_time=session().now(),
    )
    response = hand_in(hand, "WithdrawAuthorisation", value, authorisation_pb2.WithdrawAuthorisationResponse())
    _show(response, as_json=as_json)


@authorise.command("send", help="help.authorise_send")
@click.argument("file", type=_PATH)
@option("--profile", say="help.profile", type=_PATH, envvar="YRDX_PROFILE", show_envvar=True)
@option("--json", "as_json", say="help.json", is_flag=True)
def send_signed(*, file: Path, profile: Path | None, as_json: bool) -> None:
    """Hand in what a subject's key signed elsewhere."""
    envelope = read_signed(file)
    method = _METHODS.get(envelope.payload_type)
    if method is None:
        raise Ended("authorise.bad_file", file=file.name)
    answer: _Answer = getattr(authorisation_pb2, f"{method}Response")()
    _show(send(at_counter(profile), method, envelope, answer), as_json=as_json)


@authorise.command("list", help="help.authorise_list")
@click.argument("code")
@option("--key", say="help.subject_key", type=_PATH)
@option("--passphrase-file", say="help.subject_passphrase", type=_PATH)
@option("--profile", say="help.profile", type=_PATH, envvar="YRDX_PROFILE", show_envvar=True)
@option("--json", "as_json", say="help.json", is_flag=True)
def list_kept(
    *, code: str, key: Path | None, passphrase_file: Path | None, profile: Path | None, as_json: bool
) -> None:
    """List a subject's authorisations: to its own key all, to an officer those to the own agency."""
    check_code(code)
    access, keys, held, token = at_counter(profile), (), [], ""
    found: tuple[SubjectKey, ...] = keys
    while True:
        envelope = _reading(code, token, access, key, passphrase_file)
        response = send(access, "ListAuthorisations", envelope, authorisation_pb2.ListAuthorisationsResponse())
        found = tuple(read_message(SubjectKey, each) for each in response.keys)
        held += [read_message(HeldConsent, each) for each in response.authorisations]
        if not response.next_page_token or response.next_page_token == token:
            break
        token = response.next_page_token
    consent_tables.show_kept(found, tuple(held), as_json=as_json)


def _reading(code: str, token: str, access: Access, key: Path | None, passphrase_file: Path | None) -> Envelope:
    officer = key is None
    reading = ConsentReading(
        uscc=code,
        home_member=access.profile.member,
        read_time=session().now(),
        agency=access.profile.agency if officer else "",
        officer=access.profile.officer if officer else "",
        page_token=token,
    )
    if officer:
        return signed(reading, access)
    return sign(PAYLOAD_TYPES[ConsentReading], encode(reading), subject_signer(key, passphrase_file))


def _show(response: _Answer | None, *, as_json: bool) -> None:
    """Show what the desk keeps; without a response it was written to a file."""
    if isinstance(response, authorisation_pb2.RevokeKeyResponse):
        consent_tables.show_enrolment(read_message(SubjectKey, response.key), (), as_json=as_json)
    elif response is not None:
        consent_tables.show_held(read_message(HeldConsent, response.held), as_json=as_json)
