"""`yrdx backup` and `yrdx restore`: a node's data as of one moment, and how they come back, closed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from gateway.errors import GatewayError
from keys import custody, moments
from keys.errors import KeysError
from nodes import acts, copies, restoring
from nodes.bundle.following import current_charter
from nodes.cli import documents
from nodes.cli.acting import by_officer, doer_of, noted
from nodes.cli.reports import checked_config
from nodes.cli.session import NOT_GENUINE, Ended, SpeakingCommand, option, session
from nodes.config import Config
from nodes.states import BACKUP, RESTORE, WANTS
from nodes.store.doers import Doer

FORMAT = "yrdx.backup-told.v1"
_FOLDER = click.Path(path_type=Path)


@click.command("backup", cls=SpeakingCommand, help="help.backup")
@option("--config", say="help.config", type=_FOLDER, required=True)
@option("--out", say="help.backup_out", type=_FOLDER, required=True)
@option("--json", "as_json", say="help.json", is_flag=True)
@by_officer
def backup(*, config: Path, out: Path, as_json: bool, profile: Path | None) -> None:
    """Copy the node's data while it runs; who took a copy of it is an act (duty U32)."""
    found = checked_config(config)
    with (
        _told(),
        _bar() as tell,
        noted(found, profile, BACKUP, lambda: made.digest, lambda: current_charter(found)),
    ):
        made = copies.back_up(found.data, out, found.member, _secret(found), session().now(), tell)
    _tell("backup.made", made, as_json=as_json)


@click.command("restore", cls=SpeakingCommand, help="help.restore")
@click.argument("folder", metavar="BACKUP", type=_FOLDER)
@option("--config", say="help.config", type=_FOLDER, required=True)
@option("--json", "as_json", say="help.json", is_flag=True)
@by_officer
def restore(*, folder: Path, config: Path, as_json: bool, profile: Path | None) -> None:
    """Put a backup in place, closed."""
    found, now = checked_config(config), session().now()
    with _told():
        doer = doer_of(profile, found)
        if doer.officer:
            _check(found, doer, now)
        made = restoring.restore(folder, found.data, found.member, _secret(found), doer=doer, now=now)
    _tell("backup.restored", made, as_json=as_json)


def _check(config: Config, doer: Doer, now: datetime) -> None:
    """Check the role of whoever restores; a machine that lost all may have no bundle: then the node alone judges.

    Raises:
        RoleMissing: nothing was done.
    """
    try:
        charter = current_charter(config)
    except (OSError, KeysError, GatewayError):
        return
    acts.check_role(charter, doer, WANTS[RESTORE], now)


def _secret(config: Config) -> bytes:
    return custody.load_secret(config.storage_key, custody.read_passphrase(config.passphrase_file))


@contextmanager
def _told() -> Iterator[None]:
    """End the command where nothing was made or put in place; exit 1 when the backup is not what it must be."""
    try:
        yield
    except copies.CopyRefused as error:
        raise Ended("backup.stopped", NOT_GENUINE, why=str(error)) from error
    except (KeysError, GatewayError) as error:
        raise Ended("backup.stopped", why=str(error)) from error
    except OSError as error:
        raise Ended("backup.stopped", why=error.strerror or type(error).__name__) from error


@contextmanager
def _bar() -> Iterator[Callable[[int, int], object]]:
    """Show on a terminal's stderr how many pages have passed, of how many."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(session().words.say("backup.copying"), total=None)
        yield lambda passed, total: bar.update(task, completed=passed, total=total)


def _tell(key: str, made: copies.Manifest, *, as_json: bool) -> None:
    if as_json:
        documents.write(_document(made))
        return
    size = sum(count for count, _ in made.files.values())
    time = moments.write(made.backup_time)
    click.echo(session().words.say(key, member=made.member, time=time, files=len(made.files), size=size))


def _document(made: copies.Manifest) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "member": made.member,
        "backup_time": moments.write(made.backup_time),
        "logs": [{"log": log, "size": size} for log, size in made.logs],
        "files": [{"name": name, "size": size, "digest": digest} for name, (size, digest) in made.files.items()],
    }
