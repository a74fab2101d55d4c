"""What subjects previewed of themselves: counted by day, shown to them with who asked, no disclosure and no charge."""

import json
import sqlite3
from datetime import date

from gateway.books import Access
from gateway.clocks import civil_day
from gateway.errors import BudgetSpent
from gateway.limits import Limits
from gateway.model.codes import AccessSide, OutcomeState
from keys import moments
from nodes.store.connections import time_text
from nodes.store.disclosing import fields_text

_KNOWN = "SELECT 1 FROM preview WHERE digest = ?"
_OF_DAY = "SELECT count(*) FROM preview WHERE uscc = ? AND day = ?"
_OF_MEMBER = "SELECT count(*) FROM preview WHERE member = ? AND day = ?"
_KEEP = """
    INSERT INTO preview (entry, digest, uscc, time, day, member, key_id, agency, purpose, application_item, kind,
        fields, reading_id)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_OF_SUBJECT = """
    SELECT entry, time, member, key_id, agency, purpose, application_item, kind, fields, reading_id FROM preview
    WHERE uscc = ? AND day BETWEEN ? AND ? ORDER BY entry"""


def known(connection: sqlite3.Connection, digest: bytes) -> bool:
    """Say whether a preview is kept: the same bytes again are no further one."""
    return connection.execute(_KNOWN, (digest,)).fetchone() is not None


def check(connection: sqlite3.Connection, own: Access, uscc: str, limits: Limits) -> None:
    """Count what the subject, and the member that vouches for it, have had of this civil day.

    Raises:
        BudgetSpent: when one of them has had its number.
    """
    day = civil_day(own.time).isoformat()
    (of_subject,) = connection.execute(_OF_DAY, (uscc, day)).fetchone()
    (of_member,) = connection.execute(_OF_MEMBER, (own.other_member, day)).fetchone()
    if of_subject >= limits.subject_previews or of_member >= limits.member_previews:
        raise BudgetSpent


def keep(connection: sqlite3.Connection, own: Access, uscc: str, digest: bytes) -> None:
    """Keep a preview with the number of its entry."""
    when = (time_text(own.time), civil_day(own.time).isoformat())
    asked = (own.agency, own.purpose, own.application_item, own.kind, fields_text(own.fields), own.question_id)
    connection.execute(_KEEP, (own.entry, digest, uscc, *when, own.other_member, own.key_id, *asked))


def of_subject(connection: sqlite3.Connection, uscc: str, first: date, last: date) -> list[Access]:
    """Give a subject's previews, the first and last day included, oldest first."""
    rows = connection.execute(_OF_SUBJECT, (uscc, first.isoformat(), last.isoformat())).fetchall()
    return [_access(row) for row in rows]


def _access(row: tuple[int, str, str, str, str, str, str, str, str, bytes]) -> Access:
    entry, time, member, key_id, agency, purpose, item, kind, fields, reading_id = row
    return Access(
        side=AccessSide.OWN,
        other_member=member,
        time=moments.read(time),
        agency=agency,
        officer_role="",
        purpose=purpose,
        application_item=item,
        kind=kind,
        fields=tuple(json.loads(fields)),
        outcome=OutcomeState.ANSWERED.value,
        question_id=reading_id,
        entry=entry,
        key_id=key_id,
    )
