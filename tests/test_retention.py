"""How long what is kept: by purpose as the tables say, and once a day by the leading worker."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from bundles import NOW, charter_of, signed_directory
from click.testing import CliRunner, Result
from receipts import LOGGERS
from stores import KEY, exchange, question, rows
from test_cli_words import described
from worlds import catalogue
from worlds_tables import PURPOSE, SHANGHAI

from gateway import wire
from gateway.clocks import civil_day
from gateway.limits import Limits
from gateway.model.ledger import LedgerPrivate
from gateway.retention import SUBJECTS, kept_from, months, records_from
from nodes import retention
from nodes.cli import main
from nodes.cli.session import Session
from nodes.config import DATABASE
from nodes.retention import Deleted, Keeping, apply
from nodes.store import Scribe, Store
from nodes.store.retention import DELETION, Forgotten

CHARTER = charter_of(SHANGHAI, signed_directory())
COMMAND = sys.modules["nodes.cli.retention"]  # the package's own name of it is the command
SCRIBE = Scribe(member=SHANGHAI, signer=lambda: LOGGERS[SHANGHAI])
TABLES = catalogue()
OWN = TABLES.purposes[PURPOSE]


def of(*kept: int) -> Any:
    """Give tables whose purposes keep for so many months."""
    return replace(TABLES, purposes={f"P{n}": replace(OWN, code=f"P{n}", retention_months=n) for n in kept})


def test_each_purpose_keeps_as_its_row_says() -> None:
    """What has no purpose is kept as the longest, and keys and authorisations of subjects as records are."""
    scopes = ("P12", "P36", "GONE", "", SUBJECTS)
    assert [months(of(12, 36), scope) for scope in scopes] == [12, 36, 36, 36, 120]
    assert [months(replace(of(), limits=Limits(record_months=7)), scope) for scope in scopes] == [7] * 5


@pytest.mark.parametrize(
    ("today", "kept"),
    [("2027-03-15", "2026-03-15"), ("2027-03-16", "2026-03-16"), ("2025-02-28", "2024-02-28")],
)
def test_the_last_day_of_a_period_counts(today: str, kept: str) -> None:
    """Bodies of a day go on the day after the same day of a later month."""
    assert kept_from(of(12), "P12", date.fromisoformat(today)) == date.fromisoformat(kept)


def test_records_go_by_whole_months() -> None:
    """A month of records stays until its last day is over."""
    days = [date(2036, 3, 31), date(2036, 4, 1), date(2036, 4, 2)]
    assert [records_from(TABLES, day) for day in days] == [date(2026, 3, 1), date(2026, 4, 1), date(2026, 4, 1)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Give the folder of a node that answered for a purpose on three days, of which one is over now."""

    async def fill() -> None:
        store = Store.open(tmp_path / DATABASE, KEY, SCRIBE)
        keeps = CHARTER.catalogue.purposes[PURPOSE].retention_months
        for number, days in enumerate((keeps * 31 + 1, 20, 0)):
            at = NOW - timedelta(days=days)
            asked = question(number, purpose=PURPOSE)
            await store.journal.commit(exchange(number, received_time=at, day=civil_day(at), question=asked))
        store.close()

    asyncio.run(fill())
    return tmp_path


@pytest.fixture
def store(data: Path) -> Iterator[Store]:
    """Give its open store."""
    store = Store.open(data / DATABASE, KEY, SCRIBE)
    yield store
    store.close()


def left(data: Path) -> int:
    """Count the keys that are there."""
    return int(rows(data / DATABASE, "SELECT count(*) FROM storage_key WHERE destroyed IS NULL")[0][0])


def deletions(data: Path) -> list[tuple[str, str]]:
    """Give role and officer of each deletion in the ledger."""
    told = (wire.decode(LedgerPrivate, row[0]) for row in rows(data / DATABASE, "SELECT private FROM ledger_entry"))
    return [(each.role, each.officer) for each in told if each.act == DELETION]


async def test_what_is_over_goes_by_the_tables_in_force(data: Path, store: Store) -> None:
    """The round destroys what is due, and the next finds nothing."""
    assert await apply(store, CHARTER, NOW) == Deleted(keys=1, forgotten=Forgotten(), scrubbed=True)
    assert await apply(store, CHARTER, NOW) == Deleted(keys=0, forgotten=Forgotten(), scrubbed=True)
    assert left(data) == 2
    assert deletions(data) == [("node", "")]


