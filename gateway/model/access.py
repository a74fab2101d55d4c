"""Who asked about a subject, as the subject reads it: the shapes of access.proto."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.model.answer import Answer, Item
from gateway.model.codes import AccessSide, AccessState, CountBand
from gateway.model.consent import HeldConsent, SubjectKey
from gateway.model.ledger import Receipt
from gateway.model.question import Body
from keys.envelope import Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessReading:
    """What a subject signs to read who asked; months are texts such as 2026-01."""

    reading_id: bytes
    uscc: str
    home_member: str
    read_time: datetime
    first_month: str
    last_month: str
    skip: int = 0
    suite: str
    sealing_key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewReading:
    """What a subject signs to preview what an agency would be told of it, and of nobody else."""

    reading_id: bytes
    uscc: str
    home_member: str
    read_time: datetime
    agency: str
    purpose: str
    application_item: str
    agreement_id: str
    suite: str
    sealing_key: bytes
    body: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRequest:
    """What a home member asks another for; it vouches for the key that signed the reading."""

    asker_member: str
    answerer_member: str
    ask_time: datetime
    reading: Envelope
    suite: str
    public: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayedCount:
    """How many entries of a closed month are delayed at a member."""

    month: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessReply:
    """A member's answer to the home member: the sealed report, and what it withholds."""

    reading_digest: bytes
    member: str
    sealed: bytes
    delayed: tuple[DelayedCount, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessEntry:
    """One question about a subject, as one of its two members holds it."""

    side: AccessSide
    other_member: str
    time: datetime
    agency: str
    officer_role: str
    purpose: str
    application_item: str
    kind: str
    fields: tuple[str, ...] = ()
    outcome: str
    question_id: bytes
    event: bytes = b""
    receipt: Receipt | None = None
    key_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessReport:
    """What a member holds of who asked about a subject; keys and authorisations from its home member alone."""

    reading_digest: bytes
    member: str
    report_time: datetime
    entries: tuple[AccessEntry, ...] = ()
    left_out: int = 0
    keys: tuple[SubjectKey, ...] = ()
    authorisations: tuple[HeldConsent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewReport:
    """What a member would tell an agency of a subject; no answer, for no question was asked."""

    reading_digest: bytes
    member: str
    report_time: datetime
    answer: Answer
    item: Item


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessOutcome:
    """What became of a request to a member."""

    member: str
    state: AccessState
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayedMonth:
    """The band of a closed month's delayed entries, of all members together (duty U29)."""

    month: str
    band: CountBand


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessSummary:
    """What the home member heard of all."""

    reading_digest: bytes
    home_member: str
    summary_time: datetime
    members: tuple[AccessOutcome, ...] = ()
    delayed: tuple[DelayedMonth, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayOrder:
    """Two officers delay what a subject is shown of a case, from then on and until a day (duty U29)."""

    delay_id: bytes
    agency: str
    officer: str
    approving_officer: str
    order_time: datetime
    case_reference: str
    until_date: str
    ground: str
