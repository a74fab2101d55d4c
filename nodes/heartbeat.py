"""What a node does each second: takes what changed, ends what may go on no longer, and tells how it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import structlog

from gateway.charter import Charter
from gateway.client import Members
from gateway.clocks import civil_day
from gateway.errors import NotDurable
from gateway.server import ExchangeDoor
from keys.errors import KeysError
from nodes import alarms, reconciling
from nodes.clock import Clock
from nodes.credentials import Credentials
from nodes.health import NO_LEDGER
from nodes.listening import Listening
from nodes.metrics import STORE_NOT_WRITABLE, Metrics
from nodes.polling import WATCH_SECONDS, Polling
from nodes.reconciling import Reconciling
from nodes.store import Store
from nodes.watch import Watch, late_feeds
from nodes.witnessing import Witnessing


@dataclass(slots=True, kw_only=True)
class Heartbeat:
    """The parts of a running node that change or are told; `door` is there once the node listens."""

    charter: Callable[[], Charter]
    clock: Clock
    credentials: Credentials
    store: Store
    metrics: Metrics
    polling: Polling
    listening: Listening
    members: Members
    witnessing: Witnessing
    reconciling: Reconciling
    watch: Watch
    door: ExchangeDoor | None = None

    async def run(self) -> None:
        """Beat; a beat that fails is told and tried again."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                await self.polling.look()
                self._enforce()
                await asyncio.to_thread(self.credentials.poll)
                await self.tell()
                await asyncio.to_thread(self._renew_stops)
            except Exception as error:  # noqa: BLE001  a watch that dies would leave health as it was for ever
                structlog.get_logger().error("watch_failed", error=type(error).__name__)
                await self.listening.tell(serving=False)

    async def begin(self) -> None:
        """Beat once before anything is told by others."""
        await asyncio.to_thread(self.credentials.poll)
        await self.tell()

    async def tell(self) -> None:
        """Explain numbers that nobody waits for any more, and say how the node is."""
        await self._explain_numbers()
        await self._tell_health()

    async def tell_closed(self, faults: tuple[str, ...]) -> None:
        """Tell how the node is while nothing listens."""
        await self.polling.look()
        self.members.recheck()
        self.polling.tell(faults, self.clock.now(), {**NO_LEDGER, "ledger": self.witnessing.look().row()})

    def _enforce(self) -> None:
        """Have what is open end with the standing of whoever is at its other end."""
        if self.door is not None:
            self.door.recheck(self.charter(), self.clock.now())
        self.members.recheck()

    def _renew_stops(self) -> None:
        with suppress(KeysError):  # without a key that signs health says so
            self.polling.renew_stops(self.credentials.signer(), self.clock.now())

    async def _explain_numbers(self) -> None:
        """Mark VOID what a process that died had sent; what another worker may still wait for is left."""
        limits = self.charter().catalogue.limits
        now = self.clock.now()
        before = now - timedelta(seconds=limits.question_life + limits.clock_skew)
        with suppress(NotDurable):
            await self.store.asker.void_unfinished(before, now)

    async def _tell_health(self) -> None:
        """Serving only while an exchange could succeed: directory and key in force, store writable."""
        faults = await self._faults()
        await self.listening.tell(serving=not faults)
        told = self.reconciling.told
        more = {
            "ledger": self.witnessing.standing.row(),
            "reconciliation": told.document(),
            "alarms": self.watch.rows(),
        }
        self.polling.tell(faults, self.clock.now(), more)
        self.metrics.reconciliation(told.findings, told.behind)
        await self.witnessing.tell(self.listening, self.metrics)
        self.metrics.lifetimes(self.credentials.ends)
        soon = any(step is not None for _, step in self.credentials.ends.values())
        await self.listening.note(alarms.SERVICE, serving=not soon)
        await self.listening.note(reconciling.SERVICE, serving=not self.reconciling.told.differing)
        self._tell_data()

    def _tell_data(self) -> None:
        """Count what a person must see to: feeds that are overdue, and a calendar that is missing."""
        today = civil_day(self.clock.now())
        self.metrics.data(
            feeds_overdue=len(late_feeds(self.store.source, today)),
            calendar_missing=self.charter().catalogue.calendar.alarm(today),
        )

    async def _faults(self) -> tuple[str, ...]:
        faults = self.polling.faults(self.clock.now())
        faults.extend(self.credentials.faults())
        faults.extend(self.witnessing.look().faults)
        if not await self.store.writable():
            faults.append(STORE_NOT_WRITABLE)
        return tuple(faults)
