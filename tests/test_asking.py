"""One member asking for its agencies, over ports in memory: numbers, silence, wrong answers, results and cases."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
import worlds
from bundles import (
    AGENCY,
    NOW,
    OFFICER,
    OFFICERS,
    SECOND,
    SIGNERS,
    charter_of,
    intent_of,
    plot,
    register,
    signed_directory,
)
from fakes import DeadMember, FakeNode, FakeSource
from worlds_tables import MATTER, MEMBERS, PURPOSE, SHANGHAI, USCC

from gateway import carriers, wire
from gateway.errors import Refused, Unavailable
from gateway.exchange.compose import Inquiry, compose
from gateway.federation import LocalMember
from gateway.model.codes import OutcomeState, RefusalReason, ResultState
from gateway.model.combined import CaseOpening, CaseReading, CombinedResult, Intent
from gateway.model.question import NamedSubject, RatingQuestion
from gateway.model.signed import Reply
from gateway.ports import Closing, Feed
from keys import suite
from keys.envelope import Envelope, sign
from keys.errors import EnvelopeMalformed
from yrdx.exchange.v1 import desk_pb2

DIRECTORY = signed_directory()


def federation(**facts: Any) -> dict[str, FakeNode]:
    """Give four members in memory, every feed in time, the subject registered in Shanghai."""
    nodes = {
        member: FakeNode(charter=charter_of(member, DIRECTORY), now=NOW, source=FakeSource(declared=feeds(member)))
        for member in MEMBERS
    }
    nodes[SHANGHAI].source.rows = {USCC: {"register": [register()]}}
    for member, rows in facts.items():
        code = member.removeprefix("m")
        nodes[code].source.rows = {**nodes[code].source.rows, USCC: {**nodes[code].source.rows.get(USCC, {}), **rows}}
    for each in nodes.values():
        each.others = dict(nodes)
    return nodes


def feeds(member: str) -> tuple[Feed, ...]:
    """Declare every feed that an answer may need, delivered today."""
    pairs = [
        (domain, each) for domain in worlds.CATALOGUE.domains for each in ("penalty", "permit", "listing", "measure")
    ]
    today = NOW.date()
    return tuple(
        Feed(
            id=f"{member}-{domain}-{each}", agency="a", domain=domain, division=member, record_class=each,
            frequency_days=7, history_from=today.replace(year=2010), data_through=today, gaps=0,
        )
        for domain, each in (*pairs, ("REGISTER", "register"), ("RATING", "rating"))
    )  # fmt: skip


def signed(value: Any, *officers: str) -> Envelope:
    """Sign a desk request by officers."""
    return sign(
        wire.PAYLOAD_TYPES[type(value)], wire.encode(value), *(OFFICERS[each] for each in officers or (OFFICER,))
    )


def intent(kind: str = "summary", **changes: Any) -> Intent:
    """Write an intent without a case."""
    return replace(intent_of(plot(kind)), **{"case_reference": "", **changes})


async def ask(nodes: dict[str, FakeNode], wanted: Intent, *officers: str) -> CombinedResult:
    """Ask through Shanghai's desk."""
    await open_case(nodes)
    wanted = replace(wanted, case_reference=wanted.case_reference or "C-1")
    payload = await nodes[SHANGHAI].asking.ask(signed(wanted, *officers), AGENCY)
    message = desk_pb2.AskMembersResponse.FromString(payload)
    return wire.decode(CombinedResult, message.result.payload)


async def open_case(nodes: dict[str, FakeNode], **changes: Any) -> None:
    """Open the case of these tests."""
    opening = CaseOpening(
        **{
            "case_reference": "C-1", "agency": AGENCY, "officer": OFFICER, "open_time": NOW, "purpose": PURPOSE,
            "application_item": MATTER, **changes,
        }
    )  # fmt: skip
    officers = [each for each in (opening.officer, opening.approving_officer) if each]
    await nodes[SHANGHAI].cases.open_case(signed(opening, *officers), AGENCY)


