"""Two members in one process who ask each other, each with a store and a ledger of its own, and compare at will."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path

from bundles import SIGNERS, charter_of, signed_directory
from receipts import LOGGERS
from stores import KEY, NOW, digest, exchange, rows, signed

from gateway.errors import Unavailable
from gateway.ledger.reconciliation import Difference, Side
from gateway.model.reconciliation import ListPairEntriesRequest, ListPairEntriesResponse, SignStatementResponse
from gateway.model.signed import Reply, Signed
from gateway.months import Month
from gateway.ports import Closing
from keys.envelope import Envelope
from nodes.reconciling import Means, Reconciling
from nodes.statements import Statements
from nodes.store import Scribe, Store
from nodes.store.pairs import Pairs

ASKER, ANSWERER = "320000", "310000"
PAIR = (ASKER, ANSWERER)
TOMORROW = NOW + timedelta(days=1)
Named = tuple[Difference, int, Side | None]


@dataclass(kw_only=True)
class Party:
    """A member with its store."""

    member: str
    path: Path
    store: Store = field(init=False)

    def __post_init__(self) -> None:
        """Open the store."""
        scribe = Scribe(member=self.member, signer=lambda: LOGGERS[self.member])
        self.store = Store.open(self.path, KEY, scribe)

    def change(self, *statements: str) -> None:
        """Change the database from outside, as an operator could."""
        for statement in statements:
            rows(self.path, statement)


@dataclass(kw_only=True)
class Line:
    """What reaches a partner; a test cuts it, or bends what comes back. Stands in for `RemotePairs`."""

    to: Party
    calls: int = 0
    fails_after: int | None = None
    signatory: Statements | None = None
    bend_answer: Callable[[SignStatementResponse], SignStatementResponse] | None = None
    bend: Callable[[ListPairEntriesResponse], ListPairEntriesResponse] | None = None

    async def entries(self, request: ListPairEntriesRequest, seconds: float) -> ListPairEntriesResponse:
        """List the partner's entries."""
        assert seconds > 0
        self.calls += 1
        if self.fails_after is not None and self.calls > self.fails_after:
            raise Unavailable("UNAVAILABLE")
        found = await Pairs(self.to.path, self.to.member).entries(request)
        return found if self.bend is None else self.bend(found)

    async def sign(self, statement: Envelope, seconds: float) -> SignStatementResponse:
        """Have the partner sign, as its door would for this member."""
        assert seconds > 0
        assert self.signatory is not None
        found = await self.signatory.countersign(statement, PAIR[PAIR.index(self.to.member) - 1])
        return found if self.bend_answer is None else self.bend_answer(found)


@dataclass(kw_only=True)
class Two:
    """Jiangsu asks Shanghai. Time stands where a test puts it."""

    folder: Path
    now: datetime = NOW
    numbers: int = 0

    def __post_init__(self) -> None:
        """Open both."""
        self.parties = {each: Party(member=each, path=self.folder / each / "node.db") for each in PAIR}
        self.lines = {each: Line(to=self.parties[other]) for each, other in (PAIR, PAIR[::-1])}
        self.jobs = {each: self.job(each) for each in PAIR}
        self.desks = {each: self.desk(each) for each in PAIR}
        for each, other in (PAIR, PAIR[::-1]):
            self.lines[each].signatory = self.desks[other]

    def job(self, member: str) -> Reconciling:
        """Begin to reconcile anew, as a node that starts does."""
        charter, line = charter_of(member, signed_directory()), self.lines[member]
        means = Means(
            charter=lambda: charter,
            clock=lambda: self.now,
            book=Pairs(self.parties[member].path, member),
            kept=self.parties[member].store.reconciliations,
            partner=lambda each: line if each in PAIR else None,  # type: ignore[arg-type, return-value]
            leads=lambda: True,
        )
        return Reconciling(means)

    def desk(self, member: str) -> Statements:
        """Give what signs statements for a member."""
        charter = charter_of(member, signed_directory())
        return Statements(
            charter=lambda: charter,
            clock=lambda: self.now,
            signer=lambda: SIGNERS[member],
            kept=self.parties[member].store.reconciliations,
        )

    async def stated(self, member: str, month: Month) -> Envelope:
        """Have a member's month signed by its partner too."""
        line, partner = self.lines[member], self.lines[member].to.member
        return await self.desks[member].sign_with(line, partner, month)  # type: ignore[arg-type]

    async def ask(
        self, *, at: datetime | None = None, lost: str = "", later: timedelta = timedelta(), entered: str = "answer"
    ) -> int:
        """Ask a question that is answered, or of which the question or the reply is lost; give its number."""
        self.numbers += 1
        number, time = self.numbers, at or self.now
        asker, answerer = (self.parties[each].store for each in PAIR)

        def compose(_: str, given: int) -> Signed:
            return signed(number, given, asked=time)

        (sent,) = await asker.asker.open((ANSWERER,), compose)
        header = sent.question.header
        if lost != "question":
            received = replace(
                exchange(number),
                question=sent.question,
                question_digest=sent.digest,
                received_time=time + later,
                reply_digest=digest(entered, number),
            )
            await answerer.journal.commit(received)
        await asker.asker.conclude(
            (_closing(sent, number, lost),), agency="a", purpose="p", case_reference="", application_item="i",
            result=b"", result_digest=bytes(32), issued=(), now=time + later,
        )  # fmt: skip
        return header.pair_sequence

    async def reconcile(self, *members: str, at: datetime = TOMORROW) -> None:
        """Let a day pass, and members compare."""
        self.now = at
        for each in members or PAIR:
            await self.jobs[each].round()

    def found(self, member: str) -> list[Named]:
        """Name what a member found of the questions of Jiangsu to Shanghai."""
        every = self.parties[member].store.reconciliations.read.findings(date.min, date.max)
        found = [each.finding for each in every if each.pair == PAIR]
        return [(each.difference, each.pair_sequence, each.lacking) for each in found]

    def close(self) -> None:
        """Close both."""
        for each in self.parties.values():
            each.store.close()


def _closing(sent: Signed, number: int, lost: str) -> Closing:
    reply = None if lost else Reply(payload=b"answer")
    return Closing(
        question_id=sent.question.header.question_id,
        outcome="VOID" if lost else "ANSWERED",
        digest=b"" if lost else digest("answer", number),
        reply=reply,
        reason="UNAVAILABLE" if lost else "",
    )
