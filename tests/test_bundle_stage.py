"""Staged expiry: on a bundle whose timestamp has expired all goes on, marked; on a closed one nothing does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from io import StringIO
from typing import Any

import pytest
from bundles import (
    AGENCY,
    NOW,
    OFFICER,
    OFFICERS,
    ROOT,
    SIGNERS,
    charter_of,
    entropy,
    intent_of,
    make,
    plot,
    resigned,
    signed_directory,
)
from rich.console import Console
from worlds_tables import JIANGSU, MEMBERS, SHANGHAI

from gateway import wire
from gateway.charter import Charter, is_behind, stage_of
from gateway.charter import charter as read_charter
from gateway.errors import Refused
from gateway.exchange.admit import authenticate
from gateway.exchange.compose import Inquiry, compose
from gateway.exchange.intend import open_signed_request
from gateway.federation import request_bytes
from gateway.kinds import KINDS
from gateway.model.codes import BundleStage, RefusalReason
from gateway.model.combined import CombinedResult, Intent
from gateway.verification import Check, Content, verify
from keys.directory import Stop
from keys.envelope import sign
from nodes.cli import tables
from nodes.cli.words import Words
from nodes.federation.signing import Lives
from yrdx.exchange.v1 import desk_pb2

LONG, TICK, SKEW = timedelta(days=90), timedelta(microseconds=1), timedelta(seconds=30)
DEGRADED = Lives(targets=LONG, member=LONG, snapshot=LONG, timestamp=timedelta(days=1))
Message = desk_pb2.AskMembersResponse


@lru_cache
def _file() -> bytes:
    return make(plot("summary", lives=DEGRADED)).SerializeToString()


def message() -> Message:
    """A complete file of an exchange on a degraded bundle."""
    return Message.FromString(_file())


def failures(found: Message) -> list[tuple[str, Check]]:
    """Name the parts that fail, and the check."""
    verdict = verify(found.SerializeToString(), root=ROOT, now=NOW)
    return [(each.name, each.failed) for each in verdict.parts if each.failed]


def charter(member: str = SHANGHAI, lives: Lives | None = None) -> Charter:
    """Read the directory; without lives it is current."""
    return charter_of(member, signed_directory(lives=lives))


def test_the_stage_turns_at_the_timestamps_end() -> None:
    """Up to the end of the timestamp the bundle is current; from then on it is not."""
    found = charter(lives=DEGRADED)
    ends = found.directory.expire_time
    assert [stage_of(found, each) for each in (ends - TICK, ends)] == [BundleStage.NORMAL, BundleStage.DEGRADED]


def test_an_exchange_on_a_degraded_bundle_is_genuine_and_marked() -> None:
    """Every answer, each member's outcome and the combined result say that the bundle was no longer current."""
    content = verify(_file(), root=ROOT, now=NOW).content
    assert content is not None
    assert content.result.bundle_stage is BundleStage.DEGRADED
    assert {each.bundle_stage for each in content.result.members} == {BundleStage.DEGRADED}
    heads = [each.accepted.answer for each in content.exchanges if each.accepted]
    assert [each.bundle_stage for each in heads] == [BundleStage.DEGRADED] * len(MEMBERS)


def test_a_result_that_hides_the_stage_is_not_genuine() -> None:
    """An asker that leaves the mark out, of itself or of a member, is found out by whoever verifies the file."""
    found = message()
    found.result.CopyFrom(resigned(found.result, CombinedResult, SIGNERS[SHANGHAI], bundle_stage=BundleStage.NORMAL))
    assert failures(found) == [("subjects", Check.SUBJECTS)]
    found = message()
    result = wire.decode(CombinedResult, found.result.payload)
    members = tuple(replace(each, bundle_stage=BundleStage.NORMAL) for each in result.members)
    found.result.CopyFrom(resigned(found.result, CombinedResult, SIGNERS[SHANGHAI], members=members))
    assert failures(found) == [("answer", Check.OUTCOME)] * len(MEMBERS)


