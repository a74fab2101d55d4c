"""`yrdx sample`: writes a member's made-up files at any size, whole or not at all, and says what is in them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress as Bar

from gateway.clocks import civil_day
from gateway.errors import GatewayError
from nodes.cli import sheets
from nodes.cli.session import Ended, SpeakingCommand, option, session
from nodes.federation import REFERENCE
from nodes.sample import Sample, write_sample
from nodes.sample.writing import Progress

MOST_SUBJECTS, MOST_DIRT = 15_000_000, 5.0


@click.command("sample", cls=SpeakingCommand, help="help.sample")
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@option("--member", say="help.sample_member", required=True)
@option("--subjects", say="help.sample_size", type=click.IntRange(0, MOST_SUBJECTS), default=10_000)
@option("--seed", say="help.sample_seed", type=int, default=1)
@option("--dirt", say="help.sample_dirt", type=click.FloatRange(0, MOST_DIRT), default=1.0)
@option("--clean", say="help.sample_clean", is_flag=True)
@option("--federation", say="help.federation", type=click.Path(path_type=Path), default=REFERENCE)
@option("--json", "as_json", say="help.json", is_flag=True)
def sample(
    *,
    folder: Path,
    member: str,
    subjects: int,
    seed: int,
    dirt: float,
    clean: bool,
    federation: Path,
    as_json: bool,
) -> None:
    """Write a sample into a folder that is not there yet, or is empty."""
    with _progress(subjects) as progress:
        try:
            written = write_sample(
                folder,
                member,
                subjects=subjects,
                seed=seed,
                today=civil_day(session().now()),
                federation_folder=federation,
                dirt=0 if clean else dirt,
                mixed=not clean,
                progress=progress,
            )
        except FileExistsError:
            raise Ended("sample.taken", folder=folder.name) from None
        except (OSError, GatewayError) as error:
            raise Ended("sample.not_written", why=str(error)) from error
    if as_json:
        click.echo(json.dumps(document(written), ensure_ascii=False))
    else:
        _show(written)


@contextmanager
def _progress(subjects: int) -> Iterator[Progress]:
    """Show the subjects made so far on a terminal's stderr; elsewhere nothing."""
    with Bar(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(session().words.say("sample.writing"), total=subjects)
        yield lambda done: bar.update(task, completed=done)


def document(written: Sample) -> dict[str, Any]:
    """Give what was written, for programs: see docs/json.md."""
    dirt: Mapping[str, Mapping[str, int]] = written.dirt
    return {
        "rows": sum(written.rows.values()),
        "feeds": [
            {"feed": feed, "rows": rows, "dirt": dict(dirt.get(feed, {}))} for feed, rows in written.rows.items()
        ],
    }


def _show(written: Sample) -> None:
    words, console = session().words, Console(soft_wrap=True)
    found = sheets.table(words, "sample.title", "feed", "rows", "dirty")
    for feed, rows in written.rows.items():
        if rows:
            sheets.row(found, feed, str(rows), str(sum(written.dirt.get(feed, {}).values())))
    console.print(found)
    console.print(words.say("sample.summary", rows=sum(written.rows.values()), feeds=len(written.rows)))
