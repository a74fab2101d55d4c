"""`yrdx demo`: four members as real processes on this machine; `--json` prints one object of what happened."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from types import FrameType

import click

from nodes.cli.session import Ended, SpeakingCommand, option, session
from nodes.demo import MARKET, SUPERVISION, Demo, DemoError, Shell
from nodes.federation import REFERENCE
from nodes.lab import LabError
from nodes.sample import SCENARIOS


@click.command("demo", cls=SpeakingCommand, help="help.demo")
@option("--keep", say="help.keep", is_flag=True)
@option("--subjects", say="help.sample_subjects", type=click.IntRange(min=1), default=10_000)
@option("--federation", say="help.federation", type=click.Path(path_type=Path), default=REFERENCE)
@option("--json", "as_json", say="help.json", is_flag=True)
def demo(*, keep: bool, subjects: int, federation: Path, as_json: bool) -> None:
    """Run the demonstration; exit 0 when everything was answered, refused and verified as it must be."""
    folder = Path(tempfile.mkdtemp(prefix="yrdx-demo-"))
    for number in (signal.SIGTERM, signal.SIGHUP):  # a closed terminal must leave nothing running
        signal.signal(number, _interrupt)

    def say(text: str) -> None:
        click.echo(text, err=as_json)

    run = Demo(
        folder=folder, subjects=subjects, shell=Shell(language=session().words.language),
        federation=federation, say=say,
        show=(lambda _text: None) if as_json else lambda text: click.echo(text, nl=False),
    )  # fmt: skip
    try:
        run.prepare()
        run.ask_all()
        run.refuse_all()
        run.check_list()
        run.verify_ledgers()
        run.track()
        if keep:
            _wait(run)
        else:
            run.lose_one()
    except (DemoError, LabError) as error:
        raise Ended("demo.failed", 1, why=str(error)) from error
    finally:
        if hasattr(run, "lab"):
            run.lab.stop()
        shutil.rmtree(folder, ignore_errors=True)
    if as_json:
        click.echo(json.dumps(asdict(run.story), ensure_ascii=False))
    if not keep and not run.complete():
        raise Ended("demo.incomplete", 1)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _wait(run: Demo) -> None:
    """Stay up until interrupted."""
    words = session().words
    profile = run.lab.profile(MARKET)
    yrdx = Path(sys.executable).with_name("yrdx")
    command = f"{yrdx} ask summary {SCENARIOS['clean'].uscc} {' '.join(SUPERVISION)} --window M36 --profile {profile}"
    click.echo(words.say("demo.kept_access", command=f"{yrdx} {' '.join(run.tracker.command)}"), err=True)
    click.echo(words.say("demo.kept", command=command), err=True)
    for slug, each in SCENARIOS.items():
        click.echo(f"  {each.uscc}  {slug}: {each.story}", err=True)
    try:
        signal.pause()
    except KeyboardInterrupt:
        click.echo(words.say("demo.ending"), err=True)
