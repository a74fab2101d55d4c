"""The drill of a restore: a member loses its databases under load, takes an older copy, recovers and goes on."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from gateway import wire
from gateway.ledger.reconciliation import Difference, Line, Period, reconcile
from gateway.model.ledger import LedgerEvent, LedgerPrivate
from gateway.uscc import sample_code
from keys import custody
from nodes.config import DATABASE
from nodes.copies import DATABASES, back_up
from nodes.drill.keys import OFFICERS, DrillError
from nodes.drill.load import Load
from nodes.health import read_health
from nodes.lab import Lab, build
from nodes.recovering import GAP, GAP_NOT_STATED, RECOVERING
from nodes.restoring import restore
from nodes.store.doers import NOBODY
from nodes.store.ledger_reading import LedgerFile
from nodes.store.recovery import RECOVERED

ME, OTHER = "310000", "320000"
PURPOSE, AGREEMENT = "DAILY_SUPERVISION", "YRD-4-2026"
PATIENCE = 120.0
MORE = 12


@dataclass(slots=True, kw_only=True)
class RestoreStory:
    """What happened: entries that others had seen and the copy lacked, those that came back, and what stayed one-sided.

    `seconds` go from the start of the restore to the first answer; `repeated` counts pair numbers that anybody holds
    twice, and `early` the answers that anybody got before the recovery.
    """

    member: str = ME
    lost: int = 0
    recovered: int = 0
    seconds: float = 0.0
    one_sided: int = 0
    repeated: int = 0
    early: int = 0
    log: str = ""

    @property
    def good(self) -> bool:
        """Whether nothing was served too early, and nothing is left unexplained."""
        return not (self.early or self.one_sided or self.repeated)


@dataclass(slots=True, kw_only=True)
class RestoreDrill:
    """One run in a folder of its own."""

    folder: Path
    say: Callable[[str], None]
    story: RestoreStory = field(default_factory=RestoreStory)
    lab: Lab = field(init=False)

    def run(self) -> RestoreStory:
        """Carry the drill out on processes that end with it.

        Raises:
            DrillError, LabError: when a step does not come to its end in time.
        """
        self.lab = build(self.folder / "federation")
        try:
            self.lab.start(*self.lab.members)
            asyncio.run(self._drill())
        finally:
            self.lab.stop()
        return self.story

    @property
    def _data(self) -> Path:
        return self.lab.config(ME).data

    async def _drill(self) -> None:
        own, theirs = self._load(ME, (OTHER,)), self._load(OTHER, (ME,))
        await self._ask(own, theirs)
        await asyncio.to_thread(back_up, self._data, self.folder / "backup", ME, self._secret(), datetime.now(UTC))
        self.say("a backup is made while questions go on")
        await self._ask(own, theirs)
        await self._until(lambda: _witnessed(self._data), "the last entries witnessed")
        await asyncio.to_thread(self.lab.stop, ME, how=signal.SIGKILL)
        self.story.lost = _size(self._data) - _size(self.folder / "backup")
        self._lose()
        began = time.monotonic()
        await asyncio.to_thread(self._restore)
        self.say("the copy is in place; the node starts closed")
        self.lab.launch(ME)
        await self._until(lambda: self._fault() == GAP_NOT_STATED and (self._data / GAP).exists(), "the gap written")
        self.story.early = _size(self._data) - _size(self.folder / "backup")
        self._state_the_gap()
        self.say("the quorum states the gap")
        await asyncio.to_thread(self.lab.place, ME)
        await asyncio.to_thread(self.lab.publish)
        own, theirs = self._load(ME, (OTHER,)), self._load(OTHER, (ME,))
        await self._ask(own, theirs)
        self.story.seconds = round(time.monotonic() - began, 1)
        self._count()

    async def _ask(self, *loads: Load) -> None:
        """Have questions answered in both directions."""
        for load in loads:
            async with load.running():
                await self._until(partial(_answered, load, _answers(load) + MORE), "answers")

    def _lose(self) -> None:
        lost = self.folder / "lost"
        lost.mkdir()
        for name in DATABASES:
            for each in self._data.glob(f"{name}*"):
                each.rename(lost / each.name)

    def _restore(self) -> None:
        restore(self.folder / "backup", self._data, ME, self._secret(), doer=NOBODY, now=datetime.now(UTC))

    def _state_the_gap(self) -> None:
        row = json.loads((self._data / GAP).read_text(encoding="utf-8")) | {"ground": "drill of a restore"}
        self.lab.edits.append(lambda document: document.update(gaps=[row]))
        self.lab.publish()

    def _count(self) -> None:
        mine, theirs = (_lines(self.lab.config(each).data) for each in (ME, OTHER))
        self.story.recovered = _recovered(self._data)
        self.story.log = _log(self._data)
        for asker, answerer, asked, answered in ((ME, OTHER, mine, theirs), (OTHER, ME, theirs, mine)):
            numbers = [
                each.event.pair_sequence
                for each in (*asked, *answered)
                if (each.event.asker_member, each.event.answerer_member) == (asker, answerer)
            ]
            period = Period(asker_member=asker, answerer_member=answerer, first=1, last=max(numbers))
            for found in reconcile(period, asked, answered):
                self.story.repeated += found.difference is Difference.REPEATED
                self.story.one_sided += found.difference not in {Difference.LOST, Difference.REPEATED}

    def _fault(self) -> str:
        faults = read_health(self._data)["faults"]
        return next((each for each in faults if each in {RECOVERING, GAP_NOT_STATED}), "")

    def _secret(self) -> bytes:
        config = self.lab.config(ME)
        return custody.load_secret(config.storage_key, custody.read_passphrase(config.passphrase_file))

    def _load(self, member: str, members: tuple[str, ...]) -> Load:
        officer, item = OFFICERS[member]
        return Load(
            lab=self.lab,
            officer=officer,
            purpose=PURPOSE,
            item=item,
            agreement=AGREEMENT,
            members=members,
            uscc=sample_code("91", "320102", 900_000),
        )

    async def _until(self, holds: Callable[[], Any], what: str) -> None:
        ends = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > ends:
                raise DrillError(f"{what}: did not come within {PATIENCE:.0f} s")
            await asyncio.sleep(0.1)


def _answers(load: Load) -> int:
    """Count the calls that did not fail."""
    return load.calls - sum(load.failures.values())


def _answered(load: Load, count: int) -> bool:
    """Say whether so many did not."""
    return _answers(load) >= count


def _size(data: Path) -> int:
    """Count the entries of all logs."""
    with LedgerFile.open(data / DATABASE) as file:
        return sum(each.size or 0 for each in file.logs())


def _log(data: Path) -> str:
    """Name the last log."""
    with LedgerFile.open(data / DATABASE) as file:
        return file.logs()[-1].origin


def _lines(data: Path) -> list[Line]:
    """Read every event, whatever log it stands in."""
    with LedgerFile.open(data / DATABASE) as file:
        held = [each for log in file.logs() for each in file.entries(log, 0, (log.size or 0) - 1)]
    return [Line(each.seq, wire.decode(LedgerEvent, each.shared.text)) for each in held]


def _recovered(data: Path) -> int:
    """Count the entries that came back."""
    with LedgerFile.open(data / DATABASE) as file:
        log = file.logs()[-1]
        held = list(file.entries(log, 0, (log.size or 0) - 1))
    return sum(wire.decode(LedgerPrivate, each.private.text).act == RECOVERED for each in held)


def _witnessed(data: Path) -> bool:
    """Say whether a quorum has seen all entries."""
    found = read_health(data)["ledger"]
    return bool(found["size"] == found["witnessed"] == _size(data))
