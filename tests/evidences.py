"""Evidence files made by hand: an answer file, its entries in small ledgers, witnesses who cosigned, a statement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from bundles import AGENCY, NOW, OFFICER, SIGNERS, Plot, make, plot
from ledgers import MEMBERS, SALT, SHANGHAI, Shelf, leaves, witness_signer
from receipts import by
from witnesses import with_witnesses

from gateway import wire
from gateway.ledger import cosignature, entries, events, logs, receipts, tiles
from gateway.ledger.checkpoint import Head
from gateway.ledger.entries import Opening
from gateway.ledger.note import Note, read_note
from gateway.model.answer import Refusal
from gateway.model.codes import LedgerEventKind as Kind
from gateway.model.combined import CombinedResult
from gateway.model.evidence import CaseListing, EvidenceStatement, ListedResult
from gateway.model.ledger import LedgerEvent, Receipt
from gateway.model.question import Question
from gateway.verification.evidence import FORMAT
from keys.envelope import Envelope, sign
from keys.suite import Signer
from yrdx.exchange.v1 import desk_pb2, envelope_pb2, evidence_pb2

SEEN = NOW + timedelta(seconds=2)
EXPORTED = NOW + timedelta(hours=1)
WITNESSES = MEMBERS
PRIVATE = Opening(SALT, b"private")


@dataclass(kw_only=True)
class Exhibit:
    """What an evidence file is about; a test changes one thing and makes it."""

    plot: Plot = field(default_factory=lambda: plot("rating", edit=with_witnesses))
    seen: datetime = SEEN
    witnesses: Sequence[str] = WITNESSES
    cosigners: Callable[[str], Signer] = witness_signer
    without: tuple[str, ...] = ()
    """Members whose own proof nobody gave."""

    backwards: bool = False
    """Whether everything is entered the other way round."""

    marks: tuple[Any, ...] = ()
    later: tuple[bytes, ...] = ()
    """Bundles in force after the one of the asking; the last at the export."""

    def cosigned(self, note: Note) -> Note:
        """Have the witnesses cosign a head when they saw it."""
        time = int(self.seen.timestamp())
        return note.extended(
            *(cosignature.cosign(note, logs.witness(each), self.cosigners(each), time) for each in self.witnesses)
        )

    def file(self) -> evidence_pb2.EvidenceFile:
        """Make the evidence file of one result."""
        made = make(self.plot)
        bundles = (made.bundle, *self.later)
        made.ClearField("bundle")
        content = self.content(made).SerializeToString()
        digests = [sha256(each).digest() for each in bundles]
        statement = EvidenceStatement(
            member=SHANGHAI,
            agency=AGENCY,
            officer=OFFICER,
            export_time=EXPORTED,
            result_digest=envelope(made.result).digest(),
            content_digest=sha256(content).digest(),
            asked_bundle=digests[0],
            export_bundle=digests[-1],
            further_bundles=tuple(digests[1:-1]),
            marks=self.marks,
        )
        piece = evidence_pb2.EvidencePiece(statement=signed(statement), content=content)
        return evidence_pb2.EvidenceFile(format=FORMAT, bundles=bundles, pieces=[piece])

    def content(self, made: desk_pb2.AskMembersResponse) -> evidence_pb2.EvidenceContent:
        """Enter everything in the asker's ledger, and prove it under one head."""
        happened = [event for each in made.exchanges for event in (_asked(each), _ended(each))]
        last = events.of_result(SHANGHAI, envelope(made.result).digest())
        proofs = self.ledger([*happened, last][:: -1 if self.backwards else 1])[:: -1 if self.backwards else 1]
        found = evidence_pb2.EvidenceContent(file=made, concluded=wire.to_message(proofs[-1]))  # type: ignore[arg-type]
        for number, each in enumerate(made.exchanges):
            row = found.exchanges.add(
                asked=wire.to_message(proofs[2 * number]),
                ended=wire.to_message(proofs[2 * number + 1]),
            )
            if each.HasField("answer") and each.member not in self.without:
                row.answered.CopyFrom(each.answer.receipt)
                row.answered.checkpoint = self.cosigned(read_note(each.answer.receipt.checkpoint)).payload
        return found

    def ledger(self, happened: Sequence[LedgerEvent]) -> list[Receipt]:
        """Put events into the asker's ledger after some others, and prove each under one cosigned head."""
        made = [entries.entry(Opening(SALT, wire.encode(each)), PRIVATE) for each in happened]
        shelf = Shelf()
        shelf.grow([*leaves(3), *(each.leaf for each in made)])
        note = by(SHANGHAI)(Head(origin=logs.origin(SHANGHAI, 1), size=shelf.size, root=shelf.root))
        seen = self.cosigned(note)
        paths = tiles.inclusions(range(3, shelf.size), shelf.size, shelf)
        return [
            receipts.build(3 + at, path, seen, SALT, each.private_hash)
            for at, (each, path) in enumerate(zip(made, paths, strict=True))
        ]


