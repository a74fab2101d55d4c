"""What the officers' tool does and refuses, step by step, on keys in memory (threats 8, 9, 11, 15)."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from councils import (
    LATER,
    MEMBERS,
    NOW,
    ON_DUTY,
    Edit,
    council,
    draft_of,
    first,
    key,
    proven,
    signed_but,
    signed_by,
    signer,
    tables,
    with_key,
)

from keys import suite
from keys.bundle import layout, writing
from keys.bundle.quarantine import WHATS
from keys.bundle.sheets import read_sheet
from keys.suite import Signer, key_id
from nodes.federation.signing import Hands
from nodes.setup import DESK
from nodes.trust.ceremony import hold, wanted
from nodes.trust.draft import After, Draft
from nodes.trust.errors import Ground, TrustRefused
from nodes.trust.proposing import is_over, propose, refresh
from nodes.trust.published import Published
from nodes.trust.publishing import Step, publish
from nodes.trust.review import review
from nodes.trust.seating import seatings
from nodes.trust.seen import Seen
from nodes.trust.signing import add, sign
from nodes.trust.standing import counts, may_sign, on_duty, standing
from nodes.trust.telling import tell

ROOT = first().roots[0]
AGREEMENT = "agreements/ZONE-2026"


def refusal(ground: Ground) -> Any:
    """Expect a refusal on this ground."""
    return pytest.raises(TrustRefused, match=f"^{ground.value} ")


def area(document: dict[str, Any]) -> None:
    """Widen the zone's agreement."""
    document["agreements"][0]["area"].append("3401")
    document["agreements"][0]["edition"] += 1


def purpose(document: dict[str, Any]) -> None:
    """Let a purpose show less."""
    document["purposes"][0]["retention_months"] += 1


def take_turns(
    draft: Draft, publishers: tuple[str, ...], *, base: Published | None = None, of: Hands | None = None
) -> Step:
    """Let publishers take turns until the end."""
    step = None
    for _ in range(3):
        for member in publishers:
            try:
                step = publish(
                    draft, base or first(), key(member, "publisher", of=of), now=LATER, root=ROOT, stand_in=True
                )
            except TrustRefused as error:
                if error.ground is not Ground.NOTHING_TO_SIGN:
                    raise
                continue
            draft = step.draft
            if step.published:
                return step
    assert step is not None
    return step


def test_a_federation_begins_with_its_officers_alone() -> None:
    """Four members' keys give the first bundle; every threshold is met, and every role is of version 1."""
    roles = {each.name: each for each in first().opened.roles}
    assert {each.version for each in roles.values()} == {1}
    assert [roles[each].threshold for each in ("root", "targets", "mappings", "snapshot", "members-310000")] == [
        3, 3, 3, 2, 2,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("edit", "roles", "agreements"),
    [
        (purpose, {"targets"}, set()),
        (area, {"targets"}, {"ZONE-2026"}),
        (lambda d: d["mappings"][0]["levels"].update(D="D") or d["clocks"][0].update(version="x"), None, None),
        (lambda d: d["members"][1].update(endpoint="a.example:1"), {"members-320000"}, set()),
    ],
)
def test_only_what_differs_is_proposed(edit: Edit, roles: set[str] | None, agreements: set[str] | None) -> None:
    """A change in one file gives the next version of its role, and of no other."""
    draft = draft_of(edit)
    if roles is not None:
        assert (set(draft.roles), set(draft.agreements)) == (roles, agreements)
    versions = {role: read_sheet(content, role).version for role, content in draft.roles.items()}
    assert set(versions.values()) <= {2}


def test_nothing_changed_is_no_draft() -> None:
    """A proposal that says what is published is refused; a role may be renewed all the same, or ends soon."""
    with refusal(Ground.NOTHING_CHANGED):
        draft_of()
    assert set(draft_of(renew=frozenset({"mappings"})).roles) == {"mappings"}
    asked = wanted(tables(), council())
    assert set(propose(asked, first(), now=NOW + timedelta(days=25)).roles) == {f"members-{each}" for each in MEMBERS}


