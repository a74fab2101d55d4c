"""Calls that are no questions by way of a hub: a member without a route of its own is witnessed, and witnesses."""

from __future__ import annotations

from pathlib import Path

import pytest
from hubs import REMOTE, World
from ledgers import SHANGHAI
from test_relay_statuses import told
from witnesses import Region, charter, find

from gateway.calls import RelayedRoute
from gateway.carriers import SealedText
from gateway.errors import Refused, Unavailable
from gateway.ledger.note import NoteSignature
from gateway.model.codes import RefusalReason
from gateway.model.signed import Reply
from gateway.relay import SealedAnswering
from gateway.witness_client import RemoteLedger
from gateway.witness_door import calls

METHOD = "/yrdx.test.Service/Method"
SECONDS = 5.0


def line(world: World) -> RelayedRoute:
    """Give Anhui as Shanghai reaches it."""
    return RelayedRoute(world.asker, world.post(SHANGHAI), world.ring(SHANGHAI), REMOTE)


async def test_a_call_goes_sealed_by_way_of_a_hub() -> None:
    """It reaches the member in its sender's name; what passes the hub shows neither method nor message."""
    world = World()
    heard = []

    async def serve(request: bytes, member: str) -> bytes:
        heard.append((request, member))
        return b"response"

    world.calls[METHOD] = serve
    assert await line(world).call(METHOD, b"request of the test", SECONDS) == b"response"
    assert heard == [(b"request of the test", SHANGHAI)]
    assert [each for each in world.seen if METHOD.encode() in each or b"request of the test" in each] == []
    assert len(world.seen) == 2


async def test_a_refusal_comes_back_with_its_reason() -> None:
    """What the member refuses is refused here by the same name; a method that it does not serve is unknown."""
    world = World()

    async def refuse(request: bytes, member: str) -> bytes:
        raise Refused(RefusalReason.NOT_IN_SCOPE)

    world.calls[METHOD] = refuse
    for method, reason in ((METHOD, RefusalReason.NOT_IN_SCOPE), ("/other", RefusalReason.UNKNOWN_KIND)):
        with pytest.raises(Refused) as caught:
            await line(world).call(method, b"", SECONDS)
        assert caught.value.reason is reason


@pytest.mark.parametrize("said", [b"WHY", b"\xff"])
async def test_a_refusal_without_a_reason_is_silence(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """What names no reason of the protocol is no reply."""

    async def reply(*_: object) -> Reply:
        return Reply(payload=said, refused=True)

    monkeypatch.setattr(SealedAnswering, "_reply", reply)
    with pytest.raises(Unavailable, match="MALFORMED"):
        await line(World()).call(METHOD, b"", SECONDS)


async def test_a_reply_to_another_call_is_silence() -> None:
    """What was sealed for another method, or as an answer to a question, is no reply to this call."""
    for method in ("/other", ""):
        world = World()
        world.to_member[0] = told(SealedText(payload=b"response", method=method))
        with pytest.raises(Unavailable, match="DATA_LOSS"):
            await line(world).call(METHOD, b"", SECONDS)


async def test_a_head_is_cosigned_by_way_of_a_hub(tmp_path: Path) -> None:
    """A log whose witness is behind a hub gets the same cosignature as over a channel."""
    world = World()
    log = Region(member=SHANGHAI, path=tmp_path / "log.db")
    witness = Region(member=REMOTE, path=tmp_path / "witness.db", now=world.now)
    await log.enter(3)
    world.calls.update(calls(witness.witness))
    remote = RemoteLedger(line(world), REMOTE, lambda: charter(SHANGHAI), lambda: world.now)
    assert isinstance(await remote.add_checkpoint(log.head(), 0, (), find, SECONDS), NoteSignature)
    seen = await remote.head(log.head().head.origin, find, SECONDS)
    assert seen.checkpoint is not None
    assert seen.checkpoint.head == log.head().head
    for each in (log, witness):
        each.store.close()
