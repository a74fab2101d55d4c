"""Cosignatures after C2SP tlog-cosignature, v1: a witness says when it saw a head that grew out of the last one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import InitVar, dataclass

from gateway.ledger import note as notes
from gateway.ledger.errors import NoteUnsigned
from gateway.ledger.note import Algorithm, Note, NoteKey, NoteSignature
from keys.suite import Signer

_TIME_BYTES = 8
_TIME_LIMIT = 1 << 63
_VERIFIED = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosignature:
    """A witness's key, and when it says it saw the head, in seconds since 1970. Only `verify` makes one.

    Raises:
        TypeError: when anybody else tries.
    """

    key: NoteKey
    time: int
    verified: InitVar[object]

    def __post_init__(self, verified: object) -> None:
        """Refuse to be made without a verification."""
        if verified is not _VERIFIED:
            raise TypeError("a Cosignature comes out of verify only; verify the note instead of making one")


def cosign(note: Note, name: str, signer: Signer, time: int) -> NoteSignature:
    """Cosign a checkpoint under a witness's name at a time in seconds since 1970.

    Call it only for a head that `witnessing.decide` let pass and that was persisted since (threat 13).

    Raises:
        NoteMalformed: when the name cannot stand in a note.
        OverflowError: when the time is negative or beyond 64 bits.
    """
    key = NoteKey(name=name, key=signer.public_key(), algorithm=Algorithm.COSIGNATURE)
    return notes.signature(key, time.to_bytes(_TIME_BYTES, "big") + signer.sign(_message(note, time)))


def verify(note: Note, keys: Iterable[NoteKey]) -> tuple[Cosignature, ...]:
    """Give the cosignatures by those of the keys that signed, perhaps none; strangers are passed over.

    Raises:
        NoteUnsigned: when a signature in the name of one of the keys is not of this text and time.
    """
    return tuple(_verified(note, key, found) for key in keys if (found := note.signature(key)) is not None)


def _verified(note: Note, key: NoteKey, found: NoteSignature) -> Cosignature:
    time = int.from_bytes(found.signature[:_TIME_BYTES], "big")
    if time >= _TIME_LIMIT:
        raise NoteUnsigned(f"the cosignature of {key.name} is of no time; fetch the note again")
    notes.check(key, _message(note, time), found.signature[_TIME_BYTES:])
    return Cosignature(key=key, time=time, verified=_VERIFIED)


def _message(note: Note, time: int) -> bytes:
    return b"cosignature/v1\ntime %d\n" % time + note.text.encode()
