"""The member's ledger in the exchange's own transactions: entries as jobs append them, one signed head a group.

The head is read from the database inside the transaction, never from memory: several processes write one log. What a
group signed leaves this module only after its commit.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import final

from gateway import wire
from gateway.errors import NotDurable
from gateway.ledger import checkpoint, entries, logs, receipts, tiles, tree
from gateway.ledger.checkpoint import Head, read_head
from gateway.ledger.entries import Opening
from gateway.ledger.errors import LedgerError
from gateway.ledger.note import Note, read_note
from gateway.ledger.tiles import Tile
from gateway.limits import SALT_BYTES
from gateway.model.codes import LedgerEventKind
from gateway.model.ledger import LedgerEvent, LedgerPrivate, Receipt
from keys.bodies import keyed_digest
from keys.errors import KeysError
from keys.suite import Signer
from nodes.store.ledger_reading import tiles_of

_CASE = b"yrdx/ledger/case/v1"
# Whoever cuts rows off leaves a hole: a number that the head has counted is never given twice.
_APPEND = """
    INSERT INTO ledger_entry (seq, data, shared_salt, shared, private_salt, private)
    SELECT max(first + size, coalesce((SELECT max(seq) + 1 FROM ledger_entry), 0)), ?, ?, ?, ?, ?
    FROM ledger_log JOIN ledger_head ON log = number ORDER BY number DESC LIMIT 1
    RETURNING seq"""
_CURRENT = """
    SELECT number, origin, first, size, checkpoint FROM ledger_log JOIN ledger_head ON log = number
    ORDER BY number DESC LIMIT 1"""
_NEW = "SELECT seq, data FROM ledger_entry WHERE seq >= ? ORDER BY seq"
_OPEN = """
    INSERT INTO ledger_log (number, origin, first, previous)
    SELECT ?, ?, coalesce(max(seq), 0) + 1, ? FROM ledger_entry"""
_KEEP_TILE = """
    INSERT INTO ledger_tile (log, level, place, hashes) VALUES (?, ?, ?, ?)
    ON CONFLICT (log, level, place) DO UPDATE SET hashes = excluded.hashes"""
_KEEP_HEAD = """
    INSERT INTO ledger_head (log, size, checkpoint) VALUES (?, ?, ?)
    ON CONFLICT (log) DO UPDATE SET size = excluded.size, checkpoint = excluded.checkpoint"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scribe:
    """Whose ledger it is, and what signs its heads; the key may change between groups.

    `halted` says why no new exchange may begin now, and nothing while one may.
    """

    member: str
    signer: Callable[[], Signer]
    halted: Callable[[], str] = lambda: ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """A log that follows a loss: its number, and the digest of the head that it follows."""

    number: int
    previous: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An entry as its receipt needs it."""

    seq: int
    shared_salt: bytes
    private_hash: bytes


@final
class _Shelf:
    """A log's tiles for one group: each is read once, and those that the group writes lie in `held`."""

    __slots__ = ("_read", "held")

    def __init__(self, connection: sqlite3.Connection, log: int) -> None:
        self._read = tiles_of(connection, log)
        self.held: dict[tuple[int, int], bytes] = {}

    def __call__(self, wanted: Sequence[Tile]) -> list[bytes]:
        for each in wanted:
            if (each.level, each.place) not in self.held:
                (self.held[each.level, each.place],) = self._read((each,))
        return [self.held[each.level, each.place] for each in wanted]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A signed head with the tiles that paths to it need; `fresh` is the number of its group's first entry."""

    first: int
    fresh: int
    size: int
    note: Note
    read: tiles.Hashes

    def receipt(self, line: Line) -> Receipt:
        """Prove that an entry stands in the ledger.

        Raises:
            LedgerError: when the tiles are damaged.
        """
        index = line.seq - self.first
        path = tiles.inclusion(index, self.size, self.read)
        return receipts.build(index, path, self.note, line.shared_salt, line.private_hash)


