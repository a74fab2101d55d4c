"""Keys and authorisations of the subjects whose home the member is: sealed, found by keyed digest, only appended.

A row is never edited: the end of a key or of an authorisation, and each use, is a row of its own.
"""

import sqlite3
from dataclasses import replace
from datetime import datetime
from threading import Lock
from typing import final

from gateway import wire
from gateway.clocks import civil_day
from gateway.errors import ConsentRefused, Replayed
from gateway.exchange.handing import OWNER
from gateway.model.codes import AuthorisationStatus, ConsentReason
from gateway.model.consent import Consent, HeldConsent, KeptKey, KeyRequest, KeyRevocation, SubjectKey, Withdrawal
from gateway.retention import SUBJECTS
from keys import moments, suite
from keys.bodies import keyed_digest
from nodes.store.acts import Act, enter
from nodes.store.bodies import Bodies
from nodes.store.commits import Commits
from nodes.store.connections import time_text
from nodes.store.ledger import Ledger

ENROLMENT, REVOCATION = "ENROLMENT", "KEY_REVOCATION"
"""Names of the acts."""

_LABEL = b"yrdx-subject"
_KEYS = """
    SELECT k.body, d.wrapped_key, k.time, e.time FROM subject_key AS k
    JOIN storage_key AS d ON d.day = k.day AND d.scope = 'subjects' AND d.destroyed IS NULL
    LEFT JOIN subject_key_end AS e USING (key_id) WHERE """
_LIVE_KEYS = """
    SELECT count(*) FROM subject_key WHERE subject = ? AND valid_until > ?
    AND key_id NOT IN (SELECT key_id FROM subject_key_end)"""
_CONSENTS = """
    SELECT c.body, d.wrapped_key, e.time,
           (SELECT count(*) FROM consent_use AS u WHERE u.authorisation_id = c.authorisation_id)
    FROM consent AS c
    JOIN storage_key AS d ON d.day = c.day AND d.scope = 'subjects' AND d.destroyed IS NULL
    LEFT JOIN consent_end AS e USING (authorisation_id) WHERE """
_LIVE_CONSENTS = """
    SELECT count(*) FROM consent WHERE subject = ? AND valid_until > ?
    AND authorisation_id NOT IN (SELECT authorisation_id FROM consent_end)"""
_ENROL = """
    INSERT INTO subject_key (key_id, subject, digest, valid_until, body, evidence, day, time)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_GIVE = """
    INSERT INTO consent (authorisation_id, subject, digest, use_limit, valid_until, body, evidence, day, time)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_END_KEY = "INSERT INTO subject_key_end VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_END_CONSENT = "INSERT INTO consent_end VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_LEFT = """
    SELECT use_limit > (SELECT count(*) FROM consent_use WHERE authorisation_id = :id)
           AND NOT EXISTS (SELECT 1 FROM consent_end WHERE authorisation_id = :id),
           (SELECT digest FROM consent_use WHERE authorisation_id = :id AND use_id = :use),
           EXISTS (SELECT 1 FROM consent_end WHERE authorisation_id = :id)
    FROM consent WHERE authorisation_id = :id"""


