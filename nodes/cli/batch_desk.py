"""What a batch needs of the world: the desk that is asked, the processes that verify, and the bar on a terminal."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from multiprocessing import get_context
from threading import Thread

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gateway import carriers, wire
from gateway.model.codes import RefusalReason
from gateway.model.combined import Allowance, AllowanceReading, Intent
from gateway.purposes import CheckForm
from keys.envelope import Envelope
from nodes.batch.answers import Reader, Reading
from nodes.batch.rows import Message
from nodes.batch.run import SoleTradersClosed
from nodes.cli import desk_client, requests
from nodes.cli.desk_client import DeskRefused, Send
from nodes.cli.profile import Access
from nodes.cli.requests import enclosed, signed
from nodes.cli.session import NOT_GENUINE, REFUSED, Ended, session
from yrdx.exchange.v1 import desk_pb2

APART = 8_000
"""Subjects from which on other processes verify: starting them takes as long as verifying some thousands."""
WORKERS = 4
_WATCH = 1.0
"""Seconds between two looks at whether the parent lives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDesk:
    """Asks one's own desk for a batch, and verifies what comes."""

    access: Access
    reader: Reader
    consents: tuple[Envelope, ...]
    send: Send
    now: Callable[[], datetime]
    verifiers: Executor | None

    async def ask(self, message: Message) -> tuple[bytes, bytes]:
        """Sign an intent about a message's subjects and send it; give the answer file and the intent's digest.

        Raises:
            SoleTradersClosed: when the desk refuses the subjects' kind.
            Ended: for every other refusal, and when the desk cannot be reached.
        """
        envelope = signed(self._intent(message), self.access)
        request = desk_pb2.AskMembersRequest(
            intent=carriers.envelope_to_message(envelope), assertion=enclosed(self.access)
        )
        try:
            return await self.send("AskMembers", request.SerializeToString()), envelope.digest()
        except DeskRefused as refused:
            if refused.reason is RefusalReason.SUBJECT_KIND_CLOSED:
                raise SoleTradersClosed from refused
            raise

    def _intent(self, message: Message) -> Intent:
        order, profile = self.reader.order, self.access.profile
        return Intent(
            intent_id=secrets.token_bytes(16),
            agency=order.agency,
            officer=order.officer,
            approving_officer=profile.approving_officer if self.access.approving_officer else "",
            intend_time=self.now(),
            purpose=order.purpose,
            application_item=order.application_item,
            case_reference=order.case_reference,
            agreement_id=order.agreement_id,
            authorisations=self.consents,
            members=order.members,
            body=self.reader.body(message.subjects),
        )

    async def read(self, file: bytes, message: Message, intent_digest: bytes | None) -> Reading:
        """Verify an answer file.

        Raises:
            Ended: when the purpose gives lights and the scope was narrowed: only the directory in an answer says so.
            AnswerRefused: as `Reader.read`.
        """
        given = (file, self.now(), message.subjects, intent_digest)
        if self.verifiers is None:
            found = self.reader.read(*given)
        else:
            found = await asyncio.get_running_loop().run_in_executor(self.verifiers, self.reader.read, *given)
        order = self.reader.order
        if found.terms.form is CheckForm.LIGHT and order.narrowed:
            raise Ended("batch.no_light", terms=", ".join(order.scope))
        return found

    async def admit(self, needed: int, charged: int) -> None:
        """Say how many subjects are needed and left, before anything is sent (duty U14).

        Raises:
            Ended: when it does not fit, with what to do.
        """
        found = await self._allowance()
        left = max(0, found.subject_limit - found.subjects_spent)
        click.echo(session().words.say("batch.allowance", needed=needed, left=left, day=found.date), err=True)
        if needed - charged > left:
            raise Ended("batch.does_not_fit", REFUSED, needed=needed, left=left)

    async def _allowance(self) -> Allowance:
        order = self.reader.order
        reading = AllowanceReading(
            agency=order.agency,
            officer=order.officer,
            purpose=order.purpose,
            case_reference=order.case_reference,
            read_time=self.now(),
        )
        alone = replace(self.access, approving_officer=None)  # a reading names one officer
        request = desk_pb2.GetAllowanceRequest(
            reading=requests.message(reading, alone), assertion=enclosed(self.access)
        )
        payload, response = (
            await self.send("GetAllowance", request.SerializeToString()),
            desk_pb2.GetAllowanceResponse(),
        )
        try:
            wire.parse_into(response, payload)
            return wire.from_message(Allowance, response.allowance)
        except wire.WireMalformed as error:
            raise Ended("batch.bad_allowance", NOT_GENUINE) from error


@contextmanager
def verifiers(subjects: int) -> Iterator[Executor | None]:
    """Start processes that verify, where a list is long and the machine has more than one processor."""
    count = min(WORKERS, os.cpu_count() or 1)
    if subjects < APART or count < 2:  # noqa: PLR2004  one processor verifies no faster in another process
        yield None
        return
    # A fresh interpreter: a fork would copy gRPC's threads and locks.
    pool = ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_serve, initargs=(os.getpid(),))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _serve(parent: int) -> None:
    """Leave an interruption to the parent, and end when it is gone: a killed parent cannot end its verifiers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_outlive_not, args=(parent,), daemon=True).start()


def _outlive_not(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH)
    os._exit(1)


@contextmanager
def bar(subjects: int) -> Iterator[Callable[[int], None]]:
    """Show subjects, rate and time left on a terminal's stderr; elsewhere nothing."""
    words = session().words
    shown = (
        TextColumn(words.say("batch.asking")),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}/s"),
        TimeRemainingColumn(),
    )
    with Progress(*shown, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("", total=subjects, rate="-")

        def tell(more: int) -> None:
            speed = progress.tasks[0].finished_speed or progress.tasks[0].speed
            progress.update(task, advance=more, rate=f"{speed:,.0f}" if speed else "-")

        yield tell


@asynccontextmanager
async def opened(
    access: Access, reader: Reader, consents: tuple[Envelope, ...], pool: Executor | None
) -> AsyncIterator[BatchDesk]:
    """Open one channel for the whole batch."""
    async with desk_client.connected(access) as send:
        yield BatchDesk(access=access, reader=reader, consents=consents, send=send, now=session().now, verifiers=pool)
