"""Log lines: one JSON object each, on stderr; named keys only, and nothing shaped like a subject or a secret.

Nobody may log a subject, a value, a key or a payload. This is the last line of defence, not a licence.
"""

import json
import logging
import re
import sys
import unicodedata
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

from gateway.event import ALARMING, Event

REDACTED = "[redacted]"
KEYS = frozenset(
    {"event", "level", "timestamp", "logger", "side", "peer", "kind", "outcome", "reason", "question_id"}
    | {"duration_ms", "member", "port", "version", "worker", "count", "path", "error", "feed", "fault"}
    | {"signal", "seconds", "place", "problem", "role", "have", "need", "stops", "alarm", "who"}
)

_LONGEST = 500
_EDGE, _END = r"(?<![0-9A-Za-z])", r"(?![0-9A-Za-z])"
_SHAPES = re.compile(
    r"-----BEGIN.*?(?:-----END[^-]*-----|\Z)"  # a PEM block, whole or torn
    rf"|{_EDGE}[0-9A-HJ-NPQRTUWXY]{{18}}{_END}"  # a unified social credit code; resident IDs share its shape
    rf"|{_EDGE}[0-9](?:[ \-]?[0-9]){{14}}{_END}"  # a resident ID of 15 digits, or a registration number
    rf"|{_EDGE}[0-9](?:[ \-]?[0-9]){{16}}[ \-]?[0-9X]{_END}",
    re.DOTALL | re.IGNORECASE,
)
_RUN = re.compile(r"[A-Za-z0-9+/_=-]{40,}")  # 30 bytes and more in base64, 20 in hexadecimal
_PATH_RUN = re.compile(r"[A-Za-z0-9+_=-]{40,}")


def configure(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Set up structlog and the standard library's root logger; call it once, when the process starts."""
    target = stream or sys.stderr
    structlog.configure(
        processors=[structlog.processors.add_log_level, _name_error, _stamp, _keep_known, _scrub_all, _render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Writer(target),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(_Foreign())
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)


def tell_alarm(log: Any, event: Event) -> None:  # noqa: ANN401  structlog's loggers have no type of their own
    """Warn of a refusal that an honest peer never meets."""
    if event.reason in ALARMING:
        log.warning("exchange_alarm", side=event.side, peer=event.peer, reason=event.reason)


@lru_cache(maxsize=1_024)
def scrub(text: str) -> str:
    """Blank out whatever is shaped like a code, a resident ID, a PEM block or a long encoded run."""
    return _RUN.sub(REDACTED, _scrub_shapes(text))[:_LONGEST]


def _scrub_shapes(text: str) -> str:
    # Full-width digits and letters are folded first: they spell the same code.
    return _SHAPES.sub(REDACTED, unicodedata.normalize("NFKC", text))


def _scrub_path(text: str) -> str:
    # The parts of a long path are no base64 run, though slashes make it look like one.
    return _PATH_RUN.sub(REDACTED, _scrub_shapes(text))[:_LONGEST]


def _scrub_value(key: str, value: object) -> object:
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if scrub(str(value)) == str(value) else REDACTED
    if isinstance(value, bytes | bytearray | memoryview):
        return REDACTED
    return (_scrub_path if key == "path" else scrub)(str(value))


def _name_error(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Keep of an exception its class alone: texts and tracebacks may quote what was worked on."""
    held = event.pop("exc_info", None)
    error = sys.exc_info()[1] if held is True else held[1] if isinstance(held, tuple) else held
    if isinstance(error, BaseException):
        event.setdefault("error", type(error).__name__)
    return event


def _stamp(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event["timestamp"] = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    return event


def _keep_known(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {key: value for key, value in event.items() if key in KEYS}


def _scrub_all(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {
        key: scrub(value) if type(value) is str and key != "path" else _scrub_value(key, value)
        for key, value in event.items()
    }


def _render(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return json.dumps(event, ensure_ascii=False)


class _Writer(structlog.WriteLogger):
    """Writes a line, or loses it: a log that cannot be written must not end an exchange."""

    def msg(self, message: str) -> None:  # type: ignore[explicit-override]  # 3.11 has no marker
        with suppress(OSError):
            super().msg(message)

    log = debug = info = warning = error = critical = exception = msg


class _Foreign(logging.Formatter):
    """Gives lines of other packages the same form and the same scrubbing."""

    def format(self, record: logging.LogRecord) -> str:  # type: ignore[explicit-override] # 3.11 has no marker
        event: dict[str, Any] = {"event": record.getMessage(), "level": record.levelname.lower()}
        event |= {"logger": record.name, "exc_info": record.exc_info}
        for step in (_name_error, _stamp, _keep_known, _scrub_all):
            event = dict(step(None, "", event))
        return _render(None, "", event)
