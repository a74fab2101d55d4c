"""What a family of files is: its columns, its key, and how a row becomes the columns that are kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from gateway.catalogue import Catalogue
from gateway.charter import Charter
from gateway.clocks import civil_day
from gateway.deciding import deciding
from gateway.ports import Feed
from gateway.writing import may_write
from keys.directory import Agency, Directory
from nodes.ingest.cells import Cells, NotOursError, OutOfScopeError, RowRejectedError, RowUnplacedError, parsed_day
from nodes.ingest.files import Columns
from nodes.ingest.report import Reason

Kept = dict[str, Any]
"""The columns of a fact table that a row fills."""

DELETED = "deleted"
"""Column of every family: the row withdraws the record of its key."""

REPORTED = "reported_on"
"""Column for the day on which the source reported the row. It tells lateness and is never kept."""

OWN_KEY = "record_key"
"""Column of a source's own number of a row; where it is filled it is the whole key, and needs no code."""

_OF_PERSONS = ("XDR_ZJLX", "XDR_ZJHM", "FRDB", "FR_ZJLX", "FR_ZJHM", "FR_SFZH")
PERSONAL = frozenset(
    {"person_name", "person_id_number", "legal_representative", "phone", "contact", "handler", "evaluator"}
    | {f"{prefix}_{name}" for prefix in ("CF", "XK") for name in _OF_PERSONS}
)
"""Columns that speak of a person: nothing of them is kept, not even in the digest of the row (duty U11)."""

_NAMED = 1 << 14
_PERSONS = frozenset({"NATURAL_PERSON", "自然人"})
KINDS = frozenset({"ENTERPRISE", "SOLE_TRADER", "FARM_COOP", "INSTITUTION", "SOCIAL_ORG", "LAW_FIRM", "AGENCY"})
"""Kinds of subjects that members answer for."""


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
    """By id."""

    decided: str = ""
    """Column of the day of decision: codes of agencies are dated."""

    named: dict[tuple[str, str], Agency | None] = field(default_factory=dict, compare=False)
    """Agencies looked up before; it saves work, no more."""

    writers: dict[str, bool] = field(default_factory=dict, compare=False)
    """Whether agencies may write the feed's class, as looked up before."""

    def agency(self, cells: Cells, column: str) -> str:
        """Give the id of the deciding agency: who bore the code on the day of decision, or acts in its place now.

        Raises:
            NotOursError: when it is another member's; a sub-member's is not its parent's.
            RowUnplacedError: when nobody lists it, so that nobody would answer for the row.
        """
        text = cells.text(column)
        if not text:
            raise RowUnplacedError(column, Reason.NO_AGENCY)
        found = self._named(text, cells.text(self.decided))
        if found is None:
            raise RowUnplacedError(column, Reason.UNKNOWN_AGENCY)
        if found.member != self.member:
            raise NotOursError
        return found.id

    def agency_of(self, cells: Cells, column: str) -> str:
        """Give the id of the agency that a row names, or nothing; for counts, also of rows that are not kept."""
        found = self._named(cells.bare(column), cells.bare(self.decided))
        return "" if found is None else found.id

    def may_write(self, agency: str) -> bool:
        """Say whether an agency may write the feed's class of record today; nobody named is the feed's agency."""
        agency = agency or self.feed.agency
        found = self.writers.get(agency)
        if found is None:
            today, rules = date.fromisoformat(self.today), self.catalogue.write_rules
            found = self.writers[agency] = may_write(rules, self.member, self.feed.record_class, agency, today)
        return found

    def _named(self, text: str, day: str) -> Agency | None:
        try:
            return self.named[text, day]
        except KeyError:
            if len(self.named) >= _NAMED:
                self.named.clear()
            found = self.named[text, day] = self._deciding(text, parsed_day(day) or self.today)
            return found

    def _deciding(self, text: str, day: str) -> Agency | None:
        rows, today = self.catalogue.deciding, date.fromisoformat(self.today)
        then = deciding(rows, text, date.fromisoformat(day)) if text in rows else text
        if then is None:
            return None
        return self.agencies.get(then) or self.agencies.get(deciding(rows, then, today) or "")


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

    agency: str = ""
    """Column of the deciding agency, where the family has one."""

    decided: str = ""
    """Column of the day of decision, where the time for reporting runs from one."""


def scene_of(charter: Charter, feed: Feed, *, secret: bytes, now: datetime, decided: str = "") -> Scene:
    """Gather what the rows of a feed's file are read against."""
    directory = charter.directory
    return Scene(
        feed=feed,
        member=charter.me,
        today=civil_day(now).isoformat(),
        secret=secret,
        catalogue=charter.catalogue,
        directory=directory,
        agencies={agency.id: agency for member in directory.members for agency in member.agencies},
        decided=decided,
    )


def read_row(family: Family, cells: Cells, scene: Scene) -> Kept:
    """Give the columns that are kept of a row, when its agency may write this class of record (A36).

    Raises:
        RowUnplacedError: when it may not: something real may be missing, until the rule or the row is corrected.
        whatever the family's reader raises.
    """
    kept = family.read(cells, scene)
    if not scene.may_write(kept.get("agency") or ""):
        raise RowUnplacedError(family.agency, Reason.MAY_NOT_WRITE)
    return kept


def by_record_key(cells: Cells) -> tuple[str, ...]:
    """Give the key of our own families: one column that says it all."""
    found = cells.text(OWN_KEY)
    return (found,) if found else ()


def own_columns(needed: str, kept: str, dropped: str, *, reads_key: bool = False) -> Columns:
    """Give the columns of one of our own families, blank-separated; some readers look at the key as well."""
    wanted = frozenset(needed.split())
    known = wanted.union(kept.split())
    read = known - {"uscc", "subject_kind"} - (frozenset() if reads_key else {"record_key"})
    return Columns(needed=wanted, known=known.union(dropped.split(), [DELETED]), kept=read)


def by_uscc(cells: Cells) -> str:
    """Give the subject of our own families.

    Raises:
        OutOfScopeError: when `subject_kind` names a natural person.
        RowRejectedError: when it names nothing that is known, which may be a person.
    """
    kind = cells.text("subject_kind")
    if kind in _PERSONS:
        raise OutOfScopeError
    if kind and kind not in KINDS:
        raise RowRejectedError("subject_kind", Reason.BAD_VALUE)
    return cells.raw("uscc")
