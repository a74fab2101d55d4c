"""What a member does for others' ledgers: it cosigns heads that it is shown, tells heads that it holds, proves entries.

Whatever is answered about a head was persisted before (threat 13).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

import structlog

from gateway import wire
from gateway.charter import Charter
from gateway.errors import NotDurable, Refused
from gateway.ledger import cosignature, logs
from gateway.ledger.checkpoint import Checkpoint, open_checkpoint
from gateway.ledger.errors import LedgerError, NoteUnsigned
from gateway.ledger.note import Note, NoteSignature
from gateway.ledger.witnessing import Conflict, Fork, Unproven
from gateway.model.codes import RefusalReason
from gateway.model.ledger import LedgerEvent, Receipt
from gateway.model.witness import (
    AddCheckpointRequest,
    AddCheckpointResponse,
    CosignedHead,
    GetHeadRequest,
    GetHeadResponse,
    GetProofRequest,
    GetProofResponse,
    HeadConflict,
    HeadFork,
    HeadUnproven,
)
from keys.envelope import Envelope
from keys.errors import KeysError
from keys.suite import Signer

REQUEST_BYTES = 128 << 10
"""A note has at most 64 KiB, a proof 63 hashes."""

T = TypeVar("T")
Cosign = Callable[[Note], NoteSignature]
Outcome = Conflict | Fork | Unproven


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """An entry of one's own log with its proof under a cosigned head; no receipt while none covers it."""

    event: LedgerEvent
    receipt: Receipt | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A question that was taken from another member, with its running number."""

    number: int
    question: Envelope


class Book(Protocol):
    """What the store keeps of logs; reads are short, `add` is durable when it returns."""

    async def add(
        self, shown: Checkpoint, old_size: int, proof: Sequence[bytes], cosign: Cosign, now: datetime
    ) -> NoteSignature | Outcome:
        """Decide about a head in one transaction, and persist what comes out before it is given.

        Raises:
            NotDurable: nothing was persisted.
        """

    def newest(self, origin: str) -> bytes:
        """Give the note of the newest head that is held of any log, b"" for none."""

    def growth(self, origin: str, old_size: int, payload: bytes) -> tuple[bytes, ...]:
        """Prove how one's own log grew from a size to a head.

        Raises:
            LedgerError: when it is no log of one's own, never had that size, or its tiles are damaged.
        """

    def prove(self, origin: str, index: int) -> Proven | None:
        """Prove an entry of one's own log, or None when there is none.

        Raises:
            LedgerError: when the tiles are damaged.
        """

    def taken(self, asker: str) -> Taken | None:
        """Give the question of the highest number among a member's that were taken and are still there, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """One member as others' witness, and as the keeper of its own ledger."""

    charter: Callable[[], Charter]
    signer: Callable[[], Signer]
    """Gives the key of use `witness` that signs now; raises KeyNotValid without one."""

    clock: Callable[[], datetime]
    book: Book

    async def add_checkpoint(self, request: bytes, peer: str) -> bytes:
        """Cosign a newer head of the peer's own log, name the size held, or keep two histories as evidence.

        Raises:
            Refused: TOO_LARGE, MALFORMED, BAD_SIGNATURE, NOT_IN_SCOPE for another's log, KEY_NOT_VALID without a
                witness key, NOT_DURABLE.
        """
        asked = _read(AddCheckpointRequest, request)
        shown = self._opened(asked.checkpoint, peer)
        signer, now = self._signer(), self.clock()
        name, time = logs.witness(self.charter().me), int(now.timestamp())
        try:
            found = await self.book.add(
                shown,
                asked.old_size,
                asked.consistency_hashes,
                lambda note: cosignature.cosign(note, name, signer, time),
                now,
            )
        except NotDurable as error:
            raise Refused(RefusalReason.NOT_DURABLE) from error
        _tell(found, peer)
        return wire.encode(AddCheckpointResponse(outcome=_outcome(found)))

    async def head(self, request: bytes, peer: str) -> bytes:
        """Give the newest head that is held of a log, and how far the peer's questions have come.

        A number is said with its question alone, which goes to nobody but the peer that signed it: no subject is told
        to anybody who did not ask about it.

        Raises:
            Refused: TOO_LARGE, MALFORMED, NOT_IN_SCOPE when a proof is wanted that this member cannot make.
        """
        asked = _read(GetHeadRequest, request)
        found, hashes = self.book.newest(asked.origin), tuple[bytes, ...]()
        if asked.old_size and found:
            try:
                hashes = self.book.growth(asked.origin, asked.old_size, found)
            except LedgerError as error:
                raise Refused(RefusalReason.NOT_IN_SCOPE) from error
        taken = self.book.taken(peer)
        return wire.encode(
            GetHeadResponse(
                checkpoint=found,
                pair_number=taken.number if taken else 0,
                consistency_hashes=hashes,
                pair_question=taken.question if taken else None,
            )
        )

    async def proof(self, request: bytes, peer: str) -> bytes:
        """Prove an entry of an exchange with the peer.

        Raises:
            Refused: TOO_LARGE, MALFORMED, NOT_IN_SCOPE for an entry that is not of this pair, NOT_DURABLE when the
                ledger is damaged.
        """
        asked = _read(GetProofRequest, request)
        try:
            found = self.book.prove(asked.origin, asked.leaf_index)
        except LedgerError as error:
            raise Refused(RefusalReason.NOT_DURABLE) from error
        pair = {peer, self.charter().me}
        if found is None or {found.event.asker_member, found.event.answerer_member} != pair:
            raise Refused(RefusalReason.NOT_IN_SCOPE)
        return wire.encode(GetProofResponse(receipt=found.receipt))

    def _opened(self, payload: bytes, peer: str) -> Checkpoint:
        find = logs.of_member(self.charter().directory, peer, self.clock())
        try:
            return open_checkpoint(payload, find)
        except NoteUnsigned as error:
            raise Refused(RefusalReason.BAD_SIGNATURE) from error
        except LedgerError as error:
            raise Refused(RefusalReason.MALFORMED) from error

    def _signer(self) -> Signer:
        try:
            return self.signer()
        except KeysError as error:
            raise Refused(RefusalReason.KEY_NOT_VALID) from error


def _read(kind: type[T], request: bytes) -> T:
    if len(request) > REQUEST_BYTES:
        raise Refused(RefusalReason.TOO_LARGE)
    try:
        return wire.decode(kind, request)
    except wire.WireMalformed as error:
        raise Refused(RefusalReason.MALFORMED) from error


def _outcome(found: NoteSignature | Outcome) -> CosignedHead | HeadConflict | HeadFork | HeadUnproven:
    match found:
        case NoteSignature():
            return CosignedHead(signature=found.line.encode())
        case Conflict(size=size):
            return HeadConflict(size=size)
        case Unproven(size=size):
            return HeadUnproven(size=size)
        case Fork(first=first, second=second):
            return HeadFork(first=first.payload, second=second.payload)


def _tell(found: NoteSignature | Outcome, peer: str) -> None:
    """Tell the operator at once of a log that contradicts itself; a conflict is none, for a log may lag."""
    if isinstance(found, Fork):
        structlog.get_logger().error("ledger_forked", peer=peer, size=found.size)
    elif isinstance(found, Unproven):
        structlog.get_logger().warning("checkpoint_unproven", peer=peer, size=found.size)
