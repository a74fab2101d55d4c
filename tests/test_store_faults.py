"""What befalls a node: kills in the middle, full disks, several processes on one database."""

from __future__ import annotations

import asyncio
import fcntl
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from stores import DAY, FEED, NOW, PENALTY, code, commit, declared, exchange, load, opened, penalty, stored

from gateway.errors import BudgetSpent, NotDurable
from gateway.model.signed import Reply
from nodes.store import Mode, Store
from nodes.store.connections import make_private
from nodes.store.facts import FactSource
from nodes.store.schema import facts_path, prepare_exchange

ROOT = Path(__file__).resolve().parent.parent
IMPORTS = os.pathsep.join(str(each) for each in (ROOT, ROOT / "proto", ROOT / "tests"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name the database, made by this process."""
    path = tmp_path / "node.db"
    declared(path).close()
    opened(path).close()
    return path


@contextmanager
def victim(name: str, path: Path, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run a function of this module in a process of its own, until it says that it is ready."""
    call = f"import test_store_faults as t; t.{name}(*__import__('sys').argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-c", call, str(path), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": IMPORTS},
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def tell(*words: object) -> None:
    """Send a line to the test."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def ready() -> None:
    """Tell the test that everything is set up, and wait for its word."""
    tell("ready")
    sys.stdin.readline()


def outputs(*processes: subprocess.Popen[str]) -> list[list[str]]:
    """Let the processes go at once and collect their lines."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return [process.communicate(timeout=60)[0].split() for process in processes]


def load_without_end(path: str) -> None:
    """Put rows, most of them spilled into the log already, and never finish."""
    loading = declared(Path(path))
    loading._connection.execute("PRAGMA cache_size = 10")
    loading.begin(FEED.id, b"file", Mode.DELTA, NOW)
    loading.put("penalty", (penalty(number) for number in range(5_000)))
    ready()


def test_a_kill_in_the_middle_of_a_load_leaves_nothing(path: Path) -> None:
    """After kill -9 nothing of the file is there, and loading it again accepts every row."""
    with victim("load_without_end", path) as process:
        written = facts_path(path).with_name("node-facts.db-wal").stat().st_size
        process.send_signal(signal.SIGKILL)
        process.wait()
    source = FactSource(facts_path(path))
    before = source.read([code(1)], {"penalty": PENALTY})
    with declared(path) as loading:
        version = load(loading, *(penalty(number) for number in range(5_000)))
    after = source.read([code(1)], {"penalty": PENALTY})
    source.close()
    assert (written > 1_000_000, before.version, before.rows, version, after.version) == (True, 0, {}, 1, 1)
    assert len(after.rows[code(1)]["penalty"]) == 1


def commit_then_die(path: str) -> None:
    """Die in the transaction of a group: two exchanges are written, the commit is not reached."""

    async def run() -> None:
        store = opened(Path(path))
        await commit(store, exchange(1))
        ready()
        hold = store._commits.run(lambda _: time.sleep(0.3))
        group = [commit(store, exchange(number)) for number in (2, 3)]
        await asyncio.gather(hold, *group, store._commits.run(lambda _: os.kill(os.getpid(), signal.SIGKILL)))

    asyncio.run(run())


async def test_a_kill_in_the_middle_of_a_group_leaves_nothing_of_it(path: Path) -> None:
    """After kill -9 in a commit group the earlier exchange stands, the group left no trace, and a retry works."""
    with victim("commit_then_die", path) as process:
        outputs(process)
    store = opened(path)
    found = [stored(store, number) for number in (1, 2, 3)]
    spent = [kept_in(path, table) for table in ("journal", "disclosure")]
    retried = await commit(store, exchange(2))
    store.close()
    assert (found, spent, retried) == ([Reply(payload=b"answer 1"), None, None], [1, 1], Reply(payload=b"answer 2"))


def kept_in(path: Path, table: str) -> int:
    """Count the rows of a table."""
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    finally:
        connection.close()


def commit_without_end(path: str) -> None:
    """Commit many exchanges at a time and tell each one that is durable."""

    async def one(store: Store, number: int) -> None:
        await commit(store, exchange(number, number, number + 1, charge_limit=10**9))
        tell(number)

    async def run() -> None:
        store = opened(Path(path))
        ready()
        for start in range(0, 10**9, 20):
            await asyncio.gather(*(one(store, number) for number in range(start, start + 20)))

    asyncio.run(run())


def test_what_was_told_durable_survives_a_kill(path: Path) -> None:
    """After kill -9 at any moment every acknowledged exchange is there, and charges equal disclosures."""
    with victim("commit_without_end", path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        told = [int(process.stdout.readline()) for _ in range(150)]
        process.send_signal(signal.SIGKILL)
        told += [int(line) for line in process.stdout if line.endswith("\n")]
    store = opened(path)
    found = [stored(store, number) for number in told]
    store.close()
    connection = sqlite3.connect(path)
    charged = connection.execute("SELECT spent FROM budget").fetchone()
    disclosed = connection.execute("SELECT count(DISTINCT uscc) FROM disclosure").fetchone()
    halves = connection.execute(
        "SELECT count(*) FROM journal WHERE entry NOT IN (SELECT entry FROM disclosure)"
    ).fetchone()
    connection.close()
    assert found == [Reply(payload=b"answer %d" % number) for number in told]
    assert (charged, halves) == (disclosed, (0,))


def commit_the_same(path: str, name: str) -> None:
    """Answer the same question ids as another process, in one's own words, and print what one may send."""

    async def run() -> None:
        store = opened(Path(path))
        ready()
        for number in range(60):
            own = Reply(payload=f"{name}-{number}".encode())
            tell((await commit(store, exchange(number, reply=own))).payload.decode())
        store.close()

    asyncio.run(run())


def test_the_loser_of_a_race_sends_the_winners_reply(path: Path) -> None:
    """Two processes that answer the same questions at once send the same bytes for each."""
    with victim("commit_the_same", path, "a") as first, victim("commit_the_same", path, "b") as second:
        sent = outputs(first, second)
    assert sent[0] == sent[1]
    assert [each.partition("-")[2] for each in sent[0]] == [str(number) for number in range(60)]


def spend(path: str, start: str) -> None:
    """Ask about 40 subjects, one a question, under a limit that two processes share."""

    async def one(store: Store, number: int) -> str:
        try:
            await commit(store, exchange(number, charge_limit=50))
        except BudgetSpent:
            return "spent"
        return "answered"

    async def run() -> None:
        store = opened(Path(path))
        ready()
        numbers = range(int(start), int(start) + 40)
        tell(*await asyncio.gather(*(one(store, number) for number in numbers)))
        store.close()

    asyncio.run(run())


def test_processes_share_one_budget(path: Path) -> None:
    """Two processes never pass the limit of an agency, purpose and day between them, and use it up."""
    with victim("spend", path, 0) as first, victim("spend", path, 100) as second:
        ended = [word for lines in outputs(first, second) for word in lines]
    store = opened(path)
    spent = store.journal.spent(agency="320000-procurement", purpose="procurement", day=DAY, subjects=())
    store.close()
    assert (ended.count("answered"), ended.count("spent"), spent) == (50, 30, 50)


@contextmanager
def full_disk() -> Iterator[None]:
    """Let no file of this process grow, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def commit_on_full_disk(path: str) -> None:
    """Commit on a full disk and after it, and print how each ended."""

    async def attempt(store: Store, number: int) -> str:
        try:
            return (await commit(store, exchange(number))).payload.decode().replace(" ", "-")
        except NotDurable:
            return "not-durable"

    async def run() -> list[Any]:
        store = opened(Path(path))
        ready()
        ended: list[Any] = [await attempt(store, 1)]
        with full_disk():
            ended += await asyncio.gather(*(attempt(store, number) for number in (2, 3)))
            ended.append(await store.writable())
            kept = stored(store, 1)
            ended.append("" if kept is None else kept.payload.decode().replace(" ", "-"))
        ended += [await store.writable(), await attempt(store, 2)]
        store.close()
        return ended

    tell(*asyncio.run(run()))


def test_a_full_disk_makes_nothing_durable_and_passes(path: Path) -> None:
    """On a full disk commits fail as not durable, reads go on, and with space again the same store serves."""
    with victim("commit_on_full_disk", path) as process:
        (ended,) = outputs(process)
    expected = ["answer-1", "not-durable", "not-durable", "False", "answer-1", "True", "answer-2"]
    assert ended == expected


def load_on_full_disk(path: str) -> None:
    """Load on a full disk and after it, and print how each ended."""
    loading = declared(Path(path))
    ready()
    rows = [penalty(number) for number in range(2_000)]
    try:
        with full_disk():
            load(loading, *rows)
    except NotDurable:
        tell("not-durable")
    tell(load(loading, *rows), loading._connection.in_transaction)


def test_a_load_on_a_full_disk_is_undone_and_can_be_repeated(path: Path) -> None:
    """A load that the disk cannot take leaves nothing; the same object loads the file once there is space."""
    with victim("load_on_full_disk", path) as process:
        (ended,) = outputs(process)
    source = FactSource(facts_path(path))
    found = source.read([code(7)], {"penalty": ("version",)})
    source.close()
    assert ended == ["not-durable", "1", "False"]
    assert [row["version"] for row in found.rows[code(7)]["penalty"]] == [1]


async def test_a_lock_held_too_long_is_not_durable(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When another process keeps the file locked the commit fails in time, and works when the lock is gone."""
    monkeypatch.setattr("nodes.store.commits._WAIT_SECONDS", 0.05)
    store = opened(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(NotDurable):
        await commit(store, exchange(1))
    other.execute("ROLLBACK")
    other.close()
    reply = await commit(store, exchange(1))
    store.close()
    assert reply == Reply(payload=b"answer 1")


async def test_exchanges_go_on_while_a_file_is_loaded(path: Path) -> None:
    """A load of any length keeps no answer from becoming durable."""
    store = opened(path)
    with store.loading() as loading:
        loading.begin(FEED.id, b"file", Mode.DELTA, NOW)
        loading.put("penalty", [penalty(1)])
        reply = await commit(store, exchange(1))
    store.close()
    assert reply == Reply(payload=b"answer 1")


async def test_a_broken_connection_is_replaced(path: Path) -> None:
    """A writer whose connection is gone fails the group at hand and opens another for the next."""
    store = opened(path)
    assert store._commits._connection is not None
    store._commits._connection.close()
    ended = await asyncio.gather(commit(store, exchange(1)), return_exceptions=True)
    reply = await commit(store, exchange(1))
    store.close()
    assert ([type(each) for each in ended], reply) == ([NotDurable], Reply(payload=b"answer 1"))


def test_preparing_a_file_that_is_open_drops_no_lock(tmp_path: Path) -> None:
    """A node prepares what it has open: another process must not find the file free and take its log away."""
    path = tmp_path / "node.db"
    prepare_exchange(path)
    with path.open("r+b") as held:
        fcntl.lockf(held, fcntl.LOCK_EX)
        make_private(path)
        tries = f"import fcntl; fcntl.lockf(open({str(path)!r}, 'r+b'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
        found = subprocess.run([sys.executable, "-c", tries], capture_output=True, check=False)
        assert b"BlockingIOError" in found.stderr
