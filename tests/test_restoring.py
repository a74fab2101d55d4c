"""Backup and restore: as of one moment, whole or not at all, and never another's (duty U30)."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from bundles import NOW
from click.testing import CliRunner, Result
from stores import KEY, code, commit, declared, exchange, load, opened, penalty, question, rows, signed, stored
from test_cli_words import described

from gateway.errors import NotDurable
from keys.bodies import keyed_digest
from keys.errors import CustodyError
from nodes import copies, restoring
from nodes.cli import main
from nodes.cli.session import Session
from nodes.config import DATABASE
from nodes.copies import CopyRefused, back_up, read_manifest
from nodes.restoring import restore
from nodes.run import alone
from nodes.store import StoreUnusable
from nodes.store.acts import Act
from nodes.store.copying import copy_databases
from nodes.store.doers import Doer
from nodes.store.schema import RESTORING, facts_path

ME = "310000"
DOER = Doer(officer="310000-operations/li", agency="310000-operations", sign=lambda _: b"said")
COMMAND = sys.modules["nodes.cli.backup"]  # the package's own name of it is the command


def fill(data: Path, first: int, last: int) -> None:
    """Answer questions."""

    async def work() -> None:
        store = opened(data / DATABASE)
        for number in range(first, last):
            await commit(store, exchange(number))
        store.close()

    asyncio.run(work())


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Give the data folder of a node with facts, exchanges, a bundle and stops."""
    found = tmp_path / "data"
    with declared(found / DATABASE) as loading:
        load(loading, penalty(1))
    fill(found, 0, 5)
    for name in ("bundle/current", "bundle/archives/1/a.tar", "bundle/trusted/root.json", "stops.json", "node.json"):
        (found / name).parent.mkdir(parents=True, exist_ok=True)
        (found / name).write_text(name, encoding="utf-8")
    return found


def make(data: Path, name: str = "backup") -> Path:
    """Make a backup."""
    back_up(data, data.parent / name, ME, KEY, NOW)
    return data.parent / name


def put(backup: Path, data: Path, member: str = ME, secret: bytes = KEY) -> None:
    """Restore a backup."""
    restore(backup, data, member, secret, doer=DOER, now=NOW)


