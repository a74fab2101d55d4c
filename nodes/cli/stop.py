"""`yrdx stop` and `yrdx lift`: what a member will have nothing to do with from now on, at its own node alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import click

from gateway.errors import GatewayError
from keys.bundle.quarantine import WHATS
from keys.directory import Stop, open_bundle
from keys.errors import KeysError
from nodes import states
from nodes.bundle.following import Following
from nodes.bundle.root import read_root
from nodes.bundle.source import Source
from nodes.bundle.stops import STOPS, OwnStop, alone, known, lifted, stopped, write_stops
from nodes.cli.acting import by_officer, noted
from nodes.cli.reports import checked_config
from nodes.cli.session import Ended, SpeakingCommand, option, session
from nodes.clock import open_clock
from nodes.credentials import open_keyring

Change = Callable[[tuple[OwnStop, ...], datetime], tuple[OwnStop, ...]]


@click.command("stop", cls=SpeakingCommand, help="help.stop")
@click.argument("what", metavar="WHAT", type=click.Choice(sorted(WHATS)))
@click.argument("identity", metavar="ID")
@option("--ground", say="help.ground", required=True)
@option("--config", say="help.config", type=click.Path(path_type=Path), required=True)
@by_officer
def stop(*, what: str, identity: str, ground: str, config: Path, profile: Path | None) -> None:
    """Stop one thing; a node that runs sees it within a second."""
    wanted = Stop(what=what, id=identity, ground=ground)
    _change(config, profile, what, identity, lambda found, now: stopped(found, wanted, now))
    click.echo(session().words.say("stop.stopped", what=session().words.code("stop_what", what), id=identity))


@click.command("lift", cls=SpeakingCommand, help="help.lift")
@click.argument("what", metavar="WHAT", type=click.Choice(sorted(WHATS)))
@click.argument("identity", metavar="ID")
@option("--config", say="help.config", type=click.Path(path_type=Path), required=True)
@by_officer
def lift(*, what: str, identity: str, config: Path, profile: Path | None) -> None:
    """Lift a stop of one's own; the quorum's quarantine it cannot lift."""

    def change(found: tuple[OwnStop, ...], _now: datetime) -> tuple[OwnStop, ...]:
        left = lifted(found, what, identity)
        if left == found:
            raise Ended("stop.none", what=session().words.code("stop_what", what), id=identity)
        return left

    _change(config, profile, what, identity, change)
    click.echo(session().words.say("stop.lifted", what=session().words.code("stop_what", what), id=identity))


def _change(file: Path, profile: Path | None, what: str, identity: str, change: Change) -> None:
    """Change the file of stops, signed by the key of the member that signs now."""
    config = checked_config(file)
    try:
        now, path = open_clock(config.clock).now(), config.data / STOPS
        with alone(path):
            following = Following(Source.of(config))
            try:
                if not known(following.current.directory.opened.document, what, identity):
                    raise Ended("stop.unknown", what=session().words.code("stop_what", what), id=identity)
                stops = change(following.stops, now)
            finally:
                following.close()
            # What the member stopped itself may be its own key: the quorum's word alone says which one signs.
            whole = open_bundle(following.current.directory.archive, root=read_root(config.root))
            signer = open_keyring(config).signer(whole, now)
            with noted(config, profile, states.STOPS, lambda: states.stops(stops), lambda: following.current):
                write_stops(path, config.member, stops, signer=signer, now=now)
    except (OSError, KeysError, GatewayError, ValueError) as error:
        raise Ended("stop.not_made", why=str(error)) from error
