"""What travels by way of a relay: the shapes of relay.proto."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Where a sealed message goes; it says nothing about what is asked."""

    suite: str
    sender_member: str
    recipient_member: str
    relays: tuple[str, ...] = ()
    question_id: bytes
    send_time: datetime
    expire_time: datetime

    @property
    def hops(self) -> tuple[str, ...]:
        """Everybody on the way, the sender first and the recipient last."""
        return (self.sender_member, *self.relays, self.recipient_member)

    def back(self, send_time: datetime) -> Routing:
        """Give the way of the reply."""
        sender, *relays, recipient = reversed(self.hops)
        return Routing(
            suite=self.suite,
            sender_member=sender,
            recipient_member=recipient,
            relays=tuple(relays),
            question_id=self.question_id,
            send_time=send_time,
            expire_time=self.expire_time,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """The outer layer: all that a relay sees."""

    routing: Routing
    key_id: str
    ciphertext: bytes
