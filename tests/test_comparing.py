"""A node compares its disk with what others have seen of its ledger, and serves nothing while they have seen more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from bundles import SIGNERS
from ledgers import ANHUI, JIANGSU, MEMBERS, SHANGHAI, ZHEJIANG, witness_signer
from receipts import LOGGERS, response
from stores import KEY, NOW, question, rows, signed
from structlog.testing import capture_logs
from test_store_asker import closing, conclude
from witnesses import Fixed, Liar, Line, Region, add_request, asking, charter, forged, took

from gateway.errors import NotDurable
from gateway.ledger import checkpoint, logs, tree
from gateway.ledger.checkpoint import Head
from gateway.model.signed import Reply
from gateway.model.witness import GetHeadResponse
from keys import envelope
from nodes.store import Scribe, Store
from nodes.store.acts import Act
from nodes.store.ahead import MissingNumber
from nodes.store.doers import Done
from nodes.store.retention import DELETION
from nodes.witnessing import LEDGER_BEHIND, LEDGER_FORKED, LEDGER_UNWITNESSED, Standing, Witnessing

ORIGIN = logs.origin(SHANGHAI, 1)
MARK, STOP = timedelta(minutes=15), timedelta(hours=72)
TICK = timedelta(seconds=1)


@dataclass(kw_only=True)
class Council:
    """Shanghai, as a node that starts and runs, and the three others."""

    folder: Path

    def __post_init__(self) -> None:
        """Open four stores."""
        self.regions = {each: Region(member=each, path=self.folder / f"{each}.db") for each in MEMBERS}
        self.node = self.regions[SHANGHAI]

    async def start(self) -> Witnessing:
        """Start Shanghai's part as a process does."""
        credentials: Any = SimpleNamespace(witness_signer=lambda: witness_signer(SHANGHAI))
        lines = {each: Line(near=SHANGHAI, far=region) for each, region in self.regions.items()}
        found = self.node.gate = Witnessing(
            lambda: charter(SHANGHAI), credentials, Fixed(self.node), self.node.store, lines.get
        )
        await found.begin()
        return found

    async def witness(self, old: int = 0) -> None:
        """Show Jiangsu Shanghai's newest head."""
        head = self.node.head()
        proof = self.node.store.witness.growth(ORIGIN, old, head.note.payload) if old else ()
        await self.regions[JIANGSU].witness.add_checkpoint(add_request(head.note, old, proof), SHANGHAI)

    async def asks(self, number: int) -> str:
        """Let Shanghai answer, and then ask, a question; say why it does not."""
        try:
            await self.node.enter(1, start=number)
            await self.node.store.asker.open((JIANGSU,), lambda _, sequence: signed(number, sequence))
        except NotDurable as error:
            return str(error)
        return ""


@pytest.fixture
def council(tmp_path: Path) -> Iterator[Council]:
    """Four members."""
    found = Council(folder=tmp_path)
    yield found
    for each in found.regions.values():
        each.store.close()


async def test_a_node_that_nobody_is_ahead_of_serves(council: Council) -> None:
    """An empty disk, one that others know, and one that is ahead of them are all well."""
    assert (await council.start()).standing.faults == ()
    await council.node.enter(3)
    await council.witness()
    await council.node.enter(2, start=4)
    found = await council.start()
    assert (found.standing.faults, found.standing.behind, await council.asks(6)) == ((), (), "")


async def test_a_restored_backup_serves_nothing(council: Council) -> None:
    """A witness that holds a larger head shows that the disk is old: nothing is asked or answered (threat 23)."""
    await council.node.enter(2)
    copy = council.node.back_up()
    await council.node.enter(3, start=3)
    await council.witness()
    council.node.put_back(copy)
    found = await council.start()
    assert (found.standing.faults, found.standing.behind) == ((LEDGER_BEHIND,), (JIANGSU,))
    assert "recover" in await council.asks(9)
    with pytest.raises(NotDurable, match="recover"):
        await council.node.store.acts.record(Act(name="EXPORT", role="audit", officer="o"), NOW)
    (missing,) = council.node.store.ahead.heads()
    assert (missing.member, missing.origin, missing.size) == (JIANGSU, ORIGIN, 5)
    assert rows(council.node.path, "SELECT count(*) FROM ledger_entry") == [(2,)]


