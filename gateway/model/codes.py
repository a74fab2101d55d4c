"""Code lists of the exchange: each name is the wire's enum value without its prefix."""

from enum import Enum


class SignatureClass(Enum):
    """How a consent was signed by its subject."""

    SUBJECT_KEY = "SUBJECT_KEY"
    E_LICENCE = "E_LICENCE"
    ATTESTED_SCAN = "ATTESTED_SCAN"


class AuthorisationStatus(Enum):
    """State of a consent."""

    IN_FORCE = "IN_FORCE"
    WITHDRAWN = "WITHDRAWN"


class KeyRole(Enum):
    """What a subject's key may sign."""

    VIEW = "VIEW"
    CONSENT = "CONSENT"
    OBJECT = "OBJECT"


class AccessSide(Enum):
    """Which of a question's two members holds an entry of who asked; OWN of what the subject previewed itself."""

    ANSWERED = "ANSWERED"
    ASKED = "ASKED"
    OWN = "OWN"


class AccessState(Enum):
    """What became of a request for who asked."""

    ANSWERED = "ANSWERED"
    UNAVAILABLE = "UNAVAILABLE"
    REFUSED = "REFUSED"


class ConsentReason(Enum):
    """Why what a subject hands in is not taken, where no reason for a question says it."""

    SUBJECT_NOT_REGISTERED = "SUBJECT_NOT_REGISTERED"
    SEAL_NOT_CONFIGURED = "SEAL_NOT_CONFIGURED"
    KEY_WEAK = "KEY_WEAK"
    KEY_COPIED = "KEY_COPIED"
    KEY_ROLE_MISSING = "KEY_ROLE_MISSING"
    AUTHORISATION_UNKNOWN = "AUTHORISATION_UNKNOWN"
    AUTHORISATION_WITHDRAWN = "AUTHORISATION_WITHDRAWN"
    TOO_MANY = "TOO_MANY"


class BundleStage(Enum):
    """How current a bundle is that something was decided by."""

    NORMAL = "NORMAL"
    DEGRADED = "DEGRADED"


class Window(Enum):
    """Fixed windows in calendar months; free ranges would allow differencing."""

    M12 = "M12"
    M24 = "M24"
    M36 = "M36"
    M60 = "M60"


class CountBand(Enum):
    """Count bands."""

    ZERO = "ZERO"
    ONE = "ONE"
    TWO_TO_FOUR = "TWO_TO_FOUR"
    FIVE_TO_NINE = "FIVE_TO_NINE"
    TEN_OR_MORE = "TEN_OR_MORE"


class Severity(Enum):
    """Severity of a dishonest act, after the classes of the credit-repair rules."""

    MINOR = "MINOR"
    GENERAL = "GENERAL"
    SERIOUS = "SERIOUS"


class SchemeKind(Enum):
    """Sort of a rating scheme."""

    COMPREHENSIVE = "COMPREHENSIVE"
    INDUSTRY = "INDUSTRY"
    EXTERNAL = "EXTERNAL"


class RatingStatus(Enum):
    """State of a rating."""

    CURRENT = "CURRENT"
    DISPUTED = "DISPUTED"


class Grade(Enum):
    """Canonical grade, A the best."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"


class Verdict(Enum):
    """Verdict of kind `no_violation`."""

    NONE_TO_REPORT = "NONE_TO_REPORT"
    HAS = "HAS"
    HAS_REPAIRED = "HAS_REPAIRED"
    PARTIAL = "PARTIAL"
    NOT_COVERED = "NOT_COVERED"


class ItemState(Enum):
    """State of an item."""

    FOUND = "FOUND"
    NOT_FOUND = "NOT_FOUND"
    NOT_COVERED = "NOT_COVERED"


class CoverageState(Enum):
    """Completeness of one domain's data."""

    COMPLETE = "COMPLETE"
    PARTIAL = "PARTIAL"
    NOT_COVERED = "NOT_COVERED"


class WithheldReason(Enum):
    """What withheld a field."""

    PURPOSE = "PURPOSE"
    DATA_ITEM = "DATA_ITEM"
    AGREEMENT = "AGREEMENT"


class Lifecycle(Enum):
    """Life-cycle of a subject."""

    ACTIVE = "ACTIVE"
    REVOKED = "REVOKED"
    DEREGISTERED = "DEREGISTERED"
    MIGRATED = "MIGRATED"
    MERGED = "MERGED"


class LinkKind(Enum):
    """How two codes are linked."""

    PREDECESSOR = "PREDECESSOR"
    SUCCESSOR = "SUCCESSOR"
    BRANCH_OF = "BRANCH_OF"


