"""Every reason of refusal, reached on a real node over gRPC and mutual TLS."""

from __future__ import annotations

import asyncio
import os
import resource
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from callers import Caller, codes, leaf, measures, now, reason, summary
from conftest import SUSPENDED

from gateway import carriers, wire
from gateway.exchange.compose import sign_question
from gateway.federation import request_bytes
from gateway.model.answer import Answer
from gateway.model.codes import RefusalReason
from gateway.model.question import NamedSubject, ProbeQuestion, RatingQuestion
from gateway.model.signed import Reply
from gateway.uscc import sample_code
from keys import suite
from keys.envelope import Signature, sign
from nodes.lab import Lab
from yrdx.exchange.v1 import exchange_pb2

pytestmark = pytest.mark.net
Case = Callable[[Caller, Lab], Awaitable[Reply]]
CASES: dict[RefusalReason, Case] = {}


def case(reached: RefusalReason) -> Callable[[Case], Case]:
    """Enter a case in the table."""

    def enter(function: Case) -> Case:
        CASES[reached] = function
        return function

    return enter


@case(RefusalReason.MALFORMED)
async def truncated(caller: Caller, _: Lab) -> Reply:
    """Cut a question short."""
    return await caller.send(request_bytes(caller.compose())[:-3])


@case(RefusalReason.TOO_LARGE)
async def too_large(caller: Caller, _: Lab) -> Reply:
    """Ask about one subject too many."""
    return await caller.ask(caller.compose(summary(*codes(1_001))))


@case(RefusalReason.WRONG_TYPE)
async def wrong_type(caller: Caller, _: Lab) -> Reply:
    """Sign a question as an answer."""
    signed = caller.compose()
    envelope = sign(wire.PAYLOAD_TYPES[Answer], signed.envelope.payload, caller.signer)
    return await caller.ask(replace(signed, envelope=envelope))


@case(RefusalReason.UNKNOWN_MEMBER)
async def unknown_member(caller: Caller, _: Lab) -> Reply:
    """Sign as a member that is not in the directory."""
    caller.signer = suite.signer(suite.generate_seed(), owner="999999")
    return await caller.ask(caller.compose())


@case(RefusalReason.KEY_NOT_VALID)
async def unknown_key(caller: Caller, _: Lab) -> Reply:
    """Sign with a key that the directory does not hold."""
    caller.signer = suite.signer(suite.generate_seed(), owner=caller.me)
    return await caller.ask(caller.compose())


@case(RefusalReason.BAD_SIGNATURE)
async def bad_signature(caller: Caller, _: Lab) -> Reply:
    """Flip a bit of the signature."""
    signed = caller.compose()
    held = signed.envelope.signatures[0]
    flipped = Signature(key_id=held.key_id, signature=held.signature[:-1] + bytes([held.signature[-1] ^ 1]))
    return await caller.ask(replace(signed, envelope=replace(signed.envelope, signatures=(flipped,))))


@case(RefusalReason.WRONG_AUDIENCE)
async def wrong_audience(caller: Caller, _: Lab) -> Reply:
    """Send a question for Zhejiang to Jiangsu."""
    return await caller.ask(caller.compose(alter=lambda header: header.update(answerer_member="330000")))


@case(RefusalReason.EXPIRED)
async def expired(caller: Caller, _: Lab) -> Reply:
    """Ask ten minutes late."""
    asked = now() - timedelta(minutes=10)
    return await caller.ask(
        caller.compose(alter=lambda header: header.update(asked_time=asked, expire_time=asked + timedelta(seconds=60)))
    )


@case(RefusalReason.REPLAYED)
async def replayed(caller: Caller, _: Lab) -> Reply:
    """Use a question id for another body."""
    first = caller.compose()
    assert not (await caller.ask(first)).refused
    other = sign_question(replace(first.question, body=summary(*codes(2))), caller.signer)
    return await caller.ask(other)