@final
class Consents:
    """Implements `gateway.books.ConsentBook`; safe from any event loop and for many processes on one file.

    Bodies and evidence lie under a key of the day on which they came, and for no purpose: they are kept as long as
    records are. What cannot be opened any more is none.
    """

    __slots__ = ("_bodies", "_commits", "_ledger", "_lock", "_reader", "_secret")

    def __init__(
        self,
        commits: Commits,
        reader: sqlite3.Connection,
        lock: Lock,
        bodies: Bodies,
        *,
        ledger: Ledger,
        secret: bytes,
    ) -> None:
        self._ledger = ledger
        self._commits = commits
        self._reader = reader
        self._lock = lock
        self._bodies = bodies
        self._secret = secret

    def key(self, key_id: str) -> KeptKey | None:
        """Give an enrolled key."""
        with self._lock:
            found = self._keys(self._reader, "k.key_id = ?", key_id)
        return found[0] if found else None

    def keys(self, uscc: str) -> tuple[SubjectKey, ...]:
        """Give a subject's keys, oldest first."""
        with self._lock:
            return self._keys_of(self._reader, uscc)

    def consents(self, uscc: str) -> tuple[HeldConsent, ...]:
        """Give a subject's authorisations as they stand, oldest first."""
        with self._lock:
            return self._consents(self._reader, "c.subject = ?", self._digest(uscc))

    async def enrol(
        self, kept: KeptKey, digest: bytes, evidence: bytes, *, approved_by: str, limit: int
    ) -> tuple[SubjectKey, ...]:
        """Keep a key and the envelope that enrols it, and enter it; give the keys that the subject had before.

        Raises:
            ConsentRefused: KEY_COPIED when the key is enrolled; TOO_MANY beyond that many keys that have not ended.
            NotDurable: nothing was kept.
        """
        act = _act(ENROLMENT, approved_by, digest)
        return await self._commits.run(lambda connection: self._enrol(connection, kept, act, evidence, limit))

    async def revoke(
        self, revocation: KeyRevocation, digest: bytes, evidence: bytes, *, approved_by: str, now: datetime
    ) -> SubjectKey:
        """End a key of a subject now, and enter it; one that has ended stays as it is.

        Raises:
            ConsentRefused: AUTHORISATION_UNKNOWN when the subject has no such key.
            NotDurable: nothing was changed.
        """
        key_id = revocation.key_id

        def work(connection: sqlite3.Connection) -> SubjectKey:
            self._ledger.check()
            found = [each for each in self._keys(connection, "k.key_id = ?", key_id) if each.uscc == revocation.uscc]
            if not found:
                raise ConsentRefused(ConsentReason.AUTHORISATION_UNKNOWN)
            if connection.execute(_END_KEY, (key_id, *self._sealed(connection, now, evidence))).rowcount:
                enter(self._ledger, connection, _act(REVOCATION, approved_by, digest), now)
            return self._keys(connection, "k.key_id = ?", key_id)[0].key

        return await self._commits.run(work)

    async def give(self, consent: Consent, digest: bytes, evidence: bytes, *, limit: int, now: datetime) -> HeldConsent:
        """Keep an authorisation and the envelope that gives it; the same envelope again changes nothing.

        Raises:
            Replayed: when the id stands for another one.
            ConsentRefused: AUTHORISATION_WITHDRAWN when it was withdrawn; TOO_MANY beyond that many in force.
            NotDurable: nothing was kept.
        """
        return await self._commits.run(lambda connection: self._give(connection, consent, digest, evidence, limit, now))

    async def withdraw(self, withdrawal: Withdrawal, evidence: bytes, now: datetime) -> HeldConsent:
        """End an authorisation of a subject now; one that was withdrawn stays as it is.

        Raises:
            ConsentRefused: AUTHORISATION_UNKNOWN when the subject has no such authorisation.
            NotDurable: nothing was changed.
        """

        def work(connection: sqlite3.Connection) -> HeldConsent:
            identity = withdrawal.authorisation_id
            found = self._consents(connection, "c.authorisation_id = ?", identity)
            if not found or found[0].consent.uscc != withdrawal.uscc:
                raise ConsentRefused(ConsentReason.AUTHORISATION_UNKNOWN)
            connection.execute(_END_CONSENT, (identity, *self._sealed(connection, now, evidence)))
            return self._consents(connection, "c.authorisation_id = ?", identity)[0]

        return await self._commits.run(work)

    async def take(self, authorisation_id: bytes, use_id: bytes, digest: bytes, now: datetime) -> bool:
        """Take one use of an authorisation for a request; say whether there was one, or whether it was taken before.

        Raises:
            NotDurable: nothing was taken.
        """

        def work(connection: sqlite3.Connection) -> bool:
            row = connection.execute(_LEFT, {"id": authorisation_id, "use": use_id}).fetchone()
            if row is None or row[2]:
                return False
            if row[1] is not None:
                return bool(row[1] == digest)
            if row[0]:
                kept = (authorisation_id, use_id, digest, time_text(now))
                connection.execute("INSERT INTO consent_use VALUES (?, ?, ?, ?)", kept)
            return bool(row[0])

        return await self._commits.run(work)

    def _enrol(
        self, connection: sqlite3.Connection, kept: KeptKey, act: Act, evidence: bytes, limit: int
    ) -> tuple[SubjectKey, ...]:
        self._ledger.check()
        digest = act.digest
        key, now = kept.key, kept.key.enrol_time
        before = self._keys_of(connection, kept.uscc)
        held = connection.execute("SELECT digest FROM subject_key WHERE key_id = ?", (key.key_id,)).fetchone()
        if held is not None:
            if held[0] != digest:
                raise ConsentRefused(ConsentReason.KEY_COPIED)
            return tuple(each for each in before if each.key_id != key.key_id)
        subject = self._digest(kept.uscc)
        if connection.execute(_LIVE_KEYS, (subject, time_text(now))).fetchone()[0] >= limit:
            raise ConsentRefused(ConsentReason.TOO_MANY)
        day = civil_day(now).isoformat()
        seal = self._bodies.key(connection, day, SUBJECTS).seal
        body = seal(wire.encode(_request(kept)))
        until = time_text(key.valid_until_time)
        row = (key.key_id, subject, digest, until, body, seal(evidence), day, time_text(now))
        connection.execute(_ENROL, row)
        enter(self._ledger, connection, act, now)
        return before

    def _give(
        self,
        connection: sqlite3.Connection,
        consent: Consent,
        digest: bytes,
        evidence: bytes,
        limit: int,
        now: datetime,
    ) -> HeldConsent:
        identity = consent.authorisation_id
        held = connection.execute("SELECT digest FROM consent WHERE authorisation_id = ?", (identity,)).fetchone()
        if held is not None:
            return self._again(connection, identity, same=held[0] == digest)
        subject = self._digest(consent.uscc)
        if connection.execute(_LIVE_CONSENTS, (subject, time_text(now))).fetchone()[0] >= limit:
            raise ConsentRefused(ConsentReason.TOO_MANY)
        day = civil_day(now).isoformat()
        seal = self._bodies.key(connection, day, SUBJECTS).seal
        until, body = time_text(consent.valid_until_time), seal(wire.encode(consent))
        row = (identity, subject, digest, consent.use_limit, until, body, seal(evidence), day, time_text(now))
        connection.execute(_GIVE, row)
        return HeldConsent(consent=consent, status=AuthorisationStatus.IN_FORCE)

    def _again(self, connection: sqlite3.Connection, identity: bytes, *, same: bool) -> HeldConsent:
        """Give what the id stands for: a withdrawal is final, whoever sends the old envelope again."""
        found = self._consents(connection, "c.authorisation_id = ?", identity)
        if not same or not found:
            raise Replayed("the id of the authorisation stands for another one")
        if found[0].status is AuthorisationStatus.WITHDRAWN:
            raise ConsentRefused(ConsentReason.AUTHORISATION_WITHDRAWN)
        return found[0]

    def _sealed(self, connection: sqlite3.Connection, now: datetime, evidence: bytes) -> tuple[bytes, str, str]:
        day = civil_day(now).isoformat()
        return self._bodies.key(connection, day, SUBJECTS).seal(evidence), day, time_text(now)

    def _keys_of(self, connection: sqlite3.Connection, uscc: str) -> tuple[SubjectKey, ...]:
        return tuple(each.key for each in self._keys(connection, "k.subject = ?", self._digest(uscc)))

    def _keys(self, connection: sqlite3.Connection, where: str, what: object) -> list[KeptKey]:
        rows = connection.execute(f"{_KEYS}{where} ORDER BY k.seq", (what,)).fetchall()
        opened = ((self._bodies.open(wrapped, body), enrolled, ended) for body, wrapped, enrolled, ended in rows)
        return [_kept(body, enrolled, ended) for body, enrolled, ended in opened if body is not None]

    def _consents(self, connection: sqlite3.Connection, where: str, what: object) -> tuple[HeldConsent, ...]:
        rows = connection.execute(f"{_CONSENTS}{where} ORDER BY c.seq", (what,)).fetchall()
        opened = ((self._bodies.open(wrapped, body), ended, uses) for body, wrapped, ended, uses in rows)
        return tuple(_held(body, ended, uses) for body, ended, uses in opened if body is not None)

    def _digest(self, uscc: str) -> bytes:
        return keyed_digest(self._secret, _LABEL, uscc.encode())


