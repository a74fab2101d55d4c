"""Reads what a month's quality rests on: loads, counts of their rows, records that wait, and items asked under."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from gateway.clocks import CHINA, civil_day
from gateway.months import Month
from gateway.quality import Delivery, Records, RowCount
from keys import moments
from nodes.store.connections import connect_read_only, time_text
from nodes.store.facts import FactSource
from nodes.store.schema import facts_path, prepare_exchange, prepare_facts

# A load of no file is a second look at held rows: nothing was delivered, and its rows were counted as they came.
_FILES = "file_digest <> x''"
_EARLIER = f"SELECT feed, max(data_through) FROM load WHERE {_FILES} AND loaded_time < ? GROUP BY feed"  # noqa: S608 - fixed text
_LOADS = f"SELECT feed, loaded_time, data_through FROM load WHERE {_FILES} AND loaded_time >= ? AND loaded_time < ?"  # noqa: S608 - fixed text
_ROWS = f"""
    SELECT feed, agency, name, sum(count) FROM load JOIN load_count ON load_id = load.id
    WHERE {_FILES} AND loaded_time >= ? AND loaded_time < ?
    GROUP BY feed, agency, name ORDER BY feed, agency, name"""  # noqa: S608 - fixed text
_HELD = "SELECT feed, reason, count(*) FROM held GROUP BY feed, reason ORDER BY feed, reason"
_ITEMS = "SELECT DISTINCT application_item FROM result WHERE day BETWEEN ? AND ?"


def records(path: Path, month: Month) -> Records:
    """Read a month of a database; no storage key is needed, for nothing that is sealed is opened.

    Raises:
        StoreUnusable: as `Store.open`.
    """
    prepare_facts(facts_path(path))
    prepare_exchange(path)
    source = FactSource(facts_path(path))
    with closing(source), _snapshot(facts_path(path)) as facts, _snapshot(path) as exchange:
        days = (month.first.isoformat(), month.last.isoformat())
        return Records(
            feeds=source.feeds(),
            deliveries=tuple(_deliveries(facts, month)),
            rows=tuple(
                RowCount(feed=feed, agency=agency, name=name, number=number)
                for feed, agency, name, number in facts.execute(_ROWS, _bounds(month))
            ),
            items={item for (item,) in exchange.execute(_ITEMS, days) if item},
            held=_held(facts),
        )


@contextmanager
def _snapshot(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection whose reads all see one state."""
    with closing(connect_read_only(path)) as connection:
        connection.execute("BEGIN")
        yield connection


def _bounds(month: Month) -> tuple[str, str]:
    """Give the instants at which the month's first day and the day after its last begin."""
    ends = (month.first, month.last + timedelta(days=1))
    first, after = (datetime.combine(day, time(), CHINA).astimezone(UTC) for day in ends)
    return time_text(first), time_text(after)


def _deliveries(facts: sqlite3.Connection, month: Month) -> Iterator[Delivery]:
    """Give the month's loads, and of all loads before it how far each feed reached."""
    first, after = _bounds(month)
    for feed, through in facts.execute(_EARLIER, (first,)):
        day = month.first - timedelta(days=1)
        yield Delivery(feed=feed, day=day, data_through=moments.read_day(through))
    for feed, loaded, through in facts.execute(_LOADS, (first, after)):
        yield Delivery(feed=feed, day=civil_day(moments.read(loaded)), data_through=moments.read_day(through))


def _held(facts: sqlite3.Connection) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for feed, reason, number in facts.execute(_HELD):
        found.setdefault(feed, {})[reason] = number
    return found
