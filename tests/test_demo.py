"""The demonstration as a reader starts it: one object of what happened, exit 0, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from test_federation_data_only import CITY, REGION, wider_tables

BECAME = ("accepted", "corrected", "unchanged", "withdrawn", "out_of_scope", "not_ours", "held", "rejected")
REGIONS = ["310000", "320000", "330000", "340000"]
pytestmark = [pytest.mark.net, pytest.mark.timeout(240)]


def command(*arguments: str) -> list[str]:
    """Write the command that scripts/demo ends in."""
    return [sys.executable, "-P", "-m", "nodes.cli", "--lang", "en", "demo", "--subjects", "30", *arguments]


def environment(folder: Path) -> dict[str, str]:
    """Give the demo a folder of its own for temporary files."""
    return {**os.environ, "TMPDIR": str(folder)}


def told(folder: Path, *arguments: str) -> dict[str, Any]:
    """Run the demo with --json and read its one object."""
    done = subprocess.run(
        command("--json", *arguments), capture_output=True, text=True, check=True, env=environment(folder)
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def count(outcome: int | dict[str, int]) -> int:
    """Count rows, by reason or not."""
    return outcome if isinstance(outcome, int) else sum(outcome.values())


def is_running(process: int) -> bool:
    """Say whether a process is there."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_demo_tells_what_happened(tmp_path: Path) -> None:
    """Four processes answer four kinds, a grade is recognised, each refusal has its reason, and one falls silent.

    Every row that was loaded is accounted for, and every row of the list of bidders has its verdict.
    """
    story = told(tmp_path)
    assert [each["id"] for each in story["members"]] == REGIONS
    bundle = story["bundle"]
    assert (bundle["version"], bundle["threshold"], bundle["signatures"]) == (2, 3, 4)
    assert {"root", "targets", "mappings", "agreements", "members-310000"} <= {each["role"] for each in bundle["roles"]}
    assert [each for each in bundle["roles"] if each["signatures"] < each["threshold"]] == []
    assert {each["kind"] for each in story["answers"]} == {"summary", "rating", "measures", "no_violation"}
    assert [each for each in story["answers"] if not each["verified"]] == []
    recognition = story["recognition"]
    assert (recognition["origin_grade"], recognition["recognised_grade"]) == ("A", "B")
    assert {each["member"]: each["grade"] for each in recognition["ceilings"]}["320000"] == "B"
    assert [each["reason"] for each in story["refusals"]] == [
        "CASE_MISSING",
        "AUTHORISATION_MISSING",
        "NOT_IN_SCOPE",
        "SUBJECT_KIND_CLOSED",
    ]
    assert story["access"]["entries"] >= len(REGIONS)
    assert story["access"]["delayed"] == len(REGIONS)
    assert story["missing"] == [{"member": "340000", "reason": "UNAVAILABLE"}]
    ingest, batch = story["ingest"], story["batch"]
    assert ingest["rows"] == sum(map(count, (ingest[name] for name in BECAME)))
    assert (ingest["corrected"], ingest["rejected"]["CODE_CHECK"] > 0) == (1, True)
    assert batch["codes"] == sum(batch["verdicts"].values()) == 1_000
    assert batch["verified"]
    ledger = story["ledger"]
    assert (ledger["size"] > 0, ledger["cosignatures"] >= 2, ledger["verified"]) == (True, True, True)
    assert batch["verdicts"]["NOTHING_FOUND"] > batch["verdicts"]["RESTRICTED"] > 0
    assert [each for each in story["members"] if is_running(each["process_id"])] == []
    assert list(tmp_path.iterdir()) == []


def test_a_fifth_member_and_a_city_are_data_alone(tmp_path: Path) -> None:
    """With two rows of members more in the federation's folder, six members answer the same demonstration."""
    (tmp_path / "tmp").mkdir()
    story = told(tmp_path / "tmp", "--federation", str(wider_tables(tmp_path / "federation")))
    assert {each["id"] for each in story["members"]} == {*REGIONS, REGION, CITY}
    assert {each["member"] for each in story["answers"] if each["kind"] == "summary"} == {*REGIONS, REGION, CITY}


@contextmanager
def told_to_keep(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Run a demo that stays; give it, and the process ids of its members, once all are loaded."""
    with subprocess.Popen(
        command("--keep"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment(tmp_path)
    ) as demo:
        assert demo.stderr is not None
        for line in demo.stderr:
            if "Sample subjects" in line:
                break
        started = [json.loads(each.read_text("utf-8"))["process_id"] for each in tmp_path.rglob("node.json")]
        yield demo, started


def test_a_closed_terminal_leaves_nothing_running(tmp_path: Path) -> None:
    """When its terminal is closed the demo stops its members and takes its folder away."""
    with told_to_keep(tmp_path) as (demo, started):
        demo.send_signal(signal.SIGHUP)
        demo.communicate(timeout=60)
    assert len(started) == len(REGIONS)
    assert ([each for each in started if is_running(each)], list(tmp_path.iterdir())) == ([], [])


def test_a_killed_demo_leaves_no_member_running(tmp_path: Path) -> None:
    """When the demo itself is killed its members notice, and end."""
    with told_to_keep(tmp_path) as (demo, started):
        demo.kill()
    ends = time.monotonic() + 30
    while time.monotonic() < ends and any(map(is_running, started)):
        time.sleep(0.2)
    assert [each for each in started if is_running(each)] == []