def test_a_turn_of_the_year_moves_no_list() -> None:
    """In January the lists of last year stay as they are signed; an act that is new then comes in a new file."""
    january = NOW.replace(year=2027, month=1, day=4)
    asked = wanted(tables(), council())
    assert propose(asked, first(), now=january).files == {}

    def more(document: dict[str, Any]) -> None:
        row = document["behaviours"][0]
        document["behaviours"].append(
            {**row, "code": "TAX-G-900", "edition": "2027", "name": {"zh": "新", "en": "New"}}
        )

    draft = propose(wanted(tables(more), council()), first(), now=january)
    assert set(draft.files) == {"lists/behaviour-2027.json"}
    assert "TAX-G-900" in review(draft, first(), now=january).after.catalogue.behaviours


def test_a_member_without_keys_cannot_be_seated() -> None:
    """Too few officers, or no root key, are named."""
    asked = wanted(tables(purpose), council())
    for name in (("330000", "officer"), ("330000", "root")):
        fewer = replace(asked, keys={**asked.keys, name: asked.keys[name][1:]})
        with refusal(Ground.KEYS_MISSING) as error:
            propose(fewer, first(), now=LATER)
        assert error.value.values["member"] == "330000"


def test_a_draft_is_signed_in_any_order_and_published_by_any_two() -> None:
    """Any two publishers may be down: the two that are left, whoever they are, publish."""
    draft = signed_but(draft_of(purpose))
    for pair in (("310000", "320000"), ("330000", "340000"), ("340000", "310000")):
        found = take_turns(draft, pair).published
        assert found is not None
        assert (found.version, found.directory.sections["purposes"][0]["retention_months"]) == (
            2,
            tables()["purposes"][0]["retention_months"] + 1,
        )


def test_one_publisher_alone_never_publishes() -> None:
    """A stolen publisher key signs once, and no second time."""
    step = publish(signed_but(draft_of(purpose)), first(), key(ON_DUTY, "publisher"), now=LATER, root=ROOT)
    assert (step.made, step.published) == (("snapshot",), None)
    with refusal(Ground.NOTHING_TO_SIGN):
        publish(step.draft, first(), key(ON_DUTY, "publisher"), now=LATER, root=ROOT)


def forged(role: str, content: bytes) -> Draft:
    """Let a thief of one publisher's key put a stage of its own into a draft."""
    thief = key("310000", "publisher")
    draft = replace(signed_but(draft_of(purpose)), stage={role: content})
    return draft.with_signatures(thief.id, {role: thief.sign(read_sheet(content, role).message)})


@pytest.mark.parametrize(
    "content",
    [
        writing.write_snapshot(version=99, expires=LATER + timedelta(days=7), roles={}),
        writing.write_snapshot(
            version=2, expires=LATER + timedelta(days=7), roles=dict(list(first().roles.items())[:2])
        ),
        writing.write_snapshot(version=2, expires=LATER + timedelta(days=900), roles={}),
        writing.write_snapshot(version=2, expires=NOW - timedelta(days=9), roles={}),
    ],
    ids=["skips", "leaves out", "too long", "over"],
)
def test_what_a_stolen_publisher_key_made_is_not_cosigned(content: bytes) -> None:
    """An honest publisher makes everything again and cosigns only what is the same."""
    with refusal(Ground.NOT_SEEN):
        publish(forged("snapshot", content), first(), key("320000", "publisher"), now=LATER, root=ROOT)


def test_a_publisher_cosigns_only_what_extends_what_it_saw() -> None:
    """After a crash it signs the very same bytes again; another content of that version, or an older one, never."""
    draft, mine = signed_but(draft_of(purpose)), key(ON_DUTY, "publisher")
    step, soon = publish(draft, first(), mine, now=LATER, root=ROOT), LATER + timedelta(minutes=1)
    crashed = replace(draft, stage=step.draft.stage)
    assert publish(crashed, first(), mine, now=soon, root=ROOT, seen=step.seen).draft == step.draft
    other = publish(draft, first(), key("310000", "publisher"), now=soon, root=ROOT, stand_in=True)
    for seen in (step.seen, Seen(versions={"snapshot": 7})):
        with refusal(Ground.NOT_SEEN):
            publish(other.draft, first(), mine, now=soon, root=ROOT, seen=seen)


