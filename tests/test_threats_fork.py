"""Threat 12: a member that keeps two histories of one ledger gets no quorum for both, and the evidence is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledgers import ANHUI, JIANGSU, SHANGHAI, ZHEJIANG
from witnesses import Fixed, Region, charter, find, remote

from gateway.ledger import logs
from gateway.ledger.checkpoint import open_checkpoint
from nodes.cosigning import Cosigning

ORIGIN = logs.origin(SHANGHAI, 1)
WITNESSES = (JIANGSU, ZHEJIANG, ANHUI)


@dataclass(kw_only=True)
class Forked:
    """Shanghai's operator runs its ledger twice: two disks under one key, and three witnesses."""

    folder: Path

    def __post_init__(self) -> None:
        """Open five stores."""
        self.witnesses = {each: Region(member=each, path=self.folder / f"{each}.db") for each in WITNESSES}
        self.histories = [Region(member=SHANGHAI, path=self.folder / f"shanghai-{each}.db") for each in (1, 2)]

    async def show(self, history: int, *members: str) -> None:
        """Have one history show its newest head to these witnesses alone."""
        log = self.histories[history]
        rounds = Cosigning(
            lambda: charter(SHANGHAI),
            Fixed(log),
            lambda: 0.0,
            log.store.witness,
            lambda member: remote(SHANGHAI, self.witnesses[member]) if member in members else None,
            lambda _: None,
        )
        await rounds.round()

    @property
    def witnessed(self) -> list[int]:
        """Give how many entries of each history are witnessed."""
        return [each.store.witness.witnessed_size() for each in self.histories]

    def close(self) -> None:
        """Close all."""
        for each in (*self.witnesses.values(), *self.histories):
            each.store.close()


@pytest.fixture
def forked(tmp_path: Path) -> Iterator[Forked]:
    """Two histories."""
    found = Forked(folder=tmp_path)
    yield found
    found.close()


async def test_a_forked_ledger_gets_no_quorum_for_both_heads(forked: Forked) -> None:
    """One history is shown to one witness, the other to two: one is witnessed, and both heads are evidence."""
    for log in forked.histories:
        await log.enter(3)
    await forked.show(0, JIANGSU)
    await forked.show(1, ZHEJIANG, ANHUI)
    assert forked.witnessed == [0, 3]
    await forked.show(0, *WITNESSES)
    assert forked.witnessed == [0, 3]
    for member, region in forked.witnesses.items():
        kept = region.store.witness.forks()
        assert [(each.origin, each.size) for each in kept] == ([] if member == JIANGSU else [(ORIGIN, 3)])
        for each in kept:
            roots = {open_checkpoint(note, find).head.root for note in (each.first, each.second)}
            assert len(roots) == 2
    assert forked.histories[0].store.witness.count_forks(ORIGIN) == 1


async def test_a_longer_history_does_not_win_over_the_one_that_was_seen(forked: Forked) -> None:
    """A witness that holds one history cosigns no head of another, however far that has grown."""
    await forked.histories[0].enter(2)
    await forked.histories[1].enter(5)
    await forked.show(0, *WITNESSES)
    await forked.show(1, *WITNESSES)
    assert forked.witnessed == [2, 0]


@settings(max_examples=4, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 1), st.sampled_from(WITNESSES)), min_size=2, max_size=8))
def test_no_order_of_showing_gets_both_witnessed(
    tmp_path_factory: pytest.TempPathFactory, shown: Sequence[tuple[int, str]]
) -> None:
    """Whichever history comes to which witness when, one of them at most is ever witnessed."""

    async def run() -> list[int]:
        found = Forked(folder=tmp_path_factory.mktemp("forked"))
        try:
            for log in found.histories:
                await log.enter(1)
            for history, member in shown:
                await found.show(history, member)
            for history in (0, 1):
                await found.show(history, *WITNESSES)
            return found.witnessed
        finally:
            found.close()

    assert min(asyncio.run(run())) == 0
