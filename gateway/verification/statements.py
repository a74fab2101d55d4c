"""A month's statement as a file that others can check: what two members signed, and the bundle under which they did."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from gateway import carriers, wire
from gateway.clocks import civil_day
from gateway.ledger.statement import open_statement
from gateway.model.reconciliation import Statement
from gateway.months import Month
from gateway.verification.checks import holds, look, step
from gateway.verification.verdict import Check, Part
from keys import jsontext
from keys.directory import Directory, open_bundle
from keys.errors import EnvelopeMalformed

if TYPE_CHECKING:
    from keys.envelope import Envelope
    from keys.jsontext import Place

FORMAT = "yrdx.statement.v1"
_FIELDS = ("format", "statement", "bundle")


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementVerdict:
    """How each part fared, and what the statement says when all held."""

    parts: tuple[Part, ...]
    statement: Statement | None


def write_file(statement: Envelope, bundle: bytes) -> bytes:
    """Give the file: the statement's Envelope and the archive of the bundle, both in base64."""
    found = {"format": FORMAT, "statement": jsontext.write_octets(wire.encode(statement))}
    return json.dumps(found | {"bundle": jsontext.write_octets(bundle)}).encode()


def file_of(content: bytes) -> Place | None:
    """Give the document of a statement's file; None for any other file."""
    if content.lstrip()[:1] != b"{":
        return None
    try:
        found = jsontext.load(content, refuse=EnvelopeMalformed)
        return found if found.members(_FIELDS)["format"].value == FORMAT else None
    except EnvelopeMalformed:
        return None


def verify_statement(found: Place, *, root: bytes) -> StatementVerdict:
    """Verify a statement under the trusted root; bad content is no error, the verdict names the part that failed."""
    parts: list[Part] = []
    directory = look(parts, "bundle", "", partial(_directory, found, root))
    statement = directory and look(parts, "statement", "", partial(_statement, found, directory))
    return StatementVerdict(parts=tuple(parts), statement=statement or None)


def _directory(found: Place, root: bytes) -> Directory:
    archive = found.members(_FIELDS)["bundle"].octets()
    return step(Check.SIGNATURE, lambda: open_bundle(archive, root=root))


def _statement(found: Place, directory: Directory) -> Statement:
    envelope = carriers.read_envelope(found.members(_FIELDS)["statement"].octets())
    members = wire.decode(Statement, envelope.payload).members
    # 1 keys: of exactly the two members, good at that time, under a directory in force then
    statement = step(Check.SIGNATURE, lambda: open_statement(envelope, directory, members, None))
    step(Check.KEY, lambda: directory.check_current(statement.issued_time))
    # 2 month: nobody states what is still to come
    month = Month.read(statement.month)
    holds(Check.CONTENT, month.over(civil_day(statement.issued_time)), "the month was not over")
    return statement