async def test_four_members_that_say_nothing_make_a_clean_answer() -> None:
    """Nothing found is said only when all are complete and the subject is confirmed; every number is closed."""
    nodes = federation()
    result = await ask(nodes, intent())
    assert result.subjects[0].state is ResultState.NOT_FOUND
    log = nodes[SHANGHAI].log
    assert [each.question.header.pair_sequence for each in log.sent] == [1, 1, 1, 1]
    assert [each.outcome for each in log.closings] == ["ANSWERED"] * 4


async def test_a_dead_member_is_named_and_its_number_is_void() -> None:
    """Silence is an outcome with its attempts; the same bytes are tried again; nothing is concluded from it."""
    nodes = federation()
    dead = nodes[SHANGHAI].others["340000"] = DeadMember()
    result = await ask(nodes, intent())
    anhui = next(each for each in result.members if each.member == "340000")
    assert (anhui.state, len(anhui.attempts)) == (OutcomeState.UNAVAILABLE, 3)
    assert len(set(dead.asked)) == 1
    assert (result.subjects[0].state, result.subjects[0].incomplete_members) == (ResultState.INCOMPLETE, ("340000",))
    assert nodes[SHANGHAI].log.closings[-1].outcome == "VOID"


class Liar:
    """A member whose answers are for another question, or are signed by another."""

    def __init__(self, node: FakeNode, change: str) -> None:
        """Wrap a member."""
        self._node, self._change = node, change

    async def ask(self, request: bytes, _seconds: float) -> Reply:
        """Answer wrongly."""
        if self._change == "another question":
            other = compose(
                Inquiry(
                    intent=intent_of(plot("summary")), intent_digest=bytes(32), agreement_id="YRD-4-2026",
                    case_subject_count=0,
                ),
                self._node.charter.me, 9, question_id=bytes([9]) * 16, charter=charter_of(SHANGHAI, DIRECTORY),
                signer=SIGNERS[SHANGHAI], now=NOW,
            )  # fmt: skip
            request = carriers.write_request(other.envelope)
        reply = await self._node.answering.ask(request, SHANGHAI)
        return Reply(payload=reply.payload[:300] + b"x" * 40 + reply.payload[340:]) if self._change == "torn" else reply


@pytest.mark.parametrize("change", ["another question", "torn"])
async def test_a_wrong_answer_counts_as_silence(change: str) -> None:
    """What does not verify is named WRONG_ANSWER, is not shown, and supports no conclusion."""
    nodes = federation()
    nodes[SHANGHAI].others["320000"] = Liar(nodes["320000"], change)
    result = await ask(nodes, intent())
    jiangsu = next(each for each in result.members if each.member == "320000")
    assert (jiangsu.state, jiangsu.answer_digest) == (OutcomeState.WRONG_ANSWER, b"")
    assert result.subjects[0].state is ResultState.INCOMPLETE


async def test_a_refusal_by_a_member_carries_its_reason() -> None:
    """A member that refuses is named with the reason that it signed."""
    nodes = federation()
    nodes["330000"].charter = replace(nodes["330000"].charter, kinds={})
    result = await ask(nodes, intent())
    zhejiang = next(each for each in result.members if each.member == "330000")
    assert (zhejiang.state, zhejiang.reason) == (OutcomeState.REFUSED, RefusalReason.UNKNOWN_KIND)


async def closing(nodes: dict[str, FakeNode]) -> Closing:
    """Ask, and give how the question to Zhejiang was closed."""
    await ask(nodes, intent())
    questions = {each.digest: each.question.header for each in nodes[SHANGHAI].log.sent}
    found = {
        head.answerer_member: each
        for each in nodes[SHANGHAI].log.closings
        for head in questions.values()
        if head.question_id == each.question_id
    }
    return found["330000"]


