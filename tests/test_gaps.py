"""Gaps that the quorum states: which log counts, and what it follows."""

from __future__ import annotations

from typing import Any

import pytest
from ledgers import head

from gateway.errors import CatalogueMalformed
from gateway.gaps import Gap, current_log, digest_of, listed

ROW: dict[str, Any] = {
    "member": "310000", "log": 2, "follows": digest_of(head()).hex(), "size": 5, "kept": 3, "ground": "a disk was lost",
}  # fmt: skip


def test_the_last_log_that_was_listed_counts() -> None:
    """The first without a statement; another member's gap changes nothing."""
    gaps = (Gap(**ROW), Gap(**ROW | {"log": 3}), Gap(**ROW | {"member": "330000", "log": 9}))
    assert [current_log(gaps, each) for each in ("310000", "320000", "330000")] == [3, 1, 9]


def test_a_statement_is_of_one_member_log_and_head() -> None:
    """For anything else nobody has signed anything."""
    gap = Gap(**ROW)
    assert listed((gap,), "310000", 2, head()) == gap
    assert listed((gap,), "320000", 2, head()) is None
    assert listed((gap,), "310000", 3, head()) is None
    assert listed((gap,), "310000", 2, head(6)) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"log": 1}, {"follows": "AB" * 32}, {"follows": "ab"}, {"kept": 6}, {"kept": -1}, {"ground": ""},
    ],
    ids=str,
)  # fmt: skip
def test_a_statement_that_says_too_little_is_refused(wrong: dict[str, Any]) -> None:
    """A first log follows nothing, and nothing kept can be more than there was."""
    with pytest.raises(CatalogueMalformed, match="gaps 310000"):
        Gap(**ROW | wrong)
