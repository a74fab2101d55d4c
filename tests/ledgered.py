"""Ledgers of running members as they lie on disk: verified whole, and read entry by entry."""

from __future__ import annotations

from collections.abc import Iterable

from callers import read_charter, rows

from gateway import wire
from gateway.ledger import tree
from gateway.ledger.reconciliation import Line
from gateway.model.ledger import LedgerEvent
from nodes.cli.ledger import heads_of
from nodes.config import DATABASE
from nodes.lab import Lab
from nodes.ledger import Finding, verify


def wounds(lab: Lab, member: str) -> list[Finding]:
    """Verify a member's ledger and name what is wrong."""
    logs = verify(lab.config(member).data / DATABASE, heads_of(read_charter(lab, member)))
    return [each for log in logs for each in log.findings]


def entered(lab: Lab, member: str) -> list[Line]:
    """Read every event of a member's ledger, with its place."""
    found = rows(lab, member, "SELECT seq, shared FROM ledger_entry ORDER BY seq")
    return [Line(seq - 1, wire.decode(LedgerEvent, shared)) for seq, shared in found]


def roots_of(lab: Lab, member: str, sizes: Iterable[int]) -> dict[int, bytes]:
    """Work out the roots that a member's ledger had at sizes, from its entries alone."""
    hashes = [tree.leaf_hash(data) for (data,) in rows(lab, member, "SELECT data FROM ledger_entry ORDER BY seq")]
    return {size: tree.root(hashes[:size]) for size in sizes}
