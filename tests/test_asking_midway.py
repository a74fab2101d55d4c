"""A bundle that comes while answers are under way: what it takes away is not shown, though it was asked before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bundles import AGENCY, OFFICER, stopped
from desks import Desk, Document, officer_row
from fakes import FakeNode
from test_asking import ask, intent
from test_authorising import refused
from test_sub_members import with_city
from worlds_tables import AGREEMENT, JIANGSU, MEMBERS, PURPOSE, SHANGHAI

from gateway.model.codes import OutcomeState, RefusalReason, ResultState
from gateway.model.combined import CombinedResult
from gateway.model.signed import Reply

Edit = Callable[[Document], Any]


class Slow:
    """A member that has answered when the next bundle arrives everywhere, before its answer does."""

    def __init__(self, desk: Desk, node: FakeNode, edit: Edit) -> None:
        """Wrap a member."""
        self._desk, self._node, self._edit = desk, node, edit

    async def ask(self, request: bytes, _seconds: float) -> Reply:
        """Answer, then publish."""
        reply = await self._node.answering.ask(request, SHANGHAI)
        self._desk.edit(self._edit)
        return reply


def midway(edit: Edit) -> Desk:
    """Give a desk whose directory changes while Jiangsu's answer is on its way."""
    desk = Desk()
    desk.node.others[JIANGSU] = Slow(desk, desk.nodes[JIANGSU], edit)
    return desk


def states(result: CombinedResult) -> dict[str, OutcomeState]:
    """Give how each member's question ended."""
    return {each.member: each.state for each in result.members}


def row(document: Document, member: str) -> Document:
    """Find a member."""
    found: Document = next(each for each in document["members"] if each["id"] == member)
    return found


LATE: dict[str, Edit] = {
    "suspended": lambda document: row(document, JIANGSU).update(suspended=True),
    "in quarantine": stopped("member", JIANGSU),
    "without its key": lambda document: row(document, JIANGSU)["keys"].clear(),
    "of an item in quarantine": stopped("data_item", "penalty"),
}


@pytest.mark.parametrize("edit", LATE.values(), ids=LATE)
async def test_an_answer_that_is_too_late_is_silence(edit: Edit) -> None:
    """What the bundle in force does not let pass is not shown and supports no conclusion; its number is void."""
    desk = midway(edit)
    result = await ask(desk.nodes, intent())
    assert states(result)[JIANGSU] is OutcomeState.WRONG_ANSWER
    assert next(each for each in result.members if each.member == JIANGSU).answer_digest == b""
    assert result.subjects[0].state is ResultState.INCOMPLETE
    outcomes = {each.question_id: each.outcome for each in desk.node.log.closings}
    sent = next(each for each in desk.node.log.sent if each.question.header.answerer_member == JIANGSU)
    assert outcomes[sent.question.header.question_id] == "VOID"


async def test_a_refusal_of_a_member_that_is_stopped_is_silence_too() -> None:
    """Nothing that such a member signed is repeated, not even why it refused."""
    desk = midway(LATE["suspended"])
    desk.nodes[JIANGSU].journal.failing = True
    result = await ask(desk.nodes, intent())
    found = next(each for each in result.members if each.member == JIANGSU)
    assert (found.state, found.reason) == (OutcomeState.WRONG_ANSWER, None)


STOPS: dict[str, tuple[Edit, RefusalReason]] = {
    "agency": (stopped("agency", AGENCY), RefusalReason.SUSPENDED),
    "agreement": (stopped("agreement", AGREEMENT), RefusalReason.SUSPENDED),
    "purpose": (stopped("purpose", PURPOSE), RefusalReason.PURPOSE_NOT_ALLOWED),
    "officer": (lambda document: officer_row(document, OFFICER)["roles"].clear(), RefusalReason.AGENCY_NOT_ALLOWED),
}


@pytest.mark.parametrize(("edit", "why"), STOPS.values(), ids=STOPS)
async def test_nothing_is_shown_to_who_may_not_ask_any_more(edit: Edit, why: RefusalReason) -> None:
    """An agency, officer, purpose or agreement that ends meanwhile gets its refusal, and the case no result."""
    desk = midway(edit)
    assert await refused(ask(desk.nodes, intent())) is why
    assert (len(desk.node.log.sent), desk.node.log.results) == (4, [])


async def test_another_bundle_that_takes_nothing_away_changes_nothing() -> None:
    """An answer asked under one bundle is good under the next, and the result is whole."""
    result = await ask(midway(lambda _: None).nodes, intent())
    assert states(result) == dict.fromkeys(MEMBERS, OutcomeState.ANSWERED)


async def test_a_member_that_left_meanwhile_is_to_be_asked_no_more() -> None:
    """Whoever asked is told so, and asks those that are left."""
    desk = midway(lambda document: [document[each].pop() for each in ("members", "clocks")])
    desk.edit(with_city)
    assert await refused(ask(desk.nodes, intent(members=()))) is RefusalReason.UNKNOWN_MEMBER
    desk.node.others[JIANGSU] = desk.nodes[JIANGSU]
    assert states(await ask(desk.nodes, intent(members=()))) == dict.fromkeys(MEMBERS, OutcomeState.ANSWERED)
