"""The journal: one transaction claims, charges, keeps and discloses; bodies are readable under the day's key only."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from stores import DAY, KEY, NOW, code, commit, digest, exchange, opened, question, rows, stored

from gateway.errors import BudgetSpent, NotDurable, Replayed
from gateway.model.signed import Reply
from keys.errors import WeakKey
from nodes.store import Store, StoreUnusable, journal

SCOPE: dict[str, Any] = {"agency": "320000-procurement", "purpose": "procurement", "day": DAY}


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


async def test_a_committed_answer_is_found_again(store: Store) -> None:
    """The id's owner gets the same bytes back on every retry; an id never claimed gives nothing."""
    reply = await commit(store, exchange(1))
    found = [stored(store, number, digest("question", 1)) for number in (1, 2)]
    assert [reply, *found] == [Reply(payload=b"answer 1"), Reply(payload=b"answer 1"), None]


async def test_the_first_reply_stands(store: Store) -> None:
    """A second reply to the same bytes is dropped for the first, and charges nothing."""
    await commit(store, exchange(1))
    second = await commit(store, exchange(1, 1, 2, 3, reply=Reply(payload=b"other")))
    assert (second, store.journal.spent(**SCOPE, subjects=())) == (Reply(payload=b"answer 1"), 1)


async def test_an_id_with_other_bytes_is_a_replay(store: Store) -> None:
    """A question id is bound to one question's bytes, for find and commit alike."""
    await commit(store, exchange(1))
    with pytest.raises(Replayed):
        await commit(store, exchange(1, question_digest=digest("other")))
    with pytest.raises(Replayed):
        stored(store, 1, digest("other"))


@pytest.mark.parametrize("outcome", ["ANSWERED", "REFUSED"])
async def test_a_number_is_of_one_question_of_the_pair(outcome: str, path: Path, store: Store) -> None:
    """Used again under another id it is a replay, years later too: it claims, charges and enters nothing (threat 2)."""
    refused = outcome == "REFUSED"
    first = exchange(1, reply=Reply(payload=b"first", refused=refused))
    await commit(store, first)
    later = {"received_time": NOW + timedelta(days=900), "reply": Reply(payload=b"later", refused=not refused)}
    hidden = exchange(2, question=question(2, sequence=1), **later)
    with pytest.raises(Replayed):
        await commit(store, hidden)
    assert (await commit(store, first)).payload == b"first"
    counted = "SELECT (SELECT count(*) FROM journal), (SELECT count(*) FROM ledger_entry)"
    assert (stored(store, 2), rows(path, counted)) == (None, [(1, 1)])
    await commit(store, exchange(2, question=question(2, sequence=1, asker_member="330000")))


def test_a_number_is_looked_up_through_an_index(path: Path) -> None:
    """A claim costs one seek, however many exchanges there are."""
    opened(path).close()
    with closing(sqlite3.connect(path)) as connection:
        plan = str(connection.execute(f"EXPLAIN QUERY PLAN {journal._KEEP}", (None,) * 17).fetchall())
    assert ("(asker=? AND pair_sequence=?)" in plan, "SCAN journal" in plan) == (True, False)


async def test_a_refusal_is_kept_without_charge(path: Path, store: Store) -> None:
    """A refusal claims its id and is journalled; it discloses nothing and costs nothing."""
    refusal = Reply(payload=b"no", refused=True)
    await commit(store, exchange(1, reply=refusal, reason="NOT_IN_SCOPE", charge_limit=0))
    kept = rows(path, "SELECT outcome, reason, asker, kind FROM journal")
    assert kept == [("REFUSED", "NOT_IN_SCOPE", "320000", "summary")]
    assert stored(store, 1) == refusal
    assert (store.journal.spent(**SCOPE, subjects=()), rows(path, "SELECT * FROM disclosure")) == (0, [])


async def test_unreadable_questions_are_kept_without_a_claim(path: Path, store: Store) -> None:
    """Refusals of bytes that no question could be read from stand side by side."""
    refusal = Reply(payload=b"no", refused=True)
    for _ in range(2):
        await commit(store, exchange(1, question_id=None, question=None, reply=refusal, kind=""))
    assert rows(path, "SELECT question_id, agency FROM journal") == [(None, ""), (None, "")]


async def test_a_budget_counts_distinct_subjects(store: Store) -> None:
    """Asking again about a subject costs nothing; one too many is refused whole and writes nothing."""
    await commit(store, exchange(1, 1, 2, 2, charge_limit=3))
    await commit(store, exchange(2, 2, 1, charge_limit=3))
    with pytest.raises(BudgetSpent):
        await commit(store, exchange(3, 3, 4, charge_limit=3))
    found = stored(store, 3)
    await commit(store, exchange(4, 1, 3, charge_limit=3))
    spent = store.journal.spent(**SCOPE, subjects=(code(3), code(4), code(5), code(5)))
    assert (found, spent) == (None, 5)


async def test_a_budget_is_of_one_agency_purpose_and_day(store: Store) -> None:
    """What one agency spent is not counted for another agency, purpose or day."""
    await commit(store, exchange(1, charge_limit=1))
    others: list[dict[str, Any]] = [{"agency": "other"}, {"purpose": "other"}, {"day": date(2026, 3, 3)}]
    assert [store.journal.spent(**SCOPE | other, subjects=()) for other in others] == [0, 0, 0]


