"""Evidence at the desk, over a store on disk: who may have it, what is sealed or entered; what is given verifies."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bundles import AGENCY, NOW, OFFICER, ROOT, SECOND, intent_of, plot, signed_directory
from desks import THIRD, Desk, add_officers, end_role, refusal, refused
from evidences import Exhibit
from ledgers import JIANGSU, SHANGHAI
from receipts import LOGGERS
from stores import KEY
from witnesses import with_witnesses
from worlds_tables import MATTER, MEMBERS, PURPOSE

from gateway import carriers, wire
from gateway.asking import Asking
from gateway.cases import Cases
from gateway.errors import NotDurable
from gateway.evidence import GROUND, Evidence, Piece
from gateway.ledger import dating, logs
from gateway.ledger.checkpoint import open_checkpoint
from gateway.ledger.errors import LedgerError
from gateway.ledger.note import read_note
from gateway.model.codes import ExportState, MarkKind, RefusalReason
from gateway.model.combined import CaseOpening, CaseReading
from gateway.model.evidence import CaseListing, EvidenceOrder, EvidenceStatement
from gateway.model.ledger import LedgerPrivate, Receipt
from gateway.verification import Status
from gateway.verification.evidence import FORMAT, EvidenceVerdict, verify_evidence, verify_listing
from gateway.verification.verdict import Unreadable
from keys.envelope import Envelope
from nodes.store import Scribe, Store
from yrdx.exchange.v1 import desk_pb2, evidence_pb2

SEEN = NOW + timedelta(seconds=1)


@dataclass
class Shelf:
    """What answerers and the bundle archive give: each answer's own receipt, cosigned; the bundles by time."""

    desk: Desk
    silent: tuple[str, ...] = ()
    earlier: bytes = b""
    asked: list[str] = field(default_factory=list)
    receipts: dict[bytes, Receipt] = field(default_factory=dict)

    def kept(self, version: int, time: datetime) -> bytes:
        """Give the bundle of the asking."""
        assert (version, time) == (7, NOW)
        return self.desk.node.charter.directory.archive

    def in_force(self, time: datetime) -> bytes:
        """Give the bundle of the time when witnesses saw it."""
        assert time == SEEN
        return self.earlier or self.desk.node.charter.directory.archive

    async def proof(self, member: str, origin: str, index: int, shared: bytes) -> Receipt | None:
        """Give an answerer's proof."""
        self.asked.append(member)
        assert (origin, shared[:2]) == (logs.origin(member, 1), b"\x08\x02")
        return None if member in self.silent else self.cosigned(member, index)

    def cosigned(self, member: str, index: int) -> Receipt:
        """Have the head of the receipt that came with a member's answer cosigned."""
        found = self.receipts[member.encode()]
        assert found.leaf_index == index
        return replace(found, checkpoint=Exhibit(seen=SEEN).cosigned(read_note(found.checkpoint)).payload)


@dataclass
class Kept:
    """The store's results; what the member answered itself is proven by the shelf, whose ledger made the receipt."""

    store: Store
    shelf: Shelf
    broken: bool = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store.evidence, name)

    def proof_at(self, origin: str, index: int) -> Receipt | None:
        """Prove the member's own answer."""
        if self.broken:
            raise LedgerError("damaged")
        assert origin == logs.origin(SHANGHAI, 1)
        return self.shelf.cosigned(SHANGHAI, index)


