"""The signed directory: who is who, which key is good when, and every form that is refused."""

import base64
import copy
import dataclasses
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from bundles import key_row
from hands import archive_of, root_of
from hypothesis import given
from hypothesis import strategies as st

from keys import envelope as envelopes
from keys import errors, moments, suite
from keys.directory import Directory, Officer, Role, Stage, open_bundle
from nodes.federation.signing import Lives

VECTORS = Path(__file__).parent / "vectors/directory"
CASES: dict[str, Any] = json.loads((VECTORS / "cases.json").read_text(encoding="utf-8"))
TOPS = ("310000", "320000")
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def member(member_id: str, zh: str, en: str, number: int, **others: object) -> dict[str, Any]:
    """A member as the document lists it, with one signing key made from its number."""
    signer = suite.signer(bytes([number]) * 32, owner=member_id)
    return {
        "id": member_id,
        "name": {"zh": zh, "en": en},
        "parent": None,
        "divisions": [member_id[:2]],
        "suspended": False,
        "endpoint": "127.0.0.1:1234",
        "ca_certificates": [CERTIFICATE],
        "issuing_certificates": [],
        "keys": [key_row(signer)],
        "agencies": [],
        "officers": [],
        **others,
    }


def agency(agency_id: str, purpose: str, **others: object) -> dict[str, Any]:
    """An agency as the document lists it, active from 2024 on."""
    return {
        "id": agency_id,
        "name": {"zh": "某局", "en": "A bureau"},
        "division": agency_id[:6],
        "purposes": [purpose],
        "active_from": "2024-01-01",
        "active_until": None,
        "suspended": False,
        **others,
    }


def officer(officer_id: str, number: int, *roles: tuple[str, str, str | None]) -> dict[str, Any]:
    """An officer as the document lists one, with a key made from the number."""
    public = suite.signer(bytes([number]) * 32, owner=officer_id).public
    return {
        "id": officer_id,
        "agency": officer_id.partition("/")[0],
        "public": base64.b64encode(public).decode(),
        "roles": [{"role": role, "from": start, "until": end} for role, start, end in roles],
    }


def document() -> dict[str, Any]:
    """The directory that the cases change: Shanghai with two agencies, Qingpu under it, Jiangsu suspended."""
    ledger = suite.signer(bytes([11]) * 32, owner="310000")
    revoked = suite.signer(bytes([12]) * 32, owner="310000")
    times = {"revoked_time": "2026-06-02T00:00:00Z", "suspect_from": "2026-05-01T00:00:00Z"}
    shanghai = member(
        "310000",
        "上海市",
        "Shanghai",
        1,
        agencies=[
            agency("310118-licensing", "ADMIN_LICENSING", active_until="2027-01-01"),
            agency("310000-court", "COURT", suspended=True),
        ],
        officers=[
            officer("310118-licensing/o1", 21, ("ask", "2026-01-01", None), ("audit", "2026-02-01", "2026-03-01")),
            officer("310118-licensing/o2", 22, ("approve", "2026-01-01", None)),
        ],
    )
    shanghai["keys"] += [key_row(ledger, use="ledger"), key_row(revoked, **times)]
    qingpu = member("310118", "青浦区", "Qingpu", 2, parent="310000", divisions=["310118"], endpoint=None)
    jiangsu = member("320000", "江苏省", "Jiangsu", 3, suspended=True)
    suzhou = member("320500", "苏州市", "Suzhou", 4, parent="320000", divisions=["3205"])
    return {
        "version": 7,
        "minimum_version": 5,
        "issued_time": "2026-01-01T00:00:00Z",
        "expire_time": "2026-12-31T00:00:00Z",
        "suites": ["YRDX-INT-1"],
        "members": [shanghai, qingpu, jiangsu, suzhou],
        "purposes": [{"id": "COURT", "kinds": ["summary"]}],
        "limits": {"skew": 30},
    }


def opened(content: Mapping[str, Any]) -> Directory:
    """The content as a bundle signed by its officers and opened again."""
    return open_bundle(archive_of(content, tops=TOPS), root=root_of(TOPS))


def changed(path: list[str | int], value: object) -> dict[str, Any]:
    """The document with one place replaced."""
    content = document()
    place: Any = content
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return content


@pytest.fixture(scope="module")
def directory() -> Directory:
    """The unchanged directory."""
    return opened(document())


def key_id(number: int, owner: str = "310000") -> str:
    """The id of the key made from this number."""
    return suite.signer(bytes([number]) * 32, owner=owner).id


