"""By way of a relay: the hub that passes sealed messages on, the member that answers them, and the one that asks.

A hub checks the outer layer and how often a peer comes, may try again, alters nothing, keeps nothing, and holds no key
that opens what it passes on (protocol section 6, threats 1 and 2).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Protocol

from gateway import carriers, wire
from gateway.answering import Answering
from gateway.carriers import SealedText
from gateway.charter import Charter
from gateway.errors import Refused, Unavailable
from gateway.event import Event
from gateway.exchange.routing import Way, routing_of, routing_of_statuses, ways
from gateway.exchange.sealing import Openers, check_outer, open_reply, seal, sealing_key, unseal
from gateway.federation import NO_ENDPOINT
from gateway.model.codes import RefusalReason
from gateway.model.consent import StatusRequest
from gateway.model.sealed import Routing, Sealed
from gateway.model.signed import Reply
from gateway.pace import Pace
from keys.envelope import Envelope
from keys.suite import Signer

REPLY_REJECTED = "DATA_LOSS"
"""The status under which an asker counts a sealed reply that does not verify: it is silence."""

AVOIDED_SECONDS = 30.0
"""How long a way that failed comes behind the others."""


Call = Callable[[bytes, str], Awaitable[bytes]]
"""Serves a method that is no question: (request, member) -> response; raises Refused."""

Statuses = Callable[[Envelope, str], Awaitable[tuple[Envelope, ...]]]
"""Gives the statuses that a StatusRequest of a member asks for, or raises Refused."""


class Hop(Protocol):
    """The next node on the way."""

    async def relay(self, request: bytes, seconds: float) -> bytes:
        """Give the bytes of a RelayResponse to those of a RelayRequest.

        Raises:
            Refused: when the hop refuses it.
            Unavailable: when it cannot be reached in time.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What whoever seals, opens or passes on has at hand; `charter` may change between messages."""

    charter: Callable[[], Charter]
    clock: Callable[[], datetime]
    ticks: Callable[[], float]
    observe: Callable[[Event], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """A member's own keys for sealed messages: one signs the outer layer, several may open."""

    signer: Callable[[], Signer]
    openers: Callable[[], Openers]


class Hub:
    """Passes sealed messages on to the next hop, and their replies back."""

    def __init__(self, post: Post, hop: Callable[[str], Hop | None]) -> None:
        """Start with nothing counted; `hop` gives a node by the id of its member."""
        self._post = post
        self._hop = hop
        self._pace = Pace(post.ticks)
        self._working: Counter[str] = Counter()

    async def relay(self, request: bytes, peer: str, seconds: float) -> bytes:
        """Pass a message on within so many seconds.

        Raises:
            Refused: with the reason of the first check that fails, here or at the next hop.
            Unavailable: when nothing came back in time.
        """
        started, outcome = self._post.ticks(), ("FAILED", "")
        routing: Routing | None = None
        try:
            self._pace.take(peer, self._post.charter().catalogue.limits.relayed_per_second)
            with self._place(peer):
                sealed = self._checked(request, peer)
                routing = sealed.routing
                reply = await self._pass_on(request, sealed, started + seconds)
            outcome = ("RELAYED", "")
        except Refused as error:
            outcome = ("REFUSED", error.reason.value)
            raise
        except Unavailable as error:
            outcome = ("UNAVAILABLE", str(error))
            raise
        finally:
            self._observe(peer, routing, outcome, started)
        return reply

    @contextmanager
    def _place(self, peer: str) -> Iterator[None]:
        """Hold one of the peer's places: what waits for a member that is slow must not fill the hub (threat 16)."""
        if self._working[peer] >= self._post.charter().catalogue.limits.in_flight:
            raise Refused(RefusalReason.OVERLOADED)
        self._working[peer] += 1
        try:
            yield
        finally:
            self._working[peer] -= 1

    def _checked(self, request: bytes, peer: str) -> Sealed:
        charter = self._post.charter()
        sealed = check_outer(request, peer=peer, charter=charter, now=self._post.clock())
        if sealed.routing.recipient_member == charter.me:  # a hub answers nothing
            raise Refused(RefusalReason.WRONG_AUDIENCE)
        return sealed

    async def _pass_on(self, request: bytes, sealed: Sealed, ends: float) -> bytes:
        """Try the next hop twice at most: the same bytes are safe to send again.

        The reply is not looked at: it came over a connection of the hop that was asked, and its asker believes nothing
        of it before having checked it whole.
        """
        charter, hops = self._post.charter(), sealed.routing.hops
        hop = self._hop(hops[hops.index(charter.me) + 1])
        if hop is None:
            raise Unavailable(NO_ENDPOINT)
        try:
            return await hop.relay(request, ends - self._post.ticks())
        except Unavailable:
            left = ends - self._post.ticks()
            if left <= 0:
                raise
            return await hop.relay(request, left)

    def _observe(self, peer: str, routing: Routing | None, outcome: tuple[str, str], started: float) -> None:
        self._post.observe(
            Event(
                side="relay",
                peer=peer,
                kind="",
                outcome=outcome[0],
                reason=outcome[1],
                question_id=routing.question_id.hex() if routing else "",
                seconds=self._post.ticks() - started,
            )
        )


