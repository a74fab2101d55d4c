"""Monthly statements of this member and a partner: made out of what was compared, signed by both, entered by both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway import wire
from gateway.charter import Charter
from gateway.errors import Refused
from gateway.ledger import statement as statements
from gateway.ledger.errors import LedgerError, StatementInvalid
from gateway.ledger.tally import NOTHING, Tally
from gateway.model.codes import RefusalReason
from gateway.model.reconciliation import PairSummary, SignStatementResponse, Statement
from gateway.months import Month
from gateway.reconciliations import RemotePairs
from keys.envelope import Envelope, sign
from keys.suite import Signer
from nodes.store.reconciliations import Pair, Reconciliations

SIGN_SECONDS = 30.0


class NotCompared(LedgerError):
    """A month cannot be stated: one of the two has not compared all of it yet."""


class Disagreed(LedgerError):
    """The partner has found something else; `own` is what it would have signed."""

    def __init__(self, own: Statement) -> None:
        """Keep what the partner says."""
        super().__init__("the partner's ledger says another month")
        self.own = own


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements:
    """Signs on the member's behalf; the key and the charter may change between statements."""

    charter: Callable[[], Charter]
    clock: Callable[[], datetime]
    signer: Callable[[], Signer]
    kept: Reconciliations

    def own(self, partner: str, month: Month) -> Statement:
        """Say what this member's comparisons found of a month.

        Raises:
            NotCompared: when a day of it was not compared yet.
        """
        pairs = statements.directions((self.charter().me, partner))
        return Statement(
            members=pairs[0],
            month=month.text,
            issued_time=self.clock().replace(microsecond=0),
            pairs=tuple(self._summary(pair, month) for pair in pairs),
        )

    async def countersign(self, statement: Envelope, peer: str) -> SignStatementResponse:
        """Sign a peer's statement where it is what this member would have said; as `reconciliations.Signatory`."""
        now, limits = self.clock(), self.charter().catalogue.limits
        try:
            found = statements.open_statement(statement, self.charter().directory, (peer,), now)
            month = Month.read(found.month)
        except (StatementInvalid, ValueError) as error:
            raise Refused(RefusalReason.BAD_SIGNATURE) from error
        if set(found.members) != {self.charter().me, peer}:
            raise Refused(RefusalReason.WRONG_AUDIENCE)
        if abs(found.issued_time - now) > timedelta(seconds=limits.intent_age):
            raise Refused(RefusalReason.EXPIRED)
        try:
            own = self.own(peer, month)
        except NotCompared:
            return SignStatementResponse()
        if not statements.agree(own, found):
            return SignStatementResponse(own=own)
        held = self.held(peer, month)
        if held is None or not statements.agree(own, wire.decode(Statement, held.payload)):
            held = statements.countersign(statement, self.signer())
            await self.kept.enter(peer, month, held, now)
        return SignStatementResponse(statement=held)

    async def sign_with(self, partner: RemotePairs, member: str, month: Month) -> Envelope:
        """Have a month signed by both; a statement that both signed before and that still holds is given again.

        Raises:
            NotCompared: when one of the two has not compared all of it.
            Disagreed: when the partner has found something else.
            StatementInvalid: when what came back is not the statement signed by both.
            Unavailable, Refused, NotDurable, KeysError: as named there.
        """
        own = self.own(member, month)
        signed = sign(statements.PAYLOAD_TYPE, wire.encode(own), self.signer())
        answer = await partner.sign(signed, SIGN_SECONDS)
        if answer.own is not None:
            raise Disagreed(answer.own)
        if answer.statement is None:
            raise NotCompared("the partner has not compared the month yet; try again tomorrow")
        found = statements.open_statement(answer.statement, self.charter().directory, own.members, None)
        if not statements.agree(own, found):
            raise StatementInvalid("the partner sent another statement back; ask its operator")
        if self.held(member, month) != answer.statement:
            await self.kept.enter(member, month, answer.statement, self.clock())
        return answer.statement

    def held(self, partner: str, month: Month) -> Envelope | None:
        """Give the statement that both signed last."""
        body = self.kept.read.statement(partner, month.text)
        return None if body is None else wire.decode(Envelope, body)

    def _summary(self, pair: Pair, month: Month) -> PairSummary:
        newest = self.kept.read.newest(pair)
        if newest is None or newest.day < month.last or (newest.day == month.last and newest.time is None):
            raise NotCompared(f"{month.text} is not compared to its end; wait for the node to do it")
        days = self.kept.read.days(pair, month.first, month.last)
        tally = Tally(
            answered=sum(each.tally.answered for each in days),
            refused=sum(each.tally.refused for each in days),
            void=sum(each.tally.void for each in days),
            digest=days[-1].tally.digest if days else NOTHING,
        )
        findings = self.kept.read.findings(month.first, month.last)
        numbers = (days[0].first, days[-1].next - 1) if days else (1, 0)
        return statements.summary(pair, numbers, tally, [each.finding for each in findings if each.pair == pair])
