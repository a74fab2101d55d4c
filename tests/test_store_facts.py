"""Reads of facts: only what is asked for, of one snapshot, of the current versions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from threading import Thread

import pytest
from stores import DAY, FEED, NOW, PENALTY, code, declared, digest, load, opened, penalty

from gateway.ports import Facts
from nodes.store import Loading, Mode, Store
from nodes.store.tables import COMMON, FACTS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name the database."""
    return tmp_path / "data" / "node.db"


@pytest.fixture
def loading(path: Path) -> Iterator[Loading]:
    """Give a writer of facts with the feed declared."""
    with declared(path) as loading:
        yield loading


@pytest.fixture
def store(path: Path, loading: Loading) -> Iterator[Store]:
    """Give the open store."""
    store = opened(path)
    yield store
    store.close()


def test_an_empty_store_has_version_zero(store: Store) -> None:
    """Before the first load there are no facts and the version is 0."""
    assert store.source.read([code(1)], {"penalty": PENALTY}) == Facts(version=0, rows={})


@pytest.mark.parametrize("subjects", [[code(1)], [code(1), code(2), code(3)]], ids=["one", "many"])
def test_only_the_columns_asked_for_are_read(store: Store, loading: Loading, subjects: list[str]) -> None:
    """A fact holds exactly the requested columns and its digest, and a table not asked for is absent."""
    version = load(loading, penalty(1), penalty(2))
    found = store.source.read(subjects, {"penalty": ("severity",)})
    expected = {
        code(number): {"penalty": [{"severity": "MINOR", "digest": digest("row", number, {})}]}
        for number in (1, 2)
        if code(number) in subjects
    }
    assert found == Facts(version=version, rows=expected)


def test_a_thousand_subjects_are_read_at_once(store: Store, loading: Loading) -> None:
    """A batch of 1,000 subjects gives each its own facts."""
    load(loading, *(penalty(number) for number in range(1_500)))
    found = store.source.read([code(number) for number in range(1_000)], {"penalty": PENALTY, "permit": ()})
    assert sorted(found.rows) == [code(number) for number in range(1_000)]


@pytest.mark.parametrize("columns", [{"nothing": ()}, {"penalty": ("name",)}, {"penalty": ("salt",)}])
def test_an_unlisted_name_is_refused(store: Store, columns: dict[str, tuple[str, ...]]) -> None:
    """Statement text is made of listed names only; the salt of a digest is not among them."""
    with pytest.raises(ValueError, match=r"listed|no such"):
        store.source.read([code(1)], columns)


def test_every_listed_column_can_be_read(store: Store, loading: Loading) -> None:
    """Each table gives all of its own columns."""
    found = store.source.read([code(1)], {table: tuple(columns) for table, columns in FACTS.items()})
    assert found.rows == {}


def test_no_column_could_hold_what_is_raw() -> None:
    """No fact table has a column for names, document numbers, texts or amounts."""
    names = {name for columns in FACTS.values() for name in columns} | set(COMMON)
    raw = ("subject_name", "legal_person", "document", "text", "amount", "id_number", "address", "phone")
    assert [name for name in names if any(word in name for word in raw)] == []


def test_a_correction_replaces_and_a_withdrawal_removes(store: Store, loading: Loading) -> None:
    """A reader sees the latest version of a record, and nothing of one that is withdrawn."""
    load(loading, penalty(1), penalty(2, 1))
    load(loading, penalty(1, severity="SERIOUS"))
    loading.begin(FEED.id, b"file", Mode.DELTA, NOW)
    assert loading.withdraw("penalty", penalty(2)["record_id"])
    version = loading.finish(data_through=DAY)
    found = store.source.read([code(1)], {"penalty": ("severity",)})
    row = {"severity": "SERIOUS", "digest": digest("row", 1, {"severity": "SERIOUS"})}
    assert found == Facts(version=version, rows={code(1): {"penalty": [row]}})


