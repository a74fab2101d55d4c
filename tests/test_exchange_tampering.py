"""An answer is accepted as it left or not at all: each tampering fails the check that is there for it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import bundles
import pytest
import worlds
from hypothesis import given
from hypothesis import strategies as st
from receipts import response
from test_exchange_release import OTHER, Exchange, charter, composed, directory, exchange
from worlds_tables import FOREIGN_USCC, JIANGSU, SHANGHAI, USCC, ZHEJIANG

from gateway import wire
from gateway.errors import AnswerRejected
from gateway.exchange.accept import accept, accept_refusal, unpack
from gateway.exchange.release import refuse
from gateway.kinds import KINDS
from gateway.ledger import tree
from gateway.model.answer import Answer, Item, PenaltyLine, ProbeItem, RatingItem, Refusal, SummaryItem
from gateway.model.codes import ItemState, RefusalReason
from keys import suite
from keys.envelope import Envelope, Signature, sign

NOW = bundles.NOW
CODES = (USCC, OTHER)
FACTS = {USCC: {"penalty": [worlds.penalty()], "permit": [worlds.permit()], "listing": [worlds.listing()]}}
SKEW = timedelta(seconds=30)


@functools.cache
def honest(kind: str = "summary") -> Exchange:
    """One honest exchange about two subjects, to tamper with."""
    return exchange(worlds.question(kind, subjects=CODES), FACTS)


@dataclass(kw_only=True)
class Forgery:
    """An answer taken apart; `seal` signs the head again with the member's own key, as a dishonest origin would."""

    envelope: Envelope
    items: list[bytes]
    now: datetime = NOW
    signed: Any = field(default_factory=lambda: honest().signed)
    directory: bytes = field(default_factory=directory)
    tail: bytes = b""

    @property
    def head(self) -> Answer:
        """The head as it stands."""
        return wire.decode(Answer, self.envelope.payload)

    def seal(self, *, signer: suite.Signer | None = None, kind: type[Any] = Answer, **changes: Any) -> None:
        """Sign another head."""
        payload = wire.encode(replace(self.head, **changes))
        self.envelope = sign(wire.PAYLOAD_TYPES[kind], payload, signer or bundles.SIGNERS[JIANGSU])

    def reroot(self, *items: bytes) -> None:
        """Put other items under a new root."""
        self.items = list(items)
        self.seal(items_root=tree.root([tree.leaf_hash(each) for each in items]), item_count=len(items))

    def rewrite(self, at: int = 0, **changes: Any) -> None:
        """Change an item and sign the new root."""
        held = list(self.items)
        held[at] = held[at][:16] + wire.encode(replace(self.item(at), **changes))
        self.reroot(*held)

    def item(self, at: int = 0) -> Item:
        """Read an item."""
        return wire.decode(Item, self.items[at][16:])

    def accept(self) -> object:
        """Offer it to the asker."""
        found = honest()
        payload = response(self.signed, self.envelope, self.items) + self.tail
        return accept(payload, self.signed, found.grant, charter(SHANGHAI, self.directory), self.now)


def forgery() -> Forgery:
    """Take the honest answer apart."""
    found = unpack(honest().payload)
    return Forgery(envelope=found.answer, items=list(found.items))


Tamper = Callable[[Forgery], object]


def _assign(**changes: Any) -> Tamper:
    def change(it: Forgery) -> None:
        for name, value in changes.items():
            setattr(it, name, value)

    return change


def _seal(**changes: Any) -> Tamper:
    return lambda it: it.seal(**changes)


def _flip(octets: bytes, at: int = -1) -> bytes:
    changed = bytearray(octets)
    changed[at] ^= 1
    return bytes(changed)


def _signature(it: Forgery) -> None:
    (held,) = it.envelope.signatures
    torn = Signature(key_id=held.key_id, signature=_flip(held.signature))
    it.envelope = replace(it.envelope, signatures=(torn,))


def _late(it: Forgery) -> None:
    """Answer after the question expired, and let the asker's clock run on."""
    expired = it.signed.question.header.expire_time
    it.now = expired + timedelta(minutes=5)
    it.seal(answer_time=expired + SKEW + timedelta(seconds=1))


def _two_signatures(it: Forgery) -> None:
    """Let a second member sign along."""
    kind, payload = wire.PAYLOAD_TYPES[Answer], it.envelope.payload
    it.envelope = sign(kind, payload, bundles.SIGNERS[JIANGSU], bundles.SIGNERS[ZHEJIANG])


def _unknown_head_field(it: Forgery) -> None:
    payload = it.envelope.payload + b"\xf2\x7d\x01x"
    it.envelope = sign(wire.PAYLOAD_TYPES[Answer], payload, bundles.SIGNERS[JIANGSU])


def _edited(edit: Callable[[dict[str, Any]], object]) -> Tamper:
    """Give the asker another directory."""

    def change(it: Forgery) -> None:
        it.directory = bundles.signed_directory(edit)  # type: ignore[arg-type]

    return change


