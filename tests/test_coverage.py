"""Coverage is computed from declared feeds: each way of falling short shows (duty U2)."""

from datetime import date, timedelta
from typing import Any

import pytest
from worlds import feed
from worlds_tables import TODAY

from gateway.coverage import coverage
from gateway.model.answer import Coverage
from gateway.model.codes import CoverageState
from gateway.ports import Feed

COMPLETE, PARTIAL, NOT_COVERED = CoverageState.COMPLETE, CoverageState.PARTIAL, CoverageState.NOT_COVERED
PENALTY = {"TAX": frozenset({"penalty"})}
BOTH = {"TAX": frozenset({"penalty", "listing"})}
WINDOW = date(2021, 3, 10)


def state(feeds: list[Feed], needs: dict[str, frozenset[str]]) -> CoverageState:
    """The state of the tax domain."""
    return coverage(feeds, needs, today=TODAY, window_from=WINDOW)["TAX"].state


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, COMPLETE),
        ({"data_through": None}, PARTIAL),
        ({"data_through": TODAY - timedelta(days=1)}, COMPLETE),
        ({"data_through": TODAY - timedelta(days=2)}, PARTIAL),
        ({"data_through": TODAY - timedelta(days=30), "frequency_days": 30}, COMPLETE),
        ({"data_through": TODAY - timedelta(days=31), "frequency_days": 30}, PARTIAL),
        ({"gaps": 1}, PARTIAL),
        ({"history_from": WINDOW}, COMPLETE),
        ({"history_from": WINDOW + timedelta(days=1)}, PARTIAL),
        ({"domain": "IP"}, NOT_COVERED),
        ({"record_class": "permit"}, NOT_COVERED),
    ],
)
def test_one_feed_decides_its_domain(changes: dict[str, Any], expected: CoverageState) -> None:
    """A single feed covers its domain only when loaded, in time, whole and long enough."""
    assert state([feed(**changes)], PENALTY) is expected


def test_every_class_needs_a_feed() -> None:
    """A class without a feed makes the domain partial, never complete by the other class."""
    assert state([feed()], BOTH) is PARTIAL
    assert state([feed(), feed(id="L", record_class="listing")], BOTH) is COMPLETE
    assert state([], BOTH) is NOT_COVERED


def test_the_worst_feed_of_a_class_decides() -> None:
    """One stopped feed among several is not hidden by the others."""
    stopped = feed(id="B", data_through=TODAY - timedelta(days=9))
    assert state([feed(), stopped], PENALTY) is PARTIAL


def test_a_kind_without_window_asks_for_no_history() -> None:
    """History is compared only with a window."""
    late = feed(history_from=TODAY)
    assert coverage([late], PENALTY, today=TODAY, window_from=None)["TAX"].state is COMPLETE


def test_the_dates_are_the_shortest_reach() -> None:
    """The dates said are the earliest end and the latest beginning over the feeds."""
    feeds = [
        feed(data_through=date(2026, 3, 9), history_from=date(2018, 1, 1)),
        feed(id="B", data_through=date(2026, 3, 10), history_from=date(2019, 1, 1)),
    ]
    assert coverage(feeds, PENALTY, today=TODAY, window_from=WINDOW) == {
        "TAX": Coverage(
            domain="TAX",
            state=COMPLETE,
            data_through_date="2026-03-09",
            history_from_date="2019-01-01",
        )
    }


def test_a_feed_never_loaded_reaches_no_day() -> None:
    """A feed without a load leaves no day that all data reach."""
    found = coverage([feed(), feed(id="B", data_through=None)], PENALTY, today=TODAY, window_from=None)
    assert (found["TAX"].state, found["TAX"].data_through_date) == (PARTIAL, "")


@pytest.mark.parametrize(
    ("name", "record_class"),
    [(each, each.lower()) for each in ("REGISTER", "RATING", "REPAIR", "OBJECTION", "SELF_DECLARED")],
)
def test_what_no_domain_divides_is_found_under_any(name: str, record_class: str) -> None:
    """The names that are no domain look for their class under any domain."""
    needs = {name: frozenset({record_class})}
    for domain in (name, "", "TAX"):
        found = coverage([feed(domain=domain, record_class=record_class)], needs, today=TODAY, window_from=None)
        assert found[name].state is COMPLETE
    assert coverage([feed()], needs, today=TODAY, window_from=None)[name].state is NOT_COVERED


def test_only_needed_domains_are_reported() -> None:
    """A domain nobody asked about is not described."""
    assert set(coverage([feed(domain="IP"), feed()], PENALTY, today=TODAY, window_from=None)) == {"TAX"}


@pytest.mark.parametrize("record_class", ["repair", "objection"])
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, COMPLETE),
        ({"data_through": TODAY - timedelta(days=2)}, PARTIAL),
        ({"data_through": None}, PARTIAL),
        ({"gaps": 1}, PARTIAL),
        ({"history_from": TODAY}, COMPLETE),
        ({"domain": "TAX", "gaps": 1}, PARTIAL),
        ({"domain": "IP", "gaps": 1}, COMPLETE),
    ],
)
def test_a_late_feed_of_amendments_makes_what_it_amends_partial(
    record_class: str, changes: dict[str, Any], expected: CoverageState
) -> None:
    """Until it arrives a repaired penalty may still be said; how far back it reaches does not matter."""
    amending = feed(**{"id": "A", "domain": record_class.upper(), "record_class": record_class, **changes})
    assert state([feed(), amending], PENALTY) is expected
    lists = {"TAX": frozenset({"abnormal"})}
    assert state([feed(record_class="abnormal"), amending], lists) is expected
    permits = {"TAX": frozenset({"permit"})}
    assert state([feed(record_class="permit"), amending], permits) is COMPLETE


def test_a_feed_of_amendments_covers_nothing_by_itself() -> None:
    """Repairs alone are no data of a domain; with data the day that all reach is the earliest."""
    amending = feed(id="A", domain="REPAIR", record_class="repair", frequency_days=7, data_through=date(2026, 3, 4))
    assert state([amending], PENALTY) is NOT_COVERED
    found = coverage([feed(), amending], PENALTY, today=TODAY, window_from=WINDOW)["TAX"]
    assert (found.state, found.data_through_date, found.history_from_date) == (COMPLETE, "2026-03-04", "2015-01-01")


def test_a_stopped_feed_of_abnormal_operations_makes_its_domain_partial() -> None:
    """Where lists are fed by two classes, each must be in time."""
    needs = {"TAX": frozenset({"penalty", "listing", "abnormal"})}
    others = [feed(), feed(id="L", record_class="listing")]
    stopped = {"data_through": TODAY - timedelta(days=9)}
    assert state(others, needs) is PARTIAL
    assert state([*others, feed(id="B", record_class="abnormal")], needs) is COMPLETE
    assert state([*others, feed(id="B", record_class="abnormal", **stopped)], needs) is PARTIAL
