"""Compares what was done beside the node with what its ledger holds: loads, outboxes and entries (duty U32)."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gateway import wire
from gateway.model.ledger import LedgerEvent
from nodes.store.connections import connect_read_only
from nodes.store.doers import LOADS, load_digest
from nodes.store.outbox import FACTS, NODE, gaps
from nodes.store.schema import facts_path, prepare_exchange, prepare_facts

TAKEN, UNENTERED, ALTERED, GONE, WAITING = "TAKEN", "UNENTERED", "ALTERED", "GONE", "WAITING"
"""An act taken out of the outbox before it was entered; a load without an act; a load, or the entry of its act, that is
another than it was; the load of an act that is gone; an act that waits, which is no fault while the node is down."""

_ACTS = """
    SELECT a.seq, shared FROM act_entered AS a LEFT JOIN ledger_entry AS e ON e.seq = a.entry
    WHERE source = ? ORDER BY a.seq"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """What does not agree: of which outbox, and the numbers of its acts, first and last included."""

    fault: str
    source: str
    first: int
    last: int


def compare(path: Path) -> tuple[Mismatch, ...]:
    """Compare; `path` is the database of exchanges.

    Raises:
        StoreUnusable: as `Store.open`.
    """
    prepare_exchange(path)
    prepare_facts(facts_path(path))
    with closing(connect_read_only(path)) as node, closing(connect_read_only(facts_path(path))) as facts:
        # Entries first: a load that commits meanwhile has no entry yet, and is seen to wait.
        entered = {seq: _digest(shared) for seq, shared in node.execute(_ACTS, (FACTS,))}
        own = {seq for (seq,) in node.execute("SELECT seq FROM act_entered WHERE source = ?", (NODE,))}
        taken = [Mismatch(fault=TAKEN, source=each.source, first=each.first, last=each.last) for each in gaps(node)]
        waiting = {seq for (seq,) in node.execute("SELECT seq FROM outbox")} - own
        return (*taken, *_loads(facts, entered), *(_one(WAITING, NODE, seq) for seq in sorted(waiting)))


def _loads(facts: sqlite3.Connection, entered: dict[int, bytes | None]) -> Iterator[Mismatch]:
    digests = {row[0]: load_digest(row) for row in facts.execute(f"{LOADS} ORDER BY id")}
    noted = {seq: bytes(digest) for seq, digest in facts.execute("SELECT seq, digest FROM load_act")}
    for seq, digest in digests.items():
        if seq in entered:
            if entered[seq] != digest:
                yield _one(ALTERED, FACTS, seq)
        elif seq not in noted:
            yield _one(UNENTERED, FACTS, seq)
        else:
            yield _one(WAITING if noted[seq] == digest else ALTERED, FACTS, seq)
    for seq in sorted(entered.keys() - digests.keys()):
        yield _one(GONE, FACTS, seq)


def _digest(shared: bytes | None) -> bytes | None:
    """Give what an entry says of its act; nothing where the entry is gone, which the ledger's verifier names."""
    return None if shared is None else wire.decode(LedgerEvent, shared).reply_digest


def _one(fault: str, source: str, number: int) -> Mismatch:
    return Mismatch(fault=fault, source=source, first=number, last=number)
