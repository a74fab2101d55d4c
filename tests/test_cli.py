"""The command line: what it asks, what it shows, how it ends, and that no text of an error names a subject."""

from __future__ import annotations

import json
import os
import re
import stat
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import bundles
import pytest
import worlds
from batches import opened
from bundles import AGENCY, NOW, OFFICER, SECOND, make, plot
from click.testing import CliRunner, Result
from hands import root_of
from receipts import INDEX, SIZE
from test_cli_words import described
from worlds_tables import ANHUI, MATTER, MEMBERS, PURPOSE, SHANGHAI, USCC, ZHEJIANG

from gateway import wire
from gateway.kinds import KINDS
from gateway.model.codes import RefusalReason
from gateway.model.combined import Case, CaseOpening, CaseReading, Intent
from gateway.verification import Status, Verdict, verify
from keys import boxes
from nodes.cli import desk_client, main, words
from nodes.cli.profile import Access
from nodes.cli.session import REFUSED, UNREACHABLE, Ended, Session
from nodes.cli.verify import exit_code
from yrdx.exchange.v1 import desk_pb2

ROOT = Path(__file__).resolve().parent.parent
WORK = boxes.Work(operations=1, memory=8192)
ASK = ["--purpose", PURPOSE, "--item", MATTER]
WINDOW = {"summary": ["--window", "M36"], "no_violation": ["--window", "M36"]}
COMMANDS = ["ask", "verify", "case", "case open", "case show"]


@dataclass
class Desk:
    """A desk without a network: it checks the officers' signatures and answers by the pure steps."""

    change: dict[str, Any] = field(default_factory=dict)
    ending: Callable[[], Ended] | None = None
    tamper: Callable[[desk_pb2.AskMembersResponse], object] = lambda _: None
    intents: list[Intent] = field(default_factory=list)
    openings: list[CaseOpening] = field(default_factory=list)
    results: list[bytes] = field(default_factory=list)

    def call(self, access: Access, method: str, request: bytes) -> bytes:
        """Stand in for `desk_client.call`."""
        assert access.profile.member == SHANGHAI
        if self.ending is not None:
            raise self.ending()
        return {"AskMembers": self._ask, "OpenCase": self._open, "GetCase": self._get}[method](request)

    def _ask(self, request: bytes) -> bytes:
        intent = opened(desk_pb2.AskMembersRequest.FromString(request).intent, Intent)
        self.intents.append(intent)
        made = plot(next(each.name for each in KINDS.values() if each.question is type(intent.body)), body=intent.body)
        found = make(replace(made, intent=replace(intent), **self.change))
        self.tamper(found)
        return found.SerializeToString()

    def _open(self, request: bytes) -> bytes:
        opening = opened(desk_pb2.OpenCaseRequest.FromString(request).opening, CaseOpening)
        self.openings.append(opening)
        return desk_pb2.OpenCaseResponse(case=case_message(0)).SerializeToString()

    def _get(self, request: bytes) -> bytes:
        reading = opened(desk_pb2.GetCaseRequest.FromString(request).reading, CaseReading)
        at = int(reading.page_token or "0")
        page = self.results[at : at + reading.page_size]
        response = desk_pb2.GetCaseResponse(case=case_message(len(self.results)))
        response.results.extend(desk_pb2.AskMembersResponse.FromString(each) for each in page)
        response.next_page_token = str(at + len(page)) if at + len(page) < len(self.results) else ""
        return response.SerializeToString()


