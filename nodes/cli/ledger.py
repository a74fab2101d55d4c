"""`yrdx ledger`: verify the member's own ledger, show entries, prove one, and copy ledgers as static files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bar
from rich.text import Text

from gateway import wire
from gateway.charter import Charter
from gateway.errors import GatewayError
from gateway.ledger import dating
from gateway.ledger.dating import Open
from gateway.ledger.errors import LedgerError
from gateway.model.ledger import LedgerEvent, LedgerPrivate
from keys import moments
from keys.errors import KeysError
from nodes import ledger as ledgers
from nodes import static as statics
from nodes.bundle.following import current_charter
from nodes.bundle.statics import StaticFiles
from nodes.cli import documents
from nodes.cli.documents import plain_value
from nodes.cli.names import moment
from nodes.cli.reconcile import reconcile, statement
from nodes.cli.reports import checked_config
from nodes.cli.session import NOT_GENUINE, Ended, SpeakingCommand, SpeakingGroup, option, session
from nodes.cli.sheets import BAD, GOOD, row, table
from nodes.config import DATABASE, Config
from nodes.store.ledger_reading import Held, KeptFork, LedgerFile

VERIFIED, TAIL, FORKS = "yrdx.ledger.v1", "yrdx.ledger-tail.v1", "yrdx.ledger-forks.v1"
COPIED = "yrdx.ledger-copy.v1"
_FEW = 20
_MOST = 1_000


@click.group("ledger", cls=SpeakingGroup, help="help.ledger")
def ledger() -> None:
    """See words.toml."""


@ledger.command("verify", cls=SpeakingCommand, help="help.ledger_verify")
@option("--config", say="help.config", type=click.Path(path_type=Path), required=True)
@option("--json", "as_json", say="help.json", is_flag=True)
def verify(*, config: Path, as_json: bool) -> None:
    """Walk through every entry; exit 1 when anything is wrong with one."""
    settings = checked_config(config)
    with _told(), bar(settings) as tell:
        found = ledgers.verify(settings.data / DATABASE, heads_of(current_charter(settings)), tell)
    if as_json:
        documents.write({"format": VERIFIED, "logs": [_document(each) for each in found]})
    else:
        _show(found)
    if any(each.findings for each in found):
        raise SystemExit(NOT_GENUINE)


@ledger.command("tail", cls=SpeakingCommand, help="help.ledger_tail")
@option("--config", say="help.config", type=click.Path(path_type=Path), required=True)
@option("--count", say="help.ledger_count", type=click.IntRange(1, _MOST), default=_FEW)
@option("--json", "as_json", say="help.json", is_flag=True)
def tail(*, config: Path, count: int, as_json: bool) -> None:
    """Show the last entries of the last log: what happened between whom, never about whom."""
    with _told(), LedgerFile.open(checked_config(config).data / DATABASE) as file:
        log = file.logs()[-1:]
        entries = [_entry(each, log[0].first) for each in file.last(log[0], count)] if log else []
    if as_json:
        documents.write({"format": TAIL, "log": log[0].origin if log else None, "entries": entries})
        return
    words, columns = session().words, ("entry", "log_time", "event", "asker", "answerer", "pair_number", "act")
    found = table(words, "", *columns)
    for each in entries:
        event, private = each["event"], each["private"]
        row(
            found,
            str(each["entry"]),
            moment(moments.read(private["log_time"])),
            words.code("event", event["kind"]),
            event["asker_member"],
            event["answerer_member"],
            str(event["pair_sequence"]),
            private["act"],
        )
    Console().print(found)


@ledger.command("proof", cls=SpeakingCommand, help="help.ledger_proof")
@click.argument("entry", type=click.IntRange(0))
@option("--config", say="help.config", type=click.Path(path_type=Path), required=True)
def proof(*, entry: int, config: Path) -> None:
    """Write one entry's proof, as a text that other tools read; which head it is under goes to stderr."""
    with _told():
        found = ledgers.prove(checked_config(config).data / DATABASE, entry)
    click.echo(found.text, nl=False)
    click.echo(_head(witnessed=found.witnessed), err=True)


@ledger.command("forks", cls=SpeakingCommand, help="help.ledger_forks")
@option("--config", say="help.config", type=click.Path(path_type=Path), required=True)
@option("--json", "as_json", say="help.json", is_flag=True)
def forks(*, config: Path, as_json: bool) -> None:
    """List the evidence of two histories, of any member's log; exit 1 when there is some."""
    with _told(), LedgerFile.open(checked_config(config).data / DATABASE) as file:
        kept = file.forks()
    if as_json:
        documents.write({"format": FORKS, "forks": [_evidence(each) for each in kept]})
    elif kept:
        found = table(session().words, "", "fork", "log", "ledger_size", "time")
        for each in kept:
            row(found, str(each.number), each.origin, str(each.size), _evidence(each)["time"], style=BAD)
        Console().print(found)
    else:
        Console().print(Text(session().words.say("ledger.no_fork"), style=GOOD))
    if kept:
        raise SystemExit(NOT_GENUINE)


@ledger.command("export", cls=SpeakingCommand, help="help.ledger_export")
@option("--config", say="help.config", type=click.Path(path_type=Path), required=True)
@option("--out", say="help.ledger_out", type=click.Path(path_type=Path), required=True)
@option("--json", "as_json", say="help.json", is_flag=True)
def export(*, config: Path, out: Path, as_json: bool) -> None:
    """Write the member's logs as static files, from where the folder ends; exit 1 when a file is not proven."""
    settings = checked_config(config)
    charter = current_charter(settings)
    with _copied(), _files() as tell:
        found = statics.export(settings.data / DATABASE, out, heads_of(charter), tell)
        logs = [_copy(each, charter) for each in found]
    _tell_copied(logs, as_json=as_json)


