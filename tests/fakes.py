"""The ports in memory, written once: what a test controls is the facts, the clock, and when a store fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from bundles import SIGNERS, Rows, entropy
from receipts import receipt

from gateway.accounts import Accounts
from gateway.answering import Answering, Node
from gateway.asking import Asking
from gateway.cases import Cases
from gateway.charter import Charter
from gateway.errors import BudgetSpent, NotDurable, Replayed, Unavailable
from gateway.event import Event
from gateway.exchange.release import Home
from gateway.federation import LocalMember
from gateway.model.accounts import Session, Submission
from gateway.model.codes import RefusalReason, SubmissionState
from gateway.model.combined import Case
from gateway.model.consent import HeldConsent
from gateway.model.signed import Reply, Signed
from gateway.office import Office
from gateway.ports import Closing, Columns, Exchange, Facts, Feed, Issued, Kept

Key = tuple[str, str, date]


@dataclass(kw_only=True)
class FakeSource:
    """Facts by subject and table; gives the columns asked for and no other, and remembers what was asked."""

    rows: Mapping[str, Rows] = field(default_factory=dict)
    declared: tuple[Feed, ...] = ()
    asked: list[tuple[tuple[str, ...], Columns]] = field(default_factory=list)

    def read(self, subjects: Sequence[str], columns: Columns) -> Facts:
        """Read."""
        self.asked.append((tuple(subjects), columns))
        found = {
            code: {table: [_only(row, columns[table]) for row in self.rows[code].get(table, ())] for table in columns}
            for code in subjects
            if code in self.rows
        }
        return Facts(version=1, rows=found)

    def feeds(self) -> tuple[Feed, ...]:
        """Give the declared feeds."""
        return self.declared


def _only(row: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: row[name] for name in (*names, "digest")}


@dataclass(kw_only=True)
class FakeJournal:
    """Claims, charges, disclosures and receipts; `failing` plays a full disk."""

    kept: list[Exchange] = field(default_factory=list)
    spent_on: dict[Key, set[str]] = field(default_factory=dict)
    failing: bool = False

    async def commit(self, exchange: Exchange) -> Kept:
        """Claim, charge and keep."""
        if self.failing:
            raise NotDurable("full")
        if exchange.question_id is not None:
            earlier = self.find(exchange.question_id, exchange.question_digest)
            if earlier is not None:
                return earlier
        if exchange.question is not None and not exchange.reply.refused:
            header = exchange.question.header
            spent = self.spent_on.setdefault((header.asker_agency, header.purpose, exchange.day), set())
            if len(spent | set(exchange.subjects)) > exchange.charge_limit and not spent >= set(exchange.subjects):
                raise BudgetSpent("spent")
            spent |= set(exchange.subjects)
        self.kept.append(exchange)
        return _kept(exchange)

    def find(self, question_id: bytes, question_digest: bytes) -> Kept | None:
        """Give the stored reply."""
        for each in self.kept:
            if each.question_id == question_id:
                if each.question_digest != question_digest:
                    raise Replayed("claimed")
                return _kept(each)
        return None

    def spent(self, *, agency: str, purpose: str, day: date, subjects: tuple[str, ...]) -> int:
        """Count."""
        return len(self.spent_on.get((agency, purpose, day), set()) | set(subjects))


def _kept(exchange: Exchange) -> Kept:
    if exchange.reply.refused or exchange.question is None:
        return Kept(reply=exchange.reply)
    proof = receipt(exchange.question.header, exchange.question_digest, exchange.reply_digest)
    return Kept(reply=exchange.reply, receipt=proof)


@dataclass(kw_only=True)
class FakeLog:
    """The asker's log; `failing` names the step at which the disk is full."""

    sent: list[Signed] = field(default_factory=list)
    closings: list[Closing] = field(default_factory=list)
    results: list[tuple[str, str, bytes]] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    issued: list[Issued] = field(default_factory=list)
    failing: str = ""

    async def open(self, members: tuple[str, ...], compose: Callable[[str, int], Signed]) -> tuple[Signed, ...]:
        """Assign numbers and keep."""
        if self.failing == "open":
            raise NotDurable("full")
        numbers = {
            member: 1 + sum(each.question.header.answerer_member == member for each in self.sent) for member in members
        }
        made = tuple(compose(member, number) for member, number in numbers.items())
        self.sent.extend(made)
        return made

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
        """Keep what came."""
        assert now.tzinfo is not None
        assert purpose
        assert len(result_digest) == 32
        self.items.append(application_item)
        if self.failing == "conclude":
            raise NotDurable("full")
        self.closings.extend(closings)
        self.results.append((agency, case_reference, result))
        self.issued.extend(issued)

    def current_recognition(self, *, uscc: str, agency: str, agreement_id: str) -> bytes:
        """Give the latest."""
        same = [
            each for each in self.issued if (each.uscc, each.agency, each.agreement_id) == (uscc, agency, agreement_id)
        ]
        return same[-1].recognition_id if same else b""


@dataclass(kw_only=True)
class FakeCases:
    """Cases and their results, on top of a log."""

    log: FakeLog
    held: dict[tuple[str, str], Case] = field(default_factory=dict)

    async def open_case(self, case: Case) -> Case:
        """Keep a case."""
        earlier = self.held.setdefault((case.agency, case.case_reference), case)
        if earlier != case:
            raise Replayed("exists")
        return earlier

    def case(self, agency: str, case_reference: str) -> Case | None:
        """Give a case."""
        return self.held.get((agency, case_reference))

    def results(self, agency: str, case_reference: str, *, after: int, limit: int) -> tuple[tuple[int, bytes], ...]:
        """Give results."""
        found = [
            (number, result)
            for number, (owner, reference, result) in enumerate(self.log.results, 1)
            if (owner, reference) == (agency, case_reference) and number > after
        ]
        return tuple(found[:limit])


