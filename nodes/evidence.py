"""A node's part in evidence: its desk's door, and the way to the answerers' ledgers."""

from __future__ import annotations

from collections.abc import Callable

import grpc

from gateway.charter import Charter
from gateway.counter import Counter
from gateway.errors import Refused, Unavailable
from gateway.evidence import Evidence
from gateway.evidence_door import SERVICE, EvidenceDoor
from gateway.ledger import logs
from gateway.ledger.errors import LedgerError
from gateway.model.ledger import Receipt
from gateway.office import Office
from gateway.witness_client import RemoteLedger
from keys.errors import KeysError
from nodes.bundle.following import Following
from nodes.store import Store

Reach = Callable[[str], RemoteLedger | None]
"""Gives another member's ledger, or None for one that cannot be reached."""

SECONDS = 3.0
"""How long a member may take to prove an entry; without its proof the asker's own stands."""


class Origins:
    """Implements `gateway.evidence.Origins` over other members' ledgers as they are reached."""

    def __init__(self, reach: Reach, charter: Callable[[], Charter]) -> None:
        """Ask the members of the charter in force."""
        self._reach = reach
        self._charter = charter

    async def proof(self, member: str, origin: str, index: int, shared: bytes) -> Receipt | None:
        """Give the verified proof of an event in a member's log, or None where it cannot be had now."""
        try:
            ledger = self._reach(member)
            if ledger is None:
                return None
            find = logs.listed_keys(self._charter().directory, member)
            proof = await ledger.proof(origin, index, shared, find, SECONDS)
        except (Unavailable, Refused, LedgerError, KeysError):
            return None
        return None if proof is None else proof.receipt


def doors(
    office: Office, counter: Counter, store: Store, following: Following, reach: Reach
) -> dict[str, grpc.GenericRpcHandler]:
    """Give the door to which the member's agencies come for evidence, by its service."""
    evidence = Evidence(office, store.evidence, following, Origins(reach, office.charter))
    return {SERVICE: EvidenceDoor(evidence, counter).handler()}
