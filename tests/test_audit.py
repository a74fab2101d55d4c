"""`yrdx audit`: what a ledger holds, counted and listed for an auditor; never a subject's code, in any form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from keepers import NOW, make_desk
from offices import AUDITOR, SECURE, Office
from stores import declared, exchange, load, penalty, question, rows
from test_cli_words import described

from gateway import wire
from gateway.ledger.auditing import BLANK, Audited, Line, Wanted, audited, blanked, counted
from gateway.model.codes import LedgerEventKind
from gateway.model.ledger import LedgerEvent, LedgerPrivate
from gateway.uscc import sample_code
from nodes.cli import main
from nodes.cli.session import Session
from nodes.store.acts_reading import Mismatch, compare
from nodes.store.schema import facts_path

CODES = tuple(sample_code("91", "310118", 7_000 + each) for each in range(3))


def code_in_full_width(code: str) -> str:
    """Write a code as a Chinese keyboard may."""
    return "".join(chr(ord(each) + 0xFEE0) for each in code)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Give a member that answered three questions, one of them full of codes where none belong."""
    desk = make_desk(tmp_path)
    desk.lab._write_profiles("310000", "127.0.0.1:1")
    found = Office(desk)
    yield found
    found.close()


async def fill(office: Office) -> None:
    """Answer questions, load a file, and enter what was done."""
    typed: dict[str, Any] = {"application_item": f"x{CODES[0]}y", "officer": CODES[1], "case_reference": CODES[2]}
    asked_with: tuple[dict[str, Any], ...] = ({}, {"purpose": "tendering"}, typed)
    for number, changes in enumerate(asked_with):
        asked = question(number, **changes)
        await office.store.journal.commit(exchange(number, question=asked, subjects=CODES))
    declared(office.path).close()
    with office.store.loading(office.doer(f"{AUDITOR[:-2]}m1")) as loading:
        load(loading, penalty(1))
    await office.rounds()


def run(office: Office, *arguments: object, officer: str = AUDITOR, lang: str = "en") -> Result:
    """Run the command as an officer."""
    given = ("--config", office.desk.home / "node.toml", "--profile", office.desk.lab.profile(officer))
    texts = ["--lang", lang, "audit", *map(str, (*given, *arguments))]
    return CliRunner().invoke(main, texts, obj=Session(now=lambda: NOW), env={"COLUMNS": "300"})


def told(office: Office, *arguments: object) -> dict[str, Any]:
    """Run it for programs."""
    found: dict[str, Any] = json.loads(run(office, *arguments, "--json").stdout)
    return found


async def test_an_auditor_counts_and_lists(office: Office) -> None:
    """By day, agency, officer, purpose and act; every filter leaves the others out."""
    await fill(office)
    whole = told(office)
    assert list(whole) == described("audit")
    assert (whole["member"], whole["entries"]) == ("310000", [])
    assert list(whole["counts"][0]) == described("audit_count")
    asked = [each for each in whole["counts"] if each["agency"] == "320000-procurement"]
    assert sorted((each["purpose"], each["kind"], each["count"]) for each in asked) == [
        ("procurement", "ANSWERED", 1),
        ("procurement", "ANSWERED", 1),
        ("tendering", "ANSWERED", 1),
    ]
    ((line),) = [each for each in whole["counts"] if each["act"] == "INGEST"]
    assert (line["officer"], line["agency"]) == ("310000-credit/m1", "310000-credit")
    entries = told(office, "--entries", "--purpose", "tendering")["entries"]
    assert (len(entries), list(entries[0])) == (1, described("audit_entry"))
    for option, value, count in (
        ("--act", "INGEST", 1),
        ("--act", "ANSWERED", 3),
        ("--officer", "310000-credit/m1", 1),
        ("--agency", "320000-procurement", 3),
        ("--from", "2026-03-03", 0),
        ("--until", "2026-03-01", 0),
    ):
        assert sum(each["count"] for each in told(office, option, value)["counts"]) == count, option


async def test_no_form_of_it_names_a_subject(office: Office, tmp_path: Path) -> None:
    """Table, JSON and CSV, in both languages: neither those asked about nor codes typed where none belong."""
    await fill(office)
    csv = tmp_path / "audit.csv"
    texts = [
        run(office, *listed, *form, lang=lang).output
        for listed in ((), ("--entries",))
        for form in ((), ("--json",))
        for lang in ("en", "zh")
    ]
    for listed in ((), ("--entries",)):
        assert run(office, *listed, "--out", csv).exit_code == 0
        texts.append(csv.read_text(encoding="utf-8-sig"))
    assert "tendering" in texts[0]
    assert BLANK in "".join(texts)
    assert not any(code in text for code in CODES for text in texts)


async def test_that_it_was_audited_is_entered_before_anything_is_shown(office: Office) -> None:
    """With the auditor's name, proven by the auditor's key."""
    await office.rounds()
    assert run(office).exit_code == 0
    await office.rounds()
    assert office.acts() == [("AUDIT", "audit", AUDITOR)]