def test_a_load_under_way_is_not_seen(store: Store, loading: Loading) -> None:
    """Reads neither wait for a load nor see anything of it before it has finished."""
    load(loading, penalty(1))
    before = store.source.read([code(1), code(2)], {"penalty": PENALTY})
    loading.begin(FEED.id, b"file", Mode.DELTA, NOW)
    loading.put("penalty", [penalty(1, severity="SERIOUS"), penalty(2)])
    assert store.source.read([code(1), code(2)], {"penalty": PENALTY}) == before


def test_a_read_is_one_snapshot(store: Store, loading: Loading) -> None:
    """While loads commit, version and facts of a read always belong together, over all of its tables."""
    severities = ("SERIOUS", "MINOR")
    first = load(loading, penalty(1, severity=severities[0]))

    def keep_loading() -> None:
        for step in range(1, 60):
            load(loading, penalty(1, severity=severities[step % 2]))

    writer = Thread(target=keep_loading)
    writer.start()
    seen: set[bool] = set()
    while writer.is_alive() or not seen:
        found = store.source.read([code(1)], {"permit": (), "penalty": ("severity",)})
        severity = found.rows[code(1)]["penalty"][0]["severity"]
        seen.add((found.version - first) % 2 == severities.index(severity))
    writer.join()
    assert seen == {True}


def test_a_feed_tells_its_last_load(store: Store, loading: Loading) -> None:
    """Coverage follows the last accepted load: a load of no rows moves the day; gaps last until a snapshot."""
    load(loading, penalty(1), data_through=date(2026, 2, 1), gaps=3)
    first = store.source.feeds()
    load(loading, data_through=DAY)
    second = store.source.feeds()
    load(loading, data_through=DAY, mode=Mode.SNAPSHOT)
    assert (first, second, store.source.feeds()) == (
        (replace(FEED, data_through=date(2026, 2, 1), gaps=3),),
        (replace(FEED, data_through=DAY, gaps=3),),
        (replace(FEED, data_through=DAY, gaps=0),),
    )


def test_a_feed_that_is_no_longer_declared_is_gone(store: Store, loading: Loading) -> None:
    """A declaration is whole: a feed that it leaves out is declared no more, and one without loads has no day."""
    other = replace(FEED, id="310000-tax-permit", record_class="permit")
    loading.declare_feeds([FEED, other])
    both = store.source.feeds()
    loading.declare_feeds([other])
    assert (both, store.source.feeds()) == ((FEED, other), (other,))


def test_a_file_of_the_first_version_gains_tables_and_columns(path: Path) -> None:
    """A file that an older program made keeps its facts and takes the tables and columns that came later."""
    with declared(path) as loading:
        load(loading, penalty(1))
    file = path.with_name("node-facts.db")
    with closing(sqlite3.connect(file)) as connection:
        _make_old(connection)
    store = opened(path)
    found = store.source.read([code(1)], {"penalty": ("decided_on", "escalated")}).rows[code(1)]["penalty"]
    assert [(row["decided_on"] is not None, row["escalated"]) for row in found] == [(True, None)]
    assert store.source.read([code(1)], {"repair": ("outcome",)}).rows == {}
    store.close()
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT sum(held) FROM load").fetchone() == (0,)


def _make_old(connection: sqlite3.Connection) -> None:
    """Give the file the form of the first version: clustered tables, fewer columns, fewer tables."""
    for table in ("repair", "held", "load_count", "inbox", "load_act"):
        connection.execute(f"DROP TABLE {table}")
    old = [name for name in (*COMMON, *FACTS["penalty"]) if name not in {"escalated", "reference"}]
    names = ", ".join(old)
    connection.execute(
        f"CREATE TABLE clustered ({names.replace('version', 'version INTEGER')},"
        " PRIMARY KEY (uscc, record_id, version)) WITHOUT ROWID"
    )
    connection.execute(f"INSERT INTO clustered ({names}) SELECT {names} FROM penalty")
    connection.execute("DROP TABLE penalty")
    connection.execute("ALTER TABLE clustered RENAME TO penalty")
    connection.execute("CREATE UNIQUE INDEX penalty_record ON penalty (record_id, version)")
    for name in ("rows", "unchanged", "out_of_scope", "held", "late", "directory_version"):
        connection.execute(f"ALTER TABLE load DROP COLUMN {name}")
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
