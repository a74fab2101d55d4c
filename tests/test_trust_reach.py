"""Who could then see what: told from every table that decides it, by the checks that answer questions."""

from __future__ import annotations

import base64
from datetime import date
from typing import Any

import pytest
from councils import LATER, Edit, council, draft_of, first, signer, tables

from gateway.charter import Charter
from keys.envelope import to_json
from keys.possession import prove
from nodes.setup import DESK
from nodes.trust import reach
from nodes.trust.ceremony import hold
from nodes.trust.changes import What, compare, days
from nodes.trust.review import charter_of, rehearse, review
from nodes.trust.telling import tell

TODAY = LATER.date()
ZONE_AGENCY, OUTSIDE = "310118-credit", "310107-credit"
RATING = {"ceiling.grade", "rating.grade", "rating.rated_date", "rating.scheme_kind", "rating.status"}


def with_officers(document: dict[str, Any]) -> None:
    """Give every agency an officer who may ask."""
    for member in document["members"]:
        for agency in member["agencies"]:
            name = f"{agency['id']}/o1"
            public = base64.b64encode(signer(name, name).public).decode()
            roles = [{"role": "ask", "from": "2026-01-01", "until": None}]
            member["officers"].append({"id": name, "agency": agency["id"], "public": public, "roles": roles})


def desk_proofs() -> dict[str, bytes]:
    """Prove that these officers hold their keys, one by one."""
    agencies = (agency["id"] for member in tables()["members"] for agency in member["agencies"])
    found = (signer(f"{each}/o1", f"{each}/o1") for each in agencies)
    return {each.id.replace("/", "."): to_json(prove([(DESK, each)])) for each in found}


def charter(edit: Edit | None = None) -> Charter:
    """Read the federation with officers, edited."""
    document = tables(with_officers)
    if edit:
        edit(document)
    return charter_of(rehearse(document, LATER))


@pytest.fixture(scope="module")
def before() -> reach.Reach:
    """Work out the reach of the reference federation."""
    return reach.reach(charter(), TODAY)


def changed(before: reach.Reach, edit: Edit, on: date = TODAY) -> tuple[reach.Change, ...]:
    """Tell what an edit changes."""
    return reach.changes(before, reach.reach(charter(edit), on))


def row(document: dict[str, Any], table: str, name: str, value: str) -> Any:
    """Find a row of a table."""
    return next(each for each in document[table] if each[name] == value)


def agency(document: dict[str, Any], found: str) -> dict[str, Any]:
    """Find an agency."""
    return next(each for member in document["members"] for each in member["agencies"] if each["id"] == found)


def test_the_reach_is_what_is_granted(before: reach.Reach) -> None:
    """An agency of the zone may ask the zone's parties for a rating; one outside may not, nor anybody asks Anhui."""
    asked = {(each.agency, each.answerer) for each in before if each.purpose == "RATING_RECOGNITION"}
    assert {answerer for agency, answerer in asked if agency == ZONE_AGENCY} == {"310000", "320000", "330000"}
    assert {agency for agency, _ in asked if agency == OUTSIDE} == set()
    sights = before[reach.Asked(agency=ZONE_AGENCY, purpose="RATING_RECOGNITION", kind="rating", answerer="310000")]
    assert [each.fields >= RATING and each.areas == {"310118", "320509", "330421"} for each in sights] == [True]


def test_nothing_changes_nothing(before: reach.Reach) -> None:
    """The same tables give the same reach, and a row that decides nothing shows nothing."""
    assert changed(before, lambda document: document["purposes"][0].update(retention_months=1)) == ()


