"""Sessions and submissions as an officer reads them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.console import Console

from gateway.model.accounts import Session, Submission
from nodes.cli.names import moment
from nodes.cli.sheets import row, table
from nodes.cli.words import Words

DIGITS = 16
"""Digits of a digest that are shown."""


def show_sessions(console: Console, found: Sequence[Session], now: datetime, words: Words) -> None:
    """Show sessions, one a line."""
    shown = table(
        words, "title.sessions", "session", "officer", "roles", "open_time", "until_time", "state", "closed_by"
    )
    for each in found:
        state = "closed" if each.close_time else "over" if now >= each.until_time else "open"
        row(
            shown,
            each.assertion_digest.hex()[:DIGITS],
            each.officer,
            words.say("mark.comma").join(words.code("role", role) for role in each.roles),
            moment(each.open_time),
            moment(each.until_time),
            words.code("session_state", state),
            each.closing_officer or "-",
        )
    console.print(shown)


def show_submissions(console: Console, found: Sequence[Submission], words: Words) -> None:
    """Show what was handed in, one a line."""
    shown = table(
        words,
        "title.submissions",
        "submission",
        "officer",
        "purpose",
        "case",
        "kind",
        "subjects",
        "expire_time",
        "state",
    )
    for each in found:
        row(
            shown,
            each.submission_id.hex()[:DIGITS],
            each.officer,
            each.purpose,
            each.case_reference or "-",
            _kind(each, words),
            str(each.subject_count),
            moment(each.expire_time),
            words.code("submission", each.state.value),
        )
    console.print(shown)


def show_submission(console: Console, found: Submission, words: Words) -> None:
    """Show what was handed in, as the second officer must know it; no subject is named."""
    shown = table(words, "", "", "")
    lines = {
        "submission": found.submission_id.hex()[:DIGITS],
        "state": words.code("submission", found.state.value),
        "agency": found.agency,
        "officer": found.officer,
        "purpose": found.purpose,
        "application_item": found.application_item,
        "case": found.case_reference or "-",
        "kind": _kind(found, words),
        "subjects": str(found.subject_count),
        "submit_time": moment(found.submit_time),
        "expire_time": moment(found.expire_time),
        "approving_officer": found.approving_officer or "-",
        "reason": f"{found.reason.value}: {words.code('refusal', found.reason.value)}" if found.reason else "-",
    }
    for key, value in lines.items():
        row(shown, words.say(f"column.{key}"), value)
    console.print(shown)


def _kind(found: Submission, words: Words) -> str:
    return words.code("kind", found.kind) if found.kind else words.say("submission.opening")