def contents(folder: Path) -> dict[str, bytes]:
    """Read every file."""
    return {each.relative_to(folder).as_posix(): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def test_a_backup_is_what_was_there_and_comes_back(data: Path, tmp_path: Path) -> None:
    """Exchanges, facts, bundles and stops are as they were; keys, state and locks are not in it."""
    backup = make(data)
    assert set(contents(backup)) == {
        *("manifest.json", "node.db", "node-facts.db", "stops.json"),
        *("bundle/current", "bundle/archives/1/a.tar"),
    }
    assert all(each.stat().st_mode & 0o077 == 0 for each in (backup, *backup.rglob("*")) if each.is_file())
    fill(data, 5, 9)
    put(backup, tmp_path / "new")
    query = "SELECT seq, data FROM ledger_entry ORDER BY seq"
    assert rows(tmp_path / "new" / DATABASE, query) == rows(data / DATABASE, query)[:5]
    assert rows(facts_path(tmp_path / "new" / DATABASE), "SELECT uscc FROM penalty") == [(code(1),)]
    assert (tmp_path / "new/bundle/archives/1/a.tar").read_text(encoding="utf-8") == "bundle/archives/1/a.tar"
    assert not (tmp_path / "new" / RESTORING).exists()
    held = rows(tmp_path / "new" / DATABASE, "SELECT recovered_time, digest FROM restoration")
    digest = read_manifest(backup, ME, KEY).digest
    assert held == [(None, digest)]
    waiting = rows(tmp_path / "new" / DATABASE, "SELECT name, role, officer, digest, evidence FROM outbox")
    assert waiting == [("RESTORE", "administer", DOER.officer, digest, b"said")]


def test_a_restored_store_knows_that_it_was(data: Path, tmp_path: Path) -> None:
    """Until it has recovered the restoration is pending."""
    backup = make(data)
    put(backup, tmp_path / "new")
    store = opened(tmp_path / "new" / DATABASE)
    found = store.restorations.pending()
    store.close()
    assert found is not None
    assert found.restored_time == NOW
    before = opened(data / DATABASE)
    assert before.restorations.pending() is None
    before.close()


async def test_before_it_recovered_nothing_is_served(data: Path, tmp_path: Path) -> None:
    """No answer, not even a stored one, no question and no act; afterwards none to a question of before (threat 23)."""
    put(make(data), tmp_path / "new")
    store = opened(tmp_path / "new" / DATABASE)
    act = Act(name="X", role="Y", officer="Z")
    for attempt in (
        lambda: commit(store, exchange(7)),
        lambda: store.asker.open(("320000",), lambda _, number: signed(9, number)),
        lambda: store.acts.record(act, NOW),
    ):
        with pytest.raises(NotDurable, match="not recovered"):
            await attempt()
    with pytest.raises(NotDurable, match="not recovered"):
        stored(store, 1)
    rows(tmp_path / "new" / DATABASE, "UPDATE restoration SET recovered_time = restored_time")
    assert stored(store, 1) is not None
    with pytest.raises(NotDurable, match="older than the restore"):
        await commit(store, exchange(7))
    await commit(store, exchange(8, question=question(8, asked=NOW + timedelta(seconds=1))))
    store.close()


def test_the_files_are_of_one_moment(data: Path, tmp_path: Path) -> None:
    """What is written while pages are copied is in neither file, and the copies are sound."""

    def meddle(*_: object) -> None:
        if not written:
            written.append(True)
            fill(data, 5, 8)
            with declared(data / DATABASE) as loading:
                load(loading, penalty(2))

    written: list[bool] = []
    (tmp_path / "copy").mkdir()
    copy_databases(data / DATABASE, tmp_path / "copy" / DATABASE, meddle)
    assert written
    assert rows(tmp_path / "copy" / DATABASE, "SELECT count(*) FROM journal") == [(5,)]
    assert rows(tmp_path / "copy" / DATABASE, "PRAGMA integrity_check") == [("ok",)]
    assert rows(facts_path(tmp_path / "copy" / DATABASE), "SELECT count(*) FROM penalty") == [(1,)]


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["node.db", "node-facts.db", "bundle/current", "manifest.json"])
@pytest.mark.parametrize("harm", [flip, Path.unlink, lambda path: path.write_bytes(b"")], ids=["flip", "gone", "empty"])
def test_a_damaged_backup_is_refused(name: str, harm: Callable[[Path], object], data: Path, tmp_path: Path) -> None:
    """Whatever was changed, cut or lost, nothing of it is put in place."""
    backup = make(data)
    harm(backup / name)
    with pytest.raises((CopyRefused, CustodyError)):
        put(backup, tmp_path / "new")
    assert not (tmp_path / "new" / DATABASE).exists()


@pytest.mark.parametrize(("member", "secret"), [("320000", KEY), (ME, b"o" * 32)])
def test_another_members_backup_is_refused(member: str, secret: bytes, data: Path, tmp_path: Path) -> None:
    """It is this member's, and of the storage key that is at hand."""
    backup = make(data)
    with pytest.raises(CopyRefused, match="no backup of"):
        put(backup, tmp_path / "new", member, secret)


def test_a_manifest_that_was_written_by_hand_is_refused(data: Path, tmp_path: Path) -> None:
    """Whoever fits the digests to other files lacks the key that authenticates them."""
    backup = make(data)
    document = json.loads((backup / "manifest.json").read_text(encoding="utf-8"))
    forgeries: list[object] = [
        {**document, "manifest": document["manifest"].replace("yrdx/ledger/310000/1", "yrdx/ledger/310000/2")},
        {**document, "proof": "é" * 64},
        {"manifest": document["manifest"]},
        [],
    ]
    for forged in forgeries:
        (backup / "manifest.json").write_text(json.dumps(forged), encoding="utf-8")
        with pytest.raises(CopyRefused):
            put(backup, tmp_path / "new")


