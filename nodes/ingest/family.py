"""What a family of files is: its columns, its key, and how a row becomes the columns that are kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.catalogue import Behaviour, Catalogue
from gateway.charter import Charter
from gateway.clocks import civil_day
from gateway.ports import Feed
from keys.directory import Agency, Directory
from nodes.ingest.cells import Cells, NotOursError, OutOfScopeError, RowUnplacedError, folded
from nodes.ingest.files import Columns
from nodes.ingest.report import Reason

Kept = dict[str, Any]
"""The columns of a fact table that a row fills."""

DELETED = "deleted"
"""Column of every family: the row withdraws the record of its key."""

_OF_PERSONS = ("XDR_ZJLX", "XDR_ZJHM", "FRDB", "FR_ZJLX", "FR_ZJHM", "FR_SFZH")
PERSONAL = frozenset(
    {"person_name", "person_id_number", "legal_representative", "phone", "contact", "handler", "evaluator"}
    | {f"{prefix}_{name}" for prefix in ("CF", "XK") for name in _OF_PERSONS}
)
"""Columns that speak of a person: nothing of them is kept, not even in the digest of the row (duty U11)."""

_PERSONS = frozenset({"NATURAL_PERSON", "自然人"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a row is read against: the feed, the member, the day, and the tables of policy."""

    feed: Feed
    member: str
    today: str
    secret: bytes
    catalogue: Catalogue
    directory: Directory
    agencies: Mapping[str, Agency]
    """By id and by the code that stands in decisions."""

    behaviours: Mapping[str, Behaviour]
    """Of the feed's domain, by code and by Chinese name."""

    def agency(self, cells: Cells, column: str) -> str:
        """Give the id of the deciding agency.

        Raises:
            NotOursError: when it is another member's; a sub-member's is not its parent's.
            RowUnplacedError: when nobody lists it, so that nobody would answer for the row.
        """
        text = cells.text(column)
        if not text:
            raise RowUnplacedError(column, Reason.NO_AGENCY)
        found = self.agencies.get(text)
        if found is None:
            raise RowUnplacedError(column, Reason.UNKNOWN_AGENCY)
        if found.member != self.member:
            raise NotOursError
        return found.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A family of files."""

    record_class: str
    table: str
    columns: Columns
    code: str
    """Column of the subject's code."""

    key: Callable[[Cells], tuple[str, ...]]
    """The source's own key of a row; empty when the row has none."""

    subject: Callable[[Cells], str]
    """The subject's code as it stands; raises OutOfScopeError when it is a natural person, for whom nobody answers."""

    read: Callable[[Cells, Scene], Kept]
    """The columns that are kept; raises and leaves gaps as `cells` does."""

    silence: Mapping[str, None] | None
    """What is put in place of a row's columns so that a row with gaps says nothing; None: it is not kept."""


def scene_of(charter: Charter, feed: Feed, *, secret: bytes, now: datetime) -> Scene:
    """Gather what the rows of a feed's file are read against."""
    directory, catalogue = charter.directory, charter.catalogue
    agencies = {agency.id: agency for member in directory.members for agency in member.agencies}
    for text, (row, *_) in catalogue.deciding.items():
        if row.agency in agencies:
            agencies[text] = agencies[row.agency]
    own = [each for each in catalogue.behaviours.values() if each.domain == feed.domain]
    named = {folded(each.name["zh"]): each for each in own if "zh" in each.name}
    return Scene(
        feed=feed,
        member=charter.me,
        today=civil_day(now).isoformat(),
        secret=secret,
        catalogue=catalogue,
        directory=directory,
        agencies=agencies,
        behaviours=named | {each.code: each for each in own},
    )


def by_record_key(cells: Cells) -> tuple[str, ...]:
    """Give the key of our own families: one column that says it all."""
    found = cells.text("record_key")
    return (found,) if found else ()


def own_columns(needed: str, kept: str, dropped: str) -> Columns:
    """Give the columns of one of our own families, blank-separated."""
    wanted = frozenset(needed.split())
    return Columns(needed=wanted, known=wanted.union(kept.split(), dropped.split(), [DELETED]))


def by_uscc(cells: Cells) -> str:
    """Give the subject of our own families.

    Raises:
        OutOfScopeError: when `subject_kind` names a natural person.
    """
    if cells.text("subject_kind") in _PERSONS:
        raise OutOfScopeError
    return cells.raw("uscc")