async def test_the_leader_applies_it_once_a_day(data: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that does not lead does nothing; the leader does it at the start, and again on another day."""
    done, now, leads = list[datetime](), [NOW], [False]

    async def applied(*_: object) -> Deleted:
        done.append(now[0])
        return Deleted(keys=1, forgotten=Forgotten(), scrubbed=len(done) > 1)

    monkeypatch.setattr(retention, "apply", applied)
    keeping = Keeping(store, lambda: CHARTER, lambda: now[0], lambda: leads[0])
    await keeping.look()
    leads[0] = True
    for _ in range(3):  # at first the log cannot be emptied: it is tried again
        await keeping.look()
    now[0] += timedelta(days=1)
    await keeping.look()
    assert done == [NOW, NOW, now[0]]


async def test_a_round_that_fails_is_tried_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job outlives a fault of one round."""
    rounds = asyncio.Event()
    calls = list[int]()

    async def fails(*_: object) -> Deleted:
        calls.append(1)
        if len(calls) == 2:
            rounds.set()
        raise OSError("no")

    monkeypatch.setattr(retention, "apply", fails)
    monkeypatch.setattr(retention, "LOOK_SECONDS", 0)
    task = asyncio.create_task(Keeping(store, lambda: CHARTER, lambda: NOW, lambda: True).run())
    await asyncio.wait_for(rounds.wait(), 10)
    task.cancel()
    assert len(calls) >= 2


@pytest.fixture
def command(data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the command find the node's folder, keys and bundle."""
    config = SimpleNamespace(data=data, member=SHANGHAI, clock=None)
    credentials = SimpleNamespace(storage=KEY, log_signer=SCRIBE.signer)
    monkeypatch.setattr(COMMAND, "checked_config", lambda _: config)
    monkeypatch.setattr(retention, "current_charter", lambda _: CHARTER)
    monkeypatch.setattr(retention, "Credentials", lambda *_: credentials)
    monkeypatch.setattr(retention, "open_clock", lambda _: SimpleNamespace(now=lambda: NOW))
    return data


def run(*arguments: str, lang: str = "en") -> Result:
    """Run the command."""
    texts = ["--lang", lang, "retention", *arguments, "--config", "node.toml"]
    return CliRunner().invoke(main, texts, obj=Session(now=lambda: NOW), env={"COLUMNS": "160"})


def scopes() -> dict[str, dict[str, Any]]:
    """Read what `show` says for programs."""
    found = json.loads(run("show", "--json").stdout)
    assert (found["format"], found["record_months"]) == ("yrdx.retention.v1", 120)
    return {each["scope"]: each for each in found["scopes"]}


def test_the_command_shows_destroys_and_shows(command: Path) -> None:
    """Every purpose stands there with its rule; what was due is destroyed, by nobody who said so."""
    before = scopes()
    assert set(before) == {*CHARTER.catalogue.purposes, SUBJECTS}
    assert list(before[PURPOSE]) == described("retention_scope")
    assert (before[PURPOSE]["keys"], before[PURPOSE]["due"], before[SUBJECTS]["months"]) == (3, 1, 120)
    told = json.loads(run("run", "--json").stdout)
    assert list(told) == described("retention_run")
    assert (told["keys"], told["scrubbed"], left(command)) == (1, True, 2)
    assert deletions(command) == [("administer", "")]
    after = scopes()[PURPOSE]
    assert (after["keys"], after["due"], after["destroyed"]) == (2, 0, 1)


@pytest.mark.usefixtures("command")
@pytest.mark.parametrize(("lang", "said"), [("en", "Destroyed 1 storage keys"), ("zh", "已销毁 1 个存储密钥")])
def test_people_are_told(lang: str, said: str) -> None:
    """The table and the sentence stand in both languages."""
    assert PURPOSE in run("show", lang=lang).stdout
    assert said in run("run", lang=lang).stdout


@pytest.mark.usefixtures("command")
def test_a_log_in_use_and_a_fault_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What may still lie in the log has an exit code of its own; what stops the command is named."""
    monkeypatch.setattr(retention, "run", lambda *_: Deleted(keys=0, forgotten=Forgotten(), scrubbed=False))
    found = run("run")
    assert (found.exit_code, "in use" in found.stderr) == (3, True)

    def fails(*_: object) -> None:
        raise OSError("no such key")

    monkeypatch.setattr(retention, "run", fails)
    monkeypatch.setattr(retention, "show", fails)
    for each in ("run", "show"):
        found = run(each)
        assert (found.exit_code, "no such key" in found.stderr) == (2, True)
