"""Asks several members at once, with retries of the same bytes inside one deadline; silence is an outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from gateway import carriers
from gateway.answering import Answering, Member
from gateway.errors import Unavailable
from gateway.limits import Limits
from gateway.model.combined import Attempt
from gateway.model.signed import Reply, Signed

PAUSE_SECONDS = 0.2
NO_ENDPOINT = "NO_ENDPOINT"
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """What came back for one question, unverified, and every attempt."""

    signed: Signed
    reply: Reply | None
    attempts: tuple[Attempt, ...]


class LocalMember:
    """This node itself, asked without a network; satisfies `answering.Member`."""

    def __init__(self, answering: Answering, me: str) -> None:
        """Ask one's own node as its own peer."""
        self._answering = answering
        self._me = me

    async def ask(self, request: bytes, seconds: float) -> Reply:
        """Give the node's own reply.

        Raises:
            Unavailable: when it is not ready in time.
        """
        try:
            return await asyncio.wait_for(self._answering.ask(request, self._me), seconds)
        except TimeoutError as error:
            raise Unavailable("DEADLINE_EXCEEDED") from error


async def patiently(once: Callable[[float], Awaitable[T]], limits: Limits) -> T:
    """Try again on silence, within one deadline; `once` is told the seconds that are left.

    Raises:
        Unavailable: that of the last attempt.
    """
    loop = asyncio.get_running_loop()
    ends, attempt = loop.time() + limits.deadline, 1
    while True:
        try:
            return await once(max(0.001, ends - loop.time()))
        except Unavailable:
            if attempt >= limits.attempts:
                raise
            await asyncio.sleep(min(PAUSE_SECONDS * attempt, max(0.0, ends - loop.time())))
            attempt += 1


def request_bytes(signed: Signed) -> bytes:
    """Give the bytes of the AskRequest that carries a signed question."""
    return carriers.write_request(signed.envelope)


async def fan_out(
    questions: tuple[Signed, ...],
    members: Mapping[str, Member | None],
    limits: Limits,
    clock: Callable[[], datetime],
) -> tuple[Return, ...]:
    """Ask all at once; each return comes in the order of the questions."""
    tasks = (_ask(each, members[each.question.header.answerer_member], limits, clock) for each in questions)
    return tuple(await asyncio.gather(*tasks))


async def _ask(signed: Signed, member: Member | None, limits: Limits, clock: Callable[[], datetime]) -> Return:
    if member is None:
        return Return(signed=signed, reply=None, attempts=(Attempt(send_time=clock(), outcome=NO_ENDPOINT),))
    attempts: list[Attempt] = []
    request, loop = request_bytes(signed), asyncio.get_running_loop()
    ends = loop.time() + limits.deadline
    while len(attempts) < limits.attempts and (left := ends - loop.time()) > 0:
        sent = clock()
        try:
            reply = await member.ask(request, left)
        except Unavailable as error:
            attempts.append(Attempt(send_time=sent, outcome=str(error)))
            await asyncio.sleep(min(PAUSE_SECONDS * len(attempts), max(0.0, ends - loop.time())))
            continue
        attempts.append(Attempt(send_time=sent, outcome="REFUSED" if reply.refused else "ANSWERED"))
        return Return(signed=signed, reply=reply, attempts=tuple(attempts))
    return Return(signed=signed, reply=None, attempts=tuple(attempts))
