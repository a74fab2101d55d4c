"""One member running: puts config, keys, store and the gateway's doors together, and takes them down gracefully."""

from __future__ import annotations

import asyncio
import os
import time

import structlog

from gateway import authorising, consents, desk, reconciliations, server, tracking, tracking_door
from gateway.accounts import Accounts
from gateway.accounts_door import AccountsDoor
from gateway.answering import Answering, Node
from gateway.asking import Asking
from gateway.authorising import Authorising, Registry
from gateway.cases import Cases
from gateway.charter import Charter
from gateway.consents import ConsentDoor, StatusDoor
from gateway.counter import Counter
from gateway.desk import DeskDoor
from gateway.event import Event
from gateway.exchange.release import Home
from gateway.federation import LocalMember
from gateway.fetching import Errand, Fetching, LocalHome
from gateway.office import Office
from gateway.pace import Pace
from gateway.peers import Peers
from gateway.relay import SealedAnswering
from gateway.server import ExchangeDoor, RelayDoor
from gateway.tracking_door import AccessDoor, TrackerDoor
from nodes import evidence
from nodes.bookkeeping import Bookkeeping
from nodes.bundle.following import Following
from nodes.bundle.source import Source
from nodes.clock import Clock, open_clock
from nodes.config import DATABASE, Config
from nodes.credentials import Credentials
from nodes.heartbeat import Heartbeat
from nodes.ingest.names import name_digest
from nodes.listening import Listening
from nodes.logs import tell_alarm
from nodes.metrics import Metrics
from nodes.polling import Polling
from nodes.ports import Ports
from nodes.reconciling import Reconciling, means
from nodes.recovering import Recovering, reach
from nodes.retention import Keeping
from nodes.roads import Roads
from nodes.store import Scribe, Store
from nodes.tracking import Tracked, track
from nodes.watch import Watch
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
        self._roads = Roads(self._charter, self._clock, self._credentials, self._observe)
        self._witnessing = Witnessing(self._charter, self._credentials, self._clock, self.store, self._roads.route)
        self._reconciling = Reconciling(
            means(config, self._charter, self._clock.now, self.store, self._roads.route, self._following.leads)
        )
        self._home = Home(
            entropy=os.urandom,
            name_digest=lambda code, name: name_digest(secret, code, name),
            lagging=self._witnessing.marked,
        )
        self._pace = Pace(time.monotonic)
        self._watch = Watch(config, self._following, self.store.source, self._clock.now, self._metrics)
        self._heartbeat = Heartbeat(
            charter=self._charter,
            clock=self._clock,
            credentials=self._credentials,
            store=self.store,
            metrics=self._metrics,
            polling=self._polling,
            listening=self._listening,
            members=self._roads.members,
            witnessing=self._witnessing,
            reconciling=self._reconciling,
            watch=self._watch,
        )
        self._tasks: list[asyncio.Task[None]] = []

    def _open_store(self, secret: bytes) -> Store:
        scribe = Scribe(
            member=self._config.member,
            signer=self._credentials.log_signer,
            halted=lambda: self._witnessing.halted(),  # noqa: PLW0108  it is made after the store
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
        partner = reach(self._roads.route, self._charter, self._clock)
        recovering = Recovering(self.store, self._charter, self._clock, partner, self._config.data)
        await recovering.run(self._following.leads, self._heartbeat.tell_closed)
        answering = Answering(self._answerer())
        self._authorising = Authorising(self._registry())
        peers = Peers(self._charter, self._clock.now)
        exchange = self._heartbeat.door = ExchangeDoor(answering, peers)
        tracked = self._tracked()
        compared = self._reconciling.door(self._credentials.signer, peers, self._paced)
        calls = {**self._witnessing.calls(), **tracked.services, **compared.calls()}
        sealed = SealedAnswering(answering, self._authorising.statuses, self._roads.post, self._roads.ring, calls)
        relay = RelayDoor(sealed.relay, peers)
        doors = {
            server.SERVICE: exchange.handler(),
            consents.STATUS_SERVICE: StatusDoor(self._authorising, peers, self._paced).handler(),
            server.RELAY_SERVICE: relay.handler(),
            **self._witnessing.doors(peers, self._paced),
            reconciliations.SERVICE: compared.handler(),
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
        await self._heartbeat.begin()
        keeping = Keeping(self.store, self._charter, self._clock.now, self._following.leads)
        books = Bookkeeping(self._config, self._following, self.store, self._clock.now)
        rounds = (
            self._heartbeat.run(),
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
            home=self._home,
            observe=self._observe,
        )
        return track(desk, self._config.member, self._roads.route)

    def _bundle(self) -> bytes:
        return self._following.kept(self._charter().directory.version, self._clock.now())

    def _errand(self) -> Errand:
        local = LocalHome(self._authorising, self._config.member)

        def home(member: str) -> authorising.Home | None:
            return local if member == self._config.member else self._roads.home(member)

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
            member=lambda each: local if each == self._config.member else self._roads.member(each),
            log=self.store.asker,
            cases=self.store.cases,
            sessions=self.store.sessions,
            journal=self.store.journal,
            observe=self._observe,
            fetching=Fetching(self._errand()),
        )

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

    async def stop(self) -> None:
        """Say NOT_SERVING, let calls in flight end, then close everything."""
        for each in self._tasks:
            each.cancel()
        await self._listening.stop()
        await self._roads.members.close()
        self.store.close()
        self._following.close()
