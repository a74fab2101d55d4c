"""Applies the retention of the signed tables: once a day at the leading worker, or by an operator's command."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial

import structlog

from gateway.charter import Charter
from gateway.clocks import civil_day
from gateway.retention import kept_from, records_from
from nodes import acts
from nodes.bundle.following import current_charter
from nodes.clock import open_clock
from nodes.config import DATABASE, Config
from nodes.credentials import Credentials
from nodes.store import Scribe, Store
from nodes.store.doers import NOBODY, Doer, Done
from nodes.store.retention import DELETION, Forgotten, Held, held

ROLE, NODE = "administer", "node"
"""The role in which an officer has it done, and that of the node itself."""

LOOK_SECONDS = 60.0
"""Between two looks at the day; a round that failed is tried again at the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """What a round did: keys destroyed, records removed, and whether the database's log was emptied after it."""

    keys: int
    forgotten: Forgotten
    scrubbed: bool


async def apply(store: Store, charter: Charter, now: datetime, doer: Doer | None = None) -> Deleted:
    """Destroy and remove what is due; `doer` is whoever had it done, None for the node itself.

    Raises:
        NotDurable, sqlite3.Error: what was not yet destroyed stays, and goes with the next round.
    """
    catalogue, today = charter.catalogue, civil_day(now)
    kept = partial(kept_from, catalogue, today=today)

    def doing(digest: bytes) -> Done:
        if doer is None:
            return NOBODY.done(DELETION, NODE, digest, now)
        done = doer.done(DELETION, ROLE, digest, now)
        return replace(done, act=acts.judge(charter, done))

    keys = await store.retention.destroy(kept, doing)
    forgotten = await store.retention.forget(records_from(catalogue, today), doing)
    await store.witness.thin(now - timedelta(days=catalogue.limits.heads_days))
    scrubbed = await asyncio.to_thread(store.retention.scrub)
    return Deleted(keys=keys, forgotten=forgotten, scrubbed=scrubbed)


class Keeping:
    """Applies retention once a day, where this worker leads."""

    def __init__(
        self, store: Store, charter: Callable[[], Charter], clock: Callable[[], datetime], leads: Callable[[], bool]
    ) -> None:
        """Begin with no day done: a node that was off catches up at its start."""
        self._store, self._charter, self._clock, self._leads = store, charter, clock, leads
        self._log = structlog.get_logger().bind()
        self._done: date | None = None

    async def run(self) -> None:
        """Look at the day, and apply."""
        while True:
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001  a job that dies would keep everything for ever
                self._log.error("retention_failed", error=type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Apply retention if this worker leads and has not done so today; a log that was in use is emptied later."""
        now = self._clock()
        if self._done == civil_day(now) or not self._leads():
            return
        found = await apply(self._store, self._charter(), now)
        if found.keys or found.forgotten != Forgotten():
            self._log.info("retention_applied", count=found.keys)
        if found.scrubbed:
            self._done = civil_day(now)


def show(config: Config, now: datetime) -> tuple[Charter, tuple[Held, ...]]:
    """Say what the member's database keeps, beside a node that may run; no key is needed.

    Raises:
        OSError, KeysError, CatalogueMalformed, StoreUnusable: naming what is missing or wrong.
    """
    charter = current_charter(config)
    rule = partial(kept_from, charter.catalogue, today=civil_day(now))
    return charter, held(config.data / DATABASE, rule)


def run(config: Config, doer: Doer) -> Deleted:
    """Apply retention now, beside a node that may run: it wants the node's own keys, and whoever is named the role.

    Raises:
        RoleMissing: nothing was done.
        OSError, KeysError, CatalogueMalformed, StoreUnusable, NotDurable: naming what is missing or wrong.
    """
    clock, charter = open_clock(config.clock), current_charter(config)
    acts.check_role(charter, doer, ROLE, clock.now())
    credentials = Credentials(config, lambda: charter, clock.now)
    scribe = Scribe(member=config.member, signer=credentials.log_signer)
    store = Store.open(config.data / DATABASE, credentials.storage, scribe)
    try:
        return asyncio.run(apply(store, charter, clock.now(), doer))
    finally:
        store.close()
