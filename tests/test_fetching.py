"""An asking node fetches statuses from the subjects' homes: whom it asks, and what silence and refusals come to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bundles import AGENCY, NOW, OFFICER, OFFICERS, SECOND, SIGNERS, entropy, register
from consents import IDENTITY, STRANGER, Counter, by_key, charter, consent, signed, withdrawal
from fakes import FakeNode, FakeSource
from test_asking import feeds, intent, open_case
from test_authorisation import GOOD
from test_authorising import refused
from worlds_tables import JIANGSU, MEMBERS, PURPOSE, SHANGHAI, USCC, ZHEJIANG

from gateway import wire
from gateway.authorisation import vouch
from gateway.errors import Refused, Unavailable
from gateway.exchange.compose import Inquiry
from gateway.fetching import Errand, Fetching, LocalHome
from gateway.model.codes import OutcomeState, RefusalReason, Window
from gateway.model.combined import AllowanceReading, CombinedResult, Intent
from gateway.model.consent import StatusRequest
from gateway.model.question import NamedSubject, SummaryQuestion
from keys.envelope import Envelope
from yrdx.exchange.v1 import desk_pb2

R = RefusalReason


class Heard:
    """A home that plays a part: it fails so often, then gives what it has, and remembers what it was asked."""

    def __init__(self, *faults: Exception, found: tuple[Envelope, ...] = ()) -> None:
        """Play."""
        self.faults = list(faults)
        self.found = found
        self.asked: list[Envelope] = []

    async def statuses(self, request: Envelope, seconds: float) -> tuple[Envelope, ...]:
        """Answer as it plays."""
        assert seconds > 0
        self.asked.append(request)
        if self.faults:
            raise self.faults.pop(0)
        return self.found

    @property
    def requests(self) -> list[StatusRequest]:
        """What it was asked."""
        return [wire.decode(StatusRequest, each.payload) for each in self.asked]


class World:
    """Shanghai asks for its agency; a home is Shanghai's own counter, or what a test puts in its place."""

    def __init__(self, folder: Path) -> None:
        """Make four members in memory."""
        self.counter = Counter(folder=folder)
        self.homes: dict[str, Any] = {SHANGHAI: LocalHome(self.counter.authorising, SHANGHAI)}
        self.nodes = {
            member: FakeNode(charter=charter(member), now=NOW, source=FakeSource(declared=feeds(member)))
            for member in MEMBERS
        }
        for each in self.nodes.values():
            each.others = dict(self.nodes)
        self.node = self.nodes[SHANGHAI]
        self.node.source.rows = self.counter.rows
        self.events = self.node.events
        self.fetching = Fetching(
            Errand(
                charter=lambda: self.node.charter,
                signer=lambda: SIGNERS[SHANGHAI],
                clock=lambda: self.node.now,
                entropy=entropy,
                home=self.homes.get,
                is_home_of=self.counter.authorising.is_home_of,
                observe=self.events.append,
            )
        )
        self.node.asking._office = replace(self.node.asking._office, fetching=self.fetching)

    async def ask(self, **changes: Any) -> CombinedResult:
        """Ask as an officer who carries no envelope."""
        await open_case(self.nodes)
        wanted: Intent = intent("summary", **{"case_reference": "C-1", **changes})
        payload = await self.node.asking.ask(signed(wanted, OFFICERS[OFFICER]), AGENCY)
        message = desk_pb2.AskMembersResponse.FromString(payload)
        return wire.decode(CombinedResult, message.result.payload)

    @property
    def uses(self) -> int:
        """Count the uses taken."""
        return sum(each.use_count for each in self.counter.store.consents.consents(USCC))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Give the world with the subject's key enrolled."""
    found = World(tmp_path)
    await found.counter.enrolled()
    yield found
    found.counter.store.close()


def answered(result: CombinedResult) -> bool:
    """Say whether every member answered."""
    return all(each.state is OutcomeState.ANSWERED for each in result.members)


async def test_an_officer_who_names_nothing_is_covered_by_what_was_given(world: World) -> None:
    """The node finds the authorisation at the subject's home, and every origin takes it."""
    assert await refused(world.ask()) is R.AUTHORISATION_MISSING
    await world.counter.given()
    assert answered(await world.ask())
    assert answered(await world.ask(authorisation_references=(f"{SHANGHAI}/{IDENTITY.hex()}",)))


async def test_a_withdrawal_ends_the_next_question(world: World) -> None:
    """Nobody told the asker or an origin: the next question has no status."""
    await world.counter.given()
    assert answered(await world.ask())
    await world.counter.authorising.withdraw(by_key(withdrawal()), AGENCY)
    assert await refused(world.ask()) is R.AUTHORISATION_MISSING


