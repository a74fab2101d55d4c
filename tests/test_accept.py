"""Only what answers the question is accepted: each single tampering with an answer or a refusal has its check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import worlds
from bundles import NOW, SIGNERS, charter_of, intent_of, later, plot, register, signed_directory
from fakes import FakeNode, FakeSource
from hypothesis import given, settings
from hypothesis import strategies as st
from receipts import INDEX, LOGGERS, SIZE, by, receipt, response
from worlds_tables import AGREEMENT, FIELDS, JIANGSU, SHANGHAI, USCC, ZHEJIANG

from gateway import carriers, wire
from gateway.charter import Charter
from gateway.errors import AnswerRejected
from gateway.exchange.accept import accept, accept_refusal, unpack
from gateway.exchange.compose import Inquiry, compose
from gateway.exchange.permit import permit
from gateway.exchange.release import refuse, size_class
from gateway.federation import request_bytes
from gateway.kinds import KINDS, kind_of
from gateway.kinds.row import said_fields
from gateway.ledger import tree
from gateway.ledger.note import sign as sign_note
from gateway.limits import SALT_BYTES
from gateway.model.answer import (
    Answer,
    Item,
    ListingLine,
    MeasureLine,
    MeasuresItem,
    NoViolationItem,
    PenaltyLine,
    PermitLine,
    ProbeItem,
    RatingItem,
    RatingLine,
    Refusal,
    SummaryItem,
)
from gateway.model.codes import ItemState, LedgerEventKind, RefusalReason, Severity
from gateway.model.ledger import Receipt
from gateway.model.signed import Accepted, Signed
from gateway.policy import Grant
from gateway.uscc import sample_code
from keys import suite
from keys.envelope import Envelope, Signature, sign

DIRECTORY = signed_directory()
OTHER = sample_code("91", "310115", 1)
TICK = timedelta(microseconds=1)
SKEW, LIFE = timedelta(seconds=30), timedelta(seconds=60)
ANSWER, REFUSAL = wire.PAYLOAD_TYPES[Answer], wire.PAYLOAD_TYPES[Refusal]


@dataclass(frozen=True, kw_only=True)
class Told:
    """A question and its good answer, ready to be changed."""

    signed: Signed
    grant: Grant
    answer: Answer
    salted: tuple[bytes, ...]
    payload: bytes

    def resigned(self, *signers: str, salted: tuple[bytes, ...] | None = None, **changes: Any) -> bytes:
        """Change fields of the head and sign it again; new items get their own root and number unless told."""
        items = self.salted if salted is None else salted
        if salted is not None:
            root = tree.root([tree.leaf_hash(each) for each in items])
            changes = {"items_root": root, "item_count": len(items), **changes}
        payload = wire.encode(replace(self.answer, **changes))
        return self.sent(sign(ANSWER, payload, *(SIGNERS[each] for each in signers or (JIANGSU,))), items)

    def sent(self, envelope: Envelope, items: tuple[bytes, ...]) -> bytes:
        """Serialise an AskResponse that is logged as it should be."""
        return response(self.signed, envelope, items)

    def with_items(self, *items: Item, **changes: Any) -> bytes:
        """Replace the items, as a member would that signs them."""
        return self.resigned(salted=tuple(bytes(SALT_BYTES) + wire.encode(each) for each in items), **changes)

    def accept(self, payload: bytes, *, now: datetime = NOW, charter: Charter | None = None) -> Accepted:
        """Accept as Shanghai."""
        return accept(payload, self.signed, self.grant, charter or charter_of(SHANGHAI, DIRECTORY), now)

    def fault(self, payload: bytes, **changes: Any) -> str:
        """Give the check that a payload fails."""
        with pytest.raises(AnswerRejected) as rejected:
            self.accept(payload, **changes)
        return str(rejected.value)


async def told(kind: str = "summary") -> Told:
    """Let Jiangsu answer about two subjects, one with facts and one without."""
    facts = {
        "register": [register(division="320102")], "penalty": [worlds.penalty()], "permit": [worlds.permit()],
        "listing": [worlds.listing()], "rating": [worlds.rating()], "measure": [worlds.measure()],
    }  # fmt: skip
    node = FakeNode(charter=charter_of(JIANGSU, DIRECTORY), now=NOW, source=FakeSource(rows={USCC: facts}))
    asker = charter_of(SHANGHAI, DIRECTORY)
    body = worlds.question(kind, subjects=(USCC, OTHER))
    inquiry = Inquiry(
        intent=intent_of(plot(kind, body=body)), intent_digest=bytes(32), agreement_id=AGREEMENT, case_subject_count=0
    )
    signed = compose(inquiry, JIANGSU, 3, question_id=bytes([1]) * 16, charter=asker, signer=SIGNERS[SHANGHAI], now=NOW)
    reply = await node.answering.ask(request_bytes(signed), SHANGHAI)
    found = unpack(reply.payload)
    return Told(
        signed=signed, grant=permit(signed.question, charter=asker, now=NOW).grant,
        answer=wire.decode(Answer, found.answer.payload), salted=found.items, payload=reply.payload,
    )  # fmt: skip


@pytest.fixture
async def good() -> Told:
    """Give a summary that is accepted."""
    return await told()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_good_answer_is_accepted_whole(kind: str) -> None:
    """What Jiangsu released is what Shanghai accepts, item by item, within the fields granted."""
    found = await told(kind)
    accepted = found.accept(found.payload)
    row = kind_of(found.signed.question.body, KINDS)
    assert (accepted.member, accepted.answer) == (JIANGSU, found.answer)
    assert [each.uscc for each in accepted.items] == [USCC, OTHER]
    assert all(said_fields(row, each.body) <= set(FIELDS[kind]) for each in accepted.items)
    assert accepted.digest == unpack(found.payload).answer.digest()


# The head

AGO = NOW - SKEW
HEADS: dict[str, tuple[dict[str, Any], str]] = {
    "question_digest": ({"question_digest": bytes(32)}, "answer to another question"),
    "answerer_member": ({"answerer_member": ZHEJIANG}, "answer by another member"),
    "agreement_id": ({"agreement_id": "OTHER"}, "another agreement"),
    "pair_sequence": ({"pair_sequence": 4}, "another running number"),
    "of a sub-member that it is not": ({"answered_by": "320500"}, "said to be of another sub-member"),
    "answered before asked": ({"answer_time": AGO - TICK, "as_of_time": AGO - TICK}, "answer time out of range"),
    "answered in the future": ({"answer_time": NOW + SKEW + TICK}, "answer time out of range"),
    "facts of the future": ({"as_of_time": NOW + TICK}, "times in disorder"),
    "valid for no time": ({"valid_until_time": NOW}, "times in disorder"),
    "valid before": ({"valid_until_time": NOW - TICK}, "times in disorder"),
    "another field": ({"fields_granted": ("penalty.band", "rating.grade")}, "fields beyond the grant"),
    "an unknown field": ({"fields_granted": ("ghost",)}, "fields beyond the grant"),
    "one item fewer": ({"item_count": 1}, "another number of items"),
    "one item more": ({"item_count": 3}, "another number of items"),
    "items_root": ({"items_root": bytes(32)}, "items root differs"),
    "no field at all": ({"fields_granted": ()}, "an item says more than was granted"),
}


@pytest.mark.parametrize("name", HEADS)
def test_a_head_that_was_changed_is_rejected(name: str, good: Told) -> None:
    """Each field that is compared is rejected by its own check, though the member itself signed it."""
    changes, check = HEADS[name]
    assert good.fault(good.resigned(**changes)) == check


TIMES: dict[str, tuple[timedelta, timedelta, timedelta, str]] = {
    "now": (timedelta(0), timedelta(0), timedelta(hours=1), ""),
    "as far behind as clocks may be": (-SKEW, timedelta(0), timedelta(hours=1), ""),
    "as far ahead as clocks may be": (SKEW, timedelta(0), timedelta(hours=1), ""),
    "heard late": (timedelta(0), timedelta(minutes=59), timedelta(hours=1), ""),
    "heard at its end": (timedelta(0), timedelta(hours=1), timedelta(hours=1), "no longer valid"),
    "heard a moment before": (timedelta(0), timedelta(hours=1) - TICK, timedelta(hours=1), ""),
    "as late as may be": (LIFE + SKEW, timedelta(minutes=5), timedelta(hours=1), ""),
    "after the question's end": (
        LIFE + SKEW + TICK, timedelta(minutes=5), timedelta(hours=1), "answered after the question expired",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TIMES)
def test_an_answer_is_taken_in_its_time(name: str, good: Told) -> None:
    """Given within the question's life and the skew, heard before its own end: each boundary has one side."""
    answered, heard, ends, check = TIMES[name]
    payload = good.resigned(answer_time=NOW + answered, as_of_time=NOW + answered, valid_until_time=NOW + ends)
    if check:
        assert good.fault(payload, now=NOW + heard) == check
    else:
        assert good.accept(payload, now=NOW + heard).answer.answer_time == NOW + answered