def test_nothing_is_written_over(data: Path) -> None:
    """Neither a backup nor a database; the database that stands there may know more."""
    backup = make(data)
    with pytest.raises(CopyRefused, match="never written over"):
        make(data)
    before = contents(data)
    with pytest.raises(CopyRefused, match=r"node\.db stands"):
        put(backup, data)
    (data / DATABASE).unlink()
    with pytest.raises(CopyRefused, match=r"node-facts\.db stands"):
        put(backup, data)
    after = {**contents(data), DATABASE: before[DATABASE]}
    assert {name: content for name, content in after.items() if name != "node.lock"} == before


def test_a_folder_that_is_served_is_left_alone(data: Path, tmp_path: Path) -> None:
    """A node runs on it."""
    backup = make(data)
    with alone(tmp_path / "new"), pytest.raises(StoreUnusable, match="another process"):
        put(backup, tmp_path / "new")


def test_newer_bundles_stay(data: Path, tmp_path: Path) -> None:
    """An older bundle or stop never takes the place of what the folder has."""
    backup = make(data)
    (tmp_path / "new/bundle").mkdir(parents=True)
    for name in ("bundle/current", "stops.json"):
        (tmp_path / "new" / name).write_text("newer", encoding="utf-8")
    put(backup, tmp_path / "new")
    for name in ("bundle/current", "stops.json"):
        assert (tmp_path / "new" / name).read_text(encoding="utf-8") == "newer"
    assert not (tmp_path / "new/bundle/archives").exists()


STEPS = {"check_files": 2, "_clear": 2, "_copy": 5, "_prepare": 1, "_put": 1, "_move": 4, "sync": 2}
"""How often a restore of `data` takes each step."""


class Cut(BaseException):
    """The power goes."""


def cut_at(monkeypatch: pytest.MonkeyPatch, step: str, nth: int, *, after: bool) -> list[int]:
    """Cut the power before or after one of a step's runs; give where its runs are counted."""
    real, runs = getattr(restoring, step), [0]

    def cut(*arguments: object, **named: object) -> None:
        runs[0] += 1
        if runs[0] == nth and not after:
            raise Cut
        real(*arguments, **named)
        if runs[0] == nth:
            raise Cut

    monkeypatch.setattr(restoring, step, cut)
    return runs


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("step", "nth"), [(step, nth + 1) for step, runs in STEPS.items() for nth in range(runs)])
def test_an_interrupted_restore_is_run_again(
    step: str, nth: int, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, after: bool
) -> None:
    """Wherever it was cut, either nothing is there, or no node starts, or all of it is there; again makes it whole."""
    backup, new = make(data), tmp_path / "new"
    cut_at(monkeypatch, step, nth, after=after)
    with pytest.raises(Cut):
        put(backup, new)
    monkeypatch.undo()
    if (new / RESTORING).exists():
        with pytest.raises(StoreUnusable, match="interrupted"):
            opened(new / DATABASE)
    if (new / DATABASE).exists() and not (new / RESTORING).exists():
        with pytest.raises(CopyRefused):
            put(backup, new)
    else:
        put(backup, new)
    store = opened(new / DATABASE)
    assert store.restorations.pending() is not None
    store.close()
    assert rows(new / DATABASE, "SELECT count(*) FROM journal") == [(5,)]
    assert rows(facts_path(new / DATABASE), "SELECT uscc FROM penalty") == [(code(1),)]
    assert (new / "bundle/current").exists()
    assert (new / "stops.json").exists()


