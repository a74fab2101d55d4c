"""A node's part in witnessing: its doors for others' ledgers, the rounds for its own, and how its own stands."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import structlog

from gateway.calls import Route
from gateway.charter import Charter
from gateway.peers import Peers
from gateway.witness import Witness
from gateway.witness_client import RemoteLedger
from gateway.witness_door import Call, WitnessDoor, calls
from nodes.clock import Clock
from nodes.comparing import Comparing
from nodes.confirming import Confirming
from nodes.cosigning import Cosigning
from nodes.credentials import Credentials
from nodes.listening import Listening
from nodes.metrics import Metrics
from nodes.store import Store

ROUND_SECONDS = 1.0
COMPARE_SECONDS = 10.0
"""Between two tries to hear members that were not heard since the start, and two looks at their receipts."""

SERVICE = "yrdx.ledger"
"""Name under which the health service tells whether a person must look at the ledger."""

LEDGER_BEHIND, LEDGER_FORKED, LEDGER_UNWITNESSED = "LedgerBehind", "LedgerForked", "LedgerUnwitnessed"
_HALTED = "no quorum of witnesses has seen the ledger for too long; see to the way to the other members"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the member's own ledger stands with the others; `lag` in seconds, of the oldest entry not witnessed."""

    size: int = 0
    witnessed: int = 0
    lag: float = 0.0
    marked: bool = False
    forks: int = 0
    behind: tuple[str, ...] = ()
    contradicting: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def well(self) -> bool:
        """Say whether nobody needs to look at it."""
        return not (self.marked or self.forks or self.contradicting or self.faults)

    def row(self) -> dict[str, Any]:
        """Give it as health tells it."""
        return {
            "size": self.size,
            "witnessed": self.witnessed,
            "lag_seconds": round(self.lag),
            "marked": self.marked,
            "forks": self.forks,
            "behind": list(self.behind),
            "contradicting": list(self.contradicting),
        }


class Witnessing:
    """What a running node does for others' ledgers, and they for its own; made after a fork."""

    def __init__(
        self,
        charter: Callable[[], Charter],
        credentials: Credentials,
        clock: Clock,
        store: Store,
        route: Callable[[str], Route | None],
    ) -> None:
        """Serve one node; `route` gives a member as it is reached, or None."""
        self._charter, self._clock, self._store, self._route = charter, clock, store, route
        self._witness = Witness(charter=charter, signer=credentials.witness_signer, clock=clock.now, book=store.witness)
        self._comparing = Comparing(charter, clock, store.ahead, self.reach)
        self._cosigning = Cosigning(charter, clock, time.monotonic, store.witness, self.reach, self._comparing.forget)
        self._confirming = Confirming(charter, clock, store, self.reach)
        self._log = structlog.get_logger().bind()
        self.standing = Standing()

    def doors(self, peers: Peers, pace: Callable[[str], None]) -> Mapping[str, grpc.GenericRpcHandler]:
        """Give the doors that other members' nodes come to, by service."""
        return WitnessDoor(self._witness, peers, pace).handlers()

    def calls(self) -> Mapping[str, Call]:
        """Give the methods of those doors for whoever calls them sealed, by way of relays."""
        return calls(self._witness)

    async def begin(self) -> None:
        """Compare the disk with what others have seen, before anything is served."""
        await self._comparing.compare()
        self.look()

    async def run(self, leads: Callable[[], bool]) -> None:
        """Make a round a second while this process leads; one that fails is told and tried again."""
        compare_at = 0.0
        while True:
            await asyncio.sleep(ROUND_SECONDS)
            try:
                if leads():
                    if time.monotonic() >= compare_at:
                        await self._comparing.compare()
                        await self._confirming.round()
                        compare_at = time.monotonic() + COMPARE_SECONDS
                    await self._cosigning.round()
            except Exception as error:  # noqa: BLE001  rounds that die would leave the ledger unwitnessed for ever
                self._log.error("witnessing_failed", error=type(error).__name__)

    def look(self) -> Standing:
        """See how the ledger stands now, on the disk that all workers share."""
        own, book, ahead = self._store.witness.current(), self._store.witness, self._store.ahead
        since, limits = book.waiting_since(), self._charter().catalogue.limits
        lag = 0.0 if since is None else max(0.0, (self._clock.now() - since).total_seconds())
        behind = {each.member for each in ahead.heads()} | {each.member for each in ahead.numbers()}
        forked = ahead.forked() or (own is not None and book.count_forks(own.origin) > 0)
        faults = {LEDGER_BEHIND: behind, LEDGER_FORKED: forked, LEDGER_UNWITNESSED: lag >= limits.witness_lag_stop}
        self.standing = Standing(
            size=own.size if own else 0,
            witnessed=book.witnessed_size(),
            lag=lag,
            marked=lag >= limits.witness_lag_mark,
            forks=book.count_forks(),
            behind=tuple(sorted(behind)),
            contradicting=self._confirming.contradicting(),
            faults=tuple(name for name, holds in faults.items() if holds),
        )
        return self.standing

    async def tell(self, listening: Listening, metrics: Metrics) -> None:
        """Tell health service and metrics how the ledger was when it was looked at last."""
        found = self.standing
        metrics.ledger(size=found.size, lag=found.lag, forks=found.forks)
        await listening.note(SERVICE, serving=found.well)

    def halted(self) -> str:
        """Say why no new exchange may begin, or nothing while one may."""
        return _HALTED if LEDGER_UNWITNESSED in self.standing.faults else ""

    def marked(self) -> bool:
        """Say whether answers must tell that no quorum has seen the ledger for long."""
        return self.standing.marked

    def reach(self, member: str) -> RemoteLedger | None:
        found = self._route(member)
        return None if found is None else RemoteLedger(found, member, self._charter, self._clock.now)
