"""A question that this node has composed, and what came back for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.model.answer import Answer, Item
    from gateway.model.question import Question
    from keys.envelope import Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A composed question with the exact bytes that were signed and their digest."""

    envelope: Envelope
    question: Question
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Bytes that a member sent back: a serialised AskResponse, or a serialised refusal envelope."""

    payload: bytes
    refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """An answer that verified against its question; built by `exchange.accept` only."""

    member: str
    answer: Answer
    items: tuple[Item, ...]
    digest: bytes
