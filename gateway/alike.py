"""Reads and writes many values that differ in little but their code: what is equal is worked out once.

The bytes are those that `gateway.wire` writes, and what it refuses is refused. A field stands where it was
written, so that bytes are taken apart and put together field by field; nothing is remembered between two calls.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import fields, replace
from functools import cache, partial
from operator import attrgetter
from typing import Any, TypeVar, cast

from gateway import wire
from gateway.model.combined import CombinedResult, SubjectResult
from gateway.model.question import Body, Question, QuestionHeader

T = TypeVar("T")
_CODE = b"\n\x12"
"""Tag and length of a code: field 1 of Item and SubjectResult, 18 bytes."""
_TAIL = 2 + 18
_NUMBER, _BYTES = 0, 2
"""Wire types of fields of numbers and of bytes."""
_STAGE = 2
"""Size of CombinedResult.bundle_stage (13), the last field; it is always there."""
_HEADER, _SUBJECT, _ASSERTION = 0x0A, 0x5A, 0x62
"""Tags of Question.header (1), CombinedResult.subjects (11) and .officer_assertion_digest (12)."""


def rest(kind: Hashable) -> Callable[[Any], tuple[object, ...]]:
    """Give what reads all of a value but its code."""
    return _rest(kind)[1]


def shape(value: object) -> tuple[int, ...]:
    """Name all of a value but its code by identity, for as long as the value lives: equal shapes are equal values."""
    return tuple(map(id, rest(type(value))(value)))  # type: ignore[arg-type]  # types are hashable


def coded(value: T) -> Callable[[str], T]:
    """Give what makes the same value of another code."""
    kind = cast("Any", type(value))
    names, read = _rest(kind)
    made = partial(kind, **dict(zip(names, read(value), strict=True)))
    return lambda code: cast("T", made(uscc=code))


def encode_all(values: Sequence[Any]) -> list[bytes]:
    """Serialise values that have a code, each as `wire.encode` does."""
    kept: dict[tuple[int, ...], bytes] = {}
    found = []
    for value in values:
        code = value.uscc.encode()
        tail = kept.get(key := shape(value))
        if tail is None or len(code) + len(_CODE) != _TAIL:
            payload = wire.encode(value)
            if payload.startswith(_CODE):
                kept[key] = payload[_TAIL:]
        else:
            payload = _CODE + code + tail
        found.append(payload)
    return found


def decode_all(kind: type[T], payloads: Iterable[bytes]) -> tuple[T, ...]:
    """Parse values that have a code, each as `wire.decode` does.

    Raises:
        WireMalformed: as `wire.decode`.
    """
    kept: dict[bytes, Callable[[str], T] | None] = {}
    return tuple([_decode(kind, payload, kept) for payload in payloads])


def _decode(kind: type[T], payload: bytes, kept: dict[bytes, Callable[[str], T] | None]) -> T:
    tail, code = payload[_TAIL:], payload[len(_CODE) : _TAIL]
    if not payload.startswith(_CODE) or len(code) + len(_CODE) != _TAIL or not code.isascii():
        return wire.decode(kind, payload)
    if tail not in kept:
        value = wire.decode(kind, tail)
        # A tail with a code of its own would put it in the place of every other one.
        kept[tail] = None if cast("Any", value).uscc else coded(value)
    make = kept[tail]
    return wire.decode(kind, payload) if make is None else make(code.decode())


def encode_result(result: CombinedResult) -> bytes:
    """Serialise a combined result as `wire.encode` does."""
    digest = result.officer_assertion_digest
    head = wire.encode(replace(result, subjects=(), officer_assertion_digest=b""))
    between = _field(_ASSERTION, digest) if digest else b""
    subjects = b"".join(_field(_SUBJECT, each) for each in encode_all(result.subjects))
    return head[:-_STAGE] + subjects + between + head[-_STAGE:]


def decode_result(payload: bytes) -> CombinedResult:
    """Parse a combined result as `wire.decode` does.

    Raises:
        WireMalformed: as `wire.decode`.
    """
    head, subjects = [], []
    for tag, start, inner, end in _split(payload):
        if tag == _SUBJECT:
            subjects.append(payload[inner:end])
        else:
            head.append(payload[start:end])
    if not head:
        return wire.decode(CombinedResult, payload)
    result = wire.decode(CombinedResult, b"".join(head))
    return replace(result, subjects=decode_all(SubjectResult, subjects))


def encode_body(question: Question) -> bytes:
    """Serialise a question without its header."""
    header = _field(_HEADER, wire.encode(question.header))
    return wire.encode(question)[len(header) :]


def encode_question(header: QuestionHeader, body: bytes) -> bytes:
    """Serialise a question of a body that `encode_body` gave, as `wire.encode` does."""
    return _field(_HEADER, wire.encode(header)) + body


def decode_question(payload: bytes, kept: dict[bytes, Body]) -> Question:
    """Parse a question as `wire.decode` does; questions of the same bytes but the header share one body.

    Raises:
        WireMalformed: as `wire.decode`.
    """
    parts = _split(payload)
    if [tag == _HEADER for tag, *_ in parts] != [True, False]:
        return wire.decode(Question, payload)
    _, _, inner, end = parts[0]
    body = kept.get(payload[end:])
    if body is not None:
        return Question(header=wire.decode(QuestionHeader, payload[inner:end]), body=body)
    question = wire.decode(Question, payload)
    kept[payload[end:]] = question.body
    return question


@cache
def _rest(kind: Hashable) -> tuple[tuple[str, ...], Callable[[Any], tuple[object, ...]]]:
    names = tuple(each.name for each in fields(cast("type[Any]", kind)) if each.name != "uscc")
    return names, attrgetter(*names)


def _field(tag: int, payload: bytes) -> bytes:
    """Write a field of bytes: tag, length in sevens, and itself."""
    size, sevens = len(payload), bytearray()
    while size > 0x7F:  # noqa: PLR2004  seven bits
        sevens.append(size & 0x7F | 0x80)
        size >>= 7
    sevens.append(size)
    return bytes((tag, *sevens)) + payload


def _split(payload: bytes) -> list[tuple[int, int, int, int]]:
    """Find the fields of a message: tag, where each starts, where what it holds starts, and where it ends.

    Of a message that is torn or holds anything but fields of bytes and numbers none is given: no short cut is taken.
    """
    found: list[tuple[int, int, int, int]] = []
    end = 0
    while end < len(payload):
        start = end
        tag, place = _sevens(payload, start)
        size, inner = _sevens(payload, place)
        end = inner + size if tag & 7 == _BYTES else inner
        if tag & 7 not in {_NUMBER, _BYTES} or inner == place or end > len(payload):
            return []
        found.append((tag, start, inner, end))
    return found


def _sevens(payload: bytes, place: int) -> tuple[int, int]:
    """Read a number of at most five sevens of bits, and give where it ends: where it began, when it is none."""
    number = 0
    for shift, byte in enumerate(payload[place : place + 5]):
        number |= (byte & 0x7F) << 7 * shift
        if byte <= 0x7F:  # noqa: PLR2004  the last one
            return number, place + shift + 1
    return 0, place
