"""What a member keeps for its officers and subjects, as ports. Each states its durability and concurrency."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from gateway.limits import Limits
from gateway.model.access import AccessEntry, DelayOrder
from gateway.model.accounts import Session, Submission
from gateway.model.codes import AccessSide, RefusalReason, SubmissionState
from gateway.model.combined import Case
from gateway.model.consent import Consent, HeldConsent, KeptKey, KeyRevocation, SubjectKey, Withdrawal


class CaseBook(Protocol):
    """The member's own cases."""

    async def open_case(self, case: Case) -> Case:
        """Keep a new case durably; the same case again is returned as it stands.

        Raises:
            Replayed: when the reference exists with other content.
            NotDurable: nothing was kept.
        """

    def case(self, agency: str, case_reference: str) -> Case | None:
        """Give a case of an agency."""

    def results(self, agency: str, case_reference: str, *, after: int, limit: int) -> tuple[tuple[int, bytes], ...]:
        """Give results (running number, bytes of AskMembersResponse), oldest first, after a running number."""


class SessionBook(Protocol):
    """The officers' sessions at this member's desk, with the assertions under which they were opened."""

    async def open_session(self, session: Session, assertion: bytes) -> Session:
        """Keep a session durably; one that is known is returned as it stands, also when it was closed.

        Raises:
            NotDurable: nothing was kept.
        """

    async def close_session(self, assertion_digest: bytes, officer: str, now: datetime) -> Session:
        """Close a session that is known, durably and for every worker; the first closing stands.

        Raises:
            NotDurable: nothing was changed.
        """

    def session(self, assertion_digest: bytes) -> Session | None:
        """Give a session as it stands now, whichever worker changed it."""

    def sessions(self, agency: str, officer: str, limit: int) -> tuple[Session, ...]:
        """Give an agency's sessions, the newest first; of one officer, where one is named."""


class SubmissionBook(Protocol):
    """What waits for a second officer at this member's desk, or has waited."""

    async def submit(self, submission: Submission, body: bytes) -> Submission:
        """Keep a submission with what was handed in; one that is known is returned as it stands.

        Raises:
            NotDurable: nothing was kept.
        """

    async def decide(
        self, submission_id: bytes, state: SubmissionState, *, officer: str, signed: bytes, now: datetime
    ) -> bool:
        """Approve or refuse what still waits, and keep what was signed; say whether this call did.

        Of many calls one does.

        Raises:
            NotDurable: nothing was changed.
        """

    async def finish(
        self, submission_id: bytes, state: SubmissionState, *, reason: RefusalReason | None, answer: bytes
    ) -> None:
        """Say what became of an approved submission, and keep the answer (bytes of AskMembersResponse).

        Raises:
            NotDurable: nothing was changed.
        """

    def submission(self, agency: str, submission_id: bytes) -> Submission | None:
        """Give a submission of an agency as it stands now."""

    def submission_bodies(self, submission_id: bytes) -> tuple[bytes, bytes]:
        """Give what was handed in and the answer; empty for what there is none of, or was deleted."""

    def submissions(self, agency: str, limit: int) -> tuple[Submission, ...]:
        """Give what an agency handed in, the newest first."""


