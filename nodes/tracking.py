"""Puts together who asked about a subject: what this node serves, and how it reaches every other member."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.calls import Route
from gateway.tracker import Holder, LocalHolder, Tracker
from gateway.tracking import Desk, Tracking
from gateway.tracking_door import RemoteHolder, Serve, services


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """What is served to other members, and who serves this member's agencies."""

    services: Mapping[str, Serve]
    tracker: Tracker


def track(desk: Desk, me: str, route: Callable[[str], Route | None]) -> Tracked:
    """Serve what is held here, and reach each member by the route that there is to it."""
    tracking = Tracking(desk)
    local = LocalHolder(tracking, me)

    def holder(member: str) -> Holder | None:
        if member == me:
            return local
        found = route(member)
        return None if found is None else RemoteHolder(found)

    return Tracked(services=services(tracking), tracker=Tracker(desk, tracking, holder))
