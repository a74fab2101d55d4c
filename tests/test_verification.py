"""An answer file offline: what is genuine passes, and every tampering fails the check that is there for it."""

from __future__ import annotations

import base64
import contextlib
import functools
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import bundles
import pytest
from bundles import NOW, ROOT, SIGNERS, later, make, plot, resigned
from hands import root_of
from hypothesis import given
from hypothesis import strategies as st
from worlds_tables import ANHUI, FOREIGN_USCC, JIANGSU, MEMBERS, SHANGHAI, USCC, ZHEJIANG

from gateway import carriers, wire
from gateway.ledger import tree
from gateway.model.answer import Answer, Item, Refusal
from gateway.model.codes import Grade, OutcomeState, RefusalReason, ResultState
from gateway.model.combined import CombinedResult, Recognition
from gateway.model.question import Question
from gateway.verification import Check, Status, Unreadable, Verdict, verify
from keys import suite
from keys.envelope import Envelope, sign, to_json
from yrdx.exchange.v1 import desk_pb2, envelope_pb2

KINDS = ("summary", "rating", "measures", "no_violation")
Message = desk_pb2.AskMembersResponse


@functools.cache
def _file(kind: str) -> bytes:
    return make(plot(kind)).SerializeToString()


def message(kind: str = "rating") -> Message:
    """A complete file to tamper with."""
    return Message.FromString(_file(kind))


def judge(found: Message | bytes, *, root: bytes = ROOT, **spans: float) -> Verdict:
    """Verify a message some time after it was made."""
    file = found if isinstance(found, bytes) else found.SerializeToString()
    return verify(file, root=root, now=later(**(spans or {"minutes": 1})))


def failures(verdict: Verdict) -> list[tuple[str, str, Check]]:
    """Name the parts that failed and the check."""
    return [(each.name, each.of, each.failed) for each in verdict.parts if each.failed]


def values(member: str, **changes: Any) -> Callable[[Message], None]:
    """Forge an answer with its own member's key, as a dishonest origin or a thief of the key would."""

    def forge(found: Message) -> None:
        answer = found.exchanges[MEMBERS.index(member)].answer.answer
        answer.CopyFrom(resigned(answer, Answer, SIGNERS[member], **changes))

    return forge


def flip(payload: bytes, at: int = -1) -> bytes:
    """Change one bit."""
    return payload[:at] + bytes([payload[at] ^ 1]) + (payload[at + 1 :] if at != -1 else b"")


def result_with(found: Message, **changes: Any) -> None:
    """Sign another result with the asker's key."""
    found.result.CopyFrom(resigned(found.result, CombinedResult, SIGNERS[SHANGHAI], **changes))


def result_of(found: Message) -> CombinedResult:
    """Read the signed result."""
    return wire.decode(CombinedResult, found.result.payload)


def _first_subject(found: Message, **changes: Any) -> None:
    first, *rest = result_of(found).subjects
    result_with(found, subjects=(replace(first, **changes), *rest))


def _grade(found: Message) -> None:
    held = wire.decode(Recognition, found.recognitions[0].payload)
    better = replace(held.result, recognised_grade=Grade.A)
    found.recognitions[0].CopyFrom(resigned(found.recognitions[0], Recognition, SIGNERS[SHANGHAI], result=better))


def _recognition(**changes: Any) -> Callable[[Message], None]:
    def forge(found: Message) -> None:
        held = found.recognitions[0]
        held.CopyFrom(resigned(held, Recognition, SIGNERS[SHANGHAI], **changes))

    return forge


