"""Moments and days in the one form this project signs: UTC with a final Z, and plain calendar days.

It refuses naive times and other offsets, and never reads a clock.
"""

import re
from datetime import UTC, date, datetime, timedelta

_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def require_utc(moment: datetime) -> datetime:
    """Return the moment unchanged.

    Raises ValueError when it is naive or not in UTC: a caller's mistake, not a peer's.
    """
    if moment.utcoffset() != timedelta(0):
        raise ValueError("the time is not an aware UTC datetime; pass one made with datetime.now(UTC) or moments.read")
    return moment


def read(text: str) -> datetime:
    """Return the moment that an RFC 3339 text with a final Z names.

    Raises ValueError for any other form.
    """
    if _MOMENT.fullmatch(text) is None:
        raise ValueError("the time is not of the form 2026-01-31T08:00:00Z; write it in UTC with a final Z")
    return datetime.fromisoformat(text).astimezone(UTC)


def write(moment: datetime) -> str:
    """Return the RFC 3339 text with a final Z that `read` takes back to the same moment.

    Raises ValueError when the moment is not in UTC.
    """
    return require_utc(moment).replace(tzinfo=None).isoformat() + "Z"


def read_day(text: str) -> date:
    """Return the calendar day that a text such as 2026-01-31 names.

    Raises ValueError for any other form.
    """
    if _DAY.fullmatch(text) is None:
        raise ValueError("the day is not of the form 2026-01-31; write year, month and day in digits")
    return date.fromisoformat(text)
