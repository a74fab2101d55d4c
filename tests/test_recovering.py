"""A node that may be behind asks everybody what they have seen, and opens a log only where the quorum said so."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from bundles import charter_of, signed_directory
from ledgers import JIANGSU, SHANGHAI
from receipts import LOGGERS
from stores import KEY, NOW, digest, exchange, question, rows
from structlog.testing import capture_logs
from witnesses import asking

from gateway import wire
from gateway.charter import Charter
from gateway.errors import NotDurable, Unavailable
from gateway.ledger import checkpoint, dating
from gateway.ledger.checkpoint import Head, read_head
from gateway.ledger.note import read_note
from gateway.ledger.numbers import Pair
from gateway.ledger.shown import Find, Seen, seen_of
from gateway.model.codes import LedgerEventKind as Kind
from gateway.model.ledger import LedgerEvent, LedgerPrivate
from gateway.model.reconciliation import ListPairEntriesRequest, ListPairEntriesResponse
from gateway.model.witness import GetHeadResponse
from nodes.config import DATABASE
from nodes.copies import back_up, read_manifest
from nodes.ledger import verify
from nodes.recovering import GAP, GAP_NOT_STATED, RECOVERING, Partner, Recovering
from nodes.restoring import restore
from nodes.store import Scribe, Store
from nodes.store.doers import NOBODY
from nodes.store.pairs import Pairs

LATER = NOW + timedelta(hours=1)


@dataclass
class Clock:
    """A clock that stands."""

    def now(self) -> Any:
        """Give the time after the restore."""
        return LATER


@dataclass
class Other:
    """Another member: what it holds of Shanghai's logs, and a real ledger of its own."""

    path: Path
    member: str = JIANGSU
    heads: dict[str, bytes] = field(default_factory=dict)
    said: GetHeadResponse = field(default_factory=GetHeadResponse)
    """What it says of the numbers that it has taken."""

    silent: bool = False

    async def head(self, origin: str, find: Find, seconds: float) -> Seen:
        """Show a head."""
        assert seconds > 0
        if self.silent:
            raise Unavailable("UNAVAILABLE")
        pair = Pair(directory=directory().directory, asker=SHANGHAI, answerer=self.member)
        return seen_of(replace(self.said, checkpoint=self.heads.get(origin, b"")), origin, find, pair)

    async def entries(self, request: ListPairEntriesRequest, seconds: float) -> ListPairEntriesResponse:
        """List its own entries."""
        assert seconds > 0
        return Pairs(self.path, self.member).page(request)


def store_of(path: Path, member: str = SHANGHAI) -> Store:
    """Open a member's store."""
    return Store.open(path, KEY, Scribe(member=member, signer=lambda: LOGGERS[member]))


async def answer(path: Path, member: str, *numbers: int) -> None:
    """Have a member answer questions of the other, each of its running number."""
    asker = JIANGSU if member == SHANGHAI else SHANGHAI
    store = store_of(path, member)
    for number in numbers:
        asked = question(number, sequence=number, asker_member=asker, answerer_member=member)
        await store.journal.commit(exchange(number, question=asked))
    store.close()


def head_of(path: Path) -> bytes:
    """Read the head of a database's last log."""
    return bytes(rows(path, "SELECT checkpoint FROM ledger_head ORDER BY log DESC LIMIT 1")[0][0])


def directory(gaps: tuple[dict[str, Any], ...] = (), limits: dict[str, int] | None = None) -> Charter:
    """Read the directory for Shanghai with gaps that were stated."""

    def edit(found: dict[str, Any]) -> None:
        found["gaps"] = list(gaps)
        found.setdefault("limits", {}).update(limits or {})

    return charter_of(SHANGHAI, signed_directory(edit) if gaps or limits else signed_directory())


@dataclass
class Place:
    """Shanghai after a restore: three entries of a copy, of five that there were."""

    data: Path
    other: Other
    store: Store
    charter: Charter = field(default_factory=directory)

    @property
    def recovering(self) -> Recovering:
        """Begin a recovery with nobody heard."""

        def reach(member: str) -> Partner | None:
            return self.other if member == JIANGSU else None

        return Recovering(self.store, lambda: self.charter, Clock(), reach, self.data)

    def events(self) -> list[tuple[Kind, int]]:
        """Read kinds and numbers of all entries."""
        found = rows(self.data / DATABASE, "SELECT shared FROM ledger_entry ORDER BY seq")
        decoded = (wire.decode(LedgerEvent, shared) for (shared,) in found)
        return [(each.kind, each.pair_sequence) for each in decoded]


