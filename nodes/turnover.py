"""Turns a member's keys over: makes key files, and says in the member's public entry what was made, ends or is stolen.

Private keys stay in the folder. What the others must learn is in the new entry; it counts once the bundle holds it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.lifetimes import KeyRule
from keys import boxes, custody, jsontext, moments, requests, seal, suite, tls
from keys.envelope import to_json
from keys.errors import CustodyError, KeyUnknown
from keys.members import SEAL
from keys.possession import prove
from keys.seal import Opener
from keys.suite import Signer
from keys.tls import Issuer

if TYPE_CHECKING:
    from nodes.setup import Entry

BACKDATE = timedelta(minutes=5)
"""Others' clocks differ a little: what begins now is good at once."""

_DIGITS = 16

Row = Mapping[str, Any]
Make = Callable[[str], Signer | Opener]
"""Makes a private key for a use, in a file or on a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFolder:
    """Where a member's key files lie, and what opens them."""

    member: str
    path: Path
    passphrase: bytes
    work: boxes.Work = boxes.MODERATE

    def make(self, use: str) -> Signer | Opener:
        """Make a key and its file, named by use and fingerprint.

        Raises:
            CustodyError: when the file cannot be written.
        """
        seed = suite.generate_seed()
        made: Signer | Opener = (seal.opener if use == SEAL else suite.signer)(seed, owner=self.member)
        path = self.path / f"{use}-{fingerprint(made.id)}.key"
        custody.save_seed(path, seed, self.passphrase, owner=self.member, suite=made.suite, use=use, work=self.work)
        return made

    def make_issuing(self, authority: Issuer, rule: KeyRule, begins: datetime) -> Issuer:
        """Make an issuing CA that is good from a time on, and its file.

        Raises:
            CertificateRefused: when the authority is not the member's or not valid then.
            CustodyError: when the file cannot be written.
        """
        issuing = authority.issue_intermediate(self.member, begins + BACKDATE, days=rule.life_days)
        self.keep_issuing(issuing)
        return issuing

    def keep_issuing(self, issuing: Issuer) -> None:
        """Keep an issuing CA under a name of its own.

        Raises:
            CustodyError: when the file cannot be written.
        """
        name = hashlib.sha256(issuing.certificate_pem).hexdigest()[:_DIGITS]
        custody.save_issuer(self.path / f"issuing-{name}.pem", issuing, self.passphrase)


def fingerprint(key_id: str) -> str:
    """Give the last part of a key's id."""
    return key_id.rpartition("/")[2]


def key_row(key: Signer | Opener, use: str, begins: datetime, ends: datetime) -> dict[str, Any]:
    """Write the row of a key that is good from one time until before another."""
    return {
        "id": key.id,
        "suite": key.suite,
        "use": use,
        "public": jsontext.write_octets(key.public),
        "valid_from": moments.write(begins),
        "valid_until": moments.write(ends),
        "revoked_time": None,
        "suspect_from": None,
    }


def proof(use: str, made: Signer) -> str:
    """Give the key's signature over its own registration (threat 9): whoever copied a public key has none."""
    return to_json(prove([(use, made)])).decode("ascii")


def generate(entry: Entry, rule: KeyRule, begins: datetime, make: Make) -> tuple[Entry, str]:
    """Make a key beside those that are listed; give the new entry and the key's id."""
    made = make(rule.use)
    row = key_row(made, rule.use, begins, begins + timedelta(days=rule.life_days))
    # A sealing key cannot sign; that it is no copy the bundle's reader sees.
    proofs = (proof(rule.use, made),) if isinstance(made, Signer) else ()
    found = _with_keys(entry, (*entry.standing.keys, row))
    return replace(found, proofs=(*entry.proofs, *proofs)), made.id


