"""Who must be told before something ends (duty U31): keys, leaf, CAs and roles of the bundle, by step of days left.

An alarm is logged once a step, stands in the metrics all the time, and turns the health service `yrdx.lifetimes`; it
stops no exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

import structlog

from gateway.charter import Charter
from gateway.clocks import civil_day
from gateway.lifetimes import Life
from keys import tls
from keys.bundle.layout import member_role
from keys.members import Member
from keys.tls import Leaf

SERVICE = "yrdx.lifetimes"
LEAF, ISSUING, AUTHORITY, MEMBER = "leaf", "issuing", "ca", "member"
ROLES = frozenset({"root", "targets", "mappings", "agreements", MEMBER})
"""Roles of the bundle that people sign; `member` is this member's own. Snapshot and timestamp are signed daily."""

_log = structlog.get_logger()


class Alarms:
    """The steps that were told, by what ends."""

    def __init__(self) -> None:
        """Start with nothing told."""
        self._told: dict[str, int | None] = {}

    def poll(self, charter: Charter, leaf: Leaf, now: datetime) -> Mapping[str, tuple[float, int | None]]:
        """Give what ends, with the seconds left and the step that is reached; log each step once."""
        found = {}
        tables = charter.catalogue
        for what, life in lives(charter, leaf).items():
            step = tables.lifetimes.step(life, now, tables.calendar)
            found[what] = ((life.ends - now).total_seconds(), step)
            if step is not None and self._told.get(what) != step:
                _log.warning("ends_soon", what=what, days=step)
            self._told[what] = step
        return found


def lives(charter: Charter, leaf: Leaf) -> Mapping[str, Life]:
    """Give from when to when each thing lives that this node needs: of several, the one that ends last."""
    directory = charter.directory
    me = directory.member(charter.me)
    found = dict(_keys(me))
    found |= {name: life for name, pems in _pins(me) if (life := _last(map(tls.life_of, pems)))}
    found[LEAF] = Life(begins=leaf.life[0], ends=leaf.life[1])
    return found | dict(_roles(charter))


def _keys(me: Member) -> Iterator[tuple[str, Life]]:
    for use in {key.use for key in me.keys}:
        rows = [key for key in me.keys if key.use == use and key.revoked_time is None]
        if life := _last((key.valid_from, key.valid_until) for key in rows):
            yield use, life


def _roles(charter: Charter) -> Iterator[tuple[str, Life]]:
    """Give the lives of the bundle's roles; how long one is signed for is a rule, for it does not say so itself."""
    directory = charter.directory
    for role in directory.roles:
        name = MEMBER if role.name == member_role(charter.me) else role.name
        rule = charter.catalogue.lifetimes.rule(name, civil_day(directory.issued_time))
        if name in ROLES and rule is not None:
            yield name, Life(begins=role.expire_time - timedelta(days=rule.life_days), ends=role.expire_time)


def _pins(me: Member) -> tuple[tuple[str, tuple[bytes, ...]], ...]:
    return (ISSUING, me.issuing_certificates), (AUTHORITY, me.ca_certificates)


def _last(lives_of: Iterable[tuple[datetime, datetime]]) -> Life | None:
    begins, ends = max(lives_of, key=lambda each: each[1], default=(None, None))
    return None if begins is None or ends is None else Life(begins=begins, ends=ends)
