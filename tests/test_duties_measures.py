"""Only what may be applied here (U19): by the asker's published list, its matter, its area, and this day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import count
from typing import Any

import pytest
from callers import measures
from officers import Officer, deliver, named, populated, settle

from gateway.clocks import civil_day
from gateway.model.codes import ResultState
from gateway.model.combined import MeasureConclusion
from gateway.uscc import sample_code
from nodes.lab import Lab
from nodes.sample.records import Desk
from nodes.sample.scenarios import LISTED
from nodes.sample.subjects import Subject

pytestmark = pytest.mark.net
SINCE = date(2019, 1, 1)
PAIR = ("310000", "340000")
_serials = count(800_000)
Lines = list[tuple[str, str, str]]


@pytest.fixture(scope="module", autouse=True)
def _settled(lab: Lab) -> None:
    settle(lab)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run Shanghai and Anhui."""
    with populated(tmp_path_factory.mktemp("measures") / "lab", *PAIR) as built:
        yield built


def lines(found: tuple[MeasureConclusion, ...]) -> Lines:
    """Give code, territory and reason of each line, in order."""
    return [(each.measure.measure_code, each.measure.territory or "", each.reason) for each in found]


async def punish(
    lab: Lab, agency: str, code: str, *, purpose: str = "JOINT_PUNISHMENT", item: str = "014"
) -> tuple[Lines, Lines]:
    """Ask for measures in a case of an agency; give what may be applied, and what is information."""
    officer = Officer(lab=lab, name=f"{agency}/o1")
    letters = {"31": "SH", "32": "JS", "33": "ZJ", "34": "AH"}[agency[:2]]
    terms: dict[str, Any] = {"purpose": purpose, "application_item": f"{letters}-2026-{item}"}
    reference = f"{purpose}-{item}"
    await officer.open_case(reference, **terms)
    members = tuple(lab.processes)
    told = await officer.ask(measures(named(code)), case_reference=reference, members=members, **terms)
    return lines(told.subject.applicable_measures), lines(told.subject.information_measures)


@pytest.mark.parametrize(
    ("agency", "applicable", "information"),
    [
        (
            "310118-market",
            [("MP01", "NATIONAL", ""), ("MP11", "NATIONAL", "")],
            [("MP14", "NATIONAL", "NOT_IN_LIST"), ("MP06", "340000", "OTHER_TERRITORY")],
        ),
        (
            "330421-market",
            [("MP01", "NATIONAL", ""), ("MP11", "NATIONAL", ""), ("MP14", "NATIONAL", "")],
            [("MP06", "340000", "OTHER_TERRITORY")],
        ),
        (
            "340111-market",
            [
                ("MP01", "NATIONAL", ""), ("MP11", "NATIONAL", ""), ("MP06", "340000", ""), ("MP14", "NATIONAL", ""),
            ],
            [],
        ),
    ],
)  # fmt: skip
async def test_each_asker_applies_its_own_list_in_its_own_area(
    lab: Lab, agency: str, applicable: Lines, information: Lines
) -> None:
    """One subject, three askers: list and territory decide, strictest first by the asker's own ranks."""
    assert await punish(lab, agency, LISTED.uscc) == (applicable, information)


async def test_the_matter_decides_what_applies(lab: Lab) -> None:
    """For a tender market access and public trading are barred; for supervision neither, and both inform."""
    tender = await punish(lab, "310000-trading", LISTED.uscc, purpose="TENDERING", item="005")
    assert tender == (
        [("MP01", "NATIONAL", ""), ("MP11", "NATIONAL", "")],
        [("MP06", "340000", "NOT_IN_LIST"), ("MP14", "NATIONAL", "NOT_IN_LIST")],
    )
    told = await Officer(lab=lab).ask(measures(named(LISTED.uscc)))
    assert lines(told.subject.applicable_measures) == []
    assert [each[2] for each in lines(told.subject.information_measures)] == ["NOT_IN_LIST"] * 4


