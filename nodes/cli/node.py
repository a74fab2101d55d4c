"""`yrdx node`: makes a member's folder, and serves it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from gateway.errors import GatewayError
from keys.errors import KeysError
from nodes import run
from nodes.cli import documents, health_tables
from nodes.cli.reports import checked_config
from nodes.cli.session import INCOMPLETE, Ended, SpeakingGroup, option, session
from nodes.config import ConfigError
from nodes.federation import REFERENCE, feeds, is_hub, lifetimes, officers
from nodes.health import read_health
from nodes.setup import ENTRY, Entry, Setting, init_hub, init_node


@click.group("node", cls=SpeakingGroup, help="help.node")
def node() -> None:
    """See words.toml."""


@node.command("init", help="help.node_init")
@click.argument("folder", type=click.Path(path_type=Path))
@option("--member", say="help.own_member", required=True)
@option("--federation", say="help.federation", type=click.Path(path_type=Path), default=REFERENCE)
@option("--exchange-listen", say="help.exchange_listen", default="127.0.0.1:7310")
@option("--desk-listen", say="help.desk_listen", default="127.0.0.1:7311")
@option("--workers", say="help.workers", type=click.IntRange(1, 8), default=1)
def init(*, folder: Path, member: str, federation: Path, exchange_listen: str, desk_listen: str, workers: int) -> None:
    """Make keys, certificates, officers' keys, the declaration of feeds and a config; nothing is overwritten."""
    setting = Setting(exchange_listen=exchange_listen, desk_listen=desk_listen, workers=workers)
    try:
        entry = _made(folder, member, federation, setting)
    except (OSError, KeysError, GatewayError) as error:
        raise Ended("node.not_made", why=_why(error)) from error
    (folder / ENTRY).write_text(entry.to_json(), encoding="utf-8")
    click.echo(session().words.say("node.made", folder=str(folder), entry=ENTRY))


def _made(folder: Path, member: str, federation: Path, setting: Setting) -> Entry:
    now = datetime.now(UTC)
    rules = lifetimes(federation)
    if is_hub(federation, member):
        return init_hub(folder, member, lifetimes=rules, now=now, setting=setting)
    return init_node(
        folder,
        member,
        agencies=officers(federation, member),
        feeds=feeds(federation, member),
        lifetimes=rules,
        now=now,
        setting=setting,
    )


@node.command("serve", help="help.node_serve")
@click.argument("config", type=click.Path(path_type=Path))
def serve(*, config: Path) -> None:
    """Serve until the process is told to end."""
    try:
        status = run.serve(config)
    except ConfigError as error:
        raise Ended("node.bad_config", lines=error.faults, file=config.name) from error
    except (OSError, KeysError, GatewayError) as error:
        raise Ended("node.not_served", why=_why(error)) from error
    raise SystemExit(status)


@node.command("status", help="help.node_status")
@option("--config", say="help.config", type=click.Path(path_type=Path), required=True)
@option("--json", "as_json", say="help.json", is_flag=True)
def status(*, config: Path, as_json: bool) -> None:
    """Show how the node was a moment ago; exit 3 when it did not serve."""
    settings = checked_config(config)
    try:
        found = read_health(settings.data)
    except (OSError, ValueError) as error:
        raise Ended("node.no_health") from error
    if as_json:
        documents.write(found)
    else:
        health_tables.show(found)
    if not found["serving"]:
        raise SystemExit(INCOMPLETE)


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, KeysError | GatewayError) else f"{type(error).__name__}: {error}"