@final
class Ledger:
    """Appends entries within the transaction that is open, and seals the group; for one event loop."""

    __slots__ = ("_appended", "_closed", "_known", "_pending", "_recovers", "_scribe", "_secret")

    def __init__(
        self,
        scribe: Scribe | None,
        secret: bytes,
        pending: Callable[[], object] = lambda: None,
        closed: Callable[[], str] = lambda: "",
    ) -> None:
        """Keep the ledger of a database, for whatever process opened it.

        While `pending` gives a restoration that is not recovered, or `closed` a reason, nothing is entered.
        """
        self._scribe, self._secret, self._closed = scribe, secret, closed
        self._pending: Callable[[], object] | None = pending
        self._appended = self._recovers = False
        self._known: tuple[bytes, Sequence[bytes]] = b"", ()

    @property
    def member(self) -> str:
        """Name the member whose ledger it is."""
        return self._need().member

    def check(self) -> None:
        """Return when an entry could be signed for now: a job asks before its first write.

        Raises:
            NotDurable: when no ledger key is here and listed, others have seen what the disk lacks, the store was
                opened without its ledger, or was restored and has not recovered.
        """
        scribe = self._need()
        if not self._recovers:
            self.check_recovered()
            _open_for(self._closed())
        try:
            scribe.signer()
        except KeysError as error:
            raise NotDurable("no ledger key that is here is listed as valid; have one listed") from error

    def check_new(self) -> None:
        """Return when a new exchange could be entered now; those that began may still end.

        Raises:
            NotDurable: as `check`, or while the ledger is halted.
        """
        self.check()
        _open_for(self._need().halted())

    def check_recovered(self) -> None:
        """Return unless the database is a copy that does not know yet what happened since (threat 23).

        Raises:
            NotDurable: while it does not; once it does nobody is asked again.
        """
        if self._pending is None:
            return
        if self._pending() is not None:
            raise NotDurable("the database was restored from a backup and has not recovered yet; see yrdx node status")
        self._pending = None

    @contextmanager
    def recovering(self) -> Iterator[None]:
        """Let entries be made though the ledger is closed: those that open it again."""
        self._recovers = True
        try:
            yield
        finally:
            self._recovers = False

    def follow(self, connection: sqlite3.Connection, following: Following, now: datetime) -> None:
        """Begin a log after a loss inside the write transaction that is open; its first entry names what it follows."""
        origin = logs.origin(self.member, following.number)
        self._begin(connection, following.number, origin, following.previous)
        event = LedgerEvent(kind=LedgerEventKind.OPENED, asker_member=self.member, reply_digest=following.previous)
        self.append(connection, event, LedgerPrivate(log_time=now))

    def append(self, connection: sqlite3.Connection, event: LedgerEvent, private: LedgerPrivate) -> Line:
        """Append an entry inside the write transaction that is open; it is in the ledger with the group's commit.

        Raises:
            NotDurable: as `check`, or when the ledger has lost its head.
        """
        self.check()
        salts = os.urandom(2 * SALT_BYTES)
        shared, closed = (
            Opening(salts[:SALT_BYTES], wire.encode(event)),
            Opening(salts[SALT_BYTES:], wire.encode(private)),
        )
        made = entries.entry(shared, closed)
        row = (made.data, shared.salt, shared.text, closed.salt, closed.text)
        found = connection.execute(_APPEND, row).fetchone()
        if found is None:
            self._open(connection)
            found = connection.execute(_APPEND, row).fetchone()
        self._appended = True
        return Line(seq=found[0], shared_salt=shared.salt, private_hash=made.private_hash)

    def seal(self, connection: sqlite3.Connection) -> Sealed | None:
        """Put what the jobs of this transaction appended into the tree, and sign its head; None when that is nothing.

        Raises:
            LedgerError: when what is kept of the tree does not lead to its last head; nothing is signed then.
            KeysError: when the key does not sign.
        """
        if not self._appended:
            return None
        self._appended = False
        current = connection.execute(_CURRENT).fetchone()
        if current is None:  # every job that appended was undone, the beginning of the log with it
            return None
        log, origin, first, size, payload = current
        rows = connection.execute(_NEW, (first + size,)).fetchall()
        if not rows:
            return None
        reader = _Shelf(connection, log)
        self._check_head(payload, size, reader)
        _check_numbers([seq for seq, _ in rows], first + size)
        grown = tiles.append(size, [tree.leaf_hash(data) for _, data in rows], reader)
        note = checkpoint.sign(Head(origin=origin, size=grown.size, root=grown.root), self._need().signer())
        reader.held.update({(tile.level, tile.place): hashes for tile, hashes in grown.tiles.items()})
        connection.executemany(
            _KEEP_TILE, [(log, tile.level, tile.place, hashes) for tile, hashes in grown.tiles.items()]
        )
        connection.execute(_KEEP_HEAD, (log, grown.size, note.payload))
        self._known = note.payload, reader(tiles.edge(grown.size))
        return Sealed(first=first, fresh=first + size, size=grown.size, note=note, read=reader)

    def current(self, connection: sqlite3.Connection) -> Sealed:
        """Give the last head that was committed.

        Raises:
            LedgerError: when there is none that can be read.
        """
        row = connection.execute(_CURRENT).fetchone()
        if row is None:
            raise LedgerError("the ledger has no head; run yrdx ledger verify")
        log, _, first, size, payload = row
        read = tiles_of(connection, log)
        return Sealed(first=first, fresh=first + size, size=size, note=read_note(payload), read=read)

    def case_digest(self, case_reference: str) -> bytes:
        """Give the keyed digest under which entries name a case."""
        return keyed_digest(self._secret, _CASE, case_reference.encode()) if case_reference else b""

    def _need(self) -> Scribe:
        if self._scribe is None:
            raise NotDurable("this store was opened without its ledger; exchanges want it")
        return self._scribe

    def _open(self, connection: sqlite3.Connection) -> None:
        """Begin the first log with a signed head of nothing, so that a head that is missing later is a loss."""
        if connection.execute("SELECT 1 FROM ledger_log").fetchone() is not None:
            raise NotDurable("the ledger has lost its head; run yrdx ledger verify")
        self._begin(connection, 1, logs.origin(self.member, 1), b"")

    def _begin(self, connection: sqlite3.Connection, number: int, origin: str, previous: bytes) -> None:
        note = checkpoint.sign(Head(origin=origin, size=0, root=tree.EMPTY), self._need().signer())
        connection.execute(_OPEN, (number, origin, previous))
        connection.execute(_KEEP_HEAD, (number, 0, note.payload))

    def _check_head(self, payload: bytes, size: int, reader: tiles.Hashes) -> None:
        """Check that the tiles lead to the signed head (threat 7): a tree that was edited is not signed again."""
        edge = reader(tiles.edge(size))
        if self._known == (payload, edge):
            return
        head = read_head(read_note(payload).text)
        if head.size != size or head.root != tiles.root_at(size, reader):
            raise LedgerError("the ledger's tiles do not lead to its last head; run yrdx ledger verify")


def _open_for(why: str) -> None:
    if why:
        raise NotDurable(why)


def _check_numbers(found: Sequence[int], begins: int) -> None:
    if list(found) != list(range(begins, begins + len(found))):
        raise LedgerError(f"entries are missing from number {begins} on; run yrdx ledger verify")
