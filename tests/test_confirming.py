"""Threat 12: what a member gave a receipt for stands in the history that witnesses cosigned, or is found out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ledgers import ANHUI, JIANGSU, SHANGHAI, ZHEJIANG, witness_signer
from receipts import LOGGERS
from stores import exchange, question, rows, signed
from test_store_asker import closing, conclude
from witnesses import Edit, Fixed, Line, Region, charter, find, remote, with_witnesses

from gateway import carriers
from gateway.exchange.release import size_class
from gateway.ledger.checkpoint import open_checkpoint
from gateway.model.signed import Reply
from keys import envelope
from nodes.confirming import Confirming
from nodes.cosigning import Cosigning
from nodes.witnessing import Witnessing

OTHERS = (JIANGSU, ZHEJIANG, ANHUI)


@dataclass(kw_only=True)
class Pair:
    """Jiangsu asks; Shanghai answers out of one of two disks that it keeps under one key."""

    folder: Path
    edit: Edit = with_witnesses

    def __post_init__(self) -> None:
        """Open five stores."""
        self.witnesses = {each: Region(member=each, path=self.folder / f"{each}.db") for each in OTHERS}
        self.asker = self.witnesses[JIANGSU]
        self.shown, self.hidden = (
            Region(member=SHANGHAI, path=self.folder / f"{each}.db") for each in ("shown", "hidden")
        )
        self.restart()

    def restart(self) -> None:
        """Start Jiangsu's rounds anew."""
        self.confirming = Confirming(
            lambda: charter(JIANGSU, self.edit), Fixed(self.asker), self.asker.store, self._reach
        )

    def _reach(self, member: str) -> Any:
        return remote(JIANGSU, self.shown) if member == SHANGHAI else None

    async def ask(self, number: int, of: Region) -> None:
        """Have a question answered out of one of the disks, and the answer accepted."""
        asked = signed(number, number)
        answer = envelope.sign("application/x-answer", b"answer %d" % number, LOGGERS[SHANGHAI])
        (sent,) = await self.asker.store.asker.open((SHANGHAI,), lambda _, __: asked)
        given = exchange(
            number,
            question=asked.question,
            question_digest=asked.digest,
            reply=Reply(payload=carriers.write_response(answer, ())),
            reply_digest=answer.digest(),
        )
        kept = await of.store.journal.commit(given)
        payload = carriers.complete_response(kept.reply.payload, kept.receipt, size_class)
        ended = closing(sent)
        await conclude(
            self.asker.store,
            type(ended)(
                question_id=ended.question_id, outcome="ANSWERED", reply=Reply(payload=payload), digest=answer.digest()
            ),
        )

    async def witness(self) -> None:
        """Have the disk that is shown cosigned."""
        rounds = Cosigning(
            lambda: charter(SHANGHAI),
            Fixed(self.shown),
            lambda: 0.0,
            self.shown.store.witness,
            lambda member: remote(SHANGHAI, self.witnesses[member]),
            lambda _: None,
        )
        await rounds.round()

    @property
    def asked(self) -> int:
        """Count how often Shanghai was asked for a proof."""
        return sum("GetProof" in each for each in self.shown.asked)

    @property
    def found(self) -> tuple[str, ...]:
        """Name whom Jiangsu holds something against."""
        return self.confirming.contradicting()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Two disks of one ledger, and three witnesses."""
    found = Pair(folder=tmp_path)
    yield found
    for each in (*found.witnesses.values(), found.shown, found.hidden):
        each.store.close()


async def test_what_was_witnessed_is_confirmed_once(pair: Pair) -> None:
    """An answer is asked about until a quorum has seen its entry, and then no more."""
    await pair.ask(1, pair.shown)
    await pair.confirming.round()
    await pair.witness()
    for _ in range(3):
        await pair.confirming.round()
    assert (pair.found, pair.asked) == ((), 2)


async def test_a_history_that_is_shown_to_one_asker_is_found_out(pair: Pair) -> None:
    """A receipt from another disk verifies, and is contradicted by the ledger that the others cosigned."""
    await pair.ask(1, pair.shown)
    await pair.ask(2, pair.hidden)
    await pair.witness()
    await pair.confirming.round()
    assert pair.found == (SHANGHAI,)


async def test_an_entry_that_was_swapped_for_another_is_found_out(pair: Pair) -> None:
    """The place of the receipt holds another event of the same pair."""
    await pair.ask(1, pair.hidden)
    changed = question(7, asker_member=JIANGSU, answerer_member=SHANGHAI, sequence=1)
    await pair.shown.store.journal.commit(exchange(7, question=changed))
    await pair.witness()
    await pair.confirming.round()
    assert pair.found == (SHANGHAI,)


async def test_two_heads_of_one_size_are_kept_though_the_other_is_silent(pair: Pair) -> None:
    """The head of a receipt and the one that was cosigned contradict each other on their face: that is the evidence."""
    await pair.ask(1, pair.hidden)
    await pair.shown.enter(1, start=2)
    await pair.witness()
    pair.shown.silent = True
    await pair.confirming.round()
    (fork,) = pair.asker.store.witness.forks()
    roots = {open_checkpoint(note, find).head.root for note in (fork.first, fork.second)}
    assert (fork.size, len(roots), pair.found) == (1, 2, ())


def with_gap(found: dict[str, Any]) -> None:
    """State that Shanghai lost its ledger, and goes on in a second log."""
    with_witnesses(found)
    lost = {"member": SHANGHAI, "log": 2, "follows": "00" * 32, "size": 1, "kept": 0, "ground": "disk failure"}
    found["gaps"] = [lost]


async def test_a_loss_that_the_quorum_stated_is_no_contradiction(pair: Pair) -> None:
    """Asked before the bundle that states it came, a member looked false; then it is named no more, nor asked again."""
    await pair.ask(1, pair.hidden)
    await pair.shown.enter(1, start=2)
    await pair.witness()
    await pair.confirming.round()
    before = pair.found
    pair.edit = with_gap
    assert [before, pair.found] == [(SHANGHAI,), ()]
    assert len(rows(pair.asker.path, "SELECT * FROM contradiction")) == 1
    pair.restart()
    await pair.confirming.round()
    assert (pair.found, pair.asked) == ((), 1)


async def test_whoever_is_silent_or_slow_is_accused_of_nothing(pair: Pair) -> None:
    """Without a proof there is no verdict; it comes when the member is heard again."""
    await pair.ask(1, pair.hidden)
    pair.shown.silent = True
    await pair.confirming.round()
    pair.shown.silent = False
    await pair.shown.enter(1)
    await pair.confirming.round()
    before = pair.found
    await pair.witness()
    await pair.confirming.round()
    assert [before, pair.found] == [(), (SHANGHAI,)]


async def test_a_ledger_that_its_own_member_cannot_read_is_no_contradiction(pair: Pair) -> None:
    """Damage there is told as such, and asked about again."""
    await pair.ask(1, pair.shown)
    await pair.witness()
    rows(pair.shown.path, "DELETE FROM ledger_tile")
    await pair.confirming.round()
    assert (pair.found, pair.asked) == ((), 1)


async def test_it_is_seen_by_every_process_and_after_a_restart(pair: Pair) -> None:
    """What was found is on disk: health names the member and is not well, and the newest are looked at again."""
    await pair.ask(1, pair.hidden)
    await pair.shown.enter(1)
    await pair.witness()
    await pair.confirming.round()
    pair.restart()
    await pair.confirming.round()
    assert len(rows(pair.asker.path, "SELECT * FROM contradiction")) == 1
    credentials: Any = SimpleNamespace(witness_signer=lambda: witness_signer(JIANGSU))
    line = Line(near=JIANGSU, far=pair.shown)
    other = Witnessing(lambda: charter(JIANGSU), credentials, Fixed(pair.asker), pair.asker.store, {SHANGHAI: line}.get)
    found = other.look()
    assert (found.contradicting, found.well, found.faults) == ((SHANGHAI,), False, ())
    assert found.row()["contradicting"] == [SHANGHAI]


async def test_what_is_read_of_a_member_is_bounded(pair: Pair) -> None:
    """Of many answers the last four are looked at, the newest first in the store and last in the round."""
    for number in range(1, 8):
        await pair.ask(number, pair.shown)
    await pair.witness()
    assert [each.number for each in pair.asker.store.confirmations.received(SHANGHAI)] == [7, 6, 5, 4]
    await pair.confirming.round()
    assert (pair.found, pair.asked) == ((), 4)
