"""The mapping between the model and the wire: complete, strict, and the same in both directions."""

from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import carriers, wire
from gateway.exchange.release import size_class
from gateway.limits import SIZE_CLASSES
from gateway.model import (
    accounts,
    answer,
    codes,
    combined,
    consent,
    evidence,
    ledger,
    question,
    reconciliation,
    sealed,
    witness,
)
from keys.envelope import Envelope, Signature
from yrdx.exchange.v1 import exchange_pb2, kinds_pb2, question_pb2

TIME = datetime(2026, 11, 21, 1, 2, 3, 456789, tzinfo=UTC)
TYPES = [
    each
    for module in (question, answer, combined, accounts, sealed, ledger, reconciliation, witness, evidence)
    for each in vars(module).values()
    if is_dataclass(each) and isinstance(each, type) and each.__module__ == module.__name__
]
ENUMS = [each for each in vars(codes).values() if isinstance(each, type) and each is not Enum]


def names(kind: type) -> set[str]:
    """Name the fields of a message, a oneof once."""
    descriptor = wire.message_class(kind.__name__).DESCRIPTOR
    return {
        each.containing_oneof.name
        if each.containing_oneof is not None and not each.containing_oneof.name.startswith("_")
        else each.name
        for each in descriptor.fields
    }


@pytest.mark.parametrize("kind", TYPES, ids=lambda each: each.__name__)
def test_every_type_has_the_fields_of_its_message(kind: Any) -> None:
    """A type of the model and the message of its name have the same fields, so that nothing is dropped."""
    assert {each.name for each in fields(kind)} == names(kind)


@pytest.mark.parametrize("kind", ENUMS, ids=lambda each: each.__name__)
def test_every_code_list_has_the_values_of_its_enum(kind: Any) -> None:
    """A code list and the wire's enum of its name hold the same values, apart from UNSPECIFIED."""
    file = next(each for each in wire._FILES if hasattr(each, kind.__name__))
    values = getattr(file, kind.__name__).DESCRIPTOR.values
    prefix = values[0].name.removesuffix("UNSPECIFIED")
    assert [each.name.removeprefix(prefix) for each in values[1:]] == [each.value for each in kind]


def strategy(kind: Any) -> st.SearchStrategy[Any]:
    """Build any value of a type of the model."""
    return st.builds(kind, **{name: hint_strategy(hint) for name, hint in get_type_hints(kind).items()})


