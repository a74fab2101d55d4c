"""How far a member's data of each domain reach (duty U2): computed from its declared feeds, never assumed."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING

from gateway.model.answer import Coverage
from gateway.model.codes import CoverageState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from gateway.ports import Feed

REGISTER, RATING = "REGISTER", "RATING"
REPAIR, OBJECTION, SELF_DECLARED = "REPAIR", "OBJECTION", "SELF_DECLARED"
UNDIVIDED = frozenset({REGISTER, RATING, REPAIR, OBJECTION, SELF_DECLARED})
"""Names that stand where a domain does, for record classes that no domain divides."""
AMENDED = frozenset({"penalty", "listing", "abnormal"})
AMENDING = frozenset({"repair", "objection"})
"""Record classes that may be amended, and those that amend them."""


class Cause(Enum):
    """Why a feed keeps its domain from being complete."""

    NEVER_LOADED = "NEVER_LOADED"
    OVERDUE = "OVERDUE"
    GAPS = "GAPS"


def next_due(feed: Feed) -> date | None:
    """Give the last day on which the feed is not overdue as it stands; None when it was never loaded."""
    return None if feed.data_through is None else feed.data_through + timedelta(days=feed.frequency_days)


def overdue(feed: Feed, today: date) -> bool:
    """Say whether an update is missing that the declared frequency wants."""
    due = next_due(feed)
    return due is None or due < today


def causes(feed: Feed, today: date) -> tuple[Cause, ...]:
    """Say why the feed makes its domain PARTIAL for any question; nothing when it does not."""
    late = Cause.NEVER_LOADED if feed.data_through is None else Cause.OVERDUE
    return (*((late,) if overdue(feed, today) else ()), *((Cause.GAPS,) if feed.gaps else ()))


def coverage(
    feeds: Iterable[Feed],
    needs: Mapping[str, frozenset[str]],
    *,
    today: date,
    window_from: date | None,
) -> Mapping[str, Coverage]:
    """Say for each domain how far the feeds of its needed record classes reach.

    A domain is COMPLETE only when every needed class has a feed, and every such feed is loaded, in time,
    without gaps, and reaches back over the window. Where a member declares feeds of repairs or objections they
    must be loaded, in time and without gaps too: until one arrives, a penalty or list entry may be said that
    was repaired, and a rating ceiling must not rest on that (duties U18, U20). How far back they reach does not
    matter: a repair before their time stands with the penalty itself.
    """
    declared = tuple(feeds)
    return {
        domain: _cover(
            domain,
            classes,
            _fitting(declared, domain, classes),
            _amending(declared, domain) if classes & AMENDED else (),
            today,
            window_from,
        )
        for domain, classes in needs.items()
    }


def _fitting(feeds: Sequence[Feed], domain: str, classes: frozenset[str]) -> tuple[Feed, ...]:
    anywhere = domain in UNDIVIDED
    return tuple(each for each in feeds if each.record_class in classes and (anywhere or each.domain == domain))


def _amending(feeds: Sequence[Feed], domain: str) -> tuple[Feed, ...]:
    places = {domain, REPAIR, OBJECTION}
    return tuple(each for each in feeds if each.record_class in AMENDING and each.domain in places)


def _cover(
    domain: str,
    classes: frozenset[str],
    feeds: tuple[Feed, ...],
    amending: tuple[Feed, ...],
    today: date,
    window_from: date | None,
) -> Coverage:
    if not feeds:
        return Coverage(domain=domain, state=CoverageState.NOT_COVERED)
    whole = (
        classes == {each.record_class for each in feeds}
        and all(_reaches(each, today, window_from) for each in feeds)
        and all(_reaches(each, today, None) for each in amending)
    )
    through = [each.data_through for each in (*feeds, *amending)]
    reached = [each for each in through if each is not None]
    return Coverage(
        domain=domain,
        state=CoverageState.COMPLETE if whole else CoverageState.PARTIAL,
        data_through_date=min(reached).isoformat() if len(reached) == len(through) else "",
        history_from_date=max(each.history_from for each in feeds).isoformat(),
    )


def _reaches(feed: Feed, today: date, window_from: date | None) -> bool:
    return not overdue(feed, today) and not feed.gaps and (window_from is None or feed.history_from <= window_from)
