"""Tiles of a growing tree after C2SP tlog-tiles: 256 hashes each, eight levels of the tree below each other.

It says which tiles a growth or a proof touches and asks for all of them at once; it refuses to know where they lie.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from gateway.ledger import tree
from gateway.ledger.errors import Flaw, ProofInvalid, TileDamaged

HEIGHT = 8
WIDTH = 1 << HEIGHT
HASH_BYTES = 32

_SUBTREES_KEPT = 512  # 8 KiB each at most

_Span = tuple[int, int]


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """A tile by level, place in its level, and how many hashes it holds; 256 are a full one."""

    level: int
    place: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Name the static resource, for instance `tile/0/x001/067.p/5`."""
        return f"tile/{self.level}/{_place(self.place, self.width)}"


class Hashes(Protocol):
    """What reads tiles: for each tile wanted, in order, its hashes one after another.

    A tile that has grown since may be given whole: what lies beyond the width wanted is not looked at. All tiles
    of one call must come from one snapshot.
    """

    def __call__(self, wanted: Sequence[Tile], /) -> Sequence[bytes]:
        """Read all tiles in one go."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Grown:
    """A tree after a growth, and every tile that is new or holds more than before."""

    size: int
    root: bytes
    tiles: Mapping[Tile, bytes]


def entries_path(place: int, width: int = WIDTH) -> str:
    """Name the static resource of an entry bundle, for instance `tile/entries/x001/067.p/5`."""
    return f"tile/entries/{_place(place, width)}"


def edge(size: int) -> tuple[Tile, ...]:
    """Name the partial tiles at the right edge of a tree, lowest level first: they hold all that growing needs."""
    found, level = [], 0
    while size >> HEIGHT * level:
        held = size >> HEIGHT * level
        if held % WIDTH:
            found.append(Tile(level, held // WIDTH, held % WIDTH))
        level += 1
    return tuple(found)


def append(size: int, leaves: Sequence[bytes], read: Hashes) -> Grown:
    """Append leaf hashes to a tree of a size; only tiles at its right edge are read and written.

    Raises:
        TileDamaged: when one of those tiles is missing or too short.
    """
    before = {tile.level: hashes for tile, hashes in read_tiles(edge(size), read).items()}
    written: dict[Tile, bytes] = {}
    partial: list[tuple[int, bytes]] = []
    added, level, held = list(leaves), 0, size
    while added or held:
        hashes = before.get(level, b"") + b"".join(added)
        place, added = held // WIDTH, []
        for start in range(0, len(hashes), WIDTH * HASH_BYTES):
            part = hashes[start : start + WIDTH * HASH_BYTES]
            tile = Tile(level, place + start // (WIDTH * HASH_BYTES), len(part) // HASH_BYTES)
            if part != before.get(level):
                written[tile] = part
            if tile.width == WIDTH:
                added.append(tree.root(split(part)))
            else:
                partial.append((tile.width, part))
        held, level = held // WIDTH, level + 1
    return Grown(size=size + len(leaves), root=_climb(partial), tiles=written)


def root_at(size: int, read: Hashes) -> bytes:
    """Give the root of the tree as it was at a size.

    Raises:
        TileDamaged: when a tile at that size's right edge is missing or too short.
    """
    return _climb([(tile.width, hashes) for tile, hashes in read_tiles(edge(size), read).items()])


def inclusion(index: int, size: int, read: Hashes) -> tuple[bytes, ...]:
    """Give the path of an entry in the tree of a size, leaf to root (RFC 9162, section 2.1.3.1).

    Raises:
        ProofInvalid: when the tree of that size has no such entry.
        TileDamaged: when a tile is missing or too short.
    """
    return inclusions((index,), size, read)[0]


def inclusions(indices: Sequence[int], size: int, read: Hashes) -> tuple[tuple[bytes, ...], ...]:
    """Give the paths of many entries: neighbours, as those of one commit group, cost little more than one.

    Raises:
        ProofInvalid: when the tree of that size has no such entry.
        TileDamaged: when a tile is missing or too short.
    """
    for each in indices:
        if not 0 <= each < size:
            raise ProofInvalid(f"the path of entry {each} in a ledger of {size}", Flaw.BEYOND_THE_TREE)
    return _prove([_path(each, 0, size) for each in indices], size, read)


def consistency(old: int, new: int, read: Hashes) -> tuple[bytes, ...]:
    """Give the proof that the tree of a size begins with that of an older size (RFC 9162, section 2.1.4.1).

    From nothing, or to the same size, the proof is empty.

    Raises:
        ProofInvalid: when the sizes are in disorder.
        TileDamaged: when a tile is missing or too short.
    """
    if not 0 <= old <= new:
        raise ProofInvalid(f"the proof that a ledger of {new} begins with its first {old} entries", Flaw.SHRUNKEN)
    return _prove([_subproof(old, 0, new, whole=True) if old else []], new, read)[0]


def read_tiles(wanted: Sequence[Tile], read: Hashes) -> dict[Tile, bytes]:
    """Read tiles in one go, each cut to its width; nothing is read where none is wanted.

    Raises:
        TileDamaged: when one is missing or too short.
    """
    found = read(wanted) if wanted else ()
    if len(found) != len(wanted):
        raise TileDamaged(f"{len(wanted)} tiles were asked for and {len(found)} came; check the store")
    return {tile: _cut(tile, hashes) for tile, hashes in zip(wanted, found, strict=True)}


def split(hashes: bytes) -> list[bytes]:
    """Take the hashes of a tile apart."""
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]


def _place(place: int, width: int) -> str:
    text = f"{place % 1000:03d}"
    while place := place // 1000:
        text = f"x{place % 1000:03d}/{text}"
    return text if width == WIDTH else f"{text}.p/{width}"


def _path(index: int, start: int, end: int) -> list[_Span]:
    """Name the spans beside the way from the root to a leaf, the leaf's own sibling first."""
    found = []
    while end - start > 1:
        middle = start + _half(end - start)
        if index < middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start = middle
    return found[::-1]


