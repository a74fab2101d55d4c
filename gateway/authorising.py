"""The home member's counter for its subjects: keys, authorisations and their statuses; no transport in here.

A status leaves after the use that it takes is durable.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from gateway import wire
from gateway.books import ConsentBook
from gateway.charter import Charter
from gateway.clocks import civil_day
from gateway.errors import ConsentRefused, NotDurable, Refused, Replayed
from gateway.event import Event
from gateway.exchange.enrolment import open_enrolment
from gateway.exchange.handing import Counter, Seals, check_consent, open_handed, open_reading
from gateway.exchange.tracking import R, Read, open_reading_of
from gateway.exchange.vouching import fitting, open_request, vouch
from gateway.model.codes import ConsentReason, RefusalReason
from gateway.model.consent import Consent, HeldConsent, KeyRevocation, StatusRequest, SubjectKey, Withdrawal
from gateway.ports import Fact, Source
from gateway.registration import COLUMNS, is_active_at
from keys.envelope import Envelope
from keys.suite import Signer

PAGE = 100
_TOKEN = re.compile(r"[0-9]{1,9}")
T = TypeVar("T")


class Home(Protocol):
    """A home member that can be asked for statuses; local, remote and fake ones are interchangeable."""

    async def statuses(self, request: Envelope, seconds: float) -> tuple[Envelope, ...]:
        """Give the statuses that a signed StatusRequest asks for; nobody has verified them.

        Raises:
            Unavailable: when the member cannot be reached in time.
            Refused: with its reason.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """What a home member has at hand; `charter` and `signer` may change between calls.

    `seals` verifies signatures by electronic licence or seal; None while no licensed CA is configured.
    """

    charter: Callable[[], Charter]
    signer: Callable[[], Signer]
    clock: Callable[[], datetime]
    source: Source
    book: ConsentBook
    observe: Callable[[Event], None]
    seals: Seals | None = None


