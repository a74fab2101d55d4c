"""One member answering: the steps of the exchange over the node's ports; no transport in here.

The only effect is the reply leaving, and it leaves after the exchange is durable (protocol section 4).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway import carriers, wire
from gateway.charter import Charter
from gateway.clocks import civil_day
from gateway.errors import BudgetSpent, NotDurable, Refused, Replayed
from gateway.event import Event
from gateway.exchange.admit import Admitted, Genuine, authenticate, authorise, unwrap
from gateway.exchange.permit import Permit, check_homes
from gateway.exchange.release import Home, Setting, columns, refuse, release, setting, size_class
from gateway.model.answer import Answer
from gateway.model.codes import AuthorisationStatus, RefusalReason
from gateway.model.consent import HeldConsent
from gateway.model.sealed import Routing
from gateway.model.signed import Reply
from gateway.pace import Pace
from gateway.policy import Grant
from gateway.ports import Exchange, Feed, Journal, Kept, Source
from gateway.registration import COLUMNS
from gateway.underway import UnderWay
from keys.envelope import Envelope
from keys.suite import Signer

TRANSIENT = frozenset({RefusalReason.OVERLOADED, RefusalReason.NOT_DURABLE, RefusalReason.STALE_BUNDLE})
"""Refusals that claim nothing: the same question may succeed a moment later."""

UNENTERED = TRANSIENT | {RefusalReason.REPLAYED}
"""Refusals that are not entered in the ledger, as none of a question that was not genuine."""

SETTINGS_KEPT = 64


class _Withheld(Refused):
    """A stored answer that may not be given any more; its question id stays with it."""


class Member(Protocol):
    """A member that can be asked; local, remote and fake ones are interchangeable."""

    async def ask(self, request: bytes, seconds: float) -> Reply:
        """Give the reply to the bytes of an AskRequest.

        Raises:
            Unavailable: when the member cannot be reached in time.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What an answering node has at hand; `charter` and `signer` may change between questions."""

    charter: Callable[[], Charter]
    signer: Callable[[], Signer]
    clock: Callable[[], datetime]
    ticks: Callable[[], float]
    source: Source
    journal: Journal
    home: Home
    consents: Callable[[str], tuple[HeldConsent, ...]]
    """What the member's own book holds of a subject."""

    observe: Callable[[Event], None]


