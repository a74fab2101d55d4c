"""What is stopped, in the bundle or by one member for itself, ends the matching question with its own reason."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from bundles import AGENCY, NOW, ROOT, SIGNERS, charter_of, document, entropy, intent_of, plot, signed_directory
from drafts import SUB
from hands import archive_of
from hypothesis import given
from hypothesis import strategies as st
from worlds_tables import AGREEMENT, JIANGSU, MEMBERS, PURPOSE, REPORT, SHANGHAI, ZHEJIANG

from gateway.charter import Charter, charter
from gateway.errors import Refused
from gateway.exchange.admit import Admitted, authenticate, authorise
from gateway.exchange.compose import Inquiry, compose
from gateway.federation import request_bytes
from gateway.kinds import KINDS
from gateway.model.codes import RefusalReason
from gateway.model.codes import RefusalReason as R
from keys import errors
from keys.bundle.quarantine import WHATS, apply, held
from keys.directory import Stop, open_bundle
from nodes.federation.signing import Lives

KEY = SIGNERS[SHANGHAI].id
NAMES = (*MEMBERS, AGENCY, AGREEMENT, PURPOSE, KEY, "penalty", "penalty.band")
STOPS: dict[str, tuple[str, str, R | None]] = {
    "the member": ("member", SHANGHAI, R.SUSPENDED),
    "another member": ("member", ZHEJIANG, None),
    "the key": ("key", KEY, R.KEY_NOT_VALID),
    "another key": ("key", SIGNERS[ZHEJIANG].id, None),
    "the agency": ("agency", AGENCY, R.SUSPENDED),
    "another agency": ("agency", "310000-tax", None),
    "the agreement": ("agreement", AGREEMENT, R.SUSPENDED),
    "another agreement": ("agreement", "OTHER", None),
    "the purpose": ("purpose", PURPOSE, R.PURPOSE_NOT_ALLOWED),
    "another purpose": ("purpose", REPORT, None),
    "the data item": ("data_item", "measure", R.PURPOSE_NOT_ALLOWED),
    "another data item": ("data_item", "penalty", None),
    "an item whose name begins like it": ("data_item", "meas", None),
}


def asked(answerer: Charter) -> Admitted:
    """Ask Jiangsu for the measures in force, under what Jiangsu holds; the asker knows of no stop."""
    asker = charter_of(SHANGHAI, signed_directory())
    intent = intent_of(plot("measures"))
    inquiry = Inquiry(intent=intent, intent_digest=bytes(32), agreement_id=AGREEMENT, case_subject_count=0)
    signed = compose(inquiry, JIANGSU, 1, question_id=entropy(16), charter=asker, signer=SIGNERS[SHANGHAI], now=NOW)
    genuine = authenticate(request_bytes(signed), peer=SHANGHAI, charter=answerer, now=NOW)
    return authorise(genuine, charter=answerer, now=NOW)


def reason(answerer: Charter) -> RefusalReason | None:
    """Give the reason with which Jiangsu refuses, or nothing."""
    try:
        asked(answerer)
    except Refused as refusal:
        return refusal.reason
    return None


def row(what: str, name: str) -> dict[str, str]:
    """Write a stop as the bundle lists it."""
    return {"what": what, "id": name, "ground": "sample"}


@pytest.mark.parametrize(("what", "name", "refusal"), STOPS.values(), ids=STOPS.keys())
def test_what_the_bundle_quarantines_is_refused(what: str, name: str, refusal: R | None) -> None:
    """Each thing is refused with its reason at every other member, and nothing else is."""
    quarantined = signed_directory(lambda found: found.update(quarantine=[row(what, name)]))
    assert reason(charter_of(JIANGSU, quarantined)) is refusal


@pytest.mark.parametrize(("what", "name", "refusal"), STOPS.values(), ids=STOPS.keys())
def test_what_a_member_stops_for_itself_is_refused(what: str, name: str, refusal: R | None) -> None:
    """A local stop has the same form and the same effect, on the bundle as it is."""
    stop = Stop(what=what, id=name, ground="sample")
    directory = open_bundle(signed_directory(), root=ROOT)
    stopped = charter(JIANGSU, directory, KINDS, (stop,))
    assert reason(stopped) is refusal
    assert stopped.directory.quarantine == (stop,)
    assert (stopped.directory.version, stopped.directory.archive) == (directory.version, directory.archive)


def test_a_local_stop_comes_on_top_of_the_quorums() -> None:
    """Both are in force; without any, the directory stays the same one."""
    directory = open_bundle(signed_directory(lambda it: it.update(quarantine=[row("agency", AGENCY)])), root=ROOT)
    both = directory.stopped((Stop(what="member", id=ZHEJIANG, ground="sample"),))
    agency = both.agency(AGENCY)
    assert agency is not None
    assert (agency.suspended, both.suspended(ZHEJIANG, NOW), both.suspended(SHANGHAI, NOW)) == (True, True, False)
    assert not directory.suspended(ZHEJIANG, NOW)


def test_a_sub_member_is_stopped_alone() -> None:
    """Its parent goes on; when the parent is stopped, it is too."""

    def with_sub(**stop: str) -> Callable[[dict[str, Any]], None]:
        def edit(found: dict[str, Any]) -> None:
            bare: dict[str, Any] = {"keys": [], "agencies": [], "officers": []}
            row = {**found["members"][0], **bare, "id": SUB, "parent": SHANGHAI, "divisions": [SUB]}
            found.update(members=[*found["members"], row], quarantine=[{**stop, "ground": "sample"}])

        return edit

    for name, told in ((SUB, (True, False)), (SHANGHAI, (True, True))):
        found = charter_of(JIANGSU, signed_directory(with_sub(what="member", id=name))).directory
        assert (found.suspended(SUB, NOW), found.suspended(SHANGHAI, NOW)) == told


@pytest.mark.parametrize(("name", "refusal"), [(SHANGHAI, R.SUSPENDED), ("300000", R.SUSPENDED), (ZHEJIANG, None)])
def test_a_question_of_a_stopped_sub_member_is_refused(name: str, refusal: R | None) -> None:
    """Itself or its parent, either stop ends its questions; another member's does not."""

    def edit(found: dict[str, Any]) -> None:
        bare: dict[str, Any] = {"keys": [], "agencies": [], "officers": []}
        found["members"].append({**found["members"][0], **bare, "id": "300000"})
        found["members"][0].update(parent="300000", divisions=["310"])
        found.update(quarantine=[row("member", name)])

    assert reason(charter_of(JIANGSU, signed_directory(edit))) is refusal


