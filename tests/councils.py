"""The trust officers of four members at work: keys that are always the same, and a bundle held up step by step."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any

from keys import suite
from keys.envelope import to_json
from keys.possession import prove
from nodes.federation import REFERENCE, document
from nodes.federation.signing import Hands, hands
from nodes.trust.ceremony import hold, wanted
from nodes.trust.draft import Draft
from nodes.trust.proposing import propose
from nodes.trust.published import Published
from nodes.trust.signing import add

MEMBERS = ("310000", "320000", "330000", "340000")
NOW = datetime(2026, 11, 22, 2, tzinfo=UTC)
LATER = NOW + timedelta(hours=3)
ON_DUTY = "320000"
Edit = Callable[[dict[str, Any]], None]


def signer(label: str, owner: str) -> suite.Signer:
    """Make a key that is always the same for a label."""
    return suite.signer(sha256(label.encode()).digest(), owner=owner)


@lru_cache
def council(salt: str = "") -> Hands:
    """Give the officers of four members; another salt makes others."""
    return hands(MEMBERS, MEMBERS, lambda label: sha256(f"{salt}{label}".encode()).digest())


@lru_cache
def _tables() -> str:
    return json.dumps(document(REFERENCE, {}), ensure_ascii=False)


def tables(edit: Edit | None = None) -> dict[str, Any]:
    """Give the reference federation's document, edited."""
    found: dict[str, Any] = json.loads(_tables())
    if edit:
        edit(found)
    return found


@lru_cache
def first() -> Published:
    """Give the first bundle of the federation."""
    return hold(tables(), council(), None, now=NOW)


def with_key(member: str, use: str, *keys: suite.Signer, of: Hands | None = None) -> Hands:
    """Replace the keys of a use of a member."""
    found = of or council()
    return Hands(tops=found.tops, signers={**found.signers, member: {**found.signers[member], use: keys}})


def proven(*keys: tuple[str, suite.Signer]) -> Mapping[str, bytes]:
    """Give the proof of possession of keys, given by use."""
    return {"proof": to_json(prove(keys))}


def draft_of(
    edit: Edit | None = None,
    *,
    of: Hands | None = None,
    proofs: Mapping[str, bytes] | None = None,
    renew: frozenset[str] = frozenset(),
    base: Published | None = None,
) -> Draft:
    """Propose an edited document on the first bundle, unsigned."""
    asked = wanted(tables(edit), of or council(), renew=renew)
    return propose(replace(asked, proofs=proofs or {}), base or first(), now=LATER)


def key(member: str, use: str, number: int = 0, *, of: Hands | None = None) -> suite.Signer:
    """Give one officer's key."""
    return (of or council()).signers[member][use][number]


def signed_but(draft: Draft, *without: suite.Signer, of: Hands | None = None) -> Draft:
    """Let everybody sign but some."""
    left_out = {each.id for each in without}
    every = (each for uses in (of or council()).signers.values() for keys in uses.values() for each in keys)
    return add(draft, first(), *(each for each in every if each.id not in left_out))


def signed_by(draft: Draft, *signers: suite.Signer) -> Draft:
    """Let these sign, each of whom must have something to sign."""
    for each in signers:
        draft = add(draft, first(), each)
    return draft
