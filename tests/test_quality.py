"""A month of quality: due days, the three rates and their laws, what stands open, and the signed report."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pytest
from bundles import NOW, ROOT, SIGNERS, signed_directory
from hypothesis import given
from hypothesis import strategies as st
from worlds import catalogue, feed
from worlds_tables import JIANGSU, SHANGHAI, sections

from gateway.catalogue import read_catalogue
from gateway.coverage import Cause, causes, next_due, overdue
from gateway.errors import CatalogueMalformed
from gateway.months import Month
from gateway.ports import Feed
from gateway.quality import (
    Delivery,
    QualityGoals,
    Records,
    RowCount,
    Share,
    assess,
    due_days,
    punctuality,
    rates,
)
from gateway.verification import Check
from gateway.verification.quality import PAYLOAD_TYPE, ReportVerdict, report_of, seal, verify_report
from keys import jsontext, suite
from keys.envelope import from_json, sign, to_json
from keys.suite import Signer

MONTH = Month(2026, 2)
TODAY = date(2026, 3, 2)
GOALS = {
    "timeliness_percent": 70,
    "association_percent": 90,
    "application_percent": 90,
    "valid_from": "2016-12-01",
}
DAYS = st.dates(date(2025, 11, 1), date(2026, 4, 30))


def declared(name: str = "F", days: int = 7, since: date = date(2026, 1, 1), **changes: Any) -> Feed:
    """Declare a feed of so many days between deliveries."""
    return feed(id=name, frequency_days=days, history_from=since, **{"data_through": None, "gaps": 0, **changes})


def delivery(day: date, through: date | None = None, name: str = "F") -> Delivery:
    """Deliver a file that reaches to its own day unless told."""
    return Delivery(feed=name, day=day, data_through=day if through is None else through)


def counts(name: str = "F", agency: str = "310000-market", **numbers: int) -> tuple[RowCount, ...]:
    """Count rows by outcome; `__` stands for the colon of a reason."""
    return tuple(
        RowCount(feed=name, agency=agency, name=outcome.replace("__", ":"), number=number)
        for outcome, number in numbers.items()
    )


def records(**changes: Any) -> Records:
    """Give what a store knows: one weekly feed and nothing of it."""
    values: dict[str, Any] = {"feeds": (declared(),), "deliveries": (), "rows": (), "items": frozenset(), "held": {}}
    return Records(**values | changes)


def month_of(found: Records, **changes: Any) -> Any:
    """Assess February 2026 at Shanghai on 2 March under the usual goals."""
    tables = read_catalogue({**sections(), "quality_goals": [GOALS]})
    values: dict[str, Any] = {"member": SHANGHAI, "month": MONTH, "today": TODAY}
    return assess(found, tables, **values | changes)


@pytest.mark.parametrize(
    ("days", "since", "first", "last", "due"),
    [
        # Daily: every day of the month, but not the day on which the history begins.
        (1, "2026-01-01", "2026-02-26", "2026-03-01", ["02-26", "02-27", "02-28", "03-01"]),
        (1, "2026-02-27", "2026-02-01", "2026-02-28", ["02-28"]),
        # Weekly: the beat goes over the month's boundary, and begins a week after the history.
        (7, "2026-01-01", "2026-02-01", "2026-02-28", ["02-05", "02-12", "02-19", "02-26"]),
        (7, "2026-01-25", "2026-02-01", "2026-02-28", ["02-01", "02-08", "02-15", "02-22"]),
        (7, "2026-02-20", "2026-02-01", "2026-02-28", ["02-27"]),
        # Thirty days: a short month may owe nothing, a long one two.
        (30, "2026-01-01", "2026-01-01", "2026-01-31", ["01-31"]),
        (30, "2026-01-01", "2026-02-01", "2026-02-28", []),
        (30, "2026-01-01", "2026-03-01", "2026-03-31", ["03-02"]),
        (30, "2026-06-01", "2026-07-01", "2026-07-31", ["07-01", "07-31"]),
        # A history that begins later owes nothing, and a year has its leap day.
        (7, "2026-03-01", "2026-02-01", "2026-02-28", []),
        (1, "2020-01-01", "2028-02-28", "2028-03-01", ["02-28", "02-29", "03-01"]),
        # A declaration without a frequency owes an update a day.
        (0, "2026-01-01", "2026-02-27", "2026-02-28", ["02-27", "02-28"]),
    ],
)
def test_the_days_on_which_an_update_is_due(days: int, since: str, first: str, last: str, due: list[str]) -> None:
    """They are the history's beginning and so many days, again and again."""
    found = due_days(declared(days=days, since=date.fromisoformat(since)), *map(date.fromisoformat, (first, last)))
    assert [each.strftime("%m-%d") for each in found] == due