async def test_nobody_else_reads(office: Office) -> None:
    """Not with another role, and the refusal says which one is missing; nothing is noted, nothing shown."""
    await fill(office)
    found = run(office, officer=SECURE)
    assert (found.exit_code, "has not the role audit" in found.stderr, found.stdout) == (2, True, "")
    assert rows(office.path, "SELECT count(*) FROM outbox") == [(0,)]
    assert (run(office, "--out", "x.pdf").exit_code, rows(office.path, "SELECT count(*) FROM outbox")) == (2, [(0,)])


@pytest.mark.parametrize(
    ("statement", "fault", "facts"),
    [
        ("UPDATE load SET rejected = 5", "ALTERED", True),
        ("DELETE FROM load", "GONE", True),
        ("DELETE FROM load_act WHERE seq > 1; DELETE FROM load WHERE id < 2", "GONE", True),
        ("UPDATE ledger_entry SET data = zeroblob(64) WHERE seq = 2", "EDITED", False),
    ],
)
async def test_what_was_tampered_with_is_named(statement: str, fault: str, facts: bool, office: Office) -> None:  # noqa: FBT001
    """A load that is another than its act says, one that is gone, an entry that was edited: exit 1."""
    await fill(office)
    path = facts_path(office.path) if facts else office.path
    for each in ("PRAGMA foreign_keys = OFF", *statement.split(";")):
        rows(path, each)
    found = run(office, "--json")
    assert (found.exit_code, fault in {each["fault"] for each in json.loads(found.stdout)["findings"]}) == (1, True)
    assert run(office).exit_code == 1


async def test_a_load_without_its_act_is_named(office: Office) -> None:
    """One whose act was taken away before it was entered, or was changed; one that waits is no fault."""
    await fill(office)
    for number in (2, 3, 4):
        with office.store.loading() as loading:
            load(loading, penalty(number))
    rows(facts_path(office.path), "DELETE FROM load_act WHERE seq = 2")
    rows(facts_path(office.path), "UPDATE load_act SET digest = x'00' WHERE seq = 3")
    faults = [(each.fault, each.first) for each in compare(office.path)]
    assert faults == [("UNENTERED", 2), ("ALTERED", 3), ("WAITING", 4)]


async def test_what_only_waits_is_no_fault(office: Office) -> None:
    """The node is down and somebody loaded: it is told, and the exit code stays 0."""
    await fill(office)
    with office.store.loading() as loading:
        load(loading, penalty(2))
    found = run(office)
    assert (found.exit_code, "waits to be entered" in found.stdout) == (0, True)
    assert Mismatch(fault="WAITING", source="facts", first=2, last=2) in compare(office.path)


WORDS = st.text(max_size=8)
SUBJECTS = st.integers(0, 10**6).map(lambda number: sample_code("91", "310118", number))
SPELT = st.sampled_from([str, str.lower, code_in_full_width])


@given(SUBJECTS, SPELT, WORDS, WORDS, st.sampled_from(["agency", "officer", "purpose", "application_item", "act"]))
def test_no_text_of_an_entry_carries_a_code_out(code: str, spell: Any, before: str, after: str, field: str) -> None:
    """However a code is spelt and whatever stands around it, the whole text is blanked; without one it stays."""
    text = f"{before}{spell(code)}{after}"
    values: dict[str, Any] = {field: text}
    private = wire.encode(LedgerPrivate(log_time=NOW, **values))
    found = audited(1, 0, wire.encode(LedgerEvent(kind=LedgerEventKind.ASKED, asker_member="310000")), private)
    assert BLANK in (found.agency, found.officer, found.purpose, found.item, found.act)
    assert code not in repr(found)
    assert code not in repr(counted([found]))
    assert blanked("bid-review 2026") == "bid-review 2026"


def entry(day: int, **changes: Any) -> Audited:
    """Give an entry of some day."""
    values: dict[str, Any] = {
        "log": 1, "place": 0, "time": datetime(2026, 3, 1, 4, tzinfo=UTC) + timedelta(day),
        "kind": LedgerEventKind.ANSWERED, "asker": "", "answerer": "", "agency": "a", "officer": "a/o",
        "purpose": "p", "item": "i", "role": "", "act": "", "subjects": 1,
    }  # fmt: skip
    return Audited(**values | changes)


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from("ab"), st.sampled_from("pq"))), st.integers(0, 5))
def test_counts_lose_and_add_nothing(drawn: list[tuple[int, str, str]], first: int) -> None:
    """Their sum is the number of entries that are wanted, whatever is filtered."""
    entries = [entry(day, agency=agency, purpose=purpose) for day, agency, purpose in drawn]
    wanted = Wanted(first=date(2026, 3, 1) + timedelta(first), agency="a")
    taken = [each for each in entries if wanted.takes(each)]
    assert len(taken) == sum(day >= first and agency == "a" for day, agency, _ in drawn)
    lines = counted(taken)
    assert sum(each.count for each in lines) == len(taken)
    assert list(lines) == sorted(lines)
    assert all(isinstance(each, Line) for each in lines)
