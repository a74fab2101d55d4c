"""`yrdx drill`: tries on real processes of a federation of its own what must not fail; `--json` prints one object."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path

import click

from nodes.cli import documents
from nodes.cli.session import Ended, SpeakingGroup, option, session
from nodes.drill import DrillError, KeysDrill, RestoreDrill
from nodes.lab import LabError

FORMAT, RESTORED = "yrdx.drill.keys.v1", "yrdx.drill.restore.v1"


@click.group("drill", cls=SpeakingGroup, help="help.drill")
def drill() -> None:
    """See words.toml."""


@drill.command("keys", help="help.drill_keys")
@option("--json", "as_json", say="help.json", is_flag=True)
def keys(*, as_json: bool) -> None:
    """Turn every key of a member over under load, then revoke one; exit 1 when a call failed."""
    folder, words = Path(tempfile.mkdtemp(prefix="yrdx-drill-")), session().words
    try:
        story = KeysDrill(folder=folder, say=lambda text: click.echo(text, err=True)).run()
    except (DrillError, LabError) as error:
        raise Ended("drill.failed", 1, why=str(error)) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if as_json:
        documents.write({"format": FORMAT, **asdict(story)})
    else:
        click.echo(words.say("drill.told", calls=story.calls, failed=story.failed, rotated=len(story.rotated)))
        for member, seconds in story.refused_after_seconds.items():
            click.echo(words.say("drill.refused", member=member, seconds=str(seconds)))
    if not story.good:
        raise SystemExit(1)


@drill.command("restore", help="help.drill_restore")
@option("--json", "as_json", say="help.json", is_flag=True)
def restore(*, as_json: bool) -> None:
    """Lose a member's databases, restore an older copy and recover; exit 1 when anything is left unexplained."""
    folder, words = Path(tempfile.mkdtemp(prefix="yrdx-drill-")), session().words
    try:
        story = RestoreDrill(folder=folder, say=lambda text: click.echo(text, err=True)).run()
    except (DrillError, LabError) as error:
        raise Ended("drill.failed", 1, why=str(error)) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if as_json:
        documents.write({"format": RESTORED, **asdict(story)})
    else:
        told = {name: str(value) for name, value in asdict(story).items()}
        click.echo(words.say("drill.restored", **told))
    if not story.good:
        raise SystemExit(1)
