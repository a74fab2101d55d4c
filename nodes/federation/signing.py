"""Signs a whole bundle with the role keys of all members in one hand: for labs, benches and tests only.

Real members never lend each other their keys; their officers' tool signs one role at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from keys import suite
from keys.bundle import agreements, layout, sections, writing
from keys.bundle.metadata import Seat
from keys.envelope import to_json
from keys.suite import Signer

PUBLISHERS = 2
_COUNT = {"officer": 2}
"""Keys of a use that a member has, where that is not one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lives:
    """How long each role counts from the time of issue (protocol.md section 9)."""

    root: timedelta = timedelta(days=365)
    targets: timedelta = timedelta(days=90)
    member: timedelta = timedelta(days=30)
    snapshot: timedelta = timedelta(days=7)
    timestamp: timedelta = timedelta(days=1)
    members: Mapping[str, timedelta] = field(default_factory=dict)
    """Members whose role counts for another time than `member`."""

    @classmethod
    def of(cls, life: timedelta) -> Lives:
        """Let what all share count for one time, and each member's own role longer: nobody lapses alone."""
        return cls(root=life, targets=life, member=2 * life, snapshot=life, timestamp=life)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """The role keys of a federation, by member and use; `tops` are the members with seats in its quorum."""

    signers: Mapping[str, Mapping[str, tuple[Signer, ...]]]
    tops: tuple[str, ...]

    def seat(self, use: str, *members: str, threshold: int = 0) -> Seat:
        """Seat the keys of a use of these members; a majority of them must sign unless told otherwise."""
        keys = tuple(each.public_key() for member in members for each in self.signers[member][use])
        return Seat(keys=keys, threshold=threshold or len(keys) // 2 + 1)

    def seats(self) -> dict[str, Seat]:
        """Seat the quorum and the publishers."""
        quorum = {
            each: self.seat(layout.use_of(each), *self.tops) for each in (layout.ROOT, layout.TARGETS, layout.MAPPINGS)
        }
        publishing = self.seat("publisher", *self.tops, threshold=PUBLISHERS)
        return quorum | dict.fromkeys((layout.SNAPSHOT, layout.TIMESTAMP, layout.AGREEMENTS), publishing)

    def sign(self, content: bytes, seat: Seat) -> bytes:
        """Sign with as many keys of a seat as must sign."""
        wanted = {key.id for key in seat.keys[: seat.threshold]}
        found = [each for uses in self.signers.values() for keys in uses.values() for each in keys if each.id in wanted]
        return writing.add_signature(content, *found)


def hands(
    members: Iterable[str], tops: Iterable[str], seed: Callable[[str], bytes] = lambda _: suite.generate_seed()
) -> Hands:
    """Make the role keys of members; `seed` gives one for a label."""
    return Hands(
        tops=tuple(tops),
        signers={
            member: {
                use: tuple(
                    suite.signer(seed(f"{member}/{use}/{number}"), owner=f"{member}/{use}")
                    for number in range(_COUNT.get(use, 1))
                )
                for use in sorted(layout.USES)
            }
            for member in members
        },
    )


def sign_root(found: Hands, *, issued: datetime, lives: Lives) -> bytes:
    """Write and sign the first root of a federation."""
    seated = found.seats()
    named = {role: seated[role] for role in (layout.ROOT, layout.TARGETS, layout.SNAPSHOT, layout.TIMESTAMP)}
    return found.sign(writing.write_root(version=1, expires=issued + lives.root, seats=named), seated[layout.ROOT])


def sign_bundle(
    document: Mapping[str, Any], found: Hands, *, root: bytes, version: int, issued: datetime, lives: Lives
) -> dict[str, bytes]:
    """Sign a directory's document as a snapshot of this version; give its static files by name.

    Raises:
        BundleMalformed: for a section without a place in the layout.
    """
    return _Signing(document, found, root, version, issued, lives).files()


class _Signing:
    """One snapshot in the making."""

    def __init__(
        self, document: Mapping[str, Any], found: Hands, root: bytes, version: int, issued: datetime, lives: Lives
    ) -> None:
        self._document, self._hands, self._root, self._version, self._lives = document, found, root, version, lives
        self._issued = issued
        self._parents = {
            row["id"]: row.get("parent")
            for row in document["members"]
            if isinstance(row, Mapping) and row.get("id") in found.signers
        }
        self._tops = [each for each, parent in self._parents.items() if parent not in self._parents]
        self._seats = found.seats() | {layout.member_role(each): found.seat("officer", each) for each in self._parents}
        self._files = sections.split(document) | self._statements()
        self._roles: dict[str, bytes] = {}

    def files(self) -> dict[str, bytes]:
        """Sign every role, those below first."""
        below = {
            layout.MAPPINGS: (),
            layout.AGREEMENTS: (),
            **{layout.member_role(top): self._subs(top) for top in self._tops},
        }
        for role, subs in below.items():
            for sub in subs:
                self._sign(sub, role, ())
            self._sign(role, layout.TARGETS, subs)
        self._sign(layout.TARGETS, layout.ROOT, tuple(below))
        until = {name: self._issued + getattr(self._lives, name) for name in (layout.SNAPSHOT, layout.TIMESTAMP)}
        snapshot = writing.write_snapshot(version=self._version, expires=until[layout.SNAPSHOT], roles=self._roles)
        snapshot = self._hands.sign(snapshot, self._seats[layout.SNAPSHOT])
        timestamp = writing.write_timestamp(
            version=self._version, expires=until[layout.TIMESTAMP], issued=self._issued, snapshot=snapshot
        )
        timestamp = self._hands.sign(timestamp, self._seats[layout.TIMESTAMP])
        return writing.lay_out(
            roots=[self._root], timestamp=timestamp, snapshot=snapshot, roles=self._roles, files=self._files
        )

    def _subs(self, top: str) -> tuple[str, ...]:
        return tuple(layout.member_role(each) for each, parent in self._parents.items() if parent == top)

    def _sign(self, role: str, delegator: str, below: tuple[str, ...]) -> None:
        own = layout.folder(role, delegator)
        inner = [layout.folder(each, role) for each in below]
        files = {
            path: content
            for path, content in self._files.items()
            if path.startswith(own) and not any(path.startswith(each) for each in inner)
        }
        content = writing.write_targets(
            role,
            version=self._version,
            expires=self._issued + self._life(role),
            files=files,
            delegations={each: self._seats[each] for each in below},
        )
        self._roles[role] = self._hands.sign(content, self._seats[role])

    def _life(self, role: str) -> timedelta:
        member = layout.member_of(role)
        return self._lives.targets if member is None else self._lives.members.get(member, self._lives.member)

    def _statements(self) -> dict[str, bytes]:
        return {f"agreements/{row['id']}.json": self._statement(row) for row in self._document.get("agreements", ())}

    def _statement(self, row: Mapping[str, Any]) -> bytes:
        officers = [each for party in row["parties"] for each in self._hands.signers[party]["officer"]]
        return to_json(agreements.sign_agreement(row, *officers))
