"""Polls the bundle's mirrors beside a node's work, and tells how current the bundle is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from gateway.charter import is_behind
from keys.errors import KeysError
from keys.suite import Signer
from nodes.bundle.following import Following
from nodes.bundle.stops import STOPS, StopsRefused, renew_stops
from nodes.health import NO_LEDGER, document, stage, write_health
from nodes.metrics import Metrics

WATCH_SECONDS = 1.0
"""Between two looks at what changed on the disk, or is due."""

CLOCK_BEHIND = "ClockBehind"


class Polling:
    """What a running node does with its `Following`."""

    def __init__(self, following: Following, data: Path, metrics: Metrics) -> None:
        """Poll what is followed; `data` is the node's folder."""
        self._following, self._data, self._metrics = following, data, metrics
        self._log = structlog.get_logger().bind()

    async def look(self) -> None:
        """Take what another worker fetched, and what the member stopped."""
        if await asyncio.to_thread(self._following.look):
            self._tell_taken()

    async def run(self) -> None:
        """Ask the mirrors, in a thread: a slow one holds up nobody but the next poll."""
        due = last = 0.0  # what was kept from the last run may be old
        while True:
            if time.monotonic() >= due:
                try:
                    if await asyncio.to_thread(self._following.poll):
                        self._tell_taken()
                    self._tell_mirrors()
                except Exception as error:  # noqa: BLE001  a poll that dies would leave the bundle as it was for ever
                    self._log.error("poll_failed", error=type(error).__name__)
                last = time.monotonic()
            await asyncio.sleep(WATCH_SECONDS)
            due = last + self._following.pause()  # anew each second: when the bundle expires it gets short

    def renew_stops(self, signer: Signer, now: datetime) -> None:
        """Have the member's own stops signed by the key that signs now; a file that was refused stays refused."""
        if self._following.stops_refused:
            return
        path, me = self._data / STOPS, self._following.current.me
        with suppress(OSError, KeysError):  # tried again within a second
            if renew_stops(path, me, self._following.stops, signer=signer, now=now):
                self._log.info("stops_signed_again")

    def faults(self, now: datetime) -> list[str]:
        """Name what is wrong with the bundle in force, the clock or the member's own stops."""
        charter, faults = self._following.current, []
        try:
            charter.directory.check_current(now)
        except KeysError as error:
            faults.append(type(error).__name__)
        if is_behind(charter, now):
            faults.append(CLOCK_BEHIND)
        if self._following.stops_refused:
            faults.append(StopsRefused.__name__)
        return faults

    def tell(self, faults: tuple[str, ...], now: datetime, more: Mapping[str, Any] = NO_LEDGER) -> None:
        """Say how current the bundle is, what is missing, and more; one worker writes the file."""
        charter = self._following.current
        self._metrics.health(faults)
        self._metrics.bundle(
            expires=(charter.directory.expire_time - now).total_seconds(),
            closes=(charter.directory.close_time - now).total_seconds(),
            stage=stage(charter, now),
            mirrors_failing=sum(each.fault is not None for each in self._following.mirrors),
        )
        if self._following.leads():
            with suppress(OSError):  # a full disk is told by other means
                write_health(self._data, document(self._following, faults, now, more))

    def _tell_taken(self) -> None:
        version = self._following.current.directory.version
        self._log.info("bundle_taken", version=version, stops=len(self._following.stops))

    def _tell_mirrors(self) -> None:
        for number, each in enumerate(self._following.mirrors):
            if each.fault:
                found = asdict(each.fault)
                self._log.warning("mirror_failed", place=number, **found)
