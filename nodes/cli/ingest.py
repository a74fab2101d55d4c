"""`yrdx ingest`: loads a member's files, each in one transaction, and reports rows without ever showing a value."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import click

from gateway.clocks import civil_day
from nodes.cli import reports
from nodes.cli.acting import by_officer, doer_of
from nodes.cli.session import INCOMPLETE, Ended, SpeakingCommand, option
from nodes.intake import Delivery, Loaded, take_in
from nodes.store import Mode

_SUFFIXES = frozenset({".csv", ".xlsx"})


@click.command("ingest", cls=SpeakingCommand, help="help.ingest")
@click.argument("paths", metavar="PATH...", nargs=-1, type=click.Path(path_type=Path))
@option("--config", say="help.config", type=click.Path(path_type=Path), required=True)
@option("--feed", say="help.feed", default="")
@option("--mode", say="help.mode", type=click.Choice(("delta", "snapshot")), default="delta")
@option("--data-through", say="help.data_through", type=click.DateTime(["%Y-%m-%d"]))
@option("--leave", "leaves", say="help.leave_file", multiple=True, type=click.Path(path_type=Path))
@option("--rejects", say="help.rejects", type=click.Path(path_type=Path))
@option("--release", say="help.release", is_flag=True)
@by_officer
@option("--json", "as_json", say="help.json", is_flag=True)
def ingest(
    *,
    paths: tuple[Path, ...],
    config: Path,
    feed: str,
    mode: str,
    data_through: datetime | None,
    leaves: tuple[Path, ...],
    rejects: Path | None,
    release: bool,
    profile: Path | None,
    as_json: bool,
) -> None:
    """Load files of declared feeds; exit 3 when a file was refused, a row was rejected, or a feed has gaps."""
    if not paths and not release:
        raise Ended("ingest.nothing")
    files, now = tuple(_files(paths)), datetime.now(UTC)
    reached, loaded = _reached(data_through, now), list[Loaded]()
    with (
        reports.progress("ingest.loading") as progress,
        reports.ending(loaded, len(files)),
        reports.problem_file(rejects) as problems,
    ):
        settings = reports.checked_config(config)
        delivery = Delivery(
            mode=Mode[mode.upper()],
            data_through=reached,
            leaves=leaves,
            problems=problems,
            doer=doer_of(profile, settings),
        )
        loaded.extend(
            take_in(
                settings,
                config.parent,
                files,
                now=now,
                delivery=delivery,
                feed_id=feed,
                again=release,
                progress=progress,
            )
        )
    if as_json:
        click.echo(json.dumps(document(loaded), ensure_ascii=False))
    else:
        reports.show(loaded)
    if reports.incomplete(loaded):
        raise SystemExit(INCOMPLETE)


def document(loaded: list[Loaded]) -> dict[str, object]:
    """Give what became of the files and of held rows, for programs: see docs/json.md."""
    return {
        "files": [reports.file_document(each) for each in loaded if each.path is not None],
        "released": [reports.file_document(each) for each in loaded if each.path is None],
    }


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
            yield from sorted(each for each in path.iterdir() if each.suffix.lower() in _SUFFIXES)
        else:
            yield path
