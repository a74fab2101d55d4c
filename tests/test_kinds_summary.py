"""Kind `summary`: lines, bands and months, field by field."""

from dataclasses import replace
from typing import Any

import pytest
from worlds import (
    CATALOGUE,
    combining,
    grant,
    listing,
    objection,
    penalty,
    permit,
    question,
    repair,
    scene,
    with_catalogue,
)
from worlds_tables import FIELDS, REPORT, USCC

from gateway.amendments import COLUMNS
from gateway.catalogue import ListClass
from gateway.errors import Refused
from gateway.kinds.plans import adverse_classes
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
    amending = set() if stem == "permit" else {"repair", "objection"}
    assert set(columns(grant("summary", (field,)))) == {stem} | amending


def test_columns_hold_no_more_than_fields_and_clocks_need() -> None:
    """The procedure stays in the database; the ground only where granted; amendments come with what they amend."""
    assert columns(grant("summary", ("listing.listed",))) == {
        **COLUMNS,
        "listing": (
            "list_type",
            "domain",
            "listed_on",
            "publish_not_before",
            "exit_on",
            "origin",
            "disputed",
            "reference",
        ),
    }
    assert "basis_class" in columns(grant("summary"))["listing"]
    assert set(columns(grant("summary"))["penalty"]) & {"procedure", "final_on", "review_status"} == set()


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


def test_an_act_decided_again_while_it_may_be_rectified_is_one() -> None:
    """It is in neither band nor month nor evidence; once the earlier one is silent it speaks (requirement A67)."""
    first = penalty(decided_on="2026-01-10", rectify_until="2026-02-10")
    again = penalty(decided_on="2026-02-01", disputed=1)
    said = release({"penalty": [again, first]})
    assert isinstance(said.body, SummaryItem)
    (line,) = said.body.penalties
    assert (line.band, line.latest_month, said.used, said.disputed) == (
        CountBand.ONE,
        "2026-01",
        (first["digest"],),
        False,
    )
    assert release({"penalty": [again, {**first, "annulled_on": "2026-02-05"}]}) == release({"penalty": [again]})


def test_repairs_of_another_feed_end_what_they_point_at() -> None:
    """A repaired entry is gone; a repaired penalty is marked where the purpose shows it; evidence stays its own."""
    one, other = penalty(reference=b"1" * 32), listing(reference=b"2" * 32)
    facts = {"penalty": [one], "listing": [other], "repair": [repair(b"1" * 32), repair(b"2" * 32)]}
    assert release(facts).used == ()
    said = release(facts, purpose_code=REPORT)
    assert isinstance(said.body, SummaryItem)
    assert [each.unrepaired for each in said.body.penalties] == [False]
    assert (said.body.listings, said.used) == ((), (one["digest"],))


def test_an_open_objection_marks_the_answer() -> None:
    """What is said under an objection of another feed is disputed (duty U22)."""
    facts = {"listing": [listing(reference=b"1" * 32)], "objection": [objection(b"1" * 32)]}
    assert (release(facts).disputed, release({"listing": facts["listing"]}).disputed) == (True, False)


def test_a_domain_needs_every_class_of_its_lists() -> None:
    """A domain with a directory of abnormal operations needs that feed as well as the one of its lists."""
    severe = CATALOGUE.list_types["TAX_SEVERE"]
    types = {
        **CATALOGUE.list_types,
        "ABNORMAL": replace(severe, code="ABNORMAL", record_class=ListClass.ABNORMAL),
        "ANYWHERE": replace(severe, code="ANYWHERE", domain="*"),
    }
    tables = with_catalogue(list_types=types)
    assert needs(grant("summary", ("listing.listed",)), tables) == {
        "ENVIRONMENT": {"listing"},
        "IP": {"listing"},
        "TAX": {"abnormal", "listing"},
    }
    assert adverse_classes(grant("no_violation"), tables)["TAX"] == {"abnormal", "listing", "penalty"}
