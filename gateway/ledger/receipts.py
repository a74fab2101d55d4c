"""Receipts: what lets a member's partner see that their exchange stands in the member's ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import InitVar, dataclass

from gateway.ledger import entries, proofs
from gateway.ledger.checkpoint import Checkpoint, open_checkpoint
from gateway.ledger.entries import Entry, Opening
from gateway.ledger.errors import LedgerError, ReceiptInvalid
from gateway.ledger.note import Note, NoteKey
from gateway.model.ledger import Receipt

_VERIFIED = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """An event that stands in a ledger at a place under a signed head. Only `verify` makes one.

    Raises:
        TypeError: when anybody else tries.
    """

    shared: bytes
    index: int
    checkpoint: Checkpoint
    verified: InitVar[object]

    def __post_init__(self, verified: object) -> None:
        """Refuse to be made without a verification."""
        if verified is not _VERIFIED:
            raise TypeError("a Logged comes out of receipts.verify only; verify the receipt instead of making one")


def build(index: int, path: Sequence[bytes], checkpoint: Note, shared_salt: bytes, private_hash: bytes) -> Receipt:
    """Give the receipt of the entry at an index; the path is that of the checkpoint's size."""
    return Receipt(
        leaf_index=index,
        inclusion_hashes=tuple(path),
        checkpoint=checkpoint.payload,
        shared_salt=shared_salt,
        private_hash=private_hash,
    )


def verify(receipt: Receipt, shared: bytes, find: Callable[[str], Iterable[NoteKey]]) -> Logged:
    """Verify that this very event, in the verifier's own bytes, stands in a log to which `find` gives keys.

    Raises:
        ReceiptInvalid: naming the entry and what fails.
    """
    try:
        # 1 checkpoint: form, origin, a signature by a key of the log
        checkpoint = open_checkpoint(receipt.checkpoint, find)
    except LedgerError as error:
        raise ReceiptInvalid(f"the receipt of entry {receipt.leaf_index} fails: {error}") from error
    return verify_under(checkpoint, receipt, shared)


def verify_under(checkpoint: Checkpoint, receipt: Receipt, shared: bytes) -> Logged:
    """Verify that this very event stands under a checkpoint that was opened already; the receipt's own is passed over.

    Raises:
        ReceiptInvalid: naming the entry and what fails.
    """
    try:
        # 2 leaf: from the verifier's own event, so that a path to another leaf proves nothing
        opening = Opening(receipt.shared_salt, shared)
        leaf = Entry(shared_hash=entries.shared_hash(opening), private_hash=receipt.private_hash).leaf
        # 3 path
        head = checkpoint.head
        proofs.verify_inclusion(leaf, receipt.leaf_index, head.size, receipt.inclusion_hashes, head.root)
    except LedgerError as error:
        raise ReceiptInvalid(f"the receipt of entry {receipt.leaf_index} fails: {error}") from error
    return Logged(shared=shared, index=receipt.leaf_index, checkpoint=checkpoint, verified=_VERIFIED)