@pytest.mark.parametrize("step", STEPS)
def test_every_run_of_a_step_is_cut(step: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of steps is whole: a restore that nothing cuts takes each as often as it says."""
    runs = cut_at(monkeypatch, step, 0, after=False)
    put(make(data), tmp_path / "new")
    assert runs == [STEPS[step]]


def test_only_the_same_backup_is_taken_for_one_that_is_in_place(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where another restore was cut at its very end, or a database came in by hand, nothing is written over."""
    new, first = tmp_path / "new", make(data)
    fill(data, 5, 6)
    second = make(data, "second")
    cut_at(monkeypatch, "_clear", 2, after=False)
    with pytest.raises(Cut):
        put(first, new)
    monkeypatch.undo()
    with pytest.raises(CopyRefused, match="never written over"):
        put(second, new)
    (new / DATABASE).write_bytes((data / DATABASE).read_bytes())
    with pytest.raises(CopyRefused, match="never written over"):
        put(first, new)
    assert rows(new / DATABASE, "SELECT count(*) FROM journal") == [(6,)]


def test_a_backup_that_was_interrupted_has_not_its_name(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a backup is never taken for one, and the next run begins anew."""
    monkeypatch.setattr(copies, "copy_databases", _cut)
    with pytest.raises(Cut):
        make(data)
    monkeypatch.undo()
    assert not (data.parent / "backup").exists()
    assert sorted(contents(make(data))) == sorted(contents(make(data, "second")))


def _cut(*_: object) -> None:
    raise Cut


def test_a_backup_with_a_damaged_database_is_refused(data: Path, tmp_path: Path) -> None:
    """A page that was bad when the backup was made is found before it is put in place."""
    backup = make(data)
    document = json.loads((backup / "manifest.json").read_text(encoding="utf-8"))
    with closing(sqlite3.connect(backup / "node-facts.db")) as connection:
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'load'").fetchone()
    octets = bytearray((backup / "node-facts.db").read_bytes())
    octets[size * (page - 1) : size * page] = b"\xff" * size
    (backup / "node-facts.db").write_bytes(octets)
    text = json.loads(document["manifest"])
    text["files"] = [
        each if each["name"] != "node-facts.db" else copies._described(backup, "node-facts.db")
        for each in text["files"]
    ]
    manifest = json.dumps(text)
    proof = keyed_digest(KEY, copies._LABEL, manifest.encode()).hex()
    (backup / "manifest.json").write_text(json.dumps({"manifest": manifest, "proof": proof}), encoding="utf-8")
    with pytest.raises(StoreUnusable, match="damaged"):
        put(backup, tmp_path / "new")
    assert not (tmp_path / "new" / DATABASE).exists()


class _Config:
    member = ME

    def __init__(self, data: Path) -> None:
        self.data = data


def run(data: Path, *arguments: object) -> Result:
    """Run a command."""
    texts = ["--lang", "en", *map(str, arguments), "--config", "node.toml"]
    return CliRunner().invoke(main, texts, obj=Session(now=lambda: NOW), env={"DATA": str(data)})


def test_a_backup_touches_nothing_beside_it(data: Path) -> None:
    """Files that come and go, or cannot be opened, beside the folder are no matter to it."""
    (data.parent / "gone").symlink_to(data.parent / "nowhere")
    assert read_manifest(make(data), ME, KEY).member == ME


def test_the_commands_tell_what_they_did(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For people and programs; a refusal has its exit code and leaves no half of anything."""
    monkeypatch.setattr(COMMAND, "_secret", lambda _: KEY)
    monkeypatch.setattr(COMMAND, "checked_config", lambda _: _Config(data))
    made = run(data, "backup", "--out", tmp_path / "b", "--json")
    document = json.loads(made.stdout)
    assert list(document) == described("backup_told")
    assert (document["member"], document["logs"]) == (ME, [{"log": "yrdx/ledger/310000/1", "size": 5}])
    digest = hashlib.sha256((tmp_path / "b/manifest.json").read_bytes()).hexdigest()
    noted = rows(data / DATABASE, "SELECT name, role, officer, lower(hex(digest)) FROM outbox")
    assert noted == [("BACKUP", "administer", "", digest)]
    again = run(data, "backup", "--out", tmp_path / "b")
    assert rows(data / DATABASE, "SELECT count(*) FROM outbox") == [(1,)]
    assert (again.exit_code, "never written over" in again.stderr) == (1, True)
    there = run(data, "restore", tmp_path / "b")
    assert (there.exit_code, "never written over" in there.stderr) == (1, True)
    monkeypatch.setattr(COMMAND, "checked_config", lambda _: _Config(tmp_path / "new"))
    done = run(data, "restore", tmp_path / "b")
    assert (done.exit_code, done.stdout.startswith("IN PLACE: 310000 as of")) == (0, True)
    gone = run(data, "restore", tmp_path / "nowhere")
    assert (gone.exit_code, "manifest.json cannot be read" in gone.stderr) == (2, True)
