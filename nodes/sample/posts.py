"""Where a member's records are written: the feed of each class and domain, its agency, and running numbers."""

from datetime import date
from typing import NamedTuple, Protocol

from gateway.catalogue import Catalogue
from nodes.sample.places import World

Day = date | str
Days = Day | None


class Sink(Protocol):
    """What takes the lines of feeds."""

    def put(self, feed: str, line: str) -> None:
        """Add a line to a feed."""


class Place(NamedTuple):
    """A feed, its agency, and the agency's code in decisions."""

    feed: str
    agency: str
    code: str


class Decided(NamedTuple):
    """What a repair or an objection points at: a record by its class, agency and number, and the day it began."""

    sort: str
    agency: str
    number: str
    domain: str
    day: Day


class Post:
    """The feeds of one member, as its records go into them."""

    def __init__(self, *, world: World, files: Sink, serial: int = 0) -> None:
        """Write into files from a serial on: two desks of one member need serials of their own."""
        self.world, self.serial = world, serial
        self._put = files.put
        self._catalogue: Catalogue = world.catalogue
        self._versions = {each.id: each.version for each in world.catalogue.schemes}
        self._places = {
            key: Place(feed.id, feed.agency, world.codes.get(feed.agency, "")) for key, feed in world.feeds.items()
        }
        self._permits = {domain: place for (name, domain), place in self._places.items() if name == "permit"}

    def place(self, record_class: str, domain: str) -> Place | None:
        """Give the feed of a class for a domain, or else the only one of the class."""
        found = self._places.get((record_class, domain))
        if found is None:
            of_class = [place for (name, _), place in self._places.items() if name == record_class]
            found = of_class[0] if len(of_class) == 1 else None
        return found

    def _number(self, day: Day) -> str:
        self.serial += 1
        return f"样例〔{day!s:.4}〕{self.serial}号"

    def _key(self, letter: str) -> str:
        self.serial += 1
        return f"{letter}{self.serial}"