@pytest.mark.parametrize(
    ("days", "deliveries", "met"),
    [
        (7, [], 0),  # due on 5, 12, 19 and 26 February
        (7, [delivery(date(2026, 2, 5))], 1),
        (7, [delivery(date(2026, 2, 5), date(2026, 1, 30))], 1),  # reaches beyond the due day before
        (7, [delivery(date(2026, 2, 5), date(2026, 1, 29))], 0),  # reaches no further than it: nothing new
        (7, [delivery(date(2026, 2, 6))], 1),  # late for the 5th, in time for the 12th
        (7, [delivery(date(2026, 2, day)) for day in (5, 12, 19, 26)], 4),
        (7, [delivery(date(2026, 2, 4)), delivery(date(2026, 2, 18))], 2),
        (7, [delivery(date(2026, 2, 26), name="G")], 0),  # another feed's
        (1, [delivery(date(2026, 2, 10), date(2026, 2, 9))], 0),
        (1, [delivery(date(2026, 2, 10))], 1),
    ],
)
def test_updates_on_time(days: int, deliveries: list[Delivery], met: int) -> None:
    """An update counts for its own period when it was accepted by the end of the due day."""
    assert punctuality(declared(days=days), deliveries, MONTH.first, MONTH.last).part == met


deliveries_of_feeds = st.lists(st.builds(delivery, DAYS, DAYS, st.sampled_from("FG")), max_size=30)
numbers_of_rows = st.lists(
    st.builds(
        RowCount,
        feed=st.sampled_from("FGH"),
        agency=st.sampled_from(["310000-market", ""]),
        name=st.sampled_from(
            ["rows", "stored", "held", "rejected", "deleted", "not_ours", "on_time", "late", "rejected:NO_DATE"]
        ),
        number=st.integers(0, 9),
    ),
    max_size=30,
)


@given(deliveries_of_feeds, numbers_of_rows, st.randoms(use_true_random=False))
def test_the_order_of_loads_changes_nothing_and_rates_are_shares(
    deliveries: list[Delivery], rows: list[RowCount], random: Random
) -> None:
    """Whatever came, in whatever order, parts lie within wholes and feeds add up to the node."""
    feeds = (declared("F"), declared("G", 1))
    found = month_of(records(feeds=feeds, deliveries=tuple(deliveries), rows=tuple(rows)))
    for shuffled in (deliveries, rows):
        random.shuffle(shuffled)
    again = month_of(records(feeds=feeds[::-1], deliveries=tuple(deliveries), rows=tuple(rows)))
    assert replace(again, partial=found.partial, overdue=found.overdue) == found
    every = [found.node, *found.feeds.values(), *found.agencies.values()]
    for share in (
        *found.rates.values(),
        *(each for scores in every for each in (*rates(scores).values(), scores.publicity)),
    ):
        assert 0 <= share.part <= share.whole
        assert share.percent is None or 0 <= share.percent <= 100
    for rate in ("timeliness", "association"):
        for parts in (found.feeds, found.agencies):
            shares = [rates(each)[rate] for each in parts.values()]
            added = Share(sum(each.part for each in shares), sum(each.whole for each in shares))
            assert added == found.rates[rate]


