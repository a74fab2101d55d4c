"""What is kept of a row that waits for the signed tables: the cells that its reader looks at, sealed (duty U16)."""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, final

from gateway.uscc import defect, holds_person_number, looks_like_person
from keys.bodies import BodyKey, keyed_digest
from nodes.ingest.cells import Cells, RowRejectedError
from nodes.ingest.family import Family
from nodes.ingest.report import Reason

_NUMBERS = frozenset({"record_key", "target_number", "CF_WSH"})
_LABEL = b"yrdx-held-rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remnant:
    """What is left of a row: its subject, the digest by which the member is held to it, and the cells to be read."""

    uscc: str
    salt: bytes
    digest: bytes
    reported: str
    """Day on which the row was reported, or nothing when that cannot be told."""

    cells: Mapping[str, str]

    @classmethod
    def of(cls, cells: Cells, family: Family, *, uscc: str, salt: bytes, digest: bytes, reported: str) -> Self:
        """Take out of a row what its family reads.

        Raises:
            RowRejectedError: when a cell has hidden characters or a person's number: such a row is not kept.
        """
        kept = {name: text for name in sorted(family.columns.kept) if (text := cells.raw(name))}
        for name, text in kept.items():
            if _names_person(name, text):
                raise RowRejectedError(name, Reason.PERSON_NUMBER)
        kept[family.code] = uscc
        return cls(uscc=uscc, salt=salt, digest=digest, reported=reported, cells=kept)

    def read(self) -> Cells:
        """Give the cells as a row."""
        return Cells({name: place for place, name in enumerate(self.cells)}, list(self.cells.values()))


@final
class Sealing:
    """Seals and opens remnants under a key that the member's secret gives; the rows of a store are no use elsewhere."""

    __slots__ = ("_key",)

    def __init__(self, secret: bytes) -> None:
        """Derive the key."""
        self._key = BodyKey(raw=keyed_digest(secret, _LABEL))

    def seal(self, remnant: Remnant) -> bytes:
        """Seal a remnant."""
        text = [remnant.uscc, _text(remnant.salt), _text(remnant.digest), remnant.reported, dict(remnant.cells)]
        return self._key.seal(json.dumps(text, ensure_ascii=False).encode())

    def open(self, sealed: bytes) -> Remnant:
        """Open a remnant.

        Raises:
            BodyUnreadable: when it was altered or sealed under another secret.
        """
        uscc, salt, digest, reported, cells = json.loads(self._key.open(sealed))
        return Remnant(uscc=uscc, salt=b64decode(salt), digest=b64decode(digest), reported=reported, cells=cells)


def _names_person(name: str, text: str) -> bool:
    """Say whether a cell holds a person's number; codes have their own type, and documents numbers like passports."""
    if defect(text) is None:
        return False
    return looks_like_person(text) if name in _NUMBERS else holds_person_number(text)


def _text(octets: bytes) -> str:
    return b64encode(octets).decode()