class SealedAnswering:
    """Answers what is sealed: opens, answers as any other question or request, and seals the reply to the asker."""

    def __init__(
        self,
        answering: Answering,
        home: Statuses,
        post: Post,
        ring: Ring,
        calls: Mapping[str, Call] = MappingProxyType({}),
    ) -> None:
        """Answer by way of an answering node; `home` vouches for authorisations, `calls` are other methods by name."""
        self._answering, self._home, self._post, self._ring, self._calls = answering, home, post, ring, calls
        self._pace = Pace(post.ticks)

    async def relay(self, request: bytes, peer: str, _seconds: float) -> bytes:
        """Give the sealed reply to a sealed request from a relay whose certificate was verified.

        Raises:
            Refused: for an outer layer that is wrong, or TOO_LARGE for an answer that cannot be sealed; what is wrong
                with the request itself comes back sealed.
        """
        started = self._post.ticks()
        try:
            sealed, text = self._opened(request, peer)
        except Refused as error:
            self._observe(peer, error.reason, started)
            raise
        reply = await self._reply(text, peer, sealed.routing)
        back, now = replace(text, payload=reply.payload, refused=reply.refused), self._post.clock()
        return seal(back, sealed.routing.back(now), charter=self._post.charter(), signer=self._ring.signer(), now=now)

    async def _reply(self, text: SealedText, peer: str, routing: Routing) -> Reply:
        if not text.statuses and not text.method:
            return await self._answering.ask(text.payload, peer, routing)
        try:
            if text.method:
                return Reply(payload=await self._called(text, routing.sender_member))
            request = carriers.read_status_request(text.payload)
            return Reply(payload=carriers.write_statuses(await self._home(request, routing.sender_member)))
        except wire.WireMalformed:
            return Reply(payload=RefusalReason.MALFORMED.value.encode(), refused=True)
        except Refused as error:  # unlike a question's, it is not signed: the outer layer is
            return Reply(payload=error.reason.value.encode(), refused=True)

    async def _called(self, text: SealedText, sender: str) -> bytes:
        call = self._calls.get(text.method)
        if call is None or text.statuses:
            raise Refused(RefusalReason.UNKNOWN_KIND)
        return await call(text.payload, sender)

    def _opened(self, request: bytes, peer: str) -> tuple[Sealed, SealedText]:
        charter, now = self._post.charter(), self._post.clock()
        self._pace.take(peer, charter.catalogue.limits.relayed_per_second)
        sealed = check_outer(request, peer=peer, charter=charter, now=now)
        text = unseal(sealed, self._ring.openers(), charter, now)
        # Before the question has any effect: an answer that cannot be sealed cannot be sent.
        sealing_key(charter, sealed.routing.sender_member, now)
        return sealed, text

    def _observe(self, peer: str, reason: RefusalReason, started: float) -> None:
        self._post.observe(
            Event(
                side="answer",
                peer=peer,
                kind="",
                outcome="REFUSED",
                reason=reason.value,
                question_id="",
                seconds=self._post.ticks() - started,
            )
        )


