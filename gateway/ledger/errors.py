"""What the ledger's core refuses, one class a remedy; a text names the entry or tile, never what it holds."""

from __future__ import annotations

from enum import Enum

from gateway.errors import GatewayError


class Flaw(Enum):
    """What is wrong with a proof."""

    BEYOND_THE_TREE = "the tree has no such entry"
    SHRUNKEN = "the newer tree is smaller than the older one"
    TOO_MANY_HASHES = "it has more hashes than any tree needs"
    HASH_SIZE = "a hash is not 32 bytes"
    ANOTHER_LENGTH = "it has another number of hashes than this place in this tree needs"
    ANOTHER_ROOT = "it leads to another root"
    ANOTHER_OLD_ROOT = "it leads to another root of the older tree"


class LedgerError(GatewayError):
    """The base of everything that the ledger refuses."""


class NoteMalformed(LedgerError):
    """Bytes are no signed note (C2SP signed-note), or beyond its caps."""


class NoteUnsigned(LedgerError):
    """No key that counts has signed the note, or one of them signed something else."""


class CheckpointMalformed(LedgerError):
    """A note's text is no checkpoint (C2SP tlog-checkpoint), or of another log."""


class QuorumMissing(LedgerError):
    """Too few witnesses cosigned, or none that is no party to the exchange."""


class TileDamaged(LedgerError):
    """A tile is missing, too short, or no multiple of a hash; the text names it."""


class BundleMalformed(LedgerError):
    """Bytes are no entry bundle (C2SP tlog-tiles)."""


class OpeningInvalid(LedgerError):
    """A salt and a text do not open the entry."""


class ProofInvalid(LedgerError):
    """A path or a consistency proof does not lead where it must; the text names the entry and the flaw."""

    def __init__(self, proof: str, flaw: Flaw) -> None:
        """Keep the flaw beside the text."""
        super().__init__(f"{proof} fails: {flaw.value}; ask its sender for another")
        self.flaw = flaw


class ReceiptInvalid(LedgerError):
    """A receipt does not prove that the exchange is in the ledger; the text names the entry and the flaw."""


class PageInvalid(LedgerError):
    """A page of entries is not what was asked for, or its heads are not signed by their member."""


class NumberUnproven(LedgerError):
    """A member names a number of a pair without the question of that number, signed by whoever gave it out."""


class StatementInvalid(LedgerError):
    """A monthly statement is not signed by both its members, or is none."""
