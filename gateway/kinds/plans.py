"""What the kinds share: what is worked out once a question, and how counts and days are said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from gateway.kinds.row import Said
from gateway.model.codes import CountBand, CoverageState
from gateway.tables import ALL

if TYPE_CHECKING:
    from gateway.catalogue import Catalogue
    from gateway.kinds.row import Combining, Scene
    from gateway.model.answer import ItemBody
    from gateway.model.question import Body
    from gateway.policy import Grant
    from gateway.ports import Fact

P = TypeVar("P")
PENALTY_COLUMNS = (
    "domain",
    "severity",
    "decided_on",
    "origin",
    "exempt",
    "publish_not_before",
    "publish_until",
    "repaired_on",
    "annulled_on",
    "disputed",
    "behaviour",
    "agency",
    "rectify_until",
    "reference",
)
LISTING_COLUMNS = ("domain", "listed_on", "publish_not_before", "exit_on", "origin", "disputed", "reference")
"""Columns without which the clocks of a table, its amendments and what counts once cannot be read."""
_BANDS = (
    (10, CountBand.TEN_OR_MORE),
    (5, CountBand.FIVE_TO_NINE),
    (2, CountBand.TWO_TO_FOUR),
    (1, CountBand.ONE),
)


def planned(make: Callable[[Any, Grant, Scene], P], body: Body, grant: Grant, scene: Scene) -> P:
    """Give the plan of a grant, which belongs to questions of one shape: made once, found again at each subject."""
    held = scene.kept.get(make)
    if held is None or held[0] is not grant:
        held = scene.kept[make] = (grant, make(body, grant, scene))
    plan: P = held[1]
    return plan


def once(make: Callable[[Combining], P], combining: Combining) -> P:
    """Give what is worked out once for all subjects of a combination."""
    if make not in combining.kept:
        combining.kept[make] = make(combining)
    made: P = combining.kept[make]
    return made


def covered(needs: Iterable[str], scene: Scene) -> bool:
    """Say whether the member holds data of any of the domains."""
    return any(state_of(domain, scene) is not CoverageState.NOT_COVERED for domain in needs)


def state_of(domain: str, scene: Scene) -> CoverageState:
    """Give the state of a domain; one that was not computed is not covered."""
    found = scene.coverage.get(domain)
    return CoverageState.NOT_COVERED if found is None else found.state


def granted(grant: Grant, data_item: str) -> bool:
    """Say whether any field of a data item is granted."""
    return any(field.startswith(f"{data_item}.") for field in grant.fields)


def adverse_classes(grant: Grant, catalogue: Catalogue) -> Mapping[str, frozenset[str]]:
    """Name the record classes that may hold something adverse, by granted domain."""
    listed, penalty = list_classes(catalogue), frozenset({"penalty"})
    return {domain: penalty | listed.get(domain, frozenset()) for domain in grant.domains}


def list_classes(catalogue: Catalogue) -> Mapping[str, frozenset[str]]:
    """Give the record classes of the types of list that each domain has; a domain without one is not named."""
    found: dict[str, frozenset[str]] = {}
    for each in catalogue.list_types.values():
        fed = frozenset({each.record_class.value})
        for domain in catalogue.domains if each.domain == ALL else (each.domain,):
            found[domain] = found.get(domain, frozenset()) | fed
    return found


def say(body: ItemBody, facts: list[Fact], *, found: bool, covered: bool) -> Said:
    """Give what is said, with the mark and the digests of the facts it rests on."""
    return Said(
        body=body,
        found=found,
        covered=covered,
        disputed=any(fact.get("disputed") for fact in facts),
        used=tuple(fact["digest"] for fact in facts),
    )


def band(count: int) -> CountBand:
    """Give the band of a count; no exact count above one is ever said."""
    return next((each for least, each in _BANDS if count >= least), CountBand.ZERO)


def month(day: str) -> str:
    """Give the month of a civil day."""
    return day[:7]


def last_month(until: str) -> str:
    """Give the month of the last day before a term's end."""
    return until[:7] if until[8:] != "01" else (date.fromisoformat(until) - timedelta(days=1)).isoformat()[:7]
