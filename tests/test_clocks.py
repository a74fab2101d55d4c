"""Legal clocks: what may still be said on a day, at boundary days and in every way of being unsayable."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import CATALOGUE, listing, measure, penalty, permit, rating
from worlds_tables import TODAY

from gateway.clocks import (
    Saying,
    civil_day,
    clock_on,
    counted,
    months_before,
    say_listing,
    say_measure,
    say_penalty,
    say_permit,
    say_rating,
    still_running,
    window_from,
)
from gateway.model.codes import Severity, Window

RULE = CATALOGUE.clocks[0]
CLOCK = clock_on(RULE, TODAY)
SHOWING = clock_on(RULE, TODAY, shows_repaired=True)
TOMORROW, NOW, YESTERDAY = "2026-03-11", "2026-03-10", "2026-03-09"
SAY, SILENT = Saying.SAY, Saying.SILENT
ANY_DAY = st.dates(date(1990, 1, 1), date(2060, 12, 31))


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2026-03-09T15:59:59+00:00", "2026-03-09"),
        ("2026-03-09T16:00:00+00:00", "2026-03-10"),
        ("2026-03-10T00:30:00+08:00", "2026-03-10"),
        ("2026-03-10T23:30:00+08:00", "2026-03-10"),
        ("2026-03-10T00:30:00-05:00", "2026-03-10"),
        ("2024-02-28T16:30:00+00:00", "2024-02-29"),
    ],
)
def test_a_legal_day_is_a_civil_day_in_china(moment: str, day: str) -> None:
    """Whatever the zone of an instant, its legal day is that of Asia/Shanghai (U18)."""
    assert civil_day(datetime.fromisoformat(moment)) == date.fromisoformat(day)


@pytest.mark.parametrize(
    ("window", "first"),
    [(Window.M12, "2023-02-28"), (Window.M24, "2022-02-28"), (Window.M36, "2021-02-28"), (Window.M60, "2019-02-28")],
)
def test_a_window_begins_on_the_corresponding_day(window: Window, first: str) -> None:
    """A window that ends on a leap day begins on the last day of February."""
    assert window_from(date(2024, 2, 29), window) == date.fromisoformat(first)


@pytest.mark.parametrize(
    ("today", "months", "earliest"),
    [
        ("2026-03-10", 12, "2025-03-10"),
        ("2026-03-10", 3, "2025-12-10"),
        ("2025-02-28", 12, "2024-02-28"),
        ("2025-03-01", 12, "2024-03-01"),
        ("2024-02-29", 12, "2023-03-01"),
        ("2024-02-29", 48, "2020-02-29"),
        ("2026-05-31", 3, "2026-03-01"),
        ("2024-05-31", 3, "2024-03-01"),
        ("2026-01-31", 1, "2025-12-31"),
    ],
)
def test_a_period_runs_through_its_corresponding_day(today: str, months: int, earliest: str) -> None:
    """A period of months ends with the corresponding day, leap days and short months included."""
    assert still_running(date.fromisoformat(today), months) == date.fromisoformat(earliest)


@given(decided=ANY_DAY, today=ANY_DAY, months=st.integers(1, 60))
def test_a_period_counted_back_is_the_period_counted_forward(decided: date, today: date, months: int) -> None:
    """A decision is within its period exactly until its corresponding day, or the month's last one."""
    assert (decided >= still_running(today, months)) == (today <= months_before(decided, -months))


