"""Agreements: statements that every party signs with two of its own officers (duty U9).

Each is a DSSE envelope over one row of the table of agreements. TUF carries them; its thresholds count keys, these
count parties.
"""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from keys import envelope as envelopes
from keys import jsontext
from keys.bundle import rolekeys
from keys.envelope import Envelope
from keys.errors import AgreementUnsigned, BundleMalformed
from keys.suite import PublicKey, Signer

AGREEMENT_TYPE = "application/vnd.yrdx.agreement.v1+json"
OFFICERS = 2
"""Officers of each party that must sign."""


def sign_agreement(row: Mapping[str, Any], *signers: Signer) -> Envelope:
    """Return a row of the table of agreements signed by officers.

    Raises EnvelopeMalformed without signers or when one signs twice.
    """
    payload = json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    return envelopes.sign(AGREEMENT_TYPE, payload, *signers)


def open_agreement(content: bytes, *, name: str, officers: Mapping[str, PublicKey]) -> Mapping[str, Any]:
    """Return the row of an agreement; `officers` are all members' officer keys by id, `name` is its file's id.

    Raises AgreementUnsigned when a party lacks two officers or a signer is no party's, what `open_envelope` raises,
    and BundleMalformed when the row does not name the agreement and its parties.
    """
    opened = envelopes.open_envelope(
        envelopes.from_json(content), payload_type=AGREEMENT_TYPE, find=lambda each: _officer(officers, each, name)
    )
    row = jsontext.load(opened.payload, refuse=BundleMalformed, name=name)
    part = row.members(("id", "parties"), others=True)
    if part["id"].text() != name:
        part["id"].fail("is not the id that its file's name says")
    hands = Counter(rolekeys.name_of(each).member for each in opened.key_ids)
    parties = {each.text() for each in part["parties"].items(limit=envelopes.SIGNATURE_LIMIT)}
    for party in sorted(parties):
        if hands[party] < OFFICERS:
            raise AgreementUnsigned(
                f"the agreement {name} has {hands[party]} of {OFFICERS} officers of {party}; have them sign it"
            )
    if hands.keys() - parties:
        raise AgreementUnsigned(f"the agreement {name} is signed for a member that is no party; take the hand out")
    return dict(row.value)


def _officer(officers: Mapping[str, PublicKey], key_id: str, name: str) -> PublicKey:
    if key_id not in officers:
        raise AgreementUnsigned(f"the agreement {name} is signed by no officer of today; have its parties sign it anew")
    return officers[key_id]