def _jiangsu(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in document["members"] if each["id"] == JIANGSU)
    return found


def _revoke(document: dict[str, Any]) -> None:
    _jiangsu(document)["keys"][0]["revoked_time"] = "2026-02-01T00:00:00Z"


def _bad_month(it: Forgery) -> None:
    line = PenaltyLine(line_ref=bytes(16), domain="TAX", latest_month="2026-13")
    it.rewrite(body=SummaryItem(penalties=(line,)))


def _earlier(it: Forgery) -> None:
    """Offer the answer for a later question of the same words."""
    it.signed = composed(worlds.question("summary", subjects=CODES), charter(SHANGHAI, directory()))


TAMPERINGS: dict[str, tuple[str, Tamper]] = {
    # The carrier: nothing is signed again.
    "torn": ("answer is malformed", _assign(tail=b"\x0a\xff")),
    "unknown field": ("answer is malformed", _assign(tail=b"\xf2\x7d\x01x")),
    "head changed": ("signature: SignatureInvalid", lambda it: setattr(
        it, "envelope", replace(it.envelope, payload=_flip(it.envelope.payload)))),
    "signature changed": ("signature: SignatureInvalid", _signature),
    "item changed": ("items root differs", lambda it: it.items.__setitem__(0, _flip(it.items[0]))),
    "salt changed": ("items root differs", lambda it: it.items.__setitem__(0, _flip(it.items[0], 0))),
    "items swapped": ("items root differs", lambda it: it.items.reverse()),
    "item missing": ("another number of items", lambda it: it.items.pop()),
    "item added": ("another number of items", lambda it: it.items.append(it.items[0])),
    "no items": ("another number of items", lambda it: it.items.clear()),
    "item emptied": ("an item without salt", lambda it: it.items.__setitem__(1, it.items[1][:16])),
    "for a later question": ("answer to another question", _earlier),
    # The wrong key.
    "by another member": ("signed by another member", _seal(signer=bundles.SIGNERS[ZHEJIANG])),
    "by the asker": ("signed by another member", _seal(signer=bundles.SIGNERS[SHANGHAI])),
    "by two members": ("signed by another member", _two_signatures),
    "by nobody": ("signature: KeyUnknown", _seal(signer=suite.signer(bytes([99]) * 32, owner=JIANGSU))),
    "by no member": ("signature: MemberUnknown", _seal(signer=suite.signer(bytes([98]) * 32, owner="999999"))),
    "as a refusal": ("signature: WrongPayloadType", _seal(kind=Refusal)),
    "by a suspended member": ("signed by another member", _edited(lambda d: _jiangsu(d).update(suspended=True))),
    "by a revoked key": ("signature: KeyNotValid", _edited(_revoke)),
    # A dishonest origin: its own key, another head.
    "other question": ("answer to another question", _seal(question_digest=bytes(32))),
    "other answerer": ("answer by another member", _seal(answerer_member=ZHEJIANG)),
    "other agreement": ("another agreement", _seal(agreement_id="ZONE-2026")),
    "other number": ("another running number", _seal(pair_sequence=2)),
    "before it was asked": ("answer time out of range", _seal(answer_time=NOW - SKEW - timedelta(seconds=1))),
    "in the future": ("answer time out of range", _seal(answer_time=NOW + SKEW + timedelta(seconds=1))),
    "after it expired": ("answered after the question expired", _late),
    "facts of the future": ("times in disorder", _seal(as_of_time=NOW + timedelta(seconds=1))),
    "valid for no time": ("times in disorder", _seal(valid_until_time=NOW)),
    "no longer valid": ("no longer valid", _assign(now=NOW + timedelta(hours=24))),
    "field beyond the grant": ("fields beyond the grant", _seal(fields_granted=("ceiling.grade",))),
    "field of no kind": ("fields beyond the grant", _seal(fields_granted=("penalty.amount",))),
    "other count": ("another number of items", _seal(item_count=3)),
    "other root": ("items root differs", _seal(items_root=bytes(32))),
    "head with more": ("Answer is malformed", _unknown_head_field),
    # A dishonest origin: other items under a root of its own.
    "signed items swapped": ("items for other subjects", lambda it: it.reroot(*reversed(it.items))),
    "signed item missing": ("items for other subjects", lambda it: it.reroot(it.items[0])),
    "signed item twice": ("items for other subjects", lambda it: it.reroot(it.items[0], it.items[0])),
    "signed item added": ("items for other subjects", lambda it: it.reroot(*it.items, it.items[1])),
    "other subject": ("items for other subjects", lambda it: it.rewrite(uscc=FOREIGN_USCC)),
    "no subject": ("items for other subjects", lambda it: it.rewrite(uscc="")),
    "found without a word": ("an item found without a body", lambda it: it.rewrite(body=None)),
    "other kind": ("an item of another kind", lambda it: it.rewrite(body=RatingItem())),
    "a probe": ("an item of another kind", lambda it: it.rewrite(body=ProbeItem(text="x"))),
    "more than granted": (
        "an item says more than was granted", _seal(fields_granted=("permit.valid", "permit.expiry_month"))),
    "no month": ("a date that is none", _bad_month),
    "item with more": ("Item is malformed", lambda it: it.reroot(it.items[0] + b"\xf2\x7d\x01x", it.items[1])),
    "no item at all": ("Item is malformed", lambda it: it.reroot(it.items[0][:16] + b"\xff", it.items[1])),
}  # fmt: skip


