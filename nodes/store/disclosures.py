"""Reads disclosures of both directions: of one subject, and counts by agency that never say who."""

import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from threading import Lock
from typing import final

from gateway.months import Month
from keys import moments
from nodes.store.connections import connect_read_only
from nodes.store.schema import prepare_exchange

_COUNTS = """
    SELECT agency, count(DISTINCT entry), count(DISTINCT uscc) FROM disclosure JOIN provision USING (entry)
    WHERE month = ? AND side = 'ANSWERED' AND outcome = 'ANSWERED' GROUP BY agency"""
# The order of the join is said, so that no statistics make it walk through all provisions.
_OF_SUBJECT = """
    SELECT side, time, p.member, agency, officer, purpose, application_item, kind, fields, outcome, question_id, p.entry
    FROM json_each(?) AS month CROSS JOIN disclosure AS d CROSS JOIN provision AS p
    WHERE d.month = month.value AND d.uscc = ? AND p.entry BETWEEN d.entry AND d.entry + d.entries - 1
    AND day BETWEEN ? AND ? ORDER BY d.month, d.number, p.entry"""
_RECEIVERS = """
    SELECT p.member, p.agency, p.purpose, p.application_item, p.kind, p.fields, time, p.question_id, agreement,
           facts_version, wrapped_key IS NOT NULL
    FROM json_each(?) AS month CROSS JOIN disclosure AS d CROSS JOIN provision AS p
    CROSS JOIN journal AS j LEFT JOIN storage_key AS k ON (k.day, k.scope) = (j.day, j.purpose) AND k.destroyed IS NULL
    WHERE d.month = month.value AND d.uscc = ? AND p.entry BETWEEN d.entry AND d.entry + d.entries - 1
    AND side = 'ANSWERED' AND p.day BETWEEN ? AND ? AND j.question_id = p.question_id
    ORDER BY d.month, d.number"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Who was told something about a subject, under which grant and from which facts: what a recall starts from.

    `held` says whether question and answer can still be read here.
    """

    member: str
    agency: str
    purpose: str
    application_item: str
    kind: str
    fields: tuple[str, ...]
    time: datetime
    question_id: bytes
    agreement_id: str
    facts_version: int
    held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosure:
    """One question about a subject: answered by the member, or asked elsewhere by one of its agencies.

    `member` is the other one; `fields` are those that the answer could say. `outcome` of what was asked is SENT while
    no reply came. `entry` is the number of its entry in the ledger; none for what was answered before the ledger.
    """

    side: str
    time: datetime
    member: str
    agency: str
    officer: str
    purpose: str
    application_item: str
    kind: str
    fields: tuple[str, ...]
    outcome: str
    question_id: bytes
    entry: int | None


@final
class Disclosures:
    """What is kept of who was told what about whom; reads see what was committed by any worker."""

    __slots__ = ("_lock", "_reader")

    def __init__(self, reader: sqlite3.Connection, lock: Lock) -> None:
        self._reader, self._lock = reader, lock

    def of_subject(self, uscc: str, first_day: date, last_day: date) -> tuple[Disclosure, ...]:
        """Give the disclosures of a subject in both directions, the first and last day included, oldest first."""
        days = (first_day.isoformat(), last_day.isoformat())
        with self._lock:
            rows = self._reader.execute(_OF_SUBJECT, (_months(first_day, last_day), uscc, *days)).fetchall()
        return tuple(_disclosure(row) for row in rows)

    def receivers(
        self, uscc: str, first_day: date, last_day: date, touched: Callable[[str], bool]
    ) -> tuple[Receiver, ...]:
        """Give every answer about a subject in which a field that is touched could be said, oldest first (duty U25).

        What one's own agencies asked elsewhere is told by those who answered.
        """
        days = (first_day.isoformat(), last_day.isoformat())
        with self._lock:
            rows = self._reader.execute(_RECEIVERS, (_months(first_day, last_day), uscc, *days)).fetchall()
        found = (_receiver(row) for row in rows)
        return tuple(each for each in found if any(map(touched, each.fields)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosed:
    """How many answers an agency was given, and about how many distinct subjects."""

    answers: int = 0
    subjects: int = 0


def disclosed(path: Path, month: Month) -> Mapping[str, Disclosed]:
    """Count the month's answers by agency; no storage key is needed.

    Raises:
        StoreUnusable: as `Store.open`.
    """
    prepare_exchange(path)
    with closing(connect_read_only(path)) as connection:
        rows = connection.execute(_COUNTS, (month.text,)).fetchall()
    return {agency: Disclosed(answers=answers, subjects=subjects) for agency, answers, subjects in rows}


def _months(first: date, last: date) -> str:
    """List the months from one day to another."""
    places = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    return json.dumps([Month(at // 12, at % 12 + 1).text for at in places])


def _receiver(row: tuple[str, str, str, str, str, str, str, bytes, str, int, int]) -> Receiver:
    member, agency, purpose, item, kind, fields, time, question_id, agreement, version, held = row
    return Receiver(
        member=member,
        agency=agency,
        purpose=purpose,
        application_item=item,
        kind=kind,
        fields=tuple(json.loads(fields)),
        time=moments.read(time),
        question_id=question_id,
        agreement_id=agreement,
        facts_version=version,
        held=bool(held),
    )


def _disclosure(row: tuple[str, str, str, str, str, str, str, str, str, str, bytes, int]) -> Disclosure:
    side, time, member, agency, officer, purpose, item, kind, fields, outcome, question_id, entry = row
    return Disclosure(
        side=side,
        time=moments.read(time),
        member=member,
        agency=agency,
        officer=officer,
        purpose=purpose,
        application_item=item,
        kind=kind,
        fields=tuple(json.loads(fields)),
        outcome=outcome,
        question_id=question_id,
        entry=entry if entry > 0 else None,
    )
