"""Who asked about a subject, as the subject is shown it: disclosures, their entries in the ledger, and what is delayed.

A delay begins by this node's own clock when it is taken, so that it holds for what is asked next, and for nothing that
was shown before.
"""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime
from threading import Lock
from typing import final

from gateway import wire
from gateway.books import Access
from gateway.clocks import civil_day
from gateway.errors import NotDurable, Replayed
from gateway.exchange.tracking import until
from gateway.ledger import entries
from gateway.ledger.errors import LedgerError
from gateway.limits import Limits
from gateway.model.access import AccessEntry, DelayOrder
from gateway.model.codes import AccessSide
from gateway.model.ledger import LedgerPrivate, Receipt
from gateway.retention import SUBJECTS
from nodes.store import previews
from nodes.store.acts import Act, enter
from nodes.store.bodies import Bodies
from nodes.store.commits import Commits
from nodes.store.connections import time_text
from nodes.store.disclosures import Disclosure, Disclosures
from nodes.store.ledger import Ledger, Line

READING, PREVIEW, DELAY = "ACCESS", "PREVIEW", "DELAY"
"""Names of the acts."""

ROLE = "ask"
"""Role in which an officer asks; who it was stays with the auditors."""

_PRIVATE = "SELECT private FROM ledger_entry WHERE seq = ?"
_ENTRY = "SELECT data, shared_salt, shared FROM ledger_entry WHERE seq = ?"
_DELAYS = "SELECT agency, case_digest, since FROM access_delay WHERE until > ?"
_KNOWN = "SELECT digest FROM access_delay WHERE delay_id = ?"
_SINCE = "SELECT min(since) FROM access_delay WHERE agency = ? AND case_digest = ? AND until > ?"
_KEEP = """
    INSERT INTO access_delay (delay_id, digest, agency, case_digest, since, until, evidence, day, entry)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""

_Delays = Mapping[tuple[str, bytes], str]
"""Since when what an agency asks for a case, by its keyed digest, is delayed."""


@final
class Accesses:
    """Implements `gateway.books.AccessBook`; safe from any event loop and for many processes on one file."""

    __slots__ = ("_bodies", "_commits", "_disclosures", "_ledger", "_lock", "_reader", "_witnessed")

    def __init__(
        self,
        commits: Commits,
        reader: sqlite3.Connection,
        lock: Lock,
        bodies: Bodies,
        *,
        ledger: Ledger,
        witnessed: Callable[[int], Receipt | None],
    ) -> None:
        """`witnessed` proves an entry under a head that enough others cosigned, once there is one."""
        self._commits, self._reader, self._lock = commits, reader, lock
        self._bodies, self._ledger, self._witnessed = bodies, ledger, witnessed
        self._disclosures = Disclosures(reader, lock)

    def of_subject(self, uscc: str, first: date, last: date, today: date) -> tuple[Access, ...]:
        """Give the questions and the subject's own previews of some civil days, oldest first."""
        found = self._disclosures.of_subject(uscc, first, last)
        with self._lock:
            own = previews.of_subject(self._reader, uscc, first, last)
            delays = self._delays(today)
            accesses = [_access(each, delayed=bool(delays) and self._is_delayed(each, delays)) for each in found]
        return tuple(sorted([*accesses, *own], key=lambda each: each.time))

    def shown(self, access: Access) -> AccessEntry:
        """Give an entry as its subject is shown it, with its event and the proof from a head that others cosigned.

        Where none covers it yet, the proof is from the ledger's head as it is now.

        Raises:
            NotDurable: when the ledger is damaged.
        """
        event, receipt = (b"", None) if access.entry is None else self._proof(access.entry)
        return AccessEntry(
            side=access.side,
            other_member=access.other_member,
            time=access.time,
            agency=access.agency,
            officer_role=access.officer_role,
            purpose=access.purpose,
            application_item=access.application_item,
            kind=access.kind,
            fields=access.fields,
            outcome=access.outcome,
            question_id=access.question_id,
            event=event,
            receipt=receipt,
            key_id=access.key_id,
        )

    async def note(self, digest: bytes, member: str, now: datetime) -> None:
        """Enter in the ledger that a member's subject reads; the entry names no subject.

        Raises:
            NotDurable: nothing was entered.
        """
        act = Act(name=READING, role="view", officer="", agency=member, digest=digest)
        await self._commits.run(lambda connection: enter(self._ledger, connection, act, now))

    async def preview(self, own: Access, uscc: str, digest: bytes, limits: Limits) -> None:
        """Keep a subject's preview and enter it in the ledger; the entry names no subject.

        Raises:
            BudgetSpent: beyond a day's previews; nothing was kept.
            NotDurable: nothing was kept.
        """
        act = Act(name=PREVIEW, role="view", officer="", agency=own.other_member, digest=digest)

        def work(connection: sqlite3.Connection) -> None:
            if previews.known(connection, digest):
                return
            previews.check(connection, own, uscc, limits)
            entry = enter(self._ledger, connection, act, own.time)
            previews.keep(connection, replace(own, entry=entry), uscc, digest)

        await self._commits.run(work)

    async def delay(self, order: DelayOrder, digest: bytes, evidence: bytes, now: datetime) -> None:
        """Keep a delay and enter it in the ledger; the same order again changes nothing.

        An order for what is delayed already goes on from there: what its subject has not seen, an extension keeps.

        Raises:
            Replayed: when the id stands for another order.
            NotDurable: nothing was kept.
        """

        def work(connection: sqlite3.Connection) -> None:
            known = connection.execute(_KNOWN, (order.delay_id,)).fetchone()
            if known is not None:
                if known[0] != digest:
                    raise Replayed("the id of the delay stands for another one")
                return
            self._ledger.check()
            day = civil_day(now).isoformat()
            case = self._ledger.case_digest(order.case_reference)
            since = connection.execute(_SINCE, (order.agency, case, day)).fetchone()[0] or time_text(now)
            act = Act(name=DELAY, role="approve", officer=order.approving_officer, agency=order.agency, digest=digest)
            entry = enter(self._ledger, connection, act, now)
            sealed = self._bodies.key(connection, day, SUBJECTS).seal(evidence)
            kept = (order.delay_id, digest, order.agency, case, since, until(order).isoformat(), sealed, day, entry)
            connection.execute(_KEEP, kept)

        await self._commits.run(work)

    def _delays(self, today: date) -> _Delays:
        found: dict[tuple[str, bytes], str] = {}
        for agency, case, since in self._reader.execute(_DELAYS, (today.isoformat(),)):
            found[agency, case] = min(since, found.get((agency, case), since))
        return found

    def _is_delayed(self, each: Disclosure, delays: _Delays) -> bool:
        """Find the case by the private part of the entry: no other table names it."""
        row = self._reader.execute(_PRIVATE, (each.entry,)).fetchone()
        if row is None:
            return False
        private = wire.decode(LedgerPrivate, row[0])
        since = delays.get((private.agency, private.case_digest))
        return since is not None and since <= time_text(each.time)

    def _proof(self, entry: int) -> tuple[bytes, Receipt | None]:
        """Give an entry's event and its proof."""
        with self._lock:
            row = self._reader.execute(_ENTRY, (entry,)).fetchone()
        if row is None:
            raise NotDurable("the ledger lacks an entry; run yrdx ledger verify")
        data, salt, shared = row
        try:
            line = Line(seq=entry, shared_salt=salt, private_hash=entries.read_entry(data).private_hash)
            return shared, self._witnessed(entry) or self._logged(line)
        except LedgerError as error:
            raise NotDurable("the ledger gives no receipt; run yrdx ledger verify") from error

    def _logged(self, line: Line) -> Receipt | None:
        """Prove an entry under the last head; one of a log that another followed only a cosigned head proves."""
        with self._lock:
            head = self._ledger.current(self._reader)
            return head.receipt(line) if line.seq >= head.first else None


def _access(each: Disclosure, *, delayed: bool) -> Access:
    return Access(
        side=AccessSide(each.side),
        other_member=each.member,
        time=each.time,
        agency=each.agency,
        officer_role=ROLE,
        purpose=each.purpose,
        application_item=each.application_item,
        kind=each.kind,
        fields=each.fields,
        outcome=each.outcome,
        question_id=each.question_id,
        entry=each.entry,
        delayed=delayed,
    )
