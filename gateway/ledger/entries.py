"""Entries: 64 bytes that commit to a shared and a private part, each with a salt of its own and opened alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from gateway.ledger import tree
from gateway.ledger.errors import BundleMalformed, OpeningInvalid
from gateway.ledger.tiles import WIDTH
from gateway.limits import SALT_BYTES

ENTRY_BYTES = 64
SHARED = b"yrdx/ledger/shared/v1\x00"
PRIVATE = b"yrdx/ledger/private/v1\x00"

_HALF = ENTRY_BYTES // 2
_LENGTH_BYTES = 2


@dataclass(frozen=True, slots=True)
class Opening:
    """A part's salt and its exact bytes: what opens its half of an entry.

    Raises:
        OpeningInvalid: when the salt is not 16 bytes.
    """

    salt: bytes
    text: bytes

    def __post_init__(self) -> None:
        """Check the salt: one of another length would let two texts open one half."""
        if len(self.salt) != SALT_BYTES:
            raise OpeningInvalid(f"a salt has {SALT_BYTES} bytes; ask the ledger's member for the one of this entry")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The data of a leaf."""

    shared_hash: bytes
    private_hash: bytes

    @property
    def data(self) -> bytes:
        """Give the 64 bytes."""
        return self.shared_hash + self.private_hash

    @property
    def leaf(self) -> bytes:
        """Give the leaf hash."""
        return tree.leaf_hash(self.data)


def entry(shared: Opening, private: Opening) -> Entry:
    """Commit to both parts."""
    return Entry(shared_hash=shared_hash(shared), private_hash=private_hash(private))


def shared_hash(shared: Opening) -> bytes:
    """Hash a shared part."""
    return sha256(SHARED + shared.salt + shared.text).digest()


def private_hash(private: Opening) -> bytes:
    """Hash a private part."""
    return sha256(PRIVATE + private.salt + private.text).digest()


def read_entry(data: bytes) -> Entry:
    """Take the data of a leaf apart.

    Raises:
        BundleMalformed: when it is not 64 bytes.
    """
    if len(data) != ENTRY_BYTES:
        raise BundleMalformed(f"an entry has {ENTRY_BYTES} bytes, not {len(data)}; recover it from a mirror")
    return Entry(shared_hash=data[:_HALF], private_hash=data[_HALF:])


def check_shared(held: Entry, opening: Opening) -> None:
    """Return when the opening is that of the entry's shared part.

    Raises:
        OpeningInvalid: otherwise.
    """
    _check(held.shared_hash, shared_hash(opening), "shared")


def check_private(held: Entry, opening: Opening) -> None:
    """Return when the opening is that of the entry's private part.

    Raises:
        OpeningInvalid: otherwise.
    """
    _check(held.private_hash, private_hash(opening), "private")


def write_bundle(entries: Iterable[Entry]) -> bytes:
    """Write the entries of one tile as C2SP tlog-tiles has it: two bytes of length before each."""
    return b"".join(ENTRY_BYTES.to_bytes(_LENGTH_BYTES, "big") + each.data for each in entries)


def read_bundle(bundle: bytes) -> tuple[bytes, ...]:
    """Take an entry bundle of any log apart into the data of its leaves.

    Raises:
        BundleMalformed: when it is empty, cut, or of more than 256 entries.
    """
    found, at = [], 0
    while at < len(bundle):
        start = at + _LENGTH_BYTES
        at = start + int.from_bytes(bundle[at:start], "big")
        found.append(bundle[start:at])
    if at != len(bundle) or not 0 < len(found) <= WIDTH:
        raise BundleMalformed(f"a bundle has 1 to {WIDTH} whole entries; fetch it again or from another mirror")
    return tuple(found)


def _check(held: bytes, opened: bytes, part: str) -> None:
    if held != opened:
        raise OpeningInvalid(f"salt and text do not open the {part} part; ask for the opening of this very entry")
