"""Running numbers that another member says it has taken: each counts with the very question, which its asker signed.

A bare number is a word that anybody may say, and would close its asker's node, or use up its numbers (threat 23).
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway import carriers, wire
from gateway.ledger.errors import NumberUnproven
from gateway.model.question import Question, QuestionHeader
from gateway.model.witness import GetHeadResponse
from keys.directory import Directory
from keys.envelope import Envelope, open_envelope
from keys.errors import KeysError

_TYPE = wire.PAYLOAD_TYPES[Question]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Whose questions to whom, and the directory that lists the keys under which they were signed."""

    directory: Directory
    asker: str
    answerer: str


def proven(response: GetHeadResponse, pair: Pair) -> int:
    """Give the number that a response proves with its question, 0 where it names none.

    A key counts as it did when the question was asked: one that ended since has still signed it.

    Raises:
        NumberUnproven: naming what is wrong with the question.
    """
    if not response.pair_number:
        return 0
    if response.pair_question is None:
        raise _wrong("came without its question")
    header = _signed(response.pair_question, pair)
    if (header.asker_member, header.answerer_member) != (pair.asker, pair.answerer):
        raise _wrong("came with a question of another pair")
    if header.pair_sequence != response.pair_number:
        raise _wrong("came with the question of another number")
    return header.pair_sequence


def _signed(question: Envelope, pair: Pair) -> QuestionHeader:
    """Open a question that the asker alone has signed."""
    try:
        header = carriers.read_header(question)
        opened = open_envelope(
            question,
            payload_type=_TYPE,
            find=lambda key_id: pair.directory.key(key_id, use="sign", at=header.asked_time),
        )
    except (wire.WireMalformed, KeysError) as error:
        raise _wrong(f"came with a question that does not count ({type(error).__name__})") from error
    if {pair.directory.key_owner(each) for each in opened.key_ids} != {pair.asker}:
        raise _wrong("came with a question that another member signed")
    return header


def _wrong(what: str) -> NumberUnproven:
    return NumberUnproven(f"a number {what} and does not count; ask the member that named it to look at its journal")
