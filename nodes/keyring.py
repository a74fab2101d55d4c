"""The private keys of a member and a use that are here, and which of them signs: the newest that is listed.

New key files and new keys on the token are noticed without a restart. A key that the directory in force does not list,
lists for another time or has revoked is never used, whatever lies in the folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from keys import custody
from keys.directory import Directory, Key
from keys.errors import KeyNotValid, KeysError
from keys.suite import Signer

SIGN, STORAGE, LEDGER, WITNESS = "sign", "storage", "ledger", "witness"
KEY_FILES = "*.key"
SKEW = timedelta(seconds=30)
"""How far another member's clock may be from this one."""

_log = structlog.get_logger()
Stamp = tuple[int, int]


class Keyring:
    """One member's keys that sign for one use; `poll` may run in a thread beside `signer`."""

    def __init__(
        self,
        member: str,
        folder: Path,
        passphrase: bytes,
        *,
        use: str = SIGN,
        token: Callable[[], Iterable[Signer]] = tuple,
    ) -> None:
        """Open every key of the use in the folder and on the token."""
        self._member, self._folder, self._passphrase, self._token = member, folder, passphrase, token
        self._use = use
        self._files: dict[Path, tuple[Stamp, Signer | None]] = {}
        self._held: Mapping[str, Signer] = {}
        self._token_fault = ""
        self._listed: tuple[object, object, tuple[tuple[Key, Signer], ...]] = (None, None, ())
        self.poll()

    @property
    def ids(self) -> frozenset[str]:
        """Name the keys that are here."""
        return frozenset(self._held)

    def poll(self) -> bool:
        """Notice what came and went; say whether anything did. A file that does not open is logged and left."""
        stamps = {path: stamp(path) for path in sorted(self._folder.glob(KEY_FILES))}
        for path in self._files.keys() - stamps.keys():
            del self._files[path]
        for path, found in stamps.items():
            if found != (0, 0) and self._files.get(path, (None,))[0] != found:
                self._files[path] = (found, self._open(path))
        signers = (*(each for _, each in self._files.values() if each), *self._on_token())
        held = {each.id: each for each in signers if each.id.startswith(f"{self._member}/")}
        changed = held.keys() != self._held.keys()
        if changed:
            self._held = held
        return changed

    def signer(self, directory: Directory, now: datetime) -> Signer:
        """Give the newest key that the directory lists as valid now, by everybody's clock where one is.

        Raises:
            KeyNotValid: when none of the keys that are here may sign.
        """
        usable = [(row, each) for row, each in self._rows(directory) if row.valid_at(now)]
        for row, each in usable:
            if row.valid_at(now - SKEW) and row.valid_at(now + SKEW):
                return each
        if usable:
            return usable[0][1]
        raise KeyNotValid(f"no key of {self._member} for {self._use} that is here is listed as valid; have one listed")

    def _rows(self, directory: Directory) -> tuple[tuple[Key, Signer], ...]:
        """Give the listed keys that are here, newest first; worked out once for a directory."""
        held = self._held
        if self._listed[0] is not directory or self._listed[1] is not held:
            rows = (row for row in directory.member(self._member).keys if row.use == self._use and row.id in held)
            fit = [(row, held[row.id]) for row in rows if row.suite in directory.suites]
            fit.sort(key=lambda pair: pair[0].valid_from, reverse=True)
            self._listed = (directory, held, tuple(fit))
        return self._listed[2]

    def _on_token(self) -> tuple[Signer, ...]:
        """Look at the token; while it cannot be reached its keys are none."""
        try:
            found, self._token_fault = tuple(self._token()), ""
        except KeysError as error:
            if self._token_fault != type(error).__name__:
                self._token_fault = type(error).__name__
                _log.error("token_unreachable", error=self._token_fault)
            return ()
        return found

    def _open(self, path: Path) -> Signer | None:
        try:
            if custody.use_of(path) != self._use:
                return None
            return custody.load_signer(path, self._passphrase, use=self._use)
        except KeysError as error:
            _log.error("key_file_rejected", error=type(error).__name__)
            return None


def stamp(path: Path) -> Stamp:
    """Give what changes with a file's content, place or mode; zeros when it is not there."""
    try:
        status = path.stat()
    except OSError:  # taken away between the listing and the look
        return (0, 0)
    return status.st_ctime_ns, status.st_ino  # also after a chmod
