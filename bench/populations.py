"""Fills a member's store with subjects and a realistic share of penalties, past the file readers, in bounded memory."""

from __future__ import annotations

import hashlib
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime
from typing import Any

from gateway.ports import Feed
from gateway.uscc import sample_code
from nodes.config import DATABASE, HUB
from nodes.lab import Lab
from nodes.store import Loading, Mode
from nodes.store.schema import prepare_exchange

PENALISED = 0.06
DIVISION = "320102"


def give_out(lab: Lab, *members: str) -> None:
    """Give out the numbers that are used in their name by hand: a member whose disk never did closes, as it must."""
    for member in members:
        config = lab.config(member)
        if config.role == HUB:
            continue
        path = config.data / DATABASE
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        prepare_exchange(path)
        with closing(sqlite3.connect(path)) as connection:
            numbers = [(each, 1_000_000) for each in lab.members if each != member]
            connection.executemany("INSERT OR IGNORE INTO pair (member, next) VALUES (?, ?)", numbers)
            connection.commit()


def code(serial: int) -> str:
    """Give the code of a subject by its number."""
    return sample_code("91", DIVISION, serial)


def fill(loading: Loading, feeds: tuple[Feed, ...], subjects: int, now: datetime) -> None:
    """Declare and load every feed; most of them hold nothing."""
    loading.declare_feeds(feeds)
    for feed in feeds:
        loading.begin(feed.id, bytes(32), Mode.DELTA, now)
        if feed.record_class == "register":
            loading.put("register", _register(subjects))
        elif feed.record_class == "penalty" and feed.domain == "MARKET_REG":
            loading.put("penalty", _penalties(subjects, feed, now.date()))
        loading.finish(data_through=now.date())
    loading.checkpoint()


def _register(subjects: int) -> Iterator[dict[str, Any]]:
    for serial in range(subjects):
        yield _common(serial, b"r") | {
            "kind": "ENTERPRISE", "lifecycle": "ACTIVE", "division": DIVISION, "valid_from": "2015-01-01",
            "valid_until": None, "predecessor": None, "successor": None, "branch_of": None, "name_digest": bytes(32),
        }  # fmt: skip


def _penalties(subjects: int, feed: Feed, today: date) -> Iterator[dict[str, Any]]:
    chance = random.Random(2026)
    for serial in range(subjects):
        if chance.random() < PENALISED:
            yield _common(serial, b"p") | {
                "domain": feed.domain, "behaviour": "MARKET_REG-G-001", "severity": "GENERAL",
                "decided_on": today.replace(year=today.year - 1, day=1).isoformat(), "agency": feed.agency,
                "procedure": "GENERAL", "final_on": None, "review_status": None, "origin": "OFFICIAL", "exempt": 0,
                "publish_not_before": None, "repaired_on": None, "annulled_on": None, "disputed": 0,
            }  # fmt: skip


def _common(serial: int, table: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(table + serial.to_bytes(8, "big")).digest()
    return {"uscc": code(serial), "record_id": digest[:16], "salt": digest[16:], "digest": digest}
