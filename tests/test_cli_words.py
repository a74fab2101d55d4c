"""The words and pages of the command line: complete in both languages, and true to the code."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from string import Formatter
from typing import Any

import click
import pytest

from gateway.kinds import KINDS
from gateway.kinds.measures import NO_TERRITORY, NOT_IN_LIST, OTHER_TERRITORY
from gateway.model import accounts, answer, codes, combined, consent, evidence, question
from gateway.verdicts import RowVerdict
from gateway.verification import Check, Status
from keys import errors
from nodes.batch.audit import BatchCheck
from nodes.cli import main, words
from nodes.cli.profile import Profile

ROOT = Path(__file__).resolve().parent.parent


def described(mark: str) -> list[str]:
    """Give the names in a table of docs/json.md."""
    page = (ROOT / "docs/json.md").read_text(encoding="utf-8")
    _, found, rest = page.partition(f"<!-- table: {mark} -->\n")
    assert found, f"json.md has no table marked {mark}"
    rows = rest.split("\n\n")[0].splitlines()[2:]
    return [re.findall(r"`(\w+)`", row)[0] for row in rows]


def model_types() -> list[type[Any]]:
    """Name every type of the model that docs/json.md describes."""
    page = (ROOT / "docs/json.md").read_text(encoding="utf-8")
    marks = set(re.findall(r"<!-- table: ([A-Z]\w+) -->", page))
    found = {
        name: kind
        for module in (accounts, answer, combined, consent, evidence, question)
        for name, kind in vars(module).items()
        if isinstance(kind, type) and is_dataclass(kind)
    }
    assert marks <= set(found)
    return [found[mark] for mark in sorted(marks)]


def test_every_type_of_the_model_is_described() -> None:
    """Nothing that can stand in a document lacks a table, and each table is the type's own."""
    described_types = model_types()
    for kind in described_types:
        assert described(kind.__name__) == [each.name for each in fields(kind)], kind.__name__
    names = {kind.__name__ for kind in described_types}
    assert {"SubjectResult", "Recognition", "Refusal", "Case", "DomainVerdict", "MeasureLine"} <= names


def test_the_json_page_lists_every_check_and_code() -> None:
    """Checks and code lists on the page are those of the code."""
    assert described("checks") == [each.value for each in Check]
    page = (ROOT / "docs/json.md").read_text(encoding="utf-8")
    for name in described("codes"):
        kind: type[Enum] = getattr(codes, name)
        assert f"| `{name}` | {', '.join(f'`{each.value}`' for each in kind)} |" in page


def test_every_text_stands_in_both_languages() -> None:
    """No text lacks a language, both have the same places, and none says 无违法记录."""
    for group, rows in words.table().items():
        for key, row in rows.items():
            assert set(row) == set(words.LANGUAGES), f"{group}.{key}"
            places = [{name for _, name, _, _ in Formatter().parse(row[each]) if name} for each in words.LANGUAGES]
            assert places[0] == places[1], f"{group}.{key}"
            assert all(row.values()), f"{group}.{key}"
            assert "无违法记录" not in row["zh"]
            assert re.search(r"[\u4e00-\u9fff]", row["en"]) is None, f"{group}.{key}"


def test_every_key_in_the_code_has_its_text() -> None:
    """Every text that the commands name stands in words.toml."""
    groups = words.table()
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "nodes/cli").glob("*.py"))
    named = set(re.findall(r'"((?:%s)\.[a-z_]\w*)"' % "|".join(groups), sources))  # noqa: UP031  braces would double
    missing = [key for key in named if key.partition(".")[2] not in groups[key.partition(".")[0]]]
    assert (len(named) > 50, missing) == (True, [])


