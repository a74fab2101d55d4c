"""Members as witnesses: what is cosigned was persisted, what is told verifies, entries are proven to their pair."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ledgers import ANHUI, JIANGSU, SHANGHAI, ZHEJIANG, witness_signer
from stores import NOW, digest, question, rows
from witnesses import Region, add_request, added, charter, empty, find, forged, remote

from gateway import wire
from gateway.errors import NotDurable, Refused, Unavailable
from gateway.ledger import cosignature, events, logs, quorum
from gateway.ledger.checkpoint import open_checkpoint
from gateway.ledger.errors import NoteUnsigned, ProofInvalid, ReceiptInvalid
from gateway.ledger.note import NoteSignature, read_note
from gateway.ledger.witnessing import Conflict, Fork, Unproven
from gateway.model.codes import LedgerEventKind, RefusalReason
from gateway.model.witness import (
    CosignedHead,
    GetHeadRequest,
    GetProofRequest,
    HeadConflict,
    HeadFork,
    HeadUnproven,
)
from gateway.witness import REQUEST_BYTES
from keys.errors import KeyNotValid

R = RefusalReason
SECONDS = 1.0
ORIGIN = logs.origin(SHANGHAI, 1)


@pytest.fixture
def shanghai(tmp_path: Path) -> Iterator[Region]:
    """A member whose ledger is witnessed."""
    found = Region(member=SHANGHAI, path=tmp_path / "shanghai.db")
    yield found
    found.store.close()


@pytest.fixture
def jiangsu(tmp_path: Path) -> Iterator[Region]:
    """Its witness, and the asker of its exchanges."""
    found = Region(member=JIANGSU, path=tmp_path / "jiangsu.db")
    yield found
    found.store.close()


@pytest.fixture
def zhejiang(tmp_path: Path) -> Iterator[Region]:
    """A second witness."""
    found = Region(member=ZHEJIANG, path=tmp_path / "zhejiang.db")
    yield found
    found.store.close()


async def refused(work: Any) -> RefusalReason:
    """Give the reason of a refusal."""
    with pytest.raises(Refused) as caught:
        await work
    return caught.value.reason


async def show(log: Region, witness: Region, old_size: int = 0) -> NoteSignature | Conflict | Fork | Unproven:
    """Show a witness the newest head of a log, grown from a size."""
    head = log.head()
    proof = log.store.witness.growth(head.head.origin, old_size, head.note.payload) if old_size else ()
    return await remote(log.member, witness).add_checkpoint(head, old_size, proof, find, SECONDS)


async def witnessed(log: Region, *witnesses: Region, old: int = 0) -> None:
    """Have witnesses cosign the newest head, and keep it."""
    head = log.head()
    lines = [await show(log, each, old) for each in witnesses]
    note = head.note.extended(*(each for each in lines if isinstance(each, NoteSignature)))
    found = quorum.witnessed(
        open_checkpoint(note.payload, find),
        [each.member for each in witnesses],
        lambda member: logs.witness_keys(charter(log.member).directory, member, NOW),
        (),
        quorum.Rule(count=len(witnesses)),
    )
    await log.store.witness.keep_witnessed(1, found)


# AddCheckpoint


async def test_a_witness_follows_a_log_over_the_wire(shanghai: Region, jiangsu: Region) -> None:
    """Each head that grew is persisted with the cosignature that verifies; a restart forgets nothing."""
    await shanghai.enter(3)
    assert isinstance(await show(shanghai, jiangsu), NoteSignature)
    await shanghai.enter(4, start=4)
    jiangsu.store.close()
    jiangsu.open()
    assert await show(shanghai, jiangsu) == Conflict(size=3)
    line = await show(shanghai, jiangsu, 3)
    assert isinstance(line, NoteSignature)
    held = read_note(jiangsu.store.witness.newest(ORIGIN))
    assert held == shanghai.head().note.extended(line)
    keys = logs.witness_keys(charter(JIANGSU).directory, JIANGSU, NOW)
    assert [each.time for each in cosignature.verify(held, keys)] == [int(NOW.timestamp())]


async def test_a_head_that_did_not_grow_is_not_cosigned(shanghai: Region, jiangsu: Region) -> None:
    """A bigger head of another history, or with another's proof, changes nothing and is named as unproven."""
    await shanghai.enter(3)
    await show(shanghai, jiangsu)
    before = jiangsu.store.witness.newest(ORIGIN)
    assert added(await jiangsu.witness.add_checkpoint(add_request(forged(9), 3, (bytes(32),)), SHANGHAI)) == (
        HeadUnproven(size=3)
    )
    assert jiangsu.store.witness.newest(ORIGIN) == before
    assert added(await jiangsu.witness.add_checkpoint(add_request(empty(), 3), SHANGHAI)) == HeadConflict(size=3)


async def test_a_first_head_must_be_of_nothing_or_proven(zhejiang: Region) -> None:
    """A head of size 0 with a root that is not that of nothing does not grow out of nothing."""
    assert added(await zhejiang.witness.add_checkpoint(add_request(forged(0)), SHANGHAI)) == HeadUnproven(size=0)


