"""Clocks give aware UTC times; a file's clock is fixed or shifted, and follows its file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nodes.clock import FileClock, SystemClock, open_clock


def test_the_systems_clock_is_aware() -> None:
    """The system's time is in UTC."""
    before = datetime.now(UTC)
    assert before <= open_clock(None).now() <= datetime.now(UTC)
    assert open_clock(None) == SystemClock()


def test_a_fixed_time_is_followed(tmp_path: Path) -> None:
    """A file with an instant stands still until the file changes."""
    path = tmp_path / "clock"
    clock = open_clock(path)
    path.write_text("2026-12-31T16:30:00Z\n")
    first = [clock.now(), clock.now()]
    path.write_text("2027-01-01T00:00:00Z")
    new_year = datetime(2027, 1, 1, tzinfo=UTC)
    assert [*first, clock.now()] == [new_year - timedelta(hours=7, minutes=30)] * 2 + [new_year]


def test_an_offset_runs_with_the_system(tmp_path: Path) -> None:
    """A file with seconds shifts the system's time, backwards too."""
    path = tmp_path / "clock"
    path.write_text("-86400")
    low = datetime.now(UTC)
    shifted = FileClock(path=path).now()
    assert low <= shifted + timedelta(days=1) <= datetime.now(UTC)


@pytest.mark.parametrize("text", ["", "noon", "nan", "inf", "2026-01-01T00:00:00", "2026-01-01T00:00:00+08:00"])
def test_other_forms_are_refused(tmp_path: Path, text: str) -> None:
    """A time without Z, and anything else, is no clock."""
    path = tmp_path / "clock"
    path.write_text(text)
    with pytest.raises(ValueError, match="time"):
        FileClock(path=path).now()
