"""`yrdx directory`: makes a federation's root of trust, and signs the directory of its members under it."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from gateway.errors import GatewayError
from keys import custody, suite
from keys.directory import sign_directory
from keys.envelope import to_json
from keys.errors import KeysError
from nodes.cli.session import Ended, SpeakingGroup, option, session
from nodes.federation import REFERENCE, directory_payload
from nodes.setup import read_entry


@click.group("directory", cls=SpeakingGroup, help="help.directory")
def directory() -> None:
    """See words.toml."""


@directory.command("root", help="help.directory_root")
@option("--key", say="help.root_key", type=click.Path(path_type=Path), required=True)
@option("--passphrase-file", say="help.passphrase_file", type=click.Path(path_type=Path), required=True)
@option("--out", say="help.root_out", type=click.Path(path_type=Path), required=True)
def root(*, key: Path, passphrase_file: Path, out: Path) -> None:
    """Make the root's key file, and the public file that every node and verifier is given."""
    try:
        passphrase, seed = custody.read_passphrase(passphrase_file), suite.generate_seed()
        custody.save_seed(key, seed, passphrase, owner="root", suite=suite.INT_1)
        signer = suite.signer(seed, owner="root")
        public = {"id": signer.id, "suite": signer.suite, "public": base64.b64encode(signer.public).decode()}
        with out.open("x", encoding="utf-8") as file:
            json.dump(public, file)
    except (OSError, KeysError) as error:
        raise Ended("directory.not_made", why=str(error)) from error
    click.echo(session().words.say("directory.root_made", key=key.name, out=out.name))


@directory.command("sign", help="help.directory_sign")
@click.argument("entries", nargs=-1, required=True, type=click.Path(path_type=Path))
@option("--federation", say="help.federation", type=click.Path(path_type=Path), default=REFERENCE)
@option("--key", say="help.root_key", type=click.Path(path_type=Path), required=True)
@option("--passphrase-file", say="help.passphrase_file", type=click.Path(path_type=Path), required=True)
@option("--version", "number", say="help.version", type=click.IntRange(min=1), required=True)
@option("--days", say="help.days", type=click.IntRange(1, 366), default=30)
@option("--out", say="help.directory_out", type=click.Path(path_type=Path), required=True)
def sign(
    *, entries: tuple[Path, ...], federation: Path, key: Path, passphrase_file: Path, number: int, days: int, out: Path
) -> None:
    """Sign the members' entries and the federation's tables as one document, and put it in place at once."""
    now = datetime.now(UTC).replace(microsecond=0)
    try:
        found = {each.member: each.standing for each in (read_entry(path.read_text("utf-8")) for path in entries)}
        payload = directory_payload(federation, found, version=number, issued=now, expire=now + timedelta(days=days))
        signer = custody.load_signer(key, custody.read_passphrase(passphrase_file))
        new = out.with_name(f"{out.name}.new")
        new.write_bytes(to_json(sign_directory(payload, signer)))
        new.replace(out)
    except (OSError, KeysError, GatewayError, ValueError, KeyError, TypeError) as error:
        raise Ended("directory.not_signed", why=str(error)) from error
    click.echo(session().words.say("directory.signed", out=out.name, version=number, members=", ".join(found)))