def test_a_draft_that_was_given_up_blocks_no_publisher() -> None:
    """Who signed a snapshot that never came makes the next one of a version that it never signed."""
    given_up, draft = signed_but(draft_of(area)), signed_but(draft_of(purpose))
    seen = publish(given_up, first(), key("330000", "publisher"), now=LATER, root=ROOT, stand_in=True).seen
    seen = Seen(versions={**seen.versions, "snapshot": 2}, digests={**seen.digests, "snapshot": "other"})
    theirs = publish(draft, first(), key(ON_DUTY, "publisher"), now=LATER, root=ROOT).draft
    with refusal(Ground.NOT_SEEN):
        publish(theirs, first(), key("330000", "publisher"), now=LATER, root=ROOT, seen=seen)
    mine = publish(
        theirs, first(), key("330000", "publisher"), now=LATER, root=ROOT, seen=seen, again=True, stand_in=True
    )
    found = take_turns(mine.draft, (ON_DUTY, "330000")).published
    assert found is not None
    assert found.version == 3


def test_the_publisher_on_duty_begins() -> None:
    """Another publisher begins only as a stand-in, but may always cosign; the turns follow the rota."""
    draft = signed_but(draft_of(purpose))
    with refusal(Ground.NOT_ON_DUTY) as error:
        publish(draft, first(), key("310000", "publisher"), now=LATER, root=ROOT)
    assert error.value.values == {"member": ON_DUTY}
    rota = {"rota": {"from": "2026-01-05", "days": 7, "order": list(MEMBERS)}}
    days = [NOW.date() + timedelta(days=each) for each in (0, 1, 7, 14, 21, 22)]
    assert [on_duty(rota, each) for each in days] == [
        "320000", "330000", "330000", "340000", "310000", "320000",
    ]  # fmt: skip
    assert on_duty({}, NOW.date()) == ""


def test_a_refresh_signs_a_new_timestamp_and_nothing_else() -> None:
    """Daily, two publishers sign a timestamp on the same snapshot; near its end the snapshot too."""
    found = take_turns(refresh(first()), ("330000", "310000")).published
    assert found is not None
    versions = {each.name: each.version for each in found.opened.roles}
    assert (versions["timestamp"], versions["snapshot"], versions["targets"]) == (2, 1, 1)
    late = publish(refresh(first()), first(), key("330000", "publisher"), now=NOW + timedelta(days=6), root=ROOT)
    assert late.made == ("snapshot",)


def test_a_refresh_is_over_once_it_is_published() -> None:
    """Its draft is made anew then, and after any other bundle; a draft that changes anything is never taken for one."""
    draft = publish(refresh(first()), first(), key(ON_DUTY, "publisher"), now=LATER, root=ROOT).draft
    found = take_turns(draft, ("310000", "330000")).published
    assert found is not None
    assert (is_over(refresh(first()), first()), is_over(draft, first()), is_over(draft, found)) == (False, False, True)
    assert not is_over(refresh(found), found)
    assert not is_over(replace(draft_of(purpose), stage=draft.stage), found)
    assert is_over(replace(refresh(first()), base_digest="0" * 64), found)


def test_no_publisher_acts_before_the_officers() -> None:
    """One signature short, also of the mapping tables, nothing is published (threat 15)."""
    draft = draft_of(renew=frozenset({"mappings"}))
    quorum = [key(each, "quorum") for each in MEMBERS]
    with refusal(Ground.SIGNATURES_MISSING) as error:
        publish(signed_by(draft, *quorum[:2]), first(), key(ON_DUTY, "publisher"), now=LATER, root=ROOT)
    assert error.value.values == {"names": "mappings"}
    assert publish(signed_by(draft, *quorum[:3]), first(), key(ON_DUTY, "publisher"), now=LATER, root=ROOT).made


