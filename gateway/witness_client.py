"""Another member as a witness of one's own ledger and as the keeper of its own; every response is verified here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from gateway import wire
from gateway.calls import Route
from gateway.charter import Charter
from gateway.errors import Unavailable
from gateway.ledger import dating, logs, shown
from gateway.ledger.checkpoint import Checkpoint, Head
from gateway.ledger.note import NoteSignature
from gateway.ledger.numbers import Pair
from gateway.ledger.quorum import Witnessed
from gateway.ledger.receipts import Logged
from gateway.ledger.shown import Find, Seen
from gateway.model.ledger import Receipt
from gateway.model.witness import (
    AddCheckpointRequest,
    AddCheckpointResponse,
    GetHeadRequest,
    GetHeadResponse,
    GetProofRequest,
    GetProofResponse,
)
from gateway.witness import Outcome
from gateway.witness_door import ADD_CHECKPOINT, GET_HEAD, GET_PROOF

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """An event in another member's ledger, and since when enough witnesses have seen it."""

    logged: Logged
    witnessed: Witnessed
    receipt: Receipt


class RemoteLedger:
    """A member's WitnessService and LedgerService over its channel.

    Every call raises Unavailable naming the transport's status, Refused with the member's reason, and LedgerError
    when what came does not verify.
    """

    def __init__(
        self,
        member: Route,
        member_id: str,
        charter: Callable[[], Charter],
        clock: Callable[[], datetime],
    ) -> None:
        """Speak to a member."""
        self._member = member
        self._id = member_id
        self._charter = charter
        self._clock = clock

    async def add_checkpoint(
        self, checkpoint: Checkpoint, old_size: int, proof: Sequence[bytes], find: Find, seconds: float
    ) -> NoteSignature | Outcome:
        """Show a head of one's own log, to whose keys `find` leads; give the cosignature, or what is held instead."""
        request = AddCheckpointRequest(
            old_size=old_size, consistency_hashes=tuple(proof), checkpoint=checkpoint.note.payload
        )
        response = await self._call(ADD_CHECKPOINT, request, AddCheckpointResponse, seconds)
        keys = logs.witness_keys(self._charter().directory, self._id, self._clock())
        return shown.outcome_of(response, checkpoint, keys, find)

    async def head(self, origin: str, find: Find, seconds: float, old: Head | None = None) -> Seen:
        """Give the newest head of a log that the member holds, and the highest number that it proves to have taken.

        With `old`, the head of its own log, only grown out of that one. A number without proof raises nothing.
        """
        request = GetHeadRequest(origin=origin, old_size=old.size if old else 0)
        response = await self._call(GET_HEAD, request, GetHeadResponse, seconds)
        charter = self._charter()
        pair = Pair(directory=charter.directory, asker=charter.me, answerer=self._id)
        return shown.seen_of(response, origin, find, pair, old)

    async def proof(self, origin: str, index: int, shared: bytes, find: Find, seconds: float) -> Proof | None:
        """Give the proof of an event of this pair in the member's log, or None while no cosigned head covers it."""
        request = GetProofRequest(origin=origin, leaf_index=index)
        response = await self._call(GET_PROOF, request, GetProofResponse, seconds)
        logged = shown.proof_of(response, index, shared, find)
        if logged is None or response.receipt is None:
            return None
        directory = self._charter().directory
        parties = {self._id, self._charter().me}
        seen = dating.witnessed_in(directory, logged.checkpoint, parties)
        return Proof(logged=logged, witnessed=seen, receipt=response.receipt)

    async def _call(self, method: str, request: object, kind: type[T], seconds: float) -> T:
        try:
            return wire.decode(kind, await self._member.call(method, wire.encode(request), seconds))
        except wire.WireMalformed as error:
            raise Unavailable("MALFORMED") from error
