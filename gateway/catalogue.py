"""What may be asked: purposes, data items, application items, agreements and published measures, as dated data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import Any, TypeVar

from gateway.clocks import ClockRule
from gateway.errors import CatalogueMalformed
from gateway.limits import Limits
from gateway.model.codes import Severity, Window
from gateway.recognition import CeilingRule, MappingTable, Scheme, check_ceilings, check_table
from gateway.tables import Dated, read_all

ALL = "*"
T = TypeVar("T")


class Consent(Enum):
    """Whether a purpose wants the subject's authorisation 授权."""

    NONE = "NONE"
    SUBJECT = "SUBJECT"


class Label(Enum):
    """Class of a data item: open, conditional (only the purposes named) or closed."""

    OPEN = "open"
    CONDITIONAL = "conditional"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PurposeKind:
    """What a purpose may ask of one kind."""

    fields: tuple[str, ...]
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose(Dated):
    """A purpose 应用场景 and its limits (duty U13: a complete row each)."""

    code: str
    name: Mapping[str, str]
    stage: str
    legal_basis: str
    sample: bool
    authorisation: Consent
    authorisation_age_minutes: int
    case_required: bool
    second_officer: bool
    daily_subjects: int
    answer_hours: int
    retention_months: int
    opens_sole_traders: bool
    shows_repaired: bool
    domain_bound: bool
    severities: tuple[Severity, ...]
    kinds: Mapping[str, PurposeKind]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataItem(Dated):
    """A releasable data item and its read rule; field names start with its id and a dot."""

    id: str
    label: Label
    purposes: tuple[str, ...] = ()
    four_eyes: bool = False


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
    """What its parties may exchange, for which purposes, kinds and domains, within which area."""

    id: str
    name: Mapping[str, str]
    parties: tuple[str, ...]
    area: tuple[str, ...]
    purposes: tuple[str, ...]
    domains: tuple[str, ...]
    kinds: tuple[str, ...]
    precedence: int
    suspended: bool = False

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A measure code 奖惩措施; `reward` tells the two sorts apart."""

    code: str
    name: Mapping[str, str]
    reward: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """A row of the classification table 行为清单: what kind of act it is, of which domain and severity."""

    code: str
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
    classification_version: str
    clocks: tuple[ClockRule, ...]
    ceilings: tuple[CeilingRule, ...]
    schemes: tuple[Scheme, ...]
    mappings: tuple[MappingTable, ...]
    limits: Limits
    grants: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Grants worked out before, by `gateway.policy`; it saves work, no more."""

    def published(self, member: str, on: date) -> MeasureList | None:
        """Give the list of measures that a member has in force on a day."""
        return next((each for each in self.measure_lists if each.member == member and each.in_force(on)), None)

    def clock(self, member: str, on: date) -> ClockRule | None:
        """Give the clock rule that a member has in force on a day."""
        return next((each for each in self.clocks if each.member == member and each.in_force(on)), None)

    def ceiling(self, on: date) -> CeilingRule | None:
        """Give the ceiling rule in force on a day."""
        return next((each for each in self.ceilings if each.in_force(on)), None)

    def agreements_for(self, *, purpose: str, kind: str, member: str, on: date) -> tuple[Agreement, ...]:
        """Give the agreements a member may ask under, first in precedence first."""
        fitting = (
            each
            for each in self.agreements.values()
            if each.in_force(on)
            and not each.suspended
            and member in each.parties
            and purpose in each.purposes
            and kind in each.kinds
        )
        return tuple(sorted(fitting, key=lambda each: (each.precedence, each.id)))


