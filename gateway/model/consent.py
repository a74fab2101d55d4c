"""A subject's keys and authorisations at its home member, and how others learn of them: authorisation.proto."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.model.codes import AuthorisationStatus, KeyRole, SignatureClass
from keys.envelope import Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRequest:
    """What a subject writes of a key that it made, signed by that key: proof of possession."""

    uscc: str
    home_member: str
    suite: str
    public: bytes
    roles: tuple[KeyRole, ...]
    valid_from_time: datetime
    valid_until_time: datetime
    request_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRevocation:
    """The end of a key before its time."""

    uscc: str
    home_member: str
    key_id: str
    revoke_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """An authorisation 授权 as its subject gives it."""

    authorisation_id: bytes
    uscc: str
    home_member: str
    agency: str
    purposes: tuple[str, ...]
    kinds: tuple[str, ...]
    members: tuple[str, ...]
    valid_from_time: datetime
    valid_until_time: datetime
    use_limit: int = 0
    text_version: str
    signature_class: SignatureClass
    give_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """The end of an authorisation before its time."""

    authorisation_id: bytes
    uscc: str
    home_member: str
    signature_class: SignatureClass
    withdraw_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """Two officers attest that they have seen what the subject signed on paper."""

    agency: str
    officer: str
    approving_officer: str
    attest_time: datetime
    scan_digest: bytes
    body: Envelope | Consent | Withdrawal | KeyRevocation


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentReading:
    """What a subject's key, or an officer, signs to read what is kept of the subject."""

    uscc: str
    home_member: str
    read_time: datetime
    agency: str = ""
    officer: str = ""
    page_size: int = 0
    page_token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectKey:
    """A subject's key as its home member shows it."""

    key_id: str
    roles: tuple[KeyRole, ...]
    valid_from_time: datetime
    valid_until_time: datetime
    enrol_time: datetime
    revoke_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldConsent:
    """An authorisation as its home member keeps it."""

    consent: Consent
    status: AuthorisationStatus
    use_count: int = 0
    withdraw_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedQuestion:
    """A question that a status is wanted for."""

    answerer_member: str
    question_id: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRequest:
    """What an asking node wants statuses for: one use, however often it is sent."""

    use_id: bytes
    asker_member: str
    home_member: str
    ask_time: datetime
    agency: str
    purpose: str
    kind: str
    subjects: tuple[str, ...]
    authorisation_ids: tuple[bytes, ...] = ()
    questions: tuple[AskedQuestion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptKey:
    """A subject's enrolled key with what verifies by it."""

    uscc: str
    suite: str
    public: bytes
    key: SubjectKey