@given(deliveries_of_feeds, st.integers(0, 29), st.integers(1, 60))
def test_a_later_load_never_raises_timeliness(deliveries: list[Delivery], place: int, days: int) -> None:
    """Accepting a load later leaves timeliness or lowers it, and what is due stays."""
    before = punctuality(declared(), deliveries, MONTH.first, MONTH.last)
    for each in deliveries[place : place + 1]:
        deliveries[place] = replace(each, day=each.day + timedelta(days=days))
    after = punctuality(declared(), deliveries, MONTH.first, MONTH.last)
    assert (after.whole, after.part <= before.part) == (before.whole, True)


@given(deliveries_of_feeds)
def test_how_far_a_feed_reached_before_the_month_is_enough(deliveries: list[Delivery]) -> None:
    """All loads before the month may be put together to one: this is how the store gives them."""
    early = [each for each in deliveries if each.day < MONTH.first and each.feed == "F"]
    rest = [each for each in deliveries if each.day >= MONTH.first]
    last = [delivery(MONTH.first - timedelta(days=1), max(each.data_through for each in early))] if early else []
    whole, short = (punctuality(declared(), each, MONTH.first, MONTH.last) for each in (deliveries, last + rest))
    assert whole == short


def test_association_counts_what_is_this_members_to_keep() -> None:
    """Persons, other members' rows and deletions are not counted as received; what waits or is rejected is."""
    rows = counts(rows=21, stored=7, held=1, rejected=2, out_of_scope=5, not_ours=3, deleted=3, rejected__NO_DATE=2)
    found = month_of(records(rows=rows))
    assert found.node.association == Share(7, 10)
    assert found.node.aside == {"out_of_scope": 5, "not_ours": 3, "deleted": 3}
    assert found.node.rejected == {"NO_DATE": 2}


def test_publicity_tells_what_could_not_be_measured_apart() -> None:
    """Rows without a day or calendar are neither in time nor late."""
    found = month_of(records(rows=counts(on_time=3, late=1, unmeasured=6)))
    assert (found.node.publicity, found.node.publicity.percent, found.node.unmeasured) == (Share(3, 4), 75.0, 6)


def test_rows_go_to_who_decided_and_updates_to_who_delivers() -> None:
    """An agency's timeliness is that of its feeds, its association that of its decisions, whoever sent them."""
    rows = (*counts(agency="310118-market", stored=1), *counts(agency="", rejected=1))
    found = month_of(records(rows=rows, deliveries=(delivery(date(2026, 2, 5)),)))
    deliverer = declared().agency
    assert sorted(found.agencies) == sorted(["", "310118-market", deliverer])
    assert rates(found.agencies[deliverer]) == {"timeliness": Share(1, 4), "association": Share(0, 0)}
    assert rates(found.agencies["310118-market"]) == {"timeliness": Share(0, 0), "association": Share(1, 1)}
    assert rates(found.agencies[""]) == {"timeliness": Share(0, 0), "association": Share(0, 1)}


def items(*spans: tuple[str, str, str | None]) -> dict[str, Any]:
    """Give tables whose only items are these (member, first day, end)."""
    first = sections()["applications"][0]
    listed = [
        {**first, "id": f"I{number}", "member": member, "valid_from": start, "valid_until": end}
        for number, (member, start, end) in enumerate(spans)
    ]
    return {**sections(), "applications": listed, "quality_goals": [GOALS]}


