"""Four members that hold who asked about a subject of Shanghai, over real stores and without a network."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bundles import AGENCY, NOW, OFFICER, OFFICERS, ROOT, SECOND, SIGNERS, charter_of, entropy
from consents import BANK, DIRECTORY, KEY, Counter, charter, signed
from ledgers import cosigned
from stores import digest, identity, question
from worlds_tables import AGREEMENT, JIANGSU, MATTER, MEMBERS, PURPOSE, SHANGHAI, USCC

from gateway import carriers
from gateway.clocks import civil_day
from gateway.errors import Refused, Unavailable
from gateway.exchange.handing import OWNER
from gateway.exchange.release import Home
from gateway.ledger import dating, logs
from gateway.ledger.checkpoint import open_checkpoint
from gateway.ledger.note import read_note
from gateway.model.access import AccessOutcome, AccessReading, AccessReply, DelayOrder, PreviewReading
from gateway.model.codes import RefusalReason, Window
from gateway.model.combined import Case
from gateway.model.question import NamedSubject, SummaryQuestion
from gateway.model.signed import Reply, Signed
from gateway.ports import Closing, Exchange
from gateway.tracker import Holder, LocalHolder, Tracker
from gateway.tracking import Desk, Tracking
from gateway.verification.access import Found, verify_access
from gateway.verification.preview import Preview, verify_preview
from keys import seal, suite
from keys.directory import open_bundle
from keys.envelope import Envelope, sign
from yrdx.exchange.v1 import access_pb2

OPENER = seal.opener(bytes([7]) * 32, owner=OWNER)
CASE = "case-7"


def access_reading(**changes: Any) -> AccessReading:
    """Write the reading of Shanghai's firm, of the months around the tests' now."""
    wanted: dict[str, Any] = {
        "reading_id": bytes(range(16)),
        "uscc": USCC,
        "home_member": SHANGHAI,
        "read_time": NOW,
        "first_month": "2026-01",
        "last_month": "2026-12",
        "suite": OPENER.suite,
        "sealing_key": OPENER.public,
    }
    return AccessReading(**{**wanted, **changes})


def preview_reading(**changes: Any) -> PreviewReading:
    """Write a preview of what Shanghai's market regulator would be told of Shanghai's firm."""
    wanted: dict[str, Any] = {
        "reading_id": bytes(range(16)),
        "uscc": USCC,
        "home_member": SHANGHAI,
        "read_time": NOW,
        "agency": AGENCY,
        "purpose": PURPOSE,
        "application_item": MATTER,
        "agreement_id": AGREEMENT,
        "suite": OPENER.suite,
        "sealing_key": OPENER.public,
        "body": SummaryQuestion(subjects=(NamedSubject(uscc=USCC),), window=Window.M12),
    }
    return PreviewReading(**{**wanted, **changes})


def delay_order(**changes: Any) -> DelayOrder:
    """Write a delay of a case of Shanghai's market regulator."""
    wanted: dict[str, Any] = {
        "delay_id": bytes(range(16)),
        "agency": AGENCY,
        "officer": OFFICER,
        "approving_officer": SECOND,
        "order_time": NOW,
        "case_reference": CASE,
        "until_date": "2026-06-01",
        "ground": "sample ground",
    }
    return DelayOrder(**{**wanted, **changes})


def ordered(*signers: suite.Signer, **changes: Any) -> Envelope:
    """Sign a delay with both officers' keys."""
    return signed(delay_order(**changes), *(signers or OFFICERS.values()))


@dataclass(kw_only=True)
class Near:
    """A member asked without a network, on a road that a test may bend; satisfies `tracker.Holder`."""

    world: World
    member: str

    async def access(self, request: Envelope, seconds: float) -> Envelope:
        """Ask."""
        assert seconds > 0
        bend = self.world.bent.get(self.member)
        reply = await self.world.trackings[self.member].access(request, SHANGHAI)
        return reply if bend is None else await bend(reply)

    async def preview(self, request: Envelope, seconds: float) -> Envelope:
        """Ask what it would tell."""
        assert seconds > 0
        bend = self.world.bent.get(self.member)
        reply = await self.world.trackings[self.member].preview(request, SHANGHAI)
        return reply if bend is None else await bend(reply)

    async def delay(self, order: Envelope, seconds: float) -> None:
        """Hand a delay on."""
        assert seconds > 0
        if self.member in self.world.bent:
            raise Unavailable("UNAVAILABLE")
        await self.world.trackings[self.member].take_delay(order, SHANGHAI)