class RefusalReason(Enum):
    """Why a question was refused; the reason in google.rpc.ErrorInfo is the name without its prefix."""

    MALFORMED = "MALFORMED"
    TOO_LARGE = "TOO_LARGE"
    WRONG_TYPE = "WRONG_TYPE"
    UNKNOWN_MEMBER = "UNKNOWN_MEMBER"
    KEY_NOT_VALID = "KEY_NOT_VALID"
    BAD_SIGNATURE = "BAD_SIGNATURE"
    WRONG_AUDIENCE = "WRONG_AUDIENCE"
    EXPIRED = "EXPIRED"
    REPLAYED = "REPLAYED"
    UNKNOWN_KIND = "UNKNOWN_KIND"
    PURPOSE_NOT_ALLOWED = "PURPOSE_NOT_ALLOWED"
    AGENCY_NOT_ALLOWED = "AGENCY_NOT_ALLOWED"
    ITEM_NOT_PUBLISHED = "ITEM_NOT_PUBLISHED"
    CASE_MISSING = "CASE_MISSING"
    SECOND_OFFICER_NEEDED = "SECOND_OFFICER_NEEDED"
    NO_AGREEMENT = "NO_AGREEMENT"
    NOT_IN_SCOPE = "NOT_IN_SCOPE"
    AUTHORISATION_MISSING = "AUTHORISATION_MISSING"
    BUDGET_EXHAUSTED = "BUDGET_EXHAUSTED"
    BAD_SUBJECT = "BAD_SUBJECT"
    SUBJECT_KIND_CLOSED = "SUBJECT_KIND_CLOSED"
    SUSPENDED = "SUSPENDED"
    STALE_BUNDLE = "STALE_BUNDLE"
    OVERLOADED = "OVERLOADED"
    NOT_DURABLE = "NOT_DURABLE"


class OutcomeState(Enum):
    """What became of a question to one member."""

    ANSWERED = "ANSWERED"
    REFUSED = "REFUSED"
    UNAVAILABLE = "UNAVAILABLE"
    WRONG_ANSWER = "WRONG_ANSWER"


class SubmissionState(Enum):
    """What became of what was handed in for a second officer's approval."""

    WAITING = "WAITING"
    APPROVED = "APPROVED"
    DONE = "DONE"
    FAILED = "FAILED"
    REFUSED = "REFUSED"
    EXPIRED = "EXPIRED"


class ResultState(Enum):
    """States of a combined result."""

    FOUND = "FOUND"
    NOT_FOUND = "NOT_FOUND"
    NOT_COVERED = "NOT_COVERED"
    INCOMPLETE = "INCOMPLETE"
    UNAVAILABLE = "UNAVAILABLE"
    REFUSED = "REFUSED"
    SUBJECT_UNCONFIRMED = "SUBJECT_UNCONFIRMED"
    HOME_OUTSIDE_FEDERATION = "HOME_OUTSIDE_FEDERATION"
    NAME_MISMATCH = "NAME_MISMATCH"
    NOT_IN_SCOPE = "NOT_IN_SCOPE"
    REVIEW = "REVIEW"
    PROVISIONAL = "PROVISIONAL"


class RecognitionState(Enum):
    """States of a recognition attempt."""

    RECOGNISED = "RECOGNISED"
    PROVISIONAL = "PROVISIONAL"
    REVIEW = "REVIEW"
    NOT_IN_SCOPE = "NOT_IN_SCOPE"
    NOT_RATED = "NOT_RATED"
    SUBJECT_UNCONFIRMED = "SUBJECT_UNCONFIRMED"


class RecognitionStatus(Enum):
    """State of an issued recognition."""

    VALID = "VALID"
    SUSPENDED = "SUSPENDED"
    REVOKED = "REVOKED"


class MarkKind(Enum):
    """What may become of an answer since: replaced, recalled by its origin, objected to by its subject."""

    SUPERSEDED = "SUPERSEDED"
    RECALLED = "RECALLED"
    DISPUTED = "DISPUTED"


class ExportState(Enum):
    """What became of an order for evidence."""

    EXPORTED = "EXPORTED"
    UNKNOWN_RESULT = "UNKNOWN_RESULT"
    DELETED = "DELETED"
    SEALED = "SEALED"
    NOT_WITNESSED = "NOT_WITNESSED"


class LedgerEventKind(Enum):
    """What an entry of a ledger says happened."""

    ASKED = "ASKED"
    ANSWERED = "ANSWERED"
    REFUSED = "REFUSED"
    ACCEPTED = "ACCEPTED"
    FAILED = "FAILED"
    VOID = "VOID"
    CONCLUDED = "CONCLUDED"
    ADMINISTERED = "ADMINISTERED"
    OPENED = "OPENED"
    RECONCILED = "RECONCILED"