def test_application_counts_items_in_force_in_the_month() -> None:
    """Items of other members, ended before the month or begun after it are not listed; asking twice counts once."""
    tables = items(
        (SHANGHAI, "2026-01-01", None),
        (SHANGHAI, "2026-02-28", None),
        (SHANGHAI, "2025-01-01", "2026-02-02"),
        (SHANGHAI, "2025-01-01", "2026-02-01"),
        (SHANGHAI, "2026-03-01", None),
        (JIANGSU, "2026-01-01", None),
    )
    found = assess(
        records(items={"I0", "I4", "I5", "elsewhere"}),
        read_catalogue({**tables, "measure_lists": []}),
        member=SHANGHAI,
        month=MONTH,
        today=TODAY,
    )
    assert (found.application, found.unused) == (Share(1, 3), ("I1", "I2"))


@pytest.mark.parametrize(
    ("today", "due"),
    [(date(2026, 2, 1), 0), (date(2026, 2, 5), 0), (date(2026, 2, 6), 1), (date(2026, 2, 28), 4), (TODAY, 4)],
)
def test_a_month_that_is_not_over_counts_the_days_before_today(today: date, due: int) -> None:
    """A day that still runs is nobody's fault."""
    found = month_of(records(), today=today)
    assert (found.node.timeliness.whole, found.month.over(today)) == (due, today == TODAY)


def test_goals_decide_what_is_missed() -> None:
    """A rate that nothing belongs to misses no goal, and one that just reaches it is met; without goals none is."""
    met = (delivery(date(2026, 2, 5)), delivery(date(2026, 2, 12)), delivery(date(2026, 2, 19)))
    found = month_of(records(deliveries=met, rows=counts(stored=9, rejected=1)))
    assert (found.rates["timeliness"].percent, found.rates["association"].percent) == (75.0, 90.0)
    assert found.missed == ("application",)
    assert month_of(records(rows=counts(stored=8, rejected=1))).missed == ("timeliness", "association", "application")
    tables = catalogue(quality_goals=())
    assert assess(records(), tables, member=SHANGHAI, month=MONTH, today=TODAY).missed == ()
    assert assess(records(), tables, member=SHANGHAI, month=MONTH, today=TODAY).goals is None


@pytest.mark.parametrize(
    ("part", "whole", "percent"), [(0, 0, None), (699, 1000, 69.9), (6999, 10000, 69.9), (1, 1, 100.0)]
)
def test_a_missed_goal_never_looks_reached(part: int, whole: int, percent: float | None) -> None:
    """Rates are cut, not rounded."""
    assert Share(part, whole).percent == percent


@pytest.mark.parametrize(
    ("change", "due", "late", "why"),
    [
        ({}, None, True, (Cause.NEVER_LOADED,)),
        ({"data_through": date(2026, 2, 23)}, date(2026, 3, 2), False, ()),
        ({"data_through": date(2026, 2, 22)}, date(2026, 3, 1), True, (Cause.OVERDUE,)),
        ({"data_through": date(2026, 3, 1), "gaps": 2}, date(2026, 3, 8), False, (Cause.GAPS,)),
        ({"data_through": date(2026, 1, 1), "gaps": 1}, date(2026, 1, 8), True, (Cause.OVERDUE, Cause.GAPS)),
    ],
)
def test_what_keeps_a_domain_from_being_complete(
    change: Mapping[str, Any],
    due: date | None,
    late: bool,  # noqa: FBT001  what is expected
    why: tuple[Cause, ...],
) -> None:
    """A feed that was never loaded, is overdue or has gaps is named under its domain, with the days it is late."""
    one = declared(**change)
    assert (next_due(one), overdue(one, TODAY), causes(one, TODAY)) == (due, late, why)
    found = month_of(records(feeds=(one,)))
    assert found.partial == ({one.domain: {"F": why}} if why else {})
    days = (TODAY - due).days if due else None
    assert [(each.feed, each.next_due, each.days) for each in found.overdue] == ([("F", due, days)] if late else [])


def test_a_missing_calendar_is_told() -> None:
    """The alarm is that of the day on which the month is worked out."""
    bare = read_catalogue({**sections(), "working_days": []})
    found = [assess(records(), each, member=SHANGHAI, month=MONTH, today=TODAY) for each in (bare, catalogue())]
    assert [each.calendar_missing for each in found] == [True, False]