def test_the_vector_is_what_the_generator_makes() -> None:
    """The base of the cases is generated from fixed seeds and has not drifted."""
    assert json.loads((VECTORS / "directory.json").read_text(encoding="utf-8")) == document()


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda case: case["name"])
def test_reads_only_what_keeps_every_rule(case: dict[str, Any]) -> None:
    """A changed directory is read, or refused with its class."""
    content = changed(case["path"], case["value"])
    if case["expect"] is None:
        assert opened(content).version == 7
        return
    with pytest.raises(getattr(errors, case["expect"])):
        opened(content)


@pytest.mark.parametrize("name", ["minimum_version", "suites"])
def test_refuses_a_missing_member_and_names_it(name: str) -> None:
    """Nothing of the directory's own is optional."""
    content = document()
    del content[name]
    with pytest.raises(errors.BundleMalformed, match=name):
        opened(content)


def test_a_refusal_names_the_place() -> None:
    """The text of a refusal leads to the JSON path, for a wrong type and for a rule broken."""
    with pytest.raises(errors.BundleMalformed, match=r"\$\.members\[0\]\.agencies\[1\]\.suspended is neither"):
        opened(changed(["members", 0, "agencies", 1, "suspended"], "no"))
    with pytest.raises(errors.BundleMalformed, match=r"\$\.members\[0\]\.keys\[0\]: the use"):
        opened(changed(["members", 0, "keys", 0, "use"], "steal"))


def test_refuses_more_members_than_there_can_be() -> None:
    """The number of members is capped before they are read."""
    with pytest.raises(errors.BundleMalformed, match="more than 1000"):
        opened(changed(["members"], [None] * 1001))


@pytest.mark.parametrize("depth", [30, 31])
def test_caps_the_depth(depth: int) -> None:
    """A section may nest up to the limit and no deeper."""
    nested: Any = 0
    for _ in range(depth):
        nested = [nested]
    content = document() | {"limits": {"deep": nested}}
    if depth == 30:
        assert opened(content).sections["limits"]["deep"] is not None
        return
    with pytest.raises(errors.BundleMalformed, match="deeper"):
        opened(content)


@pytest.mark.parametrize(
    ("source", "target"),
    [(("keys", 0), ("keys", 1)), (("keys", 0), ("officers", 0)), (("officers", 0), ("officers", 1))],
    ids=["key to key", "key to officer", "officer to officer"],
)
def test_refuses_a_copied_key(source: tuple[str, int], target: tuple[str, int]) -> None:
    """One public key serves one owner and one use in the whole directory."""
    content = document()
    first, second = (content["members"][0][part][index] for part, index in (source, target))
    second["public"] = first["public"]
    if target[0] == "keys":
        second["id"] = first["id"]
    with pytest.raises(errors.WeakKey, match="twice"):
        opened(content)


def test_refuses_a_key_copied_from_another_member() -> None:
    """A member cannot list another member's key, neither under its own nor under the other's name."""
    content = document()
    stolen = copy.deepcopy(content["members"][0]["keys"][0])
    content["members"][2]["keys"].append(stolen)
    with pytest.raises(errors.BundleMalformed, match="is not 320000/"):
        opened(content)
    stolen["id"] = suite.key_id("320000", base64.b64decode(stolen["public"]))
    with pytest.raises(errors.WeakKey, match="twice"):
        opened(content)


def test_refuses_an_officer_of_another_members_agency() -> None:
    """An officer acts for an agency that the same member lists."""
    content = document()
    content["members"][2]["officers"].append(officer("310118-licensing/o3", 33))
    with pytest.raises(errors.BundleMalformed, match="320000 does not list"):
        opened(content)


def test_keeps_the_exact_archive(directory: Directory) -> None:
    """The directory hands on the bytes it came in."""
    assert directory.archive == archive_of(document(), tops=TOPS)


def test_only_the_verifier_makes_a_directory(directory: Directory) -> None:
    """Nobody gets a Directory without a verified bundle, not by a change of a real one either."""
    fields = {each.name: getattr(directory, each.name) for each in dataclasses.fields(directory) if each.init}
    with pytest.raises(TypeError, match="open_bundle"):
        Directory(**fields, verified=object())
    with pytest.raises(ValueError, match="verified"):
        dataclasses.replace(directory, version=8)  # type: ignore[call-arg]


def test_refuses_a_rollback() -> None:
    """A version below the floor is refused, the floor itself is not."""
    archive, root = archive_of(document(), tops=TOPS), root_of(TOPS)
    assert open_bundle(archive, root=root, floor=7).version == 7
    with pytest.raises(errors.BundleRollback, match="older than 8"):
        open_bundle(archive, root=root, floor=8)


