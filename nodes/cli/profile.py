"""An officer's profile: where the desk is, who asks, and which key files; every fault is told at once.

A key file is opened when the profile is unlocked, so that a plain `verify` needs no passphrase.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from keys import custody, hardware
from keys.envelope import Envelope
from keys.errors import KeysError
from keys.suite import Signer
from keys.tls import Leaf
from nodes.bundle.root import read_root
from nodes.cli import signing
from nodes.cli.session import Ended, session

T = TypeVar("T")
_BAD_FILE = (OSError, ValueError, LookupError, TypeError, KeysError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The profile file: names as they stand in it; paths are relative to its folder, a key may be on a token."""

    desk: str
    member: str
    agency: str
    officer: str
    officer_key: Path | str
    passphrase_file: Path
    leaf: Path
    desk_ca: Path
    root: Path
    approving_officer: str = ""
    approving_officer_key: Path | str | None = None
    approving_passphrase_file: Path | None = None
    locale: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """An unlocked profile: everything that a call to the desk needs."""

    profile: Profile
    officer: Signer
    """Signs requests: the officer's own key, or the session's."""

    approving_officer: Signer | None
    leaf: Leaf
    desk_ca: bytes
    root: bytes
    folder: Path = Path()
    own: Signer | None = None
    """The officer's own key, where it was opened beside a session's."""

    assertion: Envelope | None = None
    """Of the session, where its key signs."""


def read_profile(path: Path | None) -> Profile:
    """Read a profile.

    Raises:
        Ended: naming the file and every field at fault.
    """
    if path is None:
        raise Ended("profile.none")
    try:
        row = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Ended("profile.unreadable", file=path.name, why=type(error).__name__) from error
    words = session().words
    faults = [(name, words.say("profile.unknown_field")) for name in sorted(set(row) - set(_FIELDS))]
    found: dict[str, Any] = {}
    for name, (is_path, required) in _FIELDS.items():
        value = row.get(name)
        if isinstance(value, str) and value:
            found[name] = path.parent / value if is_path and not _on_token(name, value) else value
        elif required or value is not None:
            faults.append((name, words.say("profile.missing" if value is None else "profile.no_text")))
    if found.get("locale", "en") not in {"en", "zh"}:
        faults.append(("locale", words.say("profile.bad_locale")))
    if ("approving_officer" in found) != ("approving_officer_key" in found):
        faults.append(("approving_officer", words.say("profile.half_second")))
    _tell(path.name, faults)
    session().preferred = found.get("locale", "")
    return Profile(**found)


def unlock(
    path: Path | None, *, second: bool = False, own: bool = False, both: bool = False, ended: bool = False
) -> Access:
    """Read a profile and open its files; the second officer's key only where that officer signs.

    The key of a session signs where one stands beside the profile, and the officer's own is not opened: with `both`
    it is as well, with `own` the session is not looked at. A session that is over signs only with `ended`.

    Raises:
        Ended: naming the file and every field at fault, or that the session is over.
    """
    profile = read_profile(path)
    folder = path.parent if path else Path()
    in_session = not own and signing.present(folder, profile.officer)
    faults: list[tuple[str, str]] = []

    def opened(name: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except _BAD_FILE as error:
            faults.append((name, _why(error)))
            return None

    passphrase = opened("passphrase_file", lambda: custody.read_passphrase(profile.passphrase_file))
    officer = leaf = approving = running = None
    if passphrase is not None and in_session:
        running = opened("session", lambda: signing.load(folder, profile.officer, passphrase))
    if passphrase is not None and (both or not in_session):
        officer = opened("officer_key", lambda: _officer(profile.officer_key, passphrase, profile.officer))
    if passphrase is not None:
        leaf = opened("leaf", lambda: custody.load_leaf(profile.leaf, passphrase))
    if second and not profile.approving_officer:
        faults.append(("approving_officer", session().words.say("profile.no_second")))
    elif second and passphrase is not None:
        approving = opened("approving_officer_key", lambda: _second(profile, passphrase))
    desk_ca = opened("desk_ca", profile.desk_ca.read_bytes)
    root = opened("root", lambda: read_root(profile.root))
    _tell(path.name if path else "", faults)
    signer = officer if running is None else running.signer
    if signer is None or leaf is None or desk_ca is None or root is None:
        raise AssertionError  # a fault was told for each
    if running is not None and not ended and session().now() >= running.until_time:
        raise Ended("accounts.over")
    return Access(
        profile=profile,
        officer=signer,
        approving_officer=approving,
        leaf=leaf,
        desk_ca=desk_ca,
        root=root,
        folder=folder,
        own=officer,
        assertion=None if running is None else running.assertion,
    )


def root_of(path: Path) -> bytes:
    """Read a root file.

    Raises:
        Ended: when it is none.
    """
    try:
        return read_root(path)
    except _BAD_FILE as error:
        raise Ended("profile.bad_root", file=path.name) from error


def _second(profile: Profile, passphrase: bytes) -> Signer:
    own = profile.approving_passphrase_file
    held = passphrase if own is None else custody.read_passphrase(own)
    return _officer(profile.approving_officer_key or Path(), held, profile.approving_officer)


def _on_token(name: str, value: str) -> bool:
    """Say whether an officer's key is named as one on a token, by its URI."""
    return name.endswith("officer_key") and value.startswith(hardware.SCHEME)


def _officer(key: Path | str, passphrase: bytes, officer: str) -> Signer:
    """Open an officer's key; on a token the passphrase is its PIN, unless the URI names the PIN's file."""
    signer = hardware.load_signer(key, passphrase) if isinstance(key, str) else custody.load_signer(key, passphrase)
    if signer.id.rpartition("/")[0] != officer:
        raise _OtherOfficerError(session().words.say("profile.other_officer"))
    return signer


class _OtherOfficerError(KeysError):
    """The key file belongs to another officer."""


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, KeysError) else type(error).__name__


def _tell(name: str, faults: list[tuple[str, str]]) -> None:
    if faults:
        lines = tuple(f"{field}: {why}" for field, why in faults)
        raise Ended("profile.faults", lines=lines, file=name, count=len(faults))


_FIELDS: Mapping[str, tuple[bool, bool]] = {
    each.name: ("Path" in str(each.type), each.default is MISSING) for each in fields(Profile)
}
"""Field to (whether it is a path, whether it must stand)."""
