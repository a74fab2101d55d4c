"""A case as evidence, as the member's desk gives it out (duties U23, U24): listed, marked, and proven to witnesses.

What was recalled is sealed: it is given on a ground, to two officers, and bears the mark. Every export is entered in
the ledger before it leaves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Protocol

from gateway import carriers, wire
from gateway.charter import Charter
from gateway.clocks import civil_day
from gateway.errors import NotDurable, Refused
from gateway.exchange.intend import check_reader, open_signed_request
from gateway.exchange.permit import approves
from gateway.ledger import dating, events
from gateway.ledger.checkpoint import read_head
from gateway.ledger.errors import LedgerError
from gateway.ledger.note import read_note
from gateway.limits import DIGEST_BYTES
from gateway.model.codes import ExportState, LedgerEventKind, MarkKind, RefusalReason
from gateway.model.combined import CaseReading
from gateway.model.evidence import (
    AnswerMark,
    CaseListing,
    EvidenceOrder,
    EvidenceStatement,
    ExchangeProofs,
    ListedResult,
)
from gateway.model.ledger import Receipt
from gateway.office import Office
from keys.envelope import Envelope, sign

GROUND = 500
"""Characters that a ground may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptResult:
    """A result as it is kept: no body once it was deleted; entries by question id, of asking and of the end."""

    body: bytes | None
    entry: int | None
    entries: Mapping[bytes, tuple[int | None, int | None]]
    marks: tuple[AnswerMark, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """Who in which role had what exported; the digest is that of the signed statement."""

    agency: str
    officer: str
    role: str
    digest: bytes


class Exhibits(Protocol):
    """The member's results as evidence. Reads see what was committed by any worker."""

    def listed(self, agency: str, case_reference: str) -> tuple[ListedResult, ...]:
        """Give every result of a case, oldest first."""

    def result(self, agency: str, result_digest: bytes) -> KeptResult | None:
        """Give a result of an agency, or None."""

    def proof(self, entry: int) -> Receipt | None:
        """Prove an own entry by its number, or give None while no cosigned head covers it.

        Raises:
            LedgerError: when the ledger is damaged.
        """

    def proof_at(self, origin: str, index: int) -> Receipt | None:
        """Prove an own entry by its place in a log; as `proof`."""

    async def export(self, export: Export, now: datetime) -> int:
        """Enter an export in the ledger.

        Raises:
            NotDurable: nothing was entered, and nothing may be given out.
        """


class Bundles(Protocol):
    """The bundles that were in force here."""

    def kept(self, version: int, time: datetime) -> bytes:
        """Give the archive of a version's bundle as it was in force at a time, or nothing when none was here."""

    def in_force(self, time: datetime) -> bytes:
        """Give the archive that was in force at a time, or nothing when none was here."""


class Origins(Protocol):
    """The answerers' ledgers."""

    async def proof(self, member: str, origin: str, index: int, shared: bytes) -> Receipt | None:
        """Give the verified proof of an event in a member's log, or None where it cannot be had now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One result as evidence: the signed statement, the content, and the bundles with which it verifies."""

    statement: Envelope
    content: bytes
    bundles: tuple[bytes, ...]


class Evidence:
    """Gives the results of the member's agencies as evidence."""

    def __init__(self, office: Office, exhibits: Exhibits, bundles: Bundles, origins: Origins) -> None:
        """Use an office and what is kept."""
        self._office = office
        self._exhibits = exhibits
        self._bundles = bundles
        self._origins = origins

    @property
    def bundle(self) -> bytes:
        """The archive of the bundle in force."""
        return self._office.charter().directory.archive

    def listing(self, envelope: Envelope, agency: str, assertion: Envelope | None = None) -> Envelope:
        """Sign the list of a case's results, with what became of their answers since.

        Raises:
            Refused: CASE_MISSING when the agency has no such case; else as for reading a case.
        """
        office, charter, now = self._office, self._office.charter(), self._office.clock()
        bearer = office.bearer(assertion, agency, charter, now)
        reading, _ = open_signed_request(envelope, CaseReading, agency, charter, now, bearer)
        check_reader(reading, charter, now)
        if office.cases.case(agency, reading.case_reference) is None:
            raise Refused(RefusalReason.CASE_MISSING)
        found = CaseListing(
            member=charter.me,
            agency=agency,
            case_reference=reading.case_reference,
            list_time=now,
            results=self._exhibits.listed(agency, reading.case_reference),
        )
        return sign(wire.PAYLOAD_TYPES[CaseListing], wire.encode(found), office.signer())

    async def export(self, envelope: Envelope, agency: str, assertion: Envelope | None = None) -> Piece | ExportState:
        """Give a result as evidence, entered in the ledger before, or say why there is none.

        Raises:
            Refused: with the reason; NOT_DURABLE when it could not be entered.
        """
        office, charter, now = self._office, self._office.charter(), self._office.clock()
        bearer = office.bearer(assertion, agency, charter, now)
        order, _ = open_signed_request(envelope, EvidenceOrder, agency, charter, now, bearer)
        _check_order(order, charter, now)
        kept = self._exhibits.result(agency, order.result_digest)
        if kept is None:
            return ExportState.UNKNOWN_RESULT
        if _is_sealed(kept) and not (order.ground and order.approving_officer):
            return ExportState.SEALED
        asked = b"" if kept.body is None else self._asked_bundle(kept.body)
        if kept.body is None or not asked:
            return ExportState.DELETED
        try:
            proven = await self._prove(kept, kept.body, charter)
        except LedgerError as error:
            raise Refused(RefusalReason.NOT_DURABLE) from error
        if proven is None:
            return ExportState.NOT_WITNESSED
        piece = self._piece(order, kept, proven, asked, charter, now)
        role = "ask" if _holds(order, charter, now, "ask") else "audit"
        export = Export(agency=agency, officer=order.officer, role=role, digest=piece.statement.digest())
        try:
            await self._exhibits.export(export, now)
        except NotDurable as error:
            raise Refused(RefusalReason.NOT_DURABLE) from error
        return piece

    def _asked_bundle(self, body: bytes) -> bytes:
        header = carriers.read_header(carriers.read_kept(body)[1][0].question)
        return self._bundles.kept(header.bundle_version, header.asked_time)

    async def _prove(self, kept: KeptResult, body: bytes, charter: Charter) -> _Proven | None:
        """Prove every entry under a cosigned head; None while one of the member's own is not covered."""
        _, exchanges = carriers.read_kept(body)
        concluded = self._own(kept.entry)
        answered = await asyncio.gather(*(self._answered(each, charter) for each in exchanges))
        found = []
        for each, theirs in zip(exchanges, answered, strict=True):
            asked, ended = map(self._own, kept.entries.get(each.question_id, (None, None)))
            if asked is None or ended is None:
                return None
            found.append(ExchangeProofs(asked=asked, ended=ended, answered=theirs))
        if concluded is None:
            return None
        content = carriers.write_content(body, concluded, found)
        receipts = [concluded, *(part for each in found for part in (each.asked, each.ended, each.answered) if part)]
        return _Proven(content=content, times=tuple(_times(receipts)))

    def _own(self, entry: int | None) -> Receipt | None:
        return None if entry is None else self._exhibits.proof(entry)

    async def _answered(self, each: carriers.KeptExchange, charter: Charter) -> Receipt | None:
        """Give the answerer's proof of an answer; from the own ledger where the member asked itself."""
        if each.answer is None or each.receipt is None:
            return None
        origin, index = read_head(read_note(each.receipt.checkpoint).text).origin, each.receipt.leaf_index
        if each.member == charter.me:
            return self._exhibits.proof_at(origin, index)
        header, digest = carriers.read_header(each.question), each.question.digest()
        shared = events.shared_bytes(LedgerEventKind.ANSWERED, header, digest, each.answer.digest())
        return await self._origins.proof(each.member, origin, index, shared)

    def _piece(
        self, order: EvidenceOrder, kept: KeptResult, proven: _Proven, asked: bytes, charter: Charter, now: datetime
    ) -> Piece:
        current = charter.directory.archive
        seen = (self._bundles.in_force(each) for each in proven.times)
        bundles = {sha256(each).digest(): each for each in (asked, *seen, current) if each}
        first, last = sha256(asked).digest(), sha256(current).digest()
        statement = EvidenceStatement(
            member=charter.me,
            agency=order.agency,
            officer=order.officer,
            approving_officer=order.approving_officer,
            ground=order.ground,
            export_time=now,
            result_digest=order.result_digest,
            content_digest=sha256(proven.content).digest(),
            asked_bundle=first,
            export_bundle=last,
            further_bundles=tuple(each for each in bundles if each not in {first, last}),
            marks=kept.marks,
            listing_digest=order.listing_digest,
        )
        signed = sign(wire.PAYLOAD_TYPES[EvidenceStatement], wire.encode(statement), self._office.signer())
        return Piece(statement=signed, content=proven.content, bundles=tuple(bundles.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proven:
    """The content with its proofs, and when witnesses saw its heads."""

    content: bytes
    times: tuple[datetime, ...]


def _check_order(order: EvidenceOrder, charter: Charter, now: datetime) -> None:
    """Check who orders: an officer who may read what the agency asked, and where one is named, a second who approves.

    Raises:
        Refused: with the reason.
    """
    if len(order.ground) > GROUND or len(order.listing_digest) not in {0, DIGEST_BYTES}:
        raise Refused(RefusalReason.MALFORMED)
    check_reader(order, charter, now)
    second = order.approving_officer
    if second and not approves(second, order.officer, charter.directory, civil_day(now)):
        raise Refused(RefusalReason.SECOND_OFFICER_NEEDED)


def _holds(order: EvidenceOrder, charter: Charter, now: datetime, role: str) -> bool:
    officer = charter.directory.officer(order.officer)
    return officer is not None and officer.holds(role, civil_day(now))


def _is_sealed(kept: KeptResult) -> bool:
    return any(each.mark is MarkKind.RECALLED for each in kept.marks)


def _times(receipts: Iterable[Receipt]) -> Iterator[datetime]:
    """Give when each head was seen by the last who cosigned it: the bundle of then lists the keys."""
    for payload in dict.fromkeys(each.checkpoint for each in receipts):
        yield from sorted(dating.said(read_note(payload)))[-1:]
