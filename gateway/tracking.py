"""Who asked about a subject, and what an agency would be told of it, served to its home member; no transport here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from gateway import wire
from gateway.authorising import Authorising
from gateway.books import Access, AccessBook, CaseBook
from gateway.charter import Charter
from gateway.clocks import civil_day
from gateway.errors import BudgetSpent, NotDurable, Refused, Replayed
from gateway.event import Event
from gateway.exchange.preview import foresee, own_access, preview
from gateway.exchange.release import Home, columns, setting
from gateway.exchange.tracking import (
    Read,
    days,
    open_access_request,
    open_delay,
    open_passed_delay,
    seal_report,
    shown,
    withheld,
    write_reply,
)
from gateway.model.access import AccessReading, AccessReply, AccessReport, DelayOrder, PreviewReading
from gateway.model.codes import RefusalReason
from gateway.ports import Source
from gateway.registration import COLUMNS, home_of
from keys.envelope import Envelope
from keys.suite import Signer


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a member has at hand for it."""

    charter: Callable[[], Charter]
    signer: Callable[[], Signer]
    clock: Callable[[], datetime]
    source: Source
    book: AccessBook
    cases: CaseBook
    authorising: Authorising
    home: Home
    observe: Callable[[Event], None]


class Tracking:
    """Answers for what this member holds."""

    def __init__(self, desk: Desk) -> None:
        """Use what is at hand."""
        self._desk = desk

    async def access(self, request: Envelope, peer: str) -> Envelope:
        """Give what is held of a subject, sealed to it, to its home member.

        Raises:
            Refused: with the reason.
        """
        desk = self._desk
        charter, now = desk.charter(), desk.clock()
        read = open_access_request(AccessReading, request, peer=peer, charter=charter, now=now)
        self._check_home(read.reading, charter, now)
        today = civil_day(now)
        found = desk.book.of_subject(read.reading.uscc, *days(read.reading), today)
        page, left = shown(found, read.reading.skip)
        try:
            await desk.book.note(read.digest, peer, now)
            entries = tuple(desk.book.shown(each) for each in page)
        except NotDurable as error:
            raise Refused(RefusalReason.NOT_DURABLE) from error
        keys, authorisations = desk.authorising.held(read.reading.uscc) if peer == charter.me else ((), ())
        report = AccessReport(
            reading_digest=read.digest,
            member=charter.me,
            report_time=now,
            entries=entries,
            left_out=left,
            keys=keys,
            authorisations=authorisations,
        )
        sealed = seal_report(report, read, desk.signer())
        reply = AccessReply(
            reading_digest=read.digest, member=charter.me, sealed=sealed, delayed=withheld(found, today)
        )
        return write_reply(reply, desk.signer())

    async def preview(self, request: Envelope, peer: str) -> Envelope:
        """Give what an agency would be told of a subject, sealed to the subject, to its home member.

        It charges no budget and is no disclosure; it stands in the ledger, and the subject is shown it with who asked.

        Raises:
            Refused: with the reason; BUDGET_EXHAUSTED beyond a day's previews.
        """
        desk = self._desk
        charter, now = desk.charter(), desk.clock()
        read = open_access_request(PreviewReading, request, peer=peer, charter=charter, now=now)
        self._check_home(read.reading, charter, now)
        permit = foresee(read.reading, charter.me, charter, now)
        found = setting(permit, desk.source.feeds(), charter, desk.home)
        await self._keep_preview(own_access(read, permit, now), read, charter)
        facts = desk.source.read((read.reading.uscc,), columns(permit, found))
        report = preview(read, permit, facts, found, charter=charter, home=desk.home, now=now)
        sealed = seal_report(report, read, desk.signer())
        return write_reply(AccessReply(reading_digest=read.digest, member=charter.me, sealed=sealed), desk.signer())

    async def _keep_preview(self, own: Access, read: Read[PreviewReading], charter: Charter) -> None:
        try:
            await self._desk.book.preview(own, read.reading.uscc, read.digest, charter.catalogue.limits)
        except BudgetSpent as error:
            raise Refused(RefusalReason.BUDGET_EXHAUSTED) from error
        except NotDurable as error:
            raise Refused(RefusalReason.NOT_DURABLE) from error

    def _check_home(self, reading: AccessReading | PreviewReading, charter: Charter, now: datetime) -> None:
        """Refuse whoever vouches for a subject that this member's own register shows elsewhere, here included."""
        code, today = reading.uscc, civil_day(now).isoformat()
        rows = self._desk.source.read((code,), {"register": COLUMNS}).rows.get(code, {})
        home = home_of(rows.get("register", ()), today, charter.directory)
        if home is not None and home != reading.home_member:
            raise Refused(RefusalReason.KEY_NOT_VALID)

    async def take_delay(self, order: Envelope, peer: str) -> None:
        """Keep a delay that a member passes on.

        Raises:
            Refused: with the reason.
        """
        charter, now = self._desk.charter(), self._desk.clock()
        found, digest = open_passed_delay(order, peer, charter, now)
        await self._keep(found, digest, order, now)

    async def order_delay(self, order: Envelope, agency: str) -> None:
        """Keep a delay of an agency of this member, for a case that it has opened.

        Raises:
            Refused: with the reason; CASE_MISSING.
        """
        now = self._desk.clock()
        found, digest = open_delay(order, agency, self._desk.charter(), now)
        if self._desk.cases.case(agency, found.case_reference) is None:
            raise Refused(RefusalReason.CASE_MISSING)
        await self._keep(found, digest, order, now)

    async def _keep(self, order: DelayOrder, digest: bytes, envelope: Envelope, now: datetime) -> None:
        try:
            await self._desk.book.delay(order, digest, wire.encode(envelope), now)
        except Replayed as error:
            raise Refused(RefusalReason.REPLAYED) from error
        except NotDurable as error:
            raise Refused(RefusalReason.NOT_DURABLE) from error
