"""An officer who asks through a member's desk: own keys and certificate, a signed intent, mutual TLS.

Whatever the desk gives is verified offline before a test looks at it. `deliver` brings a member further records
through the same door as its files.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import grpc
from callers import read_charter
from populations import load, populate

from bench.populations import give_out
from gateway import authorisation, carriers, wire
from gateway.client import Identity, open_channel
from gateway.clocks import civil_day
from gateway.desk import SERVICE
from gateway.model.accounts import OfficerAssertion
from gateway.model.answer import Answer, Item
from gateway.model.codes import AuthorisationStatus, RefusalReason, SignatureClass, Window
from gateway.model.combined import (
    Allowance,
    AllowanceReading,
    Case,
    CaseOpening,
    CaseReading,
    CombinedResult,
    Intent,
    MemberOutcome,
    Recognition,
    SubjectResult,
)
from gateway.model.question import Authorisation, Body, NamedSubject, NoViolationQuestion, RatingQuestion
from gateway.statuses import reason_of
from gateway.verification import Content, Part, Verdict, verify
from keys import custody, suite
from keys.envelope import Envelope, sign
from keys.suite import Signer
from nodes.bundle.root import read_root
from nodes.config import DATABASE
from nodes.intake import Delivery, Loaded
from nodes.lab import Lab, build
from nodes.sample.files import Files
from nodes.sample.places import world
from nodes.sample.records import Desk
from nodes.store.schema import facts_path
from yrdx.exchange.v1 import desk_pb2

DEADLINE = 30.0
WAIT_SECONDS = 30.0
_serials = count(1)


class Denied(Exception):
    """The desk refused; the reason is all that it said, and `error` is what came over the wire."""

    def __init__(self, reason: RefusalReason | None, error: grpc.aio.AioRpcError) -> None:
        """Keep the reason; None for a status that carries none."""
        super().__init__(str(reason))
        self.reason = reason
        self.error = error


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the desk gave: the exact bytes, and what they say once they verified."""

    raw: bytes
    verdict: Verdict

    @cached_property
    def response(self) -> desk_pb2.AskMembersResponse:
        """The message."""
        return desk_pb2.AskMembersResponse.FromString(self.raw)

    @property
    def content(self) -> Content:
        """The verified content."""
        assert self.verdict.content is not None, faults(self.verdict)
        return self.verdict.content

    @property
    def result(self) -> CombinedResult:
        """The combined result."""
        return self.content.result

    @property
    def subject(self) -> SubjectResult:
        """The conclusion on the only subject."""
        (found,) = self.result.subjects
        return found

    @property
    def outcomes(self) -> dict[str, MemberOutcome]:
        """How each member's exchange went."""
        return {each.member: each for each in self.result.members}

    @property
    def heads(self) -> dict[str, Answer]:
        """The signed head of each answer."""
        return {each.member: each.answer for each in self.verdict.answers}

    @property
    def items(self) -> dict[str, Item]:
        """Each answer's item on the only subject."""
        return {each.member: each.items[0] for each in self.verdict.answers}

    @property
    def recognitions(self) -> tuple[Recognition, ...]:
        """The recognitions that were issued."""
        return self.content.recognitions

    @property
    def states(self) -> dict[str, str]:
        """Each member's own state for the only subject."""
        return {each.member: each.state.value for each in self.subject.members}