@case(RefusalReason.UNKNOWN_KIND)
async def unknown_kind(caller: Caller, _: Lab) -> Reply:
    """Ask a kind that is in no table."""
    return await caller.ask(caller.compose(ProbeQuestion(text="x")))


@case(RefusalReason.PURPOSE_NOT_ALLOWED)
async def purpose_not_allowed(caller: Caller, _: Lab) -> Reply:
    """Ask a kind that the purpose does not have."""
    return await caller.ask(caller.compose(measures(), purpose="SCI_TECH_PROJECT", item="SH-2026-011"))


@case(RefusalReason.AGENCY_NOT_ALLOWED)
async def agency_not_allowed(caller: Caller, _: Lab) -> Reply:
    """Ask for another member's agency."""
    return await caller.ask(caller.compose(agency="330421-market"))


@case(RefusalReason.ITEM_NOT_PUBLISHED)
async def item_not_published(caller: Caller, _: Lab) -> Reply:
    """Name a matter that nobody published."""
    return await caller.ask(caller.compose(item="SH-2026-999"))


@case(RefusalReason.CASE_MISSING)
async def case_missing(caller: Caller, _: Lab) -> Reply:
    """Name no case where one is wanted."""
    return await caller.ask(caller.compose(purpose="ADMIN_LICENSING", item="SH-2026-001"))


@case(RefusalReason.SECOND_OFFICER_NEEDED)
async def second_officer_needed(caller: Caller, _: Lab) -> Reply:
    """Name no second officer where four eyes are wanted."""
    return await caller.ask(
        caller.compose(purpose="CUSTOMS_COOP", item="SH-2026-017", agency="310000-customs", case_reference="case-1")
    )


@case(RefusalReason.NO_AGREEMENT)
async def no_agreement(caller: Caller, _: Lab) -> Reply:
    """Name an agreement that there is not."""
    return await caller.ask(caller.compose(agreement="NONE-2026"))


@case(RefusalReason.NOT_IN_SCOPE)
async def not_in_scope(caller: Caller, _: Lab) -> Reply:
    """Ask from outside the zone."""
    return await caller.ask(
        caller.compose(
            RatingQuestion(subjects=codes(1)),
            purpose="RATING_RECOGNITION",
            item="SH-2026-012",
            agency="310000-credit",
            agreement="ZONE-2026",
        )
    )


@case(RefusalReason.AUTHORISATION_MISSING)
async def authorisation_missing(caller: Caller, _: Lab) -> Reply:
    """Ask without the subject's consent."""
    return await caller.ask(
        caller.compose(
            RatingQuestion(subjects=codes(1)),
            purpose="RATING_RECOGNITION",
            item="SH-2026-012",
            agency="310118-credit",
            agreement="ZONE-2026",
        )
    )


@case(RefusalReason.BUDGET_EXHAUSTED)
async def budget_exhausted(caller: Caller, _: Lab) -> Reply:
    """Ask about more subjects than a day allows."""
    return await caller.ask(
        caller.compose(
            summary(*codes(201)),
            purpose="SCI_TECH_PROJECT",
            item="SH-2026-011",
            agency="310000-science",
            case_reference="case-1",
        )
    )


@case(RefusalReason.BAD_SUBJECT)
async def bad_subject(caller: Caller, _: Lab) -> Reply:
    """Ask about a code with a wrong check character."""
    good = codes(1)[0].uscc
    wrong = good[:-1] + ("0" if good[-1] != "0" else "1")
    return await caller.ask(caller.compose(summary(NamedSubject(uscc=wrong))))


@case(RefusalReason.SUBJECT_KIND_CLOSED)
async def subject_kind_closed(caller: Caller, _: Lab) -> Reply:
    """Ask about a sole trader."""
    trader = NamedSubject(uscc=sample_code("92", "320102", 7))
    return await caller.ask(
        caller.compose(
            summary(trader),
            purpose="SCI_TECH_PROJECT",
            item="SH-2026-011",
            agency="310000-science",
            case_reference="case-1",
        )
    )


