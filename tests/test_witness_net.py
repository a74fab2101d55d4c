"""Witness and ledger services between real nodes over mutual TLS."""

from __future__ import annotations

import pytest
from callers import Caller, now, read_charter

from gateway.calls import DirectRoute
from gateway.client import RemoteMember
from gateway.errors import Refused
from gateway.ledger import logs
from gateway.ledger.checkpoint import open_checkpoint
from gateway.model.codes import RefusalReason
from gateway.witness_client import RemoteLedger
from nodes.config import DATABASE
from nodes.lab import Lab
from nodes.store.ledger_reading import LedgerFile

pytestmark = pytest.mark.net
SECONDS = 10.0
ORIGIN = logs.origin("320000", 1)


def remote(lab: Lab, caller: Caller, member: str = "320000") -> RemoteLedger:
    """Give a member's ledger as Shanghai reaches it."""
    return RemoteLedger(
        DirectRoute(RemoteMember(caller.channel(member))), member, lambda: read_charter(lab, caller.me), now
    )


async def test_a_node_tells_its_head_and_what_it_has_taken(lab: Lab, caller: Caller) -> None:
    """After an answer the answerer's head is told, signed by its log, with the pair's highest number."""
    await caller.ask(caller.compose())
    find = logs.listed_keys(read_charter(lab, "310000").directory, "320000")
    seen = await remote(lab, caller).head(ORIGIN, find, SECONDS)
    assert seen.checkpoint is not None
    assert (seen.checkpoint.head.origin, seen.checkpoint.head.size > 0, seen.pair_number >= 1) == (ORIGIN, True, True)


async def test_nobody_but_its_member_shows_a_logs_head(lab: Lab, caller: Caller) -> None:
    """A node cosigns no head of a log that is not its caller's; the refusal comes back with its reason."""
    await caller.ask(caller.compose())
    find = logs.listed_keys(read_charter(lab, "310000").directory, "320000")
    with LedgerFile.open(lab.config("320000").data / DATABASE) as file:
        payload = file.logs()[-1].checkpoint
    assert payload is not None
    with pytest.raises(Refused) as caught:
        await remote(lab, caller, "330000").add_checkpoint(open_checkpoint(payload, find), 0, (), find, SECONDS)
    assert caught.value.reason is RefusalReason.BAD_SIGNATURE