@settings(max_examples=40, deadline=None)
@given(st.data())
async def test_any_bit_of_the_items_is_bound_by_the_head(data: st.DataObject) -> None:
    """Whichever bit of an item or of its salt is flipped in transit, the root differs."""
    found = await told()
    place = data.draw(st.integers(0, len(found.salted) - 1))
    octets = bytearray(found.salted[place])
    octets[data.draw(st.integers(0, len(octets) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    salted = (*found.salted[:place], bytes(octets), *found.salted[place + 1 :])
    assert found.fault(found.sent(unpack(found.payload).answer, salted)) == "items root differs"


# The items as they travel

Change = Callable[[tuple[bytes, ...]], tuple[bytes, ...]]
IN_TRANSIT: dict[str, tuple[Change, str]] = {
    "turned round": (lambda items: items[::-1], "items root differs"),
    "one twice": (lambda items: (items[0], items[0]), "items root differs"),
    "one dropped": (lambda items: items[:1], "another number of items"),
    "one added": (lambda items: (*items, items[0]), "another number of items"),
    "none": (lambda _: (), "another number of items"),
    "a salt alone": (lambda items: (items[0][:SALT_BYTES], items[1]), "an item without salt"),
    "an empty item": (lambda items: (b"", items[1]), "an item without salt"),
    "another salt": (lambda items: (bytes(SALT_BYTES) + items[0][SALT_BYTES:], items[1]), "items root differs"),
    "a byte more": (lambda items: (items[0] + b"\x00", items[1]), "items root differs"),
}


@pytest.mark.parametrize("name", IN_TRANSIT)
def test_items_that_were_changed_on_the_way_are_rejected(name: str, good: Told) -> None:
    """The signed number and root bind every item, its salt and its place."""
    change, check = IN_TRANSIT[name]
    assert good.fault(good.sent(unpack(good.payload).answer, change(good.salted))) == check


BY_THE_MEMBER: dict[str, tuple[Change, str]] = {
    "turned round": (lambda items: items[::-1], "items for other subjects"),
    "one twice": (lambda items: (items[0], items[0]), "items for other subjects"),
    "one dropped": (lambda items: items[:1], "items for other subjects"),
    "one added": (lambda items: (*items, items[0]), "items for other subjects"),
    "none": (lambda _: (), "items for other subjects"),
    "no item": (lambda items: (items[0][:SALT_BYTES] + b"\xff", items[1]), "Item is malformed"),
    "an item without a state": (lambda items: (bytes(SALT_BYTES) + b"\x0a\x01X", items[1]), "Item is malformed"),
    "an unknown field": (lambda items: (items[0] + b"\xf2\x7d\x01x", items[1]), "Item is malformed"),
}


@pytest.mark.parametrize("name", BY_THE_MEMBER)
def test_items_that_do_not_fit_are_rejected_whoever_signed_them(name: str, good: Told) -> None:
    """The subjects asked for, each once and in order, or nothing."""
    change, check = BY_THE_MEMBER[name]
    assert good.fault(good.resigned(salted=change(good.salted))) == check


EMPTY = Item(uscc=OTHER, state=ItemState.NOT_FOUND, body=SummaryItem())
ITEMS: dict[str, tuple[Item, str]] = {
    "found without a body": (Item(uscc=USCC, state=ItemState.FOUND), "an item found without a body"),
    "of another kind": (Item(uscc=USCC, state=ItemState.FOUND, body=RatingItem()), "an item of another kind"),
    "of a kind nobody tables": (
        Item(uscc=USCC, state=ItemState.FOUND, body=ProbeItem(text="x")),
        "an item of another kind",
    ),
    "an empty one of another kind": (
        Item(uscc=USCC, state=ItemState.NOT_FOUND, body=NoViolationItem()),
        "an item of another kind",
    ),
    "of another subject": (Item(uscc=OTHER, state=ItemState.NOT_FOUND), "items for other subjects"),
    "of nobody": (Item(state=ItemState.NOT_FOUND), "items for other subjects"),
}


@pytest.mark.parametrize("name", ITEMS)
def test_an_item_must_be_one_of_the_question(name: str, good: Told) -> None:
    """Another kind's item, another subject's, or one found without a body is rejected."""
    item, check = ITEMS[name]
    assert good.fault(good.with_items(item, EMPTY)) == check


@pytest.mark.parametrize("state", [ItemState.NOT_FOUND, ItemState.NOT_COVERED])
def test_an_item_of_which_nothing_is_said_may_have_no_body(state: ItemState, good: Told) -> None:
    """Nothing found, or nothing covered, needs no body."""
    (first, _) = good.accept(good.with_items(Item(uscc=USCC, state=state), EMPTY)).items
    assert (first.state, first.body) == (state, None)


@pytest.mark.parametrize("field", FIELDS["summary"])
def test_an_item_says_no_field_beyond_the_head(field: str, good: Told) -> None:
    """A single field that the head does not name is one too many."""
    granted = tuple(each for each in good.answer.fields_granted if each != field)
    body = SummaryItem(
        penalties=(PenaltyLine(line_ref=b"1", domain="TAX", severity=Severity.MINOR, band=None,
                               latest_month="2026-02", unrepaired=True),),
        permits=(PermitLine(permit_type="TP01", domain="TAX", valid=True, expiry_month="2026-12"),),
        listings=(ListingLine(line_ref=b"2", list_type="L", domain="TAX", listed=True, since_month="2026-01",
                              basis_class="B01"),),
    )  # fmt: skip
    item = Item(uscc=USCC, state=ItemState.FOUND, body=body)
    payload = good.with_items(item, EMPTY, fields_granted=granted)
    if field == "penalty.band":  # the one that this item does not say
        assert good.accept(payload).items[0] == item
    else:
        assert good.fault(payload) == "an item says more than was granted"


# Dates that are none

RATED: dict[str, Any] = {"rating_id": b"1", "scheme_id": "S", "scheme_version": "1"}
ORDERED: dict[str, Any] = {"line_ref": b"1", "measure_code": "MP01", "domain": "TAX"}
DATED: list[tuple[str, str, Callable[[str], Any]]] = [
    ("rating", "day", lambda text: RatingItem(ratings=(RatingLine(**RATED, rated_date=text),))),
    ("rating", "day", lambda text: RatingItem(
        ratings=(RatingLine(**RATED), RatingLine(**RATED, valid_until_date=text)))),
    ("measures", "day", lambda text: MeasuresItem(measures=(MeasureLine(**ORDERED, term_from_date=text),))),
    ("measures", "day", lambda text: MeasuresItem(measures=(MeasureLine(**ORDERED, term_until_date=text),))),
    ("summary", "month", lambda text: SummaryItem(
        penalties=(PenaltyLine(line_ref=b"1", domain="TAX", latest_month=text),))),
    ("summary", "month", lambda text: SummaryItem(
        permits=(PermitLine(permit_type="P", domain="TAX", expiry_month=text),))),
    ("summary", "month", lambda text: SummaryItem(
        listings=(ListingLine(line_ref=b"1", list_type="L", domain="TAX", since_month=text),))),
]  # fmt: skip
NO_DAYS = (
    "",
    "2026",
    "2026-02-30",
    "2026-2-3",
    "20260203",
    "2026-W06-2",
    "2026-02-03T00:00:00",
    "２０２６-02-03",
    " 2026-02-03",
)
NO_MONTHS = ("", "2026", "2026-13", "2026-00", "2026-2", "202602", "2026-02-03", "２０２６-02")


@pytest.mark.parametrize("place", range(len(DATED)))
async def test_a_date_that_is_none_is_rejected(place: int) -> None:
    """Every day and month in a line is written as the calendar writes it, or the answer is none."""
    kind, sort, body = DATED[place]
    found = await told(kind)
    rest = Item(uscc=OTHER, state=ItemState.NOT_FOUND)

    def payload(text: str) -> bytes:
        return found.with_items(Item(uscc=USCC, state=ItemState.FOUND, body=body(text)), rest)

    wrong = NO_DAYS if sort == "day" else NO_MONTHS
    assert [found.fault(payload(each)) for each in wrong] == ["a date that is none"] * len(wrong)
    right = ("2026-02-28", "2024-02-29") if sort == "day" else ("2026-02", "1999-12")
    assert [found.accept(payload(each)).items[0].body for each in right] == [body(each) for each in right]


# The envelope

STRANGER = suite.signer(bytes([9]) * 32, owner=JIANGSU)
NOBODY = suite.signer(bytes([9]) * 32, owner="999999")
ENVELOPES: dict[str, tuple[Callable[[Told], bytes], str]] = {
    "no bytes": (lambda _: b"", "answer is malformed"),
    "torn": (lambda good: good.payload[:200], "answer is malformed"),
    "an unknown field": (lambda good: good.payload + b"\xf2\x7d\x01x", "answer is malformed"),
    "by another member": (lambda good: good.resigned(ZHEJIANG), "signed by another member"),
    "by the asker": (lambda good: good.resigned(SHANGHAI), "signed by another member"),
    "by two members": (lambda good: good.resigned(JIANGSU, ZHEJIANG), "signed by another member"),
    "by an unlisted key": (
        lambda good: good.sent(sign(ANSWER, wire.encode(good.answer), STRANGER), good.salted),
        "signature: KeyUnknown",
    ),
    "by no member": (
        lambda good: good.sent(sign(ANSWER, wire.encode(good.answer), NOBODY), good.salted),
        "signature: MemberUnknown",
    ),
    "another type": (
        lambda good: good.sent(sign(REFUSAL, wire.encode(good.answer), SIGNERS[JIANGSU]), good.salted),
        "signature: WrongPayloadType",
    ),
    "no signature": (
        lambda good: good.sent(replace(unpack(good.payload).answer, signatures=()), good.salted),
        "signature: EnvelopeMalformed",
    ),
    "a signature of nothing": (
        lambda good: good.sent(
            replace(
                unpack(good.payload).answer,
                signatures=(Signature(key_id=SIGNERS[JIANGSU].id, signature=bytes(64)),),
            ),
            good.salted,
        ),
        "signature: SignatureInvalid",
    ),
    "no answer": (
        lambda good: good.sent(sign(ANSWER, b"\xff", SIGNERS[JIANGSU]), good.salted),
        "Answer is malformed",
    ),
    "an unknown field in the head": (
        lambda good: good.sent(
            sign(ANSWER, wire.encode(good.answer) + b"\xf2\x7d\x01x", SIGNERS[JIANGSU]), good.salted
        ),
        "Answer is malformed",
    ),
}


@pytest.mark.parametrize("name", ENVELOPES)
def test_an_answer_that_the_member_did_not_sign_is_none(name: str, good: Told) -> None:
    """Form, type, key, signature and signer are checked before a word of it is read."""
    make, check = ENVELOPES[name]
    assert good.fault(make(good)) == check


def asker_with(section: str, **changes: Any) -> Charter:
    """Read a directory at Shanghai in which Jiangsu, or its key, is another."""

    def edit(found: dict[str, Any]) -> None:
        jiangsu = found["members"][1]
        (jiangsu if section == "member" else jiangsu["keys"][0]).update(changes)

    return charter_of(SHANGHAI, signed_directory(edit))


STANDINGS: dict[str, tuple[Charter, str]] = {
    "suspended": (asker_with("member", suspended=True), "signed by another member"),
    "without keys": (asker_with("member", keys=[]), "signature: KeyUnknown"),
    "a key revoked": (asker_with("key", revoked_time="2026-03-10T04:00:00Z"), "signature: KeyNotValid"),
    "a key for ledgers": (asker_with("key", use="ledger"), "signature: KeyNotValid"),
    "a key that ended": (asker_with("key", valid_until="2026-03-10T04:00:00Z"), "signature: KeyNotValid"),
}


@pytest.mark.parametrize("name", STANDINGS)
def test_a_member_that_lost_its_standing_answers_and_refuses_nothing(name: str, good: Told) -> None:
    """By the asker's directory a suspended member, and a key that is not good now, say nothing."""
    charter, check = STANDINGS[name]
    assert good.fault(good.payload, charter=charter) == check
    assert refusal_fault(good, refusal(good), charter=charter) == check


def test_padding_is_no_part_of_an_answer(good: Told) -> None:
    """The same answer with another padding is the same answer."""
    found = unpack(good.payload)
    kept = carriers.write_response(found.answer, found.items)
    other = carriers.complete_response(kept, found.receipt, lambda size: size + 5_000)
    assert (other != good.payload, good.accept(other)) == (True, good.accept(good.payload))


# The receipt (protocol section 16)


def with_receipt(good: Told, proof: Receipt | None) -> bytes:
    """Give the answer with another receipt, or with none."""
    found = unpack(good.payload)
    return carriers.complete_response(carriers.write_response(found.answer, found.items), proof, size_class)


def forged(good: Told, **changes: Any) -> Receipt:
    """Make a receipt for the answer, with one thing wrong."""
    terms = {"question_digest": good.signed.digest, "answer_digest": unpack(good.payload).answer.digest(), **changes}
    return receipt(terms.pop("header", good.signed.question.header), **terms)


RECEIPTS: dict[str, tuple[Callable[[Told], Receipt | None], str]] = {
    "none": (lambda _: None, "no receipt"),
    "of another answer": (lambda good: forged(good, answer_digest=bytes(32)), "receipt is for another leaf"),
    "of another question": (lambda good: forged(good, question_digest=bytes(32)), "receipt is for another leaf"),
    "of another number": (
        lambda good: forged(good, header=replace(good.signed.question.header, pair_sequence=4)),
        "receipt is for another leaf",
    ),
    "of a refusal": (lambda good: forged(good, kind=LedgerEventKind.REFUSED), "receipt is for another leaf"),
    "for another place": (lambda good: replace(forged(good), leaf_index=INDEX + 1), "receipt is for another leaf"),
    "beyond the tree": (lambda good: replace(forged(good), leaf_index=SIZE), "receipt is for another leaf"),
    "without a path": (lambda good: replace(forged(good), inclusion_hashes=()), "receipt is for another leaf"),
    "with another salt": (lambda good: replace(forged(good), shared_salt=bytes(16)), "receipt is for another leaf"),
    "with another private part": (
        lambda good: replace(forged(good), private_hash=bytes(32)), "receipt is for another leaf",
    ),
    "in another member's log": (lambda good: forged(good, sign=by(ZHEJIANG)), "checkpoint by another key"),
    "signed by another member": (
        lambda good: forged(good, sign=by(JIANGSU, LOGGERS[ZHEJIANG])), "checkpoint by another key",
    ),
    "signed by the key for messages": (
        lambda good: forged(good, sign=by(JIANGSU, SIGNERS[JIANGSU])), "checkpoint by another key",
    ),
    "signed by nobody": (
        lambda good: replace(
            forged(good), checkpoint=forged(good).checkpoint.replace(b"\n5\n", b"\n6\n")
        ), "checkpoint by another key",
    ),
    "no checkpoint": (lambda good: replace(forged(good), checkpoint=b"x"), "checkpoint is malformed"),
    "a note that is no checkpoint": (
        lambda good: replace(forged(good), checkpoint=sign_note("x\n", "x", LOGGERS[JIANGSU]).payload),
        "checkpoint is malformed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RECEIPTS)
def test_an_answer_that_is_not_logged_is_no_answer(name: str, good: Told) -> None:
    """Threat 12: whatever proves another thing, or proves it by another's word, is named and rejected."""
    make, check = RECEIPTS[name]
    assert good.fault(with_receipt(good, make(good))) == check
    assert good.accept(with_receipt(good, forged(good))) == good.accept(good.payload)


@pytest.mark.parametrize("changes", [{"revoked_time": "2026-02-01T00:00:00Z"}, {"use": "witness"}])
def test_the_ledger_key_must_be_good_now(changes: dict[str, Any], good: Told) -> None:
    """A checkpoint by a key that was revoked, or is for something else, proves nothing."""

    def edit(found: dict[str, Any]) -> None:
        next(each for each in found["members"] if each["id"] == JIANGSU)["keys"][1].update(changes)

    assert good.fault(good.payload, charter=charter_of(SHANGHAI, signed_directory(edit))) == "checkpoint by another key"


@pytest.mark.parametrize(("gaps", "fault"), [((), None), ((2,), "a log that the quorum has not listed")])
def test_an_answer_under_a_log_that_nobody_listed_is_none(gaps: tuple[int, ...], fault: str | None, good: Told) -> None:
    """Where the quorum says that another log follows, no receipt from the one before counts, nor the other way."""

    def edit(found: dict[str, Any]) -> None:
        row = {"member": JIANGSU, "follows": "00" * 32, "size": 5, "kept": 5, "ground": "a disk was lost"}
        found["gaps"] = [row | {"log": log} for log in gaps]

    bundle = charter_of(SHANGHAI, signed_directory(edit))
    if fault is None:
        assert good.accept(good.payload, charter=bundle).member == JIANGSU
    else:
        assert good.fault(good.payload, charter=bundle) == fault


# Refusals


def refusal(good: Told, *signers: str, **changes: Any) -> bytes:
    """Let Jiangsu refuse, with fields changed."""
    made = refuse(good.signed.digest, RefusalReason.EXPIRED, 3, me=JIANGSU, signer=SIGNERS[JIANGSU], now=NOW)
    value = replace(wire.decode(Refusal, made.payload), **changes)
    return wire.encode(sign(REFUSAL, wire.encode(value), *(SIGNERS[each] for each in signers or (JIANGSU,))))


def refusal_fault(good: Told, payload: bytes, charter: Charter | None = None) -> str:
    """Give the check that a refusal fails."""
    with pytest.raises(AnswerRejected) as rejected:
        accept_refusal(payload, good.signed, charter or charter_of(SHANGHAI, DIRECTORY), NOW)
    return str(rejected.value)


@pytest.mark.parametrize("reason", RefusalReason)
def test_a_refusal_carries_the_reason_that_was_signed(reason: RefusalReason, good: Told) -> None:
    """Every reason comes back as it was given."""
    found = accept_refusal(refusal(good, reason=reason), good.signed, charter_of(SHANGHAI, DIRECTORY), NOW)
    assert (found.reason, found.answerer_member, found.pair_sequence) == (reason, JIANGSU, 3)


REFUSALS: dict[str, tuple[Callable[[Told], bytes], str]] = {
    "of another question": (
        lambda good: refusal(good, question_digest=bytes(32)),
        "refusal is for another question",
    ),
    "by another member": (lambda good: refusal(good, answerer_member=ZHEJIANG), "refusal by another member"),
    "signed by another member": (lambda good: refusal(good, ZHEJIANG), "signed by another member"),
    "signed by another member as itself": (
        lambda good: refusal(good, ZHEJIANG, answerer_member=ZHEJIANG),
        "signed by another member",
    ),
    "signed by two": (lambda good: refusal(good, JIANGSU, ZHEJIANG), "signed by another member"),
    "torn": (lambda good: refusal(good)[:-3], "refusal is malformed"),
    "with an unknown field": (lambda good: refusal(good) + b"\xf2\x7d\x01x", "refusal is malformed"),
    "an answer's envelope": (
        lambda good: wire.encode(unpack(good.payload).answer),
        "signature: WrongPayloadType",
    ),
    "no refusal": (lambda _: wire.encode(sign(REFUSAL, b"\xff", SIGNERS[JIANGSU])), "Refusal is malformed"),
    "without a reason": (
        lambda _: wire.encode(sign(REFUSAL, b"\x12\x01X", SIGNERS[JIANGSU])),
        "Refusal is malformed",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_that_was_changed_is_rejected(name: str, good: Told) -> None:
    """A refusal must be of this question, by the member asked, and signed by it alone."""
    make, check = REFUSALS[name]
    assert refusal_fault(good, make(good)) == check


def test_an_answer_is_judged_by_the_askers_own_grant(good: Told) -> None:
    """What the asker's policy does not grant is beyond it, whatever the answerer's did."""
    narrow = replace(good, grant=replace(good.grant, fields=good.grant.fields - {"penalty.band"}))
    assert narrow.fault(good.payload) == "fields beyond the grant"
    assert good.accept(good.payload, now=later(seconds=1)).member == JIANGSU
