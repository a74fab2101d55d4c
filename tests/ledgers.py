"""Ledgers in memory: tiles on a shelf, logs with keys from seeds, and heads that they sign."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gateway.ledger import checkpoint, cosignature, entries, logs, receipts, tiles, tree
from gateway.ledger.checkpoint import Checkpoint, Head, open_checkpoint
from gateway.ledger.entries import Opening
from gateway.ledger.note import Algorithm, Note, NoteKey
from gateway.ledger.tiles import Tile
from gateway.model.ledger import Receipt
from keys import suite

SHARED_VECTORS = Path(__file__).parents[2] / "shared" / "vectors"
SHANGHAI, JIANGSU, ZHEJIANG, ANHUI = MEMBERS = ("310000", "320000", "330000", "340000")
SALT = bytes(range(16))


def leaves(count: int, start: int = 0) -> list[bytes]:
    """Give leaf hashes that all differ."""
    return [tree.leaf_hash(b"entry %d" % each) for each in range(start, start + count)]


@dataclass
class Shelf:
    """A tree whose tiles lie in a dictionary; it counts how many are read, and in how many goes."""

    size: int = 0
    root: bytes = tree.EMPTY
    held: dict[tuple[int, int], bytes] = field(default_factory=dict)
    goes: int = 0
    read: int = 0

    def __call__(self, wanted: Sequence[Tile]) -> list[bytes]:
        """Read tiles, whole as they are now."""
        self.goes += 1
        self.read += len(wanted)
        return [self.held.get((each.level, each.place), b"") for each in wanted]

    def grow(self, added: Sequence[bytes]) -> dict[Tile, bytes]:
        """Append leaf hashes and keep the tiles."""
        grown = tiles.append(self.size, added, self)
        self.size, self.root = grown.size, grown.root
        self.held.update({(tile.level, tile.place): hashes for tile, hashes in grown.tiles.items()})
        return dict(grown.tiles)


def shelf(count: int) -> Shelf:
    """Give a tree of so many entries."""
    found = Shelf()
    found.grow(leaves(count))
    return found


def log_signer(member: str = SHANGHAI, seed: int = 1) -> suite.Signer:
    """Give the ledger key of a member."""
    return suite.signer(bytes([seed, *member.encode()]).ljust(32, b"L"), owner=member)


def witness_signer(member: str, seed: int = 1) -> suite.Signer:
    """Give the witness key of a member."""
    return suite.signer(bytes([seed, *member.encode()]).ljust(32, b"W"), owner=member)


def log_key(member: str = SHANGHAI, seed: int = 1) -> NoteKey:
    """Give a member's ledger key as notes name it."""
    return NoteKey(name=logs.origin(member, 1), key=log_signer(member, seed).public_key())


def witness_key(member: str, seed: int = 1) -> NoteKey:
    """Give a member's witness key as notes name it."""
    key = witness_signer(member, seed).public_key()
    return NoteKey(name=logs.witness(member), key=key, algorithm=Algorithm.COSIGNATURE)


def find(name: str) -> tuple[NoteKey, ...]:
    """Look up the keys of a log."""
    member = logs.owner(name)
    return (log_key(member),) if member in MEMBERS and name == logs.origin(member, 1) else ()


def head(size: int = 5, root: bytes | None = None, member: str = SHANGHAI) -> Head:
    """Give a head of a member's log; the root is by default that of `leaves`."""
    return Head(origin=logs.origin(member, 1), size=size, root=tree.root(leaves(size)) if root is None else root)


def signed(found: Head, seed: int = 1) -> Note:
    """Have a head signed by the log that it names."""
    return checkpoint.sign(found, log_signer(logs.owner(found.origin) or SHANGHAI, seed))


def opened(found: Head) -> Checkpoint:
    """Sign a head and open it again."""
    return open_checkpoint(signed(found).payload, find)


def cosigned(note: Note, *witnesses: tuple[str, int]) -> Note:
    """Have members cosign a note, each at a time."""
    made = [cosignature.cosign(note, logs.witness(each), witness_signer(each), at) for each, at in witnesses]
    return note.extended(*made)


def logged(index: int, shared: bytes, private: Opening, size: int, sign: Callable[[Head], Note] = signed) -> Receipt:
    """Put an event into a ledger of a size and give its receipt."""
    entry = entries.entry(Opening(SALT, shared), private)
    hashes = leaves(size)
    hashes[index] = entry.leaf
    kept = Shelf()
    kept.grow(hashes)
    note = sign(head(size, kept.root))
    return receipts.build(index, tiles.inclusion(index, size, kept), note, SALT, entry.private_hash)
