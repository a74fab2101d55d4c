"""What governs a node at a moment: the verified directory, its tables of policy, the kinds, and who the node is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.catalogue import Agreement, Catalogue, read_catalogue
from gateway.kinds.row import Kind
from gateway.model.codes import BundleStage
from keys.directory import Directory, Stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Charter:
    """One signed directory as it binds one member."""

    me: str
    directory: Directory
    catalogue: Catalogue
    kinds: Mapping[str, Kind]
    time_floor: datetime | None = None
    """The newest time that a quorum signed; a clock far behind it is wrong. None where old evidence is read."""


def charter(me: str, directory: Directory, kinds: Mapping[str, Kind], stops: Sequence[Stop] = ()) -> Charter:
    """Read the tables of a verified directory for a member, with what that member has stopped for itself.

    Raises:
        MemberUnknown: when the directory does not know the member.
        CatalogueMalformed: for a fault in a table.
    """
    if stops:
        directory = directory.stopped(stops)
    directory.member(me)
    catalogue = read_catalogue(directory.sections)
    return Charter(me=me, directory=directory, catalogue=catalogue, kinds=kinds)


def is_behind(charter: Charter, now: datetime) -> bool:
    """Say whether the clock shows a time from before what a quorum signed: whoever sets it back revives the expired."""
    skew = timedelta(seconds=charter.catalogue.limits.clock_skew)
    return charter.time_floor is not None and now < charter.time_floor - skew


def stage_of(charter: Charter, now: datetime) -> BundleStage:
    """Say how current the directory is that something is decided by; whether it may be used at all is asked before."""
    return BundleStage.NORMAL if now < charter.directory.expire_time else BundleStage.DEGRADED


def covers(directory: Directory, agreement: Agreement, member: str) -> bool:
    """Say whether an agreement covers a member: a party, or a sub-member 下级成员 of one (A24)."""
    return member in agreement.parties or directory.member(member).parent in agreement.parties


def with_sub_members(directory: Directory, members: Iterable[str]) -> tuple[str, ...]:
    """Name members, each with its sub-members behind it, once: they decide apart, so that each must be asked (U4).

    Also one that is suspended: its silence is named, so that nothing of its parent's region looks clean without it.
    """
    below: dict[str, list[str]] = {each: [] for each in members}
    for row in directory.members:
        if row.parent in below:
            below[row.parent].append(row.id)
    return tuple(dict.fromkeys(each for member, subs in below.items() for each in (member, *subs)))


def divisions(charter: Charter) -> Mapping[str, tuple[str, ...]]:
    """Give each member's divisions."""
    return {each.id: each.divisions for each in charter.directory.members}