@pytest.mark.parametrize("silent", [True, False], ids=["silent", "refusing"])
def test_silence_has_no_stage(silent: bool) -> None:  # noqa: FBT001  a case, not a switch
    """Of a member that said nothing or refused no stage may be told."""
    how: dict[str, Any] = {"silent": (JIANGSU,)} if silent else {"refusing": {JIANGSU: RefusalReason.OVERLOADED}}
    found = make(plot("summary", **how))
    result = wire.decode(CombinedResult, found.result.payload)
    members = tuple(
        replace(each, bundle_stage=BundleStage.NORMAL) if each.member == JIANGSU else each for each in result.members
    )
    found.result.CopyFrom(resigned(found.result, CombinedResult, SIGNERS[SHANGHAI], members=members))
    assert failures(found) == [("silence" if silent else "refusal", Check.OUTCOME)]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_officer_sees_the_stage(language: str) -> None:
    """The head and each member's line say it, in both languages; on a current bundle nothing is said."""
    words, shown = Words(language=language), []
    for file in (_file(), make(plot("summary")).SerializeToString()):
        content = verify(file, root=ROOT, now=NOW).content
        assert isinstance(content, Content)
        out = StringIO()
        tables.show_content(Console(file=out, width=1000), content, words)
        shown.append(out.getvalue().count(words.code("bundle_stage", "DEGRADED")))
    assert shown == [1 + len(MEMBERS), 0]


def asked(found: Charter) -> None:
    """Ask at the desk."""
    envelope = sign(wire.PAYLOAD_TYPES[Intent], wire.encode(intent_of(plot("summary"))), OFFICERS[OFFICER])
    open_signed_request(envelope, Intent, AGENCY, found, NOW)


def answered(found: Charter) -> None:
    """Ask at the origin."""
    inquiry = Inquiry(
        intent=intent_of(plot("summary")), intent_digest=bytes(32), agreement_id="YRD", case_subject_count=0
    )
    signed = compose(inquiry, JIANGSU, 1, question_id=entropy(16), charter=charter(), signer=SIGNERS[SHANGHAI], now=NOW)
    authenticate(request_bytes(signed), peer=SHANGHAI, charter=replace(found, me=JIANGSU), now=NOW)


def lives(**spans: Any) -> Lives:
    """Give lives that end so long after the time of issue."""
    return replace(DEGRADED, **spans)


CLOSED = {
    "a closed bundle": (lambda: charter(lives=lives(snapshot=timedelta(days=9))), "STALE_BUNDLE"),
    "expired targets": (lambda: charter(lives=lives(targets=timedelta(days=9))), "STALE_BUNDLE"),
    "a degraded bundle": (lambda: charter(lives=DEGRADED), ""),
    "a clock that is behind": (lambda: replace(charter(), time_floor=NOW + SKEW + TICK), "STALE_BUNDLE"),
    "a clock within the skew": (lambda: replace(charter(), time_floor=NOW + SKEW), ""),
}


@pytest.mark.parametrize("door", [asked, answered], ids=["desk", "origin"])
@pytest.mark.parametrize(("made", "reason"), CLOSED.values(), ids=CLOSED)
def test_a_closed_bundle_refuses_at_both_ends(
    made: Callable[[], Charter], reason: str, door: Callable[[Charter], None]
) -> None:
    """Closed by expiry or by a clock set back, neither the desk nor the origin does anything; degraded, both do."""
    try:
        door(made())
        heard = ""
    except Refused as refused:
        heard = refused.reason.value
    assert heard == reason


def test_old_evidence_knows_no_time_floor() -> None:
    """A charter that is read to verify a file has no floor: any time is right for it."""
    assert not is_behind(charter(), NOW - 1000 * LONG)


def test_a_members_own_stops_hold_for_it_alone() -> None:
    """With a stop of its own a member reads the same bundle otherwise; the bundle stays as it was signed."""
    whole = charter()
    found = read_charter(SHANGHAI, whole.directory, KINDS, stops=[Stop(what="member", id=JIANGSU, ground="g")])
    assert [each.directory.suspended(JIANGSU, NOW) for each in (found, whole)] == [True, False]
    assert found.directory.archive == whole.directory.archive