@pytest.mark.parametrize(("lapsed", "refusal"), [(SHANGHAI, R.SUSPENDED), (ZHEJIANG, None)])
def test_a_member_whose_own_role_has_expired_may_not_ask(lapsed: str, refusal: R | None) -> None:
    """Its entry was not signed again in time; the others go on."""
    day = timedelta(days=1)
    lives = Lives(snapshot=30 * day, timestamp=30 * day, members={lapsed: 9 * day})
    directory = open_bundle(archive_of(document(), tops=MEMBERS, lives=lives), root=ROOT)
    assert directory.member(lapsed).expire_time < NOW < directory.expire_time
    assert reason(charter(JIANGSU, directory, KINDS)) is refusal


@pytest.mark.parametrize(
    ("stop", "left"),
    [
        ("penalty", {"listing.listed": "open"}),
        ("penalty.band", {"penalty.severity": "open", "listing.listed": "open"}),
        ("listing.listed", {"penalty.band": "conditional", "penalty.severity": "open"}),
    ],
)
def test_a_data_item_is_closed_with_its_fields(stop: str, left: Mapping[str, str]) -> None:
    """A row of a field's full name does not keep it open, and one field is closed without the others."""
    rows = (
        {"id": "penalty", "label": "open"},
        {"id": "penalty.band", "label": "conditional"},
        {"id": "listing", "label": "open"},
    )
    closed = apply({"data_items": rows}, (Stop(what="data_item", id=stop, ground="sample"),))["data_items"]
    labels = {each["id"]: each["label"] for each in closed}
    fields = ("penalty.band", "penalty.severity", "listing.listed")
    found = {each: labels.get(each, labels[each.partition(".")[0]]) for each in fields}
    assert {name: label for name, label in found.items() if label != "closed"} == left


@pytest.mark.parametrize("rows", [None, "x", ("x",), {"id": "a"}])
@pytest.mark.parametrize("what", sorted(WHATS))
def test_what_is_no_list_of_rows_is_left_to_its_reader(what: str, rows: object) -> None:
    """A stop hides no fault of the section that it would change."""
    found = {"members": rows, "agreements": rows, "purposes": rows, "data_items": rows}
    assert apply(found, (Stop(what=what, id="a", ground="sample"),)) == found
    nested = {"members": ({"id": "m", "keys": rows, "agencies": rows},)}
    assert apply(nested, (Stop(what=what, id="a", ground="sample"),)) == nested


@pytest.mark.parametrize(
    "listed",
    ["x", [1], [{"what": "member"}], [row("officer", "x")], [row("member", "")], [{**row("member", "x"), "until": ""}]],
)
def test_a_quarantine_of_another_form_is_refused(listed: object) -> None:
    """What cannot be read as a stop stops nothing quietly."""
    with pytest.raises(errors.BundleMalformed, match="quarantine"):
        open_bundle(signed_directory(lambda found: found.update(quarantine=listed)), root=ROOT)


@pytest.mark.parametrize("what", sorted(WHATS))
def test_a_document_says_what_can_be_stopped(what: str) -> None:
    """Each kind of thing is named by its id in the table that a stop of it changes; an absent table holds none."""
    name = {"member": SHANGHAI, "key": KEY, "agency": AGENCY, "agreement": AGREEMENT, "purpose": PURPOSE}
    names = held(document(), what)
    assert name.get(what, "penalty") in names
    others = [held(document(), each) for each in WHATS - {what}]
    assert not any(names & each for each in others)
    assert held({}, what) == frozenset()


@given(
    st.lists(st.tuples(st.sampled_from(sorted(WHATS)), st.sampled_from([*MEMBERS, AGENCY, AGREEMENT, PURPOSE, KEY])))
)
def test_stops_add_up_in_any_order(stops: list[tuple[str, str]]) -> None:
    """Stopping twice is stopping once, and the order is of no matter."""
    whole = {name: tuple(value) for name, value in document().items() if isinstance(value, list)}
    whole["members"] = tuple(
        {name: tuple(value) if isinstance(value, list) else value for name, value in each.items()}
        for each in whole["members"]
    )
    found = [Stop(what=what, id=name, ground="sample") for what, name in stops]
    assert apply(whole, found) == apply(whole, [*reversed(found), *found])
