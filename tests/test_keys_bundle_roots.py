"""A later root as the trusted one: what is older than it leads to it by hands that stayed, or is refused."""

import json
from typing import Any

import pytest
from drafts import VERSION, Draft, draft, said, signed
from hands import hands_of, root_of
from worlds_tables import MEMBERS

from keys import errors
from keys.bundle import rolekeys
from keys.bundle.opening import first_root, open_root
from keys.directory import open_bundle
from keys.suite import Signer

ROOT = root_of(MEMBERS)


def hands(*replaced: str) -> list[Signer]:
    """Give each member's root key; those that were replaced are of another salt."""
    return [hands_of(MEMBERS, MEMBERS, "r" * (each in replaced)).signers[each]["root"][0] for each in MEMBERS]


def hand_over(found: Draft, now: list[Signer], *by: Signer) -> bytes:
    """Publish a further root with other root keys, signed by some of the last one's and all of its own."""
    content = said(found.roots[-1])
    content["version"] += 1
    role = content["roles"]["root"]
    kept = {name: each for name, each in content["keys"].items() if name not in role["keyids"]}
    role["keyids"] = [each.id for each in now]
    content["keys"] = kept | {each.id: rolekeys.role_key(each.public_key()).to_dict() for each in now}
    found.roots.append(signed(content, {each.id: each for each in (*by, *now)}.values()))
    return found.roots[-1]


def more_signatures(root: bytes, others: list[Signer]) -> bytes:
    """Add signatures that the root's genuine hands never made."""
    content, forged = json.loads(root), json.loads(signed(said(root), others))
    return json.dumps({**content, "signatures": content["signatures"] + forged["signatures"]}).encode()


def test_a_later_root_may_be_the_trusted_one() -> None:
    """A verifier that holds the second root opens what leads on from it, and nothing that ends before."""
    found = draft()
    second = hand_over(found, hands(MEMBERS[1]), *hands())
    hand_over(found, hands(MEMBERS[1], MEMBERS[2]), *hands(MEMBERS[1]))
    assert {open_bundle(found.archive(), root=each).version for each in found.roots} == {VERSION}
    with pytest.raises(errors.RootBroken):
        open_bundle(draft().archive(), root=second)


def test_the_trusted_root_tells_the_first_one() -> None:
    """Evidence from before the trusted root: the roots between lead to it, each by hands that stayed."""
    found = draft()
    hand_over(found, hands(MEMBERS[1]), *hands())
    third = hand_over(found, hands(MEMBERS[1], MEMBERS[2]), *hands(MEMBERS[1]))
    assert first_root(third, found.roots) == first_root(ROOT, found.roots) == ROOT
    strange = [root_of(MEMBERS, "x"), *found.roots[1:]]
    for roots in ([], found.roots[:2], [*found.roots[:1], *found.roots[2:], third], strange):
        with pytest.raises((errors.RootBroken, errors.SignatureInvalid)):
            first_root(third, roots)
    with pytest.raises(errors.RootBroken):
        first_root(ROOT, [root_of(MEMBERS, "x")])


def test_a_root_is_known_by_its_own_hands() -> None:
    """A root given by itself bears the hands of the root before as well; they neither count nor harm."""
    found = open_root(hand_over(draft(), hands(*MEMBERS), *hands()))
    assert set(found.signed_by) == {each.id for each in hands(*MEMBERS)}


@pytest.mark.parametrize("junk", [b"JUNK " * 1_500_000, b"{}", root_of(MEMBERS, "x")])
def test_a_mirror_puts_nothing_before_the_trusted_root(junk: bytes) -> None:
    """What lies under an older root's name is read too: evidence with it would be refused by whoever trusts the first.

    Another federation's root of the same number is no better than noise.
    """
    found = draft()
    second = hand_over(found, hands(MEMBERS[1]))
    found.roots[0] = junk
    with pytest.raises((errors.BundleMalformed, errors.SignatureInvalid)):
        open_bundle(found.archive(), root=second)


def test_an_invented_past_is_refused() -> None:
    """A mirror invents the first root, and signs the genuine second one as its hands: the signatures all verify."""
    found, invented = draft(), hands_of(MEMBERS, MEMBERS, "x").signers
    second = hand_over(found, hands())
    forged = more_signatures(second, [invented[each]["root"][0] for each in MEMBERS])
    found.roots[:] = [root_of(MEMBERS, "x"), forged]
    with pytest.raises(errors.RootBroken):
        open_bundle(found.archive(), root=second)


def test_a_past_that_borrows_genuine_keys_is_refused() -> None:
    """Two officers' stolen keys, beside two that the thief made, are too few hands to lead from an invented past."""
    found, thief = draft(), hands(*MEMBERS[2:])
    second = hand_over(found, hands())
    past: dict[str, Any] = said(hand_over(draft(), thief)) | {"version": 1}
    found.roots[:] = [signed(past, thief), more_signatures(second, thief[2:])]
    with pytest.raises(errors.RootBroken):
        open_bundle(found.archive(), root=second)


def test_hands_that_all_left_at_once_lead_from_an_older_root_alone() -> None:
    """After all root keys changed at once, whoever trusts the root before follows; the later one proves no past."""
    found = draft()
    second = hand_over(found, hands(*MEMBERS), *hands())
    assert open_bundle(found.archive(), root=ROOT).version == VERSION
    with pytest.raises(errors.RootBroken):
        open_bundle(found.archive(), root=second)
