"""What another member shows of ledgers is believed only when it verifies."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bundles import charter_of, signed_directory
from ledgers import (
    ANHUI,
    JIANGSU,
    SALT,
    SHANGHAI,
    cosigned,
    find,
    head,
    logged,
    opened,
    shelf,
    signed,
    witness_key,
)
from witnesses import asking

from gateway.ledger import shown, tiles
from gateway.ledger.entries import Opening
from gateway.ledger.errors import (
    CheckpointMalformed,
    NoteMalformed,
    NoteUnsigned,
    NumberUnproven,
    ProofInvalid,
    ReceiptInvalid,
)
from gateway.ledger.note import read_line
from gateway.ledger.numbers import Pair
from gateway.ledger.shown import Seen
from gateway.ledger.witnessing import Conflict, Fork, Unproven
from gateway.model.witness import (
    AddCheckpointRequest,
    AddCheckpointResponse,
    CosignedHead,
    GetHeadResponse,
    GetProofResponse,
    HeadConflict,
    HeadFork,
    HeadUnproven,
)

SHOWN = opened(head(5))
ORIGIN = SHOWN.head.origin
PAIR = Pair(directory=charter_of(SHANGHAI, signed_directory()).directory, asker=SHANGHAI, answerer=JIANGSU)
LINE = cosigned(SHOWN.note, (JIANGSU, 7)).signatures[-1]


def judged(outcome: CosignedHead | HeadConflict | HeadFork | HeadUnproven) -> object:
    """Judge what Jiangsu answered about the head."""
    response = AddCheckpointResponse(outcome=outcome)
    return shown.outcome_of(response, SHOWN, [witness_key(JIANGSU)], find)


def test_a_cosignature_of_the_witness_is_taken() -> None:
    """The line comes back as it stands in the note."""
    assert judged(CosignedHead(signature=LINE.line.encode())) == LINE


def test_sizes_held_are_taken_as_they_are() -> None:
    """A conflict or a missing proof is a word of the witness: it is looked into, not believed."""
    assert judged(HeadConflict(size=9)) == Conflict(size=9)
    assert judged(HeadUnproven(size=3)) == Unproven(size=3)


def test_a_cosignature_of_another_head_or_key_is_refused() -> None:
    """Neither another member's, nor one over another head, nor one of no known key counts."""
    other_head = cosigned(signed(head(6)), (JIANGSU, 7)).signatures[-1]
    other_member = cosigned(SHOWN.note, (ANHUI, 7)).signatures[-1]
    for each in (other_head, other_member, SHOWN.note.signatures[0]):
        with pytest.raises(NoteUnsigned):
            judged(CosignedHead(signature=each.line.encode()))


@pytest.mark.parametrize("line", [b"", b"\n", b"\xff\n", LINE.line.encode()[:-1], b"no dash\n", LINE.line.encode() * 2])
def test_what_is_no_signature_line_is_malformed(line: bytes) -> None:
    """One line, with its end, in the one form."""
    with pytest.raises(NoteMalformed):
        read_line(line)


def test_evidence_of_a_fork_is_checked() -> None:
    """Two heads that the log signed and that contradict each other are evidence; anything less is not."""
    other = signed(head(5, bytes(32)))
    found = judged(HeadFork(first=SHOWN.note.payload, second=other.payload))
    assert found == Fork(origin=ORIGIN, size=5, first=SHOWN.note, second=other)
    for note in (SHOWN.note, signed(head(6))):
        with pytest.raises(CheckpointMalformed, match="contradict"):
            judged(HeadFork(first=SHOWN.note.payload, second=note.payload))
    foreign = signed(head(5, bytes(32), member=JIANGSU))
    with pytest.raises(CheckpointMalformed, match="another log"):
        judged(HeadFork(first=SHOWN.note.payload, second=foreign.payload))
    forged = replace(other, signatures=SHOWN.note.signatures)
    with pytest.raises(NoteUnsigned):
        judged(HeadFork(first=SHOWN.note.payload, second=forged.payload))


def test_a_head_is_taken_when_its_log_signed_it() -> None:
    """None is none; another log's is refused; with an older head it must have grown out of that."""
    assert shown.seen_of(GetHeadResponse(), ORIGIN, find, PAIR, head(3)) == Seen(checkpoint=None)
    growth = tiles.consistency(3, 5, shelf(5))
    response = GetHeadResponse(checkpoint=SHOWN.note.payload, consistency_hashes=growth)
    assert shown.seen_of(response, ORIGIN, find, PAIR, head(3)) == Seen(checkpoint=SHOWN)
    assert shown.seen_of(response, ORIGIN, find, PAIR) == Seen(checkpoint=SHOWN)
    with pytest.raises(ProofInvalid):
        shown.seen_of(response, ORIGIN, find, PAIR, head(3, bytes(32)))
    with pytest.raises(CheckpointMalformed, match="another log"):
        shown.seen_of(response, head(member=JIANGSU).origin, find, PAIR)


def test_head_and_number_count_each_without_the_other() -> None:
    """A number is taken with its question, beside any head; one that is not proven is none."""
    assert shown.seen_of(GetHeadResponse(pair_number=4, pair_question=asking(4)), ORIGIN, find, PAIR).pair_number == 4
    found = shown.seen_of(GetHeadResponse(checkpoint=SHOWN.note.payload, pair_number=4), ORIGIN, find, PAIR)
    assert (found.checkpoint, found.pair_number) == (SHOWN, 0)
    assert isinstance(found.unproven, NumberUnproven)


def test_a_proof_is_of_this_event_at_this_place() -> None:
    """None is none; the proof of another place, or of another event, is refused."""
    receipt = logged(2, b"event", Opening(SALT, b"private"), 5)
    found = shown.proof_of(GetProofResponse(receipt=receipt), 2, b"event", find)
    assert found is not None
    assert found.index == 2
    assert shown.proof_of(GetProofResponse(), 2, b"event", find) is None
    with pytest.raises(CheckpointMalformed, match="entry 3"):
        shown.proof_of(GetProofResponse(receipt=receipt), 3, b"event", find)
    with pytest.raises(ReceiptInvalid):
        shown.proof_of(GetProofResponse(receipt=receipt), 2, b"other", find)


@pytest.mark.parametrize("hashes", [(b"short",), (bytes(32),) * 64])
def test_proofs_are_bounded_before_any_work(hashes: tuple[bytes, ...]) -> None:
    """A hash of another size, or more hashes than any tree needs, is no message at all."""
    with pytest.raises(ValueError, match="63 hashes"):
        AddCheckpointRequest(old_size=0, consistency_hashes=hashes, checkpoint=b"")
    with pytest.raises(ValueError, match="63 hashes"):
        GetHeadResponse(consistency_hashes=hashes)