def test_two_officers_of_one_party_are_one_party() -> None:
    """An agreement wants two officers of every party; those of one do not stand for another (duty U9)."""
    draft = signed_but(draft_of(area), key("320000", "officer", 0))
    missing = [(each.name, each.of, each.missing) for each in counts(draft, first()) if each.missing]
    assert missing == [(AGREEMENT, "320000", 1)]
    with refusal(Ground.SIGNATURES_MISSING):
        publish(draft, first(), key(ON_DUTY, "publisher"), now=LATER, root=ROOT)


def test_an_officer_counts_once_and_a_stranger_never() -> None:
    """Signing twice adds nothing, and a signature under another's name or by no party's officer is not counted."""
    officer, other = key("310000", "officer", 0), key("340000", "officer", 0)
    draft = signed_by(draft_of(area), officer)
    with refusal(Ground.NOTHING_TO_SIGN):
        signed_by(draft, officer)
    assert may_sign(counts(draft, first()), other.id) == ()
    copied = draft.with_signatures(key("310000", "officer", 1).id, {AGREEMENT: draft.signed(AGREEMENT)[officer.id]})
    strange = copied.with_signatures(other.id, {AGREEMENT: other.sign(b"anything")})
    assert [each.signed for each in counts(strange, first()) if each.of == "310000"] == [(officer.id,)]


def test_a_root_is_rotated_by_the_old_and_the_new_quorum() -> None:
    """A new root key of one member: the next root needs three of the old holders and three of the new."""
    new = signer("new root", "320000/root")
    council_now = with_key("320000", "root", new)
    draft = draft_of(of=council_now, proofs=proven(("root", new)))
    review(draft, first(), now=LATER)
    assert set(draft.roles) == {"root"}
    old = [key(each, "root") for each in MEMBERS]
    short = signed_by(draft, old[0], new, old[2])
    assert [(each.of, each.missing) for each in counts(short, first())] == [("", 0), ("old", 1)]
    found = take_turns(signed_by(short, old[3]), ("310000", "340000"), of=council_now).published
    assert found is not None
    assert [key.id for key in found.opened.roles[0].keys].count(new.id) == 1
    assert len(found.roots) == 2


def test_a_quorum_key_is_rotated_with_all_that_it_signs() -> None:
    """The roles that a replaced key signs get a next version under the new one."""
    new = signer("new quorum", "340000/quorum")
    draft = draft_of(of=with_key("340000", "quorum", new), proofs=proven(("quorum", new)))
    assert set(draft.roles) == {"root", "targets", "mappings"}


def test_new_officers_sign_their_members_agreements_again() -> None:
    """Replaced officers take their signatures with them; the other parties' stay."""
    new = [signer(f"new officer {each}", "330000/officer") for each in range(2)]
    now_in = with_key("330000", "officer", *new)
    draft = draft_of(of=now_in, proofs=proven(*(("officer", each) for each in new)))
    assert (set(draft.roles), set(draft.agreements)) == ({"targets", "members-330000"}, {"ZONE-2026", "YRD-4-2026"})
    missing = {(each.name, each.of): each.missing for each in counts(draft, first()) if each.missing}
    assert {of for name, of in missing if name.startswith("agreements/")} == {"330000"}
    assert take_turns(signed_but(draft, of=now_in), ("310000", "320000"), of=now_in).published is not None


def with_officer(found: Signer) -> Edit:
    """Register a desk officer under a key."""
    row = {
        "id": "310000-market/o1",
        "agency": "310000-market",
        "public": base64.b64encode(found.public).decode(),
        "roles": [{"role": "ask", "from": "2026-01-01", "until": None}],
    }
    return lambda document: document["members"][0]["officers"].append(row)


NEW = signer("newcomer", "310000/root")
DESK_KEY = signer("desk", "310000-market/o1")


