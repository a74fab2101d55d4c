"""Examines a whole ledger, entry by entry and in bounded memory, and names what was done to it and where.

Three things must agree: the entries, the hashes kept in tiles, and the heads that were signed or cosigned. Whoever
changes entries alone is shown by the tiles; whoever changes both, by the first head that they do not lead to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice

from gateway.ledger import tiles, tree
from gateway.ledger.alignment import FINDINGS, Alignment, Damage, Injury
from gateway.ledger.checkpoint import Head
from gateway.ledger.errors import TileDamaged
from gateway.ledger.tiles import HEIGHT, WIDTH, Grown, Hashes, Tile

_BLOCK = WIDTH * 16
_Watch = Callable[[Sequence[bytes], Grown], None]


def examine(entries: Iterable[bytes], heads: Sequence[Head], read: Hashes) -> tuple[Injury, ...]:
    """Compare the data of all entries, in the order of their places, with tiles and trusted heads.

    The heads are those of one log, smallest first, and at least one; entries beyond the last are not looked at.
    About a thousand injuries are named at most.

    Raises:
        TileDamaged: when a tile is missing or too short, and the entries do not end before it.
    """
    return _Examination(heads, read).run(map(tree.leaf_hash, entries))


class _Examination:
    """One walk over the entries, and a second one over the tiles where the first found damage."""

    def __init__(self, heads: Sequence[Head], read: Hashes) -> None:
        self._heads, self._read, self._size = heads, read, heads[-1].size
        self._unreadable: TileDamaged | None = None
        self._alignment = Alignment(self._kept())
        self._seen = 0
        self._bad: list[Injury] = []

    def run(self, leaves: Iterator[bytes]) -> tuple[Injury, ...]:
        """Walk, and name what is damaged."""
        grown, broken = _grow(leaves, self._heads, self._watch)
        if broken is None:
            self._compare(grown.tiles)
            return tuple(self._bad)
        while rest := list(islice(leaves, _BLOCK)):
            self._seen += len(rest)
            self._alignment.feed(rest)
        self._alignment.finish()
        return self._injuries(broken)

    def _watch(self, leaves: Sequence[bytes], grown: Grown) -> None:
        self._seen += len(leaves)
        self._alignment.feed(leaves)
        self._compare({tile: hashes for tile, hashes in grown.tiles.items() if tile.width == WIDTH})

    def _compare(self, made: Mapping[Tile, bytes]) -> None:
        """Note the tiles kept that are not those that the entries make."""
        for tile, hashes in tiles.read_tiles(tuple(made), self._read).items():
            if hashes != made[tile] and len(self._bad) < FINDINGS:
                span = 1 << HEIGHT * tile.level
                first = tile.place * WIDTH * span
                self._bad.append(Injury(Damage.TILE, first, first + tile.width * span - 1))

    def _injuries(self, broken: Head) -> tuple[Injury, ...]:
        found = self._alignment.injuries()
        if self._unreadable is not None:
            if self._seen < self._size:  # entries and tiles end together, as in yesterday's backup (threat 23)
                return (*found, Injury(Damage.TRUNCATED, self._seen, self._size - 1))
            if not found:
                raise self._unreadable
            return found
        if found and _grow(self._kept(), self._heads, lambda *_: None)[1] is None:
            return found
        older = max((each.size for each in self._heads if each.size < broken.size), default=0)
        return (*found, Injury(Damage.FORKED, older, broken.size - 1))

    def _kept(self) -> Iterator[bytes]:
        """Read the leaf hashes that the tiles hold, some tiles at a time, up to the first that cannot be read."""
        for start in range(0, self._size, WIDTH):
            wanted = (Tile(0, start // WIDTH, min(WIDTH, self._size - start)),)
            try:
                (hashes,) = tiles.read_tiles(wanted, self._read).values()
            except TileDamaged as error:
                self._unreadable = error
                return
            yield from tiles.split(hashes)


def _grow(leaves: Iterator[bytes], heads: Sequence[Head], watch: _Watch) -> tuple[Grown, Head | None]:
    """Make the tree again from leaf hashes; give its right edge, and the first head that it does not lead to."""
    grown, edge = Grown(size=0, root=tree.EMPTY, tiles={}), dict[Tile, bytes]()
    for head in heads:
        while grown.size < head.size:
            block = list(islice(leaves, min(_BLOCK, head.size - grown.size)))
            if not block:
                return grown, head
            grown = tiles.append(grown.size, block, partial(_pick, edge))
            edge = {each: grown.tiles.get(each) or edge[each] for each in tiles.edge(grown.size)}
            watch(block, grown)
        if grown.root != head.root:
            return grown, head
    return Grown(size=grown.size, root=grown.root, tiles=edge), None


def _pick(held: Mapping[Tile, bytes], wanted: Sequence[Tile]) -> list[bytes]:
    return [held[each] for each in wanted]
