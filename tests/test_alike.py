"""Values that differ in their code: written and read as `wire` does, byte for byte and refusal for refusal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from bundles import NOW, intent_of, plot
from hypothesis import given
from hypothesis import strategies as st
from worlds_tables import FOREIGN_USCC, SHANGHAI, USCC

from gateway import alike, wire
from gateway.model.answer import Item, LinkedCode, ListingLine, SummaryItem
from gateway.model.codes import ItemState, Lifecycle, LinkKind, OutcomeState, ResultState
from gateway.model.combined import CombinedResult, MemberOutcome, MemberState, SubjectResult
from gateway.model.question import Body, NamedSubject, Question, QuestionHeader, SummaryQuestion

LISTED = SummaryItem(listings=(ListingLine(line_ref=bytes(16), list_type="TAX_SEVERE", domain="TAX"),))
LINKED = (LinkedCode(uscc=FOREIGN_USCC, kind=LinkKind.SUCCESSOR),)
CODES = st.sampled_from([USCC, FOREIGN_USCC, "", "x", "é" * 9, "长三角信用"])
ITEMS = st.builds(
    Item,
    uscc=CODES,
    state=st.sampled_from(ItemState),
    registered_here=st.booleans(),
    lifecycle=st.none() | st.sampled_from(Lifecycle),
    linked_codes=st.sampled_from([(), LINKED]),
    name_match=st.none() | st.booleans(),
    body=st.sampled_from([None, SummaryItem(), LISTED]),
)
SUBJECTS = st.builds(
    SubjectResult,
    uscc=CODES,
    state=st.sampled_from(ResultState),
    marks=st.lists(st.sampled_from(ResultState), max_size=2).map(tuple),
    members=st.sampled_from([(), (MemberState(member=SHANGHAI, state=ResultState.FOUND),)]),
)
RESULT = CombinedResult(
    intent_digest=bytes(32), asker_member=SHANGHAI, agency="a", purpose="p", application_item="i", agreement_id="g",
    kind="summary", combine_time=NOW, members=(MemberOutcome(member=SHANGHAI, state=OutcomeState.ANSWERED),),
    subjects=(),
)  # fmt: skip
HEADER = QuestionHeader(
    question_id=bytes(16), suite="S", asker_member=SHANGHAI, asker_agency="a", officer="o",
    officer_assertion_digest=bytes(32), answerer_member=SHANGHAI, asked_time=NOW, expire_time=NOW, purpose="p",
    application_item="i" * 64, agreement_id="g" * 64, pair_sequence=1, bundle_version=1,
)  # fmt: skip


def read(decode: Any, *arguments: Any) -> Any:
    """Give what is read, or that it is refused."""
    try:
        return decode(*arguments)
    except wire.WireMalformed:
        return "refused"


@given(st.lists(ITEMS, max_size=8))
def test_items_are_written_and_read_as_one_by_one(items: list[Item]) -> None:
    """The bytes are those of `wire.encode`, and what is read from them is equal."""
    payloads = [wire.encode(each) for each in items]
    assert alike.encode_all(items) == payloads
    assert alike.decode_all(Item, payloads) == tuple(items)


@given(st.lists(SUBJECTS, max_size=8))
def test_a_result_is_written_and_read_whole(subjects: list[SubjectResult]) -> None:
    """A result with many subjects has the bytes that it always had, and reads the same."""
    for digest in (b"", b"d" * 32):
        result = replace(RESULT, subjects=tuple(subjects), officer_assertion_digest=digest)
        assert alike.encode_result(result) == wire.encode(result)
        assert alike.decode_result(wire.encode(result)) == result


@given(
    st.sampled_from([wire.encode(Item(uscc=USCC, state=ItemState.FOUND, body=LISTED)), b"\n\x12" + b"A" * 18]),
    st.binary(max_size=24),
)
def test_torn_and_strange_items_are_read_as_one_by_one(whole: bytes, more: bytes) -> None:
    """Whatever stands behind a code, the short cut reads it exactly as `wire.decode` does, twice."""
    for payload in (whole + more, whole[: len(more)], more, more + whole):
        one = read(wire.decode, Item, payload)
        both = read(alike.decode_all, Item, [payload, payload])
        assert both == ("refused" if one == "refused" else (one, one))


def test_a_second_code_in_an_item_is_not_carried_over() -> None:
    """A tail that sets the code again decides its own item, and no other that shares the tail."""
    tail = wire.encode(Item(uscc=USCC, state=ItemState.FOUND))
    payloads = [b"\n\x12" + code.encode() + tail for code in (FOREIGN_USCC, USCC)]
    assert [each.uscc for each in alike.decode_all(Item, payloads)] == [USCC, USCC]


def test_a_code_that_is_no_text_is_refused() -> None:
    """Eighteen bytes that are no UTF-8 are as malformed here as elsewhere."""
    with pytest.raises(wire.WireMalformed):
        alike.decode_all(Item, [b"\n\x12" + b"\xff" * 18 + wire.encode(Item(state=ItemState.FOUND))])


ODD = [
    b"",
    b"\x5a",
    b"\x5a\xff\xff\xff\xff\xff\x01",
    b"\x5a\x05a",
    b"\x08\x01",
    b"\xff\xff\xff\xff\xff\xff",
    b"\x9a\x06\x00",
    wire.encode(SubjectResult(uscc=USCC, state=ResultState.FOUND)),
]
LATE = b"\xda\x00" + bytes([22]) + wire.encode(SubjectResult(uscc=USCC, state=ResultState.FOUND))


@given(st.sampled_from([*ODD, LATE]) | st.binary(max_size=12), st.sampled_from([*ODD, LATE]) | st.binary(max_size=12))
def test_a_strange_result_is_read_as_at_once(before: bytes, behind: bytes) -> None:
    """Torn, repeated, overlong and unknown fields before or behind a result read as `wire.decode` reads them."""
    for payload in (before + wire.encode(RESULT) + behind, before + behind):
        assert read(alike.decode_result, payload) == read(wire.decode, CombinedResult, payload)


def questions() -> list[Question]:
    """Questions to two members about the same, and one about something else."""
    body = intent_of(plot("summary")).body
    assert isinstance(body, SummaryQuestion)
    other = replace(body, subjects=(NamedSubject(uscc=FOREIGN_USCC),))
    again = replace(HEADER, answerer_member="320000", pair_sequence=2)
    return [Question(header=HEADER, body=body), Question(header=again, body=body), Question(header=again, body=other)]


def test_questions_of_one_body_share_it() -> None:
    """A body is written once and read once; the bytes and the values are those of each question alone."""
    asked = questions()
    payloads = [wire.encode(each) for each in asked]
    body = alike.encode_body(asked[0])
    assert [alike.encode_question(each.header, body) for each in asked[:2]] == payloads[:2]
    kept: dict[bytes, Body] = {}
    found = [alike.decode_question(each, kept) for each in payloads]
    assert found == asked
    assert found[0].body is found[1].body
    assert len(kept) == 2


@given(st.sampled_from(ODD) | st.binary(max_size=12), st.sampled_from(ODD) | st.binary(max_size=12))
def test_a_strange_question_is_read_as_at_once(before: bytes, behind: bytes) -> None:
    """What does not stand in two fields, header and body, is read at once; a body read before changes nothing."""
    kept: dict[bytes, Body] = {}
    whole = wire.encode(questions()[0])
    alike.decode_question(whole, kept)
    header = alike.encode_question(HEADER, b"")
    for payload in (before + whole + behind, header + header + whole, header + behind, before + whole[len(header) :]):
        assert read(alike.decode_question, payload, kept) == read(wire.decode, Question, payload)
