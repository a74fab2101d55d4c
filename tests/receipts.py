"""Ledgers of the tests' members as far as a receipt shows them: keys from seeds, and a small tree around an entry."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ledgers import MEMBERS, logged

from gateway import carriers
from gateway.exchange.release import size_class
from gateway.ledger import checkpoint, events, logs
from gateway.ledger.checkpoint import Head
from gateway.ledger.entries import Opening
from gateway.ledger.note import Note
from gateway.model.codes import LedgerEventKind
from gateway.model.ledger import Receipt
from gateway.model.question import QuestionHeader
from gateway.model.signed import Signed
from keys import suite
from keys.envelope import Envelope

LOGGERS = {member: suite.signer(bytes([90 + n]) * 32, owner=member) for n, member in enumerate(MEMBERS)}
INDEX, SIZE = 2, 5


def receipt(
    header: QuestionHeader,
    question_digest: bytes,
    answer_digest: bytes,
    *,
    kind: LedgerEventKind = LedgerEventKind.ANSWERED,
    sign: Callable[[Head], Note] | None = None,
) -> Receipt:
    """Enter an answer in the answerer's ledger and prove it; `sign` signs the head instead of the answerer."""
    shared = events.shared_bytes(kind, header, question_digest, answer_digest)
    return logged(INDEX, shared, Opening(bytes(16), b"private"), SIZE, sign or by(header.answerer_member))


def response(
    signed: Signed, envelope: Envelope, items: Sequence[bytes], sign: Callable[[Head], Note] | None = None
) -> bytes:
    """Serialise a whole AskResponse, with the receipt that belongs to this very envelope."""
    proof = receipt(signed.question.header, signed.digest, envelope.digest(), sign=sign)
    return carriers.complete_response(carriers.write_response(envelope, items), proof, size_class)


def by(member: str, signer: suite.Signer | None = None) -> Callable[[Head], Note]:
    """Give what signs heads as a member's log, with its own key or another."""

    def sign(head: Head) -> Note:
        named = Head(origin=logs.origin(member, 1), size=head.size, root=head.root)
        return checkpoint.sign(named, signer or LOGGERS[member])

    return sign
