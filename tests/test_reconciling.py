"""The daily comparison: whatever two ledgers do not agree on is named by both, and nothing else (threats 2 and 7)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from reconciled import ANSWERER, ASKER, PAIR, TOMORROW, Two
from stores import DAY, NOW, exchange, signed

from gateway.ledger.errors import LedgerError
from gateway.ledger.reconciliation import Difference, Side
from gateway.model.reconciliation import ListPairEntriesResponse
from nodes import reconciling
from nodes.reconciling import Told
from nodes.store import pairs as listing

MIDNIGHT = datetime(2026, 3, 2, 16, tzinfo=UTC)
"""Where 2 March ends in China."""


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    """Open two members."""
    found = Two(folder=tmp_path)
    yield found
    found.close()


async def asked(two: Two, count: int) -> None:
    """Ask that many questions that are answered."""
    for _ in range(count):
        await two.ask()


async def test_ledgers_that_agree_are_confirmed(two: Two) -> None:
    """No finding, at neither side; every exchange of the day is CONFIRMED, and none of another number."""
    await asked(two, 3)
    await two.reconcile()
    for member in PAIR:
        read = two.parties[member].store.reconciliations.read
        assert two.found(member) == []
        assert [read.confirmed(PAIR, number) for number in (0, 1, 3, 4)] == [False, True, True, False]


async def test_both_sides_reach_the_same_count_and_digest(two: Two) -> None:
    """Answers are counted and chained; what was lost is not among them."""
    await asked(two, 3)
    await two.ask(lost="reply")
    await two.reconcile()
    tallies = {
        member: [each.tally for each in two.parties[member].store.reconciliations.read.days(PAIR, DAY, DAY)]
        for member in PAIR
    }
    (tally,) = tallies[ASKER]
    assert tallies[ANSWERER] == [tally]
    assert (tally.answered, tally.refused, tally.void) == (3, 0, 0)
    assert tally.digest != bytes(32)


REMOVED = (Difference.ONE_SIDED, 2)
REMOVALS = {
    "the answer, from the journal": (
        ANSWERER, ["DELETE FROM disclosure", "DELETE FROM journal WHERE pair_sequence = 2"], (*REMOVED, Side.ANSWERER),
    ),
    "the answer, from the ledger": (
        ANSWERER, ["DELETE FROM ledger_entry WHERE seq = 2"], (*REMOVED, Side.ANSWERER),
    ),
    "the question, from the log": (ASKER, ["DELETE FROM sent WHERE pair_sequence = 2"], (*REMOVED, Side.ASKER)),
    "the question, from the ledger": (
        ASKER, ["DELETE FROM ledger_entry WHERE seq IN (4, 5)"], (*REMOVED, Side.ASKER),
    ),
    "the end of a question": (
        ASKER, ["DELETE FROM ledger_entry WHERE seq = 5"], (Difference.MISSING, 2, Side.ASKER),
    ),
    "the answer, edited": (
        ANSWERER, ["UPDATE ledger_entry SET shared = zeroblob(90) WHERE seq = 2"], (*REMOVED, Side.ANSWERER),
    ),
    "the answer's hash, edited": (
        ANSWERER, ["UPDATE ledger_entry SET data = zeroblob(64) WHERE seq = 2"], (*REMOVED, Side.ANSWERER),
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", REMOVALS)
async def test_one_exchange_removed_from_one_side_is_named_by_both(how: str, two: Two) -> None:
    """Whatever is taken out of a database by hand, or edited there, the next reconciliation names the number."""
    member, statements, named = REMOVALS[how]
    await asked(two, 3)
    two.parties[member].change(*statements)
    await two.reconcile()
    assert (two.found(ASKER), two.found(ANSWERER)) == ([named], [named])
    read = two.parties[ASKER].store.reconciliations.read
    assert [read.confirmed(PAIR, number) for number in (1, 2, 3)] == [True, False, True]


DAYS = timedelta(days=1)


@pytest.mark.parametrize("how", REMOVALS)
async def test_what_is_removed_after_its_day_was_compared_is_named_too(how: str, two: Two) -> None:
    """The next comparison walks back, and what was CONFIRMED is so no more; the time is that of the first finding."""
    member, statements, named = REMOVALS[how]
    await asked(two, 3)
    await two.reconcile()
    two.parties[member].change(*statements)
    two.now = TOMORROW
    await asked(two, 2)
    await two.reconcile(at=TOMORROW + DAYS)
    read = two.parties[ASKER].store.reconciliations.read
    for _ in range(2):
        assert (two.found(ASKER), two.found(ANSWERER)) == ([named], [named])
        ((day, time),) = [(each.day, each.time) for each in read.findings(DAY, DAY + 3 * DAYS)]
        assert (day, time) == (DAY, TOMORROW + DAYS)
        assert [read.confirmed(PAIR, each) for each in (1, 2, 3, 4, 5)] == [True, False, True, True, True]
        await two.reconcile(at=TOMORROW + 2 * DAYS)
    theirs = two.parties[ANSWERER].store.reconciliations.read
    assert [each.tally for each in read.days(PAIR, DAY, DAY + DAYS)] == [
        each.tally for each in theirs.days(PAIR, DAY, DAY + DAYS)
    ]


async def test_the_walk_back_ends(two: Two) -> None:
    """Days beyond the limit are left as they were found, until their month ends; nothing is compared twice a day."""
    await asked(two, 2)
    for each in range(1, 10):
        await two.reconcile(at=NOW + each * DAYS)
    two.parties[ANSWERER].change("DELETE FROM ledger_entry WHERE seq = 1")
    await two.reconcile(at=NOW + 10 * DAYS)
    calls = two.lines[ASKER].calls
    await two.reconcile(at=NOW + 10 * DAYS)
    assert (two.found(ASKER), two.lines[ASKER].calls) == ([], calls)
    await two.reconcile(at=NOW + 31 * DAYS)
    assert two.found(ASKER) == two.found(ANSWERER) == [(Difference.ONE_SIDED, 1, Side.ANSWERER)]


async def test_a_month_is_compared_anew_before_it_can_be_stated(two: Two) -> None:
    """A removal of its first days changes every digest behind it, at both sides alike."""
    for each in range(4):
        two.now = NOW + each * DAYS
        await asked(two, 1)
    for each in range(1, 30):
        await two.reconcile(at=NOW + each * DAYS)
    read = two.parties[ASKER].store.reconciliations.read
    before = read.newest(PAIR)
    two.parties[ANSWERER].change("DELETE FROM ledger_entry WHERE seq = 1")
    await two.reconcile(at=NOW + 30 * DAYS)
    (last,) = {two.parties[each].store.reconciliations.read.newest(PAIR) for each in PAIR}
    assert last is not None
    assert before is not None
    assert (last.day.isoformat(), last.tally.digest == before.tally.digest) == ("2026-03-31", False)
    assert two.found(ASKER) == two.found(ANSWERER) == [(Difference.ONE_SIDED, 1, Side.ANSWERER)]
    answered = [sum(each.tally.answered for each in read.days(PAIR, DAY, last.day)), last.next]
    assert answered == [3, 5]


async def test_a_walk_back_that_is_stopped_goes_on(two: Two) -> None:
    """A partner that goes away leaves each day as it was or as it is, never a part of one."""
    for each in range(5):
        two.now = NOW + each * DAYS
        await asked(two, 1)
    await two.reconcile(at=NOW + 5 * DAYS)
    read, line = two.parties[ASKER].store.reconciliations.read, two.lines[ASKER]
    two.parties[ANSWERER].change("DELETE FROM ledger_entry WHERE seq IN (1, 4)")
    line.fails_after = line.calls + 2
    await two.reconcile(ASKER, at=NOW + 6 * DAYS)
    named = [(Difference.ONE_SIDED, each, Side.ANSWERER) for each in (1, 4)]
    days = read.days(PAIR, DAY, DAY + 9 * DAYS)
    assert (two.found(ASKER), [each.next for each in days], days[-1].time is None) == (
        named[:1], [2, 3, 4, 5, 6], False,
    )  # fmt: skip
    line.fails_after = None
    await two.reconcile(at=NOW + 6 * DAYS)
    assert two.found(ASKER) == two.found(ANSWERER) == named
    mine, theirs = (two.parties[each].store.reconciliations.read.days(PAIR, DAY, DAY + 9 * DAYS) for each in PAIR)
    assert [each.tally for each in mine] == [each.tally for each in theirs]


@pytest.mark.parametrize("number", [1, 3])
async def test_the_first_and_the_last_of_a_day_are_missed_too(number: int, two: Two) -> None:
    """The asker's log may end before the number that its partner has seen, and begin after the first."""
    await asked(two, 3)
    two.parties[ASKER].change(f"DELETE FROM sent WHERE pair_sequence = {number}")
    await two.reconcile()
    named = (Difference.ONE_SIDED, number, Side.ASKER)
    assert (two.found(ASKER), two.found(ANSWERER)) == ([named], [named])


