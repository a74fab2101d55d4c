"""Copies a ledger into a folder of static files that any web server can serve: an own one, or another's from a mirror.

Every file is proven before it lies there, and the head comes last: whoever reads the folder never meets half a ledger.
A copy that was interrupted goes on where it was; what lies there beyond its head is proven again instead of fetched.
Nothing is forced to the disk: without its `checkpoint` a folder is proven from the beginning.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, final

from gateway.ledger import entries, static, tiles
from gateway.ledger.checkpoint import Head, read_head
from gateway.ledger.dating import Open
from gateway.ledger.errors import LedgerError
from gateway.ledger.note import NOTE_BYTES, read_note
from gateway.ledger.static import BUNDLE_BYTES, CHECKPOINT, TILE_BYTES
from gateway.ledger.tiles import WIDTH, Tile, entries_path
from nodes.bundle.statics import StaticFiles
from nodes.store.ledger_reading import LedgerFile, Log

Tell = Callable[[int, int], object]
"""Told how many files have passed, of how many."""


class Origin(Protocol):
    """Where a ledger's files come from."""

    def checkpoint(self) -> bytes:
        """Give the newest head."""
        ...

    def tile(self, tile: Tile) -> bytes:
        """Give a tile's hashes."""
        ...

    def bundle(self, tile: Tile) -> bytes:
        """Give the entries of a tile of leaf hashes."""
        ...


@final
@dataclass(frozen=True, slots=True)
class Own:
    """A log of the member's own database, as of one snapshot, for a folder that holds so many entries."""

    file: LedgerFile
    log: Log
    held: int = 0

    def checkpoint(self) -> bytes:
        """Give the newest head that enough members cosigned, else the member's own: a folder never becomes smaller.

        Raises:
            LedgerError: when it is lost.
        """
        cosigned = self.file.cosigned(self.log)
        if cosigned is not None and read_head(read_note(cosigned).text).size >= self.held:
            return cosigned
        if self.log.checkpoint is None:
            raise LedgerError(f"{self.log.origin} has lost its head; run yrdx ledger verify")
        return self.log.checkpoint

    def tile(self, tile: Tile) -> bytes:
        """Give a tile's hashes, cut to its width."""
        return next(iter(tiles.read_tiles((tile,), self.file.tiles(self.log)).values()))

    def bundle(self, tile: Tile) -> bytes:
        """Give the entries that are there; one that is missing shows by what follows it."""
        start = tile.place * WIDTH
        held = self.file.entries(self.log, start, start + tile.width - 1)
        return entries.write_bundle(entries.read_entry(each.data) for each in held)


