"""The JSON that `--json` prints; docs/json.md tells every field. Names are the model's, and stay.

Bytes are hexadecimal, times RFC 3339 in UTC, codes their names; what is absent is null.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

import click

from gateway.ledger.receipts import Logged
from gateway.model.combined import Case
from gateway.verification import Content, Heard, Part, Verdict
from keys import moments
from keys.directory import SignedRole
from keys.envelope import Envelope

ANSWER, CASE = "yrdx.answer.v1", "yrdx.case.v1"
LOGGED = "LOGGED"
"""The first of the ledger's three levels; the others rest on witnesses and on both sides' reconciliation."""

SESSIONS, SUBMISSION, SUBMISSIONS = "yrdx.sessions.v1", "yrdx.submission.v1", "yrdx.submissions.v1"


def write(document: Mapping[str, Any]) -> None:
    """Print a document."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


def answer(verdict: Verdict) -> dict[str, Any]:
    """Give the document of an answer; what it says stands in it only when it is genuine."""
    content = verdict.content
    return {
        "format": ANSWER,
        "genuine": verdict.genuine,
        "parts": [part(each) for each in verdict.parts],
        "in_time": verdict.in_time,
        "valid_until_time": plain_value(verdict.valid_until),
        "expired_members": list(verdict.expired),
        "status": verdict.status.value,
        "bundle": content and _bundle(content, expired=verdict.bundle_expired),
        "result_id": content and content.result_digest.hex(),
        "result": content and plain_value(content.result),
        "exchanges": [_exchange(each) for each in content.exchanges] if content else [],
        "recognitions": plain_value(content.recognitions) if content else [],
    }


def case(found: Case, results: list[Verdict]) -> dict[str, Any]:
    """Give the document of a case with its results."""
    return {"format": CASE, "case": plain_value(found), "results": [answer(each) for each in results]}


def plain_value(value: object) -> Any:  # noqa: ANN401  JSON is any of them
    """Turn a value of the model into what JSON holds."""
    if isinstance(value, Envelope):  # an authorisation: named, not copied
        return {"payload_type": value.payload_type, "digest": value.digest().hex()}
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain_value(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, tuple | list):
        return [plain_value(each) for each in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return moments.write(value)
    return value.hex() if isinstance(value, bytes) else value


def part(found: Part) -> dict[str, Any]:
    """Give the document of a part of a file and the check that it failed."""
    return {
        "part": found.name,
        "of": found.of,
        "failed": found.failed.value if found.failed else None,
        "detail": found.detail,
    }


def _bundle(content: Content, *, expired: bool) -> dict[str, Any]:
    directory = content.charter.directory
    roles = {each.name: _role(each) for each in directory.roles}
    return {
        "version": directory.version,
        "issued_time": moments.write(directory.issued_time),
        "expire_time": moments.write(directory.expire_time),
        "close_time": moments.write(directory.close_time),
        "expired": expired,
        **{name: roles["targets"][name] for name in ("threshold", "signatures")},
        "roles": [{"role": name, **role} for name, role in roles.items()],
    }


def _role(found: SignedRole) -> dict[str, Any]:
    return {
        "version": found.version,
        "threshold": found.threshold,
        "signatures": list(found.signed_by),
        "expire_time": moments.write(found.expire_time),
    }


def _exchange(heard: Heard) -> dict[str, Any]:
    accepted = heard.accepted
    answered = accepted and {
        "digest": accepted.digest.hex(),
        "head": plain_value(accepted.answer),
        "items": plain_value(accepted.items),
    }
    return {
        "member": heard.outcome.member,
        "question_digest": heard.signed.digest.hex(),
        "question": plain_value(heard.signed.question),
        "answer": answered,
        "refusal": plain_value(heard.refusal),
        "logged": heard.logged and logged(heard.logged),
    }


def logged(found: Logged) -> dict[str, Any]:
    """Give the document of an answer's place in its member's ledger."""
    head = found.checkpoint.head
    return {"level": LOGGED, "log": head.origin, "entry": found.index, "size": head.size, "root": head.root.hex()}