class ConsentBook(Protocol):
    """The keys and authorisations of the subjects whose home the member is; appended, never edited.

    Reads see what was committed by any worker. What is counted is counted inside the transaction.
    """

    def key(self, key_id: str) -> KeptKey | None:
        """Give an enrolled key."""

    def keys(self, uscc: str) -> tuple[SubjectKey, ...]:
        """Give a subject's keys, oldest first."""

    def consents(self, uscc: str) -> tuple[HeldConsent, ...]:
        """Give a subject's authorisations as they stand, oldest first."""

    async def enrol(
        self, kept: KeptKey, digest: bytes, evidence: bytes, *, approved_by: str, limit: int
    ) -> tuple[SubjectKey, ...]:
        """Keep a key and the envelope that enrols it, and enter it in the ledger (duty U28).

        Gives the keys that the subject had before. The same envelope again changes nothing.

        Raises:
            ConsentRefused: KEY_COPIED when the key is enrolled; TOO_MANY beyond that many keys that have not ended.
            NotDurable: nothing was kept.
        """

    async def revoke(
        self, revocation: KeyRevocation, digest: bytes, evidence: bytes, *, approved_by: str, now: datetime
    ) -> SubjectKey:
        """End a key of a subject now, and enter it in the ledger; one that has ended stays as it is (duty U28).

        `approved_by` is empty where the key ends itself.

        Raises:
            ConsentRefused: AUTHORISATION_UNKNOWN when the subject has no such key.
            NotDurable: nothing was changed.
        """

    async def give(self, consent: Consent, digest: bytes, evidence: bytes, *, limit: int, now: datetime) -> HeldConsent:
        """Keep an authorisation and the envelope that gives it; the same envelope again changes nothing.

        Raises:
            Replayed: when the id stands for another one.
            ConsentRefused: AUTHORISATION_WITHDRAWN when it was withdrawn; TOO_MANY beyond that many in force.
            NotDurable: nothing was kept.
        """

    async def withdraw(self, withdrawal: Withdrawal, evidence: bytes, now: datetime) -> HeldConsent:
        """End an authorisation of a subject now; one that was withdrawn stays as it is.

        Raises:
            ConsentRefused: AUTHORISATION_UNKNOWN when the subject has no such authorisation.
            NotDurable: nothing was changed.
        """

    async def take(self, authorisation_id: bytes, use_id: bytes, digest: bytes, now: datetime) -> bool:
        """Take one use of an authorisation for a request; say whether there was one, or whether it was taken before.

        A use id is bound to the digest of its request. Nothing is taken of one that was withdrawn.

        Raises:
            NotDurable: nothing was taken.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One question about a subject, as this member holds it: asked of it, by one of its agencies elsewhere, or
    previewed by the subject itself.
    """

    side: AccessSide
    other_member: str
    time: datetime
    agency: str
    officer_role: str
    purpose: str
    application_item: str
    kind: str
    fields: tuple[str, ...]
    outcome: str
    question_id: bytes
    entry: int | None
    """Number of the ledger's entry; None for what is older than the ledger."""

    key_id: str = ""
    """Of a subject's own preview, the key that signed it."""

    delayed: bool = False
    """Whether two officers delay that the subject is shown it, today (duty U29)."""


class AccessBook(Protocol):
    """Who asked about a subject, and what is delayed of it."""

    def of_subject(self, uscc: str, first: date, last: date, today: date) -> tuple[Access, ...]:
        """Give the questions and the subject's own previews of some civil days, oldest first."""

    def shown(self, access: Access) -> AccessEntry:
        """Give an entry as its subject is shown it, with its event and the proof from the ledger's head as it is now.

        Raises:
            NotDurable: when the ledger is damaged.
        """

    async def note(self, digest: bytes, member: str, now: datetime) -> None:
        """Enter in the ledger that a member's subject reads: before anything leaves.

        Raises:
            NotDurable: nothing was entered, and nothing may leave.
        """

    async def preview(self, own: Access, uscc: str, digest: bytes, limits: Limits) -> None:
        """Keep a subject's preview and enter it in the ledger: before anything leaves. The same one again is one.

        Raises:
            BudgetSpent: when the subject, or the member that vouches for it, has had its number of this civil day;
                nothing was kept.
            NotDurable: nothing was kept, and nothing may leave.
        """

    async def delay(self, order: DelayOrder, digest: bytes, evidence: bytes, now: datetime) -> None:
        """Keep a delay and enter it in the ledger; the same order again changes nothing.

        Raises:
            Replayed: when the id stands for another order.
            NotDurable: nothing was kept.
        """