@pytest.mark.parametrize("text", ["2026-13", "2026-1", "2026", "26-01", "", "2026-01-01", "1800-01", "9999-12"])
def test_what_is_no_month(text: str) -> None:
    """Only four digits, a hyphen and two digits within the calendar's years name a month."""
    with pytest.raises(ValueError, match=r"."):
        Month.read(text)


def test_months() -> None:
    """A month has its days, and January follows December."""
    assert (Month.read("2028-02").last, Month.read("2026-12").text) == (date(2028, 2, 29), "2026-12")
    assert (Month.before(date(2026, 1, 31)), Month.before(date(2026, 3, 1))) == (Month(2025, 12), MONTH)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{**GOALS, "timeliness_percent": 101}], "0 to 100"),
        ([{**GOALS, "application_percent": -1}], "0 to 100"),
        ([GOALS, {**GOALS, "valid_from": "2020-01-01"}], "two rows are in force"),
    ],
)
def test_goals_that_cannot_hold_are_refused(rows: list[Mapping[str, Any]], said: str) -> None:
    """A goal is a percentage, and one set is in force a day."""
    with pytest.raises(CatalogueMalformed, match=said):
        read_catalogue({**sections(), "quality_goals": rows})


def test_goals_are_dated() -> None:
    """Later goals hold from their day on."""
    later = {**GOALS, "valid_from": "2026-07-01", "timeliness_percent": 80}
    tables = read_catalogue({**sections(), "quality_goals": [{**GOALS, "valid_until": "2026-07-01"}, later]})
    found = [tables.quality(day) for day in (date(2016, 11, 30), date(2026, 6, 30), date(2026, 7, 1))]
    assert [each and each.timeliness_percent for each in found] == [None, 70, 80]


# The signed report. The directory of the tests is in force from 1 March to 1 June 2026.


def with_goals(document: dict[str, Any]) -> None:
    """Put the goals into the directory."""
    document["quality_goals"] = [GOALS]


STRANGER = suite.signer(bytes([200]) * 32, owner="root")
DIRECTORY = signed_directory(with_goals)
HELD = QualityGoals(timeliness_percent=70, association_percent=90, application_percent=90, valid_from=date(2016, 12, 1))


def report(goals: QualityGoals | None = HELD) -> dict[str, Any]:
    """Write a report of February."""
    shares = {"timeliness": Share(3, 4), "association": Share(9, 11), "application": Share(0, 0)}
    node: dict[str, Any] = {name: share.document(name, goals) for name, share in shares.items()}
    rest = {name: node[name] for name in ("timeliness", "association")}
    return {
        "member": SHANGHAI,
        "month": "2026-02",
        "issued_time": "2026-03-02T04:00:00Z",
        "node": node,
        "agencies": [{"agency": "310000-market", **rest}],
        "feeds": [{"feed": "F", **rest}],
    }


def verified(
    said: Mapping[str, Any], *, directory: bytes = DIRECTORY, signer: Signer = SIGNERS[SHANGHAI]
) -> ReportVerdict:
    """Seal a report and verify it."""
    envelope = report_of(seal(said, directory, signer))
    assert envelope is not None
    return verify_report(envelope, root=ROOT)


def test_a_genuine_report_says_its_rates() -> None:
    """What comes out is what the member signed, under the goals of the directory in it."""
    found = verified(report()).reported
    assert found is not None
    assert (found.member, found.month, found.directory_version, found.goals) == (SHANGHAI, MONTH, 7, HELD)
    assert found.rates["association"] == Share(9, 11)
    assert found.issued_time == datetime(2026, 3, 2, 4, tzinfo=UTC) < NOW + timedelta(days=365)