class Court:
    """Shanghai's desk with a store on disk, a case, and results under it."""

    def __init__(self, path: Path) -> None:
        """Open the store."""
        self.path = path
        self.desk = Desk()
        self.desk.edit(with_witnesses, add_officers)
        self.store = Store.open(path, KEY, Scribe(member=SHANGHAI, signer=lambda: LOGGERS[SHANGHAI]))
        self.shelf = Shelf(self.desk)
        self.kept = Kept(self.store, self.shelf)
        office = replace(self.desk.node.asking._office, log=self.store.asker, cases=self.store.cases)
        self.asking = Asking(office)
        exhibits: Any = self.kept
        self.evidence = Evidence(office, exhibits, self.shelf, self.shelf)

    async def ask(self, *, silent: str = "", seen: bool = True) -> bytes:
        """Open the case, ask under it, have the ledger witnessed; give the result's digest."""
        opening = CaseOpening(case_reference="C-1", agency=AGENCY, officer=OFFICER, open_time=NOW, purpose=PURPOSE,
                              application_item=MATTER)  # fmt: skip
        await Cases(self.asking._office).open_case(self.desk.sign(opening), AGENCY)
        held = self.desk.node.others.pop(silent, None)
        payload = await self.asking.ask(self.desk.sign(intent_of(plot("rating"))), AGENCY)
        if held is not None:
            self.desk.node.others[silent] = held
        result, exchanges = carriers.read_kept(payload)
        found = {each.member.encode(): each.receipt for each in exchanges if each.receipt is not None}
        self.shelf.receipts.update(found)
        if seen:
            await self.witness()
        return result.digest()

    async def witness(self) -> None:
        """Let the other members cosign the newest head."""
        own = self.store.witness.current()
        assert own is not None
        directory = self.desk.node.charter.directory
        note = Exhibit(seen=SEEN).cosigned(read_note(own.payload))
        opened = open_checkpoint(note.payload, logs.listed_keys(directory, SHANGHAI))
        await self.store.witness.keep_witnessed(own.log, dating.witnessed_in(directory, opened))

    def order(self, digest: bytes, *officers: str, **more: Any) -> Envelope:
        """Order evidence."""
        return self.desk.sign(
            self.desk.request(EvidenceOrder, order_id=bytes(16), result_digest=digest, **more),
            *officers,
        )

    async def export(self, digest: bytes, *officers: str, **more: Any) -> Piece | ExportState:
        """Have it exported."""
        return await self.evidence.export(self.order(digest, *officers, **more), AGENCY)

    def listing(self, reference: str = "C-1") -> Envelope:
        """Have the case listed."""
        return self.evidence.listing(self.desk.sign(self.desk.request(CaseReading, case_reference=reference)), AGENCY)

    def rows(self, statement: str) -> list[Any]:
        """Read or change the database."""
        with closing(sqlite3.connect(self.path)) as connection:
            found = connection.execute(statement).fetchall()
            connection.commit()
        return found


@pytest.fixture
def court(tmp_path: Path) -> Iterator[Court]:
    """Give the desk."""
    found = Court(tmp_path / "node.db")
    yield found
    found.store.close()


def file_of(*pieces: Piece | ExportState, listing: Envelope | None = None) -> bytes:
    """Put what was given into a file, as the command line does."""
    file, bundles = evidence_pb2.EvidenceFile(format=FORMAT), dict[bytes, None]()
    for each in pieces:
        assert isinstance(each, Piece), each
        file.pieces.add(statement=carriers.envelope_to_message(each.statement), content=each.content)
        bundles |= dict.fromkeys(each.bundles)
    file.bundles.extend(bundles)
    if listing is not None:
        file.listing.CopyFrom(carriers.envelope_to_message(listing))
    return bytes(file.SerializeToString())


def judge(*pieces: Piece | ExportState, listing: Envelope | None = None) -> EvidenceVerdict:
    """Verify a file of them."""
    found = verify_evidence(file_of(*pieces, listing=listing), root=ROOT, now=NOW)
    assert [each for each in found.all_parts if each.failed] == []
    return found


async def test_what_the_desk_gives_verifies(court: Court) -> None:
    """A whole case: two results, one with a silent member; every entry of asker and answerers is seen."""
    one, receipts = await court.ask(), dict(court.shelf.receipts)
    two, later = await court.ask(silent=JIANGSU), court.shelf.receipts
    listing, pieces = court.listing(), []
    for digest, held in ((one, receipts), (two, later)):
        court.shelf.receipts = held
        pieces.append(await court.export(digest, listing_digest=listing.digest()))
    found = judge(*pieces, listing=listing)
    assert (found.genuine, found.listing is not None, found.status) == (True, True, Status.UNKNOWN)
    assert [len(each.seen) for each in found.pieces] == [13, 12]
    others = [each for each in MEMBERS if each != SHANGHAI]
    assert court.shelf.asked == [*others, *(each for each in others if each != JIANGSU)]


