"""Monthly statements: both sign what both have found, or learn what the other has found instead."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bundles import NOW as ISSUED
from bundles import ROOT, SIGNERS, charter_of, signed_directory
from reconciled import ANSWERER, ASKER, PAIR, Two
from stores import NOW, rows

from gateway import wire
from gateway.errors import Refused
from gateway.ledger import statement as statements
from gateway.ledger.errors import StatementInvalid
from gateway.ledger.reconciliation import Difference, Finding
from gateway.ledger.statement import MOST_DIFFERENCES, PAYLOAD_TYPE, agree, open_statement, summary
from gateway.ledger.tally import Tally
from gateway.model.codes import LedgerEventKind, RefusalReason
from gateway.model.ledger import LedgerEvent, LedgerPrivate
from gateway.model.reconciliation import PairDifference, PairSummary, SignStatementResponse, Statement
from gateway.months import Month
from gateway.verification import Check
from gateway.verification.statements import file_of, verify_statement, write_file
from keys import suite
from keys.envelope import Envelope, sign
from keys.suite import Signer
from nodes.statements import Disagreed, NotCompared

MARCH = Month.read("2026-03")
APRIL = datetime(2026, 4, 1, 4, tzinfo=UTC)
OTHER = suite.signer(b"o" * 32, owner=ANSWERER)
DIRECTORY = charter_of(ANSWERER, signed_directory()).directory


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[Two]:
    """Open two members that have asked, lost one reply, and compared all of March."""
    found = Two(folder=tmp_path)
    for lost in ("", "reply", ""):
        await found.ask(lost=lost)
    yield found
    found.close()


async def test_both_sign_and_enter_what_both_have_found(two: Two) -> None:
    """Two signatures over one text; the RECONCILED entry of each has its digest, and the statement is kept."""
    await two.reconcile(at=APRIL)
    signed = await two.stated(ASKER, MARCH)
    found = open_statement(signed, DIRECTORY, PAIR, None)
    asked = found.pairs[1]
    assert (found.members, found.month, asked.asker_member) == ((ANSWERER, ASKER), "2026-03", ASKER)
    assert (asked.first_number, asked.last_number, asked.answered_count, asked.difference_count) == (1, 3, 2, 1)
    assert asked.differences == (PairDifference(pair_sequence=2, difference="LOST"),)
    assert found.pairs[0] == PairSummary(asker_member=ANSWERER, answerer_member=ASKER, digest=bytes(32))
    for member, partner in (PAIR, PAIR[::-1]):
        newest = "SELECT shared, private FROM ledger_entry ORDER BY seq DESC LIMIT 1"
        ((shared, private),) = rows(two.parties[member].path, newest)
        assert wire.decode(LedgerEvent, shared) == LedgerEvent(
            kind=LedgerEventKind.RECONCILED, asker_member=member, answerer_member=partner,
            reply_digest=signed.digest(),
        )  # fmt: skip
        assert wire.decode(LedgerPrivate, private).act == "2026-03"
        assert two.desks[member].held(partner, MARCH) == signed


async def test_signed_again_it_is_the_same_statement(two: Two) -> None:
    """Whoever asks later, whichever side, is given what both signed: one entry a month in each ledger."""
    await two.reconcile(at=APRIL)
    signed = await two.stated(ASKER, MARCH)
    two.now += timedelta(hours=5)
    assert [await two.stated(each, MARCH) for each in PAIR] == [signed, signed]
    count = "SELECT count(*) FROM statement"
    assert [rows(two.parties[each].path, count) for each in PAIR] == [[(1,)], [(1,)]]


async def test_a_month_that_turned_out_otherwise_is_signed_anew(two: Two) -> None:
    """After a comparison that found something else both sign again, and the new statement takes the old one's place."""
    await two.reconcile(at=APRIL)
    first = await two.stated(ASKER, MARCH)
    two.parties[ANSWERER].change("DELETE FROM ledger_entry WHERE seq = 1")
    for each in PAIR:
        await two.parties[each].store.reconciliations.forget(NOW.date())
    await two.reconcile(at=APRIL)
    second = await two.stated(ANSWERER, MARCH)
    assert first != second
    assert [two.desks[member].held(other, MARCH) for member, other in (PAIR, PAIR[::-1])] == [second, second]