def test_a_bundle_ends_in_stages() -> None:
    """Normal up to the timestamp's end, degraded up to the first end of what all share, then closed."""
    day = timedelta(days=1)
    lives = Lives(root=90 * day, targets=9 * day, member=30 * day, snapshot=7 * day, timestamp=day)
    found = open_bundle(archive_of(document(), tops=TOPS, lives=lives), root=root_of(TOPS))
    issued = moments.read("2026-01-01T00:00:00Z")
    assert (found.issued_time, found.expire_time, found.close_time) == (issued, issued + day, issued + 7 * day)
    last = timedelta(microseconds=1)
    assert (found.stage(issued), found.stage(found.expire_time - last)) == (Stage.NORMAL, Stage.NORMAL)
    assert (found.stage(found.expire_time), found.stage(found.close_time - last)) == (Stage.DEGRADED, Stage.DEGRADED)
    assert found.stage(found.close_time) is Stage.CLOSED
    early = Lives(targets=day, snapshot=9 * day, timestamp=9 * day)
    found = open_bundle(archive_of(document(), tops=TOPS, lives=early), root=root_of(TOPS))
    assert found.stage(issued + day) is Stage.CLOSED


def test_expires_for_new_exchanges_only(directory: Directory) -> None:
    """At its end the directory is refused for now, while its keys still verify old evidence."""
    directory.check_current(directory.close_time - timedelta(microseconds=1))
    with pytest.raises(errors.BundleExpired, match="2026-12-31T00:00:00Z"):
        directory.check_current(directory.close_time)
    assert directory.key(key_id(1), use="sign", at=NOW).raw == suite.signer(bytes([1]) * 32, owner="x").public


def test_a_member_lapses_alone() -> None:
    """A member whose own role has expired is suspended from then on, with its sub-members; the others go on."""
    lives = Lives(member=timedelta(days=300), members={"310000": timedelta(days=100)}, targets=timedelta(days=365))
    found = open_bundle(archive_of(document(), tops=TOPS, lives=lives), root=root_of(TOPS))
    end = found.member("310000").expire_time
    assert end == found.issued_time + timedelta(days=100)
    before = end - timedelta(microseconds=1)
    assert [found.suspended(each, before) for each in ("310000", "310118")] == [False, False]
    assert [found.suspended(each, end) for each in ("310000", "310118")] == [True, True]
    assert found.member("320000").expire_time > end


@pytest.mark.parametrize("now", [datetime(2026, 6, 1), NOW.astimezone(timezone(timedelta(hours=8)))])  # noqa: DTZ001
def test_refuses_times_that_are_not_utc(directory: Directory, now: datetime) -> None:
    """A naive or local time is a caller's mistake, never guessed at."""
    with pytest.raises(ValueError, match="UTC"):
        directory.check_current(now)
    with pytest.raises(ValueError, match="UTC"):
        directory.key(key_id(1), use="sign", at=now)


def test_lists_members(directory: Directory) -> None:
    """A member is found with all it holds."""
    shanghai = directory.member("310000")
    assert (shanghai.name.zh, shanghai.name.en) == ("上海市", "Shanghai")
    assert (shanghai.endpoint, shanghai.ca_certificates) == ("127.0.0.1:1234", (CERTIFICATE.encode(),))
    assert directory.member("310118").parent == "310000"
    assert [each.id for each in directory.members] == ["310000", "320000", "310118", "320500"]
    with pytest.raises(errors.MemberUnknown, match="340000"):
        directory.member("340000")


@pytest.mark.parametrize(
    ("number", "at", "good"),
    [
        (1, "2025-12-31T23:59:59.999999Z", False),
        (1, "2026-01-01T00:00:00Z", True),
        (1, "2026-12-31T23:59:59.999999Z", True),
        (1, "2027-01-01T00:00:00Z", False),
        (12, "2026-04-30T23:59:59.999999Z", True),
        (12, "2026-05-01T00:00:00Z", False),
        (12, "2026-06-02T00:00:00Z", False),
    ],
    ids=["before", "first", "last", "after", "before suspicion", "suspect", "revoked"],
)
def test_a_key_is_good_in_its_time(directory: Directory, number: int, at: str, good: bool) -> None:  # noqa: FBT001
    """A key is good from its first moment up to before its end, its revocation or its suspicion."""
    if good:
        assert directory.key(key_id(number), use="sign", at=moments.read(at)).id == key_id(number)
        return
    with pytest.raises(errors.KeyNotValid, match="not valid at"):
        directory.key(key_id(number), use="sign", at=moments.read(at))


