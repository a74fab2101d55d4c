"""Members in memory that witness each other's ledgers: each with a store on disk, and calls that need no network."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from bundles import SIGNERS, charter_of, key_row, signed_directory
from ledgers import JIANGSU, MEMBERS, SHANGHAI, witness_signer
from receipts import LOGGERS
from stores import KEY, NOW, exchange, question

from gateway import carriers, wire
from gateway.charter import Charter
from gateway.errors import Unavailable
from gateway.ledger import checkpoint, logs, tree
from gateway.ledger.checkpoint import Checkpoint, Head, open_checkpoint
from gateway.ledger.note import Note, NoteKey
from gateway.model.question import Question
from gateway.model.witness import AddCheckpointRequest, AddCheckpointResponse, GetHeadResponse
from gateway.ports import Exchange, Kept
from gateway.witness import Witness
from gateway.witness_client import RemoteLedger
from gateway.witness_door import calls
from keys.envelope import Envelope, sign
from keys.suite import Signer
from nodes.store import Scribe, Store
from nodes.witnessing import Witnessing

Edit = Callable[[dict[str, Any]], None]
QUESTION = wire.PAYLOAD_TYPES[Question]


def with_witnesses(found: dict[str, Any]) -> None:
    """List every member's witness key."""
    for row in found["members"]:
        row["keys"].append(key_row(witness_signer(row["id"]), use="witness"))


@lru_cache
def charter(member: str, edit: Edit = with_witnesses) -> Charter:
    """Read the directory for a member."""
    return charter_of(member, signed_directory(edit))


@dataclass(kw_only=True)
class Region:
    """One member: its store, and itself as a witness; `reach` says how it answers, for a test to bend."""

    member: str
    path: Path
    now: datetime = NOW
    edit: Edit = with_witnesses
    signer: Signer | None = None
    silent: bool = False
    gate: Witnessing | None = None
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Open the store."""
        self.open()

    def open(self) -> None:
        """Open the store as it lies on disk, as a process that starts does."""
        scribe = Scribe(
            member=self.member,
            signer=lambda: LOGGERS[self.member],
            halted=lambda: self.gate.halted() if self.gate else "",
        )
        self.store = Store.open(self.path, KEY, scribe)
        self.witness = Witness(
            charter=lambda: charter(self.member, self.edit),
            signer=lambda: self.signer or witness_signer(self.member),
            clock=lambda: self.now,
            book=self.store.witness,
        )

    def back_up(self) -> Path:
        """Copy the database as it is now."""
        copy = self.path.with_suffix(".copy")
        with closing(sqlite3.connect(self.path)) as here, closing(sqlite3.connect(copy)) as there:
            here.backup(there)
        return copy

    def put_back(self, copy: Path) -> None:
        """Restore a copy, as an operator does by mistake, and start again."""
        self.store.close()
        for suffix in ("-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        shutil.copy(copy, self.path)
        self.open()

    async def enter(self, count: int, start: int = 1) -> list[Kept]:
        """Answer so many questions, one group each."""
        return [
            await self.store.journal.commit(took(number, JIANGSU, self.member))
            for number in range(start, start + count)
        ]

    def head(self) -> Checkpoint:
        """Give the newest head of its own log."""
        own = self.store.witness.current()
        assert own is not None
        return open_checkpoint(own.payload, find)


@dataclass(kw_only=True)
class Line:
    """A channel from one member to another without a network; satisfies what a `RemoteLedger` speaks over."""

    near: str
    far: Region

    async def call(self, method: str, request: bytes, seconds: float) -> bytes:
        """Serve the call, unless the other is silent."""
        assert seconds > 0
        self.far.asked.append(method)
        if self.far.silent:
            raise Unavailable("UNAVAILABLE")
        return await calls(self.far.witness)[method](request, self.near)


@dataclass(frozen=True, kw_only=True)
class Liar:
    """A witness that is honest but for the number, and the question, that it names to others."""

    honest: Witness
    claim: GetHeadResponse

    def __getattr__(self, name: str) -> Any:
        """Do all else as the honest one."""
        return getattr(self.honest, name)

    async def head(self, request: bytes, peer: str) -> bytes:
        """Put the claim beside the head."""
        found = wire.decode(GetHeadResponse, await self.honest.head(request, peer))
        claim = self.claim
        return wire.encode(replace(found, pair_number=claim.pair_number, pair_question=claim.pair_question))


def asking(
    number: int, asker: str = SHANGHAI, answerer: str = JIANGSU, *signers: Signer, asked: datetime = NOW
) -> Envelope:
    """Have a member sign the question of a running number, or others in its name."""
    found = question(number, asked=asked, asker_member=asker, answerer_member=answerer, sequence=number)
    return sign(QUESTION, wire.encode(found), *(signers or (SIGNERS[asker],)))


def took(number: int, asker: str = SHANGHAI, answerer: str = JIANGSU, **header: Any) -> Exchange:
    """Give the exchange of a question that an answerer keeps as it came; `header` changes what is told beside it."""
    found = question(number, asker_member=asker, answerer_member=answerer, sequence=number, **header)
    request = carriers.write_request(asking(number, asker, answerer))
    return exchange(number, question=found, question_bytes=request)


def remote(near: str, far: Region) -> RemoteLedger:
    """Give another member as one reaches it."""
    line: Any = Line(near=near, far=far)
    return RemoteLedger(line, far.member, lambda: charter(near, far.edit), lambda: far.now)


def find(name: str) -> tuple[NoteKey, ...]:
    """Look up the keys of a log."""
    member = logs.owner(name)
    return (NoteKey(name=name, key=LOGGERS[member].public_key()),) if member in MEMBERS else ()


def forged(size: int, member: str = SHANGHAI, root: bytes = bytes(32)) -> Note:
    """Have a member's log sign a head of another history."""
    return checkpoint.sign(Head(origin=logs.origin(member, 1), size=size, root=root), LOGGERS[member])


def empty(member: str = SHANGHAI) -> Note:
    """Have a member's log sign the head of nothing."""
    return forged(0, member, tree.EMPTY)


def add_request(note: Note, old_size: int = 0, proof: tuple[bytes, ...] = ()) -> bytes:
    """Write an AddCheckpointRequest."""
    return wire.encode(AddCheckpointRequest(old_size=old_size, consistency_hashes=proof, checkpoint=note.payload))


def added(response: bytes) -> object:
    """Read what came of it."""
    return wire.decode(AddCheckpointResponse, response).outcome


@dataclass(frozen=True, kw_only=False)
class Fixed:
    """A clock that shows a region's time."""

    region: Region

    def now(self) -> datetime:
        """Give it."""
        return self.region.now
