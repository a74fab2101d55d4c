"""What the tables of policy say of one another: every reference leads to a row, and no row contradicts another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import CatalogueMalformed
from gateway.inspection import check_rule
from gateway.lifetimes import check_lifetimes
from gateway.quality import RATES
from gateway.recognition import check_ceilings, check_table
from gateway.tables import ALL, check_apart
from gateway.watching import check_watch
from keys.members import SORTS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from gateway.catalogue import Catalogue

PERCENT = 100


def check_references(found: Catalogue) -> None:
    """Check the references of all tables.

    Raises:
        CatalogueMalformed: for a reference to no row, two rows of one thing in force on the same day, a mapping or
            ceiling that cannot hold, or a loading rule or goal out of its bounds; the text names the place.
    """
    _check_apart(found)
    _check_questions(found)
    _check_lists(found)
    _check_classes(found)
    _check_grades(found)
    check_lifetimes(found.lifetimes)
    check_watch(found.watch_rules)
    for inspection in found.inspection_rules:
        check_rule(inspection)
    for rule in found.loading_rules:
        if rule.reporting_days < 1 or not 0 <= rule.withdrawal_percent <= PERCENT:
            msg = f"directory loading_rules {rule.valid_from}: at least one day, and 0 to 100 per cent; correct the row"
            raise CatalogueMalformed(msg)
    for goals in found.quality_goals:
        if not all(0 <= goals.of(rate) <= PERCENT for rate in RATES):
            msg = f"directory quality_goals {goals.valid_from}: 0 to 100 per cent each; correct the row"
            raise CatalogueMalformed(msg)


def _check_apart(found: Catalogue) -> None:
    check_apart(found.measure_lists, "measure_lists", "member")
    check_apart(found.clocks, "clocks", "member")
    check_apart(found.ceilings, "ceilings")
    check_apart(found.schemes, "schemes", "id", "version")
    check_apart(found.loading_rules, "loading_rules")
    check_apart(found.inspection_rules, "inspection_rules", "member")
    check_apart(found.write_rules, "write_rules", "member", "record_class")
    check_apart(found.participants, "participants", "sort")
    check_apart(found.quality_goals, "quality_goals")
    check_apart(found.watch_rules, "watch_rules")
    check_apart(found.lifetimes.rules, "key_rules", "use")
    check_apart(found.lifetimes.alarms, "key_alarms")


def _check_questions(found: Catalogue) -> None:
    domains, purposes = {*found.domains, ALL}, set(found.purposes)
    for item in found.applications.values():
        _known(f"applications {item.id} purpose", (item.purpose,), purposes)
        _known(f"applications {item.id} domains", item.domains, domains)
    for agreement in found.agreements.values():
        _known(f"agreements {agreement.id} purposes", agreement.purposes, purposes)
        _known(f"agreements {agreement.id} domains", agreement.domains, domains)
        _known(f"agreements {agreement.id} parent", (agreement.parent,), {*_parents(found), ""})
    for participant in found.participants:
        _known(f"participants {participant.sort} sort", (participant.sort,), set(SORTS))
        _known(f"participants {participant.sort} purposes", participant.purposes, {*purposes, ALL})
    for data_item in found.data_items.values():
        _known(f"data_items {data_item.id} purposes", data_item.purposes, purposes)
    for purpose in found.purposes.values():
        for kind in purpose.kinds.values():
            stems = tuple(name.split(".")[0] for name in kind.fields if name not in found.data_items)
            _known(f"purposes {purpose.code} fields", stems, set(found.data_items))


def _parents(found: Catalogue) -> Iterable[str]:
    """Name the agreements that may be a parent: those that have none."""
    return (each.id for each in found.agreements.values() if not each.parent)


def _check_lists(found: Catalogue) -> None:
    for listing in found.measure_lists:
        codes = tuple(each.code for each in listing.measures)
        _known(f"measure_lists {listing.member} {listing.edition}", codes, set(found.measures))
    for listed in found.list_types.values():
        _known(f"list_types {listed.code} domain", (listed.domain,), {*found.domains, ALL})
    for rule in found.ceilings:  # a case of a list that is none never holds, and would raise grades
        check_ceilings(rule)
        for case in rule.cases:
            _known(f"ceilings {rule.version} list_types", case.list_types, set(found.list_types))


def _check_classes(found: Catalogue) -> None:
    for behaviour in found.behaviours.values():
        _known(f"behaviours {behaviour.code} domain", (behaviour.domain,), set(found.domains))
    for rule in found.class_table.rules:
        _known(f"class_rules {rule.id} domains", rule.domains, set(found.domains))


def _check_grades(found: Catalogue) -> None:
    schemes = {(each.id, each.version): each for each in found.schemes}
    for table in found.mappings:
        scheme = schemes.get((table.scheme_id, table.scheme_version))
        if scheme is None:
            raise CatalogueMalformed(f"directory mappings {table.id}: its scheme has no row; add the row")
        check_table(table, scheme)


def _known(place: str, names: Iterable[str], rows: AbstractSet[str]) -> None:
    for name in names:
        if name not in rows:
            msg = f"directory {place}: {name} has no row; add the row or take the reference out"
            raise CatalogueMalformed(msg)
