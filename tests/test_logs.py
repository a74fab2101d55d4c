"""Log lines carry named keys only, and nothing shaped like a subject, a person or a secret gets out."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from gateway.event import ALARMING, Event
from gateway.model.codes import RefusalReason
from nodes import logs
from nodes.logs import REDACTED, scrub

USCC = "91310000XX00000017"
PERSON = "310101199001011237"
PEM = "-----BEGIN " + "CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Set up logging into memory and give what was written, line by line."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    stream = io.StringIO()
    logs.configure(stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_is_one_json_object(lines: Lines) -> None:
    """An exchange is one line with its names, a level and a time in UTC."""
    question = "0123456789abcdef0123456789abcdef"
    structlog.get_logger().info("exchange", question_id=question, outcome="ANSWERED", duration_ms=1.5, peer="320000")
    (line,) = lines()
    assert line.pop("timestamp").endswith("Z")
    expected = {"event": "exchange", "question_id": question, "outcome": "ANSWERED"}
    assert line == expected | {"duration_ms": 1.5, "peer": "320000", "level": "info"}


@pytest.mark.parametrize("reason", [each.value for each in RefusalReason])
def test_what_no_honest_peer_meets_is_an_alarm(lines: Lines, reason: str) -> None:
    """Bytes that were stripped, swapped, renamed or sent again warn; what an honest peer may meet does not."""
    event = Event(
        side="answer", peer="320000", kind="", outcome="REFUSED", reason=reason, question_id="", seconds=0.1
    )  # fmt: skip
    logs.tell_alarm(structlog.get_logger(), event)
    told = [(line["event"], line["level"], line["reason"]) for line in lines()]
    assert told == ([("exchange_alarm", "warning", reason)] if reason in ALARMING else [])
    assert {"BAD_SIGNATURE", "WRONG_TYPE", "WRONG_AUDIENCE", "REPLAYED"} == ALARMING


def test_unknown_keys_are_dropped(lines: Lines) -> None:
    """A key that nobody listed does not reach the line, whatever it holds."""
    structlog.get_logger().info("exchange", uscc=USCC, payload=b"bytes", name="某公司")
    assert [sorted(line) for line in lines()] == [["event", "level", "timestamp"]]


PLANTED = {
    "code": USCC,
    "lower": USCC.lower(),
    "full-width": "".join(chr(ord(each) + 0xFEE0) for each in USCC),
    "in-chinese": f"主体{USCC}不存在",
    "person": PERSON,
    "person-spaced": "310101 19900101 123X",
    "person-15": "310101900101123",
    "pem": PEM,
    "torn-pem": PEM[:40],
    "base64": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "hex": "ab" * 20,
}


@pytest.mark.parametrize("key", ["event", "error", "path", "peer", "reason"])
@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_what_looks_like_a_secret_is_blanked(lines: Lines, key: str, planted: str) -> None:
    """A marker in any listed key is replaced, alone and inside other text."""
    for text in (planted, f"before {planted}, after"):
        structlog.get_logger().info(**{"event": "e", key: text})
    written = [str(line[key]) for line in lines()]
    assert [planted in text for text in written] == [False, False]
    assert [REDACTED in text for text in written] == [True, True]


def test_other_types_are_scrubbed_too(lines: Lines) -> None:
    """Numbers, bytes and containers give nothing away either."""
    for value in (int(PERSON), b"bytes", [USCC], {"a": USCC}):
        structlog.get_logger().info("e", count=value)
    written = [str(line["count"]) for line in lines()]
    assert [REDACTED in text and USCC not in text and PERSON not in text for text in written] == [True] * 4


def test_plain_words_pass() -> None:
    """Ordinary values are left alone: ids of questions, members, codes of reasons, short paths."""
    words = ("0123456789abcdef" * 2, "310000", "SUBJECT_KIND_CLOSED", "bundle_rejected", "127.0.0.1:50051")
    assert [scrub(word) for word in words] == list(words)


def test_a_long_path_stays_readable(lines: Lines) -> None:
    """Slashes make a path look like base64; its parts are judged one by one."""
    path = "/srv/yrdx/members/shanghai/state/current/directory/latest"
    structlog.get_logger().info("e", path=path)
    assert [line["path"] for line in lines()] == [path]


def test_an_exception_gives_its_class_only(lines: Lines) -> None:
    """Neither text nor traceback of an exception is written, by us or by other packages."""
    try:
        int(USCC)
    except ValueError:
        structlog.get_logger().exception("failed")
        logging.getLogger("other").exception("failed too")
    assert [line.get("error") for line in lines()] == ["ValueError", "ValueError"]
    assert USCC not in str(lines())


def test_other_packages_lines_take_the_same_form(lines: Lines) -> None:
    """The standard library's warnings come as JSON, scrubbed; its chatter does not come."""
    logging.getLogger("grpc").warning("peer sent %s", USCC)
    logging.getLogger("grpc").info("chatter")
    (line,) = lines()
    line.pop("timestamp")
    assert line == {"event": f"peer sent {REDACTED}", "level": "warning", "logger": "grpc"}


@given(st.text(max_size=30), st.text("0123456789ABCDEFGHJKLMNPQRTUWXY", min_size=18, max_size=18), st.text(max_size=30))
def test_no_code_between_any_text_survives(before: str, code: str, after: str) -> None:
    """A code that stands apart from other letters and digits never passes."""
    assert code not in scrub(f"{before} {code} {after}")
