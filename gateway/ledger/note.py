"""Signed notes after C2SP signed-note: text, a blank line, and one line a signature; strict both ways.

It decides whether the form holds and whether known keys signed; it refuses to know what the text means.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
from hashlib import sha256

from gateway.ledger.errors import NoteMalformed, NoteUnsigned
from keys.errors import KeysError
from keys.suite import INT_1, PublicKey, Signer, verify

NOTE_BYTES = 64 << 10
SIGNATURES = 16

_DASH = "\N{EM DASH} "
_ID_BYTES = 4
_ID_DIGITS = re.compile(r"[0-9a-f]{8}")
_NAME_SIZE = 256


class Algorithm(IntEnum):
    """The byte in a key's id that says how it signs."""

    ED25519 = 1
    COSIGNATURE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteKey:
    """A public key under the name that it bears in notes.

    Raises:
        NoteMalformed: when the name is empty, too long, or has a blank or a plus sign, or the suite is not Ed25519.
    """

    name: str
    key: PublicKey
    algorithm: Algorithm = Algorithm.ED25519

    def __post_init__(self) -> None:
        """Check the name: it stands between blanks."""
        _check_name(self.name)
        if self.key.suite != INT_1:
            raise NoteMalformed("notes are signed with Ed25519 only; use a key of that suite")

    @property
    def id(self) -> bytes:
        """Give the four bytes before each of its signatures."""
        return sha256(self.name.encode() + b"\n" + bytes([self.algorithm]) + self.key.raw).digest()[:_ID_BYTES]

    @property
    def text(self) -> str:
        """Write the key as other tools read it: name, id and base64, joined by plus signs."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(bytes([self.algorithm]) + self.key.raw).decode()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteSignature:
    """One signature line: the key's name, its id, and what the key made; nobody has verified it."""

    name: str
    id: bytes
    signature: bytes

    @property
    def line(self) -> str:
        """Write the line."""
        return f"{_DASH}{self.name} {base64.b64encode(self.id + self.signature).decode()}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A text and its signatures; nobody has verified them.

    Raises:
        NoteMalformed: when the text does not end its last line, has a control character, or anything is too long.
    """

    text: str
    signatures: tuple[NoteSignature, ...]

    def __post_init__(self) -> None:
        """Check the form before any cryptography: verification work is bounded."""
        if not self.text.endswith("\n") or any(each < " " and each != "\n" for each in self.text):
            raise NoteMalformed("the text of a note ends with a line feed and has no control character; sign it anew")
        if not 0 < len(self.signatures) <= SIGNATURES:
            raise NoteMalformed(f"a note has 1 to {SIGNATURES} signatures; drop those of strangers, or sign it")
        if len({(each.name, each.id) for each in self.signatures}) != len(self.signatures):
            raise NoteMalformed("one key signed the note twice; drop the older signature")

    @property
    def payload(self) -> bytes:
        """Write the note as it travels."""
        return f"{self.text}\n{''.join(each.line for each in self.signatures)}".encode()

    def signature(self, key: NoteKey) -> NoteSignature | None:
        """Give the line that bears a key's name and id."""
        wanted = (key.name, key.id)
        return next((each for each in self.signatures if (each.name, each.id) == wanted), None)

    def extended(self, *signatures: NoteSignature) -> Note:
        """Add signatures; a later one of a key takes the place of an earlier one."""
        held = {(each.name, each.id): each for each in (*self.signatures, *signatures)}
        return replace(self, signatures=tuple(held.values()))


def read_key(text: str) -> NoteKey:
    """Read a key as other tools write it.

    Raises:
        NoteMalformed: when it is none, when its id is another key's, or when its algorithm is not known.
    """
    name, _, rest = text.partition("+")
    digits, _, encoded = rest.partition("+")
    raw = _decode(encoded)
    try:
        key = NoteKey(
            name=name, key=PublicKey(id=f"{name}/{digits}", suite=INT_1, raw=raw[1:]), algorithm=Algorithm(raw[0])
        )
    except (KeysError, ValueError) as error:
        raise NoteMalformed("the key is of an unknown algorithm or size; have its owner export it again") from error
    if _ID_DIGITS.fullmatch(digits) is None or key.id.hex() != digits:
        raise NoteMalformed("the key's id is not that of its name and bytes; have its owner export it again")
    return key