async def test_members_that_do_not_agree_sign_nothing(two: Two) -> None:
    """The one that is asked says what it has found; neither ledger has an entry."""
    await two.reconcile(at=APRIL)
    two.parties[ANSWERER].change("DELETE FROM finding")
    with pytest.raises(Disagreed) as disagreed:
        await two.stated(ASKER, MARCH)
    assert disagreed.value.own.pairs[1].difference_count == 0
    assert [two.desks[member].held(other, MARCH) for member, other in (PAIR, PAIR[::-1])] == [None, None]


@pytest.mark.parametrize("behind", PAIR)
async def test_a_month_is_signed_once_both_have_compared_all_of_it(behind: str, two: Two) -> None:
    """Whichever of the two is behind, nothing is signed until then."""
    await two.reconcile(*(each for each in PAIR if each != behind), at=APRIL)
    await two.reconcile(behind, at=APRIL - timedelta(days=1))
    two.now = APRIL
    with pytest.raises(NotCompared):
        await two.stated(ASKER, MARCH)
    await two.reconcile(behind, at=APRIL)
    assert open_statement(await two.stated(ASKER, MARCH), DIRECTORY, PAIR, None).month == "2026-03"


async def test_a_direction_that_was_compared_later_is_empty(two: Two) -> None:
    """Of a month before the first comparison nothing is known, by both."""
    await two.reconcile(at=APRIL)
    found = two.desks[ASKER].own(ANSWERER, Month.read("2026-01"))
    assert [each.last_number for each in found.pairs] == [0, 0]


def resigned(change: Callable[[Statement], Statement], signer: Signer) -> Callable[[Envelope], Envelope]:
    """Give what has a statement say something else, under a key."""

    def resign(envelope: Envelope) -> Envelope:
        return sign(PAYLOAD_TYPE, wire.encode(change(wire.decode(Statement, envelope.payload))), signer)

    return resign


