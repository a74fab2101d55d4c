"""Which feeds a member declares: rules over domains, record classes and deciding agencies, written out.

What has no feed is not covered. When a feed is late or has gaps, the store and the coverage rule know.
"""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from gateway.catalogue import ListClass
from gateway.ports import Feed
from nodes.federation.folder import Folder, Row, entry, read_folder

EVERYWHERE = "all"
LISTS = {"listed": ListClass.LISTING, "abnormal": ListClass.ABNORMAL}
"""Words for the domains that have a list of a class."""


def feeds(folder: Path, member: str) -> tuple[Feed, ...]:
    """Give the feeds of a member, none of them loaded yet; a domain whose agency sits elsewhere has none.

    Raises:
        CatalogueMalformed: for a file that cannot be read, or a reference to no row.
    """
    found = read_folder(folder)
    history_from = date.fromisoformat(entry(found.table("feeds"), "history_from", "feeds"))
    return tuple(
        Feed(
            id=f"{member}-{domain}-{record_class}",
            agency=agency,
            domain=domain,
            division=member,
            record_class=record_class,
            frequency_days=days,
            history_from=history_from,
            data_through=None,
            gaps=0,
        )
        for domain, record_class, agency, days in _declared(found, member)
    )


def _declared(folder: Folder, member: str) -> Iterator[tuple[str, str, str, int]]:
    """Give domain, record class, deciding agency and days between deliveries."""
    own = {f"{division}-{sort}" for division, sort in folder.agencies(member)}
    for record_class, rule in folder.table("whole").items():
        yield rule["name"], record_class, f"{member}-{rule['agency']}", rule["frequency_days"]
    for record_class, rule in folder.table("classes").items():
        for domain in _domains(folder, rule):
            agency = f"{member}-{entry(folder.table('deciding'), domain, 'deciding')}"
            if agency in own:
                yield domain, record_class, agency, rule["frequency_days"]


def _domains(folder: Folder, rule: Row) -> list[str]:
    """Give the domains of a rule, in the order of the federation's."""
    every = {row["code"]: row for row in folder.rows("domains")}
    named = rule["domains"]
    if named == EVERYWHERE:
        return list(every)
    if isinstance(named, str):
        sort = entry(LISTS, named, "feeds")
        types = folder.rows("list_types")
        named = {row["domain"] for row in types if row.get("record_class", ListClass.LISTING) == sort}
    for each in named:
        entry(every, each, "domains")
    return [each for each in every if each in named]
