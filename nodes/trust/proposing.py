"""Proposes the next version of exactly those roles and files that differ from what is published."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from keys.bundle import agreements, layout, rolekeys, writing
from keys.bundle.metadata import Seat
from keys.bundle.sheets import read_sheet
from keys.envelope import Envelope, from_json, to_json
from keys.suite import PublicKey
from nodes.federation.signing import PUBLISHERS, Lives
from nodes.trust.draft import AGREEMENTS, After, Draft
from nodes.trust.errors import Ground, TrustRefused
from nodes.trust.published import Published
from nodes.trust.requests import OFFICERS

RENEW = timedelta(days=10)
"""A role that ends sooner is proposed again although nothing in it changed."""

SLACK = timedelta(days=1)
"""A role that counts for longer than it should by more than this is proposed again too."""

_SUB = re.compile(r"members/[0-9]{6}/([0-9]{6})/[^/]+")
_TOP = re.compile(r"members/([0-9]{6})/[^/]+")

Keys = Mapping[tuple[str, str], tuple[PublicKey, ...]]
"""Role keys by member and use."""


def keys_of(base: Published | None) -> dict[tuple[str, str], tuple[PublicKey, ...]]:
    """Give the role keys of what is published, by member and use."""
    found: dict[tuple[str, str], dict[str, PublicKey]] = {}
    for role in base.opened.roles if base else ():
        for key in role.keys:
            name = rolekeys.name_of(key.id)
            found.setdefault((name.member, name.use), {})[key.id] = key
    return {name: tuple(keys.values()) for name, keys in found.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the bundle is to say: target files by path, rows of agreements, role keys, and what proves new keys.

    `renew` names roles that get a next version although nothing in them changed.
    """

    files: Mapping[str, bytes]
    agreements: tuple[Mapping[str, Any], ...]
    keys: Keys
    proofs: Mapping[str, bytes]
    renew: frozenset[str] = frozenset()


def propose(wanted: Wanted, base: Published | None, *, now: datetime, lives: Lives | None = None) -> Draft:
    """Write the draft that leads from what is published to what is wanted.

    Raises:
        TrustRefused: NOTHING_CHANGED; KEYS_MISSING when a member has no key, or too few officers, for a role.
    """
    roles = _Roles(wanted, base, now.replace(microsecond=0), lives or Lives())
    changed = dict(roles.changed())
    envelopes = dict(_agreements(wanted, base))
    listed = tuple(sorted(row["id"] for row in wanted.agreements))
    held = base.files if base else {}
    gone = {path for path in held if path.startswith(AGREEMENTS)} - {f"{AGREEMENTS}{each}.json" for each in listed}
    if not (changed or envelopes or gone):
        raise TrustRefused(Ground.NOTHING_CHANGED)
    return Draft(
        base_version=base.version if base else 0,
        base_digest=digest_of(base),
        listed=listed,
        roles=changed,
        files={path: each for path, each in wanted.files.items() if held.get(path) != each},
        agreements=envelopes,
        proofs=wanted.proofs,
    )


def refresh(base: Published) -> Draft:
    """Give the draft that changes nothing: publishers sign a new timestamp on it."""
    names = (path.removeprefix(AGREEMENTS).removesuffix(".json") for path in base.files if path.startswith(AGREEMENTS))
    return Draft(
        base_version=base.version,
        base_digest=digest_of(base),
        listed=tuple(sorted(names)),
        roles={},
        files={},
        agreements={},
    )


def is_over(draft: Draft, base: Published) -> bool:
    """Say whether a draft that only refreshes has done so: its timestamp, or another one since, is published."""
    if draft.roles or draft.files or draft.agreements:
        return False
    stage = draft.stage.get(layout.TIMESTAMP)
    stamped = stage is not None and read_sheet(stage, layout.TIMESTAMP).version <= base.sheet(layout.TIMESTAMP).version
    return stamped or draft.base_digest != digest_of(base)


def digest_of(base: Published | None) -> str:
    """Name the snapshot that a draft extends, by its SHA-256."""
    return "" if base is None else hashlib.sha256(base.roles[layout.SNAPSHOT]).hexdigest()


