"""What a member answers: the shapes of answer.proto and of the items in kinds.proto."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.model.codes import (
    BundleStage,
    CountBand,
    CoverageState,
    Grade,
    ItemState,
    Lifecycle,
    LinkKind,
    RatingStatus,
    RefusalReason,
    SchemeKind,
    Severity,
    Verdict,
    WithheldReason,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WithheldField:
    """A field asked for and not granted, for a reason of policy."""

    field: str
    reason: WithheldReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How far a member's data of one domain reach (civil days, yyyy-mm-dd, or empty)."""

    domain: str
    state: CoverageState
    data_through_date: str = ""
    history_from_date: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The signed head of an answer; its items are bound by `items_root`."""

    question_digest: bytes
    answerer_member: str
    answered_by: str = ""
    answer_time: datetime
    as_of_time: datetime
    valid_until_time: datetime
    window_from_date: str = ""
    window_to_date: str = ""
    agreement_id: str
    fields_granted: tuple[str, ...]
    fields_withheld: tuple[WithheldField, ...] = ()
    coverage: tuple[Coverage, ...] = ()
    facts_version: int
    classification_version: str
    rule_version: str
    bundle_version: int
    pair_sequence: int
    basis_root: bytes
    items_root: bytes
    item_count: int
    classes_left_out: tuple[str, ...] = ()
    bundle_stage: BundleStage = BundleStage.NORMAL
    ledger_lagging: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedCode:
    """A code linked to the subject in the register."""

    uscc: str
    kind: LinkKind


@dataclass(frozen=True, slots=True, kw_only=True)
class PenaltyLine:
    """Penalties 行政处罚 of one domain and severity within the window."""

    line_ref: bytes
    domain: str
    severity: Severity | None = None
    band: CountBand | None = None
    latest_month: str | None = None
    unrepaired: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PermitLine:
    """Permits 行政许可 of one type."""

    permit_type: str
    domain: str
    valid: bool | None = None
    expiry_month: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingLine:
    """Standing in a list 名单."""

    line_ref: bytes
    list_type: str
    domain: str
    listed: bool | None = None
    since_month: str | None = None
    basis_class: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryItem:
    """Fields of a `summary` item."""

    penalties: tuple[PenaltyLine, ...] = ()
    permits: tuple[PermitLine, ...] = ()
    listings: tuple[ListingLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingLine:
    """One rating 评价结果; dates are civil days."""

    rating_id: bytes
    scheme_id: str
    scheme_version: str
    scheme_kind: SchemeKind | None = None
    grade: str | None = None
    rated_date: str | None = None
    valid_until_date: str | None = None
    status: RatingStatus | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeCeiling:
    """The highest canonical grade that a member's own facts allow; None for no ceiling."""

    grade: Grade | None = None
    reason_class: str = ""
    rule_version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingItem:
    """Fields of a `rating` item."""

    ratings: tuple[RatingLine, ...] = ()
    ceiling: GradeCeiling | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureLine:
    """One measure 奖惩措施 in force; dates are civil days."""

    line_ref: bytes
    measure_code: str
    domain: str
    territory: str | None = None
    list_edition: str | None = None
    legal_basis: str | None = None
    agency: str | None = None
    term_from_date: str | None = None
    term_until_date: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuresItem:
    """Fields of a `measures` item."""

    measures: tuple[MeasureLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainVerdict:
    """What one domain has to report."""

    domain: str
    verdict: Verdict | None = None
    line_ref: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoViolationItem:
    """Fields of a `no_violation` item."""

    verdicts: tuple[DomainVerdict, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeItem:
    """Field of a `probe` item."""

    text: str | None = None


ItemBody = SummaryItem | RatingItem | MeasuresItem | NoViolationItem | ProbeItem


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One subject's part of an answer."""

    uscc: str = ""
    state: ItemState
    registered_here: bool = False
    lifecycle: Lifecycle | None = None
    linked_codes: tuple[LinkedCode, ...] = ()
    branches_included: bool = False
    disputed: bool = False
    name_match: bool | None = None
    in_scope: bool | None = None
    body: ItemBody | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A refusal; it says nothing about any subject."""

    question_digest: bytes
    answerer_member: str
    reason: RefusalReason
    refuse_time: datetime
    pair_sequence: int = 0
