"""Rounds of cosigning: off the way of exchanges, with whoever can be reached, until enough have seen one head."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from ledgers import ANHUI, JIANGSU, MEMBERS, SHANGHAI, ZHEJIANG
from stores import NOW, rows
from witnesses import Fixed, Region, charter, find, forged, remote

from gateway.ledger import dating, logs
from gateway.ledger.checkpoint import open_checkpoint
from gateway.witness_door import ADD_CHECKPOINT
from nodes.cosigning import REST_SECONDS, Cosigning

ORIGIN = logs.origin(SHANGHAI, 1)


@dataclass(kw_only=True)
class Council:
    """Shanghai and its three witnesses; `ticks` is what the rounds take for the time that goes by."""

    folder: Path
    ticks: float = 0.0
    suspected: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Open four stores."""
        self.regions = {each: Region(member=each, path=self.folder / f"{each}.db") for each in MEMBERS}
        self.log = self.regions[SHANGHAI]
        self.restart()

    def restart(self) -> None:
        """Forget what the rounds of before knew."""
        self.rounds = Cosigning(
            lambda: charter(SHANGHAI),
            Fixed(self.log),
            lambda: self.ticks,
            self.log.store.witness,
            lambda member: remote(SHANGHAI, self.regions[member]),
            self.suspected.append,
        )

    def silence(self, *members: str) -> None:
        """Let these witnesses be out of reach, and no others."""
        for each in self.regions.values():
            each.silent = each.member in members

    def shown(self, member: str) -> int:
        """Count how often a witness was shown a head."""
        return self.regions[member].asked.count(ADD_CHECKPOINT)

    def held(self, member: str) -> int:
        """Give the size of the head that a witness holds."""
        found = self.regions[member].store.witness.newest(ORIGIN)
        return open_checkpoint(found, find).head.size if found else 0

    @property
    def witnessed(self) -> int:
        """Give how many entries are witnessed."""
        return self.log.store.witness.witnessed_size()


@pytest.fixture
def council(tmp_path: Path) -> Iterator[Council]:
    """Four members."""
    found = Council(folder=tmp_path)
    yield found
    for each in found.regions.values():
        each.store.close()


async def test_a_head_is_witnessed_in_one_round(council: Council) -> None:
    """All three cosign; the head is kept with their signatures and time, and nobody is asked while nothing grows."""
    await council.rounds.round()
    assert council.log.store.witness.witnessed(1) is None
    await council.log.enter(3)
    await council.rounds.round()
    await council.rounds.round()
    kept = council.log.store.witness.witnessed(2)
    assert kept is not None
    found = dating.witnessed_in(charter(SHANGHAI).directory, open_checkpoint(kept.payload, find))
    assert (kept.log, kept.size, kept.time, dating.moment(found)) == (1, 3, NOW, NOW)
    assert len(found.checkpoint.note.signatures) == 4
    assert [council.shown(each) for each in (JIANGSU, ZHEJIANG, ANHUI)] == [1, 1, 1]
    assert council.log.store.witness.witnessed(4) is None


async def test_the_smallest_head_that_covers_an_entry_is_given(council: Council) -> None:
    """An entry is witnessed since the first head that covers it, whatever grew since."""
    for start in (1, 4, 7):
        await council.log.enter(3, start=start)
        await council.rounds.round()
    found = [council.log.store.witness.witnessed(size) for size in (1, 3, 4, 9)]
    assert [each.size if each else None for each in found] == [3, 3, 6, 9]
    assert [council.shown(each) for each in (JIANGSU, ZHEJIANG, ANHUI)] == [3, 3, 3]


async def test_of_old_heads_the_last_of_ten_minutes_stays(council: Council) -> None:
    """Every entry is witnessed still, one of before the time ten minutes later at most, and newer ones as they were."""
    book, step = council.log.store.witness, timedelta(minutes=3)
    for number in range(1, 13):
        for each in council.regions.values():
            each.now = NOW + number * step
        await council.log.enter(1, start=number)
        await council.rounds.round()
    before = {number: book.witnessed(number) for number in range(1, 13)}
    gone, cut = await book.thin(NOW + 9 * step), 8
    assert gone == len(before) - rows(council.log.path, "SELECT count(*) FROM cosigned_head")[0][0] > 0
    for number, was in before.items():
        now = book.witnessed(number)
        assert now is not None
        assert was is not None
        assert timedelta() <= now.time - was.time < timedelta(minutes=10)
        assert now == was or number < cut
    assert await book.thin(NOW + 9 * step) == 0