@case(RefusalReason.SUSPENDED)
async def suspended(caller: Caller, _: Lab) -> Reply:
    """Ask under a suspended agreement."""
    return await caller.ask(caller.compose(agreement=SUSPENDED))


@case(RefusalReason.STALE_BUNDLE)
async def stale_bundle(caller: Caller, _: Lab) -> Reply:
    """Ask under a directory below the floor."""
    return await caller.ask(caller.compose(alter=lambda header: header.update(bundle_version=0)))


@case(RefusalReason.OVERLOADED)
async def overloaded(caller: Caller, lab: Lab) -> Reply:
    """Hold the store's write lock, so that exchanges pile up before their commit."""
    lock = sqlite3.connect(lab.config(caller.to).data / "node.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    try:
        asked = [asyncio.ensure_future(caller.ask(caller.compose())) for _ in range(400)]
        for done in asyncio.as_completed(asked):
            reply = await done
            if reply.refused and reason(reply) is RefusalReason.OVERLOADED:
                return reply
    finally:
        lock.execute("ROLLBACK")
        lock.close()
        await asyncio.gather(*asked, return_exceptions=True)
    raise AssertionError


@case(RefusalReason.NOT_DURABLE)
async def not_durable(caller: Caller, lab: Lab) -> Reply:
    """Let the node's files grow no more, as a full disk does; afterwards it serves again."""
    process = int(lab.status(caller.to)["process_id"])
    resource.prlimit(process, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    try:
        reply = await caller.ask(caller.compose())
    finally:
        resource.prlimit(process, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert not (await caller.ask(caller.compose())).refused
    return reply


def test_the_table_holds_every_reason() -> None:
    """A reason without a case fails here, so that the table grows with the enum."""
    assert set(CASES) == set(RefusalReason)


@pytest.mark.parametrize("reached", list(CASES), ids=[each.value for each in CASES])
async def test_each_reason_is_reached_over_grpc(reached: RefusalReason, caller: Caller, lab: Lab) -> None:
    """Each bad question is refused with its own reason, signed by the answerer, and says nothing else."""
    reply = await CASES[reached](caller, lab)
    assert reason(reply) is reached


async def test_a_refusal_says_nothing_about_the_subject(caller: Caller) -> None:
    """The bytes of a refusal hold no code, and are as long for a known subject as for an unknown one."""
    sizes = set()
    for subject in codes(2):
        reply = await caller.ask(caller.compose(measures(subject), item="SH-2026-999"))
        assert subject.uscc.encode() not in reply.payload
        sizes.add(len(reply.payload))
    assert len(sizes) == 1


async def test_a_question_of_another_peer_is_refused(caller: Caller, lab: Lab) -> None:
    """A genuine question that another member carries is refused: the peer must be the signer (threat 10)."""
    reply = await caller.send(request_bytes(caller.compose()), identity=leaf(lab, "330000"))
    assert reason(reply) is RefusalReason.BAD_SIGNATURE


async def test_an_unknown_field_is_refused(caller: Caller) -> None:
    """A field that this version does not know, outside or inside the signature, is MALFORMED."""
    signed = caller.compose()
    outside = request_bytes(signed) + b"\xf2\x7d\x01x"
    inside = sign(signed.envelope.payload_type, signed.envelope.payload + b"\xf2\x7d\x01x", caller.signer)
    request = exchange_pb2.AskRequest(question=carriers.envelope_to_message(inside)).SerializeToString()
    assert [reason(await caller.send(each)) for each in (outside, request)] == [RefusalReason.MALFORMED] * 2


async def test_a_message_beyond_any_limit_does_not_reach_admission(caller: Caller) -> None:
    """Ten megabytes are refused by the transport, and the node answers the next question as ever (threat 16)."""
    with pytest.raises(Exception, match="RESOURCE_EXHAUSTED"):
        await caller.send(os.urandom(10 << 20))
    assert not (await caller.ask(caller.compose())).refused
