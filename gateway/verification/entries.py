"""Where a result and its exchanges stand in the ledgers, since when witnesses saw it, and whose keys counted then."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from gateway import carriers, wire
from gateway.ledger import dating, events, logs, receipts
from gateway.ledger.quorum import Witnessed
from gateway.ledger.receipts import Logged
from gateway.model.codes import LedgerEventKind as Kind
from gateway.model.evidence import ExchangeProofs
from gateway.model.ledger import LedgerEvent, Receipt
from gateway.verification.checks import holds, look, step
from gateway.verification.verdict import Check, Content, Heard, Part
from keys.directory import Directory
from yrdx.exchange.v1 import desk_pb2, envelope_pb2


@dataclass(frozen=True, slots=True, kw_only=True)
class Proofs:
    """What shall prove the entries of one result; nobody has verified it yet."""

    concluded: Receipt
    exchanges: tuple[ExchangeProofs, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An entry under a head that enough witnesses cosigned: what happened, with which member, and since when."""

    kind: Kind
    member: str
    logged: Logged
    witnessed: Witnessed

    @property
    def time(self) -> datetime:
        """Since when it is witnessed."""
        return dating.moment(self.witnessed)


@dataclass(slots=True)
class _Desk:
    """What one check after the other works with."""

    parts: list[Part]
    content: Content
    directory: Directory

    @property
    def asker(self) -> str:
        return self.content.result.asker_member

    def seen(self, name: str, owner: str, member: str, event: LedgerEvent, receipt: Receipt) -> Seen | None:
        """Look at an entry in an owner's ledger; `member` is the one that was asked, if any."""
        return look(self.parts, name, member, partial(self._seen, owner, member, event, receipt))

    def _seen(self, owner: str, member: str, event: LedgerEvent, receipt: Receipt) -> Seen:
        find = logs.listed_keys(self.directory, owner)
        logged = step(Check.LOGGED, lambda: receipts.verify(receipt, wire.encode(event), find))
        parties = {self.asker, member or self.asker}
        found = step(Check.WITNESSED, lambda: dating.witnessed_in(self.directory, logged.checkpoint, parties))
        return Seen(kind=event.kind, member=member, logged=logged, witnessed=found)

    def signed(self, name: str, member: str, envelope: envelope_pb2.Envelope, at: datetime, seen: Seen) -> None:
        """Look at who signed: every key counted when witnesses saw the entry (threat 8)."""
        look(self.parts, name, member, partial(self._signed, envelope, at, seen.witnessed))

    def _signed(self, envelope: envelope_pb2.Envelope, at: datetime, seen: Witnessed) -> None:
        for each in envelope.signatures:
            check = partial(dating.check_signer, self.directory, each.key_id, use="sign", signed_time=at, seen=seen)
            step(Check.KEY, check)


def check(
    parts: list[Part], content: Content, file: desk_pb2.AskMembersResponse, proofs: Proofs, directory: Directory
) -> tuple[Seen, ...]:
    """Look at every entry of a genuine answer file, and then at its keys; give the entries, when all are seen.

    `directory` lists every key that any of the entries or envelopes was signed with.
    """
    desk, result = _Desk(parts, content, directory), content.result
    event = events.of_result(desk.asker, digest_of(file.result))
    last = desk.seen("concluded", desk.asker, "", event, proofs.concluded)
    found = [_exchange(desk, each, proof) for each, proof in zip(content.exchanges, proofs.exchanges, strict=True)]
    rows = tuple(each for each in found if each is not None)
    if last is None or len(rows) < len(found):
        return ()
    look(parts, "order", "", partial(_in_order, rows, last))
    desk.signed("result_key", "", file.result, result.combine_time, last)
    for each in file.recognitions:
        desk.signed("recognition_key", "", each, result.combine_time, last)
    for row, heard, exchange in zip(rows, content.exchanges, file.exchanges, strict=True):
        _keys(desk, row, heard, exchange)
    return (*(each for row in rows for each in row), last)


def digest_of(envelope: envelope_pb2.Envelope) -> bytes:
    """Give the digest by which ledgers and orders name what was signed."""
    return carriers.envelope_from_message(envelope).digest()


def _exchange(desk: _Desk, heard: Heard, proofs: ExchangeProofs) -> tuple[Seen, ...] | None:
    """Look at the two or three entries of one exchange; None when one of them fails."""
    member = heard.outcome.member
    found = [
        desk.seen("asked", desk.asker, member, _event(Kind.ASKED, heard), proofs.asked),
        desk.seen("ended", desk.asker, member, _end(heard), proofs.ended),
    ]
    if proofs.answered is not None:  # where there is no answer, the empty digest is in nobody's ledger
        digest = heard.accepted.digest if heard.accepted else b""
        found.append(desk.seen("answered", member, member, _event(Kind.ANSWERED, heard, digest), proofs.answered))
    rows = tuple(each for each in found if each is not None)
    return rows if len(rows) == len(found) else None


def _event(kind: Kind, heard: Heard, reply_digest: bytes = b"") -> LedgerEvent:
    return events.of_exchange(kind, heard.signed.question.header, heard.signed.digest, reply_digest)


def _end(heard: Heard) -> LedgerEvent:
    """Say what the asker's ledger must hold: a refusal without a number stands in no answerer's ledger, nor in this."""
    if heard.accepted is not None:
        return _event(Kind.ACCEPTED, heard, heard.accepted.digest)
    if heard.refusal is not None and heard.refusal.pair_sequence:
        return _event(Kind.REFUSED, heard, heard.refusal_digest)
    return _event(Kind.FAILED, heard)


def _in_order(rows: Iterable[tuple[Seen, ...]], last: Seen) -> None:
    """Check that within one log the asking stands before the end, and that before the conclusion."""
    for asked, ended, *_ in rows:
        places = [(each.logged.checkpoint.head.origin, each.logged.index) for each in (asked, ended, last)]
        same = len({origin for origin, _ in places}) == 1
        holds(
            Check.LOGGED, not same or places == sorted(set(places)), "the entries are not in the order of what happened"
        )


def _keys(desk: _Desk, row: tuple[Seen, ...], heard: Heard, exchange: desk_pb2.Exchange) -> None:
    """Look at the keys of one exchange; of an answer the first of the two ledgers that shows it counts."""
    asked, *replied = row
    member, first = heard.outcome.member, min(replied, key=lambda each: each.witnessed.time)
    desk.signed("question_key", member, exchange.question, heard.signed.question.header.asked_time, asked)
    if heard.accepted is not None:
        desk.signed("answer_key", member, exchange.answer.answer, heard.accepted.answer.answer_time, first)
    if heard.refusal is not None:
        desk.signed("refusal_key", member, exchange.refusal, heard.refusal.refuse_time, first)