def test_a_directory_without_goals_reports_none() -> None:
    """Rates then stand without goals."""
    found = verified(report(None), directory=signed_directory()).reported
    assert found is not None
    assert found.goals is None


def put(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    """Change a place of a report, its path written with dots."""

    def change(document: dict[str, Any]) -> None:
        *steps, last = (int(each) if each.isdigit() else each for each in path.split("."))
        place: Any = document
        for each in steps:
            place = place[each]
        place[last] = value

    return change


@pytest.mark.parametrize(
    ("path", "value", "check"),
    [
        ("member", JIANGSU, Check.KEY),
        ("issued_time", "2026-06-02T00:00:00Z", Check.KEY),  # the directory had expired
        ("issued_time", "2027-02-01T00:00:00Z", Check.SIGNATURE),  # the key had
        ("issued_time", "2026-03-02", Check.FORM),
        ("month", "2026-03", Check.RATES),  # was not over
        ("month", "2026-3", Check.FORM),
        ("month", "2026-13", Check.FORM),
        ("node.timeliness.part", 4, Check.RATES),
        ("node.timeliness.percent", 99.0, Check.RATES),
        ("node.association.met", True, Check.RATES),
        ("node.association.goal", 80, Check.RATES),
        ("node.application", {"part": 2, "whole": 1, "percent": 200.0, "goal": 90, "met": True}, Check.RATES),
        ("node.application.part", -1, Check.FORM),
        ("node.application.more", 1, Check.FORM),
        ("agencies.0.timeliness.percent", 76.0, Check.RATES),
        ("feeds.0.association.part", 10, Check.RATES),
        ("feeds", {}, Check.FORM),
    ],
)
def test_a_report_that_does_not_follow_is_not_genuine(path: str, value: object, check: Check) -> None:
    """A signature alone makes no rate true: counts, goals, month and key must agree."""
    said = report()
    put(path, value)(said)
    found = verified(said)
    assert (found.reported, [each.failed for each in found.parts]) == (None, [None, check])


def test_a_report_of_another_signer_is_not_genuine() -> None:
    """Another member's key, and a key that nobody lists, vouch for nothing."""
    assert [each.failed for each in verified(report(), signer=SIGNERS[JIANGSU]).parts] == [None, Check.KEY]
    assert [each.failed for each in verified(report(), signer=STRANGER).parts] == [None, Check.SIGNATURE]


def test_a_directory_under_another_root_is_no_ground() -> None:
    """Nothing of the report is looked at then."""
    found = verified(report(), directory=signed_directory(with_goals, salt="another"))
    assert [each.failed for each in found.parts] == [Check.SIGNATURE]


def test_a_changed_payload_is_not_genuine() -> None:
    """Counts that were changed after signing fail at the signature, whatever else they say."""
    text = json.loads(seal(report(), DIRECTORY, SIGNERS[SHANGHAI]))
    payload = from_json(json.dumps(text).encode()).payload.replace(b'"part": 3', b'"part": 4')
    text["payload"] = jsontext.write_octets(payload.replace(b'"percent": 75.0', b'"percent": 100.0'))
    envelope = report_of(json.dumps(text).encode())
    assert envelope is not None
    assert [each.failed for each in verify_report(envelope, root=ROOT).parts] == [None, Check.SIGNATURE]


@pytest.mark.parametrize(
    "content", [b"", b"\x0a\x01", b"{", b"{}", to_json(sign("application/x", b"{}", STRANGER)), DIRECTORY]
)
def test_what_is_no_report(content: bytes) -> None:
    """Other files are left to their own readers."""
    assert report_of(content) is None


def test_a_payload_of_another_form_has_no_ground() -> None:
    """An envelope of the type with other content fails as a form."""
    envelope = sign(PAYLOAD_TYPE, b'{"report":{}}', SIGNERS[SHANGHAI])
    assert [each.failed for each in verify_report(envelope, root=ROOT).parts] == [Check.FORM]