@pytest.mark.parametrize(
    ("changes", "saying"),
    [
        ({}, SAY),
        ({"decided_on": NOW}, SAY),
        ({"decided_on": TOMORROW}, SILENT),
        ({"decided_on": None}, SILENT),
        ({"decided_on": "2025-03-10"}, SAY),
        ({"decided_on": "2025-03-09"}, SILENT),
        ({"severity": "MINOR", "decided_on": "2025-12-10"}, SAY),
        ({"severity": "MINOR", "decided_on": "2025-12-09"}, SILENT),
        ({"severity": "SERIOUS", "decided_on": "2023-03-10"}, SAY),
        ({"severity": "SERIOUS", "decided_on": "2023-03-09"}, SILENT),
        ({"severity": None}, SILENT),
        ({"severity": "GRAVE"}, SILENT),
        ({"origin": "SELF_DECLARED"}, SILENT),
        ({"origin": "MARKET"}, SILENT),
        ({"origin": None}, SILENT),
        ({"exempt": 1}, SILENT),
        ({"annulled_on": YESTERDAY}, SILENT),
        ({"annulled_on": TOMORROW}, SILENT),
        ({"publish_not_before": TOMORROW}, SILENT),
        ({"publish_not_before": NOW}, SAY),
        ({"repaired_on": YESTERDAY}, SILENT),
        ({"repaired_on": NOW}, SILENT),
        ({"repaired_on": TOMORROW}, SAY),
        ({"publish_until": YESTERDAY}, SILENT),
        ({"publish_until": NOW}, SILENT),
        ({"publish_until": TOMORROW}, SAY),
        ({"disputed": 1}, SAY),
    ],
)
def test_a_penalty_is_said_by_its_clock(changes: dict[str, Any], saying: Saying) -> None:
    """A penalty is said only while every rule lets it."""
    assert say_penalty(penalty(**changes), CLOCK) is saying


@pytest.mark.parametrize(
    ("changes", "saying"),
    [
        ({"repaired_on": NOW}, Saying.SAY_REPAIRED),
        ({"repaired_on": TOMORROW}, SAY),
        ({"repaired_on": NOW, "annulled_on": NOW}, SILENT),
        ({"repaired_on": NOW, "exempt": 1}, SILENT),
        ({"repaired_on": NOW, "publish_until": NOW}, SILENT),
        ({"repaired_on": NOW, "decided_on": "2025-03-09"}, SILENT),
    ],
)
def test_a_repaired_penalty_shows_only_where_a_purpose_shows_it(changes: dict[str, Any], saying: Saying) -> None:
    """A purpose that shows repaired items shows them as repaired, and nothing that is silent otherwise."""
    assert say_penalty(penalty(**changes), SHOWING) is saying


def test_the_lookup_window_ends_before_the_months_of_a_severity() -> None:
    """The shorter of lookup and publication decides."""
    rule = CATALOGUE.clocks[0].__class__(
        member="310000",
        version="t",
        publish_months={"SERIOUS": 60},
        lookup_months=12,
        valid_from=date(2020, 1, 1),
    )
    clock = clock_on(rule, TODAY)
    assert dict(clock.said_from) == {"SERIOUS": "2025-03-10"}


def test_no_months_means_never() -> None:
    """A severity of zero months, or outside the severities asked for, is silent from its first day."""
    rule = CATALOGUE.clocks[0].__class__(
        member="310000",
        version="t",
        publish_months={"MINOR": 0, "GENERAL": 1, "SERIOUS": 1},
        lookup_months=12,
        valid_from=date(2020, 1, 1),
    )
    clock = clock_on(rule, TODAY, severities=frozenset({Severity.MINOR, Severity.GENERAL}))
    assert set(clock.said_from) == {"GENERAL"}


def test_a_window_limits_the_decisions() -> None:
    """A fact before the question's window is silent, whatever its severity may still say."""
    clock = clock_on(RULE, TODAY, since=date(2026, 1, 1))
    assert say_penalty(penalty(decided_on="2026-01-01"), clock) is SAY
    assert say_penalty(penalty(decided_on="2025-12-31"), clock) is SILENT


@pytest.mark.parametrize(
    ("changes", "saying"),
    [
        ({}, SAY),
        ({"listed_on": NOW}, SAY),
        ({"listed_on": TOMORROW}, SILENT),
        ({"listed_on": None}, SILENT),
        ({"listed_on": "2010-01-01"}, SAY),
        ({"exit_on": NOW}, SILENT),
        ({"exit_on": YESTERDAY}, SILENT),
        ({"exit_on": TOMORROW}, SAY),
        ({"publish_not_before": TOMORROW}, SILENT),
        ({"publish_not_before": NOW}, SAY),
        ({"origin": "MARKET"}, SILENT),
    ],
)
def test_a_listing_is_said_while_it_stands(changes: dict[str, Any], saying: Saying) -> None:
    """An entry is said from listing and grace until the day of its exit."""
    assert say_listing(listing(**changes), CLOCK) is saying
    assert say_listing(listing(**changes), SHOWING) is saying


