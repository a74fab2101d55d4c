"""`yrdx quality`: a month of the member's data, for people and programs, or as a signed report. Never a subject."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from gateway.clocks import civil_day
from gateway.errors import GatewayError
from gateway.months import Month
from keys.errors import KeysError
from nodes.cli import documents, quality_tables
from nodes.cli.reports import checked_config
from nodes.cli.session import INCOMPLETE, Ended, SpeakingCommand, option, session
from nodes.quality import document, export, work_out


@click.command("quality", cls=SpeakingCommand, help="help.quality")
@option("--config", say="help.config", type=click.Path(path_type=Path), required=True)
@option("--month", "wanted", say="help.month", default="")
@option("--export", "out", say="help.export", type=click.Path(path_type=Path))
@option("--json", "as_json", say="help.json", is_flag=True)
def quality(*, config: Path, wanted: str, out: Path | None, as_json: bool) -> None:
    """Show a month, and export it where wanted; exit 3 when the node misses a goal."""
    now = session().now()
    month = _month(wanted, civil_day(now), whole=out is not None)
    settings = checked_config(config)
    try:
        found = work_out(settings, month, now)
        if out is not None:
            export(found, settings, out)
    except (OSError, KeysError, GatewayError) as error:
        raise Ended("quality.stopped", why=str(error)) from error
    if as_json:
        documents.write(document(found))
    else:
        quality_tables.show(found.quality)
    if out is not None:
        click.echo(session().words.say("quality.exported", file=out.name), err=True)
    if found.quality.missed:
        raise SystemExit(INCOMPLETE)


def _month(text: str, today: date, *, whole: bool) -> Month:
    try:
        month = Month.read(text) if text else Month.before(today)
    except ValueError as error:
        raise Ended("quality.bad_month") from error
    if month.first > today:
        raise Ended("quality.future")
    if whole and not month.over(today):
        raise Ended("quality.early")
    return month