def test_a_new_party_gains_and_is_seen(before: reach.Reach) -> None:
    """Anhui joins the zone with a county: its agencies there ask, and all the others ask Anhui."""

    def join(document: dict[str, Any]) -> None:
        agreement = row(document, "agreements", "id", "ZONE-2026")
        agreement["parties"].append("340000")
        agreement["area"].append("340111")

    found = changed(before, join)
    assert {each.gained for each in found} == {True}
    asks = {(agency, answerer) for each in found for agency in each.agencies for answerer in each.answerers}
    assert ("340111-credit", "310000") in asks
    assert (ZONE_AGENCY, "340000") in asks
    assert "340503-credit" not in {agency for agency, _ in asks}
    wider = [each for each in found if ZONE_AGENCY in each.agencies and "310000" in each.answerers]
    assert [each.areas for each in wider] == [("340111",)]


@pytest.mark.parametrize(
    ("edit", "gained", "agencies"),
    [
        (lambda d: agency(d, ZONE_AGENCY).update(suspended=True), {False}, {ZONE_AGENCY}),
        (lambda d: agency(d, ZONE_AGENCY).update(active_until="2026-11-01"), {False}, {ZONE_AGENCY}),
        (lambda d: agency(d, ZONE_AGENCY).update(purposes=[]), {False}, {ZONE_AGENCY}),
        (lambda d: agency(d, OUTSIDE).update(division="310118"), {True}, {OUTSIDE}),
    ],
    ids=["suspended", "ended", "no purpose", "moved into the zone"],
)
def test_an_agency_alone_is_told_alone(before: reach.Reach, edit: Edit, gained: set[bool], agencies: set[str]) -> None:
    """What happens to one agency is told of it and of no other."""
    found = changed(before, edit)
    assert {each.gained for each in found} == gained
    assert {name for each in found for name in each.agencies} == agencies


def test_a_suspended_member_neither_asks_nor_answers(before: reach.Reach) -> None:
    """Everybody loses its records, and its agencies lose everything."""
    found = changed(before, lambda document: document["members"][3].update(suspended=True))
    assert {each.gained for each in found} == {False}
    assert {"340000"} in [set(each.answerers) for each in found]
    assert {name[:2] for each in found if "310000" in each.answerers for name in each.agencies} == {"34"}


def test_a_closed_data_item_is_lost_by_all_who_saw_it(before: reach.Reach) -> None:
    """The field of a data item that is closed, and no other, is gone."""

    def close(document: dict[str, Any]) -> None:
        row(document, "data_items", "id", "rating")["label"] = "closed"

    found = changed(before, close)
    assert {each.gained for each in found} == {False}
    assert {name.split(".")[0] for each in found for name in each.fields} == {"rating"}


def test_a_loosened_condition_is_a_gain(before: reach.Reach) -> None:
    """Without the subject's authorisation more is seen: the same fields under fewer conditions."""

    def loosen(document: dict[str, Any]) -> None:
        row(document, "purposes", "code", "RATING_RECOGNITION")["authorisation"] = "NONE"

    found = changed(before, loosen)
    assert {each.purpose for each in found} == {"RATING_RECOGNITION"}
    conditions = {each.gained: "AUTHORISATION" in each.conditions[0].split() for each in found}
    assert conditions == {True: False, False: True}


def test_a_wider_window_and_another_domain_show() -> None:
    """Each dimension of what is granted is told apart."""

    def narrow(document: dict[str, Any]) -> None:
        row(document, "purposes", "code", "DAILY_SUPERVISION")["kinds"]["summary"]["windows"] = ["M12"]
        row(document, "agreements", "id", "YRD-4-2026")["domains"] = ["TAX"]

    found = reach.changes(reach.reach(charter(narrow), TODAY), reach.reach(charter(), TODAY))
    supervised = [each for each in found if (each.purpose, each.kind) == ("DAILY_SUPERVISION", "summary")]
    assert {each.gained for each in supervised} == {True}
    assert {"M36"} <= {window for each in supervised for window in each.windows}
    assert {"CUSTOMS"} <= {domain for each in supervised for domain in each.domains}


