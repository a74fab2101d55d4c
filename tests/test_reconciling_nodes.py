"""Running nodes compare their ledgers over gRPC, a day after: what was removed by hand from one of them is named."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from callers import (
    Caller,
    agency_leaf,
    ask_desk,
    codes,
    directory_taken,
    health,
    intent_request,
    rows,
    shift,
    shift_of,
    small_lab,
    summary,
    until,
)

from nodes.config import DATABASE
from nodes.health import HEALTH
from nodes.lab import Lab
from nodes.reconciling import SERVICE

pytestmark = pytest.mark.net
ASKER, ANSWERER, OFFICER = "310000", "320000", "310118-market/o1"
PAIR = (ASKER, ANSWERER)
DAY_SECONDS = 86_400


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    """Two members whose time the test moves."""
    found = small_lab(tmp_path, ASKER, ANSWERER, shifted=True)
    try:
        found.start(ASKER, ANSWERER)
        await directory_taken(found, ASKER, ANSWERER)
        yield found
    finally:
        found.stop()


async def ask(lab: Lab, count: int) -> None:
    """Have an officer ask that many questions that are answered."""
    for each in range(count):
        request = intent_request(lab, OFFICER, summary(*codes(1, start=900_000 + each)), to=ANSWERER)
        heard, _ = await ask_desk(lab, request, agency_leaf(lab, OFFICER), to=ASKER)
        assert heard == "ANSWERED"


def change(lab: Lab, member: str, *statements: str) -> None:
    """Change a member's database by hand, while its node runs."""
    with closing(sqlite3.connect(lab.config(member).data / DATABASE, timeout=10)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def told(lab: Lab, member: str) -> dict[str, Any]:
    """Read what a node says of its comparisons."""
    found: dict[str, Any] = json.loads((lab.config(member).data / HEALTH).read_text(encoding="utf-8"))
    return dict(found["reconciliation"])


async def compared(lab: Lab) -> None:
    """Let a day pass, and wait until both members have compared it."""
    shift(lab, shift_of(lab) + DAY_SECONDS)
    day = lab.clock().date().isoformat()

    async def done() -> bool:
        query = "SELECT count(*) FROM reconciled_day WHERE time IS NOT NULL AND asker IN (?, ?) AND answerer IN (?, ?)"
        since = f"{query} AND day >= date('{day}', '-1 day')"
        return all(rows(lab, each, since, *PAIR, *PAIR) == [(2,)] for each in PAIR)

    await until(done, "both have compared")


async def test_one_exchange_removed_from_one_sides_database_is_named_by_the_next_reconciliation(lab: Lab) -> None:
    """Both members name the number and who lacks it, in the table, in health and in health.json (threat 7)."""
    await ask(lab, 3)
    change(
        lab, ANSWERER, "DELETE FROM disclosure", "DELETE FROM provision", "DELETE FROM journal WHERE seq = 2",
        "DELETE FROM ledger_entry WHERE seq = 2",
    )  # fmt: skip
    await compared(lab)
    query = "SELECT asker, answerer, number, difference, lacking FROM finding"
    for member in PAIR:
        assert rows(lab, member, query) == [(ASKER, ANSWERER, 2, "ONE_SIDED", "ANSWERER")]

    async def seen() -> bool:
        found = [told(lab, each) for each in PAIR]
        return [(each["findings"], each["lost"]) for each in found] == [(1, 0), (1, 0)]

    await until(seen, "health.json says so")
    caller = Caller(lab=lab, me=ASKER, to=ANSWERER)
    assert await health(caller.channel(ANSWERER), SERVICE) == "NOT_SERVING"
    assert await health(caller.channel(ANSWERER)) == "SERVING"
    await caller.close()
    await ask(lab, 1)
