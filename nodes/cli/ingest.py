"""`yrdx ingest`: loads a member's files, each in one transaction, and reports rows without ever showing a value."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress as Bar

from gateway.clocks import civil_day
from gateway.errors import GatewayError
from keys.errors import KeysError
from nodes.cli import sheets
from nodes.cli.session import INCOMPLETE, Ended, SpeakingCommand, option, session
from nodes.config import Config, ConfigError, read_config
from nodes.intake import Delivery, Loaded, Progress, take_in
from nodes.store import Mode

COUNTS = ("rows", "accepted", "corrected", "unchanged", "withdrawn", "out_of_scope", "not_ours", "rejected", "gaps")


@click.command("ingest", cls=SpeakingCommand, help="help.ingest")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@option("--config", say="help.config", type=click.Path(path_type=Path), required=True)
@option("--feed", say="help.feed", default="")
@option("--mode", say="help.mode", type=click.Choice(("delta", "snapshot")), default="delta")
@option("--data-through", say="help.data_through", type=click.DateTime(["%Y-%m-%d"]))
@option("--allow-withdrawals", say="help.allow_withdrawals", is_flag=True)
@option("--json", "as_json", say="help.json", is_flag=True)
def ingest(
    *,
    paths: tuple[Path, ...],
    config: Path,
    feed: str,
    mode: str,
    data_through: datetime | None,
    allow_withdrawals: bool,
    as_json: bool,
) -> None:
    """Load files of declared feeds; exit 3 when a file was refused, or a row was rejected or left a gap."""
    files, now = tuple(_files(paths)), datetime.now(UTC)
    delivery = Delivery(
        mode=Mode[mode.upper()],
        data_through=_reached(data_through, now),
        allow_withdrawals=allow_withdrawals,
    )
    loaded: list[Loaded] = []
    with _progress(len(files)) as progress:
        try:
            taken = take_in(
                _config(config),
                config.parent,
                files,
                now=now,
                delivery=delivery,
                feed_id=feed,
                progress=progress,
            )
            loaded.extend(taken)
        except (OSError, KeysError, GatewayError) as error:
            raise Ended("ingest.stopped", why=str(error), done=len(loaded), files=len(files)) from error
    if as_json:
        click.echo(json.dumps(document(loaded), ensure_ascii=False))
    else:
        _show(loaded)
    if any(each.report is None or each.report.rejected or each.report.gaps for each in loaded):
        raise SystemExit(INCOMPLETE)


def _reached(data_through: datetime | None, now: datetime) -> date | None:
    """Give the day up to which the files are complete; a feed that reaches beyond today could never be overdue."""
    if data_through is None:
        return None
    if data_through.date() > civil_day(now):
        raise Ended("ingest.future_data_through")
    return data_through.date()


def _files(paths: tuple[Path, ...]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(each for each in path.iterdir() if each.suffix.lower() in {".csv", ".xlsx"})
        else:
            yield path


def _config(path: Path) -> Config:
    try:
        return read_config(path)
    except ConfigError as error:
        raise Ended("node.bad_config", lines=error.faults, file=path.name) from error


@contextmanager
def _progress(files: int) -> Iterator[Progress]:
    """Show the file and its rows on a terminal's stderr; elsewhere nothing."""
    with Bar(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(session().words.say("ingest.loading"), total=files)
        seen: set[Path] = set()

        def tell(path: Path, _rows: int) -> None:
            seen.add(path)
            bar.update(task, completed=len(seen))

        yield tell


def document(loaded: list[Loaded]) -> dict[str, Any]:
    """Give what became of the files, for programs: see docs/json.md."""
    return {"files": [_file(each) for each in loaded]}


def _file(each: Loaded) -> dict[str, Any]:
    if each.report is None:
        fault = each.refused.fault.value if each.refused else ""
        arguments = {name: str(value) for name, value in each.refused.arguments.items()} if each.refused else {}
        return {"file": each.path.name, "refused": fault, "arguments": arguments}
    report = each.report
    counts: dict[str, Any] = {name: getattr(report, name) for name in COUNTS if name != "rejected"}
    return {
        "file": each.path.name,
        "feed": report.feed,
        "version": report.version,
        "data_through": _day(report.data_through),
        **counts,
        "rejected": {reason.value: count for reason, count in report.rejected.items()},
        "problems": [
            {"row": one.row, "column": one.column, "reason": one.reason.value, "outcome": one.outcome.value}
            for one in report.problems
        ],
    }


def _day(day: date) -> str:
    return day.isoformat()


def _show(loaded: list[Loaded]) -> None:
    words, console = session().words, Console(soft_wrap=True)
    found = sheets.table(words, "ingest.title", "feed", *COUNTS)
    for each in loaded:
        report = each.report
        if report is not None and report.rows:
            counts = (getattr(report, name) for name in COUNTS)
            cells = (str(sum(count.values()) if hasattr(count, "values") else count) for count in counts)
            sheets.row(found, report.feed, *cells)
    console.print(found)
    quiet = sum(each.report is not None and not each.report.rows for each in loaded)
    console.print(words.say("ingest.summary", files=len(loaded), quiet=quiet))
    for each in loaded:
        if each.refused is not None:
            why = words.code("fault", each.refused.fault.value)
            console.print(words.say("ingest.refused", file=each.path.name, why=why), style="red", markup=False)
        for one in each.report.problems if each.report else ():
            where = {"file": each.path.name, "row": one.row, "column": one.column}
            reason = words.code("reason", one.reason.value)
            console.print(words.say("ingest.problem", **where, reason=reason), style="yellow", markup=False)