def _items(found: Message, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Change Jiangsu's items and sign the new root with Jiangsu's key."""
    answer = found.exchanges[1].answer
    items = change(list(answer.items))
    del answer.items[:]
    answer.items.extend(items)
    root = tree.root([tree.leaf_hash(each) for each in items])
    answer.answer.CopyFrom(resigned(answer.answer, Answer, SIGNERS[JIANGSU], items_root=root, item_count=len(items)))


def _other_subject(items: list[bytes]) -> list[bytes]:
    held = wire.decode(Item, items[0][16:])
    return [items[0][:16] + wire.encode(replace(held, uscc=FOREIGN_USCC))]


def _ungrant(found: Message) -> None:
    """Say more than the head grants."""
    values(JIANGSU, fields_granted=("ceiling.grade",))(found)
    _items(found, lambda items: [items[0][:16] + _rated(items[0][16:])])


def _rated(payload: bytes) -> bytes:
    rated = next(each for each in wire.decode(Item, _shanghai_item()).body.ratings)  # type: ignore[union-attr]
    held = wire.decode(Item, payload)
    return wire.encode(replace(held, body=replace(held.body, ratings=(rated,))))  # type: ignore[type-var]


def _shanghai_item() -> bytes:
    return message().exchanges[0].answer.items[0][16:]


def _swap(found: Message) -> None:
    mine, other = found.exchanges[1].answer, found.exchanges[2].answer
    held = type(mine).FromString(mine.SerializeToString())
    mine.CopyFrom(other)
    other.CopyFrom(held)


def _question(**changes: Any) -> Callable[[Message], None]:
    def forge(found: Message) -> None:
        asked = found.exchanges[1].question
        header = wire.decode(Question, asked.payload).header
        asked.CopyFrom(resigned(asked, Question, SIGNERS[SHANGHAI], header=replace(header, **changes)))

    return forge


def _outcome(**changes: Any) -> Callable[[Message], None]:
    def forge(found: Message) -> None:
        members = list(result_of(found).members)
        members[1] = replace(members[1], **changes)
        result_with(found, members=tuple(members))

    return forge


def _flip_bundle(found: Message) -> None:
    found.bundle = found.bundle.replace(b'"version":7', b'"version":8', 1)


def _typed(found: Message) -> None:
    held = found.result
    again = sign(wire.PAYLOAD_TYPES[Recognition], held.payload, SIGNERS[SHANGHAI])
    held.CopyFrom(carriers.envelope_to_message(again))


def _by(signer: suite.Signer) -> Callable[[Message], None]:
    def forge(found: Message) -> None:
        found.result.CopyFrom(resigned(found.result, CombinedResult, signer))

    return forge


def _flipped(part: Callable[[Message], envelope_pb2.Envelope], field: str) -> Callable[[Message], None]:
    def forge(found: Message) -> None:
        envelope = part(found)
        if field == "payload":
            envelope.payload = flip(envelope.payload)
        else:
            envelope.signatures[0].signature = flip(envelope.signatures[0].signature)

    return forge


def _drop_item(found: Message) -> None:
    del found.exchanges[1].answer.items[:]


def _extra_item(found: Message) -> None:
    found.exchanges[1].answer.items.append(found.exchanges[1].answer.items[0])


def _flip_item(found: Message) -> None:
    found.exchanges[1].answer.items[0] = flip(found.exchanges[1].answer.items[0])


def _drop_answer(found: Message) -> None:
    found.exchanges[1].ClearField("answer")


def _drop_exchange(found: Message) -> None:
    del found.exchanges[1]


def _rename_exchange(found: Message) -> None:
    found.exchanges[1].member = ANHUI


def _drop_recognition(found: Message) -> None:
    del found.recognitions[:]


def _twice_recognised(found: Message) -> None:
    found.recognitions.append(found.recognitions[0])


S, R, J = "result", "recognition", JIANGSU
CASES: dict[str, tuple[Callable[[Message], object], tuple[str, str, Check]]] = {
    "the bundle is altered": (_flip_bundle, ("bundle", "", Check.SIGNATURE)),
    "the result's payload is altered": (_flipped(lambda m: m.result, "payload"), (S, "", Check.SIGNATURE)),
    "the result's signature is altered": (_flipped(lambda m: m.result, "signature"), (S, "", Check.SIGNATURE)),
    "the result is signed as another type": (_typed, (S, "", Check.SIGNATURE)),
    "the result is signed by another member": (_by(SIGNERS[JIANGSU]), (S, "", Check.KEY)),
    "the result is signed by a stranger": (
        _by(suite.signer(bytes([99]) * 32, owner=SHANGHAI)),
        (S, "", Check.SIGNATURE),
    ),
    "the result is backdated before the key": (
        lambda m: result_with(m, combine_time=later(days=-365)),
        (S, "", Check.KEY),
    ),
    "an exchange is dropped": (_drop_exchange, (S, "", Check.MEMBERS)),
    "an exchange is another member's": (_rename_exchange, (S, "", Check.MEMBERS)),
    "a question is altered": (
        _flipped(lambda m: m.exchanges[1].question, "payload"),
        ("question", J, Check.SIGNATURE),
    ),
    "a question names another case": (_question(case_reference="C-2"), ("question", J, Check.QUESTION)),
    "a question names another intent": (
        _question(officer_assertion_digest=bytes(32)),
        ("question", J, Check.QUESTION),
    ),
    "a question is for another member": (_question(answerer_member=ANHUI), ("question", J, Check.QUESTION)),
    "the asker's officer has no role": (_question(officer="nobody"), ("question", J, Check.PERMIT)),
    "an answer's payload is altered": (
        _flipped(lambda m: m.exchanges[1].answer.answer, "payload"),
        ("answer", J, Check.SIGNATURE),
    ),
    "an answer's signature is altered": (
        _flipped(lambda m: m.exchanges[1].answer.answer, "signature"),
        ("answer", J, Check.SIGNATURE),
    ),
    "two members' answers are swapped": (_swap, ("answer", J, Check.KEY)),
    "an answer is to another question": (values(J, question_digest=bytes(32)), ("answer", J, Check.BINDING)),
    "an item is dropped": (_drop_item, ("answer", J, Check.ITEMS)),
    "an item is added": (_extra_item, ("answer", J, Check.ITEMS)),
    "an item is altered": (_flip_item, ("answer", J, Check.ITEMS)),
    "an item is about another subject": (lambda m: _items(m, _other_subject), ("answer", J, Check.CONTENT)),
    "an item says more than was granted": (_ungrant, ("answer", J, Check.CONTENT)),
    "more is granted than the agreement allows": (
        values(J, fields_granted=("ceiling.grade", "penalty.band")),
        ("answer", J, Check.GRANT),
    ),
    "an answer comes from the future": (values(J, answer_time=later(hours=1)), ("answer", J, Check.ACCEPTANCE)),
    "an answer had expired when it was combined": (
        values(J, answer_time=later(seconds=-9), as_of_time=later(seconds=-9), valid_until_time=later(seconds=-1)),
        ("answer", J, Check.ACCEPTANCE),
    ),
    "an answer is given again with other words": (values(J, rule_version="none"), ("answer", J, Check.OUTCOME)),
    "an answer is hidden": (_drop_answer, ("silence", J, Check.OUTCOME)),
    "the result calls an answer silence": (
        _outcome(state=OutcomeState.UNAVAILABLE, answer_digest=b""),
        ("answer", J, Check.OUTCOME),
    ),
    "the running number differs": (_outcome(pair_sequence=99), ("question", J, Check.QUESTION)),
    "a conclusion is altered": (
        lambda m: _first_subject(m, state=ResultState.NOT_FOUND),
        ("subjects", "", Check.SUBJECTS),
    ),
    "a conclusion is left out": (lambda m: result_with(m, subjects=()), ("subjects", "", Check.SUBJECTS)),
    "a recognition is altered": (
        _flipped(lambda m: m.recognitions[0], "payload"),
        (R, "1", Check.SIGNATURE),
    ),
    "a recognised grade is raised": (_grade, (R, "1", Check.RECOGNITION)),
    "a recognition rests on other answers": (_recognition(answer_digests=()), (R, "1", Check.BINDING)),
    "a recognition is for another agency": (_recognition(agency="310000-court"), (R, "1", Check.RECOGNITION)),
    "a recognition is for another subject": (_recognition(uscc=FOREIGN_USCC), (R, "1", Check.RECOGNITION)),
    "a recognition is left out": (_drop_recognition, ("recognitions", "", Check.MEMBERS)),
    "a recognition stands twice": (_twice_recognised, ("recognitions", "", Check.MEMBERS)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_genuine_file_passes_every_check(kind: str) -> None:
    """A file as the asker makes it is genuine and in time; offline its status is not known."""
    verdict = judge(message(kind))
    assert failures(verdict) == []
    assert (verdict.genuine, verdict.in_time, verdict.status) == (True, True, Status.UNKNOWN)
    assert {each.name for each in verdict.parts} >= {"bundle", "result", "question", "answer", "subjects"}


@pytest.mark.parametrize(("tamper", "failed"), CASES.values(), ids=CASES.keys())
def test_a_tampering_fails_its_check(tamper: Callable[[Message], object], failed: tuple[str, str, Check]) -> None:
    """Whatever is changed, the verdict is not genuine, shows nothing, and names the part and the check."""
    found = message()
    tamper(found)
    verdict = judge(found)
    assert failed in failures(verdict)
    assert (verdict.content, verdict.in_time) == (None, False)


@given(st.data())
def test_no_changed_byte_goes_unnoticed(data: st.DataObject) -> None:
    """Any byte of a file, changed to any other value, is found out, and nothing but a verdict comes of it."""
    file = bytearray(_file("rating"))
    at = data.draw(st.integers(0, len(file) - 1))
    file[at] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(Unreadable):
        assert not judge(bytes(file)).genuine


@pytest.mark.parametrize("file", [b"", b"no message at all", b"\xff" * 40, b"{}"])
def test_what_is_no_answer_file_is_unreadable(file: bytes) -> None:
    """Bytes without a result and a directory are told apart from a forged file."""
    with pytest.raises(Unreadable):
        judge(file)


def test_a_torn_file_is_unreadable() -> None:
    """A file that lost its end does not pass for a short one."""
    with pytest.raises(Unreadable):
        judge(_file("rating")[:-10])


def test_another_root_is_not_trusted() -> None:
    """A bundle under another root of the same members proves nothing."""
    other = root_of(MEMBERS, "another")
    assert failures(judge(message(), root=other)) == [("bundle", "", Check.SIGNATURE)]


def test_a_key_revoked_before_the_answer_does_not_count() -> None:
    """A directory that revokes the answerer's key from before the answer makes the file not genuine."""

    def revoke(document: dict[str, Any]) -> None:
        document["members"][1]["keys"][0]["revoked_time"] = "2026-03-09T00:00:00Z"

    found = message()
    found.bundle = bundles.signed_directory(revoke)
    assert ("answer", JIANGSU, Check.KEY) in failures(judge(found))


def test_a_key_revoked_after_the_answer_still_counts() -> None:
    """What was signed in a key's time stays genuine."""

    def revoke(document: dict[str, Any]) -> None:
        document["members"][1]["keys"][0]["revoked_time"] = "2026-03-11T00:00:00Z"

    found = message()
    found.bundle = bundles.signed_directory(revoke)
    assert judge(found, days=30).genuine


def test_a_directory_whose_tables_contradict_themselves_is_named() -> None:
    """A signed directory that no catalogue can be read from fails its own check."""
    found = message()
    found.bundle = bundles.signed_directory(lambda document: document.update(purposes=[{"code": "X"}]))
    assert failures(judge(found)) == [("bundle", "", Check.TABLES)]


def test_a_question_under_an_expired_directory_was_not_allowed() -> None:
    """A node whose directory has expired may not ask; a file that shows it did is not genuine."""
    found = message()
    found.bundle = bundles.signed_directory(lambda d: d.update(expire_time="2026-03-09T00:00:00Z"))
    assert ("question", JIANGSU, Check.PERMIT) in failures(judge(found))


def test_a_directory_that_expired_since_is_said_and_is_no_fault() -> None:
    """Old evidence still verifies; the verdict says that the directory has expired."""
    verdict = judge(message(), days=200)
    assert (verdict.genuine, verdict.bundle_expired, judge(message()).bundle_expired) == (True, True, False)


def test_an_expired_answer_is_genuine_and_not_in_time() -> None:
    """Genuine and in time are two things; the verdict names whose answer expired."""
    verdict = judge(message(), hours=24)
    assert (verdict.genuine, verdict.in_time, verdict.expired) == (True, False, MEMBERS)
    assert verdict.valid_until == later(hours=24)
    assert judge(message(), hours=23).in_time


def test_silence_and_refusals_are_part_of_a_genuine_file() -> None:
    """A file with a silent and a refusing member verifies, and keeps both apart."""
    found = make(plot("measures", silent=(ZHEJIANG,), refusing={ANHUI: RefusalReason.SUSPENDED}))
    verdict = judge(found)
    assert failures(verdict) == []
    assert verdict.content is not None
    heard = {each.outcome.member: each for each in verdict.content.exchanges}
    assert (heard[ZHEJIANG].accepted, heard[ZHEJIANG].refusal) == (None, None)
    refusal = heard[ANHUI].refusal
    assert refusal is not None
    assert refusal.reason is RefusalReason.SUSPENDED


@pytest.mark.parametrize(
    ("changes", "signer", "check"),
    [
        ({"question_digest": bytes(32)}, ANHUI, Check.BINDING),
        ({"reason": RefusalReason.OVERLOADED}, ANHUI, Check.OUTCOME),
        ({}, JIANGSU, Check.KEY),
    ],
)
def test_a_refusal_binds_like_an_answer(changes: dict[str, Any], signer: str, check: Check) -> None:
    """A refusal of another question, for another reason or by another member is found out."""
    found = make(plot("measures", refusing={ANHUI: RefusalReason.SUSPENDED}))
    refusal = found.exchanges[3].refusal
    refusal.CopyFrom(resigned(refusal, Refusal, SIGNERS[signer], **changes))
    assert failures(judge(found)) == [("refusal", ANHUI, check)]


def test_members_asked_different_things_do_not_combine() -> None:
    """A question to one member about something else cannot stand behind one result."""
    found, other = message("summary"), wire.decode(Question, message("summary").exchanges[0].question.payload)
    shorter = replace(other.body, data_items=("permit",))  # type: ignore[arg-type]
    silent = make(plot("summary", silent=(JIANGSU,)))
    asked = silent.exchanges[1].question
    asked.CopyFrom(resigned(asked, Question, SIGNERS[SHANGHAI], body=shorter))
    assert failures(judge(found)) == []
    assert failures(judge(silent)) == [("subjects", "", Check.QUESTION)]


def test_times_at_the_end_of_the_calendar_are_no_crash() -> None:
    """A forger's extreme times are a failed check like any other."""
    found = message()
    result_with(found, combine_time=NOW.replace(year=9999, month=12, day=31, hour=23, minute=59))
    assert not judge(found).genuine


def test_a_detail_never_quotes_what_was_read() -> None:
    """The text of a failed check repeats no subject."""
    found = message()
    _items(found, _other_subject)
    _first_subject(found, state=ResultState.NOT_FOUND)
    text = repr(judge(found).parts)
    assert USCC not in text
    assert FOREIGN_USCC not in text


def test_no_part_of_the_file_has_to_be_signed_again_to_verify() -> None:
    """The signed bytes in the file are those that were signed: an envelope of it opens as it stands."""
    held = message().result
    envelope = carriers.envelope_from_message(held)
    assert isinstance(envelope, Envelope)
    assert base64.b64decode(json.loads(to_json(envelope))["payload"]) == held.payload
