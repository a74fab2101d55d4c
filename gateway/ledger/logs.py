"""Names of logs and witnesses in notes, and the keys that the directory gives them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from gateway.ledger.note import Algorithm, NoteKey
from keys.directory import Directory
from keys.suite import INT_1

Find = Callable[[str], tuple[NoteKey, ...]]
"""Gives the keys of a log by its origin."""

_ORIGIN = re.compile(r"yrdx/ledger/([0-9]{6})/([1-9][0-9]{0,8})")


def origin(member: str, number: int) -> str:
    """Name a member's log; a log opened after a loss has the next number."""
    return f"yrdx/ledger/{member}/{number}"


def witness(member: str) -> str:
    """Name a member as a witness."""
    return f"yrdx/witness/{member}"


def owner(name: str) -> str | None:
    """Give the member whose log an origin names, or nothing when it is no log of a member."""
    found = _ORIGIN.fullmatch(name)
    return None if found is None else found[1]


def log_keys(directory: Directory, name: str, at: datetime) -> tuple[NoteKey, ...]:
    """Give the keys of use `ledger` that may sign a log's checkpoints at a time; none for a stranger's log.

    Raises:
        MemberUnknown: when the origin names a member that is not in the directory.
    """
    member = owner(name)
    return () if member is None else _keys(directory, member, "ledger", name, at)


def of_member(directory: Directory, member: str, at: datetime) -> Find:
    """Give the look-up of the keys of one member's logs at a time; any other origin has none."""
    return lambda name: log_keys(directory, name, at) if owner(name) == member else ()


def unsuspected_keys(directory: Directory, member: str) -> Find:
    """Give the look-up of the keys that may ever have signed one member's heads; a key that is suspect counts no more.

    A head stands until the next entry, and that of a log which was followed by another for ever.

    Raises:
        MemberUnknown: when the member is not in the directory.
    """
    keys = [
        key.public_key()
        for key in directory.member(member).keys
        if key.use == "ledger" and key.suite == INT_1 and key.suspect_from is None
    ]
    return lambda name: tuple(NoteKey(name=name, key=key) for key in keys) if owner(name) == member else ()


def witness_keys(directory: Directory, member: str, at: datetime) -> tuple[NoteKey, ...]:
    """Give the keys of use `witness` with which a member may cosign at a time.

    Raises:
        MemberUnknown: when the member is not in the directory.
    """
    return _keys(directory, member, "witness", witness(member), at)


def listed_keys(directory: Directory, member: str) -> Callable[[str], tuple[NoteKey, ...]]:
    """Give the look-up of every key that is listed for one member's logs, whenever it counts; for old heads.

    Whoever opens a head with them still asks when it was seen (`dating`), or whether it is the member's own.
    """
    return lambda name: _keys(directory, member, "ledger", name, None) if owner(name) == member else ()


def listed_witness_keys(directory: Directory, member: str) -> tuple[NoteKey, ...]:
    """Give every witness key that is listed for a member, whenever it counts.

    Raises:
        MemberUnknown: when the member is not in the directory.
    """
    return _keys(directory, member, "witness", witness(member), None)


def _keys(directory: Directory, member: str, use: str, name: str, at: datetime | None) -> tuple[NoteKey, ...]:
    algorithm = Algorithm.COSIGNATURE if use == "witness" else Algorithm.ED25519
    return tuple(
        NoteKey(name=name, key=key.public_key(), algorithm=algorithm)
        for key in directory.member(member).keys
        if key.use == use and key.suite == INT_1 and (at is None or key.valid_at(at))
    )