async def test_everything_removed_is_named(two: Two) -> None:
    """A member that wipes its journal is told number by number what its partner has."""
    await asked(two, 3)
    two.parties[ANSWERER].change("DELETE FROM disclosure", "DELETE FROM journal")
    await two.reconcile()
    named = [(Difference.ONE_SIDED, number, Side.ANSWERER) for number in (1, 2, 3)]
    assert (two.found(ASKER), two.found(ANSWERER)) == (named, named)


INSERT = """
    INSERT INTO journal (question_id, question_digest, asker, agency, purpose, kind, agreement, case_reference,
        pair_sequence, outcome, reason, facts_version, fields, received_time, day, question_body, reply_body, entry)
    SELECT randomblob(16), question_digest, asker, agency, purpose, kind, agreement, case_reference,
        {number}, outcome, reason, facts_version, fields, received_time, day, question_body, reply_body, {entry}
    FROM journal WHERE pair_sequence = 1"""


async def test_an_answer_inserted_under_a_used_number_is_named(two: Two) -> None:
    """A number that one side used twice is REPEATED."""
    await asked(two, 2)
    two.parties[ANSWERER].change(INSERT.format(number=1, entry=1))
    await two.reconcile()
    assert two.found(ASKER) == two.found(ANSWERER) == [(Difference.REPEATED, 1, None)]


