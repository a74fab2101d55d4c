"""What one member asks another: the shapes of question.proto, checked on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.model.codes import AuthorisationStatus, SignatureClass, Window
from keys.envelope import Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSubject:
    """A subject 信用主体 as a question names it."""

    uscc: str
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryQuestion:
    """Kind `summary`: bands and flags over a fixed window."""

    subjects: tuple[NamedSubject, ...]
    domains: tuple[str, ...] = ()
    window: Window
    data_items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingQuestion:
    """Kind `rating`: the current grade and the answerer's ceiling."""

    subjects: tuple[NamedSubject, ...]
    scheme_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuresQuestion:
    """Kind `measures`: rewards and restrictions in force."""

    subjects: tuple[NamedSubject, ...]
    domains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NoViolationQuestion:
    """Kind `no_violation`: whether anything may be reported, domain by domain."""

    subjects: tuple[NamedSubject, ...]
    domains: tuple[str, ...] = ()
    window: Window


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeQuestion:
    """Kind `probe`: no subjects; only tests put it into a table of kinds."""

    text: str = ""


Body = SummaryQuestion | RatingQuestion | MeasuresQuestion | NoViolationQuestion | ProbeQuestion


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionHeader:
    """Who asks whom, why and under which rules: everything that admission decides on."""

    question_id: bytes
    suite: str
    asker_member: str
    asker_agency: str
    officer: str
    officer_assertion_digest: bytes
    approving_officer: str = ""
    answerer_member: str
    relays: tuple[str, ...] = ()
    asked_time: datetime
    expire_time: datetime
    purpose: str
    application_item: str
    case_reference: str = ""
    case_subject_count: int = 0
    agreement_id: str
    authorisations: tuple[Envelope, ...] = ()
    pair_sequence: int
    bundle_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question about 1 to 1,000 subjects, or about none for a kind without subjects."""

    header: QuestionHeader
    body: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorisation:
    """The subject's consent 授权 as its home member vouches for it."""

    authorisation_id: bytes
    uscc: str
    agency: str
    purposes: tuple[str, ...]
    kinds: tuple[str, ...]
    members: tuple[str, ...]
    valid_from_time: datetime
    valid_until_time: datetime
    use_limit: int = 0
    text_version: str
    signature_class: SignatureClass
    home_member: str
    status: AuthorisationStatus
    status_time: datetime
    question_ids: tuple[bytes, ...] = ()