def read_catalogue(sections: Mapping[str, object]) -> Catalogue:
    """Read the tables of policy from a verified directory's sections.

    Raises:
        CatalogueMalformed: for a fault in a row, a row that stands twice, or a reference to no row.
    """
    found = Catalogue(
        domains=_by(read_all(Domain, sections.get("domains", ()), "domains"), "code"),
        list_types=_by(read_all(ListType, sections.get("list_types", ()), "list_types"), "code"),
        measures=_by(read_all(Measure, sections.get("measures", ()), "measures"), "code"),
        data_items=_by(read_all(DataItem, sections.get("data_items", ()), "data_items"), "id"),
        purposes=_by(read_all(Purpose, sections.get("purposes", ()), "purposes"), "code"),
        applications=_by(read_all(ApplicationItem, sections.get("applications", ()), "applications"), "id"),
        agreements=_by(read_all(Agreement, sections.get("agreements", ()), "agreements"), "id"),
        measure_lists=read_all(MeasureList, sections.get("measure_lists", ()), "measure_lists"),
        behaviours=_by(read_all(Behaviour, sections.get("behaviours", ()), "behaviours"), "code"),
        classification_version=str(sections.get("classification_version", "")),
        clocks=read_all(ClockRule, sections.get("clocks", ()), "clocks"),
        ceilings=read_all(CeilingRule, sections.get("ceilings", ()), "ceilings"),
        schemes=read_all(Scheme, sections.get("schemes", ()), "schemes"),
        mappings=read_all(MappingTable, sections.get("mappings", ()), "mappings"),
        limits=Limits.from_section(_object(sections.get("limits", {}))),
    )
    _check_references(found)
    for rule in found.ceilings:
        check_ceilings(rule)
    schemes = {(each.id, each.version): each for each in found.schemes}
    for table in found.mappings:
        scheme = schemes.get((table.scheme_id, table.scheme_version))
        if scheme is None:
            raise CatalogueMalformed(f"directory mappings {table.id}: its scheme has no row; add the row")
        check_table(table, scheme)
    return found


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        msg = "directory limits: expected an object"
        raise CatalogueMalformed(msg)
    return value


def _by(rows: tuple[T, ...], key: str) -> Mapping[str, T]:
    found: dict[str, T] = {}
    for row in rows:
        name = getattr(row, key)
        if name in found:
            msg = f"directory: {type(row).__name__} {name} stands twice; keep one row"
            raise CatalogueMalformed(msg)
        found[name] = row
    return found


def _check_references(found: Catalogue) -> None:
    domains, purposes = {*found.domains, ALL}, set(found.purposes)
    for item in found.applications.values():
        _known(f"applications {item.id} purpose", (item.purpose,), purposes)
        _known(f"applications {item.id} domains", item.domains, domains)
    for agreement in found.agreements.values():
        _known(f"agreements {agreement.id} purposes", agreement.purposes, purposes)
        _known(f"agreements {agreement.id} domains", agreement.domains, domains)
    for data_item in found.data_items.values():
        _known(f"data_items {data_item.id} purposes", data_item.purposes, purposes)
    for listing in found.measure_lists:
        codes = tuple(each.code for each in listing.measures)
        _known(f"measure_lists {listing.member} {listing.edition}", codes, set(found.measures))
    for listed in found.list_types.values():
        _known(f"list_types {listed.code} domain", (listed.domain,), domains)
    for behaviour in found.behaviours.values():
        _known(f"behaviours {behaviour.code} domain", (behaviour.domain,), set(found.domains))
    for rule in found.ceilings:  # a case of a list that is none never holds, and would raise grades
        for case in rule.cases:
            _known(f"ceilings {rule.version} list_types", case.list_types, set(found.list_types))
    for purpose in found.purposes.values():
        for kind in purpose.kinds.values():
            stems = tuple(name.split(".")[0] for name in kind.fields)
            _known(f"purposes {purpose.code} fields", stems, set(found.data_items))


def _known(place: str, names: tuple[str, ...], rows: set[str]) -> None:
    for name in names:
        if name not in rows:
            msg = f"directory {place}: {name} has no row; add the row or take the reference out"
            raise CatalogueMalformed(msg)