class RelayedMember:
    """Members that are asked by way of relays; satisfies `answering.Member`, for each question names who is asked.

    A way that failed is avoided for a while where there is another: a hub that hangs costs one question, not each.
    """

    def __init__(self, hop: Callable[[str], Hop | None], post: Post, ring: Ring) -> None:
        """Ask by way of the hubs that `hop` gives by id; no way has failed yet."""
        self._hop, self._post, self._ring = hop, post, ring
        self._failed: dict[Way, float] = {}

    async def ask(self, request: bytes, seconds: float) -> Reply:
        """Seal the bytes of an AskRequest for a way, send them, open what comes back; the next try goes another way.

        Raises:
            Unavailable: naming the transport's status, or why a hop refused; DATA_LOSS for a reply that is false.
        """
        header = carriers.read_header(carriers.read_request(request))
        named = ways(self._post.charter(), header.answerer_member, self._post.clock())
        found = [each for each in named if {*each} <= {*header.relays}]
        return await self.carry(SealedText(payload=request), found, partial(routing_of, header), seconds)

    async def statuses(self, request: Envelope, seconds: float) -> tuple[Envelope, ...]:
        """Send a signed StatusRequest to the home member that it names; satisfies `authorising.Home`.

        Raises:
            Unavailable: as `ask`, or when what came back is no response.
            Refused: with the member's reason.
        """
        asked, charter = wire.decode(StatusRequest, request.payload), self._post.charter()
        routing = partial(
            routing_of_statuses, asked, suite=self._ring.signer().suite, life=charter.catalogue.limits.question_life
        )
        text = SealedText(payload=carriers.write_status_request(request), statuses=True)
        reply = await self.carry(text, ways(charter, asked.home_member, self._post.clock()), routing, seconds)
        try:
            if reply.refused:
                raise Refused(RefusalReason(reply.payload.decode()))
            return carriers.read_statuses(reply.payload)
        except (ValueError, wire.WireMalformed) as error:
            raise Unavailable("MALFORMED") from error

    async def carry(
        self, text: SealedText, found: Sequence[Way], routing: Callable[[Way], Routing], seconds: float
    ) -> Reply:
        """Seal a text for one of the ways, send it, open what comes back; the next try goes another way.

        Raises:
            Unavailable: as `ask`.
        """
        way, share = self._choose(found)
        try:
            return await self._carry_by(self._hop(way[0]), text, routing(way), seconds * share)
        except Unavailable:
            self._failed[way] = self._post.ticks()
            raise

    def _choose(self, found: Sequence[Way]) -> tuple[Way, float]:
        """Give the way that did not fail lately, or failed first, and its share of the time that is left."""
        charter = self._post.charter()
        if not found:
            raise Unavailable(NO_ENDPOINT)
        since = self._post.ticks() - AVOIDED_SECONDS
        failed = {way: at for way, at in self._failed.items() if at > since}
        fresh = min(sum(each not in failed for each in found), charter.catalogue.limits.attempts)
        return min(found, key=lambda way: failed.get(way, since)), 1 / max(1, fresh)

    async def _carry_by(self, hop: Hop | None, text: SealedText, routing: Routing, seconds: float) -> Reply:
        if hop is None:
            raise Unavailable(NO_ENDPOINT)
        charter, clock = self._post.charter(), self._post.clock
        try:
            sealed = seal(text, routing, charter=charter, signer=self._ring.signer(), now=clock())
            payload = await hop.relay(sealed, seconds)
        except Refused as error:
            raise Unavailable(error.reason.value) from error
        try:
            openers, now = self._ring.openers(), clock()
            return open_reply(payload, routing, openers, charter, now, statuses=text.statuses, method=text.method)
        except Refused as error:
            raise Unavailable(REPLY_REJECTED) from error
