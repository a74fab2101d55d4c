"""The node's TLS leaf: renewed at half of its life under the newest issuing CA that the directory in force pins.

All workers of a node share the file: whoever is first renews it, and the others take it over. A leaf that the
directory does not pin yet is not used; the one before it stays until then.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import structlog

from gateway.charter import Charter
from gateway.clocks import civil_day
from keys import custody, tls
from keys.directory import Directory
from keys.errors import CertificateRefused, CustodyError, KeysError
from keys.tls import Issuer, Leaf
from nodes.keyring import Stamp, stamp

ISSUERS = "issuing*.pem"
LOCK = ".leaf.lock"
USE = "leaf"

_log = structlog.get_logger()


class Leaves:
    """The leaf of this node; `poll` may run in a thread while others read `current`."""

    def __init__(self, path: Path, passphrase: bytes) -> None:
        """Load the leaf.

        Raises:
            CustodyError: when it cannot be read or opened.
        """
        self._path, self._passphrase = path, passphrase
        self._seen: Stamp = stamp(path)
        self._issuers: dict[Path, tuple[Stamp, Issuer | None]] = {}
        self._failed = ""
        self.current: Leaf = custody.load_leaf(path, passphrase)

    def poll(self, charter: Charter, now: datetime) -> bool:
        """Take over a leaf that somebody renewed, or renew it when it is time; say whether it changed."""
        before = self.current
        try:
            self._take_over(charter.directory, now)
            if self._due(charter.directory, now):
                with self._alone():
                    self._take_over(charter.directory, now)
                    if issuer := self._due(charter.directory, now):
                        self._renew(issuer, charter, now)
                        _log.info("leaf_renewed")
            self._failed = ""
        except (OSError, KeysError) as error:
            self._tell(type(error).__name__)
        return self.current is not before

    def renew(self, charter: Charter, now: datetime) -> None:
        """Renew the leaf now, due or not.

        Raises:
            CustodyError: when no issuing CA that is here is pinned, or the file cannot be written.
        """
        issuer = self._newest(charter.directory, now)
        if issuer is None:
            raise CustodyError("no issuing CA that is here is pinned in the directory; have one listed")
        with self._alone():
            self._renew(issuer, charter, now)

    def _take_over(self, directory: Directory, now: datetime) -> None:
        found = stamp(self._path)
        if found == self._seen:
            return
        leaf = custody.load_leaf(self._path, self._passphrase)
        with suppress(CertificateRefused):  # not pinned yet: it is looked at again
            tls.name_peer(leaf.certificate_pem, directory, now)
            self.current, self._seen = leaf, found

    def _due(self, directory: Directory, now: datetime) -> Issuer | None:
        """Give the issuer that must renew the leaf now; one that no issuer here made is renewed elsewhere."""
        newest = self._newest(directory, now)
        if newest is None or not any(self.current.issued_by(each.certificate_pem) for each in self._held()):
            return None
        begins, ends = self.current.life
        half = begins + (ends - begins) / 2
        return newest if now >= half or not self.current.issued_by(newest.certificate_pem) else None

    def _newest(self, directory: Directory, now: datetime) -> Issuer | None:
        """Give the newest issuing CA that is here, good now and pinned."""
        pinned = directory.member(tls.spiffe_of(self.current.certificate_pem).member).issuing_certificates
        good = [each for each in self._held() if _same(each.certificate_pem, pinned) and _covers(each, now)]
        return max(good, key=lambda each: tls.life_of(each.certificate_pem)[0], default=None)

    def _renew(self, issuer: Issuer, charter: Charter, now: datetime) -> None:
        peer = tls.spiffe_of(self.current.certificate_pem)
        days = charter.catalogue.lifetimes.need(USE, civil_day(now)).life_days
        leaf = issuer.issue_leaf(member=peer.member, role="node", name=peer.name, now=now, days=days)
        tls.name_peer(leaf.certificate_pem, charter.directory, now)
        custody.save_leaf(self._path, leaf, self._passphrase, replace=True)
        self.current, self._seen = leaf, stamp(self._path)

    def _held(self) -> tuple[Issuer, ...]:
        """Give the issuing CAs whose keys are here; what does not open is none."""
        paths = sorted(self._path.parent.glob(ISSUERS))
        for gone in self._issuers.keys() - set(paths):
            del self._issuers[gone]
        for path in paths:
            found = stamp(path)
            if self._issuers.get(path, (None,))[0] != found:
                self._issuers[path] = (found, self._issuer(path))
        return tuple(each for _, each in self._issuers.values() if each)

    def _issuer(self, path: Path) -> Issuer | None:
        try:
            return custody.load_issuer(path, self._passphrase)
        except KeysError as error:
            self._tell(type(error).__name__)
            return None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self._path.parent / LOCK).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _tell(self, error: str) -> None:
        """Log a failure once, not at every look."""
        if error != self._failed:
            _log.error("leaf_not_renewed", error=error)
        self._failed = error


def _same(pem: bytes, pinned: tuple[bytes, ...]) -> bool:
    return pem.strip() in {each.strip() for each in pinned}


def _covers(issuer: Issuer, now: datetime) -> bool:
    begins, ends = tls.life_of(issuer.certificate_pem)
    return begins <= now < ends
