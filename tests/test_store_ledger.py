"""The ledger in the exchange's own transactions: what is told durable is entered, proven and in one history."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest
from stores import KEY, LOGGER, NOW, SCRIBE, digest, exchange, identity, opened, question, rows, signed

from gateway import wire
from gateway.errors import BudgetSpent, NotDurable
from gateway.ledger import events, logs, receipts, tiles, tree
from gateway.ledger.checkpoint import open_checkpoint
from gateway.ledger.note import NoteKey
from gateway.ledger.receipts import Logged
from gateway.model.codes import LedgerEventKind
from gateway.model.ledger import LedgerEvent, LedgerPrivate
from gateway.model.signed import Reply
from gateway.ports import Closing, Kept
from keys.errors import KeyNotValid
from nodes.ledger import Examined, verify
from nodes.store import Scribe, Store
from nodes.store.ledger_reading import LedgerFile

ORIGIN = logs.origin("310000", 1)
K = LedgerEventKind


def find(name: str) -> tuple[NoteKey, ...]:
    """Give the tests' key for the tests' log."""
    return (NoteKey(name=ORIGIN, key=LOGGER.public_key()),) if name == ORIGIN else ()


def examined(path: Path) -> Examined:
    """Verify the one log of a database."""
    (found,) = verify(path, partial(open_checkpoint, find=find))
    return found


def wounds(path: Path) -> list[tuple[str, int | None, int | None]]:
    """Name what is wrong with it."""
    return [(each.damage, each.first, each.last) for each in examined(path).findings]


def proven(kept: Kept, number: int, kind: LedgerEventKind = K.ANSWERED) -> Logged:
    """Verify a receipt as the asker does."""
    assert kept.receipt is not None
    shared = events.shared_bytes(kind, question(number).header, digest("question", number), digest("answer", number))
    return receipts.verify(kept.receipt, shared, find)


def entered(path: Path) -> list[tuple[LedgerEventKind, int, str]]:
    """Read kind and number of every entry, and what its private part says was done."""
    found = []
    for shared, private in rows(path, "SELECT shared, private FROM ledger_entry ORDER BY seq"):
        event = wire.decode(LedgerEvent, shared)
        found.append((event.kind, event.pair_sequence, wire.decode(LedgerPrivate, private).act))
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name the database."""
    return tmp_path / "node.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """Give the open store."""
    store = opened(path)
    yield store
    store.close()


async def test_a_group_is_entered_under_one_head(path: Path, store: Store) -> None:
    """Answers that become durable together have the places of one tree, and each receipt proves its own."""
    kept = await asyncio.gather(*(store.journal.commit(exchange(number, charge_limit=10**9)) for number in range(300)))
    found = [proven(each, number) for number, each in enumerate(kept)]
    assert [each.index for each in found] == list(range(300))
    heads = {each.checkpoint.head.size for each in found}
    assert (len(heads) < 10, max(heads)) == (True, 300)
    assert examined(path) == Examined(log=1, origin=ORIGIN, size=300, findings=())


async def test_a_retry_is_proven_under_the_head_of_now(path: Path, store: Store) -> None:
    """The stored reply is the same; its receipt leads to the head as it is now, in this process or another."""
    first = await store.journal.commit(exchange(1))
    for number in range(2, 9):
        await store.journal.commit(exchange(number))
    other = opened(path)
    again = [each.journal.find(identity(1), digest("question", 1)) for each in (store, other)]
    raced = await other.journal.commit(exchange(1))
    other.close()
    for each in (*again, raced):
        assert each is not None
        assert (each.reply, proven(each, 1).index, proven(each, 1).checkpoint.head.size) == (first.reply, 0, 8)


async def test_only_genuine_questions_are_entered(path: Path, store: Store) -> None:
    """A refusal of a genuine question has an entry and no receipt; what could not be read has neither."""
    refusal = Reply(payload=b"no", refused=True)
    kept = await store.journal.commit(exchange(1, reply=refusal, reason="NOT_IN_SCOPE", charge_limit=0))
    strange = await store.journal.commit(exchange(2, question_id=None, question=None, reply=refusal, kind=""))
    assert (kept, strange) == (Kept(reply=refusal), Kept(reply=refusal))
    assert entered(path) == [(K.REFUSED, 1, "NOT_IN_SCOPE")]
    assert rows(path, "SELECT entry FROM journal ORDER BY seq") == [(1,), (None,)]


async def test_an_undone_job_has_no_entry(path: Path, store: Store) -> None:
    """Of a group in which some fail, the others stand side by side in the tree."""
    wanted = [exchange(number, charge_limit=10**9 if number % 2 else 0) for number in range(20)]
    ended = await asyncio.gather(*(store.journal.commit(each) for each in wanted), return_exceptions=True)
    assert [type(each) for each in ended] == [Kept if number % 2 else BudgetSpent for number in range(20)]
    numbers = count(1)

    def fails(member: str, number: int) -> Any:
        if next(numbers) == 2:
            raise RuntimeError("no key")
        return signed(number, number)

    with pytest.raises(RuntimeError, match="no key"):
        await store.asker.open(("320000", "330000"), fails)
    assert (examined(path).size, wounds(path)) == (10, [])


async def test_the_log_begins_with_its_first_entry(path: Path, store: Store) -> None:
    """Where the very first job is undone there is no log yet; later the first entry has place 0."""

    def fails(member: str, number: int) -> Any:
        if member == "330000":
            raise RuntimeError("no key")
        return signed(1, number)

    with pytest.raises(RuntimeError, match="no key"):
        await store.asker.open(("320000", "330000"), fails)
    assert (rows(path, "SELECT * FROM ledger_log"), verify(path, partial(open_checkpoint, find=find))) == ([], ())
    assert proven(await store.journal.commit(exchange(1)), 1).index == 0


async def test_what_was_asked_and_how_it_ended_is_entered(path: Path, store: Store) -> None:
    """ASKED stands before a question can leave; ACCEPTED, REFUSED or FAILED with the result; VOID at last."""
    asked = await store.asker.open(("320000",), lambda _, number: signed(1, number))
    assert entered(path) == [(K.ASKED, 1, "")]
    more = await store.asker.open(("330000", "340000", "310000"), lambda member, number: signed(int(member), number))
    outcomes = (("ANSWERED", ""), ("REFUSED", "EXPIRED"), ("VOID", "no receipt"))
    closings = tuple(
        Closing(
            question_id=each.question.header.question_id, outcome=outcome, reason=reason, digest=digest("reply"),
            reply=Reply(payload=b"reply"),
        )
        for each, (outcome, reason) in zip((*asked, *more), outcomes, strict=False)
    )  # fmt: skip
    await store.asker.conclude(
        closings,
        agency="a",
        case_reference="",
        purpose="procurement",
        application_item="",
        result=b"r",
        result_digest=digest("result"),
        issued=(),
        now=NOW,
    )
    await store.asker.void_unfinished(NOW.replace(year=2027), NOW)
    assert [(kind, act) for kind, _, act in entered(path)[4:]] == [
        (K.ACCEPTED, ""), (K.REFUSED, "EXPIRED"), (K.FAILED, "no receipt"), (K.CONCLUDED, ""), (K.VOID, ""),
    ]  # fmt: skip
    linked = rows(path, "SELECT asked_entry, closed_entry FROM sent ORDER BY asked_entry")
    assert (linked, wounds(path)) == ([(1, 5), (2, 6), (3, 7), (4, 9)], [])


async def test_the_private_part_names_no_case_and_no_subject(path: Path, store: Store) -> None:
    """A case is in the private part as a keyed digest; no entry holds a code, not even its digest."""
    await store.journal.commit(exchange(1))
    ((data, shared, private),) = rows(path, "SELECT data, shared, private FROM ledger_entry")
    told = wire.decode(LedgerPrivate, private)
    assert (told.agency, told.officer, len(told.case_digest)) == ("320000-procurement", "320000-procurement/zhou", 32)
    assert not any(mark in each for each in (data, shared, private) for mark in (b"9131", b"case-1"))


async def test_two_workers_write_one_history(path: Path) -> None:
    """Stores that take turns on one file make one log: every place once, every receipt good, one head."""
    stores = [opened(path) for _ in range(2)]
    kept = await asyncio.gather(*(stores[number % 2].journal.commit(exchange(number)) for number in range(120)))
    assert sorted(proven(each, number).index for number, each in enumerate(kept)) == list(range(120))
    for each in stores:
        each.close()
    assert (examined(path).size, wounds(path)) == (120, [])


async def test_a_commit_that_fails_leaves_neither_entry_nor_head(path: Path, store: Store) -> None:
    """What was signed for a group that never became durable is seen by nobody; the next group takes its places."""
    await store.journal.commit(exchange(1))
    commits: Any = store._commits
    held, commits._connection = commits._connection, _NoCommit(commits._connection)
    with pytest.raises(NotDurable):
        await store.journal.commit(exchange(2))
    assert (examined(path).size, len(entered(path))) == (1, 1)
    commits._connection = held
    assert proven(await store.journal.commit(exchange(3)), 3).index == 1
    assert wounds(path) == []


class _NoCommit:
    """A connection whose disk is full at every COMMIT."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def execute(self, statement: str, *values: Any) -> Any:
        if statement == "COMMIT":
            raise sqlite3.OperationalError("database or disk is full")
        return self._connection.execute(statement, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def _no_key() -> Any:
    raise KeyNotValid("none")


async def test_without_a_ledger_key_nothing_is_exchanged(path: Path) -> None:
    """Neither answered nor asked: other work of the store goes on, beside it in one group, too."""
    for scribe, why in ((None, "without its ledger"), (replace(SCRIBE, signer=_no_key), "no ledger key")):
        store = Store.open(path, KEY, scribe)
        ended = await asyncio.gather(store.writable(), store.journal.commit(exchange(1)), return_exceptions=True)
        assert (ended[0], isinstance(ended[1], NotDurable), why in str(ended[1])) == (True, True, True)
        with pytest.raises(NotDurable, match=why):
            await store.asker.open(("320000",), lambda _, number: signed(1, number))
        store.close()
    assert entered(path) == []


async def test_a_key_that_fails_at_the_signature_fails_its_group(path: Path, store: Store) -> None:
    """A token that is pulled out between check and signature leaves nothing behind."""

    def pulled(_: bytes) -> bytes:
        raise KeyNotValid("gone")

    broken = Store.open(path, KEY, Scribe(member="310000", signer=lambda: replace(LOGGER, _sign=pulled)))
    with pytest.raises(NotDurable):
        await broken.journal.commit(exchange(1))
    broken.close()
    assert (entered(path), proven(await store.journal.commit(exchange(1)), 1).index) == ([], 0)


# Threat 7: an insider who edits the ledger

ANEW = "-- tiles made anew"
OLDER = "UPDATE ledger_head SET (size, checkpoint) = (SELECT size, checkpoint FROM cosigned_head WHERE size = 200);"
CUT = f"{OLDER} DELETE FROM ledger_entry WHERE seq > 200;"
EDIT = "UPDATE ledger_entry SET data = zeroblob(64) WHERE seq = 251;"
SEEN = """
    INSERT INTO seen_head SELECT origin, log, size, checkpoint, 0, '320000', '' FROM cosigned_head
    JOIN ledger_log ON number = log WHERE size = 300;"""
WIPED = "".join(f"DELETE FROM ledger_{each};" for each in ("entry", "tile", "head", "log"))
UNSEEN = "DELETE FROM cosigned_head;"

REPLACED = "replace(CAST(checkpoint AS TEXT), char(10) || '310', char(10) || '309')"
COLUMNS = "data, shared_salt, shared, private_salt, private"
WOUNDS: dict[str, tuple[str, list[tuple[str, int | None, int | None]]]] = {
    "an edited entry": ("UPDATE ledger_entry SET data = zeroblob(64) WHERE seq = 301", [("EDITED", 300, 300)]),
    "an edited event": ("UPDATE ledger_entry SET shared = x'0801' WHERE seq = 12", [("OPENING", 11, 11)]),
    "an edited private part": ("UPDATE ledger_entry SET private = x'' WHERE seq = 12", [("OPENING", 11, 11)]),
    "a deleted entry": ("DELETE FROM ledger_entry WHERE seq = 7", [("DELETED", 6, 6)]),
    "a truncated ledger": ("DELETE FROM ledger_entry WHERE seq > 298", [("TRUNCATED", 298, 309)]),
    "two that changed places": (
        "UPDATE ledger_entry SET seq = seq - 11 WHERE seq IN (5, 6); UPDATE ledger_entry SET seq = -seq WHERE seq < 0",
        [("REORDERED", 5, 5)],
    ),
    "an entry that was put in": (
        f"INSERT INTO ledger_entry SELECT 311, {COLUMNS} FROM ledger_entry WHERE seq = 1",
        [("UNSIGNED", 310, 310)],
    ),
    "a forged checkpoint": (
        f"UPDATE ledger_head SET checkpoint = CAST({REPLACED} AS BLOB)",
        [("HEAD", None, None)],
    ),
    "a head that is gone": ("DELETE FROM ledger_head", [("HEAD", None, None), ("UNSIGNED", 300, 309)]),
    "a head that is gone where none was witnessed": ("DELETE FROM ledger_head;" + UNSEEN, [("HEAD", None, None)]),
    "a shrunken head": ("UPDATE ledger_head SET size = 256", [("HEAD", None, None), ("UNSIGNED", 256, 309)]),
    "an edited tile": (
        "UPDATE ledger_tile SET hashes = zeroblob(8192) WHERE level = 0 AND place = 0", [("TILE", 0, 255)],
    ),
    "a tile that is gone": ("DELETE FROM ledger_tile WHERE level = 0 AND place = 1", [("TILE", None, None)]),
    "all put back to an older head": (CUT + ANEW, [("TRUNCATED", 200, 309)]),
    "all but tiles put back, witnessed heads gone": (CUT + UNSEEN, [("TRUNCATED", 200, 309)]),
    "all put back, and exchanges gone": (CUT + "DELETE FROM journal;" + ANEW, [("TRUNCATED", 200, 299)]),
    "all put back but what another saw": (
        CUT + "DELETE FROM journal;" + SEEN + UNSEEN + ANEW, [("TRUNCATED", 200, 299)],
    ),
    "the head alone put back": (OLDER, [("HEAD", None, None), ("UNSIGNED", 200, 309)]),
    "an edited entry under tiles made anew": (EDIT + ANEW, [("FORKED", 200, 299), ("OPENING", 250, 250)]),
    "an edited entry under a forged head": (
        f"{EDIT} UPDATE ledger_head SET checkpoint = CAST({REPLACED} AS BLOB); {ANEW}",
        [("HEAD", None, None), ("FORKED", 200, 299), ("OPENING", 250, 250)],
    ),
    "the whole ledger wiped": (WIPED, [("HEAD", None, None), ("TRUNCATED", 0, 299), ("TRUNCATED", 300, 309)]),
    "all wiped, witnessed heads too": (WIPED + UNSEEN, [("HEAD", None, None), ("TRUNCATED", 0, 309)]),
    "all wiped, exchanges too": (
        WIPED + "DELETE FROM journal", [("HEAD", None, None), ("TRUNCATED", 0, 299)],
    ),
    "a log that is gone": ("DELETE FROM ledger_log", [("HEAD", None, None), ("UNSIGNED", 300, 309)]),
}  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a sound database of 310 entries, with witnessed heads of 100, 200 and 300."""
    path = tmp_path_factory.mktemp("ledger") / "node.db"

    async def fill() -> None:
        store = opened(path)
        for first, last in ((0, 100), (100, 200), (200, 300), (300, 310)):
            wanted = (exchange(number, charge_limit=10**9) for number in range(first, last))
            await asyncio.gather(*map(store.journal.commit, wanted))
            if last < 310:
                rows(path, "INSERT INTO cosigned_head SELECT log, size, checkpoint, '' FROM ledger_head")
        store.close()

    asyncio.run(fill())
    assert wounds(path) == []
    return path


@contextmanager
def wounded(whole: Path, path: Path, script: str) -> Iterator[Path]:
    """Copy a database and change it from outside, as an operator could."""
    path.write_bytes(whole.read_bytes())
    connection = sqlite3.connect(path)
    connection.executescript(script)
    if script.endswith(ANEW):
        data = [found for (found,) in connection.execute("SELECT data FROM ledger_entry ORDER BY seq")]
        grown = tiles.append(0, [tree.leaf_hash(each) for each in data], lambda _: [])
        connection.execute("DELETE FROM ledger_tile")
        made = [(each.level, each.place, hashes) for each, hashes in grown.tiles.items()]
        connection.executemany("INSERT INTO ledger_tile VALUES (1, ?, ?, ?)", made)
        connection.commit()
    connection.close()
    yield path


@pytest.mark.parametrize("name", WOUNDS)
def test_the_verifier_names_the_entry_and_the_damage(name: str, whole: Path, path: Path) -> None:
    """Whatever is changed, in one row or in many, the verifier says which entry and what was done to it."""
    script, expected = WOUNDS[name]
    with wounded(whole, path, script):
        assert wounds(path) == expected


@pytest.mark.parametrize(
    "name",
    ["a truncated ledger", "a forged checkpoint", "a head that is gone", "an edited edge", "a tile that is gone"],
)
async def test_a_ledger_that_was_tampered_with_signs_nothing_more(name: str, whole: Path, path: Path) -> None:
    """A node does not sign a tree that does not grow out of its last head: exchanges stop, nothing forks."""
    edge = "UPDATE ledger_tile SET hashes = zeroblob(length(hashes)) WHERE level = 0 AND place = 1"
    with wounded(whole, path, edge if name == "an edited edge" else WOUNDS[name][0]):
        store = opened(path)
        before = rows(path, "SELECT * FROM ledger_head")
        ended = await asyncio.gather(store.journal.commit(exchange(1_000, charge_limit=10**9)), return_exceptions=True)
        store.close()
        if name == "a truncated ledger":  # the tree itself is whole: the hole stays where it is
            assert isinstance(ended[0], Kept)
            assert wounds(path) == [("DELETED", 298, 309)]
        else:
            assert ([type(each) for each in ended], rows(path, "SELECT * FROM ledger_head")) == ([NotDurable], before)


def test_of_many_witnessed_heads_some_are_taken(whole: Path, path: Path) -> None:
    """The newest and some between, however many there are; one that no key opens says nothing."""
    many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900)"
    with wounded(whole, path, f"{many} INSERT OR IGNORE INTO cosigned_head SELECT 1, i, CAST(i AS BLOB), '' FROM n"):
        assert wounds(path) == []
        with LedgerFile.open(path) as file:
            found = [int(each) for each in file.witnessed(file.logs()[0], 64) if each.isdigit()]
    assert (len(found), found[-1], max(b - a for a, b in pairwise(found))) == (64, 900, 15)


async def test_a_retry_from_a_damaged_ledger_is_not_durable(whole: Path, path: Path) -> None:
    """Where no receipt can be made the stored answer does not leave."""
    for script in ("DELETE FROM ledger_head", "DELETE FROM ledger_tile WHERE level = 0 AND place = 1"):
        with wounded(whole, path, script):
            store = opened(path)
            with pytest.raises(NotDurable, match="yrdx ledger verify"):
                store.journal.find(identity(5), digest("question", 5))
            store.close()


async def test_an_answer_from_before_the_ledger_has_no_receipt(path: Path, store: Store) -> None:
    """What an older program answered is given again as it was, and its asker's retry ends there."""
    await store.journal.commit(exchange(1))
    rows(path, "UPDATE journal SET entry = NULL")
    assert store.journal.find(identity(1), digest("question", 1)) == Kept(reply=Reply(payload=b"answer 1"))


def test_progress_is_told(whole: Path) -> None:
    """How many entries have passed is told, at last all."""
    told: list[int] = []
    verify(whole, partial(open_checkpoint, find=find), told.append)
    assert told[-1] == 310
