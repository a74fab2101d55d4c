"""`yrdx keys`: makes, shows, turns over, revokes, backs up and restores a member's keys and certificates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from gateway.errors import GatewayError
from keys import custody, moments
from keys.errors import KeysError
from keys.members import USES
from nodes import backup as backups
from nodes import states
from nodes.bundle.following import current_charter
from nodes.cli import documents
from nodes.cli.acting import by_officer, noted
from nodes.cli.reports import checked_config
from nodes.cli.session import Ended, SpeakingGroup, option, session
from nodes.cli.sheets import row, table
from nodes.keeper import CERTIFIED, ISSUING, LEAF, Keeper, open_keeper
from nodes.setup import ENTRY
from nodes.states import KEYS

_COLUMNS = ("id", "use", "valid_from", "valid_until", "revoked_time", "suspect_from", "kept", "listed")
Command = Callable[..., None]
_FOLDER = click.Path(path_type=Path)


@click.group("keys", cls=SpeakingGroup, help="help.keys")
def keys() -> None:
    """See words.toml."""


def _of_node(command: Command) -> Command:
    """Add what names the node."""
    for each in (
        option("--entry", say="help.keys_entry", type=_FOLDER),
        option("--config", say="help.config", type=_FOLDER, required=True),
    ):
        command = each(command)
    return command


def _changes(command: Command) -> Command:
    """Add what names the node, and who acts."""
    return _of_node(by_officer(command))


@contextmanager
def _acting(keeper: Keeper, profile: Path | None, name: str) -> Iterator[Keeper]:
    """Leave what is done to keys for the ledger, with the key files as they lie afterwards."""
    folder = keeper.config.leaf.parent
    with noted(keeper.config, profile, f"{KEYS}_{name}", lambda: states.keys(folder), lambda: keeper.charter):
        yield keeper


def _begins(command: Command) -> Command:
    """Add when and where a key is made."""
    for each in (
        option("--token", "on_token", say="help.keys_token", is_flag=True),
        option("--begin", "begins", say="help.keys_begin", callback=_moment),
    ):
        command = each(command)
    return command


def _moment(_context: click.Context, _parameter: click.Parameter, value: str | None) -> datetime | None:
    try:
        return None if value is None else moments.read(value)
    except ValueError as error:
        raise Ended("keys.bad_time") from error


@contextmanager
def _told() -> Iterator[None]:
    """End the command with what went wrong."""
    try:
        yield
    except (OSError, KeysError, GatewayError, ValueError, KeyError, TypeError) as error:
        why = str(error) if isinstance(error, KeysError | GatewayError) else type(error).__name__
        raise Ended("keys.stopped", why=why) from error


def _keeper(config: Path, entry: Path | None) -> Keeper:
    return open_keeper(checked_config(config), entry or config.with_name(ENTRY), session().now())


@keys.command("show", help="help.keys_show")
@_of_node
@option("--json", "as_json", say="help.json", is_flag=True)
def show(*, config: Path, entry: Path | None, as_json: bool) -> None:
    """Show ids, uses, times and places."""
    with _told():
        found = _keeper(config, entry).show()
    if as_json:
        documents.write(found)
        return
    sheet = table(session().words, "", *_COLUMNS)
    for each in (*found["keys"], *found["certificates"]):
        row(sheet, *(_cell(each.get(name)) for name in _COLUMNS))
    Console(soft_wrap=True).print(sheet)


def _cell(value: Any) -> str:  # noqa: ANN401  a text, a flag or nothing
    words = session().words
    return words.code("yes_no", str(value)) if isinstance(value, bool) else str(value or "–")


@keys.command("generate", help="help.keys_generate")
@_changes
@option("--use", say="help.keys_use", type=click.Choice(sorted(USES)), required=True)
@_begins
def generate(
    *, config: Path, entry: Path | None, profile: Path | None, use: str, begins: datetime | None, on_token: bool
) -> None:
    """Make a key beside the others."""
    with _told(), _acting(_keeper(config, entry), profile, "GENERATE") as keeper:
        made = keeper.generate(use, begins, on_token=on_token)
    click.echo(session().words.say("keys.made", id=made))


@keys.command("rotate", help="help.keys_rotate")
@_changes
@option("--use", say="help.keys_use", type=click.Choice([*sorted(USES), *CERTIFIED]), required=True)
@_begins
@option("--ca", say="help.keys_ca", type=_FOLDER)
@option("--ca-passphrase-file", say="help.keys_ca_passphrase", type=_FOLDER)
def rotate(
    *,
    config: Path,
    entry: Path | None,
    profile: Path | None,
    use: str,
    begins: datetime | None,
    on_token: bool,
    ca: Path | None,
    ca_passphrase_file: Path | None,
) -> None:
    """Make a successor, told before it begins."""
    with _told(), _acting(_keeper(config, entry), profile, "ROTATE") as keeper:
        if use == ISSUING:
            opened = custody.read_passphrase(ca_passphrase_file or keeper.config.passphrase_file)
            authority = custody.load_issuer(ca or keeper.config.leaf.with_name("ca.pem"), opened)
            made = keeper.rotate_issuing(authority, begins)
        elif use == LEAF:
            made = keeper.rotate_leaf()
        else:
            made = keeper.rotate(use, begins, on_token=on_token)
    click.echo(session().words.say("keys.renewed" if use == LEAF else "keys.made", id=made))


@keys.command("revoke", help="help.keys_revoke")
@click.argument("key", metavar="KEY")
@_changes
@option("--suspect-from", say="help.keys_suspect", callback=_moment)
def revoke(*, key: str, config: Path, entry: Path | None, profile: Path | None, suspect_from: datetime | None) -> None:
    """Revoke a key from now on."""
    with _told(), _acting(_keeper(config, entry), profile, "REVOKE") as keeper:
        keeper.revoke(key, suspect_from)
    click.echo(session().words.say("keys.revoked", id=key))


@keys.command("csr", help="help.keys_csr")
@_changes
@option("--use", say="help.keys_certified", type=click.Choice(CERTIFIED), required=True)
@option("--out", say="help.keys_csr_out", type=_FOLDER, required=True)
def csr(*, config: Path, entry: Path | None, profile: Path | None, use: str, out: Path) -> None:
    """Write a request to a licensed CA."""
    with _told(), _acting(_keeper(config, entry), profile, "REQUEST") as keeper:
        keeper.request(use, out)
    click.echo(session().words.say("keys.requested", out=out.name))


@keys.command("chain", help="help.keys_chain")
@click.argument("file", metavar="FILE", type=_FOLDER)
@_changes
@option("--use", say="help.keys_certified", type=click.Choice(CERTIFIED), required=True)
def chain(*, file: Path, config: Path, entry: Path | None, profile: Path | None, use: str) -> None:
    """Take the chain that came back."""
    with _told(), _acting(_keeper(config, entry), profile, "CHAIN") as keeper:
        made = keeper.take_chain(use, file.read_bytes())
    click.echo(session().words.say("keys.made", id=made))


@keys.command("backup", help="help.keys_backup")
@option("--config", say="help.config", type=_FOLDER, required=True)
@by_officer
@option("--passphrase-file", say="help.keys_backup_passphrase", type=_FOLDER, required=True)
@option("--out", say="help.keys_backup_out", type=_FOLDER, required=True)
def backup(*, config: Path, profile: Path | None, passphrase_file: Path, out: Path) -> None:
    """Write every file of the key folder into one, encrypted."""
    found = checked_config(config)
    with (
        _told(),
        noted(found, profile, f"{KEYS}_BACKUP", lambda: states.keys(found.leaf.parent), lambda: current_charter(found)),
    ):
        passphrase = custody.read_passphrase(passphrase_file)
        count = backups.back_up(found.leaf.parent, out, passphrase, owner=found.member)
    click.echo(session().words.say("keys.backed_up", count=count, out=out.name))


@keys.command("restore", help="help.keys_restore")
@click.argument("file", metavar="FILE", type=_FOLDER)
@option("--member", say="help.own_member", required=True)
@option("--folder", say="help.keys_folder", type=_FOLDER, required=True)
@option("--passphrase-file", say="help.keys_backup_passphrase", type=_FOLDER, required=True)
def restore(*, file: Path, member: str, folder: Path, passphrase_file: Path) -> None:
    """Write the files of a backup; nothing is written over."""
    with _told():
        names = backups.restore(file, folder, custody.read_passphrase(passphrase_file), owner=member)
    click.echo(session().words.say("keys.restored", count=len(names), folder=folder.name))
