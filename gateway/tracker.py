"""Asks every member on behalf of a subject, as its home member; no transport here.

A member that is silent is named as silent: what it holds is not known, and never "nobody asked" (duty U28).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from gateway import wire
from gateway.charter import Charter
from gateway.errors import Refused, Unavailable
from gateway.event import Event
from gateway.exchange.preview import foresee, members_of
from gateway.exchange.tracking import R, Read, bands, open_reply, write_request
from gateway.federation import NO_ENDPOINT, patiently
from gateway.model.access import (
    AccessOutcome,
    AccessReading,
    AccessReply,
    AccessSummary,
    PreviewReading,
)
from gateway.model.codes import AccessState
from gateway.tracking import Desk, Tracking
from keys.envelope import Envelope, sign

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

    async def preview(self, request: Envelope, seconds: float) -> Envelope:
        """Give the reply to a signed AccessRequest with a PreviewReading; as `access`."""

    async def delay(self, order: Envelope, seconds: float) -> None:
        """Hand a delay on; it holds there when this returns.

        Raises:
            Unavailable: when the member cannot be reached in time.
            Refused: with its reason.
        """


Road = Callable[[Holder], Callable[[Envelope, float], Awaitable[Envelope]]]
"""Says by which of its methods a member is asked."""


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
        read = self._desk.authorising.reading(AccessReading, envelope, agency)
        return await self._sum_up(read, _members(self._desk.charter()), lambda holder: holder.access)

    async def preview(self, envelope: Envelope, agency: str) -> tuple[Envelope, tuple[AccessReply, ...]]:
        """Give the signed summary and the sealed reports of the members that the named agency would ask.

        Raises:
            Refused, ConsentRefused: with the reason for which nobody is asked: also that for which the agency would
                be refused.
        """
        desk = self._desk
        charter, now = desk.charter(), desk.clock()
        read = desk.authorising.reading(PreviewReading, envelope, agency)
        members = members_of(read.reading, charter)
        for each in members:
            foresee(read.reading, each, charter, now)
        return await self._sum_up(read, members, lambda holder: holder.preview)

    async def _sum_up(
        self, read: Read[R], members: Iterable[str], road: Road
    ) -> tuple[Envelope, tuple[AccessReply, ...]]:
        desk = self._desk
        charter, now = desk.charter(), desk.clock()
        heard = await asyncio.gather(*(self._ask(read, each, road) for each in members))
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

    async def _ask(self, read: Read[R], member: str, road: Road) -> Heard:
        desk = self._desk
        request = write_request(read, member, desk.signer(), desk.clock())

        async def once(holder: Holder, seconds: float) -> AccessReply:
            envelope = await road(holder)(request, seconds)
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
        return await _in_time(self._tracking.access(request, self._me), seconds)

    async def preview(self, request: Envelope, seconds: float) -> Envelope:
        """Give the node's own reply; raises as `access`."""
        return await _in_time(self._tracking.preview(request, self._me), seconds)

    async def delay(self, order: Envelope, seconds: float) -> None:
        """Keep a delay."""
        del seconds
        await self._tracking.take_delay(order, self._me)


def _members(charter: Charter) -> tuple[str, ...]:
    """Name every member that answers questions: a hub holds nothing."""
    return tuple(each.id for each in charter.directory.members if not each.hub)


async def _in_time(work: Awaitable[Envelope], seconds: float) -> Envelope:
    try:
        return await asyncio.wait_for(work, seconds)
    except TimeoutError as error:
        raise Unavailable("DEADLINE_EXCEEDED") from error
