"""The federation that a sample is made for: where its subjects sit, who decides there, and which feeds there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.catalogue import Catalogue, read_catalogue
from gateway.ports import Feed
from nodes.federation.compiling import sections
from nodes.federation.feeds import feeds
from nodes.federation.folder import Folder, entry, read_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The federation that a sample is made for."""

    member: str
    catalogue: Catalogue
    counties: Mapping[str, tuple[str, ...]]
    """County divisions of each member."""

    codes: Mapping[str, str]
    """An agency's code in decisions, by its id."""

    feeds: Mapping[tuple[str, str], Feed]
    """The member's feeds by record class and domain."""

    defunct: tuple[str, ...] = ()
    """Division codes of the member's that are no more, in which old subjects were registered."""

    @property
    def members(self) -> tuple[str, ...]:
        """Name all members."""
        return tuple(self.counties)

    def of_class(self, record_class: str) -> Sequence[Feed]:
        """Give the feeds of a record class."""
        return [feed for (found, _), feed in self.feeds.items() if found == record_class]

    def elsewhere(self, agency: str) -> str:
        """Give the agency of the same sort at another member, or empty."""
        sort = agency.partition("-")[2]
        others = (f"{each}-{sort}" for each in self.members if each != self.member)
        return next((each for each in others if each in self.codes), "")


def world(folder: Path, member: str) -> World:
    """Read a federation's folder for one member.

    Raises:
        CatalogueMalformed: for a fault in it.
    """
    tables, found = sections(folder), read_folder(folder)
    return World(
        member=member,
        catalogue=read_catalogue(tables),
        counties=counties(found),
        codes={row["agency"]: row["code"] for row in tables["agency_codes"] if "valid_until" not in row},
        defunct=_defunct(found, member),
        feeds={(each.record_class, each.domain): each for each in feeds(folder, member)},
    )


def counties(found: Folder) -> Mapping[str, tuple[str, ...]]:
    """Give the county divisions of each member: those that no member below it answers for."""
    owners = {prefix: name for name, row in found.members.items() for prefix in row["divisions"]}

    def owner(county: str) -> str:
        return owners[max((each for each in owners if county.startswith(each)), key=len)]

    named = found.table("counties")
    return {
        name: tuple(each for each in named.get(name, ()) if owner(each) == name) or (name,) for name in found.members
    }


def _defunct(found: Folder, member: str) -> tuple[str, ...]:
    own = tuple(entry(found.members, member, "members")["divisions"])
    rows = [row for row in found.rows("division_codes") if row["code"].startswith(own)]
    alive = {row["code"] for row in rows if "valid_until" not in row}
    return tuple(sorted({row["code"] for row in rows} - alive))
