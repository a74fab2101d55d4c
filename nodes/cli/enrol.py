"""`yrdx enrol`: a subject makes a key, two officers of its home member attest it, and it may be ended (duty U28)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from gateway.exchange.handing import OWNER
from gateway.model.codes import KeyRole
from gateway.model.consent import KeyRequest, KeyRevocation, SubjectKey
from gateway.wire import PAYLOAD_TYPES, encode
from keys import custody, suite
from keys.envelope import sign
from keys.errors import KeysError
from nodes.cli import consent_tables
from nodes.cli.session import Ended, SpeakingGroup, option, session
from nodes.cli.subjects import (
    USE,
    Hand,
    at_counter,
    attested,
    check_code,
    hand_in,
    hand_options,
    read_message,
    read_signed,
    send,
    write_signed,
)
from yrdx.exchange.v1 import authorisation_pb2

_PATH = click.Path(path_type=Path)
_ROLES = tuple(each.value.lower() for each in KeyRole)


@click.group("enrol", cls=SpeakingGroup, help="help.enrol")
def enrol() -> None:
    """See words.toml."""


@enrol.command("request", help="help.enrol_request")
@click.argument("code")
@option("--home", say="help.home", required=True)
@option("--key", say="help.new_key", type=_PATH, required=True)
@option("--passphrase-file", say="help.subject_passphrase", type=_PATH, required=True)
@option("--out", say="help.request_out", type=_PATH, required=True)
@option("--role", "roles", say="help.key_role", type=click.Choice(_ROLES), multiple=True, default=("view", "consent"))
@option("--days", say="help.key_days", type=click.IntRange(1), default=365)
def request(
    *, code: str, home: str, key: Path, passphrase_file: Path, out: Path, roles: tuple[str, ...], days: int
) -> None:
    """Make a key and the request that proves its possession; nothing is sent."""
    now, seed = session().now().replace(microsecond=0), suite.generate_seed()
    signer = suite.signer(seed, owner=OWNER)
    wanted = KeyRequest(
        uscc=check_code(code),
        home_member=home,
        suite=signer.suite,
        public=signer.public,
        roles=tuple(KeyRole(each.upper()) for each in dict.fromkeys(roles)),
        valid_from_time=now - timedelta(minutes=1),
        valid_until_time=now - timedelta(minutes=1) + timedelta(days=days),
        request_time=now,
    )
    try:
        passphrase = custody.read_passphrase(passphrase_file)
        custody.save_seed(key, seed, passphrase, owner=OWNER, suite=signer.suite, use=USE)
    except KeysError as error:
        raise Ended("authorise.not_written", why=str(error)) from error
    write_signed(out, sign(PAYLOAD_TYPES[KeyRequest], encode(wanted), signer))
    click.echo(session().words.say("authorise.key_made", key=key.name, out=out.name, key_id=signer.id), err=True)


@enrol.command("attest", help="help.enrol_attest")
@click.argument("file", type=_PATH)
@option("--scan", say="help.scan", type=_PATH, required=True)
@option("--profile", say="help.profile", type=_PATH, envvar="YRDX_PROFILE", show_envvar=True)
@option("--json", "as_json", say="help.json", is_flag=True)
def attest(*, file: Path, scan: Path, profile: Path | None, as_json: bool) -> None:
    """Have two officers attest a request, and show the keys that the subject has."""
    envelope, access = read_signed(file), at_counter(profile, second=True)
    response = send(access, "EnrolKey", attested(envelope, scan, access), authorisation_pb2.EnrolKeyResponse())
    key = read_message(SubjectKey, response.key)
    existing = tuple(read_message(SubjectKey, each) for each in response.existing)
    consent_tables.show_enrolment(key, existing, as_json=as_json)


@enrol.command("revoke", help="help.enrol_revoke")
@click.argument("key_id", metavar="KEY_ID")
@click.argument("code")
@option("--home", say="help.home", required=True)
@hand_options
@option("--json", "as_json", say="help.json", is_flag=True)
def revoke(
    *,
    key_id: str,
    code: str,
    home: str,
    hand: Hand,
    as_json: bool,
) -> None:
    """End a key: by itself, or by two officers."""
    value = KeyRevocation(uscc=check_code(code), home_member=home, key_id=key_id, revoke_time=session().now())
    response = hand_in(hand, "RevokeKey", value, authorisation_pb2.RevokeKeyResponse())
    if response is not None:
        consent_tables.show_enrolment(read_message(SubjectKey, response.key), (), as_json=as_json)
