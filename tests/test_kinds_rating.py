"""Kind `rating`: the current rating of a scheme, and the ceiling that a member's own facts set."""

from typing import Any

import pytest
from worlds import CATALOGUE, catalogue, grant, listing, penalty, question, rating, repair, scene
from worlds_tables import REPORT, SCHEME

from gateway.kinds.rating import KIND, columns, needs
from gateway.kinds.row import Said
from gateway.model.answer import GradeCeiling, RatingItem, RatingLine
from gateway.model.codes import Grade, RatingStatus, SchemeKind, Severity

FREE = GradeCeiling(rule_version="caps-1")


def release(
    facts: dict[str, Any],
    fields: tuple[str, ...] | None = None,
    *,
    scheme_id: str = "",
    tables: Any = CATALOGUE,
    **changes: Any,
) -> Said:
    """What is said of facts."""
    body = question("rating", scheme_id=scheme_id)
    return KIND.release(body, facts, grant("rating", fields, **changes), scene(KIND, catalogue=tables))


def ceiling(facts: dict[str, Any], **changes: Any) -> GradeCeiling | None:
    """The ceiling that is said of facts."""
    found = release(facts, **changes).body
    assert isinstance(found, RatingItem)
    return found.ceiling


def grades(said: Said) -> list[str | None]:
    """The levels that are said."""
    assert isinstance(said.body, RatingItem)
    return [each.grade for each in said.body.ratings]


def test_a_rating_is_said_in_its_own_words() -> None:
    """The line carries scheme, version, level and days, and no score."""
    fact = rating(disputed=1)
    said = release({"rating": [fact]})
    assert said.body == RatingItem(
        ratings=(
            RatingLine(
                rating_id=fact["record_id"],
                scheme_id=SCHEME,
                scheme_version="2025",
                scheme_kind=SchemeKind.COMPREHENSIVE,
                grade="优",
                rated_date="2025-12-01",
                valid_until_date="2026-12-01",
                status=RatingStatus.DISPUTED,
            ),
        ),
        ceiling=FREE,
    )
    assert said.disputed


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (("2025-06-01", "2025-12-01"), ["B"]),
        (("2025-12-01", "2025-06-01"), ["A"]),
        (("2025-06-01", "2026-03-11"), ["A"]),
        (("2026-03-11", "2026-03-12"), []),
    ],
)
def test_the_latest_rating_of_a_scheme_is_current(days: tuple[str, str], expected: list[str]) -> None:
    """Of several ratings the latest counts, never one of tomorrow."""
    facts = [rating(rated_on=day, grade=grade) for day, grade in zip(days, "AB", strict=True)]
    assert grades(release({"rating": facts})) == expected


def test_the_ratings_are_those_asked_for() -> None:
    """No scheme named asks for the comprehensive ones; a named one for its own only, whatever its kind."""
    facts = [
        rating(scheme_id="ZJ-C", grade="Z"),
        rating(scheme_id="CN-TAX", scheme_kind="EXTERNAL", grade="T"),
        rating(grade="C"),
    ]
    assert grades(release({"rating": facts})) == ["C", "Z"]
    assert grades(release({"rating": facts}, scheme_id="CN-TAX")) == ["T"]


CAPPED: tuple[tuple[dict[str, Any], Grade | None, str], ...] = (
    ({}, None, ""),
    ({"penalty": [penalty()]}, Grade.B, "GENERAL_PENALTY"),
    ({"penalty": [penalty(severity="MINOR")]}, None, ""),
    ({"penalty": [penalty(), penalty(severity="SERIOUS")]}, Grade.C, "SERIOUS_PENALTY"),
    ({"penalty": [penalty()], "listing": [listing()]}, Grade.D, "SEVERE_LIST"),
    ({"listing": [listing(list_type="IP_WATCH")]}, None, ""),
    ({"penalty": [penalty(repaired_on="2026-03-01")]}, None, ""),
    ({"penalty": [penalty(domain="COURT")]}, None, ""),
    ({"listing": [listing(exit_on="2026-03-01")]}, None, ""),
)


@pytest.mark.parametrize(("facts", "grade", "reason"), CAPPED)
@pytest.mark.parametrize("purpose", ["DAILY_SUPERVISION", REPORT])
def test_the_strictest_case_sets_the_ceiling(
    facts: dict[str, Any], grade: Grade | None, reason: str, purpose: str
) -> None:
    """Severe list D, serious C, general B; repaired and silent facts set none, under any purpose."""
    found = ceiling(facts, purpose_code=purpose)
    assert found == GradeCeiling(grade=grade, reason_class=reason, rule_version="caps-1")


