"""Why a file was refused as a whole."""

from collections.abc import Mapping
from enum import Enum

from gateway.errors import GatewayError


class Fault(Enum):
    """Why a whole file was refused."""

    UNREADABLE = "UNREADABLE"
    NOT_TEXT = "NOT_TEXT"
    NOT_CSV = "NOT_CSV"
    NOT_XLSX = "NOT_XLSX"
    UNSAFE_XLSX = "UNSAFE_XLSX"
    MORE_SHEETS = "MORE_SHEETS"
    TOO_LARGE = "TOO_LARGE"
    LINE_TOO_LONG = "LINE_TOO_LONG"
    CELL_TOO_LONG = "CELL_TOO_LONG"
    TOO_MANY_COLUMNS = "TOO_MANY_COLUMNS"
    NO_HEADER = "NO_HEADER"
    EMPTY_COLUMN = "EMPTY_COLUMN"
    DUPLICATE_COLUMN = "DUPLICATE_COLUMN"
    WRONG_WIDTH = "WRONG_WIDTH"
    MISSING_COLUMN = "MISSING_COLUMN"
    UNKNOWN_COLUMN = "UNKNOWN_COLUMN"
    UNCLEAN_COLUMN = "UNCLEAN_COLUMN"
    WITHDRAWS_TOO_MUCH = "WITHDRAWS_TOO_MUCH"
    NO_FAMILY = "NO_FAMILY"
    NO_FEED = "NO_FEED"
    FUTURE_DATA_THROUGH = "FUTURE_DATA_THROUGH"
    NO_FILE = "NO_FILE"
    LOADED_BEFORE = "LOADED_BEFORE"
    UNEXPECTED = "UNEXPECTED"
    SNAPSHOT_IN_PARTS = "SNAPSHOT_IN_PARTS"
    OTHER_DIGEST = "OTHER_DIGEST"
    OTHER_ROWS = "OTHER_ROWS"
    LEAVE_UNREADABLE = "LEAVE_UNREADABLE"
    LEAVE_SIGNER = "LEAVE_SIGNER"
    LEAVE_ROLE = "LEAVE_ROLE"
    LEAVE_EXPIRED = "LEAVE_EXPIRED"
    LEAVE_OTHER_FILE = "LEAVE_OTHER_FILE"
    LEAVE_EXCEEDED = "LEAVE_EXCEEDED"


class FileRefused(GatewayError):
    """A file is refused and nothing of it was used; `arguments` say where, never what stood there."""

    def __init__(self, fault: Fault, **arguments: object) -> None:
        """Keep the fault and where it is."""
        named = "".join(f" {name}={value}" for name, value in arguments.items())
        super().__init__(fault.value + named)
        self.fault = fault
        self.arguments: Mapping[str, object] = arguments
