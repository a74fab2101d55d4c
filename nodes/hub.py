"""A hub 枢纽 running: it passes sealed messages on and holds no facts, no signing key and nothing that opens."""

from __future__ import annotations

import asyncio
import time

import structlog

from gateway.charter import Charter
from gateway.client import Identity, Members
from gateway.event import Event
from gateway.hops import RemoteHop, hop_of
from gateway.peers import Peers
from gateway.relay import Hub, Post
from gateway.server import RELAY_SERVICE, RelayDoor
from keys import custody
from nodes.bundle.following import Following
from nodes.bundle.source import Source
from nodes.clock import Clock, open_clock
from nodes.config import Config
from nodes.leaves import Leaves
from nodes.listening import Listening
from nodes.logs import tell_alarm
from nodes.metrics import Metrics
from nodes.polling import WATCH_SECONDS, Polling
from nodes.ports import Ports


class RunningHub:
    """A hub in this process: a certificate, the directory, and a door."""

    def __init__(self, config: Config, *, reuse_port: bool = False) -> None:
        """Open the leaf and the directory.

        Raises:
            OSError, KeysError, CatalogueMalformed: naming what is missing or wrong.
        """
        self._config = config
        self._log = structlog.get_logger().bind()
        self._clock: Clock = open_clock(config.clock)
        self._leaves = Leaves(config.leaf, custody.read_passphrase(config.passphrase_file))
        self._following = Following(Source.of(config))
        self._metrics = Metrics()
        self._polling = Polling(self._following, config.data, self._metrics)
        self._listening = Listening(lambda: self._leaves.current, reuse_port=reuse_port)
        self._members = Members(self._charter, self._identity, self._clock.now)
        self._tasks: list[asyncio.Task[None]] = []

    def _charter(self) -> Charter:
        return self._following.current

    def _identity(self) -> Identity:
        leaf = self._leaves.current
        return Identity(certificate=leaf.certificate_pem, key=leaf.key_pem)

    def _observe(self, event: Event) -> None:
        self._metrics.observe(event)
        self._log.info(
            "relay",
            peer=event.peer,
            outcome=event.outcome,
            reason=event.reason,
            question_id=event.question_id,
            duration_ms=round(event.seconds * 1000, 3),
        )
        tell_alarm(self._log, event)

    async def start(self) -> Ports:
        """Listen; say where. There is no desk."""
        post = Post(charter=self._charter, clock=self._clock.now, ticks=time.monotonic, observe=self._observe)
        door = RelayDoor(Hub(post, self._hop).relay, Peers(self._charter, self._clock.now))
        port = await self._listening.open(self._config.exchange_listen, {RELAY_SERVICE: door.handler()}, self._roots)
        if self._config.metrics_listen:
            self._metrics.serve(self._config.metrics_listen)
        await self._tell_health()
        self._tasks = [asyncio.create_task(each) for each in (self._watching(), self._polling.run())]
        return Ports(exchange=port, desk=0)

    def _hop(self, member: str) -> RemoteHop | None:
        return hop_of(self._members, member)

    def _roots(self) -> bytes:
        members = self._charter().directory.members
        return b"".join(pem for each in members for pem in each.ca_certificates)

    async def _watching(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                await self._polling.look()
                self._members.recheck()
                await asyncio.to_thread(self._leaves.poll, self._charter(), self._clock.now())
                await self._tell_health()
            except Exception as error:  # noqa: BLE001  a watch that dies would leave health as it was for ever
                self._log.error("watch_failed", error=type(error).__name__)
                await self._listening.tell(serving=False)

    async def _tell_health(self) -> None:
        """Serving only while a message could be passed on: directory in force, this member a hub, leaf valid."""
        faults = self._faults()
        await self._listening.tell(serving=not faults)
        self._polling.tell(faults, self._clock.now())

    def _faults(self) -> tuple[str, ...]:
        now = self._clock.now()
        faults = self._polling.faults(now)
        if not self._charter().directory.member(self._config.member).hub:
            faults.append("NotAHub")
        if self._leaves.current.not_after <= now:
            faults.append("CertificateExpired")
        return tuple(faults)

    async def stop(self) -> None:
        """Say NOT_SERVING, let calls in flight end, then close everything."""
        for each in self._tasks:
            each.cancel()
        await self._listening.stop()
        await self._members.close()
        self._following.close()
