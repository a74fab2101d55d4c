"""Registered participants (A77, A78): who may ask for what under which filing, and what they were told is counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from bundles import AGENCY, charter_of, signed_directory
from click.testing import CliRunner
from desks import Desk, refusal
from hypothesis import given
from hypothesis import strategies as st
from labs import build
from stores import exchange, opened
from test_asking import ask, intent, open_case
from test_cli_words import described
from worlds_tables import PURPOSE, SHANGHAI

from gateway.errors import CatalogueMalformed
from gateway.model.codes import RefusalReason
from gateway.model.combined import AllowanceReading
from gateway.months import Month
from gateway.participants import Participant, may_ask
from keys.errors import BundleMalformed
from keys.members import SORTS, Agency, Filing, Name
from nodes.cli import main
from nodes.cli.session import USAGE, Session
from nodes.store.disclosures import Disclosed, disclosed

NAME = Name(zh="样例征信平台", en="a sample bureau")
SINCE = date(2025, 1, 1)
Document = dict[str, Any]


def row(document: Document) -> Document:
    """Give the row of the agency of these tests."""
    member = next(each for each in document["members"] if each["id"] == SHANGHAI)
    found: Document = member["agencies"][0]
    return found


def bureau(
    until: str | None = None, *, filed: bool = True, purposes: tuple[str, ...] = ("*",)
) -> Callable[[Document], None]:
    """Turn the agency into a credit bureau, under a filing until a day where it has one."""

    def change(document: Document) -> None:
        filing = {"number": "样例企征备-01", "authority": {"zh": "样例", "en": "sample"}, "from": "2025-01-01"}
        row(document).update(sort="credit_bureau", filing=filing | {"until": until} if filed else None)
        document["participants"] = [
            {"sort": "credit_bureau", "purposes": list(purposes), "filed": True, "valid_from": "2025-01-01"}
        ]

    return change


async def test_a_filed_bureau_asks() -> None:
    """While its filing holds a bureau is answered for the purposes of its sort."""
    desk = Desk()
    desk.edit(bureau("2026-03-11"))
    assert (await ask(desk.nodes, intent())).agency == AGENCY


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (bureau("2026-03-10"), RefusalReason.AGENCY_NOT_ALLOWED),
        (bureau(filed=False), RefusalReason.AGENCY_NOT_ALLOWED),
        (bureau(purposes=("NO_VIOLATION_REPORT",)), RefusalReason.AGENCY_NOT_ALLOWED),
        (lambda document: row(document).update(sort="credit_agency"), RefusalReason.AGENCY_NOT_ALLOWED),
        (lambda document: (bureau()(document), row(document).update(suspended=True)), RefusalReason.SUSPENDED),
    ],
    ids=["filing ended", "no filing", "purpose", "no rule", "suspended"],
)
async def test_outside_its_filing_or_purposes_it_asks_nothing(change: Any, reason: RefusalReason) -> None:
    """Ended, never filed, for another purpose, of a sort that nobody ruled on, suspended: each is refused by name."""
    desk = Desk()
    await open_case(desk.nodes)
    desk.edit(change)
    wanted = desk.sign(intent(case_reference="C-1"))
    assert await refusal(desk.node.asking.ask(wanted, AGENCY)) is reason
    if reason is not RefusalReason.SUSPENDED:
        assert await refusal(open_case(desk.nodes, case_reference="C-2")) is reason
    assert desk.node.log.sent == []


async def test_the_allowance_is_of_who_may_ask() -> None:
    """What is left of a purpose is told to nobody who may not ask for it."""
    desk = Desk()
    desk.edit(bureau(purposes=("NO_VIOLATION_REPORT",)))
    reading = desk.sign(desk.request(AllowanceReading, purpose=PURPOSE))

    async def left() -> Any:
        return desk.node.cases.allowance(reading, AGENCY)

    assert await refusal(left()) is RefusalReason.AGENCY_NOT_ALLOWED


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda document: row(document).update(sort="shop"), BundleMalformed),
        (bureau("2024-01-01"), BundleMalformed),
        (bureau(purposes=("NONE",)), CatalogueMalformed),
        (
            lambda document: document.update(
                participants=[{"sort": "shop", "purposes": ["*"], "valid_from": "2025-01-01"}]
            ),
            CatalogueMalformed,
        ),
    ],
    ids=["sort", "filing", "purpose", "sort of a rule"],
)
def test_what_makes_no_sense_is_refused_when_it_is_read(change: Any, fault: type[Exception]) -> None:
    """An unknown sort, a filing that ends before it begins, a rule of nothing."""
    with pytest.raises(fault):
        charter_of(SHANGHAI, signed_directory(change))


DAYS = st.dates(date(2025, 6, 1), date(2026, 12, 31))


@given(
    sort=st.sampled_from(sorted(SORTS)),
    ruled=st.one_of(st.none(), st.tuples(st.booleans(), st.sampled_from(["*", "FINANCING", "TENDERING"]))),
    filing=st.one_of(st.none(), st.tuples(DAYS, st.one_of(st.none(), st.integers(1, 300)))),
    suspended=st.booleans(),
    on=DAYS,
)
def test_nobody_takes_part_without_what_the_sort_wants(
    *,
    sort: str,
    ruled: tuple[bool, str] | None,
    filing: tuple[date, int | None] | None,
    suspended: bool,
    on: date,
) -> None:
    """Entitled: own row, rule of the sort, a filing where the rule wants one; active: only while the filing holds."""
    held = filing and Filing(
        number="n", authority=NAME, from_day=filing[0],
        until_day=None if filing[1] is None else filing[0] + timedelta(days=filing[1]),
    )  # fmt: skip
    agency = Agency(
        id="310000-x", member=SHANGHAI, name=NAME, division="310000", purposes=("FINANCING",), active_from=SINCE,
        active_until=None, suspended=suspended, sort=sort, filing=held,
    )  # fmt: skip
    rules = [Participant(sort=sort, purposes=(ruled[1],), filed=ruled[0], valid_from=SINCE)] if ruled else []
    allowed = sort == "department" if ruled is None else ruled[1] != "TENDERING" and (held is not None or not ruled[0])
    assert may_ask(agency, "FINANCING", rules, on) is allowed
    assert not may_ask(agency, "TENDERING", rules, on)
    inside = held is None or (held.from_day <= on and (held.until_day is None or on < held.until_day))
    assert agency.active(on) is (inside and not suspended)


async def test_what_an_agency_was_told_is_counted_by_answers_and_subjects(tmp_path: Path) -> None:
    """Distinct subjects of a month, by agency; another month is not counted."""
    path = tmp_path / "node.db"
    store = opened(path)
    for number, subjects in ((1, (1, 2)), (2, (2, 3))):
        await store.journal.commit(exchange(number, *subjects))
    store.close()
    month = Month.read(exchange(1).day.isoformat()[:7])
    assert disclosed(path, month) == {"320000-procurement": Disclosed(answers=2, subjects=3)}
    assert disclosed(path, Month.before(month.first)) == {}


def test_the_command_lists_filings_and_counts(tmp_path: Path) -> None:
    """Bureaus, credit agencies, platforms and courts stand in the table, in both languages; departments do not."""
    lab = build(tmp_path / "lab")
    lab.publish()
    config = str(lab.home(SHANGHAI) / "node.toml")

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(main, [*arguments, "--config", config], obj=Session(), env={"COLUMNS": "220"})

    document = json.loads(run("participants", "--json").stdout)
    rows = {each["agency"]: each for each in document["participants"]}
    assert list(rows["310000-bureau"]) == described("participants")
    found = rows["310000-bureau"]
    assert (found["sort"], found["active"], found["answers"]) == ("credit_bureau", True, 0)
    assert found["filing_number"] == "样例企征备-310000-01"
    assert {each["sort"] for each in rows.values()} == SORTS - {"department"}
    for language, word in (("en", "credit bureau"), ("zh", "企业征信机构")):
        done = run("--lang", language, "participants")
        assert (done.exit_code, word in done.stdout, "310000-market" in done.stdout) == (0, True, False)
    assert run("participants", "--month", "soon").exit_code == USAGE