def _subproof(old: int, start: int, end: int, *, whole: bool) -> list[_Span]:
    """Name the spans of SUBPROOF in RFC 9162; `whole` while the old tree's own root needs no naming."""
    found = []
    while old != end:
        middle = start + _half(end - start)
        if old <= middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start, whole = middle, False
    return found[::-1] if whole else [(start, end), *found[::-1]]


def _half(count: int) -> int:
    """Give the largest power of two below a count of two or more."""
    return 1 << (count - 1).bit_length() - 1


def _prove(proofs: Sequence[Iterable[_Span]], size: int, read: Hashes) -> tuple[tuple[bytes, ...], ...]:
    """Read every tile that the spans need in one go, and hash each full subtree once."""
    wanted = [[_nodes(*span) for span in spans] for spans in proofs]
    homes = {node: _home(*node, size) for spans in wanted for nodes in spans for node in nodes}
    held = read_tiles(tuple(dict.fromkeys(tile for tile, _, _ in homes.values())), read)
    hashes = {node: _within(held[tile], first, count) for node, (tile, first, count) in homes.items()}
    return tuple(tuple(_fold([hashes[node] for node in nodes]) for nodes in spans) for spans in wanted)


def _nodes(start: int, end: int) -> list[tuple[int, int]]:
    """Take a span apart into full subtrees, the largest first: level, and index in that level."""
    found = []
    while start < end:
        level = (end - start).bit_length() - 1
        found.append((level, start >> level))
        start += 1 << level
    return found


def _home(level: int, index: int, size: int) -> tuple[Tile, int, int]:
    """Say which tile holds a full subtree, from which hash on, and over how many."""
    height, up = divmod(level, HEIGHT)
    first, count = index << up, 1 << up
    place = first // WIDTH
    width = min(WIDTH, (size >> HEIGHT * height) - place * WIDTH)
    return Tile(height, place, width), first % WIDTH, count


def _within(hashes: bytes, first: int, count: int) -> bytes:
    return _subtree(hashes[first * HASH_BYTES : (first + count) * HASH_BYTES])


@lru_cache(maxsize=_SUBTREES_KEPT)
def _subtree(hashes: bytes) -> bytes:
    """Give the root of a full subtree; those left of the right edge stay the same from one growth to the next."""
    return tree.root(split(hashes))


def _climb(partial: Iterable[tuple[int, bytes]]) -> bytes:
    """Give the root over the partial tiles of a right edge, lowest level first."""
    parts = [_within(part, first, end - first) for width, part in partial for first, end in _parts(width)]
    return _fold(parts[::-1]) if parts else tree.EMPTY


def _parts(width: int) -> list[tuple[int, int]]:
    """Take the width of a partial tile apart into full subtrees, the smallest, rightmost, first."""
    found = []
    while width:
        low = width & -width
        found.append((width - low, width))
        width -= low
    return found


def _fold(hashes: Sequence[bytes]) -> bytes:
    """Hash subtrees that stand side by side, each smaller than the one before it, into their root."""
    *rest, found = hashes
    for each in reversed(rest):
        found = tree.node_hash(each, found)
    return found


def _cut(tile: Tile, hashes: bytes) -> bytes:
    size = tile.width * HASH_BYTES
    if len(hashes) < size:
        raise TileDamaged(f"{tile.path} holds {len(hashes)} bytes, not {size}; recover it from a mirror")
    return hashes[:size]
