"""Threat 3: an asker who also reads the subject's own tracker learns a band a window, and nothing that parts a band."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import worlds
from bundles import NOW, charter_of, register
from fakes import FakeNode, FakeSource
from receipts import LOGGERS
from test_answering import DIRECTORY, question
from worlds_tables import JIANGSU, SHANGHAI, USCC

from gateway import carriers, wire
from gateway.federation import request_bytes
from gateway.kinds.plans import band
from gateway.limits import SALT_BYTES
from gateway.model.answer import Item, SummaryItem
from gateway.model.codes import Window
from gateway.model.question import NamedSubject, SummaryQuestion
from gateway.model.signed import Reply
from nodes.store import Scribe, Store

RECENT, OLDER = "2026-01-31", "2024-06-30"
HISTORIES = ((0, 0), (1, 0), (1, 1), (2, 0), (4, 0), (2, 2), (5, 0), (9, 0), (12, 0))
"""How many penalties lie in every window, and how many in the longer ones alone."""

MARCH = (date(2026, 3, 1), date(2026, 3, 31))


async def seen(file: Path, recent: int, older: int) -> tuple[Any, Any]:
    """Ask by every window; give what the answers say, and what the subject is shown of it all."""
    store = Store.open(file, bytes(32), Scribe(member=JIANGSU, signer=lambda: LOGGERS[JIANGSU]))
    penalties = [worlds.penalty(severity="SERIOUS", decided_on=RECENT) for _ in range(recent)]
    penalties += [worlds.penalty(severity="SERIOUS", decided_on=OLDER) for _ in range(older)]
    rows = {USCC: {"register": [register(division="320102")], "penalty": penalties}}
    journal: Any = store.journal
    node = FakeNode(charter=charter_of(JIANGSU, DIRECTORY), now=NOW, source=FakeSource(rows=rows), journal=journal)
    said = []
    for number, window in enumerate(Window, 1):
        body = SummaryQuestion(subjects=(NamedSubject(uscc=USCC),), window=window)
        asked = question(identity=number, body=body)
        said.append(_said(await node.answering.ask(request_bytes(asked), SHANGHAI)))
    found = store.accesses.of_subject(USCC, *MARCH, MARCH[1])
    shown = [replace(store.accesses.shown(each), event=b"", receipt=None) for each in found]
    store.close()
    return said, shown


def _said(reply: Reply) -> Any:
    """Give what an answer says, but for what is drawn at random; of a refusal that it is one."""
    if reply.refused:
        return None
    body = wire.decode(Item, carriers.read_response(reply.payload).items[0][SALT_BYTES:]).body
    assert isinstance(body, SummaryItem)
    return [replace(each, line_ref=b"") for each in body.penalties]


async def test_the_tracker_parts_no_two_histories_of_the_same_bands(tmp_path: Path) -> None:
    """The tracker is the same whatever the facts are, and the answers of all windows are those of the bands alone."""
    answers, trackers, bands = [], [], []
    for number, (recent, older) in enumerate(HISTORIES):
        said, shown = await seen(tmp_path / f"{number}.db", recent, older)
        answers.append(said)
        trackers.append(shown)
        bands.append((band(recent), band(recent + older)))
    assert all(each == trackers[0] for each in trackers)
    assert len(trackers[0]) == len(Window)
    for one, its in zip(answers, bands, strict=True):
        for other, theirs in zip(answers, bands, strict=True):
            assert (one == other) == (its == theirs)