async def test_a_limited_one_is_used_up_by_askings_and_not_by_members(world: World) -> None:
    """One asking of four members is one use; used up is refused exactly as none."""
    await world.counter.given(use_limit=2)
    results = [await world.ask(), await world.ask(members=(SHANGHAI,))]
    assert ([answered(each) for each in results], world.uses) == ([True, True], 2)
    assert await refused(world.ask()) is R.AUTHORISATION_MISSING
    assert world.uses == 2


async def test_a_question_that_is_refused_anyway_takes_no_use(world: World) -> None:
    """What another check refuses is refused before a status is asked for."""
    await world.counter.given(use_limit=1)
    for changes, reason in (
        ({"purpose": "NONE"}, R.CASE_MISSING),
        ({"purpose": "NONE", "case_reference": ""}, R.PURPOSE_NOT_ALLOWED),
        ({"application_item": "NONE"}, R.CASE_MISSING),
        ({"approving_officer": SECOND}, R.SECOND_OFFICER_NEEDED),
        ({"agreement_id": "NONE"}, R.NO_AGREEMENT),
        (
            {"body": SummaryQuestion(subjects=(NamedSubject(uscc="x"),), window=Window.M12)},
            R.BAD_SUBJECT,
        ),
    ):
        assert await refused(world.ask(**changes)) is reason
    assert world.uses == 0


async def test_an_envelope_that_is_carried_is_enough(world: World) -> None:
    """An officer who carries envelopes asks no home, unless one is named beside them."""
    await world.counter.given()
    home = world.homes[SHANGHAI] = Heard()
    carried = signed(consent(), SIGNERS[SHANGHAI])
    assert await refused(world.ask(authorisations=(carried,))) is R.AUTHORISATION_MISSING
    assert home.asked == []
    named = f"{SHANGHAI}/{IDENTITY.hex()}"
    assert await refused(world.ask(authorisations=(carried,), authorisation_references=(named,))) is (
        R.AUTHORISATION_MISSING
    )
    assert [each.authorisation_ids for each in home.requests] == [(IDENTITY,)]


def fetch(world: World, *codes: str, **changes: Any) -> Any:
    """Fetch for Jiangsu and Zhejiang."""
    inquiry = Inquiry(
        intent=intent("summary", **changes), intent_digest=bytes(32), agreement_id="", case_subject_count=0
    )
    return world.fetching.fetch(inquiry, "summary", codes, {JIANGSU: b"1" * 16, ZHEJIANG: b"2" * 16})


async def test_homes_are_asked_for_their_own_subjects(world: World) -> None:
    """One's own register decides for one's own; for others those that will be asked and where the code began."""
    homes = {member: Heard() for member in MEMBERS}
    world.homes.update(homes)
    elsewhere = "91" + JIANGSU + STRANGER[8:]
    await fetch(world, USCC, STRANGER, elsewhere)
    assert {member: [each.subjects for each in home.requests] for member, home in homes.items()} == {
        SHANGHAI: [(USCC,)],
        JIANGSU: [(STRANGER, elsewhere)],
        ZHEJIANG: [(STRANGER, elsewhere)],
        "340000": [],
    }
    (request,) = homes[JIANGSU].requests
    assert [(each.answerer_member, each.question_id[:1]) for each in request.questions] == [
        (JIANGSU, b"1"), (ZHEJIANG, b"2"),
    ]  # fmt: skip
    assert (request.asker_member, request.agency, request.purpose) == (SHANGHAI, AGENCY, PURPOSE)
    assert {each.use_id for home in homes.values() for each in home.requests} == {request.use_id}


async def test_silence_is_asked_again_with_the_same_bytes(world: World) -> None:
    """A home that does not answer is asked again within the deadline: the same request, so the same use."""
    status = signed(consent(), SIGNERS[JIANGSU])
    home = world.homes[JIANGSU] = Heard(Unavailable("x"), Unavailable("y"), found=(status,))
    assert len(await fetch(world, STRANGER)) == 1
    assert len(home.asked) == 3
    assert len(set(home.asked)) == 1


