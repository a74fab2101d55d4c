"""A constant load on a member's desk: one question after another, each answer verified, each failure counted."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gateway import carriers, wire
from gateway.client import Identity, open_channel
from gateway.desk import SERVICE
from gateway.model.codes import OutcomeState, Window
from gateway.model.combined import Intent
from gateway.model.question import NamedSubject, SummaryQuestion
from gateway.server import DESK_BYTES
from gateway.verification import verify
from keys import custody
from keys.envelope import sign
from nodes.bundle.root import read_root
from nodes.lab import Lab
from yrdx.exchange.v1 import desk_pb2

SECONDS = 30.0
IN_FLIGHT = 2


@dataclass(slots=True, kw_only=True)
class Load:
    """The questions of one officer to some members about one subject; `keys` are those that signed the last ones."""

    lab: Lab
    officer: str
    item: str
    purpose: str
    agreement: str
    members: tuple[str, ...]
    uscc: str
    calls: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    signed_by: str = ""
    complete: bool = False
    """Whether the last answer was complete."""

    @property
    def member(self) -> str:
        """The officer's member."""
        return next(each for each in self.lab.members if self.officer in self.lab.standings[each].officers)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Ask until the block ends; what is under way then is waited for."""
        stopping = asyncio.Event()
        port = self.lab.status(self.member)["desk_port"]
        roots = (self.lab.home(self.member) / "keys" / "ca.crt").read_bytes()
        async with open_channel(self.member, f"127.0.0.1:{port}", roots, self._identity(), DESK_BYTES) as channel:
            send: Any = channel.unary_unary(f"/{SERVICE}/AskMembers")
            asking = [asyncio.create_task(self._go_on(send, stopping)) for _ in range(IN_FLIGHT)]
            try:
                yield
            finally:
                stopping.set()
                await asyncio.gather(*asking)

    def count_from_here(self) -> None:
        """Forget what was counted while the members learnt of one another."""
        self.calls = 0
        self.failures.clear()

    async def _go_on(self, send: Any, stopping: asyncio.Event) -> None:  # noqa: ANN401  gRPC's own callable
        signer = self._signer()
        while not stopping.is_set():
            self.calls += 1
            envelope = sign(wire.PAYLOAD_TYPES[Intent], wire.encode(self.intent()), signer)
            request = desk_pb2.AskMembersRequest(intent=carriers.envelope_to_message(envelope))
            try:
                raw = await send(request.SerializeToString(), timeout=SECONDS)
            except Exception as error:  # noqa: BLE001  whatever ends a call is what the drill counts
                self.failures[type(error).__name__] += 1
                await asyncio.sleep(0)
                continue
            await asyncio.to_thread(self._read, raw)

    def _read(self, raw: bytes) -> None:
        """Verify an answer as its officer would, and see that every member answered."""
        verdict = verify(raw, root=read_root(self.lab.folder / "root.json"), now=datetime.now(UTC))
        if verdict.content is None:
            self.failures["NOT_GENUINE"] += 1
            return
        outcomes = [each for each in verdict.content.result.members if each.state is not OutcomeState.ANSWERED]
        self.failures.update(str(each.reason or each.attempts[-1].outcome) for each in outcomes[:1])
        self.complete = not outcomes
        self.signed_by = verdict.content.exchanges[0].signed.envelope.signatures[0].key_id

    def intent(self) -> Intent:
        """Give a new question's intent."""
        return Intent(
            intent_id=secrets.token_bytes(16),
            agency=self.officer.partition("/")[0],
            officer=self.officer,
            intend_time=datetime.now(UTC),
            purpose=self.purpose,
            application_item=self.item,
            agreement_id=self.agreement,
            members=self.members,
            body=SummaryQuestion(subjects=(NamedSubject(uscc=self.uscc),), window=Window.M36, data_items=("penalty",)),
        )

    def _signer(self) -> Any:  # noqa: ANN401  the officer's signer
        home = self.lab.desk_of(self.officer)
        return custody.load_signer(home / "officer.key", custody.read_passphrase(home / "passphrase"))

    def _identity(self) -> Identity:
        home = self.lab.desk_of(self.officer)
        leaf = custody.load_leaf(home / "leaf.pem", custody.read_passphrase(home / "passphrase"))
        return Identity(certificate=leaf.certificate_pem, key=leaf.key_pem)