@pytest.mark.parametrize(
    ("draft", "ground"),
    [
        (lambda: draft_of(of=with_key("310000", "root", NEW)), Ground.NOT_PROVEN),
        (
            lambda: draft_of(of=with_key("310000", "root", NEW), proofs=proven(("quorum", NEW))),
            Ground.NOT_PROVEN,
        ),
        (lambda: draft_of(of=with_key("310000", "root", signer("q", "310000/quorum"))), Ground.KEY_UNFIT),
        (lambda: draft_of(of=with_key("310000", "root", signer("o", "320000/root"))), Ground.KEY_UNFIT),
        (
            lambda: draft_of(of=with_key("310000", "root", signer("310000/quorum/0", "310000/root"))),
            Ground.KEY_COPIED,
        ),
        (lambda: draft_of(with_officer(DESK_KEY)), Ground.NOT_PROVEN),
        (lambda: draft_of(with_officer(key("320000", "root"))), Ground.KEY_COPIED),
        (lambda: draft_of(of=with_key("310000", "root", weak(bytes(32)))), Ground.KEY_UNFIT),
        (lambda: draft_of(of=with_key("310000", "root", weak((2**255 - 18).to_bytes(32, "little")))), Ground.KEY_UNFIT),
    ],
    ids=[
        "unproven", "proven for another use", "wrong use", "another member's", "copied", "unproven desk key",
        "copied desk key", "low order", "not canonical",
    ],
)  # fmt: skip
def test_a_bad_key_is_refused_before_anybody_signs(draft: Any, ground: Ground) -> None:
    """Weak, copied, wrong-use and unproven keys are refused when proposed or reviewed (threat 9)."""
    with refusal(ground):
        review(draft(), first(), now=LATER)


@pytest.mark.parametrize(
    ("use", "roles"),
    [
        ("root", {"root"}),
        ("quorum", {"targets", "mappings"}),
        ("publisher", {"snapshot", "timestamp", "agreements"}),
        ("officer", {"members-320000"}),
    ],
)
def test_a_strangers_proven_keys_are_told_whole(use: str, roles: set[str]) -> None:
    """Whoever asks in a member's name proves a key, not who it is: the whole key is shown, and the one it replaces."""
    owner = f"320000/{use}"
    stranger = tuple(signer(f"stranger {each}", owner) for each in range(2 if use == "officer" else 1))
    draft = draft_of(of=with_key("320000", use, *stranger), proofs=proven(*((use, each) for each in stranger)))
    told = tell(draft, first(), review(draft, first(), now=LATER), now=LATER)
    assert {each.role for each in told.seats} == roles
    mine = council().signers["320000"][use]
    for seating in told.seats:
        assert {(each.key, each.public) for each in seating.added} == {
            (each.id, each.public.hex()) for each in stranger
        }
        assert {(each.key, each.public) for each in seating.removed} == {(each.id, each.public.hex()) for each in mine}


def test_a_threshold_that_changes_is_told_without_any_key() -> None:
    """More signatures for targets, by the same keys, are a change of seats; a draft of rows alone is none."""
    held = first().sheet(layout.ROOT).seats
    seats = {**held, "targets": replace(held["targets"], threshold=4)}
    root = writing.write_root(version=2, expires=LATER + timedelta(days=365), seats=seats)
    found = seatings(replace(draft_of(purpose), roles={"root": root}), first())
    assert [(each.role, each.threshold_before, each.threshold_after, each.added, each.removed) for each in found] == [
        ("targets", 3, 4, (), ())
    ]
    assert seatings(draft_of(purpose), first()) == ()


def weak(public: bytes) -> Signer:
    """Make a signer that has an unfit public key."""
    return replace(NEW, id=key_id("310000/root", public), public=public)


def test_a_proven_desk_key_is_taken() -> None:
    """An officer of an agency whose entry proves the key is registered."""
    draft = draft_of(with_officer(DESK_KEY), proofs=proven((DESK, DESK_KEY)))
    after = review(draft, first(), now=LATER).after
    assert after.directory.officer("310000-market/o1") is not None


def better(document: dict[str, Any]) -> None:
    """Add a table of the next year that maps a level to a better grade."""
    rows = document["mappings"]
    rows.append(
        {**rows[1], "version": "2027.1", "valid_from": "2027-01-01", "levels": {**rows[1]["levels"], "中等": "B"}}
    )


