"""A ledger as static files after C2SP tlog-tiles: which files there are, and how each is proven before it is believed.

From the head down: the root proves the right edge, each tile the hashes of those below it, a tile its entries.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.ledger import entries, proofs, tiles, tree
from gateway.ledger.checkpoint import Head
from gateway.ledger.errors import BundleMalformed, CheckpointMalformed, TileDamaged
from gateway.ledger.tiles import HASH_BYTES, HEIGHT, WIDTH, Hashes, Tile

CHECKPOINT = "checkpoint"
TILE_BYTES = WIDTH * HASH_BYTES
BUNDLE_BYTES = WIDTH * (2 + entries.ENTRY_BYTES)


def lacking(size: int, since: int = 0) -> Iterator[Tile]:
    """Name the tiles of a tree that one of an older size lacks or has less of, the highest level first."""
    for level in reversed(range(_levels(size))):
        held = size >> HEIGHT * level
        for place in range((since >> HEIGHT * level) // WIDTH, -(-held // WIDTH)):
            yield Tile(level, place, min(WIDTH, held - place * WIDTH))


def leaves(size: int, since: int = 0) -> Iterator[Tile]:
    """Name the tiles of leaf hashes among them: each has an entry bundle of its place and width."""
    return (Tile(0, place, min(WIDTH, size - place * WIDTH)) for place in range(since // WIDTH, -(-size // WIDTH)))


def above(tile: Tile, size: int) -> Tile:
    """Name the tile that holds the hash of a full one."""
    held = size >> HEIGHT * (tile.level + 1)
    place = tile.place // WIDTH
    return Tile(tile.level + 1, place, min(WIDTH, held - place * WIDTH))


def check_growth(old: Head | None, new: Head, read: Hashes) -> None:
    """Return when the newer head is of the same log and its tree begins with the older one's.

    Raises:
        CheckpointMalformed: when it is of another log.
        ProofInvalid: when it is smaller, or tells another history.
        TileDamaged: when a tile is missing or too short.
    """
    if old is None:
        return
    if old.origin != new.origin:
        raise CheckpointMalformed(f"the folder holds {old.origin}, not {new.origin}; choose another folder")
    proof = tiles.consistency(old.size, new.size, read) if old.size <= new.size else ()
    proofs.verify_consistency(old.size, new.size, proof, old.root, new.root)


def check_edge(head: Head, read: Hashes) -> None:
    """Return when the partial tiles at the right edge lead to the head's root.

    Raises:
        TileDamaged: when they do not, or one is missing or too short.
    """
    if tiles.root_at(head.size, read) != head.root:
        raise TileDamaged(f"the tiles do not lead to the head of {head.size} entries; fetch them from another mirror")


def check_tile(tile: Tile, hashes: bytes, parent: bytes) -> None:
    """Return when a full tile is the one whose hash its parent holds.

    Raises:
        TileDamaged: naming the tile.
    """
    start = tile.place % WIDTH * HASH_BYTES
    if len(hashes) != TILE_BYTES or tree.root(tiles.split(hashes)) != parent[start : start + HASH_BYTES]:
        raise TileDamaged(f"{tile.path} is not that of this ledger; fetch it from another mirror")


def check_bundle(tile: Tile, bundle: bytes, hashes: bytes) -> None:
    """Return when the entries of a bundle are those whose hashes the tile holds.

    Raises:
        BundleMalformed: naming the first entry that is another.
    """
    found = [tree.leaf_hash(each) for each in entries.read_bundle(bundle)]
    for at, (mine, kept) in enumerate(zip(found, tiles.split(hashes), strict=False)):
        if mine != kept:
            raise BundleMalformed(f"entry {tile.place * WIDTH + at} is another than the ledger's; it was changed")
    if len(found) != tile.width:
        raise BundleMalformed(f"{tiles.entries_path(tile.place, tile.width)} has {len(found)} entries; some are gone")


def _levels(size: int) -> int:
    return -(-size.bit_length() // HEIGHT)
