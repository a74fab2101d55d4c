"""`yrdx inbox`: takes what came over a one-way gap, manifest by manifest, and reports as `yrdx ingest` does."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from nodes.cli import reports
from nodes.cli.acting import by_officer, doer_of
from nodes.cli.session import INCOMPLETE, SpeakingCommand, option, session
from nodes.inbox import Arrival, take_inbox
from nodes.intake import Loaded


@click.command("inbox", cls=SpeakingCommand, help="help.inbox")
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@option("--config", say="help.config", type=click.Path(path_type=Path), required=True)
@option("--leave", "leaves", say="help.leave_file", multiple=True, type=click.Path(path_type=Path))
@option("--rejects", say="help.rejects", type=click.Path(path_type=Path))
@by_officer
@option("--json", "as_json", say="help.json", is_flag=True)
def inbox(
    *,
    folder: Path,
    config: Path,
    leaves: tuple[Path, ...],
    rejects: Path | None,
    profile: Path | None,
    as_json: bool,
) -> None:
    """Take every sender's manifests as far as they follow one another; exit 3 when one stopped or left gaps."""
    came: list[Arrival | Loaded] = []
    with (
        reports.progress("ingest.loading") as progress,
        reports.ending(came, 0),
        reports.problem_file(rejects) as problems,
    ):
        settings = reports.checked_config(config)
        came.extend(
            take_inbox(
                settings,
                config.parent,
                folder,
                now=datetime.now(UTC),
                leaves=leaves,
                problems=problems,
                doer=doer_of(profile, settings),
                progress=progress,
            )
        )
    arrivals = [each for each in came if isinstance(each, Arrival)]
    released = [each for each in came if isinstance(each, Loaded)]
    if as_json:
        click.echo(json.dumps(document(arrivals, released), ensure_ascii=False))
    else:
        _show(arrivals, released)
    if any(each.stopped for each in arrivals) or reports.incomplete(_files(arrivals, released)):
        raise SystemExit(INCOMPLETE)


def document(arrivals: list[Arrival], released: list[Loaded]) -> dict[str, object]:
    """Give what became of the manifests and of held rows, for programs: see docs/json.md."""
    return {
        "manifests": [_arrival(each) for each in arrivals],
        "released": [reports.file_document(each) for each in released],
    }


def _arrival(each: Arrival) -> dict[str, object]:
    stopped = each.stopped
    return {
        "sender": each.sender,
        "sequence": each.sequence,
        "stopped": stopped and stopped.fault.value,
        "arguments": {key: str(value) for key, value in stopped.arguments.items()} if stopped else {},
        "files": [reports.file_document(one) for one in each.files],
    }


def _files(arrivals: list[Arrival], released: list[Loaded]) -> list[Loaded]:
    return [*released, *(one for each in arrivals for one in each.files)]


def _show(arrivals: list[Arrival], released: list[Loaded]) -> None:
    words, console = session().words, Console(soft_wrap=True)
    reports.show(_files(arrivals, released))
    taken = sum(each.stopped is None for each in arrivals)
    console.print(words.say("inbox.summary", taken=taken))
    for each in arrivals:
        if each.stopped is not None:
            where = words.say("mark.comma").join(f"{key} {value}" for key, value in each.stopped.arguments.items())
            why = words.code("manifest", each.stopped.fault.value) + (f" ({where})" if where else "")
            text = words.say("inbox.stopped", sender=each.sender or "?", sequence=each.sequence, why=why)
            console.print(text, style="red", markup=False)