def whole_case(*files: evidence_pb2.EvidenceFile, **changes: Any) -> evidence_pb2.EvidenceFile:
    """Put results into one file, with the listing of their case."""
    found = evidence_pb2.EvidenceFile(format=FORMAT, bundles=files[0].bundles)
    for each in files:
        found.pieces.extend(each.pieces)
    listed = tuple(
        ListedResult(result_digest=statement_of(each).result_digest, combine_time=NOW) for each in found.pieces
    )
    values: dict[str, Any] = {
        "member": SHANGHAI,
        "agency": AGENCY,
        "case_reference": "C-1",
        "list_time": EXPORTED,
        "results": listed,
    }
    found.listing.CopyFrom(signed(CaseListing(**values | changes)))
    digest = envelope(found.listing).digest()
    for piece in found.pieces:
        piece.statement.CopyFrom(signed(replace(statement_of(piece), listing_digest=digest)))
    return found


def signed(value: object, signer: Signer = SIGNERS[SHANGHAI]) -> envelope_pb2.Envelope:
    """Sign a value of the model."""
    made = sign(wire.PAYLOAD_TYPES[type(value)], wire.encode(value), signer)
    return wire.to_message(made)  # type: ignore[return-value]


def envelope(message: envelope_pb2.Envelope) -> Envelope:
    """Read an envelope."""
    return wire.from_message(Envelope, message)


def statement_of(piece: evidence_pb2.EvidencePiece) -> EvidenceStatement:
    """Read a statement."""
    return wire.decode(EvidenceStatement, piece.statement.payload)


def restated(file: evidence_pb2.EvidenceFile, **changes: Any) -> None:
    """Have the asking node sign another statement about the content as it now is."""
    piece = file.pieces[0]
    changes = {"content_digest": sha256(piece.content).digest(), **changes}
    piece.statement.CopyFrom(signed(replace(statement_of(piece), **changes)))


def altered(file: evidence_pb2.EvidenceFile, change: Callable[[evidence_pb2.EvidenceContent], object]) -> None:
    """Change the content, and have the asking node state that, as a dishonest one would."""
    content = evidence_pb2.EvidenceContent.FromString(file.pieces[0].content)
    change(content)
    file.pieces[0].content = content.SerializeToString()
    result = wire.decode(CombinedResult, content.file.result.payload)
    assert result.asker_member == SHANGHAI
    restated(file, result_digest=envelope(content.file.result).digest())


def _asked(message: desk_pb2.Exchange) -> LedgerEvent:
    return _event(message, Kind.ASKED)


def _ended(message: desk_pb2.Exchange) -> LedgerEvent:
    came = message.WhichOneof("outcome")
    if came == "answer":
        return _event(message, Kind.ACCEPTED, envelope(message.answer.answer).digest())
    if came == "refusal" and wire.decode(Refusal, message.refusal.payload).pair_sequence:
        return _event(message, Kind.REFUSED, envelope(message.refusal).digest())
    return _event(message, Kind.FAILED)


def _event(message: desk_pb2.Exchange, kind: Kind, digest: bytes = b"") -> LedgerEvent:
    asked = envelope(message.question)
    return events.of_exchange(kind, wire.decode(Question, asked.payload).header, asked.digest(), digest)