def rotate(entry: Entry, rule: KeyRule, now: datetime, begins: datetime | None, make: Make) -> tuple[Entry, str]:
    """Make the successor of a use's keys: it begins after the lead, and they end when the overlap is over.

    Without a time of its own it begins no later than the last of them ends, so that no gap opens.
    """
    ends = [moments.read(row["valid_until"]) for row in entry.standing.keys if _follows(row, rule.use, now)]
    check_begin(entry, rule.use, now, begins)
    start = (begins or min(now + rule.lead, max(ends, default=now))).replace(microsecond=0)
    until = start + timedelta(days=rule.overlap_days)
    rows = tuple(_shortened(row, until) if _follows(row, rule.use, now) else row for row in entry.standing.keys)
    return generate(_with_keys(entry, rows), rule, start, make)


def check_begin(entry: Entry, use: str, now: datetime, begins: datetime | None) -> None:
    """Return when a successor that begins at this time leaves its predecessors' past alone, and no gap.

    Raises:
        CustodyError: otherwise.
    """
    if begins is None:
        return
    if begins < now - BACKDATE:
        raise CustodyError("a successor cannot begin in the past; name a time to come, or none")
    ends = [moments.read(row["valid_until"]) for row in entry.standing.keys if _follows(row, use, now)]
    if ends and begins > max(ends):
        raise CustodyError("the keys of this use end before that; name an earlier time, or none")


def revoke(entry: Entry, key_id: str, now: datetime, suspect_from: datetime | None) -> Entry:
    """Revoke a key from now on; from `suspect_from` on nothing that it signed counts.

    Of what an earlier revocation says and this one, the earlier times stand.

    Raises:
        KeyUnknown: when the entry does not list the key.
        CustodyError: when the suspicion is of a time to come.
    """
    if suspect_from is not None and suspect_from > now:
        raise CustodyError("the time of suspicion has not come yet; name the first moment at which it may be stolen")
    if key_id not in {row["id"] for row in entry.standing.keys}:
        raise KeyUnknown("the entry lists no key of that id; copy the id from yrdx keys show")
    marks = {"revoked_time": now, "suspect_from": suspect_from}
    rows = entry.standing.keys
    return _with_keys(entry, tuple(_marked(row, marks) if row["id"] == key_id else row for row in rows))


def with_issuing(entry: Entry, certificate: bytes, anchors: tuple[bytes, ...], now: datetime) -> Entry:
    """List an issuing certificate and what it is anchored in, and drop what has ended."""
    held = entry.standing
    return replace(
        entry,
        standing=replace(
            held,
            issuing_certificates=_listed((*held.issuing_certificates, certificate.decode()), now),
            ca_certificates=_listed((*held.ca_certificates, *(each.decode() for each in anchors)), now),
        ),
    )


def with_leaf(entry: Entry, chain: requests.Chain, now: datetime) -> Entry:
    """List what issued a leaf of a licensed CA, and its anchor; the leaf itself is in no bundle."""
    return with_issuing(entry, chain.pems[1], chain.pems[2:] or chain.pems[1:], now)


def _listed(pems: tuple[str, ...], now: datetime) -> tuple[str, ...]:
    """Give certificates once each, without those that have ended."""
    return tuple(dict.fromkeys(each for each in pems if tls.life_of(each.encode())[1] > now))


def _marked(row: Row, marks: Mapping[str, datetime | None]) -> Row:
    """Mark a row as revoked; a later word does not make good what an earlier one took away."""
    written = {name: each and moments.write(each.replace(microsecond=0)) for name, each in marks.items()}
    pairs = {name: [each for each in (row[name], written[name]) if each] for name in marks}
    return {**row, **{name: min(each, key=moments.read, default=None) for name, each in pairs.items()}}


def _follows(row: Row, use: str, now: datetime) -> bool:
    """Say whether a row is of this use and still has time to run."""
    return row["use"] == use and row["revoked_time"] is None and moments.read(row["valid_until"]) > now


def _shortened(row: Row, until: datetime) -> Row:
    return {**row, "valid_until": moments.write(min(until, moments.read(row["valid_until"])))}


def _with_keys(entry: Entry, rows: tuple[Row, ...]) -> Entry:
    return replace(entry, standing=replace(entry.standing, keys=rows))
