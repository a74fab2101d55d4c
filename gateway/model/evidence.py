"""A case as evidence: the shapes of evidence.proto that are signed or answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.model.codes import MarkKind
from gateway.model.ledger import Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerMark:
    """What became of a member's answer since, and when the asking node learned of it."""

    member: str
    mark: MarkKind
    mark_time: datetime
    notice_digest: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedResult:
    """One result of a case."""

    result_digest: bytes
    combine_time: datetime
    deleted: bool = False
    marks: tuple[AnswerMark, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseListing:
    """Every result of a case, signed by the asking node."""

    member: str
    agency: str
    case_reference: str
    list_time: datetime
    results: tuple[ListedResult, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceOrder:
    """What an officer signs to have a result as evidence; a second officer signs the same bytes after a recall."""

    order_id: bytes
    agency: str
    officer: str
    approving_officer: str = ""
    order_time: datetime
    result_digest: bytes
    ground: str = ""
    listing_digest: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceStatement:
    """Who exported what, and what had become of its answers by then; signed by the asking node."""

    member: str
    agency: str
    officer: str
    approving_officer: str = ""
    ground: str = ""
    export_time: datetime
    result_digest: bytes
    content_digest: bytes
    asked_bundle: bytes
    export_bundle: bytes
    further_bundles: tuple[bytes, ...] = ()
    marks: tuple[AnswerMark, ...] = ()
    listing_digest: bytes = b""
    """Of the whole case as whose part it was exported: without that listing it is not genuine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeProofs:
    """Where one exchange stands in the ledgers; no `answered` without an answer, or where nobody gave its proof."""

    asked: Receipt
    ended: Receipt
    answered: Receipt | None = None
