"""Where records of a sample go: the feeds of a member, their deciding agencies, and an open file for each."""

import csv
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gateway.catalogue import Catalogue, read_catalogue
from gateway.ports import Feed
from nodes.federation.compiling import sections
from nodes.federation.feeds import feeds
from nodes.federation.folder import read_folder

_HELD = 1_000

HEADERS = {
    "register": "uscc name kind lifecycle division valid_from valid_until predecessor successor branch_of"
    " legal_representative address registered_capital",
    "penalty": "CF_XDR_MC CF_XDR_LB CF_XDR_SHXYM CF_FRDB CF_WSH CF_WFXW CF_SY CF_YJ CF_CFLB CF_NR CF_NR_FK"
    " CF_JDRQ CF_CFJG CF_CFJGDM BZ procedure origin publish_not_before repaired_on annulled_on exempt disputed",
    "permit": "XK_XDR_MC XK_XDR_LB XK_XDR_SHXYM XK_FRDB XK_XKWS XK_WSH XK_XKLB XK_NR XK_JDRQ XK_YXQZ XK_YXQZI"
    " XK_XKJG XK_XKJGDM XK_ZT",
    "listing": "record_key uscc name list_type listed_on publish_not_before exit_on exit_reason basis_class"
    " agency case_number basis_text origin disputed",
    "rating": "record_key uscc name scheme_id scheme_version grade rated_on valid_until score disputed",
    "measure": "record_key uscc name measure_code domain territory list_edition legal_basis agency term_from"
    " term_until lifted_on content",
    **dict.fromkeys(
        ("coercion", "confirmation", "adjudication", "inspection", "reward"),
        "record_key uscc name kind agency decided_on",
    ),
    "judicial": "record_key uscc name kind agency decided_on",
    "abnormal": "record_key uscc name reason_class listed_on agency",
    "contract": "record_key uscc name kind status agency signed_on",
    "commitment": "record_key uscc name commitment_type matter_code status agency made_on",
    "honour": "record_key uscc name kind agency awarded_on",
    "intellectual_property": "record_key uscc name kind agency registered_on",
    "self_declared": "record_key uscc name kind declared_on",
    "repair": "record_key uscc name target_class target_agency target_number outcome agency decided_on",
    "objection": "record_key uscc name target_class target_agency target_number status agency opened_on",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The federation that a sample is made for."""

    catalogue: Catalogue
    counties: dict[str, tuple[str, ...]]
    """County divisions of each member."""

    codes: dict[str, str]
    """An agency's code in decisions, by its id."""

    feeds: dict[tuple[str, str], Feed]
    """The member's feeds by record class and domain."""

    @property
    def members(self) -> tuple[str, ...]:
        """Name all members."""
        return tuple(self.counties)


def world(folder: Path, member: str) -> World:
    """Read a federation's folder for one member.

    Raises:
        CatalogueMalformed: for a fault in it.
    """
    tables, found = sections(folder), read_folder(folder)
    counties = found.table("counties")
    return World(
        catalogue=read_catalogue(tables),
        counties={each: tuple(counties.get(each, [each])) for each in found.members},
        codes={row["agency"]: row["code"] for row in tables["agency_codes"] if "valid_until" not in row},
        feeds={(each.record_class, each.domain): each for each in feeds(folder, member)},
    )


class Files:
    """One CSV file a feed, also for feeds with nothing to say: a quiet feed is covered, a missing one is not."""

    def __init__(self, folder: Path, feeds: Sequence[Feed]) -> None:
        """Create the files with their headers."""
        folder.mkdir(parents=True, exist_ok=True)
        self.counts = {each.id: 0 for each in feeds}
        self._open = ExitStack()
        self._held: dict[str, list[Sequence[Any]]] = {each.id: [] for each in feeds}
        self._writers = {}
        with self._open as opening:
            for each in feeds:
                path = folder / f"{each.id}.csv"
                file = opening.enter_context(path.open("w", encoding="utf-8", newline=""))
                self._writers[each.id] = csv.writer(file, lineterminator="\n")
                self._writers[each.id].writerow(HEADERS[each.record_class].split())
            self._open = opening.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for name in self._held:
                self._write(name)
        finally:
            self._open.close()

    def put(self, feed: str, row: Sequence[Any]) -> None:
        """Add a row to a feed's file."""
        held = self._held[feed]
        held.append(row)
        if len(held) >= _HELD:
            self._write(feed)

    def _write(self, feed: str) -> None:
        held = self._held[feed]
        self._writers[feed].writerows(held)
        self.counts[feed] += len(held)
        held.clear()
