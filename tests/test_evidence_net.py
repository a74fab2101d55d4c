"""Evidence of a case on real nodes: exported, and verified years after every key and the root were turned over."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from callers import directory_taken, small_lab, until
from click.testing import CliRunner, Result
from ledgered import wounds

from gateway.model.codes import MarkKind
from gateway.uscc import sample_code
from keys import custody
from nodes.bundle.root import read_root
from nodes.cli import main
from nodes.cli.session import Session
from nodes.config import DATABASE
from nodes.drill.officers import turn_over
from nodes.keeper import open_keeper
from nodes.lab import LIGHT, ROOT, Lab
from nodes.setup import ENTRY
from nodes.store import Store

pytestmark = pytest.mark.net
ME, SILENT = "310000", "340000"
MEMBERS = (ME, "320000", "330000", SILENT)
OFFICER = "310118-market/o1"
CODE = sample_code("91", "310118", 900_000)
YEARS = timedelta(days=9 * 365)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run four members; one of them is silent later."""
    found = small_lab(tmp_path_factory.mktemp("evidence"))
    try:
        found.start(*MEMBERS)
        asyncio.run(directory_taken(found, *MEMBERS))
        yield found
    finally:
        for process in found.processes.values():
            process.kill()
            process.wait()


def yrdx(lab: Lab, *arguments: object, after: timedelta = timedelta(0), profile: bool = True) -> Result:
    """Run the command line as the officer, some time later."""
    texts = [*map(str, arguments), *(("--profile", str(lab.profile(OFFICER))) if profile else ())]
    session = Session(now=lambda: lab.clock() + after)
    return CliRunner().invoke(main, ["--lang", "en", *texts], obj=session, env={"COLUMNS": "250"})


def read(lab: Lab, *arguments: object, **options: Any) -> dict[str, Any]:
    """Run it for programs."""
    found = yrdx(lab, *arguments, "--json", **options)
    assert found.stdout, found.output
    document: dict[str, Any] = json.loads(found.stdout)
    return document


def ask(lab: Lab, case: str) -> str:
    """Ask under a case; give the result's id."""
    what = ("ask", "summary", CODE, "--purpose", "DAILY_SUPERVISION", "--item", "SH-2026-010", "--window", "M36")
    return str(read(lab, *what, "--case", case)["result_id"])


def opened(lab: Lab, case: str) -> None:
    """Open a case."""
    made = yrdx(lab, "case", "open", case, "--purpose", "DAILY_SUPERVISION", "--item", "SH-2026-010")
    assert made.exit_code == 0, made.output


def exported(lab: Lab, out: Path, *arguments: object) -> Result:
    """Export as soon as witnesses have seen it."""
    found: Result | None = None

    async def tried() -> bool:
        nonlocal found
        found = await asyncio.to_thread(yrdx, lab, "evidence", "export", *arguments, "--out", out)
        return "no cosigned head" not in found.output

    asyncio.run(until(tried, "witnessed"))
    assert found is not None
    return found


def test_a_case_is_evidence_years_later(lab: Lab, tmp_path: Path) -> None:
    """A silent member is in it; it verifies with nothing but a root of trust after all keys were turned over."""
    opened(lab, "C-1")
    first = ask(lab, "C-1")
    lab.stop(SILENT)
    second = ask(lab, "C-1")
    out = tmp_path / "c-1.evidence"
    made = exported(lab, out, "--case", "C-1")
    assert made.exit_code == 0, made.output
    for each in MEMBERS[:2]:
        turn_over(lab, each, tmp_path / each)
    offline = {"after": YEARS, "profile": False}
    found = read(lab, "verify", out, "--root", lab.folder / ROOT, **offline)
    assert (found["genuine"], found["in_time"], found["status"]) == (True, False, "UNKNOWN")
    assert [each["answer"]["result_id"] for each in found["results"]] == [first, second]
    silent = found["results"][1]["answer"]["result"]["members"][-1]
    assert (silent["member"], silent["state"], len(silent["attempts"]) > 0) == (SILENT, "UNAVAILABLE", True)
    told = [(each["event"], each["member"]) for each in found["results"][1]["entries"]]
    assert ("FAILED", SILENT) in told
    assert ("ANSWERED", "320000") in told
    assert told[-1] == ("CONCLUDED", "")
    assert wounds(lab, ME) == []


