"""A whole ceremony in one process: the officers of every member propose, sign and publish. For labs and tests.

Real members' keys are never together; each step here is the one that the officers' tool takes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from keys.bundle import layout, sections
from keys.envelope import to_json
from keys.possession import prove
from keys.suite import Signer
from nodes.federation.signing import Hands, Lives
from nodes.trust.draft import Draft
from nodes.trust.errors import Ground, TrustRefused
from nodes.trust.proposing import Wanted, keys_of, propose
from nodes.trust.published import Published
from nodes.trust.publishing import publish
from nodes.trust.signing import sign


def hold(
    document: Mapping[str, Any],
    officers: Hands,
    base: Published | None,
    *,
    now: datetime,
    lives: Lives | None = None,
    publishers: int = 2,
    renew: frozenset[str] = frozenset(),
    proofs: Mapping[str, bytes] | None = None,
) -> Published:
    """Lead from what is published to a document's bundle; the last publishers are at work, the others are down.

    `proofs` show that the new message keys in the document are held; the officers' own keys are proven here.

    Raises:
        TrustRefused: whatever the tool refuses.
    """
    asked = replace(wanted(document, officers, renew=renew), proofs={**_proofs(officers, base), **(proofs or {})})
    draft = propose(asked, base, now=now, lives=lives)
    signed = sign(draft, base, *every(officers), digest=draft.digest, now=now)
    at_work = [officers.signers[top]["publisher"][0] for top in officers.tops][-publishers:]
    return put_out(signed, base, at_work, now=now, lives=lives)


def every(officers: Hands) -> Iterator[Signer]:
    """Give the role keys of all members, one by one."""
    return (each for uses in officers.signers.values() for keys in uses.values() for each in keys)


def _proofs(officers: Hands, base: Published | None) -> dict[str, bytes]:
    """Prove that each member's officers hold their keys, as their requests do; those published were proven before."""
    known = {key.id for keys in keys_of(base).values() for key in keys}
    found = {}
    for member, uses in officers.signers.items():
        if new := [(use, each) for use, keys in uses.items() for each in keys if each.id not in known]:
            found[f"request-{member}"] = to_json(prove(new))
    return found


def put_out(
    draft: Draft, base: Published | None, at_work: Sequence[Signer], *, now: datetime, lives: Lives | None = None
) -> Published:
    """Let publishers take turns on a signed draft until it is published.

    Raises:
        TrustRefused: whatever the tool refuses; SIGNATURES_MISSING when they are too few.
    """
    root = base.roots[0] if base else b""
    for _ in range(2 * len(at_work)):
        for signer in at_work:
            try:
                step = publish(draft, base, signer, now=now, root=root, stand_in=True, lives=lives)
            except TrustRefused as error:
                if error.ground is not Ground.NOTHING_TO_SIGN:
                    raise
                continue
            if step.published is not None:
                return step.published
            draft = step.draft
    raise TrustRefused(Ground.SIGNATURES_MISSING, names=layout.TIMESTAMP)


def wanted(document: Mapping[str, Any], officers: Hands, *, renew: frozenset[str] = frozenset()) -> Wanted:
    """Say what a document wants under the keys of these officers."""
    plain = json.loads(json.dumps(document, ensure_ascii=False))
    return Wanted(
        files=sections.split(plain),
        agreements=tuple(plain.get("agreements", ())),
        keys={
            (member, use): tuple(each.public_key() for each in keys)
            for member, uses in officers.signers.items()
            for use, keys in uses.items()
        },
        proofs={},
        renew=renew,
    )