@pytest.mark.parametrize(
    ("changes", "saying"),
    [
        ({}, SAY),
        ({"term_from": NOW}, SAY),
        ({"term_from": TOMORROW}, SILENT),
        ({"term_from": None}, SILENT),
        ({"term_until": None}, SAY),
        ({"term_until": TOMORROW}, SAY),
        ({"term_until": NOW}, SILENT),
        ({"lifted_on": NOW}, SILENT),
        ({"lifted_on": TOMORROW}, SAY),
    ],
)
def test_a_measure_is_said_during_its_term(changes: dict[str, Any], saying: Saying) -> None:
    """A measure is said from the first day of its term to the last, unless it was lifted."""
    assert say_measure(measure(**changes), CLOCK) is saying


@pytest.mark.parametrize(
    ("changes", "saying"),
    [
        ({}, SAY),
        ({"valid_from": TOMORROW}, SILENT),
        ({"valid_from": None}, SILENT),
        ({"valid_until": NOW}, SILENT),
        ({"valid_until": None}, SAY),
        ({"revoked_on": NOW}, SILENT),
        ({"revoked_on": TOMORROW}, SAY),
    ],
)
def test_a_permit_is_said_while_it_is_valid(changes: dict[str, Any], saying: Saying) -> None:
    """An ended, revoked or future permit leaves no trace."""
    assert say_permit(permit(**changes), CLOCK) is saying


@pytest.mark.parametrize(
    ("changes", "saying"),
    [
        ({}, SAY),
        ({"rated_on": NOW}, SAY),
        ({"rated_on": TOMORROW}, SILENT),
        ({"rated_on": None}, SILENT),
        ({"valid_until": NOW}, SILENT),
        ({"valid_until": TOMORROW}, SAY),
        ({"valid_until": None}, SAY),
    ],
)
def test_a_rating_is_said_while_it_is_valid(changes: dict[str, Any], saying: Saying) -> None:
    """A rating is said from its day until it ends."""
    assert say_rating(rating(**changes), CLOCK) is saying


@given(today=ANY_DAY, age=st.integers(-400, 2500), severity=st.sampled_from(Severity))
def test_silence_is_final(today: date, age: int, severity: Severity) -> None:
    """A penalty that has fallen silent never speaks again on a later day."""
    fact = penalty(decided_on=(today - timedelta(days=age)).isoformat(), severity=severity.value)
    before, after = (clock_on(RULE, day) for day in (today, today + timedelta(days=1)))
    if age >= 0 and say_penalty(fact, before) is SILENT:
        assert say_penalty(fact, after) is SILENT


REPAIRED = Saying.SAY_REPAIRED
FIRST = {"decided_on": "2026-01-10", "rectify_until": "2026-02-10"}


def indices(*said: tuple[dict[str, Any], Saying]) -> set[int]:
    """The places of the penalties that are counted."""
    pairs = [(penalty(**changes), saying) for changes, saying in said]
    left = {fact["digest"] for fact, _ in counted(pairs)}
    return {place for place, (fact, _) in enumerate(pairs) if fact["digest"] in left}


@pytest.mark.parametrize(
    ("changes", "again"),
    [
        ({"decided_on": "2026-01-10"}, False),
        ({"decided_on": "2026-02-10"}, False),
        ({"decided_on": "2026-02-11"}, True),
        ({"decided_on": "2026-01-09"}, True),
        ({"behaviour": "TAX-G-002"}, True),
        ({"behaviour": None}, True),
        ({"agency": "SH-IP"}, True),
        ({"domain": "IP"}, True),
        ({"severity": "SERIOUS"}, True),
    ],
)
def test_the_same_act_is_not_counted_again_while_it_may_be_rectified(changes: dict[str, Any], again: bool) -> None:  # noqa: FBT001
    """From the decision to the last day to rectify, both included, the same act counts once (requirement A67)."""
    second = {"decided_on": "2026-01-20", **changes}
    assert indices((FIRST, SAY), (second, SAY)) == ({0, 1} if again else {0})
    assert indices((second, SAY), (FIRST, SAY)) == ({0, 1} if again else {1})


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [(SAY, SAY, {0}), (REPAIRED, REPAIRED, {0}), (SAY, REPAIRED, {0}), (REPAIRED, SAY, {0, 1})],
)
def test_what_is_not_repaired_is_never_left_out_for_what_is(first: Saying, second: Saying, kept: set[int]) -> None:
    """A repaired decision hides no later one that still stands."""
    assert indices((FIRST, first), ({"decided_on": "2026-01-20"}, second)) == kept