def read_note(payload: bytes) -> Note:
    """Read a note; nobody has verified it then.

    Raises:
        NoteMalformed: for anything that is none.
    """
    if len(payload) > NOTE_BYTES:
        raise NoteMalformed(f"a note has at most {NOTE_BYTES} bytes; drop the signatures of strangers")
    try:
        text, blank, lines = payload.decode().rpartition("\n\n")
    except UnicodeDecodeError as error:
        raise NoteMalformed("a note is UTF-8; ask its sender for the bytes as they were signed") from error
    if not blank or not lines.endswith("\n"):
        raise NoteMalformed("a note is text, a blank line, and signature lines; ask its sender for all of it")
    return Note(text=f"{text}\n", signatures=tuple(_signature(each) for each in lines[:-1].split("\n")))


def read_line(payload: bytes) -> NoteSignature:
    """Read one signature line, with its line feed; nobody has verified it then.

    Raises:
        NoteMalformed: for anything that is none.
    """
    try:
        line = payload.decode()
    except UnicodeDecodeError as error:
        raise NoteMalformed("a signature line is UTF-8; ask the witness again") from error
    if not line.endswith("\n"):
        raise NoteMalformed("a signature line ends with a line feed; ask the witness again")
    return _signature(line[:-1])


def sign(text: str, name: str, signer: Signer) -> Note:
    """Sign a text as a note under a name.

    Raises:
        NoteMalformed: when text or name cannot stand in a note.
    """
    key = NoteKey(name=name, key=signer.public_key())
    return Note(text=text, signatures=(signature(key, signer.sign(text.encode())),))


def signature(key: NoteKey, made: bytes) -> NoteSignature:
    """Put what a key made under its name and id."""
    return NoteSignature(name=key.name, id=key.id, signature=made)


def verify_note(note: Note, keys: Iterable[NoteKey]) -> tuple[NoteKey, ...]:
    """Give those of the plain keys that signed, one at least; strangers' signatures are passed over.

    Raises:
        NoteUnsigned: when none of the keys signed, or a signature in the name of one is not of this text.
    """
    signers = tuple(key for key in keys if _signed(note, key))
    if not signers:
        raise NoteUnsigned("no key that counts here signed the note; ask the log's member which key it uses")
    return signers


def check(key: NoteKey, message: bytes, made: bytes) -> None:
    """Return when the key made this signature over this message.

    Raises:
        NoteUnsigned: otherwise.
    """
    try:
        verify(key.key, message, made)
    except KeysError as error:
        raise NoteUnsigned(f"the signature of {key.name} is not over this text; fetch the note again") from error


def _signed(note: Note, key: NoteKey) -> bool:
    found = note.signature(key)
    if found is not None:
        check(key, note.text.encode(), found.signature)
    return found is not None


def _signature(line: str) -> NoteSignature:
    name, blank, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not blank:
        raise NoteMalformed("a signature line is a dash, a name and a signature; ask the sender for the note again")
    _check_name(name)
    raw = _decode(encoded)
    if len(raw) <= _ID_BYTES:
        raise NoteMalformed("a signature is shorter than its key's id; ask the sender for the note again")
    return NoteSignature(name=name, id=raw[:_ID_BYTES], signature=raw[_ID_BYTES:])


def _check_name(name: str) -> None:
    # Control characters count as blanks here, and cannot stand in a note at all.
    if not 0 < len(name) <= _NAME_SIZE or "+" in name or any(each.isspace() or each < "!" for each in name):
        raise NoteMalformed(f"a key's name has 1 to {_NAME_SIZE} characters and no blank or plus sign; rename the key")


def _decode(encoded: str) -> bytes:
    """Decode standard base64 of one form only: another form of one signature would be another note."""
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteMalformed("a signature or key is not base64; ask the sender for it again") from error
    if base64.b64encode(raw).decode() != encoded:
        raise NoteMalformed("a signature or key is not in the one form of base64; ask the sender for it again")
    return raw
