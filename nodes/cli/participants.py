"""`yrdx participants`: courts, platforms, bureaus and credit agencies with their filings, and what they were told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from gateway.clocks import civil_day
from gateway.errors import GatewayError
from gateway.months import Month
from keys.errors import KeysError
from nodes.cli import documents
from nodes.cli.reports import checked_config
from nodes.cli.session import Ended, SpeakingCommand, option, session
from nodes.cli.sheets import row, table
from nodes.participants import Standing, standings


@click.command("participants", cls=SpeakingCommand, help="help.participants")
@option("--config", say="help.config", type=click.Path(path_type=Path), required=True)
@option("--month", "wanted", say="help.month_so_far", default="")
@option("--json", "as_json", say="help.json", is_flag=True)
def participants(*, config: Path, wanted: str, as_json: bool) -> None:
    """List who is no department; counts are this member's own answers."""
    now = session().now()
    try:
        month = Month.read(wanted or f"{civil_day(now):%Y-%m}")
    except ValueError as error:
        raise Ended("quality.bad_month") from error
    try:
        found = standings(checked_config(config), month, now)
    except (OSError, KeysError, GatewayError) as error:
        raise Ended("quality.stopped", why=str(error)) from error
    if as_json:
        rows = [_document(each) for each in found]
        documents.write({"format": "yrdx.participants.v1", "month": month.text, "participants": rows})
    else:
        _show(found)


def _document(found: Standing) -> dict[str, Any]:
    agency, filing = found.agency, found.agency.filing
    return {
        "agency": agency.id,
        "member": agency.member,
        "sort": agency.sort,
        "purposes": list(agency.purposes),
        "filing_number": filing and filing.number,
        "filing_authority": filing and filing.authority.zh,
        "filing_until": filing and filing.until_day and filing.until_day.isoformat(),
        "suspended": agency.suspended,
        "active": found.active,
        "answers": found.told.answers,
        "subjects": found.told.subjects,
    }


def _show(found: tuple[Standing, ...]) -> None:
    words = session().words
    columns = ("agency", "sort", "filing", "filed_until", "state", "answers_given", "subjects")
    shown = table(words, "title.participants", *columns)
    for each in found:
        filing = each.agency.filing
        state = "active" if each.active else "suspended" if each.agency.suspended else "ended"
        row(
            shown,
            each.agency.id,
            words.code("sort", each.agency.sort),
            f"{filing.number}, {getattr(filing.authority, words.language)}" if filing else "-",
            filing.until_day.isoformat() if filing and filing.until_day else "-",
            words.code("standing", state),
            str(each.told.answers),
            str(each.told.subjects),
        )
    Console().print(shown)