async def test_lines_of_two_members_stand_apart(pair: Lab) -> None:
    """A measure that two members ordered stands twice, each with its member, strictest first."""
    subject, today = Subject(uscc=sample_code("91", "340111", next(_serials)), name="样例"), civil_day(pair.clock())

    def write(desk: Desk, territory: str) -> None:
        for code in ("MP08", "MP01", "MP03"):
            desk.measure(subject, code, "MARKET_REG", territory=territory, since=today - timedelta(days=9))

    deliver(pair, "310000", lambda desk: write(desk, "310000"))
    deliver(pair, "340000", lambda desk: write(desk, "NATIONAL"))
    officer = Officer(lab=pair)
    await officer.open_case("two", purpose="JOINT_PUNISHMENT")
    told = await officer.ask(
        measures(named(subject.uscc)), purpose="JOINT_PUNISHMENT", case_reference="two", members=PAIR
    )
    assert [(each.measure.measure_code, each.member) for each in told.subject.applicable_measures] == [
        ("MP01", "310000"), ("MP01", "340000"), ("MP03", "310000"), ("MP03", "340000"), ("MP08", "310000"),
        ("MP08", "340000"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("territory", "reason"),
    [
        ("NATIONAL", ""),
        ("310000", ""),
        ("310118", "OTHER_TERRITORY"),
        ("320000", "OTHER_TERRITORY"),
        ("", "NO_TERRITORY"),
    ],
)
async def test_a_measure_applies_where_its_territory_holds_the_asker(pair: Lab, territory: str, reason: str) -> None:
    """A measure of one district binds not the whole city; one without a territory is named as such, never applied."""
    subject, today = Subject(uscc=sample_code("91", "310118", next(_serials)), name="样例"), civil_day(pair.clock())
    deliver(
        pair,
        "310000",
        lambda desk: desk.measure(subject, "MP01", "MARKET_REG", territory=territory, since=today - timedelta(days=9)),
    )
    line = [("MP01", territory, reason)]
    assert await punish(pair, "310118-market", subject.uscc) == (([], line) if reason else (line, []))


async def test_rewards_stand_in_the_same_order(pair: Lab) -> None:
    """Rewards are measures too, by the rank of the list for their matter."""
    subject, today = Subject(uscc=sample_code("91", "310118", next(_serials)), name="样例"), civil_day(pair.clock())

    def write(desk: Desk) -> None:
        for code in ("MR02", "MR06", "MR07"):
            desk.measure(subject, code, "MARKET_REG", territory="310000", since=today - timedelta(days=9))

    deliver(pair, "310000", write)
    found = await punish(pair, "310118-market", subject.uscc, purpose="JOINT_REWARD", item="013")
    assert found == ([("MR07", "310000", ""), ("MR06", "310000", ""), ("MR02", "310000", "")], [])


async def test_what_is_missing_is_said_beside_what_is_found(pair: Lab) -> None:
    """A member that is silent limits the conclusion by name, whatever measures others report."""
    told = await Officer(lab=pair).ask(measures(named(LISTED.uscc)))
    assert (told.subject.state, told.subject.marks) == (ResultState.FOUND, (ResultState.INCOMPLETE,))
    assert told.subject.incomplete_members == ("320000", "330000")
    assert len(told.subject.information_measures) == 4


async def test_no_measure_and_a_silent_member_is_not_no_measure(pair: Lab) -> None:
    """Without Jiangsu's answer a subject without measures is INCOMPLETE, never free of them."""
    clear = sample_code("91", "310118", next(_serials))
    deliver(
        pair,
        "310000",
        lambda desk: desk.register(Subject(uscc=clear, name="样例"), division="310118", since=SINCE),
    )
    told = await Officer(lab=pair).ask(measures(named(clear)))
    assert (told.subject.state, told.subject.home_member) == (ResultState.INCOMPLETE, "310000")
    alone = await Officer(lab=pair).ask(measures(named(clear)), members=PAIR)
    assert alone.subject.state is ResultState.NOT_FOUND
