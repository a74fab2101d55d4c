"""An officer's session on this computer: its encrypted key and the signed assertion, in files beside the profile.

While they stand, the commands sign with the session's key, and the officer's own key may lie in a drawer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gateway import wire
from gateway.model.accounts import OfficerAssertion
from keys import boxes, custody, files, suite
from keys.envelope import Envelope, from_json, to_json
from keys.errors import KeysError
from keys.suite import Signer

USE = "session"


class SessionUnreadable(KeysError):
    """The files of the session do not belong together, or are no session's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionKey:
    """A session's key, the signed assertion, and when it ends."""

    signer: Signer
    assertion: Envelope
    until_time: datetime


def present(folder: Path, officer: str) -> bool:
    """Say whether a folder holds a session of an officer."""
    return _assertion(folder, officer).exists()


def save(folder: Path, seed: bytes, assertion: Envelope, passphrase: bytes, *, officer: str) -> None:
    """Keep a session; the key first, so that an assertion never stands without it.

    Raises:
        CustodyError, OSError: when one stands there already, or cannot be written.
    """
    custody.save_seed(
        _key(folder, officer), seed, passphrase, owner=officer, suite=suite.INT_1, use=USE, work=boxes.INTERACTIVE
    )
    files.write(_assertion(folder, officer), to_json(assertion))


def load(folder: Path, officer: str, passphrase: bytes) -> SessionKey:
    """Load a session.

    Raises:
        KeysError, OSError: when a file is missing, too open, damaged, or of another session.
    """
    signer = custody.load_signer(_key(folder, officer), passphrase, use=USE)
    assertion = from_json(_assertion(folder, officer).read_bytes())
    try:
        said = wire.decode(OfficerAssertion, assertion.payload)
    except wire.WireMalformed as error:
        raise SessionUnreadable("the session's assertion is none; close the session and open another") from error
    if (said.officer, said.session_public) != (officer, signer.public):
        raise SessionUnreadable("the session's key is another one's; close the session and open another")
    return SessionKey(signer=signer, assertion=assertion, until_time=said.until_time)


def remove(folder: Path, officer: str) -> None:
    """Remove a session's files; the assertion first: what is left of a torn removal is no session."""
    for path in (_assertion(folder, officer), _key(folder, officer)):
        path.unlink(missing_ok=True)


def _key(folder: Path, officer: str) -> Path:
    return folder / f"{officer.rpartition('/')[2]}.session.key"


def _assertion(folder: Path, officer: str) -> Path:
    return folder / f"{officer.rpartition('/')[2]}.session.json"
