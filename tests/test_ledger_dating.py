"""The witnessed time decides: a key that was taken back counts for what members saw before, and for nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bundles import SIGNERS, charter_of, key_row, signed_directory
from ledgers import ANHUI, JIANGSU, SHANGHAI, ZHEJIANG, witness_signer
from receipts import LOGGERS
from witnesses import with_witnesses

from gateway.ledger import checkpoint, cosignature, dating, logs, quorum, tree
from gateway.ledger.checkpoint import Checkpoint, Head, open_checkpoint
from gateway.ledger.errors import NoteUnsigned, QuorumMissing
from gateway.ledger.quorum import Rule, Witnessed
from keys.directory import Directory
from keys.errors import KeyNotValid, MemberUnknown

ORIGIN = logs.origin(SHANGHAI, 1)
MARCH, APRIL, MAY = (datetime(2026, month, 1, tzinfo=UTC) for month in (3, 4, 5))
SECOND = timedelta(seconds=1)
Edit = Callable[[dict[str, Any]], None]


def directory(*edits: Edit) -> Directory:
    """Give the directory with every witness key, changed."""

    def edit(found: dict[str, Any]) -> None:
        with_witnesses(found)
        for each in edits:
            each(found)

    return charter_of(SHANGHAI, signed_directory(edit)).directory


def taken_back(member: str, use: str, at: datetime, suspect: datetime | None = None) -> Edit:
    """Revoke a member's key, perhaps suspect since earlier."""

    def edit(found: dict[str, Any]) -> None:
        row = next(each for each in found["members"] if each["id"] == member)
        key = next(each for each in row["keys"] if each["use"] == use)
        key["revoked_time"] = f"{at:%Y-%m-%dT%H:%M:%SZ}"
        key["suspect_from"] = None if suspect is None else f"{suspect:%Y-%m-%dT%H:%M:%SZ}"

    return edit


def cosigned(found: Directory, *seen: tuple[str, datetime], size: int = 0) -> Checkpoint:
    """Have Shanghai's log sign a head, and members cosign it, each at a time."""
    root = tree.EMPTY if size == 0 else bytes(32)
    note = checkpoint.sign(Head(origin=ORIGIN, size=size, root=root), LOGGERS[SHANGHAI])
    made = [
        cosignature.cosign(note, logs.witness(each), witness_signer(each), int(at.timestamp())) for each, at in seen
    ]
    return open_checkpoint(note.extended(*made).payload, logs.listed_keys(found, SHANGHAI))


def seen_at(at: datetime) -> Witnessed:
    """Give a head that was witnessed at a time."""
    found = directory()
    return dating.witnessed_in(found, cosigned(found, (JIANGSU, at), (ANHUI, at)))


def test_a_head_is_witnessed_since_the_second_that_counted() -> None:
    """The time is that of the last cosignature that the rule needs."""
    found = directory()
    assert dating.moment(dating.witnessed_in(found, cosigned(found, (JIANGSU, MAY), (ANHUI, APRIL)))) == MAY


def test_a_witness_key_counts_at_its_own_time() -> None:
    """What a witness cosigned before its key was taken back still counts; what it says it saw after does not."""
    found = directory(taken_back(ANHUI, "witness", APRIL))
    before = cosigned(found, (JIANGSU, MARCH), (ANHUI, APRIL - SECOND))
    assert dating.moment(dating.witnessed_in(found, before)) == APRIL - SECOND
    with pytest.raises(QuorumMissing):
        dating.witnessed_in(found, cosigned(found, (JIANGSU, MARCH), (ANHUI, APRIL)))
    third = cosigned(found, (JIANGSU, MARCH), (ANHUI, APRIL), (ZHEJIANG, MAY))
    assert dating.witnessed_in(found, third).members == (JIANGSU, ZHEJIANG)


def test_the_logs_key_must_have_counted_when_it_was_seen() -> None:
    """A head that a stolen log key signed, and that witnesses saw after it ended, is no proof."""
    found = directory(taken_back(SHANGHAI, "ledger", MAY, APRIL))
    early = dating.witnessed_in(found, cosigned(found, (JIANGSU, MARCH), (ANHUI, MARCH)))
    assert dating.moment(early) == MARCH
    with pytest.raises(NoteUnsigned, match="did not count"):
        dating.witnessed_in(found, cosigned(found, (JIANGSU, MARCH), (ANHUI, APRIL)))


