"""What a member's agencies ask and get: the shapes of desk.proto."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.model.answer import GradeCeiling, MeasureLine
from gateway.model.codes import (
    BundleStage,
    Grade,
    OutcomeState,
    RecognitionState,
    RecognitionStatus,
    RefusalReason,
    ResultState,
    Verdict,
)
from gateway.model.question import Body
from keys.envelope import Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What an officer wants to know; a second officer signs the same bytes where four eyes are required."""

    intent_id: bytes
    agency: str
    officer: str
    approving_officer: str = ""
    intend_time: datetime
    purpose: str
    application_item: str
    case_reference: str = ""
    agreement_id: str = ""
    authorisations: tuple[Envelope, ...] = ()
    members: tuple[str, ...] = ()
    authorisation_references: tuple[str, ...] = ()
    body: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt to reach a member."""

    send_time: datetime
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberOutcome:
    """How one member's exchange went."""

    member: str
    state: OutcomeState
    reason: RefusalReason | None = None
    attempts: tuple[Attempt, ...] = ()
    answer_digest: bytes = b""
    pair_sequence: int = 0
    bundle_stage: BundleStage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberState:
    """One member's state for one subject."""

    member: str
    state: ResultState


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureConclusion:
    """A measure, where it comes from, and why it is for information only (empty: it may be applied)."""

    member: str
    measure: MeasureLine
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainConclusion:
    """The union of one domain over the members."""

    domain: str
    verdict: Verdict
    reporting_members: tuple[str, ...] = ()
    incomplete_members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberCeiling:
    """A member's ceiling."""

    member: str
    ceiling: GradeCeiling


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvisoryRating:
    """A rating by another member than the home one."""

    member: str
    grade: str
    mapped_grade: Grade | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecognitionResult:
    """How a recognised grade came about; no grade unless `state` is RECOGNISED."""

    state: RecognitionState
    home_member: str = ""
    rating_id: bytes = b""
    scheme_id: str = ""
    scheme_version: str = ""
    origin_grade: str = ""
    mapping_id: str = ""
    mapping_version: str = ""
    mapped_grade: Grade | None = None
    ceilings: tuple[MemberCeiling, ...] = ()
    recognised_grade: Grade | None = None
    incomplete_members: tuple[str, ...] = ()
    advisory_ratings: tuple[AdvisoryRating, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """A recognition 互认结果, signed and stored by the asking node; re-issued, never edited."""

    recognition_id: bytes
    result: RecognitionResult
    uscc: str
    issuer_member: str
    agency: str
    agreement_id: str
    purposes: tuple[str, ...]
    area: tuple[str, ...]
    valid_from_time: datetime
    valid_until_time: datetime
    supersedes: bytes = b""
    status: RecognitionStatus
    answer_digests: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectResult:
    """What may be concluded about one subject."""

    uscc: str = ""
    state: ResultState
    marks: tuple[ResultState, ...] = ()
    home_member: str = ""
    incomplete_members: tuple[str, ...] = ()
    members: tuple[MemberState, ...] = ()
    applicable_measures: tuple[MeasureConclusion, ...] = ()
    information_measures: tuple[MeasureConclusion, ...] = ()
    recognition: RecognitionResult | None = None
    domains: tuple[DomainConclusion, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CombinedResult:
    """The combined result of one intent, signed by the asking node."""

    intent_digest: bytes
    asker_member: str
    agency: str
    case_reference: str = ""
    purpose: str
    application_item: str
    agreement_id: str
    kind: str
    combine_time: datetime
    members: tuple[MemberOutcome, ...]
    subjects: tuple[SubjectResult, ...]
    officer_assertion_digest: bytes = b""
    bundle_stage: BundleStage = BundleStage.NORMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseOpening:
    """What an officer declares when a case 办件 is opened."""

    case_reference: str
    agency: str
    officer: str
    approving_officer: str = ""
    open_time: datetime
    purpose: str
    application_item: str
    subject_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseReading:
    """What an officer signs to read a case."""

    case_reference: str
    agency: str
    officer: str
    read_time: datetime
    page_size: int = 0
    page_token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowanceReading:
    """What an officer signs to learn how many subjects are left."""

    agency: str
    officer: str
    purpose: str
    case_reference: str = ""
    read_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How many subjects an agency may reach for a purpose on one civil day (yyyy-mm-dd), and has reached."""

    date: str
    subject_limit: int
    subjects_spent: int
    subjects_per_question: int
    question_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A case as it was opened."""

    case_reference: str
    agency: str
    purpose: str
    application_item: str
    subject_count: int = 0
    open_time: datetime
    officer: str
    approving_officer: str = ""
    result_count: int = 0
