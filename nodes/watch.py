"""Watches use, disk, feeds and acts beside a node's work, in the leading worker: what a person must see to (A37)."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Any

import structlog

from gateway import watching
from gateway.charter import Charter
from gateway.clocks import civil_day
from gateway.coverage import overdue
from gateway.ports import Source
from gateway.watching import Alarm, Told, Use, WatchRule, use_of
from nodes.auditing import since
from nodes.bundle.following import Following
from nodes.config import DATABASE, Config
from nodes.metrics import Metrics
from nodes.store.acts_reading import WAITING, compare
from nodes.store.ledger_reading import LedgerFile
from nodes.store.watch_reading import active

SECONDS = 10.0
SELDOM = 60
"""Looks from one comparison of acts with the ledger to the next."""

_SOME = 500
_REGISTER = {"register": ("kind",)}
_log = structlog.get_logger()


class Watch:
    """What one process has counted of the day; a new leader counts it again from the ledger."""

    def __init__(
        self, config: Config, following: Following, source: Source, clock: Callable[[], datetime], metrics: Metrics
    ) -> None:
        """Use what the node has open."""
        self._data, self._path = config.data, config.data / DATABASE
        self._following, self._source, self._clock, self._metrics = following, source, clock, metrics
        self._use: Use | None = None
        self._place, self._row = (0, 0), 0
        self._tried: dict[str, tuple[Told, ...]] = {}
        self._rounds = self._wrong = 0
        self._told: set[tuple[str, str]] = set()
        self.alarms: tuple[Told, ...] = ()

    def rows(self) -> list[dict[str, Any]]:
        """Say which alarms sound, as health writes them."""
        return [asdict(each) for each in self.alarms]

    async def run(self) -> None:
        """Look until the node stops."""
        while True:
            await self._try()
            await asyncio.sleep(SECONDS)

    async def _try(self) -> None:
        try:
            if self._following.leads():
                self.alarms = await asyncio.to_thread(self.look)
                self._tell()
        except Exception as error:  # noqa: BLE001  a watch that dies would leave alarms as they were for ever
            _log.error("alarms_failed", error=type(error).__name__)

    def look(self) -> tuple[Told, ...]:
        """Look once, in a thread: what follows the last look is counted.

        Raises:
            OSError, StoreUnusable: when something cannot be read.
        """
        charter, now = self._following.current, self._clock()
        rule = charter.catalogue.watch(civil_day(now))
        if rule is None:
            return ()
        use = self._day(charter, now, rule)
        return tuple(sorted({*self._uses(use), *self._tries(charter, use), *self._acts(), *self._standing(now, rule)}))

    def _day(self, charter: Charter, now: datetime, rule: WatchRule) -> Use:
        """Give the day's count; a new day, or a rule of another bundle, begins anew."""
        if self._use is None or (self._use.day, self._use.rule) != (civil_day(now), rule):
            self._use = use_of(charter.me, now, rule, charter.catalogue.calendar)
            self._place, self._row, self._tried = (0, 0), 0, {}
            self._told.clear()
        return self._use

    def _uses(self, use: Use) -> Iterator[Told]:
        with LedgerFile.open(self._path) as file:
            for each in since(file, use.day, self._place):
                use.add(each)
                self._place = (each.log, each.place)
        return use.alarms()

    def _tries(self, charter: Charter, use: Use) -> Iterator[Told]:
        found, self._row = active(self._path, use.day.isoformat(), self._row)
        for agency, codes in found.items():
            told = watching.enumeration(agency, codes, self._unknown(charter.me, codes), use.rule)
            self._tried[agency] = tuple(told)
        return (each for told in self._tried.values() for each in told)

    def _unknown(self, me: str, codes: frozenset[str]) -> int:
        """Count the codes that name this member's area and are not in its register: a made-up one has to name some."""
        own = sorted(each for each in codes if each[2:4] == me[:2])
        parts = (own[start : start + _SOME] for start in range(0, len(own), _SOME))
        return len(own) - sum(len(self._source.read(part, _REGISTER).rows) for part in parts)

    def _acts(self) -> Iterator[Told]:
        if self._rounds % SELDOM == 0:  # it reads every load that ever was
            self._wrong = sum(each.last - each.first + 1 for each in compare(self._path) if each.fault != WAITING)
        self._rounds += 1
        if self._wrong:
            yield Told(alarm=Alarm.ACTS.value, who="", count=self._wrong)

    def _standing(self, now: datetime, rule: WatchRule) -> Iterator[Told]:
        return watching.standing(
            rule,
            free_percent=free_percent(self._data),
            overdue=late_feeds(self._source, civil_day(now)),
            unacknowledged=(),  # nothing that is to be acknowledged is sent yet
            now=now,
        )

    def _tell(self) -> None:
        """Log each alarm once a day."""
        self._metrics.alarms(self.alarms)
        for each in self.alarms:
            if (each.alarm, each.who) not in self._told:
                self._told.add((each.alarm, each.who))
                _log.warning("alarm", alarm=each.alarm, who=each.who, count=each.count)


def free_percent(folder: Path) -> float:
    """Give how much of a folder's disk is free, in per cent."""
    found = shutil.disk_usage(folder)
    return 100 * found.free / found.total


def late_feeds(source: Source, today: date) -> tuple[str, ...]:
    """Name the declared feeds without the update that is due."""
    return tuple(each.id for each in source.feeds() if overdue(each, today))
