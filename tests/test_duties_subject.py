"""Who a subject is must be confirmed (U1, threat 25): nobody is clean by being unknown, foreign or unheard of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import count

import pytest
from callers import measures, summary
from officers import Officer, Told, deliver, denied, named, rating, settle, start
from populations import populate

from gateway.clocks import civil_day
from gateway.model.answer import LinkedCode
from gateway.model.codes import (
    CoverageState,
    Lifecycle,
    LinkKind,
    RefusalReason,
    ResultState,
    Verdict,
    Window,
)
from gateway.model.question import SummaryQuestion
from gateway.uscc import sample_code
from nodes.lab import Lab, build
from nodes.sample.records import Desk
from nodes.sample.scenarios import CLEAN, MOVED_IN, MOVED_OUT, SOLE_TRADER, UNREGISTERED, Scenario
from nodes.sample.subjects import Subject

pytestmark = pytest.mark.net
FOREIGN = sample_code("91", "110105", 1)
SINCE = date(2019, 1, 1)
PAIR = ("310000", "320000")
_serials = count(500_000)


@pytest.fixture(scope="module", autouse=True)
def _settled(lab: Lab) -> None:
    settle(lab)


@pytest.fixture
def officer(lab: Lab) -> Officer:
    """Give an officer of Qingpu's market regulator."""
    return Officer(lab=lab)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run Shanghai and Jiangsu with further subjects of all sorts; Jiangsu's register alone was never loaded."""
    built = build(tmp_path_factory.mktemp("subjects") / "lab")
    try:
        populate(built, "310000", subjects=0)
        deliver(built, "320000", lambda desk: desk.penalty(fresh("320102"), "TAX-G-001", decided=SINCE))
        yield start(built, *PAIR)
    finally:
        built.stop()


def fresh(division: str, prefix: str = "91") -> Subject:
    """Give a subject that no other test has."""
    serial = next(_serials)
    return Subject(uscc=sample_code(prefix, division, serial), name=f"样例主体{serial}号有限公司")


async def everything(officer: Officer, code: str, *, members: tuple[str, ...] = ()) -> list[Told]:
    """Ask all four kinds about a code."""
    return [
        await officer.ask(summary(named(code)), members=members),
        await officer.ask(rating(named(code)), members=members),
        await officer.ask(measures(named(code)), members=members),
        await officer.certify(code, members=members),
    ]


@pytest.mark.parametrize(
    ("code", "state"),
    [
        pytest.param(UNREGISTERED.uscc, ResultState.SUBJECT_UNCONFIRMED, id="made-up"),
        pytest.param(sample_code("91", "340503", 77), ResultState.SUBJECT_UNCONFIRMED, id="made-up-elsewhere"),
        pytest.param(FOREIGN, ResultState.HOME_OUTSIDE_FEDERATION, id="foreign"),
    ],
)
async def test_an_unknown_code_is_never_clean(officer: Officer, code: str, state: ResultState) -> None:
    """A made-up code with good check digits and a foreign one end in their own state, for every kind."""
    for told in await everything(officer, code):
        assert (told.subject.state, told.subject.home_member) == (state, "")
        assert {each.verdict for each in told.subject.domains} <= {Verdict.PARTIAL}
        assert told.recognitions == ()
        assert set(told.states.values()) == {"NOT_FOUND"}


async def test_a_firm_of_a_member_that_was_not_asked_is_not_clean(officer: Officer) -> None:
    """Asked of Shanghai alone, a firm of Zhejiang is confirmed by nobody that was asked, never clean."""
    told = await officer.ask(summary(named(MOVED_IN.uscc)), members=("310000",))
    assert (told.subject.state, told.subject.home_member) == (ResultState.SUBJECT_UNCONFIRMED, "")


async def test_a_member_whose_register_was_never_loaded_leaves_every_kind_incomplete(pair: Lab) -> None:
    """Jiangsu answers without a register: its coverage says PARTIAL, and nobody is clean by it (U2)."""
    for told in await everything(Officer(lab=pair), CLEAN.uscc, members=PAIR):
        register = {each.domain: each.state for each in told.heads["320000"].coverage}["REGISTER"]
        assert register is CoverageState.PARTIAL
        assert (told.subject.state, told.subject.incomplete_members) == (ResultState.INCOMPLETE, ("320000",))
        assert {each.verdict for each in told.subject.domains} <= {Verdict.PARTIAL}


async def test_a_name_is_compared_at_the_home_member_only(officer: Officer) -> None:
    """The home member says yes or no to a name, folded as a reader would; others say nothing; no name comes back."""
    told = await officer.ask(summary(named(CLEAN.uscc, f" {CLEAN.name.replace('（', '(').replace('）', ')')} ")))
    assert {member: each.name_match for member, each in told.items.items()} == {
        "310000": True, "320000": None, "330000": None, "340000": None,
    }  # fmt: skip
    assert (told.subject.state, told.subject.marks) == (ResultState.NOT_FOUND, ())
    for exchange in told.response.exchanges:
        assert CLEAN.name.encode() not in exchange.answer.SerializeToString()


async def test_another_name_is_marked_and_not_corrected(officer: Officer) -> None:
    """A wrong name is a NAME_MISMATCH beside the conclusion; the registered name is never told."""
    told = await officer.ask(summary(named(CLEAN.uscc, "样例另一名称有限公司")))
    assert told.items["310000"].name_match is False
    assert (told.subject.state, told.subject.marks) == (ResultState.NOT_FOUND, (ResultState.NAME_MISMATCH,))
    assert CLEAN.name.encode() not in told.raw


