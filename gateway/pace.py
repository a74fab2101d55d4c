"""How often a peer may come: one peer's flood is not another's (threats 6 and 16)."""

from __future__ import annotations

from collections.abc import Callable

from gateway.errors import Refused
from gateway.model.codes import RefusalReason


class Pace:
    """A bucket of tokens for each peer, which a second fills; of one process."""

    def __init__(self, ticks: Callable[[], float]) -> None:
        """Start with every bucket full; `ticks` are seconds that never go back."""
        self._ticks = ticks
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, peer: str, per_second: int) -> None:
        """Take a token of the peer's; peers are members of the directory, so that there are few of them.

        Raises:
            Refused: OVERLOADED when none is left.
        """
        most, now = float(per_second), self._ticks()
        left, then = self._left.get(peer, (most, now))
        left = min(most, left + (now - then) * most)
        enough = left >= 1
        self._left[peer] = (left - enough, now)
        if not enough:
            raise Refused(RefusalReason.OVERLOADED)
