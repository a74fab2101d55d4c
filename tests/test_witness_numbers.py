"""What a member says of the numbers that it has taken: each with its question, to its asker, while it is there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from ledgers import JIANGSU, SHANGHAI, ZHEJIANG
from stores import rows
from test_store_retention import done
from witnesses import Region, asking, find, remote, took

from gateway import wire
from gateway.exchange.admit import ANY_QUESTION_BYTES
from gateway.exchange.release import size_class
from gateway.exchange.sealing import FRAME_BYTES, OUTER_BYTES
from gateway.ledger import logs
from gateway.limits import ANSWER_BYTES
from gateway.model.witness import GetHeadRequest, GetHeadResponse
from gateway.server import MESSAGE_BYTES
from gateway.witness import REQUEST_BYTES

SECONDS = 1.0
ORIGIN = logs.origin(SHANGHAI, 1)


@pytest.fixture
def jiangsu(tmp_path: Path) -> Iterator[Region]:
    """The member that takes questions of Shanghai."""
    found = Region(member=JIANGSU, path=tmp_path / "jiangsu.db")
    yield found
    found.store.close()


async def claimed(region: Region, peer: str) -> GetHeadResponse:
    """Give what a member says of a peer's questions."""
    return wire.decode(GetHeadResponse, await region.witness.head(wire.encode(GetHeadRequest(origin=ORIGIN)), peer))


async def test_a_number_is_said_with_its_question_to_its_asker_alone(jiangsu: Region) -> None:
    """The asker gets its own bytes back; whoever asked nothing learns nothing of it."""
    for number in (2, 7, 5):
        await jiangsu.store.journal.commit(took(number))
    assert await claimed(jiangsu, SHANGHAI) == GetHeadResponse(pair_number=7, pair_question=asking(7))
    assert await claimed(jiangsu, ZHEJIANG) == GetHeadResponse()


async def test_of_deleted_bodies_no_number_is_said(jiangsu: Region) -> None:
    """Once a purpose's bodies are deleted the next lower question stands for them; with none left nothing is said."""
    for number, purpose in ((3, "long"), (7, "short"), (8, "short")):
        await jiangsu.store.journal.commit(took(number, purpose=purpose))
    said = []
    for due in ("", "short", "long"):
        kept_from = defaultdict(lambda: date.min, {due: date.max})
        await jiangsu.store.retention.destroy(kept_from.__getitem__, done)
        said.append(await remote(SHANGHAI, jiangsu).head(ORIGIN, find, SECONDS))
    assert [(each.pair_number, each.unproven) for each in said] == [(8, None), (3, None), (0, None)]


async def test_what_a_recovery_took_back_is_no_proof(jiangsu: Region) -> None:
    """An exchange that came back without its body is passed over, whatever keys there are."""
    await jiangsu.store.journal.commit(took(3))
    rows(
        jiangsu.path,
        "INSERT INTO journal SELECT NULL, NULL, question_digest, asker, agency, purpose, kind, agreement, "
        "case_reference, 9, outcome, reason, facts_version, fields, received_time, day, x'', x'', NULL FROM journal",
    )
    assert (await claimed(jiangsu, SHANGHAI)).pair_number == 3


def test_the_largest_question_passes_as_a_proof() -> None:
    """Beside a note and a proof of the largest sizes, also sealed by way of a hub, a question fits a message."""
    beside = REQUEST_BYTES + FRAME_BYTES + OUTER_BYTES
    assert size_class(ANY_QUESTION_BYTES + beside) <= min(ANSWER_BYTES, MESSAGE_BYTES)