async def test_a_name_with_an_unregistered_code_matches_nowhere(officer: Officer) -> None:
    """Where no member registers the subject there is nothing to compare, and nothing is confirmed."""
    told = await officer.ask(summary(named(UNREGISTERED.uscc, UNREGISTERED.name)))
    assert {each.name_match for each in told.items.values()} == {None}
    assert (told.subject.state, told.subject.marks) == (ResultState.SUBJECT_UNCONFIRMED, ())


@pytest.mark.parametrize("scenario", [MOVED_OUT, MOVED_IN], ids=lambda each: each.slug)
async def test_a_subject_that_moved_within_its_region_stays_confirmed(officer: Officer, scenario: Scenario) -> None:
    """The entry in force confirms, wherever within the region the subject sits now."""
    told = await officer.ask(summary(named(scenario.uscc)))
    assert (told.subject.state, told.subject.home_member) == (ResultState.NOT_FOUND, "330000")


async def test_the_register_decides_and_not_the_digits_of_the_code(pair: Lab) -> None:
    """A firm with a code of Jiangsu that sits in Shanghai is confirmed by Shanghai alone (U1, U10)."""
    subject = fresh("320509")
    deliver(pair, "310000", lambda desk: desk.register(subject, division="310118", since=SINCE))
    told = await Officer(lab=pair).ask(measures(named(subject.uscc)), members=("310000",))
    assert (told.subject.state, told.subject.home_member) == (ResultState.NOT_FOUND, "310000")


@pytest.mark.parametrize("lifecycle", [each for each in Lifecycle if each is not Lifecycle.ACTIVE])
async def test_only_an_active_registration_confirms(pair: Lab, lifecycle: Lifecycle) -> None:
    """A subject that is revoked, deregistered, merged or gone is told apart from one in business."""
    subject, heir = fresh("310118"), fresh("310118")

    def write(desk: Desk) -> None:
        desk.register(subject, division="310118", since=SINCE, lifecycle=lifecycle.value, successor=heir.uscc)

    deliver(pair, "310000", write)
    told = await Officer(lab=pair).ask(measures(named(subject.uscc)), members=("310000",))
    item = told.items["310000"]
    assert (told.subject.state, told.subject.home_member) == (ResultState.SUBJECT_UNCONFIRMED, "")
    assert (item.lifecycle, item.registered_here) == (lifecycle, lifecycle is not Lifecycle.MIGRATED)
    assert item.linked_codes == (LinkedCode(uscc=heir.uscc, kind=LinkKind.SUCCESSOR),)


async def test_an_entry_that_ended_or_has_not_begun_confirms_nobody(pair: Lab) -> None:
    """A registration that ran out yesterday, and one that begins tomorrow, are none today."""
    today = civil_day(pair.clock())
    ended, coming = fresh("310118"), fresh("310118")

    def write(desk: Desk) -> None:
        desk.register(ended, division="310118", since=SINCE, until=today)
        desk.register(coming, division="310118", since=today + timedelta(days=1))

    deliver(pair, "310000", write)
    told = await Officer(lab=pair).ask(measures(named(ended.uscc), named(coming.uscc)), members=("310000",))
    assert [each.state for each in told.result.subjects] == [ResultState.SUBJECT_UNCONFIRMED] * 2


async def test_a_branch_names_its_head(pair: Lab) -> None:
    """A branch is linked to its head, and the answer says that branches are not included (U6)."""
    branch = fresh("310118")
    deliver(pair, "310000", lambda desk: desk.register(branch, division="310118", since=SINCE, branch_of=CLEAN.uscc))
    told = await Officer(lab=pair).ask(measures(named(branch.uscc)), members=("310000",))
    item = told.items["310000"]
    assert item.linked_codes == (LinkedCode(uscc=CLEAN.uscc, kind=LinkKind.BRANCH_OF),)
    assert item.branches_included is False


async def test_a_sole_trader_is_answered_for_a_purpose_that_opens_it(officer: Officer) -> None:
    """Daily supervision opens sole traders, and the answer is like any other (U12)."""
    told = await officer.ask(summary(named(SOLE_TRADER.uscc)))
    assert (told.subject.state, told.subject.home_member) == (ResultState.FOUND, "310000")


async def test_a_sole_trader_is_closed_to_every_other_purpose(officer: Officer) -> None:
    """The desk refuses from the code alone, whether or not such a trader is registered (U12)."""
    await officer.open_case("sole-trader", purpose="ADMIN_LICENSING")
    for code in (SOLE_TRADER.uscc, sample_code("92", "310118", 4242)):
        asked = SummaryQuestion(subjects=(named(code),), window=Window.M12)
        assert (
            await denied(officer.ask(asked, purpose="ADMIN_LICENSING", case_reference="sole-trader"))
            is RefusalReason.SUBJECT_KIND_CLOSED
        )
        assert await denied(officer.certify(code)) is RefusalReason.SUBJECT_KIND_CLOSED


async def test_what_is_no_code_is_refused_and_not_repaired(officer: Officer) -> None:
    """A wrong check digit, lower case and full width are BAD_SUBJECT at the desk; the text names no code."""
    good = CLEAN.uscc
    wrong = good[:-1] + ("0" if good[-1] != "0" else "1")
    for code in (wrong, good.lower(), good[:-1], good.replace("9", "９", 1), f"{good} "):
        assert await denied(officer.ask(measures(named(code)))) is RefusalReason.BAD_SUBJECT
    assert await denied(officer.ask(measures(named(good), named(good)))) is RefusalReason.BAD_SUBJECT