class Authorising:
    """Keeps what its subjects give, and vouches for it. One instance a worker; the store arbitrates between them."""

    def __init__(self, registry: Registry) -> None:
        """Use a registry."""
        self._registry = registry
        self._asked = 0

    def _counter(self) -> Counter:
        here = self._registry
        return Counter(charter=here.charter(), now=here.clock(), find=here.book.key, seals=here.seals)

    async def enrol(self, envelope: Envelope, agency: str) -> tuple[SubjectKey, tuple[SubjectKey, ...]]:
        """Enrol a key of a subject in business here; give it and the keys that the subject had before.

        Raises:
            Refused, ConsentRefused: with the reason.
        """
        counter = self._counter()
        kept, digest, approved_by = open_enrolment(envelope, agency, counter)
        self._check_active(kept.uscc, counter)
        limit = counter.charter.catalogue.limits.subject_keys
        work = self._registry.book.enrol(kept, digest, wire.encode(envelope), approved_by=approved_by, limit=limit)
        return kept.key, await _kept(work)

    async def revoke(self, envelope: Envelope, agency: str) -> SubjectKey:
        """End a key of a subject.

        Raises:
            Refused, ConsentRefused: with the reason.
        """
        counter = self._counter()
        handed = open_handed(envelope, KeyRevocation, agency, counter)
        work = self._registry.book.revoke(
            handed.value, handed.digest, wire.encode(envelope), approved_by=handed.approved_by, now=counter.now
        )
        return await _kept(work)

    async def give(self, envelope: Envelope, agency: str) -> HeldConsent:
        """Take an authorisation of a subject in business here.

        Raises:
            Refused, ConsentRefused: with the reason.
        """
        counter = self._counter()
        handed = open_handed(envelope, Consent, agency, counter)
        check_consent(handed.value, counter)
        self._check_active(handed.value.uscc, counter)
        limit = counter.charter.catalogue.limits.consents
        evidence = wire.encode(envelope)
        return await _kept(
            self._registry.book.give(handed.value, handed.digest, evidence, limit=limit, now=counter.now)
        )

    async def withdraw(self, envelope: Envelope, agency: str) -> HeldConsent:
        """End an authorisation, whatever the subject's registration says by now.

        Raises:
            Refused, ConsentRefused: with the reason.
        """
        counter = self._counter()
        value = open_handed(envelope, Withdrawal, agency, counter).value
        return await _kept(self._registry.book.withdraw(value, wire.encode(envelope), counter.now))

    def kept(self, envelope: Envelope, agency: str) -> tuple[tuple[SubjectKey, ...], tuple[HeldConsent, ...], str]:
        """Give a subject's keys and a page of its authorisations with the next page's token.

        An officer is shown the authorisations to the officer's own agency alone, and no key.

        Raises:
            Refused, ConsentRefused: with the reason.
        """
        reading, book = open_reading(envelope, agency, self._counter()), self._registry.book
        token, size = reading.page_token or "0", reading.page_size or PAGE
        if not _TOKEN.fullmatch(token) or not 1 <= size <= PAGE:
            raise Refused(RefusalReason.MALFORMED)
        keys = () if reading.officer else book.keys(reading.uscc)
        found = [each for each in book.consents(reading.uscc) if not reading.officer or each.consent.agency == agency]
        begin, end = int(token), int(token) + size
        return keys, tuple(found[begin:end]), str(end) if len(found) > end else ""

    def reading(self, kind: type[R], envelope: Envelope, agency: str) -> Read[R]:
        """Verify who wants to read: a key of a subject in business here, for keys end with deregistration.

        Raises:
            Refused, ConsentRefused: with the reason.
        """
        counter = self._counter()
        read = open_reading_of(kind, envelope, agency, counter)
        self._check_active(read.reading.uscc, counter)
        return read

    def held(self, uscc: str) -> tuple[tuple[SubjectKey, ...], tuple[HeldConsent, ...]]:
        """Give a subject's keys and authorisations, ended ones too."""
        return self._registry.book.keys(uscc), self._registry.book.consents(uscc)

    async def statuses(self, envelope: Envelope, peer: str) -> tuple[Envelope, ...]:
        """Vouch for the authorisations that a member's questions want; of who is not covered nothing is said.

        Raises:
            Refused: with the reason for which the member is told nothing.
        """
        self._asked += 1
        try:
            found = await self._statuses(envelope, peer)
        except Refused as refused:
            self._observe(peer, refused.reason.value)
            raise
        finally:
            self._asked -= 1
        self._observe(peer, "")
        return found

    async def _statuses(self, envelope: Envelope, peer: str) -> tuple[Envelope, ...]:
        here = self._registry
        charter, now = here.charter(), here.clock()
        if self._asked > charter.catalogue.limits.in_flight:
            raise Refused(RefusalReason.OVERLOADED)
        request, digest = open_request(envelope, peer=peer, charter=charter, now=now)
        registers = self._registers(request.subjects)
        today, found = civil_day(now).isoformat(), []
        for code in request.subjects:
            if is_active_at(charter.me, registers.get(code, ()), today, charter.directory):
                held = await self._taken(code, request, digest, now)
                if held is not None:
                    found.append(vouch(held, request.questions, here.signer(), now))
        return tuple(found)

    async def _taken(self, code: str, request: StatusRequest, digest: bytes, now: datetime) -> HeldConsent | None:
        """Give the first authorisation that covers; of a limited one a use is taken first."""
        book = self._registry.book
        for each in fitting(book.consents(code), request, now):
            identity = each.consent.authorisation_id
            if each.consent.use_limit == 0 or await _kept(book.take(identity, request.use_id, digest, now)):
                return each
        return None

    def is_home_of(self, code: str) -> bool:
        """Say whether the member's own register shows a subject in business here."""
        charter, today = self._registry.charter(), civil_day(self._registry.clock()).isoformat()
        return is_active_at(charter.me, self._registers((code,)).get(code, ()), today, charter.directory)

    def _check_active(self, code: str, counter: Counter) -> None:
        today, charter = civil_day(counter.now).isoformat(), counter.charter
        if not is_active_at(charter.me, self._registers((code,)).get(code, ()), today, charter.directory):
            raise ConsentRefused(ConsentReason.SUBJECT_NOT_REGISTERED)

    def _registers(self, codes: tuple[str, ...]) -> Mapping[str, Sequence[Fact]]:
        rows = self._registry.source.read(codes, {"register": COLUMNS}).rows
        return {code: tables.get("register", ()) for code, tables in rows.items()}

    def _observe(self, peer: str, reason: str) -> None:
        outcome = "REFUSED" if reason else "ANSWERED"
        self._registry.observe(
            Event(
                side="consent",
                peer=peer,
                kind="GetStatuses",
                outcome=outcome,
                reason=reason,
                question_id="",
                seconds=0.0,
            )
        )


async def _kept(work: Awaitable[T]) -> T:
    """Wait until it is durable; what the store cannot keep is refused."""
    try:
        return await work
    except Replayed as error:
        raise Refused(RefusalReason.REPLAYED) from error
    except NotDurable as error:
        raise Refused(RefusalReason.NOT_DURABLE) from error
