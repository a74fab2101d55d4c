"""A federation in memory of which Anhui is reached by way of a hub: sealing keys, hops, roads that a test may bend."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bundles import NOW, SIGNERS, charter_of, document, signed_directory
from fakes import FakeNode, FakeSource
from test_asking import feeds
from worlds_tables import MEMBERS, SHANGHAI

from gateway.charter import Charter
from gateway.event import Event
from gateway.relay import Call, Hub, Post, RelayedMember, Ring, SealedAnswering, Statuses
from keys import seal, suite
from keys.envelope import Envelope

HUB, SECOND_HUB = "900000", "900001"
REMOTE = "340000"
OPENERS = {member: seal.opener(bytes([90 + n]) * 32, owner=member) for n, member in enumerate(MEMBERS)}
OLD_OPENER = seal.opener(bytes([99]) * 32, owner=REMOTE)
HUB_SIGNER = suite.signer(bytes([120]) * 32, owner=HUB)


def key_row(key: seal.Opener | suite.Signer, **changes: Any) -> dict[str, Any]:
    """List a sealing key, or one of another use, as a directory does."""
    return {
        "id": key.id,
        "suite": key.suite,
        "use": "seal",
        "public": base64.b64encode(key.public).decode(),
        "valid_from": "2026-03-01T00:00:00Z",
        "valid_until": "2026-04-07T00:00:00Z",
        "revoked_time": None,
        "suspect_from": None,
        **changes,
    }


def row(found: dict[str, Any], member: str) -> dict[str, Any]:
    """Find a member's row."""
    return next(each for each in found["members"] if each["id"] == member)


def hub_row(hub: str = HUB, **changes: Any) -> dict[str, Any]:
    """List a hub: no divisions, no agencies, nothing that opens."""
    return {
        **document()["members"][1],
        "id": hub,
        "name": {"zh": "枢纽", "en": "Hub"},
        "divisions": [],
        "hub": True,
        "via": [],
        "endpoint": "127.0.0.1:1",
        "keys": [],
        "agencies": [],
        "officers": [],
        **changes,
    }


def relayed(found: dict[str, Any]) -> None:
    """Put two hubs and everybody's sealing key into a directory; Anhui is reached by way of the first hub."""
    for member in MEMBERS:
        row(found, member)["keys"].append(key_row(OPENERS[member]))
    old = {"valid_from": "2026-02-01T00:00:00Z", "valid_until": "2026-03-15T00:00:00Z"}
    row(found, REMOTE)["keys"].append(key_row(OLD_OPENER, **old))
    found["members"] += [hub_row(), hub_row(SECOND_HUB)]
    row(found, REMOTE)["via"] = [HUB]


def charter(member: str, edit: Callable[[dict[str, Any]], None] | None = None) -> Charter:
    """Read that directory, edited further, for a member."""

    def edited(found: dict[str, Any]) -> None:
        relayed(found)
        if edit is not None:
            edit(found)

    return charter_of(member, signed_directory(edited))


Serve = Callable[[bytes, str], Awaitable[bytes]]
Road = Callable[[bytes, Callable[[bytes], Awaitable[bytes]]], Awaitable[bytes]]


async def straight(request: bytes, onward: Callable[[bytes], Awaitable[bytes]]) -> bytes:
    """Pass everything on as it is."""
    return await onward(request)


@dataclass(kw_only=True)
class Step:
    """One step to the next node, on a road that a test may bend; satisfies `relay.Hop`."""

    relay_of: Callable[[bytes, str, float], Awaitable[bytes]]
    peer: str
    road: list[Road]

    async def relay(self, request: bytes, seconds: float) -> bytes:
        """Go."""

        async def onward(changed: bytes) -> bytes:
            return await self.relay_of(changed, self.peer, seconds)

        return await self.road[0](request, onward)


@dataclass(kw_only=True)
class World:
    """Four members and two hubs in memory; Shanghai asks Anhui by way of the first, or the second where it is named.

    `to_hub` and `to_member` bend the two steps of the way by the first hub, `to_second` the step to the second.
    """

    edit: Callable[[dict[str, Any]], None] | None = None
    nodes: dict[str, FakeNode] = field(default_factory=dict)
    hub_events: list[Event] = field(default_factory=list)
    seen: list[bytes] = field(default_factory=list)
    to_hub: list[Road] = field(default_factory=lambda: [straight])
    to_member: list[Road] = field(default_factory=lambda: [straight])
    to_second: list[Road] = field(default_factory=lambda: [straight])
    ticks: float = 0.0
    home: Statuses | None = None
    calls: dict[str, Call] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Wire the nodes together."""
        for member in MEMBERS:
            source = FakeSource(declared=feeds(member))
            self.nodes[member] = FakeNode(charter=charter(member, self.edit), now=NOW, source=source)
        self.now: datetime = NOW
        remote = self.nodes[REMOTE]
        self.answering = SealedAnswering(remote.answering, self.vouch, self.post(REMOTE), self.ring(REMOTE), self.calls)
        self.hub, second = self._hub(HUB, self.to_member), self._hub(SECOND_HUB, [straight])
        self.first = Step(relay_of=self._through, peer=SHANGHAI, road=self.to_hub)
        steps = {HUB: self.first, SECOND_HUB: Step(relay_of=second.relay, peer=SHANGHAI, road=self.to_second)}
        for each in self.nodes.values():
            each.others = dict(self.nodes)
        self.asker = RelayedMember(steps.get, self.post(SHANGHAI), self.ring(SHANGHAI))
        self.nodes[SHANGHAI].others[REMOTE] = self.asker

    def _hub(self, hub: str, road: list[Road]) -> Hub:
        held = charter(hub, self.edit)
        post = Post(
            charter=lambda: held,
            clock=lambda: self.now,
            ticks=lambda: self.ticks,
            observe=self.hub_events.append,
        )
        return Hub(post, {REMOTE: Step(relay_of=self.answering.relay, peer=hub, road=road)}.get)

    async def _through(self, request: bytes, peer: str, seconds: float) -> bytes:
        self.seen.append(request)
        reply = await self.hub.relay(request, peer, seconds)
        self.seen.append(reply)
        return reply

    async def vouch(self, request: Envelope, peer: str) -> tuple[Envelope, ...]:
        """Give what Anhui vouches for: nothing, unless a test sets `home`."""
        return () if self.home is None else await self.home(request, peer)

    def post(self, member: str) -> Post:
        """Give what a member has at hand."""
        node = self.nodes[member]
        return Post(
            charter=lambda: node.charter, clock=lambda: node.now, ticks=lambda: self.ticks, observe=node.events.append
        )

    def ring(self, member: str) -> Ring:
        """Give a member's keys."""
        own = [OPENERS[member], *([OLD_OPENER] if member == REMOTE else [])]
        return Ring(signer=lambda: SIGNERS[member], openers=lambda: {each.id: each for each in own})