@ledger.command("mirror", cls=SpeakingCommand, help="help.ledger_mirror")
@click.argument("source", metavar="SOURCE")
@option("--member", say="help.ledger_member", required=True)
@option("--config", say="help.config", type=click.Path(path_type=Path), required=True)
@option("--out", say="help.ledger_out", type=click.Path(path_type=Path), required=True)
@option("--json", "as_json", say="help.json", is_flag=True)
def mirror(*, source: str, member: str, config: Path, out: Path, as_json: bool) -> None:
    """Copy a member's log from a folder or web server, proving every file; exit 1 when one is not what it must be."""
    with _copied(), StaticFiles(source) as files, _files() as tell:
        charter = current_charter(checked_config(config))
        found = statics.copy(statics.Remote(files), out, heads_of(charter, member), tell)
        logs = [_copy(found, charter, member)]
    _tell_copied(logs, as_json=as_json)


for _each in (reconcile, statement):
    ledger.add_command(_each)


def heads_of(charter: Charter, member: str = "") -> Open:
    """Give what opens a member's heads (its own by default), however old."""
    return dating.opening(charter.directory, member or charter.me)


@contextmanager
def _copied() -> Iterator[None]:
    """End the command where a ledger was not copied to its end; exit 1 when what came is not what it must be.

    Raises:
        Ended: telling why.
    """
    try:
        yield
    except LedgerError as error:
        raise Ended("ledger.not_copied", NOT_GENUINE, why=str(error)) from error
    except (OSError, KeysError, GatewayError) as error:
        raise Ended("ledger.not_copied", why=str(error)) from error


def _copy(found: statics.Copied, charter: Charter, member: str = "") -> dict[str, Any]:
    seen = _witnessed(charter, found.checkpoint, member)
    return {"log": found.log, "size": found.size, "added": found.added, "witnessed": seen}


def _witnessed(charter: Charter, payload: bytes, member: str = "") -> bool:
    """Say whether enough members cosigned a head that counts."""
    try:
        dating.witnessed_in(charter.directory, heads_of(charter, member)(payload))
    except LedgerError:
        return False
    return True


def _tell_copied(logs: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        documents.write({"format": COPIED, "logs": logs})
        return
    for each in logs:
        values = {name: each[name] for name in ("log", "size", "added")}
        click.echo(session().words.say("ledger.copied", **values, head=_head(witnessed=each["witnessed"])))


def _head(*, witnessed: bool) -> str:
    return session().words.say("ledger.witnessed" if witnessed else "ledger.own_head")


@contextmanager
def _told() -> Iterator[None]:
    """End the command where the ledger cannot be read.

    Raises:
        Ended: telling why.
    """
    try:
        yield
    except (OSError, KeysError, GatewayError) as error:
        raise Ended("ledger.stopped", why=str(error)) from error


@contextmanager
def bar(config: Config) -> Iterator[Callable[[int], None]]:
    """Show on a terminal's stderr how many entries have passed, of how many."""
    with LedgerFile.open(config.data / DATABASE) as file:
        total = sum(each.size or 0 for each in file.logs())
    with _shown() as bar:
        task = bar.add_task(session().words.say("ledger.verifying"), total=total)
        yield lambda passed: bar.update(task, completed=passed)


@contextmanager
def _files() -> Iterator[Callable[[int, int], None]]:
    """Show how many files have passed, of how many."""
    with _shown() as bar:
        task = bar.add_task(session().words.say("ledger.copying"), total=None)
        yield lambda passed, total: bar.update(task, completed=passed, total=total)


def _shown() -> Bar:
    """Give a bar for a terminal's stderr; elsewhere it shows nothing."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.completed}"))
    return Bar(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())


def _document(found: ledgers.Examined) -> dict[str, Any]:
    wrong = [{"damage": each.damage, "first": each.first, "last": each.last} for each in found.findings]
    return {"log": found.origin, "size": found.size, "verified": not wrong, "damage": wrong}


def _show(found: Sequence[ledgers.Examined]) -> None:
    console, words = Console(), session().words
    if not found:
        console.print(Text(words.say("ledger.none")))
    for each in found:
        good = not each.findings
        key = "ledger.verified" if good else "ledger.damaged"
        console.print(Text(words.say(key, log=each.origin, size=each.size), style=GOOD if good else BAD))
        if each.findings:
            wrong = table(words, "", "damage", "first", "last")
            for one in each.findings:
                row(wrong, words.code("damage", one.damage), _number(one.first), _number(one.last))
            console.print(wrong)


def _evidence(kept: KeptFork) -> dict[str, Any]:
    """Give a fork with both notes as they were signed: any tool that reads signed notes can check them."""
    return {
        "number": kept.number,
        "log": kept.origin,
        "size": kept.size,
        "time": moments.write(kept.time.replace(microsecond=0)),
        "first": kept.first.decode(),
        "second": kept.second.decode(),
    }


def _number(place: int | None) -> str:
    return "" if place is None else str(place)


def _entry(held: Held, first: int) -> dict[str, Any]:
    """Give an entry's parts; neither names a subject, and the case only by a keyed digest."""
    event, private = wire.decode(LedgerEvent, held.shared.text), wire.decode(LedgerPrivate, held.private.text)
    return {"entry": held.seq - first, "event": plain_value(event), "private": plain_value(private)}
