"""Judges what another member shows of ledgers: cosignatures, conflicts, forks, heads and proofs, before any is used."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateway.ledger import cosignature, numbers, receipts, witnessing
from gateway.ledger.checkpoint import Checkpoint, Head, open_checkpoint
from gateway.ledger.errors import CheckpointMalformed, NoteUnsigned, NumberUnproven
from gateway.ledger.note import NoteKey, NoteSignature, read_line
from gateway.ledger.numbers import Pair
from gateway.ledger.proofs import verify_consistency
from gateway.ledger.receipts import Logged
from gateway.ledger.witnessing import Conflict, Fork, Unproven
from gateway.model.witness import (
    AddCheckpointResponse,
    CosignedHead,
    GetHeadResponse,
    GetProofResponse,
    HeadConflict,
    HeadUnproven,
)

Find = Callable[[str], Iterable[NoteKey]]
"""Gives the keys that may have signed the checkpoints of a log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A head that another member holds, None for none, and the highest number that it proves of the pair's questions.

    Where it names a number that it does not prove, `unproven` says what is wrong, and the number is 0.
    """

    checkpoint: Checkpoint | None
    pair_number: int = 0
    unproven: NumberUnproven | None = None


def outcome_of(
    response: AddCheckpointResponse, shown: Checkpoint, witness: Iterable[NoteKey], find: Find
) -> NoteSignature | Conflict | Fork | Unproven:
    """Give what a witness did with a checkpoint that it was shown; `find` gives the keys of the log.

    Raises:
        LedgerError: when the cosignature is not one of the witness's keys over this head, or the evidence of a fork is
            none.
    """
    match response.outcome:
        case CosignedHead(signature=line):
            return _cosigned(shown, read_line(line), witness)
        case HeadConflict(size=size):
            return Conflict(size=size)
        case HeadUnproven(size=size):
            return Unproven(size=size)
        case fork:
            return open_fork(fork.first, fork.second, shown.head.origin, find)


def open_fork(first: bytes, second: bytes, origin: str, find: Find) -> Fork:
    """Verify evidence of two histories: two notes that the log signed and that contradict each other on their face.

    Raises:
        LedgerError: when one of them is not signed by the log, or they do not contradict each other.
    """
    here, there = (witnessing.held(_of_log(each, origin, find)) for each in (first, second))
    found = witnessing.forked(here, there)
    if found is None:
        raise CheckpointMalformed("two heads do not contradict each other; ask for the evidence again")
    return found


def seen_of(response: GetHeadResponse, origin: str, find: Find, pair: Pair, old: Head | None = None) -> Seen:
    """Give the head of a log that another member holds, and the number that it proves; each counts without the other.

    With `old`, the head only when it grew out of that one.

    Raises:
        LedgerError: when the head is not signed by the log, is of another one, or did not grow out of the old one.
    """
    found = _of_log(response.checkpoint, origin, find) if response.checkpoint else None
    if found is not None and old is not None:
        verify_consistency(old.size, found.head.size, response.consistency_hashes, old.root, found.head.root)
    try:
        return Seen(checkpoint=found, pair_number=numbers.proven(response, pair))
    except NumberUnproven as error:
        return Seen(checkpoint=found, unproven=error)


def proof_of(response: GetProofResponse, index: int, shared: bytes, find: Find) -> Logged | None:
    """Give the proof that this very event stands at this place of a log, or None while no cosigned head covers it.

    Whether enough witnesses cosigned the checkpoint is for `quorum.witnessed` to say.

    Raises:
        ReceiptInvalid: naming what fails.
        CheckpointMalformed: when it is the proof of another place.
    """
    if response.receipt is None:
        return None
    if response.receipt.leaf_index != index:
        raise CheckpointMalformed(f"the proof of another entry came for entry {index}; ask again")
    return receipts.verify(response.receipt, shared, find)


def _cosigned(shown: Checkpoint, line: NoteSignature, witness: Iterable[NoteKey]) -> NoteSignature:
    keys = [each for each in witness if (each.name, each.id) == (line.name, line.id)]
    if not cosignature.verify(shown.note.extended(line), keys):
        raise NoteUnsigned("no key of the witness that counts made the cosignature; ask the witness which key it uses")
    return line


def _of_log(payload: bytes, origin: str, find: Find) -> Checkpoint:
    found = open_checkpoint(payload, find)
    if found.head.origin != origin:
        raise CheckpointMalformed("a head of another log came than was asked for; ask again")
    return found
