"""`yrdx check` over four real members: 2,400 rows, a killed run, a member that is away, and what it takes to finish."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from batches import read_result, write_list
from officers import Officer, settle
from populations import SUBJECTS

from gateway import uscc
from nodes.lab import Lab

pytestmark = pytest.mark.net
AWAY, ROWS = "340000", 2_400
SMALL, CASE = "CHECK-SMALL", "CHECK-2026"
OFFICER, SECOND = "320000-trading/o1", "320000-trading/o2"
WAIT = 60.0


@pytest.fixture
def officer(lab: Lab) -> Officer:
    """Give an officer who watches over tenders."""
    settle(lab)
    return Officer(lab=lab, name=OFFICER, second=SECOND)


@pytest.fixture
def away(lab: Lab) -> Iterator[str]:
    """Hold one member still, and let it go on at the end."""
    yield AWAY
    lab.processes[AWAY].send_signal(signal.SIGCONT)


def registered(lab: Lab, member: str) -> list[tuple[str, str]]:
    """Read codes and names of active subjects from a member's own register file."""
    (path,) = [each for each in (lab.home(member) / "inbox").glob("*.csv") if "register" in each.name]
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["lifecycle"] == "ACTIVE" and not row["valid_until"]]
    return [(row["uscc"], row["name"]) for row in rows if uscc.defect(row["uscc"]) is None]


def bidders(lab: Lab, path: Path) -> Path:
    """Write a list: known ones, one under another name, invented ones, defects, sole traders, and all of it doubled."""
    known = [pair for member in lab.members for pair in registered(lab, member) if not uscc.is_sole_trader(pair[0])]
    assert len(known) > SUBJECTS
    rows = [*known, (known[0][0], "别的企业有限公司"), ("91310115XX0000019", ""), ("", ""), (known[1][0].lower(), "")]
    rows += [(uscc.sample_code("92", "310115", number), "张三") for number in range(5)]
    made_up = (uscc.sample_code("91", "310115", 20_000_000 + number) for number in range(ROWS))
    while len(rows) < ROWS - len(known):
        rows.append((next(made_up), ""))
    return write_list(path, [*rows, *known], ("统一社会信用代码", "企业名称"))


def command(officer: Officer, path: Path, *more: str, case: str = CASE) -> list[str]:
    """Write the command."""
    item = officer.item("TENDERING")
    terms = ["--kind", "measures", "--purpose", "TENDERING", "--item", item, "--case", case, "--second-officer"]
    profile = ["--profile", str(officer.lab.profile(officer.name)), "--out", str(path.with_name("r.csv")), "--json"]
    return [sys.executable, "-P", "-m", "nodes.cli", "--lang", "en", "check", str(path), *terms, *profile, *more]


def check(officer: Officer, path: Path, *more: str, case: str = CASE) -> tuple[int, dict[str, Any], str]:
    """Run the command; give its exit code, its document and its stderr."""
    line = command(officer, path, *more, case=case)
    done = subprocess.run(line, capture_output=True, text=True, timeout=WAIT, check=False)
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


def killed(officer: Officer, path: Path) -> None:
    """Run the command and kill it as soon as an answer was kept."""
    work, ends = path.with_name("r.csv.work"), time.monotonic() + WAIT
    process = subprocess.Popen(command(officer, path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and time.monotonic() < ends:
        if any(work.glob("*.answer")):
            process.kill()
        time.sleep(0.01)
    process.wait()
    assert any(work.glob("*.answer"))


def verified(officer: Officer, manifest: Path) -> tuple[int, list[Any]]:
    """Verify a manifest offline; give the exit code and what failed."""
    root = str(officer.lab.folder / "root.json")
    line = [sys.executable, "-P", "-m", "nodes.cli", "verify", str(manifest), "--root", root, "--json"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=WAIT, check=False)
    return done.returncode, json.loads(done.stdout)["faults"]


def answers(folder: Path) -> list[str]:
    """Name the answer files anywhere below a folder."""
    return [each.name for each in folder.rglob("*.answer")]


async def test_a_list_of_bidders(officer: Officer, lab: Lab, away: str, tmp_path: Path) -> None:
    """What does not fit is not begun; killed and resumed; a silent member leaves INCOMPLETE; --retry completes it."""
    path = bidders(lab, tmp_path / "list.csv")
    # 1 the list has more subjects than the case declares: nothing is sent
    await officer.open_case(SMALL, purpose="TENDERING", subjects=600)
    code, _, said = check(officer, path, "--out", str(tmp_path / "small.csv"), case=SMALL)
    assert (code, "yrdx case open REF" in said, answers(tmp_path)) == (4, True, [])
    # 2 killed half-way, with one member silent
    await officer.open_case(CASE, purpose="TENDERING", subjects=ROWS)
    lab.processes[away].send_signal(signal.SIGSTOP)
    killed(officer, path)
    # 3 resumed: every row in its order, the silent member named
    code, document, said = check(officer, path)
    assert (code, document["rows"]) == (3, ROWS), said
    first = read_result(tmp_path / "r.csv")
    with path.open(encoding="utf-8", newline="") as file:
        listed = [(row[0], row[1]) for row in csv.reader(file)][1:]
    assert [each["code"] for each in first] == ["" if uscc.defect(code) else code for code, _ in listed]
    assert {each["missing_members"] for each in first if each["verdict"] == "INCOMPLETE"} == {away}
    # 4 back again: only what misses the member is asked
    lab.processes[away].send_signal(signal.SIGCONT)
    code, document, said = check(officer, path, "--retry")
    pending = {subject for subject, each in zip(listed, first, strict=True) if each["missing_members"]}
    assert (code, document["asked"], document["incomplete"]) == (0, len(pending), 0), said
    found = read_result(tmp_path / "r.2.csv")
    counts = Counter(each["verdict"] for each in found)
    assert (counts["INVALID_CODE"], counts["KIND_CLOSED"], counts["NAME_MISMATCH"]) == (3, 5, 1)
    assert min(counts[each] for each in ("NOTHING_FOUND", "RESTRICTED", "SUBJECT_UNCONFIRMED")) > 0, counts
    # 5 both results verify offline
    for name in ("r.csv", "r.2.csv"):
        assert verified(officer, tmp_path / f"{name}.manifest.json") == (10, [])