def test_the_honest_answer_is_accepted() -> None:
    """Taken apart and put together again without a change, the answer passes."""
    found = forgery()
    accepted = found.accept()
    assert accepted == honest().accept()
    assert found.item(0).state is ItemState.FOUND


@pytest.mark.parametrize("name", TAMPERINGS)
def test_each_tampering_fails_its_own_check(name: str) -> None:
    """One thing is changed and one check names it; the text names no subject."""
    wanted, tamper = TAMPERINGS[name]
    found = forgery()
    tamper(found)
    with pytest.raises(AnswerRejected) as caught:
        found.accept()
    assert str(caught.value) == wanted
    assert not any(code in str(caught.value) for code in (*CODES, FOREIGN_USCC))


@given(
    at=st.integers(0, 1 << 16), bit=st.integers(0, 7), kind=st.sampled_from(tuple(KINDS))
)  # fmt: skip
def test_a_flipped_bit_is_found_or_was_padding(at: int, bit: int, kind: str) -> None:
    """Whatever bit changes on the way, the answer is rejected, or it says what it said: only padding is unsigned."""
    found = honest(kind)
    changed = bytearray(found.payload)
    changed[at % len(changed)] ^= 1 << bit
    try:
        accepted = found.accept(bytes(changed))
    except AnswerRejected:
        return
    assert accepted == found.accept()


@given(cut=st.integers(0, 1 << 16))
def test_a_cut_answer_is_rejected_or_lost_padding_only(cut: int) -> None:
    """An answer that breaks off is rejected; where only padding is lost nothing that was said is."""
    found = honest()
    try:
        accepted = found.accept(found.payload[: cut % len(found.payload)])
    except AnswerRejected:
        return
    assert accepted == found.accept()


@given(octets=st.binary(max_size=400))
def test_any_bytes_are_rejected_and_nothing_else_happens(octets: bytes) -> None:
    """Bytes of any kind are no answer and no refusal, and raise AnswerRejected alone."""
    found = honest()
    with pytest.raises(AnswerRejected):
        found.accept(octets)
    with pytest.raises(AnswerRejected):
        accept_refusal(octets, found.signed, found.asker, NOW)


def refusal(signer: suite.Signer | None = None, **changes: Any) -> bytes:
    """Refuse the honest question, with a part changed."""
    signed = honest().signed
    envelope = refuse(
        signed.digest,
        RefusalReason.NO_AGREEMENT,
        1,
        me=JIANGSU,
        signer=bundles.SIGNERS[JIANGSU],
        now=NOW,
    )
    value = replace(wire.decode(Refusal, envelope.payload), **changes)
    kind = wire.PAYLOAD_TYPES[Refusal]
    return wire.encode(sign(kind, wire.encode(value), signer or bundles.SIGNERS[JIANGSU]))


REFUSALS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "torn": ("refusal is malformed", lambda: refusal() + b"\x0a\xff"),
    "other question": ("refusal is for another question", lambda: refusal(question_digest=bytes(32))),
    "other member": ("refusal by another member", lambda: refusal(answerer_member=ZHEJIANG)),
    "by another member": ("signed by another member", lambda: refusal(bundles.SIGNERS[ZHEJIANG])),
    "changed": ("signature: SignatureInvalid", lambda: wire.encode(
        replace(wire.decode(Envelope, refusal()), payload=wire.encode(
            replace(wire.decode(Refusal, wire.decode(Envelope, refusal()).payload), reason=RefusalReason.SUSPENDED))))),
    "an answer": ("signature: WrongPayloadType", lambda: wire.encode(unpack(honest().payload).answer)),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_the_members_own_and_for_this_question(name: str) -> None:
    """A refusal that is changed, another's or for another question is no refusal."""
    wanted, make = REFUSALS[name]
    found = honest()
    with pytest.raises(AnswerRejected) as caught:
        accept_refusal(make(), found.signed, found.asker, NOW)
    assert str(caught.value) == wanted


def test_an_honest_refusal_is_accepted() -> None:
    """The refusal of every case above passes as it is."""
    found = honest()
    assert accept_refusal(refusal(), found.signed, found.asker, NOW).reason is RefusalReason.NO_AGREEMENT
