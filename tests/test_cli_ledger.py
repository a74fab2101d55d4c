"""`yrdx ledger`: what the member's own ledger says, and what was done to it; never a subject."""

from __future__ import annotations

import asyncio
import base64
import json
import sqlite3
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bundles import NOW, charter_of, signed_directory
from click.testing import CliRunner, Result
from ledgers import ANHUI, JIANGSU, witness_signer
from receipts import LOGGERS
from stores import KEY, exchange, rows
from test_cli_words import described
from witnesses import forged, with_witnesses
from worlds_tables import SHANGHAI

from gateway.ledger import logs, proofs, tree
from gateway.ledger.cosignature import cosign
from gateway.ledger.note import read_note
from gateway.ledger.witnessing import Fork
from nodes.cli import main
from nodes.cli.ledger import heads_of
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
    """No log is no damage unless there were exchanges; there is nothing to prove either."""
    with sqlite3.connect(data / DATABASE) as connection:
        for table in ("head", "tile", "entry", "log"):
            connection.execute(f"DELETE FROM ledger_{table}")
    connection.close()
    assert (run("verify").exit_code, "cut off at the end" in run("verify").stdout) == (1, True)
    rows(data / DATABASE, "DELETE FROM journal")
    assert (run("verify").exit_code, "No exchange" in run("verify").stdout) == (0, True)
    assert json.loads(run("tail", "--json").stdout) == {"format": "yrdx.ledger-tail.v1", "log": None, "entries": []}
    assert (run("proof", 0).exit_code, "there is no ledger yet" in run("proof", 0).stderr) == (2, True)


def test_a_proof_is_verified_by_its_text_alone(data: Path) -> None:
    """Entry data, place, path and signed checkpoint: whoever knows the member's key needs no more."""
    for entry in range(12):
        head, _, note = run("proof", entry).stdout.partition("\n\n")
        kind, extra, index, *path = head.split("\n")
        assert (kind, index) == ("c2sp.org/tlog-proof@v1", f"index {entry}")
        found = heads_of(CHARTER)(note.encode()).head
        leaf = tree.leaf_hash(base64.b64decode(extra.removeprefix("extra ")))
        proofs.verify_inclusion(leaf, entry, found.size, [base64.b64decode(each) for each in path], found.root)


def test_what_cannot_be_proven_is_said(data: Path) -> None:
    """An entry beyond the ledger, and one that is missing."""
    rows(data / DATABASE, "DELETE FROM ledger_entry WHERE seq = 5")
    for entry, why in ((12, "its entries are 0 to 11"), (4, "entry 4 is missing")):
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


def seen_by_others(data: Path, *, size: int = 12) -> None:
    """Have two members cosign the head that is there, and keep it."""
    ((payload,),) = rows(data / DATABASE, "SELECT checkpoint FROM ledger_head")
    note = read_note(payload)
    made = [cosign(note, logs.witness(each), witness_signer(each), int(NOW.timestamp())) for each in (JIANGSU, ANHUI)]
    with closing(sqlite3.connect(data / DATABASE)) as connection, connection:
        row = (1, size, note.extended(*made).payload, "2026-03-02T00:00:00Z")
        connection.execute("INSERT INTO cosigned_head (log, size, checkpoint, witnessed_time) VALUES (?, ?, ?, ?)", row)


def suspect(found: dict[str, Any]) -> None:
    """List the witnesses, and take the ledger's key back."""
    with_witnesses(found)
    (row,) = [each for each in found["members"] if each["id"] == SHANGHAI]
    (key,) = [each for each in row["keys"] if each["use"] == "ledger"]
    key["revoked_time"] = key["suspect_from"] = f"{NOW + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"


def test_a_head_that_was_seen_in_time_outlives_its_key(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where witnesses saw it before its key fell under suspicion the log verifies and is copied, else neither."""
    monkeypatch.setattr(COMMAND, "current_charter", lambda _: charter_of(SHANGHAI, signed_directory(suspect)))
    assert (run("verify").exit_code, run("export", "--out", tmp_path / "out").exit_code) == (1, 1)
    seen_by_others(data)
    assert (run("verify").exit_code, run("export", "--out", tmp_path / "out").exit_code) == (0, 0)
    ((payload,),) = rows(data / DATABASE, "SELECT checkpoint FROM ledger_head")
    changed = payload.replace(b"\n12\n", b"\n11\n")
    with closing(sqlite3.connect(data / DATABASE)) as connection, connection:
        connection.execute("UPDATE ledger_head SET checkpoint = ?", (changed,))
    assert run("verify").exit_code == 1


def test_export_and_proof_show_what_others_saw(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cosigned head once there is one, also in folders that hold the own one, and in a mirror of them."""
    monkeypatch.setattr(COMMAND, "current_charter", lambda _: charter_of(SHANGHAI, signed_directory(with_witnesses)))
    out, copied = tmp_path / "out", tmp_path / "copy"

    def heads() -> list[bool]:
        arguments = (("export", "--out", out), ("mirror", out / "1", "--member", SHANGHAI, "--out", copied))
        return [json.loads(run(*each, "--json").stdout)["logs"][0]["witnessed"] for each in arguments]

    assert heads() == [False, False]
    assert "own" in run("proof", 3).stderr
    seen_by_others(data)
    assert heads() == [True, True]
    for text in ((out / "1/checkpoint").read_text(), (copied / "checkpoint").read_text(), run("proof", 3).stdout):
        assert [name in text for name in ("yrdx/witness/320000", "yrdx/witness/340000")] == [True, True]
    assert "Enough members cosigned" in run("proof", 3).stderr
    assert "Enough members cosigned" in run("export", "--out", out).stdout


def test_what_no_witness_has_seen_yet_is_proven_under_the_own_head(data: Path, tmp_path: Path) -> None:
    """An entry beyond the cosigned head; and a folder that is beyond it never becomes smaller."""
    assert run("export", "--out", tmp_path).exit_code == 0
    with closing(sqlite3.connect(data / DATABASE)) as connection, connection:
        row = (1, 3, forged(3).payload, "2026-03-02T00:00:00Z")
        connection.execute("INSERT INTO cosigned_head (log, size, checkpoint, witnessed_time) VALUES (?, ?, ?, ?)", row)
    assert "\n12\n" in run("proof", 3).stdout
    assert "\n3\n" in run("proof", 2).stdout
    (log,) = json.loads(run("export", "--out", tmp_path, "--json").stdout)["logs"]
    assert (log["size"], log["witnessed"]) == (12, False)


def test_the_tail_shows_times_as_other_tables_do(data: Path) -> None:
    """To the second, in China's time."""
    assert " +08:00" in run("tail").stdout