def case_message(count: int) -> desk_pb2.Case:
    """A case as the desk shows it."""
    found = wire.to_message(
        Case(
            case_reference="C-1",
            agency=AGENCY,
            purpose=PURPOSE,
            application_item=MATTER,
            open_time=NOW,
            officer=OFFICER,
            result_count=count,
        )
    )
    assert isinstance(found, desk_pb2.Case)
    return found


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An officer's folder: keys, certificates, root and profile."""
    return bundles.officers_folder(tmp_path_factory.mktemp("officer"), WORK)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk in the place of the network, and an environment that says nothing."""
    for name in (*words.VARIABLES, "YRDX_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    found = Desk()
    monkeypatch.setattr(desk_client, "call", found.call)
    return found


def run(*arguments: str | Path, now: datetime = NOW, **settings: Any) -> Result:
    """Run the command line at a time."""
    texts = [str(each) for each in arguments]
    env = {"COLUMNS": "200"}
    return CliRunner().invoke(main, texts, obj=Session(now=lambda: now), env=env, prog_name="yrdx", **settings)


def ask(folder: Path, kind: str, *more: str | Path, first: tuple[str, ...] = ()) -> Result:
    """Ask a kind about the usual enterprise."""
    return run(*first, "ask", kind, USCC, "--profile", folder / "profile.toml", *ASK, *WINDOW.get(kind, ()), *more)


@pytest.fixture(scope="session")
def answer_file(folder: Path) -> Path:
    """A genuine answer file."""
    path = folder / "rating.answer"
    path.write_bytes(make(plot("rating")).SerializeToString())
    return path


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("language", words.LANGUAGES)
def test_every_kind_is_asked_verified_and_shown(desk: Desk, folder: Path, kind: str, language: str) -> None:
    """A complete answer ends with 0, in either language, after it was verified."""
    result = ask(folder, kind, first=("--lang", language))
    assert (result.exit_code, result.stderr) == (0, "")
    said = words.Words(language=language)
    logged = (said.code("level", "LOGGED"), "yrdx/ledger/310000/1")
    for text in (said.say("verdict.genuine"), said.code("state", "FOUND"), said.say("title.members"), USCC, *logged):
        assert text in result.stdout
    assert type(desk.intents[0].body) is KINDS[kind].question


def test_the_intent_says_what_was_typed(desk: Desk, folder: Path) -> None:
    """Every option arrives in the signed intent."""
    held = bundles.authorisation(folder / "consent.json")
    more = ["--case", "C-1", "--agreement", "DELTA-2026", "--member", SHANGHAI, "--member", ANHUI]
    more += ["--domain", "TAX", "--data-item", "penalty", "--name", "某企业", "--second-officer"]
    desk.change = {"members": (SHANGHAI, ANHUI)}
    ask(folder, "summary", *more, "--authorisation", folder / "consent.json")
    (intent,) = desk.intents
    assert (intent.agency, intent.officer, intent.approving_officer) == (AGENCY, OFFICER, SECOND)
    assert (intent.purpose, intent.application_item, intent.case_reference) == (PURPOSE, MATTER, "C-1")
    assert (intent.agreement_id, intent.members) == ("DELTA-2026", (SHANGHAI, ANHUI))
    assert (intent.authorisations, intent.intend_time, len(intent.intent_id)) == ((held,), NOW, 16)
    body: Any = intent.body
    assert (body.subjects[0].name, body.domains, body.data_items) == ("某企业", ("TAX",), ("penalty",))


@pytest.mark.parametrize(
    "change",
    [{"silent": (ZHEJIANG,)}, {"refusing": {ANHUI: RefusalReason.SUSPENDED}}, {"partial": (ZHEJIANG,)}],
)
@pytest.mark.parametrize("kind", list(KINDS))
def test_a_missing_or_partial_member_is_said_and_ends_with_3(
    desk: Desk, folder: Path, kind: str, change: dict[str, Any]
) -> None:
    """A silent, refusing or partial member is named, never looks clean, and the exit code tells."""
    desk.change = change
    result = ask(folder, kind)
    assert result.exit_code == 3
    name = "Zhejiang 330000" if "refusing" not in change else "Anhui 340000"
    assert f"Missing or partial: {name}. What they did not say proves nothing." in result.stdout
    lines = [line for line in result.stdout.splitlines() if name in line]
    assert [line for line in lines if re.search(r"no record that may lawfully be provided\s*(yes|no)", line)] == []


def test_nothing_to_report_has_its_chinese_words(desk: Desk, folder: Path) -> None:
    """An answer without records says 无可依法提供的记录 and never 无违法记录."""
    desk.change = {"facts": {SHANGHAI: {USCC: {"register": [bundles.register()]}}}}
    result = ask(folder, "no_violation", first=("--lang", "zh"))
    assert result.exit_code == 0
    assert "结论：无可依法提供的记录" in result.stdout
    assert "无违法记录" not in result.stdout


def test_measures_that_may_not_be_applied_stand_apart(desk: Desk, folder: Path) -> None:
    """What may be applied here comes first; the rest is marked as information only."""
    text = ask(folder, "measures").stdout
    applicable, information = text.index("may be applied here"), text.index("may not be applied here")
    assert applicable < text.index("MP01") < information < text.index("MP09")
    assert "holds in another territory" in text


def test_a_recognition_shows_how_it_came_about(desk: Desk, folder: Path) -> None:
    """Origin grade, every ceiling, the recognised grade and the mapping's version are shown."""
    text = ask(folder, "rating").stdout
    for line in (r"recognised grade\s+B", r"origin grade\s+优", r"mapped grade\s+A", r"mapping and version\s+M-CN 1"):
        assert re.search(line, text), line
    assert re.search(r"Jiangsu 320000\s+B\s+GENERAL_PENALTY", text)


