"""The way of a question: directly, or by the hubs 枢纽 that the directory names for a member without a route."""

from __future__ import annotations

from datetime import datetime

from gateway.charter import Charter
from gateway.model.question import QuestionHeader
from gateway.model.sealed import Routing
from keys.directory import Directory


def route(charter: Charter, member: str, now: datetime) -> tuple[str, ...]:
    """Name the relays on the way to a member: none, one that serves either end, or one of each end.

    A hub that is suspended is passed over, and the next one that the directory names is taken.
    """
    directory = charter.directory
    if member == charter.me:
        return ()
    ours, theirs = _hubs(directory, charter.me, now), _hubs(directory, member, now)
    common = [each for each in ours if each in theirs]
    return tuple(common[:1] or [*ours[:1], *theirs[:1]])


def _hubs(directory: Directory, member: str, now: datetime) -> list[str]:
    return [each for each in directory.member(member).via if not directory.suspended(each, now)]


def routing_of(header: QuestionHeader) -> Routing:
    """Give the routing of a question's sealed layer: what its signed header says, and no more of it."""
    return Routing(
        suite=header.suite,
        sender_member=header.asker_member,
        recipient_member=header.answerer_member,
        relays=header.relays,
        question_id=header.question_id,
        send_time=header.asked_time,
        expire_time=header.expire_time,
    )


def may_relay(directory: Directory, routing: Routing) -> bool:
    """Say whether every relay on the way is a hub that the directory names for one of its two ends."""
    ends = (directory.member(each) for each in (routing.sender_member, routing.recipient_member))
    named = {hub for end in ends for hub in end.via}
    return all(each in named for each in routing.relays)
