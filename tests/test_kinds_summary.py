"""Kind `summary`: lines, bands and months, field by field."""

from typing import Any

import pytest
from worlds import CATALOGUE, combining, grant, listing, penalty, permit, question, scene
from worlds_tables import FIELDS, REPORT, USCC

from gateway.errors import Refused
from gateway.kinds.row import Said
from gateway.kinds.summary import KIND, columns, needs, requested
from gateway.model.answer import Item, ListingLine, PenaltyLine, PermitLine, SummaryItem
from gateway.model.codes import CountBand, ItemState, Severity
from gateway.model.question import SummaryQuestion

REF = bytes(16)


def release(facts: dict[str, Any], fields: tuple[str, ...] | None = None, **changes: Any) -> Said:
    """What is said of facts under a grant of fields."""
    return KIND.release(
        question("summary"), facts, grant("summary", fields, **changes), scene(KIND, line_ref=lambda: REF)
    )


def body(facts: dict[str, Any], fields: tuple[str, ...] | None = None, **changes: Any) -> SummaryItem:
    """The item of what is said."""
    found = release(facts, fields, **changes).body
    assert isinstance(found, SummaryItem)
    return found


def test_penalties_are_banded_by_domain_and_severity() -> None:
    """One line a domain and severity, with the latest month and no count."""
    facts = [
        penalty(decided_on="2026-01-31"),
        penalty(decided_on="2025-12-31"),
        penalty(severity="SERIOUS"),
        penalty(domain="IP", severity="MINOR"),
    ]
    shown: dict[str, Any] = {"line_ref": REF, "latest_month": "2026-02", "unrepaired": True}
    assert body({"penalty": facts}).penalties == (
        PenaltyLine(domain="IP", severity=Severity.MINOR, band=CountBand.ONE, **shown),
        PenaltyLine(
            domain="TAX",
            severity=Severity.GENERAL,
            band=CountBand.TWO_TO_FOUR,
            **{**shown, "latest_month": "2026-01"},
        ),
        PenaltyLine(domain="TAX", severity=Severity.SERIOUS, band=CountBand.ONE, **shown),
    )


def test_without_the_severity_penalties_are_one_line_a_domain() -> None:
    """A field that is not granted does not show through the grouping of lines."""
    facts = [penalty(), penalty(severity="SERIOUS")]
    lines = body({"penalty": facts}, ("penalty.band",)).penalties
    assert lines == (PenaltyLine(line_ref=REF, domain="TAX", band=CountBand.TWO_TO_FOUR),)


def test_only_the_severities_of_the_purpose_are_said() -> None:
    """A penalty of another severity leaves no trace."""
    facts = [penalty(), penalty(severity="SERIOUS")]
    said = release({"penalty": facts}, severities=frozenset({Severity.SERIOUS}))
    assert said.used == (facts[1]["digest"],)


@pytest.mark.parametrize(
    ("repaired", "unrepaired"),
    [((None,), True), (("2026-03-01",), False), (("2026-03-01", None), True)],
)
def test_repaired_penalties_are_marked_where_they_are_shown(
    repaired: tuple[str | None, ...],
    unrepaired: bool,  # noqa: FBT001
) -> None:
    """A purpose that shows repaired items counts them and says whether any is not repaired."""
    facts = [penalty(repaired_on=day) for day in repaired]
    (line,) = body({"penalty": facts}, purpose_code=REPORT).penalties
    assert line.unrepaired is unrepaired


def test_repaired_penalties_are_silent_where_the_mark_is_not_granted() -> None:
    """What cannot be marked as repaired is not said."""
    fields = ("penalty.band", "penalty.severity")
    said = release({"penalty": [penalty(repaired_on="2026-03-01")]}, fields, purpose_code=REPORT)
    assert (said.found, said.used) == (False, ())


@pytest.mark.parametrize(
    ("ends", "month"),
    [
        (("2027-01-01",), "2026-12"),
        (("2026-06-15", "2028-02-29"), "2028-02"),
        (("2026-06-15", None), None),
        (("2026-03-10", "2026-06-15"), "2026-06"),
    ],
)
def test_permits_are_one_line_a_type(ends: tuple[str | None, ...], month: str | None) -> None:
    """The last valid one gives the month; one without an end leaves it out; an ended one is not there."""
    lines = body({"permit": [permit(valid_until=end) for end in ends]}).permits
    assert lines == (PermitLine(permit_type="TP01", domain="TAX", valid=True, expiry_month=month),)


