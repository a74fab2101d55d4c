"""Checkpoints after C2SP tlog-checkpoint: a log's origin, size and root, signed by the log."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable
from dataclasses import InitVar, dataclass

from gateway.ledger import note as notes
from gateway.ledger.errors import CheckpointMalformed
from gateway.ledger.note import Note, NoteKey, read_note, verify_note
from gateway.limits import DIGEST_BYTES
from keys.suite import Signer

SIZE_LIMIT = 1 << 63

_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_LINES = 3
_VERIFIED = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a checkpoint says of a log; extension lines are not used here, but survive reading.

    Raises:
        CheckpointMalformed: for an empty origin or line, a size out of range, or a root that is not 32 bytes.
    """

    origin: str
    size: int
    root: bytes
    extension: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check what the format demands."""
        lines = (self.origin, *self.extension)
        if not all(lines) or any("\n" in each for each in lines):
            _refuse("the origin or an extension line is empty or has a line feed")
        if not 0 <= self.size < SIZE_LIMIT or len(self.root) != DIGEST_BYTES:
            _refuse("the size is beyond 2^63 or the root is not 32 bytes")

    @property
    def text(self) -> str:
        """Write the text that is signed."""
        root = base64.b64encode(self.root).decode()
        return "".join(f"{each}\n" for each in (self.origin, str(self.size), root, *self.extension))


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A head that a key of the log signed. Only `open_checkpoint` makes one.

    Raises:
        TypeError: when anybody else tries.
    """

    head: Head
    note: Note
    signers: tuple[NoteKey, ...]
    verified: InitVar[object]

    def __post_init__(self, verified: object) -> None:
        """Refuse to be made without a verification."""
        if verified is not _VERIFIED:
            raise TypeError("a Checkpoint comes out of open_checkpoint only; verify the note instead of making one")


def read_head(text: str) -> Head:
    """Read the text of a checkpoint; who signed it is another question.

    Raises:
        CheckpointMalformed: when it is none.
    """
    lines = text.removesuffix("\n").split("\n")
    if not text.endswith("\n") or len(lines) < _LINES or _NUMBER.fullmatch(lines[1]) is None:
        _refuse("it is not origin, size and root, a line each")
    origin, size, root, *extension = lines
    try:
        raw = base64.b64decode(root, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CheckpointMalformed("the checkpoint's root is not base64; ask the log's member for another") from error
    head = Head(origin=origin, size=int(size), root=raw, extension=tuple(extension))
    if head.text != text:
        _refuse("it is not in the one form of a checkpoint")
    return head


def sign(head: Head, signer: Signer) -> Note:
    """Sign a head as the log that its origin names."""
    return notes.sign(head.text, head.origin, signer)


def open_checkpoint(payload: bytes, find: Callable[[str], Iterable[NoteKey]]) -> Checkpoint:
    """Verify that a key which `find` gives for the checkpoint's origin signed it under that name.

    Raises:
        NoteMalformed: when it is no note.
        CheckpointMalformed: when the text is no checkpoint.
        NoteUnsigned: when none of those keys signed it, or one of them not this text.
    """
    note = read_note(payload)
    head = read_head(note.text)
    signers = verify_note(note, (each for each in find(head.origin) if each.name == head.origin))
    return Checkpoint(head=head, note=note, signers=signers, verified=_VERIFIED)


def _refuse(problem: str) -> None:
    raise CheckpointMalformed(f"a checkpoint is refused: {problem}; ask the log's member for another")
