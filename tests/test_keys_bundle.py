"""A forged bundle is refused for what it is, whoever signed it; every case is a change to a genuine one."""

import base64
import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest
from bundles import SIGNERS
from drafts import COMMON, SUB, Draft, Edit, base, draft, said, signed
from hands import FIRST, directory_of, hands_of, root_of, timed
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.formats import encode_canonical
from worlds_tables import AGREEMENT, ANHUI, JIANGSU, MEMBERS, SHANGHAI, ZHEJIANG

from keys import envelope as envelopes
from keys import errors, suite
from keys.bundle import agreements, layout, rolekeys, sections, writing
from keys.bundle.opening import open_root
from keys.directory import open_bundle
from keys.suite import PublicKey, Signer
from nodes.federation import REFERENCE, document

ROOT = root_of(MEMBERS)
PACKED = draft().archive()
OWN = ("minimum_version", "suites", "members")
STATEMENT = f"agreements/{AGREEMENT}.json"
EDITIONS = "agreements.json"
MEMBER_ROLE, OTHER_ROLE, SUB_ROLE = (layout.member_role(each) for each in (SHANGHAI, JIANGSU, SUB))
ENTRY = f"members/{SHANGHAI}/member.json"
LOW_ORDER = bytes(32)
NON_CANONICAL = (2**255 - 18).to_bytes(32, "little")
Forge = Callable[[Draft], object]


def signer(found: Draft, member: str, use: str, number: int = 0) -> Signer:
    """Give one of the keys that a draft is signed with."""
    return found.hands.signers[member][use][number]


def text(public: bytes) -> str:
    """Write a public key as a document does."""
    return base64.b64encode(public).decode()


def delegation(content: dict[str, Any], role: str) -> dict[str, Any]:
    """Find the entry of a delegated role."""
    found: dict[str, Any] = next(each for each in content["delegations"]["roles"] if each["name"] == role)
    return found


def delegating(role: str, **changes: object) -> Forge:
    """Change the entry of a role that targets delegates."""
    return lambda it: it.sign("targets", lambda content: delegation(content, role).update(changes))


def seating(role: str, use: str, *members: str, by: str = "targets", threshold: int = 2) -> Forge:
    """Give a role to other keys, which do sign it."""

    def forge(it: Draft) -> None:
        seat = it.hands.seat(use, *members, threshold=threshold)

        def edit(content: dict[str, Any]) -> None:
            delegation(content, role).update(keyids=[each.id for each in seat.keys], threshold=threshold)
            used = {key for each in content["delegations"]["roles"] for key in each["keyids"]}
            keys = {**content["delegations"]["keys"], **listing(*seat.keys)}
            content["delegations"]["keys"] = {name: keys[name] for name in used}

        it.sign(role, lambda _: None, seat=seat)
        it.sign(by, edit)

    return forge


def listing(*keys: PublicKey) -> dict[str, Any]:
    """List keys as metadata does."""
    return {each.id: rolekeys.role_key(each).to_dict() for each in keys}


def adding(by: str, role: str, use: str, *members: str) -> Forge:
    """Let a role delegate one more, with the paths that it would have."""

    def forge(it: Draft) -> None:
        seat = it.hands.seat(use, *members)

        def edit(content: dict[str, Any]) -> None:
            held = content.setdefault("delegations", {"keys": {}, "roles": []})
            held["keys"].update(listing(*seat.keys))
            paths, ids = list(layout.paths(role, by)), [each.id for each in seat.keys]
            entry = {"name": role, "keyids": ids, "threshold": seat.threshold, "terminating": True, "paths": paths}
            held["roles"].append(entry)

        it.sign(by, edit)
        it.roles.setdefault(role, signed({"_type": "targets", "targets": {}, **COMMON}, it.signers(seat)))

    return forge


def key_as(**changes: object) -> Forge:
    """Change how targets lists the first officer's key of Shanghai."""

    def edit(content: dict[str, Any]) -> None:
        content["delegations"]["keys"][delegation(content, MEMBER_ROLE)["keyids"][0]].update(changes)

    return lambda it: it.sign("targets", edit)