async def test_two_of_three_are_enough_and_one_is_not(council: Council) -> None:
    """One witness out of reach changes nothing; with two the head waits, and the node goes on."""
    council.silence(JIANGSU)
    await council.log.enter(2)
    await council.rounds.round()
    assert council.witnessed == 2
    council.silence(JIANGSU, ZHEJIANG)
    await council.log.enter(2, start=3)
    await council.rounds.round()
    assert (council.witnessed, council.log.head().head.size) == (2, 4)


async def test_witnesses_that_are_up_in_turns_agree_on_one_head(council: Council) -> None:
    """The head that one has cosigned is shown to the next, however much the ledger has grown since."""
    await council.log.enter(2)
    council.silence(ZHEJIANG, ANHUI)
    await council.rounds.round()
    await council.log.enter(5, start=3)
    council.silence(JIANGSU, ANHUI)
    council.ticks += REST_SECONDS
    await council.rounds.round()
    assert (council.witnessed, council.held(JIANGSU), council.held(ZHEJIANG)) == (2, 2, 2)
    council.silence()
    council.ticks += REST_SECONDS
    await council.rounds.round()
    assert council.witnessed == 7


async def test_a_witness_that_failed_is_left_alone_for_a_while(council: Council) -> None:
    """Whoever is out of reach is tried again after its rest, not each round."""
    council.silence(JIANGSU, ZHEJIANG, ANHUI)
    await council.log.enter(1)
    for _ in range(5):
        await council.rounds.round()
    assert council.shown(ANHUI) == 1
    council.ticks += REST_SECONDS
    await council.rounds.round()
    assert council.shown(ANHUI) == 2


async def test_a_node_that_starts_learns_what_is_held(council: Council) -> None:
    """After a restart a witness names the size that it holds, and the proof from there is enough in the same round."""
    await council.log.enter(3)
    await council.rounds.round()
    await council.log.enter(3, start=4)
    council.restart()
    await council.rounds.round()
    assert (council.witnessed, council.shown(JIANGSU)) == (6, 3)


async def test_a_witness_ahead_of_the_disk_is_looked_into(council: Council) -> None:
    """A witness that holds more than the disk is named; it cosigns nothing smaller."""
    await council.log.enter(1)
    copy = council.log.back_up()
    await council.log.enter(5, start=2)
    await council.rounds.round()
    council.log.put_back(copy)
    council.restart()
    await council.log.enter(1, start=20)
    await council.rounds.round()
    assert sorted(council.suspected) == [JIANGSU, ZHEJIANG, ANHUI]
    assert (council.witnessed, council.held(JIANGSU)) == (0, 6)


async def test_a_fork_of_the_own_log_is_kept(council: Council) -> None:
    """Where a witness holds another head of this size, both notes are kept here too, and the others cosign."""
    await council.log.enter(2)
    witness = council.regions[JIANGSU].store.witness
    rows(council.regions[JIANGSU].path, _holding(forged(2).payload))
    assert witness.newest(ORIGIN) == forged(2).payload
    await council.rounds.round()
    await council.rounds.round()
    (kept,) = council.log.store.witness.forks()
    assert (kept.origin, kept.size, kept.first, kept.second) == (
        ORIGIN,
        2,
        forged(2).payload,
        council.log.head().note.payload,
    )
    assert council.witnessed == 2


async def test_another_history_is_looked_into(council: Council) -> None:
    """A witness for which the head does not grow out of what it holds is named and left alone."""
    await council.log.enter(4)
    rows(council.regions[JIANGSU].path, _holding(forged(2).payload))
    await council.rounds.round()
    assert (council.suspected, council.witnessed) == ([JIANGSU], 4)


async def test_a_head_whose_key_was_taken_back_is_not_kept(council: Council) -> None:
    """Cosignatures from after the log's key ended make nothing witnessed; the next head is tried instead."""
    await council.log.enter(2)
    for each in council.regions.values():
        each.now = NOW + timedelta(days=400)
    await council.rounds.round()
    assert council.witnessed == 0


def _holding(payload: bytes) -> str:
    """Write the statement that makes a witness hold a head."""
    return f"INSERT INTO held_head VALUES ('{ORIGIN}', 2, x'{payload.hex()}', '2026-03-02T04:05:06.000000Z')"