async def test_an_answerer_that_gives_no_proof_holds_up_nothing(court: Court) -> None:
    """Its answer is proven by the asker's own entry."""
    court.shelf.silent = (JIANGSU,)
    found = judge(await court.export(await court.ask()))
    assert len(found.pieces[0].seen) == 12


async def test_a_bundle_that_was_in_force_meanwhile_is_enclosed(court: Court) -> None:
    """Keys may have been turned over between the asking, the witnesses and the export."""

    def meanwhile(document: dict[str, Any]) -> None:
        with_witnesses(document)
        document["issued_time"] = "2026-03-02T00:00:00Z"

    court.shelf.earlier = signed_directory(meanwhile)
    piece = await court.export(await court.ask())
    assert isinstance(piece, Piece)
    statement = wire.decode(EvidenceStatement, piece.statement.payload)
    assert (len(piece.bundles), len(statement.further_bundles)) == (2, 1)
    judge(piece)


async def test_each_export_is_entered(court: Court) -> None:
    """The ledger holds who exported in which role, with the digest of the statement; nothing leaves without."""
    piece = await court.export(await court.ask())
    assert isinstance(piece, Piece)
    ((shared, private),) = court.rows("SELECT shared, private FROM ledger_entry ORDER BY seq DESC LIMIT 1")
    told = wire.decode(LedgerPrivate, private)
    assert (told.act, told.role, told.officer, told.agency) == ("EXPORT", "ask", OFFICER, AGENCY)
    assert piece.statement.digest() in shared

    async def full(*_: object) -> int:
        raise NotDurable("full")

    court.kept.__dict__["export"] = full
    statement = wire.decode(EvidenceStatement, piece.statement.payload)
    assert await refusal(court.export(statement.result_digest)) is RefusalReason.NOT_DURABLE


async def test_an_auditor_exports_as_one(court: Court) -> None:
    """Who holds no role to ask acts in the role to audit; who holds neither is refused."""
    digest = await court.ask()

    def audits(document: dict[str, Any]) -> None:
        member = next(each for each in document["members"] if each["id"] == SHANGHAI)
        row = next(each for each in member["officers"] if each["id"] == OFFICER)
        row["roles"] = [{"role": "audit", "from": "2025-01-01", "until": None}]

    court.desk.edit(audits)
    await court.export(digest)
    ((private,),) = court.rows("SELECT private FROM ledger_entry ORDER BY seq DESC LIMIT 1")
    assert wire.decode(LedgerPrivate, private).role == "audit"
    court.desk.edit(end_role("audit", "2025-06-01"))
    assert await refusal(court.export(digest)) is RefusalReason.AGENCY_NOT_ALLOWED


async def test_what_was_recalled_wants_a_ground_and_two_officers(court: Court) -> None:
    """Neither alone is enough; the export bears the mark, and the case shows the result no more."""
    digest = await court.ask()
    ((question_id,),) = court.rows(f"SELECT question_id FROM sent WHERE member = '{JIANGSU}'")
    assert await court.store.evidence.mark(question_id, MarkKind.RECALLED, bytes(32), NOW)
    assert not await court.store.evidence.mark(question_id, MarkKind.RECALLED, bytes(32), NOW)
    assert not await court.store.evidence.mark(b"nobody's", MarkKind.RECALLED, bytes(32), NOW)
    two = {"approving_officer": SECOND}
    assert await court.export(digest, ground="appeal") is ExportState.SEALED
    assert await court.export(digest, OFFICER, SECOND, **two) is ExportState.SEALED
    found = judge(await court.export(digest, OFFICER, SECOND, ground="appeal", **two))
    assert found.status is Status.RECALLED
    assert court.store.cases.results(AGENCY, "C-1", after=0, limit=9) == ()
    marks = wire.decode(CaseListing, court.listing().payload).results[0].marks
    assert [(each.member, each.mark) for each in marks] == [(JIANGSU, MarkKind.RECALLED)]