def test_an_answer_file_is_kept_privately_and_verifies(desk: Desk, folder: Path, tmp_path: Path) -> None:
    """`--out` writes what came, for its owner alone; `verify` reads it back."""
    path = tmp_path / "kept.answer"
    assert ask(folder, "summary", "--out", path).exit_code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert run("verify", path, "--root", folder / "root.json").exit_code == 10


def test_an_answer_file_is_never_written_over(desk: Desk, folder: Path, tmp_path: Path) -> None:
    """A name that is taken ends the command before anything is asked."""
    path = tmp_path / "kept.answer"
    path.write_text("mine", encoding="utf-8")
    result = ask(folder, "summary", "--out", path)
    assert (result.exit_code, path.read_text(encoding="utf-8"), desk.intents) == (2, "mine", [])
    assert "kept.answer exists" in result.stderr


def test_no_file_is_left_without_an_answer(desk: Desk, folder: Path, tmp_path: Path) -> None:
    """A refusal or a forged answer leaves no empty file behind."""
    desk.ending = lambda: desk_client.refused(RefusalReason.EXPIRED)
    assert ask(folder, "summary", "--out", tmp_path / "a").exit_code == REFUSED
    desk.ending, desk.tamper = None, lambda found: found.result.signatures[0].__setattr__("signature", bytes(64))
    assert ask(folder, "summary", "--out", tmp_path / "a").exit_code == 1
    assert list(tmp_path.iterdir()) == []


def test_a_forged_answer_is_not_shown(desk: Desk, folder: Path) -> None:
    """The desk itself is not believed: what does not verify is named and nothing of it is shown."""
    desk.tamper = lambda found: found.result.signatures[0].__setattr__("signature", bytes(64))
    result = ask(folder, "summary")
    assert result.exit_code == 1
    assert "NOT GENUINE" in result.stdout
    assert "SIGNATURE" in result.stdout
    assert USCC not in result.output


def test_an_answer_to_another_intent_is_not_shown(desk: Desk, folder: Path) -> None:
    """A genuine answer to somebody else's question is no answer to this one."""
    file = make(plot("summary")).SerializeToString()
    desk.tamper = lambda found: found.CopyFrom(desk_pb2.AskMembersResponse.FromString(file))
    result = ask(folder, "summary", "--json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["genuine"], document["result"]) == (1, False, None)
    assert document["parts"][-1] == {"part": "intent", "of": "", "failed": "BINDING", "detail": "another intent"}


def test_rubbish_from_the_desk_is_not_shown(desk: Desk, folder: Path) -> None:
    """What is no answer at all ends with 1."""
    desk.tamper = lambda found: found.Clear()
    assert ask(folder, "summary").exit_code == 1


@pytest.mark.parametrize("reason", list(RefusalReason))
@pytest.mark.parametrize("language", words.LANGUAGES)
def test_a_refusal_is_explained(desk: Desk, folder: Path, reason: RefusalReason, language: str) -> None:
    """The reason is shown with what to do next, and the exit code is 4."""
    desk.ending = lambda: desk_client.refused(reason)
    result = ask(folder, "rating", first=("--lang", language))
    assert (result.exit_code, result.stdout) == (REFUSED, "")
    assert f"{reason.value}" in result.stderr
    assert words.Words(language=language).code("refusal", reason.value) in result.stderr


def test_a_desk_that_is_away_ends_with_5(desk: Desk, folder: Path) -> None:
    """The text says what could not be reached and what to do."""
    desk.ending = lambda: Ended("desk.unreachable", UNREACHABLE, desk="127.0.0.1:1", status="UNAVAILABLE")
    result = ask(folder, "rating")
    assert (result.exit_code, "127.0.0.1:1" in result.stderr) == (UNREACHABLE, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rating", USCC, "--window", "M36"], "kind rating has no --window"),
        (["rating", USCC, "--domain", "TAX", "--data-item", "permit"], "kind rating has no --domain, --data-item"),
        (["measures", USCC, "--scheme", "X"], "kind measures has no --scheme"),
        (["summary", USCC], "kind summary wants --window"),
        (["no_violation", USCC], "kind no_violation wants --window"),
        (["rating", USCC, "91320000MA1XXXXX0X"], "code number 2"),
        (["rating", USCC, USCC], "a code stands twice"),
        (["rating", USCC, "91110000100003962T", "--name", "x"], "--name goes with a single code"),
        (["probe", USCC], "Invalid value"),
    ],
)
def test_wrong_usage_ends_with_2_before_anything_is_asked(
    desk: Desk, folder: Path, arguments: list[str], said: str
) -> None:
    """An option that means nothing to the kind, or a bad code, is refused by the place and not by the code."""
    result = run("ask", *arguments, "--profile", folder / "profile.toml", *ASK)
    assert (result.exit_code, desk.intents) == (2, [])
    assert said in result.stderr
    assert "9132" not in result.stderr
    assert USCC not in result.stderr


