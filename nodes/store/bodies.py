"""Signed bodies at rest: sealed under a key of the day, so that destroying one row deletes a day's bodies."""

import sqlite3
from typing import final

from gateway.errors import NotDurable
from keys.bodies import BodyKey, new_day_key, unwrap, wrap
from keys.errors import BodyUnreadable
from nodes.store.schema import StoreUnusable


@final
class Bodies:
    """Seals and opens bodies; the node's storage key opens the days' keys. Safe from any thread.

    Raises WeakKey when the storage key is not 32 bytes.
    """

    __slots__ = ("_last", "_storage_key")

    def __init__(self, storage_key: bytes) -> None:
        self._storage_key = BodyKey(raw=storage_key).raw
        self._last: tuple[bytes, BodyKey] | None = None

    def check(self, connection: sqlite3.Connection) -> None:
        """Prove that the storage key is the one that this database was written with.

        Raises:
            StoreUnusable: when it is another one.
        """
        row = connection.execute("SELECT wrapped_key FROM storage_day ORDER BY day DESC LIMIT 1").fetchone()
        try:
            if row is not None:
                unwrap(row[0], self._storage_key)
        except BodyUnreadable:
            raise StoreUnusable(
                "the storage key does not open this database; point the configuration at the key it was made with"
            ) from None

    def key(self, connection: sqlite3.Connection, day: str) -> BodyKey:
        """Give the day's key, made on first use, inside the write transaction that is open.

        Raises:
            NotDurable: when the storage key does not open it.
        """
        row = connection.execute("SELECT wrapped_key FROM storage_day WHERE day = ?", (day,)).fetchone()
        if row is not None:
            return self._unwrapped(row[0])
        key = new_day_key()
        wrapped = wrap(key, self._storage_key)
        connection.execute("INSERT INTO storage_day (day, wrapped_key) VALUES (?, ?)", (day, wrapped))
        return BodyKey(raw=key)

    def open(self, wrapped: bytes | None, sealed: bytes | None) -> bytes | None:
        """Open a body under its day's wrapped key; None when key or body are no longer there, or not readable."""
        if wrapped is None or sealed is None:
            return None
        try:
            return BodyKey(raw=unwrap(wrapped, self._storage_key)).open(sealed)
        except BodyUnreadable:
            return None

    def _unwrapped(self, wrapped: bytes) -> BodyKey:
        # Kept for one day only and found by the row's own bytes: a destroyed key is not used again.
        last = self._last
        if last is not None and last[0] == wrapped:
            return last[1]
        try:
            key = BodyKey(raw=unwrap(wrapped, self._storage_key))
        except BodyUnreadable as error:
            raise NotDurable(
                "the storage key does not open the key of the day; check which key is configured"
            ) from error
        self._last = (wrapped, key)
        return key