async def test_silence_and_refusal_are_no_authorisation(world: World) -> None:
    """A home that stays silent, refuses, or has no address gives nothing; each is told to the operator."""
    world.homes[JIANGSU] = Heard(*[Unavailable("x")] * 9)
    world.homes[ZHEJIANG] = Heard(Refused(R.AGENCY_NOT_ALLOWED))
    references = tuple(f"{member}/{IDENTITY.hex()}" for member in (JIANGSU, ZHEJIANG, "340000", "999999"))
    assert await fetch(world, STRANGER, authorisation_references=references) == ()
    assert {(each.side, each.peer, each.outcome, each.reason) for each in world.events} == {
        ("consent", "340000", "UNAVAILABLE", ""),
        ("consent", "999999", "UNAVAILABLE", ""),
        ("consent", ZHEJIANG, "REFUSED", "AGENCY_NOT_ALLOWED"),
        ("consent", JIANGSU, "UNAVAILABLE", ""),
    }


@pytest.mark.parametrize(
    ("references", "reason"),
    [
        (("",), R.MALFORMED),
        (("330000/xyz",), R.MALFORMED),
        (("330000/" + "0" * 31,), R.MALFORMED),
        (tuple(f"330000/{number:032x}" for number in range(101)), R.TOO_LARGE),
    ],
    ids=["empty", "no id", "short", "too many"],
)
async def test_a_reference_is_a_home_and_an_id(world: World, references: Any, reason: RefusalReason) -> None:
    """Anything else is refused before anybody is asked."""
    assert await refused(fetch(world, STRANGER, authorisation_references=references)) is reason


async def test_more_subjects_than_a_question_has_authorisations_are_refused(world: World) -> None:
    """A question holds a hundred authorisations; more subjects than that are asked in parts."""
    assert await refused(fetch(world, *map(str, range(101)))) is R.TOO_LARGE


async def test_a_list_is_asked_in_questions_that_hold_its_authorisations(world: World) -> None:
    """What the desk tells of a question's size is what it may carry where each subject needs one."""
    reading = AllowanceReading(agency=AGENCY, officer=OFFICER, purpose=PURPOSE, read_time=NOW)
    found = world.node.cases.allowance(signed(reading, OFFICERS[OFFICER]), AGENCY)
    assert found.subjects_per_question == world.node.charter.catalogue.limits.authorisations


async def test_a_slow_home_is_silent(world: World) -> None:
    """One's own counter has a deadline too, as any peer."""

    class Slow:
        async def statuses(self, _envelope: Envelope, _peer: str) -> tuple[Envelope, ...]:
            await asyncio.Event().wait()
            return ()

    slow: Any = Slow()
    with pytest.raises(Unavailable, match="DEADLINE_EXCEEDED"):
        await LocalHome(slow, SHANGHAI).statuses(signed(consent(), SIGNERS[SHANGHAI]), 0.001)
    assert await refused(world.ask()) is R.AUTHORISATION_MISSING


class TakenBack:
    """A home whose subject takes an authorisation back as soon as a status has left."""

    def __init__(self, counter: Counter) -> None:
        """Give the statuses of a counter."""
        self.counter = counter

    async def statuses(self, request: Envelope, seconds: float) -> tuple[Envelope, ...]:
        """Give them, then keep the withdrawal."""
        found = await LocalHome(self.counter.authorising, SHANGHAI).statuses(request, seconds)
        await self.counter.authorising.withdraw(by_key(withdrawal()), AGENCY)
        return found


async def test_a_home_answers_nothing_on_what_was_taken_back(world: World) -> None:
    """The home looks in its own book: a status of a moment before holds there no more; a second authorisation does."""
    world.node.consents = world.counter.store.consents.consents
    world.homes[SHANGHAI] = TakenBack(world.counter)
    await world.counter.given()
    found = {each.member: each.reason for each in (await world.ask()).members}
    assert found == {SHANGHAI: R.AUTHORISATION_MISSING, JIANGSU: None, ZHEJIANG: None, "340000": None}
    await world.counter.given(authorisation_id=b"2" * 16)
    assert answered(await world.ask())


# Who is the home


async def test_a_member_that_is_not_the_home_vouches_for_nobody(world: World) -> None:
    """An origin whose own register shows another home refuses; one that knows nothing of the subject cannot tell."""
    false = vouch(replace(GOOD, agency=AGENCY, purposes=(PURPOSE,), kinds=("summary",), members=tuple(MEMBERS),
                          home_member=JIANGSU, status_time=NOW), SIGNERS[JIANGSU])  # fmt: skip
    found = {each.member: each.reason for each in (await world.ask(authorisations=(false,))).members}
    assert found == {SHANGHAI: R.AUTHORISATION_MISSING, JIANGSU: None, ZHEJIANG: None, "340000": None}
    world.node.source.rows = {USCC: {"register": [register(lifecycle="MIGRATED")]}}
    world.node.now = NOW + timedelta(seconds=1)
    assert answered(await world.ask(authorisations=(false,), intend_time=world.node.now))
