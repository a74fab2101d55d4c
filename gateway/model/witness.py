"""What members show each other of their ledgers: the shapes of witness.proto; nobody has verified any of it."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.limits import DIGEST_BYTES, PROOF_HASHES
from gateway.model.ledger import Receipt
from keys.envelope import Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCheckpointRequest:
    """A head, and how it grew out of one of the old size.

    Raises:
        ValueError: for a hash that is not 32 bytes, or more than 63.
    """

    old_size: int
    consistency_hashes: tuple[bytes, ...]
    checkpoint: bytes

    def __post_init__(self) -> None:
        """Check the sizes before any hashing: verification work is bounded."""
        _check(self.consistency_hashes)


@dataclass(frozen=True, slots=True, kw_only=True)
class CosignedHead:
    """A witness's signature line."""

    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadConflict:
    """The size of the head that the witness holds instead."""

    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadFork:
    """Two notes that contradict each other."""

    first: bytes
    second: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadUnproven:
    """The size of the head held, out of which the one shown did not grow."""

    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCheckpointResponse:
    """What a witness did."""

    outcome: CosignedHead | HeadConflict | HeadFork | HeadUnproven


@dataclass(frozen=True, slots=True, kw_only=True)
class GetHeadRequest:
    """Which log; from `old_size` on its owner proves how it grew."""

    origin: str
    old_size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GetHeadResponse:
    """The newest head held, and the highest number of the caller's questions with the question of that number.

    Raises:
        ValueError: for a hash that is not 32 bytes, or more than 63.
    """

    checkpoint: bytes = b""
    pair_number: int = 0
    consistency_hashes: tuple[bytes, ...] = ()
    pair_question: Envelope | None = None

    def __post_init__(self) -> None:
        """Check the sizes before any hashing."""
        _check(self.consistency_hashes)


@dataclass(frozen=True, slots=True, kw_only=True)
class GetProofRequest:
    """Which entry of which log."""

    origin: str
    leaf_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GetProofResponse:
    """The proof of an entry under a cosigned head; none while no such head covers it."""

    receipt: Receipt | None = None


def _check(hashes: tuple[bytes, ...]) -> None:
    if len(hashes) > PROOF_HASHES or any(len(each) != DIGEST_BYTES for each in hashes):
        raise ValueError("a consistency proof has at most 63 hashes of 32 bytes")
