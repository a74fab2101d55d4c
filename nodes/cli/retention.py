"""`yrdx retention`: how long bodies are kept by purpose, and destroying at once what is due. Never a subject."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from gateway.catalogue import Catalogue
from gateway.clocks import civil_day
from gateway.errors import GatewayError
from gateway.retention import SUBJECTS, kept_from, months
from keys.errors import KeysError
from nodes import retention as retaining
from nodes.cli import documents
from nodes.cli.acting import by_officer, doer_of
from nodes.cli.reports import checked_config
from nodes.cli.session import INCOMPLETE, Ended, SpeakingCommand, SpeakingGroup, option, session
from nodes.cli.sheets import row, table
from nodes.store.retention import Held

SHOWN, APPLIED = "yrdx.retention.v1", "yrdx.retention-run.v1"


@click.group("retention", cls=SpeakingGroup, help="help.retention")
def retention() -> None:
    """See words.toml."""


@retention.command("show", cls=SpeakingCommand, help="help.retention_show")
@option("--config", say="help.config", type=click.Path(path_type=Path), required=True)
@option("--json", "as_json", say="help.json", is_flag=True)
def show(*, config: Path, as_json: bool) -> None:
    """List each purpose with its rule and what is still there."""
    now = session().now()
    try:
        charter, found = retaining.show(checked_config(config), now)
    except (OSError, KeysError, GatewayError) as error:
        raise Ended("retention.stopped", why=str(error)) from error
    rows = [_document(charter.catalogue, each, kept_from(charter.catalogue, each.scope, civil_day(now)).isoformat())
            for each in _whole(charter.catalogue, found)]  # fmt: skip
    if as_json:
        limits = charter.catalogue.limits
        documents.write({"format": SHOWN, "record_months": limits.record_months, "scopes": rows})
    else:
        _show(rows)


@retention.command("run", cls=SpeakingCommand, help="help.retention_run")
@option("--config", say="help.config", type=click.Path(path_type=Path), required=True)
@option("--json", "as_json", say="help.json", is_flag=True)
@by_officer
def run(*, config: Path, as_json: bool, profile: Path | None) -> None:
    """Destroy what is due; exit 3 where the database's log could not be emptied yet."""
    settings = checked_config(config)
    try:
        done = retaining.run(settings, doer_of(profile, settings))
    except (OSError, KeysError, GatewayError) as error:
        raise Ended("retention.stopped", why=str(error)) from error
    if as_json:
        documents.write({"format": APPLIED, "keys": done.keys, **asdict(done.forgotten), "scrubbed": done.scrubbed})
    else:
        click.echo(session().words.say("retention.done", keys=done.keys, **asdict(done.forgotten)))
    if not done.scrubbed:
        click.echo(session().words.say("retention.in_use"), err=True)
        raise SystemExit(INCOMPLETE)


def _whole(catalogue: Catalogue, found: tuple[Held, ...]) -> tuple[Held, ...]:
    """Give every purpose, also those of which nothing is kept."""
    held = {each.scope: each for each in found}
    none = {
        scope: Held(scope=scope, oldest=None, keys=0, due=0, destroyed=0) for scope in (*catalogue.purposes, SUBJECTS)
    }
    return tuple(none[scope] if scope not in held else held[scope] for scope in sorted({*none, *held}))


def _document(catalogue: Catalogue, each: Held, since: str) -> dict[str, Any]:
    return {
        "scope": each.scope,
        "months": months(catalogue, each.scope),
        "kept_from": since,
        "oldest": each.oldest and each.oldest.isoformat(),
        "keys": each.keys,
        "due": each.due,
        "destroyed": each.destroyed,
    }


def _show(rows: list[dict[str, Any]]) -> None:
    words, columns = session().words, ("purpose", "months", "kept_from", "oldest", "kept_days", "due", "destroyed")
    found = table(words, "title.retention", *columns)
    for each in rows:
        scope = each["scope"]
        name = words.code("kept", scope or "none") if scope in {"", SUBJECTS} else scope
        counts = (str(each[key]) for key in ("keys", "due", "destroyed"))
        row(found, name, str(each["months"]), each["kept_from"], each["oldest"] or "-", *counts)
    Console().print(found)