async def restored(tmp_path: Path) -> Place:
    """Restore a copy of three entries; the other one holds the head of five, and nothing of its own yet."""
    before = tmp_path / "before"
    await answer(before / DATABASE, SHANGHAI, 1, 2, 3)
    back_up(before, tmp_path / "backup", SHANGHAI, KEY, NOW)
    await answer(before / DATABASE, SHANGHAI, 4, 5)
    await answer(tmp_path / "other.db", JIANGSU)
    other = Other(tmp_path / "other.db", heads={"yrdx/ledger/310000/1": head_of(before / DATABASE)})
    store_of(other.path, JIANGSU).close()
    restore(tmp_path / "backup", tmp_path / "data", SHANGHAI, KEY, doer=NOBODY, now=NOW)
    return Place(tmp_path / "data", other, store_of(tmp_path / "data" / DATABASE))


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """Give the restored store."""
    found = await restored(tmp_path)
    yield found
    found.store.close()


def stated(place: Place, limits: dict[str, int] | None = None, **changes: Any) -> None:
    """Have the quorum state what is asked for."""
    row = json.loads((place.data / GAP).read_text(encoding="utf-8")) | {"ground": "a disk was lost"} | changes
    place.charter = directory((row,), limits)


async def test_who_is_behind_waits_for_the_quorum(place: Place) -> None:
    """It says what is lost, opens nothing on its own or on another statement, then a log that names the lost head."""
    assert place.recovering.needed()
    assert await place.recovering.attempt() == GAP_NOT_STATED
    told = json.loads((place.data / GAP).read_text(encoding="utf-8"))
    assert (told["member"], told["log"], told["size"], told["kept"]) == (SHANGHAI, 2, 5, 3)
    for changes in ({"log": 3}, {"follows": "00" * 32}, {"member": JIANGSU}):
        stated(place, **changes)
        assert await place.recovering.attempt() == GAP_NOT_STATED
    with pytest.raises(NotDurable):
        await place.store.journal.commit(exchange(9))
    stated(place)
    assert await place.recovering.attempt() == ""
    assert not place.recovering.needed()
    assert not (place.data / GAP).exists()
    number, previous = rows(place.data / DATABASE, "SELECT number, hex(previous) FROM ledger_log")[-1]
    assert (number, previous.lower()) == (2, told["follows"])
    asked = question(9, sequence=9, asked=LATER, asker_member=JIANGSU, answerer_member=SHANGHAI)
    await place.store.journal.commit(exchange(9, question=asked))
    assert place.events()[3:] == [(Kind.OPENED, 0), (Kind.ANSWERED, 9)]
    found = verify(place.data / DATABASE, dating.opening(place.charter.directory, SHANGHAI))
    assert [(each.size, each.findings) for each in found] == [(3, ()), (2, ())]


async def test_the_restore_is_entered(place: Place) -> None:
    """Not before the node has recovered; then which backup it was, and by whom."""
    with pytest.raises(NotDurable, match="not recovered"):
        await place.store.outbox.enter(lambda done: done.act, LATER)
    await place.recovering.attempt()
    stated(place)
    await place.recovering.attempt()
    (act,) = await place.store.outbox.enter(lambda done: done.act, LATER)
    assert (act.name, act.role, act.officer) == ("RESTORE", "administer", "")
    assert act.digest == read_manifest(place.data.parent / "backup", SHANGHAI, KEY).digest


async def test_no_number_is_given_twice(place: Place) -> None:
    """What the partner has taken is void here, and the next question has a number that nobody knows."""
    await answer(place.other.path, JIANGSU, 1, 2)
    place.other.said = proof(4)  # two more came, and were refused without an entry
    await place.recovering.attempt()
    stated(place)
    await place.recovering.attempt()
    ours = [each for each in place.events() if each[0] in {Kind.ASKED, Kind.VOID}]
    assert ours == [
        *((Kind.ASKED, 1), (Kind.VOID, 1), (Kind.ASKED, 2), (Kind.VOID, 2), (Kind.VOID, 3), (Kind.VOID, 4)),
    ]
    assert place.store.recovery.next_number(JIANGSU) == 5
    held = rows(place.data / DATABASE, "SELECT pair_sequence, outcome FROM sent ORDER BY pair_sequence")
    assert held == [(number, "VOID") for number in (1, 2, 3, 4)]


def proof(number: int) -> GetHeadResponse:
    """Name a number with the question that Shanghai signed."""
    return GetHeadResponse(pair_number=number, pair_question=asking(number))


