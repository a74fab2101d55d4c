"""Digests of what an operator can change by hand: config, feeds, keys, stops, and the member's officers (duty U32)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from gateway.ports import Feed
from keys.members import Member
from nodes.bundle.stops import OwnStop
from nodes.config import Config
from nodes.keyring import KEY_FILES
from nodes.leaves import ISSUERS

CONFIGURATION, FEEDS, KEYS, STOPS, ACCOUNTS = "CONFIGURATION", "FEEDS", "KEYS", "STOPS", "ACCOUNTS"
AUDIT, BACKUP, RESTORE = "AUDIT", "BACKUP", "RESTORE"
WANTS = {
    CONFIGURATION: "administer",
    FEEDS: "administer",
    KEYS: "secure",
    STOPS: "secure",
    ACCOUNTS: "administer",
    AUDIT: "audit",
    BACKUP: "administer",
    RESTORE: "administer",
}
"""The role in which each is changed, or done."""

_MOVING = frozenset({"data_through", "gaps"})


def configuration(config: Config) -> bytes:
    """Digest a config as it was read."""
    return _digest(CONFIGURATION, asdict(config))


def feeds(declared: Iterable[Feed]) -> bytes:
    """Digest the declaration of feeds; what they loaded is none of it."""
    rows = [{name: value for name, value in asdict(each).items() if name not in _MOVING} for each in declared]
    return _digest(FEEDS, sorted(rows, key=lambda row: str(row["id"])))


def keys(folder: Path) -> bytes:
    """Digest the key files that a keeper makes, encrypted as they lie; the leaf renews itself and is none of them.

    Raises:
        OSError: when one cannot be read.
    """
    paths = sorted({*folder.glob(KEY_FILES), *folder.glob(ISSUERS)})
    return _digest(KEYS, [(each.name, hashlib.sha256(each.read_bytes()).hexdigest()) for each in paths])


def stops(found: Iterable[OwnStop]) -> bytes:
    """Digest a member's own stops."""
    return _digest(STOPS, [each.row() for each in found])


def accounts(member: Member) -> bytes:
    """Digest the member's officers with their keys and roles, as the bundle in force lists them."""
    rows = [asdict(each) for each in member.officers]
    return _digest(ACCOUNTS, sorted(rows, key=lambda row: str(row["id"])))


def _digest(what: str, value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, default=_plain)
    return hashlib.sha256(f"yrdx/state/{what}/v1\0{text}".encode()).digest()


def _plain(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