def test_a_revoked_key_without_suspicion_is_good_until_its_revocation() -> None:
    """Without a time of suspicion the revocation itself is the end."""
    directory = opened(changed(["members", 0, "keys", 2, "suspect_from"], None))
    revoked = moments.read("2026-06-02T00:00:00Z")
    assert directory.key(key_id(12), use="sign", at=revoked - timedelta(seconds=1)).suite == suite.INT_1
    with pytest.raises(errors.KeyNotValid):
        directory.key(key_id(12), use="sign", at=revoked)


def test_a_key_is_good_for_its_use(directory: Directory) -> None:
    """A ledger key signs no question, and a signing key no ledger."""
    assert directory.key(key_id(11), use="ledger", at=NOW).id == key_id(11)
    for number, use in ((11, "sign"), (1, "ledger")):
        with pytest.raises(errors.KeyNotValid, match="not for"):
            directory.key(key_id(number), use=use, at=NOW)


def test_a_sealing_key_is_of_its_own_kind() -> None:
    """What is listed to seal to is checked as X25519: a point that no signature is made with is fit, a weak one not."""
    public = bytes.fromhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")

    def listed(raw: bytes) -> dict[str, Any]:
        content = document()
        entry = content["members"][0]["keys"][1]
        entry.update(use="seal", public=base64.b64encode(raw).decode(), id=suite.key_id("310000", raw))
        return content

    assert opened(listed(public)).key(suite.key_id("310000", public), use="seal", at=NOW).raw == public
    with pytest.raises(errors.WeakKey, match="low order"):
        opened(listed(bytes(32)))


def test_a_key_is_good_in_an_allowed_suite() -> None:
    """A key of a suite that the directory does not allow is not valid."""
    with pytest.raises(errors.KeyNotValid, match="suite"):
        opened(changed(["suites"], ["YRDX-SM-1"])).key(key_id(1), use="sign", at=NOW)


def test_tells_an_unknown_member_from_an_unknown_key(directory: Directory) -> None:
    """An id whose owner is no member, and an id that the member does not list, are refused apart."""
    assert directory.key_owner(key_id(1)) == "310000"
    for unknown in (key_id(1, "340000"), "", "310118-licensing/o1/0123456789abcdef"):
        with pytest.raises(errors.MemberUnknown):
            directory.key(unknown, use="sign", at=NOW)
    for unknown in (key_id(99), "310000", key_id(2)):
        with pytest.raises(errors.KeyUnknown):
            directory.key(unknown, use="sign", at=NOW)


def test_an_envelope_opens_with_the_directorys_keys(directory: Directory) -> None:
    """The directory's look-up is what `open_envelope` asks for."""
    envelope = envelopes.sign("text/plain", b"x", suite.signer(bytes([1]) * 32, owner="310000"))
    found = envelopes.open_envelope(
        envelope,
        payload_type="text/plain",
        find=lambda each: directory.key(each, use="sign", at=NOW),
    )
    assert found.key_ids == (key_id(1),)


@pytest.mark.parametrize(
    ("division", "home"),
    [
        ("310118", "310118"),
        ("310118001", "310118"),
        ("310117", "310000"),
        ("31", "310000"),
        ("320583", "320500"),
        ("3204", "320000"),
        ("3", None),
        ("", None),
        ("440300", None),
    ],
)
def test_the_longest_prefix_is_home(directory: Directory, division: str, home: str | None) -> None:
    """A division's home is the member of its longest prefix."""
    found = directory.home_of(division)
    assert home == (None if found is None else found.id)


def test_a_sub_member_wins_over_its_parent() -> None:
    """A parent that names a part of its sub-member's area more closely does not take it back."""
    found = opened(changed(["members", 0, "divisions"], ["31", "310118001"])).home_of("310118001")
    assert found is not None
    assert found.id == "310118"


def test_a_suspended_parent_suspends_its_sub_members(directory: Directory) -> None:
    """Suspension is a member's own or its parent's."""
    suspended = {each.id: directory.suspended(each.id, NOW) for each in directory.members}
    assert suspended == {"310000": False, "310118": False, "320000": True, "320500": True}
    with pytest.raises(errors.MemberUnknown):
        directory.suspended("340000", NOW)


