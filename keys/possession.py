"""Proof of possession: whoever registers keys signs their public halves with every one of them.

A copied public key cannot be registered: its private half is elsewhere. Which key may do what, others decide.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from keys import envelope as envelopes
from keys import jsontext, suite
from keys.envelope import SIGNATURE_LIMIT, Envelope
from keys.errors import EnvelopeMalformed, KeyUnknown, WeakKey
from keys.suite import PublicKey, Signer

POSSESSION_TYPE = "application/vnd.yrdx.possession.v1+json"

_KEY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*/[0-9a-f]{16}")
_USE = re.compile(r"[a-z]{1,32}")
_SUITE = re.compile(r"[A-Z0-9][A-Z0-9-]{0,31}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A public key and what its owner says it is for. Out of `open_proof` it is proven.

    Raises WeakKey for an unfit key, EnvelopeMalformed when the id does not end in the key's fingerprint,
    ValueError when its owner is no name.
    """

    id: str
    suite: str
    use: str
    public: bytes

    def __post_init__(self) -> None:
        """Check the key and its name."""
        suite.check_public(self.suite, self.public)
        if self.id != suite.key_id(self.owner, self.public):
            raise EnvelopeMalformed("a key id does not end in its key's fingerprint; have its owner export it again")

    @property
    def owner(self) -> str:
        """Whose key it says it is: the id without the fingerprint."""
        return self.id.rpartition("/")[0]


def prove(keys: Iterable[tuple[str, Signer]]) -> Envelope:
    """Return the claims of (use, signer) pairs in one envelope that each of these keys signs.

    Raises EnvelopeMalformed for no key, one twice, or more than an envelope has signatures.
    """
    pairs = tuple(keys)
    document = [
        {"id": each.id, "suite": each.suite, "use": use, "public": jsontext.write_octets(each.public)}
        for use, each in pairs
    ]
    payload = json.dumps({"keys": document}, sort_keys=True, separators=(",", ":")).encode("ascii")
    return envelopes.sign(POSSESSION_TYPE, payload, *(each for _, each in pairs))


def open_proof(envelope: Envelope) -> tuple[Claim, ...]:
    """Return the claims after each key of them, and no other, has signed.

    Raises EnvelopeMalformed for another form, WeakKey for an unfit key or one that stands twice, and what
    `open_envelope` raises: SignatureInvalid when a private key was not there.
    """
    part = jsontext.load(envelope.payload, refuse=EnvelopeMalformed).members(("keys",))
    claims = tuple(_claim(each) for each in part["keys"].items(limit=SIGNATURE_LIMIT))
    known = {each.id: PublicKey(id=each.id, suite=each.suite, raw=each.public) for each in claims}
    if len({each.public for each in claims}) != len(claims):
        raise WeakKey("one public key is claimed twice; each use needs a key of its own")
    opened = envelopes.open_envelope(envelope, payload_type=POSSESSION_TYPE, find=lambda each: _find(known, each))
    if set(opened.key_ids) != set(known):
        raise KeyUnknown("a key did not sign its own registration; have its holder sign the request")
    return claims


def _claim(place: jsontext.Place) -> Claim:
    part = place.members(Claim.__slots__)
    return place.build(
        Claim,
        id=part["id"].text(_KEY_ID),
        suite=part["suite"].text(_SUITE),
        use=part["use"].text(_USE),
        public=part["public"].octets(),
    )


def _find(known: dict[str, PublicKey], key_id: str) -> PublicKey:
    if key_id not in known:
        raise KeyUnknown("a registration is signed by a key that it does not name; have the request made anew")
    return known[key_id]