@final
@dataclass(frozen=True, slots=True)
class Remote:
    """A folder of static files elsewhere; nothing that it says is believed."""

    files: StaticFiles

    def checkpoint(self) -> bytes:
        """Fetch the head."""
        return self.files.read(CHECKPOINT, NOTE_BYTES)

    def tile(self, tile: Tile) -> bytes:
        """Fetch a tile."""
        return self.files.read(tile.path, TILE_BYTES)

    def bundle(self, tile: Tile) -> bytes:
        """Fetch an entry bundle."""
        return self.files.read(entries_path(tile.place, tile.width), BUNDLE_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What a folder holds now, under which head, and how many entries came."""

    log: str
    size: int
    added: int
    checkpoint: bytes


def export(path: Path, folder: Path, opened: Open, tell: Tell = lambda *_: None) -> tuple[Copied, ...]:
    """Copy every log of a database into a folder of its number.

    Raises:
        StoreUnusable: as `Store.open`.
        LedgerError: naming what is damaged, or the folder that is ahead of the database.
        OSError: when the disk refuses.
    """
    with LedgerFile.open(path) as file:
        return tuple(_export(file, log, folder / str(log.number), opened, tell) for log in file.logs())


def _export(file: LedgerFile, log: Log, folder: Path, opened: Open, tell: Tell) -> Copied:
    held = held_head(folder, opened)
    return copy(Own(file, log, 0 if held is None else held.size), folder, opened, tell)


def copy(origin: Origin, folder: Path, opened: Open, tell: Tell = lambda *_: None) -> Copied:
    """Copy a ledger into a folder, from where it was copied last; `opened` opens its heads.

    Raises:
        LedgerError: naming what is damaged or tells another history; the folder's own head stays as it was.
        OSError: when a file cannot be fetched or written.
    """
    payload = origin.checkpoint()
    head = opened(payload).head
    held = held_head(folder, opened)
    # 1 the history: nothing is written for a head that does not follow the one held
    static.check_growth(held, head, lambda wanted: [origin.tile(each) for each in wanted])
    since = 0 if held is None else held.size
    if since < head.size or held is None:
        _Copying(origin, folder, head, since, tell).run()
        # 2 the head: after everything that it promises
        _put(folder / CHECKPOINT, payload)
    elif _signatures(payload) > _signatures((folder / CHECKPOINT).read_bytes()):
        _put(folder / CHECKPOINT, payload)  # the same head, and more members have seen it
    lies = (folder / CHECKPOINT).read_bytes()
    return Copied(log=head.origin, size=head.size, added=head.size - since, checkpoint=lies)


def _signatures(payload: bytes) -> int:
    return len(read_note(payload).signatures)


def held_head(folder: Path, opened: Open) -> Head | None:
    """Give the head of a folder, or nothing where none was ever put.

    Raises:
        LedgerError: when it is no head of a ledger whose keys are known.
    """
    try:
        return opened((folder / CHECKPOINT).read_bytes()).head
    except FileNotFoundError:
        return None


def held_entries(folder: Path, head: Head, first: int) -> Iterator[bytes]:
    """Give the data of a folder's entries from a place on, in their order.

    Raises:
        OSError, BundleMalformed: when one is missing.
    """
    for tile in static.leaves(head.size, first):
        found = entries.read_bundle((folder / entries_path(tile.place, tile.width)).read_bytes())
        yield from found[max(0, first - tile.place * WIDTH) :]


@dataclass(slots=True)
class _Copying:
    """One copy: what proves the tiles below is at hand, one tile of each level and the right edge."""

    origin: Origin
    folder: Path
    head: Head
    since: int
    tell: Tell
    edge: dict[Tile, bytes] = field(default_factory=dict)
    parents: dict[Tile, bytes] = field(default_factory=dict)
    passed: int = 0
    total: int = 0

    def run(self) -> None:
        size = self.head.size
        self.total = sum(1 for _ in static.lacking(size, self.since)) + sum(1 for _ in static.leaves(size, self.since))
        self.edge = {each: self.origin.tile(each) for each in tiles.edge(size)}
        static.check_edge(self.head, self._of_edge)
        for tile in static.lacking(size, self.since):
            self._place(tile.path, self.edge.get(tile) or self._tile(tile))
        for tile in static.leaves(size, self.since):
            self._place(entries_path(tile.place, tile.width), self._bundle(tile))

    def _of_edge(self, wanted: Sequence[Tile]) -> list[bytes]:
        return [self.edge[each] for each in wanted]

    def _tile(self, tile: Tile) -> bytes:
        parent = self._held(static.above(tile, self.head.size))
        return self._proven(
            tile.path, lambda found: static.check_tile(tile, found, parent), lambda: self.origin.tile(tile)
        )

    def _bundle(self, tile: Tile) -> bytes:
        hashes = self._held(tile)
        return self._proven(
            entries_path(tile.place, tile.width),
            lambda found: static.check_bundle(tile, found, hashes),
            lambda: self.origin.bundle(tile),
        )

    def _proven(self, name: str, check: Callable[[bytes], None], fetch: Callable[[], bytes]) -> bytes:
        """Give what lies there when it is proven, else what is fetched when that is."""
        with suppress(OSError, LedgerError):
            found = (self.folder / name).read_bytes()
            check(found)
            return found
        found = fetch()
        check(found)
        return found

    def _held(self, tile: Tile) -> bytes:
        """Give a tile that was proven before."""
        if tile in self.edge:
            return self.edge[tile]
        if tile not in self.parents:
            self.parents = {tile: (self.folder / tile.path).read_bytes()}
        return self.parents[tile]

    def _place(self, name: str, content: bytes) -> None:
        path = self.folder / name
        if not path.exists() or path.read_bytes() != content:
            _put(path, content)
        shutil.rmtree(path.with_name(f"{path.name}.p"), ignore_errors=True)  # it is full now
        self.passed += 1
        self.tell(self.passed, self.total)


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(content)
    new.replace(path)
