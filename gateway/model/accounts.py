"""Officers at the desk (duty U7): sessions under a signed assertion, and what waits for a second officer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.model.codes import RefusalReason, SubmissionState


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficerAssertion:
    """An officer's word that a key signs for the officer from one instant up to before another."""

    assertion_id: bytes
    agency: str
    officer: str
    session_public: bytes
    roles: tuple[str, ...]
    from_time: datetime
    until_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session as the desk keeps it."""

    assertion_digest: bytes
    agency: str
    officer: str
    roles: tuple[str, ...]
    from_time: datetime
    until_time: datetime
    open_time: datetime
    close_time: datetime | None = None
    closing_officer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionClosing:
    """What an officer signs to close a session."""

    agency: str
    officer: str
    assertion_digest: bytes
    close_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionReading:
    """What an officer signs to see sessions."""

    agency: str
    officer: str
    read_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A question or a case that waits for a second officer, or has; no subject is named."""

    submission_id: bytes
    agency: str
    officer: str
    purpose: str
    application_item: str
    case_reference: str = ""
    kind: str = ""
    subject_count: int = 0
    submit_time: datetime
    expire_time: datetime
    state: SubmissionState = SubmissionState.WAITING
    approving_officer: str = ""
    decide_time: datetime | None = None
    reason: RefusalReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionReading:
    """What an officer signs to see what was handed in: one, or with an empty id the list."""

    agency: str
    officer: str
    submission_id: bytes = b""
    read_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionApproval:
    """What a second officer signs to approve a submission, by the digest of what was handed in."""

    agency: str
    officer: str
    submission_id: bytes
    approve_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionRefusal:
    """What an officer signs to refuse a submission."""

    agency: str
    officer: str
    submission_id: bytes
    refuse_time: datetime
