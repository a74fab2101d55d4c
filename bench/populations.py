"""Fills a member's store with subjects and a realistic share of penalties, past the file readers, in bounded memory."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from gateway.ports import Feed
from gateway.uscc import sample_code
from nodes.store import Loading, Mode

PENALISED = 0.06
DIVISION = "320102"


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
