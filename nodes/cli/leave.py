"""`yrdx leave`: a second person allows a snapshot to withdraw so many records; signed, for one file and one day."""

from __future__ import annotations

from pathlib import Path

import click

from nodes.cli.profile import unlock
from nodes.cli.session import Ended, SpeakingCommand, option, session
from nodes.leave import Leave, file_sha256, write_leave


@click.command("leave", cls=SpeakingCommand, help="help.leave")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@option("--feed", say="help.leave_feed", required=True)
@option("--withdrawals", say="help.withdrawals", type=click.IntRange(min=1), required=True)
@option("--profile", say="help.profile", type=click.Path(path_type=Path), envvar="YRDX_PROFILE", show_envvar=True)
@option("--out", say="help.leave_out", type=click.Path(path_type=Path), required=True)
def leave(*, file: Path, feed: str, withdrawals: int, profile: Path | None, out: Path) -> None:
    """Sign a leave, and write it under a name that is not taken."""
    access = unlock(profile, own=True)  # read from the file alone: it encloses no session's assertion
    try:
        allowed = Leave(
            feed=feed,
            file_sha256=file_sha256(file),
            withdrawals=withdrawals,
            officer=access.profile.officer,
            time=session().now(),
        )
        with out.open("xb") as written:
            written.write(write_leave(allowed, access.officer))
    except OSError as error:
        raise Ended("leave.not_made", why=error.strerror or type(error).__name__) from error
    click.echo(session().words.say("leave.made", feed=feed, withdrawals=withdrawals, out=out.name))
