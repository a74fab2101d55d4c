"""One member running: puts config, keys, store and the gateway's doors together, and takes them down gracefully."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from datetime import timedelta
from functools import partial

import structlog

from gateway import authorising, consents, desk, reconciliations, server, tracking, tracking_door
from gateway.accounts import Accounts
from gateway.accounts_door import AccountsDoor
from gateway.answering import Answering, Event, Member, Node
from gateway.asking import Asking
from gateway.authorising import Authorising, Registry
from gateway.calls import DirectLine, Line, RelayedLine
from gateway.cases import Cases
from gateway.charter import Charter
from gateway.client import Members
from gateway.clocks import civil_day
from gateway.consents import ConsentDoor, RemoteHome, StatusDoor
from gateway.counter import Counter
from gateway.desk import DeskDoor
from gateway.errors import NotDurable
from gateway.exchange.release import Home
from gateway.exchange.routing import hubs
from gateway.federation import LocalMember
from gateway.fetching import Errand, Fetching, LocalHome
from gateway.hops import hop_of
from gateway.office import Office
from gateway.pace import Pace
from gateway.peers import Peers
from gateway.relay import Post, RelayedMember, Ring, SealedAnswering
from gateway.server import ExchangeDoor, RelayDoor
from gateway.tracking_door import AccessDoor, TrackerDoor
from keys.errors import KeysError
from nodes import alarms, evidence, reconciling
from nodes.bookkeeping import Bookkeeping
from nodes.bundle.following import Following
from nodes.bundle.source import Source
from nodes.clock import Clock, open_clock
from nodes.config import DATABASE, Config
from nodes.credentials import Credentials
from nodes.health import NO_LEDGER
from nodes.ingest.names import name_digest
from nodes.listening import Listening
from nodes.logs import tell_alarm
from nodes.metrics import STORE_NOT_WRITABLE, Metrics
from nodes.polling import WATCH_SECONDS, Polling
from nodes.ports import Ports
from nodes.reconciling import Reconciling, means
from nodes.recovering import Recovering, reach
from nodes.retention import Keeping
from nodes.store import Scribe, Store
from nodes.tracking import Tracked, track
from nodes.watch import Watch, late_feeds
from nodes.witnessing import Witnessing


class RunningNode:
    """A member's node in this process."""

    def __init__(self, config: Config, *, reuse_port: bool = False) -> None:
        """Open keys, directory and store.

        Raises:
            OSError, KeysError, CatalogueMalformed, StoreError: naming what is missing or wrong.
        """
        self._config = config
        self._log = structlog.get_logger().bind()
        self._clock: Clock = open_clock(config.clock)
        self._following = Following(Source.of(config))
        self._credentials = Credentials(config, self._charter, self._clock.now)
        secret = self._credentials.storage
        self.store = self._open_store(secret)
        self._metrics = Metrics()
        self._polling = Polling(self._following, config.data, self._metrics)
        self._listening = Listening(lambda: self._credentials.leaf, reuse_port=reuse_port)
        self._members = Members(self._charter, self._credentials.identity, self._clock.now)
        self._witnessing = Witnessing(self._charter, self._credentials, self._clock, self.store, self._line)
        self._reconciling = Reconciling(
            means(config, self._charter, self._clock.now, self.store, self._members, self._following.leads)
        )
        self._home = Home(
            entropy=os.urandom,
            name_digest=lambda code, name: name_digest(secret, code, name),
            lagging=self._witnessing.marked,
        )
        self._post = Post(charter=self._charter, clock=self._clock.now, ticks=time.monotonic, observe=self._observe)
        self._ring = Ring(signer=self._credentials.signer, openers=lambda: self._credentials.openers)
        self._relayed = RelayedMember(partial(hop_of, self._members), self._post, self._ring)
        self._pace = Pace(time.monotonic)
        self._watch = Watch(config, self._following, self.store.source, self._clock.now, self._metrics)
        self._door: ExchangeDoor | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def _open_store(self, secret: bytes) -> Store:
        scribe = Scribe(
            member=self._config.member,
            signer=self._credentials.log_signer,
            closed=lambda: self._witnessing.closed(),  # noqa: PLW0108  it is made after the store
            halted=lambda: self._witnessing.halted(),  # noqa: PLW0108
        )
        return Store.open(self._config.data / DATABASE, secret, scribe)

    def _charter(self) -> Charter:
        return self._following.current

    def _observe(self, event: Event) -> None:
        self._metrics.observe(event)
        self._log.info(
            "exchange",
            side=event.side,
            peer=event.peer,
            kind=event.kind,
            outcome=event.outcome,
            reason=event.reason,
            question_id=event.question_id,
            duration_ms=round(event.seconds * 1000, 3),
        )
        tell_alarm(self._log, event)

    async def start(self) -> Ports:
        """Listen; say where. Health tells the truth from the first second."""
        await self._witnessing.begin()
        polling = asyncio.create_task(self._polling.run())
        await Recovering(
            self.store, self._charter, self._clock, reach(self._members, self._charter, self._clock), self._config.data
        ).run(self._following.leads, self._tell_closed)
        answering = Answering(self._answerer())
        self._authorising = Authorising(self._registry())
        peers = Peers(self._charter, self._clock.now)
        exchange = self._door = ExchangeDoor(answering, peers)
        tracked = self._tracked()
        calls = {**self._witnessing.calls(), **tracked.services}
        sealed = SealedAnswering(answering, self._authorising.statuses, self._post, self._ring, calls)
        relay = RelayDoor(sealed.relay, peers)
        doors = {
            server.SERVICE: exchange.handler(),
            consents.STATUS_SERVICE: StatusDoor(self._authorising, peers, self._paced).handler(),
            server.RELAY_SERVICE: relay.handler(),
            **self._witnessing.doors(peers, self._paced),
            reconciliations.SERVICE: self._reconciling.door(self._credentials.signer, peers, self._paced).handler(),
            tracking_door.TRACKER_SERVICE: TrackerDoor(tracked.services, peers, self._paced).handler(),
        }
        exchange_port = await self._listening.open(self._config.exchange_listen, doors, self._all_roots)
        counter = Counter(peers=peers, charter=self._charter, note=self._note)
        office = self._office(answering)
        counters = {
            desk.SERVICE: self._desk(office, counter).handler(),
            **evidence.doors(office, counter, self.store, self._following, self._witnessing.reach),
            consents.SERVICE: ConsentDoor(self._authorising, counter).handler(),
            tracking_door.SERVICE: AccessDoor(tracked.tracker, counter, self._bundle).handler(),
        }
        desk_port = await self._listening.open(self._config.desk_listen, counters, self._own_roots, server.DESK_BYTES)
        if self._config.metrics_listen:
            self._metrics.serve(self._config.metrics_listen)
        await self._explain_numbers()
        await asyncio.to_thread(self._credentials.poll)
        await self._tell_health()
        keeping = Keeping(self.store, self._charter, self._clock.now, self._following.leads)
        books = Bookkeeping(self._config, self._following, self.store, self._clock.now)
        rounds = (
            self._watching(),
            self._witnessing.run(self._following.leads),
            self._reconciling.run(),
            keeping.run(),
            books.run(),
            self._watch.run(),
        )
        self._tasks = [polling, *(asyncio.create_task(each) for each in rounds)]
        return Ports(exchange=exchange_port, desk=desk_port)

    def _paced(self, peer: str) -> None:
        self._pace.take(peer, self._charter().catalogue.limits.questions_per_second)

    def _desk(self, office: Office, counter: Counter) -> DeskDoor:
        asking, kept = Asking(office), self._following.kept
        accounts = AccountsDoor(Accounts(office, asking, self.store.submissions), kept)
        return DeskDoor(asking, Cases(office), counter, kept, accounts.calls())

    def _answerer(self) -> Node:
        return Node(
            charter=self._charter,
            signer=self._credentials.signer,
            clock=self._clock.now,
            ticks=time.monotonic,
            source=self.store.source,
            journal=self.store.journal,
            home=self._home,
            consents=self.store.consents.consents,
            observe=self._observe,
        )

    def _registry(self) -> Registry:
        return Registry(
            charter=self._charter,
            signer=self._credentials.signer,
            clock=self._clock.now,
            source=self.store.source,
            book=self.store.consents,
            observe=self._observe,
        )

    def _tracked(self) -> Tracked:
        desk = tracking.Desk(
            charter=self._charter,
            signer=self._credentials.signer,
            clock=self._clock.now,
            source=self.store.source,
            book=self.store.accesses,
            cases=self.store.cases,
            authorising=self._authorising,
            observe=self._observe,
        )
        return track(desk, self._config.member, self._line)

    def _bundle(self) -> bytes:
        return self._following.kept(self._charter().directory.version, self._clock.now())

    def _errand(self) -> Errand:
        local = LocalHome(self._authorising, self._config.member)

        def home(member: str) -> authorising.Home | None:
            if member == self._config.member:
                return local
            if hubs(self._charter(), member, self._clock.now()):
                return self._relayed
            found = self._members.member(member)
            return None if found is None else RemoteHome(found)

        return Errand(
            charter=self._charter,
            signer=self._credentials.signer,
            clock=self._clock.now,
            entropy=os.urandom,
            home=home,
            is_home_of=self._authorising.is_home_of,
            observe=self._observe,
        )

    def _office(self, answering: Answering) -> Office:
        local = LocalMember(answering, self._config.member)
        return Office(
            charter=self._charter,
            signer=self._credentials.signer,
            clock=self._clock.now,
            entropy=os.urandom,
            member=lambda each: local if each == self._config.member else self._reach(each),
            log=self.store.asker,
            cases=self.store.cases,
            sessions=self.store.sessions,
            journal=self.store.journal,
            observe=self._observe,
            fetching=Fetching(self._errand()),
        )

    def _reach(self, member: str) -> Member | None:
        """Give a member as it is reached: directly, or by way of hubs where the directory says so."""
        relayed = hubs(self._charter(), member, self._clock.now())
        return self._relayed if relayed else self._members.member(member)

    def _line(self, member: str) -> Line | None:
        """Give a member for calls that are no questions, as it is reached."""
        if hubs(self._charter(), member, self._clock.now()):
            return RelayedLine(self._relayed, self._post, self._ring, member)
        found = self._members.member(member)
        return None if found is None else DirectLine(found)

    def _note(self, operation: str, reason: str) -> None:
        self._observe(
            Event(
                side="desk",
                peer=self._config.member,
                kind=operation,
                outcome="REFUSED",
                reason=reason,
                question_id="",
                seconds=0.0,
            )
        )

    def _all_roots(self) -> bytes:
        members = self._charter().directory.members
        return b"".join(pem for each in members for pem in each.ca_certificates)

    def _own_roots(self) -> bytes:
        return b"".join(self._charter().directory.member(self._config.member).ca_certificates)

    async def _watching(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                await self._polling.look()
                self._enforce()
                await asyncio.to_thread(self._credentials.poll)
                await self._explain_numbers()
                await self._tell_health()
                await asyncio.to_thread(self._renew_stops)
            except Exception as error:  # noqa: BLE001  a watch that dies would leave health as it was for ever
                self._log.error("watch_failed", error=type(error).__name__)
                await self._listening.tell(serving=False)

    def _enforce(self) -> None:
        """Have what is open end with the standing of whoever is at its other end."""
        if self._door is not None:
            self._door.recheck(self._charter(), self._clock.now())
        self._members.recheck()

    def _renew_stops(self) -> None:
        with suppress(KeysError):  # without a key that signs health says so
            self._polling.renew_stops(self._credentials.signer(), self._clock.now())

    async def _explain_numbers(self) -> None:
        """Mark VOID what a process that died had sent; what another worker may still wait for is left."""
        limits = self._charter().catalogue.limits
        now = self._clock.now()
        before = now - timedelta(seconds=limits.question_life + limits.clock_skew)
        with suppress(NotDurable):
            await self.store.asker.void_unfinished(before, now)

    async def _tell_health(self) -> None:
        """Serving only while an exchange could succeed: directory and key in force, store writable."""
        faults = await self._faults()
        await self._listening.tell(serving=not faults)
        told = self._reconciling.told
        more = {
            "alarms": self._watch.rows(),
            "ledger": self._witnessing.standing.row(),
            "reconciliation": told.document(),
        }
        self._polling.tell(faults, self._clock.now(), more)
        self._metrics.reconciliation(told.findings, told.behind)
        await self._witnessing.tell(self._listening, self._metrics)
        self._metrics.lifetimes(self._credentials.ends)
        soon = any(step is not None for _, step in self._credentials.ends.values())
        await self._listening.note(alarms.SERVICE, serving=not soon)
        await self._listening.note(reconciling.SERVICE, serving=not self._reconciling.told.differing)
        self._tell_data()

    def _tell_data(self) -> None:
        """Count what a person must see to: feeds that are overdue, and a calendar that is missing."""
        today = civil_day(self._clock.now())
        self._metrics.data(
            feeds_overdue=len(late_feeds(self.store.source, today)),
            calendar_missing=self._charter().catalogue.calendar.alarm(today),
        )

    async def _tell_closed(self, faults: tuple[str, ...]) -> None:
        """Tell how the node is while nothing listens."""
        await self._polling.look()
        self._members.recheck()
        self._polling.tell(faults, self._clock.now(), {**NO_LEDGER, "ledger": self._witnessing.look().row()})

    async def _faults(self) -> tuple[str, ...]:
        faults = self._polling.faults(self._clock.now())
        faults.extend(self._credentials.faults())
        faults.extend(self._witnessing.look().faults)
        if not await self.store.writable():
            faults.append(STORE_NOT_WRITABLE)
        return tuple(faults)

    async def stop(self) -> None:
        """Say NOT_SERVING, let calls in flight end, then close everything."""
        for each in self._tasks:
            each.cancel()
        await self._listening.stop()
        await self._members.close()
        self.store.close()
        self._following.close()
