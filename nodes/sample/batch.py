"""A list of enterprises as an officer checks it, with the verdict that each must get from the sample's members."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count, cycle, repeat
from pathlib import Path
from typing import NamedTuple

from nodes.federation.folder import REFERENCE, read_folder
from nodes.sample.places import counties
from nodes.sample.scenarios import OBJECTED
from nodes.sample.subjects import ENTERPRISE, MOVED_EVERY, TRADER, Population, Subject, is_listed, is_quiet

Wanted = Callable[[Subject, int], bool]

_EVERY = 25
_SPECIAL = {
    2: "RESTRICTED", 6: "INVALID_CODE", 10: "SUBJECT_UNCONFIRMED", 14: "KIND_CLOSED", 18: "NAME_MISMATCH",
    22: "DISPUTED",
}  # fmt: skip
"""Which rows of each 25 are something else than NOTHING_FOUND."""


class BatchRow(NamedTuple):
    """A row of a list, and the verdict that a question about all domains must come to."""

    code: str
    name: str
    verdict: str


def batch_rows(
    rows: int, *, subjects: int, federation_folder: Path = REFERENCE, members: Iterable[str] | None = None
) -> Iterator[BatchRow]:
    """Give so many rows about samples of so many subjects a member; the same ones every time, whatever the seed.

    Enterprises repeat only when the samples have too few. KIND_CLOSED is that of purposes which do not open sole
    traders; NAME_MISMATCH needs the names to be sent. `members` are those that will be asked, all when not told.

    Raises:
        ValueError: when the samples have no enterprise of a sort.
    """
    found = read_folder(federation_folder)
    places = counties(found)
    people = [Population(places, each) for each in places if members is None or each in set(members)]
    quiet = _endless(people, subjects, is_quiet)
    given: Mapping[str, Iterator[Subject]] = {
        "NOTHING_FOUND": quiet,
        "INVALID_CODE": quiet,
        "NAME_MISMATCH": quiet,
        "RESTRICTED": _endless(people, subjects, is_listed),
        "KIND_CLOSED": _endless(people, subjects, _is_trader),
        "SUBJECT_UNCONFIRMED": _numbered(people, count(subjects), _is_enterprise),
        "DISPUTED": repeat(OBJECTED.subject),
    }
    for row in range(rows):
        verdict = _SPECIAL.get(row % _EVERY, "NOTHING_FOUND")
        subject = next(given[verdict])
        code = subject.uscc[:-1] if verdict == "INVALID_CODE" else subject.uscc
        yield BatchRow(code, "样例另一家有限公司" if verdict == "NAME_MISMATCH" else subject.name, verdict)


def _endless(people: Sequence[Population], subjects: int, wanted: Wanted) -> Iterator[Subject]:
    for _ in _numbered(people, range(subjects), wanted):
        return cycle(_numbered(people, range(subjects), wanted))
    raise ValueError("the samples are too small for a list with every verdict; make more subjects")


def _numbered(people: Sequence[Population], numbers: Iterable[int], wanted: Wanted) -> Iterator[Subject]:
    """Give what is wanted, a number at every member in turn; who moved between members is left out."""
    for number in numbers:
        for each in people if (number + 1) % MOVED_EVERY else ():
            subject, _ = each.subject(number)
            if wanted(subject, number):
                yield subject


def _is_trader(subject: Subject, _number: int) -> bool:
    return subject.kind == TRADER


def _is_enterprise(subject: Subject, _number: int) -> bool:
    return subject.kind == ENTERPRISE
