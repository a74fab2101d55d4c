"""What a ledger commits to and what proves it: the shapes of ledger.proto and of the receipt in envelope.proto."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.limits import DIGEST_BYTES, PROOF_HASHES, SALT_BYTES
from gateway.model.codes import LedgerEventKind


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEvent:
    """The shared part of an entry: what both sides can derive from the signed messages."""

    kind: LedgerEventKind
    asker_member: str
    answerer_member: str = ""
    pair_sequence: int = 0
    question_digest: bytes = b""
    reply_digest: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPrivate:
    """The private part of an entry, opened for auditors only; it names no subject (duty U32)."""

    log_time: datetime
    agency: str = ""
    officer: str = ""
    purpose: str = ""
    application_item: str = ""
    case_digest: bytes = b""
    subject_numbers: tuple[int, ...] = ()
    role: str = ""
    act: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What proves that an entry stands in a ledger; nobody has verified it yet.

    Raises:
        ValueError: for a salt that is not 16 bytes, a hash that is not 32, or more than 63 hashes.
    """

    leaf_index: int
    inclusion_hashes: tuple[bytes, ...]
    checkpoint: bytes
    shared_salt: bytes
    private_hash: bytes

    def __post_init__(self) -> None:
        """Check the sizes before any hashing: verification work is bounded."""
        hashes = (*self.inclusion_hashes, self.private_hash)
        sized = len(self.shared_salt) == SALT_BYTES and all(len(each) == DIGEST_BYTES for each in hashes)
        if not sized or len(self.inclusion_hashes) > PROOF_HASHES:
            raise ValueError("a receipt has a salt, a hash or a path of another size")
