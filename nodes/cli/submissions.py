"""Hands in what waits for a second officer, and shows how it stands."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rich.console import Console

from gateway.model.accounts import Submission
from gateway.model.combined import CaseOpening, Intent
from nodes.cli import documents
from nodes.cli.account_tables import show_submission
from nodes.cli.profile import Access
from nodes.cli.requests import enclosed, message, send, value_of
from nodes.cli.session import Ended, session
from yrdx.exchange.v1 import desk_pb2

_WHOLE = re.compile(r"[0-9a-f]{64}")
SHORTEST = 8
"""Digits of a digest that name a session or a submission at least."""


def hand_in(value: Intent | CaseOpening, access: Access, *, as_json: bool) -> None:
    """Hand in a question or a case, signed by the first officer alone."""
    request = desk_pb2.SubmitRequest(submission=message(value, access), assertion=enclosed(access))
    response = send(access, "Submit", request, desk_pb2.SubmitResponse())
    tell(value_of(Submission, response.submission), as_json=as_json)


def tell(found: Submission, *, as_json: bool) -> None:
    """Show a submission."""
    if as_json:
        documents.write({"format": documents.SUBMISSION, "submission": documents.plain_value(found)})
    else:
        show_submission(Console(), found, session().words)


def only(text: str, digests: Iterable[bytes]) -> bytes:
    """Give the one digest that begins with these hexadecimal digits; a whole one needs to be in no list.

    Raises:
        Ended: for fewer than eight digits, none, or several.
    """
    if _WHOLE.fullmatch(text):
        return bytes.fromhex(text)
    found = [each for each in digests if each.hex().startswith(text.lower())]
    if len(text) < SHORTEST or len(found) != 1:
        raise Ended("accounts.which", count=len(found), digits=SHORTEST)
    return found[0]
