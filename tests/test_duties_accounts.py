"""Officers' accounts with real processes (duty U7): a session, and four eyes that wait, through the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from officers import settle

from nodes.cli import main
from nodes.cli.session import REFUSED, USAGE, Session
from nodes.lab import Lab
from nodes.sample.scenarios import CLEAN

pytestmark = pytest.mark.net
FIRST, SECOND = "310000-customs/o1", "310000-customs/o2"
TERMS = ("--purpose", "CUSTOMS_COOP", "--item", "SH-2026-017", "--case", "accounts-1")


@pytest.fixture(scope="module", autouse=True)
def _settled(lab: Lab) -> None:
    settle(lab)


@pytest.fixture
def desks(lab: Lab) -> Iterator[Lab]:
    """Leave no session behind in the officers' folders."""
    yield lab
    for officer in (FIRST, SECOND):
        for path in lab.desk_of(officer).glob("*.session.*"):
            path.unlink()


def run(lab: Lab, officer: str, *arguments: str) -> Result:
    """Run a command as an officer."""
    texts = [*arguments, "--profile", str(lab.profile(officer))]
    return CliRunner().invoke(main, texts, obj=Session(now=lab.clock), env={"YRDX_LANG": "en", "COLUMNS": "200"})


def test_two_officers_sign_in_and_one_approves_what_the_other_handed_in(desks: Lab, tmp_path: Path) -> None:
    """Sessions for both; a question that wants two waits, is approved, asked of a member, and read by who asked."""
    assert run(desks, FIRST, "session", "open").exit_code == 0
    roles = ("--role", "ask", "--role", "approve")
    assert run(desks, SECOND, "session", "open", *roles).exit_code == 0
    opened = run(desks, FIRST, "case", "open", "accounts-1", *TERMS[:4])
    assert opened.exit_code == 0, opened.output
    question = ("ask", "summary", CLEAN.uscc, *TERMS, "--member", "310000", "--window", "M12")
    alone = run(desks, FIRST, *question)
    assert (alone.exit_code, "--for-approval" in alone.stderr) == (REFUSED, True)
    handed = run(desks, FIRST, *question, "--for-approval", "--json")
    identity = json.loads(handed.stdout)["submission"]["submission_id"]
    assert run(desks, FIRST, "approve", "sign", identity).exit_code == USAGE
    shown = run(desks, SECOND, "approve", "show", identity[:12])
    assert (shown.exit_code, "CUSTOMS_COOP" in shown.stdout, CLEAN.uscc in shown.output) == (0, True, False)
    signed = run(desks, SECOND, "approve", "sign", identity[:12])
    assert signed.exit_code == 0, signed.output
    out = tmp_path / "answer"
    answer = run(desks, FIRST, "approve", "show", identity, "--out", str(out), "--json")
    document = json.loads(answer.stdout)
    header = document["exchanges"][0]["question"]["header"]
    assert (header["officer"], header["approving_officer"]) == (FIRST, SECOND)
    assert header["officer_assertion_digest"] == document["result"]["officer_assertion_digest"] != ""
    root = str(desks.folder / "root.json")
    assert CliRunner().invoke(main, ["verify", str(out), "--root", root]).exit_code == 10  # status unknown offline
    log = (desks.home("310000") / "node.log").read_text(encoding="utf-8")
    assert (CLEAN.uscc in log, '"SECOND_OFFICER_NEEDED"' in log) == (False, True)


def test_a_closed_session_is_closed_for_the_running_node(desks: Lab) -> None:
    """Closing reaches the node at once; a key that was copied away before signs nothing more."""
    assert run(desks, FIRST, "session", "open").exit_code == 0
    folder = desks.desk_of(FIRST)
    kept = {path: path.read_bytes() for path in folder.glob("*.session.*")}
    question = ("ask", "measures", CLEAN.uscc, "--purpose", "DAILY_SUPERVISION", "--item", "SH-2026-010")
    ours = (*question, "--member", "310000")
    assert run(desks, FIRST, *ours).exit_code in {0, 3}
    assert run(desks, FIRST, "session", "close").exit_code == 0
    assert run(desks, FIRST, *ours).exit_code in {0, 3}  # with the officer's own key
    for path, content in kept.items():
        path.write_bytes(content)
        path.chmod(0o600)
    refused = run(desks, FIRST, *ours)
    assert (refused.exit_code, "KEY_NOT_VALID" in refused.stderr) == (REFUSED, True)