@dataclass(kw_only=True)
class Officer:
    """An officer of an agency of a member of the lab; `second` signs the same bytes when named."""

    lab: Lab
    name: str = "310118-market/o1"
    second: str = ""
    agency: str = field(init=False)
    member: str = field(init=False)
    key: Signer | None = field(default=None, init=False)
    assertion: Envelope | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Find the agency and its member."""
        self.agency = self.name.partition("/")[0]
        self.member = self.folder.parents[2].name

    @property
    def folder(self) -> Path:
        """The officer's folder."""
        return self.lab.desk_of(self.name)

    def signer(self, name: str = "") -> Signer:
        """Load an officer's key."""
        folder = self.lab.desk_of(name or self.name)
        return custody.load_signer(folder / "officer.key", custody.read_passphrase(folder / "passphrase"))

    def leaf(self) -> Identity:
        """Load the agency's certificate."""
        held = custody.load_leaf(self.folder / "leaf.pem", custody.read_passphrase(self.folder / "passphrase"))
        return Identity(certificate=held.certificate_pem, key=held.key_pem)

    def item(self, purpose: str) -> str:
        """Name the first item that the member publishes for a purpose."""
        rows = read_charter(self.lab, self.member).catalogue.applications.values()
        return next(each.id for each in rows if (each.member, each.purpose, each.edition) == (
            self.member, purpose, "2026",
        ))  # fmt: skip

    def intent(self, body: Body, *, purpose: str = "DAILY_SUPERVISION", **changes: Any) -> Intent:
        """Write an intent; every part of it may be changed."""
        wanted: dict[str, Any] = {
            "intent_id": os.urandom(16),
            "agency": self.agency,
            "officer": self.name,
            "approving_officer": self.second,
            "intend_time": self.lab.clock(),
            "purpose": purpose,
            "application_item": changes.get("application_item") or self.item(purpose),
            "body": body,
        }
        return Intent(**{**wanted, **changes})

    def sign(self, value: Any, *signers: Signer) -> Envelope:
        """Sign as this officer, and as the second one where that one is named; or with other keys."""
        ours = (self.key or self.signer(), *((self.signer(self.second),) if self.second else ()))
        return sign(wire.PAYLOAD_TYPES[type(value)], wire.encode(value), *(signers or ours))

    async def begin(self, *roles: str) -> Envelope:
        """Open a session: from now on its key signs for this officer."""
        self.key = suite.signer(suite.generate_seed(), owner=self.name)
        now = self.lab.clock()
        said = OfficerAssertion(
            assertion_id=os.urandom(16), agency=self.agency, officer=self.name, session_public=self.key.public,
            roles=roles or ("ask",), from_time=now, until_time=now + timedelta(hours=1),
        )  # fmt: skip
        signed = sign(wire.PAYLOAD_TYPES[OfficerAssertion], wire.encode(said), self.signer())
        request = desk_pb2.OpenSessionRequest(assertion=carriers.envelope_to_message(signed))
        await self.call("OpenSession", request.SerializeToString())
        self.assertion = signed
        return signed

    async def ask(self, body: Body, *, purpose: str = "DAILY_SUPERVISION", **changes: Any) -> Told:
        """Ask through the desk.

        Raises:
            Denied: with the reason for which the desk refuses.
        """
        return await self.send(self.sign(self.intent(body, purpose=purpose, **changes)))

    async def send(self, envelope: Envelope) -> Told:
        """Send a signed intent, and verify what comes back."""
        request = desk_pb2.AskMembersRequest(intent=carriers.envelope_to_message(envelope))
        if self.assertion is not None:
            request.assertion.CopyFrom(carriers.envelope_to_message(self.assertion))
        return self._told(await self.call("AskMembers", request.SerializeToString()))

    def _told(self, raw: bytes) -> Told:
        told = Told(raw=raw, verdict=self.verify(raw))
        assert told.verdict.genuine, faults(told.verdict)
        return told

    def verify(self, raw: bytes) -> Verdict:
        """Verify an answer file offline, as anybody could who has the root's key."""
        return verify(raw, root=read_root(self.lab.folder / "root.json"), now=self.lab.clock())

    async def call(self, method: str, request: bytes, *, identity: Identity | None = None, to: str = "") -> bytes:
        """Call the desk of one's own member, or of another with the same certificate; a path names another service."""
        member = to or self.member
        desk = f"127.0.0.1:{self.lab.status(member)['desk_port']}"
        roots = (self.lab.home(member) / "keys" / "ca.crt").read_bytes()
        async with open_channel(member, desk, roots, identity or self.leaf()) as channel:
            ask: Any = channel.unary_unary(method if method.startswith("/") else f"/{SERVICE}/{method}")
            try:
                return bytes(await ask(request, timeout=DEADLINE))
            except grpc.aio.AioRpcError as error:
                raise Denied(reason_of(error), error) from error

    async def open_case(self, reference: str, *, purpose: str, subjects: int = 0, **changes: Any) -> Case:
        """Open a case."""
        wanted: dict[str, Any] = {
            "case_reference": reference,
            "agency": self.agency,
            "officer": self.name,
            "approving_officer": self.second,
            "open_time": self.lab.clock(),
            "purpose": purpose,
            "application_item": changes.get("application_item") or self.item(purpose),
            "subject_count": subjects,
        }
        opening = CaseOpening(**{**wanted, **changes})
        request = desk_pb2.OpenCaseRequest(opening=carriers.envelope_to_message(self.sign(opening)))
        payload = await self.call("OpenCase", request.SerializeToString())
        return wire.from_message(Case, desk_pb2.OpenCaseResponse.FromString(payload).case)

    async def read_case(self, reference: str, *, size: int = 0, token: str = "") -> tuple[Case, list[Told], str]:
        """Read a page of a case; every result in it is verified."""
        reading = CaseReading(
            case_reference=reference, agency=self.agency, officer=self.name, read_time=self.lab.clock(),
            page_size=size, page_token=token,
        )  # fmt: skip
        signed = sign(wire.PAYLOAD_TYPES[CaseReading], wire.encode(reading), self.signer())
        request = desk_pb2.GetCaseRequest(reading=carriers.envelope_to_message(signed))
        response = desk_pb2.GetCaseResponse.FromString(await self.call("GetCase", request.SerializeToString()))
        results = [self._told(each.SerializeToString()) for each in response.results]
        return wire.from_message(Case, response.case), results, response.next_page_token

    async def allowance(self, purpose: str, case: str = "") -> Allowance:
        """Read what is left of today's subjects."""
        reading = AllowanceReading(
            agency=self.agency, officer=self.name, purpose=purpose, case_reference=case, read_time=self.lab.clock()
        )
        signed = sign(wire.PAYLOAD_TYPES[AllowanceReading], wire.encode(reading), self.signer())
        request = desk_pb2.GetAllowanceRequest(reading=carriers.envelope_to_message(signed))
        response = desk_pb2.GetAllowanceResponse.FromString(
            await self.call("GetAllowance", request.SerializeToString())
        )
        return wire.from_message(Allowance, response.allowance)

    def consent(self, uscc: str, *, purpose: str, kind: str, home: str = "") -> Envelope:
        """Have a subject's home member vouch for its consent to this agency."""
        return vouch(
            self.lab, uscc, home=home or home_of(self.lab, uscc), agency=self.agency, purpose=purpose, kind=kind
        )

    async def recognise(self, uscc: str, **changes: Any) -> Told:
        """Ask for a recognition with the subject's consent."""
        consent = self.consent(uscc, purpose="RATING_RECOGNITION", kind="rating")
        wanted = {"purpose": "RATING_RECOGNITION", "authorisations": (consent,), **changes}
        return await self.ask(rating(named(uscc)), **wanted)

    async def certify(self, uscc: str, **changes: Any) -> Told:
        """Ask for a report that stands for a no-violation certificate, with the subject's consent."""
        consent = self.consent(uscc, purpose="NO_VIOLATION_REPORT", kind="no_violation")
        wanted = {"purpose": "NO_VIOLATION_REPORT", "authorisations": (consent,), **changes}
        return await self.ask(no_violation(named(uscc)), **wanted)


