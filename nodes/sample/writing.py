"""Writes a member's sample: seeded, streaming, shaped like the statistics of the four regions, with their dirt.

A subject's code follows from its member and number alone, so that one member can have records of another's
subjects without having made them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import Random

from nodes.federation.folder import REFERENCE
from nodes.sample.dirt import Dirt
from nodes.sample.files import PART_ROWS, Files, fresh_folder
from nodes.sample.making import Maker
from nodes.sample.places import World, world
from nodes.sample.records import Desk
from nodes.sample.scenarios import write_scenarios
from nodes.sample.subjects import TRADER, Population, is_quiet

_TELL_EVERY = 2_000
_VISITORS = 120
"""One subject in so many of each other member has records here: 2.5 per cent of a member's over three others."""

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What was written: rows by feed, and by feed and sort how many of them are dirty."""

    rows: Mapping[str, int]
    dirt: Mapping[str, Mapping[str, int]]


def write_sample(
    folder: Path,
    member: str,
    *,
    subjects: int,
    seed: int,
    today: date,
    federation_folder: Path = REFERENCE,
    dirt: float = 1.0,
    mixed: bool = False,
    part_rows: int = PART_ROWS,
    progress: Progress = lambda _subjects: None,
) -> Sample:
    """Write the files of a member's feeds into a folder that does not exist or is empty, all of them or none.

    The same arguments write the same bytes. The scenarios' subjects come on top of `subjects`, and are never dirty.
    `dirt` scales the rates of dirty rows, 0 leaves all clean; `mixed` delivers some feeds in other encodings and
    forms; a feed with more than `part_rows` rows is written in parts. `progress` is told the subjects made so far.

    Raises:
        CatalogueMalformed: for a fault in the federation's folder, or a member that it does not know.
        FileExistsError: when the folder holds something.
        ValueError: for a factor of dirt below 0 or above 5.
    """
    found = world(federation_folder, member)
    draws = f"{seed}/{member}/{subjects}"
    with fresh_folder(folder) as partial:
        with Files(partial, tuple(found.feeds.values()), mixed=mixed, part_rows=part_rows) as files:
            clean = Desk(world=found, files=files)
            write_scenarios(clean, member, today)
            soiling = Dirt(files, found, _chance(f"{draws}/dirt"), today=today, scale=dirt)
            desk = Desk(world=found, files=soiling, serial=clean.serial)
            _write_all(Maker(desk, _population(found, member), _chance(draws), today), subjects, progress)
        counted = {feed: {sort.value: many for sort, many in each.items()} for feed, each in soiling.counts.items()}
        return Sample(rows=files.counts, dirt=counted)


def _write_all(maker: Maker, subjects: int, progress: Progress) -> None:
    for number in range(subjects):
        maker.home(number)
        if not number % _TELL_EVERY:
            progress(number)
    for other, number in _visitors(maker, subjects):
        subject, _ = _population(maker.desk.world, other).subject(number)
        if subject.kind != TRADER and not is_quiet(subject, number):
            maker.penalties(subject)
    _remember(maker, subjects)
    progress(subjects)


def _visitors(maker: Maker, subjects: int) -> Iterator[tuple[str, int]]:
    for other in maker.desk.world.members:
        if other != maker.member:
            for _ in range(subjects // _VISITORS):
                yield other, maker.chance.randrange(subjects)


def _remember(maker: Maker, subjects: int) -> None:
    """Write the entries of those who moved from here to another member."""
    found = maker.desk.world
    for other in found.members:
        if other != maker.member:
            people = _population(found, other)
            for number in people.left_for(maker.member, subjects):
                maker.moved_out(people.subject(number)[0], found.counties[maker.member][0])


def _population(found: World, member: str) -> Population:
    return Population(found.counties, member)


def _chance(draws: str) -> Random:
    return Random(draws)  # noqa: S311 - a sample must be repeatable, not secret
