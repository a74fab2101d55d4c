"""A signed bundle taken apart, to be changed in one place and put together again by those who hold its keys.

Whoever changes a role signs it anew, and so do snapshot and timestamp: what is refused then is refused for what it is.
It writes JSON by hand, so that it can write what our own writer cannot.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from bundles import document
from hands import files_of, hands_of, root_of
from securesystemslib.formats import encode_canonical
from worlds_tables import MEMBERS

from keys.bundle import archive, layout
from keys.bundle.metadata import Seat
from keys.suite import Signer
from nodes.federation.signing import Hands

SUB = "310118"
VERSION, ISSUED, LATER = 7, "2026-03-01T00:00:00Z", "2027-01-01T00:00:00Z"
NAME = re.compile(r"metadata/(?:[0-9]+\.)?(.+)\.json")
COMMON = {"spec_version": "1.0.31", "version": VERSION, "expires": LATER}
Edit = Callable[[dict[str, Any]], object]


def base() -> dict[str, Any]:
    """Give the document of four members and one sub-member."""
    found = document()
    shanghai = found["members"][0]
    bare: dict[str, Any] = {"keys": [], "agencies": [], "officers": []}
    found["members"].append({**shanghai, **bare, "id": SUB, "parent": shanghai["id"], "divisions": [SUB]})
    return found


def signed(content: dict[str, Any], signers: Iterable[Signer]) -> bytes:
    """Sign what metadata says, whatever that is."""
    message = str(encode_canonical(content)).encode()
    hands = [{"keyid": each.id, "sig": each.sign(message).hex()} for each in signers]
    return json.dumps({"signatures": hands, "signed": content}).encode()


def said(content: bytes) -> dict[str, Any]:
    """Read what metadata says."""
    found: dict[str, Any] = json.loads(content)["signed"]
    return found


def meta(content: bytes) -> dict[str, Any]:
    """Name metadata as a snapshot does."""
    return {
        "version": said(content)["version"],
        "length": len(content),
        "hashes": {"sha256": sha256(content).hexdigest()},
    }


@dataclass(kw_only=True)
class Draft:
    """The parts of one snapshot; `static` holds what is added to the archive or taken out (None) at the end."""

    hands: Hands
    roots: list[bytes]
    roles: dict[str, bytes]
    targets: dict[str, bytes]
    snapshot: bytes = b""
    timestamp: bytes = b""
    static: dict[str, bytes | None] = field(default_factory=dict)

    def seat(self, role: str) -> Seat:
        """Give who signs a role."""
        member = layout.member_of(role)
        return self.hands.seats()[role] if member is None else self.hands.seat("officer", member)

    def signers(self, seat: Seat) -> list[Signer]:
        """Give as many signers of a seat as must sign."""
        by_id = {each.id: each for uses in self.hands.signers.values() for keys in uses.values() for each in keys}
        return [by_id[key.id] for key in seat.keys[: seat.threshold]]

    def sign(self, role: str, edit: Edit, *, seat: Seat | None = None) -> None:
        """Change what a role says and have it signed again."""
        content = said(self.roles[role])
        edit(content)
        self.roles[role] = signed(content, self.signers(seat or self.seat(role)))

    def put(self, role: str, path: str, content: bytes | object) -> None:
        """Let a role sign a file, new or changed."""
        text = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode()
        digest = sha256(text).hexdigest()
        old = said(self.roles[role])["targets"].get(path)
        if old is not None:
            del self.targets[layout.target_name(path, old["hashes"]["sha256"])]
        self.sign(role, lambda it: it["targets"].update({path: {"length": len(text), "hashes": {"sha256": digest}}}))
        self.targets[layout.target_name(path, digest)] = text

    def finish(self) -> None:
        """Sign snapshot and timestamp, which then stay."""
        named = {f"{role}.json": meta(content) for role, content in self.roles.items()}
        snapshot = {"_type": "snapshot", "meta": named, **COMMON}
        self.snapshot = signed(snapshot, self.signers(self.seat("snapshot")))
        self.stamp()

    def stamp(self, **changes: object) -> None:
        """Sign a timestamp of the snapshot as it is, changed; None takes a member out."""
        content = {"_type": "timestamp", "meta": {"snapshot.json": meta(self.snapshot)}, "issued": ISSUED, **COMMON}
        kept = {name: each for name, each in {**content, **changes}.items() if each is not None}
        self.timestamp = signed(kept, self.signers(self.seat("timestamp")))

    def archive(self) -> bytes:
        """Pack the parts; snapshot and timestamp are signed first, unless they were."""
        if not self.timestamp:
            self.finish()
        named: dict[str, bytes | None] = {
            f"metadata/{number}.root.json": each for number, each in enumerate(self.roots, 1)
        }
        named |= {f"metadata/{said(each)['version']}.{role}.json": each for role, each in self.roles.items()}
        named |= {f"metadata/{VERSION}.snapshot.json": self.snapshot, "metadata/timestamp.json": self.timestamp}
        named |= self.targets
        return archive.pack({name: each for name, each in {**named, **self.static}.items() if each is not None})


def draft(edit: Edit = lambda _: None) -> Draft:
    """Take a bundle of the changed document apart."""
    found = base()
    edit(found)
    static = files_of(found, tops=MEMBERS)
    metadata = {match[1]: each for name, each in static.items() if (match := NAME.fullmatch(name))}
    return Draft(
        hands=hands_of(tuple(row["id"] for row in found["members"]), MEMBERS),
        roots=[root_of(MEMBERS)],
        roles={name: each for name, each in metadata.items() if name not in ("root", "snapshot", "timestamp")},
        targets={name: each for name, each in static.items() if name.startswith("targets/")},
    )
