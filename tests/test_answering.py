"""One member answering, over ports in memory: what is looked up, kept, refused, and what a retry gets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import worlds
from bundles import AGENCY, NOW, SIGNERS, charter_of, intent_of, plot, register, signed_directory, stopped
from fakes import FakeNode, FakeSource
from worlds_tables import AGREEMENT, JIANGSU, PURPOSE, SHANGHAI, USCC, ZHEJIANG

from gateway import carriers, wire
from gateway.charter import Charter
from gateway.errors import NotDurable
from gateway.exchange.accept import accept
from gateway.exchange.admit import Admitted, Genuine
from gateway.exchange.compose import Inquiry, compose, sign_question
from gateway.exchange.permit import permit
from gateway.federation import request_bytes
from gateway.kinds import KINDS, probe
from gateway.model.answer import ProbeItem, Refusal
from gateway.model.codes import ItemState, RefusalReason
from gateway.model.question import ProbeQuestion
from gateway.model.signed import Reply, Signed
from gateway.ports import Kept
from keys.envelope import Envelope

DIRECTORY = signed_directory()


def node(**facts: Any) -> FakeNode:
    """Give Jiangsu's node with facts about one subject."""
    rows = {USCC: {"register": [register(division="320102")], **facts}}
    return FakeNode(charter=charter_of(JIANGSU, DIRECTORY), now=NOW, source=FakeSource(rows=rows))


def question(kind: str = "summary", identity: int = 1, **changes: Any) -> Signed:
    """Compose a question of Shanghai's to Jiangsu."""
    inquiry = Inquiry(
        intent=intent_of(plot(kind)), intent_digest=bytes(32), agreement_id=AGREEMENT, case_subject_count=0
    )
    signed = compose(
        inquiry, JIANGSU, identity, question_id=bytes([identity]) * 16, charter=charter_of(SHANGHAI, DIRECTORY),
        signer=SIGNERS[SHANGHAI], now=NOW,
    )  # fmt: skip
    return signed if not changes else sign_question(replace(signed.question, **changes), SIGNERS[SHANGHAI])


def refusal(reply: Reply) -> Refusal:
    """Read a refusal."""
    assert reply.refused
    return wire.decode(Refusal, wire.decode(Envelope, reply.payload).payload)


async def test_an_answer_is_kept_before_it_leaves() -> None:
    """What leaves is what the journal holds, with its subject, its fields and its charge."""
    jiangsu = node(penalty=[worlds.penalty()])
    signed = question()
    reply = await jiangsu.answering.ask(request_bytes(signed), SHANGHAI)
    (kept,) = jiangsu.journal.kept
    assert (kept.question_digest, kept.subjects) == (signed.digest, (USCC,))
    found = carriers.read_response(reply.payload)
    assert (kept.reply.payload, kept.reply_digest) == (
        carriers.write_response(found.answer, found.items), found.answer.digest(),
    )  # fmt: skip
    asker = charter_of(SHANGHAI, DIRECTORY)
    granted = permit(signed.question, charter=asker, now=NOW).grant
    assert accept(reply.payload, signed, granted, asker, NOW).items[0].state is ItemState.FOUND
    assert kept.fields_granted == tuple(sorted(granted.fields))


async def test_a_retry_gets_the_stored_bytes() -> None:
    """The same bytes again are answered from the journal, without a look-up or a second charge."""
    jiangsu = node()
    request = request_bytes(question())
    first = await jiangsu.answering.ask(request, SHANGHAI)
    assert await jiangsu.answering.ask(request, SHANGHAI) == first
    assert (len(jiangsu.source.asked), len(jiangsu.journal.kept)) == (1, 1)


def edited(edit: Callable[[dict[str, Any]], None]) -> Charter:
    """Give the charter of the next bundle for Jiangsu."""
    return charter_of(JIANGSU, signed_directory(edit))


def of_shanghai(document: dict[str, Any]) -> dict[str, Any]:
    """Find the asker's row."""
    found: dict[str, Any] = next(each for each in document["members"] if each["id"] == SHANGHAI)
    return found


TAKEN_AWAY: dict[str, tuple[Callable[[dict[str, Any]], None], RefusalReason]] = {
    "agency": (stopped("agency", AGENCY), RefusalReason.SUSPENDED),
    "agreement": (stopped("agreement", AGREEMENT), RefusalReason.SUSPENDED),
    "purpose": (stopped("purpose", PURPOSE), RefusalReason.PURPOSE_NOT_ALLOWED),
    "data item": (stopped("data_item", "penalty"), RefusalReason.REPLAYED),
    "officer": (lambda document: of_shanghai(document)["officers"].clear(), RefusalReason.AGENCY_NOT_ALLOWED),
}


