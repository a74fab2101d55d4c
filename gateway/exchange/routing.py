"""The ways of a question: directly, or by the hubs 枢纽 that the directory names for a member without a route."""

from __future__ import annotations

from datetime import datetime, timedelta

from gateway.charter import Charter
from gateway.model.consent import StatusRequest
from gateway.model.question import QuestionHeader
from gateway.model.sealed import Routing
from keys.directory import Directory

Way = tuple[str, ...]
"""The relays that a message passes, in order."""


def ways(charter: Charter, member: str, now: datetime) -> tuple[Way, ...]:
    """Give the ways to a member, the best first; none where it is asked directly.

    One hub that serves both ends goes before one of each end. The next way shares as few hubs as it can with those
    before it, so that another try avoids what failed. A hub that is suspended stands on none.
    """
    directory = charter.directory
    if member == charter.me:
        return ()
    ours, theirs = _hubs(directory, charter.me, now), _hubs(directory, member, now)
    if not (ours and theirs):
        return tuple((each,) for each in ours or theirs)
    common = [each for each in ours if each in theirs]
    count = len(theirs)
    pairs = [(near, theirs[(at + shift) % count]) for shift in range(count) for at, near in enumerate(ours)]
    apart = sorted((each for each in pairs if each[0] != each[1]), key=lambda way: len({*way} & {*common}))
    return (*((each,) for each in common), *apart)


def hubs(charter: Charter, member: str, now: datetime) -> tuple[str, ...]:
    """Name the hubs that a question to a member may go by, as its header does; none where it goes directly."""
    return tuple(dict.fromkeys(each for way in ways(charter, member, now) for each in way))


def _hubs(directory: Directory, member: str, now: datetime) -> list[str]:
    return [each for each in directory.member(member).via if not directory.suspended(each, now)]


def routing_of(header: QuestionHeader, way: Way) -> Routing:
    """Give the routing of a question's sealed layer by one of its ways: what the signed header says, no more of it."""
    return Routing(
        suite=header.suite,
        sender_member=header.asker_member,
        recipient_member=header.answerer_member,
        relays=way,
        question_id=header.question_id,
        send_time=header.asked_time,
        expire_time=header.expire_time,
    )


def routing_of_statuses(request: StatusRequest, way: Way, *, suite: str, life: int) -> Routing:
    """Give the routing of a sealed request for statuses that lives so many seconds; its id is the use id."""
    return Routing(
        suite=suite,
        sender_member=request.asker_member,
        recipient_member=request.home_member,
        relays=way,
        question_id=request.use_id,
        send_time=request.ask_time,
        expire_time=request.ask_time + timedelta(seconds=life),
    )


def routing_of_call(
    call_id: bytes, ends: tuple[str, str], way: Way, *, suite: str, now: datetime, life: int
) -> Routing:
    """Give the routing of a sealed call from one member to another that lives so many seconds, under a fresh id."""
    return Routing(
        suite=suite,
        sender_member=ends[0],
        recipient_member=ends[1],
        relays=way,
        question_id=call_id,
        send_time=now,
        expire_time=now + timedelta(seconds=life),
    )


def may_relay(directory: Directory, routing: Routing) -> bool:
    """Say whether every relay on the way is a hub that the directory names for one of its two ends."""
    ends = (directory.member(each) for each in (routing.sender_member, routing.recipient_member))
    named = {hub for end in ends for hub in end.via}
    return all(each in named for each in routing.relays)
