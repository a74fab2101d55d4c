"""What a publisher remembers beside its key: what it signed, and what it saw published; it goes behind neither.

A mirror, a copied folder or an attacker may show it an older bundle; only this memory tells.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from keys.bundle import layout
from keys.bundle.sheets import Sheet, read_sheet
from nodes.trust import published as files_of
from nodes.trust.draft import Draft
from nodes.trust.errors import Ground, TrustRefused
from nodes.trust.published import Published


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A version of a role, and the SHA-256 of what its signatures are over."""

    version: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a publisher signed last (`versions`, and `digests` at them), and the roles `published` that it saw last."""

    versions: Mapping[str, int] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    published: Mapping[str, Mark] = field(default_factory=dict)

    def with_signed(self, sheet: Sheet) -> Seen:
        """Let what is to be signed follow what was signed: a higher version, or the very same bytes.

        Raises:
            TrustRefused: NOT_SEEN otherwise.
        """
        mark, last = _mark(sheet), self.versions.get(sheet.role, 0)
        if mark.version < last or (mark.version == last and self.digests.get(sheet.role) != mark.digest):
            raise TrustRefused(Ground.NOT_SEEN, role=sheet.role)
        return replace(
            self,
            versions={**self.versions, sheet.role: mark.version},
            digests={**self.digests, sheet.role: mark.digest},
        )

    def with_published(self, base: Published | None) -> Seen:
        """Let what is published follow what was seen: no role older, none other of the same version.

        Raises:
            TrustRefused: NOT_SEEN otherwise.
        """
        found = {} if base is None else {role: _mark(base.sheet(role)) for role in (layout.ROOT, *base.roles)}
        if self.published and not found:
            raise TrustRefused(Ground.NOT_SEEN, role=layout.SNAPSHOT)
        for role, mark in found.items():
            last = self.published.get(role)
            if last and (mark.version < last.version or (mark.version == last.version and mark != last)):
                raise TrustRefused(Ground.NOT_SEEN, role=role)
        return replace(self, published=found)

    def check_open(self, draft: Draft, base: Published | None) -> None:
        """Check that the last timestamp that was signed is published by now, or is this draft's.

        Another publisher may have published it meanwhile: whoever would go on from before it is shown an old folder.

        Raises:
            TrustRefused: NOT_SEEN otherwise.
        """
        last, role = self.versions.get(layout.TIMESTAMP, 0), layout.TIMESTAMP
        if (base.sheet(role).version if base else 0) >= last:
            return
        content = draft.stage.get(role)
        if content is None or _mark(read_sheet(content, role)) != Mark(version=last, digest=self.digests.get(role, "")):
            raise TrustRefused(Ground.NOT_SEEN, role=role)


def read_seen(path: Path) -> Seen:
    """Read what a publisher remembers; nothing when it never signed.

    Raises:
        TrustRefused: UNREADABLE: a publisher that forgot must not sign on.
    """
    try:
        row = json.loads(path.read_bytes())
        return Seen(
            versions=dict(row["versions"]),
            digests=dict(row["digests"]),
            published={role: Mark(**mark) for role, mark in row["published"].items()},
        )
    except FileNotFoundError:
        return Seen()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TrustRefused(Ground.UNREADABLE, file=path.name, why=type(error).__name__) from error


def write_seen(seen: Seen, path: Path) -> None:
    """Keep what a publisher remembers, beside its key."""
    files_of.replace(path, json.dumps(asdict(seen), indent=1).encode())


def _mark(sheet: Sheet) -> Mark:
    return Mark(version=sheet.version, digest=hashlib.sha256(sheet.message).hexdigest())
