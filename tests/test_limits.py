"""The named limits: defaults, what a directory may set, and what it may not."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from gateway.errors import CatalogueMalformed
from gateway.exchange.release import size_class
from gateway.exchange.sealing import FRAME_BYTES, OUTER_BYTES
from gateway.limits import ANSWER_BYTES, SIZE_CLASSES, Limits
from gateway.server import MESSAGE_BYTES
from keys.seal import OVERHEAD

NAMES = [each.name for each in fields(Limits)]


def test_nothing_set_gives_the_defaults() -> None:
    """A directory without limits leaves every default."""
    assert Limits.from_section({}) == Limits(
        question_bytes=65_536, subjects=1_000, question_life=60, clock_skew=30, deadline=5,
        attempts=3, in_flight=256, intent_age=300, authorisations=100, recognition_months=12, case_subjects=1_000_000,
        leave_hours=24, manifest_files=1_000, inbox_bytes=64 << 30,
    )  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_each_limit_may_be_set_alone(name: str) -> None:
    """One limit is set and the others stay; one is the least."""
    assert Limits.from_section({name: 1}) == replace(Limits(), **{name: 1})


@pytest.mark.parametrize("value", [0, -1, 1.5, 1.0, "1", True, None, [1]], ids=repr)
@pytest.mark.parametrize("name", [NAMES[0], NAMES[-1]])
def test_a_limit_is_a_positive_whole_number(name: str, value: Any) -> None:
    """Zero, less, a fraction, a text, a flag and nothing are no limits; the text names the place."""
    with pytest.raises(CatalogueMalformed) as malformed:
        Limits.from_section({"subjects": 5, name: value})
    assert str(malformed.value) == f"limits.{name}: no such limit, or not a positive whole number"


def test_no_directory_allows_an_answer_that_no_message_holds() -> None:
    """What could be charged and not sent is refused with the directory."""
    assert Limits.from_section({"answer_bytes": ANSWER_BYTES}) == Limits()
    with pytest.raises(CatalogueMalformed, match=r"^limits\.answer_bytes: more than one message holds"):
        Limits.from_section({"answer_bytes": ANSWER_BYTES + 1})
    assert size_class(ANSWER_BYTES) + FRAME_BYTES + OVERHEAD + OUTER_BYTES <= MESSAGE_BYTES


@pytest.mark.parametrize("name", ["", "subject", "Subjects", "SIZE_CLASSES"])
def test_an_unknown_limit_is_refused(name: str) -> None:
    """A limit that nothing reads is a mistake, and is named."""
    with pytest.raises(CatalogueMalformed, match=rf"^limits\.{name}: no such limit"):
        Limits.from_section({name: 1})


def test_size_classes_grow_fourfold() -> None:
    """The classes go from 1 KiB to 1 MiB, each four times the one before."""
    assert [each // 1024 for each in SIZE_CLASSES] == [1, 4, 16, 64, 256, 1024]