@dataclass(kw_only=True)
class FakeSessions:
    """Sessions in memory; `failing` plays a full disk."""

    held: dict[bytes, Session] = field(default_factory=dict)
    failing: bool = False

    async def open_session(self, session: Session, assertion: bytes) -> Session:
        """Keep a session."""
        self._check(assertion)
        return self.held.setdefault(session.assertion_digest, session)

    async def close_session(self, assertion_digest: bytes, officer: str, now: datetime) -> Session:
        """Close a session."""
        self._check(assertion_digest)
        found = self.held[assertion_digest]
        if found.close_time is None:
            found = self.held[assertion_digest] = replace(found, close_time=now, closing_officer=officer)
        return found

    def session(self, assertion_digest: bytes) -> Session | None:
        """Give a session."""
        return self.held.get(assertion_digest)

    def sessions(self, agency: str, officer: str, limit: int) -> tuple[Session, ...]:
        """Give sessions."""
        found = [each for each in self.held.values() if each.agency == agency and officer in {"", each.officer}]
        return tuple(found[::-1][:limit])

    def _check(self, said: bytes) -> None:
        assert said
        if self.failing:
            raise NotDurable("full")


@dataclass(kw_only=True)
class FakeSubmissions:
    """What waits, in memory; `failing` names the step at which the disk is full."""

    held: dict[bytes, Submission] = field(default_factory=dict)
    bodies: dict[bytes, bytes] = field(default_factory=dict)
    answers: dict[bytes, bytes] = field(default_factory=dict)
    failing: str = ""

    async def submit(self, submission: Submission, body: bytes) -> Submission:
        """Keep a submission."""
        self._check("submit")
        self.bodies.setdefault(submission.submission_id, body)
        return self.held.setdefault(submission.submission_id, submission)

    async def decide(
        self, submission_id: bytes, state: SubmissionState, *, officer: str, signed: bytes, now: datetime
    ) -> bool:
        """Decide once."""
        self._check("decide")
        found = self.held[submission_id]
        if found.state is not SubmissionState.WAITING or now >= found.expire_time or not signed:
            return False
        self.held[submission_id] = replace(found, state=state, approving_officer=officer, decide_time=now)
        return True

    async def finish(
        self, submission_id: bytes, state: SubmissionState, *, reason: RefusalReason | None, answer: bytes
    ) -> None:
        """Say what became of it."""
        self._check("finish")
        self.held[submission_id] = replace(self.held[submission_id], state=state, reason=reason)
        self.answers[submission_id] = answer

    def submission(self, agency: str, submission_id: bytes) -> Submission | None:
        """Give one."""
        found = self.held.get(submission_id)
        return found if found is not None and found.agency == agency else None

    def submission_bodies(self, submission_id: bytes) -> tuple[bytes, bytes]:
        """Give its bodies."""
        return self.bodies.get(submission_id, b""), self.answers.get(submission_id, b"")

    def submissions(self, agency: str, limit: int) -> tuple[Submission, ...]:
        """Give an agency's."""
        return tuple([each for each in self.held.values() if each.agency == agency][::-1][:limit])

    def _check(self, step: str) -> None:
        if self.failing == step:
            raise NotDurable("full")


class DeadMember:
    """A member that never answers; counts how often it was asked."""

    def __init__(self) -> None:
        """Start unasked."""
        self.asked: list[bytes] = []

    async def ask(self, request: bytes, seconds: float) -> Reply:
        """Fail as a transport does."""
        assert seconds > 0
        self.asked.append(request)
        raise Unavailable("UNAVAILABLE")


@dataclass(kw_only=True)
class FakeNode:
    """One member in memory: its ports, its events, and the two services on them."""

    charter: Charter
    now: datetime
    source: FakeSource = field(default_factory=FakeSource)
    journal: FakeJournal = field(default_factory=FakeJournal)
    log: FakeLog = field(default_factory=FakeLog)
    events: list[Event] = field(default_factory=list)
    others: dict[str, Any] = field(default_factory=dict)
    ticks: float = 0.0
    consents: Callable[[str], tuple[HeldConsent, ...]] = lambda _: ()

    def __post_init__(self) -> None:
        """Build the services."""
        self.book = FakeCases(log=self.log)
        self.answering = Answering(
            Node(
                charter=lambda: self.charter,
                signer=lambda: SIGNERS[self.charter.me],
                clock=lambda: self.now,
                ticks=lambda: self.ticks,
                source=self.source,
                journal=self.journal,
                home=Home(entropy=entropy, name_digest=lambda code, name: f"{code}{name}".encode()),
                consents=lambda code: self.consents(code),  # noqa: PLW0108  a test may put another there later
                observe=self.events.append,
            )
        )
        self.sessions, self.submissions = FakeSessions(), FakeSubmissions()
        office = Office(
            charter=lambda: self.charter,
            signer=lambda: SIGNERS[self.charter.me],
            clock=lambda: self.now,
            entropy=entropy,
            member=self.member,
            log=self.log,
            cases=self.book,
            sessions=self.sessions,
            journal=self.journal,
            observe=self.events.append,
        )
        self.asking, self.cases = Asking(office), Cases(office)
        self.accounts = Accounts(office, self.asking, self.submissions)

    def member(self, member: str) -> Any:
        """Give a member as this node reaches it: others know it by its certificate, here by its id."""
        if member in self.others and not isinstance(self.others[member], FakeNode):
            return self.others[member]
        node = self if member == self.charter.me else self.others.get(member)
        return None if node is None else LocalMember(node.answering, self.charter.me)
