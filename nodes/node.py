"""One member running: puts config, keys, store and the gateway's doors together, and takes them down gracefully."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from gateway import desk, server
from gateway.accounts import Accounts
from gateway.accounts_door import AccountsDoor
from gateway.answering import Answering, Event, Node
from gateway.asking import Asking, Office
from gateway.authorising import Authorising, Registry
from gateway.charter import Charter, is_behind
from gateway.client import Members
from gateway.clocks import civil_day
from gateway.consents import ConsentDoor, RemoteHome, StatusDoor
from gateway.coverage import overdue
from gateway.desk import DeskDoor
from gateway.errors import NotDurable
from gateway.exchange.release import Home
from gateway.federation import LocalMember
from gateway.fetching import Errand, Fetching, LocalHome
from gateway.peers import Peers
from gateway.server import ExchangeDoor
from keys.errors import KeysError
from nodes import alarms
from nodes.bundle.following import Following, Source
from nodes.bundle.stops import StopsRefused
from nodes.clock import Clock, open_clock
from nodes.config import DATABASE, Config
from nodes.credentials import Credentials
from nodes.health import document, stage, write_health
from nodes.ingest.names import name_digest
from nodes.metrics import STORE_NOT_WRITABLE, Metrics
from nodes.store import Store

GRACE_SECONDS = 5.0
WATCH_SECONDS = 1.0
CLOCK_BEHIND = "ClockBehind"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where a node listens once it is up."""

    exchange: int
    desk: int


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
        self.store = Store.open(config.data / DATABASE, secret)
        self._metrics = Metrics()
        self._reuse_port = reuse_port
        self._home = Home(entropy=os.urandom, name_digest=lambda code, name: name_digest(secret, code, name))
        self._health = health.aio.HealthServicer()
        self._members = Members(self._charter, self._credentials.identity, self._clock.now)
        self._door: ExchangeDoor | None = None
        self._servers: list[grpc.aio.Server] = []
        self._tasks: list[asyncio.Task[None]] = []

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

    async def start(self) -> Ports:
        """Listen; say where. Health tells the truth from the first second."""
        answering = Answering(self._answerer())
        self._authorising = Authorising(self._registry())
        peers = Peers(self._charter, self._clock.now)
        exchange = self._door = ExchangeDoor(answering, peers)
        counter = self._counter(self._office(answering), peers)
        exchange_port = await self._listen(
            self._config.exchange_listen,
            (exchange.handler(), StatusDoor(self._authorising, peers).handler()),
            server.SERVICE,
            self._all_roots,
        )
        consents = ConsentDoor(self._authorising, peers, self._charter, self._note)
        desk_port = await self._listen(
            self._config.desk_listen, (counter.handler(), consents.handler()), desk.SERVICE, self._own_roots
        )
        if self._config.metrics_listen:
            self._metrics.serve(self._config.metrics_listen)
        await self._explain_numbers()
        await asyncio.to_thread(self._credentials.poll)
        await self._tell_health()
        self._tasks = [asyncio.create_task(each) for each in (self._watching(), self._polling())]
        return Ports(exchange=exchange_port, desk=desk_port)

    def _counter(self, office: Office, peers: Peers) -> DeskDoor:
        asking, kept = Asking(office), self._following.kept
        accounts = AccountsDoor(Accounts(office, asking, self.store.submissions), kept)
        return DeskDoor(asking, peers, self._charter, kept, self._note, accounts.calls())

    def _answerer(self) -> Node:
        return Node(
            charter=self._charter,
            signer=self._credentials.signer,
            clock=self._clock.now,
            ticks=time.monotonic,
            source=self.store.source,
            journal=self.store.journal,
            home=self._home,
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

    def _errand(self) -> Errand:
        local = LocalHome(self._authorising, self._config.member)

        def home(member: str) -> LocalHome | RemoteHome | None:
            if member == self._config.member:
                return local
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
            member=lambda each: local if each == self._config.member else self._members.member(each),
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

    async def _listen(
        self, listen: str, handlers: tuple[grpc.GenericRpcHandler, ...], service: str, roots: Callable[[], bytes]
    ) -> int:
        """Serve one door over mutual TLS; roots are looked up at each handshake: a new member needs no restart."""

        def configuration() -> grpc.ServerCertificateConfiguration:
            leaf = self._credentials.leaf
            return grpc.ssl_server_certificate_configuration(
                [(leaf.key_pem, leaf.certificate_pem)], root_certificates=roots()
            )

        told = (self._credentials.leaf, roots())

        def changed() -> grpc.ServerCertificateConfiguration | None:
            # gRPC frees what it holds when it is given another: while handshakes are under way that can end the
            # process, so that it is given one only when leaf or roots have changed.
            nonlocal told
            before, told = told, (self._credentials.leaf, roots())
            return None if told == before else configuration()

        credentials = grpc.dynamic_ssl_server_credentials(
            configuration(),
            changed,  # type: ignore[arg-type]  # the stubs do not know that None leaves it as it is
            require_client_authentication=True,
        )
        size = server.DESK_BYTES if service == desk.SERVICE else server.MESSAGE_BYTES
        options = (*server.options(size), ("grpc.so_reuseport", int(self._reuse_port)))
        opened = grpc.aio.server(options=options)
        opened.add_generic_rpc_handlers(handlers)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, opened)
        names = (service, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, opened)
        try:
            port = opened.add_secure_port(listen, credentials)
        except RuntimeError as error:
            raise OSError(
                f"cannot listen on {listen}: the port is taken, or the address is not this machine's"
            ) from error
        await opened.start()
        self._servers.append(opened)
        return port

    def _all_roots(self) -> bytes:
        members = self._charter().directory.members
        return b"".join(pem for each in members for pem in each.ca_certificates)

    def _own_roots(self) -> bytes:
        return b"".join(self._charter().directory.member(self._config.member).ca_certificates)

    async def _watching(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                if await asyncio.to_thread(self._following.look):
                    self._tell_taken()
                self._enforce()
                await asyncio.to_thread(self._credentials.poll)
                await self._explain_numbers()
                await self._tell_health()
            except Exception as error:  # noqa: BLE001  a watch that dies would leave health as it was for ever
                self._log.error("watch_failed", error=type(error).__name__)
                await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)

    async def _polling(self) -> None:
        """Ask the mirrors, in a thread: a slow one holds up nobody but the next poll."""
        due = last = 0.0  # what was kept from the last run may be old
        while True:
            if time.monotonic() >= due:
                try:
                    if await asyncio.to_thread(self._following.poll):
                        self._tell_taken()
                    self._tell_mirrors()
                except Exception as error:  # noqa: BLE001  a poll that dies would leave the bundle as it was for ever
                    self._log.error("poll_failed", error=type(error).__name__)
                last = time.monotonic()
            await asyncio.sleep(WATCH_SECONDS)
            due = last + self._following.pause()  # anew each second: when the bundle expires it gets short

    def _tell_taken(self) -> None:
        self._log.info("bundle_taken", version=self._charter().directory.version, stops=len(self._following.stops))

    def _tell_mirrors(self) -> None:
        for number, each in enumerate(self._following.mirrors):
            if each.fault:
                found = asdict(each.fault)
                self._log.warning("mirror_failed", place=number, **found)

    def _enforce(self) -> None:
        """Have what is open end with the standing of whoever is at its other end."""
        if self._door is not None:
            self._door.recheck(self._charter(), self._clock.now())
        self._members.recheck()

    async def _explain_numbers(self) -> None:
        """Mark VOID what a process that died had sent; what another worker may still wait for is left."""
        limits = self._charter().catalogue.limits
        before = self._clock.now() - timedelta(seconds=limits.question_life + limits.clock_skew)
        with suppress(NotDurable):
            await self.store.asker.void_unfinished(before)

    async def _tell_health(self) -> None:
        """Serving only while an exchange could succeed: directory and key in force, store writable."""
        faults = await self._faults()
        state = health_pb2.HealthCheckResponse.NOT_SERVING if faults else health_pb2.HealthCheckResponse.SERVING
        await self._set_health(state)
        self._metrics.health(faults)
        self._tell_bundle(faults)
        self._metrics.lifetimes(self._credentials.ends)
        soon = any(step is not None for _, step in self._credentials.ends.values())
        alarm = health_pb2.HealthCheckResponse.NOT_SERVING if soon else health_pb2.HealthCheckResponse.SERVING
        await self._health.set(alarms.SERVICE, alarm)
        self._tell_data()

    def _tell_bundle(self, faults: tuple[str, ...]) -> None:
        """Say how current the bundle is and what is missing; one worker writes the file."""
        now, charter = self._clock.now(), self._charter()
        self._metrics.bundle(
            expires=(charter.directory.expire_time - now).total_seconds(),
            closes=(charter.directory.close_time - now).total_seconds(),
            stage=stage(charter, now),
            mirrors_failing=sum(each.fault is not None for each in self._following.mirrors),
        )
        if self._following.leads():
            with suppress(OSError):  # a full disk is told by other means
                write_health(self._config.data, document(self._following, faults, now))

    def _tell_data(self) -> None:
        """Count what a person must see to: feeds that are overdue, and a calendar that is missing."""
        today = civil_day(self._clock.now())
        self._metrics.data(
            feeds_overdue=sum(overdue(each, today) for each in self.store.source.feeds()),
            calendar_missing=self._charter().catalogue.calendar.alarm(today),
        )

    async def _set_health(self, state: int) -> None:
        for service in ("", server.SERVICE, desk.SERVICE):
            await self._health.set(service, state)

    async def _faults(self) -> tuple[str, ...]:
        now, directory = self._clock.now(), self._charter().directory
        faults = []
        try:
            directory.check_current(now)
        except KeysError as error:
            faults.append(type(error).__name__)
        if is_behind(self._charter(), now):
            faults.append(CLOCK_BEHIND)
        if self._following.stops_refused:
            faults.append(StopsRefused.__name__)
        faults.extend(self._credentials.faults())
        if not await self.store.writable():
            faults.append(STORE_NOT_WRITABLE)
        return tuple(faults)

    async def stop(self) -> None:
        """Say NOT_SERVING, let calls in flight end, then close everything."""
        for each in self._tasks:
            each.cancel()
        await self._health.enter_graceful_shutdown()
        await asyncio.gather(*(each.stop(GRACE_SECONDS) for each in self._servers))
        await self._members.close()
        self.store.close()
        self._following.close()
