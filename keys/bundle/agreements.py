"""Agreements: statements that every party signs with two of its own officers (duty U9).

Each is a DSSE envelope over one row of the table of agreements. TUF carries them; its thresholds count keys, these
count parties. Which edition of which agreement is in force, the quorum lists: publishers alone, who carry envelopes,
can neither bring back what the parties withdrew nor leave an agreement out.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from keys import envelope as envelopes
from keys import jsontext
from keys.bundle import rolekeys
from keys.envelope import Envelope
from keys.errors import AgreementUnsigned, BundleMalformed, BundleMixed
from keys.suite import PublicKey, Signer

AGREEMENT_TYPE = "application/vnd.yrdx.agreement.v1+json"
OFFICERS = 2
"""Officers of each party that must sign."""

_MANY = 10_000
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """An edition of an agreement: its number, from 1 on, and the SHA-256 of its statement in hexadecimal."""

    number: int
    sha256: str


def write_statement(row: Mapping[str, Any]) -> bytes:
    """Write a row of the table of agreements as the statement that is signed: the same bytes for the same row."""
    return json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def edition_of(statement: bytes) -> Edition:
    """Return the edition that a statement says it is.

    Raises BundleMalformed.
    """
    row = jsontext.load(statement, refuse=BundleMalformed, name="agreement").members(("edition",), others=True)
    return Edition(number=row["edition"].integer(least=1), sha256=sha256(statement).hexdigest())


def list_editions(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Write the list of editions that goes with the rows of the table of agreements."""
    return [
        {"id": row["id"], "edition": row.get("edition"), "sha256": sha256(write_statement(row)).hexdigest()}
        for row in rows
    ]


def read_editions(place: jsontext.Place) -> dict[str, Edition]:
    """Return the listed editions by agreement.

    Raises BundleMalformed for another form, or an agreement that is listed twice.
    """
    found: dict[str, Edition] = {}
    for each in place.items(limit=_MANY):
        part = each.members(("id", "edition", "sha256"))
        name = part["id"].text()
        if name in found:
            part["id"].fail("is listed twice")
        found[name] = Edition(number=part["edition"].integer(least=1), sha256=part["sha256"].text(_SHA256))
    return found


def check_editions(listed: Mapping[str, Edition], statements: Mapping[str, bytes]) -> None:
    """Return when the agreements are exactly those that the quorum lists, each in the edition that it lists.

    Raises BundleMixed otherwise, and what `edition_of` raises.
    """
    if listed.keys() != statements.keys():
        name = min(listed.keys() ^ statements.keys())
        raise BundleMixed(f"the agreement {name[:64]} is listed and missing, or the other way; fetch it from elsewhere")
    for name, edition in listed.items():
        if edition_of(statements[name]) != edition:
            raise BundleMixed(
                f"the agreement {name[:64]} is not the edition {edition.number} that the quorum lists; "
                "fetch it from elsewhere"
            )


def sign_agreement(row: Mapping[str, Any], *signers: Signer) -> Envelope:
    """Return a row of the table of agreements signed by officers.

    Raises EnvelopeMalformed without signers or when one signs twice.
    """
    return envelopes.sign(AGREEMENT_TYPE, write_statement(row), *signers)


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
