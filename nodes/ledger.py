"""Verifies the member's own ledger: heads against keys, entries against tiles and heads, parts against entries."""

import base64
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from gateway.ledger import damage, entries, tiles
from gateway.ledger.alignment import FINDINGS, Damage, Injury
from gateway.ledger.checkpoint import Head, read_head
from gateway.ledger.dating import Open
from gateway.ledger.errors import LedgerError, TileDamaged
from gateway.ledger.note import read_note
from nodes.store.ledger_reading import Held, LedgerFile, Log

HEAD, OPENING, UNSIGNED = "HEAD", "OPENING", "UNSIGNED"
"""Beside the pure core's kinds of damage: a head that is missing, not signed by the member or older than one
that others hold, a part that does not open its entry, and entries beyond the head."""

PROOF = "c2sp.org/tlog-proof@v1"
_STEP = 4_096
_WITNESSED = 64

Progress = Callable[[int], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is wrong with a log, and with which of its entries, first and last included; none for its head."""

    log: int
    damage: str
    first: int | None = None
    last: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """A log's name and size as its head says it, and what is wrong."""

    log: int
    origin: str
    size: int
    findings: tuple[Finding, ...]


@dataclass(slots=True)
class _Parts:
    """Checks while the entries pass that each opens; remembers some that do not."""

    first: int
    progress: Progress
    seen: int = 0
    bad: list[int] = field(default_factory=list)

    def data(self, held: Iterable[Held]) -> Iterator[bytes]:
        """Give each entry's data."""
        for each in held:
            made = entries.entry(each.shared, each.private).data
            if made != each.data and len(self.bad) < FINDINGS:
                self.bad.append(each.seq - self.first)
            self.seen += 1
            if self.seen % _STEP == 0:
                self.progress(self.seen)
            yield each.data


def verify(path: Path, opened: Open, progress: Progress = lambda _: None) -> tuple[Examined, ...]:
    """Walk through every log of a database once, in bounded memory; `opened` opens heads that count.

    Raises:
        StoreUnusable: as `Store.open`.
    """
    with LedgerFile.open(path) as file:
        found = file.logs()
        lost = file.lost()
        last = (lost or found)[-1:]
        return tuple(_examine(file, log, opened, progress, last=log in last) for log in (*found, *lost))


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A proof as C2SP tlog-proof writes it, and whether enough members cosigned the head that it ends with."""

    text: str
    witnessed: bool


def prove(path: Path, number: int) -> Proof:
    """Prove that an entry of the last log stands in it; `extra` is its data.

    The head is the newest that enough members cosigned, or the log's own where none of those covers the entry.

    Raises:
        StoreUnusable: as `Store.open`.
        LedgerError: when there is no such entry, no head, or the tiles are damaged.
    """
    with LedgerFile.open(path) as file:
        log = next(iter(file.logs()[-1:]), None)
        if log is None or log.size is None or log.checkpoint is None:
            raise LedgerError("there is no ledger yet, or it has lost its head; run yrdx ledger verify")
        if not 0 <= number < log.size:
            raise LedgerError(f"{log.origin} has no entry {number}: its entries are 0 to {log.size - 1}")
        held = next(file.entries(log, number, number), None)
        seen = _covering(file, log, number)
        size, payload = seen or (log.size, log.checkpoint)
        hashes = tiles.inclusion(number, size, file.tiles(log))
    if held is None:
        raise LedgerError(f"entry {number} is missing; run yrdx ledger verify")
    lines = (PROOF, f"extra {_text(held.data)}", f"index {number}", *map(_text, hashes), "")
    return Proof(text="\n".join(lines) + "\n" + payload.decode(), witnessed=seen is not None)


def _covering(file: LedgerFile, log: Log, number: int) -> tuple[int, bytes] | None:
    """Give the newest cosigned head, with its size, where it covers an entry."""
    found = file.cosigned(log)
    if found is None:
        return None
    size = read_head(read_note(found).text).size
    return (size, found) if size > number else None


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def _examine(file: LedgerFile, log: Log, opened: Open, progress: Progress, *, last: bool) -> Examined:
    own, found = _head(file, log, opened)
    others = _witnessed(file, log, opened, last=last)
    head = own or next(iter(others[-1:]), None)
    size = head.size if head else 0
    if head is not None:
        inside = [each for each in others if each.size <= size]
        found += _walk(file, log, sorted([*inside, head], key=_size), progress)
    found += _ending(file, log, head, max([*map(_size, others), _named(file, log) if last else 0]))
    found = list(dict.fromkeys(found))
    return Examined(log=log.number, origin=log.origin, size=size or log.size or 0, findings=tuple(found))


def _walk(file: LedgerFile, log: Log, heads: Sequence[Head], progress: Progress) -> list[Finding]:
    """Lay the entries beside tiles, heads and the parts that open them."""
    parts, found, injuries = _Parts(log.first, progress), list[Finding](), tuple[Injury, ...]()
    try:
        held = file.entries(log, 0, heads[-1].size - 1)
        injuries = damage.examine(parts.data(held), heads, file.tiles(log))
    except TileDamaged:
        found.append(Finding(log=log.number, damage=Damage.TILE.value))
    found += [Finding(log=log.number, damage=each.damage.value, first=each.first, last=each.last) for each in injuries]
    known = [each for each in injuries if each.damage in {Damage.EDITED, Damage.REORDERED, Damage.DELETED}]
    found += [
        Finding(log=log.number, damage=OPENING, first=at, last=at)
        for at in parts.bad
        if not any(each.first <= at <= each.last for each in known)
    ]
    progress(parts.seen)
    return found


def _ending(file: LedgerFile, log: Log, head: Head | None, known: int) -> list[Finding]:
    """Compare where the log ends with its head, and with how many entries it is known to have had."""
    size, found = head.size if head else 0, list[Finding]()
    ends = size + file.beyond(log, size)
    if ends > size and known > size:
        found.append(Finding(log=log.number, damage=HEAD))
    if ends > size and head is not None:
        found.append(Finding(log=log.number, damage=UNSIGNED, first=size, last=ends - 1))
    if known > ends:
        found.append(Finding(log=log.number, damage=Damage.TRUNCATED.value, first=ends, last=known - 1))
    return found


def _witnessed(file: LedgerFile, log: Log, opened: Open, *, last: bool) -> list[Head]:
    """Open what others hold of a log, smallest first; what they saw of one that another follows was stated as a gap."""
    found = list[Head]()
    for payload in (*file.witnessed(log, _WITNESSED), *(file.seen(log) if last else ())):
        with suppress(LedgerError):  # one by a key that is suspect now says nothing
            found.append(opened(payload).head)
    return sorted((each for each in found if each.origin == log.origin), key=_size)


def _named(file: LedgerFile, log: Log) -> int:
    return file.named() - log.first + 1


def _size(head: Head) -> int:
    return head.size


def _cosigned(file: LedgerFile, log: Log) -> bytes:
    """Give the log's own head as others cosigned it, or nothing: where its key fell under suspicion since, they say."""
    found = file.cosigned(log)
    with suppress(LedgerError):
        if found is not None and log.checkpoint is not None and read_note(found).text == read_note(log.checkpoint).text:
            return found
    return b""


def _head(file: LedgerFile, log: Log, opened: Open) -> tuple[Head | None, list[Finding]]:
    """Open the log's head; where that fails, take what the tiles lead to, so that what else was done is seen."""
    wrong = [Finding(log=log.number, damage=HEAD)]
    if log.size is None or log.checkpoint is None:
        return None, wrong
    for payload in (log.checkpoint, _cosigned(file, log)):
        with suppress(LedgerError):
            head = opened(payload).head
            if (head.origin, head.size) == (log.origin, log.size):
                return head, []
    try:
        root = tiles.root_at(log.size, file.tiles(log))
    except TileDamaged:
        return None, wrong
    return Head(origin=log.origin, size=log.size, root=root), wrong