def test_a_ceiling_says_only_what_decides_it() -> None:
    """The facts behind the deciding case are used, and no others; the mark is theirs."""
    serious = penalty(severity="SERIOUS")
    said = release({"penalty": [penalty(disputed=1), serious]})
    assert (said.used, said.disputed, said.found) == ((serious["digest"],), False, True)


def test_a_ceiling_does_not_depend_on_the_severities_of_the_purpose() -> None:
    """The rule names its severities itself; a purpose that shows no penalty still gets its ceiling."""
    found = ceiling({"penalty": [penalty(severity="SERIOUS")]}, severities=frozenset({Severity.MINOR}))
    assert found == GradeCeiling(grade=Grade.C, reason_class="SERIOUS_PENALTY", rule_version="caps-1")


@pytest.mark.parametrize(
    ("case", "grade"),
    [
        ({"table": "listing", "list_types": ["IP_WATCH"]}, Grade.B),
        ({"table": "penalty", "window": "M12"}, Grade.B),
        ({"table": "penalty", "severity": "SERIOUS", "window": "M12"}, None),
        ({"table": "penalty", "severity": "SERIOUS", "window": "M24"}, Grade.B),
    ],
)
def test_a_case_is_limited_by_list_severity_and_window(case: dict[str, Any], grade: Grade | None) -> None:
    """Each condition of a case narrows it."""
    rule = {
        "version": "t",
        "valid_from": "2020-01-01",
        "cases": [{"reason_class": "R", "grade": "B", **case}],
    }
    facts = {
        "penalty": [penalty(), penalty(severity="SERIOUS", decided_on="2025-03-09")],
        "listing": [listing(list_type="IP_WATCH")],
    }
    found = ceiling(facts, tables=catalogue(ceilings=[rule]))
    assert found is not None
    assert found.grade is grade


def test_without_a_rule_in_force_no_ceiling_is_said() -> None:
    """No rule is another thing than no ceiling: the asker must not take it for leave."""
    assert ceiling({"penalty": [penalty()]}, tables=catalogue(ceilings=[])) is None


def test_the_ceiling_and_the_ratings_are_granted_apart() -> None:
    """Each reads its own tables and says its own part."""
    facts = {"rating": [rating()], "penalty": [penalty()], "listing": [listing()]}
    assert release(facts, ("ceiling.grade",)).body == RatingItem(
        ceiling=GradeCeiling(grade=Grade.D, reason_class="SEVERE_LIST", rule_version="caps-1")
    )
    only = release(facts, ("rating.grade",)).body
    assert isinstance(only, RatingItem)
    assert (only.ceiling, len(only.ratings)) == (None, 1)
    assert set(columns(grant("rating", ("ceiling.grade",)))) == {"penalty", "listing", "repair", "objection"}
    assert set(columns(grant("rating", ("rating.status",)))) == {"rating"}
    assert "grade" not in columns(grant("rating", ("rating.status",)))["rating"]


def test_needs_follow_what_is_granted() -> None:
    """Ratings need their feed; a ceiling needs penalties everywhere and lists where there are lists."""
    both = frozenset({"penalty", "listing"})
    adverse = {"ENVIRONMENT": frozenset({"penalty"}), "IP": both, "TAX": both}
    ratings = {"RATING": frozenset({"rating"})}
    assert needs(grant("rating", ("rating.grade",)), CATALOGUE) == ratings
    assert needs(grant("rating", ("ceiling.grade",)), CATALOGUE) == adverse
    assert needs(grant("rating"), CATALOGUE) == ratings | adverse


def test_a_ceiling_counts_repeated_acts_among_those_of_its_case() -> None:
    """An earlier decision outside the case's months does not take a later one out of it."""
    cases = [{"reason_class": "RECENT", "table": "penalty", "grade": "B", "severity": "SERIOUS", "window": "M12"}]
    tables = catalogue(ceilings=[{"version": "caps-1", "cases": cases, "valid_from": "2020-01-01"}])
    early = penalty(severity="SERIOUS", decided_on="2025-03-01", rectify_until="2025-06-01")
    later = penalty(severity="SERIOUS", decided_on="2025-04-01", rectify_until="2025-06-01")
    again = penalty(severity="SERIOUS", decided_on="2025-05-01")
    said = release({"penalty": [early, again, later]}, ("ceiling.grade",), tables=tables)
    assert said.used == (later["digest"],)


def test_a_repair_of_another_feed_lifts_the_ceiling() -> None:
    """A penalty that was repaired sets no ceiling, and leaves no trace of one."""
    facts = {"penalty": [penalty(reference=b"1" * 32)], "repair": [repair(b"1" * 32)]}
    assert (ceiling(facts), release(facts)) == (FREE, release({}))
