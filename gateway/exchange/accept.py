"""Decides whether what came back answers what was asked; only then is it an answer."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import fields
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, cast

from gateway import alike, carriers, wire
from gateway.charter import Charter
from gateway.errors import AnswerRejected
from gateway.gaps import current_log
from gateway.kinds import kind_of
from gateway.kinds.row import Kind, said_fields
from gateway.ledger import events, logs, receipts, tree
from gateway.ledger.errors import CheckpointMalformed, NoteMalformed, NoteUnsigned, ReceiptInvalid
from gateway.ledger.receipts import Logged
from gateway.limits import SALT_BYTES
from gateway.model.access import PreviewReport
from gateway.model.answer import Answer, Item, ItemBody, Refusal
from gateway.model.codes import ItemState, LedgerEventKind
from gateway.model.ledger import Receipt
from gateway.model.signed import Accepted, Signed
from gateway.policy import Grant
from keys.directory import Directory
from keys.envelope import Envelope, Opened, open_envelope
from keys.errors import KeysError
from keys.suite import PublicKey

TYPE = wire.PAYLOAD_TYPES[Answer]
REFUSAL_TYPE = wire.PAYLOAD_TYPES[Refusal]
_RECEIPT_FAULTS: dict[type[BaseException | None], str] = {
    NoteMalformed: "checkpoint is malformed",
    CheckpointMalformed: "checkpoint is malformed",
    NoteUnsigned: "checkpoint by another key",
}


def accept(payload: bytes, signed: Signed, grant: Grant, charter: Charter, now: datetime) -> Accepted:
    """Verify the bytes of an AskResponse against the question and the asker's own grant.

    Raises:
        AnswerRejected: naming the first check that fails; the answer then counts as silence.
    """
    response = unpack(payload)
    opened, answer = accept_head(response.answer, signed, grant, charter, now)
    items = open_items(answer, response.items)
    check_items(items, kind_of(signed.question.body, charter.kinds), signed, answer)
    logged = check_receipt(response.receipt, opened.digest, signed, charter.directory, now)
    member = signed.question.header.answerer_member
    current = logs.origin(member, current_log(charter.catalogue.gaps, member))
    _check(logged.checkpoint.head.origin == current, "a log that the quorum has not listed")
    return Accepted(member=member, answer=answer, items=items, digest=opened.digest)


def accept_head(
    envelope: Envelope, signed: Signed, grant: Grant, charter: Charter, now: datetime
) -> tuple[Opened, Answer]:
    """Verify all of an answer but its items: `open_items` and `check_items` are the other half.

    Raises:
        AnswerRejected: naming the first check that fails.
    """
    opened = _open(envelope, TYPE, signed, charter, now)
    answer = _decode(Answer, opened.payload)
    check_head(answer, signed, grant, charter, now)
    return opened, answer


def accept_preview(report: PreviewReport, signed: Signed, grant: Grant, charter: Charter, now: datetime) -> Accepted:
    """Hold what a member would tell against the question that it would be asked: it has no receipt, and is no answer.

    Raises:
        AnswerRejected: naming the first check that fails.
    """
    check_head(report.answer, signed, grant, charter, now)
    check_items((report.item,), kind_of(signed.question.body, charter.kinds), signed, report.answer)
    return Accepted(member=report.member, answer=report.answer, items=(report.item,), digest=b"")


def accept_refusal(payload: bytes, signed: Signed, charter: Charter, now: datetime) -> Refusal:
    """Verify the bytes of a refusal envelope against the question.

    Raises:
        AnswerRejected: naming the first check that fails.
    """
    try:
        envelope = carriers.read_envelope(payload)
    except wire.WireMalformed as error:
        raise AnswerRejected("refusal is malformed") from error
    refusal = _decode(Refusal, _open(envelope, REFUSAL_TYPE, signed, charter, now).payload)
    _check(refusal.question_digest == signed.digest, "refusal is for another question")
    _check(refusal.answerer_member == signed.question.header.answerer_member, "refusal by another member")
    return refusal


def check_receipt(
    receipt: Receipt | None, answer_digest: bytes, signed: Signed, directory: Directory, at: datetime
) -> Logged:
    """Check that the answer to this very question stands in the answerer's ledger, under a head that it signed.

    Raises:
        AnswerRejected: otherwise; what is not logged is no answer (threat 7).
    """
    if receipt is None:
        raise AnswerRejected("no receipt")
    header = signed.question.header
    shared = events.shared_bytes(LedgerEventKind.ANSWERED, header, signed.digest, answer_digest)
    try:
        return receipts.verify(receipt, shared, logs.of_member(directory, header.answerer_member, at))
    except ReceiptInvalid as error:
        raise AnswerRejected(_RECEIPT_FAULTS.get(type(error.__cause__), "receipt is for another leaf")) from error


def unpack(payload: bytes) -> carriers.Response:
    """Parse an AskResponse.

    Raises:
        AnswerRejected: when it is malformed.
    """
    try:
        return carriers.read_response(payload)
    except wire.WireMalformed as error:
        raise AnswerRejected("answer is malformed") from error


def open_items(answer: Answer, salted: tuple[bytes, ...]) -> tuple[Item, ...]:
    """Check the items against the signed root and parse them.

    Raises:
        AnswerRejected: for another number, another root, or an item that does not parse.
    """
    _check(answer.item_count == len(salted), "another number of items")
    _check(all(len(each) > SALT_BYTES for each in salted), "an item without salt")
    _check(tree.root([tree.leaf_hash(each) for each in salted]) == answer.items_root, "items root differs")
    try:
        return alike.decode_all(Item, [each[SALT_BYTES:] for each in salted])
    except wire.WireMalformed as error:
        raise AnswerRejected("Item is malformed") from error


def check_items(items: tuple[Item, ...], kind: Kind, signed: Signed, answer: Answer) -> None:
    """Check that the items are those asked for, in order, of the kind asked, and within the fields granted.

    Raises:
        AnswerRejected: otherwise.
    """
    asked = tuple(each.uscc for each in kind.subjects(signed.question.body)) or ("",)
    _check(tuple(each.uscc for each in items) == asked, "items for other subjects")
    granted = frozenset(answer.fields_granted)
    checked: set[int] = set()
    for item in items:
        if item.body is None:
            _check(item.state is not ItemState.FOUND, "an item found without a body")
        elif id(item.body) not in checked:  # subjects of whom nothing is said share one body
            _check(type(item.body) is kind.item, "an item of another kind")
            _check(said_fields(kind, item.body) <= granted, "an item says more than was granted")
            _check_days(item.body)
            checked.add(id(item.body))


def _check_days(body: ItemBody) -> None:
    """Check that whatever is called a date or a month is one: conclusions are drawn from them."""
    for name in body.__slots__:
        held = getattr(body, name)
        for line in held if isinstance(held, tuple) else ():
            for field, rest in _day_fields(type(line)):  # type: ignore[arg-type]  # types are hashable
                value = getattr(line, field)
                _check(value is None or _is_day(value + rest), "a date that is none")


@cache
def _day_fields(kind: Hashable) -> tuple[tuple[str, str], ...]:
    """Name the fields of a line that hold a civil day or a month, with what makes a day of them."""
    ends = {"_date": "", "_month": "-01"}
    names = (each.name for each in fields(cast("type[Any]", kind)))
    return tuple((name, rest) for name in names for end, rest in ends.items() if name.endswith(end))


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _open(envelope: Envelope, payload_type: str, signed: Signed, charter: Charter, now: datetime) -> Opened:
    directory, answerer = charter.directory, signed.question.header.answerer_member
    try:
        opened = open_envelope(envelope, payload_type=payload_type, find=finder(directory, now))
        owners = {directory.key_owner(key_id) for key_id in opened.key_ids}
    except KeysError as error:
        raise AnswerRejected(f"signature: {type(error).__name__}") from error
    _check(owners == {answerer} and not directory.suspended(answerer, now), "signed by another member")
    return opened


def finder(directory: Directory, at: datetime) -> Callable[[str], PublicKey]:
    """Give the look-up of signing keys valid at a time."""
    return lambda key_id: directory.key(key_id, use="sign", at=at)


def _decode(kind: type[wire.T], payload: bytes) -> wire.T:
    try:
        return wire.decode(kind, payload)
    except wire.WireMalformed as error:
        raise AnswerRejected(f"{kind.__name__} is malformed") from error


def check_head(answer: Answer, signed: Signed, grant: Grant, charter: Charter, now: datetime) -> None:
    """Check that an answer's head is that of this question, in time, and within the asker's own grant.

    Raises:
        AnswerRejected: naming the first check that fails.
    """
    header, skew = signed.question.header, timedelta(seconds=charter.catalogue.limits.clock_skew)
    _check(answer.question_digest == signed.digest, "answer to another question")
    _check(answer.answerer_member == header.answerer_member, "answer by another member")
    sub_member = header.answerer_member if charter.directory.member(header.answerer_member).parent else ""
    _check(answer.answered_by == sub_member, "said to be of another sub-member")
    _check(answer.agreement_id == header.agreement_id, "another agreement")
    _check(answer.pair_sequence == header.pair_sequence, "another running number")
    _check(header.asked_time - skew <= answer.answer_time <= now + skew, "answer time out of range")
    _check(answer.answer_time <= header.expire_time + skew, "answered after the question expired")
    _check(answer.as_of_time <= answer.answer_time < answer.valid_until_time, "times in disorder")
    _check(now < answer.valid_until_time, "no longer valid")
    _check(set(answer.fields_granted) <= grant.fields, "fields beyond the grant")


def _check(holds: object, what: str) -> None:
    if not holds:
        raise AnswerRejected(what)