class Answering:
    """Answers questions of peers. One instance a worker process; the store arbitrates between workers."""

    def __init__(self, node: Node) -> None:
        """Start with nothing in flight."""
        self._node = node
        self._under_way = UnderWay[tuple[bytes, bytes], tuple[Reply, str]]()
        self._asked = 0
        self._pace = Pace(node.ticks)
        self._settings: dict[int, tuple[Grant, tuple[Feed, ...], Setting]] = {}

    async def ask(
        self, request: bytes, peer: str, routing: Routing | None = None, keys: set[str] | None = None
    ) -> Reply:
        """Answer or refuse the bytes of an AskRequest from a peer member whose certificate was verified.

        `routing` is that of the sealed layer, where the peer is a relay.
        `keys` takes up the ids of the keys under which the question verified, before it is answered.
        """
        started = self._node.ticks()
        self._asked += 1
        try:
            reply, kind, question_id, reason = await self._ask(request, peer, routing, keys)
        finally:
            self._asked -= 1
        outcome = "REFUSED" if reply.refused else "ANSWERED"
        self._node.observe(
            Event(
                side="answer",
                peer=peer,
                kind=kind,
                outcome=outcome,
                reason=reason,
                question_id=question_id.hex(),
                seconds=self._node.ticks() - started,
            )
        )
        return reply

    async def _ask(
        self, request: bytes, peer: str, routing: Routing | None, keys: set[str] | None
    ) -> tuple[Reply, str, bytes, str]:
        now, charter = self._node.clock(), self._node.charter()
        try:
            self._check_load(charter, peer)
            genuine = authenticate(request, peer=peer, charter=charter, now=now, routing=routing)
        except Refused as refused:
            reply = await self._refuse(refused.reason, request, None, "", charter, now)
            return reply, "", b"", refused.reason.value
        if keys is not None:
            keys.update(each.key_id for each in genuine.envelope.signatures)
        question_id = genuine.question.header.question_id
        try:
            reply, kind = await self._once(genuine, request, charter, now)
        except Refused as refused:
            kind = type(genuine.question.body).__name__
            claims = not isinstance(refused, _Withheld)
            reply = await self._refuse(refused.reason, request, genuine, kind, charter, now, claims=claims)
            return reply, kind, question_id, refused.reason.value
        return reply, kind, question_id, ""

    def _check_load(self, charter: Charter, peer: str) -> None:
        limits = charter.catalogue.limits
        if self._asked > limits.in_flight:
            raise Refused(RefusalReason.OVERLOADED)
        self._pace.take(peer, limits.questions_per_second)

    async def _once(self, genuine: Genuine, request: bytes, charter: Charter, now: datetime) -> tuple[Reply, str]:
        """Let a duplicate wait for the first, and give a retry the stored reply."""
        question_id = genuine.question.header.question_id
        key = (question_id, genuine.digest)
        if (known := await self._under_way.join(key)) is not None:
            return known[0], "retry"
        try:
            stored = self._node.journal.find(question_id, genuine.digest)
        except Replayed as error:
            raise Refused(RefusalReason.REPLAYED) from error
        except NotDurable as error:
            raise Refused(RefusalReason.NOT_DURABLE) from error
        if stored is not None:
            self._check_again(genuine, stored.reply, charter, now)
            return _complete(stored), "retry"
        return await self._under_way.run(key, self._answer(genuine, request, charter, now))

    def _check_again(self, genuine: Genuine, stored: Reply, charter: Charter, now: datetime) -> None:
        """Withhold a stored answer that would not be given now: a quarantine has no tail (threat 6)."""
        if stored.refused:
            return
        try:
            permit = authorise(genuine, charter=charter, now=now).permit
            self._check_homes(permit, charter)
        except Refused as refused:
            raise _Withheld(refused.reason) from refused
        answer = wire.decode(Answer, carriers.read_response(stored.payload).answer.payload)
        if not permit.grant.fields.issuperset(answer.fields_granted):  # a data item less: to be asked anew
            raise _Withheld(RefusalReason.REPLAYED)

    async def _answer(self, genuine: Genuine, request: bytes, charter: Charter, now: datetime) -> tuple[Reply, str]:
        admitted = authorise(genuine, charter=charter, now=now)
        permit = admitted.permit
        self._check_budget(admitted, permit)
        self._check_homes(permit, charter)
        codes = tuple(each.uscc for each in permit.subjects)
        found = self._setting(permit, charter)
        facts = self._node.source.read(codes, columns(permit, found))
        released = release(
            admitted,
            facts,
            found.scene,
            charter=charter,
            home=self._node.home,
            signer=self._node.signer(),
            now=now,
        )
        exchange = Exchange(
            question_id=genuine.question.header.question_id,
            question_digest=genuine.digest,
            question=genuine.question,
            question_bytes=request,
            reply=Reply(payload=released.payload),
            reply_digest=released.digest,
            reason="",
            kind=permit.kind.name,
            facts_version=facts.version,
            received_time=now,
            day=permit.today,
            subjects=codes,
            charge_limit=permit.charge_limit,
            fields_granted=released.answer.fields_granted,
        )
        return await self._commit(exchange), permit.kind.name

    def _check_budget(self, admitted: Admitted, permit: Permit) -> None:
        """Refuse before any look-up; the commit enforces it again, against races."""
        header = admitted.genuine.question.header
        codes = tuple(each.uscc for each in permit.subjects)
        spent = self._node.journal.spent(
            agency=header.asker_agency, purpose=header.purpose, day=permit.today, subjects=codes
        )
        if spent > permit.charge_limit:
            raise Refused(RefusalReason.BUDGET_EXHAUSTED)

    def _check_homes(self, permit: Permit, charter: Charter) -> None:
        """Refuse what another member than the subject's home vouches for, or was taken back here; see ADR 0026."""
        if permit.vouchers:
            rows = self._node.source.read(tuple(permit.vouchers), {"register": COLUMNS}).rows
            registers = {code: tables.get("register", ()) for code, tables in rows.items()}
            check_homes(permit, registers, self._withdrawn(permit, charter), charter)

    def _withdrawn(self, permit: Permit, charter: Charter) -> frozenset[bytes]:
        """Name what was taken back of what this member itself vouches for: a status of before holds here no more."""
        own = [code for code, given in permit.vouchers.items() if any(each.home_member == charter.me for each in given)]
        held = [each for code in own for each in self._node.consents(code)]
        return frozenset(
            each.consent.authorisation_id for each in held if each.status is not AuthorisationStatus.IN_FORCE
        )

    def _setting(self, permit: Permit, charter: Charter) -> Setting:
        """Work the setting out once for each grant and state of the feeds; both are known by identity."""
        feeds, grant = self._node.source.feeds(), permit.grant
        held = self._settings.get(id(grant))
        if held is None or held[0] is not grant or held[1] is not feeds:
            if len(self._settings) >= SETTINGS_KEPT:
                self._settings.clear()
            held = self._settings[id(grant)] = (grant, feeds, setting(permit, feeds, charter, self._node.home))
        return held[2]

    async def _commit(self, exchange: Exchange) -> Reply:
        try:
            return _complete(await self._node.journal.commit(exchange))
        except Replayed as error:
            raise Refused(RefusalReason.REPLAYED) from error
        except BudgetSpent as error:
            raise Refused(RefusalReason.BUDGET_EXHAUSTED) from error
        except NotDurable as error:
            raise Refused(RefusalReason.NOT_DURABLE) from error

    async def _refuse(
        self,
        reason: RefusalReason,
        request: bytes,
        genuine: Genuine | None,
        kind: str,
        charter: Charter,
        now: datetime,
        *,
        claims: bool = True,
    ) -> Reply:
        """Sign the refusal, and journal it unless it is one of the moment; `claims` binds the question id to it.

        Only what claims the id is entered in the ledger, and names the pair's number.
        """
        signer = self._node.signer()
        digest = genuine.digest if genuine else _digest(request)
        entered = genuine is not None and claims and reason not in UNENTERED
        number = genuine.question.header.pair_sequence if genuine and entered else 0
        envelope = refuse(digest, reason, number, me=charter.me, signer=signer, now=now)
        if reason in TRANSIENT:
            return _refused(envelope)
        exchange = _refusal(genuine if entered else None, request, envelope, reason.value, kind, now, digest)
        try:
            return _complete(await self._node.journal.commit(exchange))
        except Replayed:  # another body won the race for the id, or has the pair's number
            return await self._refuse(RefusalReason.REPLAYED, request, genuine, kind, charter, now)
        except NotDurable:
            again = refuse(digest, RefusalReason.NOT_DURABLE, 0, me=charter.me, signer=signer, now=now)
            return _refused(again)


def _complete(kept: Kept) -> Reply:
    """Add receipt and padding to an answer that is on disk; a refusal leaves as it was kept."""
    if kept.reply.refused:
        return kept.reply
    return Reply(payload=carriers.complete_response(kept.reply.payload, kept.receipt, size_class))


def _digest(request: bytes) -> bytes:
    """Name what was refused: the question's digest, or where no envelope opens, that of the bytes."""
    try:
        return unwrap(request).digest()
    except Refused:
        return hashlib.sha256(request).digest()


def _refused(envelope: Envelope) -> Reply:
    return Reply(payload=wire.encode(envelope), refused=True)


def _refusal(
    genuine: Genuine | None, request: bytes, envelope: Envelope, reason: str, kind: str, now: datetime, digest: bytes
) -> Exchange:
    """Say what a refusal leaves behind; without a genuine question it claims no id."""
    return Exchange(
        question_id=genuine.question.header.question_id if genuine else None,
        question_digest=digest,
        question=genuine.question if genuine else None,
        question_bytes=request,
        reply=_refused(envelope),
        reply_digest=envelope.digest(),
        reason=reason,
        kind=kind,
        facts_version=0,
        received_time=now,
        day=civil_day(now),
    )
