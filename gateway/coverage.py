"""How far a member's data of each domain reach (duty U2): computed from its declared feeds, never assumed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from gateway.model.answer import Coverage
from gateway.model.codes import CoverageState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from gateway.ports import Feed

REGISTER, RATING = "REGISTER", "RATING"
UNDIVIDED = frozenset({REGISTER, RATING})
"""Names that stand where a domain does, for record classes that no domain divides."""


def coverage(
    feeds: Iterable[Feed],
    needs: Mapping[str, frozenset[str]],
    *,
    today: date,
    window_from: date | None,
) -> Mapping[str, Coverage]:
    """Say for each domain how far the feeds of its needed record classes reach.

    A domain is COMPLETE only when every needed class has a feed, and every such feed is loaded, in time,
    without gaps, and reaches back over the window.
    """
    declared = tuple(feeds)
    return {
        domain: _cover(domain, classes, _fitting(declared, domain, classes), today, window_from)
        for domain, classes in needs.items()
    }


def _fitting(feeds: Sequence[Feed], domain: str, classes: frozenset[str]) -> tuple[Feed, ...]:
    anywhere = domain in UNDIVIDED
    return tuple(each for each in feeds if each.record_class in classes and (anywhere or each.domain == domain))


def _cover(
    domain: str, classes: frozenset[str], feeds: tuple[Feed, ...], today: date, window_from: date | None
) -> Coverage:
    if not feeds:
        return Coverage(domain=domain, state=CoverageState.NOT_COVERED)
    whole = classes == {each.record_class for each in feeds} and all(
        _reaches(each, today, window_from) for each in feeds
    )
    reached = [each.data_through for each in feeds if each.data_through is not None]
    return Coverage(
        domain=domain,
        state=CoverageState.COMPLETE if whole else CoverageState.PARTIAL,
        data_through_date=min(reached).isoformat() if len(reached) == len(feeds) else "",
        history_from_date=max(each.history_from for each in feeds).isoformat(),
    )


def _reaches(feed: Feed, today: date, window_from: date | None) -> bool:
    return (
        feed.data_through is not None
        and feed.data_through + timedelta(days=feed.frequency_days) >= today
        and not feed.gaps
        and (window_from is None or feed.history_from <= window_from)
    )
