"""The one writer of exchanges: jobs that wait together become durable in one commit.

Jobs run on the event loop, a few statements each. The commit waits for the disk: in a thread, unless the last one
took less time than handing it over does. A group forms while the commit before it is on its way, or for a moment
where jobs come in company; an idle writer waits for nobody.
"""

import asyncio
import random
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, final

from gateway.errors import NotDurable
from nodes.store.connections import connect

_T = TypeVar("_T")
_GROUP_LIMIT = 256
_GATHER_SECONDS = 0.000_5  # for each job of the last group: the busier, the larger the groups
_GATHER_LIMIT = 0.010
_QUICK_SECONDS = 0.001
_WAIT_SECONDS = 3.0  # for another process's commit: less than an asker waits for its answer
_FAULTS_OF_ONE_JOB = (
    sqlite3.IntegrityError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
    sqlite3.DataError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    work: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]
    undo: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    job: _Job
    value: Any = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    outcomes: list[_Outcome]
    seal: Any = None


@final
class Commits:
    """A connection that writes, for the jobs of one event loop at a time. Made after a fork, never before.

    Other processes may write the same file: what must be unique or bounded is enforced by the job's SQL inside
    its transaction, never from memory.

    `seal` is called in the transaction after the jobs of a group and before its commit; what it raises undoes them
    all, and what it gives is told with the commit, to those who want it.
    """

    __slots__ = ("_closed", "_company", "_connection", "_flight", "_path", "_seal", "_thread", "_took", "_waiting")

    def __init__(self, path: Path, seal: Callable[[sqlite3.Connection], Any]) -> None:
        self._path, self._seal = path, seal
        self._connection: sqlite3.Connection | None = self._connect()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="commits")
        self._waiting: list[_Job] = []
        self._flight: tuple[Future[Exception | None], _Group] | None = None
        self._took = _QUICK_SECONDS
        self._closed = False
        self._company = 1

    async def run(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run a job and return its value when it is on disk; as `run_sealed`."""
        return (await self.run_sealed(work))[0]

    async def run_sealed(self, work: Callable[[sqlite3.Connection], _T], *, undo: bool = True) -> tuple[_T, Any]:
        """Run a job; return its value, and what its group was sealed with, when both are on disk.

        A job that raises is undone alone, and what it raised is raised here. Jobs neither commit nor await. With
        `undo` False a job promises to raise before its first write, and needs no savepoint.

        Raises:
            NotDurable: when the disk, the lock or the commit failed; nothing of the job was kept.
        """
        if self._closed:
            raise NotDurable("the store is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[tuple[_T, Any]] = loop.create_future()
        self._waiting.append(_Job(work=work, future=future, undo=undo))
        if self._flight is None and len(self._waiting) == 1:
            self._call_departure(loop)
        return await future

    def close(self) -> None:
        """Finish what waits, then stop; later jobs are refused."""
        if self._closed:
            return
        self._closed = True
        if self._flight is not None:
            self._land(None)
        while self._waiting:
            group = self._write(time.monotonic() + _WAIT_SECONDS)
            if group is None:
                time.sleep(0.001)
            elif group.outcomes:
                self._flight = self._thread.submit(self._try_commit), group
                self._land(None)
        self._thread.shutdown()
        self._disconnect()

    def _call_departure(self, loop: asyncio.AbstractEventLoop) -> None:
        """Depart at once, or where jobs come in company, give the next ones a moment to join."""
        deadline = time.monotonic() + _WAIT_SECONDS
        if self._company > 1 and len(self._waiting) < _GROUP_LIMIT:  # a full group cannot grow
            loop.call_later(min(_GATHER_LIMIT, self._company * _GATHER_SECONDS), self._depart, loop, deadline)
        else:
            loop.call_soon(self._depart, loop, deadline)

    def _depart(self, loop: asyncio.AbstractEventLoop, deadline: float) -> None:
        """Write a group and send its commit off; while another process holds the lock, come again shortly."""
        if self._flight is not None or not self._waiting:
            return
        group = self._write(deadline)
        if group is None:
            # Short and uneven waits: processes that share the file take turns by chance, none starves.
            loop.call_later(random.uniform(0.000_2, 0.001), self._depart, loop, deadline)  # noqa: S311 - no secret
        elif group.outcomes and self._took < _QUICK_SECONDS:
            self._arrive(group, self._try_commit(), loop)
        elif group.outcomes:
            flight = self._thread.submit(self._try_commit)
            self._flight = flight, group
            flight.add_done_callback(lambda _: self._call(loop))
        elif self._waiting:
            self._call_departure(loop)

    def _call(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            loop.call_soon_threadsafe(self._land, loop)
        except RuntimeError:
            return  # the loop was closed: `close` lands what is in flight

    def _land(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Tell the jobs of the group that came back; the next group departs."""
        if self._flight is None:
            return
        flight, group = self._flight
        error = flight.result()
        self._flight = None
        self._arrive(group, error, loop)

    def _arrive(self, group: _Group, error: Exception | None, loop: asyncio.AbstractEventLoop | None) -> None:
        if error is not None:
            self._recover()
            group = _failed([each.job for each in group.outcomes], error)
        self._company = len(group.outcomes)
        if loop is not None and self._waiting:
            self._call_departure(loop)
        _settle(group)

    def _write(self, deadline: float) -> _Group | None:
        """Run the jobs that wait in a transaction left open; None while another process holds the lock."""
        jobs, self._waiting = self._waiting[:_GROUP_LIMIT], self._waiting[_GROUP_LIMIT:]
        # Whoever gave up waiting before the work began is not served: its effect would surprise.
        jobs = [job for job in jobs if not job.future.cancelled()]
        if not jobs:
            return _Group(outcomes=[])
        try:
            connection = self._connection = self._connection or self._connect()
            connection.execute("BEGIN IMMEDIATE")
            outcomes = [_attempt(connection, job) for job in jobs]
            return _Group(outcomes=outcomes, seal=self._seal(connection))
        except Exception as error:  # noqa: BLE001 - every caller must hear of it, whatever it is
            self._recover()
            if _is_busy(error) and time.monotonic() < deadline:
                self._waiting[:0] = jobs
                return None
            _settle(_failed(jobs, error))
            return _Group(outcomes=[])

    def _try_commit(self) -> Exception | None:
        """Commit, and note how long the disk took."""
        began = time.monotonic()
        try:
            if self._connection is not None:
                self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - every caller must hear of it, whatever it is
            return error
        finally:
            self._took = time.monotonic() - began
        return None

    def _recover(self) -> None:
        try:
            if self._connection is not None and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._disconnect()

    def _connect(self) -> sqlite3.Connection:
        connection = connect(self._path)
        connection.execute("PRAGMA secure_delete = ON")  # a destroyed day's key leaves no copy in free pages
        connection.execute("PRAGMA busy_timeout = 0")  # the event loop never waits for a lock
        return connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _is_busy(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, sqlite3.OperationalError) and code is not None and code & 0xFF == sqlite3.SQLITE_BUSY


def _attempt(connection: sqlite3.Connection, job: _Job) -> _Outcome:
    changes = connection.total_changes
    if job.undo:
        connection.execute("SAVEPOINT job")
    try:
        outcome = _Outcome(job=job, value=job.work(connection))
    except Exception as error:
        if isinstance(error, sqlite3.Error) and not isinstance(error, _FAULTS_OF_ONE_JOB):
            raise  # the disk or the file is at fault: no job of the group can be trusted to it
        if job.undo:
            connection.execute("ROLLBACK TO job")
        elif connection.total_changes != changes:
            raise  # a broken promise: only the whole group can be undone
        outcome = _Outcome(job=job, error=error)
    if job.undo:
        connection.execute("RELEASE job")
    return outcome


def _not_durable(cause: BaseException) -> NotDurable:
    error = NotDurable(f"the store could not make it durable ({cause}); check the disk and try again")
    error.__cause__ = cause
    return error


def _failed(jobs: list[_Job], cause: Exception) -> _Group:
    return _Group(outcomes=[_Outcome(job=job, error=_not_durable(cause)) for job in jobs])


def _settle(group: _Group) -> None:
    for each in group.outcomes:
        if each.job.future.done():
            continue
        if each.error is not None:
            each.job.future.set_exception(each.error)
        else:
            each.job.future.set_result((each.value, group.seal))
