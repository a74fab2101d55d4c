"""A signed bundle taken apart, to be changed in one place and put together again by those who hold its keys.

Whoever changes a role signs it anew, and so do snapshot and timestamp: what is refused then is refused for what it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bundles import MEMBERS, document
from hands import files_of, hands_of, root_of

from keys.bundle import archive, layout, writing
from keys.bundle.metadata import Seat
from nodes.federation.signing import Hands

SUB = "310118"
NAME = re.compile(r"metadata/(?:[0-9]+\.)?(.+)\.json")


def base() -> dict[str, Any]:
    """Give the document of four members and one sub-member."""
    found = document()
    shanghai = found["members"][0]
    bare = {"keys": [], "agencies": [], "officers": []}
    found["members"].append({**shanghai, **bare, "id": SUB, "parent": shanghai["id"], "divisions": [SUB]})
    return found


@dataclass(kw_only=True)
class Draft:
    """The parts of one snapshot; `static` holds what is added to the archive or taken out (None) at the end."""

    hands: Hands
    roots: list[bytes]
    roles: dict[str, bytes]
    files: dict[str, bytes]
    snapshot: bytes
    timestamp: bytes
    static: dict[str, bytes | None]

    def seat(self, role: str) -> Seat:
        """Give who signs a role."""
        member = layout.member_of(role)
        return self.hands.seats()[role] if member is None else self.hands.seat("officer", member)

    def sign(self, role: str, edit: Callable[[dict[str, Any]], object], *, seat: Seat | None = None) -> None:
        """Change what a role says and have it signed again."""
        found = json.loads(self.roles[role])
        edit(found["signed"])
        found["signatures"] = []
        self.roles[role] = self.hands.sign(json.dumps(found).encode(), seat or self.seat(role))

    def put(self, role: str, path: str, content: bytes | object) -> None:
        """Let a role sign a file, new or changed."""
        text = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode()
        named = json.loads(writing.write_targets(role, version=1, expires=LATER, files={path: text}, delegations={}))
        self.files[path] = text
        self.sign(role, lambda signed: signed["targets"].update(named["signed"]["targets"]))

    def read(self, path: str) -> Any:  # noqa: ANN401 - any JSON
        """Read a file of the bundle."""
        return json.loads(self.files[path])

    def archive(self) -> bytes:
        """Sign snapshot and timestamp over the parts as they are now, and pack."""
        snapshot = json.loads(self.snapshot)["signed"]
        expires = datetime.fromisoformat(snapshot["expires"])
        signed = writing.write_snapshot(version=snapshot["version"], expires=expires, roles=self.roles)
        self.snapshot = self.hands.sign(signed, self.seat("snapshot"))
        timestamp = writing.write_timestamp(version=7, expires=LATER, issued=expires, snapshot=self.snapshot)
        self.timestamp = self.hands.sign(timestamp, self.seat("timestamp"))
        return self.packed()

    def packed(self) -> bytes:
        """Pack the parts as they are."""
        named: dict[str, bytes | None] = dict(
            writing.lay_out(
                roots=self.roots, timestamp=self.timestamp, snapshot=self.snapshot, roles=self.roles, files=self.files
            )
        )
        return archive.pack({name: each for name, each in {**named, **self.static}.items() if each is not None})


LATER = datetime.fromisoformat("2027-01-01T00:00:00+00:00")


def draft(edit: Callable[[dict[str, Any]], object] = lambda _: None) -> Draft:
    """Take a bundle of the changed document apart."""
    found = base()
    edit(found)
    members = tuple(row["id"] for row in found["members"])
    static = files_of(found, tops=MEMBERS)
    named = {NAME.fullmatch(name): each for name, each in static.items()}
    metadata = {match[1]: each for match, each in named.items() if match}
    roles = {name: each for name, each in metadata.items() if name not in ("root", "snapshot", "timestamp")}
    by_digest = {name.rpartition("/")[2].partition(".")[0]: each for name, each in static.items()}
    targets = {
        path: by_digest[said["hashes"]["sha256"]]
        for content in roles.values()
        for path, said in json.loads(content)["signed"]["targets"].items()
    }
    return Draft(
        hands=hands_of(members, MEMBERS),
        roots=[root_of(MEMBERS)],
        roles=roles,
        files=targets,
        snapshot=metadata["snapshot"],
        timestamp=metadata["timestamp"],
        static={},
    )
