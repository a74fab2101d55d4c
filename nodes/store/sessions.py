"""Officers' sessions at the desk: every worker sees at once what any of them closed; both acts are entered (U32)."""

import json
import sqlite3
from datetime import datetime
from threading import Lock
from typing import final

from gateway.model.accounts import Session
from keys import moments
from nodes.store.acts import Act, enter
from nodes.store.commits import Commits
from nodes.store.connections import time_text
from nodes.store.ledger import Ledger

OPENED, CLOSED = "SESSION_OPEN", "SESSION_CLOSE"
_COLUMNS = """
    SELECT assertion_digest, agency, officer, roles, from_time, until_time, open_time, close_time, closing_officer
    FROM session """
_ONE = f"{_COLUMNS} WHERE assertion_digest = ?"
_MANY = f"{_COLUMNS} WHERE agency = ? AND ? IN (officer, '') ORDER BY seq DESC LIMIT ?"
_OPEN = """
    INSERT INTO session (assertion_digest, agency, officer, roles, from_time, until_time, open_time, closing_officer,
        assertion)
    VALUES (?, ?, ?, ?, ?, ?, ?, '', ?) ON CONFLICT (assertion_digest) DO NOTHING"""
_CLOSE = """
    UPDATE session SET close_time = ?, closing_officer = ? WHERE assertion_digest = ? AND close_time IS NULL"""


@final
class Sessions:
    """Implements `gateway.books.SessionBook`; safe from any event loop and for many processes on one file."""

    __slots__ = ("_commits", "_ledger", "_lock", "_reader")

    def __init__(self, commits: Commits, reader: sqlite3.Connection, lock: Lock, *, ledger: Ledger) -> None:
        self._commits = commits
        self._reader = reader
        self._lock = lock
        self._ledger = ledger

    async def open_session(self, session: Session, assertion: bytes) -> Session:
        """Keep a session durably; one that is known is returned as it stands, also when it was closed.

        Raises:
            NotDurable: nothing was kept.
        """
        return await self._commits.run(lambda connection: self._open(connection, session, assertion))

    async def close_session(self, assertion_digest: bytes, officer: str, now: datetime) -> Session:
        """Close a session that is known, durably and for every worker; the first closing stands.

        Raises:
            NotDurable: nothing was changed.
        """

        def work(connection: sqlite3.Connection) -> Session:
            changed = connection.execute(_CLOSE, (time_text(now), officer, assertion_digest)).rowcount
            closed = _session(connection.execute(_ONE, (assertion_digest,)).fetchone())
            if changed:
                self._enter(connection, CLOSED, closed, officer, now)
            return closed

        return await self._commits.run(work)

    def session(self, assertion_digest: bytes) -> Session | None:
        """Give a session as it stands now, whichever worker changed it."""
        with self._lock:
            row = self._reader.execute(_ONE, (assertion_digest,)).fetchone()
        return None if row is None else _session(row)

    def sessions(self, agency: str, officer: str, limit: int) -> tuple[Session, ...]:
        """Give an agency's sessions, the newest first; of one officer, where one is named."""
        with self._lock:
            rows = self._reader.execute(_MANY, (agency, officer, limit)).fetchall()
        return tuple(_session(row) for row in rows)

    def _open(self, connection: sqlite3.Connection, session: Session, assertion: bytes) -> Session:
        times = (time_text(session.from_time), time_text(session.until_time), time_text(session.open_time))
        told = (session.assertion_digest, session.agency, session.officer, json.dumps(session.roles))
        if connection.execute(_OPEN, (*told, *times, assertion)).rowcount:
            self._enter(connection, OPENED, session, session.officer, session.open_time)
        return _session(connection.execute(_ONE, (session.assertion_digest,)).fetchone())

    def _enter(self, connection: sqlite3.Connection, name: str, session: Session, officer: str, now: datetime) -> None:
        """Enter who opened or closed a session; whoever closes another's does so with the role to administer."""
        role = " ".join(session.roles) if officer == session.officer else "administer"
        act = Act(name=name, role=role, officer=officer, agency=session.agency, digest=session.assertion_digest)
        enter(self._ledger, connection, act, now)


def _session(row: tuple[bytes, str, str, str, str, str, str, str | None, str]) -> Session:
    digest, agency, officer, roles, begins, ends, opened, closed, closing = row
    return Session(
        assertion_digest=digest,
        agency=agency,
        officer=officer,
        roles=tuple(json.loads(roles)),
        from_time=moments.read(begins),
        until_time=moments.read(ends),
        open_time=moments.read(opened),
        close_time=None if closed is None else moments.read(closed),
        closing_officer=closing,
    )
