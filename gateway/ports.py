"""What the exchange needs from a node. Each port states its durability and concurrency."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from gateway.model.ledger import Receipt
from gateway.model.question import Question
from gateway.model.signed import Reply, Signed

Fact = Mapping[str, Any]
"""One current fact: the columns that were asked for, and always `digest` (32 bytes)."""

Columns = Mapping[str, tuple[str, ...]]
"""Table name to the columns that a grant lets out of the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A declared feed: who delivers which class of record for a domain and division, how often, since when."""

    id: str
    agency: str
    domain: str
    division: str
    record_class: str
    frequency_days: int
    history_from: date
    data_through: date | None
    gaps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One snapshot: the current facts of each subject by table, and the version they belong to."""

    version: int
    rows: Mapping[str, Mapping[str, Sequence[Fact]]]


class Source(Protocol):
    """The member's facts. Reads never block on a load that is running."""

    def read(self, subjects: Sequence[str], columns: Columns) -> Facts:
        """Read the current, not withdrawn facts of 1 to 1,000 subjects in one snapshot, only these columns.

        A table absent from `columns` is not read. Subjects without facts may be absent from `rows`.
        """

    def feeds(self) -> tuple[Feed, ...]:
        """Give the declared feeds with their last accepted load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """Everything that one answered or refused question leaves behind, made durable at once."""

    question_id: bytes | None
    question_digest: bytes
    question: Question | None
    question_bytes: bytes
    reply: Reply
    """An answer without receipt and padding, or a whole refusal."""

    reply_digest: bytes
    reason: str
    kind: str
    facts_version: int
    received_time: datetime
    day: date
    subjects: tuple[str, ...] = ()
    charge_limit: int = 0
    fields_granted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A reply as the journal keeps it, and for an answer the receipt of its entry under a head that is on disk."""

    reply: Reply
    receipt: Receipt | None = None


class Journal(Protocol):
    """The answerer's journal: claims, budgets, bodies, disclosures and ledger entry in one durable transaction."""

    async def commit(self, exchange: Exchange) -> Kept:
        """Claim the question id, charge the budget, keep bodies and disclosures, enter a genuine question.

        Returns, when all of it is on disk, the reply that the question id is bound to: this one, or the earlier one for
        the same bytes.

        Raises:
            Replayed: when the id was claimed with other bytes, or the pair's number with another id.
            BudgetSpent: when the charge would pass the limit; nothing was written.
            NotDurable: when the transaction could not be made durable; nothing was written.
        """

    def find(self, question_id: bytes, question_digest: bytes) -> Kept | None:
        """Give the stored reply for this question id, its receipt from the head as it is now, or None.

        Raises:
            Replayed: when the id was claimed with other bytes.
            NotDurable: when the ledger is damaged.
        """

    def spent(self, *, agency: str, purpose: str, day: date, subjects: tuple[str, ...]) -> int:
        """Count the distinct subjects that this agency, purpose and day would reach with these ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """How one composed question ended: ANSWERED, REFUSED, or VOID when nothing usable came back."""

    question_id: bytes
    outcome: str
    reply: Reply | None
    digest: bytes
    """Of the answer's or refusal's pre-authentication encoding; empty when the answerer has no entry of it."""

    reason: str = ""
    """Why it was refused, or why nothing usable came."""

    fields_granted: tuple[str, ...] = ()
    """What an answer that was accepted could say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A signed recognition to keep, and the subject and scope under which a later one supersedes it."""

    recognition_id: bytes
    uscc: str
    agency: str
    agreement_id: str
    envelope_bytes: bytes


class AskerLog(Protocol):
    """The asker's log: pair numbers and digests before sending, outcomes and results after."""

    async def open(self, members: tuple[str, ...], compose: Callable[[str, int], Signed]) -> tuple[Signed, ...]:
        """Assign each pair's next number, compose, and make digests and bytes durable before any is sent.

        Raises:
            NotDurable: nothing was assigned and nothing may be sent.
        """

    async def conclude(
        self,
        closings: tuple[Closing, ...],
        *,
        agency: str,
        case_reference: str,
        purpose: str,
        application_item: str,
        result: bytes,
        result_digest: bytes,
        issued: tuple[Issued, ...],
        now: datetime,
    ) -> None:
        """Keep every outcome, the combined result (bytes of AskMembersResponse) and the recognitions at once.

        The digest is that of the signed result; it is entered in the ledger with the rest.

        Raises:
            NotDurable: nothing was kept and nothing may be shown.
        """

    def current_recognition(self, *, uscc: str, agency: str, agreement_id: str) -> bytes:
        """Give the id of the latest recognition of this subject for this agency and agreement, or b""."""
