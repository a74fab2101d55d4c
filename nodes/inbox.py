"""The inbox behind a one-way gap 网闸: each sender's numbered manifests say what came, and nothing else is believed.

`FOLDER/SENDER/000001.json` names files beside it. Manifests are taken strictly in sequence, each chained to the one
before by its digest; nothing is ever deleted. A fault stops its sender only, and nothing of a later manifest is
looked at until it is cured. Who a sender is, the folder's permissions say: manifests carry no signature.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from errno import ELOOP, ENXIO
from pathlib import Path
from typing import BinaryIO

from gateway.errors import GatewayError
from keys import jsontext
from keys.errors import KeysError
from nodes.config import Config
from nodes.ingest import Expected, Terms
from nodes.intake import Door, Item, Loaded, Problems, Progress, open_door, sink_of
from nodes.leave import Leaves
from nodes.store import Mode
from nodes.store.doers import NOBODY, Doer

FORMAT = "yrdx.manifest.v1"
_FIELDS = ("format", "sender", "sequence", "previous", "files")
_SENDER = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_MANIFEST = re.compile(r"[0-9]{6}\.json")
# Plain ASCII only: no separator, no parent, no look-alike of another alphabet, nothing hidden, nothing endless.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}(\.[A-Za-z0-9_-]{1,20}){0,2}\.(csv|CSV|xlsx|XLSX)")
_FEED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NO_DIGEST = re.compile(r"|[0-9a-f]{64}")
_MODE = re.compile(r"delta|snapshot")
_CHUNK = 1 << 20
_PLAIN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class ManifestFault(Enum):
    """Why a manifest, and so its sender, was stopped."""

    BAD_SENDER = "BAD_SENDER"
    BAD_NUMBER = "BAD_NUMBER"
    UNREADABLE = "UNREADABLE"
    MALFORMED = "MALFORMED"
    OTHER_SENDER = "OTHER_SENDER"
    OTHER_SEQUENCE = "OTHER_SEQUENCE"
    HOLE = "HOLE"
    REPEATED = "REPEATED"
    OTHER_PREVIOUS = "OTHER_PREVIOUS"
    BAD_NAME = "BAD_NAME"
    SAME_NAME = "SAME_NAME"
    UNKNOWN_FEED = "UNKNOWN_FEED"
    NO_FILE = "NO_FILE"
    NO_PLAIN_FILE = "NO_PLAIN_FILE"
    TOO_LARGE = "TOO_LARGE"
    OTHER_DIGEST = "OTHER_DIGEST"
    FILE_REFUSED = "FILE_REFUSED"


class ManifestRefused(GatewayError):
    """A manifest is not taken; `arguments` say where, by numbers and places, never by what a sender wrote."""

    def __init__(self, fault: ManifestFault, **arguments: object) -> None:
        """Keep the fault and where it is."""
        super().__init__(fault.value)
        self.fault = fault
        self.arguments = arguments


class _MalformedError(KeysError):
    """The text is no manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file that a manifest names."""

    name: str
    feed: str
    sha256: str
    rows: int
    mode: Mode
    data_through: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a sender says that it sent; `previous` is the digest of the manifest before, empty for the first."""

    sender: str
    sequence: int
    previous: str
    files: tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What became of a manifest: its files, and why it was not taken, if it was not."""

    sender: str
    sequence: int
    files: tuple[Loaded, ...] = ()
    stopped: ManifestRefused | None = None


def take_inbox(
    config: Config,
    home: Path,
    folder: Path,
    *,
    now: datetime,
    leaves: tuple[Path, ...] = (),
    problems: Problems | None = None,
    doer: Doer = NOBODY,
    progress: Progress = lambda _path, _rows, _part: None,
) -> Iterator[Arrival | Loaded]:
    """Release held rows, then take every sender's manifests as far as they follow one another.

    Raises:
        OSError, KeysError, CatalogueMalformed, StoreUnusable, NotDurable: as `open_door`; what was taken stays.
    """
    with open_door(config, home, now=now, doer=doer) as door:
        yield from door.release()
        for each in sorted(os.scandir(folder), key=lambda entry: entry.name):
            if each.is_dir(follow_symlinks=False) and _SENDER.fullmatch(each.name):
                yield from _Sender(door, Path(each.path), each.name, leaves, progress, problems).take()
            elif each.is_dir() or each.is_symlink():
                yield Arrival(sender="", sequence=0, stopped=ManifestRefused(ManifestFault.BAD_SENDER))


class _Sender:
    """The manifests of one sender."""

    def __init__(
        self,
        door: Door,
        folder: Path,
        name: str,
        leaves: tuple[Path, ...],
        progress: Progress,
        problems: Problems | None,
    ) -> None:
        self.door, self.folder, self.name, self.progress, self.problems = door, folder, name, progress, problems
        self.sequence, self.digest = door.loading.taken(name)
        self.leave = Leaves(paths=leaves, charter=door.charter, now=door.now) if leaves else None

    def take(self) -> Iterator[Arrival]:
        """Take what follows the last manifest; the first fault ends it."""
        try:
            yield from self._take()
        except ManifestRefused as refused:
            yield Arrival(sender=self.name, sequence=self.sequence, stopped=refused)

    def _take(self) -> Iterator[Arrival]:
        numbers = sorted(int(each.stem) for each in self.folder.iterdir() if _MANIFEST.fullmatch(each.name))
        if 0 in numbers:
            raise ManifestRefused(ManifestFault.BAD_NUMBER)
        if self.sequence in numbers:
            self._check_last()
        for number in (each for each in numbers if each > self.sequence):
            self.sequence += 1
            if number != self.sequence:
                raise ManifestRefused(ManifestFault.HOLE, missing=_missing(self.sequence, number - 1))
            text = self._read(number)
            files = tuple(self._load(self._checked(text, number)))
            if any(each.refused for each in files):
                stopped = ManifestRefused(ManifestFault.FILE_REFUSED)
                yield Arrival(sender=self.name, sequence=number, files=files, stopped=stopped)
                return
            self.digest = hashlib.sha256(text).digest()
            self.door.loading.take(self.name, number, self.digest, self.door.now)
            yield Arrival(sender=self.name, sequence=number, files=files)

    def _check_last(self) -> None:
        """A number is not used twice: what was taken under it stands."""
        if hashlib.sha256(self._read(self.sequence)).digest() != self.digest:
            raise ManifestRefused(ManifestFault.REPEATED)

    def _read(self, number: int) -> bytes:
        with self._plain(f"{number:06}.json", 0) as file:
            return file.read(jsontext.SIZE_LIMIT + 1)

    def _checked(self, text: bytes, number: int) -> Manifest:
        """Read a manifest, and check all that can be told before anything is loaded."""
        try:
            found = _manifest(text, self.door.charter.catalogue.limits.manifest_files)
        except _MalformedError:
            raise ManifestRefused(ManifestFault.MALFORMED) from None
        if found.sender != self.name:
            raise ManifestRefused(ManifestFault.OTHER_SENDER)
        if found.sequence != number:
            raise ManifestRefused(ManifestFault.OTHER_SEQUENCE, told=found.sequence)
        if found.previous != self.digest.hex():
            raise ManifestRefused(ManifestFault.OTHER_PREVIOUS)
        for place, entry in enumerate(found.files, 1):
            self._check(entry, place)
        if len({each.name.casefold() for each in found.files}) != len(found.files):
            raise ManifestRefused(ManifestFault.SAME_NAME)
        return found

    def _check(self, entry: Entry, place: int) -> None:
        if not _NAME.fullmatch(entry.name):
            raise ManifestRefused(ManifestFault.BAD_NAME, file=place)
        if entry.feed not in self.door.feeds:
            raise ManifestRefused(ManifestFault.UNKNOWN_FEED, file=place)
        state = hashlib.sha256()
        with self._plain(entry.name, place) as file:
            if os.fstat(file.fileno()).st_size > self.door.charter.catalogue.limits.inbox_bytes:
                raise ManifestRefused(ManifestFault.TOO_LARGE, file=place)
            while chunk := file.read(_CHUNK):
                state.update(chunk)
        if state.hexdigest() != entry.sha256:
            raise ManifestRefused(ManifestFault.OTHER_DIGEST, file=place)

    def _plain(self, name: str, place: int) -> BinaryIO:
        """Open a plain file in the folder itself: a link could lead out of it, a device or pipe never end."""
        try:
            number = os.open(self.folder / name, _PLAIN)
        except FileNotFoundError:
            raise ManifestRefused(ManifestFault.NO_FILE, file=place) from None
        except OSError as error:
            fault = ManifestFault.NO_PLAIN_FILE if error.errno in {ELOOP, ENXIO} else ManifestFault.UNREADABLE
            raise ManifestRefused(fault, file=place) from None
        if not stat.S_ISREG(os.fstat(number).st_mode):
            os.close(number)
            raise ManifestRefused(ManifestFault.NO_PLAIN_FILE, file=place)
        return os.fdopen(number, "rb")

    def _load(self, manifest: Manifest) -> Iterator[Loaded]:
        return self.door.load([self._item(each) for each in manifest.files])

    def _item(self, entry: Entry) -> Item:
        path = self.folder / entry.name
        terms = Terms(
            mode=entry.mode,
            data_through=entry.data_through,
            leave=self.leave,
            expected=Expected(digest=bytes.fromhex(entry.sha256), rows=entry.rows),
            progress=lambda rows, part: self.progress(path, rows, part),
            sink=sink_of(self.problems, path),
        )
        return Item(path=path, feed=entry.feed, terms=terms)


def _manifest(text: bytes, most: int) -> Manifest:
    part = jsontext.load(text, refuse=_MalformedError).members(_FIELDS)
    if part["format"].value != FORMAT:
        part["format"].fail("is of another format")
    return Manifest(
        sender=part["sender"].text(),
        sequence=part["sequence"].integer(least=1),
        previous=part["previous"].text(_NO_DIGEST),
        files=tuple(_entry(each) for each in part["files"].items(limit=most)),
    )


def _entry(place: jsontext.Place) -> Entry:
    part = place.members(Entry.__slots__)
    return Entry(
        name=str(part["name"].value),  # judged by `_NAME`, which says more than that it is no text
        feed=part["feed"].text(_FEED),
        sha256=part["sha256"].text(_DIGEST),
        rows=part["rows"].integer(least=0),
        mode=Mode[part["mode"].text(_MODE).upper()],
        data_through=part["data_through"].day(),
    )


def _missing(first: int, last: int) -> str:
    return f"{first:06}" if first == last else f"{first:06}-{last:06}"