async def test_no_command_signs_on_a_disk_that_is_behind(council: Council) -> None:
    """Whoever opens the store, also beside the node, is refused before a second head of one size is signed."""
    await council.node.enter(2)
    copy = council.node.back_up()
    await council.node.enter(1, start=3)
    await council.witness()
    council.node.put_back(copy)
    await council.start()
    before = rows(council.node.path, "SELECT size, checkpoint FROM ledger_head")
    command = Store.open(council.node.path, KEY, Scribe(member=SHANGHAI, signer=lambda: LOGGERS[SHANGHAI]))
    act = Act(name=DELETION, role="administer", officer="o")
    with pytest.raises(NotDurable, match="recover"):
        await command.retention.destroy(lambda _: date(2027, 1, 1), lambda digest: Done(act=act, time=NOW))
    with pytest.raises(NotDurable, match="recover"):
        await command.acts.record(act, NOW)
    command.close()
    assert rows(council.node.path, "SELECT size, checkpoint FROM ledger_head") == before
    assert rows(council.node.path, "SELECT count(*) FROM storage_key WHERE destroyed IS NOT NULL") == [(0,)]
    assert (await council.start()).standing.faults == (LEDGER_BEHIND,)


async def test_what_was_seen_is_known_without_whoever_saw_it(council: Council) -> None:
    """A second start with every member out of reach still serves nothing; once the disk holds it, all goes on."""
    await council.node.enter(2)
    copy = council.node.back_up()
    await council.node.enter(3, start=3)
    await council.witness()
    lost = rows(council.node.path, "SELECT size, checkpoint FROM ledger_head")
    council.node.put_back(copy)
    await council.start()
    council.regions[JIANGSU].silent = True
    found = await council.start()
    assert found.standing.faults == (LEDGER_BEHIND,)
    (size, payload), *_ = lost
    rows(council.node.path, f"UPDATE ledger_head SET size = {size}, checkpoint = x'{payload.hex()}'")
    assert found.look().faults == ()


async def test_a_lost_disk_serves_nothing(council: Council) -> None:
    """A node without any ledger learns from a witness that it had one; the log after the one known counts too."""
    await council.node.enter(2)
    await council.witness()
    council.node.store.close()
    council.node.path = council.node.path.with_name("empty.db")
    council.node.open()
    assert (await council.start()).standing.faults == (LEDGER_BEHIND,)
    assert "recover" in await council.asks(9)


async def test_a_following_log_shows_that_the_disk_is_old(council: Council) -> None:
    """A head of log 2 at a witness, while the disk knows log 1 alone, is ahead whatever its size."""
    await council.node.enter(2)
    second = checkpoint.sign(Head(origin=logs.origin(SHANGHAI, 2), size=0, root=tree.EMPTY), LOGGERS[SHANGHAI])
    await council.regions[ZHEJIANG].witness.add_checkpoint(add_request(second), SHANGHAI)
    found = await council.start()
    assert (found.standing.faults, found.standing.behind) == ((LEDGER_BEHIND,), (ZHEJIANG,))


async def test_a_number_that_the_disk_never_gave_out_shows_it_too(council: Council) -> None:
    """A partner that has taken, and shows, a question of a higher number is ahead, though no head says so."""
    await council.regions[JIANGSU].store.journal.commit(took(7))
    found = await council.start()
    assert (found.standing.faults, found.standing.behind) == ((LEDGER_BEHIND,), (JIANGSU,))
    assert council.node.store.ahead.numbers() == (MissingNumber(member=JIANGSU, number=7),)
    rows(council.node.path, f"INSERT INTO pair VALUES ('{JIANGSU}', 8)")
    assert found.look().faults == ()


LIES = {
    "a bare number": GetHeadResponse(pair_number=(1 << 63) - 1),
    "more than the question says": GetHeadResponse(pair_number=1 << 62, pair_question=asking(7)),
    "a question of its own making": GetHeadResponse(
        pair_number=7, pair_question=asking(7, SHANGHAI, JIANGSU, SIGNERS[JIANGSU])
    ),
    "a question to another": GetHeadResponse(pair_number=7, pair_question=asking(7, SHANGHAI, ZHEJIANG)),
}


@pytest.mark.parametrize("lie", LIES)
async def test_nobody_closes_a_node_by_a_word(council: Council, lie: str) -> None:
    """A number that this member did not sign is named in the log and ignored, now and at the next start."""
    liar: Any = Liar(honest=council.regions[JIANGSU].witness, claim=LIES[lie])
    council.regions[JIANGSU].witness = liar
    for number in (9, 10):
        with capture_logs() as logged:
            found = await council.start()
        told = [each for each in logged if each["event"] == "comparison_failed"]
        assert [(each["peer"], each["error"]) for each in told] == [(JIANGSU, "NumberUnproven")]
        assert (found.standing.faults, found.standing.behind, await council.asks(number)) == ((), (), "")
    assert council.node.store.ahead.numbers() == ()