class _Roles:
    """The roles that are wanted, and their next versions where they differ."""

    def __init__(self, wanted: Wanted, base: Published | None, now: datetime, lives: Lives) -> None:
        self._wanted, self._base, self._now, self._lives = wanted, base, now, lives
        self._parents = _parents(wanted.files)
        self._tops = sorted(each for each, parent in self._parents.items() if parent is None)

    def changed(self) -> Iterator[tuple[str, bytes]]:
        seats = {role: self._seat(role) for role in (layout.ROOT, layout.TARGETS, layout.SNAPSHOT, layout.TIMESTAMP)}
        root = writing.write_root(version=1, expires=self._now, seats=seats)
        if self._differs(layout.ROOT, root):
            yield (
                layout.ROOT,
                writing.write_root(
                    version=self._next(layout.ROOT), expires=self._now + self._life(layout.ROOT), seats=seats
                ),
            )
        for role in (layout.TARGETS, layout.MAPPINGS, *map(layout.member_role, self._parents)):
            if self._differs(role, self._write(role, version=1)):
                yield role, self._write(role, version=self._next(role))

    def _write(self, role: str, *, version: int) -> bytes:
        return writing.write_targets(
            role,
            version=version,
            expires=self._now + self._life(role),
            files={path: each for path, each in self._wanted.files.items() if role_of(path) == role},
            delegations={each: self._seat(each) for each in self._delegated(role)},
        )

    def _life(self, role: str) -> timedelta:
        member = layout.member_of(role)
        if member is not None:
            return self._lives.members.get(member, self._lives.member)
        return self._lives.root if role == layout.ROOT else self._lives.targets

    def _delegated(self, role: str) -> tuple[str, ...]:
        if role == layout.TARGETS:
            return (layout.MAPPINGS, layout.AGREEMENTS, *map(layout.member_role, self._tops))
        member = layout.member_of(role)
        return tuple(layout.member_role(each) for each, parent in self._parents.items() if member and parent == member)

    def _seat(self, role: str) -> Seat:
        member, use = layout.member_of(role), layout.use_of(role)
        if member is not None:
            return Seat(keys=self._keys(member, use, OFFICERS), threshold=OFFICERS)
        keys = tuple(key for top in self._tops for key in self._keys(top, use, 1))
        return Seat(keys=keys, threshold=PUBLISHERS if use == "publisher" else len(keys) // 2 + 1)

    def _keys(self, member: str, use: str, least: int) -> tuple[PublicKey, ...]:
        found = self._wanted.keys.get((member, use), ())
        if len(found) < least:
            raise TrustRefused(Ground.KEYS_MISSING, member=member, use=use, wanted=least)
        return found

    def _differs(self, role: str, content: bytes) -> bool:
        """Say whether a role says something else, ends soon or far too late, or is signed by others now."""
        if self._base is None or (role != layout.ROOT and role not in self._base.roles) or role in self._wanted.renew:
            return True
        old, new = self._base.sheet(role), After(draft=_only(role, content), base=None).sheet(role)
        ends = {each.name: each.expire_time for each in self._base.opened.roles}[role]
        return (
            (dict(old.files), _seated(old.seats)) != (dict(new.files), _seated(new.seats))
            or not self._now + RENEW <= ends <= self._now + self._life(role) + SLACK
            or self._other_hands(role)
        )

    def _other_hands(self, role: str) -> bool:
        held = next(each for each in (self._base.opened.roles if self._base else ()) if each.name == role)
        return {key.id for key in held.keys} != {key.id for key in self._seat(role).keys}

    def _next(self, role: str) -> int:
        return self._base.sheet(role).version + 1 if self._base and self._has(role) else 1

    def _has(self, role: str) -> bool:
        return self._base is not None and (role == layout.ROOT or role in self._base.roles)


def role_of(path: str) -> str:
    """Name the role that signs a file of this path."""
    if found := _SUB.fullmatch(path) or _TOP.fullmatch(path):
        return layout.member_role(found[1])
    return layout.MAPPINGS if path.startswith(f"{layout.MAPPINGS}/") else layout.TARGETS


def _parents(files: Mapping[str, bytes]) -> dict[str, str | None]:
    """Name the members whose rows the files hold, each with its parent."""
    found: dict[str, str | None] = {}
    for path, content in sorted(files.items()):
        top = _TOP.fullmatch(path)
        if path == f"{layout.FEDERATION}.json" or (top and path.endswith("/members.json")):
            found |= dict.fromkeys((row["id"] for row in json.loads(content)["members"]), top[1] if top else None)
    return found


def _agreements(wanted: Wanted, base: Published | None) -> Iterator[tuple[str, bytes]]:
    """Give the envelopes that lack signatures: of new rows, and of old ones whose signers were replaced."""
    officers = {key.id for (_, use), keys in wanted.keys.items() if use == layout.OFFICER for key in keys}
    for row in wanted.agreements:
        held = base.files.get(f"{AGREEMENTS}{row['id']}.json") if base else None
        payload = agreements.write_statement(row)
        if held is None or from_json(held).payload != payload:
            yield row["id"], to_json(_envelope(payload, ()))
            continue
        signatures = from_json(held).signatures
        kept = tuple(each for each in signatures if each.key_id in officers)
        if kept != signatures:
            yield row["id"], to_json(_envelope(payload, kept))


def _envelope(payload: bytes, signatures: Iterable[Any]) -> Envelope:
    return Envelope(payload_type=agreements.AGREEMENT_TYPE, payload=payload, signatures=tuple(signatures))


def _seated(seats: Mapping[str, Seat]) -> dict[str, tuple[frozenset[str], int]]:
    return {role: (frozenset(key.id for key in seat.keys), seat.threshold) for role, seat in seats.items()}


def _only(role: str, content: bytes) -> Draft:
    return Draft(base_version=0, base_digest="", listed=(), roles={role: content}, files={}, agreements={})
