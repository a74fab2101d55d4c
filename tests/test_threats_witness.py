"""Threat 13: fifty requests at once and kill -9 between them; a real witness never cosigns a smaller tree.

`YRDX_KILL_ROUNDS` says how many times the witness is killed; a few by default.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from callers import WAIT, Caller, now, read_charter, small_lab
from ledgers import shelf

from gateway.calls import DirectRoute
from gateway.client import RemoteMember
from gateway.errors import Refused, Unavailable
from gateway.ledger import checkpoint, logs, tiles
from gateway.ledger.checkpoint import Checkpoint, Head, open_checkpoint
from gateway.ledger.note import NoteSignature
from gateway.ledger.witnessing import Conflict
from gateway.witness_client import RemoteLedger
from keys import custody
from nodes.lab import Lab

pytestmark = pytest.mark.net
LOG, WITNESS = "310000", "320000"
ORIGIN = logs.origin(LOG, 1)
ROUNDS = int(os.environ.get("YRDX_KILL_ROUNDS", "3"))
AT_ONCE, SIZE, SECONDS = 50, 100_000, 10.0
TREE = shelf(SIZE)


@dataclass(kw_only=True)
class Crowd:
    """Fifty processes of one careless log that all show heads at once; `grown` is what was cosigned: old and new."""

    lab: Lab
    chance: random.Random = field(default_factory=lambda: random.Random(13))
    grown: list[tuple[int, int]] = field(default_factory=list)
    largest: int = 0
    ended: bool = False

    def __post_init__(self) -> None:
        """Load the log's key and the node's certificate."""
        self.caller = Caller(lab=self.lab, me=LOG, to=WITNESS)
        keys = self.lab.home(LOG) / "keys"
        self.signer = custody.load_signer(
            keys / "ledger.key", custody.read_passphrase(keys / "passphrase"), use="ledger"
        )
        self.find = logs.listed_keys(read_charter(self.lab, LOG).directory, LOG)

    def head(self, size: int) -> Checkpoint:
        """Sign the head of a size."""
        note = checkpoint.sign(Head(origin=ORIGIN, size=size, root=tiles.root_at(size, TREE)), self.signer)
        return open_checkpoint(note.payload, self.find)

    async def show(self) -> None:
        """Show heads of near sizes, from what one believes is held, until it ends."""
        held = 0
        while not self.ended:
            size = min(SIZE, held + self.chance.randrange(4))
            proof = tiles.consistency(held, size, TREE) if held else ()
            try:
                found = await self.remote().add_checkpoint(self.head(size), held, proof, self.find, SECONDS)
            except (Unavailable, Refused):
                await asyncio.sleep(0.02)
                continue
            if isinstance(found, NoteSignature):
                self.grown.append((held, size))
                self.largest = max(self.largest, size)
                held = size
            elif isinstance(found, Conflict):
                held = found.size

    def remote(self) -> RemoteLedger:
        """Give the witness where it listens now."""
        member = RemoteMember(self.caller.channel(WITNESS))
        return RemoteLedger(DirectRoute(member), WITNESS, lambda: read_charter(self.lab, LOG), now)

    async def cosigned(self, count: int) -> None:
        """Wait for so many more cosignatures."""
        wanted = len(self.grown) + count
        async with asyncio.timeout(WAIT * 2):
            while len(self.grown) < wanted:
                await asyncio.sleep(0.01)


@pytest.fixture
async def crowd(tmp_path: Path) -> AsyncIterator[Crowd]:
    """A witness as a real process, and those who press on it."""
    lab = small_lab(tmp_path)
    try:
        lab.start(WITNESS)
        found = Crowd(lab=lab)
        yield found
        await found.caller.close()
    finally:
        for process in lab.processes.values():
            process.kill()
            process.wait()


@pytest.mark.timeout(300)
async def test_a_killed_witness_never_goes_back(crowd: Crowd) -> None:
    """Each cosignature grew out of all before it: no two from one size, and none from before what was cosigned."""
    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(crowd.show())
        for _ in range(ROUNDS):
            await crowd.cosigned(crowd.chance.randrange(5, 40))
            before = crowd.largest
            await asyncio.to_thread(crowd.lab.stop, WITNESS, how=signal.SIGKILL)
            await asyncio.to_thread(crowd.lab.start, WITNESS)
            found = await crowd.remote().add_checkpoint(crowd.head(0), 0, (), crowd.find, SECONDS)
            assert isinstance(found, Conflict)
            assert found.size >= before
        await crowd.cosigned(5)
        crowd.ended = True
    steps = sorted({each for each in crowd.grown if each[0] != each[1]})
    assert all(later[0] >= earlier[1] for earlier, later in pairwise(steps))
    assert len(steps) == len([each for each in crowd.grown if each[0] != each[1]])