async def test_a_number_without_proof_moves_nothing(place: Place) -> None:
    """A member that names the last number there is holds nobody up, and takes no number away."""
    place.other.said = replace(proof(4), pair_number=(1 << 63) - 1)
    await place.recovering.attempt()
    stated(place)
    with capture_logs() as logged:
        assert await place.recovering.attempt() == ""
    assert {each["peer"] for each in logged if each["event"] == "number_unproven"} == {JIANGSU}
    assert place.store.recovery.next_number(JIANGSU) == 1
    assert rows(place.data / DATABASE, "SELECT count(*) FROM sent") == [(0,)]


@pytest.mark.parametrize(("entered", "next_number"), [((1, 2, 9), 10), ((1, 2, 10, 1 << 62), 3), ((1 << 62,), 1)])
async def test_a_partners_entries_move_numbers_so_far_and_no_further(
    place: Place, entered: tuple[int, ...], next_number: int
) -> None:
    """Entries that nobody proves with a question count up to the limit above the last that is; the rest is a lie."""
    limits = {"unproven_numbers": 7}
    place.charter = directory(limits=limits)
    place.other.said = proof(2) if 2 in entered else GetHeadResponse()
    await answer(place.other.path, JIANGSU, *entered)
    await place.recovering.attempt()
    stated(place, limits)
    assert await place.recovering.attempt() == ""
    assert place.store.recovery.next_number(JIANGSU) == next_number


async def test_entries_alone_show_that_the_disk_is_behind(place: Place) -> None:
    """A partner whose bodies were deleted still knows of exchanges that the disk does not: a new log is opened."""
    place.other.heads = {"yrdx/ledger/310000/1": head_of(place.data / DATABASE)}
    await answer(place.other.path, JIANGSU, 1)
    assert await place.recovering.attempt() == GAP_NOT_STATED


async def test_what_the_partner_accepted_is_entered_again(place: Place) -> None:
    """Its ledger has the digests of what was answered here; what the copy knows comes back no second time."""
    store = store_of(place.other.path, JIANGSU)
    await place_asked(store, 3, 4)
    store.close()
    await place.recovering.attempt()
    stated(place)
    await place.recovering.attempt()
    assert [number for kind, number in place.events() if kind is Kind.ANSWERED] == [1, 2, 3, 4]
    held = rows(place.data / DATABASE, "SELECT pair_sequence, reason FROM journal ORDER BY seq")
    assert held == [(1, ""), (2, ""), (3, ""), (4, "RECOVERED")]


async def place_asked(store: Store, *numbers: int) -> None:
    """Enter at Jiangsu that it accepted answers of Shanghai."""

    def work(connection: Any) -> None:
        for number in numbers:
            event = LedgerEvent(
                kind=Kind.ACCEPTED,
                asker_member=JIANGSU,
                answerer_member=SHANGHAI,
                pair_sequence=number,
                question_digest=digest("question", number),
                reply_digest=digest("answer", number),
            )
            entry = store.recovery._ledger.append(connection, event, LedgerPrivate(log_time=NOW)).seq
            connection.execute(
                "INSERT INTO sent (question_id, question_digest, member, pair_sequence, outcome, question_body, "
                "sent_day, sent_time, asked_entry) VALUES (?, ?, ?, ?, 'ANSWERED', x'', '2026-03-02', '', ?)",
                (digest(number)[:16], event.question_digest, SHANGHAI, number, entry),
            )

    await store._commits.run(work)


async def test_where_nobody_has_seen_more_the_log_goes_on(place: Place) -> None:
    """A copy that is as new as what others hold needs no statement."""
    place.other.heads = {"yrdx/ledger/310000/1": head_of(place.data / DATABASE)}
    assert await place.recovering.attempt() == ""
    assert rows(place.data / DATABASE, "SELECT max(number) FROM ledger_log") == [(1,)]
    assert place.events()[3:] == []


async def test_another_history_of_the_same_size_is_behind_too(place: Place) -> None:
    """Whoever signed a second head of one size goes on in no log of before."""
    own = read_head(read_note(head_of(place.data / DATABASE)).text)
    forged = checkpoint.sign(Head(origin=own.origin, size=own.size, root=bytes(32)), LOGGERS[SHANGHAI])
    place.other.heads = {own.origin: forged.payload}
    assert await place.recovering.attempt() == GAP_NOT_STATED