def _act(name: str, approved_by: str, digest: bytes) -> Act:
    """Say who did it: the officer who approved, or the subject itself, which no entry names."""
    agency, role = approved_by.rpartition("/")[0], "approve" if approved_by else "subject"
    return Act(name=name, role=role, officer=approved_by, agency=agency, digest=digest)


def _request(kept: KeptKey) -> KeyRequest:
    """Write what is kept of a key in the form in which it was asked for."""
    return KeyRequest(
        uscc=kept.uscc,
        home_member="",
        suite=kept.suite,
        public=kept.public,
        roles=kept.key.roles,
        valid_from_time=kept.key.valid_from_time,
        valid_until_time=kept.key.valid_until_time,
        request_time=kept.key.enrol_time,
    )


def _kept(body: bytes, enrolled: str, ended: str | None) -> KeptKey:
    request = wire.decode(KeyRequest, body)
    key = SubjectKey(
        key_id=suite.key_id(OWNER, request.public),
        roles=request.roles,
        valid_from_time=request.valid_from_time,
        valid_until_time=request.valid_until_time,
        enrol_time=moments.read(enrolled),
        revoke_time=None if ended is None else moments.read(ended),
    )
    return KeptKey(uscc=request.uscc, suite=request.suite, public=request.public, key=key)


def _held(body: bytes, ended: str | None, uses: int) -> HeldConsent:
    held = HeldConsent(consent=wire.decode(Consent, body), status=AuthorisationStatus.IN_FORCE, use_count=uses)
    if ended is None:
        return held
    return replace(held, status=AuthorisationStatus.WITHDRAWN, withdraw_time=moments.read(ended))
