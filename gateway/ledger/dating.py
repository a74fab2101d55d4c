"""When something was there at the latest: the time that enough witnesses gave decides, not the one in a message.

Whoever stole a key can write any time into a message, and no time into what members saw before (threat 8).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime, timedelta

from gateway.ledger import cosignature, logs, quorum
from gateway.ledger.checkpoint import Checkpoint, open_checkpoint
from gateway.ledger.errors import NoteUnsigned
from gateway.ledger.note import Note, NoteKey
from gateway.ledger.quorum import Witnessed
from keys.directory import Directory, Key
from keys.errors import KeyNotValid

Open = Callable[[bytes], Checkpoint]
"""Opens a head that counts; raises LedgerError for any other."""

_WITNESS = logs.witness("")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)


def moment(witnessed: Witnessed) -> datetime:
    """Give since when a head is witnessed."""
    return _EPOCH + timedelta(seconds=witnessed.time)


def witnessed_in(directory: Directory, checkpoint: Checkpoint, parties: Collection[str] = ()) -> Witnessed:
    """Verify that enough members cosigned, each with a key that counted when it did, and say since when.

    The checkpoint may have been opened with any key that the directory lists for the log, as `logs.listed_keys` gives
    them: one of those that signed it must have counted at the time found.

    Raises:
        MemberUnknown: when the log is nobody's.
        NoteUnsigned: when a cosignature is of another text, or the log's key did not count.
        QuorumMissing: when too few cosigned.
    """
    member = logs.owner(checkpoint.head.origin) or ""
    rule, members = quorum.rule_of(directory, member), quorum.witnesses(directory, member)
    found = quorum.witnessed(
        checkpoint, members, lambda each: tuple(_timely(directory, checkpoint, each)), parties, rule
    )
    rows = {row.id: row for row in directory.member(member).keys}
    if not any(_counts(rows.get(key.key.id), found.time) for key in checkpoint.signers):
        raise NoteUnsigned("the log's key did not count when witnesses saw the head; its member must say why")
    return found


def opening(directory: Directory, member: str) -> Open:
    """Give what opens the heads of one member's logs, however old: a log that was followed keeps its last one for ever.

    A key that nobody suspects signed it, or witnesses saw it while the key still counted. What is given raises
    NoteMalformed, CheckpointMalformed, NoteUnsigned and QuorumMissing.

    Raises:
        MemberUnknown: when the member is not in the directory.
    """
    unsuspected, listed = logs.unsuspected_keys(directory, member), logs.listed_keys(directory, member)

    def found(payload: bytes) -> Checkpoint:
        try:
            return open_checkpoint(payload, unsuspected)
        except NoteUnsigned:
            opened = open_checkpoint(payload, listed)
            witnessed_in(directory, opened)
            return opened

    return found


def check_signer(directory: Directory, key_id: str, *, use: str, signed_time: datetime, seen: Witnessed | None) -> None:
    """Return when what a key signed counts; `seen` is the first witnessed head that covers its entry.

    For a key that nobody took back the time in the message is enough. For one that was taken back since, witnesses
    must have seen the entry while the key still counted.

    Raises:
        MemberUnknown, KeyUnknown: as `Directory.key`.
        KeyNotValid: when the key did not count.
    """
    directory.key(key_id, use=use, at=signed_time)
    owner = directory.member(directory.key_owner(key_id))
    row = next(each for each in owner.keys if each.id == key_id)
    if row.revoked_time is None:
        return
    if seen is None or not _before(row, moment(seen)):
        raise KeyNotValid(
            f"the key {key_id} was taken back, and no witness saw before then what it signed; have it signed anew"
        )


def said(note: Note) -> tuple[datetime, ...]:
    """Give the times that cosignatures in a note bear, verified or not: which bundles might be needed, no more."""
    times = (int.from_bytes(each.signature[:8], "big") for each in note.signatures if each.name.startswith(_WITNESS))
    return tuple(_EPOCH + timedelta(seconds=each) for each in times if each <= _LAST)


def _before(row: Key, seen: datetime) -> bool:
    return all(end is None or seen < end for end in (row.revoked_time, row.suspect_from))


def _timely(directory: Directory, checkpoint: Checkpoint, member: str) -> Iterator[NoteKey]:
    """Give the member's witness keys that cosigned while they counted."""
    rows = {row.id: row for row in directory.member(member).keys}
    for key in logs.listed_witness_keys(directory, member):
        if any(_counts(rows[key.key.id], each.time) for each in cosignature.verify(checkpoint.note, [key])):
            yield key


def _counts(row: Key | None, time: int) -> bool:
    return row is not None and time <= _LAST and row.valid_at(_EPOCH + timedelta(seconds=time))
