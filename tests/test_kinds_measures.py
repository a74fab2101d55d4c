"""Kind `measures`: what is in force, and what of it may be applied by the asker (U19)."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from worlds import CATALOGUE, combining, grant, home_item, item, measure, question, scene
from worlds_tables import ANHUI, JIANGSU, SHANGHAI, USCC

from gateway.kinds.measures import KIND, columns, needs
from gateway.kinds.row import Said
from gateway.model.answer import Item, MeasureLine, MeasuresItem

REF = bytes(16)


def release(facts: list[dict[str, Any]], fields: tuple[str, ...] | None = None) -> Said:
    """What is said of measures."""
    here = scene(KIND, line_ref=lambda: REF)
    return KIND.release(question("measures"), {"measure": facts}, grant("measures", fields), here)


def line(code: str = "MP01", territory: str | None = "NATIONAL") -> MeasureLine:
    """A line as a member says it."""
    return MeasureLine(line_ref=REF, measure_code=code, domain="TAX", territory=territory)


def held(*lines: MeasureLine) -> Item:
    """An item with lines."""
    return item(MeasuresItem(measures=lines))


def conclude(
    items: dict[str, Item],
    **changes: Any,
) -> tuple[list[tuple[str, str]], list[tuple[str, str, str]]]:
    """The applicable measures, and the others with their reasons."""
    found = KIND.combine(USCC, items, combining((), **changes))
    return (
        [(each.member, each.measure.measure_code) for each in found.get("applicable_measures", ())],
        [(each.member, each.measure.measure_code, each.reason) for each in found.get("information_measures", ())],
    )


def test_a_measure_is_one_line() -> None:
    """Every granted attribute is said as it was ordered."""
    said = release([measure()])
    assert said.body == MeasuresItem(
        measures=(
            MeasureLine(
                line_ref=REF,
                measure_code="MP01",
                domain="TAX",
                territory="NATIONAL",
                list_edition="2026",
                legal_basis="LAW-1",
                agency="SH-TAX",
                term_from_date="2026-01-01",
                term_until_date="2027-01-01",
            ),
        )
    )


def test_only_granted_attributes_are_said() -> None:
    """One field brings the line and nothing else of it."""
    said = release([measure(term_until=None)], ("measure.territory",))
    assert said.body == MeasuresItem(measures=(line(),))
    assert columns(grant("measures", ("measure.territory",))) == {
        "measure": (
            "measure_code",
            "domain",
            "term_from",
            "term_until",
            "lifted_on",
            "disputed",
            "territory",
        )
    }
    assert release([measure()], ()).body == MeasuresItem()


def test_needs_name_every_granted_domain() -> None:
    """A measure may stand in any domain of the grant."""
    found = needs(grant("measures", domains=frozenset({"TAX"})), CATALOGUE)
    assert found == {"TAX": frozenset({"measure"})}


@pytest.mark.parametrize(
    ("code", "territory", "reason"),
    [
        ("MP01", "NATIONAL", ""),
        ("MP01", SHANGHAI, ""),
        ("MP01", "31", ""),
        ("MP09", "NATIONAL", ""),
        ("MR01", "NATIONAL", ""),
        ("MP11", "NATIONAL", "NOT_IN_LIST"),
        ("MP77", "NATIONAL", "NOT_IN_LIST"),
        ("MP77", None, "NOT_IN_LIST"),
        ("MP01", JIANGSU, "OTHER_TERRITORY"),
        ("MP01", "310118", "OTHER_TERRITORY"),
        ("MP01", "0000", "OTHER_TERRITORY"),
        ("MP01", None, "NO_TERRITORY"),
        ("MP01", "", "NO_TERRITORY"),
    ],
)
def test_a_measure_applies_by_list_matter_and_territory(code: str, territory: str | None, reason: str) -> None:
    """Only what the asker published for this matter, and what reaches its area, may be applied."""
    applicable, information = conclude({JIANGSU: held(line(code, territory))})
    assert applicable == ([] if reason else [(JIANGSU, code)])
    assert information == ([(JIANGSU, code, reason)] if reason else [])


@pytest.mark.parametrize(
    ("territory", "applies"),
    [("310118", True), ("310000", True), ("31", True), ("310100", True), ("310115", False), ("320509", False)],
)
def test_a_sub_member_applies_what_its_region_may(territory: str, applies: bool) -> None:  # noqa: FBT001
    """A district lies in its own territory and in its region's, not in its neighbour's."""
    lists = tuple(
        each.__class__(member="310118", edition="1", measures=each.measures, valid_from=each.valid_from)
        for each in CATALOGUE.measure_lists
    )
    changes = {
        "asker": "310118",
        "divisions": {"310118": ("310118",)},
        "catalogue": replace(CATALOGUE, measure_lists=lists),
    }
    applicable, _ = conclude({JIANGSU: held(line("MP01", territory))}, **changes)
    assert bool(applicable) is applies


@pytest.mark.parametrize(
    ("changes", "applies"),
    [
        ({"application_item": "SH-TENDER"}, False),
        ({"today": date(2019, 12, 31)}, False),
        ({"asker": ANHUI}, False),
        ({"divisions": {}}, True),
    ],
)
def test_no_list_in_force_for_the_matter_applies_nothing(changes: dict[str, Any], applies: bool) -> None:  # noqa: FBT001
    """Another matter, another day and another asker have another list."""
    applicable, _ = conclude({JIANGSU: held(line("MP01", SHANGHAI))}, **changes)
    assert bool(applicable) is applies


def test_the_strictest_comes_first_and_members_stay_apart() -> None:
    """Measures are ordered by the asker's ranks; the same code of two members stays two conclusions."""
    items = {
        SHANGHAI: home_item(MeasuresItem(measures=(line("MR01"), line("MP09")))),
        JIANGSU: held(line("MP09"), line("MP01"), line("MP77")),
        ANHUI: item(),
    }
    applicable, information = conclude(items)
    assert applicable == [(JIANGSU, "MP01"), (SHANGHAI, "MP09"), (JIANGSU, "MP09"), (SHANGHAI, "MR01")]
    assert information == [(JIANGSU, "MP77", "NOT_IN_LIST")]


def test_no_measure_concludes_nothing() -> None:
    """Without a line there is no conclusion."""
    assert KIND.combine(USCC, {SHANGHAI: held()}, combining(())) == {}
