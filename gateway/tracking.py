"""Who asked about a subject, served: a member answers for what it holds, the home member asks all; no transport here.

A member that is silent is named as silent: what it holds is not known, and never "nobody asked" (duty U28).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol, TypeVar

from gateway import wire
from gateway.answering import Event
from gateway.authorising import Authorising
from gateway.charter import Charter
from gateway.clocks import civil_day
from gateway.errors import NotDurable, Refused, Replayed, Unavailable
from gateway.exchange.tracking import (
    Read,
    bands,
    open_access_request,
    open_delay,
    open_passed_delay,
    open_reply,
    seal_report,
    shown,
    withheld,
    write_reply,
    write_request,
)
from gateway.federation import NO_ENDPOINT, patiently
from gateway.model.access import AccessOutcome, AccessReply, AccessReport, AccessSummary, DelayOrder
from gateway.model.codes import AccessState, RefusalReason
from gateway.ports import AccessBook, CaseBook, Source
from gateway.registration import COLUMNS, home_of
from keys.envelope import Envelope, sign
from keys.suite import Signer

REPLY_REJECTED = "DATA_LOSS"
"""Under which a reply that does not verify is counted as silence."""

T = TypeVar("T")
SUMMARY = wire.PAYLOAD_TYPES[AccessSummary]


class Holder(Protocol):
    """A member that holds who asked; local, remote and fake ones are interchangeable."""

    async def access(self, request: Envelope, seconds: float) -> Envelope:
        """Give the reply to a signed AccessRequest; nobody has verified it.

        Raises:
            Unavailable: when the member cannot be reached in time.
            Refused: with its reason.
        """

    async def delay(self, order: Envelope, seconds: float) -> None:
        """Hand a delay on; it holds there when this returns.

        Raises:
            Unavailable: when the member cannot be reached in time.
            Refused: with its reason.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a member has at hand for it; `holder` gives None for a member that cannot be reached."""

    charter: Callable[[], Charter]
    signer: Callable[[], Signer]
    clock: Callable[[], datetime]
    source: Source
    book: AccessBook
    cases: CaseBook
    authorising: Authorising
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
        read = open_access_request(request, peer=peer, charter=charter, now=now)
        self._check_home(read, charter, now)
        today = civil_day(now)
        found = desk.book.of_subject(read.reading.uscc, read.first, read.last, today)
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

    def _check_home(self, read: Read, charter: Charter, now: datetime) -> None:
        """Refuse whoever vouches for a subject that this member's own register shows elsewhere, here included."""
        code, today = read.reading.uscc, civil_day(now).isoformat()
        rows = self._desk.source.read((code,), {"register": COLUMNS}).rows.get(code, {})
        home = home_of(rows.get("register", ()), today, charter.directory)
        if home is not None and home != read.reading.home_member:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a member said, or why it is not known."""

    outcome: AccessOutcome
    reply: AccessReply | None = None


class Tracker:
    """Asks every member on behalf of a subject, and hands delays on to every member."""

    def __init__(self, desk: Desk, tracking: Tracking, holder: Callable[[str], Holder | None]) -> None:
        """Ask the members that `holder` gives; this node itself by way of `tracking`."""
        self._desk, self._tracking, self._holder = desk, tracking, holder

    async def read(self, envelope: Envelope, agency: str) -> tuple[Envelope, tuple[AccessReply, ...]]:
        """Give the signed summary and the members' sealed reports.

        Raises:
            Refused, ConsentRefused: with the reason for which nobody is asked.
        """
        desk = self._desk
        charter, now = desk.charter(), desk.clock()
        read = desk.authorising.reading(envelope, agency)
        heard = await asyncio.gather(*(self._ask(read, each) for each in _members(charter)))
        replies = tuple(each.reply for each in heard if each.reply is not None)
        summary = AccessSummary(
            reading_digest=read.digest,
            home_member=charter.me,
            summary_time=now,
            members=tuple(each.outcome for each in heard),
            delayed=bands(replies),
        )
        return sign(SUMMARY, wire.encode(summary), desk.signer()), replies

    async def order_delay(self, order: Envelope, agency: str) -> tuple[AccessOutcome, ...]:
        """Keep a delay here, and then hand it on to every other member; say who has it.

        Raises:
            Refused: with the reason; then it holds nowhere.
        """
        await self._tracking.order_delay(order, agency)
        charter = self._desk.charter()
        mine = AccessOutcome(member=charter.me, state=AccessState.ANSWERED)
        others = [each for each in _members(charter) if each != charter.me]
        heard = await asyncio.gather(*(self._pass_on(order, each) for each in others))
        return (mine, *heard)

    async def _ask(self, read: Read, member: str) -> Heard:
        desk = self._desk
        request = write_request(read, member, desk.signer(), desk.clock())

        async def once(holder: Holder, seconds: float) -> AccessReply:
            envelope = await holder.access(request, seconds)
            try:
                return open_reply(envelope, read, member, desk.charter(), desk.clock())
            except Refused as error:  # what does not verify is no answer, whatever it says
                raise Unavailable(REPLY_REJECTED) from error

        outcome, reply = await self._tried(member, once)
        return Heard(outcome=outcome, reply=reply)

    async def _pass_on(self, order: Envelope, member: str) -> AccessOutcome:
        async def once(holder: Holder, seconds: float) -> None:
            await holder.delay(order, seconds)

        return (await self._tried(member, once))[0]

    async def _tried(
        self, member: str, once: Callable[[Holder, float], Awaitable[T]]
    ) -> tuple[AccessOutcome, T | None]:
        """Ask a member, with the same bytes again on silence; say what became of it."""
        holder = self._holder(member)
        if holder is None:
            return self._outcome(member, AccessState.UNAVAILABLE, NO_ENDPOINT), None
        state, reason, found = AccessState.ANSWERED, "", None
        try:
            found = await patiently(partial(once, holder), self._desk.charter().catalogue.limits)
        except Unavailable as error:
            state, reason = AccessState.UNAVAILABLE, str(error)
        except Refused as refused:
            state, reason = AccessState.REFUSED, refused.reason.value
        return self._outcome(member, state, reason), found

    def _outcome(self, member: str, state: AccessState, reason: str) -> AccessOutcome:
        self._desk.observe(
            Event(
                side="access",
                peer=member,
                kind="",
                outcome=state.value,
                reason=reason,
                question_id="",
                seconds=0.0,
            )
        )
        return AccessOutcome(member=member, state=state, reason=reason)


class LocalHolder:
    """This node itself, asked without a network; satisfies `Holder`."""

    def __init__(self, tracking: Tracking, me: str) -> None:
        """Ask one's own node as its own peer."""
        self._tracking, self._me = tracking, me

    async def access(self, request: Envelope, seconds: float) -> Envelope:
        """Give the node's own reply.

        Raises:
            Unavailable: when it is not ready in time.
            Refused: with the reason.
        """
        try:
            return await asyncio.wait_for(self._tracking.access(request, self._me), seconds)
        except TimeoutError as error:
            raise Unavailable("DEADLINE_EXCEEDED") from error

    async def delay(self, order: Envelope, seconds: float) -> None:
        """Keep a delay."""
        del seconds
        await self._tracking.take_delay(order, self._me)


def _members(charter: Charter) -> tuple[str, ...]:
    """Name every member that answers questions: a hub holds nothing."""
    return tuple(each.id for each in charter.directory.members if not each.hub)
