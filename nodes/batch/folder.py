"""The work folder of a batch: what was answered stays answered, whatever ends the run, even a power cut.

A file counts once it stands under its name: written aside, synced, renamed, and the folder synced. One run at a
time holds the folder. Names are numbers; what is inside is its owner's alone.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path

from gateway.errors import GatewayError
from keys import jsontext
from keys.errors import KeysError
from nodes.batch.order import Order, read_order

ANSWER = re.compile(r"[0-9]{6}\.answer")
FORMAT = "yrdx.batch-work.v1"
_STATE, _LOCK = "batch.json", "lock"


class FolderBusy(GatewayError):
    """Another run holds the folder."""


class StateMalformed(KeysError):
    """The folder's state is no state of ours."""


def answer_name(number: int) -> str:
    """Name the answer file of a message."""
    return f"{number:06d}.answer"


class Folder:
    """An open work folder."""

    def __init__(self, path: Path) -> None:
        """Use a folder that exists; `opened` makes and holds it."""
        self.path = path

    def state(self) -> tuple[Order, int] | None:
        """Give the order and how many times what was incomplete was asked again; None in a new folder.

        Raises:
            StateMalformed: when the file is none of ours.
        """
        try:
            text = (self.path / _STATE).read_bytes()
        except FileNotFoundError:
            return None
        rows = jsontext.load(text, refuse=StateMalformed).members(("format", "order", "retries"))
        if rows["format"].value != FORMAT:
            raise StateMalformed("the work folder was made by another version; use a new one")
        return read_order(rows["order"]), rows["retries"].integer(least=0)

    def put_state(self, order: Order, retries: int) -> None:
        """Keep the order."""
        document = {"format": FORMAT, "order": order.document(), "retries": retries}
        self.put(_STATE, json.dumps(document, ensure_ascii=False).encode())

    def used(self) -> bool:
        """Say whether anything was answered or concluded: an unused folder is bound to no terms."""
        return any(self.path.glob("*.answer")) or any(self.path.glob("manifest.*"))

    def answer(self, number: int) -> bytes | None:
        """Give the answer file of a message, if it was kept."""
        try:
            return (self.path / answer_name(number)).read_bytes()
        except FileNotFoundError:
            return None

    def holds(self, number: int) -> bool:
        """Say whether an answer file was kept."""
        return (self.path / answer_name(number)).exists()

    def keep(self, number: int, content: bytes) -> None:
        """Keep an answer file; it is on disk when this returns."""
        self.put(answer_name(number), content)

    def put(self, name: str, content: bytes) -> None:
        """Write a file at once and durably."""
        part = self.path / f"{name}.part"
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path / name)
        _sync(self.path)


@contextmanager
def opened(path: Path) -> Iterator[Folder]:
    """Make the folder if need be, for its owner alone, and hold it.

    Raises:
        FolderBusy: when another run holds it.
        OSError: when it cannot be made.
    """
    path.mkdir(mode=0o700, exist_ok=True)
    number = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderBusy(path.name) from error
        yield Folder(path)
    finally:
        os.close(number)


def publish(staged: Path, target: Path) -> None:
    """Put a finished file under its final name, whole and never over another; again is no fault.

    Raises:
        FileExistsError: when something else stands there.
    """
    aside = target.with_name(f".{target.name}.part")
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        with staged.open("rb") as source:
            while block := source.read(1 << 20):
                file.write(block)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(aside, target)  # unlike a rename it never replaces
    except FileExistsError:
        if digest(target) != digest(staged):
            raise
    finally:
        aside.unlink()
    _sync(target.parent)


def digest(path: Path) -> str:
    """Give the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _sync(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)
