"""Signed bodies at rest: sealed under a key of day and purpose, so that destroying one key deletes what was under it.

What is no question of a purpose lies under another scope: SUBJECTS, or none.
"""

import sqlite3
from typing import final

from gateway.errors import NotDurable
from keys.bodies import BodyKey, new_day_key, unwrap, wrap
from keys.errors import BodyUnreadable
from nodes.store.schema import StoreUnusable

_NEWEST = "SELECT wrapped_key FROM storage_key WHERE destroyed IS NULL ORDER BY id DESC LIMIT 1"
_KEY = "SELECT wrapped_key FROM storage_key WHERE day = ? AND scope = ? AND destroyed IS NULL"
_NEW = "INSERT INTO storage_key (day, scope, wrapped_key) VALUES (?, ?, ?)"


@final
class Bodies:
    """Seals and opens bodies; the node's storage key opens the days' keys. Safe from any thread.

    Raises WeakKey when the storage key is not 32 bytes.
    """

    __slots__ = ("_day", "_keys", "_storage_key")

    def __init__(self, storage_key: bytes) -> None:
        self._storage_key = BodyKey(raw=storage_key).raw
        self._day, self._keys = "", dict[bytes, BodyKey]()

    def check(self, connection: sqlite3.Connection) -> None:
        """Prove that the storage key is the one that this database was written with.

        Raises:
            StoreUnusable: when it is another one.
        """
        row = connection.execute(_NEWEST).fetchone()
        try:
            if row is not None:
                unwrap(row[0], self._storage_key)
        except BodyUnreadable:
            raise StoreUnusable(
                "the storage key does not open this database; point the configuration at the key it was made with"
            ) from None

    def key(self, connection: sqlite3.Connection, day: str, scope: str) -> BodyKey:
        """Give the key of a day and a scope, made on first use, inside the write transaction that is open.

        Raises:
            NotDurable: when the storage key does not open it.
        """
        row = connection.execute(_KEY, (day, scope)).fetchone()
        if row is not None:
            return self._unwrapped(day, row[0])
        key = new_day_key()
        connection.execute(_NEW, (day, scope, wrap(key, self._storage_key)))
        return BodyKey(raw=key)

    def open(self, wrapped: bytes | None, sealed: bytes | None) -> bytes | None:
        """Open a body under its wrapped key; None when key or body are no longer there, or not readable."""
        if wrapped is None or sealed is None:
            return None
        try:
            return BodyKey(raw=unwrap(wrapped, self._storage_key)).open(sealed)
        except BodyUnreadable:
            return None

    def _unwrapped(self, day: str, wrapped: bytes) -> BodyKey:
        # Kept for one day only and found by the row's own bytes: a destroyed key is not used again.
        if day != self._day:
            self._day, self._keys = day, {}
        key = self._keys.get(wrapped)
        if key is None:
            try:
                key = self._keys[wrapped] = BodyKey(raw=unwrap(wrapped, self._storage_key))
            except BodyUnreadable as error:
                raise NotDurable(
                    "the storage key does not open the key of the day; check which key is configured"
                ) from error
        return key