def test_a_newer_root_opens_older_evidence(lab: Lab, tmp_path: Path) -> None:
    """Whoever trusts a root that was made later gives the roots between, as any mirror has them."""
    out, newer = tmp_path / "one.evidence", tmp_path / "newer.root.json"
    opened(lab, "C-4")
    result = ask(lab, "C-4")
    for use in ("sign", "ledger", "witness"):
        renewed(lab, use)
    lab.publish()
    again = ask(lab, "C-4")
    for each in (again, result):
        out.unlink(missing_ok=True)
        made = exported(lab, out, each)
        assert made.exit_code == 0, made.output
    turn_over(lab, "330000", tmp_path / "330000")
    roots = lab.folder / "mirror" / "metadata"
    newest = max(roots.glob("*.root.json"), key=lambda each: int(each.name.partition(".")[0]))
    newer.write_bytes(newest.read_bytes())
    alone = yrdx(lab, "verify", out, "--root", newer, after=YEARS, profile=False)
    assert alone.exit_code == 1, alone.output
    helped = yrdx(lab, "verify", out, "--root", newer, "--roots", roots, after=YEARS, profile=False)
    assert helped.exit_code == 11, helped.output
    assert "witnessed" in helped.output
    missing = yrdx(lab, "verify", out, "--root", newer, "--roots", tmp_path, after=YEARS, profile=False)
    assert (missing.exit_code, "--roots" in missing.output) == (2, True)
    assert read_root(lab.folder / ROOT) != newer.read_bytes()


def test_what_was_recalled_is_sealed(lab: Lab, tmp_path: Path) -> None:
    """After a recall the case shows it no more; two officers export it on a ground, and the mark stays with it."""
    opened(lab, "C-2")
    result = ask(lab, "C-2")
    kept = ask(lab, "C-2")
    asyncio.run(recall(lab, result))
    status = {each["result_id"]: each for each in read(lab, "case", "status", "C-2")["results"]}
    assert (status[result]["state"], status[kept]["state"]) == ("SEALED", "HELD")
    assert status[result]["marks"][0]["mark"] == "RECALLED"
    assert [each["result_id"] for each in read(lab, "case", "show", "C-2")["results"]] == [kept]
    assert "RECALLED BY ITS ORIGIN" in yrdx(lab, "case", "status", "C-2").output
    assert "1 results are not shown" in yrdx(lab, "case", "show", "C-2").output
    out = tmp_path / "sealed.evidence"
    for more in ((), ("--ground", "appeal 12"), ("--second-officer",)):
        refused = exported(lab, out, result, *more)
        assert (refused.exit_code, "--second-officer" in refused.output) == (3, True), refused.output
    made = exported(lab, out, result, "--ground", "appeal 12", "--second-officer")
    assert made.exit_code == 0, made.output
    found = read(lab, "verify", out, "--root", lab.folder / ROOT, profile=False)
    assert found["status"] == "RECALLED"
    statement = found["results"][0]["statement"]
    assert (statement["ground"], statement["approving_officer"]) == ("appeal 12", "310118-market/o2")
    verified = yrdx(lab, "verify", out, "--root", lab.folder / ROOT, profile=False)
    assert (verified.exit_code, "appeal 12" in verified.output) == (13, True)


def test_after_the_bodies_were_deleted_it_is_too_late(lab: Lab, tmp_path: Path) -> None:
    """What was deleted is named and cannot be exported; the same with what never was, and with a name that is taken."""
    opened(lab, "C-3")
    result, out = ask(lab, "C-3"), tmp_path / "late.evidence"
    with closing(sqlite3.connect(lab.config(ME).data / DATABASE)) as connection:
        connection.execute("UPDATE result SET day = '2001-01-01' WHERE digest = ?", (bytes.fromhex(result),))
        connection.commit()
    assert read(lab, "case", "status", "C-3")["results"][0]["state"] == "DELETED"
    late = exported(lab, out, result)
    assert (late.exit_code, "were deleted" in late.output) == (3, True)
    empty = exported(lab, out, "--case", "C-3")
    assert (empty.exit_code, "C-3" in empty.output) == (2, True)
    unknown = exported(lab, out, "0" * 64)
    assert (unknown.exit_code, "no result" in unknown.output) == (3, True)
    for wrong in ((), ("x",), (result, "--case", "C-3"), (result, "--ground", "x" * 501)):
        assert yrdx(lab, "evidence", "export", *wrong, "--out", out).exit_code == 2
    assert not out.exists()


def renewed(lab: Lab, use: str) -> None:
    """Turn over the message keys of a use at the asker."""
    found = open_keeper(lab.config(ME), lab.home(ME) / ENTRY, lab.clock())
    replace(found, work=LIGHT).rotate(use, lab.clock())
    lab.adopt(ME)


async def recall(lab: Lab, result: str) -> None:
    """Mark Jiangsu's answer in a result as recalled, as its notice would."""
    config = lab.config(ME)
    passphrase = custody.read_passphrase(config.passphrase_file)
    secret = custody.load_secret(config.storage_key, passphrase)
    store = Store.open(config.data / DATABASE, secret)
    try:
        found = sqlite3.connect(config.data / DATABASE)
        query = "SELECT question_id FROM sent JOIN result ON seq = sent.result WHERE digest = ? AND member = '320000'"
        ((question_id,),) = found.execute(query, (bytes.fromhex(result),)).fetchall()
        found.close()
        assert await store.evidence.mark(question_id, MarkKind.RECALLED, b"n" * 32, lab.clock())
        assert not await store.evidence.mark(question_id, MarkKind.RECALLED, b"n" * 32, lab.clock())
    finally:
        store.close()
