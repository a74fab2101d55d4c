"""A number that another member names counts with the question of that number, which its asker signed, and not else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from bundles import SIGNERS, charter_of, signed_directory
from hypothesis import given
from hypothesis import strategies as st
from ledgers import JIANGSU, SHANGHAI, ZHEJIANG
from receipts import LOGGERS
from stores import NOW
from witnesses import QUESTION, asking

from gateway.ledger.errors import NumberUnproven
from gateway.ledger.numbers import Pair, proven
from gateway.model.witness import GetHeadResponse
from keys import moments, suite
from keys.envelope import Envelope, sign

GOOD = asking(7)
STRANGER = suite.signer(b"z" * 32, owner=SHANGHAI)
UNPROVEN: dict[str, tuple[int, Envelope | None, str]] = {
    "no question": (7, None, "without its question"),
    "a higher number": (8, GOOD, "of another number"),
    "a lower number": (6, GOOD, "of another number"),
    "the last number there is": ((1 << 64) - 1, GOOD, "of another number"),
    "another member's question": (7, asking(7, ZHEJIANG), "another member signed"),
    "a question that the member made up": (7, asking(7, SHANGHAI, JIANGSU, SIGNERS[JIANGSU]), "another member signed"),
    "a question in another's name": (7, asking(7, ZHEJIANG, JIANGSU, SIGNERS[SHANGHAI]), "of another pair"),
    "a question to another": (7, asking(7, SHANGHAI, ZHEJIANG), "of another pair"),
    "a second signer": (
        7, asking(7, SHANGHAI, JIANGSU, SIGNERS[SHANGHAI], SIGNERS[JIANGSU]), "another member signed",
    ),
    "a forged signature": (
        7, replace(GOOD, signatures=(replace(GOOD.signatures[0], signature=bytes(64)),)), "SignatureInvalid",
    ),
    "another's signature": (7, replace(GOOD, signatures=asking(8).signatures), "SignatureInvalid"),
    "an unknown key": (7, asking(7, SHANGHAI, JIANGSU, STRANGER), "KeyUnknown"),
    "a key of another use": (7, asking(7, SHANGHAI, JIANGSU, LOGGERS[SHANGHAI]), "KeyNotValid"),
    "a time before the key": (7, asking(7, asked=NOW - timedelta(days=365)), "KeyNotValid"),
    "another type": (7, sign("application/x-other", GOOD.payload, SIGNERS[SHANGHAI]), "WrongPayloadType"),
    "no message": (7, sign(QUESTION, b"\xff", SIGNERS[SHANGHAI]), "WireMalformed"),
}  # fmt: skip


def pair(edit: Callable[[dict[str, Any]], None] | None = None) -> Pair:
    """Give Shanghai's questions to Jiangsu."""
    return Pair(directory=charter_of(SHANGHAI, signed_directory(edit)).directory, asker=SHANGHAI, answerer=JIANGSU)


PAIR = pair()


@pytest.mark.parametrize("case", UNPROVEN)
def test_a_number_without_its_question_does_not_count(case: str) -> None:
    """Whatever is not the asker's own question to this member with this number is named for what it is."""
    number, question, wrong = UNPROVEN[case]
    with pytest.raises(NumberUnproven, match=wrong):
        proven(GetHeadResponse(pair_number=number, pair_question=question), PAIR)


@given(st.integers(1, (1 << 63) - 1), st.integers(0, (1 << 64) - 1))
def test_a_number_is_that_of_the_question(signed: int, claimed: int) -> None:
    """A question proves the number in it, and never another one."""
    question = asking(signed)
    assert proven(GetHeadResponse(pair_number=signed, pair_question=question), PAIR) == signed
    if claimed not in {0, signed}:
        with pytest.raises(NumberUnproven):
            proven(GetHeadResponse(pair_number=claimed, pair_question=question), PAIR)


def test_no_number_is_none() -> None:
    """Who has taken nothing names 0; a question beside it says nothing."""
    assert proven(GetHeadResponse(), PAIR) == 0
    assert proven(GetHeadResponse(pair_question=GOOD), PAIR) == 0


@pytest.mark.parametrize(("ended", "counts"), [(timedelta(seconds=1), True), (timedelta(0), False)])
def test_a_key_that_ended_since_has_still_signed(ended: timedelta, counts: bool) -> None:  # noqa: FBT001  a column
    """The key counts as it did when the question was asked; from its revocation on it proves nothing."""

    def revoke(found: dict[str, Any]) -> None:
        row = next(each for each in found["members"] if each["id"] == SHANGHAI)
        row["keys"][0]["revoked_time"] = moments.write(NOW + ended)

    response = GetHeadResponse(pair_number=7, pair_question=GOOD)
    if counts:
        assert proven(response, pair(revoke)) == 7
    else:
        with pytest.raises(NumberUnproven, match="KeyNotValid"):
            proven(response, pair(revoke))
