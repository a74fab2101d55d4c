"""`yrdx session` and `yrdx approve` at a desk in memory: files, texts, what is shown and what never is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import bundles
import pytest
from bundles import AGENCY, NOW, OFFICER, SECOND
from click.testing import CliRunner, Result
from desks import ADMIN, KEYS, Desk, add_officers, remove
from test_asking import open_case
from test_cli_words import described
from test_submissions import want_two
from worlds_tables import MATTER, PURPOSE, USCC

from gateway import carriers
from gateway.accounts_door import AccountsDoor
from gateway.counter import Counter
from gateway.desk import DeskDoor
from gateway.errors import Refused
from gateway.model.accounts import SubmissionReading
from keys import boxes, custody, suite
from nodes.cli import desk_client, main, words
from nodes.cli.profile import Access
from nodes.cli.session import REFUSED, USAGE, Session
from yrdx.exchange.v1 import desk_pb2

WORK = boxes.Work(operations=1, memory=8192)
TERMS = ("--purpose", PURPOSE, "--item", MATTER, "--case", "C-1", "--window", "M12")
Call = Callable[[Access, str, bytes], bytes]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder with profiles of three officers."""
    monkeypatch.setattr(boxes, "INTERACTIVE", WORK)
    for name in (*words.VARIABLES, "YRDX_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    bundles.officers_folder(tmp_path, WORK)
    secret = custody.read_passphrase(tmp_path / "passphrase")
    seed = bytes([60]) * 32
    assert suite.signer(seed, owner=ADMIN) == KEYS[ADMIN]
    custody.save_seed(tmp_path / "m1.key", seed, secret, owner=ADMIN, suite=suite.INT_1, work=WORK)
    for name in ("o1", "o2", "m1"):
        text = bundles.profile_text(officer=f"{AGENCY}/{name}", officer_key=f"{name}.key")
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Put a desk in memory in the place of the network; the purpose wants two officers."""
    found = Desk()
    asyncio.run(open_case(found.nodes))
    found.edit(add_officers, want_two)
    monkeypatch.setattr(desk_client, "call", at(found))
    return found


def at(desk: Desk) -> Call:
    """Call a desk's doors."""

    def kept(_version: int, _time: datetime) -> bytes:
        return bundles.signed_directory(lambda document: [change(document) for change in desk.changes])  # type: ignore[arg-type]

    node: Any = desk.node
    door = DeskDoor(
        node.asking,
        node.cases,
        Counter(peers=node, charter=lambda: node.charter, note=lambda *_: None),
        kept,
        AccountsDoor(node.accounts, kept).calls(),
    )

    def call(_access: Access, method: str, request: bytes) -> bytes:
        try:
            return asyncio.run(door.calls()[method](request, AGENCY))  # type: ignore[arg-type]  # a coroutine it is
        except Refused as refused:
            raise desk_client.refused(refused.reason) from refused

    return call


def run(folder: Path, name: str, *arguments: str, now: Any = NOW) -> Result:
    """Run a command as an officer."""
    texts = [*arguments, "--profile", str(folder / f"{name}.toml")]
    return CliRunner().invoke(main, texts, obj=Session(now=lambda: now), env={"COLUMNS": "200"}, prog_name="yrdx")


def files(folder: Path) -> set[str]:
    """Name the files of sessions."""
    return {each.name for each in folder.glob("*.session.*")}


def hand_in(folder: Path) -> str:
    """Hand in a question; give its id."""
    done = run(folder, "o1", "ask", "summary", USCC, *TERMS, "--for-approval", "--json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert (document["format"], list(document["submission"])) == ("yrdx.submission.v1", described("Submission"))
    assert (document["submission"]["state"], USCC in done.output) == ("WAITING", False)
    return str(document["submission"]["submission_id"])


def test_a_session_is_opened_used_shown_and_closed(desk: Desk, folder: Path) -> None:
    """The session's key signs while its files stand; the officer's own file is not needed meanwhile."""
    done = run(folder, "o1", "session", "open", "--json")
    assert done.exit_code == 0, done.output
    (opened,) = json.loads(done.stdout)["sessions"]
    assert (list(opened), opened["roles"]) == (described("Session"), ["ask"])
    assert files(folder) == {"o1.session.key", "o1.session.json"}
    assert {each.stat().st_mode & 0o077 for each in folder.glob("*.session.*")} == {0}
    (folder / "o1.key").rename(folder / "away")
    assert run(folder, "o1", "case", "show", "C-1").exit_code == 0
    (folder / "away").rename(folder / "o1.key")
    again = run(folder, "o1", "session", "open")
    assert (again.exit_code, "yrdx session close" in again.stderr) == (USAGE, True)
    shown = run(folder, "o1", "session", "show")
    assert all(each in shown.stdout for each in (opened["assertion_digest"][:16], OFFICER, "open"))
    closed = run(folder, "o1", "session", "close")
    assert (closed.exit_code, "closed" in closed.stdout, files(folder)) == (0, True, set())
    assert run(folder, "o1", "session", "close").exit_code == USAGE


def test_a_session_that_is_over_signs_nothing(desk: Desk, folder: Path) -> None:
    """After its hour every command says so, and closing removes its files though the desk had ended it."""
    assert run(folder, "o1", "session", "open", "--hours", "1").exit_code == 0
    later = NOW + timedelta(hours=1)
    desk.at(later)
    over = run(folder, "o1", "case", "show", "C-1", now=later)
    assert (over.exit_code, "session is over" in over.stderr) == (USAGE, True)
    listed = run(folder, "o2", "session", "show", now=later)
    assert listed.exit_code == 0
    closed = run(folder, "o1", "session", "close", now=later)
    assert (closed.exit_code, "EXPIRED" in closed.stderr, files(folder)) == (REFUSED, True, set())


def test_a_removed_officers_session_is_refused_by_name(desk: Desk, folder: Path) -> None:
    """The files still stand; the desk does not believe them."""
    assert run(folder, "o1", "session", "open").exit_code == 0
    desk.edit(remove())
    refused = run(folder, "o1", "case", "show", "C-1")
    assert (refused.exit_code, "KEY_NOT_VALID" in refused.stderr) == (REFUSED, True)


def test_an_administrator_closes_by_the_first_digits(desk: Desk, folder: Path) -> None:
    """Eight digits name a session; fewer, or none that exist, name nothing."""
    done = run(folder, "o1", "session", "open", "--json")
    digest = json.loads(done.stdout)["sessions"][0]["assertion_digest"]
    for wrong in (digest[:7], "0" * 16):
        assert run(folder, "m1", "session", "close", wrong).exit_code == USAGE
    closed = run(folder, "m1", "session", "close", digest[:8])
    assert (closed.exit_code, ADMIN in closed.stdout) == (0, True)
    assert run(folder, "o1", "case", "show", "C-1").exit_code == REFUSED


def test_damaged_session_files_are_told_by_the_profile(desk: Desk, folder: Path) -> None:
    """A session that cannot be loaded is a fault of the profile, and never falls back to another key."""
    assert run(folder, "o1", "session", "open").exit_code == 0
    good = (folder / "o1.session.json").read_bytes()
    for text in (b"{}", good.replace(b"payload", b"payloud")):
        (folder / "o1.session.json").write_bytes(text)
        told = run(folder, "o1", "case", "show", "C-1")
        assert (told.exit_code, "session:" in told.stderr) == (USAGE, True)
    (folder / "o1.session.key").unlink()
    assert run(folder, "o2", "session", "open").exit_code == 0
    (folder / "o2.session.json").rename(folder / "o1.session.json")
    (folder / "o2.session.key").rename(folder / "o1.session.key")
    assert run(folder, "o1", "case", "show", "C-1").exit_code == USAGE


def test_a_session_that_cannot_be_kept_is_told(desk: Desk, folder: Path) -> None:
    """The desk has it, this computer not: the text says so."""
    (folder / "o1.session.key").write_bytes(b"left behind")
    told = run(folder, "o1", "session", "open")
    assert (told.exit_code, "could not be kept" in told.stderr) == (USAGE, True)


def test_a_question_waits_is_shown_signed_and_answered(desk: Desk, folder: Path, tmp_path: Path) -> None:
    """The whole way of four eyes at two computers; no screen before the answer names the subject."""
    identity = hand_in(folder)
    for name, arguments in (("o2", ("list",)), ("o2", ("show", identity[:8])), ("m1", ("list",))):
        done = run(folder, name, "approve", *arguments)
        assert (done.exit_code, PURPOSE in done.stdout, USCC in done.output) == (0, True, False)
    own = run(folder, "o1", "approve", "sign", identity[:8])
    assert (own.exit_code, "another person" in own.stderr) == (USAGE, True)
    signed = run(folder, "o2", "approve", "sign", identity[:8], "--json")
    assert json.loads(signed.stdout)["submission"]["state"] == "DONE"
    out = tmp_path / "answer.yrdx"
    answer = run(folder, "o1", "approve", "show", identity, "--out", str(out))
    assert (answer.exit_code, USCC in answer.stdout, out.stat().st_size > 0) == (0, True, True)
    assert USCC not in run(folder, "o2", "approve", "show", identity).output
    listed = json.loads(run(folder, "o2", "approve", "list", "--json").stdout)
    assert (listed["format"], [each["state"] for each in listed["submissions"]]) == ("yrdx.submissions.v1", ["DONE"])


def test_a_case_waits_and_a_refusal_ends_it(desk: Desk, folder: Path) -> None:
    """A large case is handed in and refused; then nobody signs it."""
    opening = ("--purpose", PURPOSE, "--item", MATTER, "--subjects", "5000", "--for-approval")
    done = run(folder, "o1", "case", "open", "C-7", *opening)
    assert (done.exit_code, "5000" in done.stdout, "C-7" in done.stdout) == (0, True, True)
    identity = next(iter(desk.node.submissions.held)).hex()
    refused = run(folder, "o2", "approve", "refuse", identity)
    assert (refused.exit_code, "refused" in refused.stdout) == (0, True)
    again = run(folder, "o2", "approve", "sign", identity)
    assert (again.exit_code, desk.node.book.case(AGENCY, "C-7")) == (USAGE, None)
    both = run(folder, "o1", "case", "open", "C-7", *opening, "--second-officer")
    assert both.exit_code == USAGE
    assert run(folder, "o1", "ask", "summary", USCC, *TERMS, "--for-approval", "--out", "x").exit_code == USAGE


@pytest.mark.parametrize("waits", [(), ("--for-approval",)], ids=["opened", "handed in"])
def test_a_purpose_in_quarantine_opens_no_case(desk: Desk, folder: Path, waits: tuple[str, ...]) -> None:
    """The desk refuses the case, with the reason of the purpose's questions, and keeps nothing."""
    row = {"what": "purpose", "id": PURPOSE, "ground": "sample"}
    desk.edit(lambda found: found.update(quarantine=[row]))
    done = run(folder, "o1", "case", "open", "C-7", "--purpose", PURPOSE, "--item", MATTER, "--subjects", "5", *waits)
    told = words.table()["refusal"]["PURPOSE_NOT_ALLOWED"]["en"]
    assert (done.exit_code, told in done.stderr) == (REFUSED, True)
    assert (desk.node.book.case(AGENCY, "C-7"), desk.node.submissions.held) == (None, {})


def shown_request(desk: Desk, identity: str) -> bytes:
    """Ask to be shown a submission as the second officer."""
    reading = desk.request(SubmissionReading, SECOND, submission_id=bytes.fromhex(identity))
    message = carriers.envelope_to_message(desk.sign(reading))
    return desk_pb2.GetSubmissionRequest(reading=message).SerializeToString()


@pytest.mark.parametrize("lie", ["count", "bytes", "type", "torn", "another"])
def test_an_officer_signs_what_was_shown(desk: Desk, folder: Path, monkeypatch: pytest.MonkeyPatch, lie: str) -> None:
    """A desk that shows other terms than those in the bytes gets no signature."""
    identity, other = hand_in(folder), hand_in(folder)
    true, signed = at(desk), list[str]()

    def lying(access: Access, method: str, request: bytes) -> bytes:
        signed.append(method)
        if (lie, method) == ("another", "GetSubmission"):
            return true(access, method, shown_request(desk, other))
        payload = true(access, method, request)
        if method != "GetSubmission":
            return payload
        if lie == "torn":
            return b"\xff" + payload
        response = desk_pb2.GetSubmissionResponse.FromString(payload)
        if lie == "count":
            response.submission.subject_count += 1
        elif lie == "bytes":
            response.payload = response.payload[:-1]
        else:
            response.payload_type = response.payload_type.replace("intent", "case-opening")
        return response.SerializeToString()

    monkeypatch.setattr(desk_client, "call", lying)
    told = run(folder, "o2", "approve", "sign", identity)
    assert (told.exit_code, "ApproveSubmission" in signed) == (1, False)


def test_the_texts_of_both_languages_fit(desk: Desk, folder: Path) -> None:
    """What is shown speaks Chinese as well."""
    hand_in(folder)
    run(folder, "o1", "session", "open")
    for arguments, word in ((("approve", "list"), "待复核"), (("session", "show"), "有效")):
        texts = ["--lang", "zh", *arguments, "--profile", str(folder / "o1.toml")]
        done = CliRunner().invoke(main, texts, obj=Session(now=lambda: NOW), env={"COLUMNS": "200"})
        assert (done.exit_code, word in done.stdout) == (0, True)