async def test_an_answer_invented_beyond_the_askers_numbers_is_named(two: Two) -> None:
    """The answerer enters an exchange that never was: the asker gave out no such number."""
    await asked(two, 2)
    await two.ask()
    two.parties[ASKER].change("DELETE FROM sent WHERE pair_sequence = 3", "UPDATE pair SET next = 3")
    await two.reconcile()
    named = (Difference.ONE_SIDED, 3, Side.ASKER)
    assert (two.found(ASKER), two.found(ANSWERER)) == ([named], [named])


async def test_an_answer_entered_otherwise_than_it_was_given_is_named(two: Two) -> None:
    """Both ledgers are whole and proven, and one says another reply: what was accepted is not what was entered."""
    await asked(two, 1)
    await two.ask(entered="another")
    await two.reconcile()
    named = (Difference.DIFFERING, 2, None)
    assert (two.found(ASKER), two.found(ANSWERER)) == ([named], [named])


async def test_each_loss_on_the_way_is_named_and_nothing_else(two: Two) -> None:
    """One in ten questions or replies is dropped: exactly those numbers are LOST, at both sides (threat 2)."""
    chance = random.Random(7)
    dropped = []
    for _ in range(60):
        lost = chance.choice(["question", "reply"]) if chance.random() < 0.1 else ""
        number = await two.ask(lost=lost)
        dropped += [number] if lost else []
    await two.reconcile()
    named = [(Difference.LOST, number, None) for number in dropped]
    assert (len(dropped) > 2, two.found(ASKER), two.found(ANSWERER)) == (True, named, named)


async def test_a_question_under_way_at_midnight_is_no_finding(two: Two) -> None:
    """Asked before midnight and received after it, or the other way round by the clocks: both sides cut alike."""
    await two.ask(at=MIDNIGHT - timedelta(seconds=1), later=timedelta(seconds=20))
    await two.ask(at=MIDNIGHT - timedelta(microseconds=1), later=timedelta(seconds=59))
    await two.ask(at=MIDNIGHT + timedelta(seconds=5), later=-timedelta(seconds=25))
    await two.ask(at=MIDNIGHT + timedelta(minutes=1))
    await two.reconcile(at=MIDNIGHT + timedelta(seconds=130))
    newest = [two.parties[each].store.reconciliations.read.newest(PAIR) for each in PAIR]
    assert [(each.day, each.next) for each in newest if each] == [(DAY, 3)] * 2
    await two.reconcile(at=MIDNIGHT + timedelta(days=1, hours=1))
    assert (two.found(ASKER), two.found(ANSWERER)) == ([], [])
    newest = [two.parties[each].store.reconciliations.read.newest(PAIR) for each in PAIR]
    assert [each.next for each in newest if each] == [5, 5]


