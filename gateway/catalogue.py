"""What may be asked: purposes, data items, application items, agreements and published measures, as dated data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from gateway.calendar import Calendar, WorkingYear, calendar_of
from gateway.classification import ClassRule, ClassTable, class_table
from gateway.clocks import ClockRule
from gateway.deciding import Deciding, DecidingAgency, deciding_of
from gateway.divisions import Division, Divisions, divisions_of
from gateway.errors import CatalogueMalformed
from gateway.gaps import Gap
from gateway.inspection import InspectionRule
from gateway.lifetimes import AlarmRule, KeyRule, Lifetimes
from gateway.limits import Limits
from gateway.model.codes import Severity
from gateway.participants import Participant
from gateway.precedence import Ranking, Standing, standing
from gateway.purposes import DataItem, Purpose
from gateway.quality import QualityGoals
from gateway.recognition import CeilingRule, MappingTable, Scheme
from gateway.references import check_references
from gateway.tables import Dated, by, read_all
from gateway.watching import WatchRule
from gateway.writing import WriteRule


class ListClass(StrEnum):
    """The record class of the files that fill a list."""

    LISTING = "listing"
    ABNORMAL = "abnormal"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationItem(Dated):
    """A published matter 应用清单事项 of one member, by yearly edition."""

    id: str
    member: str
    name: Mapping[str, str]
    purpose: str
    domains: tuple[str, ...]
    edition: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement(Dated):
    """What its parties may exchange, for which purposes, kinds and domains, within which area.

    Each text that the parties sign has a higher `edition`, from 1 on.
    """

    id: str
    edition: int
    name: Mapping[str, str]
    parties: tuple[str, ...]
    area: tuple[str, ...]
    purposes: tuple[str, ...]
    domains: tuple[str, ...]
    kinds: tuple[str, ...]
    precedence: int
    suspended: bool = False
    parent: str = ""

    def covers_area(self, division: str) -> bool:
        """Say whether a county division lies in the area (prefixes of GB/T 2260 codes)."""
        return any(division.startswith(prefix) for prefix in self.area)


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """A domain 领域."""

    code: str
    name: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListType:
    """A type of list 名单 and whether it is a severe one."""

    code: str
    name: Mapping[str, str]
    domain: str
    severe: bool
    record_class: ListClass = ListClass.LISTING


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A measure code 奖惩措施; `reward` tells the two sorts apart."""

    code: str
    name: Mapping[str, str]
    reward: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """A row of the classification table 行为清单: what kind of act it is, of which domain and severity.

    It is of the yearly `edition` that brought it.
    """

    code: str
    edition: str
    name: Mapping[str, str]
    domain: str
    severity: Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedMeasure:
    """A row of a member's published list: for which matters, and how strict (1 is strictest)."""

    code: str
    applications: tuple[str, ...]
    rank: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureList(Dated):
    """A member's published list of measures, by edition (duty U19)."""

    member: str
    edition: str
    measures: tuple[PublishedMeasure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadingRule(Dated):
    """How loads are judged: working days from decision to report 双公示, and the share that needs a second person.

    A snapshot that withdraws more than `withdrawal_percent` of its feed is held (duty U15).
    """

    reporting_days: int
    withdrawal_percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All tables of policy of one signed directory."""

    domains: Mapping[str, Domain]
    list_types: Mapping[str, ListType]
    measures: Mapping[str, Measure]
    data_items: Mapping[str, DataItem]
    purposes: Mapping[str, Purpose]
    applications: Mapping[str, ApplicationItem]
    agreements: Mapping[str, Agreement]
    measure_lists: tuple[MeasureList, ...]
    behaviours: Mapping[str, Behaviour]
    class_table: ClassTable
    classification_version: str
    clocks: tuple[ClockRule, ...]
    ceilings: tuple[CeilingRule, ...]
    schemes: tuple[Scheme, ...]
    mappings: tuple[MappingTable, ...]
    calendar: Calendar
    loading_rules: tuple[LoadingRule, ...]
    quality_goals: tuple[QualityGoals, ...]
    deciding: Deciding
    divisions: Divisions
    limits: Limits
    inspection_rules: tuple[InspectionRule, ...] = ()
    write_rules: tuple[WriteRule, ...] = ()
    participants: tuple[Participant, ...] = ()
    watch_rules: tuple[WatchRule, ...] = ()
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    gaps: tuple[Gap, ...] = ()
    grants: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Grants worked out before, by `gateway.policy`; it saves work, no more."""

    ranking: Ranking = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Rank the agreements."""
        object.__setattr__(self, "ranking", Ranking(self.agreements.values()))

    def published(self, member: str, on: date) -> MeasureList | None:
        """Give the list of measures that a member has in force on a day."""
        return next((each for each in self.measure_lists if each.member == member and each.in_force(on)), None)

    def clock(self, member: str, on: date) -> ClockRule | None:
        """Give the clock rule that a member has in force on a day."""
        return next((each for each in self.clocks if each.member == member and each.in_force(on)), None)

    def ceiling(self, on: date) -> CeilingRule | None:
        """Give the ceiling rule in force on a day."""
        return next((each for each in self.ceilings if each.in_force(on)), None)

    def loading(self, on: date) -> LoadingRule | None:
        """Give the rule of loads in force on a day."""
        return next((each for each in self.loading_rules if each.in_force(on)), None)

    def quality(self, on: date) -> QualityGoals | None:
        """Give the goals of data quality in force on a day."""
        return next((each for each in self.quality_goals if each.in_force(on)), None)

    def watch(self, on: date) -> WatchRule | None:
        """Give the rule of alarms in force on a day."""
        return next((each for each in self.watch_rules if each.in_force(on)), None)

    def agreements_for(
        self,
        *,
        purpose: str,
        kind: str,
        member: str,
        on: date,
        others: Sequence[str] = (),
        parents: Mapping[str, str | None] = MappingProxyType({}),
    ) -> Iterator[Agreement]:
        """Give the agreements that a member may ask these others under, in the order in which they are tried.

        One covers whoever is a party, and by `parents` a party's sub-members 下级成员 (A24).
        """
        sides = [(one, parents.get(one) or one) for one in (member, *others)]
        # Whoever has agreed least leads: the others need only be looked for in that.
        least = min((self.ranking.of({*side}, purpose, named=bool(others)) for side in sides), key=len)
        for each in least:
            if (
                kind in each.kinds
                and all(one in each.parties or parent in each.parties for one, parent in sides)
                and standing(each, self.agreements, on) is Standing.IN_FORCE
            ):
                yield each


def read_catalogue(sections: Mapping[str, object]) -> Catalogue:
    """Read the tables of policy from a verified directory's sections.

    Raises:
        CatalogueMalformed: for a fault in a row, a row that stands twice, two rows of one thing in force on the
            same day, or a reference to no row.
    """
    behaviours = by(read_all(Behaviour, sections.get("behaviours", ()), "behaviours"), "code")
    found = Catalogue(
        domains=by(read_all(Domain, sections.get("domains", ()), "domains"), "code"),
        list_types=by(read_all(ListType, sections.get("list_types", ()), "list_types"), "code"),
        measures=by(read_all(Measure, sections.get("measures", ()), "measures"), "code"),
        data_items=by(read_all(DataItem, sections.get("data_items", ()), "data_items"), "id"),
        purposes=by(read_all(Purpose, sections.get("purposes", ()), "purposes"), "code"),
        applications=by(read_all(ApplicationItem, sections.get("applications", ()), "applications"), "id"),
        agreements=by(read_all(Agreement, sections.get("agreements", ()), "agreements"), "id"),
        measure_lists=read_all(MeasureList, sections.get("measure_lists", ()), "measure_lists"),
        behaviours=behaviours,
        class_table=class_table(
            [(each.code, each.name.get("zh", ""), each.domain, each.severity) for each in behaviours.values()],
            read_all(ClassRule, sections.get("class_rules", ()), "class_rules"),
        ),
        classification_version=str(sections.get("classification_version", "")),
        clocks=read_all(ClockRule, sections.get("clocks", ()), "clocks"),
        ceilings=read_all(CeilingRule, sections.get("ceilings", ()), "ceilings"),
        schemes=read_all(Scheme, sections.get("schemes", ()), "schemes"),
        mappings=read_all(MappingTable, sections.get("mappings", ()), "mappings"),
        calendar=calendar_of(read_all(WorkingYear, sections.get("working_days", ()), "working_days")),
        loading_rules=read_all(LoadingRule, sections.get("loading_rules", ()), "loading_rules"),
        quality_goals=read_all(QualityGoals, sections.get("quality_goals", ()), "quality_goals"),
        deciding=deciding_of(read_all(DecidingAgency, sections.get("agency_codes", ()), "agency_codes")),
        divisions=divisions_of(read_all(Division, sections.get("division_codes", ()), "division_codes")),
        limits=Limits.from_section(_object(sections.get("limits", {}))),
        inspection_rules=read_all(InspectionRule, sections.get("inspection_rules", ()), "inspection_rules"),
        write_rules=read_all(WriteRule, sections.get("write_rules", ()), "write_rules"),
        participants=read_all(Participant, sections.get("participants", ()), "participants"),
        watch_rules=read_all(WatchRule, sections.get("watch_rules", ()), "watch_rules"),
        lifetimes=Lifetimes(
            rules=read_all(KeyRule, sections.get("key_rules", ()), "key_rules"),
            alarms=read_all(AlarmRule, sections.get("key_alarms", ()), "key_alarms"),
        ),
        gaps=read_all(Gap, sections.get("gaps", ()), "gaps"),
    )
    check_references(found)
    return found


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        msg = "directory limits: expected an object"
        raise CatalogueMalformed(msg)
    return value
