"""Administrative acts in the member's ledger: who with which role did what (duty U32)."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar, final

from gateway.model.codes import LedgerEventKind
from gateway.model.ledger import LedgerEvent, LedgerPrivate
from nodes.store.commits import Commits
from nodes.store.ledger import Ledger

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """An administrative act; it names no subject, and `digest` is SHA-256 of what was done, or empty."""

    name: str
    role: str
    officer: str
    agency: str = ""
    digest: bytes = b""


@final
class Acts:
    """Does an act and enters it in the ledger in one transaction: neither is there without the other."""

    __slots__ = ("_commits", "_ledger")

    def __init__(self, commits: Commits, ledger: Ledger) -> None:
        self._commits, self._ledger = commits, ledger

    async def record(self, act: Act, now: datetime) -> int:
        """Enter an act that was done elsewhere; give its number in the ledger.

        Raises:
            NotDurable: nothing was entered.
        """
        return (await self.run(act, lambda _: None, now))[1]

    async def run(self, act: Act, work: Callable[[sqlite3.Connection], _T], now: datetime) -> tuple[_T, int]:
        """Do the work and enter it as one; give its value and the entry's number.

        Raises:
            NotDurable: nothing was done.
        """

        def job(connection: sqlite3.Connection) -> tuple[_T, int]:
            self._ledger.check()
            return work(connection), enter(self._ledger, connection, act, now)

        return await self._commits.run(job)


def enter(ledger: Ledger, connection: sqlite3.Connection, act: Act, now: datetime) -> int:
    """Enter an act inside the write transaction that is open; give its number.

    Raises:
        NotDurable: as `Ledger.append`.
    """
    event = LedgerEvent(kind=LedgerEventKind.ADMINISTERED, asker_member=ledger.member, reply_digest=act.digest)
    private = LedgerPrivate(log_time=now, agency=act.agency, officer=act.officer, role=act.role, act=act.name)
    return ledger.append(connection, event, private).seq
