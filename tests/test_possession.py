"""Whoever registers a key shows that they hold it: for every form a registration can wrongly take."""

from __future__ import annotations

import json

import pytest

from keys import envelope, suite
from keys.envelope import Envelope
from keys.errors import EnvelopeMalformed, KeysError, KeyUnknown, SignatureInvalid, WeakKey
from keys.jsontext import write_octets
from keys.possession import POSSESSION_TYPE, Claim, open_proof, prove

ROOT = suite.signer(bytes([1]) * 32, owner="310000/root")
QUORUM = suite.signer(bytes([2]) * 32, owner="310000/quorum")
OTHER = suite.signer(bytes([3]) * 32, owner="320000/root")
LOW_ORDER = bytes(32)
NON_CANONICAL = (2**255 - 18).to_bytes(32, "little")


def row(public: bytes, owner: str = "310000/root", **changes: object) -> dict[str, object]:
    """Write a claim as a document has it."""
    found = {"id": suite.key_id(owner, public), "suite": suite.INT_1, "use": "root", "public": write_octets(public)}
    return {**found, **changes}


def signed(rows: list[dict[str, object]], *signers: suite.Signer) -> Envelope:
    """Sign claims, however wrong they are."""
    return envelope.sign(POSSESSION_TYPE, json.dumps({"keys": rows}).encode(), *signers)


def test_every_key_signs_the_registration_of_all() -> None:
    """What was proven comes out with its owner and use."""
    claims = open_proof(prove([("root", ROOT), ("quorum", QUORUM)]))
    assert [(each.id, each.owner, each.use, each.public) for each in claims] == [
        (ROOT.id, "310000/root", "root", ROOT.public),
        (QUORUM.id, "310000/quorum", "quorum", QUORUM.public),
    ]


@pytest.mark.parametrize(
    ("found", "error"),
    [
        (signed([row(LOW_ORDER)], ROOT), WeakKey),
        (signed([row(NON_CANONICAL)], ROOT), WeakKey),
        (signed([row(ROOT.public)], QUORUM), KeyUnknown),
        (signed([row(ROOT.public), row(OTHER.public)], ROOT), KeyUnknown),
        (signed([row(ROOT.public), row(ROOT.public, "310000/quorum")], ROOT), WeakKey),
        (signed([row(ROOT.public, id=OTHER.id)], ROOT), EnvelopeMalformed),
        (signed([row(ROOT.public, id="no fingerprint")], ROOT), EnvelopeMalformed),
        (signed([row(ROOT.public, note="more")], ROOT), EnvelopeMalformed),
        (envelope.sign("application/other", b'{"keys":[]}', ROOT), KeysError),
    ],
    ids=[
        "low order",
        "not canonical",
        "another's",
        "one did not sign",
        "copied",
        "misnamed",
        "unnamed",
        "more",
        "type",
    ],
)
def test_a_registration_that_proves_nothing_is_refused(found: Envelope, error: type[KeysError]) -> None:
    """Low-order, non-canonical, copied, foreign and misnamed keys are refused (threat 9)."""
    with pytest.raises(error):
        open_proof(found)


def test_a_registration_changed_after_signing_is_refused() -> None:
    """The use cannot be changed under the signature."""
    genuine = prove([("root", ROOT)])
    forged = Envelope(
        payload_type=genuine.payload_type,
        payload=genuine.payload.replace(b'"use":"root"', b'"use":"node"'),
        signatures=genuine.signatures,
    )
    with pytest.raises(SignatureInvalid):
        open_proof(forged)


def test_a_claim_needs_an_owner() -> None:
    """A key of nobody cannot be claimed."""
    with pytest.raises(ValueError, match="owner"):
        Claim(id="/0123456789abcdef", suite=suite.INT_1, use="root", public=ROOT.public)