async def test_an_objection_seals_nothing(court: Court) -> None:
    """It is listed; the result stays as it is."""
    digest = await court.ask()
    ((question_id,),) = court.rows(f"SELECT question_id FROM sent WHERE member = '{JIANGSU}'")
    await court.store.evidence.mark(question_id, MarkKind.DISPUTED, bytes(32), NOW)
    assert judge(await court.export(digest)).pieces[0].statement is not None
    assert len(court.store.cases.results(AGENCY, "C-1", after=0, limit=9)) == 1


async def test_a_second_officer_must_be_another_who_approves(court: Court) -> None:
    """A named second officer signs the same bytes and holds the role; a ground has its limit."""
    digest = await court.ask()
    court.desk.edit(end_role("approve", "2025-06-01", THIRD))
    both = (OFFICER, THIRD)
    assert await refusal(court.export(digest, *both, approving_officer=THIRD)) is RefusalReason.SECOND_OFFICER_NEEDED
    assert await refusal(court.export(digest, approving_officer=SECOND)) is RefusalReason.SECOND_OFFICER_NEEDED
    assert await refusal(court.export(digest, ground="g" * (GROUND + 1))) is RefusalReason.MALFORMED
    assert await refusal(court.export(digest, listing_digest=bytes(31))) is RefusalReason.MALFORMED


async def test_what_cannot_be_exported_is_named(court: Court) -> None:
    """An unknown result, one that nobody has witnessed, one from before the ledger, one whose bodies were deleted."""
    assert await court.export(bytes(32)) is ExportState.UNKNOWN_RESULT
    assert await court.export(b"") is ExportState.UNKNOWN_RESULT
    digest = await court.ask(seen=False)
    assert await court.export(digest) is ExportState.NOT_WITNESSED
    await court.witness()
    judge(await court.export(digest))
    court.rows("UPDATE result SET entry = NULL")
    assert await court.export(digest) is ExportState.NOT_WITNESSED
    court.rows("UPDATE sent SET asked_entry = NULL")
    assert await court.export(digest) is ExportState.NOT_WITNESSED
    court.rows("UPDATE storage_key SET destroyed = 1")
    assert await court.export(digest) is ExportState.DELETED
    assert wire.decode(CaseListing, court.listing().payload).results[0].deleted


async def test_a_damaged_ledger_is_no_evidence(court: Court) -> None:
    """Where the own ledger cannot prove an entry, the desk refuses."""
    digest = await court.ask()
    court.kept.broken = True
    assert await refusal(court.export(digest)) is RefusalReason.NOT_DURABLE


async def test_a_case_of_nobody_is_not_listed(court: Court) -> None:
    """A listing is of a case that the agency has, and verifies under its bundle alone."""
    await court.ask()
    assert refused(lambda: court.listing("C-9")) is RefusalReason.CASE_MISSING
    response = evidence_pb2.ListResultsResponse(
        listing=carriers.envelope_to_message(court.listing()), bundle=court.evidence.bundle
    )
    parts, found = verify_listing(response.SerializeToString(), root=ROOT)
    assert found is not None
    assert [each.failed for each in parts] == [None, None]
    response.bundle = b"none"
    assert verify_listing(response.SerializeToString(), root=ROOT)[1] is None
    with pytest.raises(Unreadable):
        verify_listing(b"\x99", root=ROOT)


async def test_an_answer_without_a_receipt_is_proven_by_the_asker_alone(court: Court) -> None:
    """What was kept before receipts came is still evidence of the asker's side."""
    kept = desk_pb2.AskMembersResponse()
    await court.ask()
    ((_, body),) = court.store.cases.results(AGENCY, "C-1", after=0, limit=1)
    kept.MergeFromString(body)
    kept.exchanges[1].answer.ClearField("receipt")
    _, exchanges = carriers.read_kept(kept.SerializeToString())
    assert await court.evidence._answered(exchanges[1], court.desk.node.charter) is None