def jump(document: dict[str, Any]) -> None:
    """Add a table of the next year that lets levels fall by three grades."""
    rows = document["mappings"]
    levels = dict.fromkeys(rows[1]["levels"], "D")
    rows.append({**rows[1], "version": "2027.1", "valid_from": "2027-01-01", "levels": levels})


@pytest.mark.parametrize(
    ("edit", "ground"),
    [
        (lambda d: d["mappings"][0]["levels"].update(C="D"), Ground.MAPPING_CHANGED),
        (lambda d: d["mappings"].pop(0), Ground.MAPPING_CHANGED),
        (lambda d: d["mappings"][0].update(valid_from="2025-02-01"), Ground.MAPPING_CHANGED),
        (better, Ground.MAPPING_UPGRADES),
        (jump, Ground.MAPPING_JUMPS),
        (lambda d: new_scheme(d, {"A": "A", "B": "A", "C": "C"}), Ground.MAPPING_UPGRADES),
        (lambda d: new_scheme(d, {"A": "A", "B": "C", "C": "D"}), None),
        (lambda d: new_scheme(d, {"good": "A", "bad": "D"}), Ground.MAPPING_JUMPS),
        (lambda d: d["mappings"][0].update(valid_until="2027-06-01"), None),
    ],
)
def test_mappings_never_change_in_place_upgrade_or_jump(edit: Edit, ground: Ground | None) -> None:
    """An active table may only be given its end; a level is never worth more than it says (threat 15, U20)."""
    draft = draft_of(edit)
    if ground is None:
        review(draft, first(), now=LATER)
        return
    with refusal(ground):
        sign(draft, first(), key("310000", "quorum"), digest=draft.digest, now=LATER)


HELD = {
    "member": "330000",
    "agency": "310118-market",
    "agreement": "ZONE-2026",
    "purpose": "DAILY_SUPERVISION",
    "data_item": "penalty.band",
}


@pytest.mark.parametrize("what", sorted(WHATS))
def test_a_quarantine_of_what_is_not_there_is_signed_by_nobody(what: str) -> None:
    """An id that nothing has is named, and so are a field of no item and an item of no field; what is there is not."""
    wrong = ["320000/0000000000000000", "penalty.nothing", "nothing.band"]
    rows = [{"what": what, "id": each, "ground": "sample"} for each in (*wrong, HELD.get(what, wrong[0]))]
    draft = draft_of(lambda found: found.update(quarantine=rows))
    assert {each.id for each in review(draft, first(), now=LATER).unknown} == set(wrong)
    with refusal(Ground.QUARANTINE_UNKNOWN) as error:
        sign(draft, first(), key("310000", "quorum"), digest=draft.digest, now=LATER)
    assert all(f"{what} {each}" in error.value.values["names"] for each in wrong)
    if what in HELD:
        right = draft_of(lambda found: found.update(quarantine=rows[-1:]))
        assert sign(right, first(), key("310000", "quorum"), digest=right.digest, now=LATER).signatures


def new_scheme(document: dict[str, Any], levels: dict[str, str]) -> None:
    """Add a scheme and its table."""
    scheme = {**document["schemes"][0], "id": "310000-NEW", "version": "1", "levels": list(levels)}
    table = {**document["mappings"][0], "id": "NEW", "scheme_id": "310000-NEW", "scheme_version": "1", "levels": levels}
    document["schemes"].append(scheme)
    document["mappings"].append(table)


def test_a_draft_must_extend_what_is_published() -> None:
    """A draft on another snapshot, or with a version that does not follow, is signed and published by nobody."""
    draft = signed_but(draft_of(purpose))
    found = take_turns(draft, ("310000", "320000")).published
    content = writing.write_targets(
        "targets", version=4, expires=LATER + timedelta(days=90), files=After(draft=draft, base=first()).files(),
        delegations=read_sheet(first().roles["targets"], "targets").seats,
    )  # fmt: skip
    skipping = replace(draft, roles={"targets": content})
    for each, base in ((draft, found), (draft, None), (skipping, first())):
        with refusal(Ground.NOT_EXTENDING):
            review(each, base, now=LATER)
        with refusal(Ground.NOT_EXTENDING):
            publish(each, base, key(ON_DUTY, "publisher"), now=LATER, root=ROOT)