def hint_strategy(hint: Any) -> st.SearchStrategy[Any]:
    """Build any value of an annotation."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is tuple:
        return st.lists(hint_strategy(inner[0]), max_size=2).map(tuple)
    if inner:
        return st.one_of([st.none() if each is type(None) else hint_strategy(each) for each in inner])
    if hint is Envelope:
        return st.just(Envelope(payload_type="t", payload=b"p", signatures=(Signature(key_id="k", signature=b"s"),)))
    if is_dataclass(hint):
        return strategy(hint)
    if hint is datetime:
        return st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  bounds are naive
    simple: dict[Any, st.SearchStrategy[Any]] = {
        str: st.text(max_size=5),
        bytes: st.binary(max_size=5),
        int: st.integers(0, 2**31 - 1),
        bool: st.booleans(),
    }
    return simple[hint] if hint in simple else st.sampled_from(hint)


@pytest.mark.parametrize("kind", [question.Question, answer.Answer, answer.Item, answer.Refusal, combined.Intent,
                                  combined.CombinedResult, combined.Recognition, question.Authorisation,
                                  consent.Attestation, consent.HeldConsent, consent.StatusRequest, ledger.LedgerEvent,
                                  ledger.LedgerPrivate, evidence.CaseListing, evidence.EvidenceStatement],
                         ids=lambda each: each.__name__)  # fmt: skip
def test_every_value_survives_the_wire(kind: Any) -> None:
    """Whatever the model can hold is read back equal from its bytes."""

    @settings(max_examples=25, deadline=None)
    @given(strategy(kind))
    def survives(value: object) -> None:
        assert wire.decode(kind, wire.encode(value)) == value

    survives()


def sample() -> question.Question:
    """Give a question."""
    header = question.QuestionHeader(
        question_id=b"q" * 16, suite="YRDX-INT-1", asker_member="310000", asker_agency="a", officer="a/o",
        officer_assertion_digest=b"d" * 32, answerer_member="320000", asked_time=TIME, expire_time=TIME,
        purpose="P", application_item="I", agreement_id="G", pair_sequence=1, bundle_version=1,
    )  # fmt: skip
    return question.Question(header=header, body=question.ProbeQuestion(text="x"))


def test_truncated_bytes_are_malformed() -> None:
    """Bytes cut anywhere that do not parse as the same message are refused, never half read."""
    payload = wire.encode(sample())
    for cut in range(1, len(payload)):
        try:
            assert wire.decode(question.Question, payload[:cut]) != sample()
        except wire.WireMalformed:
            continue


@pytest.mark.parametrize("depth", ["top", "nested"])
def test_an_unknown_field_is_malformed_at_any_depth(depth: str) -> None:
    """A field that this version does not know is refused, so that no new restriction is overlooked."""
    extra = b"\xf2\x7d\x01x"  # field 2014, one byte
    message = question_pb2.Question.FromString(wire.encode(sample()))
    if depth == "top":
        payload = message.SerializeToString() + extra
    else:
        message.header.MergeFromString(extra)
        payload = message.SerializeToString()
    with pytest.raises(wire.WireMalformed):
        wire.decode(question.Question, payload)


def test_an_unknown_enum_number_is_malformed() -> None:
    """A number that names no value is refused instead of being read as something else."""
    message = kinds_pb2.DomainVerdict(domain="TAX", verdict=99)  # type: ignore[arg-type]
    with pytest.raises(wire.WireMalformed):
        wire.decode(answer.DomainVerdict, message.SerializeToString())


@pytest.mark.parametrize("missing", ["header", "body", "time"])
def test_a_missing_part_is_malformed(missing: str) -> None:
    """A question without its header, its body or a time is refused."""
    message = question_pb2.Question.FromString(wire.encode(sample()))
    if missing == "time":
        message.header.ClearField("asked_time")
    else:
        message.ClearField("header" if missing == "header" else "probe")
    with pytest.raises(wire.WireMalformed):
        wire.decode(question.Question, message.SerializeToString())


def test_a_response_fills_its_size_class_exactly() -> None:
    """Whatever the size of an answer, the bytes that leave are exactly of a class, wherever the ledger stands."""
    proofs = [
        ledger.Receipt(
            leaf_index=2**hashes - 1, inclusion_hashes=(bytes(32),) * hashes, checkpoint=bytes(240),
            shared_salt=bytes(16), private_hash=bytes(32),
        )
        for hashes in (0, 1, 20, 63)
    ]  # fmt: skip
    envelope = Envelope(payload_type="t", payload=b"p", signatures=(Signature(key_id="k", signature=b"s"),))
    for items in ([bytes(size)] for size in (*range(600, 1_200), *range(3_900, 4_100), 16_300, 65_000)):
        kept = carriers.write_response(envelope, items)
        sizes = {len(carriers.complete_response(kept, proof, size_class)) for proof in proofs}
        assert len(sizes) == 1
        assert sizes < set(SIZE_CLASSES)


@given(st.integers(2, 300_000))
def test_padding_takes_exactly_the_room_there_is(room: int) -> None:
    """Any room from two bytes up is filled to the byte."""
    message = exchange_pb2.AskResponse(padding=carriers._padding(room))
    assert message.ByteSize() == room


@pytest.mark.parametrize("nanos", [-1, 1_000_000_000])
def test_a_time_outside_its_second_is_malformed(nanos: int) -> None:
    """A timestamp whose fraction is no fraction is refused, not carried over."""
    message = question_pb2.Question.FromString(wire.encode(sample()))
    message.header.asked_time.nanos = nanos
    with pytest.raises(wire.WireMalformed):
        wire.decode(question.Question, message.SerializeToString())