def test_all_faults_of_a_profile_are_told_at_once(desk: Desk, tmp_path: Path) -> None:
    """File and field of every fault stand in one message."""
    path = tmp_path / "officer.toml"
    path.write_text('desk = 5\nmember = "310000"\nlocale = "fr"\ncolour = "red"\nagency = ""\n', encoding="utf-8")
    result = run("ask", "rating", USCC, *ASK, "--profile", path)
    assert result.exit_code == 2
    assert "officer.toml" in result.stderr
    wanted = {"desk", "locale", "colour", "agency", "officer", "officer_key", "passphrase_file", "leaf", "desk_ca"}
    assert {line.split(":")[0].strip() for line in result.stderr.splitlines()[1:]} == wanted | {"root"}


def test_all_files_that_do_not_open_are_told_at_once(desk: Desk, folder: Path, tmp_path: Path) -> None:
    """A key of another officer, a missing root and a readable leaf are one message."""
    row: dict[str, str] = tomllib.loads((folder / "profile.toml").read_text(encoding="utf-8"))
    files = {name: str(folder / row[name]) for name in ("passphrase_file", "desk_ca", "leaf")}
    changed = {**row, **files, "officer_key": str(folder / "o2.key"), "root": "absent.json"}
    path = tmp_path / "officer.toml"
    path.write_text("".join(f'{key} = "{value}"\n' for key, value in changed.items()), encoding="utf-8")
    result = run("ask", "rating", USCC, *ASK, "--profile", path)
    assert result.exit_code == 2
    assert "officer_key: the key is another officer's" in result.stderr
    assert "root: FileNotFoundError" in result.stderr


def test_a_profile_is_wanted(desk: Desk) -> None:
    """Without a profile nothing is asked."""
    result = run("ask", "rating", USCC, *ASK)
    assert (result.exit_code, "YRDX_PROFILE" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("hours", "code"), [(1, 10), (23, 10), (24, 11), (24 * 300, 11)], ids=["fresh", "last", "late", "old"]
)
def test_verify_tells_genuine_and_in_time_apart(
    desk: Desk, folder: Path, answer_file: Path, hours: int, code: int
) -> None:
    """Offline the status is unknown (10); past its validity the file is genuine and late (11)."""
    result = run("verify", answer_file, "--root", folder / "root.json", now=bundles.later(hours=hours))
    assert result.exit_code == code
    assert "Genuine" in result.stdout


def test_verify_takes_the_profiles_root(desk: Desk, folder: Path, answer_file: Path) -> None:
    """A profile's root serves, and no key file is opened for it."""
    text = bundles.profile_text(officer_key="absent", passphrase_file="absent")
    (folder / "bare.toml").write_text(text, encoding="utf-8")
    assert run("verify", answer_file, "--profile", folder / "bare.toml").exit_code == 10


