"""What time it is: the system's clock, or for tests on loopback a file that says so."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from keys import moments


class Clock(Protocol):
    """Tells the time; safe from any thread."""

    def now(self) -> datetime:
        """Give the current time, aware, in UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemClock:
    """The system's clock."""

    def now(self) -> datetime:
        """Give the current time, aware, in UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileClock:
    """A file that holds a fixed time (RFC 3339, final Z) or the seconds to add to the system's clock.

    It is read at every call, so that a test moves the time of a node that runs.
    """

    path: Path

    def now(self) -> datetime:
        """Give the time that the file says, aware, in UTC.

        Raises:
            ValueError: when the file holds neither form.
            OSError: when it cannot be read.
        """
        text = self.path.read_text(encoding="ascii").strip()
        try:
            return datetime.now(UTC) + timedelta(seconds=float(text))
        except (ValueError, OverflowError):
            return moments.read(text)


def open_clock(path: Path | None) -> Clock:
    """Give the file's clock, or the system's when there is no path."""
    return SystemClock() if path is None else FileClock(path=path)
