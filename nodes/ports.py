"""Where a node listens once it is up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The port numbers; a hub has no desk and says 0."""

    exchange: int
    desk: int
