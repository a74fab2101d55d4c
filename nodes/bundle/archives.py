"""The bundles that were in force at this node: kept as archives, and opened again under its root of trust."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from keys.directory import Directory, open_bundle
from keys.errors import KeysError


def earlier(folder: Path, root: bytes) -> Iterator[Directory]:
    """Open what a folder keeps, one by one, the last that came into force first; what does not open is passed over."""
    for path in sorted(folder.rglob("*.tar"), key=lambda each: each.stat().st_mtime_ns, reverse=True):
        with suppress(OSError, KeysError):
            yield open_bundle(path.read_bytes(), root=root)
