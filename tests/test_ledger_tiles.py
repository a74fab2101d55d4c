"""Tiles: they are the plain tree, however it grew; a growth or a proof touches few of them, in one go."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledgers import Shelf, leaves, shelf

from gateway.ledger import tiles, tree
from gateway.ledger.errors import Flaw, ProofInvalid, TileDamaged
from gateway.ledger.proofs import verify_consistency, verify_inclusion
from gateway.ledger.tiles import Tile

REFERENCE: dict[str, Any] = json.loads(
    (Path(__file__).parent / "vectors/ledger/rfc6962.json").read_text(encoding="utf-8"),
)
ENTRIES = [bytes.fromhex(each) for each in REFERENCE["entries"]]
ROOTS = [bytes.fromhex(each) for each in REFERENCE["roots"]]
NODES = [[bytes.fromhex(each) for each in level] for level in REFERENCE["nodes"]]
BIG = 66_000  # three levels of tiles
WHOLE = shelf(BIG)
LEAVES = leaves(BIG)


def test_the_reference_tree_is_the_published_one() -> None:
    """Leaf hashes, node hashes and the roots at every size are the figures of the reference tree."""
    hashes = [tree.leaf_hash(each) for each in ENTRIES]
    assert hashes == NODES[0]
    for below, above in pairwise(NODES):
        assert [tree.node_hash(below[at], below[at + 1]) for at in range(0, len(below), 2)] == above
    kept = Shelf()
    for size, root in enumerate(ROOTS):
        assert (tree.root(hashes[:size]), kept.root, tiles.root_at(size, kept)) == (root, root, root)
        kept.grow(hashes[size : size + 1])


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 1067, 5), "tile/0/x001/067.p/5"),
        (Tile(63, 1_234_067, 255), "tile/63/x001/x234/067.p/255"),
        (Tile(1, 999), "tile/1/999"),
        (Tile(2, 1000), "tile/2/x001/000"),
    ],
)
def test_a_tile_is_found_by_the_published_path(tile: Tile, path: str) -> None:
    """A tile's and an entry bundle's path are those of tlog-tiles."""
    assert tile.path == path
    assert tiles.entries_path(tile.place, tile.width) == path.replace(f"tile/{tile.level}/", "tile/entries/")


def test_the_edge_of_seventy_thousand_is_the_published_example() -> None:
    """A tree of 70,000 has partial tiles of 112, 17 and 1; one of 256 has a full tile and one of width 1 above."""
    assert tiles.edge(70_000) == (Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1))
    assert tiles.edge(256) == (Tile(1, 0, 1),)
    assert tiles.edge(0) == ()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 700), max_size=6))
def test_growing_in_any_groups_gives_one_tree(groups: list[int]) -> None:
    """However entries are grouped, the tiles and the root are those of one growth, and of the plain tree."""
    kept = Shelf()
    for each in groups:
        kept.grow(leaves(each, kept.size))
    whole = shelf(sum(groups))
    assert (kept.held, kept.root) == (whole.held, whole.root)
    assert kept.root == tree.root(leaves(sum(groups))) == tiles.root_at(kept.size, kept)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 511, BIG])
def test_every_hash_of_a_tile_is_that_of_its_subtree(size: int) -> None:
    """Each hash of each tile is the root over the entries below it, as tlog-tiles defines it."""
    for (level, place), hashes in shelf(size).held.items():
        span = 256**level
        first = place * 256 * span
        for at, each in enumerate(tiles.split(hashes)):
            assert each == tree.root(LEAVES[first + at * span : first + (at + 1) * span])


def test_a_growth_touches_the_right_edge_only() -> None:
    """One entry more reads the partial tiles in one go, and writes the one that it changes."""
    kept = shelf(70_000)
    kept.goes = kept.read = 0
    assert set(kept.grow(leaves(1, 70_000))) == {Tile(0, 273, 113)}
    assert (kept.goes, kept.read) == (1, 3)
    full = shelf(65_535)
    assert set(full.grow(leaves(1, 65_535))) == {Tile(0, 255), Tile(1, 0), Tile(2, 0, 1)}
    assert kept.grow([]) == {}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_inclusion_proof_verifies(data: st.DataObject) -> None:
    """At any size that the tree ever had, the path of any entry leads to the root of that size."""
    size = data.draw(st.integers(1, BIG))
    index = data.draw(st.integers(0, size - 1))
    WHOLE.goes = WHOLE.read = 0
    path = tiles.inclusion(index, size, WHOLE)
    assert (WHOLE.goes <= 1, WHOLE.read <= 6) == (True, True)
    verify_inclusion(LEAVES[index], index, size, path, tiles.root_at(size, WHOLE))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_consistency_proof_verifies(data: st.DataObject) -> None:
    """Between any two sizes the proof verifies under the roots of both."""
    new = data.draw(st.integers(0, BIG))
    old = data.draw(st.integers(0, new))
    proof = tiles.consistency(old, new, WHOLE)
    verify_consistency(old, new, proof, tiles.root_at(old, WHOLE), tiles.root_at(new, WHOLE))


def test_a_proof_in_fifty_millions_reads_few_tiles() -> None:
    """Any proof in a ledger of 50 million reads at most two tiles a level, in one go."""
    wanted: list[Tile] = []

    def read(asked: Any) -> list[bytes]:
        wanted.extend(asked)
        return [bytes(32) * each.width for each in asked]

    size = 50_000_000
    for index in (0, size // 3, size - 1):
        wanted.clear()
        tiles.inclusion(index, size, read)
        assert len(wanted) == len(set(wanted)) <= 8
    for old in (1, 33_554_432, 49_999_999):
        wanted.clear()
        tiles.consistency(old, size, read)
        assert len(wanted) <= 8


def test_the_paths_of_a_commit_group_are_those_of_its_entries() -> None:
    """Many paths are read in one go and are each what it would be alone; none is wanted of nothing."""
    group = range(65_500, 65_600)
    WHOLE.goes = WHOLE.read = 0
    paths = tiles.inclusions(group, BIG, WHOLE)
    assert (WHOLE.goes, WHOLE.read <= 8) == (1, True)
    assert paths == tuple(tiles.inclusion(each, BIG, WHOLE) for each in group)
    assert tiles.inclusions((), BIG, WHOLE) == ()


@pytest.mark.parametrize(("index", "size"), [(-1, 5), (5, 5), (0, 0)])
def test_an_entry_beyond_the_tree_has_no_path(index: int, size: int) -> None:
    """Whoever asks for an entry that a size does not have is told so."""
    with pytest.raises(ProofInvalid, match=f"entry {index} in a ledger of {size}") as caught:
        tiles.inclusion(index, size, WHOLE)
    assert caught.value.flaw is Flaw.BEYOND_THE_TREE


@pytest.mark.parametrize(("old", "new"), [(-1, 5), (6, 5)])
def test_sizes_in_disorder_have_no_proof(old: int, new: int) -> None:
    """No proof says that a tree shrank."""
    with pytest.raises(ProofInvalid, match="smaller") as caught:
        tiles.consistency(old, new, WHOLE)
    assert caught.value.flaw is Flaw.SHRUNKEN


def test_a_missing_or_short_tile_is_named() -> None:
    """A tile that is gone or cut is named by its path; a store that forgets one is told so."""
    kept = shelf(600)
    kept.held[1, 0] = kept.held[1, 0][:-1]
    with pytest.raises(TileDamaged, match=r"tile/1/000\.p/2 holds 63 bytes, not 64"):
        tiles.root_at(600, kept)
    with pytest.raises(TileDamaged, match="came"):
        tiles.inclusion(3, 600, lambda _: [])
