"""Writes disclosures inside the write transaction that is open: running numbers, charges and who was told what.

The running number of a subject counts the entries of a calendar month that are about it; it goes into the private
part of each, where one that is missing leaves a hole (threat 2).
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache

from gateway.clocks import civil_day
from gateway.kinds import KINDS
from gateway.model.question import Body, QuestionHeader
from nodes.store.connections import time_text

ANSWERED, ASKED, SENT, REFUSED = "ANSWERED", "ASKED", "SENT", "REFUSED"
"""Both sides of the table, what the member answered and what its own agencies asked, and how the latter begin."""

_BUDGET = "SELECT id, spent FROM budget WHERE day = ? AND agency = ? AND purpose = ?"
_FRESH = """
    SELECT DISTINCT value FROM json_each(:subjects) WHERE NOT EXISTS (
        SELECT 1 FROM disclosure WHERE budget = :budget AND uscc = value)"""
_NEXT_ONE = """
    SELECT number + entries FROM disclosure WHERE month = ? AND uscc = ? ORDER BY number DESC LIMIT 1"""
_NEXT = """
    SELECT value, (SELECT number + entries FROM disclosure WHERE month = :month AND uscc = value
                   ORDER BY number DESC LIMIT 1)
    FROM json_each(:subjects)"""
_BEGIN = "INSERT INTO budget (day, agency, purpose, spent) VALUES (?, ?, ?, ?) RETURNING id"
_CHARGE = "UPDATE budget SET spent = spent + ? WHERE id = ?"
_PROVIDE = """
    INSERT INTO provision (entry, side, time, day, member, agency, officer, purpose, application_item, kind, fields,
        outcome, question_id)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_DISCLOSE = "INSERT INTO disclosure (month, uscc, number, entries, entry, budget) VALUES (?, ?, ?, ?, ?, ?)"
_END = "UPDATE provision SET outcome = ?, fields = ? WHERE entry = ?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Whose budget of which day is charged."""

    day: date
    agency: str
    purpose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What a budget has spent, and those of the given subjects that would be new to it, each once."""

    spent: int
    fresh: tuple[str, ...]
    budget: int | None = None


@dataclass(slots=True, kw_only=True)
class Told:
    """Subjects of one question in the order asked, and the next running number of each in the month."""

    month: str
    subjects: Sequence[str]
    following: dict[str, int]
    charged: frozenset[str] = frozenset()
    budget: int | None = None
    entries: list[int] = field(default_factory=list)

    def numbers(self) -> tuple[int, ...]:
        """Give the running numbers of the next entry about these subjects."""
        return tuple(self.following[each] + len(self.entries) for each in self.subjects)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provision:
    """A question on its way in or out, with the number of its entry in the ledger."""

    entry: int | None
    side: str
    time: datetime
    header: QuestionHeader
    kind: str
    fields: tuple[str, ...] = ()
    refused: bool = False
    """Whether the member refused it: who asked is kept, and nobody was told anything."""


def reach(connection: sqlite3.Connection, scope: Scope, subjects: Sequence[str]) -> Reach:
    """Say what a budget has spent, and what it would come to; a subject is counted once a day."""
    row = connection.execute(_BUDGET, (scope.day.isoformat(), scope.agency, scope.purpose)).fetchone()
    if row is None:
        return Reach(spent=0, fresh=tuple(dict.fromkeys(subjects)))
    budget, spent = row
    found = connection.execute(_FRESH, {"budget": budget, "subjects": json.dumps(subjects)})
    return Reach(spent=spent, fresh=tuple(each for (each,) in found), budget=budget)


def charge(connection: sqlite3.Connection, scope: Scope, reached: Reach) -> int | None:
    """Charge the subjects that are new; give the budget."""
    if reached.budget is None:
        kept = (scope.day.isoformat(), scope.agency, scope.purpose, len(reached.fresh))
        return int(connection.execute(_BEGIN, kept).fetchone()[0])
    if reached.fresh:
        connection.execute(_CHARGE, (len(reached.fresh), reached.budget))
    return reached.budget


def about(connection: sqlite3.Connection, subjects: Sequence[str], now: datetime) -> Told:
    """Give the next running numbers of subjects in the month of an instant."""
    month = civil_day(now).isoformat()[:7]
    if len(subjects) == 1:
        row = connection.execute(_NEXT_ONE, (month, subjects[0])).fetchone()
        return Told(month=month, subjects=subjects, following={subjects[0]: 1 if row is None else row[0]})
    found = connection.execute(_NEXT, {"month": month, "subjects": json.dumps(subjects)})
    return Told(month=month, subjects=subjects, following={code: number or 1 for code, number in found})


def provide(connection: sqlite3.Connection, told: Told, each: Provision) -> None:
    """Keep who asked what, why and when; those about the same subjects follow one another in the ledger."""
    header, now = each.header, each.time
    member, outcome = (header.asker_member, ANSWERED) if each.side == ANSWERED else (header.answerer_member, SENT)
    outcome = REFUSED if each.refused else outcome
    kept = (each.entry, each.side, time_text(now), civil_day(now).isoformat(), member)
    asked = (header.asker_agency, header.officer, header.purpose, header.application_item, each.kind)
    row = (*kept, *asked, fields_text(each.fields), outcome, header.question_id)
    told.entries.append(int(connection.execute(_PROVIDE, row).lastrowid or 0))


def disclose(connection: sqlite3.Connection, told: Told) -> None:
    """Keep a row a subject for the entries that were made about them."""
    first, entries = told.entries[0], len(told.entries)
    connection.executemany(
        _DISCLOSE,
        [
            (told.month, code, number, entries, first, told.budget if code in told.charged else None)
            for code, number in told.following.items()
        ],
    )


def end(connection: sqlite3.Connection, entry: int, outcome: str, fields: tuple[str, ...] = ()) -> None:
    """Keep how a question of one's own ended; one from before this table has no row."""
    connection.execute(_END, (outcome, fields_text(fields), entry))


def kind_and_subjects(body: Body) -> tuple[str, tuple[str, ...]]:
    """Name the kind of a question and the codes that it is about, in the order asked; none of a kind without a row."""
    kind = next((each for each in KINDS.values() if each.question is type(body)), None)
    return ("", ()) if kind is None else (kind.name, tuple(each.uscc for each in kind.subjects(body)))


@lru_cache(maxsize=256)
def fields_text(fields: tuple[str, ...]) -> str:
    """Write names of fields in a column."""
    return json.dumps(fields)