def test_listings_are_one_line_a_type() -> None:
    """A list is said with the month and ground of the earliest entry that still stands."""
    facts = [
        listing(listed_on="2024-01-05", exit_on="2025-01-05"),
        listing(listed_on="2025-07-01", basis_class="B02"),
        listing(listed_on="2025-06-15", basis_class="B01"),
        listing(list_type="IP_WATCH", domain="IP", basis_class=None),
    ]
    assert body({"listing": facts}).listings == (
        ListingLine(line_ref=REF, list_type="IP_WATCH", domain="IP", listed=True, since_month="2025-06"),
        ListingLine(
            line_ref=REF,
            list_type="TAX_SEVERE",
            domain="TAX",
            listed=True,
            since_month="2025-06",
            basis_class="B01",
        ),
    )


@pytest.mark.parametrize("field", FIELDS["summary"])
def test_a_line_stands_only_for_a_granted_data_item(field: str) -> None:
    """One granted field brings its own lines, and no table of another data item is read."""
    found = body({"penalty": [penalty()], "permit": [permit()], "listing": [listing()]}, (field,))
    stem = field.partition(".")[0]
    lines = {"penalty": found.penalties, "permit": found.permits, "listing": found.listings}
    assert {name for name, held in lines.items() if held} == {stem}
    assert set(columns(grant("summary", (field,)))) == {stem}


def test_columns_hold_no_more_than_fields_and_clocks_need() -> None:
    """Agency, procedure and behaviour stay in the database; the ground only where granted."""
    assert columns(grant("summary", ("listing.listed",))) == {
        "listing": (
            "list_type",
            "domain",
            "listed_on",
            "publish_not_before",
            "exit_on",
            "origin",
            "disputed",
        )
    }
    assert "basis_class" in columns(grant("summary"))["listing"]
    assert set(columns(grant("summary"))["penalty"]) & {"behaviour", "agency", "procedure"} == set()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (("penalty.band",), {"ENVIRONMENT": {"penalty"}, "IP": {"penalty"}, "TAX": {"penalty"}}),
        (("listing.listed",), {"IP": {"listing"}, "TAX": {"listing"}}),
        (
            ("permit.valid", "listing.listed"),
            {"ENVIRONMENT": {"permit"}, "IP": {"permit", "listing"}, "TAX": {"permit", "listing"}},
        ),
    ],
)
def test_needs_name_the_classes_of_each_domain(fields: tuple[str, ...], expected: dict[str, Any]) -> None:
    """Listings are needed only where the domain has a list."""
    assert needs(grant("summary", fields), CATALOGUE) == expected


@pytest.mark.parametrize(
    ("asked", "stems"),
    [
        ((), {"penalty", "permit", "listing"}),
        (("permit",), {"permit"}),
        (("listing", "penalty"), {"listing", "penalty"}),
    ],
)
def test_a_question_asks_by_data_item(asked: tuple[str, ...], stems: set[str]) -> None:
    """Data items name their fields; none named asks for all."""
    wanted = question("summary", data_items=asked)
    assert isinstance(wanted, SummaryQuestion)
    assert requested(wanted) == tuple(name for name in FIELDS["summary"] if name.split(".")[0] in stems)


def test_an_unknown_data_item_is_refused() -> None:
    """A data item of another kind is no part of this question."""
    wanted = question("summary", data_items=("penalty", "rating"))
    assert isinstance(wanted, SummaryQuestion)
    with pytest.raises(Refused, match="PURPOSE_NOT_ALLOWED"):
        requested(wanted)


def test_combining_adds_no_bands() -> None:
    """Nothing is added up over regions (U4)."""
    held = Item(uscc=USCC, state=ItemState.FOUND, body=body({"penalty": [penalty()]}))
    assert KIND.combine(USCC, {"310000": held}, combining(())) == {}
