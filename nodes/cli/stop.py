"""`yrdx stop` and `yrdx lift`: what a member will have nothing to do with from now on, at its own node alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import click

from gateway.charter import Charter
from gateway.errors import GatewayError
from keys import custody
from keys.bundle.quarantine import WHATS
from keys.directory import Stop
from keys.errors import KeysError
from nodes.bundle.following import Following
from nodes.bundle.source import Source
from nodes.bundle.stops import STOPS, OwnStop, lifted, stopped, write_stops
from nodes.cli.reports import checked_config
from nodes.cli.session import Ended, SpeakingCommand, option, session
from nodes.clock import open_clock

Change = Callable[[tuple[OwnStop, ...], datetime], tuple[OwnStop, ...]]


@click.command("stop", cls=SpeakingCommand, help="help.stop")
@click.argument("what", metavar="WHAT", type=click.Choice(sorted(WHATS)))
@click.argument("identity", metavar="ID")
@option("--ground", say="help.ground", required=True)
@option("--config", say="help.config", type=click.Path(path_type=Path), required=True)
def stop(*, what: str, identity: str, ground: str, config: Path) -> None:
    """Stop one thing; a node that runs sees it within a second."""
    _change(config, what, identity, lambda found, now: stopped(found, Stop(what=what, id=identity, ground=ground), now))
    click.echo(session().words.say("stop.stopped", what=session().words.code("stop_what", what), id=identity))


@click.command("lift", cls=SpeakingCommand, help="help.lift")
@click.argument("what", metavar="WHAT", type=click.Choice(sorted(WHATS)))
@click.argument("identity", metavar="ID")
@option("--config", say="help.config", type=click.Path(path_type=Path), required=True)
def lift(*, what: str, identity: str, config: Path) -> None:
    """Lift a stop of one's own; the quorum's quarantine it cannot lift."""

    def change(found: tuple[OwnStop, ...], _now: datetime) -> tuple[OwnStop, ...]:
        left = lifted(found, what, identity)
        if left == found:
            raise Ended("stop.none", what=session().words.code("stop_what", what), id=identity)
        return left

    _change(config, what, identity, change)
    click.echo(session().words.say("stop.lifted", what=session().words.code("stop_what", what), id=identity))


def _change(path: Path, what: str, identity: str, change: Change) -> None:
    """Change the signed file of stops under the member's own key."""
    config = checked_config(path)
    try:
        now = open_clock(config.clock).now()
        signer = custody.load_signer(config.signing_key, custody.read_passphrase(config.passphrase_file))
        following = Following(Source.of(config))
        try:
            if not _known(following.current, what, identity):
                raise Ended("stop.unknown", what=session().words.code("stop_what", what), id=identity)
            stops = change(following.stops, now)
        finally:
            following.close()
        write_stops(config.data / STOPS, config.member, stops, signer=signer, now=now)
    except (OSError, KeysError, GatewayError, ValueError) as error:
        raise Ended("stop.not_made", why=str(error)) from error


def _known(charter: Charter, what: str, identity: str) -> bool:
    """Say whether the bundle knows such a thing: a slip of the pen would stop nothing and look as if it did."""
    directory, catalogue = charter.directory, charter.catalogue
    if what == "member":
        return any(each.id == identity for each in directory.members)
    if what == "key":
        with suppress(KeysError):
            return bool(directory.key_owner(identity))
        return False
    if what == "agency":
        return directory.agency(identity) is not None
    tables: dict[str, Mapping[str, object]] = {
        "agreement": catalogue.agreements,
        "purpose": catalogue.purposes,
        "data_item": catalogue.data_items,
    }
    return identity in tables[what]
