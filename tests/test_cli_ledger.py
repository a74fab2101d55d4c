"""`yrdx ledger`: what the member's own ledger says, and what was done to it; never a subject."""

from __future__ import annotations

import asyncio
import base64
import json
import sqlite3
import sys
from pathlib import Path

import pytest
from bundles import NOW, charter_of, signed_directory
from click.testing import CliRunner, Result
from receipts import LOGGERS
from stores import KEY, exchange, rows
from test_cli_words import described
from witnesses import forged
from worlds_tables import SHANGHAI

from gateway.ledger import proofs, tree
from gateway.ledger.checkpoint import open_checkpoint
from gateway.ledger.witnessing import Fork
from nodes.cli import main
from nodes.cli.ledger import keys_of
from nodes.cli.session import Session
from nodes.config import DATABASE
from nodes.store import Scribe, Store

CHARTER = charter_of(SHANGHAI, signed_directory())
COMMAND = sys.modules["nodes.cli.ledger"]  # the package's own name of it is the command


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the data folder of a node that has answered twelve questions, the last with a refusal."""

    async def fill() -> None:
        store = Store.open(tmp_path / DATABASE, KEY, Scribe(member=SHANGHAI, signer=lambda: LOGGERS[SHANGHAI]))
        for number in range(12):
            await store.journal.commit(exchange(number))
        store.close()

    asyncio.run(fill())
    monkeypatch.setattr(COMMAND, "checked_config", lambda _: _Config(tmp_path))
    monkeypatch.setattr(COMMAND, "current_charter", lambda _: CHARTER)
    return tmp_path


class _Config:
    def __init__(self, data: Path) -> None:
        self.data = data


def run(*arguments: object, lang: str = "en") -> Result:
    """Run the command."""
    texts = ["--lang", lang, "ledger", *map(str, arguments), "--config", "node.toml"]
    return CliRunner().invoke(main, texts, obj=Session(now=lambda: NOW), env={"COLUMNS": "160"})


def test_a_sound_ledger_is_verified(data: Path) -> None:
    """It says so, with log and size, for people and programs."""
    found = run("verify")
    assert (found.exit_code, "VERIFIED: yrdx/ledger/310000/1, 12 entries" in found.stdout) == (0, True)
    (log,) = json.loads(run("verify", "--json").stdout)["logs"]
    assert list(log) == described("ledger_log")
    assert log == {"log": "yrdx/ledger/310000/1", "size": 12, "verified": True, "damage": []}


@pytest.mark.parametrize(("lang", "word"), [("en", "edited"), ("zh", "被修改")])
def test_damage_is_named(lang: str, word: str, data: Path) -> None:
    """Which entry and what was done; the exit code is 1."""
    rows(data / DATABASE, "UPDATE ledger_entry SET data = zeroblob(64) WHERE seq = 5")
    found = run("verify", lang=lang)
    assert (found.exit_code, word in found.stdout, "4" in found.stdout) == (1, True, True)
    (log,) = json.loads(run("verify", "--json").stdout)["logs"]
    assert list(log["damage"][0]) == described("ledger_damage")
    assert log["damage"] == [{"damage": "EDITED", "first": 4, "last": 4}]


def test_damage_of_the_head_has_no_entry(data: Path) -> None:
    """A head that is gone is told as such."""
    rows(data / DATABASE, "DELETE FROM ledger_head")
    found = run("verify")
    assert (found.exit_code, "the head is missing" in found.stdout) == (1, True)


def test_the_tail_names_members_and_no_subject(data: Path) -> None:
    """The last entries, as many as are wanted, each with what happened between whom."""
    found = json.loads(run("tail", "--count", 3, "--json").stdout)
    assert (found["log"], [each["entry"] for each in found["entries"]]) == ("yrdx/ledger/310000/1", [9, 10, 11])
    assert list(found["entries"][0]) == described("ledger_entry")
    told = run("tail")
    assert (told.exit_code, told.stdout.count("answered"), "320000" in told.stdout) == (0, 12, True)
    assert not any(mark in told.stdout for mark in ("9131", "case-1"))


def test_before_the_first_exchange_there_is_nothing(data: Path) -> None:
    """No log is no damage; there is nothing to prove either."""
    with sqlite3.connect(data / DATABASE) as connection:
        for table in ("head", "tile", "entry", "log"):
            connection.execute(f"DELETE FROM ledger_{table}")
    connection.close()
    assert (run("verify").exit_code, "No exchange" in run("verify").stdout) == (0, True)
    assert json.loads(run("tail", "--json").stdout) == {"format": "yrdx.ledger-tail.v1", "log": None, "entries": []}
    assert (run("proof", 0).exit_code, "there is no ledger yet" in run("proof", 0).stderr) == (2, True)


def test_a_proof_is_verified_by_its_text_alone(data: Path) -> None:
    """Entry data, place, path and signed checkpoint: whoever knows the member's key needs no more."""
    for entry in range(12):
        head, _, note = run("proof", entry).stdout.partition("\n\n")
        kind, extra, index, *path = head.split("\n")
        assert (kind, index) == ("c2sp.org/tlog-proof@v1", f"index {entry}")
        found = open_checkpoint(note.encode(), keys_of(CHARTER)).head
        leaf = tree.leaf_hash(base64.b64decode(extra.removeprefix("extra ")))
        proofs.verify_inclusion(leaf, entry, found.size, [base64.b64decode(each) for each in path], found.root)


def test_what_cannot_be_proven_is_said(data: Path) -> None:
    """An entry beyond the ledger, and one that is missing."""
    rows(data / DATABASE, "DELETE FROM ledger_entry WHERE seq = 5")
    for entry, why in ((12, "no such entry"), (4, "entry 4 is missing")):
        assert (run("proof", entry).exit_code, why in run("proof", entry).stderr) == (2, True)


def test_forks_are_listed_with_both_notes(data: Path) -> None:
    """Without evidence it says so; with some it lists log, size and time, and for programs both signed notes."""
    none = run("forks")
    assert (none.exit_code, "No log has shown" in none.stdout) == (0, True)
    first, second = forged(3), forged(3, root=b"r" * 32)
    fork = Fork(origin=first.text.partition("\n")[0], size=3, first=first, second=second)

    async def keep() -> None:
        store = Store.open(data / DATABASE, KEY)
        await store.witness.keep_fork(fork, NOW)
        store.close()

    asyncio.run(keep())
    shown = run("forks")
    assert (shown.exit_code, "yrdx/ledger/310000/1" in shown.stdout) == (1, True)
    (found,) = json.loads(run("forks", "--json").stdout)["forks"]
    assert list(found) == described("ledger_fork")
    assert (found["first"], found["second"]) == (first.payload.decode(), second.payload.decode())
    assert "分叉" in run("forks", lang="zh").stdout
