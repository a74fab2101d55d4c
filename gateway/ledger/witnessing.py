"""What a witness decides about a head that a log shows: cosign, name the size it holds, or keep two as evidence.

Semantics of C2SP tlog-witness. The decision belongs inside one write transaction with the look-up of what is
held, and what comes out is persisted before anything is signed or sent (threat 13).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.ledger import tree
from gateway.ledger.checkpoint import Checkpoint, Head
from gateway.ledger.note import Note
from gateway.ledger.proofs import verify_consistency


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The newest head of a log that a witness has persisted, with the note as it came."""

    head: Head
    note: Note


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """The log took another size for the newest that this witness holds; it proves from this one."""

    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unproven:
    """The head shown does not grow out of the one of this size that the witness holds, by the proof that came."""

    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """Evidence of two histories (threat 12): two heads of one log and size with different roots, both as signed."""

    origin: str
    size: int
    first: Note
    second: Note


def held(checkpoint: Checkpoint) -> Held:
    """Give what is kept of a checkpoint that was opened: the log's own signatures, whatever else the note bore."""
    note = checkpoint.note
    own = tuple(found for key in checkpoint.signers if (found := note.signature(key)) is not None)
    return Held(head=checkpoint.head, note=replace(note, signatures=own))


def forked(first: Held, second: Held) -> Fork | None:
    """Give the evidence when two heads contradict each other on their face, or nothing."""
    here, there = first.head, second.head
    if (here.origin, here.size) != (there.origin, there.size) or here.root == there.root:
        return None
    return Fork(origin=here.origin, size=here.size, first=first.note, second=second.note)


def decide(known: Held | None, shown: Checkpoint, old_size: int, proof: Sequence[bytes]) -> Held | Conflict | Fork:
    """Decide about a checkpoint and the proof that it grew out of a head of the old size.

    Give what to persist, compare-and-set on the known size, before cosigning; a Conflict, and nothing to keep; or
    a Fork, to keep and never to cosign. `known` is what is held of the checkpoint's own log.

    Raises:
        ProofInvalid: when the checkpoint does not grow out of the known head, which its log signed none the less.
    """
    size, root = (known.head.size, known.head.root) if known is not None else (0, tree.EMPTY)
    new = held(shown)
    # 1 two histories: before anything that the log could excuse with a race
    found = forked(known, new) if known is not None else None
    if found is not None:
        return found
    # 2 the size that the log thinks is held; a smaller checkpoint ends here
    if old_size != size or shown.head.size < size:
        return Conflict(size=size)
    # 3 nothing was changed before that size
    verify_consistency(size, shown.head.size, proof, root, shown.head.root)
    return new
