"""Two families: a question that is refused, and an answer that cannot be accepted. Neither names a subject."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.model.codes import ConsentReason, RefusalReason


class GatewayError(Exception):
    """Root of this package's errors."""


class CatalogueMalformed(GatewayError):
    """The directory's tables of policy contradict themselves or miss a row; the text names the place."""


class CalendarMissing(GatewayError):
    """A legal day cannot be computed: the working days of a year are not in the directory; the text names it."""


class Refused(GatewayError):
    """A question is refused for one machine reason (protocol section 3); nothing about the subject is said."""

    def __init__(self, reason: RefusalReason) -> None:
        """Keep the reason; it is the whole text."""
        super().__init__(reason.value)
        self.reason = reason


class ConsentRefused(GatewayError):
    """A subject's key or authorisation is not taken for one machine reason; nothing about the subject is said."""

    def __init__(self, reason: ConsentReason) -> None:
        """Keep the reason; it is the whole text."""
        super().__init__(reason.value)
        self.reason = reason


class AnswerRejected(GatewayError):
    """An answer does not verify against its question; the text names the check that failed."""


class Unavailable(GatewayError):
    """A member could not be reached in time; the text is the transport's status name."""


class NotDurable(GatewayError):
    """The store could not make a transaction durable; nothing may leave."""


class Replayed(GatewayError):
    """The question id was claimed with other bytes, or the pair's number by another question."""


class BudgetSpent(GatewayError):
    """The agency's distinct subjects for this purpose and day are used up."""