@pytest.mark.parametrize(("edit", "why"), TAKEN_AWAY.values(), ids=TAKEN_AWAY)
async def test_a_stored_answer_is_withheld_when_it_would_not_be_given_now(
    edit: Callable[[dict[str, Any]], None], why: RefusalReason
) -> None:
    """A retry is looked at under the bundle in force; refused, it claims nothing: lifted, the stored bytes come."""
    jiangsu = node(penalty=[worlds.penalty()])
    before, request = jiangsu.charter, request_bytes(question())
    first = await jiangsu.answering.ask(request, SHANGHAI)
    jiangsu.charter = edited(edit)
    for _ in range(2):
        refused = refusal(await jiangsu.answering.ask(request, SHANGHAI))
        assert (refused.reason, refused.question_digest) == (why, question().digest)
    assert [(each.question_id, each.reason) for each in jiangsu.journal.kept[1:]] == [(None, why.value)] * 2
    assert [each.reason for each in jiangsu.events] == ["", why.value, why.value]
    jiangsu.charter = before
    assert await jiangsu.answering.ask(request, SHANGHAI) == first


async def test_a_stored_refusal_is_given_whatever_holds_now() -> None:
    """A refusal says nothing that could be withheld: its retry gets the same bytes under another bundle."""
    jiangsu = node()
    signed = question(header=replace(question().question.header, application_item="NONE"))
    first = await jiangsu.answering.ask(request_bytes(signed), SHANGHAI)
    jiangsu.charter = edited(stopped("agency", AGENCY))
    assert await jiangsu.answering.ask(request_bytes(signed), SHANGHAI) == first


async def test_duplicates_in_flight_wait_for_the_first() -> None:
    """Many copies at once make one exchange."""
    jiangsu = node()
    request = request_bytes(question())
    replies = await asyncio.gather(*(jiangsu.answering.ask(request, SHANGHAI) for _ in range(20)))
    assert (len(set(replies)), len(jiangsu.journal.kept)) == (1, 1)


async def test_a_refusal_is_decided_before_any_look_up() -> None:
    """A refused question reads nothing, is journalled, and a retry gets the same refusal."""
    jiangsu = node()
    signed = question(header=replace(question().question.header, application_item="NONE"))
    first = await jiangsu.answering.ask(request_bytes(signed), SHANGHAI)
    assert refusal(first).reason is RefusalReason.ITEM_NOT_PUBLISHED
    assert (refusal(first).question_digest, jiangsu.source.asked) == (signed.digest, [])
    assert await jiangsu.answering.ask(request_bytes(signed), SHANGHAI) == first
    assert [each.reason for each in jiangsu.journal.kept] == ["ITEM_NOT_PUBLISHED"]


async def test_a_flood_of_one_peer_leaves_the_others_their_pace() -> None:
    """A peer has so many questions a second; one too many is OVERLOADED, claims nothing, and may come again."""
    slow = signed_directory(lambda found: found["limits"].update(questions_per_second=2))
    jiangsu = node()
    jiangsu.charter = charter_of(JIANGSU, slow)
    replies = [await jiangsu.answering.ask(request_bytes(question(identity=each)), SHANGHAI) for each in (1, 2, 3)]
    assert [each.refused for each in replies] == [False, False, True]
    assert refusal(replies[2]).reason is RefusalReason.OVERLOADED
    other = await jiangsu.answering.ask(request_bytes(question(identity=3)), JIANGSU)
    assert refusal(other).reason is not RefusalReason.OVERLOADED
    jiangsu.ticks += 0.5
    assert not (await jiangsu.answering.ask(request_bytes(question(identity=3)), SHANGHAI)).refused


async def test_keys_are_told_of_questions_that_verified_alone() -> None:
    """Whoever keeps a stream open hears under which key a question verified, refused or not, and of no other key."""
    jiangsu, keys = node(), set[str]()
    for signed in (question(), question(identity=2, header=replace(question().question.header, purpose="NONE"))):
        await jiangsu.answering.ask(request_bytes(signed), SHANGHAI, keys=keys)
    assert keys == {SIGNERS[SHANGHAI].id}
    named = tuple(replace(each, key_id=SIGNERS[ZHEJIANG].id) for each in question().envelope.signatures)
    false = replace(question(), envelope=replace(question().envelope, signatures=named))
    assert refusal(await jiangsu.answering.ask(request_bytes(false), SHANGHAI, keys=keys)).reason is (
        RefusalReason.BAD_SIGNATURE
    )
    assert keys == {SIGNERS[SHANGHAI].id}


