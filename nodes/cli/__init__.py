"""The command line `yrdx`: a desk's officer asks, verifies and reads cases; a command is a module and a row here."""

from __future__ import annotations

import click

from nodes.cli import quiet  # noqa: F401  before anything imports grpc
from nodes.cli.access import access
from nodes.cli.approve import approve
from nodes.cli.ask import ask
from nodes.cli.audit import audit
from nodes.cli.authorise import authorise
from nodes.cli.backup import backup, restore
from nodes.cli.case import case
from nodes.cli.check import check
from nodes.cli.demo import demo
from nodes.cli.drill import drill
from nodes.cli.enrol import enrol
from nodes.cli.evidence import evidence
from nodes.cli.inbox import inbox
from nodes.cli.ingest import ingest
from nodes.cli.keys import keys
from nodes.cli.leave import leave
from nodes.cli.ledger import ledger
from nodes.cli.node import node
from nodes.cli.participants import participants
from nodes.cli.quality import quality
from nodes.cli.retention import retention
from nodes.cli.sample import sample
from nodes.cli.session import Session, SpeakingGroup, option
from nodes.cli.sessions import session_group
from nodes.cli.stop import lift, stop
from nodes.cli.trust import trust
from nodes.cli.verify import verify
from nodes.cli.words import LANGUAGES

__all__ = ["main"]

COMMANDS: tuple[click.Command, ...] = (
    ask,
    check,
    verify,
    case,
    evidence,
    session_group,
    approve,
    enrol,
    authorise,
    access,
    node,
    ingest,
    inbox,
    leave,
    keys,
    demo,
    drill,
    sample,
    quality,
    trust,
    participants,
    ledger,
    retention,
    audit,
    backup,
    restore,
    stop,
    lift,
)
"""Every command; a new one is added here."""


def _choose(context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if not isinstance(context.obj, Session):
        context.obj = Session()
    context.obj.option = value
    return value


@click.group(cls=SpeakingGroup, help="help.yrdx", context_settings={"help_option_names": ["-h", "--help"]})
@option(
    "--lang",
    say="help.lang",
    type=click.Choice(LANGUAGES),
    callback=_choose,
    is_eager=True,
    expose_value=False,
)
def main() -> None:
    """See words.toml."""


for _command in COMMANDS:
    main.add_command(_command)