async def test_a_refusal_is_entered_where_its_member_has_entered_it() -> None:
    """The asker's ledger names a refusal's digest only where the refuser's does: for a genuine question, for good."""
    nodes = federation()
    nodes["330000"].charter = replace(nodes["330000"].charter, kinds={})
    entered = await closing(nodes)
    assert (entered.outcome, entered.reason, len(entered.digest)) == ("REFUSED", "UNKNOWN_KIND", 32)
    assert nodes["330000"].journal.kept[-1].reply_digest == entered.digest
    nodes = federation()
    nodes["330000"].journal.failing = True
    passing = await closing(nodes)
    assert (passing.outcome, passing.reason, passing.digest) == ("REFUSED", "NOT_DURABLE", b"")
    nodes = federation()
    nodes["330000"].now = NOW + timedelta(hours=1)
    strange = await closing(nodes)
    assert (strange.outcome, strange.reason, strange.digest) == ("REFUSED", "EXPIRED", b"")


async def test_a_wrong_answer_is_closed_with_what_is_wrong() -> None:
    """The auditor reads which check failed."""
    nodes = federation()
    nodes[SHANGHAI].others["330000"] = Liar(nodes["330000"], "another question")
    found = await closing(nodes)
    assert (found.outcome, found.digest, found.reason) == ("VOID", b"", "refusal is for another question")


@pytest.mark.parametrize("step", ["open", "conclude"])
async def test_without_a_disk_nothing_is_sent_or_shown(step: str) -> None:
    """A log that fails before sending sends nothing; one that fails afterwards shows nothing."""
    nodes = federation()
    nodes[SHANGHAI].log.failing = step
    with pytest.raises(Refused) as refused:
        await ask(nodes, intent())
    assert refused.value.reason is RefusalReason.NOT_DURABLE
    assert len(nodes["320000"].journal.kept) == (0 if step == "open" else 1)


async def test_what_this_node_would_refuse_it_does_not_ask() -> None:
    """Both ends check: a question that policy refuses leaves no number and reaches nobody."""
    nodes = federation()
    with pytest.raises(Refused) as refused:
        await ask(nodes, intent(purpose="NONE"))
    assert refused.value.reason in {RefusalReason.CASE_MISSING, RefusalReason.PURPOSE_NOT_ALLOWED}
    assert (nodes[SHANGHAI].log.sent, nodes["320000"].journal.kept) == ([], [])


STRANGER = suite.signer(bytes([77]) * 32, owner=OFFICER)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("stranger", RefusalReason.KEY_NOT_VALID),
        ("old", RefusalReason.EXPIRED),
        ("type", RefusalReason.WRONG_TYPE),
        ("agency", RefusalReason.AGENCY_NOT_ALLOWED),
        ("second not signed", RefusalReason.SECOND_OFFICER_NEEDED),
        ("second not named", RefusalReason.BAD_SIGNATURE),
        ("bytes", RefusalReason.MALFORMED),
    ],
)
async def test_an_officer_is_believed_by_signature_alone(change: str, reason: RefusalReason) -> None:
    """The desk refuses an intent that its officers did not sign, each way with its own reason."""
    nodes = federation()
    await open_case(nodes)
    wanted, agency = replace(intent(), case_reference="C-1"), AGENCY
    kind, payload, signers = wire.PAYLOAD_TYPES[Intent], wire.encode(wanted), [OFFICERS[OFFICER]]
    if change == "stranger":
        signers = [STRANGER]
    elif change == "old":
        payload = wire.encode(replace(wanted, intend_time=NOW - timedelta(hours=1)))
    elif change == "type":
        kind = wire.PAYLOAD_TYPES[CaseOpening]
    elif change == "agency":
        agency = "310000-other"
    elif change == "second not signed":
        payload = wire.encode(replace(wanted, approving_officer=SECOND))
    elif change == "second not named":
        signers = [OFFICERS[OFFICER], OFFICERS[SECOND]]
    else:
        payload += b"\xf2\x7d\x01x"
    with pytest.raises(Refused) as refused:
        await nodes[SHANGHAI].asking.ask(sign(kind, payload, *signers), agency)
    assert refused.value.reason is reason


async def test_a_case_is_wanted_and_must_be_the_agencys_own() -> None:
    """A question names a case that the agency opened for this purpose and matter."""
    nodes = federation()
    with pytest.raises(Refused) as refused:
        await nodes[SHANGHAI].asking.ask(signed(intent(case_reference="C-404")), AGENCY)
    assert refused.value.reason is RefusalReason.CASE_MISSING


