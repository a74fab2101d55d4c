"""What proves to a subject who asked: a leaf for each entry, both sides alike, and who saw the ledger (threat 12)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from bundles import NOW, ROOT, signed_directory
from consents import widen
from ledgers import logged
from receipts import LOGGERS, by
from test_tracking import world
from trackers import MONTH, World
from witnesses import with_witnesses as list_witnesses
from worlds_tables import ANHUI, JIANGSU, SHANGHAI, ZHEJIANG

from gateway import wire
from gateway.ledger.entries import Opening
from gateway.ledger.note import read_note
from gateway.model.access import AccessEntry
from gateway.model.ledger import LedgerEvent
from gateway.verification.access import Found, Proof, lines
from keys.directory import open_bundle

__all__ = ["world"]


def with_witnesses(document: dict[str, Any]) -> None:
    """List the witness keys beside what the tracker's federation has."""
    widen(document)
    list_witnesses(document)


@pytest.fixture
async def seen(world: World) -> World:
    """Give the four members with their witnesses' keys listed."""
    world.adopt(signed_directory(with_witnesses))
    return world


def told(found: Found, member: str, *entries: AccessEntry, **others: tuple[AccessEntry, ...]) -> Found:
    """Give what was found, as if these members alone had reported, and these entries."""
    reports = {name: replace(found.reports[name], entries=each) for name, each in ({member: entries} | others).items()}
    return replace(found, reports=reports)


async def test_a_leaf_proves_one_entry(world: World) -> None:
    """An entry that was made up around another's event and receipt fails with the one it borrowed from."""
    await world.ask(JIANGSU, SHANGHAI)
    found = await world.read()
    (entry,) = found.reports[SHANGHAI].entries
    later = entry.time + timedelta(days=1)
    for made_up in (
        replace(entry, question_id=bytes(16), purpose="made-up", agency="made-up", time=later),
        replace(entry, question_id=bytes(16)),
        replace(entry, time=later),
    ):
        false = told(found, SHANGHAI, entry, made_up)
        assert {each.proof for each in lines([false])} == {Proof.FAILED}
        first, second = told(found, SHANGHAI, entry), told(found, SHANGHAI, made_up)
        assert {each.proof for each in lines([first, second])} == {Proof.FAILED}


async def test_an_entry_that_ends_between_two_pages_is_one(world: World) -> None:
    """The same entry on a further page, with an outcome by then, is no second one of its leaf."""
    await world.ask(JIANGSU, SHANGHAI)
    first, second = await world.read(), await world.read()
    (entry,) = second.reports[JIANGSU].entries
    sent = told(first, JIANGSU, replace(first.reports[JIANGSU].entries[0], outcome="SENT", fields=()))
    assert [each.proof for each in lines([sent, told(second, JIANGSU, entry)])] == [Proof.LOGGED]


async def test_sides_that_differ_fail(world: World) -> None:
    """Two entries under one id that are of two questions, or that say two things of one, are no proof of either."""
    await world.ask(JIANGSU, SHANGHAI)
    await world.ask(JIANGSU, SHANGHAI)
    found = await world.read()
    answered, asked = found.reports[SHANGHAI].entries[0], found.reports[JIANGSU].entries
    (line,) = lines([told(found, SHANGHAI, answered, **{JIANGSU: (asked[0],)})])
    assert (line.proof, line.told_by) == (Proof.LOGGED, (SHANGHAI, JIANGSU))
    for other in (
        replace(asked[1], question_id=asked[0].question_id),
        replace(asked[0], purpose="made-up"),
        replace(asked[0], agency="made-up"),
        replace(asked[0], application_item="made-up"),
        replace(asked[0], kind="made-up"),
    ):
        (line,) = lines([told(found, SHANGHAI, answered, **{JIANGSU: (other,)})])
        assert line.proof is Proof.FAILED


async def test_what_others_cosigned_is_told_apart(seen: World) -> None:
    """The proof is from a head that enough others cosigned once one covers the entry, by then under another head too.

    Until both sides have one the weaker counts.
    """
    await seen.ask(JIANGSU, SHANGHAI)
    assert [each.proof for each in lines([await seen.read()])] == [Proof.LOGGED]
    await seen.witness(SHANGHAI, ZHEJIANG, ANHUI)
    assert [each.proof for each in lines([await seen.read()])] == [Proof.LOGGED]
    await seen.witness(JIANGSU, SHANGHAI, ANHUI)
    await seen.ask(JIANGSU, SHANGHAI)
    assert [each.proof for each in lines([await seen.read()])] == [Proof.WITNESSED, Proof.LOGGED]


async def test_a_history_that_one_subject_alone_is_shown_is_not_witnessed(seen: World) -> None:
    """Threat 12: a private fork passes for what it is, the member's own word; a forged cosignature for nothing."""
    await seen.ask(JIANGSU, SHANGHAI)
    await seen.witness(SHANGHAI, ZHEJIANG, ANHUI)
    found = await seen.read()
    (entry,) = found.reports[SHANGHAI].entries
    assert entry.receipt is not None
    note = read_note(entry.receipt.checkpoint)
    assert [each.proof for each in lines([told(found, SHANGHAI, entry)])] == [Proof.WITNESSED]
    event = wire.decode(LedgerEvent, entry.event)
    hidden = replace(event, question_digest=bytes(32))
    receipt = logged(2, wire.encode(hidden), Opening(bytes(16), b""), 5, by(SHANGHAI))
    private = replace(entry, event=wire.encode(hidden), receipt=receipt)
    assert [each.proof for each in lines([told(found, SHANGHAI, private)])] == [Proof.LOGGED]
    borrowed = read_note(receipt.checkpoint).extended(*note.signatures[1:])
    forged = replace(private, receipt=replace(receipt, checkpoint=borrowed.payload))
    assert [each.proof for each in lines([told(found, SHANGHAI, forged)])] == [Proof.FAILED]


async def test_a_key_that_ended_signs_no_more_unseen_heads(seen: World) -> None:
    """A head under a ledger key that counted when others cosigned stays witnessed; unseen it is none (threat 8)."""
    await seen.ask(JIANGSU, SHANGHAI)
    found = await seen.read()
    await seen.witness(SHANGHAI, ZHEJIANG, ANHUI)
    later = await seen.read()

    def ended(document: dict[str, Any]) -> None:
        with_witnesses(document)
        for key in document["members"][0]["keys"]:
            if key["id"] == LOGGERS[SHANGHAI].id:
                key["valid_until"] = "2026-03-20T00:00:00Z"

    directory = open_bundle(signed_directory(ended), root=ROOT)
    for page, proof in ((found, Proof.FAILED), (later, Proof.WITNESSED)):
        report = replace(page.reports[SHANGHAI], report_time=NOW + MONTH)
        assert [each.proof for each in lines([replace(page, directory=directory, reports={SHANGHAI: report})])] == [
            proof
        ]