@pytest.mark.parametrize(
    ("agency_id", "on", "active"),
    [
        ("310118-licensing", date(2023, 12, 31), False),
        ("310118-licensing", date(2024, 1, 1), True),
        ("310118-licensing", date(2026, 12, 31), True),
        ("310118-licensing", date(2027, 1, 1), False),
        ("310000-court", date(2026, 6, 1), False),
    ],
)
def test_an_agency_is_active_between_its_days(
    directory: Directory,
    agency_id: str,
    on: date,
    active: bool,  # noqa: FBT001
) -> None:
    """An agency acts from its first day up to before its last, unless suspended."""
    found = directory.agency(agency_id)
    assert found is not None
    assert found.member == "310000"
    assert active == found.active(on)


@pytest.mark.parametrize(
    ("role", "on", "held"),
    [
        ("ask", date(2025, 12, 31), False),
        ("ask", date(2026, 1, 1), True),
        ("ask", date(2099, 1, 1), True),
        ("audit", date(2026, 1, 31), False),
        ("audit", date(2026, 2, 1), True),
        ("audit", date(2026, 2, 28), True),
        ("audit", date(2026, 3, 1), False),
        ("approve", date(2026, 2, 1), False),
    ],
)
def test_an_officer_holds_a_role_between_its_days(
    directory: Directory,
    role: str,
    on: date,
    held: bool,  # noqa: FBT001
) -> None:
    """A role counts from its first day up to before its last."""
    found = directory.officer("310118-licensing/o1")
    assert found is not None
    assert held == found.holds(role, on)


def test_an_officers_key_is_named_by_the_officer(directory: Directory) -> None:
    """An officer's key verifies and is named by the officer's id and the fingerprint."""
    found = directory.officer("310118-licensing/o1")
    assert found is not None
    assert found.key() == suite.signer(bytes([21]) * 32, owner="310118-licensing/o1").public_key()


def test_finds_no_agency_and_no_officer_that_nobody_lists(directory: Directory) -> None:
    """An unknown agency or officer is nothing, not an error: the caller has its own reason to give."""
    assert directory.agency("310000-other") is None
    assert directory.officer("310118-licensing/o9") is None


def test_keeps_the_sections_of_others_read_only(directory: Directory) -> None:
    """Sections are kept as they were signed, and neither they nor what they hold can be changed."""
    assert set(directory.sections) == {"purposes", "limits", "agreements"}
    assert directory.sections["purposes"][0]["kinds"] == ("summary",)
    assert isinstance(directory.sections["limits"], Mapping)
    with pytest.raises(TypeError):
        directory.sections["limits"]["skew"] = 0  # type: ignore[index]
    with pytest.raises(TypeError):
        directory.sections["limits"] = {}  # type: ignore[index]


@given(first=st.dates(), length=st.integers(1, 1000), on=st.dates())
def test_a_role_covers_exactly_its_days(first: date, length: int, on: date) -> None:
    """A role of n days is held on n days in a row and on no other."""
    if (date.max - first).days <= length:
        return
    until = first + timedelta(days=length)
    role = Role(role="ask", from_day=first, until_day=until)
    signer = suite.signer(bytes(32), owner="a/o")
    held = Officer(id="a/o", agency="a", public=signer.public, roles=(role,))
    assert held.holds("ask", first)
    assert held.holds("ask", until - timedelta(days=1))
    assert not held.holds("ask", until)
    assert held.holds("ask", on) == (0 <= (on - first).days < length)


@given(moment=st.datetimes(timezones=st.just(UTC)))
def test_moments_round_trip(moment: datetime) -> None:
    """Every moment in UTC survives its text."""
    assert moments.read(moments.write(moment)) == moment


def test_old_evidence_finds_keys_and_members_that_are_listed_no_more() -> None:
    """Earlier bundles lend what this one lists no more; what it lists counts as it says, revocations included."""
    content = document()
    gone = next(each for each in content["members"] if each["id"] == "320500")
    shorter = {**content, "members": [each for each in content["members"] if each is not gone]}
    shorter["members"][0] = {**shorter["members"][0], "keys": shorter["members"][0]["keys"][2:]}
    earlier = opened(changed(["members", 0, "keys", 2, "revoked_time"], "2026-06-09T00:00:00Z"))
    found = opened(shorter).remembering([earlier])
    assert found.key(key_id(1), use="sign", at=NOW).id == key_id(1)
    assert {each.id for each in earlier.member("320500").keys} == {each.id for each in found.member("320500").keys}
    left = found.member("320500")
    assert (left.divisions, left.agencies, left.officers) == ((), (), ())
    kept = next(each for each in found.member("310000").keys if each.id == key_id(12))
    assert kept.revoked_time == moments.read("2026-06-02T00:00:00Z")
    assert found.home_of("320500") == found.member("320000")
