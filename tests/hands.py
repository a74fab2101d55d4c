"""Role keys of a federation of tests, always the same, and a bundle signed with them out of one document.

A document says `version`, `issued_time` and `expire_time` beside the sections; every role ends at that time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any

from keys import moments
from keys.bundle import archive
from keys.bundle.layout import MEMBER_ID
from keys.directory import Directory, open_bundle
from nodes.federation import signing
from nodes.federation.signing import Hands, Lives

ROOT_LIVES = Lives.of(timedelta(days=3650))
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
TIMES = ("version", "issued_time", "expire_time")


@lru_cache
def hands_of(members: tuple[str, ...], tops: tuple[str, ...], salt: str = "") -> Hands:
    """Make the role keys of members; another salt makes others."""
    return signing.hands(members, tops, lambda label: sha256(f"{salt}{label}".encode()).digest())


@lru_cache
def root_of(tops: tuple[str, ...], salt: str = "") -> bytes:
    """Give the root of the federation whose quorum these members are."""
    return signing.sign_root(hands_of(tops, tops, salt), issued=FIRST, lives=ROOT_LIVES)


def tops_of(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the members of a document that have no parent."""
    rows = (row for row in document["members"] if isinstance(row, Mapping))
    return tuple(dict.fromkeys(row["id"] for row in rows if row.get("parent") is None))


def files_of(
    document: Mapping[str, Any], *, tops: tuple[str, ...] = (), salt: str = "", lives: Lives | None = None
) -> dict[str, bytes]:
    """Sign a document; give the static files. `tops` sit in the quorum, unless told otherwise those of the document."""
    seated = tops or tops_of(document)
    ids = (row.get("id") for row in document["members"] if isinstance(row, Mapping))
    members = tuple(dict.fromkeys((*seated, *(each for each in ids if MEMBER_ID.fullmatch(str(each))))))
    issued = moments.read(document["issued_time"])
    return signing.sign_bundle(
        {name: value for name, value in document.items() if name not in TIMES},
        hands_of(members, seated, salt),
        root=root_of(seated, salt),
        version=document["version"],
        issued=issued,
        lives=lives or Lives.of(moments.read(document["expire_time"]) - issued),
    )


def archive_of(
    document: Mapping[str, Any], *, tops: tuple[str, ...] = (), salt: str = "", lives: Lives | None = None
) -> bytes:
    """Sign a document, once while it stays the same; give the archive."""
    if lives is not None:
        return archive.pack(files_of(document, tops=tops, salt=salt, lives=lives))
    return _archive(json.dumps(document, ensure_ascii=False), tops, salt)


def timed(document: Mapping[str, Any], *, version: int, issued: datetime, expire: datetime) -> dict[str, Any]:
    """Add to sections what a document of tests says of its snapshot."""
    times = {"issued_time": moments.write(issued), "expire_time": moments.write(expire)}
    return {"version": version, **times, **document}


def directory_of(document: Mapping[str, Any]) -> Directory:
    """Sign a document and open it."""
    return open_bundle(archive_of(document), root=root_of(tops_of(document)))


@lru_cache(maxsize=64)
def _archive(text: str, tops: tuple[str, ...], salt: str) -> bytes:
    return archive.pack(files_of(json.loads(text), tops=tops, salt=salt))
