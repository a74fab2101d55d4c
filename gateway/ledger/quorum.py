"""Whether enough members have cosigned a checkpoint for what it covers to count as WITNESSED, and since when."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import InitVar, dataclass

from gateway.ledger import cosignature, logs
from gateway.ledger.checkpoint import Checkpoint
from gateway.ledger.errors import QuorumMissing
from gateway.ledger.note import NoteKey
from keys.directory import Directory

_VERIFIED = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How many others must cosign beside the log's own signature, and who must be among them.

    A sub-member's log wants its parent and two members: three, its parent required.
    """

    count: int = 2
    required: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnessed:
    """A checkpoint with enough witnesses, and since when, in seconds since 1970. Only `witnessed` makes one.

    Raises:
        TypeError: when anybody else tries.
    """

    checkpoint: Checkpoint
    members: tuple[str, ...]
    time: int
    verified: InitVar[object]

    def __post_init__(self, verified: object) -> None:
        """Refuse to be made without a verification."""
        if verified is not _VERIFIED:
            raise TypeError("a Witnessed comes out of witnessed only; verify the note instead of making one")


def rule_of(directory: Directory, member: str) -> Rule:
    """Give the rule for a member's logs.

    Raises:
        MemberUnknown: when the member is not in the directory.
    """
    parent = directory.member(member).parent
    return Rule() if parent is None else Rule(count=3, required=frozenset({parent}))


def witnesses(directory: Directory, member: str) -> tuple[str, ...]:
    """Name the members that may witness a member's logs: every other one that is no sub-member and no hub."""
    return tuple(each.id for each in directory.members if each.id != member and each.parent is None and not each.hub)


def witnessed(
    checkpoint: Checkpoint,
    members: Iterable[str],
    find: Callable[[str], Iterable[NoteKey]],
    parties: Collection[str],
    rule: Rule,
) -> Witnessed:
    """Verify that enough members cosigned, one of them neither asker nor answerer of what is to be proven.

    `find` gives a member's witness keys. The log's own member does not count. The time is that of the last
    cosignature which the rule needs, when they are taken in the order of their times: later ones add nothing, and
    an early one alone proves nothing.

    Raises:
        NoteUnsigned: when a signature in a witness's name is not of this checkpoint.
        QuorumMissing: when the rule does not hold.
    """
    owner = logs.owner(checkpoint.head.origin)
    times = {each: _earliest(checkpoint, find(each)) for each in members if each != owner}
    seen = {member: time for member, time in times.items() if time is not None}
    counted: list[str] = []
    for member in sorted(seen, key=lambda each: (seen[each], each)):
        counted.append(member)
        if _holds(rule, counted, parties):
            return Witnessed(checkpoint=checkpoint, members=tuple(counted), time=seen[member], verified=_VERIFIED)
    raise QuorumMissing(
        f"{len(counted)} witnesses cosigned the head of size {checkpoint.head.size}; {rule.count} must, one of them no"
        " party, and whoever the rule names: wait for the next round, or ask the witnesses"
    )


def _holds(rule: Rule, counted: Collection[str], parties: Collection[str]) -> bool:
    members = set(counted)
    return len(members) >= rule.count and rule.required <= members and not members <= set(parties)


def _earliest(checkpoint: Checkpoint, keys: Iterable[NoteKey]) -> int | None:
    return min((each.time for each in cosignature.verify(checkpoint.note, keys)), default=None)
