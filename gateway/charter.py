"""What governs a node at a moment: the verified directory, its tables of policy, the kinds, and who the node is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.catalogue import Catalogue, read_catalogue
from gateway.kinds.row import Kind
from keys.directory import Directory, Stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Charter:
    """One signed directory as it binds one member."""

    me: str
    directory: Directory
    catalogue: Catalogue
    kinds: Mapping[str, Kind]


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


def divisions(charter: Charter) -> Mapping[str, tuple[str, ...]]:
    """Give each member's divisions."""
    return {each.id: each.divisions for each in charter.directory.members}
