"""The root of trust that came with the node, or with an officer's profile."""

from __future__ import annotations

from pathlib import Path

from keys.bundle.opening import open_root


def read_root(path: Path) -> bytes:
    """Read the trusted root: the metadata of a root, in any version.

    Raises:
        OSError, KeysError: when the file is missing or no such metadata.
    """
    content = path.read_bytes()
    open_root(content)
    return content
