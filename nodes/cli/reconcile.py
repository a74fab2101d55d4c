"""`yrdx ledger reconcile` and `statement`: where the ledgers of two members differ, and what both sign of a month."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, datetime
from pathlib import Path

import click
from rich.console import Console

from gateway.calls import DirectRoute
from gateway.charter import Charter
from gateway.client import Members
from gateway.clocks import civil_day
from gateway.errors import GatewayError
from gateway.months import Month
from gateway.reconciliations import RemotePairs
from gateway.verification.statements import write_file
from keys import files
from keys.envelope import Envelope
from keys.errors import KeysError
from nodes.bundle.following import current_charter
from nodes.cli import documents, reconcile_tables
from nodes.cli.reports import checked_config
from nodes.cli.session import NOT_GENUINE, Ended, SpeakingCommand, option, session
from nodes.clock import open_clock
from nodes.config import DATABASE, Config
from nodes.credentials import Credentials
from nodes.statements import Disagreed, Statements
from nodes.store import Scribe, Store
from nodes.store.reconciliations import Comparisons

RECONCILED = "yrdx.reconciliation.v1"


@click.command("reconcile", cls=SpeakingCommand, help="help.ledger_reconcile")
@option("--config", say="help.config", type=click.Path(path_type=Path), required=True)
@option("--with", "partner", say="help.partner", default="")
@option("--from", "first", say="help.from_day", type=click.DateTime(["%Y-%m-%d"]))
@option("--until", "last", say="help.until_day", type=click.DateTime(["%Y-%m-%d"]))
@option("--again", say="help.compare_again", is_flag=True)
@option("--json", "as_json", say="help.json", is_flag=True)
def reconcile(
    *, config: Path, partner: str, first: datetime | None, last: datetime | None, again: bool, as_json: bool
) -> None:
    """Show what the node's comparisons found; exit 1 when two ledgers differ without an explanation."""
    settings = checked_config(config)
    days = (first.date() if first else date.min, last.date() if last else date.max)
    with _told():
        if again:
            since = days[0] if first else civil_day(open_clock(settings.clock).now())
            asyncio.run(_forget(settings, since, partner))
            click.echo(session().words.say("reconcile.again", day=since.replace(day=1).isoformat()), err=True)
        with Comparisons.open(settings.data / DATABASE) as read:
            begun = (read.newest(each) for each in read.pairs() if not partner or partner in each)
            compared, found = [each for each in begun if each is not None], read.findings(*days, partner)
    if as_json:
        documents.write({"format": RECONCILED, **reconcile_tables.document(compared, found)})
    else:
        reconcile_tables.show(compared, found)
    if reconcile_tables.differing(found):
        raise SystemExit(NOT_GENUINE)


@click.command("statement", cls=SpeakingCommand, help="help.ledger_statement")
@option("--config", say="help.config", type=click.Path(path_type=Path), required=True)
@option("--with", "partner", say="help.partner", required=True)
@option("--month", "wanted", say="help.month", default="")
@option("--out", say="help.statement_out", type=click.Path(path_type=Path), required=True)
def statement(*, config: Path, partner: str, wanted: str, out: Path) -> None:
    """Have a month signed by both members, and write the file; exit 1 when they do not agree."""
    settings, words = checked_config(config), session().words
    with _told():
        month = _month(wanted, civil_day(open_clock(settings.clock).now()))
        charter = current_charter(settings)
        try:
            signed = asyncio.run(_signed(settings, charter, partner, month))
        except Disagreed as error:
            click.echo(words.say("reconcile.disagreed", member=partner, month=month.text), err=True)
            reconcile_tables.show_statement(Console(stderr=True, soft_wrap=True), error.own)
            raise SystemExit(NOT_GENUINE) from error
        files.write(out, write_file(signed, charter.directory.archive))
    click.echo(words.say("reconcile.signed", member=partner, month=month.text, file=out.name), err=True)


async def _signed(settings: Config, charter: Charter, partner: str, month: Month) -> Envelope:
    clock = open_clock(settings.clock).now
    credentials = Credentials(settings, lambda: charter, clock)
    members = Members(lambda: charter, credentials.identity, clock)
    reached = members.member(partner)
    if reached is None or partner == settings.member:
        raise Ended("reconcile.no_partner")
    scribe = Scribe(member=settings.member, signer=credentials.log_signer)
    try:
        with closing(Store.open(settings.data / DATABASE, credentials.storage, scribe)) as store:
            kept = store.reconciliations
            found = Statements(charter=lambda: charter, clock=clock, signer=credentials.signer, kept=kept)
            return await found.sign_with(RemotePairs(DirectRoute(reached)), partner, month)
    finally:
        await members.close()


async def _forget(settings: Config, since: date, partner: str) -> None:
    """Have the node compare anew; it begins within seconds."""
    charter = current_charter(settings)
    credentials = Credentials(settings, lambda: charter, open_clock(settings.clock).now)
    with closing(Store.open(settings.data / DATABASE, credentials.storage)) as store:
        await store.reconciliations.forget(since, partner)


def _month(text: str, today: date) -> Month:
    try:
        month = Month.read(text) if text else Month.before(today)
    except ValueError as error:
        raise Ended("quality.bad_month") from error
    if not month.over(today):
        raise Ended("quality.early")
    return month


@contextmanager
def _told() -> Iterator[None]:
    """End the command where something cannot be read, reached or written.

    Raises:
        Ended: telling why.
    """
    try:
        yield
    except (OSError, KeysError, GatewayError) as error:
        raise Ended("reconcile.stopped", why=str(error)) from error
