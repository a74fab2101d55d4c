"""A page of a member's entries of a pair: what of it is proven to stand in that member's ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from gateway import wire
from gateway.ledger import receipts
from gateway.ledger.checkpoint import Checkpoint, open_checkpoint
from gateway.ledger.errors import LedgerError, PageInvalid, ReceiptInvalid
from gateway.ledger.note import NoteKey
from gateway.ledger.reconciliation import Line
from gateway.model.ledger import LedgerEvent
from gateway.model.reconciliation import ListPairEntriesRequest, ListPairEntriesResponse, PairEntry

PAGE = 256
"""Most entries of a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a page proves of the numbers from the one asked for to the one before `next_number`, or to the last."""

    lines: tuple[Line, ...]
    unproven: tuple[int, ...]
    """Places of entries that no path leads to: an edited one counts as one that is not there (threat 7)."""

    highest_number: int
    next_number: int


def proven(
    request: ListPairEntriesRequest, response: ListPairEntriesResponse, find: Callable[[str], Iterable[NoteKey]]
) -> Page:
    """Verify each entry of a page; `find` gives the ledger keys of the member that it came from.

    Raises:
        PageInvalid: when it is too long, does not go on, or bears a head that the member did not sign.
    """
    if len(response.entries) > PAGE or 0 < response.next_number <= request.first_number:
        raise PageInvalid("the page is too long or does not go on; ask the member to look at its ledger")
    lines, unproven = [], []
    for each, checkpoint in _opened(response.entries, find):
        line = _line(each, checkpoint)
        if line is None:
            unproven.append(each.receipt.leaf_index)
        elif _wanted(line.event, request, response.next_number):
            lines.append(line)
    return Page(
        lines=tuple(lines),
        unproven=tuple(unproven),
        highest_number=response.highest_number,
        next_number=response.next_number,
    )


def _opened(
    entries: Iterable[PairEntry], find: Callable[[str], Iterable[NoteKey]]
) -> Iterator[tuple[PairEntry, Checkpoint]]:
    """Open each head once: most entries of a page have the same."""
    heads: dict[bytes, Checkpoint] = {}
    for each in entries:
        payload = each.receipt.checkpoint
        try:
            checkpoint = heads[payload] = heads.get(payload) or open_checkpoint(payload, find)
        except LedgerError as error:
            raise PageInvalid(f"the page has a head that does not count: {error}") from error
        yield each, checkpoint


def _line(found: PairEntry, checkpoint: Checkpoint) -> Line | None:
    try:
        receipts.verify_under(checkpoint, found.receipt, found.shared)
        return Line(found.receipt.leaf_index, wire.decode(LedgerEvent, found.shared))
    except (ReceiptInvalid, wire.WireMalformed):
        return None


def _wanted(event: LedgerEvent, request: ListPairEntriesRequest, next_number: int) -> bool:
    pair = (event.asker_member, event.answerer_member) == (request.asker_member, request.answerer_member)
    begins = event.pair_sequence >= request.first_number
    return pair and begins and not 0 < next_number <= event.pair_sequence
