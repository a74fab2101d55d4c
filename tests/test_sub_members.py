"""Sub-members 下级成员 (A24): asked with their parent, answering for themselves, missed when they are silent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import worlds
from bundles import AGENCY, NOW, SIGNERS, charter_of, document, register, signed_directory
from fakes import DeadMember, FakeNode, FakeSource
from hubs import key_row
from receipts import LOGGERS
from test_asking import ask, feeds, intent
from worlds_tables import AGREEMENT, JIANGSU, MEMBERS, SHANGHAI, USCC, ZHEJIANG

from gateway.charter import Charter, covers, with_sub_members
from gateway.errors import Refused
from gateway.exchange.compose import Inquiry
from gateway.exchange.intend import choose_agreement, choose_members
from gateway.model.codes import OutcomeState, ResultState
from gateway.model.combined import CombinedResult, Intent
from keys import suite

PROVINCE, CITY = "340000", "340500"
CITY_SIGNER, CITY_LOGGER = (suite.signer(bytes([seed]) * 32, owner=CITY) for seed in (77, 78))
NARROW = "CITY-2026"
Document = dict[str, Any]
Edit = Callable[[Document], None]


@pytest.fixture(autouse=True)
def _signer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the city a key to sign answers with and one for its ledger."""
    monkeypatch.setitem(SIGNERS, CITY, CITY_SIGNER)
    monkeypatch.setitem(LOGGERS, CITY, CITY_LOGGER)


def with_city(found: Document) -> None:
    """Put Ma'anshan below Anhui, with a rule of its own."""
    anhui = next(each for each in found["members"] if each["id"] == PROVINCE)
    name = {"zh": "马鞍山市", "en": "Ma'anshan"}
    city = {
        **anhui,
        "id": CITY,
        "name": name,
        "parent": PROVINCE,
        "divisions": ["3405"],
        "keys": [key_row(CITY_SIGNER, use="sign"), key_row(CITY_LOGGER, use="ledger")],
    }
    found["members"].append(city)
    found["clocks"].append({**found["clocks"][0], "member": CITY, "version": "city-1"})


def with_narrow(found: Document) -> None:
    """Add an agreement of the city alone with Shanghai, which goes before that of the provinces."""
    with_city(found)
    first = next(each for each in found["agreements"] if each["id"] == AGREEMENT)
    found["agreements"].append({**first, "id": NARROW, "parties": [SHANGHAI, CITY], "precedence": 1})


def suspending(member: str) -> Edit:
    """Suspend a member."""

    def edit(found: Document) -> None:
        with_city(found)
        next(each for each in found["members"] if each["id"] == member)["suspended"] = True

    return edit


def charter(member: str = SHANGHAI, edit: Edit = with_city) -> Charter:
    """Read the directory for a member."""
    return charter_of(member, signed_directory(edit))


def federation(edit: Edit = with_city) -> dict[str, FakeNode]:
    """Give the four regions and the city in memory; Shanghai registers the subject, every feed is in time."""
    nodes = {
        member: FakeNode(charter=charter(member, edit), now=NOW, source=FakeSource(declared=feeds(member)))
        for member in (*MEMBERS, CITY)
    }
    nodes[SHANGHAI].source.rows = {USCC: {"register": [register()]}}
    for each in nodes.values():
        each.others = dict(nodes)
    return nodes


def states(result: CombinedResult) -> dict[str, OutcomeState]:
    """Give what became of each member's question."""
    return {each.member: each.state for each in result.members}


async def test_a_party_is_asked_with_its_sub_members() -> None:
    """Without names everybody whom the agreement covers is asked, a sub-member right behind its parent."""
    nodes = federation()
    result = await ask(nodes, intent(members=()))
    assert tuple(states(result)) == (*MEMBERS, CITY)
    assert set(states(result).values()) == {OutcomeState.ANSWERED}
    assert result.subjects[0].state is ResultState.NOT_FOUND


async def test_each_answers_for_what_its_own_agencies_decided() -> None:
    """The city's penalty is the city's, by name, and the province's answer knows nothing of it (U4)."""
    nodes = federation()
    nodes[CITY].source.rows = {USCC: {"penalty": [worlds.penalty()]}}
    result = await ask(nodes, intent(members=(PROVINCE, SHANGHAI)))
    said = {each.member: each.state for each in result.subjects[0].members}
    assert said == {PROVINCE: ResultState.NOT_FOUND, CITY: ResultState.FOUND, SHANGHAI: ResultState.NOT_FOUND}


async def test_a_subject_of_the_citys_division_is_at_home_there() -> None:
    """Parent and city may both hold an entry: the longest division decides whose it is (U1)."""
    nodes = federation()
    entry = {USCC: {"register": [register(division="340503")]}}
    nodes[SHANGHAI].source.rows = {}
    nodes[PROVINCE].source.rows = nodes[CITY].source.rows = entry
    result = await ask(nodes, intent(members=()))
    assert result.subjects[0].home_member == CITY