@pytest.mark.parametrize(
    ("group", "names"),
    [
        ("refusal", codes.RefusalReason),
        ("state", codes.ResultState),
        ("outcome", codes.OutcomeState),
        ("coverage", codes.CoverageState),
        ("withheld", codes.WithheldReason),
        ("lifecycle", codes.Lifecycle),
        ("link", codes.LinkKind),
        ("band", codes.CountBand),
        ("severity", codes.Severity),
        ("grade", codes.Grade),
        ("rating_status", codes.RatingStatus),
        ("recognition", codes.RecognitionState),
        ("no_violation", codes.Verdict),
        ("check", Check),
        ("status", Status),
        ("mark_kind", codes.MarkKind),
        ("event", codes.LedgerEventKind),
        ("row_verdict", RowVerdict),
        ("submission", codes.SubmissionState),
        ("batch_check", BatchCheck),
        ("consent_refusal", codes.ConsentReason),
        ("key_role", codes.KeyRole),
        ("authorisation_status", codes.AuthorisationStatus),
    ],
)
def test_every_code_has_a_word(group: str, names: type[Enum]) -> None:
    """A code list that grows needs a word in both languages."""
    assert {each.value for each in names} <= set(words.table()[group])


def test_every_refusal_of_a_file_has_a_word() -> None:
    """What the keys refuse about a file is told in words; what concerns a node's own secrets is in no file."""
    own = {"KeysError", "SealBroken", "CertificateRefused", "BodyUnreadable", "CustodyError", "PassphraseWrong",
           "KeyFileTooOpen"}  # fmt: skip
    names = {name for name, each in vars(errors).items() if isinstance(each, type)}
    assert names - own <= set(words.table()["flaw"])


def test_kinds_and_reasons_of_measures_have_words() -> None:
    """So do the kinds and the reasons why a measure may not be applied."""
    assert set(KINDS) <= set(words.table()["kind"])
    assert {NO_TERRITORY, NOT_IN_LIST, OTHER_TERRITORY} <= set(words.table()["measure_reason"])


@pytest.mark.parametrize(
    ("option", "environment", "preferred", "language"),
    [
        (None, {}, "", "en"),
        ("zh", {"YRDX_LANG": "en"}, "en", "zh"),
        (None, {"YRDX_LANG": "en", "LANG": "zh_CN.UTF-8"}, "zh", "en"),
        (None, {"LANG": "en_GB"}, "zh", "zh"),
        (None, {"LC_ALL": "zh_CN.UTF-8", "LANG": "en_GB"}, "", "zh"),
        (None, {"LANG": "ZH"}, "", "zh"),
        (None, {"LANG": "C"}, "", "en"),
    ],
)
def test_the_language_is_chosen(option: str | None, environment: dict[str, str], preferred: str, language: str) -> None:
    """The option wins, then YRDX_LANG, the profile, LC_ALL, LANG."""
    assert words.choose(option, environment, preferred) == language


def test_a_members_text_cannot_steer_the_terminal() -> None:
    """Control characters and changes of direction from elsewhere are made visible."""
    assert words.plain("a\x1b[2Jb\u202ec\u2066\n优") == "a\ufffd[2Jb\ufffdc\ufffd\ufffd优"


def test_every_command_and_option_is_documented() -> None:
    """docs/cli.md names each command and each option, and its exit codes are those of the help."""
    page = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    for command in (
        "ask",
        "check",
        "verify",
        "case open",
        "case show",
        "case status",
        "evidence export",
        "approve show",
        "approve sign",
    ):
        assert f"`yrdx {command} " in page
        found: Any = main
        for name in command.split():
            found = found.commands[name]
        options = [each for each in found.params if isinstance(each, click.Option)]
        assert [each.opts[0] for each in options if each.opts[0] not in page] == []
    for command, text in (
        ("ask", "help.ask"),
        ("check", "help.check"),
        ("verify", "help.verify"),
        ("evidence export", "help.evidence_export"),
    ):
        listed = re.findall(r"^  (\d+) ", words.Words(language="en").say(text), re.MULTILINE)
        rows = page.partition(f"<!-- table: exit codes of {command} -->")[2].split("\n\n")[0]
        assert re.findall(r"^\| (\d+) \|", rows, re.MULTILINE) == listed


def test_every_field_of_a_profile_is_documented() -> None:
    """docs/cli.md names the profile's fields in their order."""
    page = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    rows = page.partition("<!-- table: profile -->\n")[2].split("\n\n")[0].splitlines()[2:]
    assert [re.findall(r"`(\w+)`", row)[0] for row in rows] == [each.name for each in fields(Profile)]