def test_an_old_head_of_a_suspect_key_counts_once_it_was_seen_in_time() -> None:
    """Any head counts while nobody suspects its key; then those that witnesses saw before, and no others."""
    unseen, seen = cosigned(directory()), cosigned(directory(), (JIANGSU, MARCH), (ANHUI, MARCH))
    late = cosigned(directory(), (JIANGSU, MAY), (ANHUI, MAY))
    for each in (unseen, seen, late):
        assert dating.opening(directory(), SHANGHAI)(each.note.payload).head == each.head
    opened = dating.opening(directory(taken_back(SHANGHAI, "ledger", MAY, APRIL)), SHANGHAI)
    assert opened(seen.note.payload).head == seen.head
    with pytest.raises(QuorumMissing):
        opened(unseen.note.payload)
    with pytest.raises(NoteUnsigned):
        opened(late.note.payload)


def test_a_time_beyond_all_times_counts_for_nothing() -> None:
    """A cosignature of a year that no calendar has is no witness."""
    found = directory()
    note = cosigned(found, (JIANGSU, MARCH)).note
    late = cosignature.cosign(note, logs.witness(ANHUI), witness_signer(ANHUI), 1 << 62)
    opened = open_checkpoint(note.extended(late).payload, logs.listed_keys(found, SHANGHAI))
    with pytest.raises(QuorumMissing):
        dating.witnessed_in(found, opened)


def test_a_strangers_log_has_no_keys() -> None:
    """A look-up is of one member's logs; a log of nobody has no rule."""
    found = directory()
    assert logs.listed_keys(found, JIANGSU)(ORIGIN) == ()
    with pytest.raises(MemberUnknown):
        quorum.rule_of(found, "999999")


STOLEN = (taken_back(SHANGHAI, "sign", MAY, APRIL),)
KEY = SIGNERS[SHANGHAI].id


@pytest.mark.parametrize("seen", [MARCH + SECOND, APRIL - SECOND])
def test_a_message_in_an_earlier_witnessed_head_counts(seen: datetime) -> None:
    """What was signed before the suspicion, and seen by witnesses before it, is accepted (threat 8)."""
    dating.check_signer(directory(*STOLEN), KEY, use="sign", signed_time=MARCH, seen=seen_at(seen))


@pytest.mark.parametrize("seen", [None, APRIL, MAY])
def test_a_backdated_message_does_not_count(seen: datetime | None) -> None:
    """Dated before the revocation, but in no earlier witnessed head: whoever stole the key wrote it (threat 8)."""
    with pytest.raises(KeyNotValid, match="taken back"):
        dating.check_signer(
            directory(*STOLEN), KEY, use="sign", signed_time=MARCH, seen=None if seen is None else seen_at(seen)
        )


def test_a_key_that_nobody_took_back_needs_no_witness() -> None:
    """The time in the message is enough, within the key's own life."""
    dating.check_signer(directory(), KEY, use="sign", signed_time=MARCH, seen=None)
    with pytest.raises(KeyNotValid):
        dating.check_signer(directory(), KEY, use="sign", signed_time=MARCH.replace(year=2030), seen=None)
    with pytest.raises(KeyNotValid):
        dating.check_signer(directory(*STOLEN), KEY, use="sign", signed_time=APRIL, seen=seen_at(MARCH))


def with_city(found: dict[str, Any]) -> None:
    """Put Ma'anshan below Anhui, and a hub beside all."""
    anhui = next(each for each in found["members"] if each["id"] == ANHUI)
    city = witness_signer("340500")
    keys = [key_row(city, use="witness")]
    found["members"].append({**anhui, "id": "340500", "parent": ANHUI, "divisions": ["3405"], "keys": keys})
    hub = {**anhui, "id": "900000", "divisions": [], "hub": True, "via": [], "keys": []}
    found["members"].append(replace_keys(hub))


def replace_keys(row: dict[str, Any]) -> dict[str, Any]:
    """Give a row without agencies and officers."""
    return {**row, "agencies": [], "officers": []}


def test_a_sub_member_is_witnessed_by_its_parent_and_two_more() -> None:
    """Its rule names its parent; a sub-member and a hub witness nobody."""
    found = directory(with_city)
    assert quorum.rule_of(found, "340500") == Rule(count=3, required=frozenset({ANHUI}))
    assert quorum.rule_of(found, ANHUI) == Rule()
    assert quorum.witnesses(found, "340500") == (SHANGHAI, JIANGSU, ZHEJIANG, ANHUI)
    assert quorum.witnesses(found, ANHUI) == (SHANGHAI, JIANGSU, ZHEJIANG)