async def test_a_silent_sub_member_leaves_its_parents_region_incomplete() -> None:
    """The province's word is not enough where its city is silent (threat 25)."""
    nodes = federation()
    nodes[SHANGHAI].others[CITY] = DeadMember()
    result = await ask(nodes, intent(members=(PROVINCE, SHANGHAI)))
    assert states(result)[CITY] is OutcomeState.UNAVAILABLE
    assert (result.subjects[0].state, result.subjects[0].incomplete_members) == (ResultState.INCOMPLETE, (CITY,))


async def test_a_sub_member_is_suspended_alone() -> None:
    """The city is no longer heard, its province is, and nothing is clean without the city."""
    result = await ask(federation(suspending(CITY)), intent(members=(PROVINCE, SHANGHAI)))
    assert states(result)[PROVINCE] is OutcomeState.ANSWERED
    assert states(result)[CITY] is OutcomeState.WRONG_ANSWER
    assert (result.subjects[0].state, result.subjects[0].incomplete_members) == (ResultState.INCOMPLETE, (CITY,))


async def test_a_suspended_parent_takes_its_sub_members_with_it() -> None:
    """Neither province nor city is heard."""
    result = await ask(federation(suspending(PROVINCE)), intent(members=(PROVINCE, SHANGHAI)))
    assert (states(result)[PROVINCE], states(result)[CITY]) == (OutcomeState.WRONG_ANSWER, OutcomeState.WRONG_ANSWER)


async def test_a_sub_member_may_be_asked_alone() -> None:
    """Whoever names the city asks the city, under the agreement that its province signed."""
    result = await ask(federation(), intent(members=(CITY,)))
    assert tuple(states(result)) == (CITY,)
    assert result.agreement_id == AGREEMENT


def chosen(member: str, edit: Edit, *members: str) -> tuple[str, tuple[str, ...]]:
    """Choose agreement and members for a wish that names neither an agreement nor a case."""
    held, wish = charter(member, edit), intent(members=members, agreement_id="")
    agreement = choose_agreement(wish, "summary", held, NOW).id
    inquiry = Inquiry(intent=wish, intent_digest=bytes(32), agreement_id=agreement, case_subject_count=0)
    return agreement, choose_members(wish, inquiry, held)


@pytest.mark.parametrize(
    ("asker", "members", "agreement", "asked"),
    [
        (SHANGHAI, (CITY,), NARROW, (CITY,)),
        (SHANGHAI, (), AGREEMENT, (*MEMBERS, CITY)),
        (SHANGHAI, (PROVINCE,), AGREEMENT, (PROVINCE, CITY)),
        (SHANGHAI, (CITY, JIANGSU), AGREEMENT, (CITY, JIANGSU)),
        (CITY, (SHANGHAI,), NARROW, (SHANGHAI,)),
        (CITY, (ZHEJIANG,), AGREEMENT, (ZHEJIANG,)),
    ],
)
def test_a_sub_members_own_agreement_goes_before_its_parents(
    asker: str, members: tuple[str, ...], agreement: str, asked: tuple[str, ...]
) -> None:
    """By its own agreement a sub-member is a party without its province; what that leaves out falls to the parent's."""
    assert chosen(asker, with_narrow, *members) == (agreement, asked)


def test_an_agreement_of_the_city_covers_no_province() -> None:
    """A party brings what is below it, never what is above."""
    held = charter(SHANGHAI, with_narrow)
    narrow, wide = (held.catalogue.agreements[each] for each in (NARROW, AGREEMENT))
    assert [covers(held.directory, narrow, each) for each in (SHANGHAI, CITY, PROVINCE)] == [True, True, False]
    assert [covers(held.directory, wide, each) for each in (SHANGHAI, CITY, PROVINCE)] == [True, True, True]
    assert with_sub_members(held.directory, (CITY, PROVINCE, CITY)) == (CITY, PROVINCE)


@pytest.mark.parametrize("member", ["999999", JIANGSU])
def test_whom_the_agreement_does_not_cover_is_not_asked(member: str) -> None:
    """A member that is no party, and one that nobody knows, end with NO_AGREEMENT."""
    held = charter(SHANGHAI, with_narrow)
    wish: Intent = intent(members=(member,), agreement_id=NARROW)
    inquiry = Inquiry(intent=wish, intent_digest=bytes(32), agreement_id=NARROW, case_subject_count=0)
    with pytest.raises(Refused, match="NO_AGREEMENT"):
        choose_members(wish, inquiry, held)


def test_the_documents_own_members_have_no_sub_members() -> None:
    """Without rows below them the parties are asked as they stand."""
    assert with_sub_members(charter_of(SHANGHAI, signed_directory()).directory, MEMBERS) == MEMBERS
    assert [each["parent"] for each in document()["members"]] == [None] * len(MEMBERS)
    assert AGENCY.startswith(SHANGHAI)