def faults(verdict: Verdict) -> list[Part]:
    """Name the parts of an answer file that failed a check."""
    return [each for each in verdict.parts if each.failed]


async def denied(asking: Any) -> RefusalReason | None:
    """Give the reason for which the desk refuses; an answer fails the test."""
    try:
        await asking
    except Denied as refused:
        return refused.reason
    raise AssertionError("the desk did not refuse")


def named(uscc: str, name: str | None = None) -> NamedSubject:
    """Name a subject."""
    return NamedSubject(uscc=uscc, name=name)


def rating(*subjects: NamedSubject) -> RatingQuestion:
    """Ask the current grade and the ceiling."""
    return RatingQuestion(subjects=subjects)


def no_violation(*subjects: NamedSubject, window: Window = Window.M36) -> NoViolationQuestion:
    """Ask whether anything may be reported."""
    return NoViolationQuestion(subjects=subjects, window=window)


def vouch(lab: Lab, uscc: str, *, home: str, agency: str, purpose: str, kind: str) -> Envelope:
    """Let a member vouch for a consent by hand, for any question: what no desk issues, but a peer might send."""
    now = lab.clock()
    return authorisation.vouch(
        Authorisation(
            authorisation_id=os.urandom(16),
            uscc=uscc,
            agency=agency,
            purposes=(purpose,),
            kinds=(kind,),
            members=lab.members,
            valid_from_time=now - timedelta(minutes=1),
            valid_until_time=now + timedelta(days=30),
            text_version="sample-2026",
            signature_class=SignatureClass.SUBJECT_KEY,
            home_member=home,
            status=AuthorisationStatus.IN_FORCE,
            status_time=now,
        ),
        lab.signer(home),
    )


