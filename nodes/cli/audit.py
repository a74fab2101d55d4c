"""`yrdx audit`: what was asked, answered and done, counted or entry by entry, for an officer with the role to audit.

It names no subject, and whatever is shaped like the code of one is blanked out. That somebody audited is an act itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from gateway.errors import GatewayError
from gateway.ledger.auditing import Audited, Line, Wanted, counted
from keys import moments
from keys.errors import KeysError
from nodes import auditing
from nodes import ledger as ledgers
from nodes.bundle.following import current_charter
from nodes.cli import documents
from nodes.cli.acting import noted
from nodes.cli.ledger import bar, heads_of
from nodes.cli.reports import checked_config
from nodes.cli.session import NOT_GENUINE, Ended, SpeakingCommand, option, session
from nodes.cli.sheets import BAD, GOOD, row, table
from nodes.config import DATABASE, Config
from nodes.files import open_writer
from nodes.logs import scrub
from nodes.states import AUDIT
from nodes.store.acts_reading import WAITING, Mismatch, compare

FORMAT = "yrdx.audit.v1"
COUNTS = ("day", "agency", "officer", "purpose", "kind", "act", "count")
ENTRIES = (
    *("log", "place", "time", "kind", "asker", "answerer", "agency", "officer", "purpose", "item", "role", "act"),
    "subjects",
)
_HEADS = {"place": "entry", "time": "log_time", "kind": "event", "item": "application_item"}
_DAY = click.DateTime(["%Y-%m-%d"])
_PATH = click.Path(path_type=Path)


@click.command("audit", cls=SpeakingCommand, help="help.audit")
@option("--config", say="help.config", type=_PATH, required=True)
@option("--profile", say="help.audit_profile", type=_PATH, required=True)
@option("--from", "first", say="help.audit_from", type=_DAY)
@option("--until", "last", say="help.audit_until", type=_DAY)
@option("--agency", say="help.audit_agency", default="")
@option("--officer", say="help.audit_officer", default="")
@option("--purpose", say="help.audit_purpose", default="")
@option("--act", say="help.audit_act", default="")
@option("--entries", "each", say="help.audit_entries", is_flag=True)
@option("--out", say="help.audit_out", type=_PATH)
@option("--json", "as_json", say="help.json", is_flag=True)
def audit(
    *,
    config: Path,
    profile: Path,
    first: datetime | None,
    last: datetime | None,
    agency: str,
    officer: str,
    purpose: str,
    act: str,
    each: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Verify all of the ledger, read what is wanted of it, and exit 1 when anything is wrong with it."""
    wanted = Wanted(
        first=first and first.date(),
        last=last and last.date(),
        agency=agency,
        officer=officer,
        purpose=purpose,
        act=act,
    )
    settings = checked_config(config)
    with _told():
        _check_out(out)
        wrong = _verified(settings, profile)
        rows = _rows(auditing.read(settings.data / DATABASE, wanted), each=each)
        if out is not None:
            _write(out, rows, ENTRIES if each else COUNTS)
    if as_json:
        _document(settings, rows, wrong, each=each)
    elif out is None:
        _show(rows, ENTRIES if each else COUNTS)
    if not as_json:
        _tell(wrong)
    if any(found["fault"] != WAITING for found in wrong):
        raise SystemExit(NOT_GENUINE)


def _verified(settings: Config, profile: Path) -> list[dict[str, Any]]:
    """Note that it is audited, by whom, then name what is wrong with the ledger and with what should be in it."""
    charter, path = current_charter(settings), settings.data / DATABASE
    with noted(settings, profile, AUDIT, lambda: b"", lambda: charter):
        pass  # noted before anything is read: who reads and breaks off has read
    with bar(settings) as tell:
        logs = ledgers.verify(path, heads_of(charter), tell)
    damage = [
        {"fault": found.damage, "source": log.origin, "first": found.first, "last": found.last}
        for log in logs
        for found in log.findings
    ]
    return [*damage, *(_mismatch(found) for found in compare(path))]


def _mismatch(found: Mismatch) -> dict[str, Any]:
    return {name: getattr(found, name) for name in ("fault", "source", "first", "last")}


def _rows(found: Iterable[Audited], *, each: bool) -> list[dict[str, Any]]:
    return [_entry(one) for one in found] if each else [_count(one) for one in counted(found)]


def _entry(found: Audited) -> dict[str, Any]:
    values = asdict(found) | {"time": moments.write(found.time), "kind": found.kind.value}
    return _scrubbed({name: values[name] for name in ENTRIES})


def _count(found: Line) -> dict[str, Any]:
    values = asdict(found) | {"day": found.day.isoformat()}
    return _scrubbed({name: values[name] for name in COUNTS})


def _scrubbed(values: dict[str, Any]) -> dict[str, Any]:
    """Blank out what is shaped like a code: an officer may have typed one where none belongs."""
    return {name: scrub(value) if isinstance(value, str) else value for name, value in values.items()}


def _check_out(out: Path | None) -> None:
    if out is not None and out.suffix.lower() not in {".csv", ".xlsx"}:
        raise Ended("audit.out_name")


def _write(out: Path, rows: Iterable[dict[str, Any]], columns: tuple[str, ...]) -> None:
    with open_writer(out, columns) as writer:
        for each in rows:
            writer.write([str(each[name]) for name in columns])


def _document(settings: Config, rows: list[dict[str, Any]], wrong: list[dict[str, Any]], *, each: bool) -> None:
    counts, entries = ([], rows) if each else (rows, [])
    documents.write(
        {"format": FORMAT, "member": settings.member, "counts": counts, "entries": entries, "findings": wrong}
    )


def _show(rows: Iterable[dict[str, Any]], columns: tuple[str, ...]) -> None:
    words = session().words
    found = table(words, "", *(_HEADS.get(each, each) for each in columns))
    for each in rows:
        kind = words.code("event", each["kind"])
        row(found, *(kind if name == "kind" else str(each[name]) for name in columns))
    Console().print(found)


def _tell(wrong: list[dict[str, Any]]) -> None:
    console, words = Console(soft_wrap=True), session().words
    if not wrong:
        console.print(Text(words.say("audit.sound"), style=GOOD))
    for found in wrong:
        where = "" if found["first"] is None else f" {found['first']}-{found['last']}"
        console.print(Text(f"{found['source']}{where}: {words.code('damage', found['fault'])}", style=BAD))


@contextmanager
def _told() -> Iterator[None]:
    """End the command where the ledger cannot be read, or may not be by this officer.

    Raises:
        Ended: telling why.
    """
    try:
        yield
    except (OSError, KeysError, GatewayError) as error:
        raise Ended("audit.stopped", why=str(error)) from error
