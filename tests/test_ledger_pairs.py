"""A page of entries: only what is proven to stand in the ledger of its member counts (threats 7 and 12)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ledgers import ANHUI, JIANGSU, SALT, SHANGHAI, find, leaves, log_signer, signed
from ledgers import Shelf as Tree
from ledgers import head as headed

from gateway import wire
from gateway.ledger import checkpoint, entries, receipts, tiles
from gateway.ledger.entries import Opening
from gateway.ledger.errors import PageInvalid
from gateway.ledger.pairs import PAGE, proven
from gateway.ledger.reconciliation import Line
from gateway.model.codes import LedgerEventKind as Kind
from gateway.model.ledger import LedgerEvent
from gateway.model.reconciliation import ListPairEntriesRequest, ListPairEntriesResponse, PairEntry

REQUEST = ListPairEntriesRequest(asker_member=JIANGSU, answerer_member=SHANGHAI, first_number=1)
BEFORE = 3
"""Entries of others before the first of the pair."""


def answered(number: int, **changes: object) -> LedgerEvent:
    """Write an answer of Shanghai to Jiangsu."""
    event = LedgerEvent(
        kind=Kind.ANSWERED, asker_member=JIANGSU, answerer_member=SHANGHAI, pair_sequence=number,
        question_digest=b"q" * 32, reply_digest=b"r" * 32,
    )  # fmt: skip
    return replace(event, **changes)  # type: ignore[arg-type]


def listed(*events: LedgerEvent, **page: int) -> ListPairEntriesResponse:
    """Put events into Shanghai's ledger and list them as it would."""
    shared = [wire.encode(each) for each in events]
    private = Opening(bytes(16), b"private")
    made = [entries.entry(Opening(SALT, each), private) for each in shared]
    tree = Tree()
    tree.grow([*leaves(BEFORE), *(each.leaf for each in made)])
    note = signed(headed(tree.size, tree.root))
    found = []
    for at, each in enumerate(made, BEFORE):
        path = tiles.inclusion(at, tree.size, tree)
        receipt = receipts.build(at, path, note, SALT, each.private_hash)
        found.append(PairEntry(shared=shared[at - BEFORE], receipt=receipt))
    return ListPairEntriesResponse(entries=tuple(found), **page)


def test_what_is_proven_counts() -> None:
    """Each entry with its place, and what the page says of itself."""
    events = [answered(1), answered(2)]
    page = proven(REQUEST, listed(*events, highest_number=9, next_number=3), find)
    assert page.lines == (Line(BEFORE, events[0]), Line(BEFORE + 1, events[1]))
    assert (page.unproven, page.highest_number, page.next_number) == ((), 9, 3)


def edited(found: PairEntry) -> PairEntry:
    """Change what was answered."""
    return replace(found, shared=wire.encode(answered(1, reply_digest=b"x" * 32)))


def moved(found: PairEntry) -> PairEntry:
    """Say that it stands elsewhere."""
    return replace(found, receipt=replace(found.receipt, leaf_index=0))


@pytest.mark.parametrize("change", [edited, moved])
def test_what_no_path_leads_to_counts_as_absent(change: object) -> None:
    """An entry that was edited or moved is named by its place, and is no line."""
    response = listed(answered(1), answered(2))
    assert callable(change)
    bad = change(response.entries[0])
    page = proven(REQUEST, replace(response, entries=(bad, response.entries[1])), find)
    assert page.lines == (Line(BEFORE + 1, answered(2)),)
    assert page.unproven == (bad.receipt.leaf_index,)


def test_proven_bytes_that_are_no_event_are_no_line() -> None:
    """An entry can commit to anything."""
    response = listed(answered(1))
    tree = Tree()
    made = entries.entry(Opening(SALT, b"\xff"), Opening(bytes(16), b"private"))
    tree.grow([made.leaf])
    receipt = receipts.build(0, (), signed(headed(1, tree.root)), SALT, made.private_hash)
    page = proven(REQUEST, replace(response, entries=(PairEntry(shared=b"\xff", receipt=receipt),)), find)
    assert (page.lines, page.unproven) == ((), (0,))


def test_entries_that_were_not_asked_for_are_passed_over() -> None:
    """Of another pair, of a number before the page, or of one of the next page."""
    others = [answered(5, asker_member=ANHUI), answered(1), answered(9)]
    page = proven(replace(REQUEST, first_number=2), listed(*others, answered(4), next_number=9), find)
    assert [each.event.pair_sequence for each in page.lines] == [4]


def test_a_head_that_the_member_did_not_sign_refuses_the_page() -> None:
    """Another member's log, or another key: nothing of the page is believed."""
    response = listed(answered(1))
    (found,) = response.entries
    for note in (
        signed(headed(4, bytes(32), ANHUI)),
        checkpoint.sign(headed(4, bytes(32)), log_signer(SHANGHAI, 2)),
    ):
        false = replace(found, receipt=replace(found.receipt, checkpoint=note.payload))
        only_shanghai = lambda name: find(name) if SHANGHAI in name else ()  # noqa: E731
        with pytest.raises(PageInvalid, match="head"):
            proven(REQUEST, replace(response, entries=(false,)), only_shanghai)


@pytest.mark.parametrize("response", [
    ListPairEntriesResponse(entries=listed(answered(1)).entries * (PAGE + 1)),
    ListPairEntriesResponse(next_number=1),
], ids=["too long", "standing still"])  # fmt: skip
def test_a_page_that_does_not_go_on_is_refused(response: ListPairEntriesResponse) -> None:
    """A partner can make nobody loop or hold more than a page."""
    with pytest.raises(PageInvalid, match="too long or does not go on"):
        proven(REQUEST, response, find)


@pytest.mark.parametrize(("first", "last"), [(0, 1), (1 << 63, 0), (1, -1), (1, 1 << 63)])
def test_a_number_out_of_range_cannot_be_asked_for(first: int, last: int) -> None:
    """Numbers begin at 1 and fit into the store."""
    with pytest.raises(ValueError, match="running number"):
        replace(REQUEST, first_number=first, last_number=last)
