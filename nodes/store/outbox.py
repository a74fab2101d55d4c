"""Enters in the ledger what other processes did, each act once, and names what was taken away before (duty U32)."""

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, final

from nodes.store.acts import Act, enter
from nodes.store.commits import Commits
from nodes.store.connections import connect_read_only
from nodes.store.doers import Done, done_of
from nodes.store.ledger import Ledger

NODE, FACTS = "node", "facts"
BEGIN = "BEGIN"
_MANY = 256
_NEXT = "SELECT seq, name, role, officer, agency, digest, time, evidence FROM {} WHERE seq > ? ORDER BY seq LIMIT ?"
_OWN, _LOADS = _NEXT.format("outbox"), _NEXT.format("load_act")
_LAST = "SELECT coalesce(max(seq), 0) FROM act_entered WHERE source = ?"
_ENTERED = "INSERT INTO act_entered (source, seq, entry, evidence) VALUES (?, ?, ?, ?)"
_STATE = "SELECT digest FROM state_entered WHERE aspect = ?"
_BEGUN = "SELECT 1 FROM ledger_entry WHERE instr(private, ?) LIMIT 1"
_KEEP_STATE = """
    INSERT INTO state_entered (aspect, digest) VALUES (?, ?)
    ON CONFLICT (aspect) DO UPDATE SET digest = excluded.digest"""

Judge = Callable[[Done], Act]
"""Gives an act as it is to be entered: with its officer where the evidence holds, else with none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Acts that were taken out of an outbox before they were entered, first and last number included."""

    source: str
    first: int
    last: int


@final
class Outbox:
    """Acts that wait in the two files; for the leading worker's event loop."""

    __slots__ = ("_commits", "_facts", "_ledger")

    def __init__(self, commits: Commits, ledger: Ledger, facts: Path) -> None:
        self._commits, self._ledger, self._facts = commits, ledger, facts

    async def enter(self, judge: Judge, now: datetime) -> tuple[Act, ...]:
        """Enter acts that wait, some at a time, oldest first; give those that were entered.

        Raises:
            NotDurable: nothing was entered.
        """
        last = await self._commits.run(lambda connection: _last(connection, FACTS))
        with closing(connect_read_only(self._facts)) as facts:
            loads = facts.execute(_LOADS, (last, _MANY)).fetchall()

        def job(connection: sqlite3.Connection) -> tuple[Act, ...]:
            self._ledger.check()
            own = connection.execute(_OWN, (_last(connection, NODE), _MANY)).fetchall()
            after = _last(connection, FACTS)  # another worker may have entered them meanwhile
            found = [*((NODE, row) for row in own), *((FACTS, row) for row in loads if row[0] > after)]
            return tuple(self._enter(connection, source, row, judge, now) for source, row in found)

        return await self._commits.run(job)

    async def see(self, states: Mapping[str, bytes], wants: Mapping[str, str], now: datetime) -> tuple[str, ...]:
        """Enter that something is not as it was last entered, by nobody who said so; give what.

        `states` are digests by aspect, `wants` names the role in which each is changed. What is seen for the first
        time is entered as its beginning, and not given.

        Raises:
            NotDurable: nothing was entered.
        """

        def job(connection: sqlite3.Connection) -> tuple[str, ...]:
            entered = {each: _seen(connection, each) for each in states}
            changed = [each for each, digest in states.items() if entered[each] != digest]
            for each in changed:
                name = each if entered[each] is not None else f"{each}_{BEGIN}"
                act = Act(name=name, role=wants[each], officer="", digest=states[each])
                enter(self._ledger, connection, act, now)
                connection.execute(_KEEP_STATE, (each, act.digest))
            return tuple(each for each in changed if entered[each] is not None)

        return await self._commits.run(job)

    def _enter(
        self, connection: sqlite3.Connection, source: str, row: tuple[Any, ...], judge: Judge, now: datetime
    ) -> Act:
        seq, *rest = row
        done = done_of(tuple(rest))
        act = judge(done)
        if act.name.endswith(f"_{BEGIN}"):  # only `see` says that; who writes it here would have an act explained
            act = replace(nameless(replace(done, act=act)), name=act.name.removesuffix(f"_{BEGIN}"))
        entry = enter(self._ledger, connection, act, now)
        connection.execute(_ENTERED, (source, seq, entry, done.evidence))
        aspect = act.name.partition("_")[0]
        if act.digest and _state(connection, aspect) is not None:
            connection.execute(_KEEP_STATE, (aspect, act.digest))
        return act


def gaps(connection: sqlite3.Connection) -> tuple[Gap, ...]:
    """Name the numbers that are missing among the acts that were entered."""
    found = []
    for source in (NODE, FACTS):
        before = 0
        for (seq,) in connection.execute("SELECT seq FROM act_entered WHERE source = ? ORDER BY seq", (source,)):
            if seq != before + 1:
                found.append(Gap(source=source, first=before + 1, last=seq - 1))
            before = seq
        if source == NODE:
            found += _taken(connection, before)
    return tuple(found)


def _taken(connection: sqlite3.Connection, entered: int) -> list[Gap]:
    """Name the numbers that were given and neither wait nor were entered."""
    ((given,),) = connection.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'outbox'")
    waiting = {seq for (seq,) in connection.execute("SELECT seq FROM outbox WHERE seq > ?", (entered,))}
    missing = [seq for seq in range(entered + 1, given + 1) if seq not in waiting]
    return [Gap(source=NODE, first=seq, last=seq) for seq in missing]


def nameless(done: Done) -> Act:
    """Give an act without its officer: whom nothing proves to have acted is not named."""
    return replace(done.act, officer="", agency="")


def _last(connection: sqlite3.Connection, source: str) -> int:
    return int(connection.execute(_LAST, (source,)).fetchone()[0])


def _seen(connection: sqlite3.Connection, aspect: str) -> bytes | None:
    """Give the digest as it was last entered, b"" where the ledger has its beginning and somebody took the row away."""
    found = _state(connection, aspect)
    if found is None and connection.execute(_BEGUN, (f"{aspect}_{BEGIN}".encode(),)).fetchone():
        return b""
    return found


def _state(connection: sqlite3.Connection, aspect: str) -> bytes | None:
    row = connection.execute(_STATE, (aspect,)).fetchone()
    return None if row is None else bytes(row[0])