def test_a_prefix_covers_what_begins_with_it() -> None:
    """Whoever saw a province's subjects gains nothing by one of its counties."""
    common = {"fields": frozenset("f"), "domains": frozenset("d"), "windows": frozenset[str](), "conditions": ""}
    wide, narrow = (reach.Sight(areas=frozenset({area}), **common) for area in ("31", "310118"))  # type: ignore[arg-type]
    asked = reach.Asked(agency="a", purpose="p", kind="k", answerer="m")
    assert reach.changes({asked: frozenset({wide})}, {asked: frozenset({wide, narrow})}) == ()
    lost = reach.changes({asked: frozenset({wide})}, {asked: frozenset({narrow})})
    assert [(each.gained, each.areas) for each in lost] == [(False, ("31",))]


def test_what_begins_later_is_told_with_its_day() -> None:
    """A draft is shown as of today, and as of each later day on which what it changes begins or ends."""

    def next_year(document: dict[str, Any]) -> None:
        with_officers(document)
        row(document, "agreements", "id", "ZONE-2026").update(edition=2, valid_until="2027-01-01")

    base = hold(tables(with_officers), council(), None, now=LATER, proofs=desk_proofs())
    draft = draft_of(next_year, base=base)
    told = tell(draft, base, review(draft, base, now=LATER), now=LATER)
    assert [(each.from_day, {it.gained for it in each.changes}) for each in told.sights] == [("2027-01-01", {False})]
    assert [(each.table, each.name, each.what) for each in told.rows] == [("agreements", "ZONE-2026", What.CHANGED)]
    assert told.agreements == ("ZONE-2026",)


def test_rows_are_told_by_their_names() -> None:
    """Added, taken out and changed rows are told field by field; order is no change."""
    old = {
        "members": [
            {"id": "1", "suspended": False, "ca_certificates": ["-----A"], "keys": [{"id": "k", "use": "sign"}]},
        ],
        "mappings": [{"id": "m", "version": "1", "levels": {"A": "A", "B": "B"}}],
        "limits": {"subjects": 10},
        "odd": [{"x": 1}, {"x": 2}],
        "kinds": [{"id": "p", "kinds": [{"code": "c", "rank": 1}]}],
    }
    new = {
        "members": [{"id": "1", "suspended": True, "ca_certificates": ["-----B"], "keys": []}],
        "mappings": [
            {"id": "m", "version": "2", "levels": {}, "valid_from": "2027-01-01"},
            {"id": "m", "version": "1", "levels": {"A": "A", "B": "C"}},
        ],
        "limits": {"subjects": 20},
        "odd": [{"x": 1}],
        "kinds": [{"id": "p", "kinds": [{"code": "c", "rank": 2}]}],
    }
    found = {(each.table, each.name): each for each in compare(old, new)}
    assert {name: each.what for name, each in found.items()} == {
        ("keys", "k"): What.REMOVED,
        ("kinds", "p"): What.CHANGED,
        ("limits", "limits"): What.CHANGED,
        ("mappings", "m 1"): What.CHANGED,
        ("mappings", "m 2"): What.ADDED,
        ("members", "1"): What.CHANGED,
        ("odd", "1"): What.REMOVED,
    }
    told = {each.path: (each.before, each.after) for each in found["mappings", "m 1"].fields}
    assert told == {"levels.B": ("B", "C")}
    assert [each.path for each in found["kinds", "p"].fields] == ["kinds.c.rank"]
    assert {each.path for each in found["members", "1"].fields} == {"suspended", "ca_certificates"}
    assert "-----" not in str(found["members", "1"])
    assert days(compare(old, new)) == (date(2027, 1, 1),)


def test_the_first_bundle_lets_everybody_see() -> None:
    """Before the first bundle nobody saw anything."""
    assert reach.reach(charter_of(first().directory), TODAY) == {}  # no officer may ask in it
    assert {each.gained for each in reach.changes({}, reach.reach(charter(), TODAY))} == {True}
