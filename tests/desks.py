"""Officers at a desk in memory: sessions, assertions, and what they hand in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bundles import AGENCY, OFFICER, OFFICERS, charter_of, entropy, signed_directory
from fakes import FakeNode
from test_asking import federation
from worlds_tables import SHANGHAI

from gateway import wire
from gateway.errors import Refused
from gateway.model.accounts import (
    OfficerAssertion,
    SessionClosing,
    SubmissionApproval,
    SubmissionRefusal,
)
from gateway.model.codes import RefusalReason
from gateway.model.evidence import EvidenceOrder
from keys import custody, jsontext, suite
from keys.envelope import Envelope, sign
from keys.suite import Signer
from nodes.cli import signing

ADMIN, THIRD = f"{AGENCY}/m1", f"{AGENCY}/o3"
KEYS = OFFICERS | {name: suite.signer(bytes([60 + n]) * 32, owner=name) for n, name in enumerate((ADMIN, THIRD))}
Document = dict[str, Any]
TIMES: dict[type[Any], str] = {
    SessionClosing: "close_time",
    SubmissionApproval: "approve_time",
    SubmissionRefusal: "refuse_time",
    EvidenceOrder: "order_time",
}


class Desk:
    """Shanghai's desk among four members; `edit` changes the directory of all from now on."""

    def __init__(self) -> None:
        """Start with the directory of `bundles`."""
        self.nodes = federation()
        self.changes: list[Callable[[Document], None]] = []

    @property
    def node(self) -> FakeNode:
        """Shanghai."""
        return self.nodes[SHANGHAI]

    def edit(self, *changes: Callable[[Document], None]) -> None:
        """Publish a directory with further changes."""
        self.changes += changes

        def all_of(document: Document) -> None:
            for change in self.changes:
                change(document)

        directory = signed_directory(all_of)
        for member, node in self.nodes.items():
            node.charter = charter_of(member, directory)

    def at(self, now: datetime) -> None:
        """Set the clock of all."""
        for node in self.nodes.values():
            node.now = now

    def sign(self, value: Any, *signers: Signer | str) -> Envelope:
        """Sign a value as officers, or with keys."""
        keys = [KEYS[each] if isinstance(each, str) else each for each in signers or (value.officer,)]
        return sign(wire.PAYLOAD_TYPES[type(value)], wire.encode(value), *keys)

    def assertion(self, key: Signer, **changes: Any) -> OfficerAssertion:
        """Write an assertion of the first officer, for eight hours."""
        wanted: dict[str, Any] = {
            "assertion_id": entropy(16), "agency": AGENCY, "officer": OFFICER, "session_public": key.public,
            "roles": ("ask", "approve"), "from_time": self.node.now,
            "until_time": self.node.now + timedelta(hours=8),
        }  # fmt: skip
        return OfficerAssertion(**{**wanted, **changes})

    async def open(self, key: Signer, **changes: Any) -> Envelope:
        """Open a session; give the signed assertion."""
        assertion = self.assertion(key, **changes)
        envelope = self.sign(assertion)
        await self.node.accounts.open_session(envelope, AGENCY)
        return envelope

    def request(self, kind: type[Any], officer: str = OFFICER, **more: Any) -> Any:
        """Write a request of an officer, now."""
        time = TIMES.get(kind, "read_time")
        return kind(**{"agency": AGENCY, "officer": officer, time: self.node.now, **more})


def session_key(number: int = 1, officer: str = OFFICER) -> Signer:
    """Make the key of a session."""
    return suite.signer(bytes([100 + number]) * 32, owner=officer)


def add_officers(document: Document) -> None:
    """Add an administrator and a third officer who may both ask and approve."""
    member = next(each for each in document["members"] if each["id"] == SHANGHAI)
    first = member["officers"][0]
    for name, roles in ((ADMIN, ["administer"]), (THIRD, ["ask", "approve"])):
        held = [{"role": role, "from": "2025-01-01", "until": None} for role in roles]
        public = suite_text(KEYS[name].public)
        member["officers"].append({**first, "id": name, "public": public, "roles": held})


def officer_row(document: Document, name: str = OFFICER) -> Document:
    """Give an officer's row."""
    member = next(each for each in document["members"] if each["id"] == SHANGHAI)
    row: Document = next(each for each in member["officers"] if each["id"] == name)
    return row


def remove(name: str = OFFICER) -> Callable[[Document], None]:
    """Remove an officer."""

    def change(document: Document) -> None:
        member = next(each for each in document["members"] if each["id"] == SHANGHAI)
        member["officers"] = [each for each in member["officers"] if each["id"] != name]

    return change


def end_role(role: str, day: str, name: str = OFFICER) -> Callable[[Document], None]:
    """End an officer's role on a day."""

    def change(document: Document) -> None:
        for each in officer_row(document, name)["roles"]:
            if each["role"] == role:
                each["until"] = day

    return change


def suspend(document: Document) -> None:
    """Suspend the agency."""
    member = next(each for each in document["members"] if each["id"] == SHANGHAI)
    for each in member["agencies"]:
        each["suspended"] = True


def one_person(*names: str) -> Callable[[Document], None]:
    """Mark officers as one person."""

    def change(document: Document) -> None:
        for name in names:
            officer_row(document, name)["person"] = "p-17"

    return change


@contextmanager
def in_session(folder: Path, officer: Signer, until: datetime) -> Iterator[None]:
    """Put the files of an officer's session beside a profile."""
    name, seed = officer.id.rpartition("/")[0], bytes(range(32))
    assertion = OfficerAssertion(
        assertion_id=bytes(16),
        agency=name.rpartition("/")[0],
        officer=name,
        session_public=suite.signer(seed, owner=name).public,
        roles=("ask", "approve"),
        from_time=until - timedelta(hours=8),
        until_time=until,
    )
    envelope = sign(wire.PAYLOAD_TYPES[OfficerAssertion], wire.encode(assertion), officer)
    signing.save(folder, seed, envelope, custody.read_passphrase(folder / "passphrase"), officer=name)
    try:
        yield
    finally:
        signing.remove(folder, name)


async def refusal(work: Any) -> RefusalReason:
    """Give the reason for which the desk refuses; a success fails the test."""
    try:
        await work
    except Refused as refused:
        return refused.reason
    raise AssertionError("the desk did not refuse")


def refused(work: Callable[[], object]) -> RefusalReason:
    """As `refusal`, of work that does not wait."""
    try:
        work()
    except Refused as error:
        return error.reason
    raise AssertionError("the desk did not refuse")


def suite_text(raw: bytes) -> str:
    """Write a public key as the directory does."""
    return jsontext.write_octets(raw)
