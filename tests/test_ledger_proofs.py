"""Proofs: what verifies is what RFC 9162 says, and nothing that was changed in any place."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledgers import SHARED_VECTORS, Shelf, leaves, shelf

from gateway.ledger import tiles, tree
from gateway.ledger.errors import Flaw, ProofInvalid
from gateway.ledger.proofs import verify_consistency, verify_inclusion

SIZE = 300
WHOLE = shelf(SIZE)
LEAVES = leaves(SIZE)
ROOTS = [tiles.root_at(size, WHOLE) for size in range(SIZE + 1)]
MERKLE = SHARED_VECTORS / "merkle"
beside = pytest.mark.skipif(not MERKLE.exists(), reason="the published vectors are not beside the tree")


def flipped(value: bytes, bit: int) -> bytes:
    """Turn one bit."""
    return bytes(each ^ (1 << bit % 8 if at == bit // 8 else 0) for at, each in enumerate(value))


def mutated(path: Sequence[bytes], data: st.DataObject) -> tuple[bytes, ...]:
    """Change a path in one way: a bit, a hash more, one less, or two exchanged."""
    ways = ["longer"] + (["bit", "shorter"] if path else []) + (["exchanged"] if len(set(path)) > 1 else [])
    way, found = data.draw(st.sampled_from(ways)), list(path)
    if way == "longer":
        found.insert(data.draw(st.integers(0, len(found))), data.draw(st.binary(min_size=32, max_size=32)))
    elif way == "bit":
        at = data.draw(st.integers(0, len(found) - 1))
        found[at] = flipped(found[at], data.draw(st.integers(0, 255)))
    elif way == "shorter":
        found.pop(data.draw(st.integers(0, len(found) - 1)))
    else:
        found = [*found[1:], found[0]]
    return tuple(found)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_changed_path_proves_nothing(data: st.DataObject) -> None:
    """Any change of path, leaf, place, size or root makes a path fail."""
    size = data.draw(st.integers(1, SIZE))
    index = data.draw(st.integers(0, size - 1))
    good = (LEAVES[index], index, size, tiles.inclusion(index, size, WHOLE), ROOTS[size])
    verify_inclusion(*good)
    other = data.draw(st.integers(0, SIZE - 1).filter(lambda each: each != index))
    bit = data.draw(st.integers(0, 255))
    for bad in (
        (flipped(good[0], bit), *good[1:]),
        (good[0], other, *good[2:]),
        (*good[:3], mutated(good[3], data), good[4]),
        (*good[:4], flipped(good[4], bit)),
        (LEAVES[other], *good[1:]),
    ):
        with pytest.raises(ProofInvalid, match=f"entry {bad[1]} in a ledger of {size}"):
            verify_inclusion(*bad)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_changed_consistency_proof_proves_nothing(data: st.DataObject) -> None:
    """Any change of proof or of either root makes a consistency proof fail."""
    new = data.draw(st.integers(1, SIZE))
    old = data.draw(st.integers(0, new))
    proof = tiles.consistency(old, new, WHOLE)
    good = (old, new, proof, ROOTS[old], ROOTS[new])
    verify_consistency(*good)
    bit = data.draw(st.integers(0, 255))
    bad = [(*good[:2], mutated(proof, data), *good[3:]), (*good[:3], flipped(good[3], bit), good[4])]
    if old:
        bad.append((*good[:4], flipped(good[4], bit)))
    for each in bad:
        with pytest.raises(ProofInvalid, match=f"ledger of {new} begins with its first {old} entries"):
            verify_consistency(*each)


def test_another_history_has_no_consistency_proof() -> None:
    """No proof of the tree makes it the growth of one with an entry edited, deleted or exchanged."""
    old = 100
    for other in ([*LEAVES[:50], tree.leaf_hash(b"x"), *LEAVES[51:100]], [*LEAVES[:50], *LEAVES[51:101]],
                  [LEAVES[1], LEAVES[0], *LEAVES[2:100]]):  # fmt: skip
        with pytest.raises(ProofInvalid) as caught:
            verify_consistency(old, SIZE, tiles.consistency(old, SIZE, WHOLE), tree.root(other), ROOTS[SIZE])
        assert caught.value.flaw is Flaw.ANOTHER_OLD_ROOT


H = bytes(32)
FLAWS: dict[str, tuple[Flaw, Any]] = {
    "beyond": (Flaw.BEYOND_THE_TREE, lambda: verify_inclusion(H, 5, 5, [], H)),
    "negative": (Flaw.BEYOND_THE_TREE, lambda: verify_inclusion(H, -1, 5, [], H)),
    "too many": (Flaw.TOO_MANY_HASHES, lambda: verify_inclusion(H, 0, 2, [H] * 64, H)),
    "size of a hash": (Flaw.HASH_SIZE, lambda: verify_inclusion(H, 0, 2, [H[1:]], H)),
    "size of the leaf": (Flaw.HASH_SIZE, lambda: verify_inclusion(b"", 0, 1, [], b"")),
    "long": (Flaw.ANOTHER_LENGTH, lambda: verify_inclusion(H, 0, 2, [H, H], H)),
    "short": (Flaw.ANOTHER_LENGTH, lambda: verify_inclusion(H, 0, 3, [H], H)),
    "root": (Flaw.ANOTHER_ROOT, lambda: verify_inclusion(H, 0, 1, [], LEAVES[0])),
    "shrunken": (Flaw.SHRUNKEN, lambda: verify_consistency(2, 1, [], H, H)),
    "negative size": (Flaw.SHRUNKEN, lambda: verify_consistency(-1, 1, [], H, H)),
    "many hashes": (Flaw.TOO_MANY_HASHES, lambda: verify_consistency(1, 2, [H] * 10_000, H, H)),
    "size of one": (Flaw.HASH_SIZE, lambda: verify_consistency(1, 2, [H + b"x"], H, H)),
    "same size": (Flaw.ANOTHER_LENGTH, lambda: verify_consistency(2, 2, [H], H, H)),
    "same size, another root": (Flaw.ANOTHER_ROOT, lambda: verify_consistency(2, 2, [], H, ROOTS[2])),
    "from nothing": (Flaw.ANOTHER_LENGTH, lambda: verify_consistency(0, 2, [H], tree.EMPTY, H)),
    "from no nothing": (Flaw.ANOTHER_OLD_ROOT, lambda: verify_consistency(0, 2, [], H, H)),
    "nothing with a root": (Flaw.ANOTHER_ROOT, lambda: verify_consistency(0, 0, [], tree.EMPTY, H)),
    "none": (Flaw.ANOTHER_LENGTH, lambda: verify_consistency(1, 2, [], H, H)),
    "one too many": (Flaw.ANOTHER_LENGTH, lambda: verify_consistency(1, 2, [H, H], H, H)),
    "one too few": (Flaw.ANOTHER_LENGTH, lambda: verify_consistency(1, 3, [H], H, H)),
    "old root": (Flaw.ANOTHER_OLD_ROOT, lambda: verify_consistency(3, 4, [H, H, H], LEAVES[0], H)),
    "new root": (
        Flaw.ANOTHER_ROOT,
        lambda: verify_consistency(2, 4, tiles.consistency(2, 4, WHOLE), ROOTS[2], ROOTS[5]),
    ),
}


@pytest.mark.parametrize("case", FLAWS)
def test_each_flaw_is_named(case: str) -> None:
    """What is wrong with a proof has a name of its own, and is in the text."""
    flaw, verify = FLAWS[case]
    with pytest.raises(ProofInvalid) as caught:
        verify()
    assert caught.value.flaw is flaw
    assert flaw.value in str(caught.value)


def cases(name: str) -> list[dict[str, Any]]:
    """Read a published file, or nothing where it is not there."""
    path = MERKLE / f"transparency_dev_{name}.json"
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return found


def raw(value: str | None) -> bytes:
    """Decode a published hash."""
    return base64.b64decode(value or "")


def hashes(value: list[str] | None) -> list[bytes]:
    """Decode a published proof."""
    return [raw(each) for each in value or ()]


@beside
@pytest.mark.parametrize("case", cases("inclusion"), ids=lambda each: each["file"])
def test_a_published_path_verifies_as_published(case: dict[str, Any]) -> None:
    """Every published path is taken or refused as its file says."""
    given_ = (raw(case["leafHash"]), case["leafIdx"], case["treeSize"], hashes(case["proof"]), raw(case["root"]))
    if case["wantErr"]:
        with pytest.raises(ProofInvalid):
            verify_inclusion(*given_)
    else:
        verify_inclusion(*given_)


@beside
@pytest.mark.parametrize("case", cases("consistency"), ids=lambda each: each["file"])
def test_a_published_consistency_proof_verifies_as_published(case: dict[str, Any]) -> None:
    """Every published proof is taken or refused as its file says, but from nothing: a witness begins there."""
    roots = raw(case["root1"]), raw(case["root2"])
    begins = (case["size1"], roots[0], case["proof"]) == (0, tree.EMPTY, []) and case["size2"] > 0
    if case["wantErr"] and not begins:
        with pytest.raises(ProofInvalid):
            verify_consistency(case["size1"], case["size2"], hashes(case["proof"]), *roots)
    else:
        verify_consistency(case["size1"], case["size2"], hashes(case["proof"]), *roots)


def is_subtree(start: int, end: int) -> bool:
    """Whether a span starts at a multiple of the power of two that holds it, as the draft on subtrees wants."""
    return 0 <= start < end and start % (1 << (end - start - 1).bit_length()) == 0


@beside
@pytest.mark.parametrize("case", cases("subtree_inclusion"), ids=lambda each: each["file"])
def test_a_published_path_in_a_subtree_verifies_as_published(case: dict[str, Any]) -> None:
    """A path in a subtree is a path in a tree of its own; each published one is taken or refused as its file says."""
    start, end, index = case["start"], case["end"], case["leafIdx"]

    def verify() -> None:
        if not is_subtree(start, end):
            raise ProofInvalid("no subtree", Flaw.BEYOND_THE_TREE)
        path = hashes(case["proof"])
        verify_inclusion(raw(case["leafHash"]), index - start, end - start, path, raw(case["root"]))

    if case["wantErr"]:
        with pytest.raises(ProofInvalid):
            verify()
    else:
        verify()


@beside
def test_the_published_subtrees_are_ours() -> None:
    """Root and paths of every subtree of every tree up to 130 leaves hash to the published figures of the draft."""
    published = json.loads((MERKLE / "mtc_subtree_accumulated.json").read_text(encoding="utf-8"))["sha256_of_all_lines"]
    ours = [tree.leaf_hash(bytes([each])) for each in range(131)]
    roots, paths = sha256(), sha256()
    for end in range(131):
        for start in range(end + 1):
            if start not in (0, end) and not is_subtree(start, end):
                continue
            roots.update(f"[{start}, {end}) {tree.root(ours[start:end]).hex()}\n".encode())
            kept = Shelf()
            kept.grow(ours[start:end])
            for index in range(start, end):
                path = tiles.inclusion(index - start, end - start, kept)
                words = [f"{index} [{start}, {end})", *(each.hex() for each in path)]
                paths.update(f"{' '.join(words)}\n".encode())
    assert roots.hexdigest() == published["SubtreeHashVectors"]
    assert paths.hexdigest() == published["SubtreeInclusionProofVectors"]
