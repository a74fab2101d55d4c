"""ListPairEntries between running nodes: a member is told of its own pairs, and can verify each entry."""

from __future__ import annotations

from dataclasses import replace

import grpc
import pytest
from callers import DEADLINE, Caller, read_charter

from gateway import wire
from gateway.calls import DirectRoute
from gateway.client import RemoteMember
from gateway.errors import Refused, Unavailable
from gateway.ledger import logs
from gateway.ledger.pairs import proven
from gateway.model.codes import LedgerEventKind, RefusalReason
from gateway.model.reconciliation import ListPairEntriesRequest
from gateway.reconciliations import LIST_PAIR_ENTRIES, RemotePairs

pytestmark = pytest.mark.net
REQUEST = ListPairEntriesRequest(asker_member="310000", answerer_member="320000", first_number=1)


def remote(caller: Caller) -> RemotePairs:
    """Speak to Jiangsu's node as Shanghai's."""
    return RemotePairs(DirectRoute(RemoteMember(caller.channel("320000"))))


async def test_an_answer_is_listed_and_proven(caller: Caller) -> None:
    """The entry of an exchange stands in the answerer's ledger under its own head, with the digest of the question."""
    asked = caller.compose()
    assert not (await caller.ask(asked)).refused
    directory = read_charter(caller.lab, "310000").directory
    wanted = replace(REQUEST, first_number=asked.question.header.pair_sequence)
    page = proven(wanted, await remote(caller).entries(wanted, DEADLINE), logs.unsuspected_keys(directory, "320000"))
    found = [each.event for each in page.lines if each.event.question_digest == asked.digest]
    assert [(each.kind, each.pair_sequence) for each in found] == [
        (LedgerEventKind.ANSWERED, asked.question.header.pair_sequence)
    ]
    assert page.unproven == ()


@pytest.mark.parametrize(("asker", "answerer"), [("330000", "320000"), ("310000", "330000"), ("320000", "320000")])
async def test_nobody_is_told_of_other_pairs(asker: str, answerer: str, caller: Caller) -> None:
    """How often others ask each other is none of the caller's business."""
    with pytest.raises(Refused) as refused:
        await remote(caller).entries(replace(REQUEST, asker_member=asker, answerer_member=answerer), DEADLINE)
    assert refused.value.reason is RefusalReason.WRONG_AUDIENCE


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"\xff", grpc.StatusCode.INVALID_ARGUMENT),
        (wire.encode(REQUEST)[:-1] + b"\x00", grpc.StatusCode.INVALID_ARGUMENT),
        (bytes(257), grpc.StatusCode.INVALID_ARGUMENT),
    ],
    ids=["torn", "no number", "too large"],
)
async def test_a_request_that_is_none_is_refused(request_: bytes, status: grpc.StatusCode, caller: Caller) -> None:
    """Torn bytes, numbers out of range and long messages end with a reason."""
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await RemoteMember(caller.channel("320000")).call(LIST_PAIR_ENTRIES, request_, DEADLINE)
    assert ended.value.code() is status


class Bent:
    """A member whose channel gives what a test wants."""

    def __init__(self, payload: bytes | Exception) -> None:
        self._payload = payload

    async def call(self, method: str, request: bytes, seconds: float) -> bytes:
        """Give it."""
        del method, request, seconds
        if isinstance(self._payload, Exception):
            raise self._payload
        return self._payload


async def test_what_is_no_response_is_silence() -> None:
    """A torn page, or a status without a reason of ours."""
    nobody = grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata())
    for bent, said in ((Bent(b"\xff"), "MALFORMED"), (Bent(nobody), "UNAVAILABLE")):
        with pytest.raises(Unavailable, match=said):
            await RemotePairs(DirectRoute(bent)).entries(REQUEST, DEADLINE)  # type: ignore[arg-type]
