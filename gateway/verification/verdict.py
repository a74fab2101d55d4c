"""What a verification finds: genuine, part by part; and apart from it, still in time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from gateway.charter import Charter
from gateway.errors import GatewayError
from gateway.exchange.admit import is_stale
from gateway.ledger.receipts import Logged
from gateway.model.answer import Refusal
from gateway.model.combined import CombinedResult, MemberOutcome, Recognition
from gateway.model.signed import Accepted, Signed


class Check(Enum):
    """What a part of the file is checked for."""

    FORM = "FORM"
    SIGNATURE = "SIGNATURE"
    KEY = "KEY"
    TABLES = "TABLES"
    MEMBERS = "MEMBERS"
    QUESTION = "QUESTION"
    PERMIT = "PERMIT"
    BINDING = "BINDING"
    ITEMS = "ITEMS"
    CONTENT = "CONTENT"
    GRANT = "GRANT"
    ACCEPTANCE = "ACCEPTANCE"
    LOGGED = "LOGGED"
    WITNESSED = "WITNESSED"
    OUTCOME = "OUTCOME"
    SUBJECTS = "SUBJECTS"
    RECOGNITION = "RECOGNITION"
    RATES = "RATES"
    DIGEST = "DIGEST"


class Status(Enum):
    """Whether what a genuine file says still stands."""

    CURRENT = "CURRENT"
    SUPERSEDED = "SUPERSEDED"
    RECALLED = "RECALLED"
    UNKNOWN = "UNKNOWN"


class Unreadable(GatewayError):
    """The bytes are no answer file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the file, by member or number, and the first check that it failed, if any."""

    name: str
    of: str = ""
    failed: Check | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One member's exchange: the question, and the answer or the refusal; neither when it was silent."""

    outcome: MemberOutcome
    signed: Signed
    accepted: Accepted | None = None
    refusal: Refusal | None = None
    refusal_digest: bytes = b""
    logged: Logged | None = None
    """Where an answer stands in its member's ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a genuine file says."""

    charter: Charter
    result: CombinedResult
    result_digest: bytes
    """By which the ledger and orders of evidence name it."""

    exchanges: tuple[Heard, ...]
    recognitions: tuple[Recognition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found out about a file at a time; there is `content` only when every part passed."""

    parts: tuple[Part, ...]
    content: Content | None
    now: datetime
    status: Status = Status.UNKNOWN

    @property
    def genuine(self) -> bool:
        """Whether every part passed every check."""
        return self.content is not None

    @property
    def answers(self) -> tuple[Accepted, ...]:
        """The verified answers."""
        return tuple(accepted_by_member(self.content.exchanges).values()) if self.content else ()

    @property
    def valid_until(self) -> datetime | None:
        """The first instant at which an answer may not be relied on any more; None without an answer."""
        return min((each.answer.valid_until_time for each in self.answers), default=None)

    @property
    def expired(self) -> tuple[str, ...]:
        """The members whose answers may not be relied on any more."""
        return tuple(each.member for each in self.answers if self.now >= each.answer.valid_until_time)

    @property
    def in_time(self) -> bool:
        """Whether the file is genuine and every answer may still be relied on."""
        return self.genuine and not self.expired

    @property
    def bundle_expired(self) -> bool:
        """Whether the directory in the file has expired since: no fault, for old evidence still verifies."""
        return self.content is not None and is_stale(self.content.charter.directory, self.now)


def accepted_by_member(heard: tuple[Heard, ...]) -> dict[str, Accepted]:
    """Give the verified answers by member."""
    return {each.accepted.member: each.accepted for each in heard if each.accepted is not None}