def test_a_signature_wants_the_digest_of_the_very_draft() -> None:
    """Whoever confirmed another draft signs nothing, and a key without a seat has nothing to sign."""
    draft, other = draft_of(purpose), draft_of(area)
    with refusal(Ground.NOT_CONFIRMED):
        sign(draft, first(), key("310000", "quorum"), digest=other.digest, now=LATER)
    with refusal(Ground.NOTHING_TO_SIGN):
        sign(draft, first(), key("310000", "publisher"), digest=draft.digest, now=LATER)
    assert set(sign(draft, first(), key("310000", "quorum"), digest=draft.digest, now=LATER).signatures)


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: d["rota"].update(days=0),
        lambda d: d["rota"].pop("order"),
        lambda d: d["purposes"][0].update(colour="red"),
        lambda d: d["agreements"][0].update(edition=2, parties=["310000", "990000"]),
    ],
)
def test_tables_that_contradict_themselves_are_not_signed(edit: Edit) -> None:
    """What no node could read is refused before the first signature."""
    draft = draft_of(edit)
    with refusal(Ground.TABLES_REFUSED):
        review(draft, first(), now=LATER)


def test_an_altered_draft_is_refused() -> None:
    """A file that is missing or not the one that its role names cannot be signed."""
    draft = draft_of(purpose)
    for files in ({}, {**draft.files, "purposes.json": b'{"purposes":[]}'}):
        with refusal(Ground.DRAFT_ALTERED):
            review(replace(draft, files=files), first(), now=LATER)
    with refusal(Ground.DRAFT_ALTERED):
        After(draft=draft, base=None).sheets()


def test_a_removed_agreement_wants_the_quorum() -> None:
    """Without its row an agreement needs no party's signature any more, but the quorum's: publishers cannot drop it."""
    draft = draft_of(lambda d: d["agreements"].pop(0))
    assert (set(draft.roles), draft.agreements, draft.listed) == ({"targets"}, {}, ("YRD-4-2026",))
    with refusal(Ground.SIGNATURES_MISSING):
        take_turns(draft, ("330000", "320000"))
    found = take_turns(signed_but(draft), ("330000", "320000")).published
    assert found is not None
    assert [each["id"] for each in found.directory.sections["agreements"]] == ["YRD-4-2026"]
    bare = replace(refresh(first()), listed=("YRD-4-2026",))
    with refusal(Ground.BUNDLE_REFUSED):
        publish(bare, first(), key(ON_DUTY, "publisher"), now=LATER, root=ROOT)


def narrow(document: dict[str, Any]) -> None:
    """Narrow the zone's agreement, in its next edition."""
    document["agreements"][0]["area"].pop()
    document["agreements"][0]["edition"] = 2


def test_nobody_brings_back_an_edition_that_was_replaced() -> None:
    """The wide area that its parties once signed is carried by no publisher, asked for by no officer, and listed."""
    narrowed = take_turns(signed_but(draft_of(narrow)), ("310000", "320000")).published
    assert narrowed is not None
    old = {"ZONE-2026": first().files[f"{AGREEMENT}.json"]}
    carried = replace(refresh(narrowed), agreements=old)
    with refusal(Ground.AGREEMENT_EDITION) as error:
        publish(carried, narrowed, key("330000", "publisher"), now=LATER, root=ROOT, stand_in=True)
    assert error.value.values == {"agreement": "ZONE-2026", "edition": 2}
    back = draft_of(base=narrowed)
    with refusal(Ground.AGREEMENT_EDITION):
        sign(back, narrowed, key("310000", "officer"), digest=back.digest, now=LATER)


def test_an_agreement_never_changes_under_its_number() -> None:
    """Another text of the edition in force is signed by nobody; the same text goes on with other hands."""
    draft = draft_of(lambda d: d["agreements"][0]["area"].pop())
    with refusal(Ground.AGREEMENT_EDITION):
        review(draft, first(), now=LATER)
    assert review(draft_of(narrow), first(), now=LATER).after.catalogue.agreements["ZONE-2026"].edition == 2