def public_as(public: bytes) -> Forge:
    """Let Shanghai's first officer have another public key, under its right id."""

    def edit(content: dict[str, Any]) -> None:
        entry, keys = delegation(content, MEMBER_ROLE), content["delegations"]["keys"]
        del keys[entry["keyids"][0]]
        entry["keyids"][0] = suite.key_id(f"{SHANGHAI}/officer", public)
        keys[entry["keyids"][0]] = {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": public.hex()}}

    return lambda it: it.sign("targets", edit)


def signing(role: str, edit: Edit) -> Forge:
    """Change what a role says, and have it signed."""
    return lambda it: it.sign(role, edit)


def putting(role: str, path: str, content: object) -> Forge:
    """Let a role sign a file."""
    return lambda it: it.put(role, path, content)


def stated(*hands: tuple[str, int], name: str = STATEMENT, stranger: bool = False, **changes: object) -> Forge:
    """Put an agreement that these officers signed in its place; a stranger signs as an officer of Shanghai too."""

    def forge(it: Draft) -> None:
        rows = base()["agreements"]
        row = next(each for each in rows if each["id"] == AGREEMENT) | changes
        signers = [signer(it, member, "officer", number) for member, number in hands]
        if stranger:
            signers.append(suite.signer(bytes([9]) * 32, owner=f"{SHANGHAI}/officer"))
        it.put("agreements", name, envelopes.to_json(agreements.sign_agreement(row, *signers)))
        it.put("targets", EDITIONS, editions(row, *(each for each in rows if each["id"] != AGREEMENT)))

    return forge


def editions(*rows: dict[str, Any], **changes: object) -> dict[str, Any]:
    """Write the quorum's list of these agreements, its first row changed."""
    first, *others = agreements.list_editions(rows)
    return {"agreement_editions": [{**first, **changes}, *others]}


def listed(**changes: object) -> Forge:
    """Let the quorum list the first agreement otherwise than it is signed."""
    return lambda it: it.put("targets", EDITIONS, editions(*base()["agreements"], **changes))


def older(**changes: object) -> Forge:
    """Let two publishers put another text of an agreement in place, which all its parties once signed."""

    def forge(it: Draft) -> None:
        row = next(each for each in base()["agreements"] if each["id"] == AGREEMENT)
        signers = [signer(it, member, "officer", number) for member, number in FOUR]
        it.put("agreements", STATEMENT, envelopes.to_json(agreements.sign_agreement({**row, **changes}, *signers)))

    return forge


def without_statement(it: Draft) -> None:
    """Let two publishers leave an agreement out."""
    digest = said(it.roles["agreements"])["targets"][STATEMENT]["hashes"]["sha256"]
    it.sign("agreements", lambda content: content["targets"].pop(STATEMENT))
    del it.targets[layout.target_name(STATEMENT, digest)]


def document_with(edit: Edit) -> Forge:
    """Sign another document from the start."""

    def forge(it: Draft) -> None:
        other = draft(edit)
        it.roles, it.targets, it.hands = other.roles, other.targets, other.hands

    return forge


def key_of(member: int, public: bytes) -> Edit:
    """List a public key as a member's message key."""

    def edit(found: dict[str, Any]) -> None:
        row = found["members"][member]
        row["keys"][0].update(public=text(public), id=suite.key_id(row["id"], public))

    return edit


def reroot(edit: Edit) -> Forge:
    """Add a further root, changed, signed by all root keys."""

    def forge(it: Draft) -> None:
        found = said(it.roots[-1])
        found["version"] += 1
        edit(found)
        it.roots.append(signed(found, [signer(it, member, "root") for member in MEMBERS]))

    return forge


def root_role(role: str, **changes: object) -> Forge:
    """Change the entry of a role in a second root."""
    return reroot(lambda content: content["roles"][role].update(changes))


def raw(role: str, old: bytes, new: bytes) -> Forge:
    """Change the bytes of a role's metadata after it was signed."""

    def forge(it: Draft) -> None:
        assert old in it.roles[role]
        it.roles[role] = it.roles[role].replace(old, new, 1)

    return forge


def one_hand_less(role: str) -> Forge:
    """Take a signature away from a role."""

    def forge(it: Draft) -> None:
        found = json.loads(it.roles[role])
        found["signatures"].pop()
        it.roles[role] = json.dumps(found).encode()

    return forge


def further(role: str, member: str, use: str, message: bytes = b"") -> Forge:
    """Add a signature to those that are enough."""

    def forge(it: Draft) -> None:
        hand, found = signer(it, member, use), json.loads(it.roles[role])
        signature = hand.sign(message or str(encode_canonical(found["signed"])).encode())
        found["signatures"].append({"keyid": hand.id, "sig": signature.hex()})
        it.roles[role] = json.dumps(found).encode()

    return forge


def renamed_key(content: dict[str, Any]) -> None:
    """List an officer's key under a name of one's own."""
    entry, keys = delegation(content, MEMBER_ROLE), content["delegations"]["keys"]
    keys["key-1"] = keys.pop(entry["keyids"][0])
    entry["keyids"][0] = "key-1"


def unlisted_key(content: dict[str, Any]) -> None:
    """Take an officer's key out of the list, but not out of the role."""
    del content["delegations"]["keys"][delegation(content, MEMBER_ROLE)["keyids"][0]]


def spare_key(content: dict[str, Any]) -> None:
    """List a key that no role names."""
    public = suite.signer(bytes([9]) * 32, owner=f"{SHANGHAI}/officer").public_key()
    content["delegations"]["keys"] |= listing(public)


def by_hashes(content: dict[str, Any]) -> None:
    """Delegate by the hashes of paths."""
    entry = delegation(content, "mappings")
    del entry["paths"]
    entry["path_hash_prefixes"] = ["00"]


def succinct(content: dict[str, Any]) -> None:
    """Delegate to bins."""
    roles = content["delegations"].pop("roles")
    content["delegations"]["succinct_roles"] = {
        "keyids": roles[0]["keyids"], "threshold": 2, "bit_length": 1, "name_prefix": "bin"
    }  # fmt: skip


def first_target(content: dict[str, Any]) -> dict[str, Any]:
    """Give what a role says of its first file."""
    found: dict[str, Any] = next(iter(content["targets"].values()))
    return found


def statics(**files: bytes | None) -> Forge:
    """Add static files at the end, or take them out; `__` stands for a slash, `_` for a dot."""
    named = {name.replace("__", "/").replace("_", "."): content for name, content in files.items()}
    return lambda it: it.static.update(named)


def another_snapshot(it: Draft) -> None:
    """Put the older metadata of targets in the place of what the snapshot names."""
    it.finish()
    it.roles["targets"] = draft(lambda found: found.update(limits={"subjects": 7})).roles["targets"]


def rolled_back(it: Draft) -> None:
    """Carry targets of a version before the one that the snapshot names."""
    current = it.roles["targets"]
    it.sign("targets", lambda content: content.update(version=8))
    it.finish()
    it.roles["targets"] = current


def other_version(it: Draft) -> None:
    """Let the snapshot say another version than the file that it names by its hash."""
    it.finish()
    found = said(it.snapshot)
    found["meta"]["mappings.json"]["version"] = 9
    it.snapshot = signed(found, it.signers(it.seat("snapshot")))
    it.stamp()
    it.static |= {"metadata/9.mappings.json": it.roles["mappings"], "metadata/7.mappings.json": None}


def swapped(it: Draft) -> None:
    """Swap a file's content under the name of its hash."""
    name = file_of(it, "purposes")
    it.targets[name] = it.targets[name].replace(b"sample", b"simple")


def file_of(it: Draft, name: str) -> str:
    """Find a file by the end of its name."""
    return next(each for each in it.targets if each.endswith(f".{name}.json"))


def spare_role(it: Draft) -> None:
    """Let the snapshot name a role that nobody delegates."""
    it.roles["members-330100"] = it.roles[OTHER_ROLE]


def skipped_root(it: Draft) -> None:
    """Carry the first and the third root."""
    reroot(lambda _: None)(it)
    reroot(lambda _: None)(it)
    it.static["metadata/2.root.json"] = None


def misnumbered_root(it: Draft) -> None:
    """Carry the third root under the name of the second."""
    reroot(lambda content: content.update(version=3))(it)


def usurped_root(it: Draft) -> None:
    """Add a root of other keys that only these sign."""
    found = said(root_of(MEMBERS, "others")) | {"version": 2}
    others = hands_of(MEMBERS, MEMBERS, "others").signers
    it.roots.append(signed(found, [others[member]["root"][0] for member in MEMBERS]))


def two_seats(content: dict[str, Any]) -> None:
    """Give Shanghai a second root key."""
    second = suite.signer(bytes([9]) * 32, owner=f"{SHANGHAI}/root").public_key()
    content["keys"] |= listing(second)
    content["roles"]["root"]["keyids"].append(second.id)


def shared_key(content: dict[str, Any]) -> None:
    """Let Anhui's root key publish too."""
    role, use = content["roles"]["root"], content["roles"]["snapshot"]
    mine = next(each for each in role["keyids"] if each.startswith(ANHUI))
    other = next(each for each in use["keyids"] if each.startswith(ANHUI))
    again = mine.replace(f"/{layout.ROOT}/", "/publisher/")
    content["keys"][again] = content["keys"][mine]
    del content["keys"][other]
    for name in ("snapshot", "timestamp"):
        held = content["roles"][name]
        held["keyids"] = [again if each == other else each for each in held["keyids"]]


def of_no_member(content: dict[str, Any]) -> None:
    """Seat a key of somebody who is no member."""
    stranger = suite.signer(bytes([9]) * 32, owner="990000/root").public_key()
    content["keys"] |= listing(stranger)
    content["roles"]["root"]["keyids"].append(stranger.id)


def weak_key(content: dict[str, Any]) -> None:
    """List a key of low order that no role names."""
    content["keys"][f"{SHANGHAI}/root/{'0' * 16}"] = ROOT_AGAIN


def late(**changes: object) -> Forge:
    """Change what the timestamp says, and have it signed."""

    def forge(it: Draft) -> None:
        it.finish()
        it.stamp(**changes)

    return forge


def as_timestamp(it: Draft) -> None:
    """Put the snapshot where the timestamp stands."""
    it.finish()
    it.timestamp = it.snapshot


def deep(levels: int) -> bytes:
    """Write JSON of that depth."""
    return b'{"limits":' + b"[" * levels + b"]" * levels + b"}"


MALFORMED, MIXED, UNSIGNED = errors.BundleMalformed, errors.BundleMixed, errors.SignatureInvalid
FOUR = tuple((member, number) for member in MEMBERS for number in (0, 1))
LESS = tuple(each for each in FOUR if each != (ZHEJIANG, 1))
ROOT_AGAIN = {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": "00" * 32}}
CASES: dict[str, tuple[Forge, type[errors.KeysError] | None]] = {
    "nothing": (lambda _: None, None),
    "a second root": (reroot(lambda _: None), None),
    "a third root": (lambda it: [reroot(lambda _: None)(it) for _ in "23"], None),
    # who delegates
    "a member reached by another member": (adding(OTHER_ROLE, MEMBER_ROLE, "officer", SHANGHAI), MALFORMED),
    "the mappings reached by a member": (adding(OTHER_ROLE, "mappings", "quorum", *MEMBERS), MALFORMED),
    "a sub-member reached by targets": (adding("targets", SUB_ROLE, "officer", SUB), MALFORMED),
    "a sub-member reached by another parent": (adding(OTHER_ROLE, SUB_ROLE, "officer", SUB), MALFORMED),
    "targets reached by a member": (adding(OTHER_ROLE, "targets", "quorum", *MEMBERS), MALFORMED),
    "a role of no member": (adding("targets", "extra", "officer", ZHEJIANG), MALFORMED),
    "a member's role that is not delegated": (
        document_with(lambda it: it["members"].append({**it["members"][3], "id": "99", "keys": [], "divisions": []})),
        MALFORMED,
    ),
    "other paths": (delegating(MEMBER_ROLE, paths=["members/*"]), MALFORMED),
    "the paths of another": (delegating(OTHER_ROLE, paths=[f"members/{SHANGHAI}/*"]), MALFORMED),
    "a delegation that goes on": (delegating("mappings", terminating=False), MALFORMED),
    "a delegation by hashes": (signing("targets", by_hashes), MALFORMED),
    "a delegation to bins": (signing("targets", succinct), MALFORMED),
    # who sits
    "one signature of two wanted": (delegating(MEMBER_ROLE, threshold=1), MALFORMED),
    "more wanted than there are": (delegating(MEMBER_ROLE, threshold=3), MALFORMED),
    "a threshold that is no number": (delegating(MEMBER_ROLE, threshold=True), MALFORMED),
    "half of the quorum": (delegating("mappings", threshold=2), MALFORMED),
    "another use": (seating(MEMBER_ROLE, "publisher", *MEMBERS), MALFORMED),
    "officers for publishers": (seating("agreements", "officer", *MEMBERS[:2]), MALFORMED),
    "another member's officers": (seating(MEMBER_ROLE, "officer", JIANGSU), MALFORMED),
    "a key that is not listed": (signing("targets", unlisted_key), MALFORMED),
    "a key of no role": (signing("targets", spare_key), MALFORMED),
    "a key of low order": (public_as(LOW_ORDER), errors.WeakKey),
    "a key in non-canonical form": (public_as(NON_CANONICAL), errors.WeakKey),
    "a key of 31 bytes": (public_as(bytes([9]) * 31), errors.WeakKey),
    "a key in capital letters": (key_as(keyval={"public": "AB" * 32}), MALFORMED),
    "a key as a number": (key_as(keyval={"public": 7}), MALFORMED),
    "a key under another's fingerprint": (key_as(keyval={"public": SIGNERS[SHANGHAI].public.hex()}), MALFORMED),
    "a key of another type": (key_as(keytype="rsa", scheme="rsassa-pss-sha256"), MALFORMED),
    "a key with a comment": (key_as(comment="x"), MALFORMED),
    "a key with a second value": (key_as(keyval={"public": "00" * 32, "more": ""}), errors.WeakKey),
    "a key id of another form": (signing("targets", renamed_key), MALFORMED),
    "an officer with the key of a publisher": (
        lambda it: public_as(signer(it, SHANGHAI, "publisher").public)(it),
        UNSIGNED,
    ),
    "a member's message key that signs a role": (
        document_with(key_of(0, hands_of(MEMBERS, MEMBERS).signers[SHANGHAI]["officer"][0].public)),
        errors.WeakKey,
    ),
    "a desk's officer with a role key": (
        document_with(
            lambda it: it["members"][0]["officers"][0].update(
                public=text(hands_of(MEMBERS, MEMBERS).signers[SHANGHAI]["root"][0].public)
            )
        ),
        errors.WeakKey,
    ),
    # who signed
    "one member short for the tables": (one_hand_less("targets"), UNSIGNED),
    "one member short for the mappings": (one_hand_less("mappings"), UNSIGNED),
    "one officer alone for a member": (one_hand_less(MEMBER_ROLE), UNSIGNED),
    "one publisher alone for the agreements": (one_hand_less("agreements"), UNSIGNED),
    "one officer alone for a sub-member": (one_hand_less(SUB_ROLE), UNSIGNED),
    "a signature over other bytes": (raw(MEMBER_ROLE, b'"version":7', b'"version":8'), UNSIGNED),
    "a further signature": (further("mappings", ANHUI, "quorum"), None),
    "a further signature over other bytes": (further("mappings", ANHUI, "quorum", b"other"), UNSIGNED),
    "a further signature of a stranger": (further("mappings", ANHUI, "publisher"), UNSIGNED),
    "an unsigned field": (raw(MEMBER_ROLE, b'{"signatures"', b'{"note":1,"signatures"'), MALFORMED),
    # who signs what
    "a member for another": (putting(MEMBER_ROLE, f"members/{JIANGSU}/rules.json", {}), MALFORMED),
    "a parent for its sub-member": (putting(MEMBER_ROLE, f"members/{SHANGHAI}/{SUB}/rules.json", {}), MALFORMED),
    "a sub-member for its parent": (putting(SUB_ROLE, ENTRY, {}), MALFORMED),
    "a sub-member with sub-members": (putting(SUB_ROLE, f"members/{SHANGHAI}/{SUB}/members.json", {}), MALFORMED),
    "the quorum for a member": (putting("targets", ENTRY, {}), MALFORMED),
    "a member for the quorum": (putting(MEMBER_ROLE, "purposes.json", {}), MALFORMED),
    "the mappings for the quorum": (putting("mappings", "mappings/purposes.json", {}), MALFORMED),
    "a publisher for a member": (putting("agreements", "agreements/x/y.json", {}), MALFORMED),
    "a file nobody knows": (putting("targets", "notes.json", {}), MALFORMED),
    "a list of no year": (putting("targets", "lists/data.json", {}), MALFORMED),
    "a list nobody knows": (putting("targets", "lists/wishes-2026.json", {}), MALFORMED),
    "a path that leads out": (putting("targets", "../root.json", {}), MALFORMED),
    "a section of another file": (putting("targets", "limits.json", {"purposes": []}), MALFORMED),
    "a rule of another member": (
        putting(MEMBER_ROLE, f"members/{SHANGHAI}/rules.json", {"clocks": [{"member": JIANGSU}]}),
        MALFORMED,
    ),
    "a yearly list that is none": (putting("targets", "calendar-2027.json", {"working_days": {}}), MALFORMED),
    "a list that names no year": (putting("targets", "lists/behaviour-2026.json", {"behaviours": [{}]}), MALFORMED),
    "a list of another year": (
        putting("targets", "lists/application-2025.json", {"applications": [{"edition": "2026"}]}),
        MALFORMED,
    ),
    "a calendar of another year": (
        putting("targets", "calendar-2027.json", {"working_days": [{"year": 2026}]}),
        MALFORMED,
    ),
    "a sub-member in the federation's file": (
        document_with(lambda it: it["members"].append({**it["members"][4], "id": "990000", "parent": "990001"})),
        MALFORMED,
    ),
    "a sub-member that is a hub": (document_with(lambda it: it["members"][4].update(hub=True)), MALFORMED),
    # hostile JSON
    "a member of an object twice": (putting("targets", "limits.json", b'{"limits":{},"limits":{}}'), MALFORMED),
    "a huge number": (putting("targets", "limits.json", b'{"limits":{"subjects":' + b"9" * 5000 + b"}}"), MALFORMED),
    "a number beyond range": (putting("targets", "limits.json", b'{"limits":{"subjects":1e999}}'), MALFORMED),
    "deep nesting": (putting("targets", "limits.json", deep(40)), MALFORMED),
    "very deep nesting": (putting("targets", "limits.json", deep(100_000)), MALFORMED),
    "no JSON": (putting("targets", "limits.json", b"\xff"), MALFORMED),
    "no object": (putting("targets", "limits.json", b"[]"), MALFORMED),
    "metadata with a member twice": (raw("mappings", b'"version":7', b'"version":7,"version":7'), MALFORMED),
    "metadata with a huge version": (signing("mappings", lambda it: it.update(version=2**60)), MALFORMED),
    "metadata with a fraction": (raw("mappings", b'"version":7', b'"note":1.5,"version":7'), MALFORMED),
    "metadata with a field that we do not know": (signing("mappings", lambda it: it.update(note="x")), None),
    "metadata without an end": (signing("mappings", lambda it: it.update(expires="soon")), MALFORMED),
    "metadata of TUF 2": (signing("mappings", lambda it: it.update(spec_version="2.0.0")), MALFORMED),
    "metadata of another role": (lambda it: it.roles.update(mappings=it.roots[0]), MALFORMED),
    "metadata of half a megabyte": (raw("mappings", b'"version":7', b" " * 600_000 + b'"version":7'), MALFORMED),
    # one snapshot
    "a file named by more than one hash": (
        signing("targets", lambda it: first_target(it)["hashes"].update(sha512="00")),
        MALFORMED,
    ),
    "a file of another length": (signing("targets", lambda it: first_target(it).update(length=1)), MIXED),
    "targets of another snapshot": (another_snapshot, MIXED),
    "targets rolled back": (rolled_back, MIXED),
    "another version than the snapshot says": (other_version, MIXED),
    "a swapped file": (swapped, MIXED),
    "a file that is missing": (lambda it: it.targets.pop(file_of(it, "purposes")), MIXED),
    "a file too many": (statics(targets__note_json=b"{}"), MIXED),
    "a role that nobody delegates": (spare_role, MIXED),
    "a role that the snapshot does not name": (lambda it: it.roles.pop(OTHER_ROLE), MIXED),
    "a timestamp without its time": (late(issued=None), MALFORMED),
    "a timestamp issued when it ends": (late(issued="2027-01-01T00:00:00Z"), MALFORMED),
    "a timestamp that is none": (as_timestamp, MALFORMED),
    # roots
    "a skipped root": (skipped_root, errors.RootBroken),
    "a root under another number": (misnumbered_root, errors.RootBroken),
    "no root": (statics(metadata__1_root_json=None), errors.RootBroken),
    "a root of other hands": (usurped_root, UNSIGNED),
    "the first root of another federation": (
        lambda it: it.roots.__setitem__(0, root_of(MEMBERS, "x")),
        errors.RootBroken,
    ),
    "a root without consistent snapshots": (reroot(lambda it: it.update(consistent_snapshot=False)), MALFORMED),
    "a root with one signature for targets": (root_role("targets", threshold=1), MALFORMED),
    "a root with half of its members": (root_role("root", threshold=2), MALFORMED),
    "a root with one publisher": (root_role("timestamp", threshold=1), MALFORMED),
    "a root with two seats for one member": (reroot(two_seats), MALFORMED),
    "a root with a seat for a stranger": (reroot(of_no_member), MALFORMED),
    "a root with a weak key of no role": (reroot(weak_key), errors.WeakKey),
    "a root with one key for two uses": (reroot(shared_key), errors.WeakKey),
    "publishers for the quorum": (
        reroot(lambda it: it["roles"].update(targets=it["roles"]["snapshot"])),
        MALFORMED,
    ),
    # agreements
    "all parties signed": (stated(*FOUR), None),
    "an agreement of an older text": (older(area=["31"]), errors.BundleMixed),
    "an agreement of a later edition": (older(edition=2), errors.BundleMixed),
    "an agreement without an edition": (older(edition=None), MALFORMED),
    "an agreement left out": (without_statement, errors.BundleMixed),
    "an agreement that is not listed": (
        lambda it: it.put("targets", EDITIONS, {"agreement_editions": []}),
        errors.BundleMixed,
    ),
    "another edition listed": (listed(edition=2), errors.BundleMixed),
    "another text listed": (listed(sha256="0" * 64), errors.BundleMixed),
    "no digest listed": (listed(sha256="0"), MALFORMED),
    "edition 0 listed": (listed(edition=0), MALFORMED),
    "an agreement listed twice": (
        lambda it: it.put("targets", EDITIONS, editions(*base()["agreements"], *base()["agreements"])),
        MALFORMED,
    ),
    "one officer of a party": (stated(*LESS), errors.AgreementUnsigned),
    "nobody of a party": (stated(*FOUR[:6]), errors.AgreementUnsigned),
    "two officers of one party for both": (
        stated((SHANGHAI, 0), (SHANGHAI, 1), parties=[SHANGHAI, JIANGSU]),
        errors.AgreementUnsigned,
    ),
    "the hand of a stranger": (stated(*FOUR, parties=list(MEMBERS[:3])), errors.AgreementUnsigned),
    "an officer of before": (stated(*FOUR, stranger=True), errors.AgreementUnsigned),
    "an agreement under another name": (stated(*FOUR, name="agreements/OTHER.json"), MALFORMED),
    "an agreement without parties": (stated(*FOUR, parties="all"), MALFORMED),
    "an agreement of a sub-member": (
        stated((SUB, 0), (SUB, 1), (JIANGSU, 0), (JIANGSU, 1), parties=[SUB, JIANGSU]),
        None,
    ),
    "an agreement that is no envelope": (putting("agreements", STATEMENT, {}), errors.EnvelopeMalformed),
}  # fmt: skip


@pytest.mark.parametrize(("forge", "refusal"), CASES.values(), ids=CASES.keys())
def test_a_forged_bundle_is_refused_for_what_it_is(forge: Forge, refusal: type[errors.KeysError] | None) -> None:
    """Each change to a genuine bundle is refused with its own class, though all who hold keys sign what they can."""
    found = draft()
    forge(found)
    if refusal is None:
        assert open_bundle(found.archive(), root=ROOT).version == 7
        return
    with pytest.raises(errors.KeysError) as caught:
        open_bundle(found.archive(), root=ROOT)
    assert type(caught.value) is refusal


def test_members_change_with_the_root() -> None:
    """The quorum of before hands over to that of now, whose keys sign from then on."""
    found, leaver = draft(), f"{ANHUI}/"

    def leave(content: dict[str, Any]) -> None:
        for name in ("root", "targets"):
            role = content["roles"][name]
            role["keyids"] = [each for each in role["keyids"] if not each.startswith(leaver)]
            role["threshold"] = 2
        used = {key for role in content["roles"].values() for key in role["keyids"]}
        content["keys"] = {name: each for name, each in content["keys"].items() if name in used}

    reroot(leave)(found)
    roles = {each.name: each for each in open_bundle(found.archive(), root=ROOT).roles}
    assert [len(roles[name].keys) for name in ("root", "targets", "mappings")] == [3, 3, 4]
    assert (roles["root"].version, roles["root"].threshold, len(roles["root"].signed_by)) == (2, 2, 3)


def test_a_root_says_who_signs_it() -> None:
    """A root is looked at by itself, before anybody trusts it; one that its own keys do not sign is none."""
    found = open_root(ROOT)
    assert (found.name, found.version, found.threshold, len(found.keys)) == ("root", 1, 3, 4)
    assert set(found.signed_by) < {each.id for each in found.keys}
    with pytest.raises(errors.SignatureInvalid):
        open_root(ROOT.replace(b'"version":1', b'"version":2'))


@settings(max_examples=100)
@given(at=st.integers(min_value=0), change=st.integers(1, 255))
def test_no_changed_byte_of_a_bundle_goes_unnoticed(at: int, change: int) -> None:
    """Every byte of an archive is signed for: a changed one never opens."""
    packed = bytearray(PACKED)
    packed[at % len(packed)] ^= change
    with pytest.raises(errors.KeysError):
        open_bundle(bytes(packed), root=ROOT)


def test_what_is_split_is_put_together_again() -> None:
    """The sections of the reference federation come back as they went, whoever signed them."""
    found = document(REFERENCE, {})
    directory = directory_of(timed(found, version=3, issued=FIRST, expire=FIRST.replace(year=2027)))
    assert thawed(directory.sections) == thawed({name: each for name, each in found.items() if name not in OWN})
    assert [each.id for each in directory.members] == [each["id"] for each in found["members"]]


def thawed(value: Any) -> Any:
    """Write JSON in one form: lists in the order of their texts, as files put rows in another one."""
    if isinstance(value, Mapping):
        return {name: thawed(each) for name, each in value.items()}
    return (
        sorted(map(thawed, value), key=partial(json.dumps, sort_keys=True))
        if isinstance(value, tuple | list)
        else value
    )


@pytest.mark.parametrize("section", ["clocks", "measure_lists", "inspection_rules"])
def test_a_row_of_nobody_is_not_split(section: str) -> None:
    """A member's rule goes into its own files; for one that is not listed there is none."""
    with pytest.raises(errors.BundleMalformed, match="not listed"):
        sections.split({"members": [], section: [{"member": "990000"}]})


@pytest.mark.parametrize("section", ["data_items", "behaviours", "applications", "working_days"])
def test_a_row_of_no_edition_is_not_split(section: str) -> None:
    """A yearly list's row says of which year it is: no clock says it instead."""
    with pytest.raises(errors.BundleMalformed, match="names no edition"):
        sections.split({"members": [], section: [{"code": "A"}]})


def test_a_signature_is_added_or_replaced() -> None:
    """A second signature stands beside the first, the same again in its place."""
    one, two = (suite.signer(bytes([n]) * 32, owner=f"{SHANGHAI}/officer") for n in (1, 2))
    empty = writing.write_targets(MEMBER_ROLE, version=1, expires=FIRST, files={}, delegations={})
    both = writing.add_signature(writing.add_signature(empty, one), two)
    assert [each["keyid"] for each in json.loads(both)["signatures"]] == [one.id, two.id]
    assert json.loads(writing.add_signature(both, one))["signatures"] == json.loads(both)["signatures"]
    assert both == writing.add_signature(empty, one, two)