async def test_a_case_shows_its_results_page_by_page() -> None:
    """Results come oldest first, a page at a time, and only to the agency whose case it is."""
    nodes = federation()
    results = [await ask(nodes, intent(kind)) for kind in ("summary", "measures")]
    seen, token, more = [], "", True
    while more:
        reading = CaseReading(
            case_reference="C-1", agency=AGENCY, officer=OFFICER, read_time=NOW, page_size=1, page_token=token
        )
        case, page, more = nodes[SHANGHAI].cases.case(signed(reading), AGENCY)
        token = str(page[-1][0])
        assert case.case_reference == "C-1"
        seen += [desk_pb2.AskMembersResponse.FromString(each).result.payload for _, each in page]
    assert [wire.decode(CombinedResult, each) for each in seen] == results


async def test_a_large_case_needs_a_second_officer() -> None:
    """A case beyond the purpose's ordinary number of subjects wants four eyes (U14)."""
    nodes = federation()
    with pytest.raises(Refused) as refused:
        await open_case(nodes, subject_count=50_000)
    assert refused.value.reason is RefusalReason.SECOND_OFFICER_NEEDED
    await open_case(nodes, subject_count=50_000, approving_officer=SECOND)


class Sleeper:
    """A node that never comes to an answer."""

    async def ask(self, _request: bytes, _peer: str) -> Reply:
        """Wait for ever."""
        await asyncio.Event().wait()
        raise AssertionError


async def test_a_local_member_that_is_too_slow_is_silent() -> None:
    """One's own node is asked under a deadline as any other is."""
    with pytest.raises(Unavailable, match="DEADLINE_EXCEEDED"):
        await LocalMember(cast("Any", Sleeper()), SHANGHAI).ask(b"", 0.01)


async def test_no_case_is_larger_than_the_federation_allows() -> None:
    """However many officers sign, a case has a largest size, and an origin counts no further than that."""
    nodes = federation()
    limit = nodes[SHANGHAI].charter.catalogue.limits.case_subjects
    with pytest.raises(Refused) as refused:
        await open_case(nodes, subject_count=limit + 1, approving_officer=SECOND)
    assert refused.value.reason is RefusalReason.TOO_LARGE


async def test_a_scheme_that_no_table_holds_is_refused() -> None:
    """A typing error in a scheme's name is refused, and never looks like a subject without a rating."""
    nodes = federation()
    asked = intent("rating", body=RatingQuestion(subjects=(NamedSubject(uscc=USCC),), scheme_id="NOPE"))
    with pytest.raises(Refused) as refused:
        await ask(nodes, asked)
    assert refused.value.reason is RefusalReason.PURPOSE_NOT_ALLOWED


async def test_a_member_that_nobody_knows_is_refused() -> None:
    """A member that the directory does not list is named as such, not as a missing agreement."""
    with pytest.raises(Refused) as refused:
        await ask(federation(), intent(members=("999999",), agreement_id=""))
    assert refused.value.reason is RefusalReason.UNKNOWN_MEMBER


async def test_a_purpose_that_nobody_knows_is_refused() -> None:
    """Without case or agreement an unknown purpose is still refused as what it is."""
    asked = intent(purpose="NONE", agreement_id="", case_reference="")
    with pytest.raises(Refused) as refused:
        await federation()[SHANGHAI].asking.ask(signed(asked), AGENCY)
    assert refused.value.reason is RefusalReason.PURPOSE_NOT_ALLOWED


async def test_a_result_that_no_envelope_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """When more is found than a signed result can hold, the officer is told to ask about fewer, and sees nothing."""
    nodes = federation()

    def too_large(*_arguments: object, **_named: object) -> Envelope:
        raise EnvelopeMalformed("too large")

    monkeypatch.setattr("gateway.asking.conclude", too_large)
    with pytest.raises(Refused) as refused:
        await ask(nodes, intent())
    assert refused.value.reason is RefusalReason.TOO_LARGE
    assert nodes[SHANGHAI].log.results == []
