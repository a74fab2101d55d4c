"""A stolen node: a signing key and a leaf of a member, used from elsewhere until the others refuse them."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway import wire
from gateway.charter import Charter
from gateway.client import Identity, RemoteMember, open_channel
from gateway.errors import Unavailable
from gateway.exchange.compose import Inquiry, compose
from gateway.federation import request_bytes
from gateway.model.answer import Refusal
from gateway.model.codes import RefusalReason
from gateway.model.combined import Intent
from keys.envelope import Envelope
from keys.suite import Signer

PATIENCE = 60.0
SECONDS = 10.0


@dataclass(slots=True, kw_only=True)
class Thief:
    """Asks another member with what was stolen; `intent` is what it claims to ask for."""

    charter: Charter
    signer: Signer
    identity: Identity

    async def refused_after(self, member: str, intent: Intent, since: float) -> float | None:
        """Ask again and again until the key is refused; give the seconds since then, or None when it never is."""
        row = self.charter.directory.member(member)
        roots = b"".join(row.ca_certificates)
        async with open_channel(member, row.endpoint or "", roots, self.identity) as channel:
            remote = RemoteMember(channel)
            while time.monotonic() < since + PATIENCE:
                if await self._reason(remote, member, intent) is RefusalReason.KEY_NOT_VALID:
                    return round(time.monotonic() - since, 3)
                await asyncio.sleep(0.05)
        return None

    async def _reason(self, remote: RemoteMember, member: str, intent: Intent) -> RefusalReason | None:
        inquiry = Inquiry(
            intent=intent,
            intent_digest=secrets.token_bytes(32),
            agreement_id=intent.agreement_id,
            case_subject_count=0,
            approving_officer="",
        )
        signed = compose(
            inquiry,
            member,
            1,
            question_id=secrets.token_bytes(16),
            charter=self.charter,
            signer=self.signer,
            now=datetime.now(UTC),
        )
        try:
            reply = await remote.ask(request_bytes(signed), SECONDS)
        except Unavailable:
            return None
        if not reply.refused:
            return None
        return wire.decode(Refusal, wire.decode(Envelope, reply.payload).payload).reason