async def test_two_heads_of_one_size_are_kept_as_evidence_once(shanghai: Region, jiangsu: Region) -> None:
    """The witness keeps both notes, tells them, signs nothing; shown again the evidence is the same."""
    await shanghai.enter(3)
    await show(shanghai, jiangsu)
    for _ in range(2):
        found = added(await jiangsu.witness.add_checkpoint(add_request(forged(3), 3), SHANGHAI))
        assert found == HeadFork(first=jiangsu.store.witness.newest(ORIGIN), second=forged(3).payload)
    (fork,) = jiangsu.store.witness.forks()
    assert (fork.number, fork.origin, fork.size, fork.time) == (1, ORIGIN, 3, NOW)
    assert [open_checkpoint(each, find).head.size for each in (fork.first, fork.second)] == [3, 3]
    assert (jiangsu.store.witness.count_forks(ORIGIN), jiangsu.store.witness.count_forks(logs.origin(JIANGSU, 1))) == (
        1,
        0,
    )


async def test_strangers_cosignatures_are_passed_over(shanghai: Region, jiangsu: Region) -> None:
    """A note that bears as many signatures as it may is cosigned: only the log's own is kept."""
    await shanghai.enter(1)
    note = shanghai.head().note
    strange = [cosignature.cosign(note, logs.witness(f"9{n:05d}"), witness_signer(ANHUI, n), 1) for n in range(15)]
    found = added(await jiangsu.witness.add_checkpoint(add_request(note.extended(*strange)), SHANGHAI))
    assert isinstance(found, CosignedHead)
    assert len(read_note(jiangsu.store.witness.newest(ORIGIN)).signatures) == 2