def test_the_standing_tells_what_is_missing_and_what_ends() -> None:
    """Nothing missing and nothing ending soon is complete; a day later the timestamp is not."""
    whole = standing(first(), None, now=LATER)
    assert (whole.complete, whole.on_duty, whole.version) == (True, ON_DUTY, 1)
    late = standing(first(), None, now=NOW + timedelta(hours=20))
    assert (late.complete, [each.role for each in late.published if each.expiring]) == (False, ["timestamp"])
    half = standing(first(), draft_of(purpose), now=LATER)
    assert (half.complete, [each.missing for each in half.counts], [each.missing for each in half.publishing]) == (
        False,
        [3],
        [2],
    )
    assert not standing(None, None, now=LATER).complete


def test_what_was_signed_is_verified_once_however_many_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty keys at one table verify no more than one does: a ceremony does not grow with its hands' square."""
    draft, verified = draft_of(area), list[str]()
    every = [each for uses in council().signers.values() for keys in uses.values() for each in keys]
    half = add(draft, first(), *every[:10])
    verify = suite.verify

    def counted(key: suite.PublicKey, message: bytes, signature: bytes) -> None:
        verified.append(key.id)
        verify(key, message, signature)

    monkeypatch.setattr(suite, "verify", counted)
    add(half, first(), key("330000", "officer"))
    alone = len(verified)
    add(half, first(), *every[10:])
    assert (alone > 0, len(verified)) == (True, 2 * alone)


def test_a_ceremony_signs_only_what_the_tool_would() -> None:
    """Held in one process it proves and reviews as officers do: an unproven key and a bad table are refused."""
    with refusal(Ground.NOT_PROVEN):
        hold(tables(with_officer(DESK_KEY)), council(), first(), now=LATER)
    proofs = proven((DESK, DESK_KEY))
    assert hold(tables(with_officer(DESK_KEY)), council(), first(), now=LATER, proofs=proofs).version == 2
    with refusal(Ground.MAPPING_UPGRADES):
        hold(tables(better), council(), first(), now=LATER)


def test_a_second_ceremony_extends_the_first() -> None:
    """Held in one process, ceremony follows ceremony, and agreements keep the hands that signed them."""
    found = hold(tables(purpose), council(), first(), now=LATER)
    assert (found.version, found.roles["mappings"]) == (2, first().roles["mappings"])
    assert found.files["agreements/ZONE-2026.json"] == first().files["agreements/ZONE-2026.json"]
    assert layout.ROOT not in found.roles


SUB = "310118"


def with_sub(document: dict[str, Any]) -> None:
    """Add a sub-member of Shanghai, with its own agency."""
    shanghai = document["members"][0]
    held = [each for each in shanghai["agencies"] if each["division"] == SUB]
    shanghai["agencies"] = [each for each in shanghai["agencies"] if each not in held]
    name = {"zh": "青浦区", "en": "Qingpu"}
    row = {
        **shanghai,
        "id": SUB,
        "name": name,
        "parent": "310000",
        "divisions": [SUB],
        "agencies": held,
        "officers": [],
    }
    document["members"].append(row)


def test_a_sub_member_is_signed_by_its_own_officers_under_its_parent() -> None:
    """Its row and its officers' keys stand with its parent, whose officers sign; its files with its own officers."""
    keys = tuple(signer(f"sub {each}", f"{SUB}/officer") for each in range(2))
    wider = replace(council(), signers={**council().signers, SUB: {"officer": keys}})
    draft = draft_of(with_sub, of=wider, proofs=proven(*(("officer", each) for each in keys)))
    assert set(draft.roles) == {"members-310000", f"members-{SUB}"}
    review(draft, first(), now=LATER)
    found = take_turns(signed_but(draft, of=wider), ("310000", "320000")).published
    assert found is not None
    assert found.directory.member(SUB).parent == "310000"
    mine = {each.name: each.signed_by for each in found.opened.roles}[f"members-{SUB}"]
    assert set(mine) == {each.id for each in keys}