async def test_a_liar_does_not_hide_the_head_that_it_shows(council: Council) -> None:
    """The head beside a number that is not proven still shows that the disk is old."""
    await council.node.enter(2)
    copy = council.node.back_up()
    await council.node.enter(3, start=3)
    await council.witness()
    council.node.put_back(copy)
    liar: Any = Liar(honest=council.regions[JIANGSU].witness, claim=LIES["a bare number"])
    council.regions[JIANGSU].witness = liar
    assert (await council.start()).standing.faults == (LEDGER_BEHIND,)
    assert (len(council.node.store.ahead.heads()), council.node.store.ahead.numbers()) == (1, ())


async def test_a_receipt_shows_it_too(council: Council) -> None:
    """A partner that no witness told keeps the heads that came with its answers, and shows the newest."""
    asked = signed(1, 1)
    reply_to = question(1, asker_member=JIANGSU, answerer_member=SHANGHAI)
    answer = envelope.sign("application/x-answer", b"answer", LOGGERS[SHANGHAI])
    store = council.regions[JIANGSU].store
    sent = await store.asker.open((SHANGHAI,), lambda _, __: asked)
    payload = response(SimpleNamespace(question=reply_to, digest=asked.digest), answer, ())  # type: ignore[arg-type]
    kept = closing(sent[0])
    await conclude(store, replace(kept, reply=Reply(payload=payload)))
    found = await council.start()
    assert (found.standing.faults, found.standing.behind) == ((LEDGER_BEHIND,), (JIANGSU,))


async def test_a_head_of_another_history_closes_the_ledger(council: Council) -> None:
    """A smaller head that this member signed, and out of which the disk did not grow, is a fork."""
    await council.node.enter(4)
    rows(
        council.regions[JIANGSU].path,
        f"INSERT INTO held_head VALUES ('{ORIGIN}', 2, x'{forged(2).payload.hex()}', '2026-03-02T04:05:06.000000Z')",
    )
    found = await council.start()
    assert (found.standing.faults, found.standing.behind) == ((LEDGER_FORKED,), ())
    assert "contradicts" in await council.asks(9)


async def test_whoever_was_out_of_reach_is_heard_later(council: Council) -> None:
    """A node goes on while nobody can be reached, and closes when it hears that it is behind."""
    await council.node.enter(2)
    copy = council.node.back_up()
    await council.node.enter(1, start=3)
    await council.witness()
    council.node.put_back(copy)
    council.regions[JIANGSU].silent = True
    found = await council.start()
    assert (found.standing.faults, await council.asks(9)) == ((), "")
    council.regions[JIANGSU].silent = False
    await found._comparing.compare()
    heard = len(council.regions[ZHEJIANG].asked)
    await found._comparing.compare()
    assert found.look().faults
    assert len(council.regions[ZHEJIANG].asked) == heard


async def test_the_lag_is_marked_and_then_stops_new_exchanges(council: Council) -> None:
    """Out of reach of a quorum a node goes on: from the mark on it says so, from the stop on nothing new begins."""
    found = await council.start()
    await council.node.enter(1)
    (question_,) = await council.node.store.asker.open((JIANGSU,), lambda _, sequence: signed(5, sequence))
    seen, standing = [], found.standing
    for age in (MARK - TICK, MARK, STOP - TICK, STOP):
        council.node.now = NOW + age
        standing = found.look()
        seen.append((standing.marked, standing.well, standing.faults))
    assert seen == [
        (False, True, ()),
        (True, False, ()),
        (True, False, ()),
        (True, False, (LEDGER_UNWITNESSED,)),
    ]
    assert (standing.size, standing.witnessed, standing.lag) == (2, 0, STOP.total_seconds())
    assert "quorum" in await council.asks(9)
    await conclude(council.node.store, closing(question_))
    council.node.now = NOW
    await found._cosigning.round()
    council.node.now = NOW + STOP
    assert (found.look().lag, found.look().witnessed, await council.asks(9)) == (0.0, 4, "")


def test_health_names_no_more_than_it_must() -> None:
    """The row of health holds sizes, seconds and members, nothing of an entry."""
    assert Standing(size=3, witnessed=2, lag=1.6, forks=1, behind=(JIANGSU,), contradicting=(ANHUI,)).row() == {
        "size": 3,
        "witnessed": 2,
        "lag_seconds": 2,
        "marked": False,
        "forks": 1,
        "behind": [JIANGSU],
        "contradicting": [ANHUI],
    }