async def test_a_full_disk_lets_nothing_leave() -> None:
    """While the journal cannot keep it, an answer is NOT_DURABLE, and so is a refusal; afterwards both work."""
    jiangsu = node(penalty=[worlds.penalty()])
    jiangsu.journal.failing = True
    bad = question(identity=2, header=replace(question(identity=2).question.header, application_item="NONE"))
    for signed in (question(), bad):
        reply = await jiangsu.answering.ask(request_bytes(signed), SHANGHAI)
        assert refusal(reply).reason is RefusalReason.NOT_DURABLE
    assert jiangsu.journal.kept == []
    jiangsu.journal.failing = False
    assert not (await jiangsu.answering.ask(request_bytes(question()), SHANGHAI)).refused


async def test_a_damaged_ledger_lets_no_stored_answer_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no receipt can be made for a retry, it is refused, and the stored answer stays."""
    jiangsu = node()
    request = request_bytes(question())
    first = await jiangsu.answering.ask(request, SHANGHAI)

    def damaged(*_: bytes) -> Kept:
        raise NotDurable("no head")

    with monkeypatch.context() as patched:
        patched.setattr(jiangsu.journal, "find", damaged)
        assert refusal(await jiangsu.answering.ask(request, SHANGHAI)).reason is RefusalReason.NOT_DURABLE
    assert await jiangsu.answering.ask(request, SHANGHAI) == first


async def test_only_granted_columns_are_read() -> None:
    """Nothing is asked of the store but the kind's columns for the grant, and the register without its name."""
    jiangsu = node()
    await jiangsu.answering.ask(request_bytes(question("rating")), SHANGHAI)
    ((subjects, columns),) = jiangsu.source.asked
    granted = permit(question("rating").question, charter=jiangsu.charter, now=NOW).grant
    assert (subjects, set(columns)) == ((USCC,), {"register", *KINDS["rating"].columns(granted)})
    assert "name_digest" not in columns["register"]


async def test_events_name_no_subject() -> None:
    """What logs and metrics are told holds no code, and the reason of a refusal."""
    jiangsu = node()
    await jiangsu.answering.ask(request_bytes(question()), SHANGHAI)
    await jiangsu.answering.ask(b"torn", SHANGHAI)
    assert [(each.outcome, each.reason) for each in jiangsu.events] == [("ANSWERED", ""), ("REFUSED", "MALFORMED")]
    assert USCC not in repr(jiangsu.events)


async def test_a_kind_without_subjects_needs_no_change_of_a_step() -> None:
    """A kind that only this test knows is asked, admitted, released, kept and accepted by the steps as they are."""

    def allow(document: dict[str, Any]) -> None:
        row = next(each for each in document["purposes"] if each["code"] == PURPOSE)
        row["kinds"] = {**row["kinds"], "probe": {"fields": [], "windows": []}}
        for each in document["agreements"]:
            each["kinds"] = [*each["kinds"], "probe"]

    directory = signed_directory(allow)
    kinds = {**KINDS, "probe": probe.KIND}
    jiangsu = FakeNode(charter=replace(charter_of(JIANGSU, directory), kinds=kinds), now=NOW)
    shanghai = replace(charter_of(SHANGHAI, directory), kinds=kinds)
    signed = question(body=ProbeQuestion(text="marco"))
    reply = await jiangsu.answering.ask(request_bytes(signed), SHANGHAI)
    granted = permit(signed.question, charter=shanghai, now=NOW).grant
    (item,) = accept(reply.payload, signed, granted, shanghai, NOW).items
    assert (item.uscc, item.body) == ("", ProbeItem(text="marco"))
    assert jiangsu.journal.kept[0].subjects == ()


@pytest.mark.parametrize("kind", [Genuine, Admitted])
def test_verified_types_cannot_be_made_by_hand(kind: Any) -> None:
    """Only the checks give a genuine or an admitted question: an unadmitted one cannot be answered by mistake."""
    fields = dict.fromkeys(kind.__slots__)
    with pytest.raises(TypeError):
        kind(**fields, verified=object())