def home_of(lab: Lab, uscc: str) -> str:
    """Give the member in whose area a register shows a subject; Zhejiang where none does."""
    query = "SELECT division FROM register WHERE uscc = ? AND lifecycle <> 'MIGRATED' ORDER BY version DESC LIMIT 1"
    for member in lab.members:
        path = facts_path(lab.config(member).data / DATABASE)
        if path.exists():
            with closing(sqlite3.connect(path)) as connection:
                found = connection.execute(query, (uscc,)).fetchone()
            home = found and read_charter(lab, member).directory.home_of(found[0])
            if home:
                return str(home.id)
    return "330000"


def settle(lab: Lab) -> None:
    """Wait until every node that runs has taken the directory that the lab published last.

    Raises:
        TimeoutError: when one does not.
    """
    ends = time.monotonic() + WAIT_SECONDS
    for member in lab.processes:
        while _taken(lab.home(member) / "node.log") < lab.version:
            if time.monotonic() > ends:
                raise TimeoutError(f"member {member} did not take directory {lab.version}")
            time.sleep(0.05)


def _taken(log: Path) -> int:
    lines = [each for each in log.read_text(encoding="utf-8").splitlines() if '"bundle_taken"' in each]
    return int(json.loads(lines[-1])["version"]) if lines else 0


def publish(lab: Lab) -> None:
    """Publish the directory anew, and wait until it has taken effect."""
    lab.publish(life=timedelta(days=30))
    settle(lab)


def start(lab: Lab, *members: str) -> Lab:
    """Start members, and wait until they know of one another."""
    give_out(lab, *members)
    lab.start(*members)
    settle(lab)
    return lab


@contextmanager
def populated(folder: Path, *members: str) -> Iterator[Lab]:
    """Run members, every feed of each loaded today with the named subjects alone."""
    built = build(folder)
    try:
        for member in members:
            populate(built, member, subjects=0)
        yield start(built, *members)
    finally:
        built.stop()


def deliver(
    lab: Lab, member: str, write: Callable[[Desk], object], delivery: Delivery | None = None
) -> tuple[Loaded, ...]:
    """Write further records in the form of a member's files and load those files that hold any."""
    folder = lab.home(member) / "inbox" / str(next(_serials))
    found = world(lab.federation, member)
    with Files(folder, tuple(found.feeds.values())) as files:
        write(Desk(world=found, files=files, serial=next(_serials) * 1_000_000))
    paths = sorted(each for each in folder.glob("*.csv") if files.counts[each.stem])
    return load(lab, member, paths, replace(delivery or Delivery(), data_through=civil_day(lab.clock())))
