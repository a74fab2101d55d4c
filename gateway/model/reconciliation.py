"""What two members tell each other of their ledgers: the shapes of reconciliation.proto."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.model.ledger import Receipt
from keys.envelope import Envelope

HIGHEST_NUMBER = (1 << 63) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPairEntriesRequest:
    """Which entries of a pair are wanted.

    Raises:
        ValueError: for a number below 1, or beyond 2^63.
    """

    asker_member: str
    answerer_member: str
    first_number: int
    last_number: int = 0
    until_time: datetime | None = None

    def __post_init__(self) -> None:
        """Check the numbers: they are looked up."""
        if not 1 <= self.first_number <= HIGHEST_NUMBER or not 0 <= self.last_number <= HIGHEST_NUMBER:
            raise ValueError("a running number lies between 1 and 2^63")


@dataclass(frozen=True, slots=True, kw_only=True)
class PairEntry:
    """An entry with its shared part opened; nobody has verified it yet."""

    shared: bytes
    receipt: Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPairEntriesResponse:
    """A page of entries; nobody has verified it yet."""

    entries: tuple[PairEntry, ...] = ()
    highest_number: int = 0
    next_number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PairDifference:
    """A number on which two ledgers differ, in what, and whose lacks something."""

    pair_sequence: int
    difference: str
    lacking_member: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSummary:
    """A month of the questions of one member to another: what both agree on, and what not."""

    asker_member: str
    answerer_member: str
    first_number: int = 0
    last_number: int = 0
    answered_count: int = 0
    refused_count: int = 0
    void_count: int = 0
    digest: bytes = b""
    difference_count: int = 0
    differences: tuple[PairDifference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What two members' ledgers hold of a month."""

    members: tuple[str, ...]
    month: str
    issued_time: datetime
    pairs: tuple[PairSummary, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SignStatementRequest:
    """A statement that the caller has signed; nobody has verified it yet."""

    statement: Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class SignStatementResponse:
    """The statement signed by both, or what the other member has found instead, or neither."""

    statement: Envelope | None = None
    own: Statement | None = None
