"""Kind `summary`: bands, flags and months over a fixed window; no count above one, no day, no document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.amendments import amended, with_amendments
from gateway.clocks import Clock, Saying, clock_on, counted, say_listing, say_penalty, say_permit
from gateway.errors import Refused
from gateway.kinds.plans import (
    LISTING_COLUMNS,
    PENALTY_COLUMNS,
    band,
    covered,
    granted,
    last_month,
    list_classes,
    month,
    planned,
    say,
)
from gateway.kinds.row import Combining, Kind, Said, Scene
from gateway.model.answer import Item, ListingLine, PenaltyLine, PermitLine, SummaryItem
from gateway.model.codes import RefusalReason, Severity
from gateway.model.question import SummaryQuestion

if TYPE_CHECKING:
    from gateway.catalogue import Catalogue
    from gateway.model.combined import SubjectResult
    from gateway.policy import Grant
    from gateway.ports import Columns, Fact

FIELDS: Mapping[str, tuple[str, str]] = {
    "penalty.severity": ("penalties", "severity"),
    "penalty.band": ("penalties", "band"),
    "penalty.latest_month": ("penalties", "latest_month"),
    "penalty.unrepaired": ("penalties", "unrepaired"),
    "permit.valid": ("permits", "valid"),
    "permit.expiry_month": ("permits", "expiry_month"),
    "listing.listed": ("listings", "listed"),
    "listing.since_month": ("listings", "since_month"),
    "listing.basis_class": ("listings", "basis_class"),
}
DATA_ITEMS = ("penalty", "permit", "listing")
PERMIT_COLUMNS = ("domain", "permit_type", "valid_from", "valid_until", "revoked_on")
SEVERITIES = {each.value: each for each in Severity}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    clock: Clock
    fields: frozenset[str]
    domains: frozenset[str]
    tables: frozenset[str]
    line_ref: Callable[[], bytes]
    nothing: Said


def requested(body: SummaryQuestion) -> tuple[str, ...]:
    """Name the fields of the data items asked for; none named asks for all.

    Raises:
        Refused: PURPOSE_NOT_ALLOWED for a data item that this kind does not have.
    """
    if not set(body.data_items) <= set(DATA_ITEMS):
        raise Refused(RefusalReason.PURPOSE_NOT_ALLOWED)
    wanted = body.data_items or DATA_ITEMS
    return tuple(name for name in FIELDS if name.split(".")[0] in wanted)


def columns(grant: Grant) -> Columns:
    """Name the columns behind the granted fields and their clocks."""
    basis = ("basis_class",) if "listing.basis_class" in grant.fields else ()
    listing = ("list_type", *LISTING_COLUMNS, *basis)
    tables = {"penalty": PENALTY_COLUMNS, "permit": PERMIT_COLUMNS, "listing": listing}
    return with_amendments({table: names for table, names in tables.items() if granted(grant, table)})


def needs(grant: Grant, catalogue: Catalogue) -> Mapping[str, frozenset[str]]:
    """Name the record classes of each granted domain; lists only where the domain has a type of list."""
    everywhere = frozenset(table for table in ("penalty", "permit") if granted(grant, table))
    listed = list_classes(catalogue) if granted(grant, "listing") else {}
    wanted = {domain: everywhere | listed.get(domain, frozenset()) for domain in grant.domains}
    return {domain: classes for domain, classes in wanted.items() if classes}


def release(body: SummaryQuestion, facts: Mapping[str, Sequence[Fact]], grant: Grant, scene: Scene) -> Said:
    """Say bands, flags and months of what the clocks let through."""
    plan = planned(_plan, body, grant, scene)
    used: list[Fact] = []
    lines: dict[str, Any] = {}
    if "repair" in facts or "objection" in facts:
        facts = amended(facts, plan.clock.today)
    for table, (attribute, gather) in _GATHER.items():
        rows = facts.get(table)
        if rows and table in plan.tables:
            lines[attribute] = gather(rows, plan, used)
    if not used:
        return plan.nothing
    return say(SummaryItem(**lines), used, found=True, covered=plan.nothing.covered)


def combine(_uscc: str, _items: Mapping[str, Item], _combining: Combining) -> Mapping[str, Any]:
    """Add nothing: bands are never added up over regions (U4)."""
    return {}


def adverse(body: SummaryItem) -> bool:
    """Say whether there is any line."""
    return bool(body.penalties or body.permits or body.listings)


def against(_subject: SubjectResult, items: Mapping[str, Item], _catalogue: Catalogue) -> Mapping[str, tuple[str, ...]]:
    """Name list types, and domains of penalties that are not all repaired; a permit is nothing adverse."""
    found = {}
    for member, item in items.items():
        body = item.body
        if isinstance(body, SummaryItem) and (body.listings or body.penalties):
            standing = (each.domain for each in body.penalties if each.unrepaired is not False)
            found[member] = (*(each.list_type for each in body.listings), *standing)
    return found


def _plan(_body: SummaryQuestion, grant: Grant, scene: Scene) -> _Plan:
    # What is repaired is said only where the line can also say so.
    shows_repaired = grant.purpose.shows_repaired and "penalty.unrepaired" in grant.fields
    return _Plan(
        clock=clock_on(
            scene.clock,
            scene.today,
            shows_repaired=shows_repaired,
            since=scene.window_from,
            severities=grant.severities,
        ),
        fields=grant.fields,
        domains=grant.domains,
        tables=frozenset(columns(grant)),
        line_ref=scene.line_ref,
        nothing=say(SummaryItem(), [], found=False, covered=covered(needs(grant, scene.catalogue), scene)),
    )


def _penalties(rows: Sequence[Fact], plan: _Plan, used: list[Fact]) -> tuple[PenaltyLine, ...]:
    by_severity = "penalty.severity" in plan.fields
    groups: dict[tuple[str, str], list[tuple[Fact, Saying]]] = {}
    said: list[tuple[Fact, Saying]] = []
    for fact in rows:
        if fact["domain"] in plan.domains and (saying := say_penalty(fact, plan.clock)) is not Saying.SILENT:
            said.append((fact, saying))  # noqa: PERF401 - as it is, silence costs nothing
    for fact, saying in counted(said):
        key = (fact["domain"], fact["severity"] if by_severity else "")
        groups.setdefault(key, []).append((fact, saying))
        used.append(fact)
    return tuple(_penalty_line(key, groups[key], plan) for key in sorted(groups))


def _penalty_line(key: tuple[str, str], group: list[tuple[Fact, Saying]], plan: _Plan) -> PenaltyLine:
    fields = plan.fields
    latest = max(fact["decided_on"] for fact, _ in group)
    return PenaltyLine(
        line_ref=plan.line_ref(),
        domain=key[0],
        severity=SEVERITIES.get(key[1]),
        band=band(len(group)) if "penalty.band" in fields else None,
        latest_month=month(latest) if "penalty.latest_month" in fields else None,
        unrepaired=any(saying is Saying.SAY for _, saying in group) if "penalty.unrepaired" in fields else None,
    )


def _permits(rows: Sequence[Fact], plan: _Plan, used: list[Fact]) -> tuple[PermitLine, ...]:
    groups = _standing(rows, plan, used, "permit_type", say_permit)
    return tuple(
        PermitLine(
            permit_type=permit_type,
            domain=domain,
            valid=True if "permit.valid" in plan.fields else None,
            expiry_month=_expiry(group) if "permit.expiry_month" in plan.fields else None,
        )
        for (domain, permit_type), group in groups
    )


def _expiry(group: list[Fact]) -> str | None:
    ends = [fact["valid_until"] for fact in group]
    return None if None in ends else last_month(max(ends))


def _listings(rows: Sequence[Fact], plan: _Plan, used: list[Fact]) -> tuple[ListingLine, ...]:
    groups = _standing(rows, plan, used, "list_type", say_listing)
    return tuple(_listing_line(domain, list_type, group, plan) for (domain, list_type), group in groups)


def _listing_line(domain: str, list_type: str, group: list[Fact], plan: _Plan) -> ListingLine:
    fields = plan.fields
    first = min(group, key=lambda fact: (fact["listed_on"], fact.get("basis_class") or "", fact["digest"]))
    return ListingLine(
        line_ref=plan.line_ref(),
        list_type=list_type,
        domain=domain,
        listed=True if "listing.listed" in fields else None,
        since_month=month(first["listed_on"]) if "listing.since_month" in fields else None,
        basis_class=first["basis_class"] if "listing.basis_class" in fields else None,
    )


def _standing(
    rows: Sequence[Fact], plan: _Plan, used: list[Fact], name: str, judge: Callable[[Fact, Clock], Saying]
) -> Iterable[tuple[tuple[str, str], list[Fact]]]:
    groups: dict[tuple[str, str], list[Fact]] = {}
    for fact in rows:
        if fact["domain"] in plan.domains and judge(fact, plan.clock) is Saying.SAY:
            groups.setdefault((fact["domain"], fact[name]), []).append(fact)
            used.append(fact)
    return sorted(groups.items(), key=lambda entry: entry[0])


_GATHER: Mapping[str, tuple[str, Callable[[Sequence[Fact], _Plan, list[Fact]], tuple[Any, ...]]]] = {
    "penalty": ("penalties", _penalties),
    "permit": ("permits", _permits),
    "listing": ("listings", _listings),
}

KIND = Kind(
    name="summary",
    question=SummaryQuestion,
    item=SummaryItem,
    fields=FIELDS,
    subjects=lambda body: body.subjects,
    requested=requested,
    domains=lambda body: body.domains,
    window=lambda body: body.window,
    columns=columns,
    needs=needs,
    release=release,
    combine=combine,
    adverse=adverse,
    against=against,
)
