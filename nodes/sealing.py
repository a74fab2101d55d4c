"""A member's sealing keys: every file of that use in its key folder, so that several open while they turn over."""

from __future__ import annotations

from pathlib import Path

import structlog

from gateway.exchange.sealing import Openers
from keys import custody
from keys.errors import KeysError
from keys.seal import Opener

FILES = "seal*.key"

_log = structlog.get_logger()


class SealingKeys:
    """The keys that open, by id; a member that is never relayed needs none. `poll` may run in a thread."""

    def __init__(self, folder: Path, passphrase: bytes) -> None:
        """Open those of a folder.

        Raises:
            KeysError: naming the file that does not open.
        """
        self._folder, self._passphrase = folder, passphrase
        self._files: dict[str, Opener | None] = {name: self._open(name) for name in self._names()}

    @property
    def current(self) -> Openers:
        """The keys that are here now; which of them are good the directory says."""
        return {each.id: each for each in self._files.values() if each is not None}

    def poll(self) -> None:
        """Notice new files and those that are gone; one that does not open is logged once and left."""
        held = self._files
        self._files = {name: held[name] if name in held else self._tried(name) for name in self._names()}

    def _names(self) -> list[str]:
        return sorted(path.name for path in self._folder.glob(FILES))  # a key file is never written over

    def _open(self, name: str) -> Opener:
        return custody.load_opener(self._folder / name, self._passphrase)

    def _tried(self, name: str) -> Opener | None:
        try:
            return self._open(name)
        except KeysError as error:
            _log.error("key_file_rejected", error=type(error).__name__)
            return None