def test_unknown_acts_are_not_the_same_act() -> None:
    """Two penalties whose behaviour is not known are both counted."""
    assert indices(({**FIRST, "behaviour": None}, SAY), ({**FIRST, "behaviour": None}, SAY)) == {0, 1}


def test_a_repeated_decision_has_its_own_days_to_rectify() -> None:
    """A decision that was not counted again still holds back what follows within its own days."""
    second = {"decided_on": "2026-02-01", "rectify_until": "2026-03-01"}
    assert indices((FIRST, SAY), (second, SAY), ({"decided_on": "2026-02-20"}, SAY)) == {0}


def test_without_days_to_rectify_nothing_is_left_out() -> None:
    """Penalties of the same act are counted one by one, and come back as they were given."""
    said = [(penalty(), SAY), (penalty(), SAY)]
    assert counted(said) is said


_SAID = st.lists(
    st.builds(
        lambda day, until, behaviour, saying: (
            penalty(decided_on=day, rectify_until=until, behaviour=behaviour),
            saying,
        ),
        st.sampled_from(("2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04")),
        st.none() | st.sampled_from(("2026-01-01", "2026-01-02", "2026-01-03")),
        st.sampled_from(("TAX-G-001", "TAX-G-002")),
        st.sampled_from((SAY, REPAIRED)),
    ),
    max_size=6,
)


@given(said=_SAID, seed=st.randoms(use_true_random=False))
def test_what_is_counted_follows_from_the_set_alone(said: list[Any], seed: Any) -> None:
    """In any order the same ones are counted, and what is left out was decided in the days of another."""
    kept = {fact["digest"] for fact, _ in counted(said)}
    assert kept == {fact["digest"] for fact, _ in counted(seed.sample(said, len(said)))}
    assert bool(kept) == bool(said)
    for fact, saying in said:
        holding = [
            other
            for other, how in said
            if other is not fact
            and how in {SAY, saying}
            and other["behaviour"] == fact["behaviour"]
            and other["decided_on"] <= fact["decided_on"] <= (other["rectify_until"] or "")
        ]
        first = not any(other["decided_on"] < fact["decided_on"] for other in holding)
        assert fact["digest"] in kept or holding
        assert fact["digest"] not in kept or first


@pytest.mark.parametrize("turned", [False, True])
def test_records_of_one_reference_are_one_decision(turned: bool) -> None:  # noqa: FBT001
    """A decision that its source wrote twice counts once, as the record that says most against its subject."""
    repaired = (penalty(reference=b"r" * 16, digest=b"a" * 32), Saying.SAY_REPAIRED)
    standing = (penalty(reference=b"r" * 16, digest=b"b" * 32), Saying.SAY)
    other = (penalty(reference=b"s" * 16, digest=b"c" * 32), Saying.SAY)
    unnamed = [(penalty(reference=None, digest=digest * 32), Saying.SAY) for digest in (b"d", b"e")]
    said = [repaired, standing, other, *unnamed]
    kept = counted(said[::-1] if turned else said)
    assert {fact["digest"][:1] for fact, _ in kept} == {b"b", b"c", b"d", b"e"}


def test_an_entry_in_a_list_that_stands_twice_counts_once() -> None:
    """Entries have no day of decision; the same one delivered under two keys is one all the same."""
    said = [(listing(reference=b"r" * 16, digest=digest * 32), Saying.SAY) for digest in (b"a", b"b")]
    assert [fact["digest"][:1] for fact, _ in counted(said)] == [b"b"]
