"""Ten years of disclosures cost what one month costs: read by subject, written and counted through an index alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from stores import code, commit, exchange, opened

from nodes.store import Store, disclosing, disclosures, retention

SUBJECTS, MONTHS = 400, 120
# Every subject is disclosed once a month, under one question a month.
FILL = f"""
    WITH RECURSIVE month (at) AS (VALUES (0) UNION ALL SELECT at + 1 FROM month WHERE at < {MONTHS - 1})
    INSERT INTO provision
    SELECT at - {MONTHS}, 'ANSWERED', printf('%d-%02d-15T00:00:00.000000Z', 2016 + (at + 2) / 12, (at + 2) % 12 + 1),
           printf('%d-%02d-15', 2016 + (at + 2) / 12, (at + 2) % 12 + 1), '320000', 'a', 'o', 'p', 'i', 'summary', '[]',
           'ANSWERED', x'' FROM month"""
ROWS = """
    WITH RECURSIVE subject (at) AS (VALUES (0) UNION ALL SELECT at + 1 FROM subject WHERE at < ? - 1)
    INSERT INTO disclosure
    SELECT substr(day, 1, 7), printf('9131%014d', at), 1, 1, entry, NULL FROM provision, subject"""


def years(path: Path, subjects: int) -> None:
    """Fill ten years up to the month of these tests."""
    opened(path).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(FILL)
        connection.execute(ROWS, (subjects,))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Give a store with ten years behind it."""
    years(tmp_path / "node.db", SUBJECTS)
    store = opened(tmp_path / "node.db")
    yield store
    store.close()


STATEMENTS: dict[str, tuple[str, Any]] = {
    "of a subject": (disclosures._OF_SUBJECT, ("[]", "", "", "")),
    "receivers": (disclosures._RECEIVERS, ("[]", "", "", "")),
    "spent": (disclosing._BUDGET, ("", "", "")),
    "fresh": (disclosing._FRESH, {"budget": 1, "subjects": "[]"}),
    "next of one": (disclosing._NEXT_ONE, ("", "")),
    "next": (disclosing._NEXT, {"month": "", "subjects": "[]"}),
    "ended": (disclosing._END, ("", "", 1)),
    "oldest month": (retention._MONTH, ()),
    "old budgets": (retention._OLD_CHARGES, {"rows": 1, "before": ""}),
    "key": ("SELECT wrapped_key FROM storage_key WHERE day = ? AND scope = ? AND destroyed IS NULL", ("", "")),
    "due": (retention._DUE, ("", "", 1)),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_statement_walks_through_a_table(name: str, store: Store) -> None:
    """Whatever a question or the daily round does is searched for; lists handed in are all that is scanned."""
    statement, values = STATEMENTS[name]
    plan = [row[3] for row in store._reader.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
    assert [step for step in plan if step.startswith("SCAN") and "VIRTUAL TABLE" not in step] == []
    assert any(step.startswith("SEARCH") for step in plan)


def steps(store: Store, subject: int, first: date, last: date) -> tuple[int, int]:
    """Count the rows found, and the steps of SQLite's machine in hundreds."""
    counted = [0]

    def step() -> int:
        counted[0] += 1
        return 0

    store._reader.set_progress_handler(step, 100)
    found = len(store.disclosures.of_subject(code(subject), first, last))
    store._reader.set_progress_handler(None, 0)
    return found, counted[0]


def test_reading_costs_by_the_months_that_are_read(store: Store, tmp_path: Path) -> None:
    """Ten years of one subject take as many steps with few other subjects as with many; one month a hundredth."""
    years(tmp_path / "few.db", 2)
    few = opened(tmp_path / "few.db")
    whole, month = (date(2016, 1, 1), date(2026, 12, 31)), (date(2020, 5, 1), date(2020, 5, 31))
    found = [steps(each, 1, *span) for each in (few, store) for span in (whole, month)]
    few.close()
    assert [rows for rows, _ in found] == [MONTHS, 1, MONTHS, 1]
    assert found[0][1] == found[2][1] < 200
    assert found[1][1] == found[3][1] <= 3


def frames(path: Path) -> int:
    """Count the pages that the database's log holds."""
    return max(0, path.with_name("node.db-wal").stat().st_size - 32) // (4096 + 24)


async def test_writing_touches_this_months_pages(store: Store, tmp_path: Path) -> None:
    """An exchange about a hundred subjects writes hardly more pages after ten years than into an empty database."""
    (tmp_path / "new").mkdir()
    new = opened(tmp_path / "new" / "node.db")
    written = []
    for each, path in ((new, tmp_path / "new" / "node.db"), (store, tmp_path / "node.db")):
        await commit(each, exchange(1, *range(100)))
        assert each.retention.scrub()
        before = frames(path)
        await commit(each, exchange(2, *range(100, 200)))
        written.append(frames(path) - before)
    new.close()
    assert 0 < written[0] <= written[1] <= written[0] + 10
