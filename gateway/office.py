"""What an asking node has at hand for its agencies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from gateway.answering import Member
from gateway.books import CaseBook, SessionBook
from gateway.charter import Charter
from gateway.errors import Refused
from gateway.event import Event
from gateway.exchange.session import Bearer, open_assertion
from gateway.fetching import Fetching
from gateway.model.codes import RefusalReason
from gateway.ports import AskerLog, Journal
from keys.envelope import Envelope
from keys.suite import Signer


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """What an asking node has at hand; `charter` and `signer` may change between questions."""

    charter: Callable[[], Charter]
    signer: Callable[[], Signer]
    clock: Callable[[], datetime]
    entropy: Callable[[int], bytes]
    member: Callable[[str], Member | None]
    log: AskerLog
    cases: CaseBook
    sessions: SessionBook
    journal: Journal
    observe: Callable[[Event], None]
    fetching: Fetching | None = None

    def bearer(self, assertion: Envelope | None, agency: str, charter: Charter, now: datetime) -> Bearer | None:
        """Give the session under whose assertion a request comes; None where the officer's own key signs.

        Raises:
            Refused: with the reason; KEY_NOT_VALID for a session that was never opened here, or was closed.
        """
        if assertion is None:
            return None
        found = open_assertion(assertion, agency, charter, now)[1]
        held = self.sessions.session(found.digest)
        if held is None or held.close_time is not None:
            raise Refused(RefusalReason.KEY_NOT_VALID)
        return found