@pytest.mark.parametrize(
    ("status", "hours", "code"),
    [
        (Status.CURRENT, 1, 0),
        (Status.UNKNOWN, 1, 10),
        (Status.CURRENT, 25, 11),
        (Status.UNKNOWN, 25, 11),
        (Status.SUPERSEDED, 1, 12),
        (Status.SUPERSEDED, 25, 12),
        (Status.RECALLED, 25, 13),
    ],
)
def test_the_exit_code_of_a_verdict(answer_file: Path, status: Status, hours: int, code: int) -> None:
    """What happened to a genuine answer outranks its time, and its time what is not known."""
    file, root = answer_file.read_bytes(), bundles.ROOT
    verdict = replace(verify(file, root=root, now=bundles.later(hours=hours)), status=status)
    assert exit_code(verdict) == code
    assert exit_code(Verdict(parts=(), content=None, now=NOW, status=status)) == 1


@pytest.mark.parametrize("content", [b"", b"{}", b"\x00" * 9])
def test_verify_of_no_answer_file_ends_with_2(desk: Desk, folder: Path, tmp_path: Path, content: bytes) -> None:
    """Unreadable is apart from not genuine."""
    path = tmp_path / "file"
    path.write_bytes(content)
    assert run("verify", path, "--root", folder / "root.json").exit_code == 2


@pytest.mark.parametrize(
    "arguments", [["verify", "absent"], ["verify", "absent", "--root", "absent.json"], ["verify"], ["nothing"]]
)
def test_what_cannot_be_read_ends_with_2(desk: Desk, arguments: list[str]) -> None:
    """Missing files and missing arguments are wrong usage."""
    assert run(*arguments).exit_code == 2


def test_verify_under_another_root_ends_with_1(desk: Desk, answer_file: Path, tmp_path: Path) -> None:
    """Another root makes the same file not genuine, and nothing of it is shown."""
    path = tmp_path / "root.json"
    path.write_bytes(root_of(MEMBERS, "another"))
    result = run("verify", answer_file, "--root", path)
    assert (result.exit_code, USCC in result.output) == (1, False)


def test_a_case_is_opened(desk: Desk, folder: Path) -> None:
    """The opening says what was typed, and both officers sign where that is asked for."""
    more = ["--subjects", "300", "--second-officer", "--profile", str(folder / "profile.toml")]
    result = run("case", "open", "C-1", *ASK, *more)
    assert result.exit_code == 0
    (opening,) = desk.openings
    assert (opening.case_reference, opening.subject_count, opening.approving_officer) == ("C-1", 300, SECOND)
    assert "C-1" in result.stdout


def test_a_case_shows_every_result_with_its_failures(desk: Desk, folder: Path) -> None:
    """All pages are read, and every attempt of a silent member is shown."""
    quiet = make(plot("measures", silent=(ZHEJIANG,)))
    desk.results = [make(plot("rating")).SerializeToString(), quiet.SerializeToString()]
    result = run("case", "show", "C-1", "--profile", folder / "profile.toml")
    assert result.exit_code == 0
    assert "Result 2 of 2" in result.stdout
    assert "cannot be reached" in result.stdout
    document = json.loads(run("case", "show", "C-1", "--json", "--profile", folder / "profile.toml").stdout)
    assert [each["result"]["kind"] for each in document["results"]] == ["rating", "measures"]
    assert document["case"]["result_count"] == 2


def test_a_forged_result_of_a_case_ends_with_1(desk: Desk, folder: Path) -> None:
    """One result that does not verify is named; the others are still shown."""
    forged = make(plot("rating"))
    forged.result.signatures[0].signature = bytes(64)
    desk.results = [forged.SerializeToString(), make(plot("measures")).SerializeToString()]
    result = run("case", "show", "C-1", "--profile", folder / "profile.toml")
    assert result.exit_code == 1
    assert "NOT GENUINE" in result.stdout
    assert "MP01" in result.stdout


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_json_is_what_its_page_says(desk: Desk, folder: Path, kind: str) -> None:
    """Every object of a document has exactly the described fields, in their order."""
    document = json.loads(ask(folder, kind, "--json").stdout)
    assert list(document) == described("answer")
    assert list(document["parts"][0]) == described("part")
    assert list(document["bundle"]) == described("bundle")
    assert list(document["result"]) == described("CombinedResult")
    exchange = document["exchanges"][0]
    assert list(exchange) == described("exchange")
    assert list(exchange["answer"]) == described("answered")
    assert list(exchange["logged"]) == described("logged")
    told = {name: exchange["logged"][name] for name in ("level", "log", "entry", "size")}
    assert told == {"level": "LOGGED", "log": "yrdx/ledger/310000/1", "entry": INDEX, "size": SIZE}
    assert list(exchange["answer"]["head"]) == described("Answer")
    assert list(exchange["answer"]["items"][0]) == described("Item")
    assert list(exchange["question"]["header"]) == described("QuestionHeader")


