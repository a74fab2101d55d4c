"""Verifies paths and consistency proofs after RFC 9162; work is bounded by the sizes, which are below 2^63."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.ledger import tree
from gateway.ledger.errors import Flaw, ProofInvalid
from gateway.limits import DIGEST_BYTES, PROOF_HASHES


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Return when the path leads from the leaf hash at the index to the root (RFC 9162, section 2.1.3.2).

    Raises:
        ProofInvalid: naming the entry and the flaw.
    """
    what = f"the path of entry {index} in a ledger of {size}"
    _check(0 <= index < size, what, Flaw.BEYOND_THE_TREE)
    _check_hashes(path, what)
    _check(len(leaf) == len(root) == DIGEST_BYTES, what, Flaw.HASH_SIZE)
    place, last, found = index, size - 1, leaf
    for each in path:
        _check(last, what, Flaw.ANOTHER_LENGTH)
        if place & 1 or place == last:
            found = tree.node_hash(each, found)
            place, last = _up_to_left_sibling(place, last)
        else:
            found = tree.node_hash(found, each)
        place, last = place >> 1, last >> 1
    _check(last == 0, what, Flaw.ANOTHER_LENGTH)
    _check(found == root, what, Flaw.ANOTHER_ROOT)


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Return when the tree of the new size begins with that of the old one (RFC 9162, section 2.1.4.2).

    From nothing to anything the proof is empty, as tlog-witness has it, and the old root that of nothing.

    Raises:
        ProofInvalid: naming the sizes and the flaw.
    """
    what = f"the proof that a ledger of {new} begins with its first {old} entries"
    _check(0 <= old <= new, what, Flaw.SHRUNKEN)
    _check_hashes(proof, what)
    if old in (0, new):
        _check(not proof, what, Flaw.ANOTHER_LENGTH)
        _check(old or old_root == tree.EMPTY, what, Flaw.ANOTHER_OLD_ROOT)
        _check(old != new or old_root == new_root, what, Flaw.ANOTHER_ROOT)
        return
    _verify_growth(old, new, proof, (old_root, new_root), what)


def _verify_growth(old: int, new: int, proof: Sequence[bytes], roots: tuple[bytes, bytes], what: str) -> None:
    _check(proof, what, Flaw.ANOTHER_LENGTH)
    hashes = list(proof) if old & old - 1 else [roots[0], *proof]  # a full old tree is a node of the new one
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    found_old = found_new = hashes[0]
    for each in hashes[1:]:
        _check(last, what, Flaw.ANOTHER_LENGTH)
        if place & 1 or place == last:
            found_old, found_new = tree.node_hash(each, found_old), tree.node_hash(each, found_new)
            place, last = _up_to_left_sibling(place, last)
        else:
            found_new = tree.node_hash(found_new, each)
        place, last = place >> 1, last >> 1
    _check(last == 0, what, Flaw.ANOTHER_LENGTH)
    _check(found_old == roots[0], what, Flaw.ANOTHER_OLD_ROOT)
    _check(found_new == roots[1], what, Flaw.ANOTHER_ROOT)


def _up_to_left_sibling(place: int, last: int) -> tuple[int, int]:
    """Climb past the levels where a node at the right edge moves up without a sibling."""
    while place and not place & 1:
        place, last = place >> 1, last >> 1
    return place, last


def _check_hashes(proof: Sequence[bytes], what: str) -> None:
    _check(len(proof) <= PROOF_HASHES, what, Flaw.TOO_MANY_HASHES)
    _check(all(len(each) == DIGEST_BYTES for each in proof), what, Flaw.HASH_SIZE)


def _check(holds: object, what: str, flaw: Flaw) -> None:
    if not holds:
        raise ProofInvalid(what, flaw)