REFUSED = {
    "torn": (b"\x0f", SHANGHAI, R.MALFORMED),
    "too large": (b"\x00" * (REQUEST_BYTES + 1), SHANGHAI, R.TOO_LARGE),
    "no note": (wire.encode(GetHeadRequest(origin="")) or b"\x1a\x01x", SHANGHAI, R.MALFORMED),
    "another's log": (add_request(empty()), ANHUI, R.BAD_SIGNATURE),
    "unsigned": (add_request(replace(empty(), signatures=forged(1).signatures)), SHANGHAI, R.BAD_SIGNATURE),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_no_head_of_the_callers_log_is_refused(case: str, jiangsu: Region) -> None:
    """Torn or huge requests, notes of another's log, and unsigned ones are refused by name; nothing is held."""
    request, peer, reason = REFUSED[case]
    assert await refused(jiangsu.witness.add_checkpoint(request, peer)) is reason
    assert rows(jiangsu.path, "SELECT count(*) FROM held_head") == [(0,)]


async def test_a_witness_without_a_key_or_disk_refuses(jiangsu: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key of use witness nothing is persisted; what was not persisted is not signed."""

    def none() -> Any:
        raise KeyNotValid("none")

    keyless = replace(jiangsu.witness, signer=none)
    assert await refused(keyless.add_checkpoint(add_request(empty()), SHANGHAI)) is R.KEY_NOT_VALID

    async def full(*_: object) -> Any:
        raise NotDurable("full")

    monkeypatch.setattr("nodes.store.witness.WitnessBook.add", full)
    assert await refused(jiangsu.witness.add_checkpoint(add_request(empty()), SHANGHAI)) is R.NOT_DURABLE


async def test_many_at_once_never_go_back(shanghai: Region, jiangsu: Region) -> None:
    """Fifty requests at once, from several processes' stores: the head held only grows, each step from the last."""
    other = Region(member=JIANGSU, path=jiangsu.path)
    notes = []
    for number in range(1, 26):
        await shanghai.enter(1, start=number)
        notes.append(shanghai.head().note)
    payload = notes[-1].payload
    sizes: list[int] = []

    async def one(at: int) -> None:
        region = (jiangsu, other)[at % 2]
        size = at // 2 + 1
        old = max((each for each in sizes if each <= size), default=0)
        proof = shanghai.store.witness.growth(ORIGIN, old, notes[size - 1].payload) if old else ()
        found = added(await region.witness.add_checkpoint(add_request(notes[size - 1], old, proof), SHANGHAI))
        if isinstance(found, CosignedHead):
            sizes.append(size)

    await asyncio.gather(*(one(at) for at in range(50)))
    other.store.close()
    held = read_note(jiangsu.store.witness.newest(ORIGIN))
    assert sizes == sorted(sizes)
    assert open_checkpoint(held.payload, find).head.size == sizes[-1]
    assert open_checkpoint(payload, find).head.size == 25


# GetHead


async def test_a_member_tells_the_newest_head_that_it_holds(shanghai: Region, jiangsu: Region) -> None:
    """Of another's log the head it witnessed, of its own the newest cosigned one, of a stranger's none."""
    assert (await remote(SHANGHAI, jiangsu).head(ORIGIN, find, SECONDS)).checkpoint is None
    await shanghai.enter(3)
    early = await remote(JIANGSU, shanghai).head(ORIGIN, find, SECONDS)
    await witnessed(shanghai, jiangsu)
    await shanghai.enter(2, start=4)
    theirs = await remote(SHANGHAI, jiangsu).head(ORIGIN, find, SECONDS)
    ours = await remote(JIANGSU, shanghai).head(ORIGIN, find, SECONDS)
    assert early.checkpoint is not None
    assert (early.checkpoint.head.size, early.pair_number, early.unproven) == (3, 3, None)
    for seen, number in ((theirs, 0), (ours, 5)):
        assert seen.checkpoint is not None
        assert (seen.checkpoint.head.size, len(seen.checkpoint.note.signatures), seen.pair_number) == (3, 2, number)


async def test_a_member_proves_how_its_own_log_grew(shanghai: Region, jiangsu: Region) -> None:
    """From a head that the caller holds it proves growth; a head of another history does not lead there."""
    await shanghai.enter(3)
    old = shanghai.head().head
    await shanghai.enter(6, start=4)
    seen = await remote(JIANGSU, shanghai).head(ORIGIN, find, SECONDS, old)
    assert seen.checkpoint is not None
    assert seen.checkpoint.head.size == 9
    with pytest.raises(ProofInvalid):
        await remote(JIANGSU, shanghai).head(ORIGIN, find, SECONDS, replace(old, root=bytes(32)))
    beyond = wire.encode(GetHeadRequest(origin=ORIGIN, old_size=10))
    assert await refused(shanghai.witness.head(beyond, JIANGSU)) is R.NOT_IN_SCOPE
    await show(shanghai, jiangsu)
    foreign = wire.encode(GetHeadRequest(origin=ORIGIN, old_size=1))
    assert await refused(jiangsu.witness.head(foreign, SHANGHAI)) is R.NOT_IN_SCOPE


async def test_heads_that_do_not_verify_are_not_used(shanghai: Region) -> None:
    """A head of another log than asked for, or one that the log did not sign, is refused by the caller."""
    await shanghai.enter(1)
    with pytest.raises(NoteUnsigned):
        await remote(JIANGSU, shanghai).head(ORIGIN, lambda _: (), SECONDS)
    shanghai.silent = True
    with pytest.raises(Unavailable):
        await remote(JIANGSU, shanghai).head(ORIGIN, find, SECONDS)


# GetProof


async def test_an_entry_is_proven_once_a_cosigned_head_covers_it(
    shanghai: Region, jiangsu: Region, zhejiang: Region
) -> None:
    """The partner gets the path to the smallest cosigned head that covers the entry, and since when."""
    kept = (await shanghai.enter(5))[1]
    assert kept.receipt is not None
    index = kept.receipt.leaf_index
    shared = _shared(2)
    partner = remote(JIANGSU, shanghai)
    assert await partner.proof(ORIGIN, index, shared, find, SECONDS) is None
    await witnessed(shanghai, jiangsu, zhejiang)
    await shanghai.enter(2, start=6)
    await witnessed(shanghai, jiangsu, zhejiang, old=5)
    found = await partner.proof(ORIGIN, index, shared, find, SECONDS)
    assert found is not None
    assert (found.logged.index, found.logged.checkpoint.head.size) == (index, 5)
    assert (found.witnessed.members, found.witnessed.time) == ((JIANGSU, ZHEJIANG), int(NOW.timestamp()))
    with pytest.raises(ReceiptInvalid):
        await partner.proof(ORIGIN, index, _shared(3), find, SECONDS)


async def test_entries_of_others_are_not_proven(shanghai: Region, jiangsu: Region) -> None:
    """Only asker and answerer of an entry get its proof; a place or log that is not there looks the same."""
    await shanghai.enter(2)
    for origin, index, peer in ((ORIGIN, 0, ANHUI), (ORIGIN, 9, JIANGSU), (logs.origin(SHANGHAI, 2), 0, JIANGSU)):
        request = wire.encode(GetProofRequest(origin=origin, leaf_index=index))
        assert await refused(shanghai.witness.proof(request, peer)) is R.NOT_IN_SCOPE
    assert jiangsu.asked == []


async def test_a_damaged_ledger_proves_nothing(shanghai: Region, jiangsu: Region, zhejiang: Region) -> None:
    """A tile that is gone is a refusal, not a wrong path."""
    await shanghai.enter(3)
    await witnessed(shanghai, jiangsu, zhejiang)
    rows(shanghai.path, "DELETE FROM ledger_tile")
    request = wire.encode(GetProofRequest(origin=ORIGIN, leaf_index=0))
    assert await refused(shanghai.witness.proof(request, JIANGSU)) is R.NOT_DURABLE


def _shared(number: int) -> bytes:
    header = question(number, answerer_member=SHANGHAI, sequence=number).header
    return events.shared_bytes(LedgerEventKind.ANSWERED, header, digest("question", number), digest("answer", number))