@pytest.mark.parametrize("language", words.LANGUAGES)
@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_is_spoken_in_both_languages(desk: Desk, command: str, language: str) -> None:
    """Help follows the language and leaves no key of words.toml behind."""
    result = run("--lang", language, *command.split(), "--help")
    assert result.exit_code == 0
    assert "help." not in result.stdout
    key = f"help.{command.replace(' ', '_')}"
    assert words.Words(language=language).say(key).split("\n")[0][:20] in result.stdout


def test_a_file_that_is_no_authorisation_is_refused(desk: Desk, folder: Path) -> None:
    """It ends the command before anything is asked."""
    path = folder / "not-consent"
    path.write_bytes(b"{}")
    result = ask(folder, "rating", "--authorisation", path)
    assert (result.exit_code, desk.intents) == (2, [])


def test_no_error_names_a_machine_path(desk: Desk, folder: Path) -> None:
    """Errors name files and fields, not folders."""
    result = ask(folder, "rating", "--out", folder / "profile.toml")
    assert (result.exit_code, os.fspath(folder) in result.stderr) == (2, False)


def test_a_full_disk_loses_the_file_and_not_the_answer(
    desk: Desk, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is shown, the failure is told, and no torn file stays behind."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    result = ask(folder, "rating", "--out", tmp_path / "a")
    assert (result.exit_code, "No space left" in result.stderr, "Genuine" in result.stdout) == (2, True, True)
    assert list(tmp_path.iterdir()) == []


def test_a_summary_shows_permits_and_lists(desk: Desk, folder: Path) -> None:
    """Every sort of line has its table, and its reference for objections."""
    rows = {"permit": [worlds.permit()], "listing": [worlds.listing()], "penalty": [worlds.penalty()]}
    desk.change = {"facts": {SHANGHAI: {USCC: {"register": [bundles.register()], **rows}}}}
    text = ask(folder, "summary").stdout
    for said in ("Permits", "TP01", "Lists", "TAX_SEVERE", "2025-06", "B01", "Penalties", "reference for objections"):
        assert said in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not = [toml", "TOMLDecodeError"),
        (bundles.profile_text(approving_officer=""), "approving_officer: is no text"),
        (bundles.profile_text(passphrase_file="absent"), "passphrase_file: absent cannot be read"),
    ],
)
def test_a_bad_profile_is_told(desk: Desk, tmp_path: Path, text: str, said: str) -> None:
    """What is wrong stands in the message, by file and field."""
    (tmp_path / "officer.toml").write_text(text, encoding="utf-8")
    result = run("ask", "rating", USCC, *ASK, "--profile", tmp_path / "officer.toml")
    assert (result.exit_code, "officer.toml" in result.stderr, said in result.stderr) == (2, True, True)


def test_a_second_officer_must_stand_in_the_profile(desk: Desk, folder: Path) -> None:
    """`--second-officer` without one is a fault of the profile."""
    lines = (folder / "profile.toml").read_text(encoding="utf-8").splitlines()
    alone = folder / "alone.toml"
    alone.write_text("\n".join(each for each in lines if "approving" not in each), encoding="utf-8")
    result = run("ask", "rating", USCC, *ASK, "--profile", alone, "--second-officer")
    assert (result.exit_code, "approving_officer: is missing" in result.stderr) == (2, True)


@pytest.mark.parametrize("command", [["open", "C-1", *ASK], ["show", "C-1"]])
@pytest.mark.parametrize("response", [b"\xff", b"", b"\x1a\x01x"])
def test_what_is_no_case_is_told(
    monkeypatch: pytest.MonkeyPatch, desk: Desk, folder: Path, command: list[str], response: bytes
) -> None:
    """Rubbish in the place of a case ends with 1 and no traceback."""
    monkeypatch.setattr(desk_client, "call", lambda *_: response)
    result = run("case", *command, "--profile", folder / "profile.toml")
    assert (result.exit_code, "no case" in result.stderr) == (1, True)
