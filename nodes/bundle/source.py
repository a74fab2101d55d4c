"""Where a member's bundle comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gateway.kinds import KINDS
from gateway.kinds.row import Kind
from nodes.bundle.root import read_root
from nodes.clock import open_clock
from nodes.config import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a member's bundle comes from: the mirrors' URLs, each with a slash at its end, and the node's root."""

    me: str
    data: Path
    mirrors: tuple[str, ...]
    root: bytes
    kinds: Mapping[str, Kind]
    clock: Callable[[], datetime]
    poll_seconds: float = 60.0

    @classmethod
    def of(cls, config: Config) -> Source:
        """Read what a configuration says of it.

        Raises:
            OSError, KeysError: when the root cannot be read, or is none.
        """
        return cls(
            me=config.member,
            data=config.data,
            mirrors=config.mirrors,
            root=read_root(config.root),
            kinds=KINDS,
            clock=open_clock(config.clock).now,
            poll_seconds=config.poll_seconds,
        )
