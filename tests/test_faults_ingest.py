"""Loads that are killed, interrupted, out of room or two at once: a file is there whole or not at all."""

from __future__ import annotations

import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import crash_ingest
import pytest
from labs import build
from test_inbox import Gap
from test_ingest import GOOD, listings, write

from nodes.config import DATABASE
from nodes.lab import Lab
from nodes.store.schema import facts_path

MEMBER, FEED = "310000", "310000-MARKET_REG-listing"
ROWS = 3_000
KILLED, INTERRUPTED = -9, 130


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A federation with a file for Shanghai; its last row is held."""
    found = build(tmp_path / "lab")
    found.publish()
    rows = [{**GOOD["listing"], **row} for row in listings(ROWS)]
    rows[-1] |= {"list_type": "NONE"}
    write(found.folder / f"{FEED}.csv", rows, dict.fromkeys(GOOD["listing"]))
    return found


def command(lab: Lab, *step: str, module: bool = False, verb: str = "ingest", what: str = "") -> list[str]:
    """Give the command that loads the file, or dies at a step."""
    program = ["-m", "nodes.cli"] if module else [crash_ingest.__file__, *step]
    config = str(lab.home(MEMBER) / "node.toml")
    path = what or str(lab.folder / f"{FEED}.csv")
    return [sys.executable, "-P", *program, verb, path, "--config", config, "--json"]


def run(told: list[str], before: Callable[[], None] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(told, capture_output=True, timeout=120, check=False, text=True, preexec_fn=before)


def kept(lab: Lab) -> tuple[int, int, int]:
    """Count facts, held records and loads; the file of the database must be sound."""
    connection = sqlite3.connect(facts_path(lab.config(MEMBER).data / DATABASE))
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        names = ("listing", "held", "load")
        listing, held, loads = (connection.execute(f"SELECT count(*) FROM {each}").fetchone()[0] for each in names)
    finally:
        connection.close()
    return listing, held, loads


WHOLE = (ROWS - 1, 1, 1)


@pytest.mark.parametrize("step", ["begin", "put.2", "hold", "finish", "finish.end"])
def test_a_load_that_is_killed_leaves_all_or_nothing(lab: Lab, step: str) -> None:
    """Kill -9 at any step, and an interrupt in the midst; the next run completes and nothing is there twice."""
    died = run(command(lab, step))
    after = kept(lab)
    again = run(command(lab, module=True))
    assert died.returncode == (INTERRUPTED if step == "hold" else KILLED)
    assert after == (WHOLE if step == "finish.end" else (0, 0, 0))
    assert (again.returncode, kept(lab)) == (3, WHOLE)  # a record is held, also when nothing was left to load
    if step == "hold":
        assert "nothing of the one under way was loaded" in died.stderr


def no_room() -> None:
    """Let no file of the process grow beyond a some hundred kilobytes, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))


def test_a_full_disk_leaves_nothing_and_heals(lab: Lab) -> None:
    """It is told as what it is; with room the same command completes."""
    run(command(lab, module=True, what=str(lab.folder / "none.csv")))
    full = run(command(lab, module=True), no_room)
    after = kept(lab)
    again = run(command(lab, module=True))
    assert "check the disk and load again" in full.stderr
    assert (full.returncode, "Traceback" in full.stderr) == (2, False)
    assert (after, again.returncode, kept(lab)) == ((0, 0, 0), 3, WHOLE)


def test_a_second_load_says_that_another_one_runs(lab: Lab) -> None:
    """It waits some seconds first; nothing is mixed."""
    run(command(lab, module=True, what=str(lab.folder / "none.csv")))
    other = sqlite3.connect(facts_path(lab.config(MEMBER).data / DATABASE), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    told = run(command(lab, module=True))
    other.execute("ROLLBACK")
    other.close()
    assert (told.returncode, "another load is running" in told.stderr, kept(lab)) == (2, True, (0, 0, 0))


@pytest.mark.parametrize("step", ["put.2", "finish.end", "take", "take.end"])
def test_an_inbox_that_is_killed_goes_on_where_it_was(lab: Lab, tmp_path: Path, step: str) -> None:
    """Whatever the step, the next run leaves each manifest taken once and each record there once."""
    folder = tmp_path / "gap"
    folder.mkdir()
    gap = Gap(lab, folder)
    day = lab.clock().date().replace(day=1).isoformat()
    for number in (1, 2):
        gap.send(number, 500 * number, file={"data_through": day})
    died = run(command(lab, step, verb="inbox", what=str(folder)))
    again = run(command(lab, module=True, verb="inbox", what=str(folder)))
    connection = sqlite3.connect(facts_path(lab.config(MEMBER).data / DATABASE))
    taken = connection.execute("SELECT sequence FROM inbox").fetchall()
    versions = connection.execute("SELECT max(version) FROM listing").fetchone()
    connection.close()
    assert (died.returncode, again.returncode, taken, versions) == (KILLED, 0, [(2,)], (1,))
    assert kept(lab)[0] == 1_000