HOSTILE: dict[str, tuple[Callable[[Statement], Statement], str, RefusalReason]] = {
    "by another member": (lambda said: said, "330000", RefusalReason.BAD_SIGNATURE),
    "of no month": (lambda said: replace(said, month="March"), ASKER, RefusalReason.BAD_SIGNATURE),
    "of one member": (lambda said: replace(said, members=(ASKER, ASKER)), ASKER, RefusalReason.BAD_SIGNATURE),
    "of one direction": (lambda said: replace(said, pairs=said.pairs[:1]), ASKER, RefusalReason.BAD_SIGNATURE),
    "of another pair": (
        lambda said: replace(
            said,
            members=(ASKER, "330000"),
            pairs=tuple(
                PairSummary(asker_member=one, answerer_member=other)
                for one, other in statements.directions((ASKER, "330000"))
            ),
        ),
        ASKER,
        RefusalReason.WRONG_AUDIENCE,
    ),
    "of long ago": (
        lambda said: replace(said, issued_time=said.issued_time - timedelta(hours=1)), ASKER, RefusalReason.EXPIRED,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
async def test_what_is_no_statement_of_the_pair_is_refused(case: str, two: Two) -> None:
    """Nothing is signed for a stranger, for another pair, or for an old text."""
    change, member, reason = HOSTILE[case]
    await two.reconcile(at=APRIL)
    said = sign(PAYLOAD_TYPE, wire.encode(two.desks[ASKER].own(ANSWERER, MARCH)), SIGNERS[ASKER])
    with pytest.raises(Refused) as refused:
        await two.desks[ANSWERER].countersign(resigned(change, SIGNERS[member])(said), ASKER)
    assert refused.value.reason is reason


def only_one(answer: SignStatementResponse) -> SignStatementResponse:
    """Leave the partner's signature out."""
    assert answer.statement is not None
    return replace(answer, statement=replace(answer.statement, signatures=answer.statement.signatures[:1]))


def another(answer: SignStatementResponse) -> SignStatementResponse:
    """Have both sign another month."""
    assert answer.statement is not None
    said = replace(wire.decode(Statement, answer.statement.payload), month="2026-02")
    return replace(answer, statement=sign(PAYLOAD_TYPE, wire.encode(said), *(SIGNERS[each] for each in PAIR)))


@pytest.mark.parametrize("bend", [only_one, another])
async def test_what_comes_back_is_verified(bend: Callable[[Any], Any], two: Two) -> None:
    """A statement without the partner's signature, or another one, is entered by nobody who asked for it."""
    await two.reconcile(at=APRIL)
    two.lines[ASKER].bend_answer = bend
    with pytest.raises(StatementInvalid):
        await two.stated(ASKER, MARCH)
    assert two.desks[ASKER].held(ANSWERER, MARCH) is None


def test_a_long_list_of_differences_is_cut_and_counted() -> None:
    """A statement stays small whatever happened."""
    findings = [
        Finding(difference=Difference.HOLE, pair_sequence=each, lacking=None, asker_entries=(), answerer_entries=())
        for each in range(1, MOST_DIFFERENCES + 6)
    ]
    found = summary(PAIR, (1, len(findings)), Tally(), findings)
    assert (found.difference_count, len(found.differences)) == (MOST_DIFFERENCES + 5, MOST_DIFFERENCES)


def statement(**changes: Any) -> Statement:
    """Write a statement of March."""
    pairs = tuple(PairSummary(asker_member=one, answerer_member=other) for one, other in statements.directions(PAIR))
    values: dict[str, Any] = {
        "members": (ANSWERER, ASKER),
        "month": "2026-02",
        "issued_time": ISSUED,
        "pairs": pairs,
    } | changes
    return Statement(**values)


def signed(said: Statement, *members: str) -> Envelope:
    """Have members sign a statement."""
    return sign(PAYLOAD_TYPE, wire.encode(said), *(SIGNERS[each] for each in members))


def test_only_the_time_may_differ() -> None:
    """Two statements agree when all else is the same."""
    assert agree(statement(), statement(issued_time=ISSUED + timedelta(days=9)))
    assert not agree(statement(), statement(month="2026-01"))


def test_a_key_that_nobody_lists_signs_nothing() -> None:
    """Nor does one that was not valid yet."""
    stranger = sign(PAYLOAD_TYPE, wire.encode(statement()), SIGNERS[ASKER], OTHER)
    early = signed(statement(issued_time=ISSUED - timedelta(days=4_000)), *PAIR)
    for each in (stranger, early):
        with pytest.raises(StatementInvalid):
            open_statement(each, DIRECTORY, PAIR, None)


def test_a_file_is_verified_with_nothing_but_the_root() -> None:
    """Years later too: the bundle of the day is in it."""
    file = write_file(signed(statement(), *PAIR), signed_directory())
    place = file_of(file)
    assert place is not None
    verdict = verify_statement(place, root=ROOT)
    assert (verdict.statement, [each.failed for each in verdict.parts]) == (statement(), [None, None])


FALSE: dict[str, tuple[bytes, Check]] = {
    "signed by one": (write_file(signed(statement(), ASKER), signed_directory()), Check.SIGNATURE),
    "of a month that was not over": (
        write_file(signed(statement(month=f"{ISSUED:%Y-%m}"), *PAIR), signed_directory()), Check.CONTENT,
    ),
    "after the keys had ended": (
        write_file(signed(statement(issued_time=ISSUED + timedelta(days=4_000)), *PAIR), signed_directory()),
        Check.SIGNATURE,
    ),
    "under another federation": (
        write_file(signed(statement(), *PAIR), signed_directory(salt="other")), Check.SIGNATURE,
    ),
    "no envelope": (
        json.dumps({"format": "yrdx.statement.v1", "statement": "AAAA", "bundle": "AAAA"}).encode(), Check.SIGNATURE,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FALSE)
def test_a_file_that_is_not_genuine_is_named_by_its_check(case: str) -> None:
    """Bad content is no error; the verdict says what failed."""
    content, check = FALSE[case]
    place = file_of(content)
    assert place is not None
    verdict = verify_statement(place, root=ROOT)
    assert (verdict.statement, [each.failed for each in verdict.parts if each.failed]) == (None, [check])


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": "x", "statement": "", "bundle": ""}', b'{"a": 1}'])
def test_any_other_file_is_none(content: bytes) -> None:
    """It is looked at as an answer file then."""
    assert file_of(content) is None
