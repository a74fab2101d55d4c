"""Enters in the ledger what was done beside the node or changed by hand; the leading worker does it (duty U32)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

import structlog

from gateway.charter import Charter
from nodes import states
from nodes.acts import judge
from nodes.bundle.following import Following
from nodes.config import Config
from nodes.polling import WATCH_SECONDS
from nodes.store import Store

PATIENCE = 5
"""Rounds for which something must be as it is before it counts as changed by nobody: a command writes, then says so."""

_log = structlog.get_logger()


class Bookkeeping:
    """Looks every second; a round that fails is tried again."""

    def __init__(self, config: Config, following: Following, store: Store, clock: Callable[[], datetime]) -> None:
        """Use what the node has open."""
        self._config, self._following, self._store, self._clock = config, following, store, clock
        self._seen: dict[str, tuple[bytes, int]] = {}
        self._failed = ""

    async def run(self) -> None:
        """Look until the node stops."""
        while True:
            await self._try()
            await asyncio.sleep(WATCH_SECONDS)

    async def _try(self) -> None:
        try:
            if self._following.leads():
                await self.round()
            self._failed = ""
        except Exception as error:  # noqa: BLE001  what cannot be entered now waits
            if self._failed != type(error).__name__:
                self._failed = type(error).__name__
                _log.error("acts_not_entered", error=self._failed)

    async def round(self) -> None:
        """Enter what waits, then what is not as it was last entered.

        Raises:
            NotDurable, OSError, KeysError: nothing of what failed was entered.
        """
        charter, now = self._following.current, self._clock()
        while acts := await self._store.outbox.enter(partial(judge, charter), now):
            _log.info("acts_entered", count=len(acts))
        if settled := self._settled(await asyncio.to_thread(self._states, charter)):
            for each in await self._store.outbox.see(settled, states.WANTS, now):
                if each != states.ACCOUNTS:  # what officers signed into the bundle was done by somebody
                    _log.warning("changed_by_nobody", fault=each)

    def _states(self, charter: Charter) -> Mapping[str, bytes]:
        return {
            states.CONFIGURATION: states.configuration(self._config),
            states.FEEDS: states.feeds(self._store.source.feeds()),
            states.KEYS: states.keys(self._config.leaf.parent),
            states.STOPS: states.stops(self._following.stops),
            states.ACCOUNTS: states.accounts(charter.directory.member(charter.me)),
        }

    def _settled(self, found: Mapping[str, bytes]) -> Mapping[str, bytes]:
        """Count for how many rounds each has been as it is; give what has been so long enough."""
        for each, digest in found.items():
            before, rounds = self._seen.get(each, (digest, PATIENCE))  # as it is at the start, it stays
            self._seen[each] = (digest, min(rounds + 1, PATIENCE) if before == digest else 0)
        return {each: digest for each, digest in found.items() if self._seen[each][1] >= PATIENCE}
