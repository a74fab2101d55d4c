"""Gaps: what a member's ledger lost for good, as the quorum states it; a new log follows the head that was lost.

A log that nobody listed is none: whoever could open one alone could leave a history behind (threats 12, 23).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from gateway.errors import CatalogueMalformed
from gateway.ledger.checkpoint import Head

_DIGEST = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A statement: the member's log of this number follows a head of the one before, of which some entries are lost.

    `follows` is SHA-256, in hex, of the signed text of the newest head that anybody holds, `size` what it counts, and
    `kept` how many of those entries the member still has. `ground` says how they were lost, and names no subject.

    Raises:
        CatalogueMalformed: for a first log, a digest of another form, or more entries kept than there were.
    """

    member: str
    log: int
    follows: str
    size: int
    kept: int
    ground: str

    def __post_init__(self) -> None:
        """Check what a statement must say."""
        known = len(self.follows) == _DIGEST and set(self.follows) <= set("0123456789abcdef")
        if self.log <= 1 or not known or not 0 <= self.kept <= self.size or not self.ground:
            raise CatalogueMalformed(
                f"gaps {self.member}: a gap has a log from 2 on, a digest, kept <= size and a ground; correct the row"
            )


def digest_of(head: Head) -> bytes:
    """Give the digest by which a head is followed: of the text that is signed, whoever signed it."""
    return sha256(head.text.encode()).digest()


def current_log(gaps: Iterable[Gap], member: str) -> int:
    """Give the number of a member's log: the first, or the last that the quorum listed."""
    return max((each.log for each in gaps if each.member == member), default=1)


def listed(gaps: Iterable[Gap], member: str, log: int, head: Head) -> Gap | None:
    """Give the statement that a member's log follows this head, or None while nobody has signed one."""
    wanted = (member, log, digest_of(head).hex())
    return next((each for each in gaps if (each.member, each.log, each.follows) == wanted), None)
