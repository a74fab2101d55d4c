"""The ways from a node to other members: over their channels, or sealed by way of hubs where the directory says so."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from gateway.answering import Member
from gateway.authorising import Home
from gateway.calls import DirectRoute, RelayedRoute, Route
from gateway.charter import Charter
from gateway.client import Members
from gateway.consents import RemoteHome
from gateway.event import Event
from gateway.exchange.routing import hubs
from gateway.hops import hop_of
from gateway.relay import Post, RelayedMember, Ring
from nodes.clock import Clock
from nodes.credentials import Credentials


class Roads:
    """Every other member as this one reaches it now; made after a fork, closed once."""

    def __init__(
        self, charter: Callable[[], Charter], clock: Clock, credentials: Credentials, observe: Callable[[Event], None]
    ) -> None:
        """Open no channel yet."""
        self._charter, self._clock = charter, clock
        self.members = Members(charter, credentials.identity, clock.now)
        self.post = Post(charter=charter, clock=clock.now, ticks=time.monotonic, observe=observe)
        self.ring = Ring(signer=credentials.signer, openers=lambda: credentials.openers)
        hop = partial(hop_of, self.members)
        self._relayed, self._called = (RelayedMember(hop, self.post, self.ring) for _ in range(2))

    def member(self, member: str) -> Member | None:
        """Give a member for questions; None for one that has no endpoint."""
        return self._relayed if self._beyond_hubs(member) else self.members.member(member)

    def route(self, member: str) -> Route | None:
        """Give a member for calls that are no questions; None as `member`."""
        if self._beyond_hubs(member):
            return RelayedRoute(self._called, self.post, self.ring, member)
        found = self.members.member(member)
        return None if found is None else DirectRoute(found)

    def home(self, member: str) -> Home | None:
        """Give a member for statuses of its subjects' authorisations; None as `member`."""
        if self._beyond_hubs(member):
            return self._relayed
        found = self.members.member(member)
        return None if found is None else RemoteHome(found)

    def _beyond_hubs(self, member: str) -> bool:
        return bool(hubs(self._charter(), member, self._clock.now()))
