"""How a check is made and how it fails: the tools that every part of a file is looked at with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from gateway import carriers, wire
from gateway.errors import GatewayError
from gateway.exchange.accept import finder
from gateway.verification.verdict import Check, Part
from keys.directory import Directory
from keys.envelope import Opened, open_envelope
from keys.errors import KeysError, KeyUnknown
from keys.suite import PublicKey
from yrdx.exchange.v1 import envelope_pb2

T = TypeVar("T")
_BAD_CONTENT = (KeysError, GatewayError, ValueError, LookupError, OverflowError)


class Failed(Exception):
    """A check failed."""

    def __init__(self, check: Check, detail: str) -> None:
        super().__init__(detail)
        self.check, self.detail = check, detail


def open_signed(
    message: envelope_pb2.Envelope, kind: type[T], directory: Directory, read: Callable[[bytes], T] | None = None
) -> tuple[Opened, T]:
    """Verify an envelope under any listed key, and read it; `read` does what `wire.decode` does, faster.

    The time at which the key must have been valid stands in the signed bytes: `check_key` follows.
    """
    envelope = carriers.envelope_from_message(message)
    listed = {key.id: key for member in directory.members for key in member.keys}

    def find(key_id: str) -> PublicKey:
        if key_id not in listed:
            raise KeyUnknown("no member's key has this id")
        return listed[key_id].public_key()

    wanted = wire.PAYLOAD_TYPES[kind]
    opened = step(Check.SIGNATURE, lambda: open_envelope(envelope, payload_type=wanted, find=find))
    return opened, wire.decode(kind, opened.payload) if read is None else read(opened.payload)


def check_key(opened: Opened, directory: Directory, member: str, at: datetime) -> None:
    """Check that every key that signed is the member's, for signing, and was valid at a time."""
    owners = {directory.key_owner(key_id) for key_id in opened.key_ids}
    holds(Check.KEY, owners == {member}, "signed by another member")
    find = finder(directory, at)
    step(Check.KEY, lambda: [find(key_id) for key_id in opened.key_ids])


def look(parts: list[Part], name: str, of: str, examine: Callable[[], T]) -> T | None:
    """Note how an examination ends; whatever else bad content raises is a fault of form."""
    try:
        found = step(Check.FORM, examine)
    except Failed as failed:
        parts.append(Part(name=name, of=of, failed=failed.check, detail=failed.detail))
        return None
    parts.append(Part(name=name, of=of))
    return found


def step(check: Check, act: Callable[[], T]) -> T:
    """Make one check; whatever bad content raises is its failure."""
    try:
        return act()
    except _BAD_CONTENT as error:
        # Other texts may quote what was read, and so a subject: only our own fixed ones are repeated.
        raise Failed(check, str(error) if isinstance(error, GatewayError) else type(error).__name__) from error


def holds(check: Check, agrees: bool, otherwise: str) -> None:  # noqa: FBT001  what holds, not an option
    """Make one check of a condition."""
    if not agrees:
        raise Failed(check, otherwise)