async def test_a_day_is_not_compared_while_a_question_of_it_may_be_under_way(two: Two) -> None:
    """Until then nothing is asked of the partner for it."""
    await two.ask(at=MIDNIGHT - timedelta(seconds=1))
    await two.reconcile(at=MIDNIGHT + timedelta(seconds=100))
    newest = two.parties[ASKER].store.reconciliations.read.newest(PAIR)
    assert newest is not None
    assert (newest.day, newest.next) == (DAY - timedelta(days=1), 1)


async def test_it_goes_on_where_it_was_stopped(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """A partner that goes away in the middle of a day: what was compared is kept, and the rest follows later."""
    monkeypatch.setattr(listing, "PAGE", 2)
    await asked(two, 9)
    two.parties[ANSWERER].change("DELETE FROM ledger_entry WHERE seq IN (1, 9)")
    line = two.lines[ASKER]
    line.fails_after = 4
    await two.reconcile(ASKER)
    read = two.parties[ASKER].store.reconciliations.read
    newest = read.newest(PAIR)
    assert newest is not None
    assert (newest.time, 1 < newest.next < 9, two.found(ASKER)) == (None, True, [(*REMOVED[:1], 1, Side.ANSWERER)])
    line.fails_after, two.jobs[ASKER] = None, two.job(ASKER)
    await two.reconcile()
    assert two.found(ASKER) == two.found(ANSWERER) == [(Difference.ONE_SIDED, each, Side.ANSWERER) for each in (1, 9)]
    assert read.days(PAIR, DAY, DAY) == two.parties[ANSWERER].store.reconciliations.read.days(PAIR, DAY, DAY)


async def test_days_on_which_the_node_stood_still_are_made_up_for(two: Two) -> None:
    """Each day has its row; the digest goes on within a month, and begins anew with the next."""
    await asked(two, 1)
    two.now = NOW + timedelta(days=2)
    await asked(two, 1)
    await two.reconcile(at=NOW + timedelta(days=31))
    for member in PAIR:
        days = two.parties[member].store.reconciliations.read.days(PAIR, DAY, DAY + timedelta(days=40))
        counted = {each.day.isoformat(): (each.first, each.next, each.tally.answered) for each in days}
        assert (len(counted), counted["2026-03-02"], counted["2026-03-03"]) == (31, (1, 2, 1), (2, 2, 0))
        assert counted["2026-03-04"] == (2, 3, 1)
        digests = {each.day.isoformat(): each.tally.digest for each in days}
        assert digests["2026-03-02"] == digests["2026-03-03"] != digests["2026-03-04"] == digests["2026-03-31"]
        assert digests["2026-04-01"] == bytes(32)


async def test_what_was_exchanged_before_there_was_a_ledger_is_no_hole(two: Two) -> None:
    """Those numbers have no entry on either side, and nobody is blamed."""
    await asked(two, 3)
    two.parties[ASKER].change("UPDATE sent SET asked_entry = NULL, closed_entry = NULL WHERE pair_sequence < 3")
    two.parties[ANSWERER].change("UPDATE journal SET entry = NULL WHERE pair_sequence < 3")
    await two.reconcile()
    assert (two.found(ASKER), two.found(ANSWERER)) == ([], [])


async def test_compared_again_it_finds_what_is_so_now(two: Two) -> None:
    """What a partner has put right is found no more; until then the old finding stands."""
    await asked(two, 2)
    two.parties[ANSWERER].change("UPDATE journal SET pair_sequence = -2 WHERE pair_sequence = 2")
    await two.reconcile()
    two.parties[ANSWERER].change("UPDATE journal SET pair_sequence = 2 WHERE pair_sequence = -2")
    await two.reconcile()
    assert len(two.found(ASKER)) == 1
    await two.parties[ASKER].store.reconciliations.forget(DAY, "330000")
    await two.reconcile()
    assert len(two.found(ASKER)) == 1
    await two.parties[ASKER].store.reconciliations.forget(DAY)
    assert len(two.found(ASKER)) == 1
    await two.reconcile()
    assert two.found(ASKER) == []


async def test_a_partner_that_claims_far_too_much_fills_no_disk(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """An asker that says it gave out 10^15 numbers: comparing stops, and goes no further."""
    monkeypatch.setattr(reconciling, "MOST_FINDINGS", 50)
    monkeypatch.setattr(reconciling, "STRIDE", 20)

    def boast(response: ListPairEntriesResponse) -> ListPairEntriesResponse:
        return replace(response, highest_number=10**15)

    await asked(two, 2)
    two.lines[ANSWERER].bend = boast
    await two.reconcile(ANSWERER)
    await two.reconcile(ANSWERER)
    assert len([each for each in two.found(ANSWERER) if each[0] is Difference.HOLE]) == 38
    two.lines[ASKER].bend = boast
    await two.reconcile(ASKER)
    assert two.found(ASKER) == []


async def received(two: Two, number: int, sequence: int) -> None:
    """Have the answerer answer a question that the asker never entered."""
    sent = signed(number, sequence, asked=two.now)
    await two.parties[ANSWERER].store.journal.commit(
        replace(exchange(number), question=sent.question, question_digest=sent.digest, received_time=two.now)
    )


async def test_a_far_number_stops_no_comparison(two: Two) -> None:
    """It is named by both, each day; numbers that follow are compared as ever, and nothing is a hole."""
    await asked(two, 3)
    await received(two, 900, 50_000)
    await received(two, 901, 50_001)
    await two.reconcile()
    far = [(Difference.ONE_SIDED, each, Side.ASKER) for each in (50_000, 50_001)]
    assert (two.found(ASKER), two.found(ANSWERER)) == (far, far)
    two.now = TOMORROW
    await asked(two, 2)
    two.parties[ANSWERER].change("DELETE FROM ledger_entry WHERE seq = 6")
    await two.reconcile(at=TOMORROW + DAYS)
    named = [(Difference.ONE_SIDED, 4, Side.ANSWERER), *far]
    assert (two.found(ASKER), two.found(ANSWERER)) == (named, named)
    for member in PAIR:
        read = two.parties[member].store.reconciliations.read
        assert [read.confirmed(PAIR, each) for each in (3, 4, 5, 6)] == [True, False, True, False]


async def test_numbers_that_never_arrived_are_no_leap(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answerer that could not be reached for long: the asker's ledger knows what lies between."""
    monkeypatch.setattr(reconciling, "LEAP", 3)
    await two.ask()
    for _ in range(6):
        await two.ask(lost="question")
    await two.ask()
    await two.reconcile()
    lost = [(Difference.LOST, each, None) for each in range(2, 8)]
    assert (two.found(ASKER), two.found(ANSWERER)) == (lost, lost)


async def test_a_page_that_is_not_genuine_is_no_finding(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """A head of another member: the day waits, nothing is blamed on anybody, and the operator reads why once."""
    told: list[tuple[str, dict[str, str]]] = []

    class Log:
        def warning(self, event: str, **fields: str) -> None:
            told.append((event, fields))

    await asked(two, 1)
    other = (await two.lines[ANSWERER].entries(reconciling._request(PAIR, 1), 1)).entries[:1]
    two.lines[ASKER].bend = lambda response: replace(response, entries=other)
    monkeypatch.setattr(two.jobs[ASKER], "_log", Log())
    for _ in range(2):
        await two.reconcile(ASKER)
    waits = [fields for event, fields in told if event == "reconciliation_waits" and fields["asker"] == ASKER]
    assert waits == [{"asker": ASKER, "answerer": ANSWERER, "error": "PageInvalid"}]
    assert two.found(ASKER) == []


async def test_health_is_told_what_differs_and_what_is_due(two: Two) -> None:
    """Losses are counted apart, and a pair that waits is behind."""
    await asked(two, 2)
    await two.ask(lost="question")
    two.parties[ANSWERER].change("DELETE FROM ledger_entry WHERE seq = 1")
    two.lines[ASKER].fails_after = 0
    await two.reconcile()
    told = {each: two.jobs[each]._tell() for each in PAIR}
    assert told[ASKER].document() == {"findings": 0, "lost": 0, "behind": 2}
    assert told[ANSWERER].document() == {"findings": 1, "lost": 1, "behind": 0}
    assert (Told().document(), TOMORROW > NOW) == ({"findings": 0, "lost": 0, "behind": 0}, True)


async def test_too_many_findings_are_an_error_of_the_ledger() -> None:
    """It is told by its name, as any other."""
    assert issubclass(reconciling.TooManyFindings, LedgerError)