async def test_a_lowered_limit_refuses_new_subjects_only(store: Store) -> None:
    """A subject that was already reached on the day may be asked about even when nothing is left."""
    await commit(store, exchange(1, 1, 2))
    reply = await commit(store, exchange(2, 1, charge_limit=1))
    assert reply == Reply(payload=b"answer 2")


async def test_a_disclosure_names_subject_and_question(path: Path, store: Store) -> None:
    """Who received what about whom is a row that points at its question's with the granted fields."""
    await commit(store, exchange(1, 5, 6))
    joined = """
        SELECT uscc, provision.fields, facts_version
        FROM disclosure JOIN provision USING (entry) JOIN journal USING (question_id) ORDER BY uscc"""
    assert rows(path, joined) == [(code(5), '["penalty.band"]', 1), (code(6), '["penalty.band"]', 1)]


async def test_failing_jobs_do_not_harm_their_group(store: Store) -> None:
    """Of exchanges committed together only those at fault fail."""
    await commit(store, exchange(0))
    wanted = [exchange(0, question_digest=digest("other")), *(exchange(number) for number in range(1, 40))]
    wanted.append(exchange(50, charge_limit=1))
    found = await asyncio.gather(*(commit(store, each) for each in wanted), return_exceptions=True)
    answers = [each.payload for each in found if isinstance(each, Reply)]
    assert answers == [b"answer %d" % number for number in range(1, 40)]
    assert [type(found[0]), type(found[-1])] == [Replayed, BudgetSpent]


async def test_a_caller_that_left_is_not_served(store: Store) -> None:
    """An exchange whose caller gave up before its turn leaves nothing."""
    left = asyncio.create_task(commit(store, exchange(1)))
    await asyncio.sleep(0)
    left.cancel()
    await commit(store, exchange(2))
    assert stored(store, 1) is None


async def test_bodies_are_sealed_on_disk(path: Path, store: Store) -> None:
    """Neither the database nor its log holds a body that can be read without the key."""
    await commit(store, exchange(1, question_bytes=b"PLANTED", reply=Reply(payload=b"PLANTED")))
    files = [each.read_bytes() for each in path.parent.iterdir() if each.is_file()]
    assert [content for content in files if b"PLANTED" in content] == []


async def test_destroying_a_days_key_deletes_its_bodies(path: Path, store: Store) -> None:
    """Without the day's key a claimed id still is claimed, and its reply is gone, even when the day gets a new key."""
    await commit(store, exchange(1))
    rows(path, "DELETE FROM storage_key")
    for _ in range(2):
        with pytest.raises(Replayed):
            stored(store, 1)
        await commit(store, exchange(2))
    assert stored(store, 2) == Reply(payload=b"answer 2")


async def test_another_storage_key_is_refused(path: Path, store: Store) -> None:
    """A database is opened with the key it was made with, and with no key of another size."""
    await commit(store, exchange(1))
    with pytest.raises(StoreUnusable, match="storage key"):
        Store.open(path, b"x" * 32)
    with pytest.raises(WeakKey):
        Store.open(path, b"short")


async def test_exchanges_survive_a_restart(path: Path, store: Store) -> None:
    """What was committed is there after the store is closed and opened again."""
    await commit(store, exchange(1))
    store.close()
    again = opened(path)
    found, spent = stored(again, 1), again.journal.spent(**SCOPE, subjects=())
    again.close()
    assert (found, spent) == (Reply(payload=b"answer 1"), 1)


async def test_a_closed_store_makes_nothing_durable(path: Path) -> None:
    """Waiting jobs are finished by close; later ones are told that they are not durable."""
    store = opened(path)
    waiting = [asyncio.create_task(commit(store, exchange(number))) for number in range(10)]
    await asyncio.sleep(0)
    store.close()
    assert [reply.payload for reply in await asyncio.gather(*waiting)] == [b"answer %d" % n for n in range(10)]
    with pytest.raises(NotDurable):
        await commit(store, exchange(11))
    assert not await store.writable()


@pytest.mark.parametrize("name", ["node.db", "node-facts.db"])
def test_a_newer_schema_is_refused(path: Path, store: Store, name: str) -> None:
    """A database of a newer program is left alone, with a text that says what to do."""
    rows(path.with_name(name), "PRAGMA user_version = 99")
    with pytest.raises(StoreUnusable, match=r"version 99 .* up to \d+; run the newer program"):
        Store.open(path, KEY)


def test_what_is_no_database_is_refused(path: Path) -> None:
    """A file of something else is named as unusable."""
    path.write_bytes(b"no database" * 1_000)
    with pytest.raises(StoreUnusable, match=r"node\.db cannot be opened"):
        Store.open(path, KEY)


def test_database_files_are_private(path: Path, store: Store) -> None:
    """Nobody but the owner may read the database, its log included."""
    assert {each.stat().st_mode & 0o077 for each in path.parent.iterdir() if each.is_file()} == {0}
