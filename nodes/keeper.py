"""A member's keys as their keeper turns them over: files and tokens here, and the public entry for the others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.charter import Charter
from gateway.clocks import civil_day
from gateway.lifetimes import KeyRule
from keys import boxes, custody, moments, requests, tls
from keys.errors import CustodyError
from keys.members import SEAL, USES
from keys.suite import Signer
from keys.tls import Issuer, PeerName
from nodes import turnover
from nodes.bundle.following import current_charter
from nodes.config import Config
from nodes.credentials import open_token
from nodes.keyring import KEY_FILES, STORAGE
from nodes.leaves import ISSUERS, Leaves
from nodes.setup import Entry, read_entry
from nodes.turnover import KeyFolder

ISSUING, LEAF = "issuing", "leaf"
CERTIFIED = (ISSUING, LEAF)
FORMAT = "yrdx.keys.v1"
_DIGITS = 16
_TOKEN = "token"  # noqa: S105  a place, no secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeper:
    """Turns over what a config names; every change is written to the entry at once and whole."""

    config: Config
    entry: Path
    charter: Charter
    now: datetime
    work: boxes.Work = boxes.MODERATE

    @property
    def _folder(self) -> KeyFolder:
        passphrase = custody.read_passphrase(self.config.passphrase_file)
        path = self.config.signing_key.parent
        return KeyFolder(member=self.config.member, path=path, passphrase=passphrase, work=self.work)

    def generate(self, use: str, begins: datetime | None, *, on_token: bool = False) -> str:
        """Make a key of a use beside the others; give its id.

        Raises:
            OSError, ValueError, KeysError, CatalogueMalformed: naming what is missing or wrong.
        """
        entry, made = turnover.generate(self._entry(), self._rule(use), begins or self.now, self._make(on_token))
        return self._write(entry, made)

    def rotate(self, use: str, begins: datetime | None, *, on_token: bool = False) -> str:
        """Make the successor of the keys of a use, which end after the overlap; give its id.

        Raises:
            OSError, ValueError, KeysError, CatalogueMalformed: as `generate`.
        """
        entry, made = turnover.rotate(self._entry(), self._rule(use), self.now, begins, self._make(on_token))
        return self._write(entry, made)

    def rotate_issuing(self, authority: Issuer, begins: datetime | None) -> str:
        """Make the next issuing CA under the member's CA; nodes use it from its beginning on, once it is pinned.

        Raises:
            OSError, ValueError, KeysError, CatalogueMalformed: as `generate`.
        """
        rule = self._rule(ISSUING)
        start = begins or self.now + rule.lead
        made = self._folder.make_issuing(authority, rule, start.replace(microsecond=0))
        entry = turnover.with_issuing(self._entry(), made.certificate_pem, (), self.now)
        return self._write(entry, fingerprint(made.certificate_pem))

    def rotate_leaf(self) -> str:
        """Renew the node's leaf now under the newest issuing CA that is pinned; a running node takes it over.

        Raises:
            KeysError: CustodyError when no issuing CA that is here is pinned.
        """
        leaves = Leaves(self.config.leaf, self._folder.passphrase)
        leaves.renew(self.charter, self.now)
        return fingerprint(leaves.current.certificate_pem)

    def revoke(self, key_id: str, suspect_from: datetime | None) -> None:
        """Revoke a key in the entry.

        Raises:
            OSError, ValueError, KeysError: KeyUnknown when the entry does not list it.
        """
        self._write(turnover.revoke(self._entry(), key_id, self.now, suspect_from), key_id)

    def request(self, use: str, out: Path) -> None:
        """Write a request to a licensed CA; its key waits, encrypted, for the chain.

        Raises:
            OSError, KeysError: CustodyError when one waits already, or the file exists.
        """
        folder, member = self._folder, self.config.member
        made = requests.request_issuing(member) if use == ISSUING else requests.request_leaf(self._peer())
        custody.save_request(self._waiting(use), made, folder.passphrase)
        with out.open("xb") as file:
            file.write(made.request_pem)

    def take_chain(self, use: str, text: bytes) -> str:
        """Take what a licensed CA issued for the request that waits; give the certificate's fingerprint.

        Raises:
            OSError, ValueError, KeysError: CertificateRefused when it is not what was asked for.
        """
        folder, waiting, entry = self._folder, self._waiting(use), self._entry()
        chain, key = requests.read_chain(text), custody.load_request(waiting, folder.passphrase).key_pem
        chain.check_current(self.now)
        if use == ISSUING:
            folder.keep_issuing(requests.take_issuing(chain, key, self.config.member))
            changed = turnover.with_issuing(entry, chain.pems[0], chain.pems[1:], self.now)
        else:
            leaf = requests.take_leaf(chain, key, self._peer())
            custody.save_leaf(self.config.leaf, leaf, folder.passphrase, replace=True)
            changed = turnover.with_leaf(entry, chain, self.now)
        waiting.unlink()
        return self._write(changed, fingerprint(chain.pems[0]))

    def show(self) -> dict[str, Any]:
        """Give what there is for programs: ids, uses, times, where kept; never a private byte.

        Raises:
            OSError, ValueError, KeysError: when a file does not open.
        """
        entry, kept = self._entry(), dict(self._kept())
        listed = {key.id for key in self.charter.directory.member(self.config.member).keys}
        rows = [
            {name: row[name] for name in ("id", "use", "valid_from", "valid_until", "revoked_time", "suspect_from")}
            | {"kept": kept.pop(row["id"], None), "listed": row["id"] in listed}
            for row in entry.standing.keys
        ]
        strays = [_stray(each, place) for each, place in kept.items()]
        return {
            "format": FORMAT,
            "member": self.config.member,
            "keys": [*rows, *strays],
            "certificates": list(self._certificates(entry.standing.issuing_certificates)),
        }

    def _certificates(self, told: tuple[str, ...]) -> Iterator[Mapping[str, Any]]:
        """Give the leaf, the issuing CAs that are here or told, and the CAs that are pinned."""
        passphrase, member = self._folder.passphrase, self.charter.directory.member(self.config.member)
        leaf = custody.load_leaf(self.config.leaf, passphrase)
        yield _certificate(LEAF, leaf.certificate_pem, self.config.leaf.name, listed=False)
        paths = sorted(self.config.leaf.parent.glob(ISSUERS))
        here = {fingerprint(custody.load_issuer(each, passphrase).certificate_pem): each.name for each in paths}
        pinned = {fingerprint(each) for each in member.issuing_certificates}
        for pem in told:
            name = fingerprint(pem.encode())
            yield _certificate(ISSUING, pem.encode(), here.get(name), listed=name in pinned)
        for each in member.ca_certificates:
            yield _certificate("ca", each, None, listed=True)

    def _kept(self) -> Iterator[tuple[str, str]]:
        """Give the id of each key that is here, and where."""
        folder = self._folder
        for path in sorted(folder.path.glob(KEY_FILES)):
            use = custody.use_of(path)
            if use == SEAL:
                yield custody.load_opener(path, folder.passphrase).id, path.name
            elif use != STORAGE:
                yield custody.load_signer(path, folder.passphrase, use=use).id, path.name
        if token := open_token(self.config):
            for each in (signer for use in sorted(USES) for signer in token.signers(self.config.member, use)):
                yield each.id, _TOKEN

    def _make(self, on_token: bool) -> turnover.Make:  # noqa: FBT001  the command's own flag
        if not on_token:
            return self._folder.make
        token = open_token(self.config)
        if token is None:
            raise CustodyError("the config names no token; set keys.token_module and its label")

        def make(use: str) -> Signer:
            if use == SEAL:
                raise CustodyError("a sealing key is kept in a file; make it without --token")
            return token.generate(self.config.member, use)

        return make

    def _rule(self, use: str) -> KeyRule:
        return self.charter.catalogue.lifetimes.need(use, civil_day(self.now))

    def _peer(self) -> PeerName:
        leaf = custody.load_leaf(self.config.leaf, self._folder.passphrase)
        return tls.spiffe_of(leaf.certificate_pem)

    def _waiting(self, use: str) -> Path:
        return self.config.leaf.with_name(f"request-{use}.pem")

    def _entry(self) -> Entry:
        return read_entry(self.entry.read_text(encoding="utf-8"))

    def _write(self, entry: Entry, told: str) -> str:
        new = self.entry.with_name(f"{self.entry.name}.new")
        new.write_text(entry.to_json(), encoding="utf-8")
        new.replace(self.entry)
        return told


def open_keeper(config: Config, entry: Path, now: datetime) -> Keeper:
    """Open the keeper of a node's keys under the bundle that is in force.

    Raises:
        OSError, KeysError, CatalogueMalformed: when the bundle cannot be read or does not verify.
    """
    return Keeper(config=config, entry=entry, charter=current_charter(config), now=now)


def fingerprint(pem: bytes) -> str:
    """Name the first certificate of a text: the first 16 hexadecimal digits of the SHA-256 of its PEM."""
    head, mark, _ = pem.decode("ascii").partition("-----END CERTIFICATE-----")
    return hashlib.sha256(f"{head.strip()}\n{mark}\n".encode()).hexdigest()[:_DIGITS]


def _certificate(what: str, pem: bytes, kept: str | None, *, listed: bool) -> Mapping[str, Any]:
    begins, ends = map(moments.write, tls.life_of(pem))
    row = {"id": fingerprint(pem), "use": what, "valid_from": begins, "valid_until": ends}
    return row | {"kept": kept, "listed": listed}


def _stray(key_id: str, place: str) -> Mapping[str, Any]:
    """Give the row of a key that is here and in no entry."""
    names = ("use", "valid_from", "valid_until", "revoked_time", "suspect_from")
    return {"id": key_id, **dict.fromkeys(names), "kept": place, "listed": False}