async def test_a_list_without_an_end_ends(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither pages that hold nothing nor entries beyond the cap keep a member that recovers from opening."""
    calls = []

    async def empty(request: ListPairEntriesRequest, _: float) -> ListPairEntriesResponse:
        calls.append(request.first_number)
        return ListPairEntriesResponse(entries=(), highest_number=9, next_number=request.first_number + 1)

    monkeypatch.setattr(place.other, "entries", empty)
    await place.recovering.attempt()
    assert len(calls) == 2
    monkeypatch.undo()
    monkeypatch.setattr("nodes.recovering.MOST", 2)
    monkeypatch.setattr("nodes.store.pairs.PAGE", 1)
    await answer(place.other.path, JIANGSU, 11, 12, 13, 14)
    assert len(await place.recovering._lines(place.other, SHANGHAI, JIANGSU, 1)) == 2


async def test_while_one_member_is_silent_nothing_opens(place: Place) -> None:
    """It may be the one that has seen more."""
    place.other.silent = True
    recovering = place.recovering
    assert await recovering.attempt() == RECOVERING
    assert recovering.needed()
    place.other.silent = False
    assert await recovering.attempt() == GAP_NOT_STATED


async def test_it_runs_until_it_may_serve(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that does not lead waits; one that leads tells why it is closed, survives a failure, and returns."""
    monkeypatch.setattr("nodes.recovering.PAUSE", 0)
    told: list[str] = []
    fail: Iterator[bool] = iter([True])

    def leads() -> bool:
        if len(told) == 1 and next(fail, False):
            raise OSError
        return len(told) > 0

    async def tell(faults: tuple[str, ...]) -> None:
        told.extend(faults)
        if GAP_NOT_STATED in faults:
            stated(place)

    recovering = place.recovering
    await recovering.run(leads, tell)
    assert told == [RECOVERING, RECOVERING, GAP_NOT_STATED]
    assert not recovering.needed()
    await replace(place).recovering.run(leads, tell)
    assert len(told) == 3


# kill -9 in the middle of a recovery

MANY = 10_000


async def wounded(tmp_path: Path) -> Place:
    """Give a closed place whose gap was stated, and that has numbers and an answer to take back."""
    found = await restored(tmp_path)
    await answer(found.other.path, JIANGSU, 1, 2)
    found.other.said = GetHeadResponse(pair_number=4, pair_question=asking(4))
    partner = store_of(found.other.path, JIANGSU)
    await place_asked(partner, 4, 5)
    partner.close()
    await found.recovering.attempt()
    stated(found)
    found.store.close()
    return found


def again(place: Place, data: Path) -> Place:
    """Start on a copy of the place's data, as a process does."""
    return replace(place, data=data, store=store_of(data / DATABASE))


def recover(place: Place, *, until: int) -> int:
    """Recover, and die before a statement of the writer; give how many there were."""
    seen = count(1)

    def trace(_: str) -> None:
        if next(seen) == until:
            os.kill(os.getpid(), signal.SIGKILL)

    writer: Any = place.store._commits
    writer._connection.set_trace_callback(trace)
    if place.recovering.needed():
        assert asyncio.run(place.recovering.attempt()) == ""
    return next(seen) - 1


def killed(place: Place, data: Path, until: int) -> bool:
    """Recover in a process that dies there; say whether it did."""
    child = os.fork()
    if child == 0:  # nothing of the test is left to this process
        try:
            recover(again(place, data), until=until)
        finally:
            os._exit(1)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def standing(place: Place) -> tuple[object, ...]:
    """Give what a recovery leads to: entries, numbers, logs; what differs from run to run, as salts, is left out."""
    path = place.data / DATABASE
    found = verify(path, dating.opening(place.charter.directory, SHANGHAI))
    return (
        place.events(),
        rows(path, "SELECT member, pair_sequence, outcome, asked_entry, closed_entry FROM sent ORDER BY 1, 2"),
        rows(path, "SELECT asker, pair_sequence, reason, entry FROM journal ORDER BY seq"),
        rows(path, "SELECT number, first, hex(previous) FROM ledger_log ORDER BY number"),
        [(each.origin, each.size, each.findings) for each in found],
        [(place.store.recovery.next_number(JIANGSU), place.recovering.needed(), (place.data / GAP).exists())],
    )


def test_a_recovery_that_is_killed_leaves_nothing_half_done(tmp_path: Path) -> None:
    """Before whatever statement it dies, the next start ends as one that nothing killed: no number twice, no fork."""
    place = asyncio.run(wounded(tmp_path))
    whole = again(place, Path(shutil.copytree(place.data, tmp_path / "whole")))
    total = recover(whole, until=MANY)
    expected = standing(whole)
    whole.store.close()
    assert total > 2 * len(whole.events()[3:])
    for step in range(1, total + 2):
        data = Path(shutil.copytree(place.data, tmp_path / f"cut-{step}"))
        assert killed(place, data, step) == (step <= total)
        found = again(place, data)
        assert found.recovering.needed() == (step <= total)
        recover(found, until=MANY)
        assert standing(found) == expected
        found.store.close()
        shutil.rmtree(data)