@dataclass(kw_only=True)
class World:
    """Shanghai is the subject's home; `bent` changes or withholds what a member replies, `gone` has no address."""

    folder: Path
    now: datetime = NOW
    bent: dict[str, Callable[[Envelope], Awaitable[Envelope]]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    limits: dict[str, int] = field(default_factory=lambda: {"attempts": 1})
    bundle: bytes = DIRECTORY
    asked: int = 0

    def __post_init__(self) -> None:
        """Open the stores."""
        self.counters: dict[str, Counter] = {}
        self.trackings: dict[str, Tracking] = {}
        for member in MEMBERS:
            (self.folder / member).mkdir()
            counter = Counter(folder=self.folder / member, charter=charter(member, limits=self.limits))
            if member != SHANGHAI:
                counter.rows.clear()
            self.counters[member] = counter
            self.trackings[member] = Tracking(self.desk(member))
        self.tracker = Tracker(self.desk(SHANGHAI), self.trackings[SHANGHAI], self.holder)

    def holder(self, member: str) -> Holder | None:
        """Give a member, or nothing."""
        if member == SHANGHAI:
            return LocalHolder(self.trackings[SHANGHAI], SHANGHAI)
        return None if member in self.gone else Near(world=self, member=member)

    def desk(self, member: str) -> Desk:
        """Give what a member has at hand."""
        counter = self.counters[member]
        return Desk(
            charter=lambda: counter.charter,
            signer=lambda: SIGNERS[member],
            clock=lambda: self.now,
            source=counter.source,
            book=counter.store.accesses,
            cases=counter.store.cases,
            authorising=counter.authorising,
            home=Home(entropy=entropy, name_digest=lambda code, name: f"{code}{name}".encode()),
            observe=counter.events.append,
        )

    def at(self, now: datetime) -> None:
        """Set the time."""
        self.now = now
        for each in self.counters.values():
            each.now = now

    async def open_case(self, reference: str = CASE) -> None:
        """Open a case of the agency at Shanghai's desk."""
        await self.counters[SHANGHAI].store.cases.open_case(
            Case(
                agency=AGENCY, case_reference=reference, purpose="P", application_item="I", subject_count=1,
                open_time=self.now, officer=OFFICER, approving_officer="",
            )
        )  # fmt: skip

    async def ask(
        self, asker: str = JIANGSU, answerer: str = SHANGHAI, *, code: str = USCC, refused: bool = False,
        others: tuple[str, ...] = (), **header: Any,
    ) -> bytes:  # fmt: skip
        """Have a question about a subject entered on both its sides; give its id."""
        self.asked += 1
        agency = header.pop("asker_agency", BANK if asker == JIANGSU else AGENCY)
        number = 500 + self.asked
        asked = question(
            number, asked=self.now, sequence=self.asked, asker_member=asker, answerer_member=answerer,
            asker_agency=agency, officer=f"{agency}/o1", **{"case_reference": "", **header},
        )  # fmt: skip
        subjects = tuple(NamedSubject(uscc=each) for each in (code, *others))
        asked = replace(asked, body=SummaryQuestion(subjects=subjects, window=Window.M12))
        envelope = sign("application/x-question", b"question %d" % number, SIGNERS[asker])
        composed = Signed(envelope=envelope, question=asked, digest=digest("question", number))
        asking = self.counters[asker].store.asker
        await asking.open((answerer,), lambda *_: composed)
        exchange = Exchange(
            question_id=identity(number), question_digest=composed.digest, question=asked, question_bytes=b"q",
            reply=Reply(payload=b"answer", refused=refused), reply_digest=digest("answer", number),
            reason="AUTHORISATION_MISSING" if refused else "", kind="summary", facts_version=1,
            received_time=self.now, day=civil_day(self.now), charge_limit=200,
            subjects=() if refused else tuple(each.uscc for each in subjects),
            fields_granted=() if refused else ("penalty.band",),
        )  # fmt: skip
        await self.counters[answerer].store.journal.commit(exchange)
        closing = Closing(
            question_id=identity(number), outcome="REFUSED" if refused else "ANSWERED", reply=exchange.reply,
            digest=exchange.reply_digest,
        )  # fmt: skip
        await asking.conclude(
            (closing,),
            agency=agency,
            case_reference="",
            purpose="P",
            application_item="i",
            result=b"r",
            result_digest=bytes(32),
            issued=(),
            now=self.now,
        )
        return identity(number)

    async def read(self, key: suite.Signer = KEY, **changes: Any) -> Found:
        """Read as the subject does, over what a desk would send."""
        reading = access_reading(read_time=self.now, **changes)
        envelope = signed(reading, key)
        return verified(*await self.tracker.read(envelope, AGENCY), reading, envelope, self.bundle)

    async def preview(self, key: suite.Signer = KEY, **changes: Any) -> Preview:
        """Preview as the subject does, over what a desk would send."""
        reading = preview_reading(read_time=self.now, **changes)
        envelope = signed(reading, key)
        sent = previewed(*await self.tracker.preview(envelope, AGENCY), self.bundle)
        return verify_preview(sent, reading=reading, envelope=envelope, opener=OPENER, root=ROOT)

    def adopt(self, bundle: bytes) -> None:
        """Have every member follow a bundle."""
        self.bundle = bundle
        for member, counter in self.counters.items():
            counter.charter = charter_of(member, bundle)

    async def witness(self, member: str, *others: str) -> None:
        """Have other members cosign a member's last head."""
        book, directory = self.counters[member].store.witness, open_bundle(self.bundle, root=ROOT)
        own = book.current()
        assert own is not None
        note = cosigned(read_note(own.payload), *((each, int(self.now.timestamp())) for each in others))
        seen = dating.witnessed_in(directory, open_checkpoint(note.payload, logs.listed_keys(directory, member)))
        await book.keep_witnessed(own.log, seen)

    def close(self) -> None:
        """Close the stores."""
        for each in self.counters.values():
            each.store.close()


def response(summary: Envelope, replies: tuple[AccessReply, ...], bundle: bytes = DIRECTORY) -> bytes:
    """Write a ReadAccessResponse."""
    message = access_pb2.ReadAccessResponse(
        summary=carriers.envelope_to_message(summary),
        reports=[access_pb2.SealedReport(member=each.member, sealed=each.sealed) for each in replies],
        bundle=bundle,
    )
    return bytes(message.SerializeToString())


def previewed(summary: Envelope, replies: tuple[AccessReply, ...], bundle: bytes = DIRECTORY) -> bytes:
    """Write a ReadPreviewResponse."""
    message = access_pb2.ReadPreviewResponse(
        summary=carriers.envelope_to_message(summary),
        reports=[access_pb2.SealedReport(member=each.member, sealed=each.sealed) for each in replies],
        bundle=bundle,
    )
    return bytes(message.SerializeToString())


def verified(
    summary: Envelope,
    replies: tuple[AccessReply, ...],
    reading: AccessReading,
    envelope: Envelope,
    bundle: bytes = DIRECTORY,
) -> Found:
    """Verify what the desk sent."""
    sent = response(summary, replies, bundle)
    return verify_access(sent, reading=reading, digest=envelope.digest(), opener=OPENER, root=ROOT)


async def withheld(reply: Envelope) -> Envelope:
    """Give nothing in time."""
    del reply
    raise Unavailable("DEADLINE_EXCEEDED")


async def not_now(reply: Envelope) -> Envelope:
    """Refuse."""
    del reply
    raise Refused(RefusalReason.OVERLOADED)


def outcomes(found: Found | Preview | tuple[AccessOutcome, ...]) -> dict[str, str]:
    """Give what became of each member, with the reason behind it."""
    members = found if isinstance(found, tuple) else found.members
    return {each.member: f"{each.state.value} {each.reason}".strip() for each in members}


MONTH = timedelta(days=31)
