"""Verifies an evidence file offline, years later (duties U23, U24): what was exchanged, and that witnesses saw it.

All stands in the file: the bundles of every time that matters, and paths to heads that enough witnesses cosigned.
What a key signed counts by the time at which witnesses saw it, as the newest of those bundles lists the key (threat 8).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256

from gateway import carriers, wire
from gateway.catalogue import Catalogue
from gateway.exchange.admit import is_stale
from gateway.kinds import KINDS
from gateway.kinds.row import Kind
from gateway.model.codes import MarkKind
from gateway.model.evidence import AnswerMark, CaseListing, EvidenceStatement, ExchangeProofs
from gateway.model.ledger import Receipt
from gateway.verification import entries
from gateway.verification.checks import check_key, holds, look, open_signed, step
from gateway.verification.entries import Seen
from gateway.verification.files import content_of, ground_of
from gateway.verification.verdict import Check, Content, Part, Status, Unreadable, Verdict
from keys.directory import Directory
from yrdx.exchange.v1 import desk_pb2, envelope_pb2, evidence_pb2

FORMAT = "yrdx.evidence.v1"
MOST_BUNDLES, MOST_PIECES = 1_000, 10_000

_BEGIN = evidence_pb2.EvidenceFile(format=FORMAT).SerializeToString()
_STATUS = {MarkKind.RECALLED: Status.RECALLED, MarkKind.SUPERSEDED: Status.SUPERSEDED}


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceVerdict:
    """What was found out about one result of an evidence file; `statement` and `seen` are there when it is genuine."""

    verdict: Verdict
    statement: EvidenceStatement | None
    seen: tuple[Seen, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceVerdict:
    """What was found out about an evidence file; the parts are those that its pieces share."""

    parts: tuple[Part, ...]
    listing: CaseListing | None
    pieces: tuple[PieceVerdict, ...]

    @property
    def all_parts(self) -> tuple[Part, ...]:
        """Every part, those of the pieces after the shared ones."""
        return (*self.parts, *(part for each in self.pieces for part in each.verdict.parts))

    @property
    def genuine(self) -> bool:
        """Whether every part of every piece passed every check."""
        shared = not any(each.failed for each in self.parts)
        return shared and bool(self.pieces) and all(each.verdict.genuine for each in self.pieces)

    @property
    def in_time(self) -> bool:
        """Whether the file is genuine and every answer may still be relied on."""
        return self.genuine and all(each.verdict.in_time for each in self.pieces)

    @property
    def status(self) -> Status:
        """What is worst of what had become of an answer by the export; what came after it is not known offline.

        Of a whole case the results whose bodies were deleted count too: a recall does not end with the bodies.
        """
        listed = self.listing.results if self.listing else ()
        found = {each.verdict.status for each in self.pieces} | {_status(each.marks) for each in listed}
        return next((each for each in _STATUS.values() if each in found), Status.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """What the pieces rest on: bundles by their digests, and the newest with what earlier ones listed."""

    bundles: Mapping[bytes, bytes]
    opened: Mapping[bytes, tuple[Directory, Catalogue]]
    directory: Directory
    root: bytes
    kinds: Mapping[str, Kind]
    now: datetime


def is_evidence(file: bytes) -> bool:
    """Tell an evidence file from any other by how it begins."""
    return file.startswith(_BEGIN)


def verify_evidence(file: bytes, *, root: bytes, now: datetime, kinds: Mapping[str, Kind] = KINDS) -> EvidenceVerdict:
    """Verify the bytes of an EvidenceFile against the trusted root's metadata.

    Raises:
        Unreadable: when the bytes are none.
    """
    message = evidence_pb2.EvidenceFile()
    try:
        wire.parse_into(message, file)
    except wire.WireMalformed as error:
        raise Unreadable("no evidence file, torn, or with a field unknown to this version") from error
    if message.format != FORMAT or not 0 < len(message.bundles) <= MOST_BUNDLES:
        raise Unreadable("no evidence file: it is of another format, or holds no bundle")
    if not 0 < len(message.pieces) <= MOST_PIECES:
        raise Unreadable("no evidence file: it holds no result, or too many")
    parts: list[Part] = []
    ground = _ground(message.bundles, parts, root, kinds, now)
    if ground is None:
        return EvidenceVerdict(parts=tuple(parts), listing=None, pieces=())
    pieces = tuple(_piece(each, ground) for each in message.pieces)
    listing = None
    if all(each.verdict.genuine for each in pieces):
        look(parts, "bundles", "", partial(_whole, message.bundles, pieces))
        examine = _listing if message.HasField("listing") else _unlisted
        listing = look(parts, "listing", "", partial(examine, message.listing, pieces, ground.directory))
    return EvidenceVerdict(parts=tuple(parts), listing=listing, pieces=pieces)


def verify_listing(response: bytes, *, root: bytes) -> tuple[tuple[Part, ...], CaseListing | None]:
    """Verify the bytes of a ListResultsResponse; the listing is given when it is genuine.

    Raises:
        Unreadable: when the bytes are none.
    """
    message, parts = evidence_pb2.ListResultsResponse(), list[Part]()
    try:
        wire.parse_into(message, response)
    except wire.WireMalformed as error:
        raise Unreadable("no listing of a case, or torn") from error
    ground = look(parts, "bundle", "", partial(ground_of, message.bundle, root))
    found = ground and look(parts, "listing", "", partial(_signed_listing, message.listing, ground[0]))
    return tuple(parts), found or None


def _signed_listing(message: envelope_pb2.Envelope, directory: Directory) -> CaseListing:
    opened, found = open_signed(message, CaseListing, directory)
    check_key(opened, directory, found.member, found.list_time)
    return found


def _ground(
    archives: Sequence[bytes], parts: list[Part], root: bytes, kinds: Mapping[str, Kind], now: datetime
) -> _Ground | None:
    """Open every bundle; None when one does not verify, for a newer one may take back what an older one lists."""
    opened = [
        look(parts, "bundle", str(number), partial(ground_of, each, root)) for number, each in enumerate(archives, 1)
    ]
    found = [each for each in opened if each is not None]
    if len(found) < len(opened):
        return None
    newest, *earlier = sorted((each for each, _ in found), key=lambda each: each.issued_time, reverse=True)
    whole = look(parts, "directory", "", partial(newest.remembering, earlier))
    if whole is None:
        return None
    bundles = {sha256(each).digest(): each for each in archives}
    by_digest = {sha256(each[0].archive).digest(): each for each in found}
    return _Ground(bundles=bundles, opened=by_digest, directory=whole, root=root, kinds=kinds, now=now)


def _piece(message: evidence_pb2.EvidencePiece, ground: _Ground) -> PieceVerdict:
    """Look at one result: who exported it, the answer file, its entries, and the keys by the time of witnesses."""
    parts: list[Part] = []
    seen: tuple[Seen, ...] = ()
    content: Content | None = None
    statement = look(parts, "statement", "", partial(_statement, message, ground))
    held = statement and look(parts, "content", "", partial(_content, message, statement, ground))
    if statement and held:
        content = content_of(held.file, ground.root, ground.kinds, parts)
    if statement and held and content:
        proofs = look(parts, "entries", "", partial(_proofs, held))
        look(parts, "export", "", partial(_agree, held, statement, content))
        seen = entries.check(parts, content, held.file, proofs, ground.directory) if proofs else ()
    genuine = not any(each.failed for each in parts)
    verdict = Verdict(
        parts=tuple(parts),
        content=content if genuine else None,
        now=ground.now,
        status=_status(statement.marks if statement else ()),
    )
    return PieceVerdict(verdict=verdict, statement=statement if genuine else None, seen=seen if genuine else ())


def _status(marks: Sequence[AnswerMark]) -> Status:
    found = {each.mark for each in marks}
    return next((status for mark, status in _STATUS.items() if mark in found), Status.UNKNOWN)


def _statement(message: evidence_pb2.EvidencePiece, ground: _Ground) -> EvidenceStatement:
    opened, found = open_signed(message.statement, EvidenceStatement, ground.directory)
    check_key(opened, ground.directory, found.member, found.export_time)
    return found


@dataclass(frozen=True, slots=True)
class _Held:
    """What the content of a piece holds, once its digest is the one that was signed."""

    file: desk_pb2.AskMembersResponse
    message: evidence_pb2.EvidenceContent


def _content(message: evidence_pb2.EvidencePiece, statement: EvidenceStatement, ground: _Ground) -> _Held:
    same = sha256(message.content).digest() == statement.content_digest
    holds(Check.DIGEST, same, "the content is another than was exported")
    known = all(each in ground.bundles for each in _named(statement))
    holds(Check.DIGEST, known, "a bundle that was exported is not in the file")
    # A bundle of long before would not tell of keys that were taken back by then.
    export, catalogue = ground.opened[statement.export_bundle]
    latest = statement.export_time + timedelta(seconds=catalogue.limits.clock_skew)
    current = export.issued_time <= latest and not is_stale(export, statement.export_time)
    holds(Check.PERMIT, current, "the bundle of the export was not in force then")
    content = evidence_pb2.EvidenceContent()
    step(Check.FORM, partial(wire.parse_into, content, message.content))
    holds(Check.FORM, not content.file.bundle, "a bundle stands inside the result")
    file = desk_pb2.AskMembersResponse()
    file.CopyFrom(content.file)
    file.bundle = ground.bundles[statement.asked_bundle]
    return _Held(file, content)


def _named(statement: EvidenceStatement) -> tuple[bytes, ...]:
    return (statement.asked_bundle, statement.export_bundle, *statement.further_bundles)


def _agree(held: _Held, statement: EvidenceStatement, content: Content) -> None:
    result = content.result
    said = (statement.member, statement.agency, statement.result_digest)
    same = said == (result.asker_member, result.agency, entries.digest_of(held.file.result))
    holds(Check.BINDING, same, "the statement is about another result")
    holds(Check.BINDING, result.combine_time <= statement.export_time, "it was exported before it was combined")


def _proofs(held: _Held) -> entries.Proofs:
    found = tuple(wire.from_message(ExchangeProofs, each) for each in held.message.exchanges)
    concluded = wire.from_message(Receipt, held.message.concluded)
    holds(Check.MEMBERS, len(found) == len(held.file.exchanges), "entries of other exchanges")
    return entries.Proofs(concluded=concluded, exchanges=found)


def _whole(archives: Sequence[bytes], pieces: Sequence[PieceVerdict]) -> None:
    """Check that each bundle is there once, and named."""
    used = {digest for each in pieces if each.statement for digest in _named(each.statement)}
    found = [sha256(each).digest() for each in archives]
    holds(Check.MEMBERS, sorted(found) == sorted(used), "a bundle that nothing names, or one twice")


def _unlisted(_: envelope_pb2.Envelope, pieces: Sequence[PieceVerdict], __: Directory) -> None:
    """Check that no result was exported as part of a whole case: the rest of it could have been taken out."""
    alone = not any(each.statement and each.statement.listing_digest for each in pieces)
    holds(Check.MEMBERS, alone, "the listing of the case was taken out")


def _listing(message: envelope_pb2.Envelope, pieces: Sequence[PieceVerdict], directory: Directory) -> CaseListing:
    """Check that the file holds every result of the case, but for those whose bodies were deleted."""
    found = _signed_listing(message, directory)
    own = carriers.envelope_from_message(message).digest()
    same = all(each.statement and each.statement.listing_digest == own for each in pieces)
    holds(Check.BINDING, same, "a result was not exported under this listing")
    held = [(each.statement, each.verdict.content) for each in pieces]
    digests = [statement.result_digest for statement, _ in held if statement]
    wanted = [each.result_digest for each in found.results if not each.deleted]
    holds(Check.MEMBERS, digests == wanted, "it lacks a result of the case, or holds another")
    results = [content.result for _, content in held if content]
    cases = {(each.asker_member, each.agency, each.case_reference) for each in results}
    holds(Check.BINDING, cases == {(found.member, found.agency, found.case_reference)}, "results of another case")
    return found
