"""A member's trust officers turn over their keys of the bundle's roles, by the steps of the officers' tool."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from keys.suite import Signer
from nodes.federation.signing import Hands
from nodes.lab import LIGHT, Lab, lives_of
from nodes.trust import requests
from nodes.trust.ceremony import every, put_out, wanted
from nodes.trust.proposing import propose
from nodes.trust.signing import sign


def turn_over(lab: Lab, member: str, folder: Path) -> dict[str, str]:
    """Replace every role key of a member and publish; give the new keys' ids by name.

    The next root is signed by the holders of before and of now. The member's new publisher and another one publish.

    Raises:
        TrustRefused: whatever the tool refuses.
    """
    asked = requests.init(folder, member, work=LIGHT)
    made = {name: requests.load(folder / f"{name}.key", folder / f"{name}.passphrase") for name, _ in _names()}
    new, base, now = _with(lab.hands, member, made), lab.published, lab.clock()
    proposed = replace(wanted(lab.document(), new), proofs={requests.REQUEST: asked.text})
    draft = propose(proposed, base, now=now, lives=lives_of())
    draft = sign(draft, base, *every(lab.hands), *every(new), digest=draft.digest, now=now)
    other = next(each for each in new.tops if each != member)
    at_work = [new.signers[each]["publisher"][0] for each in (member, other)]
    lab.put(put_out(draft, base, at_work, now=now, lives=lives_of()))
    lab.hands = new
    return {name: each.id for name, each in made.items()}


def _with(hands: Hands, member: str, made: dict[str, Signer]) -> Hands:
    uses = {use: tuple(made[name] for name, of in _names() if of == use) for use in requests.USES}
    return replace(hands, signers={**hands.signers, member: uses})


def _names() -> tuple[tuple[str, str], ...]:
    return tuple(requests.names(requests.USES))
